/* str.c - see str.h. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

int str_compare(struct str a, struct str b)
{
        size_t common = a.length < b.length ? a.length : b.length;
        int order = common ? memcmp(a.bytes, b.bytes, common) : 0;
        if (order)
                return order;
        return a.length < b.length ? -1 : a.length > b.length;
}

static unsigned char lower(unsigned char c)
{
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
        if (a.length != b.length)
                return false;
        for (size_t i = 0; i < a.length; i++)
                if (lower(a.bytes[i]) != lower(b.bytes[i]))
                        return false;
        return true;
}

bool str_has_word(struct str words, struct str word)
{
        struct str head;
        while (str_cut(&words, ' ', &head))
                if (str_equal(head, word))
                        return true;
        return false;
}

bool str_find(struct str haystack, struct str needle, size_t *out_at)
{
        if (needle.length == 0) {
                *out_at = 0;
                return true;
        }
        if (haystack.length < needle.length)
                return false;
        const char *found = memmem(haystack.bytes, haystack.length, needle.bytes, needle.length);
        if (!found)
                return false;
        *out_at = (size_t)(found - haystack.bytes);
        return true;
}

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
        while (s.length && is_space(s.bytes[0]))
                s.bytes++, s.length--;
        while (s.length && is_space(s.bytes[s.length - 1]))
                s.length--;
        return s;
}

bool str_cut(struct str *s, char separator, struct str *out_head)
{
        if (!s->bytes)
                return false;
        const char *at = s->length ? memchr(s->bytes, separator, s->length) : NULL;
        if (!at) {
                *out_head = *s;
                *s = (struct str){0};
                return true;
        }
        size_t head = (size_t)(at - s->bytes);
        *out_head = (struct str){s->bytes, head};
        *s = (struct str){at + 1, s->length - head - 1};
        return true;
}

bool str_to_u64(struct str s, uint64_t *out_value)
{
        if (s.length == 0 || s.length > 20)
                return false;
        uint64_t value = 0;
        for (size_t i = 0; i < s.length; i++) {
                unsigned digit = (unsigned char)s.bytes[i] - (unsigned)'0';
                if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, digit, &value))
                        return false;
        }
        *out_value = value;
        return true;
}

bool str_to_i64(struct str s, int64_t *out_value)
{
        bool negative = s.length && s.bytes[0] == '-';
        uint64_t magnitude;
        if (!str_to_u64(negative ? str_slice(s, 1, s.length) : s, &magnitude))
                return false;
        if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
                return false;
        *out_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
        return true;
}

/*
 * Digits, perhaps with a point between: what nearly every number looks like. Below 2^53 and with no more than 22 digits behind
 * the point both halves are exact, so one division rounds as strtod does (Clinger, PLDI 1990). False: not of this kind.
 */
static bool plain_to_double(struct str s, double *out_value)
{
        static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};
        bool negative = s.length && s.bytes[0] == '-';
        size_t at = negative, point = 0;
        uint64_t digits = 0;
        if (s.length - at == 0 || s.length - at > 16)
                return false;
        for (; at < s.length; at++) {
                unsigned digit = (unsigned char)(s.bytes[at] - '0');
                if (digit < 10)
                        digits = digits * 10 + digit;
                else if (s.bytes[at] == '.' && !point && at > negative && at + 1 < s.length)
                        point = at;
                else
                        return false;
        }
        if (digits >> 53)
                return false;
        double value = (double)digits / powers[point ? s.length - point - 1 : 0];
        *out_value = negative ? -value : value;
        return true;
}

bool str_to_double(struct str s, double *out_value)
{
        if (plain_to_double(s, out_value))
                return true;
        char text[128];
        if (s.length == 0 || s.length >= sizeof text || is_space(s.bytes[0]))
                return false;
        memcpy(text, s.bytes, s.length);
        text[s.length] = 0;
        char *end;
        double value = strtod(text, &end);
        if (end != text + s.length)
                return false;
        *out_value = value;
        return true;
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xC2 && p[0] <= 0xDF)
                return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
        if (p[0] >= 0xE0 && p[0] <= 0xEF) {
                if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
                        return 0;
                bool overlong = p[0] == 0xE0 && p[1] < 0xA0, surrogate = p[0] == 0xED && p[1] > 0x9F;
                return overlong || surrogate ? 0 : 3;
        }
        if (p[0] >= 0xF0 && p[0] <= 0xF4) {
                if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
                        return 0;
                bool overlong = p[0] == 0xF0 && p[1] < 0x90, beyond = p[0] == 0xF4 && p[1] > 0x8F;
                return overlong || beyond ? 0 : 4;
        }
        return 0;
}

bool str_is_utf8(struct str s)
{
        const unsigned char *p = (const unsigned char *)s.bytes;
        size_t left = s.length;
        while (left) {
                uint64_t word;
                if (left >= 8 && (memcpy(&word, p, 8), (word & 0x8080808080808080u) == 0)) {
                        p += 8, left -= 8;
                        continue;
                }
                size_t step = utf8_sequence(p, left);
                if (!step)
                        return false;
                p += step, left -= step;
        }
        return true;
}
