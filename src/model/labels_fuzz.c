/* labels_fuzz - packed labels are labels or ERR_CORRUPT; what is read packs back to bytes that mean the same. */
#include "model/labels.h"

#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static bool same(const struct labels *a, const struct labels *b)
{
        return a->count == b->count && labels_equal(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)16 << 20);
        struct labels labels, twin;
        if (!labels_unpack((struct str){(const char *)bytes, count}, &arena, &labels, &err)) {
                if (err.code != ERR_CORRUPT && err.code != ERR_MEMORY)
                        abort();
                return 0;
        }
        scoped(buf_done) struct buf packed = {0}, text = {0};
        if (!labels_pack(&labels, &packed) || !labels_print(&labels, &text) ||
            !labels_unpack(buf_str(&packed), &arena, &twin, &err) || !same(&labels, &twin))
                abort();
        struct hash128 id = labels_id(&labels);
        if (!hash128_equal(id, labels_id_packed(buf_str(&packed))))
                abort();
        if (labels_canonical(&labels, &err) && labels.count > LABELS_MAX)
                abort();
        return 0;
}
