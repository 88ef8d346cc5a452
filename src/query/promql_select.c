/*
 * promql_select.c - reads series for selectors, once for the whole range of steps, and lays them on the steps.
 *
 * Times stay nanoseconds. Two selectors with the same matchers and range share what was read. A subquery is evaluated on a
 * grid of its own, aligned to its step, and then looks like series to the function around it.
 */
#include "query/promql_evaluate.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql_function.h"

#define SUBQUERY_STEP_NS (60 * NS_PER_S) /* where the subquery names none: Prometheus' default evaluation interval */

struct selected {
        struct selected *older;
        const struct matchers *matchers;
        int64_t start_ns, end_ns;
        struct series_set set;
};

int64_t time_minus(int64_t time_ns, int64_t by_ns)
{
        int64_t result;
        if (__builtin_sub_overflow(time_ns, by_ns, &result))
                return by_ns > 0 ? INT64_MIN : INT64_MAX;
        return result;
}

int64_t node_time(const struct evaluation *evaluation, const struct node *node, int64_t step_ns)
{
        int64_t time = node->at == AT_NONE    ? step_ns
                       : node->at == AT_TIME  ? node->at_ns
                       : node->at == AT_START ? evaluation->start_ns
                                              : evaluation->end_ns;
        return time_minus(time, node->offset_ns);
}

static bool matchers_same(const struct matchers *a, const struct matchers *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (a->items[i].op != b->items[i].op || !str_equal(a->items[i].name, b->items[i].name) ||
                    !str_equal(a->items[i].value, b->items[i].value))
                        return false;
        return true;
}

static bool read_series(struct evaluation *evaluation, const struct matchers *matchers, int64_t start_ns, int64_t end_ns,
                        const struct series_set **out_set, struct err *err)
{
        for (struct selected *known = evaluation->selected; known; known = known->older)
                if (known->start_ns == start_ns && known->end_ns == end_ns && matchers_same(known->matchers, matchers))
                        return *out_set = &known->set, true;
        struct selected *selected = arena_new(evaluation->arena, struct selected);
        if (!selected)
                return fail_memory(err, "promql", sizeof *selected);
        *selected = (struct selected){evaluation->selected, matchers, start_ns, end_ns, {0}};
        struct series_select select = {.matchers = matchers, .start_ns = start_ns, .end_ns = end_ns,
                                       .samples_max = evaluation->samples_left, .cancelled = evaluation->options->cancelled,
                                       .deadline_ns = evaluation->options->deadline_ns};
        if (!evaluation->source->select(evaluation->source->context, &select, evaluation->arena, &selected->set, err))
                return false;
        size_t samples = 0;
        each (series, &selected->set)
                samples += series->count;
        if (samples >= evaluation->samples_left)
                return fail(err, ERR_REFUSED, "promql", "the query reads more samples than the limit of %zu; ask for fewer series "
                            "or a shorter time", evaluation->options->samples_max);
        evaluation->samples_left -= samples;
        evaluation->selected = selected;
        *out_set = &selected->set;
        return true;
}

struct instant {
        const struct evaluation *evaluation;
        const struct node *selector;
        const struct steps *steps;
        bool wants_times;
};

static void fill_instant(const struct instant *instant, const struct series_data *series, double *values)
{
        size_t after = 0; /* samples up to the step's time */
        for (size_t i = 0; i < instant->steps->count; i++) {
                int64_t time = node_time(instant->evaluation, instant->selector, steps_time(instant->steps, i));
                while (after < series->count && series->times_ns[after] <= time)
                        after++;
                if (after == 0 || series->times_ns[after - 1] < time_minus(time, instant->evaluation->lookback_ns))
                        continue;
                double value = series->values[after - 1]; /* a stale marker is absence already */
                if (instant->wants_times && !is_absent(value))
                        value = promql_seconds(series->times_ns[after - 1]);
                values[i] = value;
        }
}

bool select_instant(struct evaluation *evaluation, const struct node *selector, const struct steps *steps, bool wants_times,
                    struct rows *out_rows, struct err *err)
{
        struct instant instant = {evaluation, selector, steps, wants_times};
        const struct series_set *set;
        struct rows rows = {0};
        if (steps->count == 0)
                return *out_rows = rows, true;
        int64_t first = node_time(evaluation, selector, steps->start_ns);
        int64_t last = node_time(evaluation, selector, steps_time(steps, steps->count - 1));
        if (!read_series(evaluation, &selector->matchers, time_minus(first, evaluation->lookback_ns), last, &set, err))
                return false;
        each (series, set) {
                struct row *row = rows_add(&rows, steps, evaluation->arena, err);
                if (!row || !evaluation_goes_on(evaluation, err))
                        return false;
                row->labels = series->labels;
                fill_instant(&instant, series, row->values);
        }
        rows_drop_empty(&rows, steps);
        *out_rows = rows;
        return true;
}

