/* token.c - see token.h. Hand-written, because a table of patterns costs a pass each; a byte is looked at about twice. */
#include "learn/token.h"

#include "base/hash.h"
#include "base/scope.h"

#include <string.h>

#define QUOTED_BYTES_MAX 512

struct scan {
        struct str line;
        struct token *tokens;
        uint32_t count;
        size_t at;
};

const char *value_type_name(enum value_type type)
{
        static const char *const names[] = {
#define X(name, text) text,
#include "learn/value_type.def"
#undef X
        };
        return type < VALUE_TYPES ? names[type] : "text";
}

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }
static inline bool is_letter(char c) { return (unsigned char)((c | 32) - 'a') < 26; }
static inline bool is_hex(char c) { return is_digit(c) || (unsigned char)((c | 32) - 'a') < 6; }
static inline bool is_blank(char c) { return c == ' ' || (unsigned char)(c - '\t') < 5; }

/* Bytes that hold a word together. All above ASCII do: letters of other scripts. */
static const bool in_word[256] = {
        ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['_'] = true, ['-'] = true, ['.'] = true,
        ['/'] = true, ['\\'] = true, ['+'] = true, ['~'] = true, ['$'] = true, ['%'] = true, [128 ... 255] = true,
};

static inline bool word_byte(char c) { return in_word[(unsigned char)c]; }

static bool one_of(struct str word, const struct str *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (str_equal_nocase(word, list[i]))
                        return true;
        return false;
}

/* What printf makes of a boolean or a missing pointer, in the languages people log from. */
static bool is_flag(struct str word)
{
        static const struct str flags[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("null")};
        return (word.length == 4 || word.length == 5) && one_of(word, flags, countof(flags));
}

/* The C library's day and month names (asctime): only capitalised, since "may" and "sat" are words. */
static bool is_calendar(struct str word)
{
        static const char names[] = "MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
        for (size_t i = 0; word.length == 3 && i < sizeof names - 1; i += 3)
                if (memcmp(word.bytes, names + i, 3) == 0)
                        return true;
        return false;
}

static bool is_user_word(struct str word)
{
        static const struct str names[] = {STR_INIT("user"), STR_INIT("username"), STR_INIT("login")};
        return (word.length >= 4 && word.length <= 8) && one_of(word, names, countof(names));
}

/* "10ms", "3.5s", "4096B", "16K": a number with a unit. */
static enum value_type type_of_unit(struct str unit)
{
        static const struct str times[] = {STR_INIT("ms"), STR_INIT("s"), STR_INIT("us"), STR_INIT("ns"), STR_INIT("sec"), STR_INIT("min"), STR_INIT("h")};
        static const struct str sizes[] = {STR_INIT("b"), STR_INIT("k"), STR_INIT("kb"), STR_INIT("kib"), STR_INIT("m"), STR_INIT("mb"),
                                           STR_INIT("mib"), STR_INIT("g"), STR_INIT("gb"), STR_INIT("gib"), STR_INIT("tb")};
        return one_of(unit, times, countof(times)) ? VALUE_DURATION : one_of(unit, sizes, countof(sizes)) ? VALUE_SIZE : VALUE_ID;
}

struct tally { size_t digits, letters, hex, dots, slashes, others; };

static struct tally tally_of(struct str word)
{
        struct tally tally = {0};
        for (size_t i = 0; i < word.length; i++) {
                char c = word.bytes[i];
                tally.digits += is_digit(c);
                tally.letters += is_letter(c);
                tally.hex += is_hex(c);
                tally.dots += c == '.';
                tally.slashes += c == '/' || c == '\\';
        }
        tally.others = word.length - tally.digits - tally.letters - tally.dots - tally.slashes;
        return tally;
}

