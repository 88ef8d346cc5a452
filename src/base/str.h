/*
 * str - bytes somebody else owns: a pointer and a length, not ended by a NUL, any content.
 *
 * Passed by value. Print with "%.*s" and STR_ARGS(s). A literal is STR("text").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
        const char *bytes;
        size_t length;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1} /* for static tables */
#define STR_ARGS(s) (int)(s).length, (s).bytes

static inline struct str str_of(const char *text)
{
        return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_equal(struct str a, struct str b)
{
        return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
        return str_equal(a, str_of(text));
}

/* The part from start up to, not including, end; both are clamped to the length. */
static inline struct str str_slice(struct str s, size_t start, size_t end)
{
        if (end > s.length)
                end = s.length;
        if (start > end)
                start = end;
        return (struct str){start ? s.bytes + start : s.bytes, end - start};
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
        return s.length >= prefix.length && (!prefix.length || memcmp(s.bytes, prefix.bytes, prefix.length) == 0);
}

static inline bool str_ends_with(struct str s, struct str ending)
{
        return s.length >= ending.length && (!ending.length || memcmp(s.bytes + s.length - ending.length, ending.bytes, ending.length) == 0);
}

int str_compare(struct str a, struct str b);                   /* by unsigned bytes, shorter first; as memcmp */
bool str_equal_nocase(struct str a, struct str b);             /* ASCII letters only */
bool str_find(struct str haystack, struct str needle, size_t *out_at); /* first place of needle; an empty one is at 0 */
bool str_has_word(struct str words, struct str word);           /* one of words parted by single blanks */
struct str str_trim(struct str s);                             /* without ASCII white space at both ends */

/* Cuts s at the first separator: the part before it goes to out_head, s becomes the part after it. Without a
 * separator out_head is all of s and s becomes empty with bytes == NULL. False when s.bytes was NULL already. */
bool str_cut(struct str *s, char separator, struct str *out_head);

/* Whole-string numbers, decimal; false (out untouched) on anything else, overflow included. */
bool str_to_u64(struct str s, uint64_t *out_value);
bool str_to_i64(struct str s, int64_t *out_value);
bool str_to_double(struct str s, double *out_value);           /* also NaN, Inf, +Inf, -Inf in any case; exponents */

bool str_is_utf8(struct str s);                                /* RFC 3629: no surrogates, no overlong forms */
