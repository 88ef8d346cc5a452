/*
 * redact - masks secrets (passwords, tokens, keys, card numbers) before anything is stored.
 *
 * Masking keeps lengths: each byte of a secret becomes '*', so framing and offsets stay true. A mask never touches
 * quotes, backslashes or control bytes, so masked JSON stays JSON. Patterns are PCRE2 with one group named `secret`
 * (or the whole match); a cheap pass over the bytes finds the few places worth a regex.
 * Built once from the built-in patterns and the operator's, then read by many threads.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "model/telemetry.h"

#include <jansson.h>
#include <stdint.h>

enum redact_how { REDACT_NONE, REDACT_TEXT, REDACT_FIELDS, REDACT_JSON };

struct redactor;

/* patterns: a JSON array of { "name", "pattern", "hints": ["literal", ...] (at least one of which is near every match),
 * "sample": a text that must be masked } or NULL; "disable": names of built-in patterns in `disabled` (array or NULL). */
bool redactor_create(const json_t *patterns, const json_t *disabled, struct redactor **out_redactor, struct err *err);
void redactor_destroy(struct redactor *redactor);

/* Masks in place; gives how many secrets were masked. */
uint64_t redact_text(const struct redactor *redactor, char *bytes, size_t count);
/* Lines, and attribute values (those named like a secret wholly), in place: texts must be writable memory of the batch. */
uint64_t redact_telemetry(const struct redactor *redactor, struct telemetry *telemetry);
/* All texts of the tree; members named like a secret (password, token, authorization ...) wholly. */
uint64_t redact_json(const struct redactor *redactor, json_t *tree);
