/*
 * parameter.c - see parameter.h. The rules here are the wall between what others send and what is executed, so they are few, and the same for
 * every source of a value.
 */
#include "act/parameter.h"

#include "base/json.h"
#include "base/scope.h"
#include "model/labels.h"

#include <math.h>
#include <stdio.h>

#define NAME_PATTERN "[A-Za-z0-9_][A-Za-z0-9_.:@-]*"  /* of entities, unless the runbook says otherwise */

static const char *const type_names[] = {"entity", "text", "number", "enum"};
static const char *const keys_of[] = {"type kind here pattern values", "type pattern value", "type min max value", "type values value"};

static bool read_type(const json_t *tree, struct parameter *parameter, struct err *err)
{
        const char *key;
        json_t *value;
        struct str type = json_str(tree, "type");
        size_t i = 0;
        while (i < countof(type_names) && !str_is(type, type_names[i]))
                i++;
        if (i == countof(type_names))
                return fail(err, ERR_INVALID, "runbook", "type must be entity, text, number or enum");
        parameter->type = (enum parameter_type)i;
        json_object_foreach((json_t *)tree, key, value)
                if (!str_has_word(str_of(keys_of[i]), str_of(key)))
                        return fail(err, ERR_INVALID, "runbook", "%s is not known of a parameter of type %s; it takes: %s", key, type_names[i], keys_of[i]);
        return true;
}

static bool read_pattern(const json_t *tree, struct parameter *parameter, struct err *err)
{
        struct str pattern = json_str(tree, "pattern");
        if (parameter->type == PARAMETER_TEXT && !pattern.length)
                return fail(err, ERR_INVALID, "runbook", "a text needs a pattern that says what it may be, such as '[a-z-]{1,20}'");
        if (parameter->type != PARAMETER_TEXT && parameter->type != PARAMETER_ENTITY)
                return true;
        return regex_create(pattern.length ? pattern : STR(NAME_PATTERN), REGEX_WHOLE, "runbook", &parameter->pattern, err);
}

static bool read_values(const json_t *tree, struct parameter *parameter, struct err *err)
{
        size_t i;
        json_t *value;
        parameter->values = json_object_get(tree, "values");
        if (!parameter->values)
                return parameter->type != PARAMETER_ENUM || fail(err, ERR_INVALID, "runbook", "an enum needs values, a list of texts");
        if (!json_array_size(parameter->values))
                return fail(err, ERR_INVALID, "runbook", "values must be a list of texts with at least one");
        json_array_foreach((json_t *)parameter->values, i, value)
                if (!json_is_string(value))
                        return fail(err, ERR_INVALID, "runbook", "values: item %zu must be a text; quote it", i + 1);
        return true;
}

static bool read_bounds(const json_t *tree, struct parameter *parameter, struct err *err)
{
        const json_t *least = json_object_get(tree, "min"), *most = json_object_get(tree, "max");
        if (parameter->type != PARAMETER_NUMBER)
                return true;
        if (!json_is_number(least) || !json_is_number(most) || json_number_value(least) > json_number_value(most))
                return fail(err, ERR_INVALID, "runbook", "a number needs min and max");
        parameter->least = json_number_value(least);
        parameter->most = json_number_value(most);
        return true;
}