static enum value_type type_of_digits_first(struct str word, const struct tally *tally)
{
        if (tally->dots == 3 && tally->letters == 0)
                return VALUE_ADDRESS;
        if (tally->letters == 0)
                return VALUE_NUMBER;
        if (word.length > 2 && word.bytes[0] == '0' && (word.bytes[1] | 32) == 'x')
                return VALUE_HEX;
        if (tally->hex == word.length)
                return VALUE_HEX;
        size_t unit = 0;
        while (unit < word.length && !is_letter(word.bytes[unit]))
                unit++;
        return type_of_unit(str_slice(word, unit, word.length));
}

/* Kind and type of a word by its looks. What begins with a digit, is a path, is long hex or mixes letters with many
 * digits is never written by a programmer in a sentence; "ssh2", "eth0" and "a.b.Class" may be: soft. */
static void class_word(struct str word, struct token *token)
{
        struct tally tally = tally_of(word);
        bool sign = word.length > 1 && (word.bytes[0] == '-' || word.bytes[0] == '+');
        token->kind = TOKEN_VALUE;
        if (tally.digits == 0 && tally.dots == 0 && tally.slashes == 0 && is_flag(word))
                token->type = VALUE_FLAG;
        else if (tally.digits && is_digit(word.bytes[sign]))
                token->type = type_of_digits_first(str_slice(word, sign, word.length), &tally);
        else if ((tally.slashes && (word.bytes[0] == '/' || word.bytes[0] == '\\')) || (tally.slashes > 1 && tally.dots + tally.digits + tally.slashes > 2))
                token->type = VALUE_PATH;
        else if (word.length >= 8 && tally.hex == word.length)
                token->type = VALUE_HEX;
        else if (tally.digits > 2 || (tally.digits && tally.hex == word.length && word.length >= 4))
                token->type = tally.dots > 1 ? VALUE_ADDRESS : VALUE_ID;
        else if (tally.digits && (word.bytes[0] | 32) == 'v' && tally.letters == 1)
                token->type = VALUE_ID;
        else if (tally.digits || tally.dots > 1)
                token->kind = TOKEN_SOFT, token->type = tally.dots > 1 ? VALUE_NAME : VALUE_ID;
        else
                token->kind = TOKEN_WORD, token->type = is_calendar(word) ? VALUE_TIME : VALUE_TEXT;
        if (token->type == VALUE_TIME)
                token->kind = TOKEN_VALUE;
}

static bool is_mark(const struct scan *scan, uint32_t number, char mark)
{
        const struct token *token = &scan->tokens[number];
        return token->kind == TOKEN_MARK && token->length == 1 && scan->line.bytes[token->start] == mark;
}

/* The last token is the seconds of 07:07:00: the year or zone after it is part of the same time. */
static bool ends_clock(const struct scan *scan)
{
        return scan->count > 4 && is_mark(scan, scan->count - 2, ':') && is_mark(scan, scan->count - 4, ':') &&
               scan->tokens[scan->count - 1].length == 2 && scan->tokens[scan->count - 3].length == 2;
}

static struct token *scan_add(struct scan *scan, size_t end, enum token_kind kind, enum value_type type)
{
        struct str text = str_slice(scan->line, scan->at, end);
        bool blank = scan->at > 0 && is_blank(scan->line.bytes[scan->at - 1]);
        struct token *last = scan->count ? &scan->tokens[scan->count - 1] : NULL;
        if (kind == TOKEN_VALUE && blank && last && last->kind == TOKEN_VALUE) {
                last->run = last->run < 255 ? last->run + 1 : 255;
                last->type = last->type == VALUE_TIME || ends_clock(scan) ? VALUE_TIME : last->type == type ? last->type : VALUE_TEXT;
                last->length = (uint32_t)(end - last->start);
                scan->at = end;
                return last;
        }
        struct token *token = &scan->tokens[scan->count++];
        *token = (struct token){0, (uint32_t)scan->at, (uint32_t)text.length, kind, type, 1, blank};
        if (kind == TOKEN_WORD)
                token->hash = hash64(text);
        else if (kind == TOKEN_MARK)
                token->hash = (uint64_t)(unsigned char)text.bytes[0] * text.length;
        scan->at = end;
        return token;
}

static bool ends_value(char c) { return is_blank(c) || strchr(",;)]}\"'<>|", c); }

