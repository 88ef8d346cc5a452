/* promql_series.c - functions that look at which series there are: absence, scalars and vectors, time, order. */
#include "query/promql_function.h"

#include "base/scope.h"
#include "query/promql_order.h"

#include <math.h>

static bool one_row(struct evaluation *evaluation, const struct steps *steps, struct rows *out_rows, struct err *err)
{
        struct rows rows = {0};
        if (!rows_add(&rows, steps, evaluation->arena, err))
                return false;
        *out_rows = rows;
        return true;
}

bool function_time(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                   struct err *err)
{
        (void)call;
        if (!one_row(evaluation, steps, out_rows, err))
                return false;
        for (size_t i = 0; i < steps->count; i++)
                out_rows->items[0].values[i] = promql_seconds(steps_time(steps, i));
        return true;
}

bool function_pi(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                 struct err *err)
{
        (void)call;
        if (!one_row(evaluation, steps, out_rows, err))
                return false;
        for (size_t i = 0; i < steps->count; i++)
                out_rows->items[0].values[i] = M_PI;
        return true;
}

bool function_vector(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                     struct err *err)
{
        return evaluate(evaluation, call->children.items[0], steps, out_rows, err); /* a scalar is such a row already */
}

bool function_scalar(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                     struct err *err)
{
        struct rows rows;
        if (!evaluate(evaluation, call->children.items[0], steps, &rows, err) || !one_row(evaluation, steps, out_rows, err))
                return false;
        for (size_t i = 0; i < steps->count; i++) {
                size_t present = 0;
                double value = NAN;
                each (row, &rows)
                        if (!is_absent(row->values[i])) {
                                value = row->values[i];
                                present++;
                        }
                out_rows->items[0].values[i] = present == 1 ? value : NAN;
        }
        return true;
}

