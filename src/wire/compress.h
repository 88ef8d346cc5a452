/*
 * compress - bodies of HTTP requests, made plain within bounds, and never more of them than a bound allows.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define COMPRESS_RATIO_MAX 1000   /* gzip reaches 1032 on constant bytes; telemetry stays under 100 */

/* encoding: Content-Encoding as sent, any case: "", identity, gzip, x-gzip, deflate (zlib or raw), zstd; more than one, or another:
 * ERR_UNSUPPORTED. ERR_TOO_LARGE beyond bytes_max, or beyond COMPRESS_RATIO_MAX times the body and more than 1 MiB. The plain
 * bytes are the arena's; of identity, the body itself. */
bool decompress(struct str encoding, struct str body, size_t bytes_max, struct arena *arena, struct str *out_plain,
                struct err *err);
