/* promql_histogram.c - histogram_quantile over buckets labelled le, with linear interpolation inside a bucket. */
#include "query/promql_function.h"

#include "base/map.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>

struct bucket {
        double bound, count;
};

/* The rows of one histogram: equal labels but for le. */
struct histogram {
        struct labels labels;   /* without le and the name */
        struct labels identity; /* without le */
        struct { struct { double bound; const double *values; } *items; size_t count, capacity; } bounds;
};

struct histograms {
        struct histogram *items;
        size_t count, capacity;
};

static int compare_buckets(const void *a, const void *b)
{
        double x = ((const struct bucket *)a)->bound, y = ((const struct bucket *)b)->bound;
        return (x > y) - (x < y);
}

/* Buckets of equal bounds become one; counts never go down, since scrapes of a live target may catch them halfway. */
static size_t tidy(struct bucket *buckets, size_t count)
{
        size_t last = 0;
        for (size_t i = 1; i < count; i++) {
                if (buckets[i].bound == buckets[last].bound)
                        buckets[last].count += buckets[i].count;
                else
                        buckets[++last] = buckets[i];
        }
        double most = buckets[0].count;
        for (size_t i = 1; i <= last; i++) {
                if (buckets[i].count > most)
                        most = buckets[i].count;
                else if (buckets[i].count < most)
                        buckets[i].count = most;
        }
        return last + 1;
}

static double quantile(double q, struct bucket *buckets, size_t count)
{
        if (isnan(q))
                return NAN;
        if (q < 0 || q > 1)
                return q < 0 ? -INFINITY : INFINITY;
        qsort(buckets, count, sizeof *buckets, compare_buckets);
        if (!(isinf(buckets[count - 1].bound) && buckets[count - 1].bound > 0))
                return NAN;
        count = tidy(buckets, count);
        double observations = buckets[count - 1].count, rank = q * observations;
        if (count < 2 || observations == 0)
                return NAN;
        size_t low = 0, high = count - 1; /* the first bucket that reaches the rank, the last one apart */
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (buckets[middle].count >= rank)
                        high = middle;
                else
                        low = middle + 1;
        }
        if (low == count - 1)
                return buckets[count - 2].bound;
        if (low == 0 && buckets[0].bound <= 0)
                return buckets[0].bound;
        double start = 0, end = buckets[low].bound, inside = buckets[low].count;
        if (low > 0) {
                start = buckets[low - 1].bound;
                inside -= buckets[low - 1].count;
                rank -= buckets[low - 1].count;
        }
        return start + (end - start) * (rank / inside);
}

static struct histogram *histogram_of(struct histograms *histograms, struct map *map, const struct row *row,
                                      struct arena *arena, bool *good)
{
        static struct str le[] = {STR_INIT("le")};
        static const struct names without = {.items = le, .count = 1};
        struct labels identity = labels_without(&row->labels, &without, arena, good);
        if (!*good)
                return NULL;
        uint64_t hash = labels_hash(&identity);
        size_t at;
        for (uint32_t i = map_first(map, hash, &at); i != MAP_NONE; i = map_next(map, hash, &at))
                if (labels_equal(&histograms->items[i].identity, &identity))
                        return &histograms->items[i];
        struct histogram *histogram = arena_push(arena, histograms);
        if (!histogram || !map_put(map, hash, (uint32_t)(histograms->count - 1)))
                return *good = false, NULL;
        histogram->identity = identity;
        histogram->labels = labels_without_name(&identity, arena, good);
        return histogram;
}

static bool gather(const struct rows *rows, struct arena *arena, struct histograms *histograms, struct err *err)
{
        scoped(map_done) struct map map = {0};
        bool good = true;
        each (row, rows) {
                double bound;
                if (!str_to_double(labels_value(&row->labels, STR("le")), &bound))
                        continue;
                struct histogram *histogram = histogram_of(histograms, &map, row, arena, &good);
                __typeof__(histogram->bounds.items) added = good ? arena_push(arena, &histogram->bounds) : NULL;
                if (!added)
                        return fail_memory(err, "promql", 64);
                added->bound = bound;
                added->values = row->values;
        }
        return true;
}

static void fill(const struct histogram *histogram, const double *q, const struct steps *steps, struct bucket *room,
                 double *values)
{
        for (size_t i = 0; i < steps->count; i++) {
                size_t count = 0;
                each (bound, &histogram->bounds)
                        if (!is_absent(bound->values[i]))
                                room[count++] = (struct bucket){bound->bound, bound->values[i]};
                if (count)
                        values[i] = quantile(q[i], room, count);
        }
}

bool function_histogram_quantile(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                                 struct rows *out_rows, struct err *err)
{
        struct rows buckets, rows = {0};
        struct histograms histograms = {0};
        double *q;
        if (!evaluate_scalar(evaluation, call->children.items[0], steps, &q, err) ||
            !evaluate(evaluation, call->children.items[1], steps, &buckets, err) ||
            !gather(&buckets, evaluation->arena, &histograms, err))
                return false;
        struct bucket *room = arena_alloc(evaluation->arena, (buckets.count + 1) * sizeof *room);
        if (!room)
                return fail_memory(err, "promql", buckets.count * sizeof *room);
        each (histogram, &histograms) {
                struct row *row = rows_add(&rows, steps, evaluation->arena, err);
                if (!row)
                        return false;
                row->labels = histogram->labels;
                fill(histogram, q, steps, room, row->values);
        }
        *out_rows = rows;
        return rows_join_equal(out_rows, steps, evaluation->arena, err);
}
