/* series_group_fuzz - any bytes are a group or a clear error; what is visited lies in bounds.
 * Input: length of the names (u16, little-endian), names, labels. */
#include "store/series_group.h"

#include "base/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static volatile uint64_t sum; /* of all bytes: reads them, so that the sanitizers see a bad one */

static bool read_all(void *context, uint32_t id, struct str packed, struct err *err)
{
        (void)context;
        (void)err;
        if (id >= SERIES_GROUP_MAX)
                abort();
        for (size_t i = 0; i < packed.length; i++)
                sum += (uint8_t)packed.bytes[i];
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct reader reader = reader_of((struct str){(const char *)bytes, count});
        struct str names = reader_bytes(&reader, reader_u16(&reader)), labels = reader_bytes(&reader, reader_left(&reader));
        if (reader.failed)
                return 0;
        if (!series_group_visit(0, names, labels, NULL, read_all, NULL, &err) && !err.message[0])
                abort();
        return 0;
}
