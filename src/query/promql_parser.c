/*
 * promql_parser.c - builds the tree of a query. Recursive descent with operator precedence; one token of look-ahead.
 *
 * Words become keywords only where the grammar has them: a metric may be called `sum` or `offset`, as in Prometheus.
 * A unary sign binds tighter than * and looser than ^.
 */
#include "query/promql_tree.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql_function.h"
#include "query/promql_lexer.h"

#include <math.h>
#include <stdlib.h>

struct parser {
        struct lexer lexer;
        struct token token;     /* the one looked at */
        struct arena *arena;
        struct err *err;
        unsigned nesting;
};

enum precedence { BIND_OR = 1, BIND_AND, BIND_COMPARE, BIND_ADD, BIND_MULTIPLY, BIND_POWER };

static const struct {
        enum token_kind token;  /* TOKEN_WORD: the name says which */
        enum operator operator;
        enum precedence precedence;
} binaries[] = {
        {TOKEN_WORD, OP_OR, BIND_OR},           {TOKEN_WORD, OP_AND, BIND_AND},
        {TOKEN_WORD, OP_UNLESS, BIND_AND},      {TOKEN_EQUAL, OP_EQUAL, BIND_COMPARE},
        {TOKEN_NOT_EQUAL, OP_NOT_EQUAL, BIND_COMPARE}, {TOKEN_LESS, OP_LESS, BIND_COMPARE},
        {TOKEN_LESS_EQUAL, OP_LESS_EQUAL, BIND_COMPARE}, {TOKEN_GREATER, OP_GREATER, BIND_COMPARE},
        {TOKEN_GREATER_EQUAL, OP_GREATER_EQUAL, BIND_COMPARE}, {TOKEN_ADD, OP_ADD, BIND_ADD},
        {TOKEN_SUBTRACT, OP_SUBTRACT, BIND_ADD}, {TOKEN_MULTIPLY, OP_MULTIPLY, BIND_MULTIPLY},
        {TOKEN_DIVIDE, OP_DIVIDE, BIND_MULTIPLY}, {TOKEN_MODULO, OP_MODULO, BIND_MULTIPLY},
        {TOKEN_WORD, OP_ATAN2, BIND_MULTIPLY},  {TOKEN_POWER, OP_POWER, BIND_POWER},
};

/* Words that can never be a metric's name. */
static const char *const reserved[] = {"on", "ignoring", "group_left", "group_right", "bool", "atan2"};

static struct node *parse_expression(struct parser *parser, enum precedence least);

static struct node *wrong(struct parser *parser, const char *wanted)
{
        if (parser->token.kind == TOKEN_END)
                promql_fail_at(parser->lexer.text, parser->token.place, parser->err, "unexpected end of input, expected %s",
                               wanted);
        else
                promql_fail_at(parser->lexer.text, parser->token.place, parser->err, "unexpected \"%.*s\", expected %s",
                               (int)min_of(parser->token.text.length, (size_t)60), parser->token.text.bytes, wanted);
        return NULL;
}

static bool advance(struct parser *parser)
{
        return lexer_next(&parser->lexer, &parser->token, parser->err);
}

static bool take(struct parser *parser, enum token_kind kind, const char *wanted)
{
        if (parser->token.kind != kind)
                return wrong(parser, wanted), false;
        return advance(parser);
}

static bool at_word(const struct parser *parser, const char *word)
{
        return parser->token.kind == TOKEN_WORD && str_equal_nocase(parser->token.text, str_of(word));
}

/* The character after the token looked at, white space skipped: what tells a call from a name. */
static struct token following(const struct parser *parser)
{
        struct lexer ahead = parser->lexer;
        struct token token = {0};
        struct err ignored;
        lexer_next(&ahead, &token, &ignored);
        return token;
}

static struct node *make(struct parser *parser, enum node_kind kind, size_t place)
{
        struct node *node = arena_new(parser->arena, struct node);
        if (!node) {
                fail_memory(parser->err, "promql", sizeof *node);
                return NULL;
        }
        *node = (struct node){.kind = kind, .place = place, .depth = 1};
        return node;
}

