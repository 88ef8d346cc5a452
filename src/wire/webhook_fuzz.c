/* webhook_fuzz - any bytes are a body, or a mapping, or a clear error. */
#include "wire/webhook.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str whole = {(const char *)bytes, count}, mapping = whole;
        decode_fuzz(webhook_decode, STR(""), bytes, count);
        decode_fuzz(webhook_decode, STR("{\"records\":\"$.events\",\"line\":\"{{$.a}}-{{$$.b[0]}}\",\"time\":\"$.t\",\"labels\":{\"host\":\"$.h\"}}"),
                    bytes, count);
        if (str_cut(&whole, '\n', &mapping) && whole.bytes) /* corpus files with a mapping in their first line */
                decode_fuzz(webhook_decode, mapping, (const uint8_t *)whole.bytes, whole.length);
        return 0;
}
