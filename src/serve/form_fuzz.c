/* form_fuzz - any query, cookie, Authorization header, list and time is taken apart or refused, and never read past its end. */
#include "serve/form.h"

#include "base/scope.h"
#include "serve/when.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str text = {(const char *)bytes, count};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)4 << 20);
        struct fields fields = {0};
        struct err err = {0};
        if (!fields_parse(text, &arena, &fields, &err) && err.message[0] == 0)
                abort();
        if (fields.count > FIELDS_MAX)
                abort();
        struct str name, secret;
        if (authorization_parse(text, &arena, &name, &secret, &err) && !secret.bytes)
                abort();
        percent_decode(text, &arena, &name, &err);
        cookie_value(text, "evenkeel_session");
        header_lists(text, "gzip");
        int64_t time_ns;
        when_any(text, 0, &time_ns);
        if (when_length(text, &time_ns) && time_ns < 0)
                abort();
        return 0;
}
