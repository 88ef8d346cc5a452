/*
 * metric_metas - what senders say about their metrics: type, help text, unit; the newest by metric name.
 *
 * In memory only: senders repeat it with every scrape or every minute. At METRIC_METAS_MAX names new ones are
 * left out and counted. Any thread.
 */
#pragma once

#include "base/err.h"
#include "model/telemetry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC_METAS_MAX 50000
#define METRIC_HELP_BYTES_MAX 1024 /* longer help is cut */

struct metric_metas;

bool metric_metas_create(struct metric_metas **out_metas, struct err *err);
void metric_metas_destroy(struct metric_metas *metas);
void metric_metas_note(struct metric_metas *metas, const struct metric_meta *meta); /* without memory it is left out and counted */
/* In order of names; name (bytes NULL: all) asks for one. The texts are valid for the call. */
void metric_metas_visit(struct metric_metas *metas, struct str name, void (*visit)(void *context, const struct metric_meta *meta),
                        void *context);
uint64_t metric_metas_left_out(struct metric_metas *metas);
const char *metric_type_name(enum metric_type type); /* as Prometheus: "gauge", "gaugehistogram", "unknown" ... */
