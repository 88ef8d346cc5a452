/* metric_block_fuzz - any bytes are a block or a clear error, checksums aside; a block that is read is read in bounds.
 * Input: length of the index (u16, little-endian), index, body. */
#define METRIC_BLOCK_TRUSTS_CHECKSUMS
#include "store/metric_block.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static volatile double sum; /* of all values: reads them, so that the sanitizers see a bad one */

static bool check_run(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count, struct err *err)
{
        const struct metric_index *index = context;
        (void)err;
        if (place >= index->series_count || !count || count > index->samples)
                abort();
        for (size_t i = 0; i < count; i++) {
                if (i && times_ns[i] <= times_ns[i - 1])
                        abort();
                sum += values[i];
        }
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct reader reader = reader_of((struct str){(const char *)bytes, count});
        struct str index_bytes = reader_bytes(&reader, reader_u16(&reader));
        struct str body = reader_bytes(&reader, reader_left(&reader));
        if (reader.failed)
                return 0;
        scoped(arena_done) struct arena arena = {0};
        arena_init(&arena, (size_t)256 << 20);
        struct metric_index index;
        bool good = metric_index_read(index_bytes, &arena, &index, &err) &&
                    metric_block_read(&index, body, NULL, &arena, check_run, &index, &err);
        if (!good && !err.message[0])
                abort();
        return 0;
}
