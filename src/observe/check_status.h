/*
 * check_status - from results to states that people are told of: retries before a state is hard, and flapping.
 *
 *      ok --bad result--> soft --`attempts` bad ones in a row--> hard bad --two good results in a row--> ok
 *
 * One good result among bad ones is no recovery: what answers now and then would be told as over, and as new a moment later. Where a single bad result
 * counts (`attempts` 1), a single good one does, too.
 *
 * A change between two bad states is hard at once. Flapping counts changes between good and bad among the last 20 results, as monitoring
 * systems do since Nagios: from 30 percent on, until below 20.
 */
#pragma once

#include "observe/check.h"

struct check_status {
        enum check_state hard;          /* what people were told */
        int64_t since_ns;               /* when that state was first seen, soft results included */
        int attempt;                    /* bad results in a row */
        int recovery;                   /* good results in a row while the hard state is a bad one */
        bool is_known;                  /* there was a result at all */
        uint32_t changed;               /* a bit for each of the last 20 results: it differed from the one before */
        bool was_bad, is_flapping;
        uint64_t changes;
};

struct check_verdict {
        bool is_hard;                   /* the state counts; else it is tried again first */
        bool is_new;                    /* people must be told: the hard state differs from the one before, or is the first one */
};

struct check_verdict check_status_update(struct check_status *status, enum check_state state, int attempts, int64_t time_ns);
