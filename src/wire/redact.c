/*
 * redact.c - see redact.h.
 *
 * All text passes here, and nearly none of it holds a secret, so the pass over clean text decides the cost. Each pattern has
 * hints, one of which begins every match of a built-in pattern (and is near every match of an operator's). Of each hint the rarest
 * three bytes are searched for, all hints at once, 32 bytes at a time, by two table look-ups a byte (the nibble
 * masks of Hyperscan's "Teddy"); what it finds is compared with the hint, and only then a regex runs. Card numbers have no hint: a second pass looks
 * for thirteen digits with single separators between them, and the rest is arithmetic.
 */
#include "wire/redact.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PATTERNS_MAX 200
#define HINTS_MAX 1000
#define HINT_BYTES_MIN 3
#define BUCKETS 8
#define BACK_BYTES 256            /* of the line before a hint that an operator's pattern sees */
#define AHEAD_BYTES 4096          /* behind a hint that any pattern sees */
#define AHEAD_KEY_BYTES 32768     /* the same for private keys */
#define JSON_DEPTH_MAX 4096 /* the parser allows 2048 */

struct pattern {
        pcre2_code *code;
        uint32_t group;     /* number of the group `secret`; 0: the whole match */
        bool from_hint;     /* the match begins where the hint does */
        size_t ahead;
};

struct hint {
        char *text;         /* lower case */
        size_t length, at;  /* at: where its rare three bytes are */
        uint32_t pattern;
        struct hint *next;  /* in the same bucket */
};

struct redactor {
        struct pattern patterns[PATTERNS_MAX];
        uint32_t pattern_count;
        struct hint hints[HINTS_MAX];
        size_t hint_count;
        struct hint *buckets[BUCKETS];
        uint8_t byte_masks[3][256];             /* which buckets a byte may belong to, at each of three places */
        uint8_t low_masks[3][16], high_masks[3][16]; /* the same by nibbles */
        bool cards, has_avx2;
};

#define VALUE                                                                                                          \
        "(?:\\\\?[\"'])?[ \\t]{0,3}(?:=>|[=:])[ \\t]{0,3}"                                                            \
        "(?|\\\\\"(?<secret>[^\"\\\\\\r\\n]+)|\"(?<secret>(?:[^\"\\\\\\r\\n]|\\\\.)+)|'(?<secret>[^'\\r\\n]+)|"              \
        "(?<secret>[^\\s\"',;&<>)}\\]\\\\]+))"

