/*
 * trend - where a line through noisy points leads, and how sure that is.
 *
 * The slope is the median of the slopes of all pairs of points, so a third of the points may be anything (Theil, "A rank-invariant method of
 * linear and polynomial regression analysis", 1950; Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968). Around the line
 * a series is taken as a random walk plus noise of each point (the local level model with drift, Harvey 1989); the increments tell them
 * apart: noise makes neighbouring increments go opposite ways, a walk does not. After t points the level is normal around the line with
 *
 *      variance = noise + walk * t + (error of the slope)^2 * t^2 + bend * t^3 / 3
 *
 * bend being how the slope itself changed between the halves, and the interval for the time of arrival is where its bounds cross the limit. How wide that
 * must be is also measured: had one looked after a quarter, three eighths ... three quarters of the window, the rest of it would have been off
 * by so many of these deviations (errors of rolling origins: Tashman, Int. J. of Forecasting 16, 2000); by the worst of them the
 * interval is widened, as conformal prediction takes past errors for future ones (Vovk, Gammerman & Shafer 2005). A
 * line speaks only if its slope is clearly not zero, and not further ahead than TREND_AHEAD times what was seen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREND_POINTS_MAX 64
#define TREND_POINTS_MIN 8
#define TREND_AHEAD 6.0         /* so many times the time seen may be looked ahead */

struct trend {
        double slope, slope_low, slope_high;    /* a unit of x; low <= slope <= high, if neighbours know nothing of each other */
        double level;                           /* at the last point */
        double span, step;                      /* from first to last x; from one point to the next */
        double noise, walk, bend;               /* variances, a point */
        double slope_error;                     /* a point */
        double astray;                          /* 1 or more: deviations are so many times what they seem */
};

struct trend_arrival {
        double at, earliest, latest;            /* from the last point on, nine in ten times; latest INFINITY: it may never come */
};

/* x ascending; at most TREND_POINTS_MAX points. False: too few that differ, or not finite. */
bool trend_fit(const double *x, const double *y, size_t count, struct trend *out_trend);

/* Sets how far parts of these points led astray of the rest: five more fits, so only for a line that leads somewhere. */
void trend_look_back(const double *x, const double *y, size_t count, struct trend *trend);

/* When the line meets the limit; false: it does not lead there, is not sure to move at all, or further away than may be looked. */
bool trend_reaches(const struct trend *trend, double limit, struct trend_arrival *out_arrival);

/* What limits are looked at over: ten minutes, two hours and a day. */
#define TREND_WINDOWS 3
extern const struct trend_window {
        int64_t span_s, step_s, every_minutes;
} trend_windows[TREND_WINDOWS];

/* Where a window's points lead, x in seconds from now back (ascending, at most 0), arrival from now on. False: not to the limit, or not over enough of the
 * window, or the points ended long ago. */
bool trend_foretell(const struct trend_window *window, const double *x, const double *y, size_t count, double limit, struct trend_arrival *out_arrival);

/* Of two windows' answers the longer one counts, unless the shorter sees the limit come clearly sooner: something has just begun. */
bool trend_is_sooner(const struct trend_arrival *shorter, const struct trend_arrival *longer);
