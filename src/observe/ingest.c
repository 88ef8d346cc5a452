/*
 * ingest.c - see ingest.h. The hot path behind the journal: no allocation per record. A batch's items are sorted by
 * partition once (counting sort over small arrays of the batch's arena), then each partition takes its run.
 */
#include "observe/ingest.h"

#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "base/clock.h"
#include "observe/intake.h"
#include "observe/observe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS_MAX 64

/* Items of one batch, ordered by partition: those of partition p are picks[starts[p] .. starts[p + 1]). */
struct sorting {
        uint32_t starts[PARTITIONS + 1];
        uint32_t *picks;
        uint32_t *ordinals; /* series only: the ordinal of each pick's first sample */
};

struct sorted_batch {
        struct sorting records, series;
};

struct worker {
        struct ingest *ingest;
        int number;
        struct thread thread;
};

struct ingest {
        struct logs *logs;
        struct series_store *series;
        struct metric_metas *metas;
        struct observe *observe;
        int worker_count;
        struct worker workers[WORKERS_MAX];
        struct lock lock;
        struct signal begin, end;
        uint64_t round;         /* counts up; a worker runs when it changes */
        int running;
        bool stopping;
        _Atomic bool gave_up;
        bool (*stalled)(void *context);
        void *stalled_context;
        void (*part)(struct ingest *ingest, int worker); /* of the round */
        const struct arrival *arrivals;
        size_t arrival_count;
        int64_t settle_ns;
        struct sorted_batch sorted[INGEST_ROUND_MAX];
};

/* --- sorting ------------------------------------------------------------------------------------------------------ */

/* Fills starts and picks from the partition of each item. */
static bool sort_items(struct sorting *sorting, struct arena *arena, const uint16_t *partition_of, size_t count)
{
        sorting->picks = arena_alloc(arena, (count + 1) * sizeof *sorting->picks);
        if (!sorting->picks)
                return false;
        memset(sorting->starts, 0, sizeof sorting->starts);
        for (size_t i = 0; i < count; i++)
                sorting->starts[partition_of[i] + 1]++;
        for (int p = 0; p < PARTITIONS; p++)
                sorting->starts[p + 1] += sorting->starts[p];
        uint32_t next[PARTITIONS];
        memcpy(next, sorting->starts, sizeof next);
        for (size_t i = 0; i < count; i++)
                sorting->picks[next[partition_of[i]]++] = (uint32_t)i;
        return true;
}

static bool sort_records(struct sorting *sorting, struct batch *batch)
{
        const struct telemetry *telemetry = &batch->telemetry;
        uint16_t *of_stream = arena_alloc(&batch->arena, (telemetry->streams.count + 1) * sizeof *of_stream);
        uint16_t *of_record = arena_alloc(&batch->arena, (telemetry->records.count + 1) * sizeof *of_record);
        if (!of_stream || !of_record)
                return false;
        for (size_t i = 0; i < telemetry->streams.count; i++)
                of_stream[i] = logs_partition(&telemetry->streams.items[i]);
        for (size_t i = 0; i < telemetry->records.count; i++)
                of_record[i] = of_stream[telemetry->records.items[i].stream];
        return sort_items(sorting, &batch->arena, of_record, telemetry->records.count);
}

/* Samples are counted over the whole batch, after its records, so that every item's id is its own. */
static bool sort_series(struct sorting *sorting, struct batch *batch)
{
        const struct telemetry *telemetry = &batch->telemetry;
        size_t count = telemetry->series.count;
        uint16_t *of_series = arena_alloc(&batch->arena, (count + 1) * sizeof *of_series);
        uint32_t *first = arena_alloc(&batch->arena, (count + 1) * sizeof *first);
        sorting->ordinals = arena_alloc(&batch->arena, (count + 1) * sizeof *sorting->ordinals);
        if (!of_series || !first || !sorting->ordinals || !series_identify(&batch->telemetry, &batch->arena, NULL))
                return false;
        uint32_t ordinal = (uint32_t)telemetry->records.count;
        for (size_t i = 0; i < count; i++) {
                of_series[i] = (uint16_t)(telemetry->series.items[i].id.low % PARTITIONS);
                first[i] = ordinal;
                ordinal += (uint32_t)telemetry->series.items[i].count;
        }
        if (!sort_items(sorting, &batch->arena, of_series, count))
                return false;
        for (size_t i = 0; i < count; i++)
                sorting->ordinals[i] = first[sorting->picks[i]];
        return true;
}

