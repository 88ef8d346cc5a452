/* aging_test - days go by their age, and a clock that jumps ahead makes none of them old at once. */
#include "loop/aging.h"

#include "base/json.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TODAY INT64_C(20454)
#define YEARS INT64_C(3650)

static struct aging begun(void)
{
        struct aging aging = {0};
        assert_int_equal(aging_pass(&aging, TODAY * AGING_DAY_NS), 0);
        return aging;
}

static void live(struct aging *aging, int64_t days)
{
        for (int64_t hour = 0; hour < days * 24; hour++)
                assert_int_equal(aging_pass(aging, aging->time_ns + AGING_DAY_NS / 24), 0);
}

static void a_day_is_kept_for_as_long_as_it_is_told(void **state)
{
        (void)state;
        struct aging aging = begun();
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY - 30);
        live(&aging, 5);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY - 25);
        assert_int_equal(aging_pass(&aging, (TODAY + 12) * AGING_DAY_NS), 0); /* off for a week */
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY - 18);
}

static void a_clock_that_jumps_years_ahead_makes_no_day_older_than_a_week(void **state)
{
        (void)state;
        struct aging aging = begun();
        assert_true(aging_pass(&aging, (TODAY + YEARS) * AGING_DAY_NS) > 0);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY + 7 - 30);
        live(&aging, 23);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY);
        live(&aging, 1); /* the last one before the jump is old now; those since are counted by themselves */
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY + YEARS + 24 - 30);
}

static void days_between_two_jumps_are_older_than_those_after_and_younger_than_those_before(void **state)
{
        (void)state;
        struct aging aging = begun();
        aging_pass(&aging, (TODAY + YEARS) * AGING_DAY_NS);
        live(&aging, 10);
        aging_pass(&aging, (TODAY + 2 * YEARS) * AGING_DAY_NS);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY + 7 + 10 + 7 - 30);
        live(&aging, 7);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY + YEARS + 10 + 7 + 7 - 30); /* the run between */
        live(&aging, 17);
        assert_int_equal(aging_first_day_kept(&aging, 30), TODAY + 2 * YEARS + 24 - 30);
}

static void jumps_survive_a_restart_and_their_number_is_bounded(void **state)
{
        (void)state;
        struct aging aging = begun(), again;
        for (int64_t i = 1; i <= 3 * AGING_JUMPS_MAX; i++)
                aging_pass(&aging, (TODAY + i * 1000) * AGING_DAY_NS);
        assert_int_equal(aging.count, AGING_JUMPS_MAX);
        scoped_ptr(json_decref) json_t *saved = aging_save(&aging);
        aging_restore(&again, saved, aging.time_ns);
        int64_t first = aging_first_day_kept(&aging, 30);
        assert_true(first <= TODAY + 3 * AGING_JUMPS_MAX * 7 - 30);
        assert_int_equal(aging_first_day_kept(&again, 30), first);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_day_is_kept_for_as_long_as_it_is_told),
                cmocka_unit_test(a_clock_that_jumps_years_ahead_makes_no_day_older_than_a_week),
                cmocka_unit_test(days_between_two_jumps_are_older_than_those_after_and_younger_than_those_before),
                cmocka_unit_test(jumps_survive_a_restart_and_their_number_is_bounded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
