/* promql_rows.c - see promql_rows.h. Whole rows at a time: labels are looked at once a row and never once a step. */
#include "query/promql_rows.h"

#include "base/map.h"
#include "base/scope.h"

#include <stdlib.h>

struct row *rows_add(struct rows *rows, const struct steps *steps, struct arena *arena, struct err *err)
{
        double *values = arena_alloc(arena, max_of(steps->count, (size_t)1) * sizeof *values);
        struct row *row = values ? arena_push(arena, rows) : NULL;
        if (!row) {
                fail_memory(err, "promql", steps->count * sizeof *values);
                return NULL;
        }
        for (size_t i = 0; i < steps->count; i++)
                values[i] = absent();
        row->values = values;
        return row;
}

static bool is_empty(const struct row *row, const struct steps *steps)
{
        for (size_t i = 0; i < steps->count; i++)
                if (!is_absent(row->values[i]))
                        return false;
        return true;
}

void rows_drop_empty(struct rows *rows, const struct steps *steps)
{
        size_t kept = 0;
        for (size_t i = 0; i < rows->count; i++)
                if (!is_empty(&rows->items[i], steps))
                        rows->items[kept++] = rows->items[i];
        rows->count = kept;
}

static bool fail_equal(struct err *err)
{
        return fail(err, ERR_REFUSED, "promql", "vector cannot contain metrics with the same labelset");
}

static bool join(struct row *into, const struct row *from, const struct steps *steps, struct err *err)
{
        for (size_t i = 0; i < steps->count; i++) {
                if (is_absent(from->values[i]))
                        continue;
                if (!is_absent(into->values[i]))
                        return fail_equal(err);
                into->values[i] = from->values[i];
        }
        return true;
}

/* The earlier row with these labels; MAP_NONE when there is none, and then the row is entered at place. */
static uint32_t find_equal(struct map *map, const struct rows *rows, const struct row *row, size_t place, bool *good)
{
        uint64_t hash = labels_hash(&row->labels);
        size_t at;
        for (uint32_t i = map_first(map, hash, &at); i != MAP_NONE; i = map_next(map, hash, &at))
                if (labels_equal(&rows->items[i].labels, &row->labels))
                        return i;
        *good = map_put(map, hash, (uint32_t)place);
        return MAP_NONE;
}

bool rows_join_equal(struct rows *rows, const struct steps *steps, struct arena *arena, struct err *err)
{
        (void)arena;
        scoped(map_done) struct map map = {0};
        size_t kept = 0;
        bool good = true;
        for (size_t i = 0; i < rows->count && good; i++) {
                struct row row = rows->items[i];
                if (is_empty(&row, steps))
                        continue;
                uint32_t before = find_equal(&map, rows, &row, kept, &good);
                if (before == MAP_NONE)
                        rows->items[kept++] = row;
                else if (!join(&rows->items[before], &row, steps, err))
                        return false;
        }
        rows->count = kept;
        return good || fail_memory(err, "promql", rows->count * 16);
}

bool rows_refuse_equal(struct rows *rows, const struct steps *steps, struct err *err)
{
        scoped(map_done) struct map map = {0};
        bool good = true;
        rows_drop_empty(rows, steps);
        for (size_t i = 0; i < rows->count && good; i++)
                if (find_equal(&map, rows, &rows->items[i], i, &good) != MAP_NONE)
                        return fail_equal(err);
        return good || fail_memory(err, "promql", rows->count * 16);
}

static int compare_rows(const void *a, const void *b)
{
        return labels_compare(&((const struct row *)a)->labels, &((const struct row *)b)->labels);
}

void rows_sort_by_labels(struct rows *rows)
{
        if (rows->count > 1)
                qsort(rows->items, rows->count, sizeof *rows->items, compare_rows);
}

bool names_has(const struct names *names, struct str name)
{
        each (item, names)
                if (str_equal(*item, name))
                        return true;
        return false;
}

static struct labels pick(const struct labels *labels, const struct names *names, bool wanted, bool drops_name,
                          struct arena *arena, bool *good)
{
        struct labels picked = {.items = arena_alloc(arena, (labels->count + 1) * sizeof *picked.items)};
        if (!picked.items) {
                *good = false;
                return picked;
        }
        each (label, labels) {
                if (drops_name && str_equal(label->name, LABEL_METRIC_NAME))
                        continue;
                if (names_has(names, label->name) == wanted)
                        picked.items[picked.count++] = *label;
        }
        return picked;
}

struct labels labels_without_name(const struct labels *labels, struct arena *arena, bool *good)
{
        static const struct names none = {0};
        if (labels->count && str_equal(labels->items[0].name, LABEL_METRIC_NAME)) /* nearly always: no copy */
                return (struct labels){.items = labels->items + 1, .count = labels->count - 1};
        if (!labels_value(labels, LABEL_METRIC_NAME).length)
                return *labels;
        return pick(labels, &none, false, true, arena, good);
}

struct labels labels_without(const struct labels *labels, const struct names *names, struct arena *arena, bool *good)
{
        return pick(labels, names, false, false, arena, good);
}

struct labels labels_only(const struct labels *labels, const struct names *names, struct arena *arena, bool *good)
{
        return pick(labels, names, true, false, arena, good);
}

struct labels labels_with(const struct labels *labels, struct str name, struct str value, struct arena *arena, bool *good)
{
        struct labels made = {.items = arena_alloc(arena, (labels->count + 1) * sizeof *made.items)};
        if (!made.items) {
                *good = false;
                return made;
        }
        bool placed = value.length == 0;
        each (label, labels) {
                int order = str_compare(label->name, name);
                if (order >= 0 && !placed) {
                        made.items[made.count++] = (struct label){name, value};
                        placed = true;
                }
                if (order != 0)
                        made.items[made.count++] = *label;
        }
        if (!placed)
                made.items[made.count++] = (struct label){name, value};
        return made;
}

static uint64_t hash_label(uint64_t hash, const struct label *label)
{
        return hash64_seeded(label->value, hash64_seeded(label->name, hash));
}

uint64_t labels_hash(const struct labels *labels)
{
        uint64_t hash = labels->count;
        each (label, labels)
                hash = hash_label(hash, label);
        return hash;
}

uint64_t labels_signature(const struct labels *labels, const struct names *names, bool is_on)
{
        uint64_t hash = 0;
        each (label, labels) {
                if (!is_on && str_equal(label->name, LABEL_METRIC_NAME))
                        continue;
                if (names_has(names, label->name) == is_on)
                        hash = hash_label(hash, label);
        }
        return hash;
}
