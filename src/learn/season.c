/*
 * season.c - see season.h. Codes trade precision (an eighth of the scatter) for a whole week in 168 bytes; everything dear
 * happens once an hour, when the hour changes.
 */
#include "learn/season.h"

#include <math.h>
#include <string.h>

#define SECONDS_PER_WEEK 604800
#define CODE_NONE (-128)
#define CODE_MAX 127
#define FINE 64.0f              /* daily means are kept in 1/64 of a code */
#define FINE_NONE INT16_MIN
#define VISIT_GAIN 0.35f
#define SPREAD_GAIN 0.3f
#define SPREAD_STEPS 6.0f       /* codes to a doubling */
#define SPREAD_MARGIN 1.1f
#define COARSE_STEP_S 2000.0f   /* such series have one value an hour: nothing to look between */

void season_init(struct season *season)
{
        memset(season, 0, sizeof *season);
        memset(season->week, CODE_NONE, sizeof season->week);
        memset(season->spread, CODE_NONE, sizeof season->spread);
        memset(season->moves, CODE_NONE, sizeof season->moves);
        season->hour = SEASON_HOURS;
        for (int i = 0; i < 3; i++)
                season->daily[i] = FINE_NONE;
}

static void rescale(int8_t *spreads, int count, float codes)
{
        for (int i = 0; i < count; i++)
                if (spreads[i] != CODE_NONE)
                        spreads[i] = (int8_t)fmaxf(spreads[i] - codes, -CODE_MAX);
}

/* Makes room for a code beyond the range: a wider unit around the middle of all that is known. */
static void stretch(struct season *season, float code)
{
        float low = code, high = code;
        for (int i = 0; i < SEASON_HOURS; i++)
                if (season->week[i] != CODE_NONE) {
                        low = fminf(low, season->week[i]);
                        high = fmaxf(high, season->week[i]);
                }
        float middle = (low + high) / 2, factor = fmaxf((high - low) / 200, 1);
        for (int i = 0; i < SEASON_HOURS; i++)
                if (season->week[i] != CODE_NONE)
                        season->week[i] = (int8_t)lrintf((season->week[i] - middle) / factor);
        rescale(season->spread, 24, SPREAD_STEPS * log2f(factor));
        rescale(season->moves, 12, SPREAD_STEPS * log2f(factor));
        season->base += season->unit * middle;
        season->unit *= factor;
}

static void code_set(struct season *season, int hour, float value, float scatter)
{
        if (season->unit == 0) {
                season->base = value;
                season->unit = fmaxf(scatter / 8, fmaxf(fabsf(value) * 1e-6f, 1e-30f));
        }
        float code = (value - season->base) / season->unit;
        if (!(fabsf(code) < CODE_MAX)) {
                stretch(season, code);
                code = (value - season->base) / season->unit;
        }
        season->week[hour] = (int8_t)lrintf(fminf(fmaxf(code, -CODE_MAX), CODE_MAX));
}

static float spread_of(const struct season *season, int8_t code)
{
        return season->unit * exp2f(code / SPREAD_STEPS);
}

static void spread_learn(const struct season *season, int8_t *spread, float farthest)
{
        if (farthest <= 0)
                return;
        float known = spread_of(season, *spread);
        float next = *spread == CODE_NONE ? farthest : known + SPREAD_GAIN * (fminf(farthest, 4 * known) - known);
        *spread = (int8_t)lrintf(fminf(fmaxf(SPREAD_STEPS * log2f(next / season->unit), -CODE_MAX), CODE_MAX));
}

static void leave(struct season *season, int next_hour, float scatter)
{
        if (season->hour >= SEASON_HOURS || !season->count)
                return;
        int hour = season->hour;
        float mean = season->sum / season->count;
        if (season->week[hour] != CODE_NONE) {
                float known = season->base + season->unit * season->week[hour], step = VISIT_GAIN * (mean - known);
                if (fabsf(step) < season->unit && fabsf(mean - known) > season->unit)
                        step = copysignf(season->unit, step); /* else rounding would stop it */
                mean = known + step;
        }
        code_set(season, hour, mean, scatter);
        spread_learn(season, &season->spread[hour % 24], season->farthest);
        if (next_hour % 24 / 2 != hour % 24 / 2) {
                spread_learn(season, &season->moves[hour % 24 / 2], season->farthest_move);
                season->farthest_move = 0;
        }
}

