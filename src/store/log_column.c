/* log_column.c - see log_column.h. Layout: kind << 4 | bytes a value, varint base, the bytes, plane by plane. */
#include "store/log_column.h"

#include "base/scope.h"

enum { FROM_LEAST = 0, FROM_LAST = 1 };

static inline uint64_t zigzag(uint64_t difference)
{
        return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static inline uint64_t unzigzag(uint64_t value)
{
        return value >> 1 ^ (0 - (value & 1));
}

static inline unsigned bits_in(uint64_t value)
{
        return 64 - (unsigned)__builtin_clzll(value | 1);
}

static inline unsigned bytes_for(uint64_t value)
{
        return value ? (bits_in(value) + 7) / 8 : 0;
}

#define SAMPLE 128

/* Would differences need fewer bits? Judged by a few runs of neighbours: nearly as good as all, and nearly free. */
static bool differences_are_smaller(const uint64_t *values, size_t count, uint64_t least)
{
        uint64_t bits_from_least = 0, bits_from_last = 0;
        size_t step = max_of(count / SAMPLE, (size_t)1);
        for (size_t i = 1; i < count; i += step) {
                bits_from_last += bits_in(zigzag(values[i] - values[i - 1]));
                bits_from_least += bits_in(values[i] - least);
        }
        return bits_from_last < bits_from_least;
}

static uint64_t all_differences(const uint64_t *values, size_t count)
{
        uint64_t all = 0;
        for (size_t i = 1; i < count; i++)
                all |= zigzag(values[i] - values[i - 1]);
        return all;
}

/* Inlined twice with a constant: the commonest width is one byte. */
static inline __attribute__((always_inline)) void write_planes(char *to, const uint64_t *values, size_t count,
                                                               bool from_last, uint64_t least, unsigned width)
{
        uint64_t last = from_last ? values[0] : 0;
        for (size_t i = 0; i < count; i++) {
                uint64_t value = from_last ? zigzag(values[i] - last) : values[i] - least;
                last = values[i];
                for (unsigned plane = 0; plane < width; plane++)
                        to[plane * count + i] = (char)(value >> 8 * plane);
        }
}

bool log_column_put_between(struct buf *out, const uint64_t *values, size_t count, uint64_t least, uint64_t most)
{
        if (!count)
                return true;
        bool from_last = least != most && differences_are_smaller(values, count, least);
        unsigned width = bytes_for(from_last ? all_differences(values, count) : most - least);
        if (!buf_reserve(out, 11 + count * width))
                return false;
        buf_byte(out, (char)((from_last ? FROM_LAST : FROM_LEAST) << 4 | width));
        buf_varint(out, from_last ? values[0] : least);
        char *to = out->bytes + out->length;
        if (width == 1 && from_last)
                write_planes(to, values, count, true, least, 1);
        else if (width == 1)
                write_planes(to, values, count, false, least, 1);
        else if (width == 2 && !from_last)
                write_planes(to, values, count, false, least, 2);
        else if (width)
                write_planes(to, values, count, from_last, least, width);
        out->length += count * width;
        return true;
}

bool log_column_put(struct buf *out, const uint64_t *values, size_t count)
{
        uint64_t least = UINT64_MAX, most = 0;
        for (size_t i = 0; i < count; i++) {
                least = min_of(least, values[i]);
                most = max_of(most, values[i]);
        }
        return log_column_put_between(out, values, count, least, most);
}

bool log_column_get(struct reader *reader, size_t count, uint64_t *out_values)
{
        if (!count)
                return true;
        unsigned head = reader_u8(reader), width = head & 15, kind = head >> 4;
        uint64_t base = reader_varint(reader);
        if (width > 8 || kind > FROM_LAST)
                return false;
        struct str planes = reader_bytes(reader, count * width);
        if (reader->failed)
                return false;
        memset(out_values, 0, count * sizeof *out_values);
        for (unsigned plane = 0; plane < width; plane++)
                for (size_t i = 0; i < count; i++)
                        out_values[i] |= (uint64_t)(uint8_t)planes.bytes[plane * count + i] << 8 * plane;
        for (size_t i = 0; i < count; i++) {
                out_values[i] = base + (kind == FROM_LAST ? unzigzag(out_values[i]) : out_values[i]);
                base = kind == FROM_LAST ? out_values[i] : base;
        }
        return true;
}
