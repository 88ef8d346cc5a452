/*
 * log_chunk - the open end of a partition: records as they came, append-only, read by others while it grows.
 *
 *      create -> add ... -> publish -> add ... -> publish -> (closed, sealed into a block) -> unref
 *
 * Text and entries stand in segments that never move. The owner adds beyond what is published; a reader that took a
 * reference and the count of published rows under the partition's lock reads those rows without any lock.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "model/telemetry.h"
#include "store/log_block.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_segment {
        struct log_segment *next;
        _Atomic uint32_t count;
        uint32_t capacity;
        size_t text_used, text_capacity;
        struct log_entry *entries;
        char *text;
};

struct log_chunk {
        _Atomic int references;
        struct log_segment *first;
        int64_t day;
        /* Guarded by the partition's lock: what readers may see. */
        struct log_chunk *next;         /* newer */
        size_t published;
        int64_t time_min_ns, time_max_ns;
        uint64_t first_id, last_id;
        bool closed;
        /* The owner's. */
        struct log_segment *last;
        size_t rows, bytes;             /* bytes: lines, attributes, and what its streams take */
        struct arena arena;             /* streams */
        struct { struct log_stream **items; size_t count, capacity; } streams;
        struct map stream_map;
        struct log_mark {               /* what is published, to go back to */
                struct log_segment *last;
                uint32_t last_count;
                size_t text_used, rows, bytes;
        } mark;
};

struct log_chunk *log_chunk_create(int64_t day, struct err *err);
struct log_chunk *log_chunk_ref(struct log_chunk *chunk);
void log_chunk_unref(struct log_chunk *chunk);

/* The stream with these labels, copied when new; NULL and err on no memory. */
const struct log_stream *log_chunk_stream(struct log_chunk *chunk, const struct labels *labels, struct err *err);
/* Adds a row beyond what is published. */
bool log_chunk_add(struct log_chunk *chunk, uint64_t id, int64_t time_ns, const struct log_stream *stream,
                   const struct log_record *record, struct err *err);
/* Would one more record of this many bytes pass the bounds of a block? */
bool log_chunk_is_full(const struct log_chunk *chunk, size_t bytes);
void log_chunk_publish(struct log_chunk *chunk);        /* under the partition's lock */
void log_chunk_back(struct log_chunk *chunk);           /* forgets what is not published */

/* The published rows as spans, at most count rows; each span ends with a segment. out_spans has room for segments. */
size_t log_chunk_segments(const struct log_chunk *chunk, size_t rows);
size_t log_chunk_spans(const struct log_chunk *chunk, size_t rows, struct log_span *out_spans);
size_t log_labels_packed_bytes(const struct labels *labels);
