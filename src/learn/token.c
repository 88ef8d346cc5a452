/* token.c - see token.h. Hand-written, because a table of patterns costs a pass each; a byte is looked at about twice. */
#include "learn/token.h"

#include "base/hash.h"
#include "base/scope.h"
#include "learn/word.h"

#include <string.h>

#define QUOTED_BYTES_MAX 512
#define LIST_BYTES_MAX 256

struct scan {
        struct str line;
        struct token *tokens;
        uint32_t count;
        size_t at, sentence_end; /* where the quote of a quoted sentence closes; 0: in none */
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

/* Bytes that hold a word together. All above ASCII do: letters of other scripts. */
static const bool in_word[256] = {
        ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['_'] = true, ['-'] = true, ['.'] = true,
        ['/'] = true, ['\\'] = true, ['+'] = true, ['~'] = true, ['$'] = true, ['%'] = true, [128 ... 255] = true,
};

static inline bool word_byte(char c) { return in_word[(unsigned char)c]; }

/* Bytes at which a value ends. */
static const bool ends_values[256] = {
        ['\t' ... '\r'] = true, [' '] = true, [','] = true, [';'] = true, [')'] = true, [']'] = true, ['}'] = true, ['"'] = true, ['\''] = true,
        ['<'] = true, ['>'] = true, ['|'] = true, [0] = true,
};

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

static inline bool ends_value(char c) { return ends_values[(unsigned char)c]; }

/* name=[one, two]: what the brackets hold is one value, unless it has names of its own. 0: none here. */
static size_t end_of_list(struct str line, size_t at)
{
        static const char open[] = "([{", close[] = ")]}";
        char first = line.bytes[at];
        if (first != '(' && first != '[' && first != '{')
                return 0;
        const char *kind = strchr(open, first);
        for (size_t end = at + 1; end < min_of(line.length, at + LIST_BYTES_MAX) && line.bytes[end] != '='; end++)
                if (line.bytes[end] == close[kind - open])
                        return end + 1;
        return 0;
}

/* The value of name=value: up to a blank or a closing mark; brackets belong to it if they close before a blank. */
static size_t end_of_assigned(struct str line, size_t at)
{
        size_t list = end_of_list(line, at);
        if (list)
                return list;
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

static struct str token_text(const struct scan *scan, const struct token *token)
{
        return str_slice(scan->line, token->start, token->start + token->length);
}

static bool after_user(const struct scan *scan)
{
        const struct token *last = scan->count ? &scan->tokens[scan->count - 1] : NULL;
        return last && last->kind == TOKEN_WORD && word_is_user(token_text(scan, last));
}

/* After msg= or "msg": stands the programmer's sentence, also when it is quoted. */
static bool after_sentence_key(const struct scan *scan)
{
        if (scan->count < 2 || (!previous_is(scan, '=') && !previous_is(scan, ':')))
                return false;
        uint32_t key = scan->count - 2;
        key -= key > 0 && is_mark(scan, key, '"');
        return word_is_sentence(token_text(scan, &scan->tokens[key])) && (previous_is(scan, '=') || is_mark(scan, scan->count - 2, '"'));
}

/* "GET /index.html HTTP/1.1": a request line as access logs quote it. */
static bool is_request_line(struct str text)
{
        size_t blank;
        return str_find(text, STR(" "), &blank) && word_is_method(str_slice(text, 0, blank)) && str_find(text, STR(" HTTP/"), &blank);
}

/* A quoted text is one value; an apostrophe inside a word opens nothing. A sentence or a request line is scanned as if it
 * were not quoted; before a colon stands a name. */
static bool scan_quoted(struct scan *scan)
{
        char quote = scan->line.bytes[scan->at];
        size_t limit = min_of(scan->line.length, scan->at + QUOTED_BYTES_MAX);
        if (quote != '"' && (quote != '\'' || (scan->at && word_byte(scan->line.bytes[scan->at - 1]))))
                return false;
        const char *close = scan->at + 1 < limit ? memchr(scan->line.bytes + scan->at + 1, quote, limit - scan->at - 1) : NULL;
        size_t end = close ? (size_t)(close - scan->line.bytes) : 0;
        if (!close || end == scan->at + 1 || scan->count + 3 > LINE_TOKENS_MAX - 1 || scan->at == scan->sentence_end)
                return false;
        if (quote == '\'' && end + 1 < scan->line.length && word_byte(scan->line.bytes[end + 1]))
                return false;
        if (after_sentence_key(scan) || is_request_line(str_slice(scan->line, scan->at + 1, end))) {
                scan->sentence_end = end;
                return false;
        }
        bool is_name = end + 1 < scan->line.length && scan->line.bytes[end + 1] == ':';
        scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
        scan_add(scan, end, is_name ? TOKEN_WORD : TOKEN_SOFT, VALUE_QUOTED);
        scan_add(scan, end + 1, TOKEN_MARK, VALUE_TEXT);
        return true;
}

/* MAC, WWN and IPv6 addresses: groups of hex with at least five colons, or a "::" and a digit. 0: none here. */
static size_t end_of_colon_groups(struct str line, size_t at)
{
        size_t end = at, colons = 0, group = 0, digits = 0;
        bool gap = false;
        for (; end < line.length && (is_hex(line.bytes[end]) || line.bytes[end] == ':'); end++) {
                bool colon = line.bytes[end] == ':';
                gap |= colon && end > at && line.bytes[end - 1] == ':';
                group = colon ? 0 : group + 1;
                colons += colon;
                digits += is_digit(line.bytes[end]);
                if (group > 4)
                        return 0;
        }
        return (colons >= 5 || (gap && digits && line.bytes[end - 1] != ':')) && (end == line.length || !word_byte(line.bytes[end])) ? end : 0;
}

/* X:\ and all that is not a blank or a quote after it. */
static size_t end_of_drive_path(struct str line, size_t at)
{
        size_t end = at + 3;
        if (line.length < end || line.bytes[at + 1] != ':' || line.bytes[at + 2] != '\\' || !is_letter(line.bytes[at]))
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

/* A plus and a dot may end a word, or not. */
static const bool plain_in_word[256] = {
        ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['_'] = true, ['-'] = true, ['/'] = true, ['\\'] = true, ['~'] = true,
        ['$'] = true, ['%'] = true, [128 ... 255] = true,
};

/* Counts what the word is made of on the way. */
static inline size_t end_of_counted_word(struct str line, size_t at, uint64_t *out_counts)
{
        size_t end = at;
        uint64_t counts = 0;
        for (;;) {
                for (; end < line.length && plain_in_word[(unsigned char)line.bytes[end]]; end++)
                        counts += byte_counts[(unsigned char)line.bytes[end]];
                if (end == line.length || (line.bytes[end] != '+' && line.bytes[end] != '.') || is_offset(line, end) ||
                    (line.bytes[end] == '.' && end + 1 < line.length && line.bytes[end + 1] == '.'))
                        break;
                counts += byte_counts[(unsigned char)line.bytes[end++]];
        }
        while (end > at + 1 && (line.bytes[end - 1] == '.' || (line.bytes[end - 1] == '-' && end < line.length)))
                counts -= byte_counts[(unsigned char)line.bytes[--end]];
        *out_counts = end - at > WORD_COUNTED_MAX ? word_counts(str_slice(line, at, end)) : counts;
        return end;
}

static size_t end_of_word(struct str line, size_t at)
{
        uint64_t counts;
        return end_of_counted_word(line, at, &counts);
}

/* core.2275: a name and its number, as "%s.%d" writes them. */
static size_t end_of_numbered_name(struct str word, uint64_t counts)
{
        size_t letters = 0, end;
        if (COUNT_OF(counts, COUNT_DOT) != 1 || !COUNT_OF(counts, COUNT_DIGIT))
                return 0;
        while (letters < word.length && is_letter(word.bytes[letters]))
                letters++;
        if (letters < 2 || letters + 1 >= word.length || word.bytes[letters] != '.')
                return 0;
        for (end = letters + 1; end < word.length && is_digit(word.bytes[end]); end++)
                ;
        return end == word.length ? letters : 0;
}

/* alice@example.org, getty@tty1, Object@1f2e3d: 0: none here. */
static size_t end_of_at_name(struct str line, size_t end)
{
        return end + 1 < line.length && line.bytes[end] == '@' && word_byte(line.bytes[end + 1]) ? end_of_word(line, end + 1) : 0;
}

/* crond[2391]: who writes, with a number. */
static bool has_number(struct str line, size_t end)
{
        size_t at = end + 1;
        while (at < line.length && is_digit(line.bytes[at]))
                at++;
        return end < line.length && line.bytes[end] == '[' && at > end + 1 && at < line.length && line.bytes[at] == ']';
}

static void scan_word(struct scan *scan)
{
        struct token shape = {0};
        bool assigned = previous_is(scan, '=') && !after_sentence_key(scan);
        bool tight = assigned && !is_blank(scan->line.bytes[scan->at - 1]);
        uint64_t counts = 0;
        size_t end = tight ? end_of_assigned(scan->line, scan->at) : end_of_counted_word(scan->line, scan->at, &counts);
        if (end == scan->at)
                end++;
        struct str word = str_slice(scan->line, scan->at, end);
        if (tight || word.length == 1)
                counts = word_counts(word);
        size_t at_name = assigned ? 0 : end_of_at_name(scan->line, end);
        if (at_name) {
                scan_add(scan, at_name, TOKEN_VALUE, VALUE_USER);
                return;
        }
        size_t name = end_of_numbered_name(word, counts);
        if (name && !assigned && scan->count + 3 < LINE_TOKENS_MAX) {
                scan_add(scan, scan->at + name, TOKEN_WORD, VALUE_TEXT);
                scan_add(scan, scan->at + 1, TOKEN_MARK, VALUE_TEXT);
                scan_add(scan, end, TOKEN_VALUE, VALUE_NUMBER);
                return;
        }
        word_class(word, counts, &shape);
        if (shape.kind == TOKEN_SOFT && scan->count == 0 && word_is_dotted(counts)) /* a setting's or a module's name opens a sentence */
                shape.kind = TOKEN_WORD;
        if (shape.kind == TOKEN_WORD && (assigned || after_user(scan) || has_number(scan->line, end))) {
                shape.kind = TOKEN_SOFT;
                shape.type = !assigned && after_user(scan) ? VALUE_USER : VALUE_NAME;
        }
        scan_add(scan, end, shape.kind, shape.type);
}

/* Empty brackets that stand alone, " ()", hold a value that was empty: nobody writes them in a sentence. */
static bool scan_empty_brackets(struct scan *scan)
{
        char open = scan->line.bytes[scan->at], close = open == '(' ? ')' : open == '[' ? ']' : open == '<' ? '>' : open == '{' ? '}' : 0;
        if (!close || scan->at + 1 >= scan->line.length || scan->line.bytes[scan->at + 1] != close || !scan->at ||
            !is_blank(scan->line.bytes[scan->at - 1]) || scan->count + 3 > LINE_TOKENS_MAX - 1)
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
