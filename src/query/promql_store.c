/* promql_store.c - the live store as a source of series. */
#include "query/promql.h"

static bool select_from_store(void *context, const struct series_select *select, struct arena *arena,
                              struct series_set *out_set, struct err *err)
{
        return series_select(context, select, arena, out_set, err);
}

struct promql_source promql_store_source(struct series_store *store)
{
        return (struct promql_source){.select = select_from_store, .context = store};
}
