/*
 * logql.c - see logql.h.
 *
 * A hand-written walk over the text: the language is a list of matchers and a list of filters. What LogQL has beyond that
 * is known by name, so that the answer to it is "not built" and not "what is this".
 */
#include "query/logql.h"

#include "base/scope.h"
#include "store/line_filter.h"

#define QUERY_BYTES_MAX ((size_t)64 << 10)
#define MATCHERS_MAX 64
#define FILTERS_MAX 64

struct parse {
        struct str text;
        size_t at;
        struct arena *arena;
        struct err *err;
};

/* Fails with "line:column: " of a place; columns count characters. */
static bool wrong_at(struct parse *parse, size_t at, enum err_code code, const char *what)
{
        size_t line = 1, column = 1;
        for (size_t i = 0; i < at && i < parse->text.length; i++) {
                bool newline = parse->text.bytes[i] == '\n';
                line += newline;
                column = newline ? 1 : column + ((parse->text.bytes[i] & 0xC0) != 0x80);
        }
        return fail(parse->err, code, "logql", "%zu:%zu: %s", line, column, what);
}

static bool wrong(struct parse *parse, const char *what)
{
        return wrong_at(parse, parse->at, ERR_INVALID, what);
}

static int peek(const struct parse *parse)
{
        return parse->at < parse->text.length ? (unsigned char)parse->text.bytes[parse->at] : -1;
}

static void skip_space(struct parse *parse)
{
        for (int c; (c = peek(parse)) == ' ' || (c >= '\t' && c <= '\r') || c == '#';) {
                if (c == '#') {
                        while (peek(parse) != '\n' && peek(parse) >= 0)
                                parse->at++;
                        continue;
                }
                parse->at++;
        }
}

static bool take(struct parse *parse, const char *token)
{
        struct str rest = str_slice(parse->text, parse->at, parse->text.length);
        if (!str_starts_with(rest, str_of(token)))
                return false;
        parse->at += strlen(token);
        return true;
}

static bool is_name(int c, bool first)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static struct str take_name(struct parse *parse)
{
        size_t from = parse->at;
        while (is_name(peek(parse), parse->at == from))
                parse->at++;
        return str_slice(parse->text, from, parse->at);
}

