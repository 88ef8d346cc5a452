/*
 * forecasts - when something will reach its limit: a full filesystem, no inodes, no memory.
 *
 *      forecasts_create -> forecasts_configure -> forecasts_load -> forecasts_tick (and forecasts_write) ... -> forecasts_destroy
 *
 * Content:
 *      watch:
 *        - limit: filesystem-space
 *          series: node_filesystem_avail_bytes{fstype!="tmpfs"}
 *          at: 0
 *          warn: 24h                 a finding of severity warning when so little time is left; 0: none
 *          page: 1h                  of severity critical; 0: none
 *          within: 72h               what is listed
 *          alert: FilesystemFillsUp
 *          summary: '{{ $labels.mountpoint }} on {{ $labels.host }} is full'     completed by the time
 *
 * Each limit's series are looked at over ten minutes, two hours and a day; from each window a robust line (learn/trend.h) leads at most six times
 * as far as was seen. The longest window's estimate counts, unless a shorter one sees the limit come clearly sooner. Two evaluations in a row must agree before anybody is told, and three before it is taken back.
 * No baseline is needed, so forecasts may page from the first minutes on. On the pipeline's thread; journal time.
 */
#pragma once

#include "base/err.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdint.h>

struct database;
struct forecasts;
struct series_store;

#define FORECASTS_MAX 4096      /* series on their way to a limit; more are not followed, and counted */
#define FORECAST_SERIES_MAX 10000 /* of one limit */

bool forecasts_create(struct series_store *series, struct forecasts **out_forecasts, struct err *err);
void forecasts_destroy(struct forecasts *forecasts);
bool forecasts_check(const json_t *content, struct err *err);
bool forecasts_configure(struct forecasts *forecasts, const json_t *content, struct err *err);
bool forecasts_load(struct forecasts *forecasts, struct database *state, int64_t time_ns, struct err *err);
bool forecasts_tick(struct forecasts *forecasts, int64_t time_ns, struct noticed *noticed, struct err *err);
bool forecasts_is_dirty(const struct forecasts *forecasts);
bool forecasts_write(struct forecasts *forecasts, struct database *state, struct err *err);
void forecasts_written(struct forecasts *forecasts);
