/* promql_lexer.c - see promql_lexer.h. Driven by the parser, one token of look-ahead. */
#include "query/promql_lexer.h"

#include "base/scope.h"
#include "query/promql_tree.h"

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c)
{
        return is_alpha(c) || is_digit(c);
}

static char peek(const struct lexer *lexer, size_t ahead)
{
        return lexer->at + ahead < lexer->text.length ? lexer->text.bytes[lexer->at + ahead] : 0;
}

static void skip_blank(struct lexer *lexer)
{
        for (;;) {
                while (is_space(peek(lexer, 0)))
                        lexer->at++;
                if (peek(lexer, 0) != '#')
                        return;
                while (lexer->at < lexer->text.length && peek(lexer, 0) != '\n')
                        lexer->at++;
        }
}

static void take_digits(struct lexer *lexer)
{
        while (is_digit(peek(lexer, 0)))
                lexer->at++;
}

static bool take_unit(struct lexer *lexer)
{
        char unit = peek(lexer, 0);
        if (!unit || !strchr("smhdwy", unit))
                return false;
        lexer->at += unit == 'm' && peek(lexer, 1) == 's' ? 2 : 1;
        return true;
}

/* 1h30m: digits and unit, again and again; digits were taken already when this begins at a unit. */
static bool take_duration(struct lexer *lexer)
{
        do {
                take_digits(lexer);
                if (!take_unit(lexer))
                        return false;
        } while (is_digit(peek(lexer, 0)));
        return !is_word(peek(lexer, 0));
}

