/* exposition_fuzz - any bytes are a scrape or a clear error. */
#include "wire/exposition.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(exposition_decode, STR(""), bytes, count);
        decode_fuzz(exposition_decode, STR("{\"openmetrics\":true,\"honor_labels\":true}"), bytes, count);
        return 0;
}
