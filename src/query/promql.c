/* promql.c - see promql.h: one query from text to result. Drives parser, checker and evaluator, and keeps the bounds. */
#include "query/promql.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql_evaluate.h"

#define LOOKBACK_NS (300 * NS_PER_S)
#define SAMPLES_MAX ((size_t)50000000)
#define BYTES_MAX ((size_t)1 << 30)

SCOPED_PTR(tree_done, struct node)

/* The nearest whole millisecond: times come as decimal seconds, and a double of today is some 100 ns beside them. */
static int64_t whole_ms(int64_t ns)
{
        int64_t rest = ns % NS_PER_MS;
        if (rest < 0)
                rest += NS_PER_MS;
        return time_minus(ns, rest < NS_PER_MS / 2 ? rest : rest - NS_PER_MS);
}

static bool give_set(const struct rows *rows, const struct steps *steps, struct arena *arena, struct series_set *out_set,
                     struct err *err)
{
        struct series_set set = {.items = arena_array(arena, rows->count + 1, sizeof *set.items), .count = rows->count};
        int64_t *all = arena_alloc(arena, max_of(steps->count, (size_t)1) * sizeof *all); /* shared by rows without gaps */
        if (!set.items || !all)
                return fail_memory(err, "promql", rows->count * sizeof *set.items);
        for (size_t i = 0; i < steps->count; i++)
                all[i] = steps_time(steps, i);
        for (size_t r = 0; r < rows->count; r++) {
                struct row *row = &rows->items[r];
                size_t count = 0, present = 0;
                for (size_t i = 0; i < steps->count; i++)
                        present += !is_absent(row->values[i]);
                int64_t *times = present == steps->count ? all : arena_alloc(arena, (present + 1) * sizeof *times);
                if (!times)
                        return fail_memory(err, "promql", present * sizeof *times);
                for (size_t i = 0; times != all && i < steps->count; i++) {
                        if (is_absent(row->values[i]))
                                continue;
                        times[count] = all[i];
                        row->values[count++] = row->values[i];
                }
                set.items[r] = (struct series_data){row->labels, times, row->values, present};
        }
        *out_set = set;
        return true;
}

static bool is_instant(const struct promql_options *options)
{
        return options->step_ns == 0;
}

/* foo[5m] and foo[5m:1m] on their own give the samples themselves. */
static bool query_matrix(struct evaluation *evaluation, const struct node *tree, const struct steps *steps,
                         struct promql_result *result, struct err *err)
{
        struct series_set set, kept = {0};
        const struct node *range = node_unwrap(tree);
        int64_t end = node_time(evaluation, range, steps->start_ns), start = time_minus(end, range->range_ns);
        if (!select_range(evaluation, range, steps, &set, err))
                return false;
        each (series, &set) {
                struct series_data cut = *series;
                for (; cut.count && cut.times_ns[0] < start; cut.count--, cut.times_ns++, cut.values++)
                        ;
                while (cut.count && cut.times_ns[cut.count - 1] > end)
                        cut.count--;
                struct series_data *added = cut.count ? arena_push(evaluation->arena, &kept) : NULL;
                if (added)
                        *added = cut;
                else if (cut.count)
                        return fail_memory(err, "promql", sizeof *added);
        }
        result->set = kept;
        return true;
}

static bool query_rows(struct evaluation *evaluation, const struct node *tree, const struct steps *steps,
                       struct promql_result *result, struct err *err)
{
        struct rows rows;
        if (!evaluate(evaluation, tree, steps, &rows, err))
                return false;
        if (result->type == PROMQL_SCALAR) {
                result->scalar = rows.items[0].values[0];
                return true;
        }
        if (result->type == PROMQL_MATRIX)
                rows_sort_by_labels(&rows);
        return give_set(&rows, steps, evaluation->arena, &result->set, err);
}

static bool query_tree(struct evaluation *evaluation, const struct node *tree, const struct steps *steps,
                       struct promql_result *out_result, struct err *err)
{
        struct promql_result result = {.type = is_instant(evaluation->options) ? tree->type : PROMQL_MATRIX,
                                       .time_ns = evaluation->start_ns};
        bool good = true;
        if (tree->type == PROMQL_STRING)
                good = (result.text = arena_str(evaluation->arena, node_unwrap(tree)->text)).bytes ||
                       fail_memory(err, "promql", 64);
        else if (tree->type == PROMQL_MATRIX)
                good = query_matrix(evaluation, tree, steps, &result, err);
        else
                good = query_rows(evaluation, tree, steps, &result, err);
        if (good)
                *out_result = result;
        return good;
}

static bool steps_of(const struct promql_options *options, struct steps *out_steps, struct err *err)
{
        struct steps steps = {.start_ns = whole_ms(options->start_ns), .step_ns = options->step_ns, .count = 1};
        int64_t end = whole_ms(options->end_ns);
        if (is_instant(options))
                return *out_steps = steps, true;
        if (options->step_ns < NS_PER_MS)
                return fail(err, ERR_INVALID, "promql", "zero or negative query resolution step widths are not accepted. Try a positive integer");
        if (end < steps.start_ns)
                return fail(err, ERR_INVALID, "promql", "end timestamp must not be before start time");
        steps.step_ns = whole_ms(options->step_ns);
        steps.count = ((uint64_t)end - (uint64_t)steps.start_ns) / (uint64_t)steps.step_ns + 1;
        return *out_steps = steps, true;
}

static bool parse_and_run(struct evaluation *evaluation, struct str text, struct promql_result *out_result, struct err *err)
{
        struct steps steps;
        scoped_ptr(tree_done) struct node *tree = promql_parse(text, evaluation->arena, err);
        if (!tree || !promql_check(text, tree, err))
                return false;
        bool is_range = !is_instant(evaluation->options);
        if (is_range && (tree->type == PROMQL_MATRIX || tree->type == PROMQL_STRING))
                return fail(err, ERR_INVALID, "promql", "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                            promql_type_name(tree->type));
        return steps_of(evaluation->options, &steps, err) && query_tree(evaluation, tree, &steps, out_result, err);
}

bool promql_query(struct str text, const struct promql_source *source, const struct promql_options *options,
                  struct arena *arena, struct promql_result *out_result, struct err *err)
{
        struct promql_options bounded = *options;
        bounded.samples_max = options->samples_max ? options->samples_max : SAMPLES_MAX;
        bounded.bytes_max = options->bytes_max ? options->bytes_max : BYTES_MAX;
        struct evaluation evaluation = {
                .source = source, .options = &bounded, .arena = arena,
                .start_ns = whole_ms(options->start_ns), .end_ns = whole_ms(options->end_ns),
                .lookback_ns = options->lookback_ns ? options->lookback_ns : LOOKBACK_NS,
                .samples_left = bounded.samples_max,
        };
        size_t before = arena->bytes_max, bound = arena->bytes_held + bounded.bytes_max;
        struct err why = {0};
        arena->bytes_max = before && before < bound ? before : bound;
        bool good = parse_and_run(&evaluation, text, out_result, &why);
        arena->bytes_max = before;
        if (good)
                return true;
        if (why.code == ERR_MEMORY)
                return fail(err, ERR_REFUSED, "promql", "the query needs more than the %zu MiB it may use; ask for fewer series, a "
                            "shorter time or a longer step", bounded.bytes_max >> 20);
        if (err)
                *err = why;
        return false;
}