/* The series without its stale markers; the very same arrays when it has none. */
static bool drop_stale(struct series_data *series, struct arena *arena, struct err *err)
{
        size_t stale = 0, kept = 0;
        for (size_t i = 0; i < series->count; i++)
                stale += is_absent(series->values[i]);
        if (!stale)
                return true;
        int64_t *times = arena_alloc(arena, (series->count - stale + 1) * sizeof *times);
        double *values = arena_alloc(arena, (series->count - stale + 1) * sizeof *values);
        if (!times || !values)
                return fail_memory(err, "promql", series->count * 16);
        for (size_t i = 0; i < series->count; i++) {
                if (is_absent(series->values[i]))
                        continue;
                times[kept] = series->times_ns[i];
                values[kept++] = series->values[i];
        }
        *series = (struct series_data){series->labels, times, values, kept};
        return true;
}

static bool add_series(struct series_set *set, const struct series_data *series, struct arena *arena, struct err *err)
{
        struct series_data *added = arena_push(arena, set);
        if (!added)
                return fail_memory(err, "promql", sizeof *added);
        *added = *series;
        return true;
}

static bool select_samples(struct evaluation *evaluation, const struct node *range, const struct steps *steps,
                           struct series_set *out_set, struct err *err)
{
        const struct series_set *read;
        struct series_set set = {0};
        int64_t first = node_time(evaluation, range, steps->start_ns);
        int64_t last = node_time(evaluation, range, steps_time(steps, steps->count - 1));
        if (!read_series(evaluation, &range->matchers, time_minus(first, range->range_ns), last, &read, err))
                return false;
        each (series, read) {
                struct series_data kept = *series;
                if (!drop_stale(&kept, evaluation->arena, err) ||
                    (kept.count && !add_series(&set, &kept, evaluation->arena, err)))
                        return false;
        }
        *out_set = set;
        return true;
}

/* The multiples of the subquery's step that its range covers over all outer steps. */
static struct steps subquery_steps(const struct evaluation *evaluation, const struct node *subquery, const struct steps *steps)
{
        struct steps inner = {.step_ns = subquery->step_ns ? subquery->step_ns : SUBQUERY_STEP_NS};
        int64_t first = time_minus(node_time(evaluation, subquery, steps->start_ns), subquery->range_ns);
        int64_t last = node_time(evaluation, subquery, steps_time(steps, steps->count - 1));
        inner.start_ns = first / inner.step_ns * inner.step_ns;
        if (inner.start_ns < first)
                inner.start_ns += inner.step_ns;
        if (last >= inner.start_ns)
                inner.count = ((uint64_t)last - (uint64_t)inner.start_ns) / (uint64_t)inner.step_ns + 1;
        return inner;
}

static bool series_of_row(const struct row *row, const struct steps *steps, struct arena *arena, struct series_data *out_series,
                          struct err *err)
{
        size_t count = 0;
        for (size_t i = 0; i < steps->count; i++)
                count += !is_absent(row->values[i]);
        int64_t *times = arena_alloc(arena, (count + 1) * sizeof *times);
        if (!times)
                return fail_memory(err, "promql", count * sizeof *times);
        count = 0;
        for (size_t i = 0; i < steps->count; i++) {
                if (is_absent(row->values[i]))
                        continue;
                times[count] = steps_time(steps, i);
                row->values[count++] = row->values[i]; /* in place: the row is ours */
        }
        *out_series = (struct series_data){row->labels, times, row->values, count};
        return true;
}

static bool select_subquery(struct evaluation *evaluation, const struct node *subquery, const struct steps *steps,
                            struct series_set *out_set, struct err *err)
{
        struct steps inner = subquery_steps(evaluation, subquery, steps);
        struct series_set set = {0};
        struct rows rows;
        if (inner.count == 0)
                return *out_set = set, true;
        if (!evaluate(evaluation, subquery->children.items[0], &inner, &rows, err))
                return false;
        each (row, &rows) {
                struct series_data series;
                if (!series_of_row(row, &inner, evaluation->arena, &series, err))
                        return false;
                if (series.count && !add_series(&set, &series, evaluation->arena, err))
                        return false;
        }
        *out_set = set;
        return true;
}

bool select_range(struct evaluation *evaluation, const struct node *range, const struct steps *steps,
                  struct series_set *out_set, struct err *err)
{
        range = node_unwrap(range);
        if (steps->count == 0)
                return *out_set = (struct series_set){0}, true;
        if (range->kind == NODE_SUBQUERY)
                return select_subquery(evaluation, range, steps, out_set, err);
        return select_samples(evaluation, range, steps, out_set, err);
}
