/*
 * log_block - a sealed run of log records as bytes: packed small, given back exactly, searched without unpacking it all.
 *
 *      index   row count, severities, stream labels, and a filter over the words of its lines: enough to pass most by
 *      body    three zstd frames: dictionary (skeletons and odd lines), rows (numbers of skeletons, times, ids ...),
 *              and the variables; a search goes on to the next frame only when the one before leaves a chance
 *
 * Pure: bytes in, bytes out, no I/O. Encoder and decoder keep scratch memory between calls; one thread at a time each.
 * The layout stands in docs/decisions/log-blocks.md. Both parts carry a version and an XXH3 checksum.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_BLOCK_RECORDS_MAX 16384
#define LOG_BLOCK_BYTES_MAX ((size_t)2 << 20)   /* of lines and attributes; one longer line may pass it */

struct log_stream {
        struct labels labels;
        struct str packed;
        uint32_t number;        /* in its block */
};

struct log_entry {
        uint64_t id;
        int64_t time_ns;
        const struct log_stream *stream;
        const char *text;       /* the line, then packed attributes; SKELETON_SLACK readable bytes after */
        uint32_t line_length, attributes_length;
        uint8_t severity;
};

struct log_span {
        const struct log_entry *entries;
        size_t count;
};

struct log_encoder;
struct log_encoder *log_encoder_create(struct err *err);
void log_encoder_destroy(struct log_encoder *encoder);

/* Appends index and body of all entries; streams are listed by their numbers. False only when memory runs out. */
bool log_block_encode(struct log_encoder *encoder, const struct log_span *spans, size_t span_count,
                      const struct log_stream *const *streams, size_t stream_count, struct buf *out_index,
                      struct buf *out_body, struct err *err);

/* What an index says. */
struct log_block_summary {
        uint64_t rows;
        uint32_t severities;            /* a bit each, 0 to 24; higher ones count as 31 */
        size_t stream_count;
        const struct str *streams;      /* packed labels, by number */
        struct str words;               /* the filter: a power of two of bytes */
};

struct log_decoder;
struct log_decoder *log_decoder_create(struct err *err);
void log_decoder_destroy(struct log_decoder *decoder);

/* Valid until the decoder's next summary. ERR_CORRUPT, ERR_MEMORY. */
bool log_block_summary(struct log_decoder *decoder, struct str index, struct log_block_summary *out_summary,
                       struct err *err);
/* False: no line of the block holds this fragment (skeleton_fragments). Sees nothing of the streams' texts. */
bool log_block_may_hold(const struct log_block_summary *summary, struct str fragment);

struct log_block_row {
        uint64_t id;
        int64_t time_ns;
        uint32_t stream;
        uint8_t severity;
        struct str line, attributes;    /* attributes packed; both valid for the call */
};

#define LOG_FRAGMENTS_MAX 64

struct log_block_search {
        const struct str *fragments;    /* rows that cannot hold them all are left out; up to LOG_FRAGMENTS_MAX */
        size_t fragment_count;
        /* Asked with line and attributes still empty; NULL: all. */
        bool (*wants)(void *context, const struct log_block_row *row);
        bool (*visit)(void *context, const struct log_block_row *row); /* false ends the walk, which is no error */
        void *context;
};

/* Visits rows in the order they were added. stream_count is the index's. ERR_CORRUPT, ERR_MEMORY. */
bool log_block_walk(struct log_decoder *decoder, struct str body, size_t stream_count,
                    const struct log_block_search *search, struct err *err);
