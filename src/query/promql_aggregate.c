/*
 * promql_aggregate.c - sum, avg, topk and the others, by or without labels.
 *
 * Rows are put into groups once; then each group folds its rows, a whole row at a time. The arithmetic and its order are
 * Prometheus', running means included.
 */
#include "query/promql_evaluate.h"

#include "base/map.h"
#include "base/scope.h"
#include "query/promql_function.h"
#include "query/promql_number.h"
#include "query/promql_order.h"

#include <math.h>

struct group {
        struct labels labels;
        struct { uint32_t *items; size_t count, capacity; } members; /* indexes of rows */
};

struct groups {
        struct group *items;
        size_t count, capacity;
};

struct folding {
        struct evaluation *evaluation;
        const struct node *node;
        const struct steps *steps;
        struct rows rows;
        struct groups groups;
        double *parameter;              /* at each step; NULL without one */
        double *mean, *count;           /* of the group at hand */
        struct ordered *order;          /* room for one step of one group */
        double *room;
};

static struct labels group_labels(const struct node *node, const struct names *grouping, const struct labels *labels,
                                  struct arena *arena, bool *good)
{
        if (!node->is_without)
                return labels_only(labels, grouping, arena, good);
        struct labels named = labels_without(labels, grouping, arena, good);
        return labels_without_name(&named, arena, good);
}

static bool join_group(struct folding *folding, struct map *map, uint32_t row, struct err *err)
{
        bool good = true;
        struct arena *arena = folding->evaluation->arena;
        struct labels labels = group_labels(folding->node, &folding->node->grouping, &folding->rows.items[row].labels, arena, &good);
        uint64_t hash = labels_hash(&labels);
        size_t at;
        uint32_t found = map_first(map, hash, &at);
        while (found != MAP_NONE && !labels_equal(&folding->groups.items[found].labels, &labels))
                found = map_next(map, hash, &at);
        if (found == MAP_NONE) {
                struct group *group = arena_push(arena, &folding->groups);
                if (!group || !map_put(map, hash, found = (uint32_t)(folding->groups.count - 1)))
                        return fail_memory(err, "promql", 64);
                group->labels = labels;
        }
        uint32_t *member = good ? arena_push(arena, &folding->groups.items[found].members) : NULL;
        if (!member)
                return fail_memory(err, "promql", sizeof *member);
        *member = row;
        return true;
}

/* A step of the mean that stays infinite once it is, as range_avg. */
static double mean_with(double mean, double value, double count)
{
        if (isinf(mean) && ((isinf(value) && (mean > 0) == (value > 0)) || isfinite(value)))
                return mean;
        return mean + (value / count - mean / count);
}

static void fold_value(enum aggregate aggregate, double value, double *result, double *mean, double *count)
{
        double delta;
        *count += 1;
        switch (aggregate) {
        case AGGREGATE_SUM:
                *result += value;
                break;
        case AGGREGATE_AVG:
                *mean = mean_with(*mean, value, *count);
                break;
        case AGGREGATE_MIN:
                if (*result > value || isnan(*result))
                        *result = value;
                break;
        case AGGREGATE_MAX:
                if (*result < value || isnan(*result))
                        *result = value;
                break;
        case AGGREGATE_STDDEV:
        case AGGREGATE_STDVAR:
                delta = value - *mean;
                *mean += delta / *count;
                *result += delta * (value - *mean);
                break;
        default:
                break;
        }
}

static void fold_row(struct folding *folding, const double *values, double *result)
{
        enum aggregate aggregate = folding->node->aggregate;
        bool is_spread = aggregate == AGGREGATE_STDDEV || aggregate == AGGREGATE_STDVAR;
        for (size_t i = 0; i < folding->steps->count; i++) {
                if (is_absent(values[i]))
                        continue;
                if (!is_absent(result[i])) {
                        fold_value(aggregate, values[i], &result[i], &folding->mean[i], &folding->count[i]);
                        continue;
                }
                folding->mean[i] = values[i];
                folding->count[i] = 1;
                result[i] = is_spread ? 0 : values[i];
        }
}

static void finish_fold(struct folding *folding, double *result)
{
        for (size_t i = 0; i < folding->steps->count; i++) {
                if (is_absent(result[i]))
                        continue;
                switch (folding->node->aggregate) {
                case AGGREGATE_AVG:
                        result[i] = folding->mean[i];
                        break;
                case AGGREGATE_COUNT:
                        result[i] = folding->count[i];
                        break;
                case AGGREGATE_GROUP:
                        result[i] = 1;
                        break;
                case AGGREGATE_STDVAR:
                        result[i] = result[i] / folding->count[i];
                        break;
                case AGGREGATE_STDDEV:
                        result[i] = sqrt(result[i] / folding->count[i]);
                        break;
                default:
                        break;
                }
        }
}

