/* series_count.c - decodes every stored sample, as the proof that a backup can be read; see series.h. */
#include "store/series.h"

#include "base/scope.h"
#include "store/metric_block.h"

#define BLOCK_MEMORY_MAX ((size_t)1 << 30)

struct counting {
        struct arena arena;
        uint64_t samples;
};

static bool count_run(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count, struct err *err)
{
        (void)place, (void)times_ns, (void)values, (void)err;
        ((struct counting *)context)->samples += count;
        return true;
}

static bool count_block(void *context, const struct block *block, struct err *err)
{
        struct counting *counting = context;
        struct metric_index index;
        uint64_t before = counting->samples;
        arena_reset(&counting->arena);
        if (!metric_index_read(block->index, &counting->arena, &index, err) ||
            !metric_block_read(&index, block->body, NULL, &counting->arena, count_run, counting, err))
                return err_within(err, "reading the block of partition %u at item %llu", block->partition, (unsigned long long)block->first_item);
        return counting->samples - before == block->items ||
               fail(err, ERR_CORRUPT, "series", "the block of partition %u at item %llu holds %llu samples, not %llu", block->partition,
                    (unsigned long long)block->first_item, (unsigned long long)(counting->samples - before), (unsigned long long)block->items);
}

bool series_count(struct archive *archive, uint64_t *out_samples, struct err *err)
{
        struct counting counting = {0};
        arena_init(&counting.arena, BLOCK_MEMORY_MAX);
        struct archive_range everything = {.kind = BLOCK_METRICS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        bool good = archive_visit(archive, &everything, NULL, count_block, &counting, err);
        int64_t day;
        if (good && archive_damaged_days(archive, INT64_MIN, INT64_MAX, &day, 1))
                good = fail(err, ERR_CORRUPT, "series", "a day's file is damaged; the log says which and where");
        arena_done(&counting.arena);
        if (good)
                *out_samples = counting.samples;
        return good;
}
