/* redact_patterns_fuzz - any list of patterns is taken or refused with a sentence; what is taken masks within its bounds, and keeps
 * quotes, backslashes, control bytes and lengths. {"patterns": [...], "disable": [...], "text": "..."} */
#include "wire/redact.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void mask(const struct redactor *redactor, struct str text)
{
        char *copy = malloc(text.length + 1);
        memcpy(copy, text.bytes, text.length);
        redact_text(redactor, copy, text.length);
        for (size_t i = 0; i < text.length; i++)
                if (copy[i] != text.bytes[i] &&
                    (copy[i] != '*' || (unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == '"' || text.bytes[i] == '\\'))
                        abort();
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct redactor *redactor;
        scoped_ptr(json_decref) json_t *config = json_parse((struct str){(const char *)bytes, count}, NULL);
        if (!json_is_object(config))
                return 0;
        struct str text = json_str(config, "text");
        if (redactor_create(json_object_get(config, "patterns"), json_object_get(config, "disable"), &redactor, &err)) {
                mask(redactor, text.bytes ? text : STR("password=hunter2 badge-1234 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
                redactor_destroy(redactor);
        } else if (!err.message[0]) {
                abort();
        }
        return 0;
}
