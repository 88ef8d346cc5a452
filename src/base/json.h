/*
 * json - glue around jansson: bounded parsing with errors that say where, and reading fields without surprises.
 *
 * json_t trees are reference counted by jansson; scoped_ptr(json_decref) ends one with its scope.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

static inline void json_decref_at_scope_end(json_t **json)
{
        json_decref(*json);
}

/* Parses one JSON text (any type at the top). Nesting is bounded by jansson (2048), duplicates are refused. The
 * error names line and column. The result is the caller's. */
json_t *json_parse(struct str text, struct err *err);

/* Compact, keys in insertion order. False: no memory. */
bool json_write(const json_t *json, struct buf *out);

/* A member as a string; empty with bytes == NULL when it is missing or no string. Borrowed from the tree. */
struct str json_str(const json_t *object, const char *key);
/* A member as a number; `otherwise` when missing or no number. */
int64_t json_i64(const json_t *object, const char *key, int64_t otherwise);
bool json_flag(const json_t *object, const char *key, bool otherwise);

/* A JSON string of text that came from anywhere: "(not UTF-8)" for bytes that are not. NULL: no memory. */
json_t *json_text(struct str text);

/* Appends s as a JSON string with quotes; bytes that are not UTF-8 become U+FFFD. For hand-written streams. */
bool json_quote(struct buf *out, struct str s);
