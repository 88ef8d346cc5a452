/* promql_check.c - types: which value each part of a query gives, and what cannot stand together. Runs before anything
 * is read, so that a wrong query costs nothing. */
#include "query/promql_tree.h"

#include "base/scope.h"
#include "query/promql_function.h"

#include <stdio.h>

static bool check(struct str text, struct node *node, struct err *err);

static bool expect(struct str text, const struct node *node, enum promql_type wanted, struct err *err, const char *where)
{
        if (node->type == wanted)
                return true;
        return promql_fail_at(text, node->place, err, "expected type %s in %s, got %s", promql_type_name(wanted), where,
                              promql_type_name(node->type));
}

static bool check_call(struct str text, struct node *call, struct err *err)
{
        const struct function *function = call->function;
        size_t given = call->children.count;
        if (given < function->arguments_min || given > function->arguments_max)
                return promql_fail_at(text, call->place, err, "expected %s%u argument(s) in call to \"%s\", got %zu",
                                      function->arguments_min == function->arguments_max ? ""
                                      : given < function->arguments_min                  ? "at least "
                                                                                         : "at most ",
                                      given < function->arguments_min ? function->arguments_min : function->arguments_max,
                                      function->name, given);
        for (size_t i = 0; i < given; i++) {
                char where[80];
                snprintf(where, sizeof where, "call to function \"%s\"", function->name);
                enum promql_type wanted = function->types[min_of(i, countof(function->types) - 1)];
                if (!expect(text, call->children.items[i], wanted, err, where))
                        return false;
        }
        call->type = function->returns;
        return true;
}

static bool check_aggregate(struct str text, struct node *node, struct err *err)
{
        node->type = PROMQL_VECTOR;
        if (!expect(text, node->children.items[0], PROMQL_VECTOR, err, "aggregation expression"))
                return false;
        if (!aggregate_has_parameter(node->aggregate))
                return true;
        enum promql_type wanted = node->aggregate == AGGREGATE_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR;
        return expect(text, node->children.items[1], wanted, err, "aggregation parameter");
}

static bool is_operand(const struct node *node)
{
        return node->type == PROMQL_SCALAR || node->type == PROMQL_VECTOR;
}

static bool check_matching(struct str text, const struct node *node, bool both_vectors, struct err *err)
{
        const struct matching *matching = &node->matching;
        if (matching->is_on)
                each (label, &matching->labels)
                        each (included, &matching->include)
                                if (str_equal(*label, *included))
                                        return promql_fail_at(text, node->place, err, "label \"%.*s\" must not occur in ON and "
                                                              "GROUP clause at once", STR_ARGS(*label));
        if (!both_vectors && matching->labels.count)
                return promql_fail_at(text, node->place, err, "vector matching only allowed between instant vectors");
        bool grouped = matching->cardinality == MANY_TO_ONE || matching->cardinality == ONE_TO_MANY;
        if (both_vectors && operator_is_set(node->operator) && grouped)
                return promql_fail_at(text, node->place, err, "no grouping allowed for \"%s\" operation",
                                      operator_name(node->operator));
        return true;
}

static bool check_binary(struct str text, struct node *node, struct err *err)
{
        const struct node *left = node->children.items[0], *right = node->children.items[1];
        bool both_scalars = left->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR;
        bool both_vectors = left->type == PROMQL_VECTOR && right->type == PROMQL_VECTOR;
        if (!is_operand(left) || !is_operand(right))
                return promql_fail_at(text, (is_operand(left) ? right : left)->place, err,
                                      "binary expression must contain only scalar and instant vector types");
        if (node->returns_bool && !operator_is_comparison(node->operator))
                return promql_fail_at(text, node->place, err, "bool modifier can only be used on comparison operators");
        if (both_scalars && operator_is_comparison(node->operator) && !node->returns_bool)
                return promql_fail_at(text, node->place, err, "comparisons between scalars must use BOOL modifier");
        if (!both_vectors && operator_is_set(node->operator))
                return promql_fail_at(text, node->place, err, "set operator \"%s\" not allowed in binary scalar expression",
                                      operator_name(node->operator));
        node->type = both_scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
        return check_matching(text, node, both_vectors, err);
}

static bool check_negate(struct str text, struct node *node, struct err *err)
{
        const struct node *operand = node->children.items[0];
        if (!is_operand(operand))
                return promql_fail_at(text, node->place, err, "unary expression only allowed on expressions of type scalar or "
                                      "instant vector, got \"%s\"", promql_type_name(operand->type));
        node->type = operand->type;
        return true;
}

static bool check_subquery(struct str text, struct node *node, struct err *err)
{
        const struct node *inner = node->children.items[0];
        if (inner->type != PROMQL_VECTOR)
                return promql_fail_at(text, node->place, err, "subquery is only allowed on instant vector, got %s instead",
                                      promql_type_name(inner->type));
        node->type = PROMQL_MATRIX;
        return true;
}

static bool check(struct str text, struct node *node, struct err *err)
{
        each (child, &node->children)
                if (!check(text, *child, err))
                        return false;
        switch (node->kind) {
        case NODE_NUMBER:
                node->type = PROMQL_SCALAR;
                return true;
        case NODE_STRING:
                node->type = PROMQL_STRING;
                return true;
        case NODE_SELECTOR:
                node->type = node->range_ns ? PROMQL_MATRIX : PROMQL_VECTOR;
                return true;
        case NODE_PAREN:
                node->type = node->children.items[0]->type;
                return true;
        case NODE_NEGATE:
                return check_negate(text, node, err);
        case NODE_SUBQUERY:
                return check_subquery(text, node, err);
        case NODE_CALL:
                return check_call(text, node, err);
        case NODE_AGGREGATE:
                return check_aggregate(text, node, err);
        case NODE_BINARY:
                return check_binary(text, node, err);
        }
        return true;
}

bool promql_check(struct str text, struct node *tree, struct err *err)
{
        return check(text, tree, err);
}
