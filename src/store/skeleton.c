/*
 * skeleton.c - see skeleton.h.
 *
 * This runs over every byte that is stored, so it walks from digit to digit with bit masks (AVX2 where the processor has
 * it, the same in plain C where not) and copies what lies between in blocks that may run over: hence the slack. A token
 * is looked at twice only where digits touch letters.
 */
#include "store/skeleton.h"

#include "base/scope.h"

#include <endian.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { DIGIT = 1, LOWER = 2, UPPER = 4, WORD_LETTER = 8, ALNUM = DIGIT | LOWER | UPPER | WORD_LETTER };

/* LOWER and UPPER are the hexadecimal letters, WORD_LETTER the others. */
static const uint8_t kinds[256] = {
        ['0' ... '9'] = DIGIT, ['a' ... 'f'] = LOWER, ['A' ... 'F'] = UPPER, ['g' ... 'z'] = WORD_LETTER,
        ['G' ... 'Z'] = WORD_LETTER,
};

static inline uint8_t kind_at(struct str line, size_t at)
{
        return kinds[(uint8_t)line.bytes[at]];
}

#define CUT_WITHIN 128 /* a head is at most this long */

/* RFC 5424: "<PRI>1 TIME HOST APP PROCID MSGID ": the head ends after the sixth space. */
static bool begins_rfc5424(struct str line)
{
        for (size_t i = 2; i <= 4 && i + 2 < line.length; i++)
                if (line.bytes[i] == '>')
                        return line.bytes[0] == '<' && line.bytes[i + 1] == '1' && line.bytes[i + 2] == ' ';
        return false;
}

static size_t cut_rfc5424(struct str line)
{
        if (!begins_rfc5424(line))
                return 0;
        size_t within = min_of(line.length, (size_t)CUT_WITHIN), at = 0;
        for (int spaces = 0; spaces < 6; spaces++) {
                const char *space = memchr(line.bytes + at, ' ', within - at);
                if (!space)
                        return 0;
                at = (size_t)(space - line.bytes) + 1;
        }
        return at;
}

bool skeleton_scan_scalar(struct str line, struct skeleton_scan *out_scan)
{
        if (line.length > SKELETON_LINE_MAX)
                return false;
        memset(out_scan->digits, 0, (line.length / 64 + 1) * sizeof *out_scan->digits);
        size_t cut = 0;
        for (size_t i = 0; i < line.length; i++) {
                unsigned char c = (unsigned char)line.bytes[i];
                if (skeleton_is_mark((char)c))
                        return false;
                if (kinds[c] == DIGIT)
                        out_scan->digits[i / 64] |= UINT64_C(1) << i % 64;
                if (!cut && c == ':' && i + 1 < line.length && line.bytes[i + 1] == ' ' && i + 2 <= CUT_WITHIN)
                        cut = i + 2;
        }
        if (line.length && line.bytes[0] == '<')
                cut = cut_rfc5424(line) ?: cut;
        out_scan->cut = cut;
        return true;
}

#if defined(__x86_64__)
/* The bits of 64 bytes: which are digits, marks, colons, spaces. */
struct bits64 {
        uint64_t digits, marks, colons, spaces;
};

__attribute__((target("avx2"))) static inline struct bits64 bits_of(const char *bytes)
{
        struct bits64 bits = {0};
        for (int half = 0; half < 2; half++) {
                __m256i text = _mm256_loadu_si256((const __m256i *)(bytes + 32 * half));
                __m256i digit = _mm256_sub_epi8(text, _mm256_set1_epi8('0'));
                __m256i mark = _mm256_sub_epi8(text, _mm256_set1_epi8(1));
                __m256i nine = _mm256_set1_epi8(9), last = _mm256_set1_epi8(SKELETON_MARKS - 2);
                uint32_t digits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(digit, nine), digit));
                uint32_t marks = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(mark, last), mark));
                uint32_t colons = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(':')));
                uint32_t spaces = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(' ')));
                bits.digits |= (uint64_t)digits << 32 * half;
                bits.marks |= (uint64_t)marks << 32 * half;
                bits.colons |= (uint64_t)colons << 32 * half;
                bits.spaces |= (uint64_t)spaces << 32 * half;
        }
        return bits;
}

