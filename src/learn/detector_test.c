/* detector_test - stories of one series each: what must be told, and what must never be. */
#include "learn/detector.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define DAY 86400
#define MINUTES_5 300

struct noise {
        uint64_t state;
};

/* SplitMix64, then a sum of twelve: near enough to a normal number. */
static double uniform(struct noise *noise)
{
        uint64_t z = noise->state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static double normal(struct noise *noise)
{
        double sum = -6;
        for (int i = 0; i < 12; i++)
                sum += uniform(noise);
        return sum;
}

struct series {
        struct detector detector;
        struct noise noise;
        int64_t time_s;
        int flags, rows;
};

static void series_init(struct series *series, uint64_t seed)
{
        *series = (struct series){.noise = {seed}, .time_s = 1767571200}; /* a Monday */
        detector_init(&series->detector);
}

static struct verdict push(struct series *series, int64_t step_s, double value)
{
        struct verdict verdict;
        detector_push(&series->detector, series->time_s * 1000000000, value, &verdict);
        series->time_s += step_s;
        series->flags += verdict.is_flagged;
        series->rows++;
        return verdict;
}

static double day_wave(int64_t time_s)
{
        return sin(2 * M_PI * (double)(time_s % DAY) / DAY);
}

static bool is_weekend(int64_t time_s)
{
        return (time_s / DAY + 3) % 7 >= 5;
}

static void a_spike_in_noise_is_flagged_once(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 1);
        for (int i = 0; i < 2000; i++)
                push(&series, MINUTES_5, 50 + normal(&series.noise));
        series.flags = 0;
        struct verdict verdict = push(&series, MINUTES_5, 80);
        assert_true(verdict.is_flagged);
        assert_true(verdict.view == VIEW_UP || verdict.view == VIEW_MOVE);
        assert_true(verdict.score > 0.5f && verdict.p_value < 1e-4f);
        assert_true(verdict.low < 50 && verdict.high > 50 && verdict.high < 80);
        for (int i = 0; i < 10; i++)
                assert_true(push(&series, MINUTES_5, 79 + normal(&series.noise) / 9).score > 0.3f); /* odd still, no news */
        assert_true(series.flags <= 2);
}

static void the_tenth_of_ten_alike_is_as_odd_as_the_first(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 11);
        for (int i = 0; i < 2000; i++)
                push(&series, MINUTES_5, 50 + normal(&series.noise));
        float highest_usual = 0, first_p = 0;
        for (int spike = 0; spike < 10; spike++) {
                struct verdict odd = push(&series, MINUTES_5, 62);
                if (spike == 0)
                        first_p = odd.p_value;
                assert_true(odd.score > 0.45f && odd.score > highest_usual);
                assert_true(odd.p_value >= first_p); /* no longer so rare here */
                for (int i = 0; i < 331; i++) {
                        struct verdict usual = push(&series, MINUTES_5, 50 + normal(&series.noise));
                        if (i > 50)
                                highest_usual = fmaxf(highest_usual, usual.score);
                }
        }
}

static void a_drop_to_zero_is_flagged(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 2);
        for (int i = 0; i < 2000; i++)
                push(&series, MINUTES_5, 500 + 10 * normal(&series.noise));
        assert_true(push(&series, MINUTES_5, 0).is_flagged);
}

static void a_lasting_shift_within_the_noise_is_flagged(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 3);
        for (int i = 0; i < 3000; i++)
                push(&series, MINUTES_5, normal(&series.noise));
        series.flags = 0;
        for (int i = 0; i < 30; i++)
                push(&series, MINUTES_5, 3 + normal(&series.noise)); /* no single one of these is beyond belief */
        assert_true(series.flags >= 1);
}