static void fill_quantile(struct folding *folding, const struct group *group, double *result)
{
        for (size_t i = 0; i < folding->steps->count; i++) {
                size_t count = 0;
                each (member, &group->members)
                        if (!is_absent(folding->rows.items[*member].values[i]))
                                folding->room[count++] = folding->rows.items[*member].values[i];
                if (count)
                        result[i] = promql_quantile(folding->parameter[i], folding->room, count);
        }
}

static bool fold_groups(struct folding *folding, struct rows *out_rows, struct err *err)
{
        struct rows rows = {0};
        each (group, &folding->groups) {
                struct row *row = rows_add(&rows, folding->steps, folding->evaluation->arena, err);
                if (!row || !evaluation_goes_on(folding->evaluation, err))
                        return false;
                row->labels = group->labels;
                if (folding->node->aggregate == AGGREGATE_QUANTILE) {
                        fill_quantile(folding, group, row->values);
                        continue;
                }
                each (member, &group->members)
                        fold_row(folding, folding->rows.items[*member].values, row->values);
                finish_fold(folding, row->values);
        }
        *out_rows = rows;
        return true;
}

/* The k best of one group at one step, best first. */
static size_t choose(struct folding *folding, const struct group *group, size_t step, size_t k)
{
        struct order_heap heap = {folding->order, 0, k, folding->node->aggregate == AGGREGATE_TOPK};
        each (member, &group->members) {
                double value = folding->rows.items[*member].values[step];
                if (!is_absent(value))
                        order_heap_offer(&heap, (struct ordered){value, *member});
        }
        order_sort(heap.items, heap.count, heap.descending);
        return heap.count;
}

static bool check_k(const struct folding *folding, struct err *err)
{
        for (size_t i = 0; i < folding->steps->count; i++)
                if (!(folding->parameter[i] >= -0x1p63 && folding->parameter[i] <= 0x1p63))
                        return fail(err, ERR_REFUSED, "promql", "Scalar value %g overflows int64", folding->parameter[i]);
        return true;
}

static size_t k_at(const struct folding *folding, size_t step)
{
        double k = folding->parameter[step];
        return k < 1 ? 0 : k >= (double)folding->rows.count ? folding->rows.count : (size_t)k;
}

/* One step: the order of the result is that of the choice. */
static bool choose_once(struct folding *folding, struct rows *out_rows, struct err *err)
{
        struct rows rows = {0};
        size_t k = k_at(folding, 0);
        for (size_t g = 0; k && g < folding->groups.count; g++) {
                size_t count = choose(folding, &folding->groups.items[g], 0, k);
                for (size_t i = 0; i < count; i++) {
                        struct row *row = arena_push(folding->evaluation->arena, &rows);
                        if (!row)
                                return fail_memory(err, "promql", sizeof *row);
                        *row = folding->rows.items[folding->order[i].index];
                }
        }
        *out_rows = rows;
        return true;
}

static bool choose_rows(struct folding *folding, struct rows *out_rows, struct err *err)
{
        struct rows rows = {0};
        if (!check_k(folding, err))
                return false;
        if (folding->steps->count == 1)
                return choose_once(folding, out_rows, err);
        each (row, &folding->rows) {
                struct row *added = rows_add(&rows, folding->steps, folding->evaluation->arena, err);
                if (!added)
                        return false;
                added->labels = row->labels;
        }
        for (size_t i = 0; i < folding->steps->count; i++) {
                size_t k = k_at(folding, i);
                for (size_t g = 0; k && g < folding->groups.count; g++) {
                        size_t count = choose(folding, &folding->groups.items[g], i, k);
                        for (size_t c = 0; c < count; c++)
                                rows.items[folding->order[c].index].values[i] = folding->order[c].value;
                }
        }
        rows_drop_empty(&rows, folding->steps);
        *out_rows = rows;
        return true;
}

/* count_values: the value becomes a label, and that label one of the grouping. */
struct counting {
        struct folding *folding;
        struct map map;
        struct rows rows;
        struct str label;
        struct names grouping;
};

