/*
 * metric_block - the bytes of a sealed block of samples: two hours or so of the series of one partition.
 *
 *      index     ids in the order of the block, where each group of series lies, checksums
 *      body      time columns | group | group | ...
 *
 * Times that several series share are stored once. Values are whatever is smallest and still exact to the bit. A reader
 * learns from the index which groups it needs and decompresses only these. The bytes are a function of the runs alone.
 * Layout and measurements: docs/decisions/metric-blocks.md.
 *
 * Bytes to read are from a disk and may be anything: whatever is wrong with them is ERR_CORRUPT.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC_BLOCK_SAMPLES_MAX ((size_t)1 << 22) /* in one block */
#define METRIC_BLOCK_SERIES_MAX ((size_t)1 << 20)

struct metric_run { /* one series in a block */
        uint32_t id;
        size_t count;              /* above 0 */
        const int64_t *times_ns;   /* ascending, none twice */
        const double *values;
};

/* Appends to both. Alike series should be neighbours. At most the bounds above. */
bool metric_block_encode(const struct metric_run *runs, size_t count, struct buf *out_index, struct buf *out_body,
                         struct err *err);

struct metric_section {
        size_t series, offset, lean_stored, lean_bytes, noise_stored, noise_bytes;
        uint64_t checksum;
};

struct metric_index {
        const uint32_t *ids;
        size_t series_count, samples, group_count;
        struct metric_section times;          /* its lean part; no series, no noise */
        const struct metric_section *groups;
};

/* Reads and checks an index; all of it is of the arena. */
bool metric_index_read(struct str bytes, struct arena *arena, struct metric_index *out_index, struct err *err);

/* place: of the series in index->ids. The arrays are valid for the call. False ends the reading with the err it set. */
typedef bool metric_visit_fn(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count,
                             struct err *err);

/* Visits the wanted series (flags by place; NULL: all) in order. Needs the arena for as much as it decompresses. */
bool metric_block_read(const struct metric_index *index, struct str body, const bool *wanted, struct arena *arena,
                       metric_visit_fn *visit, void *context, struct err *err);
