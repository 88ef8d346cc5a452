/*
 * joint.c - see joint.h. One block of memory for all vectors and matrices; learning is a handful of passes over the normal
 * rows, each of which runs the very code that judges later rows.
 */
#include "learn/joint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALES 2
#define CLIP 10.0               /* standard deviations: a column that was nearly constant must not decide alone */
#define SHRINK 0.1              /* added to the variances, all of which are 1, */
#define SHRINK_ROWS 50.0        /* and more where columns are many for the rows: neighbouring rows are much alike, so this many count as one */
#define COLUMN_SHARE 0.01       /* the percentile that a column's residual is measured by */
#define COLUMN_LEAST 0.3        /* added to it, for columns that the others predict perfectly */
#define TAIL_SHARE_ROWS 0.02
#define TAIL_SHAPE 0.05         /* expected of a sum over many columns, as much as 20 rows say */
#define TAIL_SHAPE_ROWS 20.0
#define FLAG_P 1e-7             /* so small since rows that were learnt from look more usual than others will */
#define FLAG_BEYOND 2.0         /* times the largest sum of a normal row: flagged however heavy the tail */

static const double paces[SCALES] = {2.0 / 4, 2.0 / 21};        /* smoothed over about three rows, and over twenty */

struct scale {
        double *smooth;         /* by column: the smoothed row */
        double *mean;           /* of it over the normal rows */
        double *inverse;        /* of its covariance */
        double *usual;          /* what residuals are measured by */
};

struct joint {
        size_t columns;
        double *center, *spread, *last;  /* by column */
        double *parts;          /* by column: its part in the verdict */
        struct scale scales[SCALES];
        double tail_from, tail_shape;
        double flag_at;         /* of the sum */
        double memory[];
};

static double *cut(double **memory, size_t count)
{
        double *piece = *memory;
        *memory += count;
        return piece;
}

static struct joint *joint_empty(size_t columns, struct err *err)
{
        size_t count = 4 * columns + SCALES * (3 * columns + columns * columns);
        struct joint *joint = calloc(1, sizeof *joint + count * sizeof(double));
        if (!joint) {
                fail_memory(err, "joint", sizeof *joint + count * sizeof(double));
                return NULL;
        }
        double *memory = joint->memory;
        joint->columns = columns;
        joint->center = cut(&memory, columns);
        joint->spread = cut(&memory, columns);
        joint->last = cut(&memory, columns);
        joint->parts = cut(&memory, columns);
        for (int s = 0; s < SCALES; s++)
                joint->scales[s] = (struct scale){cut(&memory, columns), cut(&memory, columns), cut(&memory, columns * columns), cut(&memory, columns)};
        return joint;
}

void joint_destroy(struct joint *joint)
{
        free(joint);
}

/* Center and spread of one column; one that never moved counts what is a thousandth of its value as a deviation. */
static void learn_column(struct joint *joint, const double *rows, size_t row_count, size_t column)
{
        double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
        size_t seen = 0;
        for (size_t r = 0; r < row_count; r++) {
                double value = rows[r * joint->columns + column];
                if (!isfinite(value))
                        continue;
                sum += value;
                low = fmin(low, value);
                high = fmax(high, value);
                seen++;
        }
        double mean = seen ? sum / (double)seen : 0;
        for (size_t r = 0; r < row_count; r++) {
                double value = rows[r * joint->columns + column];
                squares += isfinite(value) ? (value - mean) * (value - mean) : 0;
        }
        double deviation = seen ? sqrt(squares / (double)seen) : 0;
        joint->center[column] = joint->last[column] = mean;
        joint->spread[column] = deviation > 1e-9 * (1 + fabs(mean)) ? deviation : high > low ? high - low : 1e-3 * fmax(fabs(mean), 1);
}

/* The next row into the smoothed rows. */
static void take(struct joint *joint, const double *row)
{
        for (size_t c = 0; c < joint->columns; c++) {
                if (isfinite(row[c]))
                        joint->last[c] = row[c];
                double value = fmin(fmax((joint->last[c] - joint->center[c]) / joint->spread[c], -CLIP), CLIP);
                for (int s = 0; s < SCALES; s++)
                        joint->scales[s].smooth[c] += paces[s] * (value - joint->scales[s].smooth[c]);
        }
}

static void rewind_rows(struct joint *joint)
{
        for (int s = 0; s < SCALES; s++)
                memset(joint->scales[s].smooth, 0, joint->columns * sizeof(double));
        memcpy(joint->last, joint->center, joint->columns * sizeof(double));
}

/* Inverts a positive definite matrix in place (Cholesky). */
static void invert(double *matrix, size_t n)
{
        for (size_t i = 0; i < n; i++)                  /* matrix = L L', L below the diagonal */
                for (size_t j = 0; j <= i; j++) {
                        double sum = matrix[i * n + j];
                        for (size_t k = 0; k < j; k++)
                                sum -= matrix[i * n + k] * matrix[j * n + k];
                        matrix[i * n + j] = i == j ? sqrt(sum) : sum / matrix[j * n + j];
                }
        for (size_t j = 0; j < n; j++)                  /* L inverted, column by column */
                for (size_t i = j; i < n; i++) {
                        double sum = i == j;
                        for (size_t k = j; k < i; k++)
                                sum -= matrix[i * n + k] * matrix[k * n + j];
                        matrix[i * n + j] = sum / matrix[i * n + i];
                }
        for (size_t i = 0; i < n; i++)                  /* the upper half: inverse of L' times inverse of L */
                for (size_t j = i; j < n; j++) {
                        double sum = 0;
                        for (size_t k = j; k < n; k++)
                                sum += matrix[k * n + i] * matrix[k * n + j];
                        matrix[i * n + j] = sum;
                }
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                        matrix[i * n + j] = matrix[j * n + i];
}

