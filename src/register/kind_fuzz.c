/* kind_fuzz - any bytes as an operator's kind beside the built-in ones: a set of kinds, or an error with file and line; and
 * what was taken draws keys from labels without a fault. */
#include "register/kind.h"

#include "base/json.h"
#include "base/scope.h"
#include "register/identity.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void draw_keys(const struct kinds *kinds)
{
        struct label items[] = {{STR("host"), STR("Web1.example.org:9100")}, {STR("instance"), STR("[::1]:9100")}, {STR("mountpoint"), STR("/")},
                                {STR("service"), STR("/usr/sbin/nginx[12]")}, {STR("unit"), STR("nginx.service")}};
        struct labels labels = {items, countof(items), countof(items)};
        struct arena arena;
        arena_init(&arena, 1 << 20);
        each (kind, &kinds->list) {
                struct identity identity;
                if (!identity_of(kind, &labels, &arena, &identity) || identity.count > IDENTITY_KEYS_MAX)
                        abort();
        }
        arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct kinds *kinds = NULL;
        struct embedded_file files[8];
        size_t used = 0;
        for (; used < kinds_built_in_count && used < countof(files) - 1; used++)
                files[used] = kinds_built_in[used];
        files[used++] = (struct embedded_file){STR("fuzz.yaml"), {(const char *)bytes, count}};
        if (!kinds_parse(files, used, &kinds, &err)) {
                if (err.message[0] == 0)
                        abort();
                return 0;
        }
        scoped_ptr(json_decref) json_t *shown = kinds_json(kinds);
        if (!shown || json_array_size(shown) != kinds->list.count)
                abort();
        draw_keys(kinds);
        kinds_unref(kinds);
        return 0;
}
