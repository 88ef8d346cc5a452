/* miner_fuzz - any bytes are lines to learn, with the help of outlines as without, and any bytes make a miner or a clear error. */
#include "base/scope.h"
#include "learn/miner_state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(miner_destroy, struct miner)

/* quick meets each line three times, so that it is known by its outline the last time; plain knows nothing by outline. */
static void learn_all(struct miner *quick, struct miner *plain, struct str lines)
{
        struct str line;
        struct miner_match match, other;
        while (str_cut(&lines, '\n', &line)) {
                for (int time = 0; time < 3; time++) {
                        familiar_done(&plain->familiar);
                        if (!miner_learn(quick, line, 1, &match, NULL) || !miner_learn(plain, line, 1, &other, NULL))
                                abort();
                }
                if (match.number != other.number || match.variable_count != other.variable_count)
                        abort();
                for (uint32_t i = 0; i < match.variable_count; i++)
                        if (match.variables[i].start != other.variables[i].start || match.variables[i].length != other.variables[i].length ||
                            match.variables[i].place != other.variables[i].place || match.variables[i].type != other.variables[i].type)
                                abort();
                for (uint32_t i = 0; i < match.variable_count; i++)
                        if ((size_t)match.variables[i].start + match.variables[i].length > line.length)
                                abort();
                miner_refine(quick, 4);
                miner_refine(plain, 4);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str input = {(const char *)bytes, count};
        struct miner_bounds bounds = {.templates_max = 64, .bytes_max = 1 << 16};
        struct err err = {0};
        scoped_ptr(miner_destroy) struct miner *miner = miner_restore(input, bounds, &err);
        if (!miner && err.message[0] == 0)
                abort();
        if (!miner)
                miner = miner_create(STR("fuzz"), bounds, NULL);
        scoped(buf_done) struct buf before = {0};
        if (!miner_snapshot(miner, &before, NULL))
                abort();
        scoped_ptr(miner_destroy) struct miner *plain = miner_restore(buf_str(&before), bounds, NULL);
        if (!plain)
                abort();
        learn_all(miner, plain, input);
        scoped(buf_done) struct buf snapshot = {0}, again = {0};
        if (!miner_snapshot(miner, &snapshot, NULL))
                abort();
        scoped_ptr(miner_destroy) struct miner *restored = miner_restore(buf_str(&snapshot), bounds, NULL);
        if (!restored || !miner_snapshot(restored, &again, NULL) || !str_equal(buf_str(&snapshot), buf_str(&again)))
                abort();
        return 0;
}
