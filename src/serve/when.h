/* when - times and lengths of time as people and programs write them into parameters. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 with a fraction, or RFC 3339; as Prometheus. */
bool when_prometheus(struct str text, int64_t *out_ns);
/* The same, and whole numbers of more than ten digits as nanoseconds (Loki), and "now", "now-1h", "-15m". */
bool when_any(struct str text, int64_t now_ns, int64_t *out_ns);
/* "90s", "1h30m", "2d", "1.5": digits with ms s m h d w y, or seconds. */
bool when_length(struct str text, int64_t *out_ns);
