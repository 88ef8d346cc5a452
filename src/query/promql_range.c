/*
 * promql_range.c - functions over a range: what one window of one series gives.
 *
 * Arithmetic follows Prometheus 2.42 step by step, compensated sums included (Neumaier 1974), because results are
 * compared with it to the ninth digit. A window slides, but sums are taken anew for each: differences of running sums lose
 * the digits that a small window beside a large counter needs.
 */
#include "query/promql_function.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct sum {
        double value, rest;
};

static inline void sum_add(struct sum *sum, double more)
{
        double total = sum->value + more;
        if (fabs(sum->value) >= fabs(more))
                sum->rest += (sum->value - total) + more;
        else
                sum->rest += (more - total) + sum->value;
        sum->value = total;
}

static double extrapolate(const struct window *w, double result, bool is_counter, bool is_rate)
{
        size_t last = w->count - 1;
        double to_start = promql_seconds(w->times_ns[0] - w->start_ns), to_end = promql_seconds(w->end_ns - w->times_ns[last]);
        double sampled = promql_seconds(w->times_ns[last] - w->times_ns[0]), average = sampled / (double)last;
        if (is_counter && result > 0 && w->values[0] >= 0) {
                double to_zero = sampled * (w->values[0] / result); /* a counter does not come from below zero */
                if (to_zero < to_start)
                        to_start = to_zero;
        }
        double threshold = average * 1.1, whole = sampled;
        whole += to_start < threshold ? to_start : average / 2;
        whole += to_end < threshold ? to_end : average / 2;
        double factor = whole / sampled;
        if (is_rate)
                factor /= w->range_s;
        return result * factor;
}

static double counter_increase(const struct window *w)
{
        double result = w->values[w->count - 1] - w->values[0];
        for (size_t i = 0; i < w->drop_count; i++) /* what the counter had reached before each reset */
                result += w->values[w->drops[i] - w->base - 1];
        return result;
}

double range_rate(const struct window *w, const double *parameters)
{
        (void)parameters;
        return w->count < 2 ? absent() : extrapolate(w, counter_increase(w), true, true);
}

double range_increase(const struct window *w, const double *parameters)
{
        (void)parameters;
        return w->count < 2 ? absent() : extrapolate(w, counter_increase(w), true, false);
}

double range_delta(const struct window *w, const double *parameters)
{
        (void)parameters;
        return w->count < 2 ? absent() : extrapolate(w, w->values[w->count - 1] - w->values[0], false, false);
}

static double last_two(const struct window *w, bool is_rate)
{
        if (w->count < 2)
                return absent();
        double last = w->values[w->count - 1], before = w->values[w->count - 2];
        int64_t between = w->times_ns[w->count - 1] - w->times_ns[w->count - 2];
        if (between == 0)
                return absent();
        double result = is_rate && last < before ? last : last - before;
        return is_rate ? result / promql_seconds(between) : result;
}

double range_irate(const struct window *w, const double *parameters)
{
        (void)parameters;
        return last_two(w, true);
}

double range_idelta(const struct window *w, const double *parameters)
{
        (void)parameters;
        return last_two(w, false);
}

/* Least squares; the intercept is at origin_ns. */
static double regression(const struct window *w, int64_t origin_ns, double *out_intercept)
{
        struct sum x_sum = {0}, y_sum = {0}, xy_sum = {0}, xx_sum = {0};
        bool is_constant = true;
        for (size_t i = 0; i < w->count; i++) {
                double x = promql_seconds(w->times_ns[i] - origin_ns), y = w->values[i];
                is_constant = is_constant && (i == 0 || y == w->values[0]);
                sum_add(&x_sum, x);
                sum_add(&y_sum, y);
                sum_add(&xy_sum, x * y);
                sum_add(&xx_sum, x * x);
        }
        if (is_constant) {
                *out_intercept = isinf(w->values[0]) ? NAN : w->values[0];
                return isinf(w->values[0]) ? NAN : 0;
        }
        double n = (double)w->count, sx = x_sum.value + x_sum.rest, sy = y_sum.value + y_sum.rest;
        double covariance = xy_sum.value + xy_sum.rest - sx * sy / n;
        double variance = xx_sum.value + xx_sum.rest - sx * sx / n;
        double slope = covariance / variance;
        *out_intercept = sy / n - slope * sx / n;
        return slope;
}

double range_deriv(const struct window *w, const double *parameters)
{
        double intercept;
        (void)parameters;
        return w->count < 2 ? absent() : regression(w, w->times_ns[0], &intercept);
}

double range_predict_linear(const struct window *w, const double *parameters)
{
        if (w->count < 2)
                return absent();
        double intercept, slope = regression(w, w->step_ns, &intercept);
        return slope * parameters[0] + intercept;
}

