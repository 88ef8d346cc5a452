/* time_zone_test - rules are read and clocks turn when they should. */
#include "base/time_zone.h"

#include "base/clock.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t at(int64_t year, unsigned month, unsigned day, int hour, int minute)
{
        return clock_days_of_date(year, month, day) * 86400 + hour * 3600 + minute * 60;
}

static struct time_zone zone(const char *rule)
{
        struct err err;
        struct time_zone made;
        assert_true(time_zone_parse(str_of(rule), &made, &err));
        return made;
}

static void berlin_turns_at_one_o_clock_utc(void **state)
{
        (void)state;
        struct time_zone berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        assert_int_equal(time_zone_ahead_s(&berlin, at(2026, 3, 29, 0, 59)), 3600);
        assert_int_equal(time_zone_ahead_s(&berlin, at(2026, 3, 29, 1, 0)), 7200);
        assert_int_equal(time_zone_ahead_s(&berlin, at(2026, 10, 25, 0, 59)), 7200);
        assert_int_equal(time_zone_ahead_s(&berlin, at(2026, 10, 25, 1, 0)), 3600);
        assert_int_equal(time_zone_utc_s(&berlin, at(2026, 7, 1, 9, 0)), at(2026, 7, 1, 7, 0));
        assert_int_equal(time_zone_utc_s(&berlin, at(2026, 1, 1, 9, 0)), at(2026, 1, 1, 8, 0));
}

static void summer_may_lie_over_the_new_year_and_hours_may_be_halves(void **state)
{
        (void)state;
        struct time_zone sydney = zone("AEST-10AEDT,M10.1.0,M4.1.0/3"), kolkata = zone("IST-5:30"), odd = zone("<-03>3<-02>,J60/-1,300");
        assert_int_equal(time_zone_ahead_s(&sydney, at(2026, 1, 15, 0, 0)), 11 * 3600);
        assert_int_equal(time_zone_ahead_s(&sydney, at(2026, 7, 15, 0, 0)), 10 * 3600);
        assert_int_equal(time_zone_ahead_s(&kolkata, at(2026, 7, 15, 0, 0)), 5 * 3600 + 1800);
        assert_int_equal(time_zone_ahead_s(&odd, at(2026, 7, 15, 0, 0)), -2 * 3600);
        assert_int_equal(time_zone_ahead_s(&odd, at(2028, 3, 1, 1, 59)), -3 * 3600); /* J60 is 1 March in leap years too, less an hour */
        assert_int_equal(time_zone_ahead_s(&odd, at(2028, 3, 1, 2, 0)), -2 * 3600);
}

static void what_is_no_rule_is_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"Mars", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-999", "<>1"};
        struct time_zone made;
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                assert_false(time_zone_parse(str_of(wrong[i]), &made, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
        struct err err = {0};
        scoped(buf_done) struct buf rule = {0};
        assert_false(time_zone_read_rule("../../etc/passwd", &rule, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(berlin_turns_at_one_o_clock_utc),
                cmocka_unit_test(summer_may_lie_over_the_new_year_and_hours_may_be_halves),
                cmocka_unit_test(what_is_no_rule_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
