/* file_place_fuzz - any cursor of a file is a place or none, and a place that is written down is read as the same. */
#include "base/scope.h"
#include "observe/file_tail.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct file_place place = {0}, twin = {0};
        if (!file_place_parse((struct str){(const char *)bytes, count}, &place))
                return 0;
        scoped(buf_done) struct buf text = {0};
        if (!file_place_print(&place, &text) || !file_place_parse(buf_str(&text), &twin))
                abort();
        if (place.device != twin.device || place.inode != twin.inode || place.offset != twin.offset ||
            place.head_bytes != twin.head_bytes || place.head_hash != twin.head_hash)
                abort();
        return 0;
}
