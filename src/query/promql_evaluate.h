/*
 * promql_evaluate - walks a checked tree and gives its rows over all steps at once.
 *
 * Every selector is read once for the whole range; functions over ranges slide a window along each series. One thread, one
 * arena; nothing survives the evaluation but what its result points to.
 */
#pragma once

#include "query/promql.h"
#include "query/promql_rows.h"
#include "query/promql_tree.h"

struct selected; /* what a selector read, kept for an equal one */

struct evaluation {
        const struct promql_source *source;
        const struct promql_options *options;
        struct arena *arena;
        int64_t start_ns, end_ns;       /* of the whole query: start() and end() */
        int64_t lookback_ns;
        size_t samples_left;
        struct selected *selected;
};

bool evaluate(struct evaluation *evaluation, const struct node *node, const struct steps *steps, struct rows *out_rows,
              struct err *err);
/* False when the asker went away or the time is up. Cheap enough to ask for each row. */
bool evaluation_goes_on(const struct evaluation *evaluation, struct err *err);

/* A scalar node's value at each step. */
bool evaluate_scalar(struct evaluation *evaluation, const struct node *node, const struct steps *steps, double **out_values,
                     struct err *err);

/* The last sample at each step no older than the look-back; with wants_times its time in seconds. */
bool select_instant(struct evaluation *evaluation, const struct node *selector, const struct steps *steps, bool wants_times,
                    struct rows *out_rows, struct err *err);

/* The samples a range selector or subquery may need over the steps, without stale markers. */
bool select_range(struct evaluation *evaluation, const struct node *range, const struct steps *steps,
                  struct series_set *out_set, struct err *err);

/* The time that a selector or subquery stands for at a step: its @ or the step's, minus its offset. */
int64_t node_time(const struct evaluation *evaluation, const struct node *node, int64_t step_ns);
/* Without running over at the ends of int64. */
int64_t time_minus(int64_t time_ns, int64_t by_ns);

bool evaluate_binary(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                     struct rows *out_rows, struct err *err);
bool evaluate_aggregate(struct evaluation *evaluation, const struct node *node, const struct steps *steps,
                        struct rows *out_rows, struct err *err);
