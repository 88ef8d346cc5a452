/*
 * metric_detector.c - see metric_detector.h. Per partition slabs of detectors and of what is beside them, found by the high
 * half of the series' id. Slabs never move: nothing is copied when a partition grows, and at most one of each is not full. Senders
 * repeat their series in the same order, in which their detectors were made: the one behind the last is asked first.
 *
 * The trade: a detector is seven lines of memory, and waiting for them took longer than all that is computed with them. So samples are put
 * off for a second, or until a partition has PENDING_MAX, and judged series by series (metric_judge.c): amid a burst many meet their
 * detector at once. A fold touches no detector but a new series'.
 */
#include "observe/metric_detector.h"

#include "base/clock.h"
#include "base/scope.h"
#include "model/batch.h"
#include "model/measure.h"
#include "observe/metric_detector_partition.h"
#include "observe/observe.h"

#include <stdlib.h>

#define SERIES_MAX 262144
#define IDLE_NS (3600 * NS_PER_S)
#define WAIT_NS NS_PER_S        /* of journal time, at most until the next tick */
#define FETCH_STEP 8
#define LOOKED_AT 8             /* for an idle one, when a partition is full */

bool metric_detectors_create(struct metric_detectors **out_detectors, struct err *err)
{
        return metric_detectors_create_for(SERIES_MAX, out_detectors, err);
}

bool metric_detectors_create_for(size_t series_max, struct metric_detectors **out_detectors, struct err *err)
{
        struct metric_detectors *detectors = calloc(1, sizeof *detectors);
        if (!detectors)
                return fail_memory(err, "metric_detector", sizeof *detectors);
        detectors->partition_max = (uint32_t)(series_max / PARTITIONS + series_max / (PARTITIONS * 8) + 4); /* room for an uneven spread */
        *out_detectors = detectors;
        return true;
}

void detector_partition_done(struct detector_partition *partition)
{
        for (uint32_t i = 0; i < partition->slab_count; i++)
                free(partition->slabs[i]);
        free(partition->slabs);
        keys_done(&partition->keys);
        pending_done(&partition->pending);
        *partition = (struct detector_partition){0};
}

void metric_detectors_destroy(struct metric_detectors *detectors)
{
        for (int p = 0; detectors && p < PARTITIONS; p++)
                detector_partition_done(&detectors->partitions[p]);
        free(detectors);
}

/* --- finding a series' detector ------------------------------------------------------------------------------------- */

static uint32_t find(const struct detector_partition *partition, struct hash128 id)
{
        return keys_are(&partition->keys, partition->expected, id.high) ? partition->expected : keys_find(&partition->keys, id.high);
}

static void expect_next(struct detector_partition *partition, uint32_t at)
{
        partition->expected = at + 1 < partition->keys.count ? at + 1 : 0;
}

bool detector_partition_reserve(struct detector_partition *partition, uint32_t wanted, struct err *err)
{
        uint32_t slabs = (wanted + SLAB_SERIES - 1) / SLAB_SERIES;
        if (slabs > partition->slab_capacity) {
                uint32_t capacity = max_of(slabs, partition->slab_capacity + partition->slab_capacity / 2 + 4);
                struct slab **moved = realloc(partition->slabs, capacity * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "metric_detector", capacity * sizeof *moved);
                partition->slabs = moved;
                partition->slab_capacity = capacity;
        }
        for (; partition->slab_count < slabs; partition->slab_count++)
                if (!(partition->slabs[partition->slab_count] = malloc(sizeof(struct slab))))
                        return fail_memory(err, "metric_detector", sizeof(struct slab));
        return true;
}

static bool is_pending(const struct detector_partition *partition, uint32_t at)
{
        each (sample, &partition->pending)
                if (sample->series == at)
                        return true;
        return false;
}

/* An idle one among the next few in turn, or KEYS_NONE. */
static uint32_t evict(struct detector_partition *partition, int64_t now_ns)
{
        for (int i = 0; i < LOOKED_AT && partition->keys.count; i++) {
                uint32_t at = partition->hand++ % partition->keys.count;
                if (detector_at(partition, at)->last_ns + IDLE_NS > now_ns || is_pending(partition, at))
                        continue;
                partition->counts.evicted++;
                return at;
        }
        return KEYS_NONE;
}

