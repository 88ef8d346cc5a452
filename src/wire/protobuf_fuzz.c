/* protobuf_fuzz - fields never reach beyond the message, and what is read writes back to the same fields. */
#include "wire/protobuf.h"

#include "base/scope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct reader reader = reader_of((struct str){(const char *)bytes, count});
        struct protobuf_field field, again;
        while (protobuf_next(&reader, &field)) {
                if (field.bytes.bytes && field.bytes.bytes + field.bytes.length > (const char *)bytes + count)
                        abort();
                scoped(buf_done) struct buf out = {0};
                if (field.wire == PROTOBUF_BYTES)
                        protobuf_put_bytes(&out, field.number, field.bytes);
                else if (field.wire == PROTOBUF_VARINT)
                        protobuf_put_scalar(&out, field.number, field.scalar);
                else
                        protobuf_put_fixed64(&out, field.number, field.scalar);
                struct reader twin = reader_of(buf_str(&out));
                if (!protobuf_next(&twin, &again) || again.number != field.number || again.scalar != field.scalar ||
                    again.bytes.length != field.bytes.length)
                        abort();
        }
        return 0;
}
