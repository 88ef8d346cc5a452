/* openapi - the route table told to programs (OpenAPI 3.1) and to people (docs/reference/api.md). */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

json_t *openapi_json(const char *version, struct err *err); /* the caller's */
bool openapi_markdown(struct buf *out);
