/* promql_evaluate.c - see promql_evaluate.h: the walk, and the two ways nearly all functions are applied. */
#include "query/promql_evaluate.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql_function.h"

#include <math.h>

#define PARAMETERS_MAX 4

bool evaluation_goes_on(const struct evaluation *evaluation, struct err *err)
{
        const struct promql_options *options = evaluation->options;
        if (options->cancelled && *options->cancelled)
                return fail(err, ERR_CANCELLED, "promql", "the query was cancelled");
        if (options->deadline_ns && clock_monotonic_ns(&clock_real) > options->deadline_ns)
                return fail(err, ERR_TIMEOUT, "promql", "query timed out in expression evaluation; ask for fewer series or a shorter time");
        return true;
}

bool evaluate_scalar(struct evaluation *evaluation, const struct node *node, const struct steps *steps, double **out_values,
                     struct err *err)
{
        struct rows rows;
        if (!evaluate(evaluation, node, steps, &rows, err))
                return false;
        *out_values = rows.items[0].values;
        return true;
}

static bool evaluate_number(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                            struct rows *out_rows, struct err *err)
{
        struct rows rows = {0};
        struct row *row = rows_add(&rows, steps, evaluation->arena, err);
        if (!row)
                return false;
        for (size_t i = 0; i < steps->count; i++)
                row->values[i] = node->number;
        *out_rows = rows;
        return true;
}

static bool evaluate_negate(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                            struct rows *out_rows, struct err *err)
{
        struct rows rows;
        bool good = true;
        if (!evaluate(evaluation, node->children.items[0], steps, &rows, err))
                return false;
        if (!node->returns_bool) { /* a plus sign changes nothing */
                each (row, &rows) {
                        row->labels = labels_without_name(&row->labels, evaluation->arena, &good);
                        for (size_t i = 0; i < steps->count; i++)
                                if (!is_absent(row->values[i]))
                                        row->values[i] = -row->values[i];
                }
                if (!good)
                        return fail_memory(err, "promql", rows.count);
                if (node->type == PROMQL_VECTOR && !rows_refuse_equal(&rows, steps, err))
                        return false;
        }
        *out_rows = rows;
        return true;
}

bool evaluate(struct evaluation *evaluation, const struct node *node, const struct steps *steps, struct rows *out_rows,
              struct err *err)
{
        if (!evaluation_goes_on(evaluation, err))
                return false;
        switch (node->kind) {
        case NODE_NUMBER:
                return evaluate_number(evaluation, node, steps, out_rows, err);
        case NODE_PAREN:
                return evaluate(evaluation, node->children.items[0], steps, out_rows, err);
        case NODE_NEGATE:
                return evaluate_negate(evaluation, node, steps, out_rows, err);
        case NODE_SELECTOR:
                return select_instant(evaluation, node, steps, false, out_rows, err);
        case NODE_CALL:
                return node->function->evaluate(evaluation, node, steps, out_rows, err);
        case NODE_AGGREGATE:
                return evaluate_aggregate(evaluation, node, steps, out_rows, err);
        case NODE_BINARY:
                return evaluate_binary(evaluation, node, steps, out_rows, err);
        case NODE_STRING:
        case NODE_SUBQUERY:
                break;
        }
        return fail(err, ERR_REFUSED, "promql", "%s cannot be evaluated here", promql_type_name(node->type));
}

/* The scalar arguments of a call, in order, at each step. */
static bool parameters_of(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                          double *parameters[PARAMETERS_MAX], struct err *err)
{
        size_t count = 0;
        each (argument, &call->children) {
                if ((*argument)->type != PROMQL_SCALAR)
                        continue;
                if (!evaluate_scalar(evaluation, *argument, steps, &parameters[count++], err))
                        return false;
        }
        return true;
}

static void parameters_at(double *const parameters[PARAMETERS_MAX], size_t step, double missing, double at[PARAMETERS_MAX])
{
        for (size_t i = 0; i < PARAMETERS_MAX; i++)
                at[i] = parameters[i] ? parameters[i][step] : missing;
}

bool function_over_values(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                          struct rows *out_rows, struct err *err)
{
        double *parameters[PARAMETERS_MAX] = {0}, at[PARAMETERS_MAX];
        struct rows rows;
        bool good = true;
        if (!evaluate(evaluation, call->children.items[0], steps, &rows, err) ||
            !parameters_of(evaluation, call, steps, parameters, err))
                return false;
        each (row, &rows) {
                row->labels = labels_without_name(&row->labels, evaluation->arena, &good);
                for (size_t i = 0; i < steps->count; i++) {
                        if (is_absent(row->values[i]))
                                continue;
                        parameters_at(parameters, i, call->function->missing, at);
                        row->values[i] = call->function->map(row->values[i], at);
                }
        }
        if (!good)
                return fail_memory(err, "promql", rows.count);
        if (!rows_join_equal(&rows, steps, evaluation->arena, err))
                return false;
        *out_rows = rows;
        return true;
}

