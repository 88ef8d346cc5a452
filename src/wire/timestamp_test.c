/* timestamp_test - every way of writing a time that lines begin with, and what is nearly one and is not. */
#include "wire/timestamp.h"

#include "base/clock.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define NEW_YEAR (INT64_C(1767225600) * NS_PER_S) /* 2026-01-01T00:00:00Z */
#define UNTOUCHED INT64_C(-77)

static void iso_times_with_and_without_fraction_and_zone(void **state)
{
        (void)state;
        static const struct { const char *text; size_t taken; int64_t ns; } cases[] = {
                {"2026-01-01T00:00:00Z", 20, NEW_YEAR},
                {"2026-01-01 00:00:01 x", 19, NEW_YEAR + NS_PER_S},
                {"2026-01-01t00:00:01z", 20, NEW_YEAR + NS_PER_S},
                {"2026-01-01T01:00:00.5+01:00", 27, NEW_YEAR + NS_PER_S / 2},
                {"2025-12-31T22:30:00,000000001-0130", 34, NEW_YEAR + 1},
                {"2026-01-01T00:00:00.1234567891Z", 31, NEW_YEAR + 123456789},
                {"2024-02-29T00:00:00Z", 20, INT64_C(1709164800) * NS_PER_S},
                {"2026-01-01T02:00:00+02", 22, NEW_YEAR},
                {"2025-12-31T23:59:60Z", 20, NEW_YEAR}, /* a leap second */
                {"2026-01-01T00:00:00. x", 19, NEW_YEAR}, /* the dot ends a sentence */
        };
        for (size_t i = 0; i < countof(cases); i++) {
                int64_t ns = UNTOUCHED;
                assert_int_equal(timestamp_iso(str_of(cases[i].text), 0, NULL, &ns), cases[i].taken);
                assert_int_equal(ns, cases[i].ns);
        }
}

static void what_is_no_iso_time_is_left_alone(void **state)
{
        (void)state;
        static const char *const cases[] = {"", "2026-01-01T00:00", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
                                            "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026/01/01T00:00:00Z", "1699-01-01T00:00:00Z",
                                            "2251-01-01T00:00:00Z", "2026-00-01T00:00:00Z", "x026-01-01T00:00:00Z", "2026-01-01T00:00.00Z"};
        for (size_t i = 0; i < countof(cases); i++) {
                int64_t ns = UNTOUCHED;
                assert_int_equal(timestamp_iso(str_of(cases[i]), 0, NULL, &ns), 0);
                assert_int_equal(ns, UNTOUCHED);
        }
}

static void a_time_without_a_zone_takes_the_offset(void **state)
{
        (void)state;
        int64_t ns;
        assert_true(timestamp_iso(STR("2026-01-01T01:00:00"), 3600, NULL, &ns));
        assert_int_equal(ns, NEW_YEAR);
        assert_true(timestamp_iso(STR("2026-01-01T01:00:00Z"), 3600, NULL, &ns));
        assert_int_equal(ns, NEW_YEAR + 3600 * NS_PER_S);
        assert_true(timestamp_bsd(STR("Jan  1 01:00:00"), 3600, NEW_YEAR, NULL, &ns));
        assert_int_equal(ns, NEW_YEAR);
}

static void the_remembered_minute_changes_nothing(void **state)
{
        (void)state;
        static const char *const lines[] = {"2026-01-01T00:00:59Z", "2026-01-01T00:00:01Z", "2026-01-01T00:01:01Z", "2026-01-01T00:00:02Z",
                                            "2026-01-41T00:00:02Z", "2026-01-01T00:00:03Z"};
        struct timestamp_minute minute = {0};
        for (size_t i = 0; i < countof(lines); i++) {
                int64_t with = UNTOUCHED, without = UNTOUCHED;
                assert_int_equal(timestamp_iso(str_of(lines[i]), 0, &minute, &with), timestamp_iso(str_of(lines[i]), 0, NULL, &without));
                assert_int_equal(with, without);
        }
}

