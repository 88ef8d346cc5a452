/*
 * outline.c - see outline.h. Each rule of token.c and word.c reads digits in one of few ways, and the outline keeps just what it reads:
 *
 *      a word that begins with digits      a value, however many they are: every run of them is one gap; with dots and dashes all of it
 *      a path that begins with a slash     a value, whatever follows: all of it is one gap
 *      long hex, with dashes or without    a value: one gap
 *      any other word with digits          three digits of a run, since word_class asks for "more than two"; eight where it may
 *                                          be hex, or where one value may span several words (name=f(1, b2))
 *      beside a colon                      whether a word has two bytes (ends_clock); all that end_of_colon_groups reads, where
 *                                          there are enough colons for it
 *
 * The line is classed 64 bytes at a time into bit masks, with AVX2 where it is; only words with digits or a slash are then looked at.
 */
#include "learn/outline.h"

#include "base/scope.h"
#include "learn/word.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BLOCKS_MAX (OUTLINE_BYTES_MAX / 64)
#define LIST_BYTES_MAX 256u     /* as token.c looks for the end of a list */
#define DIGITS_FEW 3u           /* "more than two" */
#define DIGITS_MANY 8u          /* the longest length that word_class asks for */

/* What stands for a gap: control characters, which no line with an outline has. */
enum gap { GAP_NUMBER = 1, GAP_HEX, GAP_ID, GAP_PATH, GAP_ADDRESS };

/* One bit a byte. The last is past the end: blanks. Narrow are the bytes of numbers, addresses and hexadecimals: digits, a to f, dots, dashes. */
struct masks {
        uint64_t word[BLOCKS_MAX + 1], digit[BLOCKS_MAX + 1], narrow[BLOCKS_MAX + 1], hex[BLOCKS_MAX + 1], dash[BLOCKS_MAX + 1], dot[BLOCKS_MAX + 1];
        uint64_t slash[BLOCKS_MAX + 1], plus[BLOCKS_MAX + 1], colon[BLOCKS_MAX + 1], equals[BLOCKS_MAX + 1], quote[BLOCKS_MAX + 1];
        uint64_t control;       /* of any block */
};

