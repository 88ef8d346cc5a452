/* movement_test - series with known beginnings: when they are said to have left, how surely, what is no movement, and who moved together. */
#include "learn/movement.h"

#include "base/rng.h"
#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STEP_NS ((int64_t)10000000000)
#define POINTS 450              /* 360 before, an hour; 90 in the window, a quarter of one */
#define FROM 360
#define TIME(point) ((int64_t)(point) * STEP_NS)

static const struct movement_window window = {0, TIME(FROM), TIME(POINTS - 1)};

struct made {
        int64_t times[POINTS];
        double values[POINTS];
        struct movement_points points;
};

static double normal(struct rng *rng)
{
        double sum = 0;
        for (int i = 0; i < 12; i++)
                sum += rng_unit(rng);
        return sum - 6;
}

/* Around a level, with noise of one in fifty of it. */
static void make(struct made *made, uint64_t seed, double level)
{
        struct rng rng = {seed};
        for (int i = 0; i < POINTS; i++) {
                made->times[i] = TIME(i);
                made->values[i] = level * (1 + 0.02 * normal(&rng));
        }
        made->points = (struct movement_points){made->times, made->values, POINTS};
}

static void add(struct made *made, int from, int to, double amount)
{
        for (int i = from; i < to; i++)
                made->values[i] += amount;
}

static struct movement find(const struct made *made, const struct made *past)
{
        scoped(arena_done) struct arena arena;
        struct movement movement;
        struct err err = {0};
        arena_init(&arena, 0);
        if (!movement_find(&window, &made->points, past ? &past->points : NULL, &arena, &movement, &err))
                fail_msg("%s", err.message);
        return movement;
}

static void a_step_is_found_where_it_was_made(void **state)
{
        int exact = 0, within = 0, found = 0;
        (void)state;
        for (uint64_t seed = 1; seed <= 200; seed++) {
                struct made made;
                int at = FROM + 5 + (int)(seed % 60);
                make(&made, seed, 50);
                add(&made, at, POINTS, 10); /* ten spreads */
                struct movement movement = find(&made, NULL);
                found += movement.way == MOVEMENT_UP;
                exact += movement.onset_ns == TIME(at);
                within += movement.earliest_ns < TIME(at) && TIME(at) <= movement.latest_ns;
                assert_true(movement.end_ns == INT64_MAX);
                assert_true(fabs(movement.usual - 50) < 1 && fabs(movement.level - 60) < 1);
        }
        assert_int_equal(found, 200);
        assert_true(exact >= 160);
        assert_true(within >= 190);
}

/* Seconds between the earliest and the latest beginning, on average; counts how often they hold the true one. */
static double width_of_steps(double amount, int *out_held)
{
        double width = 0;
        *out_held = 0;
        for (uint64_t seed = 1; seed <= 100; seed++) {
                struct made made;
                make(&made, seed, 50);
                add(&made, FROM + 30, POINTS, amount);
                struct movement movement = find(&made, NULL);
                assert_int_equal(movement.way, MOVEMENT_UP);
                width += (double)(movement.latest_ns - movement.earliest_ns) / 1e9 / 100;
                *out_held += movement.earliest_ns < TIME(FROM + 30) && TIME(FROM + 30) <= movement.latest_ns;
        }
        return width;
}

static void the_beginning_is_within_what_is_told_of_it(void **state)
{
        int held_large, held_small;
        (void)state;
        double large = width_of_steps(20, &held_large), small = width_of_steps(7.5, &held_small);
        assert_true(large < 13);
        assert_true(small >= large && small < 20);
        assert_true(held_large >= 90 && held_small >= 90);
}

static void a_slow_rise_begins_before_half_of_it(void **state)
{
        struct made made;
        (void)state;
        make(&made, 3, 50);
        for (int i = FROM + 10; i < POINTS; i++)
                made.values[i] += 0.5 * (i - FROM - 10); /* half a spread a point */
        struct movement movement = find(&made, NULL);
        assert_int_equal(movement.way, MOVEMENT_UP);
        assert_true(movement.onset_ns >= TIME(FROM + 10) && movement.onset_ns <= TIME(FROM + 20));
}

