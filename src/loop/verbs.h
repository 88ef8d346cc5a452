/* verbs - which room applies which command. A new command is a row here. */
#pragma once

#include "base/err.h"
#include "store/database.h"

#include <jansson.h>
#include <stdint.h>

/* Inside a transaction of the caller's, on the pipeline's thread; changes nothing on failure that the caller's rollback does
 * not undo. A pure function of the database and its arguments. */
typedef bool apply_fn(struct database *state, const char *verb, const json_t *arguments, int64_t time_ns,
                      json_t **out_result, struct err *err);

apply_fn *verb_find(const char *verb); /* NULL: not known */
