/* miner_fuzz - any bytes are lines to learn, and any bytes make a miner or a clear error. */
#include "base/scope.h"
#include "learn/miner.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(miner_destroy, struct miner)

static void learn_all(struct miner *miner, struct str lines)
{
        struct str line;
        struct miner_match match;
        while (str_cut(&lines, '\n', &line)) {
                if (!miner_learn(miner, line, 1, &match, NULL))
                        abort();
                for (uint32_t i = 0; i < match.variable_count; i++)
                        if ((size_t)match.variables[i].start + match.variables[i].length > line.length)
                                abort();
                miner_refine(miner, 4);
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
        learn_all(miner, input);
        scoped(buf_done) struct buf snapshot = {0}, again = {0};
        if (!miner_snapshot(miner, &snapshot, NULL))
                abort();
        scoped_ptr(miner_destroy) struct miner *restored = miner_restore(buf_str(&snapshot), bounds, NULL);
        if (!restored || !miner_snapshot(restored, &again, NULL) || !str_equal(buf_str(&snapshot), buf_str(&again)))
                abort();
        return 0;
}
