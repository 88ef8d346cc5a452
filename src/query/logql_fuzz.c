/* logql_fuzz - any text becomes a search that can be run, or an error that begins with a place. */
#include "query/logql.h"

#include "base/scope.h"
#include "store/line_filter.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void ignore(void *context, struct str fragment)
{
        *(size_t *)context += fragment.length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct log_select select = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)16 << 20);
        size_t line, column, fragments = 0;
        if (!logql_parse((struct str){(const char *)bytes, count}, &arena, &select, &err)) {
                if (err.code != ERR_INVALID || sscanf(err.message, "%zu:%zu: ", &line, &column) != 2)
                        abort();
                return 0;
        }
        bool hold;
        line_filters_hold(select.filters.items, select.filters.count, STR("GET /index 200 in 5 ms"), &hold, &err);
        each (filter, &select.filters)
                line_filter_fragments(filter, ignore, &fragments);
        logql_done(&select);
        return 0;
}