static void learn_scale(struct joint *joint, const double *rows, size_t row_count, size_t s)
{
        size_t n = joint->columns;
        struct scale *scale = &joint->scales[s];
        double shrink = SHRINK + SHRINK_ROWS * (double)n / (double)row_count;
        rewind_rows(joint);
        for (size_t r = 0; r < row_count; r++) {
                take(joint, rows + r * n);
                for (size_t i = 0; i < n; i++) {
                        scale->mean[i] += scale->smooth[i] / (double)row_count;
                        for (size_t j = 0; j <= i; j++)
                                scale->inverse[i * n + j] += scale->smooth[i] * scale->smooth[j] / (double)row_count;
                }
        }
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j <= i; j++)
                        scale->inverse[i * n + j] += (i == j ? shrink : 0) - scale->mean[i] * scale->mean[j];
        invert(scale->inverse, n);
}

/* A column's distance from what the other columns lead to, in standard deviations of that. */
static double residual(const struct scale *scale, size_t n, size_t column)
{
        double sum = 0;
        for (size_t j = 0; j < n; j++)
                sum += scale->inverse[column * n + j] * (scale->smooth[j] - scale->mean[j]);
        return fabs(sum) / sqrt(scale->inverse[column * n + column]);
}

static int ascending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

static double quantile(double *numbers, size_t count, double share_above)
{
        qsort(numbers, count, sizeof *numbers, ascending);
        return numbers[(size_t)((double)(count - 1) * (1 - share_above))];
}

/* residuals: room for row_count numbers of each column. */
static void learn_usual(struct joint *joint, const double *rows, size_t row_count, double *residuals)
{
        size_t n = joint->columns;
        for (size_t s = 0; s < SCALES; s++) {
                rewind_rows(joint);
                for (size_t r = 0; r < row_count; r++) {
                        take(joint, rows + r * n);
                        for (size_t c = 0; c < n; c++)
                                residuals[c * row_count + r] = residual(&joint->scales[s], n, c);
                }
                for (size_t c = 0; c < n; c++)
                        joint->scales[s].usual[c] = quantile(residuals + c * row_count, row_count, COLUMN_SHARE) + COLUMN_LEAST;
        }
}

static double judge(struct joint *joint)
{
        double total = 0;
        for (size_t c = 0; c < joint->columns; c++) {
                joint->parts[c] = 0;
                for (size_t s = 0; s < SCALES; s++) {
                        double times = residual(&joint->scales[s], joint->columns, c) / joint->scales[s].usual[c];
                        joint->parts[c] += log1p(times * times);
                }
                total += joint->parts[c];
        }
        return total;
}

static void learn_tail(struct joint *joint, const double *rows, size_t row_count, double *totals)
{
        rewind_rows(joint);
        for (size_t r = 0; r < row_count; r++) {
                take(joint, rows + r * joint->columns);
                totals[r] = judge(joint);
        }
        joint->tail_from = fmax(quantile(totals, row_count, TAIL_SHARE_ROWS), 1e-9);
        double sum = TAIL_SHAPE * TAIL_SHAPE_ROWS, weight = TAIL_SHAPE_ROWS;
        for (size_t r = row_count; r-- > 0 && totals[r] > joint->tail_from;) {
                sum += log(totals[r] / joint->tail_from);
                weight++;
        }
        joint->tail_shape = sum / weight;
        double rare = joint->tail_from * pow(TAIL_SHARE_ROWS / FLAG_P, joint->tail_shape);
        joint->flag_at = fmin(rare, FLAG_BEYOND * fmax(totals[row_count - 1], joint->tail_from));
}

struct joint *joint_create(const double *rows, size_t row_count, size_t column_count, struct err *err)
{
        if (!column_count || column_count > JOINT_COLUMNS_MAX || row_count < JOINT_ROWS_MIN) {
                fail(err, ERR_REFUSED, "joint", "learning what is normal from %zu rows of %zu columns: give %d rows or more of at most %d columns",
                     row_count, column_count, JOINT_ROWS_MIN, JOINT_COLUMNS_MAX);
                return NULL;
        }
        struct joint *joint = joint_empty(column_count, err);
        double *scratch = joint ? calloc(row_count * column_count, sizeof *scratch) : NULL;
        if (!scratch) {
                if (joint)
                        fail_memory(err, "joint", row_count * column_count * sizeof *scratch);
                joint_destroy(joint);
                return NULL;
        }
        for (size_t c = 0; c < column_count; c++)
                learn_column(joint, rows, row_count, c);
        for (size_t s = 0; s < SCALES; s++)
                learn_scale(joint, rows, row_count, s);
        learn_usual(joint, rows, row_count, scratch);
        learn_tail(joint, rows, row_count, scratch);
        free(scratch);
        return joint;
}

void joint_push(struct joint *joint, const double *row, struct joint_verdict *out_verdict)
{
        take(joint, row);
        double total = judge(joint), over = log(fmax(total, 1e-300) / joint->tail_from);
        size_t top = 0;
        for (size_t c = 1; c < joint->columns; c++)
                if (joint->parts[c] > joint->parts[top])
                        top = c;
        double p = over > 0 ? TAIL_SHARE_ROWS * exp(-over / joint->tail_shape) : fmin(1, exp(-over) * TAIL_SHARE_ROWS);
        *out_verdict = (struct joint_verdict){.score = total / (total + joint->flag_at), .p_value = p, .is_flagged = total >= joint->flag_at, .top = top};
}