static int16_t daily_code(const struct season *season, int hour)
{
        int sum = 0, count = 0;
        for (int i = hour % 24; i < SEASON_HOURS; i += 24)
                if (season->week[i] != CODE_NONE) {
                        sum += season->week[i];
                        count++;
                }
        return count ? (int16_t)lrintf(FINE * (float)sum / (float)count) : FINE_NONE;
}

/* The hours of the week before, at and after an hour, by 0, 1 and 2. */
static int near_hour(int hour, int i)
{
        return (hour + SEASON_HOURS - 1 + i) % SEASON_HOURS;
}

void season_enter(struct season *season, int64_t time_s, float scatter)
{
        int hour = (int)((time_s % SECONDS_PER_WEEK + SECONDS_PER_WEEK) % SECONDS_PER_WEEK / 3600);
        if (hour == season->hour)
                return;
        leave(season, hour, scatter);
        season->hour = (uint8_t)hour;
        season->count = 0;
        season->sum = season->farthest = season->excuse = season->excuse_move = 0;
        for (int i = 0; i < 3; i++) {
                int near = near_hour(hour, i);
                season->daily[i] = daily_code(season, near);
                if (season->spread[near % 24] != CODE_NONE)
                        season->excuse = fmaxf(season->excuse, SPREAD_MARGIN * spread_of(season, season->spread[near % 24]));
                if (season->moves[near % 24 / 2] != CODE_NONE)
                        season->excuse_move = fmaxf(season->excuse_move, SPREAD_MARGIN * spread_of(season, season->moves[near % 24 / 2]));
        }
}

static bool guess(const struct season *season, const int16_t codes[3], struct season_guess *out_guess)
{
        if (codes[1] == FINE_NONE)
                return false;
        float values[3];
        for (int i = 0; i < 3; i++)
                values[i] = season->base + season->unit * (codes[i] == FINE_NONE ? codes[1] : codes[i]) / FINE;
        *out_guess = (struct season_guess){values[0], values[1], values[2]};
        return true;
}

bool season_daily(const struct season *season, struct season_guess *out_guess)
{
        return guess(season, season->daily, out_guess);
}

bool season_weekly(const struct season *season, struct season_guess *out_guess)
{
        int16_t codes[3];
        for (int i = 0; i < 3; i++) {
                int8_t code = season->week[near_hour(season->hour, i)];
                codes[i] = code == CODE_NONE ? FINE_NONE : (int16_t)(code * (int)FINE);
        }
        return guess(season, codes, out_guess);
}

float season_between(const struct season_guess *guess, int64_t time_s, float step_s)
{
        if (step_s > COARSE_STEP_S)
                return guess->now;
        float part = (float)((time_s % 3600 + 3600) % 3600) / 3600;
        return part < 0.5f ? guess->before + (guess->now - guess->before) * (part + 0.5f) : guess->now + (guess->after - guess->now) * (part - 0.5f);
}

void season_take(struct season *season, float value, float distance, float move)
{
        if (season->count == UINT16_MAX)
                return;
        season->sum += value;
        season->count++;
        season->farthest = distance > season->farthest ? distance : season->farthest;
        season->farthest_move = move > season->farthest_move ? move : season->farthest_move;
}

bool season_is_sound(const struct season *season)
{
        return fabsf(season->base) < 1e30f && season->unit >= 0 && season->unit < 1e30f && fabsf(season->sum) < 1e30f && season->farthest >= 0 &&
               season->farthest < 1e30f && season->excuse >= 0 && season->excuse < 1e30f && season->farthest_move >= 0 && season->farthest_move < 1e30f &&
               season->excuse_move >= 0 && season->excuse_move < 1e30f && season->hour <= SEASON_HOURS;
}
