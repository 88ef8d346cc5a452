/* trend_test - where a line leads, through noise and outliers, and when nothing can be said. */
#include "learn/trend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static double noise(uint64_t *state)
{
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        return (double)(*state >> 40) / 16777216.0 - 0.5;
}

static void a_straight_line_arrives_when_it_should(void **state)
{
        (void)state;
        double x[40], y[40];
        for (int i = 0; i < 40; i++)
                x[i] = i * 15, y[i] = 1000 - i * 15;
        struct trend trend;
        struct trend_arrival arrival;
        assert_true(trend_fit(x, y, 40, &trend));
        assert_true(trend_reaches(&trend, 0, &arrival));
        assert_true(fabs(arrival.at - (1000 - 39 * 15)) < 1e-6);
}

static void a_third_of_wild_points_moves_it_little_and_the_interval_holds_the_truth(void **state)
{
        (void)state;
        double x[60], y[60];
        uint64_t seed = 7;
        for (int i = 0; i < 60; i++) {
                x[i] = i;
                y[i] = i % 4 == 0 ? 500 * noise(&seed) : 200 - 2 * i + 4 * noise(&seed);
        }
        struct trend trend;
        struct trend_arrival arrival;
        assert_true(trend_fit(x, y, 60, &trend));
        assert_true(trend_reaches(&trend, 0, &arrival));
        assert_true(fabs(arrival.at - 41) < 8); /* 200 - 2x = 0 at x = 100, 41 after the last point */
        assert_true(arrival.earliest <= 41 && arrival.latest >= 41);
}

static void noise_alone_leads_nowhere(void **state)
{
        (void)state;
        int told = 0;
        uint64_t seed = 3;
        for (int round = 0; round < 500; round++) {
                double x[40], y[40];
                struct trend trend;
                struct trend_arrival arrival;
                for (int i = 0; i < 40; i++)
                        x[i] = i, y[i] = 100 + 20 * noise(&seed);
                assert_true(trend_fit(x, y, 40, &trend));
                told += trend_reaches(&trend, 0, &arrival);
        }
        assert_true(told <= 10); /* 99 percent, both sides */
}

static double normal(uint64_t *state)
{
        double sum = 0;
        for (int i = 0; i < 12; i++)
                sum += noise(state);
        return sum;
}

/* Line, walk and noise of each seed differ; asked when the limit is some way ahead. */
static void nine_in_ten_intervals_hold_the_true_time(void **state)
{
        (void)state;
        int asked = 0, held = 0, early = 0;
        for (uint64_t seed = 1; seed <= 3000; seed++) {
                uint64_t random = seed;
                double x[40], y[40], level = 0, slope = 0.7 + noise(&random), walk = (double)(seed % 3) * slope, noisy = 20 * slope * (noise(&random) + 0.5);
                for (int i = 0; i < 40; i++, level += slope + walk * normal(&random))
                        x[i] = i, y[i] = level + noisy * normal(&random);
                double limit = level + slope * (10 + 60 * (noise(&random) + 0.5));
                struct trend trend;
                struct trend_arrival arrival;
                assert_true(trend_fit(x, y, 40, &trend));
                if (!trend_reaches(&trend, limit, &arrival))
                        continue;
                trend_look_back(x, y, 40, &trend);
                assert_true(trend_reaches(&trend, limit, &arrival));
                int steps = 1;
                for (; level < limit && steps < 10000; steps++)
                        level += slope + walk * normal(&random);
                asked++;
                held += steps >= arrival.earliest - 1 && steps <= arrival.latest + 1;
                early += steps < arrival.earliest - 1;
        }
        print_message("%d of %d intervals hold the truth; %d times it came earlier\n", held, asked, early);
        assert_true(asked > 300);
        assert_true(held > 0.85 * asked && held < 0.99 * asked);
}

static void what_led_astray_before_makes_the_interval_wider(void **state)
{
        (void)state;
        double x[40], straight[40], waves[40];
        uint64_t seed = 5;
        for (int i = 0; i < 40; i++) {
                x[i] = i;
                straight[i] = 10 * i + normal(&seed);
                waves[i] = 10 * i + 40 * sin(i / 6.0) + normal(&seed); /* as smooth, but its parts foretell the rest badly */
        }
        struct trend line, wave;
        struct trend_arrival before, after;
        assert_true(trend_fit(x, straight, 40, &line) && trend_fit(x, waves, 40, &wave));
        assert_true(trend_reaches(&wave, 600, &before));
        trend_look_back(x, straight, 40, &line);
        trend_look_back(x, waves, 40, &wave);
        assert_true(line.astray < 2 && wave.astray > 2 * line.astray);
        assert_true(trend_reaches(&wave, 600, &after));
        assert_true(after.at == before.at && after.earliest < before.earliest && after.latest > before.latest);
}

static void a_sample_told_again_is_no_second_one(void **state)
{
        (void)state;
        double x[20], y[20];
        struct trend trend;
        for (int i = 0; i < 20; i++)
                x[i] = i, y[i] = 10 * (i / 4); /* five samples */
        assert_false(trend_fit(x, y, 20, &trend));
        for (int i = 0; i < 20; i++)
                y[i] = 10 * (i / 2);
        assert_true(trend_fit(x, y, 20, &trend));
}

static void a_shorter_window_speaks_when_it_is_clearly_sooner(void **state)
{
        (void)state;
        struct trend_arrival day = {.at = 40000, .earliest = 30000, .latest = 60000}, hour = {.at = 15000, .earliest = 12000, .latest = 19000};
        assert_true(trend_is_sooner(&hour, &day));
        hour.latest = 21000;
        assert_false(trend_is_sooner(&hour, &day));
}

static void nobody_looks_further_than_what_was_seen_allows(void **state)
{
        (void)state;
        double x[20], y[20];
        struct trend trend;
        struct trend_arrival arrival;
        for (int i = 0; i < 20; i++)
                x[i] = i, y[i] = 1000 - i;
        assert_true(trend_fit(x, y, 20, &trend));
        assert_false(trend_reaches(&trend, 0, &arrival)); /* 981 ahead after 19 seen */
        assert_true(trend_reaches(&trend, 900, &arrival));
        assert_false(trend_reaches(&trend, 2000, &arrival)); /* the other way */
        assert_false(trend_fit(x, y, 7, &trend));
        y[3] = NAN;
        assert_false(trend_fit(x, y, 20, &trend));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_straight_line_arrives_when_it_should),
                cmocka_unit_test(a_third_of_wild_points_moves_it_little_and_the_interval_holds_the_truth),
                cmocka_unit_test(noise_alone_leads_nowhere),
                cmocka_unit_test(nine_in_ten_intervals_hold_the_true_time),
                cmocka_unit_test(what_led_astray_before_makes_the_interval_wider),
                cmocka_unit_test(a_sample_told_again_is_no_second_one),
                cmocka_unit_test(a_shorter_window_speaks_when_it_is_clearly_sooner),
                cmocka_unit_test(nobody_looks_further_than_what_was_seen_allows),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