static void what_was_away_before_is_not_said_to_begin_here(void **state)
{
        struct made made;
        (void)state;
        make(&made, 12, 50);
        add(&made, FROM - 20, FROM + 20, 40);
        assert_int_equal(find(&made, NULL).way, MOVEMENT_EARLIER);
        make(&made, 12, 50);
        add(&made, FROM - 80, POINTS, 40); /* long enough to be normal */
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
        add(&made, FROM + 50, POINTS, 40);
        struct movement movement = find(&made, NULL);
        assert_int_equal(movement.way, MOVEMENT_UP);
        assert_true(movement.onset_ns == TIME(FROM + 50) && fabs(movement.usual - 90) < 2);
}

static void what_falls_and_comes_back_says_when(void **state)
{
        struct made made;
        (void)state;
        make(&made, 4, 50);
        add(&made, FROM + 20, FROM + 40, -25);
        struct movement movement = find(&made, NULL);
        assert_int_equal(movement.way, MOVEMENT_DOWN);
        assert_true(movement.onset_ns == TIME(FROM + 20) && movement.end_ns == TIME(FROM + 39));
        assert_true(movement.strength > 0.05 && movement.strength < 1);
}

static void normal_series_do_not_move(void **state)
{
        int moved = 0;
        (void)state;
        for (uint64_t seed = 1; seed <= 2000; seed++) {
                struct made made;
                make(&made, seed, 50);
                moved += movement_has_moved(&(struct movement){.way = find(&made, NULL).way});
        }
        assert_true(moved <= 2);
}

static void one_bad_point_is_no_movement(void **state)
{
        struct made made;
        (void)state;
        make(&made, 5, 50);
        made.values[FROM + 20] = 5e6;
        made.values[FROM + 50] = NAN;
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
        made.values[FROM + 21] = 5e6;
        assert_int_equal(find(&made, NULL).way, MOVEMENT_UP);
}

/* A little work every ten minutes, and the same in the window: not while it is all as ever, but when it does not end. */
static void a_job_that_comes_again_is_its_own_way(void **state)
{
        struct made made;
        (void)state;
        make(&made, 6, 50);
        for (int i = 0; i < POINTS; i += 60)
                add(&made, i, min_of(i + 2, POINTS), 100);
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
        add(&made, FROM + 2, FROM + 60, 100);
        assert_int_equal(find(&made, NULL).way, MOVEMENT_UP);
}

static void one_earlier_incident_does_not_hide_the_next(void **state)
{
        struct made made;
        (void)state;
        make(&made, 7, 50);
        add(&made, 100, 130, 40);
        add(&made, FROM + 30, FROM + 60, 40);
        struct movement movement = find(&made, NULL);
        assert_int_equal(movement.way, MOVEMENT_UP);
        assert_true(movement.onset_ns == TIME(FROM + 30));
}

/* The rise of every morning is told on a day of which no other is known, and not when it was so the day before. */
static void what_was_so_at_the_same_hours_of_the_day_before_is_normal(void **state)
{
        struct made today, yesterday;
        (void)state;
        make(&today, 8, 50);
        make(&yesterday, 9, 50);
        add(&today, FROM + 10, POINTS, 30);
        add(&yesterday, FROM + 12, POINTS, 28);
        assert_int_equal(find(&today, NULL).way, MOVEMENT_UP);
        assert_int_equal(find(&today, &yesterday).way, MOVEMENT_NONE);
}

static void a_steady_climb_does_not_leave_its_normal(void **state)
{
        struct made made;
        (void)state;
        make(&made, 10, 1);
        for (int i = 0; i < POINTS; i++)
                made.values[i] += 10 + 0.05 * i;
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
}

