/*
 * movement.c - see movement.h. Driven at query time, over one entity's stored samples.
 *
 * The trade: a change smaller than SPREADS_LEAST spreads, or than a hundredth of the series' size, is not told however long it
 * lasts. What somebody looks for in an incident is larger, and of hundreds of series a few always drift.
 */
#include "learn/movement.h"

#include "base/scope.h"
#include "learn/usual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRIFT 3.0               /* spreads that a point may be away without counting: half of the change looked for */
#define CLIP 10.0               /* what one point may count */
#define LIMIT 8.0               /* of the sum: more than one point can bring */
#define LIMIT_RATIO 1.5         /* beyond what it does by itself */
#define QUARTERS 4              /* of the stretch before, to see what it does by itself */
#define RETURN 8.0              /* the sum's fall from its peak that says it is back: as much as said that it left */
#define SPREADS_LEAST (2 * DRIFT)       /* of the level while away */
#define TAIL_QUANTILE 0.95      /* how far it goes now and then */
#define SIZE_LEAST 0.01         /* of the median: a spread is at least so much */
#define PLACE_LIKELY (2.0 / (2 * DRIFT)) /* of the sum: places so near to the best are nearly as likely */
#define LITTLE 0.05             /* of strength: a change by two fifths */
#define LITTLE_RATIO 0.1        /* of the strongest */
#define STOPPED_STEPS 5         /* that were due and did not come ... */
#define STOPPED_LEAST_NS ((int64_t)120 * 1000000000) /* ... for so long: many senders hand in a minute at a time */
#define EVEN_STEPS 2.0          /* nine in ten steps are at most so many usual ones: then a point is due */

struct track {                  /* the numbers of one series, and how far they are away */
        size_t count, before;   /* points; of them before the window */
        int64_t *times_ns;
        double *values, *away, *scratch;
        struct usual usual;
        double recent;          /* the median of the last quarter before the window */
        int64_t step_ns;
};

struct stay {                   /* away from normal */
        double sum;
        size_t first, peak;
};

const char *movement_way_name(enum movement_way way)
{
        static const char *const names[] = {"unknown", "none", "earlier", "up", "down", "stopped"};
        return names[way];
}

static bool track_init(struct track *track, const struct movement_window *window, const struct movement_points *points,
                       struct arena *arena, struct err *err)
{
        *track = (struct track){.times_ns = arena_alloc(arena, (points->count + 1) * sizeof *track->times_ns),
                                .values = arena_alloc(arena, (points->count + 1) * sizeof *track->values),
                                .away = arena_alloc(arena, (points->count + 1) * sizeof *track->away),
                                .scratch = arena_alloc(arena, (points->count + 1) * sizeof *track->scratch)};
        if (!track->times_ns || !track->values || !track->away || !track->scratch)
                return fail_memory(err, "movement", points->count * 4 * sizeof(double));
        for (size_t i = 0; i < points->count; i++) {
                if (points->times_ns[i] < window->before_ns || points->times_ns[i] > window->until_ns || !usual_is_number(points->values[i]))
                        continue;
                track->times_ns[track->count] = points->times_ns[i];
                track->values[track->count++] = points->values[i];
                track->before += points->times_ns[i] < window->from_ns;
        }
        return true;
}

/* What two of the quarters reached is its own way. */
static double second_of(const double quarters[static QUARTERS])
{
        double most = 0, second = 0;
        for (size_t i = 0; i < QUARTERS; i++) {
                second = fmax(second, fmin(most, quarters[i]));
                most = fmax(most, quarters[i]);
        }
        return second;
}

/* How far it goes one time in twenty in two of the quarters is noise too: up, or down. */
static double tail_of(const struct track *track, bool is_up)
{
        double tails[QUARTERS] = {0};
        size_t count = track->before / QUARTERS;
        for (size_t i = 0; i < QUARTERS && count; i++) {
                memcpy(track->scratch, track->values + i * count, count * sizeof *track->scratch);
                qsort(track->scratch, count, sizeof *track->scratch, usual_by_value);
                double tail = usual_quantile(track->scratch, count, is_up ? TAIL_QUANTILE : 1 - TAIL_QUANTILE) - track->usual.median;
                tails[i] = fmax(is_up ? tail : -tail, 0);
        }
        return second_of(tails);
}

