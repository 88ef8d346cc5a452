/* registry_fuzz - any JSON as arguments of any command about entities, and any labels as seen: a result or a clear error; a refusal
 * leaves nothing to write. The first byte chooses the verb. */
#include "register/registry.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char *const verbs[] = {"entity_create", "entity_update", "entity_delete", "entity_restore", "entity_revert",
                                    "entity_relate", "entity_unrelate", "entity_import", "entity_seen"};

/* A host 1048576 and a service on it, so that ids in the corpus lead somewhere. */
static struct registry *filled(void)
{
        struct registry *registry = NULL;
        struct label labels[] = {{STR("host"), STR("web1")}, {STR("service"), STR("nginx")}};
        struct resource_seen seen = {{labels, 2, 2}, 1, true};
        struct err err;
        if (!registry_create(&(struct registry_options){.entities_max = 50, .links_max = 50}, &registry, &err) ||
            !registry_see(registry, &seen, 1, 1, 1, &err))
                abort();
        registry_written(registry);
        return registry;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        if (!count)
                return 0;
        const char *verb = verbs[bytes[0] % countof(verbs)];
        scoped_ptr(json_decref) json_t *arguments = json_parse((struct str){(const char *)bytes + 1, count - 1}, &err), *result = NULL;
        if (!json_is_object(arguments))
                return 0;
        struct registry *registry = filled();
        bool good = registry_command(registry, verb, arguments, "fuzz", 2, 2, &result, &err);
        if (good != (result != NULL) || (!good && (!err.message[0] || registry_is_dirty(registry))))
                abort();
        registry_destroy(registry);
        return 0;
}
