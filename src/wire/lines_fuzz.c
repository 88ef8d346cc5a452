/* lines_fuzz - any bytes are lines, joined or not. */
#include "wire/lines.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(lines_decode, STR(""), bytes, count);
        decode_fuzz(lines_decode, STR("{\"multiline\":false,\"service\":\"s\"}"), bytes, count);
        if (lines_cut((struct str){(const char *)bytes, count}, true) > count)
                abort();
        return 0;
}