static void one_sample_in_a_thousand_has_a_p_value_below_a_thousandth(void **state)
{
        (void)state;
        int below = 0, rows = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
                struct series series;
                series_init(&series, 100 + seed);
                for (int i = 0; i < 6000; i++) {
                        double noise = seed % 3 == 0 ? normal(&series.noise) : seed % 3 == 1 ? uniform(&series.noise) : -log(1 - uniform(&series.noise));
                        struct verdict verdict = push(&series, 60, noise);
                        if (i >= 1000) {
                                below += verdict.p_value < 0.001f;
                                rows++;
                        }
                }
        }
        double share = 1000.0 * below / rows;
        print_message("p < 0.001 in %.2f of 1,000 quiet samples\n", share);
        assert_true(share > 0.2 && share < 2);
}

static void weekends_are_no_news_after_the_second(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 4);
        for (int i = 0; i < 8 * 7 * 288; i++) {
                if (i == 3 * 7 * 288)
                        series.flags = 0;
                double busy = is_weekend(series.time_s) ? 20 : 100;
                push(&series, MINUTES_5, busy * (1.5 + day_wave(series.time_s)) + 3 * normal(&series.noise));
        }
        assert_true(series.flags <= 2); /* in five weeks */
}

static void a_nightly_backup_is_no_news(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 5);
        for (int i = 0; i < 21 * 288; i++) {
                if (i == 7 * 288)
                        series.flags = 0;
                bool backs_up = series.time_s % DAY >= 2 * 3600 && series.time_s % DAY < 2 * 3600 + 900;
                push(&series, MINUTES_5, 10 + normal(&series.noise) + (backs_up ? 60 : 0));
        }
        assert_true(series.flags <= 1);
}

/* A level that wanders, with a step each morning and evening, and one spike ten times as large as neighbours differ. */
static bool is_spike_told(uint64_t seed, int *out_others)
{
        struct series series;
        series_init(&series, seed);
        double wander = 0;
        bool told = false;
        for (int i = 0; i < 21 * 288; i++) {
                if (i == 14 * 288)
                        series.flags = 0;
                wander += 0.1 * normal(&series.noise) - 0.01 * wander;
                bool is_day = i % 288 >= 120 && i % 288 < 240, is_spike = i == 17 * 288 + 60;
                bool is_flagged = push(&series, MINUTES_5, 100 + wander + (is_day ? 24 : 0) + is_spike).is_flagged;
                told |= is_spike && is_flagged;
        }
        *out_others = series.flags - told;
        return told;
}

static void a_small_spike_is_told_where_levels_wander_and_a_daily_step_is_not(void **state)
{
        (void)state;
        int told = 0, others = 0;
        for (uint64_t seed = 40; seed < 60; seed++) {
                int more;
                told += is_spike_told(seed, &more);
                others += more;
        }
        print_message("%d of 20 spikes told, and %d others of 280 steps\n", told, others);
        assert_true(told >= 8 && others <= 4);
}

static void a_slow_drift_is_no_news(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 6);
        for (int i = 0; i < 30 * 288; i++) {
                if (i == 288)
                        series.flags = 0;
                push(&series, MINUTES_5, 40 + 0.002 * i + normal(&series.noise)); /* half a scatter a day */
        }
        assert_true(series.flags <= 2);
}

static void missing_values_are_no_news_and_teach_nothing(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 7);
        for (int i = 0; i < 4000; i++) {
                bool missing = uniform(&series.noise) < 0.2;
                struct verdict verdict = push(&series, MINUTES_5, missing ? NAN : 50 + normal(&series.noise));
                if (missing)
                        assert_true(verdict.score == 0 && !verdict.is_flagged);
        }
        assert_int_equal(series.detector.seen + 800 > 3900 && series.detector.seen < 3400, 1);
        assert_true(series.flags <= 1);
}