static bool find_usual(struct track *track)
{
        if (track->before < MOVEMENT_BEFORE_POINTS_MIN || !usual_without_tail(track->values, track->before, track->scratch, &track->usual))
                return false;
        double least = SIZE_LEAST * fabs(track->usual.median);
        track->usual.up = fmax(fmax(track->usual.up, least), tail_of(track, true) / USUAL_NOISE);
        track->usual.down = fmax(fmax(track->usual.down, least), tail_of(track, false) / USUAL_NOISE);
        size_t count = max_of(track->before / QUARTERS, (size_t)1);
        memcpy(track->scratch, track->values + track->before - count, count * sizeof *track->scratch);
        qsort(track->scratch, count, sizeof *track->scratch, usual_by_value);
        track->recent = usual_quantile(track->scratch, count, 0.5);
        return true;
}

/* What was usual long before and right before are both normal: away is beyond the two. */
static double base_of(const struct track *track, bool is_up)
{
        return is_up ? fmax(track->usual.median, track->recent) : fmin(track->usual.median, track->recent);
}

/* The median step, and whether a point is due a step after the last one. */
static bool find_step(struct track *track)
{
        for (size_t i = 1; i < track->before; i++)
                track->scratch[i - 1] = (double)(track->times_ns[i] - track->times_ns[i - 1]);
        qsort(track->scratch, track->before - 1, sizeof *track->scratch, usual_by_value);
        double step = usual_quantile(track->scratch, track->before - 1, 0.5);
        track->step_ns = (int64_t)step;
        return usual_quantile(track->scratch, track->before - 1, 0.9) <= EVEN_STEPS * step;
}

static void measure(struct track *track, bool is_up)
{
        double base = base_of(track, is_up);
        for (size_t i = 0; i < track->count; i++) {
                double distance = is_up ? track->values[i] - base : base - track->values[i];
                track->away[i] = fmin(fmax(distance / (is_up ? track->usual.up : track->usual.down), -CLIP), CLIP);
        }
}

/* The stay whose sum rose most within the window, and how far sums rose in each quarter of the stretch before. */
static struct stay find_stay(const struct track *track, const struct movement_window *window, double quarters[static QUARTERS])
{
        struct stay best = {0}, now = {0};
        double sum = 0;
        int64_t quarter_ns = max_of((window->from_ns - window->before_ns) / QUARTERS, (int64_t)1);
        for (size_t i = 0; i < track->count; i++) {
                if (sum <= 0 || sum < now.sum - RETURN || (i == track->before && sum < LIMIT)) {
                        sum = 0;
                        now = (struct stay){0, i, i};
                }
                sum = fmax(sum + track->away[i] - DRIFT, 0);
                if (i < track->before) {
                        size_t quarter = min_of((size_t)((track->times_ns[i] - window->before_ns) / quarter_ns), (size_t)(QUARTERS - 1));
                        quarters[quarter] = fmax(quarters[quarter], sum);
                }
                if (sum <= now.sum)
                        continue;
                now.sum = sum;
                now.peak = i;
                if (i >= track->before && sum > best.sum)
                        best = now;
        }
        return best;
}

static double sum_of_past(const struct movement_window *window, struct track *past, bool is_up)
{
        double quarters[QUARTERS] = {0};
        measure(past, is_up);
        return find_stay(past, window, quarters).sum;
}

/* The first and the last place that are nearly as likely as the best for the stay's beginning. */
static void find_places(const struct track *track, const struct stay *stay, size_t *out_first, size_t *out_last)
{
        double sum = 0;
        *out_first = *out_last = stay->first;
        for (size_t i = stay->first; i-- > 0 && (sum += DRIFT - track->away[i]) <= PLACE_LIKELY;)
                *out_first = i;
        sum = 0;
        for (size_t i = stay->first; i < stay->peak && (sum += track->away[i] - DRIFT) <= PLACE_LIKELY; i++)
                *out_last = i + 1;
}

static double median_away(const struct track *track, const struct stay *stay)
{
        size_t count = stay->peak - stay->first + 1;
        memcpy(track->scratch, track->values + stay->first, count * sizeof *track->scratch);
        qsort(track->scratch, count, sizeof *track->scratch, usual_by_value);
        return usual_quantile(track->scratch, count, 0.5);
}

/* Back for as much as it took to say that it left. */
static bool has_returned(const struct track *track, const struct stay *stay)
{
        double sum = 0;
        for (size_t i = stay->peak + 1; i < track->count && sum > -RETURN; i++)
                sum += track->away[i] - DRIFT;
        return sum <= -RETURN;
}

