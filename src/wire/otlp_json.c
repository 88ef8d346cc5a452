/*
 * otlp_json.c - see otlp_json.h. JSON is turned into the protobuf it stands for, by a table of the messages, and then read by the
 * one decoder there is: so both encodings always mean the same.
 */
#include "wire/otlp_json.h"

#include "base/json.h"
#include "wire/otlp.h"
#include "wire/protobuf.h"

#include <math.h>
#include <stdlib.h>

#define DEPTH_MAX 64

enum kind { TEXT, HEX, BASE64, FLAG, INTEGER, FIXED64, REAL, MESSAGE };

struct member {
        const char *name;
        uint32_t number;
        enum kind kind;
        const struct member *message; /* of MESSAGE; lists end with a NULL name */
};

static const struct member any_value[8], key_value[3]; /* they hold one another */
static const struct member array_value[] = {{"values", 1, MESSAGE, any_value}, {0}};
static const struct member key_values[] = {{"values", 1, MESSAGE, key_value}, {0}};
static const struct member any_value[8] = {{"stringValue", 1, TEXT},  {"boolValue", 2, FLAG},
                                          {"intValue", 3, INTEGER},  {"doubleValue", 4, REAL},
                                          {"arrayValue", 5, MESSAGE, array_value},
                                          {"kvlistValue", 6, MESSAGE, key_values},
                                          {"bytesValue", 7, BASE64}, {0}};
static const struct member key_value[3] = {{"key", 1, TEXT}, {"value", 2, MESSAGE, any_value}, {0}};
static const struct member resource[] = {{"attributes", 1, MESSAGE, key_value}, {0}};

static const struct member log_record[] = {{"timeUnixNano", 1, FIXED64},
                                           {"severityNumber", 2, INTEGER},
                                           {"severityText", 3, TEXT},
                                           {"body", 5, MESSAGE, any_value},
                                           {"attributes", 6, MESSAGE, key_value},
                                           {"traceId", 9, HEX},
                                           {"spanId", 10, HEX},
                                           {"observedTimeUnixNano", 11, FIXED64},
                                           {"eventName", 12, TEXT},
                                           {0}};
static const struct member scope_logs[] = {{"logRecords", 2, MESSAGE, log_record}, {0}};
static const struct member resource_logs[] = {{"resource", 1, MESSAGE, resource}, {"scopeLogs", 2, MESSAGE, scope_logs}, {0}};
static const struct member logs_request[] = {{"resourceLogs", 1, MESSAGE, resource_logs}, {0}};

static const struct member number_point[] = {{"timeUnixNano", 3, FIXED64}, {"asDouble", 4, REAL},
                                             {"asInt", 6, FIXED64},        {"attributes", 7, MESSAGE, key_value},
                                             {"flags", 8, INTEGER},        {0}};
static const struct member histogram_point[] = {{"timeUnixNano", 3, FIXED64},
                                                {"count", 4, FIXED64},
                                                {"sum", 5, REAL},
                                                {"bucketCounts", 6, FIXED64},
                                                {"explicitBounds", 7, REAL},
                                                {"attributes", 9, MESSAGE, key_value},
                                                {"flags", 10, INTEGER},
                                                {0}};
static const struct member quantile_value[] = {{"quantile", 1, REAL}, {"value", 2, REAL}, {0}};
static const struct member summary_point[] = {{"timeUnixNano", 3, FIXED64},
                                              {"count", 4, FIXED64},
                                              {"sum", 5, REAL},
                                              {"quantileValues", 6, MESSAGE, quantile_value},
                                              {"attributes", 7, MESSAGE, key_value},
                                              {"flags", 8, INTEGER},
                                              {0}};
static const struct member no_members[] = {{0}};
static const struct member gauge[] = {{"dataPoints", 1, MESSAGE, number_point}, {0}};
static const struct member sum[] = {{"dataPoints", 1, MESSAGE, number_point},
                                    {"aggregationTemporality", 2, INTEGER},
                                    {"isMonotonic", 3, FLAG},
                                    {0}};
static const struct member histogram[] = {
        {"dataPoints", 1, MESSAGE, histogram_point}, {"aggregationTemporality", 2, INTEGER}, {0}};
static const struct member exponential[] = {{"dataPoints", 1, MESSAGE, no_members}, {0}};
static const struct member summary[] = {{"dataPoints", 1, MESSAGE, summary_point}, {0}};
static const struct member metric[] = {{"name", 1, TEXT},
                                       {"description", 2, TEXT},
                                       {"unit", 3, TEXT},
                                       {"gauge", 5, MESSAGE, gauge},
                                       {"sum", 7, MESSAGE, sum},
                                       {"histogram", 9, MESSAGE, histogram},
                                       {"exponentialHistogram", 10, MESSAGE, exponential},
                                       {"summary", 11, MESSAGE, summary},
                                       {0}};
static const struct member scope_metrics[] = {{"metrics", 2, MESSAGE, metric}, {0}};
static const struct member resource_metrics[] = {
        {"resource", 1, MESSAGE, resource}, {"scopeMetrics", 2, MESSAGE, scope_metrics}, {0}};
static const struct member metrics_request[] = {{"resourceMetrics", 1, MESSAGE, resource_metrics}, {0}};

static bool wrong(struct err *err, const struct member *member, const char *wanted)
{
        return fail(err, ERR_INVALID, "otlp", "the JSON member %s is not %s; see the OTLP specification's JSON encoding", member->name,
                    wanted);
}