bool function_over_calendar(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                            struct rows *out_rows, struct err *err)
{
        if (call->children.count)
                return function_over_values(evaluation, call, steps, out_rows, err);
        if (!function_time(evaluation, call, steps, out_rows, err))
                return false;
        double *values = out_rows->items[0].values;
        for (size_t i = 0; i < steps->count; i++)
                values[i] = call->function->map(floor(values[i]), NULL);
        return true;
}

/* One series with its window, slid along the steps. */
struct slide {
        struct evaluation *evaluation;
        const struct node *call, *range;
        const struct steps *steps;
        double *parameters[PARAMETERS_MAX];
        uint32_t *drops;        /* of the series at hand; room for the longest */
        double *room;
        char wrong[WINDOW_WRONG_BYTES];
};

static size_t find_drops(const struct series_data *series, uint32_t *drops)
{
        size_t count = 0;
        for (size_t i = 1; i < series->count; i++)
                if (series->values[i] < series->values[i - 1])
                        drops[count++] = (uint32_t)i;
        return count;
}

static void slide_along(struct slide *slide, const struct series_data *series, double *out_values)
{
        size_t drop_count = find_drops(series, slide->drops), first = 0, after = 0, drop_first = 0, drop_after = 0;
        double at[PARAMETERS_MAX] = {0};
        for (size_t i = 0; i < slide->steps->count; i++) {
                int64_t step = steps_time(slide->steps, i), end = node_time(slide->evaluation, slide->range, step);
                int64_t start = time_minus(end, slide->range->range_ns);
                while (after < series->count && series->times_ns[after] <= end)
                        after++;
                while (first < after && series->times_ns[first] < start)
                        first++;
                if (first == after)
                        continue;
                while (drop_after < drop_count && slide->drops[drop_after] < after)
                        drop_after++;
                while (drop_first < drop_after && slide->drops[drop_first] <= first)
                        drop_first++;
                struct window window = {
                        .times_ns = series->times_ns + first, .values = series->values + first, .count = after - first,
                        .drops = slide->drops + drop_first, .drop_count = drop_after - drop_first, .base = first,
                        .start_ns = start, .end_ns = end, .step_ns = step, .range_s = (double)slide->range->range_ns / 1e9,
                        .room = slide->room, .wrong = slide->wrong,
                };
                if (slide->parameters[0])
                        parameters_at(slide->parameters, i, 0, at);
                out_values[i] = slide->call->function->range(&window, at);
        }
}

static const struct node *range_argument(const struct node *call)
{
        each (argument, &call->children)
                if ((*argument)->type == PROMQL_MATRIX)
                        return node_unwrap(*argument);
        return NULL;
}

static bool slide_init(struct slide *slide, const struct series_set *set, struct err *err)
{
        size_t longest = 1;
        each (series, set)
                longest = max_of(longest, series->count);
        slide->drops = arena_alloc(slide->evaluation->arena, longest * sizeof *slide->drops);
        slide->room = arena_alloc(slide->evaluation->arena, longest * sizeof *slide->room);
        if (!slide->drops || !slide->room)
                return fail_memory(err, "promql", longest * 12);
        return parameters_of(slide->evaluation, slide->call, slide->steps, slide->parameters, err);
}

bool function_over_range(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                         struct rows *out_rows, struct err *err)
{
        struct slide slide = {.evaluation = evaluation, .call = call, .range = range_argument(call), .steps = steps};
        struct series_set set;
        struct rows rows = {0};
        bool good = true;
        if (!select_range(evaluation, slide.range, steps, &set, err) || !slide_init(&slide, &set, err))
                return false;
        each (series, &set) {
                struct row *row = rows_add(&rows, steps, evaluation->arena, err);
                if (!row || !evaluation_goes_on(evaluation, err))
                        return false;
                row->labels = call->function->keeps_name ? series->labels
                                                         : labels_without_name(&series->labels, evaluation->arena, &good);
                slide_along(&slide, series, row->values);
                if (slide.wrong[0])
                        return fail(err, ERR_REFUSED, "promql", "%s", slide.wrong);
        }
        if (!good)
                return fail_memory(err, "promql", rows.count);
        if (!rows_refuse_equal(&rows, steps, err))
                return false;
        *out_rows = rows;
        return true;
}
