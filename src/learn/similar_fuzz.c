/* similar_fuzz - any bytes are cases to remember and to look for, and any bytes make a memory or a clear error. */
#include "base/scope.h"
#include "learn/similar.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(similar_destroy, struct similar)

static void remember_all(struct similar *similar, struct text_features *features, struct str lines)
{
        struct str line;
        for (uint64_t i = 0; i < 64 && str_cut(&lines, '\n', &line); i++) {
                struct similar_case made = {0};
                struct similar_hit hits[4];
                similar_add(&made, (enum similar_kind)(line.length % SIMILAR_KINDS), str_slice(line, 0, 5));
                similar_add_words(&made, features, line);
                uint32_t found = similar_find(similar, &made, UINT64_MAX, 0.1, hits, 4);
                for (uint32_t h = 0; h < found; h++)
                        if (!(hits[h].likeness >= 0.1 && hits[h].likeness <= 1) || (h && hits[h].likeness > hits[h - 1].likeness))
                                abort();
                if (!similar_put(similar, i % 20, &made, NULL))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str input = {(const char *)bytes, count};
        struct err err = {0};
        scoped(text_features_done) struct text_features features = {0};
        scoped(buf_done) struct buf snapshot = {0}, again = {0};
        scoped_ptr(similar_destroy) struct similar *similar = similar_restore(input, 16, &err);
        if (!similar && !err.message[0])
                abort();
        if (!similar)
                similar = similar_create(16, NULL);
        if (!similar || !text_features_init(&features))
                abort();
        remember_all(similar, &features, input);
        if (!similar_snapshot(similar, &snapshot, NULL))
                abort();
        scoped_ptr(similar_destroy) struct similar *twin = similar_restore(buf_str(&snapshot), 16, NULL);
        if (!twin || !similar_snapshot(twin, &again, NULL) || !str_equal(buf_str(&snapshot), buf_str(&again)))
                abort();
        return 0;
}
