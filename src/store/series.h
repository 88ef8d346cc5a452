/*
 * series - metric samples in the store: a series' open chunk in memory, sealed blocks in the archive, one way to read both.
 *
 * A series lives in the partition of its labels' hash. Resident cost is bounded: series that got no sample for two hours
 * leave memory; at series_max new ones are refused and counted. A partition is sealed into a block when its open chunks
 * pass SERIES_OPEN_BYTES_MAX, at a day's end, and at a checkpoint. Samples may come out of order; of equal
 * times the last one wins.
 *
 * Adding: only the thread that owns the partition. Reading: any thread.
 */
#pragma once

#include "base/err.h"
#include "model/labels.h"
#include "model/telemetry.h"
#include "store/archive.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series_store;

bool series_create(struct archive *archive, size_t series_max, struct series_store **out_store, struct err *err);
void series_destroy(struct series_store *store);

/* The partition of a series. */
uint16_t series_partition(const struct labels *labels);
/* Packs and hashes the labels of each series of the batch, in the batch's arena, so that it is done once and while they
 * are warm; series_add does it itself for series that come without. The partition is then id.low % PARTITIONS. */
bool series_identify(struct telemetry *telemetry, struct arena *arena, struct err *err);

/* Takes in series[picks[..]] of the batch; all belong to the partition. first_ordinal[i] is the ordinal of series i's first
 * sample in the batch (samples are counted over the whole batch). Nothing is added on ERR_MEMORY. */
bool series_add(struct series_store *store, uint16_t partition, uint64_t sequence, int64_t received_ns,
                const struct telemetry *telemetry, const uint32_t *picks, const uint32_t *first_ordinals, size_t pick_count,
                struct err *err);
/* The labels, packed in the arena, of the series with this key (the high half of its id) that memory has, or the day of time_ns when
 * nothing was added since the start. *out_found false: there is none. On any thread. */
bool series_labels(struct series_store *store, uint16_t partition, uint64_t key, int64_t time_ns, struct arena *arena, struct labels *out_labels,
                   bool *out_found, struct err *err);
/* Seals the partition's open chunks; drops series idle since before idle_before_ns (journal time). */
bool series_seal(struct series_store *store, uint16_t partition, int64_t idle_before_ns, struct err *err);

/* One series of a result; times ascending, none twice. */
struct series_data {
        struct labels labels;
        const int64_t *times_ns;
        const double *values;           /* stale markers included, as STALE_NAN_BITS */
        size_t count;
};

struct series_set {
        struct series_data *items;      /* ordered by labels_compare */
        size_t count, capacity;
};

struct series_select {
        const struct matchers *matchers; /* __name__ included, if any */
        int64_t start_ns, end_ns;        /* both included */
        size_t samples_max;              /* more is ERR_REFUSED, told with the number; 0: 50 million */
        bool labels_only;                /* count stays 0: for /series, /labels */
        const _Atomic bool *cancelled;   /* may be NULL */
        int64_t deadline_ns;             /* clock_monotonic_ns of clock_real; 0: none */
};

/* All memory of the result is of the arena. A series without a sample in the range is left out (labels_only: those
 * known in the days of the range). */
bool series_select(struct series_store *store, const struct series_select *select, struct arena *arena,
                   struct series_set *out_set, struct err *err);

struct series_stats {
        uint64_t series, series_created, series_refused, samples, out_of_order, duplicates, open_bytes, resident_bytes, blocks_sealed,
                 blocks_damaged; /* met by selects, which skipped them */
};
/* Samples stored in sealed blocks, counted by decoding every one; for the proof of a backup. */
bool series_count(struct archive *archive, uint64_t *out_samples, struct err *err);
void series_read_stats(struct series_store *store, struct series_stats *out_stats);
