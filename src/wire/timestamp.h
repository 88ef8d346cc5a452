/*
 * timestamp - reads the times people and programs write at the beginning of a line.
 *
 * Each function reads at the start of text and gives how many bytes the time took, 0 when there is none of that shape
 * (out untouched). Times without a zone are taken as utc_offset_s east of UTC.
 */
#pragma once

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* The minute read last: lines of one batch mostly share it. Zero at first; NULL is allowed everywhere. */
struct timestamp_minute {
        char text[16];
        int64_t ns;
};

/* 2026-01-31T23:59:59.123456789+01:00; also a space for the T, a comma for the point, +0100, Z, no zone. */
size_t timestamp_iso(struct str text, int64_t utc_offset_s, struct timestamp_minute *minute, int64_t *out_ns);
/* Jan 31 23:59:59, also with a fraction, or a year before the time; without one, the year that brings it nearest received_ns. */
size_t timestamp_bsd(struct str text, int64_t utc_offset_s, int64_t received_ns, struct timestamp_minute *minute,
                     int64_t *out_ns);
/* 31/Jan/2026:23:59:59 +0100 */
size_t timestamp_clf(struct str text, int64_t *out_ns);
/* 1767225599, 1767225599.123, or 13, 16 or 19 digits for ms, us, ns; between the years 2001 and 2286. */
size_t timestamp_epoch(struct str text, int64_t *out_ns);
/* Any of them, also in [brackets] (which count as taken). */
size_t timestamp_any(struct str text, int64_t utc_offset_s, int64_t received_ns, struct timestamp_minute *minute,
                     int64_t *out_ns);