/* --- storing ------------------------------------------------------------------------------------------------------ */

/* Memory is short, or the disk does not tell which series the day has. False: the program is stopping. */
static bool wait_to_store(struct ingest *ingest, const struct err *err)
{
        if (ingest->gave_up)
                return false;
        log_err(LOG_LEVEL_ERROR, err);
        if (ingest->stalled && !ingest->stalled(ingest->stalled_context)) {
                ingest->gave_up = true;
                return false;
        }
        if (!ingest->stalled) {
                struct timespec pause = {0, 200 * NS_PER_MS};
                nanosleep(&pause, NULL);
        }
        return true;
}

static void store_partition(struct ingest *ingest, const struct arrival *arrival, const struct sorted_batch *sorted, uint16_t p)
{
        const struct batch *batch = arrival->batch;
        const struct sorting *records = &sorted->records, *series = &sorted->series;
        struct err err;
        size_t count = records->starts[p + 1] - records->starts[p];
        while (count && !logs_add(ingest->logs, p, arrival->sequence, batch->received_ns, &batch->telemetry,
                                  records->picks + records->starts[p], count, &err))
                if (!wait_to_store(ingest, &err))
                        return;
        count = series->starts[p + 1] - series->starts[p];
        while (count && !series_add(ingest->series, p, arrival->sequence, batch->received_ns, &batch->telemetry,
                                    series->picks + series->starts[p], series->ordinals + series->starts[p], count, &err))
                if (!wait_to_store(ingest, &err))
                        return;
        struct fold fold = {
                .partition = p, .batch = batch, .sequence = arrival->sequence, .time_ns = arrival->time_ns,
                .records = records->picks + records->starts[p], .record_count = records->starts[p + 1] - records->starts[p],
                .series = series->picks + series->starts[p], .series_count = count, .store = ingest->series,
        };
        while (ingest->observe && (fold.record_count || fold.series_count) && !observe_fold(ingest->observe, &fold, &err))
                if (!wait_to_store(ingest, &err))
                        return;
}

static void store_part(struct ingest *ingest, int worker)
{
        for (size_t i = 0; i < ingest->arrival_count; i++)
                if (ingest->arrivals[i].batch->is_decoded && !ingest->gave_up)
                        for (int p = worker; p < PARTITIONS; p += ingest->worker_count)
                                store_partition(ingest, &ingest->arrivals[i], &ingest->sorted[i], (uint16_t)p);
}

static void settle_part(struct ingest *ingest, int worker)
{
        struct err err;
        for (int p = worker; p < PARTITIONS; p += ingest->worker_count)
                while (!observe_settle(ingest->observe, &(struct settle){(uint16_t)p, ingest->settle_ns, ingest->series}, &err))
                        if (!wait_to_store(ingest, &err))
                                return;
}

static void run_worker(void *context)
{
        struct worker *worker = context;
        struct ingest *ingest = worker->ingest;
        uint64_t seen = 0;
        for (;;) {
                {
                        with_lock(&ingest->lock);
                        while (ingest->round == seen && !ingest->stopping)
                                signal_wait(&ingest->begin, &ingest->lock);
                        if (ingest->stopping)
                                return;
                        seen = ingest->round;
                }
                ingest->part(ingest, worker->number);
                with_lock(&ingest->lock);
                if (--ingest->running == 0)
                        signal_one(&ingest->end);
        }
}

/* What a decoder left when it ran out of memory; the arena has it until the batch ends. */
static void forget_decoded(struct batch *batch)
{
        batch->telemetry = (struct telemetry){.arena = &batch->arena};
}

