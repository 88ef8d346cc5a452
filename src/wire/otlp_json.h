/* otlp_json - OpenTelemetry's export requests in JSON: lowerCamelCase, 64-bit integers as text or number, ids in hex.
 * Means what otlp.h says. */
#pragma once

#include "wire/decode.h"

decode_fn otlp_logs_json_decode;
decode_fn otlp_metrics_json_decode;
