/* otlp_json_fuzz - any bytes are export requests in JSON or a clear error. */
#include "wire/otlp_json.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(otlp_logs_json_decode, STR(""), bytes, count);
        decode_fuzz(otlp_metrics_json_decode, STR(""), bytes, count);
        return 0;
}
