/*
 * aging - how old the days of telemetry are for retention, when the clock cannot be trusted.
 *
 * Journal time never goes back, so a clock that was years ahead for a moment leaves it years ahead. Retention by plain age
 * would then remove every good day. So a step of more than a week, which neither running nor a week of being off
 * explains, counts as a week for the days before it; those after it are counted from their own time. The price: after
 * being off for longer, days are kept longer by as much. A function of the journal and the checkpoint; the pipeline's own.
 */
#pragma once

#include "base/clock.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define AGING_DAY_NS (86400 * NS_PER_S)
#define AGING_STEP_NS (7 * AGING_DAY_NS)
#define AGING_JUMPS_MAX 8 /* beyond it the two oldest become one, which keeps days longer */

struct aging {
        struct aging_jump {
                int64_t last_day;   /* the newest day before it, since 1970 */
                int64_t skipped_ns; /* of it does not count for that day and older ones */
        } jumps[AGING_JUMPS_MAX];   /* oldest first */
        size_t count;
        int64_t time_ns;            /* journal time; 0: none yet */
};

/* Journal time goes on. Gives how much of the step does not count, 0 nearly always. */
int64_t aging_pass(struct aging *aging, int64_t time_ns);
/* Days before the one this gives are older than so many days. Forgets jumps that no kept day remembers. */
int64_t aging_first_day_kept(struct aging *aging, int64_t retention_days);

json_t *aging_save(const struct aging *aging);  /* without the time; NULL: no memory */
void aging_restore(struct aging *aging, const json_t *saved, int64_t time_ns);