/* The labels that a selector pins with =; a label named more than once is pinned to nothing. */
static bool pinned_labels(const struct node *argument, struct arena *arena, struct labels *out_labels, struct err *err)
{
        const struct node *selector = node_unwrap(argument);
        struct labels labels = {0};
        if (selector->kind != NODE_SELECTOR)
                return *out_labels = labels, true;
        each (matcher, &selector->matchers) {
                if (str_equal(matcher->name, LABEL_METRIC_NAME))
                        continue;
                struct label *known = NULL;
                each (label, &labels)
                        if (str_equal(label->name, matcher->name))
                                known = label;
                if (known) {
                        known->value = STR("");
                        continue;
                }
                if (!(known = arena_push(arena, &labels)))
                        return fail_memory(err, "promql", sizeof *known);
                *known = (struct label){matcher->name, matcher->op == MATCH_EQUAL ? matcher->value : STR("")};
        }
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

static bool absence(struct evaluation *evaluation, const struct node *call, const struct steps *steps, const struct rows *rows,
                    struct rows *out_rows, struct err *err)
{
        struct rows found = {0};
        struct row *row = rows_add(&found, steps, evaluation->arena, err);
        if (!row || !pinned_labels(call->children.items[0], evaluation->arena, &row->labels, err))
                return false;
        for (size_t i = 0; i < steps->count; i++)
                row->values[i] = 1;
        each (present, rows)
                for (size_t i = 0; i < steps->count; i++)
                        if (!is_absent(present->values[i]))
                                row->values[i] = absent();
        rows_drop_empty(&found, steps);
        *out_rows = found;
        return true;
}

bool function_absent(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                     struct err *err)
{
        struct rows rows;
        return evaluate(evaluation, call->children.items[0], steps, &rows, err) &&
               absence(evaluation, call, steps, &rows, out_rows, err);
}

static void mark_covered(const struct evaluation *evaluation, const struct node *range, const struct steps *steps,
                         const struct series_data *series, double *values)
{
        size_t after = 0;
        for (size_t i = 0; i < steps->count; i++) {
                int64_t end = node_time(evaluation, range, steps_time(steps, i));
                while (after < series->count && series->times_ns[after] <= end)
                        after++;
                if (after && series->times_ns[after - 1] >= time_minus(end, range->range_ns))
                        values[i] = 1;
        }
}

bool function_absent_over_time(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                               struct rows *out_rows, struct err *err)
{
        const struct node *range = node_unwrap(call->children.items[0]);
        struct series_set set;
        struct rows rows = {0};
        if (!select_range(evaluation, range, steps, &set, err) || !rows_add(&rows, steps, evaluation->arena, err))
                return false;
        each (series, &set)
                mark_covered(evaluation, range, steps, series, rows.items[0].values);
        return absence(evaluation, call, steps, &rows, out_rows, err);
}

bool function_timestamp(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                        struct rows *out_rows, struct err *err)
{
        const struct node *argument = node_unwrap(call->children.items[0]);
        bool is_selector = argument->kind == NODE_SELECTOR, good = true;
        struct rows rows;
        if (is_selector ? !select_instant(evaluation, argument, steps, true, &rows, err)
                        : !evaluate(evaluation, argument, steps, &rows, err))
                return false;
        each (row, &rows) {
                row->labels = labels_without_name(&row->labels, evaluation->arena, &good);
                for (size_t i = 0; i < steps->count && !is_selector; i++)
                        if (!is_absent(row->values[i]))
                                row->values[i] = promql_seconds(steps_time(steps, i));
        }
        if (!good)
                return fail_memory(err, "promql", rows.count);
        if (!rows_join_equal(&rows, steps, evaluation->arena, err))
                return false;
        *out_rows = rows;
        return true;
}

bool function_clamp(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                    struct err *err)
{
        struct rows rows;
        double *least, *most;
        bool good = true;
        if (!evaluate(evaluation, call->children.items[0], steps, &rows, err) ||
            !evaluate_scalar(evaluation, call->children.items[1], steps, &least, err) ||
            !evaluate_scalar(evaluation, call->children.items[2], steps, &most, err))
                return false;
        each (row, &rows) {
                row->labels = labels_without_name(&row->labels, evaluation->arena, &good);
                for (size_t i = 0; i < steps->count; i++)
                        if (!is_absent(row->values[i]))
                                row->values[i] = most[i] < least[i] ? absent()
                                                                    : promql_max(least[i], promql_min(most[i], row->values[i]));
        }
        if (!good)
                return fail_memory(err, "promql", rows.count);
        if (!rows_join_equal(&rows, steps, evaluation->arena, err))
                return false;
        *out_rows = rows;
        return true;
}

/* Order shows in instant queries only; a range is ordered by labels. */
static bool sorted(struct evaluation *evaluation, const struct node *call, const struct steps *steps, bool descending,
                   struct rows *out_rows, struct err *err)
{
        if (!evaluate(evaluation, call->children.items[0], steps, out_rows, err))
                return false;
        if (steps->count != 1 || out_rows->count < 2)
                return true;
        struct row *before = arena_alloc(evaluation->arena, out_rows->count * sizeof *before);
        struct ordered *order = arena_alloc(evaluation->arena, out_rows->count * sizeof *order);
        if (!before || !order)
                return fail_memory(err, "promql", out_rows->count * sizeof *before);
        memcpy(before, out_rows->items, out_rows->count * sizeof *before);
        for (size_t i = 0; i < out_rows->count; i++)
                order[i] = (struct ordered){before[i].values[0], i};
        order_sort(order, out_rows->count, descending);
        for (size_t i = 0; i < out_rows->count; i++)
                out_rows->items[i] = before[order[i].index];
        return true;
}

bool function_sort(struct evaluation *evaluation, const struct node *call, const struct steps *steps, struct rows *out_rows,
                   struct err *err)
{
        return sorted(evaluation, call, steps, false, out_rows, err);
}

bool function_sort_desc(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                        struct rows *out_rows, struct err *err)
{
        return sorted(evaluation, call, steps, true, out_rows, err);
}