/* The place after the sixth set bit; 0: there are fewer. */
__attribute__((target("bmi"))) static size_t sixth_end(const uint64_t spaces[CUT_WITHIN / 64])
{
        uint64_t low = spaces[0], high = spaces[1];
        for (int i = 0; i < 5; i++) {
                if (low)
                        low &= low - 1;
                else
                        high &= high - 1;
        }
        return low ? (size_t)__builtin_ctzll(low) + 1 : high ? (size_t)__builtin_ctzll(high) + 65 : 0;
}

__attribute__((target("avx2,bmi"))) static bool scan_avx2(struct str line, struct skeleton_scan *out_scan)
{
        if (line.length > SKELETON_LINE_MAX)
                return false;
        uint64_t marks = 0, colon_before = 0, spaces[CUT_WITHIN / 64] = {0};
        size_t cut = 0;
        out_scan->digits[line.length / 64] = 0;
        for (size_t at = 0; at < line.length; at += 64) {
                struct bits64 bits = bits_of(line.bytes + at);
                uint64_t inside = line.length - at >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (line.length - at)) - 1;
                out_scan->digits[at / 64] = bits.digits & inside;
                marks |= bits.marks & inside;
                spaces[at / 64 % 2] |= at < CUT_WITHIN ? bits.spaces & inside : 0;
                uint64_t ends = (bits.colons << 1 | colon_before) & bits.spaces & inside; /* the space of ": " */
                colon_before = bits.colons >> 63;
                if (!cut && ends && at + (size_t)__builtin_ctzll(ends) + 1 <= CUT_WITHIN)
                        cut = at + (size_t)__builtin_ctzll(ends) + 1;
        }
        if (marks)
                return false;
        if (line.length && line.bytes[0] == '<' && begins_rfc5424(line))
                cut = sixth_end(spaces) ?: cut;
        out_scan->cut = cut;
        return true;
}
#endif

bool skeleton_scan(struct str line, struct skeleton_scan *out_scan)
{
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
                return scan_avx2(line, out_scan);
#endif
        return skeleton_scan_scalar(line, out_scan);
}

/* The first digit at or after `at`, or end. */
static inline size_t next_digit(const struct skeleton_scan *scan, size_t at, size_t end)
{
        if (at >= end)
                return end;
        uint64_t word = scan->digits[at / 64] >> at % 64;
        if (word)
                return min_of(at + (size_t)__builtin_ctzll(word), end);
        for (size_t i = at / 64 + 1; i * 64 < end; i++)
                if (scan->digits[i])
                        return min_of(i * 64 + (size_t)__builtin_ctzll(scan->digits[i]), end);
        return end;
}

/* The first byte at or after `at` (a digit) that is none, or end. */
static inline size_t digits_end(const struct skeleton_scan *scan, size_t at, size_t end)
{
        uint64_t word = ~scan->digits[at / 64] >> at % 64;
        if (word)
                return min_of(at + (size_t)__builtin_ctzll(word), end);
        for (size_t i = at / 64 + 1; i * 64 < end; i++)
                if (~scan->digits[i])
                        return min_of(i * 64 + (size_t)__builtin_ctzll(~scan->digits[i]), end);
        return end;
}

/* Up to eight digits at once (Lemire, "Quickly parsing eight digits"); reads eight bytes. */
static inline uint64_t parse8(const char *digits, size_t count)
{
        uint64_t word;
        memcpy(&word, digits, 8);
        word = le64toh(word) << (8 - count) * 8;
        word = (word & 0x0F0F0F0F0F0F0F0F) * 2561 >> 8;
        word = (word & 0x00FF00FF00FF00FF) * 6553601 >> 16;
        return (word & 0x0000FFFF0000FFFF) * 42949672960001 >> 32;
}

