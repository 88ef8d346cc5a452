/*
 * webhook - any JSON by a mapping (docs/operators/sources/webhook.md).
 *
 * settings: JSON, empty for none:
 *      records     pointer to an array, or to one object: "$.events", "$" (default; an array at the top is taken apart)
 *      line        what the line is; default: the record as compact JSON
 *      time        RFC 3339 text, or seconds, ms, us or ns since 1970
 *      severity    a word ("error") or OpenTelemetry number
 *      labels      { name: value, ... } of the stream; host and service are what people look for
 *      attributes  { name: value, ... } of the record
 *      source      the stream label source; default "webhook"
 *      alert       the record is another tool's alert: { name, status, resolved: [words of status that mean it is over], labels, annotations,
 *                  starts, ends, url }; then it is no log record, unless there is a line
 *      change      the record is a change: { kind, title, by, reference, url, labels }; likewise
 *      when        the mapping holds only for records in which this value is not empty; with `is`, is one of these texts
 *      any         a list of mappings, of which the first that holds is taken; a record for which none does is left out
 * A value is a pointer "$.a.b[0]" (also ["a key"]), relative to the record, "$$.a" relative to the whole body, or a text with
 * pointers in it: "{{$.user}} on {{$.host}}". Anything else is a constant. What a pointer does not find is empty. In alert and change a
 * list of values stands for the first that is not empty, and labels and annotations may be a pointer to an object, whose members they become.
 */
#pragma once

#include "wire/decode.h"

#define WEBHOOK_RECORDS_MAX 100000

decode_fn webhook_decode;

/* Checks a mapping when configuration is loaded. */
bool webhook_mapping_check(struct str settings, struct err *err);
