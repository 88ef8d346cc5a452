/* aging.c - see aging.h. Days stand in order, so the jumps divide them into runs, and the oldest run goes first. */
#include "loop/aging.h"

#include "base/json.h"
#include "base/scope.h"

#include <string.h>

static void add_jump(struct aging *aging, struct aging_jump jump)
{
        if (aging->count == AGING_JUMPS_MAX) {
                aging->jumps[1].skipped_ns += aging->jumps[0].skipped_ns;
                memmove(aging->jumps, aging->jumps + 1, --aging->count * sizeof *aging->jumps);
        }
        aging->jumps[aging->count++] = jump;
}

int64_t aging_pass(struct aging *aging, int64_t time_ns)
{
        int64_t skipped_ns = aging->time_ns ? time_ns - aging->time_ns - AGING_STEP_NS : 0;
        if (skipped_ns > 0)
                add_jump(aging, (struct aging_jump){aging->time_ns / AGING_DAY_NS, skipped_ns});
        aging->time_ns = time_ns;
        return max_of(skipped_ns, (int64_t)0);
}

int64_t aging_first_day_kept(struct aging *aging, int64_t retention_days)
{
        int64_t counted_ns = aging->time_ns;
        for (size_t i = 0; i < aging->count; i++)
                counted_ns -= aging->jumps[i].skipped_ns;
        while (aging->count) {
                int64_t first = counted_ns / AGING_DAY_NS - retention_days;
                if (first <= aging->jumps[0].last_day)
                        return first;
                counted_ns += aging->jumps[0].skipped_ns; /* every day before it is old by now */
                memmove(aging->jumps, aging->jumps + 1, --aging->count * sizeof *aging->jumps);
        }
        return counted_ns / AGING_DAY_NS - retention_days;
}

json_t *aging_save(const struct aging *aging)
{
        json_t *saved = json_array();
        for (size_t i = 0; saved && i < aging->count; i++)
                if (json_array_append_new(saved, json_pack("[I, I]", (json_int_t)aging->jumps[i].last_day,
                                                           (json_int_t)aging->jumps[i].skipped_ns)) != 0) {
                        json_decref(saved);
                        return NULL;
                }
        return saved;
}

void aging_restore(struct aging *aging, const json_t *saved, int64_t time_ns)
{
        *aging = (struct aging){.time_ns = time_ns};
        size_t i;
        json_t *row;
        json_array_foreach(saved, i, row)
                add_jump(aging, (struct aging_jump){json_integer_value(json_array_get(row, 0)), json_integer_value(json_array_get(row, 1))});
}
