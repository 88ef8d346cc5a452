/* otlp_fuzz - any bytes are export requests or a clear error. */
#include "wire/otlp.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(otlp_logs_decode, STR(""), bytes, count);
        decode_fuzz(otlp_metrics_decode, STR(""), bytes, count);
        return 0;
}
