/*
 * promql_binary.c - operators between scalars and vectors.
 *
 * Two vectors meet by signature: the labels that must be equal. Signatures are taken once a row; each pair of rows that
 * meets is worked through for all steps at once. Whether a match is unique is a question about single steps, since rows of
 * equal signature may follow one another in time.
 */
#include "query/promql_evaluate.h"

#include "base/map.h"
#include "base/scope.h"

#include <math.h>

static double arithmetic(enum operator op, double a, double b)
{
        switch (op) {
        case OP_ADD:
                return a + b;
        case OP_SUBTRACT:
                return a - b;
        case OP_MULTIPLY:
                return a * b;
        case OP_DIVIDE:
                return a / b;
        case OP_MODULO:
                return fmod(a, b);
        case OP_ATAN2:
                return atan2(a, b);
        case OP_POWER:
                return pow(a, b);
        default:
                return NAN;
        }
}

static bool holds(enum operator op, double a, double b)
{
        switch (op) {
        case OP_EQUAL:
                return a == b;
        case OP_NOT_EQUAL:
                return a != b;
        case OP_LESS:
                return a < b;
        case OP_LESS_EQUAL:
                return a <= b;
        case OP_GREATER:
                return a > b;
        default:
                return a >= b;
        }
}

/* The result at one step of two samples that are there; kept is what a comparison that holds lets through. */
static double combine(const struct node *node, double a, double b, double kept)
{
        if (!operator_is_comparison(node->operator))
                return arithmetic(node->operator, a, b);
        if (node->returns_bool)
                return holds(node->operator, a, b);
        return holds(node->operator, a, b) ? kept : absent();
}

/* Prometheus 2.42 keeps the name through atan2 as through a comparison. */
static bool keeps_name(enum operator op)
{
        return operator_is_comparison(op) || op == OP_ATAN2;
}

static bool drops_name(const struct node *node)
{
        return node->returns_bool || !keeps_name(node->operator);
}

static void scalars(const struct node *node, const double *left, const double *right, size_t count, double *out)
{
        for (size_t i = 0; i < count; i++)
                out[i] = combine(node, left[i], right[i], left[i]);
}

static bool vector_and_scalar(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                              struct rows *vector, const double *scalar, bool scalar_is_left, struct err *err)
{
        bool good = true;
        each (row, vector) {
                if (drops_name(node))
                        row->labels = labels_without_name(&row->labels, evaluation->arena, &good);
                for (size_t i = 0; i < steps->count; i++) {
                        double value = row->values[i];
                        if (!is_absent(value))
                                row->values[i] = scalar_is_left ? combine(node, scalar[i], value, value)
                                                                : combine(node, value, scalar[i], value);
                }
        }
        return (good || fail_memory(err, "promql", vector->count)) && rows_join_equal(vector, steps, evaluation->arena, err);
}

/* One side of an operation, findable by signature. */
struct side {
        struct rows rows;
        uint64_t *signatures;
        struct map map;
};

static void side_done(struct side *side)
{
        map_done(&side->map);
}

static bool side_init(struct side *side, const struct rows *rows, const struct matching *matching, struct arena *arena,
                      struct err *err)
{
        side->rows = *rows;
        side->signatures = arena_alloc(arena, (rows->count + 1) * sizeof *side->signatures);
        for (size_t i = 0; side->signatures && i < rows->count; i++) {
                side->signatures[i] = labels_signature(&rows->items[i].labels, &matching->labels, matching->is_on);
                if (!map_put(&side->map, side->signatures[i], (uint32_t)i))
                        return fail_memory(err, "promql", rows->count * 16);
        }
        return side->signatures || fail_memory(err, "promql", rows->count * 8);
}

struct operation {
        struct evaluation *evaluation;
        const struct node *node;
        const struct steps *steps;
        struct side left, right;        /* as written */
        struct side *many, *one;        /* one may match several of many */
};

static void operation_done(struct operation *operation)
{
        side_done(&operation->left);
        side_done(&operation->right);
}

/* Takes away where the other side has, or has not, a sample of the same signature at the same step. */
static void keep_where(struct rows *rows, const uint64_t *signatures, const struct side *other, bool wanted,
                       const struct steps *steps, bool *room)
{
        for (size_t r = 0; r < rows->count; r++) {
                size_t at;
                memset(room, 0, steps->count * sizeof *room);
                for (uint32_t i = map_first(&other->map, signatures[r], &at); i != MAP_NONE;
                     i = map_next(&other->map, signatures[r], &at))
                        for (size_t s = 0; s < steps->count; s++)
                                room[s] |= !is_absent(other->rows.items[i].values[s]);
                for (size_t s = 0; s < steps->count; s++)
                        if (room[s] != wanted)
                                rows->items[r].values[s] = absent();
        }
}

