/*
 * movement - when a series left its normal, how surely, and which series did so together.
 *
 *      |-------------- before --------------|--------- window ---------|
 *      before_ns     what is usual      from_ns      asked for      until_ns
 *
 * The stretch before says what is usual (learn/usual.h). Over it and the window runs a cumulative sum of how many spreads each
 * point is away, less DRIFT, never below zero (Page, Biometrika 1954), for up and for down; away is
 * beyond the median of the whole stretch and of its last quarter. A series has left its normal when
 * the sum passes three limits: a fixed one, which no single bad scrape reaches; half as much again as the stretch before
 * reached by itself in two of its four quarters, so that what swings, wanders or runs a batch job is asked for more, and one
 * earlier incident does not hide the next; and the same for the same hours of the day before, where those are given.
 *
 * It left where the sum last rose from zero: for a change of twice DRIFT that is the most likely place of the change (Hinkley,
 * Biometrika 1970), and a slower rise is placed where it first stands out. How surely: the places nearly as likely (within 2 of
 * the log-likelihood, Siegmund, Int. Stat. Review 1988), and no better than the points lie apart. A series that has points at
 * even steps and then none has stopped, between the last one and the one that was due.
 *
 * Movements are together when they may have begun in one instant: in order of their latest beginnings, each group is all that
 * may have begun by the first of them. Groups so made never chain, there are as few as can be, and of two groups the earlier
 * has a member that surely began before every member of the later one.
 *
 * Pure: nothing is kept between calls, nothing knows of labels. A few passes and sorts per series.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOVEMENT_BEFORE_POINTS_MIN 12   /* fewer do not tell what is usual */

struct movement_window {
        int64_t before_ns, from_ns, until_ns;
};

struct movement_points {
        const int64_t *times_ns; /* rising */
        const double *values;   /* what is no number is passed over */
        size_t count;
};

enum movement_way {
        MOVEMENT_UNKNOWN,       /* too few points before to say */
        MOVEMENT_NONE,
        MOVEMENT_EARLIER,       /* away already when the window began */
        MOVEMENT_UP,
        MOVEMENT_DOWN,
        MOVEMENT_STOPPED,       /* points that were due did not come */
};

struct movement {
        enum movement_way way;
        int64_t onset_ns;       /* the first point away from normal; of STOPPED the one that was due */
        int64_t earliest_ns, latest_ns; /* it began after the one, and by the other */
        int64_t end_ns;         /* the last point away; INT64_MAX: still away at the window's end */
        int64_t step_ns;        /* how far its points usually lie apart */
        double usual, level;    /* the median before, and while away */
        double spreads;         /* how many the level is away */
        double strength;        /* 0 to 1, by noise and by size */
        uint32_t group;         /* from 0, in order of time; of movements_order */
        bool is_little;         /* beside the strongest: in no group */
        uint32_t series;        /* the caller's own */
};

/* past: the same stretch a season earlier, its times brought forward by the season; NULL: none. */
bool movement_find(const struct movement_window *window, const struct movement_points *points, const struct movement_points *past,
                   struct arena *arena, struct movement *out_movement, struct err *err);

/* Sorts by group, the stronger first within one, numbers the groups and gives how many. Behind them stand those that are little
 * beside the strongest, in order of time and in no group: of hundreds of series a few move a little at any time, and would be
 * first. Only what has moved may be among them. */
#define MOVEMENT_NO_GROUP UINT32_MAX
uint32_t movements_order(struct movement *movements, size_t count);

const char *movement_way_name(enum movement_way way); /* "up" */
static inline bool movement_has_moved(const struct movement *movement)
{
        return movement->way > MOVEMENT_EARLIER;
}
