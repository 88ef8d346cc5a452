/* alertmanager_fuzz - any bytes are alerts, partly wrong alerts, or a clear error. */
#include "wire/alertmanager.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(alertmanager_decode, STR(""), bytes, count);
        return 0;
}
