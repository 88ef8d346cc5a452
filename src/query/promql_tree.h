/*
 * promql_tree - a PromQL query as a tree: what the parser builds, the checker approves and the evaluator walks.
 *
 * All of it lives in the arena of the query, except the compiled regular expressions of selectors, which tree_done frees.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "model/labels.h"
#include "query/promql.h"

#include <stdbool.h>
#include <stdint.h>

struct function;

enum node_kind {
        NODE_NUMBER,
        NODE_STRING,
        NODE_PAREN,             /* (children[0]) */
        NODE_NEGATE,            /* -children[0]; a plus sign leaves no node */
        NODE_SELECTOR,          /* metric{...}, with range_ns above 0 metric{...}[5m] */
        NODE_SUBQUERY,          /* children[0][range_ns:step_ns] */
        NODE_CALL,
        NODE_AGGREGATE,         /* children[0]; parameter, if any, is children[1] */
        NODE_BINARY,            /* children[0] op children[1] */
};

enum operator {
        OP_NONE, OP_OR, OP_AND, OP_UNLESS, OP_EQUAL, OP_NOT_EQUAL, OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL,
        OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE, OP_MODULO, OP_ATAN2, OP_POWER,
};

enum aggregate {
        AGGREGATE_NONE, AGGREGATE_SUM, AGGREGATE_AVG, AGGREGATE_MIN, AGGREGATE_MAX, AGGREGATE_COUNT, AGGREGATE_GROUP,
        AGGREGATE_STDDEV, AGGREGATE_STDVAR, AGGREGATE_TOPK, AGGREGATE_BOTTOMK, AGGREGATE_QUANTILE, AGGREGATE_COUNT_VALUES,
};

enum cardinality { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_MANY, MANY_TO_MANY };

struct names {
        struct str *items;
        size_t count, capacity;
};

/* Which labels must be equal for two samples to meet. Without on(...) it is all but the listed ones and the name. */
struct matching {
        enum cardinality cardinality;
        bool is_on, is_written;         /* on(...); on or ignoring stands in the text */
        struct names labels, include;   /* include: the labels of group_left(...) and group_right(...) */
};

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

struct node {
        enum node_kind kind;
        enum promql_type type;          /* set by the checker */
        size_t place;                   /* byte in the text, for errors */
        unsigned depth;                 /* of the tree below, this node included */
        struct { struct node **items; size_t count, capacity; } children;

        double number;
        struct str text;                /* of a string; the metric's name of a selector */
        struct matchers matchers;
        int64_t range_ns, step_ns, offset_ns;
        bool has_offset;
        enum at_kind at;
        int64_t at_ns;
        const struct function *function;
        enum aggregate aggregate;
        struct names grouping;
        bool is_without;
        enum operator operator;
        bool returns_bool;
        struct matching matching;
};

#define TREE_DEPTH_MAX 500u     /* nested deeper is refused, so that walking the tree cannot exhaust the stack */

/* Reads a whole query. On failure nothing is left to free; the message begins with line and column. */
struct node *promql_parse(struct str text, struct arena *arena, struct err *err);
/* Sets every node's type and refuses what does not fit together, with Prometheus' wording where it has one. */
bool promql_check(struct str text, struct node *tree, struct err *err);
void tree_done(struct node *tree);

/* The node behind any number of parentheses. */
const struct node *node_unwrap(const struct node *node);

bool operator_is_set(enum operator op);
bool operator_is_comparison(enum operator op);
const char *operator_name(enum operator op);
const char *aggregate_name(enum aggregate aggregate);
bool aggregate_has_parameter(enum aggregate aggregate);
const char *promql_type_name(enum promql_type type);

/* Fills err with ERR_INVALID, line and column of the place, and the text; false. */
bool promql_fail_at(struct str text, size_t place, struct err *err, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
bool promql_is_label_name(struct str name);
