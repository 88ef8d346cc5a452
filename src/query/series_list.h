/*
 * series_list - series in memory, read from lines of text: where tests and offline evaluation take their series from.
 *
 *      # comments and empty lines are skipped
 *      http_requests_total{job="api",code="200"} 17 1700000000.5
 *
 * The last word is the time in seconds; a value of "stale" is the stale marker. Lines may come in any order.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "query/promql.h"
#include "store/series.h"

#include <stdbool.h>

struct series_list {
        struct arena *arena;
        struct series_set set;
};

/* Everything is of the arena. Errors name the line. */
bool series_list_read(struct str text, struct arena *arena, struct series_list *out_list, struct err *err);
struct promql_source series_list_source(struct series_list *list);
