/*
 * promql_rows - what every expression evaluates to: labelled rows with one place for each step of the query.
 *
 * A place without a sample holds the stale marker, which never is a value. A scalar is one row without labels, all places
 * filled. Rows belong to the evaluation's arena and to whoever asked for them last, who may change them in place.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/telemetry.h"
#include "query/promql_tree.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The times at which an expression is evaluated. */
struct steps {
        int64_t start_ns, step_ns;
        size_t count;
};

struct row {
        struct labels labels;
        double *values;         /* steps.count of them */
};

struct rows {
        struct row *items;
        size_t count, capacity;
};

static inline double absent(void)
{
        uint64_t bits = STALE_NAN_BITS;
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
}

static inline bool is_absent(double value)
{
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits == STALE_NAN_BITS;
}

static inline int64_t steps_time(const struct steps *steps, size_t step)
{
        return steps->start_ns + (int64_t)step * steps->step_ns;
}

/* Adds a row whose places are all absent; NULL and err when memory is out. */
struct row *rows_add(struct rows *rows, const struct steps *steps, struct arena *arena, struct err *err);
/* Drops rows without any sample. */
void rows_drop_empty(struct rows *rows, const struct steps *steps);
/* Joins rows of equal labels; two samples at one step are refused as Prometheus refuses them. */
bool rows_join_equal(struct rows *rows, const struct steps *steps, struct arena *arena, struct err *err);
/* Refuses rows of equal labels even when their samples never meet; drops empty rows before. */
bool rows_refuse_equal(struct rows *rows, const struct steps *steps, struct err *err);
void rows_sort_by_labels(struct rows *rows);

/* New label sets; the texts stay borrowed. items NULL in a result that should have labels: memory is out, *good false. */
struct labels labels_without_name(const struct labels *labels, struct arena *arena, bool *good);
struct labels labels_without(const struct labels *labels, const struct names *names, struct arena *arena, bool *good);
struct labels labels_only(const struct labels *labels, const struct names *names, struct arena *arena, bool *good);
struct labels labels_with(const struct labels *labels, struct str name, struct str value, struct arena *arena, bool *good);
uint64_t labels_hash(const struct labels *labels);
/* What two samples of a binary operation must have in common: on(names), or all but ignoring(names) and the name. */
uint64_t labels_signature(const struct labels *labels, const struct names *names, bool is_on);
bool names_has(const struct names *names, struct str name);
