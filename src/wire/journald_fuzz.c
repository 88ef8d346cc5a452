/* journald_fuzz - any bytes are packed entries or a clear error. */
#include "wire/journald.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(journald_decode, STR(""), bytes, count);
        return 0;
}
