/* matcher_text_fuzz - any text is read or refused; what was read, written and read again means the same. */
#include "engage/matcher_text.h"

#include "base/json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct arena arena;
        struct err err = {0};
        struct matchers matchers = {0}, again = {0}, listed = {0};
        scoped(buf_done) struct buf text = {0}, second = {0};
        arena_init(&arena, 1 << 22);
        if (size < 4096 && matcher_text_read((struct str){(const char *)bytes, size}, &arena, &matchers, &err)) {
                assert(matcher_text_write(&matchers, &text));
                scoped_ptr(json_decref) json_t *json = matcher_json_write(&matchers);
                if (json) {
                        assert(matcher_json_read(json, &arena, &listed, &err));
                        assert(listed.count == matchers.count);
                        for (size_t i = 0; i < listed.count; i++)
                                assert(listed.items[i].op == matchers.items[i].op && str_equal(listed.items[i].value, matchers.items[i].value));
                }
                assert(matchers.count == 0 || matcher_text_read(buf_str(&text), &arena, &again, &err) || err.code == ERR_MEMORY || err.code == ERR_INVALID);
        } else if (size < 4096) {
                assert(err.message[0]);
        }
        matchers_done(&matchers);
        matchers_done(&again);
        matchers_done(&listed);
        arena_done(&arena);
        return 0;
}
