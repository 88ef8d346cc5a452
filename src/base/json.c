/* json.c - see json.h. */
#include "base/json.h"

json_t *json_parse(struct str text, struct err *err)
{
        json_error_t where;
        json_t *json = json_loadb(text.bytes ? text.bytes : "", text.length,
                                  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
        if (!json && (!where.text[0] || json_error_code(&where) == json_error_out_of_memory)) /* jansson has words for all but this */
                fail_memory(err, "json", text.length);
        else if (!json)
                fail(err, ERR_INVALID, "json", "JSON is wrong at line %d, column %d: %s", where.line, where.column, where.text);
        return json;
}

static int append(const char *bytes, size_t count, void *out)
{
        return buf_append(out, bytes, count) ? 0 : -1;
}

json_t *json_text(struct str text)
{
        json_t *json = json_stringn(text.bytes ? text.bytes : "", text.length);
        return json ? json : json_string("(not UTF-8)");
}

bool json_write(const json_t *json, struct buf *out)
{
        return json_dump_callback(json, append, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

struct str json_str(const json_t *object, const char *key)
{
        const json_t *member = json_object_get(object, key);
        if (!json_is_string(member))
                return (struct str){0};
        return (struct str){json_string_value(member), json_string_length(member)};
}

int64_t json_i64(const json_t *object, const char *key, int64_t otherwise)
{
        const json_t *member = json_object_get(object, key);
        if (json_is_integer(member))
                return json_integer_value(member);
        double real = json_is_real(member) ? json_real_value(member) : 0x1p63;
        return real >= -0x1p63 && real < 0x1p63 ? (int64_t)real : otherwise;
}

bool json_flag(const json_t *object, const char *key, bool otherwise)
{
        const json_t *member = json_object_get(object, key);
        return json_is_boolean(member) ? json_is_true(member) : otherwise;
}

static size_t plain_run(struct str s)
{
        size_t i = 0;
        while (i < s.length && (unsigned char)s.bytes[i] >= 0x20 && (unsigned char)s.bytes[i] < 0x80 &&
               s.bytes[i] != '"' && s.bytes[i] != '\\')
                i++;
        return i;
}

static size_t quote_special(struct buf *out, struct str s)
{
        unsigned char c = (unsigned char)s.bytes[0];
        if (c == '"' || c == '\\')
                return buf_printf(out, "\\%c", c), 1;
        if (c == '\n')
                return buf_text(out, "\\n"), 1;
        if (c == '\t')
                return buf_text(out, "\\t"), 1;
        if (c < 0x20 || c == 0x7F)
                return buf_printf(out, "\\u%04x", c), 1;
        for (size_t step = 2; step <= 4 && step <= s.length; step++)
                if (str_is_utf8(str_slice(s, 0, step)))
                        return buf_append(out, s.bytes, step), step;
        return buf_text(out, "\\ufffd"), 1;
}

bool json_quote(struct buf *out, struct str s)
{
        buf_byte(out, '"');
        while (s.length) {
                size_t run = plain_run(s);
                buf_append(out, s.bytes, run);
                s = str_slice(s, run, s.length);
                if (s.length)
                        s = str_slice(s, quote_special(out, s), s.length);
        }
        return buf_byte(out, '"');
}