/* The value of name=value: up to a blank or a closing mark; brackets belong to it if they close before a blank. */
static size_t end_of_assigned(struct str line, size_t at)
{
        size_t depth = 0, end = at, opened = 0;
        for (; end < line.length; end++) {
                char c = line.bytes[end];
                if (c == '(' || c == '{' || c == '[') {
                        opened = depth++ ? opened : end;
                } else if (depth && (c == ')' || c == '}' || c == ']')) {
                        depth--;
                } else if (depth ? is_blank(c) || c == 0 : c == 0 || ends_value(c) || c == ':' || c == '=') {
                        break;
                }
        }
        return depth ? opened : end;
}

static bool previous_is(const struct scan *scan, char mark)
{
        return scan->count && is_mark(scan, scan->count - 1, mark);
}

static bool after_user(const struct scan *scan)
{
        const struct token *last = scan->count ? &scan->tokens[scan->count - 1] : NULL;
        return last && last->kind == TOKEN_WORD && is_user_word(str_slice(scan->line, last->start, last->start + last->length));
}

/* A quoted text is one value; an apostrophe inside a word opens nothing. */
static bool scan_quoted(struct scan *scan)
{
        char quote = scan->line.bytes[scan->at];
        size_t limit = min_of(scan->line.length, scan->at + QUOTED_BYTES_MAX);
        if (quote != '"' && (quote != '\'' || (scan->at && word_byte(scan->line.bytes[scan->at - 1]))))
                return false;
        const char *close = scan->at + 1 < limit ? memchr(scan->line.bytes + scan->at + 1, quote, limit - scan->at - 1) : NULL;
        size_t end = close ? (size_t)(close - scan->line.bytes) : 0;
        if (!close || end == scan->at + 1 || scan->count + 3 > LINE_TOKENS_MAX - 1)
                return false;
        if (quote == '\'' && end + 1 < scan->line.length && word_byte(scan->line.bytes[end + 1]))
                return false;
        scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
        scan_add(scan, end, TOKEN_SOFT, VALUE_QUOTED);
        scan_add(scan, end + 1, TOKEN_MARK, VALUE_TEXT);
        return true;
}

/* MAC, WWN and IPv6 addresses: groups of hex with at least five colons (or a "::" among three). 0: none here. */
static size_t end_of_colon_groups(struct str line, size_t at)
{
        size_t end = at, colons = 0, group = 0;
        for (; end < line.length && (is_hex(line.bytes[end]) || line.bytes[end] == ':'); end++) {
                group = line.bytes[end] == ':' ? 0 : group + 1;
                colons += line.bytes[end] == ':';
                if (group > 4)
                        return 0;
        }
        return colons >= 5 && (end == line.length || !word_byte(line.bytes[end])) ? end : 0;
}

/* X:\ and all that is not a blank or a quote after it. */
static size_t end_of_drive_path(struct str line, size_t at)
{
        size_t end = at + 3;
        if (line.length < end || !is_letter(line.bytes[at]) || line.bytes[at + 1] != ':' || line.bytes[at + 2] != '\\')
                return 0;
        while (end < line.length && !is_blank(line.bytes[end]) && !strchr("\"',;", line.bytes[end]))
                end++;
        return end;
}

/* symbol+0x1c/0x40, as every backtrace has it. */
static bool is_offset(struct str line, size_t at)
{
        return at > 0 && at + 2 < line.length && line.bytes[at] == '+' && line.bytes[at + 1] == '0' && line.bytes[at + 2] == 'x' &&
               word_byte(line.bytes[at - 1]);
}

static size_t end_of_word(struct str line, size_t at)
{
        size_t end = at;
        while (end < line.length && word_byte(line.bytes[end]) && !is_offset(line, end) &&
               !(line.bytes[end] == '.' && end + 1 < line.length && line.bytes[end + 1] == '.'))
                end++;
        while (end > at + 1 && (line.bytes[end - 1] == '.' || (line.bytes[end - 1] == '-' && end < line.length)))
                end--;
        return end;
}

