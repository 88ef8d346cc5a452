/* syslog_fuzz - any bytes are messages; the settings are bytes too. */
#include "wire/syslog.h"

#include "wire/decode_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        decode_fuzz(syslog_decode, STR(""), bytes, count);
        struct str whole = {(const char *)bytes, count};
        decode_fuzz(syslog_decode, str_slice(whole, 0, 6), bytes, count);
        return 0;
}
