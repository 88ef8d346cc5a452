/* promql_fuzz - any text is a result or a clear error; a query that parses is also evaluated over a few series. */
#include "base/scope.h"
#include "query/prom_json.h"
#include "query/promql.h"
#include "query/series_list.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char series[] = "a{x=\"1\",y=\"2\"} 1 10\na{x=\"1\",y=\"2\"} 3 20\na{x=\"1\",y=\"2\"} 2 50\na{x=\"2\",y=\"2\"} NaN 15\n"
                             "a{x=\"2\",y=\"2\"} 7 40\na{x=\"2\",y=\"2\"} stale 60\nb{x=\"1\"} 5 20\nb{x=\"1\"} 6 60\n"
                             "h_bucket{le=\"1\"} 5 20\nh_bucket{le=\"5\"} 8 20\nh_bucket{le=\"+Inf\"} 9 20\n";

static void run(struct str text, const struct promql_options *options)
{
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf out = {0};
        struct series_list list;
        struct promql_result result;
        struct err err = {0};
        if (!series_list_read(str_of(series), &arena, &list, &err))
                abort();
        struct promql_source source = series_list_source(&list);
        if (!promql_query(text, &source, options, &arena, &result, &err)) {
                if (err.message[0] == 0)
                        abort();
                return;
        }
        if (!prom_json_result(&result, &out))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str text = {(const char *)bytes, count};
        const int64_t second = 1000000000;
        run(text, &(struct promql_options){.start_ns = 60 * second, .end_ns = 60 * second, .bytes_max = (size_t)4 << 20});
        run(text, &(struct promql_options){.start_ns = 10 * second, .end_ns = 90 * second, .step_ns = 20 * second,
                                           .bytes_max = (size_t)4 << 20});
        return 0;
}
