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

/* What either way would cost. */
struct cost {
        uint64_t least, all_deltas; /* all_deltas: the bits of every difference, or-ed */
        uint64_t from_least_max;
        uint64_t bits_from_least, bits_from_last;
};

static struct cost cost_of(const uint64_t *values, size_t count)
{
        struct cost cost = {.least = values[0]};
        uint64_t most = values[0], last = values[0];
        for (size_t i = 1; i < count; i++) {
                cost.least = min_of(cost.least, values[i]);
                most = max_of(most, values[i]);
        }
        cost.from_least_max = most - cost.least;
        if (!cost.from_least_max)
                return cost;
        for (size_t i = 0; i < count; i++) {
                uint64_t delta = zigzag(values[i] - last);
                cost.bits_from_last += bits_in(delta);
                cost.bits_from_least += bits_in(values[i] - cost.least);
                cost.all_deltas |= delta;
                last = values[i];
        }
        return cost;
}

bool log_column_put(struct buf *out, const uint64_t *values, size_t count)
{
        if (!count)
                return true;
        struct cost cost = cost_of(values, count);
        bool from_last = cost.bits_from_last < cost.bits_from_least;
        unsigned width = bytes_for(from_last ? cost.all_deltas : cost.from_least_max);
        buf_byte(out, (char)((from_last ? FROM_LAST : FROM_LEAST) << 4 | width));
        buf_varint(out, from_last ? values[0] : cost.least);
        if (!buf_reserve(out, count * width))
                return false;
        char *to = out->bytes + out->length;
        uint64_t last = values[0];
        for (size_t i = 0; i < count && width; i++) {
                uint64_t value = from_last ? zigzag(values[i] - last) : values[i] - cost.least;
                last = values[i];
                for (unsigned plane = 0; plane < width; plane++)
                        to[plane * count + i] = (char)(value >> 8 * plane);
        }
        out->length += count * width;
        return true;
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
