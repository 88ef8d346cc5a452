/* trend.c - see trend.h. Some dozens of points, so all pairs are simply taken. */
#include "learn/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z_99 2.5758293035489004
#define Z_90 1.6448536269514722 /* nine in ten lie within, five in a hundred on each side */
#define SURE 4.0                /* slope over its error: below, a walk may have gone so far by itself */
#define STOPPED_S 300           /* what stopped coming so long ago leads nowhere now */
#define SOONER 0.5
#define WILD 4.0                /* usual distances: what is further off is taken as that far */
#define ARRIVED_BY 1e6          /* points ahead: nobody looks further */
#define EIGHTHS_FIRST 2         /* parts of the window that the rest is held against */
#define EIGHTHS_LAST 6

const struct trend_window trend_windows[TREND_WINDOWS] = {{600, 15, 1}, {7200, 180, 5}, {86400, 1800, 30}};

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

/* The slope of all points, and the interval that it is in if neighbours know nothing of each other. */
static bool fit_slope(const double *x, const double *y, size_t count, struct trend *trend)
{
        double slopes[TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2];
        size_t pairs = 0;
        for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < i; k++)
                        if (x[i] > x[k])
                                slopes[pairs++] = (y[i] - y[k]) / (x[i] - x[k]);
        if (pairs < TREND_POINTS_MIN)
                return false;
        trend->slope = median(slopes, pairs);
        double n = (double)count, width = Z_99 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
        trend->slope_low = slopes[clamp(((double)pairs - width) / 2 - 1, pairs)];
        trend->slope_high = slopes[clamp(((double)pairs + width) / 2, pairs)];
        return true;
}

/* Increments around the line, made tame: their variance is walk + 2 noise, their neighbours' covariance -noise. */
static void part_noise_from_walk(const double *offsets, size_t count, struct trend *trend)
{
        double increments[TREND_POINTS_MAX], sizes[TREND_POINTS_MAX], squares = 0, products = 0;
        size_t steps = count - 1;
        for (size_t i = 0; i < steps; i++) {
                increments[i] = offsets[i + 1] - offsets[i];
                sizes[i] = fabs(increments[i]);
        }
        double bound = WILD * 1.4826 * median(sizes, steps);
        for (size_t i = 0; i < steps; i++) {
                increments[i] = bound > 0 ? fmin(fmax(increments[i], -bound), bound) : increments[i];
                squares += increments[i] * increments[i];
                products += i ? increments[i] * increments[i - 1] : 0;
        }
        double variance = squares / (double)(steps - 1);
        trend->noise = fmin(fmax(-products / (double)(steps - 1), 0), variance / 2);
        trend->walk = variance - 2 * trend->noise;
}

/* How much the slope changes from a point to the next: from the slopes of the halves, whose middles are half the window apart. */
static double bend_of(const double *x, const double *y, size_t count, double step)
{
        size_t half = count / 2;
        struct trend first = {0}, second = {0};
        if (half < TREND_POINTS_MIN || !fit_slope(x, y, half, &first) || !fit_slope(x + count - half, y + count - half, half, &second))
                return 0;
        double change = (second.slope - first.slope) * step;
        return change * change / (double)(count - half);
}

/* A range query tells a sample again until the next one: neighbours that are equal may be one. */
static bool are_enough(const double *x, const double *y, size_t count)
{
        size_t different = 1;
        for (size_t i = 0; i < count; i++) {
                if (!isfinite(x[i]) || !isfinite(y[i]))
                        return false;
                different += i && y[i] != y[i - 1];
        }
        return different >= TREND_POINTS_MIN;
}

/* How much of a point's offset is a walk, which stays, and not noise, which goes. */
static double walk_share(const struct trend *trend)
{
        return trend->walk > 0 ? trend->walk / (trend->walk + trend->noise) : 0;
}

/* A walk is where it is; noise is around the line. Sorts the offsets. */
static double level_at_end(double *offsets, size_t count, double share)
{
        double last = offsets[count - 1];
        return share * last + (1 - share) * median(offsets, count);
}

static double slope_error(const struct trend *trend, double count)
{
        double spread = count * (count * count - 1) / 12;
        return sqrt(trend->noise / spread + 1.2 * trend->walk / count); /* 6/5: a line through a walk */
}