/* *out_at KEYS_NONE: there is no room for it. */
static bool add(struct detector_partition *partition, uint32_t most, struct hash128 id, int64_t now_ns, uint32_t *out_at, struct err *err)
{
        bool is_full = partition->keys.count >= most;
        if (!is_full && !detector_partition_reserve(partition, partition->keys.count + 1, err))
                return false;
        uint32_t at = is_full ? evict(partition, now_ns) : partition->keys.count;
        if (at == KEYS_NONE) {
                partition->counts.without++;
                *out_at = KEYS_NONE;
                return true;
        }
        if (is_full)
                keys_replace(&partition->keys, at, id.high);
        else if (!keys_add(&partition->keys, id.high))
                return fail_memory(err, "metric_detector", sizeof id);
        detector_init(detector_at(partition, at));
        *beside_at(partition, at) = (struct beside){0};
        *out_at = at;
        return true;
}

/* --- folding ---------------------------------------------------------------------------------------------------------- */

/* *out_at KEYS_NONE: a series that has no detector. */
static bool find_or_add(struct metric_detectors *detectors, const struct fold *fold, const struct series_points *points, uint32_t *out_at, struct err *err)
{
        struct detector_partition *partition = &detectors->partitions[fold->partition];
        *out_at = find(partition, points->id);
        if (*out_at != KEYS_NONE)
                return true;
        enum measure_reading reading = measure_reading(labels_value(&points->labels, LABEL_METRIC_NAME));
        if (reading == READ_NOT)
                return true;
        if (!add(partition, detectors->partition_max, points->id, fold->time_ns, out_at, err))
                return false;
        if (*out_at != KEYS_NONE)
                beside_at(partition, *out_at)->reading = (uint64_t)reading + 1;
        return true;
}

static bool settle(struct metric_detectors *detectors, const struct settle *settle, struct noticed *noticed, struct err *err)
{
        return metric_judge(&detectors->partitions[settle->partition], settle, noticed, err);
}

/* Amid a fold that fails some samples are pending already; when it comes again they are not newer than the last, and passed by. */
static bool fold_series(struct metric_detectors *detectors, const struct fold *fold, const struct series_points *points, struct noticed *noticed,
                        struct err *err)
{
        struct detector_partition *partition = &detectors->partitions[fold->partition];
        uint32_t at;
        if (!find_or_add(detectors, fold, points, &at, err))
                return false;
        if (at == KEYS_NONE)
                return true;
        expect_next(partition, at);
        for (size_t i = 0; i < points->count; i++) {
                const struct sample *sample = &points->samples[i];
                struct pending_sample pending = {at, sample->time_ns ? sample->time_ns : fold->batch->received_ns, sample->value};
                if (pending_is_full(&partition->pending) &&
                    !settle(detectors, &(struct settle){fold->partition, fold->time_ns, fold->store}, noticed, err))
                        return false;
                if (!pending_add(&partition->pending, &pending, fold->time_ns))
                        return fail_memory(err, "metric_detector", sizeof pending);
        }
        return true;
}

static const struct series_points *points_at(const struct fold *fold, size_t i)
{
        return &fold->batch->telemetry.series.items[fold->series[i]];
}

bool metric_detectors_fold(struct metric_detectors *detectors, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        const struct detector_partition *partition = &detectors->partitions[fold->partition];
        for (size_t i = 0; i < fold->series_count; i++) {
                const struct series_points *points = points_at(fold, i);
                if (i + FETCH_STEP < fold->series_count && !keys_are(&partition->keys, partition->expected, points->id.high))
                        keys_fetch(&partition->keys, points_at(fold, i + FETCH_STEP)->id.high);
                if (!fold_series(detectors, fold, points, noticed, err))
                        return err_within(err, "taking in samples of partition %u", (unsigned)fold->partition);
        }
        return true;
}

bool metric_detectors_are_due(const struct metric_detectors *detectors, int64_t time_ns)
{
        for (int p = 0; p < PARTITIONS; p++)
                if (pending_is_due(&detectors->partitions[p].pending, time_ns, WAIT_NS))
                        return true;
        return false;
}

bool metric_detectors_settle(struct metric_detectors *detectors, const struct settle *now, struct noticed *noticed, struct err *err)
{
        struct pending *pending = &detectors->partitions[now->partition].pending;
        if (!pending_is_due(pending, now->time_ns, WAIT_NS))
                return true;
        if (!settle(detectors, now, noticed, err))
                return false;
        pending_done(pending);
        return true;
}

struct metric_detector_counts metric_detectors_counts(const struct metric_detectors *detectors)
{
        struct metric_detector_counts sum = {0};
        for (int p = 0; p < PARTITIONS; p++) {
                const struct detector_partition *partition = &detectors->partitions[p];
                sum.series += partition->keys.count;
                sum.samples += partition->counts.samples;
                sum.anomalies += partition->counts.anomalies;
                sum.evicted += partition->counts.evicted;
                sum.without += partition->counts.without;
        }
        return sum;
}
