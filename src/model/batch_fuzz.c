/* batch_fuzz - any journal payload is a batch or a clear error; a batch packs back to a payload that reads the same. */
#include "model/batch.h"

#include "base/scope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct batch *batch = batch_unpack((struct str){(const char *)bytes, count}, &err);
        if (!batch) {
                if (!err.message[0])
                        abort();
                return 0;
        }
        scoped(buf_done) struct buf again = {0};
        if (!batch_pack(batch, &again))
                abort();
        struct batch *twin = batch_unpack(buf_str(&again), &err);
        if (!twin || !str_equal(twin->bytes, batch->bytes) || !labels_equal(&twin->labels, &batch->labels))
                abort();
        batch_destroy(twin);
        batch_destroy(batch);
        return 0;
}
