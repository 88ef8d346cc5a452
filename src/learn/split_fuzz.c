/* split_fuzz - any bytes are a watch that is written again as it was, and can be judged; or none. */
#include "base/scope.h"
#include "learn/split.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(split_destroy, struct split)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str input = {(const char *)bytes, count};
        struct reader reader = reader_of(input);
        scoped_ptr(split_destroy) struct split *split = split_read(&reader);
        scoped(buf_done) struct buf again = {0};
        if (!split)
                return 0;
        const struct split_place *place = split_judge(split);
        if (place && (place->count < 2 || place->count > MINER_HALVES_MAX))
                abort();
        split_write(split, &again);
        if (again.failed || !str_equal(buf_str(&again), str_slice(input, 0, count - reader_left(&reader))))
                abort();
        return 0;
}
