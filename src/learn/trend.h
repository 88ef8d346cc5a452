/*
 * trend - where a line through noisy points leads, and how sure that is.
 *
 * The slope is the median of the slopes of all pairs of points, so a third of the points may be anything (Theil, "A rank-invariant method of
 * linear and polynomial regression analysis", 1950). Its interval comes from the order statistics of those slopes (Sen, "Estimates of the
 * regression coefficient based on Kendall's tau", JASA 63, 1968), at 99 percent. Points of one series follow one another, so the
 * interval is too narrow for slow noise; that is why nobody should look far beyond what was seen (TREND_AHEAD).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TREND_POINTS_MAX 64
#define TREND_POINTS_MIN 8
#define TREND_AHEAD 6.0         /* so many times the time seen may be looked ahead */

struct trend {
        double slope, slope_low, slope_high;    /* a unit of x; low <= slope <= high */
        double level;                           /* of the line at the last point */
        double span;                            /* from first to last x */
};

/* x ascending; at most TREND_POINTS_MAX points. False: too few, or not finite. */
bool trend_fit(const double *x, const double *y, size_t count, struct trend *out_trend);

struct trend_arrival {
        double at, earliest, latest;            /* from the last point on; latest INFINITY: it may never come */
};

/* When the line meets the limit; false: it does not lead there, is not sure to move at all, or further away than may be looked. */
bool trend_reaches(const struct trend *trend, double limit, struct trend_arrival *out_arrival);
