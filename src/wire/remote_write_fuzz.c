/* remote_write_fuzz - any body, and any plain request within good snappy, is decoded or a clear error. */
#include "wire/remote_write.h"

#include "wire/decode_fuzz.h"

#include <snappy-c.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(remote_write_decode, STR(""), bytes, count);
        size_t length = snappy_max_compressed_length(count);
        char *packed = malloc(length);
        if (!packed || snappy_compress((const char *)bytes, count, packed, &length) != SNAPPY_OK)
                abort();
        decode_fuzz(remote_write_decode, STR(""), (const uint8_t *)packed, length);
        free(packed);
        return 0;
}