static uint64_t parse_number(const char *digits, size_t count)
{
        uint64_t value = 0;
        for (; count > 8; digits += 8, count -= 8)
                value = value * 100000000 + parse8(digits, 8);
        static const uint64_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
        return value * power[count] + parse8(digits, count);
}

static uint64_t parse_hex(const char *digits, size_t count)
{
        uint64_t value = 0;
        for (size_t i = 0; i < count; i++)
                value = value * 16 + ((uint8_t)digits[i] & 15) + (kinds[(uint8_t)digits[i]] == DIGIT ? 0 : 9);
        return value;
}

#define NUMBER_WIDTH_MAX 19
#define HEX_WIDTH_MAX 16

static inline void put_chunk(struct skeleton *out, enum skeleton_mark mark, const char *digits, size_t width)
{
        out->text[out->length++] = (char)mark;
        out->values[out->count] = mark != SKELETON_NUMBER ? parse_hex(digits, width)
                                  : width <= 8            ? parse8(digits, width)
                                                          : parse_number(digits, width);
        out->widths[out->count++] = (uint8_t)(width | (digits[0] == '0' && width > 1 ? SKELETON_PADDED : 0));
}

static void put_variable(struct skeleton *out, enum skeleton_mark mark, const char *digits, size_t count)
{
        size_t width_max = mark == SKELETON_NUMBER ? NUMBER_WIDTH_MAX : HEX_WIDTH_MAX;
        for (size_t width; count; digits += width, count -= width)
                put_chunk(out, mark, digits, width = min_of(count, width_max));
}

static inline void put_constant(struct skeleton *out, const char *bytes, size_t count)
{
        char *to = out->text + out->length;
        out->length += count;
        for (size_t done = 0; done < count; done += 32)
                memcpy(to + done, bytes + done, 32);
}

/* The hexadecimal mark that line[from, to) would have, or 0. needs_digit: a word like "dead" is none. */
static int hex_mark(struct str line, size_t from, size_t to)
{
        uint8_t seen = 0;
        for (size_t i = from; i < to; i++)
                seen |= kind_at(line, i);
        if (seen & ~(DIGIT | LOWER | UPPER) || (seen & LOWER && seen & UPPER) || from == to)
                return 0;
        return seen & UPPER ? SKELETON_HEX_UPPER : SKELETON_HEX_LOWER;
}

/* 8-4-4-4-12 from here on, of hexadecimal digits of one case: the mark of its groups, or 0. */
static int uuid_mark(struct str line, size_t from, size_t to)
{
        if (to - from < 36 || (to - from > 36 && kind_at(line, from + 36)))
                return 0;
        uint8_t seen = 0;
        for (size_t i = 0; i < 36; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;
                if (dash != (line.bytes[from + i] == '-'))
                        return 0;
                seen |= dash ? 0 : kind_at(line, from + i) ?: WORD_LETTER;
        }
        if (seen & WORD_LETTER || (seen & LOWER && seen & UPPER))
                return 0;
        return seen & UPPER ? SKELETON_HEX_UPPER : SKELETON_HEX_LOWER;
}

static void put_uuid(struct skeleton *out, int mark, const char *text)
{
        static const uint8_t starts[] = {0, 9, 14, 19, 24}, widths[] = {8, 4, 4, 4, 12};
        for (int group = 0; group < 5; group++) {
                if (group)
                        out->text[out->length++] = '-';
                put_variable(out, (enum skeleton_mark)mark, text + starts[group], widths[group]);
        }
}

/* Are the eight bytes dd:dd:dd with less than 60 minutes and seconds? Then their value. */
static inline bool parse_clock(const char *text, uint64_t *out_value)
{
        uint64_t word;
        memcpy(&word, text, 8);
        word = le64toh(word) ^ 0x30303A30303A3030; /* digits become 0 to 9, the colons 0 */
        if ((word | (word + 0x7676767676767676)) & 0x8080808080808080 || word & 0x0000FF0000FF0000)
                return false;
        uint64_t hours = (word & 15) * 10 + (word >> 8 & 15), minutes = (word >> 24 & 15) * 10 + (word >> 32 & 15),
                 seconds = (word >> 48 & 15) * 10 + (word >> 56);
        *out_value = hours * 3600 + minutes * 60 + seconds;
        return minutes < 60 && seconds < 60;
}

