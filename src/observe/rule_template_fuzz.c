/* rule_template_fuzz - any text is either refused or can be written. */
#include "observe/rule_template.h"

#include "base/scope.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str text = {(const char *)data, size};
        struct err err = {0};
        struct label items[] = {{STR("host"), STR("web1")}};
        struct labels labels = {items, 1, 1};
        scoped(buf_done) struct buf out = {.bytes_max = 1 << 20};
        if (!rule_template_check(text, &err))
                assert(err.message[0]);
        rule_template_write(text, &labels, 0.25, &out);
        return 0;
}
