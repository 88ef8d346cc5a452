/* entity_body.c - see entity_body.h. Checks of values are a function a type, by a table. */
#include "register/entity_body.h"

#include "base/json.h"
#include "base/scope.h"
#include "wire/timestamp.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* --- values ------------------------------------------------------------------------------------------------------------------ */

static bool no_memory(struct err *err)
{
        return fail_memory(err, "register", sizeof(json_t *));
}

static bool refuse(const struct kind_field *field, const char *wanted, struct err *err)
{
        return fail(err, ERR_INVALID, "register", "%.*s (%.*s): %s", STR_ARGS(field->title), STR_ARGS(field->id), wanted);
}

static bool keep(json_t *made, json_t **out_value, struct err *err)
{
        *out_value = made;
        return made || no_memory(err);
}

static bool text_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        if (!text.length || text.length > VALUE_BYTES_MAX || !str_is_utf8(text))
                return refuse(field, "write a text of 1 to 8192 bytes of UTF-8", err);
        return keep(json_stringn(text.bytes, text.length), out_value, err);
}

static bool number_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        int64_t whole;
        double real;
        if (str_to_i64(text, &whole))
                return keep(json_integer(whole), out_value, err);
        if (!str_to_double(text, &real) || !isfinite(real))
                return refuse(field, "write a number without its unit", err);
        return keep(json_real(real), out_value, err);
}

static bool bool_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        bool yes = str_equal_nocase(text, STR("true")) || str_equal_nocase(text, STR("yes"));
        if (!yes && !str_equal_nocase(text, STR("false")) && !str_equal_nocase(text, STR("no")))
                return refuse(field, "write true or false", err);
        return keep(json_boolean(yes), out_value, err);
}

static bool time_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        char whole[64], shown[32];
        int64_t time_ns;
        snprintf(whole, sizeof whole, text.length == 10 ? "%.*sT00:00:00Z" : "%.*s", (int)min_of(text.length, (size_t)40), text.bytes);
        if (text.length > 40 || timestamp_iso(str_of(whole), 0, NULL, &time_ns) != strlen(whole))
                return refuse(field, "write a day such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z", err);
        time_t seconds = (time_t)(time_ns / 1000000000);
        struct tm parts;
        if (!gmtime_r(&seconds, &parts) || !strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%SZ", &parts))
                return refuse(field, "this time is too far away", err);
        return keep(json_string(shown), out_value, err);
}

static bool enum_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        if (names_hold(&field->options, text))
                return keep(json_stringn(text.bytes, text.length), out_value, err);
        scoped(buf_done) struct buf options = {0};
        each (option, &field->options)
                buf_printf(&options, "%s%.*s", options.length ? ", " : "write one of: ", STR_ARGS(*option));
        buf_byte(&options, '\0');
        return refuse(field, options.failed ? "write one of its options" : options.bytes, err);
}

static bool list_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        struct str rest = text, item;
        while (str_cut(&rest, ';', &item)) {
                json_t *made;
                item = str_trim(item);
                if (!item.length)
                        continue;
                if (json_array_size(list) >= VALUE_ITEMS_MAX)
                        return refuse(field, "a list has 256 items at most", err);
                if (!text_value(field, item, &made, err))
                        return false;
                if (json_array_append_new(list, made))
                        return no_memory(err);
        }
        *out_value = give(list);
        return *out_value || no_memory(err);
}

static bool reference_value(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        uint64_t id;
        if (!str_to_u64(text, &id) || !id)
                return refuse(field, "write the id of an entity, or its name", err);
        return keep(json_stringn(text.bytes, text.length), out_value, err);
}

static bool (*const readers[])(const struct kind_field *field, struct str text, json_t **out_value, struct err *err) = {
        [FIELD_TEXT] = text_value, [FIELD_NUMBER] = number_value, [FIELD_BOOL] = bool_value,           [FIELD_TIME] = time_value,
        [FIELD_ENUM] = enum_value, [FIELD_LIST] = list_value,     [FIELD_REFERENCE] = reference_value,
};

bool value_from_text(const struct kind_field *field, struct str text, json_t **out_value, struct err *err)
{
        return readers[field->type](field, str_trim(text), out_value, err);
}

static bool list_from_json(const struct kind_field *field, const json_t *value, json_t **out_value, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        size_t i;
        const json_t *item;
        if (json_array_size(value) > VALUE_ITEMS_MAX)
                return refuse(field, "a list has 256 items at most", err);
        json_array_foreach(value, i, item) {
                json_t *made;
                if (!json_is_string(item))
                        return refuse(field, "a list holds texts", err);
                if (!text_value(field, (struct str){json_string_value(item), json_string_length(item)}, &made, err))
                        return false;
                if (json_array_append_new(list, made))
                        return no_memory(err);
        }
        *out_value = give(list);
        return *out_value || no_memory(err);
}