static bool append(struct rows *rows, const struct rows *more, struct arena *arena, struct err *err)
{
        each (row, more) {
                struct row *added = arena_push(arena, rows);
                if (!added)
                        return fail_memory(err, "promql", sizeof *added);
                *added = *row;
        }
        return true;
}

static bool set_operation(struct operation *operation, struct rows *out_rows, struct err *err)
{
        struct arena *arena = operation->evaluation->arena;
        enum operator op = operation->node->operator;
        struct rows rows = operation->left.rows;
        bool *room = arena_alloc(arena, max_of(operation->steps->count, (size_t)1));
        if (!room)
                return fail_memory(err, "promql", operation->steps->count);
        if (op == OP_OR) {
                keep_where(&operation->right.rows, operation->right.signatures, &operation->left, false, operation->steps, room);
                if (!append(&rows, &operation->right.rows, arena, err))
                        return false;
        } else {
                keep_where(&rows, operation->left.signatures, &operation->right, op == OP_AND, operation->steps, room);
        }
        *out_rows = rows;
        return rows_join_equal(out_rows, operation->steps, arena, err);
}

static bool fail_many(struct operation *operation, const struct row *a, const struct row *b, struct err *err)
{
        scoped(buf_done) struct buf first = {0}, second = {0};
        labels_print(&a->labels, &first);
        labels_print(&b->labels, &second);
        return fail(err, ERR_REFUSED, "promql", "found duplicate series for the match group on the %s hand-side of the operation: "
                    "[%.*s, %.*s];many-to-many matching not allowed: matching labels must be unique on one side",
                    operation->one == &operation->left ? "left" : "right", (int)min_of(first.length, (size_t)120), first.bytes,
                    (int)min_of(second.length, (size_t)120), second.bytes);
}

static bool any_at(const struct rows *rows, size_t step)
{
        each (row, rows)
                if (!is_absent(row->values[step]))
                        return true;
        return false;
}

/* On the one side no two samples of a step may have the same signature, wherever the other side has any sample at all. */
static bool check_one_side(struct operation *operation, struct err *err)
{
        struct side *one = operation->one;
        for (size_t r = 0; r < one->rows.count; r++) {
                size_t at;
                for (uint32_t i = map_first(&one->map, one->signatures[r], &at); i != MAP_NONE;
                     i = map_next(&one->map, one->signatures[r], &at)) {
                        if (i <= r)
                                continue;
                        const struct row *a = &one->rows.items[r], *b = &one->rows.items[i];
                        for (size_t s = 0; s < operation->steps->count; s++)
                                if (!is_absent(a->values[s]) && !is_absent(b->values[s]) && any_at(&operation->many->rows, s))
                                        return fail_many(operation, b, a, err);
                }
        }
        return true;
}

static struct labels result_labels(struct operation *operation, const struct labels *many, const struct labels *one, bool *good)
{
        const struct matching *matching = &operation->node->matching;
        struct arena *arena = operation->evaluation->arena;
        struct labels labels = *many;
        if (!keeps_name(operation->node->operator))
                labels = labels_without_name(&labels, arena, good);
        if (matching->cardinality == ONE_TO_ONE)
                labels = matching->is_on ? labels_only(&labels, &matching->labels, arena, good)
                                         : labels_without(&labels, &matching->labels, arena, good);
        each (name, &matching->include)
                if (*good)
                        labels = labels_with(&labels, *name, labels_value(one, *name), arena, good);
        if (*good && drops_name(operation->node))
                labels = labels_without_name(&labels, arena, good);
        return labels;
}

static void meet(const struct operation *operation, const double *many, const double *one, double *out)
{
        bool swapped = operation->many == &operation->right;
        for (size_t i = 0; i < operation->steps->count; i++) {
                if (is_absent(many[i]) || is_absent(one[i]))
                        continue;
                double left = swapped ? one[i] : many[i], right = swapped ? many[i] : one[i];
                out[i] = combine(operation->node, left, right, left);
        }
}

static bool overlap(const double *a, const double *b, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (!is_absent(a[i]) && !is_absent(b[i]))
                        return true;
        return false;
}