static inline bool is_digit(char c)
{
        return (unsigned char)(c - '0') < 10;
}

/* A time of day or a date at these digits: writes it as one variable and gives its width; 0: it is none. */
static inline size_t put_time(struct str line, size_t at, size_t width, size_t to, struct skeleton *out)
{
        const char *text = line.bytes + at;
        uint64_t value;
        if (width == 2 && text[2] == ':' && to - at >= SKELETON_CLOCK_WIDTH) {
                bool longer = to - at > SKELETON_CLOCK_WIDTH && (is_digit(text[8]) || text[8] == ':');
                if (longer || (at && line.bytes[at - 1] == ':') || !parse_clock(text, &value))
                        return 0;
                width = SKELETON_CLOCK_WIDTH;
                out->text[out->length++] = SKELETON_CLOCK;
        } else if (width == 4 && text[4] == '-' && to - at >= SKELETON_DATE_WIDTH) {
                bool shaped = is_digit(text[5]) && is_digit(text[6]) && text[7] == '-' && is_digit(text[8]) && is_digit(text[9]);
                if (!shaped || (to - at > SKELETON_DATE_WIDTH && is_digit(text[10])))
                        return 0;
                value = parse8(text, 4) * 10000 + parse8(text + 5, 2) * 100 + parse8(text + 8, 2);
                width = SKELETON_DATE_WIDTH;
                out->text[out->length++] = SKELETON_DATE;
        } else {
                return 0;
        }
        out->values[out->count] = value;
        out->widths[out->count++] = (uint8_t)width;
        return width;
}

/* What the token around the digits [digits, end) is, when letters touch them. */
struct token {
        size_t from, to;        /* the variable */
        size_t plain_until;     /* digit runs before this are numbers, no more to be looked at */
        int mark;
};

static struct token token_with_letters(struct str line, size_t floor, size_t digits, size_t digits_to, size_t to)
{
        size_t left = digits, right = digits_to;
        while (left > floor && kind_at(line, left - 1))
                left--;
        while (right < to && kind_at(line, right))
                right++;
        bool prefixed = left == digits && digits_to == digits + 1 && line.bytes[digits] == '0' && digits_to < right &&
                        (line.bytes[digits_to] | 32) == 'x';
        if (prefixed)
                left = digits + 2;
        int mark = hex_mark(line, left, right);
        if (mark)
                return (struct token){left, right, 0, mark};
        return (struct token){digits, digits_to, right, SKELETON_NUMBER};
}

void skeleton_cut(struct str line, const struct skeleton_scan *scan, size_t from, size_t to, struct skeleton *out)
{
        size_t done = from, plain_until = from, at = from;
        out->length = out->count = 0;
        while ((at = next_digit(scan, at, to)) < to) {
                size_t end = digits_end(scan, at, to);
                struct token token = {at, end, 0, SKELETON_NUMBER};
                size_t width = end - at;
                bool left_letter = at > done && kind_at(line, at - 1), right_letter = end < to && kind_at(line, end);
                bool alone = !left_letter && !right_letter;
                if ((alone || at < plain_until) && width < 8) { /* nearly all */
                        put_constant(out, line.bytes + done, at - done);
                        size_t time_width = put_time(line, at, width, to, out);
                        if (!time_width)
                                put_chunk(out, SKELETON_NUMBER, line.bytes + at, width);
                        done = at = time_width ? at + time_width : end;
                        continue;
                }
                if (at >= plain_until && !alone)
                        token = token_with_letters(line, done, at, end, to);
                plain_until = max_of(plain_until, token.plain_until);
                put_constant(out, line.bytes + done, token.from - done);
                int uuid = token.to - token.from == 8 && token.to < to && line.bytes[token.to] == '-'
                                   ? uuid_mark(line, token.from, to)
                                   : 0;
                if (uuid) {
                        put_uuid(out, uuid, line.bytes + token.from);
                        token.to = token.from + 36;
                } else {
                        put_variable(out, (enum skeleton_mark)token.mark, line.bytes + token.from, token.to - token.from);
                }
                done = at = token.to;
        }
        put_constant(out, line.bytes + done, to - done);
}