/* A declared value as text: YAML may have read it as a number. */
static struct str text_of(const json_t *value, char *space, size_t bytes)
{
        if (json_is_string(value))
                return (struct str){json_string_value(value), json_string_length(value)};
        if (json_is_integer(value))
                snprintf(space, bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                snprintf(space, bytes, "%.10g", json_real_value(value));
        else
                return STR("");
        return str_of(space);
}

static bool parse_one(const char *name, const json_t *tree, struct parameter *parameter, struct err *err)
{
        char space[64];
        parameter->name = str_of(name);
        parameter->value = json_object_get(tree, "value");
        parameter->kind = json_str(tree, "kind");
        parameter->is_here = json_flag(tree, "here", false);
        if (!json_is_object(tree))
                return fail(err, ERR_INVALID, "runbook", "a parameter is a mapping such as {type: entity, kind: host}");
        if (!read_type(tree, parameter, err) || !read_pattern(tree, parameter, err) || !read_values(tree, parameter, err) || !read_bounds(tree, parameter, err))
                return false;
        if (parameter->type == PARAMETER_ENTITY)
                return parameter->kind.length || fail(err, ERR_INVALID, "runbook", "an entity needs its kind, such as host or service");
        return !parameter->value || parameter_accepts(parameter, text_of(parameter->value, space, sizeof space), err) || err_within(err, "value");
}

bool parameters_parse(const json_t *tree, struct parameters *out_parameters, struct err *err)
{
        const char *name;
        json_t *item;
        out_parameters->count = 0;
        if (tree && !json_is_object(tree))
                return fail(err, ERR_INVALID, "runbook", "parameters must be a mapping of names");
        json_object_foreach((json_t *)tree, name, item) {
                if (out_parameters->count == PARAMETERS_MAX)
                        return fail(err, ERR_TOO_LARGE, "runbook", "parameters: there are more than %d", PARAMETERS_MAX);
                struct parameter *parameter = &out_parameters->items[out_parameters->count++];
                *parameter = (struct parameter){0};
                if (!parse_one(name, item, parameter, err))
                        return err_within(err, "parameters.%s", name);
        }
        return true;
}

void parameters_done(struct parameters *parameters)
{
        for (size_t i = 0; i < parameters->count; i++)
                regex_destroy(parameters->items[i].pattern);
        parameters->count = 0;
}

const struct parameter *parameters_find(const struct parameters *parameters, struct str name)
{
        for (size_t i = 0; i < parameters->count; i++)
                if (str_equal(parameters->items[i].name, name))
                        return &parameters->items[i];
        return NULL;
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

static bool has_looks(struct str value)
{
        size_t at;
        if (!value.length || value.length > SLOT_BYTES_MAX || value.bytes[0] == '-' || !str_is_utf8(value) || str_find(value, STR(".."), &at))
                return false;
        for (size_t i = 0; i < value.length; i++) {
                unsigned char c = (unsigned char)value.bytes[i];
                if (c < 0x20 || c == 0x7F)
                        return false;
                if (c == 0xC2 && i + 1 < value.length && (unsigned char)value.bytes[i + 1] < 0xA0)      /* C1 controls */
                        return false;
        }
        return true;
}

static bool is_among(const json_t *values, struct str value)
{
        size_t i;
        json_t *one;
        json_array_foreach((json_t *)values, i, one)
                if (str_equal(value, (struct str){json_string_value(one), json_string_length(one)}))
                        return true;
        return false;
}

bool parameter_accepts(const struct parameter *parameter, struct str value, struct err *err)
{
        double number;
        if (!has_looks(value))
                return fail(err, ERR_INVALID, "runbook", "%.*s: a value is 1 to %d bytes of one line of UTF-8, does not begin with - and has no ..",
                            STR_ARGS(parameter->name), SLOT_BYTES_MAX);
        if (parameter->values && !is_among(parameter->values, value))
                return fail(err, ERR_INVALID, "runbook", "%.*s: the value is none of those that the runbook lists", STR_ARGS(parameter->name));
        if (parameter->type == PARAMETER_NUMBER && (!str_to_double(value, &number) || !(number >= parameter->least && number <= parameter->most)))
                return fail(err, ERR_INVALID, "runbook", "%.*s: the value must be a number from %g to %g", STR_ARGS(parameter->name), parameter->least, parameter->most);
        if (parameter->pattern && regex_match(parameter->pattern, value) != REGEX_YES)
                return fail(err, ERR_INVALID, "runbook", "%.*s: the value does not fit the pattern of the runbook", STR_ARGS(parameter->name));
        return true;
}

bool slots_set(struct slots *slots, const struct parameter *parameter, struct str value, struct arena *arena, struct err *err)
{
        size_t i = 0;
        struct str copy;
        if (!parameter_accepts(parameter, value, err))
                return false;
        if (!text_copy(value, arena, &copy))
                return fail_memory(err, "runbook", value.length);
        while (i < slots->count && !str_equal(slots->items[i].name, parameter->name))
                i++;
        slots->items[i] = (struct slot){parameter->name, copy};
        slots->count = max_of(slots->count, i + 1);
        return true;
}

void slots_sample(struct slots *out_slots, const struct parameters *parameters)
{
        out_slots->count = parameters->count;
        for (size_t i = 0; i < parameters->count; i++)
                out_slots->items[i] = (struct slot){parameters->items[i].name, parameters->items[i].type == PARAMETER_NUMBER ? STR("1") : STR("x")};
}

/* --- into texts --------------------------------------------------------------------------------------------------------- */

static void add_url(struct buf *out, struct str value)
{
        for (size_t i = 0; i < value.length; i++) {
                unsigned char c = (unsigned char)value.bytes[i];
                if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("-._~", c, 4))
                        buf_byte(out, (char)c);
                else
                        buf_printf(out, "%%%02X", c);
        }
}

static void add_quoted(struct buf *out, struct str value)
{
        for (size_t i = 0; i < value.length; i++) {
                if (value.bytes[i] == '"' || value.bytes[i] == '\\')
                        buf_byte(out, '\\');
                buf_byte(out, value.bytes[i]);
        }
}

static bool add_slot(const struct slots *slots, struct str name, enum slot_dress dress, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < slots->count; i++) {
                if (!str_equal(slots->items[i].name, name))
                        continue;
                if (dress == SLOT_URL)
                        add_url(out, slots->items[i].value);
                else if (dress == SLOT_WORD)
                        buf_add(out, slots->items[i].value);
                else
                        add_quoted(out, slots->items[i].value);
                return true;
        }
        return fail(err, ERR_INVALID, "runbook", "${%.*s} is no parameter of the runbook; declare it under parameters", STR_ARGS(str_slice(name, 0, 60)));
}

bool slots_fill(const struct slots *slots, struct str template, enum slot_dress dress, struct buf *out, struct err *err)
{
        for (size_t i = 0; i < template.length; i++) {
                char next = i + 1 < template.length ? template.bytes[i + 1] : 0;
                if (template.bytes[i] != '$' || (next != '$' && next != '{')) {
                        buf_byte(out, template.bytes[i]);
                        continue;
                }
                if (next == '$') {
                        buf_byte(out, template.bytes[i++]);
                        continue;
                }
                struct str rest = str_slice(template, i + 2, template.length), name;
                size_t at;
                if (!str_find(rest, STR("}"), &at))
                        return fail(err, ERR_INVALID, "runbook", "\"%.*s\" has a ${ without its }; write $$ for a dollar sign", STR_ARGS(str_slice(template, 0, 100)));
                name = str_slice(rest, 0, at);
                if (!add_slot(slots, name, dress, out, err))
                        return false;
                i += 2 + at;
        }
        return out->failed ? fail_memory(err, "runbook", out->length) : true;
}
