/*
 * logql - log queries: {host="web1", service=~"nginx|php"} |= "timeout" !~ "health". Source: Loki's documentation.
 *
 * Stream selector with = != =~ !~ (an empty selector {} is all), then any number of line filters |= != |~ !~, whose
 * texts are "..." with escapes or `...` without. Anything else of LogQL is refused by name.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "store/logs.h"

/* Fills matchers and filters (arena-owned texts; regexes freed by logql_done). Errors say "line:column: ...". A text
 * that does not begin with { is taken as words a person typed: every line that contains it. */
bool logql_parse(struct str text, struct arena *arena, struct log_select *out_select, struct err *err);
void logql_done(struct log_select *select);
