/* check_status.c - see check_status.h. */
#include "observe/check_status.h"

#include "base/scope.h"

#include <string.h>

#define WINDOW 20
#define FLAPPING_FROM 6 /* of WINDOW */
#define FLAPPING_UNTIL 4
#define RECOVERIES 2    /* good results in a row */

static void count_change(struct check_status *status, bool is_bad)
{
        bool differs = status->is_known && status->was_bad != is_bad;
        status->changed = (status->changed << 1 | differs) & ((1u << WINDOW) - 1);
        status->changes += differs;
        status->was_bad = is_bad;
        int count = __builtin_popcount(status->changed);
        status->is_flapping = status->is_flapping ? count >= FLAPPING_UNTIL : count >= FLAPPING_FROM;
}

struct check_verdict check_status_update(struct check_status *status, enum check_state state, int attempts, int64_t time_ns)
{
        bool is_bad = state != CHECK_OK, is_first = !status->is_known;
        count_change(status, is_bad);
        status->is_known = true;
        if (!is_bad && !is_first && status->hard != CHECK_OK && ++status->recovery < min_of(attempts, RECOVERIES))
                return (struct check_verdict){false, false};
        status->recovery = 0;
        if (!is_bad) {
                bool is_new = is_first || status->hard != CHECK_OK;
                if (is_new || status->attempt)
                        status->since_ns = time_ns;
                status->attempt = 0;
                status->hard = CHECK_OK;
                return (struct check_verdict){true, is_new};
        }
        if (status->hard == CHECK_OK && !status->attempt++)
                status->since_ns = time_ns;
        else if (status->hard == CHECK_OK && status->attempt > attempts)
                status->attempt = attempts;
        if (status->hard == CHECK_OK && status->attempt < attempts)
                return (struct check_verdict){false, false};
        bool is_new = status->hard != state;
        status->hard = state;
        return (struct check_verdict){true, is_new};
}
