/*
 * metric_name - what a metric of OpenTelemetry is called in Prometheus (OpenTelemetry, "Prometheus and OpenMetrics
 * Compatibility"): sanitised, with the unit in words and _total behind counters.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "model/telemetry.h"

/* http.server.duration, "ms", METRIC_HISTOGRAM -> http_server_duration_milliseconds. bytes is NULL: no memory. */
struct str metric_name(struct arena *arena, struct str name, struct str unit, enum metric_type type);
/* "By/s" -> bytes_per_second; empty for units that say nothing. Written to out_text, which needs METRIC_UNIT_BYTES. */
#define METRIC_UNIT_BYTES 128
struct str metric_unit(struct str unit, char out_text[static METRIC_UNIT_BYTES]);
/* host.name -> host_name; the name itself when it is one already. bytes is NULL: no memory. */
struct str metric_label_name(struct arena *arena, struct str name);