static void a_series_that_ends_has_stopped(void **state)
{
        struct made made;
        (void)state;
        make(&made, 11, 50);
        made.points.count = FROM + 31;
        struct movement movement = find(&made, NULL);
        assert_int_equal(movement.way, MOVEMENT_STOPPED);
        assert_true(movement.earliest_ns == TIME(FROM + 30) && movement.onset_ns == TIME(FROM + 31));
        made.points.count = POINTS - 10; /* it may come yet */
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
        made.points.count = FROM - 100; /* long ago */
        assert_int_equal(find(&made, NULL).way, MOVEMENT_NONE);
        made.points.count = 5;
        assert_int_equal(find(&made, NULL).way, MOVEMENT_UNKNOWN);
        made.points.count = 0;
        assert_int_equal(find(&made, NULL).way, MOVEMENT_UNKNOWN);
}

/* Whatever the numbers are, an answer comes, and its times are in order. */
static void any_numbers_have_an_answer(void **state)
{
        static const double odd[] = {0, -0.0, 1e308, -1e308, 1e-308, INFINITY, -INFINITY, NAN, 1, 1e99};
        (void)state;
        for (uint64_t seed = 1; seed <= 500; seed++) {
                struct made made;
                struct rng rng = {seed};
                make(&made, seed, 50);
                for (int i = 0; i < POINTS; i++)
                        if (rng_below(&rng, 3) == 0)
                                made.values[i] = odd[rng_below(&rng, countof(odd))];
                struct movement movement = find(&made, NULL);
                if (!movement_has_moved(&movement))
                        continue;
                assert_true(movement.earliest_ns < movement.latest_ns && movement.earliest_ns < movement.onset_ns);
                assert_true(movement.strength >= 0 && movement.strength <= 1);
        }
}

static void together_is_what_may_have_begun_in_one_instant(void **state)
{
        struct movement movements[] = {
                {.way = MOVEMENT_UP, .earliest_ns = 100, .latest_ns = 110, .strength = 0.2, .series = 0},
                {.way = MOVEMENT_UP, .earliest_ns = 105, .latest_ns = 115, .strength = 0.9, .series = 1},
                {.way = MOVEMENT_DOWN, .earliest_ns = 112, .latest_ns = 122, .strength = 0.5, .series = 2}, /* with 1, but not with 0 */
                {.way = MOVEMENT_STOPPED, .earliest_ns = 60, .latest_ns = 360, .strength = 0.1, .series = 3}, /* may have been first */
                {.way = MOVEMENT_UP, .earliest_ns = 200, .latest_ns = 210, .strength = 1, .series = 4},
                {.way = MOVEMENT_UP, .earliest_ns = 50, .latest_ns = 60, .strength = 0.04, .series = 5}, /* little beside them */
        };
        static const uint32_t series[] = {1, 0, 3, 2, 4, 5}, groups[] = {0, 0, 0, 1, 2, MOVEMENT_NO_GROUP};
        (void)state;
        assert_int_equal(movements_order(movements, countof(movements)), 3);
        for (size_t i = 0; i < countof(movements); i++) {
                assert_int_equal(movements[i].series, series[i]);
                assert_int_equal(movements[i].group, groups[i]);
        }
        assert_int_equal(movements_order(movements, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_step_is_found_where_it_was_made),
                cmocka_unit_test(the_beginning_is_within_what_is_told_of_it),
                cmocka_unit_test(a_slow_rise_begins_before_half_of_it),
                cmocka_unit_test(what_was_away_before_is_not_said_to_begin_here),
                cmocka_unit_test(what_falls_and_comes_back_says_when),
                cmocka_unit_test(normal_series_do_not_move),
                cmocka_unit_test(one_bad_point_is_no_movement),
                cmocka_unit_test(a_job_that_comes_again_is_its_own_way),
                cmocka_unit_test(one_earlier_incident_does_not_hide_the_next),
                cmocka_unit_test(what_was_so_at_the_same_hours_of_the_day_before_is_normal),
                cmocka_unit_test(a_steady_climb_does_not_leave_its_normal),
                cmocka_unit_test(a_series_that_ends_has_stopped),
                cmocka_unit_test(any_numbers_have_an_answer),
                cmocka_unit_test(together_is_what_may_have_begun_in_one_instant),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
