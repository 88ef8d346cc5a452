/*
 * protobuf - reads and writes the wire format (protobuf encoding, proto3), bounded, without schemas.
 *
 *      while (protobuf_next(&message, &field))
 *              switch (field.number) { case 1: ... field.bytes ... }
 *      if (message.failed) ...
 *
 * A field of another wire type than expected reads as empty or zero. Groups are refused. Borrowed bytes.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stdint.h>

enum protobuf_wire { PROTOBUF_VARINT = 0, PROTOBUF_FIXED64 = 1, PROTOBUF_BYTES = 2, PROTOBUF_FIXED32 = 5 };

struct protobuf_field {
        uint32_t number;
        enum protobuf_wire wire;
        uint64_t scalar;  /* varint and fixed */
        struct str bytes; /* text, bytes, nested messages, packed scalars */
};

/* The next field; false at the end, or with reader->failed. */
bool protobuf_next(struct reader *message, struct protobuf_field *out_field);
double protobuf_double(const struct protobuf_field *field);  /* fixed64 */
int64_t protobuf_sint(const struct protobuf_field *field);   /* zigzag varint */

void protobuf_put_scalar(struct buf *out, uint32_t number, uint64_t value); /* varint */
void protobuf_put_fixed64(struct buf *out, uint32_t number, uint64_t value);
void protobuf_put_bytes(struct buf *out, uint32_t number, struct str bytes);