static void prepare(struct ingest *ingest, struct arrival *arrival, struct sorted_batch *sorted)
{
        struct err err;
        while (!intake_decode(arrival->batch, &err)) {
                if (err.code == ERR_MEMORY) { /* no fault of the batch */
                        forget_decoded(arrival->batch);
                        if (wait_to_store(ingest, &err))
                                continue;
                        return;
                }
                err_within(&err, "entry %llu is left out", (unsigned long long)arrival->sequence);
                log_err(LOG_LEVEL_ERROR, &err);
                return;
        }
        each (meta, &arrival->batch->telemetry.metas)
                metric_metas_note(ingest->metas, meta);
        while (!sort_records(&sorted->records, arrival->batch) || !sort_series(&sorted->series, arrival->batch)) {
                fail_memory(&err, "ingest", arrival->batch->bytes.length);
                if (!wait_to_store(ingest, &err))
                        return;
        }
}

/* Every worker does its part of it. */
static void run_round(struct ingest *ingest, void (*part)(struct ingest *ingest, int worker))
{
        ingest->part = part;
        if (ingest->worker_count > 1) {
                with_lock(&ingest->lock);
                ingest->round++;
                ingest->running = ingest->worker_count - 1;
                signal_all(&ingest->begin);
        }
        part(ingest, 0);
        if (ingest->worker_count > 1) {
                with_lock(&ingest->lock);
                while (ingest->running)
                        signal_wait(&ingest->end, &ingest->lock);
        }
}

void ingest_round(struct ingest *ingest, struct arrival *arrivals, size_t count)
{
        for (size_t i = 0; i < count; i++)
                prepare(ingest, &arrivals[i], &ingest->sorted[i]);
        ingest->arrivals = arrivals;
        ingest->arrival_count = count;
        run_round(ingest, store_part);
}

void ingest_settle(struct ingest *ingest, int64_t time_ns)
{
        if (!ingest->observe || !observe_is_due(ingest->observe, time_ns))
                return;
        ingest->settle_ns = time_ns;
        run_round(ingest, settle_part);
}

void ingest_on_stall(struct ingest *ingest, bool (*stalled)(void *context), void *context)
{
        ingest->stalled = stalled;
        ingest->stalled_context = context;
}

bool ingest_gave_up(const struct ingest *ingest)
{
        return ingest->gave_up;
}

bool ingest_seal(struct ingest *ingest, int64_t idle_before_ns, struct err *err)
{
        for (int p = 0; p < PARTITIONS; p++)
                if (!logs_seal(ingest->logs, (uint16_t)p, err) || !series_seal(ingest->series, (uint16_t)p, idle_before_ns, err))
                        return false;
        return true;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

bool ingest_create(struct logs *logs, struct series_store *series, struct metric_metas *metas, struct observe *observe, int workers,
                   struct ingest **out_ingest, struct err *err)
{
        struct ingest *ingest = calloc(1, sizeof *ingest);
        if (!ingest)
                return fail_memory(err, "ingest", sizeof *ingest);
        ingest->logs = logs;
        ingest->series = series;
        ingest->metas = metas;
        ingest->observe = observe;
        ingest->worker_count = workers < 1 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : workers;
        lock_init(&ingest->lock, LOCK_PIPELINE);
        signal_init(&ingest->begin);
        signal_init(&ingest->end);
        for (int i = 1; i < ingest->worker_count; i++) {
                ingest->workers[i] = (struct worker){.ingest = ingest, .number = i};
                if (!thread_start(&ingest->workers[i].thread, "worker", run_worker, &ingest->workers[i], err)) {
                        ingest_destroy(ingest);
                        return false;
                }
        }
        *out_ingest = ingest;
        return true;
}

void ingest_destroy(struct ingest *ingest)
{
        if (!ingest)
                return;
        {
                with_lock(&ingest->lock);
                ingest->stopping = true;
                signal_all(&ingest->begin);
        }
        for (int i = 1; i < ingest->worker_count; i++)
                thread_join(&ingest->workers[i].thread);
        signal_done(&ingest->begin);
        signal_done(&ingest->end);
        lock_done(&ingest->lock);
        free(ingest);
}
