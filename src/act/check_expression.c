/* check_expression.c - see check_expression.h. */
#include "act/check_expression.h"

#include "base/scope.h"
#include "query/promql.h"

#include <math.h>

#define CHECK_BYTES_MAX ((size_t)64 << 20)

static bool nothing(void *context, const struct series_select *select, struct arena *arena, struct series_set *out_set, struct err *err)
{
        (void)context, (void)select, (void)arena, (void)err;
        *out_set = (struct series_set){0};
        return true;
}

bool check_expression_holds(struct str text, const struct promql_source *source, int64_t time_ns, struct arena *arena, bool *out_holds, struct err *err)
{
        struct promql_options options = {.start_ns = time_ns, .end_ns = time_ns, .bytes_max = CHECK_BYTES_MAX};
        struct promql_result result;
        if (!source)
                return fail(err, ERR_REFUSED, "act", "there are no series to ask");
        if (!promql_query(text, source, &options, arena, &result, err))
                return false;
        bool holds = result.type == PROMQL_SCALAR ? result.scalar != 0 && !isnan(result.scalar) : result.type == PROMQL_VECTOR && result.set.count > 0;
        for (size_t i = 0; holds && result.type == PROMQL_VECTOR && i < result.set.count; i++)
                holds = result.set.items[i].values[0] != 0 && !isnan(result.set.items[i].values[0]);
        *out_holds = holds;
        return true;
}

bool check_expression_parse(struct str text, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct promql_source source = {.select = nothing};
        bool holds;
        arena_init(&arena, 0);
        return check_expression_holds(text, &source, 0, &arena, &holds, err);
}
