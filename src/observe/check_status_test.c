/* check_status_test - retries before a state is hard, news once, and flapping. */
#include "observe/check_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct check_verdict give(struct check_status *status, enum check_state state)
{
        static int64_t time_ns;
        return check_status_update(status, state, 3, time_ns += 1000);
}

static void a_bad_result_is_tried_again_before_it_counts(void **state)
{
        (void)state;
        struct check_status status = {0};
        assert_true(give(&status, CHECK_OK).is_new);
        assert_false(give(&status, CHECK_OK).is_new);
        assert_false(give(&status, CHECK_CRITICAL).is_hard);
        int64_t since_ns = status.since_ns;
        assert_false(give(&status, CHECK_CRITICAL).is_hard);
        struct check_verdict third = give(&status, CHECK_CRITICAL);
        assert_true(third.is_hard && third.is_new);
        assert_int_equal(status.since_ns, since_ns); /* the trouble began with the first bad result */
        struct check_verdict fourth = give(&status, CHECK_CRITICAL);
        assert_true(fourth.is_hard && !fourth.is_new);
}

static void one_bad_result_among_good_ones_tells_nobody(void **state)
{
        (void)state;
        struct check_status status = {0};
        give(&status, CHECK_OK);
        assert_false(give(&status, CHECK_WARNING).is_hard);
        struct check_verdict well = give(&status, CHECK_OK);
        assert_true(well.is_hard && !well.is_new);
        assert_false(give(&status, CHECK_WARNING).is_hard); /* it begins to count anew */
        assert_false(give(&status, CHECK_WARNING).is_hard);
}

static void a_warning_that_becomes_critical_is_news_at_once(void **state)
{
        (void)state;
        struct check_status status = {0};
        for (int i = 0; i < 3; i++)
                give(&status, CHECK_WARNING);
        assert_int_equal(status.hard, CHECK_WARNING);
        struct check_verdict worse = give(&status, CHECK_CRITICAL);
        assert_true(worse.is_hard && worse.is_new);
        assert_false(give(&status, CHECK_OK).is_new);
        assert_true(give(&status, CHECK_OK).is_new);
}

static void one_good_result_among_bad_ones_is_no_recovery(void **state)
{
        (void)state;
        struct check_status status = {0};
        for (int i = 0; i < 3; i++)
                give(&status, CHECK_CRITICAL);
        struct check_verdict good = give(&status, CHECK_OK);
        assert_false(good.is_hard || good.is_new); /* it is tried again soon */
        assert_int_equal(status.hard, CHECK_CRITICAL);
        assert_false(give(&status, CHECK_CRITICAL).is_new); /* the same trouble goes on */
        assert_false(give(&status, CHECK_OK).is_new); /* and it begins to count anew */
        struct check_verdict well = give(&status, CHECK_OK);
        assert_true(well.is_hard && well.is_new);
        assert_int_equal(status.hard, CHECK_OK);
}

static void where_one_bad_result_counts_one_good_one_does_too(void **state)
{
        (void)state;
        struct check_status status = {0};
        assert_true(check_status_update(&status, CHECK_CRITICAL, 1, 1000).is_new);
        assert_true(check_status_update(&status, CHECK_OK, 1, 2000).is_new);
}

static void going_up_and_down_is_flapping_until_it_calms(void **state)
{
        (void)state;
        struct check_status status = {0};
        for (int i = 0; i < 12; i++)
                give(&status, i % 2 ? CHECK_CRITICAL : CHECK_OK);
        assert_true(status.is_flapping);
        assert_int_equal(status.changes, 11);
        for (int i = 0; i < 20; i++)
                give(&status, CHECK_OK);
        assert_false(status.is_flapping);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_bad_result_is_tried_again_before_it_counts),
                cmocka_unit_test(one_bad_result_among_good_ones_tells_nobody),
                cmocka_unit_test(a_warning_that_becomes_critical_is_news_at_once),
                cmocka_unit_test(one_good_result_among_bad_ones_is_no_recovery),
                cmocka_unit_test(where_one_bad_result_counts_one_good_one_does_too),
                cmocka_unit_test(going_up_and_down_is_flapping_until_it_calms),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
