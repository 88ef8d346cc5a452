/*
 * log_block_format - what the two halves of log_block agree upon: constants of the layout, and the filter over words.
 *
 *      index   u8 version, varint rows, varint severities, varint streams, varint raw, varint stored, zstd of
 *              (varint length, packed labels) each; u8 log2 of the filter's bytes, the filter; u64 XXH3 of all before
 *      body    u8 version, u64 XXH3 of all after it; varint rows, varint bytes of lines and attributes;
 *              three times varint raw, varint stored; three zstd frames
 *
 *      dictionary  varint templates, varint literals, their lengths (columns), their texts
 *      rows        columns: heads, tails, streams, severities, sequences, ordinals, times (after a varint unit),
 *                  lengths of attributes; the attributes
 *      variables   for each template with variables: varint length; for each place a width (0: as the number is, 255: a
 *                  column of widths follows) and the column of values
 *
 * A head or tail is 0 for "the next literal", else 1 + the template's number. Heads are stored as 0 when it is the
 * stream's last one again, else 1 + the head; severities as 0 when it is the last one of the same tail, else 1 + it.
 */
#pragma once

#include "store/log_block.h"
#include "store/skeleton.h"

#include <endian.h>

#define LOG_BLOCK_VERSION 1
#define LOG_FRAMES 3
#define LOG_WIDTH_NATURAL 0
#define LOG_WIDTH_MIXED 255
#define LOG_BLOCK_BYTES_BOUND (((size_t)64 << 20) + (4 << 20) + LOG_BLOCK_BYTES_MAX) /* of lines: one longest batch more */
#define LOG_FRAME_BYTES_BOUND (LOG_BLOCK_BYTES_BOUND * 2)
#define LOG_BLOCK_ROWS_BOUND ((size_t)1 << 17)

/* The filter over words: one bit for every four bytes in a row that are no space, digit or control byte. */
#define LOG_WORDS_BYTES_MAX ((size_t)16 << 10)

static inline bool log_words_counts(unsigned char c)
{
        return c > ' ' && (c < '0' || c > '9');
}

/* The bit of four bytes; `size` (a power of two of bytes) folds it. */
static inline uint32_t log_words_bit(const char *four, size_t size)
{
        uint32_t word;
        memcpy(&word, four, sizeof word);
        return (uint32_t)((uint64_t)(le32toh(word) * UINT32_C(0x9E3779B1)) >> 15) & (uint32_t)(size * 8 - 1);
}
