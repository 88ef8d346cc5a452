/*
 * metric_detector - a detector (learn/detector.h) for each series, where its samples are stored.
 *
 *      metric_detectors_create -> (restore) -> { metric_detectors_fold ... metric_detectors_settle } (workers, each its partitions) -> metric_detectors_destroy
 *
 * A folding stage: what a partition's detectors know is a function of the journal, whatever the number of workers is. Counters
 * (names that end in _total, _count or _sum) are judged by their rate; where one was set back, the sample is passed by.
 * Buckets of histograms have no detector: their _count and _sum have. Samples that are not newer than the last are passed
 * by, so that a batch folded again does no harm. What is folded waits, at most until the first tick a second later, and is then judged
 * series by series, each series' samples in the order in which they came; when that is depends on the journal alone.
 *
 * An anomaly is noted when an episode opens or becomes worse, and again, is_over, when it ends. A detector that has seen less than a
 * day is_learning: what it notes may be shown, but should wake nobody.
 *
 * Bounded: each partition has its share of series_max. At the bound a new series takes the place of one that got no sample for
 * an hour, if one of the next few in turn is such; else it has no detector, and is counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/noticed.h"
#include "model/telemetry.h"

#include <stdint.h>

struct fold;
struct settle;
struct metric_detectors;

struct metric_detector_counts {
        uint64_t series, samples, anomalies;
        uint64_t evicted;       /* idle series that made room */
        uint64_t without;       /* times a new series found no room */
};

bool metric_detectors_create(struct metric_detectors **out_detectors, struct err *err); /* for 262,144 series */
bool metric_detectors_create_for(size_t series_max, struct metric_detectors **out_detectors, struct err *err);
void metric_detectors_destroy(struct metric_detectors *detectors);

/* On the worker that owns the partition; noticed is the partition's. False: no memory; the same fold may come again. */
bool metric_detectors_fold(struct metric_detectors *detectors, const struct fold *fold, struct noticed *noticed, struct err *err);

/* Judges what the partition has pending, if it is due; called as the fold is. */
bool metric_detectors_settle(struct metric_detectors *detectors, const struct settle *settle, struct noticed *noticed, struct err *err);
bool metric_detectors_are_due(const struct metric_detectors *detectors, int64_t time_ns); /* in any partition; when no worker runs */

/* When no worker runs. What older versions saved is taken over; other bytes are refused. Restore replaces what is there. */
bool metric_detectors_save(const struct metric_detectors *detectors, struct buf *out, struct err *err);
bool metric_detectors_restore(struct metric_detectors *detectors, struct str bytes, struct err *err);
struct metric_detector_counts metric_detectors_counts(const struct metric_detectors *detectors);