static void the_gap_after_downtime_is_no_news(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 8);
        for (int i = 0; i < 14 * 288; i++)
                push(&series, MINUTES_5, 100 + 50 * day_wave(series.time_s) + 2 * normal(&series.noise));
        series.flags = 0;
        series.time_s += 7 * 3600;
        for (int i = 0; i < 288; i++)
                push(&series, MINUTES_5, 100 + 50 * day_wave(series.time_s) + 2 * normal(&series.noise));
        assert_int_equal(series.flags, 0);
}

static void daylight_saving_is_no_news(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 9);
        int64_t offset = 0;
        for (int i = 0; i < 42 * 288; i++) {
                if (i == 28 * 288) {
                        offset = 3600;
                        series.flags = 0;
                }
                push(&series, MINUTES_5, 200 + 100 * day_wave(series.time_s + offset) + 5 * normal(&series.noise));
        }
        assert_int_equal(series.flags, 0);
}

/* The score of an ordinary sample, four after the last of some oddities that took so many samples each. */
static float score_after_oddities(uint64_t seed, int samples)
{
        struct series series;
        series_init(&series, seed);
        for (int odd = 0; odd < 12; odd++) {
                for (int i = 0; i < 300; i++)
                        push(&series, 60, 50 + normal(&series.noise));
                for (int i = 0; i < samples; i++)
                        push(&series, 60, 90 + 3 * odd);
        }
        for (int i = 0; i < 3; i++)
                push(&series, 60, 50.5);
        return push(&series, 60, 50.5).score;
}

static void what_follows_an_oddity_counts_where_oddities_last(void **state)
{
        (void)state;
        for (uint64_t seed = 20; seed < 25; seed++)
                assert_true(score_after_oddities(seed, 1) < 0.8f * score_after_oddities(seed, 6));
}

static void silence_is_judged_by_the_usual_step(void **state)
{
        (void)state;
        struct series series;
        series_init(&series, 10);
        for (int i = 0; i < 100; i++)
                push(&series, 10, normal(&series.noise));
        assert_false(detector_is_silent(&series.detector, (series.time_s + 20) * 1000000000));
        assert_true(detector_is_silent(&series.detector, (series.time_s + 120) * 1000000000));
}

static void any_numbers_give_a_score_between_0_and_1(void **state)
{
        (void)state;
        static const double odd[] = {0, -0.0, 1e308, -1e308, 1e-320, INFINITY, -INFINITY, NAN, 3.4e38, -3.4e38, 1, 1, 1};
        struct series series;
        series_init(&series, 11);
        for (int i = 0; i < 5000; i++) {
                double value = odd[(int)(uniform(&series.noise) * (sizeof odd / sizeof *odd))];
                struct verdict verdict = push(&series, i % 7 ? 60 : -30, value);
                assert_true(verdict.score >= 0 && verdict.score <= 1 && verdict.p_value >= 0 && verdict.p_value <= 1);
                assert_true(detector_is_sound(&series.detector));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_spike_in_noise_is_flagged_once),
                cmocka_unit_test(a_drop_to_zero_is_flagged),
                cmocka_unit_test(the_tenth_of_ten_alike_is_as_odd_as_the_first),
                cmocka_unit_test(a_lasting_shift_within_the_noise_is_flagged),
                cmocka_unit_test(one_sample_in_a_thousand_has_a_p_value_below_a_thousandth),
                cmocka_unit_test(weekends_are_no_news_after_the_second),
                cmocka_unit_test(a_nightly_backup_is_no_news),
                cmocka_unit_test(a_small_spike_is_told_where_levels_wander_and_a_daily_step_is_not),
                cmocka_unit_test(a_slow_drift_is_no_news),
                cmocka_unit_test(missing_values_are_no_news_and_teach_nothing),
                cmocka_unit_test(the_gap_after_downtime_is_no_news),
                cmocka_unit_test(daylight_saving_is_no_news),
                cmocka_unit_test(what_follows_an_oddity_counts_where_oddities_last),
                cmocka_unit_test(silence_is_judged_by_the_usual_step),
                cmocka_unit_test(any_numbers_give_a_score_between_0_and_1),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
