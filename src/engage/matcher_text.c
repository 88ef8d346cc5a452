/* matcher_text.c - see matcher_text.h. Written once for configuration, commands and the API's filter=. */
#include "engage/matcher_text.h"

#include "base/json.h"
#include "base/scope.h"

static const char *const ops[] = {[MATCH_EQUAL] = "=", [MATCH_NOT_EQUAL] = "!=", [MATCH_REGEX] = "=~", [MATCH_NOT_REGEX] = "!~"};

static void skip(struct str *text, size_t count)
{
        *text = str_slice(*text, count, text->length);
}

static bool is_name_byte(char byte, bool is_first)
{
        return ((byte | 32) >= 'a' && (byte | 32) <= 'z') || byte == '_' || byte == ':' || byte == '.' ||
               (!is_first && ((byte >= '0' && byte <= '9') || byte == '-' || byte == '/'));
}

static struct str take_name(struct str *text)
{
        size_t length = 0;
        while (length < text->length && is_name_byte(text->bytes[length], length == 0))
                length++;
        struct str name = str_slice(*text, 0, length);
        skip(text, length);
        *text = str_trim(*text);
        return name;
}

static bool take_op(struct str *text, enum match_op *out_op)
{
        static const enum match_op longest_first[] = {MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX, MATCH_EQUAL};
        for (size_t i = 0; i < countof(longest_first); i++) {
                struct str op = str_of(ops[longest_first[i]]);
                if (!str_starts_with(*text, op))
                        continue;
                skip(text, op.length);
                *text = str_trim(*text);
                *out_op = longest_first[i];
                return true;
        }
        return false;
}

static bool take_quoted(struct str *text, struct buf *value)
{
        skip(text, 1);
        while (text->length && text->bytes[0] != '"') {
                char byte = text->bytes[0];
                if (byte == '\\' && text->length > 1) {
                        skip(text, 1);
                        byte = text->bytes[0] == 'n' ? '\n' : text->bytes[0];
                        if (byte != '\n' && byte != '"' && byte != '\\') /* of a regex: the backslash stays */
                                buf_byte(value, '\\');
                }
                buf_byte(value, byte);
                skip(text, 1);
        }
        bool is_closed = text->length > 0;
        skip(text, 1);
        return is_closed;
}

static bool take_value(struct str *text, struct buf *value)
{
        if (text->length && text->bytes[0] == '"')
                return take_quoted(text, value);
        size_t length = 0;
        while (length < text->length && !strchr(",}\"{", text->bytes[length]))
                length++;
        buf_add(value, str_trim(str_slice(*text, 0, length)));
        skip(text, length);
        return true;
}

static bool add(struct matchers *matchers, struct arena *arena, enum match_op op, struct str name, struct str value, struct err *err)
{
        if (matchers->count >= MATCHERS_MAX)
                return fail(err, ERR_TOO_LARGE, "matchers", "there are more than %d conditions", MATCHERS_MAX);
        if (!str_is_utf8(value))
                return fail(err, ERR_INVALID, "matchers", "the value of %.*s is not UTF-8", STR_ARGS(str_slice(name, 0, 60)));
        return matchers_add(matchers, arena, op, name, value, err);
}

static bool read_one(struct str *text, struct arena *arena, struct matchers *matchers, struct err *err)
{
        scoped(buf_done) struct buf value = {.bytes_max = LABEL_BYTES_MAX};
        struct str whole = *text, name = take_name(text);
        enum match_op op;
        if (!name.length || !take_op(text, &op) || !take_value(text, &value))
                return fail(err, ERR_INVALID, "matchers", "\"%.*s\" is no condition; write one such as severity=\"critical\" or host=~\"web.*\"",
                            STR_ARGS(str_slice(whole, 0, 80)));
        if (value.failed)
                return fail(err, ERR_TOO_LARGE, "matchers", "the value of %.*s is longer than %d bytes", STR_ARGS(str_slice(name, 0, 60)), LABEL_BYTES_MAX);
        return add(matchers, arena, op, name, value.length ? buf_str(&value) : STR(""), err);
}

bool matcher_text_read(struct str text, struct arena *arena, struct matchers *matchers, struct err *err)
{
        text = str_trim(text);
        bool in_braces = text.length && text.bytes[0] == '{';
        if (in_braces && text.bytes[text.length - 1] != '}')
                return fail(err, ERR_INVALID, "matchers", "\"%.*s\" has no closing brace", STR_ARGS(str_slice(text, 0, 80)));
        if (in_braces)
                text = str_trim(str_slice(text, 1, text.length - 1));
        while (text.length) {
                if (!read_one(&text, arena, matchers, err))
                        return false;
                text = str_trim(text);
                if (text.length && text.bytes[0] != ',')
                        return fail(err, ERR_INVALID, "matchers", "a comma is missing before \"%.*s\"", STR_ARGS(str_slice(text, 0, 80)));
                skip(&text, 1);
                text = str_trim(text);
        }
        return true;
}

static bool read_object(const json_t *item, struct arena *arena, struct matchers *matchers, struct err *err)
{
        struct str name = json_str(item, "name"), value = json_str(item, "value");
        bool is_regex = json_flag(item, "isRegex", false), is_equal = json_flag(item, "isEqual", true);
        if (!name.length || !value.bytes)
                return fail(err, ERR_INVALID, "matchers", "a matcher needs name and value");
        return add(matchers, arena, is_regex ? (is_equal ? MATCH_REGEX : MATCH_NOT_REGEX) : is_equal ? MATCH_EQUAL : MATCH_NOT_EQUAL, name, value, err);
}

bool matcher_json_read(const json_t *json, struct arena *arena, struct matchers *matchers, struct err *err)
{
        size_t at;
        const json_t *item;
        if (!json || json_is_null(json))
                return true;
        if (json_is_string(json))
                return matcher_text_read((struct str){json_string_value(json), json_string_length(json)}, arena, matchers, err);
        if (!json_is_array(json))
                return fail(err, ERR_INVALID, "matchers", "conditions are a list such as [ severity=\"critical\" ]");
        json_array_foreach (json, at, item) {
                bool good = json_is_string(item) ? matcher_text_read((struct str){json_string_value(item), json_string_length(item)}, arena, matchers, err) :
                                                   read_object(item, arena, matchers, err);
                if (!good)
                        return err_within(err, "condition %zu", at + 1);
        }
        return true;
}

bool matcher_text_write(const struct matchers *matchers, struct buf *out)
{
        size_t before = out->length;
        each (matcher, matchers) {
                buf_text(out, out->length > before ? ", " : "");
                buf_add(out, matcher->name);
                buf_text(out, ops[matcher->op]);
                buf_byte(out, '"');
                for (size_t i = 0; i < matcher->value.length; i++) {
                        char byte = matcher->value.bytes[i];
                        if (byte == '"' || byte == '\\' || byte == '\n')
                                buf_byte(out, '\\');
                        buf_byte(out, byte == '\n' ? 'n' : byte);
                }
                buf_byte(out, '"');
        }
        return !out->failed;
}

json_t *matcher_json_write(const struct matchers *matchers)
{
        json_t *list = json_array();
        each (matcher, matchers) {
                json_t *item = json_pack("{s:s%, s:s%, s:b, s:b}", "name", matcher->name.bytes, matcher->name.length, "value",
                                         matcher->value.bytes, matcher->value.length, "isRegex",
                                         matcher->op == MATCH_REGEX || matcher->op == MATCH_NOT_REGEX, "isEqual",
                                         matcher->op == MATCH_EQUAL || matcher->op == MATCH_REGEX);
                if (json_array_append_new(list, item) != 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}
