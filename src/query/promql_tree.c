/* promql_tree.c - see promql_tree.h: names of what a tree is made of, and errors that point into the text. */
#include "query/promql_tree.h"

#include "base/scope.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const operators[] = {
        [OP_NONE] = "",        [OP_OR] = "or",         [OP_AND] = "and",          [OP_UNLESS] = "unless",
        [OP_EQUAL] = "==",     [OP_NOT_EQUAL] = "!=",  [OP_LESS] = "<",           [OP_LESS_EQUAL] = "<=",
        [OP_GREATER] = ">",    [OP_GREATER_EQUAL] = ">=", [OP_ADD] = "+",         [OP_SUBTRACT] = "-",
        [OP_MULTIPLY] = "*",   [OP_DIVIDE] = "/",      [OP_MODULO] = "%",         [OP_ATAN2] = "atan2",
        [OP_POWER] = "^",
};

static const char *const aggregates[] = {
        [AGGREGATE_NONE] = "",          [AGGREGATE_SUM] = "sum",       [AGGREGATE_AVG] = "avg",
        [AGGREGATE_MIN] = "min",        [AGGREGATE_MAX] = "max",       [AGGREGATE_COUNT] = "count",
        [AGGREGATE_GROUP] = "group",    [AGGREGATE_STDDEV] = "stddev", [AGGREGATE_STDVAR] = "stdvar",
        [AGGREGATE_TOPK] = "topk",      [AGGREGATE_BOTTOMK] = "bottomk", [AGGREGATE_QUANTILE] = "quantile",
        [AGGREGATE_COUNT_VALUES] = "count_values",
};

bool operator_is_set(enum operator op)
{
        return op == OP_OR || op == OP_AND || op == OP_UNLESS;
}

bool operator_is_comparison(enum operator op)
{
        return op >= OP_EQUAL && op <= OP_GREATER_EQUAL;
}

const char *operator_name(enum operator op)
{
        return operators[op];
}

const char *aggregate_name(enum aggregate aggregate)
{
        return aggregates[aggregate];
}

bool aggregate_has_parameter(enum aggregate aggregate)
{
        return aggregate >= AGGREGATE_TOPK;
}

const char *promql_type_name(enum promql_type type)
{
        static const char *const names[] = {"scalar", "string", "instant vector", "range vector"};
        return names[type];
}

const struct node *node_unwrap(const struct node *node)
{
        while (node->kind == NODE_PAREN)
                node = node->children.items[0];
        return node;
}

void tree_done(struct node *tree)
{
        if (!tree)
                return;
        matchers_done(&tree->matchers);
        each (child, &tree->children)
                tree_done(*child);
}

bool promql_fail_at(struct str text, size_t place, struct err *err, const char *format, ...)
{
        char message[400];
        va_list args;
        va_start(args, format);
        vsnprintf(message, sizeof message, format, args);
        va_end(args);
        size_t line = 1, column = 1;
        for (size_t i = 0; i < place && i < text.length; i++) {
                column = text.bytes[i] == '\n' ? 1 : column + 1;
                line += text.bytes[i] == '\n';
        }
        return fail(err, ERR_INVALID, "promql", "%zu:%zu: parse error: %s", line, column, message);
}

bool promql_is_label_name(struct str name)
{
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
                if (!letter && !(i > 0 && c >= '0' && c <= '9'))
                        return false;
        }
        return name.length > 0;
}
