/* forecast.c - see forecast.h. A sample costs three additions; the line is drawn only when somebody asks. */
#include "learn/forecast.h"

#include <math.h>
#include <string.h>

#define SLOTS_LEAST 8
#define REACH 10.0              /* windows ahead */
#define REACH_YOUNG 2.0         /* the same while the next longer window cannot tell what the usual ups and downs are */
#define SURE 4.0                /* slope over its error */
#define Z 1.645                 /* nine in ten lie within, five in a hundred on each side */
#define EARLIER 0.5             /* a shorter window speaks if its latest time is before this part of the longer one's expected */

static const int64_t slot_s[FORECAST_WINDOWS] = {30, 600, 14400};

struct line {                   /* per slot */
        double level, slope, slope_error, noise, walk, bend; /* noise, walk, bend: variances; level: at the newest slot's middle */
        int filled;
};

void forecast_init(struct forecast *forecast)
{
        memset(forecast, 0, sizeof *forecast);
}

static void add_slot(struct forecast_window *window, float mean)
{
        if (window->filled == FORECAST_SLOTS)
                memmove(window->means, window->means + 1, (FORECAST_SLOTS - 1) * sizeof *window->means);
        else
                window->filled++;
        window->means[window->filled - 1] = mean;
}

static void push_window(struct forecast_window *window, int64_t slot, float value)
{
        if (window->count && slot > window->slot) {
                add_slot(window, window->sum / window->count);
                int64_t empty = slot - window->slot - 1;
                if (empty >= FORECAST_SLOTS)
                        window->filled = 0;
                for (int64_t i = 0; empty < FORECAST_SLOTS && i < empty; i++)
                        add_slot(window, NAN);
                window->sum = 0;
                window->count = 0;
        }
        window->slot = slot;
        if (window->count < UINT16_MAX) {
                window->sum += value;
                window->count++;
        }
}

void forecast_push(struct forecast *forecast, int64_t time_ns, double value)
{
        if (!(fabs(value) < 1e30))
                return;
        forecast->last = (float)value;
        for (int i = 0; i < FORECAST_WINDOWS; i++)
                push_window(&forecast->windows[i], time_ns / 1000000000 / slot_s[i], (float)value);
}

/* Increments around the line: their variance is walk + 2 noise, neighbours' covariance -noise. */
static void part_noise_from_walk(const struct forecast_window *window, struct line *line)
{
        double squares = 0, products = 0, before = NAN;
        int count = 0, pairs = 0;
        for (int i = 1; i < window->filled; i++) {
                double increment = (double)window->means[i] - (double)window->means[i - 1] - line->slope;
                if (isfinite(increment)) {
                        squares += increment * increment;
                        count++;
                        if (isfinite(before)) {
                                products += increment * before;
                                pairs++;
                        }
                }
                before = increment;
        }
        double variance = count > 1 ? squares / (count - 1) : 0;
        line->noise = pairs ? fmin(fmax(-products / pairs, 0), variance / 2) : 0;
        line->walk = variance - 2 * line->noise;
}

/* How much the slope changes in a slot: from the slopes of the halves, whose middles are half the window apart. */
static double bend_of(const struct forecast_window *window)
{
        double slope[2];
        int half = window->filled / 2;
        for (int h = 0; h < 2; h++) {
                double n = 0, x = 0, y = 0, xx = 0, xy = 0;
                for (int i = h * (window->filled - half); i < h * (window->filled - half) + half; i++)
                        if (isfinite(window->means[i])) {
                                n++;
                                x += i;
                                y += (double)window->means[i];
                                xx += (double)i * i;
                                xy += i * (double)window->means[i];
                        }
                slope[h] = (xy - x * y / n) / (xx - x * x / n);
        }
        double change = slope[1] - slope[0];
        return isfinite(change) ? change * change / (window->filled - half) : 0;
}