/* core.2275: a name and its number, as "%s.%d" writes them. */
static size_t end_of_numbered_name(struct str word)
{
        size_t letters = 0, end;
        while (letters < word.length && is_letter(word.bytes[letters]))
                letters++;
        if (letters < 2 || letters + 1 >= word.length || word.bytes[letters] != '.')
                return 0;
        for (end = letters + 1; end < word.length && is_digit(word.bytes[end]); end++)
                ;
        return end == word.length ? letters : 0;
}

static void scan_word(struct scan *scan)
{
        struct token shape = {0};
        bool assigned = previous_is(scan, '=');
        bool tight = assigned && !is_blank(scan->line.bytes[scan->at - 1]);
        size_t end = tight ? end_of_assigned(scan->line, scan->at) : end_of_word(scan->line, scan->at);
        if (end == scan->at)
                end++;
        struct str word = str_slice(scan->line, scan->at, end);
        size_t name = end_of_numbered_name(word);
        if (name && !assigned && scan->count + 3 < LINE_TOKENS_MAX) {
                scan_add(scan, scan->at + name, TOKEN_WORD, VALUE_TEXT);
                scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
                scan_add(scan, end, TOKEN_VALUE, VALUE_NUMBER);
                return;
        }
        class_word(word, &shape);
        if (shape.kind == TOKEN_WORD && (assigned || after_user(scan))) {
                shape.kind = TOKEN_SOFT;
                shape.type = assigned ? VALUE_NAME : VALUE_USER;
        }
        scan_add(scan, end, shape.kind, shape.type);
}

/* Empty brackets that stand alone, " ()", hold a value that was empty: nobody writes them in a sentence. */
static bool scan_empty_brackets(struct scan *scan)
{
        const char *pair = strchr("()[]<>{}", scan->line.bytes[scan->at]);
        bool alone = scan->at > 0 && is_blank(scan->line.bytes[scan->at - 1]);
        if (!alone || !pair || !*pair || scan->at + 1 >= scan->line.length || scan->line.bytes[scan->at + 1] != pair[1] || !pair[1] ||
            scan->count + 3 > LINE_TOKENS_MAX - 1 || !strchr("([<{", *pair))
                return false;
        scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
        scan_add(scan, scan->at, TOKEN_VALUE, VALUE_TEXT);
        scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
        return true;
}

static void scan_one(struct scan *scan)
{
        struct str line = scan->line;
        char c = line.bytes[scan->at];
        size_t end = is_hex(c) || c == ':' ? end_of_colon_groups(line, scan->at) : 0;
        if (end || (end = end_of_drive_path(line, scan->at)) > 0) {
                scan_add(scan, end, TOKEN_VALUE, is_letter(c) && line.bytes[scan->at + 2] == '\\' ? VALUE_PATH : VALUE_ADDRESS);
        } else if ((c == '"' || c == '\'') && scan_quoted(scan)) {
                return;
        } else if (scan_empty_brackets(scan)) {
                return;
        } else if (word_byte(c) && !is_offset(line, scan->at) && !(c == '.' && !(scan->at + 1 < line.length && (is_digit(line.bytes[scan->at + 1]) || line.bytes[scan->at + 1] == '/')))) {
                scan_word(scan);
        } else {
                for (end = scan->at; end < line.length && line.bytes[end] == c; end++)
                        ;
                scan_add(scan, end, TOKEN_MARK, VALUE_TEXT);
        }
}

uint32_t line_scan(struct str line, struct token out_tokens[static LINE_TOKENS_MAX])
{
        struct scan scan = {.line = str_slice(line, 0, UINT32_MAX), .tokens = out_tokens};
        while (scan.at < scan.line.length) {
                if (is_blank(scan.line.bytes[scan.at]))
                        scan.at++;
                else if (scan.count == LINE_TOKENS_MAX - 1)
                        scan_add(&scan, scan.line.length, TOKEN_VALUE, VALUE_TEXT);
                else
                        scan_one(&scan);
        }
        return scan.count;
}