static struct row *counted_row(struct counting *counting, const struct row *row, double value, struct err *err)
{
        struct evaluation *evaluation = counting->folding->evaluation;
        scoped(buf_done) struct buf text = {0};
        bool good = true;
        promql_number_plain(value, &text);
        struct str kept = arena_str(evaluation->arena, buf_str(&text));
        struct labels with = labels_with(&row->labels, counting->label, kept, evaluation->arena, &good);
        struct labels labels = {0};
        if (good && kept.bytes)
                labels = group_labels(counting->folding->node, &counting->grouping, &with, evaluation->arena, &good);
        if (!good || !kept.bytes)
                return fail_memory(err, "promql", 64), NULL;
        uint64_t hash = labels_hash(&labels);
        size_t at;
        for (uint32_t i = map_first(&counting->map, hash, &at); i != MAP_NONE; i = map_next(&counting->map, hash, &at))
                if (labels_equal(&counting->rows.items[i].labels, &labels))
                        return &counting->rows.items[i];
        struct row *added = rows_add(&counting->rows, counting->folding->steps, evaluation->arena, err);
        if (added && !map_put(&counting->map, hash, (uint32_t)(counting->rows.count - 1)))
                return fail_memory(err, "promql", 64), NULL;
        if (added)
                added->labels = labels;
        return added;
}

static bool count_row(struct counting *counting, const struct row *row, struct err *err)
{
        struct row *counted = NULL;
        uint64_t before = 0, bits;
        for (size_t i = 0; i < counting->folding->steps->count; i++) {
                double value = row->values[i];
                if (is_absent(value))
                        continue;
                memcpy(&bits, &value, sizeof bits);
                if (!counted || bits != before)
                        counted = counted_row(counting, row, value, err);
                if (!counted)
                        return false;
                before = bits;
                counted->values[i] = is_absent(counted->values[i]) ? 1 : counted->values[i] + 1;
        }
        return true;
}

static bool count_values(struct folding *folding, struct rows *out_rows, struct err *err)
{
        struct counting counting = {.folding = folding, .label = node_unwrap(folding->node->children.items[1])->text};
        if (!promql_is_label_name(counting.label))
                return fail(err, ERR_REFUSED, "promql", "invalid label name \"%.*s\"", (int)min_of(counting.label.length, (size_t)200),
                            counting.label.bytes);
        each (name, &folding->node->grouping) {
                struct str *copy = arena_push(folding->evaluation->arena, &counting.grouping);
                if (!copy)
                        return fail_memory(err, "promql", sizeof *copy);
                *copy = *name;
        }
        struct str *own = folding->node->is_without ? &counting.label : arena_push(folding->evaluation->arena, &counting.grouping);
        if (!own)
                return fail_memory(err, "promql", sizeof *own);
        *own = counting.label;
        bool good = true;
        for (size_t i = 0; good && i < folding->rows.count; i++)
                good = count_row(&counting, &folding->rows.items[i], err) && evaluation_goes_on(folding->evaluation, err);
        map_done(&counting.map);
        *out_rows = counting.rows;
        return good;
}

static bool prepare(struct folding *folding, struct err *err)
{
        struct arena *arena = folding->evaluation->arena;
        size_t steps = max_of(folding->steps->count, (size_t)1), rows = folding->rows.count + 1;
        scoped(map_done) struct map map = {0};
        folding->mean = arena_alloc(arena, steps * sizeof(double));
        folding->count = arena_alloc(arena, steps * sizeof(double));
        folding->order = arena_alloc(arena, rows * sizeof *folding->order);
        folding->room = arena_alloc(arena, rows * sizeof(double));
        if (!folding->mean || !folding->count || !folding->order || !folding->room)
                return fail_memory(err, "promql", steps * 16);
        for (size_t i = 0; i < folding->rows.count; i++)
                if (!join_group(folding, &map, (uint32_t)i, err))
                        return false;
        return true;
}

bool evaluate_aggregate(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                        struct rows *out_rows, struct err *err)
{
        struct folding folding = {.evaluation = evaluation, .node = node, .steps = steps};
        bool has_number = aggregate_has_parameter(node->aggregate) && node->aggregate != AGGREGATE_COUNT_VALUES;
        if (has_number && !evaluate_scalar(evaluation, node->children.items[1], steps, &folding.parameter, err))
                return false;
        if (!evaluate(evaluation, node->children.items[0], steps, &folding.rows, err))
                return false;
        if (node->aggregate == AGGREGATE_COUNT_VALUES)
                return count_values(&folding, out_rows, err);
        if (!prepare(&folding, err))
                return false;
        if (node->aggregate == AGGREGATE_TOPK || node->aggregate == AGGREGATE_BOTTOMK)
                return choose_rows(&folding, out_rows, err);
        return fold_groups(&folding, out_rows, err);
}
