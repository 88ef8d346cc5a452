/*
 * cause_metrics - which entity began it, judged by the series around the moment when trouble was noticed.
 *
 * Two questions are asked of the series.
 *
 * How strange is each? Median and spread of the time before (as in BARO, Pham et al., FSE 2024) tell how far a series
 * went from itself. That counts in two ways that must both hold: by its own noise (else a change is nothing) and by its
 * own size (else a metric that never moves outshines all by moving a thousandth). A change to the good, such as memory
 * that is let go where less comes in, counts half.
 *
 * How much of what is wrong at the target is each one's own? Known calls make this a sum: of the seconds (or failed
 * requests) more than usual, at the times when the target was in breach, a callee's are in its caller's too. What is left
 * of an entity's excess after that of its callees is its own share. This is the walk upstream of the trouble (the graph
 * traversal of Hardt et al., PetShop, CLeaR 2024), with seconds instead of yes and no: a small loss in a thousand calls
 * is told from a large one in a batch job that nobody waits for.
 *
 * Seconds add up over calls as means do, not as quantiles: for a target that is a quantile the mean beside it is taken.
 * Without a target, but with edges, it is looked for where most users meet the trouble: among what calls and is not called.
 *
 * With a target the share decides, and strangeness orders what is left; when it is not known who calls whom, all of an
 * entity's excess is taken for its own. Without a target strangeness decides, less for a caller whose callee shows the
 * same. Order in time breaks ties: earlier is likelier.
 *
 * Pure: nothing is kept between calls. Strings and values are borrowed; the answer is the arena's.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct cause_series {
        struct str entity, metric, statistic;
        const double *values;   /* one a row; NAN where there is none */
};

struct cause_edge {
        struct str caller, callee;
};

#define CAUSE_NO_TARGET SIZE_MAX
#define CAUSE_ROWS_MAX ((size_t)1 << 20)

struct cause_question {
        const int64_t *times_ns; /* of the rows, rising */
        size_t row_count;
        const struct cause_series *series;
        size_t series_count;
        const struct cause_edge *edges;
        size_t edge_count;
        int64_t at_ns;          /* when it was noticed; it may have begun somewhat earlier */
        size_t target;          /* the series in breach, or CAUSE_NO_TARGET */
};

struct cause {
        struct str entity;
        double score;           /* what the order is by */
        double share;           /* of the target's trouble, its own; 0 without a target */
        double strangeness;     /* 0: as ever; 1: a thousand times its size */
        bool is_upstream;       /* the target depends on it, or may: there are no edges */
        size_t series;          /* the strangest of its series: the evidence */
        double before, after;   /* that series: its median before; where it went */
        size_t onset;           /* the row where it left its usual range; row_count if it did not */
};

struct cause_list {
        struct cause *items;    /* best first */
        size_t count, capacity;
};

/* Fails with ERR_INVALID when there are not enough rows before `at` to know what is usual. */
bool cause_metrics_rank(const struct cause_question *question, struct arena *arena, struct cause_list *out_causes, struct err *err);
