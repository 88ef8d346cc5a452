/*
 * log_detector - what is unusual in a program's log: which anomalies its templates yield, and how surprising each is.
 *
 *      new template            at its first line: how often this program says something new in such a minute
 *      rate of a template      at the end of a minute: against its own level, hour of day and burstiness (learn/rate.h)
 *      a template that stops   at the end of a minute: lines awaited since the last, of one that had come for a day or longer: what is
 *                              said once, or for the hours of a fault, was never usual
 *      burst of a severity     at the end of a minute: records of level error, as rates
 *      fatal                   at its line: that the program cannot go on, by its own word (level critical and above), after an hour
 *                              without; it is over after the next such hour. How surprising: how often such times begin,
 *                              or how new it is; such a line is not told of as new besides
 *      order                   when a piece of work (all lines with one id: a request, a block) has been quiet for minutes: a
 *                              combination of templates never seen (learn/sequence.h)
 *      outlying variable       at its line: a number further out than nearly all before (learn/value_sketch.h)
 *
 * Only what has p below LOG_P_MAX leaves here; which of it matters is the alert budget's business. Detectors whose
 * program is younger than a day say that they are learning.
 */
#pragma once

#include "observe/log_domain.h"

#define LOG_P_MAX 1e-3

/* At a record that was just learnt. False: no memory. */
bool log_detector_look(struct log_domain *domain, struct str sentence, const struct log_record *record, const struct miner_match *match, int64_t time_ns,
                       struct noticed *noticed, struct err *err);
/* At the end of a minute, given by its end. False: no memory; the minute is closed all the same. */
bool log_detector_close_minute(struct log_domain *domain, int64_t minute_end_ns, struct noticed *noticed, struct err *err);
