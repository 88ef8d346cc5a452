/*
 * series_chunk.c - see series_chunk.h. Driven by series.c for every sample that arrives, so it is byte-aligned and never
 * moves what it wrote; the smaller, slower encoding is metric_block's. One sample:
 *
 *      control   bytes of the time       bytes of the value
 *
 * The control's high half says how the step changed: 0 not, 1..7 by that many bytes of milliseconds, 8..15 by 1..8 bytes
 * of nanoseconds. Its low half is the value: 0..8 bytes of difference at the scale in force, VALUE_SCALED sets a new
 * scale, VALUE_XOR4.. the low bytes of the exclusive or, VALUE_REPEATS the last step and value again, high half + 1 times.
 */
#include "store/series_chunk.h"

#include "base/clock.h"
#include "base/scope.h"
#include "store/decimal.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define SLAB_PIECES 64
#define SAMPLE_BYTES_MAX 18

enum { VALUE_SCALED = 9, VALUE_XOR4 = 10, VALUE_XOR8 = 14, VALUE_REPEATS = 15 };

void piece_pool_done(struct piece_pool *pool)
{
        for (size_t i = 0; i < pool->slab_count; i++)
                free(pool->slabs[i]);
        free(pool->slabs);
        *pool = (struct piece_pool){0};
}

bool piece_pool_reserve(struct piece_pool *pool, size_t pieces)
{
        size_t slabs = (pool->used + pieces + SLAB_PIECES - 1) / SLAB_PIECES;
        if (slabs > pool->slab_capacity) {
                size_t capacity = max_of(slabs, pool->slab_capacity + pool->slab_capacity / 2 + 4);
                void *moved = realloc(pool->slabs, capacity * sizeof *pool->slabs);
                if (!moved)
                        return false;
                pool->slabs = moved;
                pool->slab_capacity = capacity;
        }
        for (; pool->slab_count < slabs; pool->slab_count++) {
                struct piece *slab = aligned_alloc(sizeof *slab, SLAB_PIECES * sizeof *slab);
                if (!slab)
                        return false;
                pool->slabs[pool->slab_count] = slab;
        }
        return true;
}

void piece_pool_clear(struct piece_pool *pool)
{
        size_t kept = (pool->used + SLAB_PIECES - 1) / SLAB_PIECES;
        while (pool->slab_count > kept)
                free(pool->slabs[--pool->slab_count]);
        pool->used = 0;
}

size_t piece_pool_bytes(const struct piece_pool *pool)
{
        return pool->slab_count * SLAB_PIECES * sizeof(struct piece) + pool->slab_capacity * sizeof *pool->slabs;
}

static struct piece *add_piece(struct series_chunk *chunk, struct piece_pool *pool)
{
        assert(pool->used < pool->slab_count * SLAB_PIECES && "pieces are reserved before");
        uint32_t number = pool->used++;
        if (chunk->count)
                series_chunk_tail(chunk, pool)->next = number;
        else
                chunk->first = number;
        chunk->tail = number;
        struct piece *piece = series_chunk_tail(chunk, pool);
        piece->next = UINT32_MAX;
        piece->used = 0;
        return piece;
}

static unsigned byte_count(uint64_t value)
{
        return value ? (71 - (unsigned)__builtin_clzll(value)) / 8 : 0;
}

/* Writes eight bytes and counts those that matter; the room is there. */
static uint8_t *put_low(uint8_t *at, uint64_t value, unsigned bytes)
{
        value = htole64(value);
        memcpy(at, &value, sizeof value);
        return at + bytes;
}

static uint8_t *put_time(uint8_t *at, uint8_t *control, int64_t change_ns)
{
        if (!change_ns)
                return at;
        uint64_t ms = zigzag(change_ns / NS_PER_MS);
        if (change_ns % NS_PER_MS == 0 && byte_count(ms) < 8) {
                *control |= (uint8_t)(byte_count(ms) << 4);
                return put_low(at, ms, byte_count(ms));
        }
        uint64_t ns = zigzag(change_ns);
        *control |= (uint8_t)((7 + byte_count(ns)) << 4);
        return put_low(at, ns, byte_count(ns));
}

/* Random doubles pass no scale; so that they do not pay for looking each time, only every sixteenth looks at all. */
static bool find_scale(const struct series_chunk *chunk, double value, unsigned *out_scale, int64_t *out_mantissa)
{
        if (chunk->count && !(chunk->flags & CHUNK_DECIMAL) && chunk->count % 16)
                return false;
        for (unsigned scale = 0; scale <= DECIMAL_SCALE_MAX; scale++) {
                if (decimal_of(value, scale, out_mantissa)) {
                        *out_scale = scale;
                        return true;
                }
        }
        return false;
}

static uint8_t *put_value(uint8_t *at, uint8_t *control, struct series_chunk *chunk, double value)
{
        uint64_t bits = double_bits(value);
        int64_t mantissa = 0, before = 0;
        unsigned scale;
        if ((chunk->flags & CHUNK_DECIMAL) && decimal_of(value, chunk->scale, &mantissa)) {
                decimal_of(double_of_bits(chunk->last_bits), chunk->scale, &before);
                uint64_t change = zigzag(mantissa - before);
                *control |= (uint8_t)byte_count(change);
                return put_low(at, change, byte_count(change));
        }
        if (find_scale(chunk, value, &scale, &mantissa)) {
                uint64_t whole = zigzag(mantissa);
                chunk->flags |= CHUNK_DECIMAL;
                chunk->scale = (uint8_t)scale;
                *control |= VALUE_SCALED;
                *at++ = (uint8_t)(scale | byte_count(whole) << 4);
                return put_low(at, whole, byte_count(whole));
        }
        chunk->flags &= (uint8_t)~CHUNK_DECIMAL;
        unsigned bytes = byte_count(bits ^ chunk->last_bits);
        bytes = max_of(bytes, 4u);
        *control |= (uint8_t)(VALUE_XOR4 + bytes - 4);
        return put_low(at, bits ^ chunk->last_bits, bytes);
}

