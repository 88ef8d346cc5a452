/*
 * joint - several series of one thing, judged together against rows that were normal.
 *
 *      joint_create (learns from the normal rows) -> { joint_push } -> joint_destroy
 *
 * What counts is not that a value is large but that it is not what the other columns lead to. Under the covariance of the
 * normal rows, shrunk towards independence the more, the fewer rows there are (after Ledoit & Wolf 2004), row i of its inverse gives column i's
 * residual after the best linear prediction from all others (Lauritzen, Graphical Models, 1996, 5.1), which is Hotelling's
 * T2 taken apart by column (Mason, Tracy & Young 1995). Each column's residual is measured by its own 99th percentile, and
 * ln(1 + square), which one wild column cannot drown, is summed: over columns, and over rows smoothed a little and much, so that
 * sudden and lasting oddities both count. The sum's own tail among the normal rows (Hill 1975) gives the p-value.
 * The column to blame is the one with the largest part.
 *
 * Nothing is learnt after joint_create, so an oddity that stays is flagged as long as it stays. A missing value is what the
 * column was last. Memory: 16 bytes for each pair of columns, in double precision; at most JOINT_COLUMNS_MAX.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define JOINT_COLUMNS_MAX 1024
#define JOINT_ROWS_MIN 30       /* normal rows; fewer cannot say what is normal */

struct joint;

struct joint_verdict {
        double score;           /* 0 to 1; 0.5 and more: flagged */
        double p_value;
        bool is_flagged;
        size_t top;             /* the column to blame */
};

/* rows: row_count times column_count values, row by row; NaN where one is missing. They stay the caller's. */
struct joint *joint_create(const double *rows, size_t row_count, size_t column_count, struct err *err);
void joint_destroy(struct joint *joint);

/* The next row; the first follows the last normal one. */
void joint_push(struct joint *joint, const double *row, struct joint_verdict *out_verdict);
