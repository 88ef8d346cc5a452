/* rule_template_test - what an alert's text says, and which templates are refused by name. */
#include "observe/rule_template.h"

#include "base/scope.h"

#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(const char *template, double value, const char *wanted)
{
        struct label items[] = {{STR("host"), STR("web1")}, {STR("path"), STR("/var/lib")}};
        struct labels labels = {items, countof(items), countof(items)};
        struct err err = {0};
        scoped(buf_done) struct buf out = {0};
        if (!rule_template_check(str_of(template), &err))
                fail_msg("%s: %s", template, err.message);
        rule_template_write(str_of(template), &labels, value, &out);
        buf_byte(&out, 0);
        assert_string_equal(out.bytes, wanted);
}

static void places_are_filled_with_labels_and_the_value(void **state)
{
        (void)state;
        expect("no place", 1, "no place");
        expect("{{ $labels.host }}:{{.Labels.path}} is at {{ $value }}", 0.5, "web1:/var/lib is at 0.5");
        expect("{{ $labels.missing }}!", 1, "!");
        expect("{{ $labels.host | toUpper }} {{ title \"full disk\" }}", 1, "WEB1 Full Disk");
}

static void numbers_are_written_for_people(void **state)
{
        (void)state;
        expect("{{ $value | humanize }}", 1234567, "1.235M");
        expect("{{ $value | humanize }}", 0.0021, "2.1m");
        expect("{{ $value | humanize1024 }}", 3.0 * 1024 * 1024, "3Mi");
        expect("{{ $value | humanizePercentage }}", 0.0312, "3.12%");
        expect("{{ $value | humanizeDuration }}", 0.0125, "12.5ms");
        expect("{{ humanizeDuration $value }}", 90061, "1d 1h 1m 1s");
        expect("{{ printf \"%.2f of %%\" $value }}", 2.0 / 3, "0.67 of %");
        expect("{{ $value | printf \"%5.1f\" }}|", 3.14159, "  3.1|");
        expect("{{ $value }}", NAN, "NaN");
}

static void what_is_missing_is_refused_by_name(void **state)
{
        (void)state;
        static const struct { const char *template, *named; } refused[] = {
                {"{{ query \"up\" | first }}", "query"},
                {"{{ if $value }}x{{ end }}", "if"},
                {"{{ $externalURL }}", "$externalURL"},
                {"{{ $value | reReplaceAll }}", "reReplaceAll"},
                {"{{ $value", "without }}"},
                {"{{ printf \"%n\" $value }}", "printf"},
                {"{{ printf \"%f %f\" $value }}", "printf"},
                {"{{ $value humanize }}", "humanize"},
                {"{{ }}", "not understood"},
        };
        for (size_t i = 0; i < countof(refused); i++) {
                struct err err = {0};
                assert_false(rule_template_check(str_of(refused[i].template), &err));
                if (!strstr(err.message, refused[i].named))
                        fail_msg("%s: %s", refused[i].template, err.message);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(places_are_filled_with_labels_and_the_value),
                cmocka_unit_test(numbers_are_written_for_people),
                cmocka_unit_test(what_is_missing_is_refused_by_name),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