static void class_plain(const char *bytes, struct masks *masks, uint32_t block)
{
        masks->word[block] = masks->digit[block] = masks->narrow[block] = masks->hex[block] = masks->dash[block] = masks->dot[block] = 0;
        masks->slash[block] = masks->plus[block] = masks->colon[block] = masks->equals[block] = masks->quote[block] = 0;
        for (uint32_t i = 0; i < 64; i++) {
                unsigned char c = (unsigned char)bytes[i];
                uint64_t bit = UINT64_C(1) << i;
                bool hex = is_letter((char)c) && (c | 32) <= 'f';
                masks->digit[block] |= is_digit((char)c) ? bit : 0;
                masks->hex[block] |= hex ? bit : 0;
                masks->narrow[block] |= hex || is_digit((char)c) || c == '-' || c == '.' ? bit : 0;
                masks->dash[block] |= c == '-' ? bit : 0;
                masks->dot[block] |= c == '.' ? bit : 0;
                masks->slash[block] |= c == '/' ? bit : 0;
                masks->plus[block] |= c == '+' ? bit : 0;
                masks->colon[block] |= c == ':' ? bit : 0;
                masks->equals[block] |= c == '=' ? bit : 0;
                masks->quote[block] |= c == '"' || c == '\'' ? bit : 0;
                masks->control |= c < 32 && c != '\t' ? bit : 0;
                bool other = c == '_' || c == '-' || c == '.' || c == '/' || c == '\\' || c == '+' || c == '~' || c == '$' || c == '%' || c >= 128;
                masks->word[block] |= is_digit((char)c) || is_letter((char)c) || other ? bit : 0;
        }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

struct half2 { __m256i low, high; }; /* 64 bytes, or a yes or no for each */

AVX2 struct half2 are(struct half2 bytes, char c)
{
        __m256i wanted = _mm256_set1_epi8(c);
        return (struct half2){_mm256_cmpeq_epi8(bytes.low, wanted), _mm256_cmpeq_epi8(bytes.high, wanted)};
}

/* Bytes of first .. first + count - 1. */
AVX2 struct half2 within(struct half2 bytes, char first, char count)
{
        __m256i begin = _mm256_set1_epi8(first), last = _mm256_set1_epi8((char)(count - 1));
        __m256i low = _mm256_sub_epi8(bytes.low, begin), high = _mm256_sub_epi8(bytes.high, begin);
        return (struct half2){_mm256_cmpeq_epi8(_mm256_min_epu8(low, last), low), _mm256_cmpeq_epi8(_mm256_min_epu8(high, last), high)};
}

AVX2 struct half2 either(struct half2 a, struct half2 b)
{
        return (struct half2){_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}

/* The uppermost bit of each byte. */
AVX2 uint64_t bits_of(struct half2 bytes)
{
        return (uint32_t)_mm256_movemask_epi8(bytes.low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes.high) << 32;
}

__attribute__((target("avx2"))) static void class_avx2(const char *bytes, struct masks *masks, uint32_t block)
{
        struct half2 text = {_mm256_loadu_si256((const __m256i *)bytes), _mm256_loadu_si256((const __m256i *)(bytes + 32))};
        __m256i small = _mm256_set1_epi8(32);
        struct half2 lower = either(text, (struct half2){small, small}), digit = within(text, '0', 10), plus = are(text, '+');
        struct half2 letters = either(either(digit, within(lower, 'a', 26)), text); /* and those above ASCII */
        struct half2 others = either(either(within(text, '$', 2), within(text, '-', 3)), either(either(plus, are(text, '_')), either(are(text, '\\'), are(text, '~'))));
        masks->word[block] = bits_of(either(letters, others));
        masks->digit[block] = bits_of(digit);
        masks->hex[block] = bits_of(within(lower, 'a', 6));
        masks->dash[block] = bits_of(are(text, '-'));
        masks->dot[block] = bits_of(are(text, '.'));
        masks->narrow[block] = masks->digit[block] | masks->hex[block] | masks->dash[block] | masks->dot[block];
        masks->slash[block] = bits_of(are(text, '/'));
        masks->plus[block] = bits_of(plus);
        masks->colon[block] = bits_of(are(text, ':'));
        masks->equals[block] = bits_of(are(text, '='));
        masks->quote[block] = bits_of(either(are(text, '"'), are(text, '\'')));
        masks->control |= bits_of(within(text, 0, 32)) & ~bits_of(are(text, '\t'));
}
#endif

static inline void class_block(const char *bytes, struct masks *masks, uint32_t block)
{
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2")) {
                class_avx2(bytes, masks, block);
                return;
        }
#endif
        class_plain(bytes, masks, block);
}

/* The end is padded with blanks, which have no class; one block more is there for what looks ahead. */
static uint32_t class_line(struct str line, struct masks *masks)
{
        char last[64];
        uint32_t blocks = (uint32_t)line.length / 64;
        size_t rest = line.length % 64;
        masks->control = 0;
        for (uint32_t i = 0; i < blocks; i++)
                class_block(line.bytes + i * 64, masks, i);
        if (blocks < BLOCKS_MAX) {
                memset(last, ' ', sizeof last);
                memcpy(last, line.bytes + line.length - rest, rest);
                class_block(last, masks, blocks++);
        }
        masks->word[blocks] = masks->digit[blocks] = masks->narrow[blocks] = masks->hex[blocks] = masks->dash[blocks] = masks->dot[blocks] = 0;
        masks->plus[blocks] = 0;
        return blocks;
}

/* --- one line ---------------------------------------------------------------------------------------------------------- */

struct drawing {
        struct str line;
        struct masks masks;
        uint32_t blocks;
        struct outline *outline;
        bool full;              /* more gaps, or a longer word, than can be told */
        bool has_equals, has_colon_groups;
        bool has_odd;           /* plus signs or two dots: the scanner may cut a word with them into several */
        uint32_t list_from;     /* where name=[ was first seen; the line's length: nowhere */
};

/* A word with digits or a path; bits from its start on. */
struct piece {
        uint32_t start, end;
        uint64_t digits, narrow;
        bool ends_odd;          /* a dot or a dash at the end: the scanner leaves it out */
};

static inline uint64_t bits_from(const uint64_t *mask, uint32_t at, uint32_t count)
{
        uint32_t block = at / 64, shift = at % 64;
        uint64_t bits = mask[block] >> shift | (shift ? mask[block + 1] << (64 - shift) : 0);
        return count < 64 ? bits & ((UINT64_C(1) << count) - 1) : bits;
}

static inline uint32_t find_end(const struct drawing *drawing, uint32_t at)
{
        uint32_t block = at / 64;
        uint64_t outside = ~drawing->masks.word[block] & UINT64_MAX << at % 64;
        while (!outside && ++block < drawing->blocks)
                outside = ~drawing->masks.word[block];
        return outside ? block * 64 + (uint32_t)__builtin_ctzll(outside) : (uint32_t)drawing->line.length;
}

static inline uint32_t find_start(const struct drawing *drawing, uint32_t at)
{
        uint32_t block = at / 64;
        uint64_t outside = ~drawing->masks.word[block] & ((UINT64_C(1) << at % 64) - 1);
        while (!outside && block-- > 0)
                outside = ~drawing->masks.word[block];
        return outside ? block * 64 + 64 - (uint32_t)__builtin_clzll(outside) : 0;
}

/* Copies sixteen at a time while the line has as many: what is too much is overwritten by what follows. */
static inline void keep(struct drawing *drawing, uint32_t start, uint32_t end)
{
        struct outline *outline = drawing->outline;
        const char *from = drawing->line.bytes + start;
        char *to = outline->bytes + outline->length;
        uint32_t count = end - start, at = 0;
        if (start + (count + 15) / 16 * 16 <= drawing->line.length)
                for (; at < count; at += 16)
                        memcpy(to + at, from + at, 16);
        else
                memcpy(to, from, count);
        outline->length += count;
}

static inline void add_gap(struct drawing *drawing, uint32_t start, uint32_t end)
{
        struct outline *outline = drawing->outline;
        if (outline->gap_count == OUTLINE_GAPS_MAX) {
                drawing->full = true;
                return;
        }
        outline->starts[++outline->gap_count] = (uint16_t)start;
        outline->ends[outline->gap_count] = (uint16_t)end;
}

static inline void put_gap(struct drawing *drawing, enum gap gap, uint32_t start, uint32_t end)
{
        drawing->outline->bytes[drawing->outline->length++] = (char)gap;
        add_gap(drawing, start, end);
}

/* Digits of the piece as gaps, or at most so many of each run as zeros. The 0 of 0x is told from other digits. */
static void put_runs(struct drawing *drawing, const struct piece *piece, uint32_t digits_max)
{
        const char *bytes = drawing->line.bytes;
        struct outline *outline = drawing->outline;
        uint32_t at = piece->start;
        for (uint64_t digits = piece->digits; digits;) {
                uint32_t first = (uint32_t)__builtin_ctzll(digits), start = piece->start + first;
                uint64_t after = ~(digits >> first); /* 0: 64 digits */
                uint32_t run = after ? (uint32_t)__builtin_ctzll(after) : 64, end = start + run;
                keep(drawing, at, start);
                at = end;
                digits = first + run < 64 ? digits & UINT64_MAX << (first + run) : 0;
                if (!digits_max) {
                        put_gap(drawing, GAP_NUMBER, start, end);
                        continue;
                }
                bool before_x = run == 1 && end < piece->end && (bytes[end] | 32) == 'x';
                for (uint32_t i = 0; i < min_of(run, digits_max); i++)
                        outline->bytes[outline->length++] = before_x ? bytes[start] : '0';
                add_gap(drawing, start, end);
        }
        keep(drawing, at, piece->end);
}

static inline char byte_before(const struct drawing *drawing, uint32_t at) { return at ? drawing->line.bytes[at - 1] : ' '; }

static inline char byte_at(const struct drawing *drawing, uint32_t at) { return at < drawing->line.length ? drawing->line.bytes[at] : ' '; }

/* Beside a colon, or with blanks between. */
static bool is_near_colon(const struct drawing *drawing, const struct piece *piece)
{
        uint32_t before = piece->start, after = piece->end;
        while (before && is_blank(drawing->line.bytes[before - 1]))
                before--;
        while (after < drawing->line.length && is_blank(drawing->line.bytes[after]))
                after++;
        return byte_before(drawing, before) == ':' || byte_at(drawing, after) == ':';
}

/* One value of name=value may span several words, and what they hold is counted together: all but the first are kept closely. */
static bool is_within_value(const struct drawing *drawing, const struct piece *piece)
{
        uint32_t at = piece->start;
        if (at > drawing->list_from)
                return true;
        at -= byte_before(drawing, at) == '=';
        for (; at > 0 && !is_blank(drawing->line.bytes[at - 1]); at--)
                if (drawing->line.bytes[at - 1] == '=')
                        return true;
        return false;
}

static bool is_odd(const struct drawing *drawing, const struct piece *piece)
{
        uint32_t length = piece->end - piece->start;
        uint64_t dots = bits_from(drawing->masks.dot, piece->start, length);
        return dots & dots << 1 || bits_from(drawing->masks.plus, piece->start, length);
}

static bool is_kept_closely(const struct drawing *drawing, const struct piece *piece)
{
        if ((drawing->has_odd && is_odd(drawing, piece)) || (drawing->has_equals && is_within_value(drawing, piece)))
                return true;
        return drawing->has_colon_groups && (byte_before(drawing, piece->start) == ':' || byte_at(drawing, piece->end) == ':');
}

/* Nothing but the word is its value: what follows ends one. */
static bool stands_alone(const struct drawing *drawing, const struct piece *piece)
{
        if (byte_before(drawing, piece->start) != '=')
                return true;
        char next = byte_at(drawing, piece->end);
        return is_blank(next) || next == ',' || next == ';' || next == ')' || next == ']' || next == '}' || next == '"' || next == '\'';
}

static inline uint64_t all_of(uint32_t length) { return length < 64 ? (UINT64_C(1) << length) - 1 : UINT64_MAX; }

static inline uint64_t but_first(uint64_t bits) { return bits & (bits - 1); }

static inline bool is_three(uint64_t bits)
{
        uint64_t last = but_first(but_first(bits));
        return last && !but_first(last);
}

/* 0: it is not one value by all of its bytes. */
static enum gap gap_of(const struct drawing *drawing, const struct piece *piece, bool digit_first, uint32_t sign)
{
        uint32_t length = piece->end - piece->start;
        if (drawing->line.bytes[piece->start] == '/')
                return length > 2 ? GAP_PATH : 0;
        if (piece->narrow != all_of(length) || !stands_alone(drawing, piece))
                return 0;
        uint64_t hex = bits_from(drawing->masks.hex, piece->start, length), dots = bits_from(drawing->masks.dot, piece->start, length);
        if (!hex)
                return !digit_first ? 0 : is_three(dots) ? GAP_ADDRESS : GAP_NUMBER;
        if (sign || dots)
                return 0;
        if (bits_from(drawing->masks.dash, piece->start, length))
                return length >= 16 && but_first(but_first(piece->digits)) && length - (uint32_t)__builtin_ctzll(hex) > 3 ? GAP_ID : 0;
        return length >= 8 || (digit_first && length > 2) ? GAP_HEX : 0;
}

/* 0x1f2e, as a gap after 0x. */
static bool put_prefixed(struct drawing *drawing, const struct piece *piece, uint32_t sign)
{
        uint32_t prefix = sign + 2, length = piece->end - piece->start;
        uint64_t hex = bits_from(drawing->masks.hex, piece->start, length);
        if (length <= prefix || piece->ends_odd || ((piece->digits | hex) >> prefix) != all_of(length - prefix) || !stands_alone(drawing, piece))
                return false;
        keep(drawing, piece->start, piece->start + prefix);
        put_gap(drawing, GAP_HEX, piece->start + prefix, piece->end);
        return true;
}

/* 7x5fd199cb: more letters after the digits than a unit has (type_of_unit), and not hexadecimal: an id, whatever it holds. */
static bool is_long_id(const struct drawing *drawing, const struct piece *piece, uint32_t sign)
{
        uint32_t length = piece->end - piece->start, letter = sign;
        const char *word = drawing->line.bytes + piece->start;
        while (letter < length && is_digit(word[letter]))
                letter++;
        return length > letter + 3 && is_letter(word[letter]) && piece->narrow != all_of(length) && !piece->ends_odd && stands_alone(drawing, piece);
}

/* Of a word that has more bytes than there are bits, only a path is told. */
static void put_long(struct drawing *drawing, const struct piece *piece)
{
        if (drawing->line.bytes[piece->start] != '/' || piece->ends_odd || drawing->has_odd || is_kept_closely(drawing, piece))
                drawing->full = true;
        else
                put_gap(drawing, GAP_PATH, piece->start, piece->end);
}

static void put_piece(struct drawing *drawing, const struct piece *piece)
{
        const char *word = drawing->line.bytes + piece->start;
        uint32_t length = piece->end - piece->start, sign = length > 1 && word[0] == '-';
        bool digit_first = is_digit(word[sign]);
        if (length > 64) {
                put_long(drawing, piece);
                return;
        }
        if (!piece->digits && word[0] != '/') {
                keep(drawing, piece->start, piece->end);
                return;
        }
        if (is_kept_closely(drawing, piece)) {
                put_runs(drawing, piece, DIGITS_MANY);
                return;
        }
        bool is_clock = digit_first && (length < 3 || piece->ends_odd) && is_near_colon(drawing, piece);
        enum gap gap = piece->ends_odd || is_clock ? 0 : gap_of(drawing, piece, digit_first, sign);
        if (gap) {
                put_gap(drawing, gap, piece->start, piece->end);
        } else if (digit_first && word[sign] == '0' && length > sign + 1 && (word[sign + 1] | 32) == 'x') {
                if (!put_prefixed(drawing, piece, sign))
                        put_runs(drawing, piece, DIGITS_MANY);
        } else if (digit_first && is_long_id(drawing, piece, sign)) {
                put_gap(drawing, GAP_ID, piece->start, piece->end);
        } else if (digit_first) {
                put_runs(drawing, piece, is_clock ? DIGITS_MANY : 0);
        } else {
                put_runs(drawing, piece, piece->narrow != all_of(length) ? DIGITS_FEW : DIGITS_MANY);
        }
}

static struct piece piece_at(const struct drawing *drawing, uint32_t at)
{
        const struct masks *masks = &drawing->masks;
        struct piece piece = {.start = find_start(drawing, at), .end = find_end(drawing, at)};
        uint32_t length = piece.end - piece.start;
        char last = drawing->line.bytes[piece.end - 1];
        piece.digits = bits_from(masks->digit, piece.start, length); /* of a longer one: not asked for */
        piece.narrow = bits_from(masks->narrow, piece.start, length);
        piece.ends_odd = last == '.' || last == '-';
        return piece;
}

/* Looks at what concerns the whole line; false: it has no outline. */
static bool look_over(struct drawing *drawing)
{
        const struct masks *masks = &drawing->masks;
        uint32_t colons = 0;
        uint64_t quote_before = 0, colon_before = 0, dot_before = 0;
        if (masks->control)
                return false;
        for (uint32_t i = 0; i < drawing->blocks; i++) {
                uint64_t colon = masks->colon[i];
                if (colon & (masks->quote[i] << 1 | quote_before)) /* "name": is a word with its digits */
                        return false;
                for (uint64_t rest = colon; rest; rest = but_first(rest))
                        colons++;
                drawing->has_colon_groups |= (colon & (colon << 1 | colon_before)) != 0;
                drawing->has_equals |= masks->equals[i] != 0;
                drawing->has_odd |= masks->plus[i] || masks->dot[i] & (masks->dot[i] << 1 | dot_before);
                dot_before = masks->dot[i] >> 63;
                quote_before = masks->quote[i] >> 63;
                colon_before = colon >> 63;
        }
        drawing->has_colon_groups |= colons >= 5;
        for (uint32_t i = 0; i < drawing->blocks && drawing->has_equals; i++)
                for (uint64_t equals = masks->equals[i]; equals; equals &= equals - 1) {
                        uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(equals);
                        char next = byte_at(drawing, at + 1);
                        if (next == '(' || next == '[' || next == '{')
                                drawing->list_from = min_of(drawing->list_from, at);
                }
        return drawing->list_from == drawing->line.length || drawing->line.length <= LIST_BYTES_MAX;
}

bool outline_of(struct str line, struct outline *out_outline)
{
        struct drawing drawing;
        if (!line.length || line.length > OUTLINE_BYTES_MAX)
                return false;
        drawing.line = line;
        drawing.outline = out_outline;
        drawing.full = drawing.has_equals = drawing.has_colon_groups = drawing.has_odd = false;
        drawing.list_from = (uint32_t)line.length;
        drawing.blocks = class_line(line, &drawing.masks);
        if (!look_over(&drawing))
                return false;
        out_outline->length = out_outline->gap_count = out_outline->starts[0] = out_outline->ends[0] = 0;
        uint32_t at = 0;
        for (uint32_t i = 0; i < drawing.blocks && !drawing.full; i++) {
                uint64_t wanted = drawing.masks.digit[i] | drawing.masks.slash[i];
                wanted &= at >= i * 64 + 64 ? 0 : at > i * 64 ? UINT64_MAX << at % 64 : UINT64_MAX;
                while (wanted && !drawing.full) {
                        uint32_t found = i * 64 + (uint32_t)__builtin_ctzll(wanted);
                        struct piece piece = piece_at(&drawing, found);
                        keep(&drawing, at, piece.start);
                        put_piece(&drawing, &piece);
                        at = piece.end;
                        wanted &= at >= i * 64 + 64 ? 0 : UINT64_MAX << at % 64;
                }
        }
        keep(&drawing, at, (uint32_t)line.length);
        return !drawing.full;
}