static int hex_value(char c)
{
        return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool take_number(struct lexer *lexer)
{
        if (peek(lexer, 0) == '0' && (peek(lexer, 1) | 0x20) == 'x') {
                lexer->at += 2;
                if (hex_value(peek(lexer, 0)) < 0)
                        return false;
                while (is_digit(peek(lexer, 0)) || ((peek(lexer, 0) | 0x20) >= 'a' && (peek(lexer, 0) | 0x20) <= 'f'))
                        lexer->at++;
                return !is_word(peek(lexer, 0));
        }
        take_digits(lexer);
        if (peek(lexer, 0) == '.') {
                lexer->at++;
                take_digits(lexer);
        }
        if ((peek(lexer, 0) | 0x20) == 'e') {
                lexer->at++;
                if (peek(lexer, 0) == '+' || peek(lexer, 0) == '-')
                        lexer->at++;
                if (!is_digit(peek(lexer, 0)))
                        return false;
                take_digits(lexer);
        }
        return !is_word(peek(lexer, 0));
}

static bool number_or_duration(struct lexer *lexer, struct token *token, struct err *err)
{
        size_t start = lexer->at;
        token->kind = TOKEN_NUMBER;
        bool good = !lexer->in_brackets && take_number(lexer);
        if (!good) {
                lexer->at = start;
                token->kind = TOKEN_DURATION;
                good = take_duration(lexer);
        }
        if (!good)
                return promql_fail_at(lexer->text, start, err, "bad number or duration syntax: \"%.*s\"",
                                      STR_ARGS(str_slice(lexer->text, start, min_of(lexer->at + 1, start + 40))));
        token->text = str_slice(lexer->text, start, lexer->at);
        return true;
}

static size_t put_utf8(char *out, uint32_t rune)
{
        if (rune >= 0xD800 && rune < 0xE000)
                rune = 0xFFFD;
        if (rune < 0x80)
                return out[0] = (char)rune, 1;
        if (rune < 0x800)
                return out[0] = (char)(0xC0 | rune >> 6), out[1] = (char)(0x80 | (rune & 0x3F)), 2;
        if (rune < 0x10000)
                return out[0] = (char)(0xE0 | rune >> 12), out[1] = (char)(0x80 | (rune >> 6 & 0x3F)),
                       out[2] = (char)(0x80 | (rune & 0x3F)), 3;
        return out[0] = (char)(0xF0 | rune >> 18), out[1] = (char)(0x80 | (rune >> 12 & 0x3F)),
               out[2] = (char)(0x80 | (rune >> 6 & 0x3F)), out[3] = (char)(0x80 | (rune & 0x3F)), 4;
}

/* Reads exactly count digits of the base; -1 when they are not there. */
static int64_t escape_digits(struct lexer *lexer, int count, int base)
{
        int64_t value = 0;
        for (; count > 0; count--, lexer->at++) {
                int digit = hex_value(peek(lexer, 0));
                if (digit < 0 || digit >= base)
                        return -1;
                value = value * base + digit;
        }
        return value;
}

/* What follows a backslash; gives the bytes written, 0 for a wrong escape. */
static size_t escape(struct lexer *lexer, char quote, char *out)
{
        static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
        char c = peek(lexer, 0);
        const char *found = c ? strchr(from, c) : NULL;
        int64_t value;
        if (found || c == quote) {
                lexer->at++;
                return *out = found ? to[found - from] : c, 1;
        }
        if (c == 'x' || c == 'u' || c == 'U') {
                lexer->at++;
                value = escape_digits(lexer, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
                if (value < 0 || value > 0x10FFFF)
                        return 0;
                return c == 'x' ? (*out = (char)value, 1) : put_utf8(out, (uint32_t)value);
        }
        value = escape_digits(lexer, 3, 8);
        return value < 0 || value > 255 ? 0 : (*out = (char)value, 1);
}

static bool string(struct lexer *lexer, struct token *token, struct err *err)
{
        size_t start = lexer->at++, length = 0;
        char quote = lexer->text.bytes[start];
        char *out = arena_alloc(lexer->arena, lexer->text.length - start + 1); /* a meaning is never longer than its text */
        if (!out)
                return fail_memory(err, "promql", lexer->text.length);
        for (;; ) {
                char c = peek(lexer, 0);
                if (lexer->at >= lexer->text.length || (c == '\n' && quote != '`'))
                        return promql_fail_at(lexer->text, start, err, "unterminated quoted string");
                lexer->at++;
                if (c == quote)
                        break;
                size_t written = 1;
                if (c == '\\' && quote != '`')
                        written = escape(lexer, quote, out + length);
                else
                        out[length] = c;
                if (!written)
                        return promql_fail_at(lexer->text, lexer->at, err, "unknown escape sequence");
                length += written;
        }
        token->kind = TOKEN_STRING;
        token->text = (struct str){out, length};
        return true;
}

static const struct {
        char text[3];
        enum token_kind kind;
} marks[] = { /* longer ones first */
        {"=~", TOKEN_MATCH},    {"!~", TOKEN_NOT_MATCH},   {"==", TOKEN_EQUAL},       {"!=", TOKEN_NOT_EQUAL},
        {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL}, {"<", TOKEN_LESS},     {">", TOKEN_GREATER},
        {"=", TOKEN_ASSIGN},    {"(", TOKEN_LEFT_PAREN},   {")", TOKEN_RIGHT_PAREN},  {"{", TOKEN_LEFT_BRACE},
        {"}", TOKEN_RIGHT_BRACE}, {"[", TOKEN_LEFT_BRACKET}, {"]", TOKEN_RIGHT_BRACKET}, {",", TOKEN_COMMA},
        {":", TOKEN_COLON},     {"@", TOKEN_AT},           {"+", TOKEN_ADD},          {"-", TOKEN_SUBTRACT},
        {"*", TOKEN_MULTIPLY},  {"/", TOKEN_DIVIDE},       {"%", TOKEN_MODULO},       {"^", TOKEN_POWER},
};

static bool mark(struct lexer *lexer, struct token *token, struct err *err)
{
        for (size_t i = 0; i < countof(marks); i++) {
                size_t length = strlen(marks[i].text);
                if (!str_starts_with(str_slice(lexer->text, lexer->at, lexer->text.length), str_of(marks[i].text)))
                        continue;
                token->kind = marks[i].kind;
                token->text = str_slice(lexer->text, lexer->at, lexer->at + length);
                lexer->at += length;
                if (token->kind == TOKEN_LEFT_BRACE || token->kind == TOKEN_RIGHT_BRACE)
                        lexer->in_braces = token->kind == TOKEN_LEFT_BRACE;
                if (token->kind == TOKEN_LEFT_BRACKET || token->kind == TOKEN_RIGHT_BRACKET)
                        lexer->in_brackets = token->kind == TOKEN_LEFT_BRACKET;
                return true;
        }
        return promql_fail_at(lexer->text, lexer->at, err, "unexpected character: '%c'",
                              peek(lexer, 0) >= ' ' && peek(lexer, 0) < 127 ? peek(lexer, 0) : '?');
}

static bool begins_word(const struct lexer *lexer)
{
        char c = peek(lexer, 0);
        return is_alpha(c) || (c == ':' && !lexer->in_braces && !lexer->in_brackets);
}

bool lexer_next(struct lexer *lexer, struct token *out_token, struct err *err)
{
        skip_blank(lexer);
        *out_token = (struct token){.kind = TOKEN_END, .place = lexer->at};
        if (lexer->at >= lexer->text.length)
                return true;
        char c = peek(lexer, 0);
        if (begins_word(lexer)) {
                size_t start = lexer->at;
                while (is_word(peek(lexer, 0)) || (peek(lexer, 0) == ':' && !lexer->in_braces))
                        lexer->at++;
                out_token->kind = TOKEN_WORD;
                out_token->text = str_slice(lexer->text, start, lexer->at);
                return true;
        }
        if (c == '"' || c == '\'' || c == '`')
                return string(lexer, out_token, err);
        if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1))))
                return number_or_duration(lexer, out_token, err);
        return mark(lexer, out_token, err);
}