static bool adopt(struct parser *parser, struct node *parent, struct node *child)
{
        struct node **slot = child ? arena_push(parser->arena, &parent->children) : NULL;
        if (!slot) {
                if (child)
                        fail_memory(parser->err, "promql", sizeof *slot);
                return tree_done(child), false;
        }
        *slot = child;
        parent->depth = max_of(parent->depth, child->depth + 1);
        if (parent->depth > TREE_DEPTH_MAX)
                return promql_fail_at(parser->lexer.text, parent->place, parser->err,
                                      "the query is nested deeper than %u; split it", TREE_DEPTH_MAX);
        return true;
}

/* On failure the half-built node goes, with the regular expressions below it. */
static struct node *finish(struct node *node, bool good)
{
        if (!good)
                tree_done(node);
        return good ? node : NULL;
}

static bool parse_names(struct parser *parser, struct names *names)
{
        if (!take(parser, TOKEN_LEFT_PAREN, "\"(\""))
                return false;
        while (parser->token.kind != TOKEN_RIGHT_PAREN) {
                if (parser->token.kind != TOKEN_WORD || !promql_is_label_name(parser->token.text))
                        return wrong(parser, "label"), false;
                struct str *name = arena_push(parser->arena, names);
                if (!name)
                        return fail_memory(parser->err, "promql", sizeof *name);
                *name = parser->token.text;
                if (!advance(parser))
                        return false;
                if (parser->token.kind != TOKEN_RIGHT_PAREN && !take(parser, TOKEN_COMMA, "\",\" or \")\""))
                        return false;
        }
        return advance(parser);
}

static bool parse_span(struct parser *parser, int64_t *out_ns)
{
        size_t place = parser->token.place;
        if (parser->token.kind != TOKEN_DURATION)
                return wrong(parser, "duration"), false;
        if (!promql_duration(parser->token.text, out_ns, NULL))
                return promql_fail_at(parser->lexer.text, place, parser->err, "not a valid duration string: \"%.*s\"",
                                      STR_ARGS(parser->token.text));
        if (*out_ns == 0)
                return promql_fail_at(parser->lexer.text, place, parser->err, "duration must be greater than 0");
        return advance(parser);
}

/* Numbers as Go reads them: integers with 0x or an octal 0 in front, else decimal. */
static double number_value(struct str text)
{
        char copy[400];
        if (text.length >= sizeof copy)
                return NAN;
        memcpy(copy, text.bytes, text.length);
        copy[text.length] = 0;
        char *end;
        bool octal = text.length > 1 && copy[0] == '0' && strspn(copy, "01234567") == text.length;
        if (octal || (copy[1] | 0x20) == 'x')
                return (double)strtoull(copy, &end, 0);
        return strtod(copy, &end);
}

static struct node *parse_number(struct parser *parser)
{
        struct node *node = make(parser, NODE_NUMBER, parser->token.place);
        if (!node)
                return NULL;
        if (parser->token.kind == TOKEN_WORD)
                node->number = at_word(parser, "nan") ? NAN : INFINITY;
        else
                node->number = number_value(parser->token.text);
        return finish(node, advance(parser));
}

static bool parse_matcher(struct parser *parser, struct node *selector)
{
        static const enum match_op ops[] = {[TOKEN_ASSIGN] = MATCH_EQUAL, [TOKEN_NOT_EQUAL] = MATCH_NOT_EQUAL,
                                            [TOKEN_MATCH] = MATCH_REGEX, [TOKEN_NOT_MATCH] = MATCH_NOT_REGEX};
        struct str name = parser->token.text;
        if (parser->token.kind != TOKEN_WORD)
                return wrong(parser, "identifier or \"}\""), false;
        if (!advance(parser))
                return false;
        enum token_kind kind = parser->token.kind;
        if (kind != TOKEN_ASSIGN && kind != TOKEN_NOT_EQUAL && kind != TOKEN_MATCH && kind != TOKEN_NOT_MATCH)
                return wrong(parser, "label matching operator"), false;
        if (!advance(parser))
                return false;
        if (parser->token.kind != TOKEN_STRING)
                return wrong(parser, "string"), false;
        struct err why = {0};
        if (!matchers_add(&selector->matchers, parser->arena, ops[kind], name, parser->token.text, &why)) {
                if (why.code == ERR_INVALID)
                        return promql_fail_at(parser->lexer.text, parser->token.place, parser->err, "%s", why.message);
                if (parser->err)
                        *parser->err = why;
                return false;
        }
        return advance(parser);
}