static void a_bsd_time_is_of_the_year_nearest_to_its_receipt(void **state)
{
        (void)state;
        int64_t ns;
        assert_int_equal(timestamp_bsd(STR("Dec 31 23:59:59 x"), 0, NEW_YEAR + 5 * NS_PER_S, NULL, &ns), 15);
        assert_int_equal(ns, NEW_YEAR - NS_PER_S);
        assert_int_equal(timestamp_bsd(STR("jan  1 00:00:01"), 0, NEW_YEAR - NS_PER_S, NULL, &ns), 15);
        assert_int_equal(ns, NEW_YEAR + NS_PER_S);
        assert_int_equal(timestamp_bsd(STR("Jan  1 2024 00:00:01"), 0, NEW_YEAR, NULL, &ns), 20);
        assert_int_equal(ns, INT64_C(1704067201) * NS_PER_S);
        assert_int_equal(timestamp_bsd(STR("Jan  1 00:00:01.250 x"), 0, NEW_YEAR, NULL, &ns), 19);
        assert_int_equal(ns, NEW_YEAR + NS_PER_S + 250 * NS_PER_MS);
        assert_int_equal(timestamp_bsd(STR("Feb 29 00:00:00"), 0, NEW_YEAR, NULL, &ns), 0); /* no leap year is near 2026 */
        assert_int_equal(timestamp_bsd(STR("Jam  1 00:00:01"), 0, NEW_YEAR, NULL, &ns), 0);
        assert_int_equal(timestamp_bsd(STR("Jan 32 00:00:01"), 0, NEW_YEAR, NULL, &ns), 0);
        assert_int_equal(timestamp_bsd(STR("Jan  1 00:00"), 0, NEW_YEAR, NULL, &ns), 0);
}

static void a_web_servers_time(void **state)
{
        (void)state;
        int64_t ns;
        assert_int_equal(timestamp_clf(STR("01/Jan/2026:01:00:00 +0100] \"GET"), &ns), 26);
        assert_int_equal(ns, NEW_YEAR);
        assert_int_equal(timestamp_clf(STR("01/Jan/2026:00:00:00"), &ns), 20);
        assert_int_equal(ns, NEW_YEAR);
        assert_int_equal(timestamp_clf(STR("01/Foo/2026:00:00:00"), &ns), 0);
        assert_int_equal(timestamp_clf(STR("1/Jan/2026:00:00:00 "), &ns), 0);
}

static void seconds_and_finer_units_since_1970_are_told_by_their_digits(void **state)
{
        (void)state;
        static const struct { const char *text; size_t taken; int64_t ns; } cases[] = {
                {"1767225600", 10, NEW_YEAR}, {"1767225600.25 x", 13, NEW_YEAR + NS_PER_S / 4}, {"1767225600250", 13, NEW_YEAR + NS_PER_S / 4},
                {"1767225600000001,", 16, NEW_YEAR + NS_PER_US}, {"1767225600000000001]", 19, NEW_YEAR + 1}, {"1767225600:", 10, NEW_YEAR},
                {"176722560", 0, UNTOUCHED}, {"17672256000", 0, UNTOUCHED}, {"0767225600", 0, UNTOUCHED}, {"1767225600x", 0, UNTOUCHED},
                {"9999999999999999999", 0, UNTOUCHED}, {"17672256000000000010", 0, UNTOUCHED},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                int64_t ns = UNTOUCHED;
                assert_int_equal(timestamp_epoch(str_of(cases[i].text), &ns), cases[i].taken);
                assert_int_equal(ns, cases[i].ns);
        }
}

static void any_of_them_also_in_brackets(void **state)
{
        (void)state;
        static const struct { const char *text; size_t taken; } cases[] = {
                {"[2026-01-01T00:00:00Z] x", 22}, {"Jan  1 00:00:00 h", 15}, {"[01/Jan/2026:00:00:00 +0000]", 28}, {"[1767225600]", 12},
                {"[1767225600", 11}, {"2026-01-01 00:00:00", 19}, {"hello", 0}, {"[]", 0}, {"", 0},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                int64_t ns = NEW_YEAR;
                assert_int_equal(timestamp_any(str_of(cases[i].text), 0, NEW_YEAR, NULL, &ns), cases[i].taken);
                assert_int_equal(ns, NEW_YEAR);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(iso_times_with_and_without_fraction_and_zone),
                cmocka_unit_test(what_is_no_iso_time_is_left_alone),
                cmocka_unit_test(a_time_without_a_zone_takes_the_offset),
                cmocka_unit_test(the_remembered_minute_changes_nothing),
                cmocka_unit_test(a_bsd_time_is_of_the_year_nearest_to_its_receipt),
                cmocka_unit_test(a_web_servers_time),
                cmocka_unit_test(seconds_and_finer_units_since_1970_are_told_by_their_digits),
                cmocka_unit_test(any_of_them_also_in_brackets),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