static const struct {
        const char *name, *pattern;
        const char *hints[14];
        size_t ahead;
} built_in[] = {
        {"key_value", "(?i)(?:password|passwd|pwd|passphrase|secret|token|(?:api|access|private)[_-]?key)" VALUE,
         {"password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey",
          "access-key", "private_key"}, AHEAD_BYTES},
        {"authorization", "(?i)authorization(?:\\\\?[\"'])?\\s{0,3}[=:]\\s{0,3}(?:\\\\?[\"'])?(?:(?:basic|bearer|digest|token|negotiate|apikey)\\s{1,3})?"
         "(?<secret>[^\\s\"',\\\\]+)", {"authorization"}, AHEAD_BYTES},
        {"bearer", "(?i)bearer\\s{1,3}(?<secret>[a-z0-9._~+/=-]{8,})", {"bearer "}, AHEAD_BYTES},
        {"url_credentials", "://[^\\s/:@\"'?#]{0,64}:(?<secret>[^\\s/@\"']{1,256})@", {"://"}, AHEAD_BYTES},
        {"aws_access_key", "(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])", {"akia", "asia"}, AHEAD_BYTES},
        {"github_token", "(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})",
         {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, AHEAD_BYTES},
        {"jwt", "(?<![A-Za-z0-9_])eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*", {"eyj"}, AHEAD_BYTES},
        {"private_key", "-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----(?<secret>[\\s\\S]*?)(?:-----END|\\z)", {"-----begin "}, AHEAD_KEY_BYTES},
};

static unsigned char lower(unsigned char c)
{
        return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Commonness of a byte in logs, roughly: which three bytes of a hint to look for. */
static int commonness(unsigned char c)
{
        static const char common[] = "etaoinsr0123/d.=:lcu-\"";
        const char *at = strchr(common, c);
        return c == ' ' ? 40 : at && c ? 30 - (int)(at - common) : 2;
}

static size_t rare_place(const char *text, size_t length)
{
        size_t best = 0;
        int least = INT32_MAX;
        for (size_t i = 0; i + 3 <= length; i++) {
                int sum = commonness(text[i]) + commonness(text[i + 1]) + commonness(text[i + 2]);
                if (sum < least) {
                        least = sum;
                        best = i;
                }
        }
        return best;
}

static void put_mask(struct redactor *redactor, int place, unsigned char byte, uint8_t bit)
{
        redactor->byte_masks[place][byte] |= bit;
        redactor->low_masks[place][byte & 15] |= bit;
        redactor->high_masks[place][byte >> 4] |= bit;
}

static bool add_hint(struct redactor *redactor, uint32_t pattern, struct str text, struct err *err)
{
        if (text.length < HINT_BYTES_MIN || redactor->hint_count == HINTS_MAX)
                return fail(err, ERR_INVALID, "redact", "the hint \"%.*s\" is shorter than %d bytes, or there are more than %d", STR_ARGS(text),
                            HINT_BYTES_MIN, HINTS_MAX);
        struct hint *hint = &redactor->hints[redactor->hint_count];
        *hint = (struct hint){.text = malloc(text.length), .length = text.length, .pattern = pattern};
        if (!hint->text)
                return fail_memory(err, "redact", text.length);
        redactor->hint_count++;
        for (size_t i = 0; i < text.length; i++)
                hint->text[i] = (char)lower((unsigned char)text.bytes[i]);
        hint->at = rare_place(hint->text, hint->length);
        const char *rare = hint->text + hint->at;
        size_t bucket = ((unsigned char)rare[0] * 7u + (unsigned char)rare[1] * 3u + (unsigned char)rare[2]) % BUCKETS;
        hint->next = redactor->buckets[bucket];
        redactor->buckets[bucket] = hint;
        for (int place = 0; place < 3; place++) {
                unsigned char byte = (unsigned char)rare[place];
                put_mask(redactor, place, byte, (uint8_t)(1 << bucket));
                if (byte >= 'a' && byte <= 'z')
                        put_mask(redactor, place, byte & ~0x20, (uint8_t)(1 << bucket));
        }
        return true;
}

static bool add_pattern(struct redactor *redactor, struct str text, bool from_hint, size_t ahead, struct err *err)
{
        int code;
        PCRE2_SIZE at;
        if (redactor->pattern_count == PATTERNS_MAX)
                return fail(err, ERR_INVALID, "redact", "there are more than %d patterns; join some", PATTERNS_MAX);
        pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text.bytes, text.length, PCRE2_DUPNAMES, &code, &at, NULL);
        if (!compiled) {
                char why[128];
                pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
                return fail(err, ERR_INVALID, "redact", "the pattern \"%.*s\" is wrong at character %zu: %s",
                            (int)min_of(text.length, (size_t)120), text.bytes, (size_t)at + 1, why);
        }
        pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
        int group = pcre2_substring_number_from_name(compiled, (PCRE2_SPTR) "secret");
        redactor->patterns[redactor->pattern_count++] =
                (struct pattern){compiled, group > 0 ? (uint32_t)group : 0, from_hint, ahead};
        return true;
}

static bool is_disabled(const json_t *disabled, const char *name)
{
        for (size_t i = 0; i < json_array_size(disabled); i++)
                if (json_is_string(json_array_get(disabled, i)) && strcmp(json_string_value(json_array_get(disabled, i)), name) == 0)
                        return true;
        return false;
}

static bool add_built_in(struct redactor *redactor, const json_t *disabled, struct err *err)
{
        redactor->cards = !is_disabled(disabled, "card_number");
        for (size_t i = 0; i < countof(built_in); i++) {
                if (is_disabled(disabled, built_in[i].name))
                        continue;
                uint32_t pattern = redactor->pattern_count;
                if (!add_pattern(redactor, str_of(built_in[i].pattern), true, built_in[i].ahead, err))
                        return false;
                for (size_t h = 0; h < countof(built_in[i].hints) && built_in[i].hints[h]; h++)
                        if (!add_hint(redactor, pattern, str_of(built_in[i].hints[h]), err))
                                return false;
        }
        return true;
}

/* An operator's pattern must mask its own sample, or it would fail them silently. */
static bool try_sample(const struct redactor *redactor, struct str name, struct str sample, struct err *err)
{
        scoped(buf_done) struct buf copy = {0};
        if (!buf_add(&copy, sample))
                return fail_memory(err, "redact", sample.length);
        if (redact_text(redactor, copy.bytes, copy.length) == 0)
                return fail(err, ERR_INVALID, "redact", "the pattern %.*s masks nothing in its sample; correct the pattern, its hints or the "
                            "sample", STR_ARGS(name));
        return true;
}

static bool add_own(struct redactor *redactor, const json_t *own, struct err *err)
{
        struct str name = json_str(own, "name"), pattern = json_str(own, "pattern"), sample = json_str(own, "sample");
        const json_t *hints = json_object_get(own, "hints");
        if (!name.length || !pattern.length || !json_array_size(hints) || !sample.length)
                return fail(err, ERR_INVALID, "redact", "a redaction pattern needs name, pattern, hints (a list) and sample; \"%.*s\" lacks one",
                            STR_ARGS(name.bytes ? name : STR("?")));
        uint32_t number = redactor->pattern_count;
        if (!add_pattern(redactor, pattern, false, AHEAD_BYTES, err))
                return err_within(err, "reading the redaction pattern %.*s", STR_ARGS(name));
        for (size_t i = 0; i < json_array_size(hints); i++) {
                const json_t *hint = json_array_get(hints, i);
                struct str text = {json_string_value(hint), json_is_string(hint) ? json_string_length(hint) : 0};
                if (!add_hint(redactor, number, text, err))
                        return err_within(err, "reading the redaction pattern %.*s", STR_ARGS(name));
        }
        return try_sample(redactor, name, sample, err);
}

bool redactor_create(const json_t *patterns, const json_t *disabled, struct redactor **out_redactor, struct err *err)
{
        struct redactor *redactor = calloc(1, sizeof *redactor);
        if (!redactor)
                return fail_memory(err, "redact", sizeof *redactor);
#if defined(__x86_64__)
        redactor->has_avx2 = __builtin_cpu_supports("avx2");
#endif
        bool good = add_built_in(redactor, disabled, err);
        for (size_t i = 0; good && i < json_array_size(patterns); i++)
                good = add_own(redactor, json_array_get(patterns, i), err);
        if (!good) {
                redactor_destroy(redactor);
                return false;
        }
        *out_redactor = redactor;
        return true;
}

void redactor_destroy(struct redactor *redactor)
{
        if (!redactor)
                return;
        for (uint32_t i = 0; i < redactor->pattern_count; i++)
                pcre2_code_free(redactor->patterns[i].code);
        for (size_t i = 0; i < redactor->hint_count; i++)
                free(redactor->hints[i].text);
        free(redactor);
}

/* Stars in place of all but quotes, control bytes, and backslashes with what they escape. True: something changed. */
static bool mask(char *bytes, size_t count)
{
        bool changed = false;
        for (size_t i = 0; i < count; i++) {
                unsigned char c = (unsigned char)bytes[i];
                if (c == '\\') {
                        i += i + 1 < count && bytes[i + 1] == 'u' ? 5 : 1;
                        continue;
                }
                if (c < 0x20 || c == 0x7F || c == '"' || c == '\'' || c == '*')
                        continue;
                bytes[i] = '*';
                changed = true;
        }
        return changed;
}

/* One pass over one text. */
struct pass {
        const struct redactor *redactor;
        char *bytes;
        size_t count;
        pcre2_match_data *found; /* made at the first hint */
        uint64_t masked;
};

/* The part of the text that a pattern sees around a hint. */
static struct str window(const struct pass *pass, const struct pattern *pattern, size_t hint, size_t *out_offset)
{
        size_t back = min_of(hint, (size_t)BACK_BYTES), end = min_of(pass->count, hint + pattern->ahead);
        size_t start = hint - back;
        if (!pattern->from_hint) {
                const char *line = back ? memrchr(pass->bytes + start, '\n', back) : NULL;
                const char *line_end = memchr(pass->bytes + hint, '\n', end - hint);
                start = line ? (size_t)(line - pass->bytes) + 1 : start;
                end = line_end ? (size_t)(line_end - pass->bytes) : end;
        }
        *out_offset = pattern->from_hint ? back : 0;
        return (struct str){pass->bytes + start, end - start};
}

static void try_pattern(struct pass *pass, const struct pattern *pattern, size_t hint)
{
        size_t offset;
        struct str text = window(pass, pattern, hint, &offset);
        if (!pass->found && !(pass->found = pcre2_match_data_create(64, NULL))) {
                pass->masked += mask(pass->bytes + hint, min_of(pass->count - hint, (size_t)AHEAD_BYTES)); /* rather too much */
                return;
        }
        uint32_t options = pattern->from_hint ? PCRE2_ANCHORED : 0;
        while (offset <= text.length &&
               pcre2_match(pattern->code, (PCRE2_SPTR)text.bytes, text.length, offset, options, pass->found, NULL) >= 0) {
                PCRE2_SIZE *at = pcre2_get_ovector_pointer(pass->found) + 2 * pattern->group, *whole = pcre2_get_ovector_pointer(pass->found);
                if (at[0] == PCRE2_UNSET)
                        at = whole;
                if (at[0] < at[1] && at[1] <= text.length)
                        pass->masked += mask((char *)text.bytes + at[0], at[1] - at[0]);
                if (pattern->from_hint)
                        return;
                offset = max_of((size_t)whole[1], offset + 1);
        }
}

static bool is_hint(const struct pass *pass, const struct hint *hint, size_t rare_at)
{
        if (rare_at < hint->at || pass->count - (rare_at - hint->at) < hint->length)
                return false;
        const char *text = pass->bytes + rare_at - hint->at;
        for (size_t i = 0; i < hint->length; i++)
                if (lower((unsigned char)text[i]) != (unsigned char)hint->text[i])
                        return false;
        return true;
}

/* Three bytes at `at` may be some hint's rare ones, of these buckets. */
static void try_hints(struct pass *pass, uint8_t buckets, size_t at)
{
        for (; buckets; buckets &= buckets - 1)
                for (const struct hint *hint = pass->redactor->buckets[__builtin_ctz(buckets)]; hint; hint = hint->next)
                        if (is_hint(pass, hint, at))
                                try_pattern(pass, &pass->redactor->patterns[hint->pattern], at - hint->at);
}

static uint8_t buckets_at(const struct redactor *redactor, const char *p)
{
        return redactor->byte_masks[0][(unsigned char)p[0]] & redactor->byte_masks[1][(unsigned char)p[1]] &
               redactor->byte_masks[2][(unsigned char)p[2]];
}

static void scan_hints(struct pass *pass, size_t from)
{
        for (size_t i = from; i + 3 <= pass->count; i++) {
                uint8_t buckets = buckets_at(pass->redactor, pass->bytes + i);
                if (buckets)
                        try_hints(pass, buckets, i);
        }
}

/* The kinds of card: what their numbers begin with, and how long they are. */
static const struct {
        uint32_t first, last, digits_of_prefix;
        uint32_t lengths; /* a bit for each length */
} cards[] = {
        {4, 4, 1, 1u << 13 | 1u << 16 | 1u << 19},      /* Visa */
        {51, 55, 2, 1u << 16},       {2221, 2720, 4, 1u << 16}, /* Mastercard */
        {34, 34, 2, 1u << 15},       {37, 37, 2, 1u << 15},     /* American Express */
        {6011, 6011, 4, 1u << 16},   {644, 649, 3, 1u << 16}, {65, 65, 2, 1u << 16}, /* Discover */
        {300, 305, 3, 1u << 14},     {36, 36, 2, 1u << 14},   {38, 39, 2, 1u << 14}, /* Diners Club */
        {3528, 3589, 4, 1u << 16},                              /* JCB */
};

static bool is_card(const uint8_t *digits, size_t count)
{
        unsigned sum = 0;
        for (size_t i = 0; i < count; i++) { /* Luhn: every second digit from the right is doubled */
                unsigned digit = digits[count - 1 - i] << (i & 1);
                sum += digit > 9 ? digit - 9 : digit;
        }
        if (sum % 10)
                return false;
        for (size_t i = 0; i < countof(cards); i++) {
                uint32_t prefix = 0;
                for (uint32_t d = 0; d < cards[i].digits_of_prefix; d++)
                        prefix = prefix * 10 + digits[d];
                if (prefix >= cards[i].first && prefix <= cards[i].last && cards[i].lengths >> count & 1)
                        return true;
        }
        return false;
}

static bool is_digit(char c)
{
        return (unsigned char)(c - '0') <= 9;
}

static bool joins_word(char c)
{
        return is_digit(c) || (lower((unsigned char)c) >= 'a' && lower((unsigned char)c) <= 'z') || c == '_';
}

/* Masks the digits of bytes[start..end) when they are a card's number and no part of a word or a decimal. */
static bool mask_card(struct pass *pass, size_t start, size_t end, const uint8_t *digits, size_t count)
{
        bool inside = (start && (joins_word(pass->bytes[start - 1]) || pass->bytes[start - 1] == '.')) ||
                      (end < pass->count && joins_word(pass->bytes[end]));
        if (count < 13 || count > 19 || inside || !is_card(digits, count))
                return false;
        for (size_t at = start; at < end; at++)
                if (is_digit(pass->bytes[at]))
                        pass->bytes[at] = '*';
        pass->masked++;
        return true;
}

/* Digits from `start` with single spaces or dashes between them, never both: a card may end at each gap. Gives where the next
 * may begin: at the first gap, or where the digits end. */
static size_t try_card(struct pass *pass, size_t start)
{
        uint8_t digits[20];
        size_t count = 0, i = start, gap = 0;
        char separator = 0;
        for (; count < countof(digits); i++) {
                char c = i < pass->count ? pass->bytes[i] : 0;
                if (is_digit(c)) {
                        digits[count++] = (uint8_t)(c - '0');
                        continue;
                }
                if (mask_card(pass, start, i, digits, count))
                        return i;
                if ((c != ' ' && c != '-') || (separator && separator != c) || count < 4 || i + 1 >= pass->count ||
                    !is_digit(pass->bytes[i + 1]))
                        break;
                separator = c;
                gap = gap ? gap : i + 1;
        }
        while (!gap && i < pass->count && is_digit(pass->bytes[i])) /* too long for a card: none begins within */
                i++;
        return gap ? gap : max_of(i, start + 1);
}

/* The first digit of the digits and separators around `at`. */
static size_t run_start(const struct pass *pass, size_t at)
{
        while (at > 0 && (is_digit(pass->bytes[at - 1]) ||
                          ((pass->bytes[at - 1] == ' ' || pass->bytes[at - 1] == '-') && at > 1 && is_digit(pass->bytes[at - 2]))))
                at--;
        return at;
}

static void scan_cards(struct pass *pass, size_t from)
{
        size_t run = 0;
        for (size_t i = from; i < pass->count; i++) {
                run = is_digit(pass->bytes[i]) ? run + 1 : 0;
                if (run == 1 && (i == 0 || !is_digit(pass->bytes[i - 1])))
                        try_card(pass, i);
        }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static inline __m256i masks_of(const uint8_t low[16], const uint8_t high[16], __m256i bytes)
{
        const __m256i nibble = _mm256_set1_epi8(15);
        __m256i lows = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)low));
        __m256i highs = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)high));
        return _mm256_and_si256(_mm256_shuffle_epi8(lows, _mm256_and_si256(bytes, nibble)),
                                _mm256_shuffle_epi8(highs, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
}

/* Gives how far it came; the rest is for scan_hints. */
__attribute__((target("avx2"))) static size_t scan_hints_avx2(struct pass *pass)
{
        const struct redactor *redactor = pass->redactor;
        size_t i = 0;
        for (; i + 34 <= pass->count; i += 32) {
                const char *p = pass->bytes + i;
                __m256i found = masks_of(redactor->low_masks[0], redactor->high_masks[0], _mm256_loadu_si256((const __m256i *)p));
                found = _mm256_and_si256(found, masks_of(redactor->low_masks[1], redactor->high_masks[1],
                                                         _mm256_loadu_si256((const __m256i *)(p + 1))));
                found = _mm256_and_si256(found, masks_of(redactor->low_masks[2], redactor->high_masks[2],
                                                         _mm256_loadu_si256((const __m256i *)(p + 2))));
                uint32_t none = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(found, _mm256_setzero_si256()));
                for (uint32_t some = ~none; some; some &= some - 1) {
                        size_t at = i + (size_t)__builtin_ctz(some);
                        uint8_t buckets = buckets_at(redactor, pass->bytes + at);
                        if (buckets)
                                try_hints(pass, buckets, at);
                }
        }
        return i;
}

