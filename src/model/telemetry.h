/*
 * telemetry - what a batch of bytes says: log records, metric samples, findings and changes, decoded, owned by one arena.
 *
 * Filled by a decoder of wire/, read by observe/ and store/. Texts point into the batch's bytes or into the arena.
 * Streams are listed once a batch, so that labels are hashed once for many records.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "model/finding.h"
#include "model/labels.h"

#include <stdint.h>

/* OpenTelemetry's severity numbers: 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal; 0 unknown. */
enum severity {
        SEVERITY_UNKNOWN = 0,
        SEVERITY_TRACE = 1,
        SEVERITY_DEBUG = 5,
        SEVERITY_INFO = 9,
        SEVERITY_NOTICE = 10,
        SEVERITY_WARN = 13,
        SEVERITY_ERROR = 17,
        SEVERITY_CRITICAL = 18,
        SEVERITY_ALERT = 19,
        SEVERITY_FATAL = 21,
};

struct log_record {
        int64_t time_ns;    /* event time; 0: the source did not say, take the receive time */
        uint32_t stream;    /* index into telemetry.streams */
        uint8_t severity;   /* enum severity, or any number 0-24 */
        struct str line;    /* the exact bytes, without the line's end; any content */
        struct labels attributes; /* what belongs to this record alone (structured data, trace ids); often empty */
};

struct sample {
        int64_t time_ns;    /* 0: take the receive time */
        double value;       /* the stale marker is STALE_NAN */
};

#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002) /* Prometheus' stale marker, to the bit */

enum metric_type { METRIC_UNKNOWN, METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_SUMMARY, METRIC_INFO,
                   METRIC_STATESET, METRIC_GAUGE_HISTOGRAM };

struct metric_meta {
        struct str name, help, unit;
        enum metric_type type;
};

struct series_points {
        struct labels labels;   /* canonical, __name__ included */
        const struct sample *samples;
        size_t count;
        struct str packed;      /* the labels packed, and their id: once series_identify has been asked */
        struct hash128 id;
};

struct telemetry {
        struct arena *arena;
        struct { struct labels *items; size_t count, capacity; } streams; /* canonical; name host, program, source ... */
        struct { struct log_record *items; size_t count, capacity; } records;
        struct { struct series_points *items; size_t count, capacity; } series;
        struct { struct metric_meta *items; size_t count, capacity; } metas;
        struct { struct finding *items; size_t count, capacity; } findings; /* other tools' alerts, results of checks */
        struct { struct change_event *items; size_t count, capacity; } changes;
        uint64_t rejected;          /* items that were wrong while the rest was right (partial success) */
        struct str rejected_why;    /* the first reason; for the sender and the sources page */
        struct stream_index {       /* telemetry_stream's own: finds a stream by the hash of its labels */
                uint32_t *slots;    /* index of a stream + 1; 0 is empty; a power of two, at most half full */
                size_t capacity;
        } stream_index;
};

/* The index of a stream with these labels, adding it when new. Labels become canonical and stay borrowed.
 * UINT32_MAX and err on no memory or bad labels. Linear over few, hashed over many: decoders with one stream for a
 * whole batch call it once. */
uint32_t telemetry_stream(struct telemetry *telemetry, struct labels *labels, struct err *err);
/* The id of a stored item: the journal sequence of its batch and its place in the batch. */
#define ITEM_ORDINAL_BITS 20
static inline uint64_t item_id(uint64_t sequence, uint32_t ordinal)
{
        return sequence << ITEM_ORDINAL_BITS | ordinal;
}
const char *severity_name(uint8_t severity);            /* "info"; "unknown" for 0 */
uint8_t severity_of_name(struct str name);              /* any case, "warning", "err", "crit" too; 0 when not known */
