/* trend.c - see trend.h. Some dozens of points, so all pairs are simply taken. */
#include "learn/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z_99 2.5758293035489004

static int by_value(const void *left, const void *right)
{
        double a = *(const double *)left, b = *(const double *)right;
        return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
        qsort(values, count, sizeof *values, by_value);
        return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static size_t clamp(double place, size_t count)
{
        return place < 0 ? 0 : place > (double)(count - 1) ? count - 1 : (size_t)place;
}

bool trend_fit(const double *x, const double *y, size_t count, struct trend *out_trend)
{
        static _Thread_local double slopes[TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2];
        double offsets[TREND_POINTS_MAX];
        size_t pairs = 0;
        if (count < TREND_POINTS_MIN || count > TREND_POINTS_MAX)
                return false;
        for (size_t i = 0; i < count; i++) {
                if (!isfinite(x[i]) || !isfinite(y[i]))
                        return false;
                for (size_t k = 0; k < i; k++)
                        if (x[i] > x[k])
                                slopes[pairs++] = (y[i] - y[k]) / (x[i] - x[k]);
        }
        if (pairs < TREND_POINTS_MIN)
                return false;
        struct trend trend = {.slope = median(slopes, pairs), .span = x[count - 1] - x[0]};
        double n = (double)count, width = Z_99 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
        trend.slope_low = slopes[clamp(((double)pairs - width) / 2 - 1, pairs)];
        trend.slope_high = slopes[clamp(((double)pairs + width) / 2, pairs)];
        for (size_t i = 0; i < count; i++)
                offsets[i] = y[i] - trend.slope * (x[i] - x[count - 1]);
        trend.level = median(offsets, count);
        *out_trend = trend;
        return true;
}

bool trend_reaches(const struct trend *trend, double limit, struct trend_arrival *out_arrival)
{
        double way = limit - trend->level;
        bool is_up = way > 0;
        double fast = is_up ? trend->slope_high : trend->slope_low, slow = is_up ? trend->slope_low : trend->slope_high;
        if (is_up ? slow <= 0 : slow >= 0)
                return false; /* it may as well stand still */
        struct trend_arrival arrival = {.at = way / trend->slope, .earliest = way / fast, .latest = way / slow};
        if (arrival.at > TREND_AHEAD * trend->span)
                return false;
        *out_arrival = arrival;
        return true;
}