static bool repeat(struct series_chunk *chunk, struct piece *tail)
{
        if (!(chunk->flags & CHUNK_REPEATS) || tail->bytes[tail->used - 1] == 0xFF)
                return false;
        tail->bytes[tail->used - 1] += 0x10;
        return true;
}

void series_chunk_append(struct series_chunk *chunk, struct piece_pool *pool, int64_t time_ns, double value)
{
        int64_t step_ns = (int64_t)((uint64_t)time_ns - (uint64_t)chunk->last_time_ns);
        int64_t change_ns = (int64_t)((uint64_t)step_ns - (uint64_t)chunk->last_step_ns);
        bool same = chunk->count && !change_ns && double_bits(value) == chunk->last_bits;
        if (chunk->count && time_ns <= chunk->last_time_ns)
                chunk->flags |= CHUNK_UNORDERED;
        struct piece *piece = chunk->count ? series_chunk_tail(chunk, pool) : NULL;
        if (!same || !repeat(chunk, piece)) {
                if (!piece || piece->used + SAMPLE_BYTES_MAX > sizeof piece->bytes)
                        piece = add_piece(chunk, pool);
                uint8_t *start = piece->bytes + piece->used, *at = start + 1;
                *start = same ? VALUE_REPEATS : 0;
                if (!same) {
                        at = put_time(at, start, change_ns);
                        at = put_value(at, start, chunk, value);
                }
                piece->used += (uint8_t)(at - start);
                chunk->flags = (uint8_t)(same ? chunk->flags | CHUNK_REPEATS : chunk->flags & ~CHUNK_REPEATS);
        }
        chunk->last_time_ns = time_ns;
        chunk->last_step_ns = step_ns;
        chunk->last_bits = double_bits(value);
        chunk->count++;
}

size_t series_chunk_bytes(const struct series_chunk *chunk, const struct piece_pool *pool)
{
        size_t bytes = 0;
        for (uint32_t at = chunk->count ? chunk->first : UINT32_MAX; at != UINT32_MAX;) {
                const struct piece *piece = &pool->slabs[at / SLAB_PIECES][at % SLAB_PIECES];
                bytes += piece->used;
                at = piece->next;
        }
        return bytes;
}

void series_chunk_copy(const struct series_chunk *chunk, const struct piece_pool *pool, char *out_bytes)
{
        for (uint32_t at = chunk->count ? chunk->first : UINT32_MAX; at != UINT32_MAX;) {
                const struct piece *piece = &pool->slabs[at / SLAB_PIECES][at % SLAB_PIECES];
                memcpy(out_bytes, piece->bytes, piece->used);
                out_bytes += piece->used;
                at = piece->next;
        }
}

static uint64_t get_low(const uint8_t **at, unsigned bytes)
{
        uint64_t value;
        memcpy(&value, *at, sizeof value); /* the pad makes this safe */
        *at += bytes;
        return bytes ? le64toh(value) & UINT64_MAX >> (64 - 8 * bytes) : 0;
}

struct decoding {
        const uint8_t *at;
        int64_t time_ns, step_ns, mantissa;
        uint64_t bits;
        unsigned scale;
};

static void get_time(struct decoding *d, unsigned code)
{
        int64_t change_ns = code < 8 ? zigzag_back(get_low(&d->at, code)) * NS_PER_MS : zigzag_back(get_low(&d->at, code - 7));
        d->step_ns = (int64_t)((uint64_t)d->step_ns + (uint64_t)change_ns);
}

static void get_value(struct decoding *d, unsigned code)
{
        if (code >= VALUE_XOR4) {
                d->bits ^= get_low(&d->at, code - VALUE_XOR4 + 4);
                return;
        }
        if (code == VALUE_SCALED) {
                uint8_t head = *d->at++;
                d->scale = head & 15;
                d->mantissa = zigzag_back(get_low(&d->at, head >> 4));
        } else {
                d->mantissa += zigzag_back(get_low(&d->at, code));
        }
        d->bits = double_bits(decimal_value(d->mantissa, d->scale));
}

void series_chunk_decode(struct str bytes, size_t count, int64_t *out_times_ns, double *out_values)
{
        struct decoding d = {.at = (const uint8_t *)bytes.bytes};
        for (size_t i = 0; i < count;) {
                uint8_t control = *d.at++;
                size_t repeats = 1;
                if ((control & 15) == VALUE_REPEATS) {
                        repeats = (control >> 4) + 1u;
                } else {
                        get_time(&d, control >> 4);
                        get_value(&d, control & 15);
                }
                assert(repeats <= count - i);
                for (; repeats; repeats--, i++) {
                        d.time_ns = (int64_t)((uint64_t)d.time_ns + (uint64_t)d.step_ns);
                        out_times_ns[i] = d.time_ns;
                        out_values[i] = double_of_bits(d.bits);
                }
        }
        assert((const char *)d.at == bytes.bytes + bytes.length);
}
