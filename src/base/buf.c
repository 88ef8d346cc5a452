/* buf.c - see buf.h. */
#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_done(struct buf *buf)
{
        if (!buf)
                return;
        free(buf->bytes);
        *buf = (struct buf){.bytes_max = buf->bytes_max};
}

void buf_clear(struct buf *buf)
{
        buf->length = 0;
        buf->failed = false;
}

static bool give_up(struct buf *buf)
{
        buf->failed = true;
        return false;
}

bool buf_reserve(struct buf *buf, size_t more)
{
        if (buf->failed)
                return false;
        if (buf->capacity - buf->length >= more)
                return true;
        size_t wanted;
        if (__builtin_add_overflow(buf->length, more, &wanted) || (buf->bytes_max && wanted > buf->bytes_max))
                return give_up(buf);
        size_t grown = buf->capacity ? buf->capacity * 2 : 256;
        if (grown < wanted)
                grown = wanted;
        if (buf->bytes_max && grown > buf->bytes_max)
                grown = buf->bytes_max;
        char *moved = realloc(buf->bytes, grown);
        if (!moved)
                return give_up(buf);
        buf->bytes = moved;
        buf->capacity = grown;
        return true;
}

bool buf_append(struct buf *buf, const void *bytes, size_t count)
{
        if (!buf_reserve(buf, count))
                return false;
        if (count)
                memcpy(buf->bytes + buf->length, bytes, count);
        buf->length += count;
        return true;
}

bool buf_add(struct buf *buf, struct str s)
{
        return buf_append(buf, s.bytes, s.length);
}

bool buf_text(struct buf *buf, const char *text)
{
        return buf_append(buf, text, strlen(text));
}

bool buf_byte(struct buf *buf, char byte)
{
        return buf_append(buf, &byte, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
        va_list args, again;
        va_start(args, format);
        va_copy(again, args);
        int length = vsnprintf(NULL, 0, format, args);
        va_end(args);
        bool fits = length >= 0 && buf_reserve(buf, (size_t)length + 1);
        if (fits) {
                vsnprintf(buf->bytes + buf->length, (size_t)length + 1, format, again);
                buf->length += (size_t)length;
        }
        va_end(again);
        return fits;
}

void buf_drop_front(struct buf *buf, size_t count)
{
        if (count >= buf->length) {
                buf->length = 0;
                return;
        }
        memmove(buf->bytes, buf->bytes + count, buf->length - count);
        buf->length -= count;
}

char *buf_take(struct buf *buf, size_t *out_length)
{
        size_t bound = buf->bytes_max;
        buf->bytes_max = 0;
        bool ended = buf_byte(buf, 0);
        buf->bytes_max = bound;
        if (!ended)
                return NULL;
        if (out_length)
                *out_length = buf->length - 1;
        char *taken = buf->bytes;
        *buf = (struct buf){.bytes_max = bound};
        return taken;
}

bool buf_u8(struct buf *buf, uint8_t value)
{
        return buf_append(buf, &value, 1);
}

bool buf_u16(struct buf *buf, uint16_t value)
{
        value = htole16(value);
        return buf_append(buf, &value, sizeof value);
}

bool buf_u32(struct buf *buf, uint32_t value)
{
        value = htole32(value);
        return buf_append(buf, &value, sizeof value);
}

bool buf_u64(struct buf *buf, uint64_t value)
{
        value = htole64(value);
        return buf_append(buf, &value, sizeof value);
}

bool buf_float(struct buf *buf, float value)
{
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        return buf_u32(buf, bits);
}

bool buf_double(struct buf *buf, double value)
{
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return buf_u64(buf, bits);
}

bool buf_varint(struct buf *buf, uint64_t value)
{
        char bytes[10];
        size_t count = 0;
        while (value >= 0x80) {
                bytes[count++] = (char)(value | 0x80);
                value >>= 7;
        }
        bytes[count++] = (char)value;
        return buf_append(buf, bytes, count);
}