/* How far the points after the first `known` were off from where these led, in the deviations that were to be expected: mean square. */
static double missed_by(const struct trend *trend, const double *x, const double *y, size_t count, size_t known)
{
        struct trend part;
        double offsets[TREND_POINTS_MAX], squares = 0;
        if (!fit_slope(x, y, known, &part))
                return 0;
        for (size_t i = 0; i < known; i++)
                offsets[i] = y[i] - part.slope * (x[i] - x[known - 1]);
        double level = level_at_end(offsets, known, walk_share(trend)), error = slope_error(trend, (double)known);
        for (size_t i = known; i < count; i++) {
                double ahead = x[i] - x[known - 1], t = ahead / trend->step, off = y[i] - level - part.slope * ahead;
                double variance = 2 * trend->noise + trend->walk * t + error * error * t * t;
                squares += variance > 0 ? off * off / variance : 0;
        }
        return squares / (double)(count - known);
}

void trend_look_back(const double *x, const double *y, size_t count, struct trend *trend)
{
        double worst = 1;
        for (size_t eighth = EIGHTHS_FIRST; eighth <= EIGHTHS_LAST; eighth++)
                if (count * eighth / 8 >= TREND_POINTS_MIN)
                        worst = fmax(worst, missed_by(trend, x, y, count, count * eighth / 8));
        trend->astray = sqrt(worst);
}

bool trend_fit(const double *x, const double *y, size_t count, struct trend *out_trend)
{
        double offsets[TREND_POINTS_MAX];
        if (count < TREND_POINTS_MIN || count > TREND_POINTS_MAX || !are_enough(x, y, count))
                return false;
        struct trend trend = {.span = x[count - 1] - x[0], .step = (x[count - 1] - x[0]) / (double)(count - 1), .astray = 1};
        if (trend.span <= 0 || !fit_slope(x, y, count, &trend))
                return false;
        for (size_t i = 0; i < count; i++)
                offsets[i] = y[i] - trend.slope * (x[i] - x[count - 1]);
        part_noise_from_walk(offsets, count, &trend);
        trend.bend = bend_of(x, y, count, trend.step);
        trend.level = level_at_end(offsets, count, walk_share(&trend));
        trend.slope_error = slope_error(&trend, (double)count);
        *out_trend = trend;
        return true;
}

/* Points until slope * t + side * Z * deviation(t) has gone the way; INFINITY: never, so far ahead as matters. */
static double crossing(const struct trend *trend, double slope, double way, double side)
{
        double low = 0, high = 1;
        for (int step = 0; step < 160; step++) {
                bool is_seeking = step < 80;
                double t = is_seeking ? high : (low + high) / 2, error = trend->slope_error * t;
                double gone = slope * t + side * Z_90 * trend->astray * sqrt(trend->noise + trend->walk * t + error * error + trend->bend * t * t * t / 3);
                if (is_seeking && gone >= way) {
                        step = 79; /* between the two it lies */
                } else if (is_seeking) {
                        if (high > ARRIVED_BY)
                                return INFINITY;
                        low = high;
                        high *= 1.5;
                } else if (gone < way) {
                        low = t;
                } else {
                        high = t;
                }
        }
        return high;
}

bool trend_reaches(const struct trend *trend, double limit, struct trend_arrival *out_arrival)
{
        double way = limit - trend->level, up = way > 0 ? 1 : -1, slope = up * trend->slope * trend->step;
        if (up * trend->slope_low <= 0 || up * trend->slope_high <= 0 || slope < SURE * trend->slope_error)
                return false; /* it may as well stand still */
        double at = up * way / slope * trend->step;
        if (at > TREND_AHEAD * trend->span)
                return false;
        *out_arrival = (struct trend_arrival){.at = at, .earliest = fmin(crossing(trend, slope, up * way, 1) * trend->step, at),
                                              .latest = fmax(crossing(trend, slope, up * way, -1) * trend->step, at)};
        return true;
}

bool trend_foretell(const struct trend_window *window, const double *x, const double *y, size_t count, double limit, struct trend_arrival *out_arrival)
{
        struct trend trend;
        struct trend_arrival arrival;
        if (!trend_fit(x, y, count, &trend) || trend.span < (double)window->span_s / 3 || x[count - 1] < -STOPPED_S || !trend_reaches(&trend, limit, &arrival))
                return false;
        trend_look_back(x, y, count, &trend);
        trend_reaches(&trend, limit, &arrival);
        double last = x[count - 1];
        *out_arrival = (struct trend_arrival){last + arrival.at, last + arrival.earliest, last + arrival.latest};
        return true;
}

bool trend_is_sooner(const struct trend_arrival *shorter, const struct trend_arrival *longer)
{
        return shorter->latest < SOONER * longer->at;
}