/* Looks for thirteen digits in a row, single spaces and dashes between digits counted as digits; over 64 bits, so that
 * none is missed where two loads meet. */
__attribute__((target("avx2"))) static size_t scan_cards_avx2(struct pass *pass)
{
        size_t i = 0, done = 0;
        uint64_t digits_before = 0, filled_before = 0;
        for (; i + 33 <= pass->count; i += 32) {
                __m256i bytes = _mm256_loadu_si256((const __m256i *)(pass->bytes + i));
                __m256i off = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
                uint64_t digits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(off, _mm256_set1_epi8(9)), off));
                uint64_t separators = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(
                        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' ')), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('-'))));
                uint64_t next = is_digit(pass->bytes[i + 32]);
                uint64_t filled = digits | (separators & (digits << 1 | digits_before >> 31) & (digits >> 1 | next << 31));
                uint64_t run = filled << 32 | filled_before;
                run &= run >> 1;
                run &= run >> 2;
                run &= run >> 4; /* eight in a row begin here */
                run &= run >> 5; /* thirteen */
                for (; run; run &= run - 1) {
                        size_t at = i + (size_t)__builtin_ctzll(run) - 32;
                        if (at < done)
                                continue;
                        done = try_card(pass, max_of(run_start(pass, at), done));
                }
                digits_before = digits;
                filled_before = filled;
        }
        return i;
}
#endif

