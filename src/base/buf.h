/*
 * buf - bytes that grow: text being written, a frame being collected, a body being read.
 *
 * Zero-initialise ({0}) or set bytes_max first to bound it. A failed append leaves the buffer as it was, marks it
 * failed, and every later append fails too, so a writer may append freely and ask once at the end.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
        char *bytes;
        size_t length, capacity;
        size_t bytes_max; /* 0: no bound */
        bool failed;      /* an append did not fit or memory ran out */
};

void buf_done(struct buf *buf);
void buf_clear(struct buf *buf);                          /* empties it and forgets a failure; keeps the memory */
bool buf_reserve(struct buf *buf, size_t more);           /* room for more bytes after length */
bool buf_append(struct buf *buf, const void *bytes, size_t count);
bool buf_add(struct buf *buf, struct str s);
bool buf_text(struct buf *buf, const char *text);
bool buf_byte(struct buf *buf, char byte);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *buf, size_t count);       /* removes the first count bytes */
char *buf_take(struct buf *buf, size_t *out_length);      /* the bytes, NUL-ended, now the caller's to free(); buf is empty */

/* Little-endian fixed width and LEB128, for our own formats. */
bool buf_u8(struct buf *buf, uint8_t value);
bool buf_u16(struct buf *buf, uint16_t value);
bool buf_u32(struct buf *buf, uint32_t value);
bool buf_u64(struct buf *buf, uint64_t value);
bool buf_varint(struct buf *buf, uint64_t value);
bool buf_float(struct buf *buf, float value);             /* to the bit */
bool buf_double(struct buf *buf, double value);

static inline struct str buf_str(const struct buf *buf)
{
        return (struct str){buf->bytes, buf->length};
}