static int hex_digit(int c)
{
        return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* As many digits of the base as said; -1: one is missing. */
static int64_t take_digits(struct parse *parse, int count, int base)
{
        int64_t value = 0;
        for (int i = 0; i < count; i++) {
                int digit = hex_digit(peek(parse));
                if (digit < 0 || digit >= base)
                        return -1;
                value = value * base + digit;
                parse->at++;
        }
        return value;
}

static bool put_utf8(struct buf *out, int64_t point)
{
        if (point < 0 || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
                return false;
        if (point < 0x80)
                return buf_u8(out, (uint8_t)point);
        int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
        buf_u8(out, (uint8_t)(lead[more] | point >> 6 * more));
        while (more-- > 0)
                buf_u8(out, (uint8_t)(0x80 | (point >> 6 * more & 0x3F)));
        return true;
}

/* What stands after a backslash, as in Go's string literals. */
static bool take_escape(struct parse *parse, struct buf *out)
{
        static const char names[] = "abfnrtv\\\"'", bytes[] = "\a\b\f\n\r\t\v\\\"'";
        int c = peek(parse);
        const char *simple = c > 0 ? strchr(names, c) : NULL;
        int64_t value = -1;
        if (simple) {
                parse->at++;
                return buf_byte(out, bytes[simple - names]);
        }
        if (c >= '0' && c <= '7') {
                value = take_digits(parse, 3, 8);
                return value >= 0 && value <= 255 && buf_u8(out, (uint8_t)value);
        }
        parse->at++;
        if (c == 'x')
                return (value = take_digits(parse, 2, 16)) >= 0 && buf_u8(out, (uint8_t)value);
        if (c == 'u' || c == 'U')
                return put_utf8(out, take_digits(parse, c == 'u' ? 4 : 8, 16));
        return false;
}

/* "..." with escapes or `...` without. */
static bool take_text(struct parse *parse, struct str *out_text)
{
        size_t from = parse->at;
        int quote = peek(parse);
        if (quote != '"' && quote != '`')
                return wrong(parse, "a text in \"...\" or `...` is expected here");
        scoped(buf_done) struct buf text = {0};
        parse->at++;
        for (int c; (c = peek(parse)) != quote;) {
                if (c < 0 || (quote == '"' && c == '\n'))
                        return wrong_at(parse, from, ERR_INVALID, "the text that begins here does not end");
                size_t at = parse->at++;
                if (quote == '"' && c == '\\') {
                        if (!take_escape(parse, &text) && !text.failed)
                                return wrong_at(parse, at, ERR_INVALID,
                                                "no such escape; write \\\\ for a backslash, or put the text in `...`");
                } else {
                        buf_byte(&text, (char)c);
                }
        }
        parse->at++;
        *out_text = arena_str(parse->arena, buf_str(&text));
        if (text.failed || !out_text->bytes)
                return fail_memory(parse->err, "logql", text.length);
        return true;
}

static bool take_matcher(struct parse *parse, struct matchers *matchers)
{
        static const struct {
                const char *token;
                enum match_op op;
        } operators[] = {{"=~", MATCH_REGEX}, {"!~", MATCH_NOT_REGEX}, {"!=", MATCH_NOT_EQUAL}, {"=", MATCH_EQUAL}};
        struct str name = take_name(parse), value;
        if (!name.length)
                return wrong(parse, "a label's name is expected here");
        skip_space(parse);
        size_t i = 0;
        while (i < countof(operators) && !take(parse, operators[i].token))
                i++;
        if (i == countof(operators))
                return wrong(parse, "one of = != =~ !~ is expected here");
        skip_space(parse);
        size_t at = parse->at;
        if (!take_text(parse, &value))
                return false;
        if (matchers->count == MATCHERS_MAX)
                return wrong_at(parse, at, ERR_INVALID, "more than 64 matchers; use fewer");
        struct err why;
        if (matchers_add(matchers, parse->arena, operators[i].op, name, value, &why))
                return true;
        return why.code == ERR_MEMORY ? fail_memory(parse->err, "logql", value.length)
                                      : wrong_at(parse, at, why.code, why.message);
}

static bool take_selector(struct parse *parse, struct matchers *matchers)
{
        parse->at++; /* { */
        skip_space(parse);
        if (take(parse, "}"))
                return true;
        for (;;) {
                if (!take_matcher(parse, matchers))
                        return false;
                skip_space(parse);
                if (take(parse, "}"))
                        return true;
                if (!take(parse, ","))
                        return wrong(parse, "a comma or } is expected here");
                skip_space(parse);
                if (take(parse, "}"))
                        return true;
        }
}

/* What LogQL has and we have not: refused by name, at its place. */
static bool refuse(struct parse *parse)
{
        static const struct {
                const char *token, *what;
        } others[] = {
                {"|>", "the pattern filter |> is not supported; use |= or |~"},
                {"!>", "the pattern filter !> is not supported; use != or !~"},
                {"|", "of what may follow a | only the line filters |= and |~ are supported; parsers (json, logfmt, regexp, "
                      "pattern, unpack), label filters, line_format, label_format, decolorize, drop, keep and unwrap are not"},
                {"[", "a range [...] belongs to a metric query; log queries are supported, metrics over logs are not"},
                {"or", "\"or\" between line filters is not supported; write |~ \"one|other\""},
                {"offset", "\"offset\" is not supported; ask for another time range"},
        };
        for (size_t i = 0; i < countof(others); i++) {
                size_t at = parse->at;
                if (take(parse, others[i].token))
                        return wrong_at(parse, at, ERR_INVALID, others[i].what);
        }
        return wrong(parse, "a line filter (|= != |~ !~) or the end is expected here");
}

struct filter_list {
        struct line_filter *items;
        size_t count, capacity;
};

static bool take_filter(struct parse *parse, struct filter_list *filters)
{
        static const struct {
                const char *token;
                enum line_filter_op op;
        } operators[] = {
                {"|=", LINE_CONTAINS}, {"!=", LINE_NOT_CONTAINS}, {"|~", LINE_MATCHES}, {"!~", LINE_NOT_MATCHES}};
        size_t i = 0;
        while (i < countof(operators) && !take(parse, operators[i].token))
                i++;
        if (i == countof(operators))
                return refuse(parse);
        skip_space(parse);
        size_t at = parse->at;
        struct line_filter made = {.op = operators[i].op};
        if (take(parse, "ip("))
                return wrong_at(parse, at, ERR_INVALID, "ip(...) is not supported; write the address as a text");
        if (!take_text(parse, &made.text))
                return false;
        if (filters->count == FILTERS_MAX)
                return wrong_at(parse, at, ERR_INVALID, "more than 64 line filters; use fewer");
        struct err why;
        if (!line_filter_compile(&made, &why))
                return wrong_at(parse, at, why.code, why.message);
        struct line_filter *filter = arena_push(parse->arena, filters);
        if (!filter) {
                line_filter_done(&made);
                return fail_memory(parse->err, "logql", sizeof made);
        }
        *filter = made;
        return true;
}

/* A metric query is no words to be searched for. */
static bool is_metric_query(struct str text, struct str *out_name)
{
        static const char *const names[] = {
                "rate", "rate_counter", "count_over_time", "bytes_rate", "bytes_over_time", "absent_over_time",
                "sum_over_time", "avg_over_time", "max_over_time", "min_over_time", "quantile_over_time",
                "first_over_time", "last_over_time", "stdvar_over_time", "stddev_over_time", "sum", "avg", "max", "min",
                "count", "topk", "bottomk", "stddev", "stdvar", "sort", "sort_desc", "vector", "label_replace",
        };
        struct parse parse = {.text = text};
        *out_name = take_name(&parse);
        bool ranged = text.length && memchr(text.bytes, '(', text.length) && memchr(text.bytes, '{', text.length) &&
                      memchr(text.bytes, '[', text.length);
        for (size_t i = 0; i < countof(names) && ranged; i++)
                if (str_is(*out_name, names[i]))
                        return true;
        return false;
}

static bool take_words(struct parse *parse, struct filter_list *filters)
{
        struct str words = str_trim(parse->text), name;
        if (is_metric_query(words, &name))
                return fail(parse->err, ERR_INVALID, "logql",
                            "1:1: %.*s(...) is not supported: log queries are, metrics over logs are not", STR_ARGS(name));
        if (!words.length)
                return true;
        struct line_filter *filter = arena_push(parse->arena, filters);
        struct str text = arena_str(parse->arena, words);
        if (!filter || !text.bytes)
                return fail_memory(parse->err, "logql", words.length);
        *filter = (struct line_filter){LINE_CONTAINS, text, NULL};
        return true;
}

static bool take_query(struct parse *parse, struct matchers *matchers, struct filter_list *filters)
{
        skip_space(parse);
        if (peek(parse) != '{')
                return take_words(parse, filters);
        if (!take_selector(parse, matchers))
                return false;
        for (skip_space(parse); peek(parse) >= 0; skip_space(parse))
                if (!take_filter(parse, filters))
                        return false;
        return true;
}

bool logql_parse(struct str text, struct arena *arena, struct log_select *out_select, struct err *err)
{
        struct parse parse = {text, 0, arena, err};
        struct log_select made = {0};
        struct filter_list filters = {0};
        if (text.length > QUERY_BYTES_MAX)
                return fail(err, ERR_INVALID, "logql", "1:1: the query has %zu bytes, %zu at most; make it shorter",
                            text.length, QUERY_BYTES_MAX);
        bool good = take_query(&parse, &made.matchers, &filters);
        made.filters.items = filters.items;
        made.filters.count = filters.count;
        made.filters.capacity = filters.capacity;
        if (!good) {
                logql_done(&made);
                return false;
        }
        out_select->matchers = made.matchers;
        out_select->filters = made.filters;
        return true;
}

void logql_done(struct log_select *select)
{
        matchers_done(&select->matchers);
        each (filter, &select->filters)
                line_filter_done(filter);
}
