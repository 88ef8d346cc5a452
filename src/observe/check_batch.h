/* check_batch - results of checks on their way to intake, in the words of wire/check_result.h. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "observe/check_status.h"

#include <jansson.h>

struct intake;

/* Everything that is told of a result; NULL: no memory. */
json_t *check_batch_result(const struct check *check, const struct check_outcome *outcome, const struct check_status *status, struct check_verdict verdict,
                           int64_t duration_ns);
json_t *check_batch_labels(const struct labels *labels); /* as an object; NULL: no memory */
/* Offers one result or a list, and waits for the commit. Takes results, NULL too (no memory). */
bool check_batch_offer(struct intake *intake, struct str source, json_t *results, struct err *err);