static void mask_scalar(struct str text, char *out)
{
        for (size_t i = 0; i < text.length; i++)
                out[i] = is_digit(text.bytes[i]) ? '0' : text.bytes[i];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void mask_avx2(struct str text, char *out)
{
        __m256i zero = _mm256_set1_epi8('0'), nine = _mm256_set1_epi8(9);
        for (size_t at = 0; at < text.length; at += 32) {
                __m256i bytes = _mm256_loadu_si256((const __m256i *)(text.bytes + at));
                __m256i digit = _mm256_sub_epi8(bytes, zero);
                __m256i is = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, nine), digit);
                _mm256_storeu_si256((__m256i *)(out + at), _mm256_blendv_epi8(bytes, zero, is));
        }
}
#endif

void skeleton_mask(struct str text, char *out)
{
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2")) {
                mask_avx2(text, out);
                return;
        }
#endif
        mask_scalar(text, out);
}

bool skeleton_layout(const struct skeleton *skeleton, struct skeleton_layout *out_layout)
{
        if (skeleton->count > SKELETON_LAYOUT_MAX)
                return false;
        size_t at = 0, place = 0;
        for (size_t i = 0; i < skeleton->length; i++) {
                char c = skeleton->text[i];
                if (!skeleton_is_mark(c)) {
                        at++;
                        continue;
                }
                uint8_t width = skeleton->widths[place] & ~SKELETON_PADDED;
                /* A hexadecimal token's letters and its 0x depend on more than where the digits are. */
                if (c == SKELETON_HEX_LOWER || c == SKELETON_HEX_UPPER || (c == SKELETON_NUMBER && width > 8) ||
                    at + width > SKELETON_LAYOUT_BYTES)
                        return false;
                out_layout->variables[place].at = (uint8_t)at;
                out_layout->variables[place].width = width;
                out_layout->variables[place++].mark = (uint8_t)c;
                at += width;
        }
        out_layout->count = (uint8_t)place;
        return true;
}

bool skeleton_read(const struct skeleton_layout *layout, const char *text, uint64_t *out_values, uint8_t *out_widths)
{
        for (size_t i = 0; i < layout->count; i++) {
                const char *digits = text + layout->variables[i].at;
                uint8_t width = layout->variables[i].width;
                if (layout->variables[i].mark == SKELETON_NUMBER) {
                        out_values[i] = parse8(digits, width);
                        out_widths[i] = width | (digits[0] == '0' && width > 1 ? SKELETON_PADDED : 0);
                        continue;
                }
                out_widths[i] = width;
                if (layout->variables[i].mark == SKELETON_DATE)
                        out_values[i] = parse8(digits, 4) * 10000 + parse8(digits + 5, 2) * 100 + parse8(digits + 8, 2);
                else if (!parse_clock(digits, &out_values[i]))
                        return false;
        }
        return true;
}

unsigned skeleton_width(enum skeleton_mark mark, uint64_t value)
{
        unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
        if (mark >= SKELETON_CLOCK)
                return mark == SKELETON_CLOCK ? SKELETON_CLOCK_WIDTH : SKELETON_DATE_WIDTH;
        if (mark != SKELETON_NUMBER)
                return (bits + 3) / 4;
        static const uint64_t power[] = {
                0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
                1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
                100000000000000000, 1000000000000000000, 10000000000000000000u,
        };
        unsigned guess = bits * 1233 >> 12; /* log10(2) */
        return guess + (value >= power[guess]);
}