static uint64_t run_pass(struct pass *pass)
{
        size_t hints_done = 0, cards_done = 0;
#if defined(__x86_64__)
        if (pass->redactor->has_avx2) {
                hints_done = scan_hints_avx2(pass);
                cards_done = pass->redactor->cards ? scan_cards_avx2(pass) : 0;
        }
#endif
        scan_hints(pass, hints_done);
        if (pass->redactor->cards) {
                size_t from = cards_done > 64 ? cards_done - 64 : 0; /* a number may have begun before */
                scan_cards(pass, from ? run_start(pass, from) : 0);
        }
        pcre2_match_data_free(pass->found);
        return pass->masked;
}

uint64_t redact_text(const struct redactor *redactor, char *bytes, size_t count)
{
        struct pass pass = {.redactor = redactor, .bytes = bytes, .count = count};
        return count ? run_pass(&pass) : 0;
}

/* Whether a field of this name holds a secret, whatever it looks like: db.password, X-Api-Key, accessToken. */
static bool is_secret_name(struct str name)
{
        static const struct str ends[] = {STR_INIT("password"),  STR_INIT("passwd"),        STR_INIT("pwd"),
                                          STR_INIT("secret"),    STR_INIT("token"),         STR_INIT("apikey"),
                                          STR_INIT("accesskey"), STR_INIT("authorization"), STR_INIT("passphrase"),
                                          STR_INIT("privatekey"), STR_INIT("credential"),   STR_INIT("credentials"),
                                          STR_INIT("cookie")};
        char plain[64];
        size_t used = 0;
        for (size_t i = name.length > 96 ? name.length - 96 : 0; i < name.length && used < sizeof plain; i++)
                if (joins_word(name.bytes[i]) && name.bytes[i] != '_')
                        plain[used++] = (char)lower((unsigned char)name.bytes[i]);
        for (size_t i = 0; i < countof(ends); i++)
                if (used >= ends[i].length && memcmp(plain + used - ends[i].length, ends[i].bytes, ends[i].length) == 0)
                        return true;
        return false;
}

