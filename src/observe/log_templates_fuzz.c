/* log_templates_fuzz - any bytes are a saved state or a clear error; what was restored can be saved again, equal. */
#include "base/scope.h"
#include "observe/log_templates.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(log_templates_destroy, struct log_templates)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        scoped_ptr(log_templates_destroy) struct log_templates *one = NULL, *other = NULL;
        scoped(buf_done) struct buf saved = {0}, again = {0};
        if (!log_templates_create(&one, NULL) || !log_templates_create(&other, NULL))
                return 0;
        if (!log_templates_restore(one, (struct str){(const char *)bytes, count}, &err)) {
                if (!err.message[0])
                        abort();
                return 0;
        }
        if (!log_templates_save(one, &saved, NULL) || !log_templates_restore(other, buf_str(&saved), NULL) || !log_templates_save(other, &again, NULL) ||
            !str_equal(buf_str(&saved), buf_str(&again)))
                abort();
        return 0;
}