static bool matches_something(struct parser *parser, const struct node *selector)
{
        each (matcher, &selector->matchers)
                if (!matcher_matches(matcher, STR("")))
                        return true;
        return promql_fail_at(parser->lexer.text, selector->place, parser->err,
                              "vector selector must contain at least one non-empty matcher");
}

static bool parse_matchers(struct parser *parser, struct node *selector)
{
        if (!take(parser, TOKEN_LEFT_BRACE, "\"{\""))
                return false;
        while (parser->token.kind != TOKEN_RIGHT_BRACE) {
                if (!parse_matcher(parser, selector))
                        return false;
                if (parser->token.kind != TOKEN_RIGHT_BRACE && !take(parser, TOKEN_COMMA, "\",\" or \"}\""))
                        return false;
        }
        return advance(parser);
}

static bool parse_selector_parts(struct parser *parser, struct node *selector)
{
        if (parser->token.kind == TOKEN_WORD) {
                selector->text = parser->token.text;
                if (!advance(parser))
                        return false;
        }
        if (parser->token.kind == TOKEN_LEFT_BRACE && !parse_matchers(parser, selector))
                return false;
        if (!selector->text.length)
                return matches_something(parser, selector);
        each (matcher, &selector->matchers)
                if (str_equal(matcher->name, LABEL_METRIC_NAME) && matcher->op == MATCH_EQUAL)
                        return promql_fail_at(parser->lexer.text, selector->place, parser->err,
                                              "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                              STR_ARGS(selector->text), STR_ARGS(matcher->value));
        return matchers_add(&selector->matchers, parser->arena, MATCH_EQUAL, LABEL_METRIC_NAME, selector->text, parser->err);
}

static struct node *parse_selector(struct parser *parser)
{
        struct node *selector = make(parser, NODE_SELECTOR, parser->token.place);
        return selector ? finish(selector, parse_selector_parts(parser, selector)) : NULL;
}

static bool parse_arguments(struct parser *parser, struct node *call)
{
        if (!take(parser, TOKEN_LEFT_PAREN, "\"(\""))
                return false;
        while (parser->token.kind != TOKEN_RIGHT_PAREN) {
                if (!adopt(parser, call, parse_expression(parser, BIND_OR)))
                        return false;
                if (parser->token.kind == TOKEN_RIGHT_PAREN)
                        break;
                if (!take(parser, TOKEN_COMMA, "\",\" or \")\""))
                        return false;
                if (parser->token.kind == TOKEN_RIGHT_PAREN)
                        return promql_fail_at(parser->lexer.text, parser->token.place, parser->err,
                                              "trailing commas not allowed in function call args");
        }
        return advance(parser);
}

static struct node *parse_call(struct parser *parser)
{
        const struct function *function = function_find(parser->token.text);
        if (!function) {
                promql_fail_at(parser->lexer.text, parser->token.place, parser->err, "unknown function with name \"%.*s\"%s",
                               STR_ARGS(parser->token.text), function_refusal(parser->token.text));
                return NULL;
        }
        struct node *call = make(parser, NODE_CALL, parser->token.place);
        if (!call)
                return NULL;
        call->function = function;
        return finish(call, advance(parser) && parse_arguments(parser, call));
}

static bool parse_grouping(struct parser *parser, struct node *node)
{
        node->is_without = at_word(parser, "without");
        return advance(parser) && parse_names(parser, &node->grouping);
}

static bool at_grouping(const struct parser *parser)
{
        return at_word(parser, "by") || at_word(parser, "without");
}

static bool parse_aggregate_parts(struct parser *parser, struct node *node)
{
        bool before = false;
        if (!advance(parser))
                return false;
        if ((before = at_grouping(parser)) && !parse_grouping(parser, node))
                return false;
        if (!parse_arguments(parser, node))
                return false;
        if (!before && at_grouping(parser) && !parse_grouping(parser, node))
                return false;
        size_t wanted = aggregate_has_parameter(node->aggregate) ? 2 : 1;
        if (node->children.count == 0)
                return promql_fail_at(parser->lexer.text, node->place, parser->err,
                                      "no arguments for aggregate expression provided");
        if (node->children.count != wanted)
                return promql_fail_at(parser->lexer.text, node->place, parser->err,
                                      "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
                                      wanted, node->children.count);
        if (wanted == 2) { /* the parameter is written first and kept second */
                struct node *parameter = node->children.items[0];
                node->children.items[0] = node->children.items[1];
                node->children.items[1] = parameter;
        }
        return true;
}

static enum aggregate aggregate_of(const struct parser *parser)
{
        for (int i = AGGREGATE_SUM; i <= AGGREGATE_COUNT_VALUES; i++)
                if (at_word(parser, aggregate_name(i)))
                        return (enum aggregate)i;
        return AGGREGATE_NONE;
}

static struct node *parse_word(struct parser *parser)
{
        if (at_word(parser, "inf") || at_word(parser, "nan"))
                return parse_number(parser);
        for (size_t i = 0; i < countof(reserved); i++)
                if (at_word(parser, reserved[i]))
                        return wrong(parser, "an expression");
        enum aggregate aggregate = aggregate_of(parser);
        struct token next = following(parser);
        bool groups = next.kind == TOKEN_WORD && (str_equal_nocase(next.text, STR("by")) || str_equal_nocase(next.text, STR("without")));
        if (aggregate && (next.kind == TOKEN_LEFT_PAREN || groups)) {
                struct node *node = make(parser, NODE_AGGREGATE, parser->token.place);
                if (!node)
                        return NULL;
                node->aggregate = aggregate;
                return finish(node, parse_aggregate_parts(parser, node));
        }
        return next.kind == TOKEN_LEFT_PAREN ? parse_call(parser) : parse_selector(parser);
}

static struct node *parse_paren(struct parser *parser)
{
        struct node *node = make(parser, NODE_PAREN, parser->token.place);
        return node ? finish(node, advance(parser) && adopt(parser, node, parse_expression(parser, BIND_OR)) &&
                                           take(parser, TOKEN_RIGHT_PAREN, "\")\""))
                    : NULL;
}

static struct node *parse_text(struct parser *parser)
{
        struct node *node = make(parser, NODE_STRING, parser->token.place);
        if (!node)
                return NULL;
        node->text = parser->token.text;
        return finish(node, advance(parser));
}

static struct node *parse_primary(struct parser *parser)
{
        switch (parser->token.kind) {
        case TOKEN_NUMBER:
                return parse_number(parser);
        case TOKEN_STRING:
                return parse_text(parser);
        case TOKEN_LEFT_PAREN:
                return parse_paren(parser);
        case TOKEN_LEFT_BRACE:
                return parse_selector(parser);
        case TOKEN_WORD:
                return parse_word(parser);
        default:
                return wrong(parser, "an expression");
        }
}

static bool shiftable(const struct node *node)
{
        return node->kind == NODE_SELECTOR || node->kind == NODE_SUBQUERY;
}

static bool parse_offset(struct parser *parser, struct node *node)
{
        size_t place = parser->token.place;
        if (!advance(parser))
                return false;
        bool negative = parser->token.kind == TOKEN_SUBTRACT;
        int64_t offset = 0;
        if ((negative && !advance(parser)) || !parse_span(parser, &offset))
                return false;
        if (!shiftable(node))
                return promql_fail_at(parser->lexer.text, place, parser->err, "offset modifier must be preceded by an instant "
                                      "vector selector or range vector selector or a subquery");
        if (node->has_offset)
                return promql_fail_at(parser->lexer.text, place, parser->err, "offset may not be set multiple times");
        node->has_offset = true;
        node->offset_ns = negative ? -offset : offset;
        return true;
}

static bool parse_at_function(struct parser *parser, struct node *node)
{
        node->at = at_word(parser, "start") ? AT_START : AT_END;
        if (!at_word(parser, "start") && !at_word(parser, "end"))
                return wrong(parser, "timestamp, start() or end()"), false;
        return advance(parser) && take(parser, TOKEN_LEFT_PAREN, "\"(\"") && take(parser, TOKEN_RIGHT_PAREN, "\")\"");
}

static bool parse_at_time(struct parser *parser, struct node *node)
{
        bool is_signed = parser->token.kind == TOKEN_SUBTRACT || parser->token.kind == TOKEN_ADD;
        double sign = parser->token.kind == TOKEN_SUBTRACT ? -1 : 1;
        if (is_signed && !advance(parser))
                return false;
        bool is_word = at_word(parser, "inf") || at_word(parser, "nan");
        if (parser->token.kind != TOKEN_NUMBER && !is_word)
                return is_signed ? wrong(parser, "timestamp"), false : parse_at_function(parser, node);
        double seconds = is_word ? INFINITY : sign * number_value(parser->token.text);
        if (!(fabs(seconds) < 0x1p63 / 1000))
                return promql_fail_at(parser->lexer.text, parser->token.place, parser->err,
                                      "timestamp out of bounds for @ modifier: %f", seconds);
        node->at = AT_TIME;
        double ns = round(seconds * 1000) * 1e6; /* milliseconds count; a time past int64 ns has no samples anyway */
        node->at_ns = ns >= 0x1p62 ? INT64_C(1) << 62 : ns <= -0x1p62 ? -(INT64_C(1) << 62) : (int64_t)round(seconds * 1000) * NS_PER_MS;
        return advance(parser);
}

static bool parse_at(struct parser *parser, struct node *node)
{
        size_t place = parser->token.place;
        if (!shiftable(node))
                return promql_fail_at(parser->lexer.text, place, parser->err, "@ modifier must be preceded by an instant vector "
                                      "selector or range vector selector or a subquery");
        if (node->at)
                return promql_fail_at(parser->lexer.text, place, parser->err, "@ <timestamp> may not be set multiple times");
        return advance(parser) && parse_at_time(parser, node);
}

/* After "[": a range makes the selector a range vector, a colon wraps whatever stands before into a subquery. */
static struct node *parse_range(struct parser *parser, struct node *node)
{
        size_t place = parser->token.place;
        int64_t range = 0, step = 0;
        if (!advance(parser) || !parse_span(parser, &range))
                return finish(node, false);
        if (parser->token.kind == TOKEN_COLON) {
                if (!advance(parser) || (parser->token.kind != TOKEN_RIGHT_BRACKET && !parse_span(parser, &step)))
                        return finish(node, false);
                struct node *subquery = make(parser, NODE_SUBQUERY, node->place);
                if (!subquery)
                        return finish(node, false);
                subquery->range_ns = range;
                subquery->step_ns = step;
                return finish(subquery, adopt(parser, subquery, node) && take(parser, TOKEN_RIGHT_BRACKET, "\"]\""));
        }
        const char *why = node->kind != NODE_SELECTOR || node->range_ns ? "ranges only allowed for vector selectors"
                          : node->has_offset                            ? "no offset modifiers allowed before range"
                          : node->at                                    ? "no @ modifiers allowed before range"
                                                                        : NULL;
        if (why)
                return finish(node, promql_fail_at(parser->lexer.text, place, parser->err, "%s", why));
        node->range_ns = range;
        return finish(node, take(parser, TOKEN_RIGHT_BRACKET, "\"]\""));
}

static struct node *parse_postfix(struct parser *parser)
{
        struct node *node = parse_primary(parser);
        while (node) {
                if (parser->token.kind == TOKEN_LEFT_BRACKET)
                        node = parse_range(parser, node);
                else if (at_word(parser, "offset"))
                        node = finish(node, parse_offset(parser, node));
                else if (parser->token.kind == TOKEN_AT)
                        node = finish(node, parse_at(parser, node));
                else
                        break;
        }
        return node;
}

static struct node *parse_signed(struct parser *parser)
{
        struct token sign = parser->token;
        if (sign.kind != TOKEN_ADD && sign.kind != TOKEN_SUBTRACT)
                return parse_postfix(parser);
        struct node *operand = advance(parser) ? parse_expression(parser, BIND_POWER) : NULL;
        if (!operand)
                return NULL;
        if (operand->kind == NODE_NUMBER) {
                operand->number = sign.kind == TOKEN_SUBTRACT ? -operand->number : operand->number;
                return operand;
        }
        struct node *node = make(parser, NODE_NEGATE, sign.place);
        if (!node)
                return finish(operand, false);
        node->returns_bool = sign.kind == TOKEN_ADD; /* kept for the checker: the operand must be a number or vector */
        return finish(node, adopt(parser, node, operand));
}

static bool parse_group_side(struct parser *parser, struct matching *matching)
{
        if (!at_word(parser, "group_left") && !at_word(parser, "group_right"))
                return true;
        matching->cardinality = at_word(parser, "group_left") ? MANY_TO_ONE : ONE_TO_MANY;
        if (!advance(parser))
                return false;
        return parser->token.kind != TOKEN_LEFT_PAREN || parse_names(parser, &matching->include);
}

static bool parse_matching(struct parser *parser, struct node *node)
{
        if (at_word(parser, "bool")) {
                node->returns_bool = true;
                if (!advance(parser))
                        return false;
        }
        if (!at_word(parser, "on") && !at_word(parser, "ignoring"))
                return true;
        node->matching.is_on = at_word(parser, "on");
        node->matching.is_written = true;
        return advance(parser) && parse_names(parser, &node->matching.labels) && parse_group_side(parser, &node->matching);
}

static bool find_binary(const struct parser *parser, size_t *out_row)
{
        for (size_t i = 0; i < countof(binaries); i++) {
                if (binaries[i].token != parser->token.kind)
                        continue;
                if (binaries[i].token != TOKEN_WORD || at_word(parser, operator_name(binaries[i].operator)))
                        return *out_row = i, true;
        }
        return false;
}

static struct node *parse_binary(struct parser *parser, struct node *left, size_t row)
{
        struct node *node = make(parser, NODE_BINARY, parser->token.place);
        if (!node)
                return finish(left, false);
        node->operator= binaries[row].operator;
        if (!adopt(parser, node, left) || !advance(parser) || !parse_matching(parser, node))
                return finish(node, false);
        enum precedence right = binaries[row].precedence + (node->operator== OP_POWER ? 0 : 1);
        if (operator_is_set(node->operator) && node->matching.cardinality == ONE_TO_ONE)
                node->matching.cardinality = MANY_TO_MANY;
        return finish(node, adopt(parser, node, parse_expression(parser, right)));
}

static struct node *parse_expression(struct parser *parser, enum precedence least)
{
        if (parser->nesting >= TREE_DEPTH_MAX) {
                promql_fail_at(parser->lexer.text, parser->token.place, parser->err, "the query is nested deeper than %u; split it",
                               TREE_DEPTH_MAX);
                return NULL;
        }
        parser->nesting++;
        struct node *left = parse_signed(parser);
        size_t row;
        while (left && find_binary(parser, &row) && binaries[row].precedence >= least)
                left = parse_binary(parser, left, row);
        parser->nesting--;
        return left;
}

static bool begin(struct parser *parser, struct str text, struct arena *arena, struct err *err)
{
        *parser = (struct parser){.lexer = {.text = text, .arena = arena}, .arena = arena, .err = err};
        if (!str_is_utf8(text))
                return fail(err, ERR_INVALID, "promql", "1:1: parse error: the query is not UTF-8");
        return advance(parser);
}

struct node *promql_parse(struct str text, struct arena *arena, struct err *err)
{
        struct parser parser;
        if (!begin(&parser, text, arena, err))
                return NULL;
        if (parser.token.kind == TOKEN_END) {
                promql_fail_at(text, 0, err, "no expression found in input");
                return NULL;
        }
        struct node *tree = parse_expression(&parser, BIND_OR);
        if (tree && parser.token.kind != TOKEN_END) {
                wrong(&parser, "an operator or the end");
                return finish(tree, false);
        }
        return tree;
}

bool promql_selector(struct str text, struct arena *arena, struct matchers *out_matchers, struct err *err)
{
        struct parser parser;
        if (!begin(&parser, text, arena, err))
                return false;
        if (parser.token.kind != TOKEN_WORD && parser.token.kind != TOKEN_LEFT_BRACE)
                return wrong(&parser, "a series selector"), false;
        struct node *selector = parse_selector(&parser);
        if (selector && parser.token.kind != TOKEN_END) {
                wrong(&parser, "the end of the selector");
                selector = finish(selector, false);
        }
        if (!selector)
                return false;
        *out_matchers = selector->matchers;
        return true;
}
