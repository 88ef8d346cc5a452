/*
 * limit_forecast - foretells when series that have a limit (limits.def) will reach it, where their samples are stored.
 *
 *      limit_forecasts_create -> (restore) -> limit_forecasts_fold (workers, each its partitions) ... -> limit_forecasts_destroy
 *
 * A folding stage, as metric_detector.h. Once a minute of a series' own time its forecast (learn/forecast.h) is asked. When the limit is
 * expected within three days, three times in a row, an anomaly of kind ANOMALY_FORECAST is noted; again when the time left has halved since;
 * and, is_over, when ten askings in a row foretell nothing. Its p_value is 0: it is no matter of chance.
 *
 * Bounded: 64 such series a partition; a new one takes the place of one without samples for an hour, else it is left out and counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/noticed.h"

#include <stdint.h>

struct fold;
struct limit_forecasts;

bool limit_forecasts_create(struct limit_forecasts **out_forecasts, struct err *err);
void limit_forecasts_destroy(struct limit_forecasts *forecasts);

/* On the worker that owns the partition. False: no memory; the same fold may come again: samples that are not newer are passed by. */
bool limit_forecasts_fold(struct limit_forecasts *forecasts, const struct fold *fold, struct noticed *noticed, struct err *err);

/* When no worker runs. Version 1; restore replaces what is there and refuses what it cannot have written. */
bool limit_forecasts_save(const struct limit_forecasts *forecasts, struct buf *out, struct err *err);
bool limit_forecasts_restore(struct limit_forecasts *forecasts, struct str bytes, struct err *err);
uint64_t limit_forecasts_left_out(const struct limit_forecasts *forecasts);