uint64_t redact_telemetry(const struct redactor *redactor, struct telemetry *telemetry)
{
        uint64_t masked = 0;
        each (record, &telemetry->records) {
                masked += redact_text(redactor, (char *)record->line.bytes, record->line.length);
                each (attribute, &record->attributes)
                        masked += is_secret_name(attribute->name)
                                          ? mask((char *)attribute->value.bytes, attribute->value.length)
                                          : redact_text(redactor, (char *)attribute->value.bytes, attribute->value.length);
        }
        return masked;
}

static uint64_t redact_string(const struct redactor *redactor, json_t *string, bool wholly)
{
        char room[256]; /* nearly every text of an alert or a hook fits, and there are many */
        scoped(buf_done) struct buf large = {0};
        size_t length = json_string_length(string);
        if (length > sizeof room && !buf_reserve(&large, length))
                return json_string_setn(string, "", 0), 1; /* no memory: rather lost than told */
        char *copy = length > sizeof room ? large.bytes : room;
        memcpy(copy, json_string_value(string), length);
        uint64_t masked = wholly ? mask(copy, length) : redact_text(redactor, copy, length);
        if (masked && json_string_setn(string, copy, length) != 0) {
                mask(copy, length); /* a mask that cut a character in two: then all of it */
                if (json_string_setn(string, copy, length) != 0)
                        json_string_setn(string, "", 0);
        }
        return masked;
}

static uint64_t redact_tree(const struct redactor *redactor, json_t *tree, bool wholly, int depth)
{
        uint64_t masked = 0;
        const char *key;
        json_t *member;
        size_t i;
        if (depth > JSON_DEPTH_MAX)
                return 0;
        if (json_is_string(tree))
                return redact_string(redactor, tree, wholly);
        if (wholly && json_is_integer(tree) && json_integer_value(tree))
                return json_integer_set(tree, 0), 1;
        if (wholly && json_is_real(tree))
                return json_real_set(tree, 0), 1;
        json_array_foreach(tree, i, member)
                masked += redact_tree(redactor, member, wholly, depth + 1);
        json_object_foreach(tree, key, member)
                masked += redact_tree(redactor, member, wholly || is_secret_name(str_of(key)), depth + 1);
        return masked;
}

uint64_t redact_json(const struct redactor *redactor, json_t *tree)
{
        return redact_tree(redactor, tree, false, 0);
}
