/* protobuf.c - see protobuf.h. */
#include "wire/protobuf.h"

bool protobuf_next(struct reader *message, struct protobuf_field *out_field)
{
        if (!reader_left(message))
                return false;
        uint64_t key = reader_varint(message);
        struct protobuf_field field = {.number = (uint32_t)(key >> 3), .wire = (enum protobuf_wire)(key & 7)};
        switch (field.wire) {
        case PROTOBUF_VARINT:
                field.scalar = reader_varint(message);
                break;
        case PROTOBUF_FIXED64:
                field.scalar = reader_u64(message);
                break;
        case PROTOBUF_FIXED32:
                field.scalar = reader_u32(message);
                break;
        case PROTOBUF_BYTES:
                field.bytes = reader_bytes(message, reader_varint(message));
                break;
        default: /* groups, and wire types that do not exist */
                message->failed = true;
        }
        if (field.number == 0 || key >> 3 > UINT32_MAX)
                message->failed = true;
        if (!message->failed)
                *out_field = field;
        return !message->failed;
}

double protobuf_double(const struct protobuf_field *field)
{
        double value = 0;
        if (field->wire == PROTOBUF_FIXED64)
                memcpy(&value, &field->scalar, sizeof value);
        return value;
}

int64_t protobuf_sint(const struct protobuf_field *field)
{
        return (int64_t)(field->scalar >> 1) ^ -(int64_t)(field->scalar & 1);
}

void protobuf_put_scalar(struct buf *out, uint32_t number, uint64_t value)
{
        buf_varint(out, (uint64_t)number << 3 | PROTOBUF_VARINT);
        buf_varint(out, value);
}

void protobuf_put_fixed64(struct buf *out, uint32_t number, uint64_t value)
{
        buf_varint(out, (uint64_t)number << 3 | PROTOBUF_FIXED64);
        buf_u64(out, value);
}

void protobuf_put_bytes(struct buf *out, uint32_t number, struct str bytes)
{
        buf_varint(out, (uint64_t)number << 3 | PROTOBUF_BYTES);
        buf_varint(out, bytes.length);
        buf_add(out, bytes);
}