/* Results of one signature: in one-to-one at most one a step; else at most one of each label set. */
static bool check_results(struct operation *operation, const struct rows *rows, const uint64_t *signatures, struct err *err)
{
        scoped(map_done) struct map map = {0};
        bool one_to_one = operation->node->matching.cardinality == ONE_TO_ONE;
        for (size_t r = 0; r < rows->count; r++) {
                uint64_t hash = one_to_one ? signatures[r] : signatures[r] * 31 + labels_hash(&rows->items[r].labels);
                size_t at;
                for (uint32_t i = map_first(&map, hash, &at); i != MAP_NONE; i = map_next(&map, hash, &at))
                        if (overlap(rows->items[i].values, rows->items[r].values, operation->steps->count))
                                return fail(err, ERR_REFUSED, "promql", "multiple matches for labels: %s",
                                            one_to_one ? "many-to-one matching must be explicit (group_left/group_right)"
                                                       : "grouping labels must ensure unique matches");
                if (!map_put(&map, hash, (uint32_t)r))
                        return fail_memory(err, "promql", rows->count * 16);
        }
        return true;
}

struct met {
        struct rows rows;
        struct { uint64_t *items; size_t count, capacity; } signatures; /* of rows */
};

static bool meet_row(struct operation *operation, size_t many, struct met *met, struct err *err)
{
        const struct side *one = operation->one;
        uint64_t signature = operation->many->signatures[many];
        const struct row *left = &operation->many->rows.items[many];
        size_t at;
        for (uint32_t i = map_first(&one->map, signature, &at); i != MAP_NONE; i = map_next(&one->map, signature, &at)) {
                bool good = true;
                struct row *row = rows_add(&met->rows, operation->steps, operation->evaluation->arena, err);
                uint64_t *kept = row ? arena_push(operation->evaluation->arena, &met->signatures) : NULL;
                if (!row)
                        return false;
                row->labels = result_labels(operation, &left->labels, &one->rows.items[i].labels, &good);
                if (!good || !kept)
                        return fail_memory(err, "promql", sizeof *row);
                *kept = signature;
                meet(operation, left->values, one->rows.items[i].values, row->values);
        }
        return evaluation_goes_on(operation->evaluation, err);
}

static bool match(struct operation *operation, struct rows *out_rows, struct err *err)
{
        struct met met = {0};
        if (!check_one_side(operation, err))
                return false;
        for (size_t i = 0; i < operation->many->rows.count; i++)
                if (!meet_row(operation, i, &met, err))
                        return false;
        if (!check_results(operation, &met.rows, met.signatures.items, err))
                return false;
        *out_rows = met.rows;
        return rows_join_equal(out_rows, operation->steps, operation->evaluation->arena, err);
}

static bool vectors(struct evaluation *evaluation, const struct node *node, const struct steps *steps, const struct rows *left,
                    const struct rows *right, struct rows *out_rows, struct err *err)
{
        scoped(operation_done) struct operation operation = {.evaluation = evaluation, .node = node, .steps = steps};
        if (!side_init(&operation.left, left, &node->matching, evaluation->arena, err) ||
            !side_init(&operation.right, right, &node->matching, evaluation->arena, err))
                return false;
        bool swapped = node->matching.cardinality == ONE_TO_MANY;
        operation.many = swapped ? &operation.right : &operation.left;
        operation.one = swapped ? &operation.left : &operation.right;
        return operator_is_set(node->operator) ? set_operation(&operation, out_rows, err) : match(&operation, out_rows, err);
}

bool evaluate_binary(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                     struct rows *out_rows, struct err *err)
{
        struct rows left, right;
        if (!evaluate(evaluation, node->children.items[0], steps, &left, err) ||
            !evaluate(evaluation, node->children.items[1], steps, &right, err))
                return false;
        bool left_is_scalar = node->children.items[0]->type == PROMQL_SCALAR;
        bool right_is_scalar = node->children.items[1]->type == PROMQL_SCALAR;
        if (!left_is_scalar && !right_is_scalar)
                return vectors(evaluation, node, steps, &left, &right, out_rows, err);
        *out_rows = left_is_scalar && !right_is_scalar ? right : left;
        if (left_is_scalar && right_is_scalar)
                scalars(node, left.items[0].values, right.items[0].values, steps->count, left.items[0].values);
        else if (left_is_scalar)
                return vector_and_scalar(evaluation, node, steps, out_rows, left.items[0].values, true, err);
        else
                return vector_and_scalar(evaluation, node, steps, out_rows, right.items[0].values, false, err);
        return true;
}
