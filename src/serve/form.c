/* form.c - see form.h. One parser for URLs and bodies, so that both are fuzzed and bounded alike. */
#include "serve/form.h"

#include "base/scope.h"

#include <sodium.h>

static int hex_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct str text, bool plus_is_space, struct arena *arena, struct str *out_text, struct err *err)
{
        char *to = arena_alloc(arena, text.length + 1);
        if (!to)
                return fail_memory(err, "serve", text.length);
        size_t length = 0;
        for (size_t i = 0; i < text.length; i++) {
                char c = text.bytes[i];
                if (c == '%') {
                        int high = i + 2 < text.length ? hex_of(text.bytes[i + 1]) : -1;
                        int low = i + 2 < text.length ? hex_of(text.bytes[i + 2]) : -1;
                        if (high < 0 || low < 0)
                                return fail(err, ERR_INVALID, "serve",
                                            "a percent sign at place %zu is not followed by two hexadecimal digits", i);
                        c = (char)(high << 4 | low);
                        i += 2;
                } else if (c == '+' && plus_is_space) {
                        c = ' ';
                }
                to[length++] = c;
        }
        to[length] = 0;
        *out_text = (struct str){to, length};
        return true;
}

bool percent_decode(struct str text, struct arena *arena, struct str *out_text, struct err *err)
{
        return decode(text, false, arena, out_text, err);
}

bool fields_parse(struct str text, struct arena *arena, struct fields *fields, struct err *err)
{
        struct str pair;
        while (str_cut(&text, '&', &pair)) {
                if (pair.length == 0)
                        continue;
                if (fields->count >= FIELDS_MAX)
                        return fail(err, ERR_TOO_LARGE, "serve", "a request may have at most %d parameters", FIELDS_MAX);
                struct str name;
                str_cut(&pair, '=', &name);
                struct field *field = arena_push(arena, fields);
                if (!field)
                        return fail_memory(err, "serve", sizeof *field);
                if (!decode(name, true, arena, &field->name, err) || !decode(pair, true, arena, &field->value, err))
                        return err_within(err, "reading the parameters");
        }
        return true;
}

struct str fields_value(const struct fields *fields, const char *name)
{
        each (field, fields)
                if (str_is(field->name, name))
                        return field->value;
        return (struct str){0};
}

struct str cookie_value(struct str header, const char *name)
{
        struct str pair;
        while (str_cut(&header, ';', &pair)) {
                struct str key;
                pair = str_trim(pair);
                if (!str_cut(&pair, '=', &key) || !str_is(key, name) || !pair.bytes)
                        continue;
                if (pair.length >= 2 && pair.bytes[0] == '"' && pair.bytes[pair.length - 1] == '"')
                        pair = str_slice(pair, 1, pair.length - 1);
                return pair;
        }
        return (struct str){0};
}

static bool basic_decode(struct str encoded, struct arena *arena, struct str *out_name, struct str *out_secret)
{
        unsigned char *clear = arena_alloc(arena, encoded.length + 1);
        size_t length = 0;
        if (!clear || sodium_base642bin(clear, encoded.length + 1, encoded.bytes, encoded.length, NULL, &length, NULL,
                                        sodium_base64_VARIANT_ORIGINAL) != 0)
                return false;
        struct str rest = {(const char *)clear, length};
        return str_cut(&rest, ':', out_name) && (*out_secret = rest).bytes != NULL;
}

bool authorization_parse(struct str header, struct arena *arena, struct str *out_name, struct str *out_secret,
                         struct err *err)
{
        struct str scheme;
        struct str rest = str_trim(header);
        str_cut(&rest, ' ', &scheme);
        rest = str_trim(rest);
        if (rest.length && str_equal_nocase(scheme, STR("Bearer"))) {
                *out_name = STR("");
                *out_secret = rest;
                return true;
        }
        if (rest.length && str_equal_nocase(scheme, STR("Basic")) && basic_decode(rest, arena, out_name, out_secret))
                return true;
        return fail(err, ERR_UNAUTHENTICATED, "serve",
                    "the Authorization header is neither \"Bearer <token>\" nor \"Basic <base64 of name:token>\"");
}

bool header_lists(struct str header, const char *word)
{
        struct str part;
        while (str_cut(&header, ',', &part)) {
                struct str name;
                str_cut(&part, ';', &name);
                if (!str_equal_nocase(str_trim(name), str_of(word)))
                        continue;
                struct str weight = str_trim(part);
                return !(str_starts_with(weight, STR("q=0")) && (weight.length == 3 || str_is(weight, "q=0.0") ||
                                                                  str_is(weight, "q=0.00") || str_is(weight, "q=0.000")));
        }
        return false;
}
