/*
 * measure - what a metric's name says about its numbers, as the field's conventions (OpenMetrics) have it: whether they are read as
 * they are or as a rate, and their unit. Detectors and who tells of them read names the same way.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum measure_reading { READ_AS_IS, READ_AS_RATE, READ_NOT }; /* READ_NOT: buckets, which only together say something */
enum measure_reading measure_reading(struct str name);
bool measure_is_bytes(struct str name);
/* "39.78MiB", "2h 5m 0s", "16.2M": appended; running out of memory is out->failed. */
void measure_write(struct buf *out, struct str name, bool is_rate, double value);
