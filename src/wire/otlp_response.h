/*
 * otlp_response - what an OTLP/HTTP sender is answered: an export response, with partial success when items were rejected,
 * or a google.rpc.Status for an error (OTLP specification 1.x, "OTLP/HTTP Response").
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum otlp_encoding { OTLP_PROTOBUF, OTLP_JSON };
enum otlp_signal { OTLP_LOGS, OTLP_METRICS };

const char *otlp_content_type(enum otlp_encoding encoding);
/* Appends the body for HTTP 200; nothing was rejected: an empty message. False: no memory. */
bool otlp_response(enum otlp_signal signal, enum otlp_encoding encoding, uint64_t rejected, struct str why,
                   struct buf *out);
/* Appends the body that goes with err_http_status(err->code). */
bool otlp_error(const struct err *err, enum otlp_encoding encoding, struct buf *out);
