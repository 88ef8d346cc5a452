/*
 * series_chunk - the newest samples of one series, compressed, in memory, until their partition is sealed.
 *
 *      chunk -> piece -> piece -> piece        64 bytes each, from the partition's pool
 *
 * Samples are appended in the order of arrival; any time and any bits come back as they were given. A sample that
 * repeats the step and the value of the one before costs a sixteenth of a byte, a usual one two or three bytes.
 *
 * One thread appends; it and the readers hold the partition's lock. Readers copy the bytes out and decode them later.
 */
#pragma once

#include "base/str.h"
#include "model/telemetry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece { /* a cache line: an append touches one */
        uint32_t next;
        uint8_t used;
        uint8_t bytes[59];
};

struct piece_pool {
        struct piece **slabs; /* never move */
        size_t slab_count, slab_capacity;
        uint32_t used; /* pieces */
};

void piece_pool_done(struct piece_pool *pool);
bool piece_pool_reserve(struct piece_pool *pool, size_t pieces); /* that many more without failing; false: no memory */
void piece_pool_clear(struct piece_pool *pool); /* forgets all chunks; keeps about what they used */
size_t piece_pool_bytes(const struct piece_pool *pool);

enum { CHUNK_REPEATS = 1, CHUNK_DECIMAL = 2, CHUNK_UNORDERED = 4 };

struct series_chunk { /* zero is empty */
        int64_t last_time_ns, last_step_ns;
        uint64_t last_bits;
        uint32_t first, tail; /* pieces */
        uint32_t count;       /* samples */
        uint8_t scale;        /* decimal digits of the last decimal value */
        uint8_t flags;        /* CHUNK_UNORDERED: a time was not above the one before */
};

/* Pieces that appending so many samples to one chunk can need; reserved by the caller before. */
static inline size_t series_chunk_pieces_max(size_t samples)
{
        return samples * 18 / 42 + 1;
}

void series_chunk_append(struct series_chunk *chunk, struct piece_pool *pool, int64_t time_ns, double value);

static inline struct piece *series_chunk_tail(const struct series_chunk *chunk, const struct piece_pool *pool)
{
        return &pool->slabs[chunk->tail >> 6][chunk->tail & 63];
}

size_t series_chunk_bytes(const struct series_chunk *chunk, const struct piece_pool *pool);
void series_chunk_copy(const struct series_chunk *chunk, const struct piece_pool *pool, char *out_bytes);
/* Decodes copied bytes into count times and values, in the order of arrival. SERIES_CHUNK_PAD bytes behind them are the
 * caller's too: they may be read. */
#define SERIES_CHUNK_PAD 8
void series_chunk_decode(struct str bytes, size_t count, int64_t *out_times_ns, double *out_values);
