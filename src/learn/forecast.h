/*
 * forecast - when a series will reach a limit, and how sure that is.
 *
 *      forecast_init -> { forecast_push ... forecast_until }
 *
 * Three windows (of 12 minutes, 4 hours and 4 days) hold the means of 24 slots each. In each the series is taken as a line, plus
 * a random walk, plus noise of each slot (the local level model with drift, Harvey 1989); the increments around the line tell walk and noise
 * apart: noise makes neighbouring increments go opposite ways, a walk does not. The level after t slots is then normal around the line with
 *
 *      variance = noise + walk * t + (error of the slope)^2 * t^2
 *
 * and the interval for the time is where its two bounds cross the limit. A window speaks only if its slope is clearly not
 * zero, and not further ahead than a few times its own length; the longest that may speak does, unless a shorter one sees
 * the limit come clearly earlier (somebody has just begun to fill the disk).
 *
 * Pure and plain data, 400 bytes, as learn/detector.h; for the few series that have a limit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FORECAST_SLOTS 24
#define FORECAST_WINDOWS 3

struct forecast_window {
        int64_t slot;           /* number of the slot under way, since 1970 */
        float sum;
        uint16_t count;         /* of the slot under way */
        uint16_t filled;        /* slots that are there, newest last; NaN: nothing came */
        float means[FORECAST_SLOTS];
};

struct forecast {
        float last;
        struct forecast_window windows[FORECAST_WINDOWS];
};

struct forecast_answer {        /* seconds from the last sample */
        double expected_s, earliest_s, latest_s; /* latest: INFINITY when it may never come */
        double per_hour;        /* the slope */
};

void forecast_init(struct forecast *forecast);
void forecast_push(struct forecast *forecast, int64_t time_ns, double value); /* in order of time; what is not finite is passed by */

/* When the limit will be reached from below or from above; nine in ten answers' intervals hold the true time. False: it is not
 * coming, or nothing can be said. At or beyond the limit already: true, all zero. */
bool forecast_until(const struct forecast *forecast, double limit, bool from_below, struct forecast_answer *out_answer);