bool value_from_json(const struct kind_field *field, const json_t *value, json_t **out_value, struct err *err)
{
        if (json_is_number(value) && field->type == FIELD_NUMBER)
                return keep(json_is_integer(value) ? json_integer(json_integer_value(value)) : json_real(json_real_value(value)), out_value, err);
        if (json_is_boolean(value) && field->type == FIELD_BOOL)
                return keep(json_boolean(json_is_true(value)), out_value, err);
        if (json_is_array(value) && field->type == FIELD_LIST)
                return list_from_json(field, value, out_value, err);
        if (json_is_string(value))
                return value_from_text(field, (struct str){json_string_value(value), json_string_length(value)}, out_value, err);
        return refuse(field, field->type == FIELD_LIST ? "write a list of texts" : field->type == FIELD_NUMBER ? "write a number" : "write a text", err);
}

bool value_to_text(const json_t *value, struct buf *out)
{
        size_t i;
        const json_t *item;
        if (json_is_string(value))
                return buf_append(out, json_string_value(value), json_string_length(value));
        if (!json_is_array(value))
                return json_is_null(value) || !value || json_write(value, out);
        json_array_foreach(value, i, item)
                if ((i && !buf_byte(out, ';')) || !buf_append(out, json_string_value(item), json_string_length(item)))
                        return false;
        return true;
}

/* --- bodies ------------------------------------------------------------------------------------------------------------------ */

static json_t *slot(const json_t *body, struct str field, const char *which)
{
        return json_object_get(json_object_getn(body, field.bytes, field.length), which);
}

const json_t *body_intended(const json_t *body, struct str field)
{
        return json_array_get(slot(body, field, "i"), 0);
}

const json_t *body_observed(const json_t *body, struct str field)
{
        return json_array_get(slot(body, field, "o"), 0);
}

const json_t *body_effective(const json_t *body, struct str field)
{
        const json_t *intended = body_intended(body, field);
        return intended ? intended : body_observed(body, field);
}

static bool set_slot(json_t *body, struct str field, const char *which, const json_t *value, const char *by, int64_t time_ns)
{
        json_t *both = json_object_getn(body, field.bytes, field.length);
        char time[24];
        snprintf(time, sizeof time, "%lld", (long long)time_ns);
        if (!both && (!(both = json_object()) || json_object_setn_new(body, field.bytes, field.length, both)))
                return false;
        return json_object_set_new(both, which, json_pack("[O, s, s]", value, by, time)) == 0;
}

bool body_set_intended(json_t *body, struct str field, const json_t *value, const char *by, int64_t time_ns)
{
        if (value)
                return set_slot(body, field, "i", value, by, time_ns);
        json_t *both = json_object_getn(body, field.bytes, field.length);
        json_object_del(both, "i");
        if (both && !json_object_size(both))
                json_object_deln(body, field.bytes, field.length);
        return true;
}

bool body_set_observed(json_t *body, struct str field, const json_t *value, const char *source, int64_t time_ns)
{
        return set_slot(body, field, "o", value, source, time_ns);
}

static bool drifts(const json_t *both)
{
        const json_t *intended = json_array_get(json_object_get(both, "i"), 0), *observed = json_array_get(json_object_get(both, "o"), 0);
        return intended && observed && !json_equal(intended, observed);
}

int64_t body_drift(const json_t *body)
{
        const char *field;
        json_t *both;
        int64_t count = 0;
        json_object_foreach((json_t *)body, field, both)
                count += drifts(both);
        return count;
}

static json_t *copy_at(const json_t *list, size_t place)
{
        const json_t *value = json_array_get(list, place);
        return value ? json_incref((json_t *)value) : json_null();
}

static json_t *field_json(const json_t *body, const struct kind_field *field)
{
        const json_t *both = json_object_getn(body, field->id.bytes, field->id.length);
        const json_t *intended = json_object_get(both, "i"), *observed = json_object_get(both, "o");
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "value", copy_at(intended ? intended : observed, 0), "intended",
                         copy_at(intended, 0), "intended_by", copy_at(intended, 1), "intended_ns", copy_at(intended, 2), "observed",
                         copy_at(observed, 0), "observed_by", copy_at(observed, 1), "observed_ns", copy_at(observed, 2), "drifts", drifts(both));
}

json_t *body_json(const struct kind *kind, const json_t *body)
{
        json_t *fields = json_object();
        each (field, &kind->fields)
                if (json_object_getn(body, field->id.bytes, field->id.length))
                        json_object_setn_new(fields, field->id.bytes, field->id.length, field_json(body, field));
        return fields;
}
