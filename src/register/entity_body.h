/*
 * entity_body - the values of an entity's fields, as JSON: {"memory": {"i": [16, "alice", "time"], "o": [15.6, "telemetry", "time"]}}.
 *
 * i is the intended value with who wrote it, o the observed one with the source that saw it; times are nanoseconds as text,
 * which a JavaScript number cannot hold. The effective value is the intended one, else the observed one.
 */
#pragma once

#include "register/kind.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define VALUE_BYTES_MAX 8192    /* of one text, or of one item of a list */
#define VALUE_ITEMS_MAX 256     /* of a list */

/* A value as the field's type has it, from JSON or (CSV, telemetry, a command line) from text: times as RFC 3339 in UTC, lists
 * of text (as text: separated by ;), references as ids (as text: a name is fine, the caller looks it up first). Errors say
 * what to write. The result is the caller's. */
bool value_from_json(const struct kind_field *field, const json_t *value, json_t **out_value, struct err *err);
bool value_from_text(const struct kind_field *field, struct str text, json_t **out_value, struct err *err);
bool value_to_text(const json_t *value, struct buf *out); /* false: no memory */

const json_t *body_intended(const json_t *body, struct str field);      /* NULL: none */
const json_t *body_observed(const json_t *body, struct str field);
const json_t *body_effective(const json_t *body, struct str field);
/* False: no memory. value NULL takes the intended value away. */
bool body_set_intended(json_t *body, struct str field, const json_t *value, const char *by, int64_t time_ns);
bool body_set_observed(json_t *body, struct str field, const json_t *value, const char *source, int64_t time_ns);
int64_t body_drift(const json_t *body); /* fields whose two values differ */

/* As the API shows it: {"memory": {"value", "intended", "intended_by", "intended_ns", "observed", "observed_by", "observed_ns",
 * "drifts"}}, the kind's fields in their order. NULL: no memory. */
json_t *body_json(const struct kind *kind, const json_t *body);
