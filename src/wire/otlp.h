/*
 * otlp - OpenTelemetry's export requests in protobuf (opentelemetry-proto 1.x): logs and metrics. otlp_json.h has JSON.
 *
 * Logs: resource attributes service.name, host.name, service.instance.id become the stream labels service, host, instance;
 * source="otlp". A text body is the line exactly; other bodies are compact JSON. Attributes of record and the resource's
 * others, trace_id and span_id (hex) are attributes. Time: time_unix_nano, else observed_time_unix_nano.
 *
 * Metrics: Prometheus names by the compatibility specification (unit and _total suffixes, sanitised), job =
 * service.namespace/service.name, instance = service.instance.id. Points that cannot be kept truly (delta sums and
 * histograms, exponential histograms) are rejected and counted with a reason that names the metric.
 */
#pragma once

#include "wire/decode.h"

decode_fn otlp_logs_decode;
decode_fn otlp_metrics_decode;

/* The same for a request that does not lie in batch->bytes; it must live as long as the batch. */
bool otlp_logs_read(struct batch *batch, struct str request, struct err *err);
bool otlp_metrics_read(struct batch *batch, struct str request, struct err *err);