static bool draw_line(const struct forecast_window *window, struct line *line)
{
        double n = 0, x_sum = 0, y_sum = 0, xx = 0, xy = 0;
        for (int i = 0; i < window->filled; i++)
                if (isfinite(window->means[i])) {
                        n++;
                        x_sum += i;
                        y_sum += (double)window->means[i];
                }
        if (n < SLOTS_LEAST)
                return false;
        double x_mean = x_sum / n, y_mean = y_sum / n;
        for (int i = 0; i < window->filled; i++)
                if (isfinite(window->means[i])) {
                        xx += (i - x_mean) * (i - x_mean);
                        xy += (i - x_mean) * ((double)window->means[i] - y_mean);
                }
        *line = (struct line){.slope = xy / xx, .filled = window->filled};
        part_noise_from_walk(window, line);
        line->bend = bend_of(window);
        double fitted = y_mean + line->slope * (window->filled - 1 - x_mean), newest = (double)window->means[window->filled - 1];
        double share = line->walk / (line->walk + line->noise + 1e-300); /* a walk is where it is; noise is around the line */
        line->level = isfinite(newest) ? share * newest + (1 - share) * fitted : fitted;
        line->slope_error = sqrt(line->noise / xx + 1.2 * line->walk / n + 1e-12 * line->slope * line->slope); /* 6/5: a line through a walk */
        return true;
}

/* The first t at which level + slope t + side * Z * sqrt(variance) has gone the distance; INFINITY: never, so far ahead as matters. */
static double crossing(const struct line *line, double distance, double side)
{
        double low = 0, high = 1;
        for (int step = 0; step < 200; step++) {
                double t = step < 60 ? high : (low + high) / 2;
                double gone = line->slope * t + side * Z * sqrt(line->noise + line->walk * t + line->slope_error * line->slope_error * t * t + line->bend * t * t * t / 3);
                if (step < 60 && gone < distance) {
                        if (high > 1e6)
                                return INFINITY;
                        low = high;
                        high *= 1.5;
                        continue;
                }
                if (step < 60)
                        step = 60;
                if (gone < distance)
                        low = t;
                else
                        high = t;
        }
        return high;
}

/* Whether a level stands where the window has not been before: a rise within the usual ups and downs is no trend. */
static bool is_new_ground(const struct forecast_window *window, double level, bool from_below)
{
        double farthest = -INFINITY;
        int filled = 0;
        for (int i = 0; i < window->filled; i++)
                if (isfinite(window->means[i])) {
                        farthest = fmax(farthest, (from_below ? 1 : -1) * (double)window->means[i]);
                        filled++;
                }
        return filled < SLOTS_LEAST || (from_below ? level : -level) > farthest;
}

static bool ask(const struct forecast_window *window, int64_t slot, double reach, double limit, bool from_below, struct forecast_answer *answer)
{
        struct line line;
        if (!draw_line(window, &line))
                return false;
        double distance = limit - line.level;
        if (!from_below) { /* turned over */
                line.slope = -line.slope;
                distance = -distance;
        }
        if (line.slope <= 0 || line.slope < SURE * line.slope_error)
                return false;
        distance = fmax(distance, 0);
        double expected = distance / line.slope;
        if (expected > reach * line.filled)
                return false;
        double since = (double)window->count > 0 ? 0.5 : 0; /* the newest full slot's middle is half a slot and the one under way back */
        double shift = (0.5 + since) * (double)slot;
        *answer = (struct forecast_answer){
                .expected_s = fmax(expected * (double)slot - shift, 0), .earliest_s = fmax(crossing(&line, distance, 1) * (double)slot - shift, 0),
                .latest_s = fmax(crossing(&line, distance, -1) * (double)slot - shift, 0), .per_hour = (from_below ? line.slope : -line.slope) * 3600 / (double)slot,
        };
        return true;
}

bool forecast_until(const struct forecast *forecast, double limit, bool from_below, struct forecast_answer *out_answer)
{
        if (from_below ? (double)forecast->last >= limit : (double)forecast->last <= limit) {
                *out_answer = (struct forecast_answer){0};
                return true;
        }
        bool found = false;
        for (int i = FORECAST_WINDOWS - 1; i >= 0; i--) {
                struct forecast_answer answer;
                bool is_longest = i + 1 == FORECAST_WINDOWS, is_known = is_longest || forecast->windows[i + 1].filled >= SLOTS_LEAST;
                if (!ask(&forecast->windows[i], slot_s[i], is_known ? REACH : REACH_YOUNG, limit, from_below, &answer) ||
                    (!is_longest && !is_new_ground(&forecast->windows[i + 1], (double)forecast->last, from_below)))
                        continue;
                if (!found || answer.latest_s < EARLIER * out_answer->expected_s)
                        *out_answer = answer;
                found = true;
        }
        return found;
}
