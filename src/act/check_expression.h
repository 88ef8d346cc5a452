/* check_expression - a PromQL expression as a yes or no: it holds when it gives something, and nothing of that is 0 or no number. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct promql_source;

bool check_expression_parse(struct str text, struct err *err); /* whether it can be evaluated at all */
bool check_expression_holds(struct str text, const struct promql_source *source, int64_t time_ns, struct arena *arena, bool *out_holds, struct err *err);
