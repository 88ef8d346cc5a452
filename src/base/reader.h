/*
 * reader - walks over bytes from outside without ever stepping past their end.
 *
 * A read that does not fit marks the reader failed and gives zero; later reads fail too, so a decoder may read a
 * whole structure and ask once. Borrowed bytes: results point into them.
 */
#pragma once

#include "base/str.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct reader {
        const char *next, *end;
        bool failed;
};

static inline struct reader reader_of(struct str s)
{
        if (!s.bytes)
                s = STR(""); /* arithmetic on NULL has no meaning */
        return (struct reader){s.bytes, s.bytes + s.length, false};
}

static inline size_t reader_left(const struct reader *reader)
{
        return reader->failed ? 0 : (size_t)(reader->end - reader->next);
}

static inline struct str reader_bytes(struct reader *reader, size_t count)
{
        if (reader_left(reader) < count) {
                reader->failed = true;
                return (struct str){0};
        }
        struct str taken = {reader->next, count};
        reader->next += count;
        return taken;
}

#define READER_FIXED(name, type, from_little)                                                                          \
        static inline type name(struct reader *reader)                                                                 \
        {                                                                                                              \
                struct str bytes = reader_bytes(reader, sizeof(type));                                                 \
                type value = 0;                                                                                        \
                if (bytes.bytes)                                                                                       \
                        memcpy(&value, bytes.bytes, sizeof value);                                                     \
                return from_little(value);                                                                             \
        }
#define READER_AS_IS(value) (value)
READER_FIXED(reader_u8, uint8_t, READER_AS_IS)
READER_FIXED(reader_u16, uint16_t, le16toh)
READER_FIXED(reader_u32, uint32_t, le32toh)
READER_FIXED(reader_u64, uint64_t, le64toh)
#undef READER_AS_IS
#undef READER_FIXED

/* As buf_float and buf_double wrote them; any bits are a value. */
static inline float reader_float(struct reader *reader)
{
        uint32_t bits = reader_u32(reader);
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
}

static inline double reader_double(struct reader *reader)
{
        uint64_t bits = reader_u64(reader);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
}

/* LEB128, at most ten bytes; a longer or cut one fails. */
static inline uint64_t reader_varint(struct reader *reader)
{
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 70 && !reader->failed && reader->next < reader->end; shift += 7) {
                uint8_t byte = (uint8_t)*reader->next++;
                value |= shift < 64 ? (uint64_t)(byte & 0x7F) << shift : 0;
                if (byte < 0x80)
                        return value;
        }
        reader->failed = true;
        return 0;
}
