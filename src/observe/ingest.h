/*
 * ingest - committed batches into the store's open chunks, partition by partition.
 *
 * One round takes some batches in order of sequences; within it each worker thread handles the partitions that are its
 * own (partition % workers), all batches in order. So a partition sees its items in journal order whatever the number of workers is,
 * and the blocks come out byte for byte the same. Called by one thread, the pipeline's, which is worker 0.
 */
#pragma once

#include "base/err.h"
#include "model/batch.h"
#include "store/logs.h"
#include "store/metric_metas.h"
#include "store/series.h"

#include <stdint.h>

#define INGEST_ROUND_MAX 64 /* batches taken at once */

struct ingest;
struct observe;

struct arrival { /* a committed batch */
        struct batch *batch;
        uint64_t sequence;
        int64_t time_ns;
};

/* observe may be NULL: then items are stored and nobody looks at them. */
bool ingest_create(struct logs *logs, struct series_store *series, struct metric_metas *metas, struct observe *observe, int workers,
                   struct ingest **out_ingest, struct err *err);
void ingest_destroy(struct ingest *ingest);

/* Stores the arrivals; they stay the caller's. A batch that cannot be decoded (it was damaged, or a newer version wrote it)
 * is told in the log and left out. Waits, telling why, while memory is short. */
void ingest_round(struct ingest *ingest, struct arrival *arrivals, size_t count);

/* Before the tick of this journal time: what detectors have put off and is due now. */
void ingest_settle(struct ingest *ingest, int64_t time_ns);

/* Called, from any worker, instead of waiting a moment; false: give up, the program is stopping. What is given up, and all after
 * it, stays in the journal alone: no checkpoint may pass it by. */
void ingest_on_stall(struct ingest *ingest, bool (*stalled)(void *context), void *context);
bool ingest_gave_up(const struct ingest *ingest);

/* Seals all open chunks and drops series idle since before the time. */
bool ingest_seal(struct ingest *ingest, int64_t idle_before_ns, struct err *err);