/* 64-bit integers are texts in proto3's JSON; numbers are accepted. */
static bool integer_of(const json_t *json, uint64_t *out_value)
{
        struct str text = {json_string_value(json), json_is_string(json) ? json_string_length(json) : 0};
        int64_t negative;
        if (json_is_integer(json))
                *out_value = (uint64_t)json_integer_value(json);
        else if (json_is_real(json) && fabs(json_real_value(json)) < 0x1p63)
                *out_value = (uint64_t)(int64_t)json_real_value(json);
        else if (text.length && str_to_i64(text, &negative))
                *out_value = (uint64_t)negative;
        else
                return text.length && str_to_u64(text, out_value);
        return true;
}

static bool real_of(const json_t *json, double *out_value)
{
        struct str text = {json_string_value(json), json_is_string(json) ? json_string_length(json) : 0};
        if (json_is_number(json))
                *out_value = json_number_value(json);
        else
                return str_to_double(text, out_value); /* "NaN", "Infinity", "-Infinity", "1.5" */
        return true;
}

static int digit_of(char c, enum kind kind)
{
        static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        static const char hex[] = "0123456789abcdef";
        if (kind == HEX && c >= 'A' && c <= 'F')
                c |= 0x20;
        if (kind == BASE64 && (c == '-' || c == '_'))
                c = c == '-' ? '+' : '/';
        const char *digits = kind == HEX ? hex : base64, *at = c ? strchr(digits, c) : NULL;
        return at ? (int)(at - digits) : -1;
}

/* Bytes written in hex (ids) or base64; false: a character that is none of theirs. */
static bool put_bytes(struct buf *out, const struct member *member, struct str text)
{
        scoped(buf_done) struct buf bytes = {0};
        unsigned bits = 0, held = 0, step = member->kind == HEX ? 4 : 6;
        while (member->kind == BASE64 && text.length && text.bytes[text.length - 1] == '=')
                text.length--;
        for (size_t i = 0; i < text.length; i++) {
                int digit = digit_of(text.bytes[i], member->kind);
                if (digit < 0)
                        return false;
                bits = bits << step | (unsigned)digit;
                held += step;
                if (held >= 8)
                        buf_u8(&bytes, (uint8_t)(bits >> (held -= 8)));
        }
        protobuf_put_bytes(out, member->number, buf_str(&bytes));
        return true;
}

static bool put_message(struct buf *out, const struct member *members, const json_t *json, int depth, struct err *err);

static bool put_value(struct buf *out, const struct member *member, const json_t *json, int depth, struct err *err)
{
        uint64_t integer = 0;
        double real = 0;
        struct str text = {json_string_value(json), json_is_string(json) ? json_string_length(json) : 0};
        scoped(buf_done) struct buf nested = {0};
        switch (member->kind) {
        case TEXT:
                if (!json_is_string(json))
                        return wrong(err, member, "a text");
                protobuf_put_bytes(out, member->number, text);
                return true;
        case HEX:
        case BASE64:
                return json_is_string(json) && put_bytes(out, member, text)
                               ? true
                               : wrong(err, member, member->kind == HEX ? "hex digits" : "base64");
        case FLAG:
                if (!json_is_boolean(json))
                        return wrong(err, member, "true or false");
                protobuf_put_scalar(out, member->number, json_is_true(json));
                return true;
        case INTEGER:
        case FIXED64:
                if (!integer_of(json, &integer))
                        return wrong(err, member, "an integer");
                member->kind == FIXED64 ? protobuf_put_fixed64(out, member->number, integer)
                                        : protobuf_put_scalar(out, member->number, integer);
                return true;
        case REAL:
                if (!real_of(json, &real))
                        return wrong(err, member, "a number");
                memcpy(&integer, &real, sizeof integer);
                protobuf_put_fixed64(out, member->number, integer);
                return true;
        case MESSAGE:
                if (!put_message(&nested, member->message, json, depth + 1, err))
                        return false;
                protobuf_put_bytes(out, member->number, buf_str(&nested));
                return nested.failed ? fail_memory(err, "otlp", nested.length) : true;
        }
        return false;
}

static bool put_message(struct buf *out, const struct member *members, const json_t *json, int depth, struct err *err)
{
        if (!json_is_object(json) || depth > DEPTH_MAX)
                return fail(err, ERR_INVALID, "otlp", "an object was expected in the JSON, nested at most %d deep; see the OTLP "
                            "specification's JSON encoding", DEPTH_MAX);
        for (const struct member *member = members; member->name; member++) {
                const json_t *value = json_object_get(json, member->name);
                if (!value || json_is_null(value))
                        continue;
                if (!json_is_array(value)) {
                        if (!put_value(out, member, value, depth, err))
                                return false;
                        continue;
                }
                for (size_t i = 0; i < json_array_size(value); i++)
                        if (!put_value(out, member, json_array_get(value, i), depth, err))
                                return false;
        }
        return true;
}

static bool decode(struct batch *batch, const struct member *members,
                   bool (*read)(struct batch *batch, struct str request, struct err *err), struct err *err)
{
        scoped_ptr(json_decref) json_t *json = batch_json(batch, err);
        scoped(buf_done) struct buf request = {.bytes_max = BATCH_BYTES_MAX};
        if (!json)
                return err_within(err, "reading an OTLP request");
        if (!put_message(&request, members, json, 0, err))
                return false;
        struct str kept = request.failed ? (struct str){0} : arena_str(&batch->arena, buf_str(&request));
        return kept.bytes ? read(batch, kept, err) : fail_memory(err, "otlp", request.length);
}

bool otlp_logs_json_decode(struct batch *batch, struct err *err)
{
        return decode(batch, logs_request, otlp_logs_read, err);
}

bool otlp_metrics_json_decode(struct batch *batch, struct err *err)
{
        return decode(batch, metrics_request, otlp_metrics_read, err);
}
