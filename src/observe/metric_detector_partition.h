/*
 * metric_detector_partition - what one partition of metric_detectors holds. Private to metric_detector.c, metric_judge.c and
 * metric_detector_snapshot.c. Only the worker that owns the partition touches it; savers and readers come when no worker runs.
 */
#pragma once

#include "base/keys.h"
#include "learn/detector.h"
#include "model/telemetry.h"
#include "observe/metric_detector.h"
#include "observe/pending.h"
#include "store/archive.h"

#define SLAB_SERIES 8          /* most programs have few series in each of many partitions */

struct beside {
        double raw;             /* a counter's last value */
        int64_t since_ns;       /* of the episode that was told; 0: none */
        uint64_t kind : 8;      /* enum anomaly_kind, as it was told */
        uint64_t reading : 56;  /* how the values are read, enum measure_reading + 1; 0: to be told by the name */
};

struct slab {
        struct detector detectors[SLAB_SERIES];
        struct beside beside[SLAB_SERIES];
};

struct detector_partition {
        struct slab **slabs;
        uint32_t slab_count, slab_capacity;
        uint32_t hand;
        uint32_t expected;      /* behind the last one that was found */
        struct keys keys;       /* of the detectors */
        struct metric_detector_counts counts;
        struct pending pending;
        uint32_t judged;        /* of what is pending, when sorted: where memory ran out, for the next try */
        struct { bool is_one; double value; struct verdict verdict; } untold; /* it is judged, and what there is to tell waits for memory */
};

struct settle;
struct noticed;

struct metric_detectors {
        uint32_t partition_max;
        struct detector_partition partitions[PARTITIONS];
};

static inline struct detector *detector_at(const struct detector_partition *partition, uint32_t at)
{
        return &partition->slabs[at / SLAB_SERIES]->detectors[at % SLAB_SERIES];
}

static inline struct beside *beside_at(const struct detector_partition *partition, uint32_t at)
{
        return &partition->slabs[at / SLAB_SERIES]->beside[at % SLAB_SERIES];
}

bool detector_partition_reserve(struct detector_partition *partition, uint32_t wanted, struct err *err);
void detector_partition_done(struct detector_partition *partition);

/* Judges all that is pending. False: no memory; called again it goes on where it was. */
bool metric_judge(struct detector_partition *partition, const struct settle *settle, struct noticed *noticed, struct err *err);
