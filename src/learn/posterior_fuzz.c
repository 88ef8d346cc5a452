/* posterior_fuzz - any bytes are outcomes, and any bytes make beliefs or a clear error. */
#include "base/reader.h"
#include "base/scope.h"
#include "learn/posterior.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(posterior_destroy, struct posterior)

static void live(struct posterior *posterior, struct reader *reader)
{
        for (int i = 0; i < 64 && reader_left(reader); i++) {
                uint8_t what = reader_u8(reader), where = reader_u8(reader);
                struct posterior_key key = {where & 3, where >> 2 & 3, where >> 4 & 3};
                if (what % 5 < 3)
                        posterior_record(posterior, key, (enum posterior_outcome)(what % 5), NULL);
                else if (what % 5 == 3)
                        posterior_heal(posterior, key.signature, key.target_class, what & 128, NULL);
                else
                        posterior_take_back(posterior, key, (enum posterior_outcome)((what >> 4) % 3));
                if (i % 16 == 0) {
                        struct posterior_belief belief;
                        posterior_read(posterior, key, &belief);
                        if (!(belief.mean >= 0 && belief.mean <= 1 && belief.low <= belief.high && belief.beats_healing >= 0 && belief.beats_healing <= 1 + 1e-9))
                                abort();
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str input = {(const char *)bytes, count};
        struct reader reader = reader_of(input);
        struct err err = {0};
        scoped(buf_done) struct buf snapshot = {0}, again = {0};
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_restore(input, 24, &err);
        if (!posterior && !err.message[0])
                abort();
        if (!posterior)
                posterior = posterior_create(24, NULL);
        if (!posterior)
                abort();
        live(posterior, &reader);
        if (!posterior_snapshot(posterior, &snapshot, NULL))
                abort();
        scoped_ptr(posterior_destroy) struct posterior *twin = posterior_restore(buf_str(&snapshot), 24, NULL);
        if (!twin || !posterior_snapshot(twin, &again, NULL) || !str_equal(buf_str(&snapshot), buf_str(&again)))
                abort();
        return 0;
}
