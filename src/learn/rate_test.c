/* rate_test - minutes that are ordinary, minutes that are not, and tails that add up. */
#include "learn/rate.h"
#include "learn/value_sketch.h"

#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t random_state = 7;

static double uniform(void)
{
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        return (double)(random_state >> 11) / 9007199254740992.0;
}

static uint32_t poisson(double mean)
{
        uint32_t count = 0;
        for (double product = uniform(), limit = exp(-mean); product > limit; product *= uniform())
                count++;
        return count;
}

static void tails_are_those_of_the_distributions(void **state)
{
        (void)state;
        assert_true(fabs(rate_tail(2, 1, 1) - (1 - exp(-2))) < 1e-9);
        assert_true(fabs(rate_tail(3, 1, 4) - 0.352768) < 1e-5);
        assert_true(fabs(rate_tail(1, 2, 1) - 0.5) < 1e-9); /* geometric */
        assert_true(rate_tail(100, 1, 160) < 1e-7 && rate_tail(100, 1, 160) > 1e-10);
        assert_true(rate_tail(5, 1, 0) == 1);
        for (uint32_t count = 1; count < 200; count++)
                assert_true(rate_tail(60, 4, count) <= rate_tail(60, 4, count - 1) && rate_tail(70, 4, count) <= rate_tail(70, 4, count - 1));
}

/* Calibration: a p below one in a hundred comes about once in a hundred ordinary minutes, not ten times as often. */
static void on_quiet_data_p_values_are_about_right(void **state)
{
        (void)state;
        struct rate rate;
        int low = 0, minutes = 0;
        rate_init(&rate);
        for (int minute = 0; minute < 20000; minute++) {
                int hour = minute / 60 % 24;
                for (uint32_t n = poisson(hour < 12 ? 4 : 8); n; n--)
                        rate_add(&rate);
                struct rate_look look = rate_close(&rate, hour);
                if (minute > 5000) {
                        low += look.p_many < 0.01;
                        minutes++;
                }
        }
        assert_true(low < minutes / 50);
        assert_true(low > minutes / 1000);
}

static void a_burst_and_a_silence_are_rare_and_do_not_become_the_level(void **state)
{
        (void)state;
        struct rate rate;
        rate_init(&rate);
        for (int minute = 0; minute < 3000; minute++) {
                for (uint32_t n = poisson(5); n; n--)
                        rate_add(&rate);
                rate_close(&rate, 0);
        }
        for (int n = 0; n < 200; n++)
                rate_add(&rate);
        assert_true(rate_close(&rate, 0).p_many < 1e-4);
        assert_true(rate.level < 6);
        double silent = 1;
        for (int minute = 0; minute < 9; minute++)
                silent = rate_close(&rate, 0).p_silent;
        assert_true(silent < 1e-3);
}

static void sketches_know_quantiles_and_the_most_frequent(void **state)
{
        (void)state;
        struct value_sketch numbers = {0}, names = {0};
        char text[32];
        for (int i = 1; i <= 1000; i++) {
                snprintf(text, sizeof text, "%dms", i);
                value_sketch_add(&numbers, str_of(text), VALUE_DURATION);
                snprintf(text, sizeof text, i % 2 ? "alice" : "user%d", i);
                value_sketch_add(&names, str_of(text), VALUE_NAME);
        }
        assert_true(numbers.is_number && fabs(numbers.number.most - 1) < 1e-6);
        assert_true(value_sketch_quantile(&numbers, 0.5) > 0.33 && value_sketch_quantile(&numbers, 0.5) < 0.75);
        assert_true(value_sketch_rarity(&numbers, 5000) < 0.01 && value_sketch_rarity(&numbers, 0.5) > 0.3);
        bool found = false;
        for (int i = 0; i < SKETCH_SAMPLES; i++)
                found |= str_is((struct str){names.samples[i].bytes, names.samples[i].length}, "alice") && names.samples[i].count >= 500;
        assert_true(found);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tails_are_those_of_the_distributions),
                cmocka_unit_test(on_quiet_data_p_values_are_about_right),
                cmocka_unit_test(a_burst_and_a_silence_are_rare_and_do_not_become_the_level),
                cmocka_unit_test(sketches_know_quantiles_and_the_most_frequent),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
