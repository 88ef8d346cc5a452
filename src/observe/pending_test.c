/* pending_test - what waits leaves by series, each in the order in which it came. */
#include "observe/pending.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void samples_leave_by_series_and_within_it_as_they_came(void **state)
{
        (void)state;
        scoped(pending_done) struct pending pending = {0};
        for (int i = 0; i < 1000; i++)
                assert_true(pending_add(&pending, &(struct pending_sample){(uint32_t)(i * 7919 % 37), i, i / 2.0}, 5));
        struct pending_sample *sorted = pending_sorted(&pending, 40);
        assert_non_null(sorted);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(sorted[i].series, sorted[i].time_ns * 7919 % 37);
                assert_true(sorted[i].value == (double)sorted[i].time_ns / 2);
                if (i)
                        assert_true(sorted[i].series > sorted[i - 1].series ||
                                    (sorted[i].series == sorted[i - 1].series && sorted[i].time_ns > sorted[i - 1].time_ns));
        }
        free(sorted);
}

static void it_is_due_when_the_first_has_waited_or_the_clock_went_back(void **state)
{
        (void)state;
        scoped(pending_done) struct pending pending = {0};
        assert_false(pending_is_due(&pending, 1000, 10));
        assert_true(pending_add(&pending, &(struct pending_sample){0}, 100));
        assert_true(pending_add(&pending, &(struct pending_sample){0}, 108));
        assert_false(pending_is_due(&pending, 109, 10));
        assert_true(pending_is_due(&pending, 110, 10));
        assert_true(pending_is_due(&pending, 99, 10));
        pending_clear(&pending);
        assert_false(pending_is_due(&pending, 110, 10));
        assert_true(pending_add(&pending, &(struct pending_sample){0}, 110));
        assert_false(pending_is_due(&pending, 119, 10));
}

static void the_bound_is_told(void **state)
{
        (void)state;
        scoped(pending_done) struct pending pending = {0};
        for (int i = 0; i < PENDING_MAX; i++) {
                assert_false(pending_is_full(&pending));
                assert_true(pending_add(&pending, &(struct pending_sample){0}, 0));
        }
        assert_true(pending_is_full(&pending));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(samples_leave_by_series_and_within_it_as_they_came),
                cmocka_unit_test(it_is_due_when_the_first_has_waited_or_the_clock_went_back),
                cmocka_unit_test(the_bound_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