static void take_stay(const struct track *track, const struct stay *stay, bool is_up, struct movement *movement)
{
        size_t first, last;
        double base = base_of(track, is_up), level = median_away(track, stay), distance = is_up ? level - base : base - level;
        double spreads = distance / (is_up ? track->usual.up : track->usual.down);
        double strength = usual_strangeness(&track->usual, fmax(distance, 0), is_up);
        if (spreads < SPREADS_LEAST || strength <= movement->strength)
                return;
        find_places(track, stay, &first, &last);
        movement->way = stay->first < track->before ? MOVEMENT_EARLIER : is_up ? MOVEMENT_UP : MOVEMENT_DOWN;
        movement->onset_ns = track->times_ns[stay->first];
        movement->earliest_ns = first ? track->times_ns[first - 1] : track->times_ns[first] - track->step_ns;
        movement->latest_ns = track->times_ns[last];
        movement->end_ns = has_returned(track, stay) ? track->times_ns[stay->peak] : INT64_MAX;
        movement->usual = base;
        movement->level = level;
        movement->spreads = spreads;
        movement->strength = strength;
}

static void find_stop(const struct track *track, const struct movement_window *window, struct movement *movement)
{
        int64_t last_ns = track->times_ns[track->count - 1];
        int64_t silent_ns = max_of(STOPPED_STEPS * track->step_ns, STOPPED_LEAST_NS);
        if (movement->way != MOVEMENT_NONE || last_ns < window->from_ns - track->step_ns || window->until_ns - last_ns <= silent_ns)
                return;
        movement->way = MOVEMENT_STOPPED;
        movement->earliest_ns = last_ns;
        movement->onset_ns = movement->latest_ns = last_ns + track->step_ns;
        movement->end_ns = INT64_MAX;
        movement->level = NAN;
        movement->spreads = 0;
        movement->strength = 1;
}

bool movement_find(const struct movement_window *window, const struct movement_points *points, const struct movement_points *past,
                   struct arena *arena, struct movement *out_movement, struct err *err)
{
        struct track now, then = {0};
        struct movement movement = {0};
        if (!track_init(&now, window, points, arena, err) || (past && !track_init(&then, window, past, arena, err)))
                return false;
        *out_movement = movement;
        if (!find_usual(&now))
                return true;
        bool is_even = find_step(&now), has_past = past && find_usual(&then);
        movement.way = MOVEMENT_NONE;
        movement.step_ns = now.step_ns;
        movement.usual = now.usual.median;
        for (int up = 1; up >= 0; up--) {
                double quarters[QUARTERS] = {0};
                measure(&now, up);
                struct stay stay = find_stay(&now, window, quarters);
                double own = fmax(second_of(quarters), has_past ? sum_of_past(window, &then, up) : 0);
                if (stay.sum > fmax(LIMIT, LIMIT_RATIO * own))
                        take_stay(&now, &stay, up, &movement);
        }
        if (is_even)
                find_stop(&now, window, &movement);
        *out_movement = movement;
        return true;
}

/* -- together ------------------------------------------------------------------------------------------------------------ */

static int by_latest(const void *a, const void *b)
{
        const struct movement *x = a, *y = b;
        if (x->is_little != y->is_little)
                return x->is_little ? 1 : -1;
        if (x->latest_ns != y->latest_ns)
                return x->latest_ns < y->latest_ns ? -1 : 1;
        return (x->series > y->series) - (x->series < y->series);
}

static int by_group(const void *a, const void *b)
{
        const struct movement *x = a, *y = b;
        if (x->group != y->group)
                return x->group < y->group ? -1 : 1;
        if (x->strength != y->strength)
                return x->strength > y->strength ? -1 : 1;
        return (x->series > y->series) - (x->series < y->series);
}

/* Sets aside what is little beside the strongest; gives how many are left, in front. */
static size_t mark_little(struct movement *movements, size_t count)
{
        double strongest = 0;
        size_t large = 0;
        for (size_t i = 0; i < count; i++)
                strongest = fmax(strongest, movements[i].strength);
        for (size_t i = 0; i < count; i++) {
                movements[i].is_little = movements[i].strength < fmin(LITTLE, LITTLE_RATIO * strongest);
                movements[i].group = MOVEMENT_NO_GROUP;
                large += !movements[i].is_little;
        }
        qsort(movements, count, sizeof *movements, by_latest);
        return large;
}

uint32_t movements_order(struct movement *movements, size_t count)
{
        uint32_t groups = 0;
        size_t large = count ? mark_little(movements, count) : 0;
        for (size_t i = 0; i < large; i++) {
                if (movements[i].group != MOVEMENT_NO_GROUP)
                        continue;
                int64_t instant_ns = movements[i].latest_ns;
                for (size_t k = i; k < large; k++)
                        if (movements[k].group == MOVEMENT_NO_GROUP && movements[k].earliest_ns < instant_ns)
                                movements[k].group = groups;
                groups++;
        }
        if (large)
                qsort(movements, large, sizeof *movements, by_group);
        return groups;
}
