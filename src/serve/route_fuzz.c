/* route_fuzz - any method and path lead to one route with its parts decoded, or to a refusal that says why. The first byte
 * is the method. */
#include "serve/route.h"

#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        if (!count)
                return 0;
        struct err err = {0};
        struct str captured[2] = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)1 << 20);
        struct str path = {(const char *)bytes + 1, count - 1};
        const struct route *route = route_find(bytes[0] % (HTTP_OTHER + 1), path, &arena, captured, &err);
        if (!route && err.code != ERR_NOT_FOUND && err.code != ERR_METHOD && err.code != ERR_INVALID && err.code != ERR_MEMORY)
                abort();
        size_t slots = 0;
        for (const char *at = route ? route->path : ""; *at; at++)
                slots += *at == '{';
        for (size_t i = 0; i < 2; i++)
                if ((route && (captured[i].bytes != NULL) != (i < slots)) || captured[i].length > path.length)
                        abort();
        return 0;
}