double range_changes(const struct window *w, const double *parameters)
{
        (void)parameters;
        double changes = 0;
        for (size_t i = 1; i < w->count; i++)
                changes += w->values[i] != w->values[i - 1] && !(isnan(w->values[i]) && isnan(w->values[i - 1]));
        return changes;
}

double range_resets(const struct window *w, const double *parameters)
{
        (void)parameters;
        return (double)w->drop_count;
}

static bool is_factor(const struct window *w, const char *name, double factor)
{
        if (!(factor <= 0 || factor >= 1))
                return true;
        snprintf(w->wrong, WINDOW_WRONG_BYTES, "invalid %s factor. Expected: 0 < %cf < 1, got: %f", name, name[0], factor);
        return false;
}

double range_holt_winters(const struct window *w, const double *parameters)
{
        double smoothing = parameters[0], trend = parameters[1];
        if (!is_factor(w, "smoothing", smoothing) || !is_factor(w, "trend", trend) || w->count < 2)
                return absent();
        double before = 0, level = w->values[0], slope = w->values[1] - w->values[0];
        for (size_t i = 1; i < w->count; i++) {
                if (i > 1)
                        slope = trend * (level - before) + (1 - trend) * slope;
                double next = smoothing * w->values[i] + (1 - smoothing) * (level + slope);
                before = level;
                level = next;
        }
        return level;
}

double range_avg(const struct window *w, const double *parameters)
{
        (void)parameters;
        struct sum mean = {0};
        for (size_t i = 0; i < w->count; i++) {
                double value = w->values[i], count = (double)(i + 1);
                if (isinf(mean.value)) { /* stays infinite; the difference of two infinities would be NaN */
                        if (isinf(value) && (mean.value > 0) == (value > 0))
                                continue;
                        if (isfinite(value))
                                continue;
                }
                sum_add(&mean, value / count - mean.value / count);
        }
        return isinf(mean.value) ? mean.value : mean.value + mean.rest;
}

double range_sum(const struct window *w, const double *parameters)
{
        (void)parameters;
        struct sum sum = {0};
        for (size_t i = 0; i < w->count; i++)
                sum_add(&sum, w->values[i]);
        return isinf(sum.value) ? sum.value : sum.value + sum.rest;
}

double range_min(const struct window *w, const double *parameters)
{
        (void)parameters;
        double least = w->values[0];
        for (size_t i = 1; i < w->count; i++)
                if (w->values[i] < least || isnan(least))
                        least = w->values[i];
        return least;
}

double range_max(const struct window *w, const double *parameters)
{
        (void)parameters;
        double most = w->values[0];
        for (size_t i = 1; i < w->count; i++)
                if (w->values[i] > most || isnan(most))
                        most = w->values[i];
        return most;
}

double range_count(const struct window *w, const double *parameters)
{
        (void)parameters;
        return (double)w->count;
}

double range_last(const struct window *w, const double *parameters)
{
        (void)parameters;
        return w->values[w->count - 1];
}

double range_present(const struct window *w, const double *parameters)
{
        (void)w;
        (void)parameters;
        return 1;
}

double range_stdvar(const struct window *w, const double *parameters)
{
        (void)parameters;
        struct sum mean = {0}, squares = {0};
        for (size_t i = 0; i < w->count; i++) {
                double delta = w->values[i] - (mean.value + mean.rest);
                sum_add(&mean, delta / (double)(i + 1));
                sum_add(&squares, delta * (w->values[i] - (mean.value + mean.rest)));
        }
        return (squares.value + squares.rest) / (double)w->count;
}

double range_stddev(const struct window *w, const double *parameters)
{
        return sqrt(range_stdvar(w, parameters));
}

static int compare_values(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        if (isnan(x) || isnan(y))
                return isnan(y) - isnan(x);
        return (x > y) - (x < y);
}

double promql_quantile(double q, double *values, size_t count)
{
        if (count == 0 || isnan(q))
                return NAN;
        if (q < 0 || q > 1)
                return q < 0 ? -INFINITY : INFINITY;
        qsort(values, count, sizeof *values, compare_values);
        double rank = q * (double)(count - 1), below = fmax(0, floor(rank)), above = fmin((double)(count - 1), below + 1);
        double weight = rank - floor(rank);
        return values[(size_t)below] * (1 - weight) + values[(size_t)above] * weight;
}

double range_quantile(const struct window *w, const double *parameters)
{
        memcpy(w->room, w->values, w->count * sizeof *w->values);
        return promql_quantile(parameters[0], w->room, w->count);
}
