/* check_result_fuzz - any bytes are results, partly wrong results, or a clear error. */
#include "wire/check_result.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(check_result_decode, STR(""), bytes, count);
        return 0;
}
