/*
 * season - what a series usually is at this hour of the day and of the week, in about 240 bytes.
 *
 *      season_init -> { season_enter at each sample, season_expect ..., season_take } ...
 *
 * A profile of 168 hours of the week, one byte each: steps of one eighth of the usual scatter, stretched when the range
 * grows. An hour never met is expected to be as the same hour of other days. Each visit to an hour moves its byte a third
 * of the way to the visit's mean, so one odd day does little. Beside it stands, for each hour of the day, how far off
 * values usually get: a nightly backup is no news the third time. And, for each two hours of the day, how large moves usually get:
 * a step that comes every day is none, but a small one is seen where levels range widely. Hours are counted in UTC; where a clock
 * is set for daylight saving, the hours beside it explain a value too.
 *
 * Plain data, copied freely, no pointers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEASON_HOURS 168

struct season_guess {           /* NaN: not known yet */
        float before, now, after; /* the hours before, at and after */
};

struct season {
        float base, unit;       /* value = base + unit * code; unit 0: nothing was learnt */
        float sum, farthest;    /* of the visit under way: values, largest distance */
        float farthest_move;    /* of the two hours under way */
        float excuse;           /* how far off values usually get around this hour */
        float excuse_move;      /* how large moves usually get then */
        uint16_t count;
        uint8_t hour;           /* of the week, of the visit under way; SEASON_HOURS: none */
        int8_t week[SEASON_HOURS]; /* CODE_NONE: never met */
        int8_t spread[24];      /* by hour of the day: 6 * log2 of the distance in units; CODE_NONE: none yet */
        int8_t moves[12];       /* by two hours of the day, alike */
        int16_t daily[3];       /* of the hours before, at and after, in 1/64 of a code, worked out once an hour */
};

void season_init(struct season *season);

/* Moves to the hour of a time; scatter is the series' usual one, for the first code's size. */
void season_enter(struct season *season, int64_t time_s, float scatter);
bool season_daily(const struct season *season, struct season_guess *out_guess);  /* false: no such hour was met yet */
bool season_weekly(const struct season *season, struct season_guess *out_guess); /* false: not this hour of the week */

/* A guess at a time within the hour: between the middles of hours for series finer than an hour. */
float season_between(const struct season_guess *guess, int64_t time_s, float step_s);

/* Takes in a value (made tame by the caller), how far it was off, and how large a move it was. */
void season_take(struct season *season, float value, float distance, float move);

bool season_is_sound(const struct season *season); /* as read back from a disk */