bool skeleton_width_fits(enum skeleton_mark mark, uint64_t width)
{
        if (mark >= SKELETON_CLOCK)
                return width == skeleton_width(mark, 0);
        return width >= 1 && width <= (mark == SKELETON_NUMBER ? NUMBER_WIDTH_MAX : HEX_WIDTH_MAX);
}

static char *write_pair(char *to, uint64_t value)
{
        *to++ = (char)('0' + value / 10 % 10);
        *to++ = (char)('0' + value % 10);
        return to;
}

static char *write_time(char *to, enum skeleton_mark mark, uint64_t value)
{
        bool clock = mark == SKELETON_CLOCK;
        if (clock) {
                to = write_pair(to, value / 3600);
        } else {
                to = write_pair(to, value / 1000000);
                to = write_pair(to, value / 10000);
        }
        *to++ = clock ? ':' : '-';
        to = write_pair(to, clock ? value / 60 % 60 : value / 100);
        *to++ = clock ? ':' : '-';
        return write_pair(to, clock ? value % 60 : value);
}

char *skeleton_write(char *to, enum skeleton_mark mark, uint64_t value, unsigned width)
{
        char *end = to + width;
        if (mark >= SKELETON_CLOCK)
                return write_time(to, mark, value);
        if (mark == SKELETON_NUMBER) {
                for (char *at = end; at > to; value /= 10)
                        *--at = (char)('0' + value % 10);
                return end;
        }
        const char *digits = mark == SKELETON_HEX_LOWER ? "0123456789abcdef" : "0123456789ABCDEF";
        for (char *at = end; at > to; value >>= 4)
                *--at = digits[value & 15];
        return end;
}

/* Marks the bytes of needle[from, to), an alphanumeric run, that are surely constant wherever the needle stands. */
static void judge_run(struct str needle, size_t from, size_t to, bool *constant)
{
        uint8_t seen = 0;
        bool has_x = false, other = false;
        for (size_t i = from; i < to; i++) {
                uint8_t kind = kind_at(needle, i);
                seen |= kind;
                has_x |= (needle.bytes[i] | 32) == 'x';
                other |= kind == WORD_LETTER && (needle.bytes[i] | 32) != 'x';
        }
        bool edge = from == 0 || to == needle.length;
        bool dashed = (from > 0 && needle.bytes[from - 1] == '-') || (to < needle.length && needle.bytes[to] == '-');
        bool whole_word = !(seen & DIGIT) && !has_x && !edge && !dashed;
        for (size_t i = from; i < to; i++)
                constant[i] = (other || whole_word) && kind_at(needle, i) != DIGIT;
}

/* A colon or dash between digits may be a time's own. */
static bool may_part_time(struct str needle, size_t at)
{
        if (needle.bytes[at] != ':' && needle.bytes[at] != '-')
                return false;
        return (at == 0 || is_digit(needle.bytes[at - 1])) && (at + 1 == needle.length || is_digit(needle.bytes[at + 1]));
}

void skeleton_fragments(struct str needle, void (*visit)(void *context, struct str fragment), void *context)
{
        bool constant[512] = {0};
        needle.length = min_of(needle.length, countof(constant)); /* what its beginning says is enough */
        for (size_t i = 0; i < needle.length;) {
                size_t end = i + 1;
                if (kind_at(needle, i)) {
                        while (end < needle.length && kind_at(needle, end))
                                end++;
                        judge_run(needle, i, end, constant);
                } else {
                        constant[i] = !skeleton_is_mark(needle.bytes[i]) && !may_part_time(needle, i);
                }
                i = end;
        }
        for (size_t i = 0, from = 0; i <= needle.length; i++) {
                bool ends = i == needle.length || !constant[i], cut = !ends && needle.bytes[i] == ' ';
                if (ends || cut) {
                        if (i + cut > from)
                                visit(context, str_slice(needle, from, i + cut));
                        from = i + 1;
                }
        }
}
