/* metric_name_test - names by the rows of OpenTelemetry's "Prometheus and OpenMetrics Compatibility". */
#include "wire/metric_name.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect_name(const char *name, const char *unit, enum metric_type type, const char *wanted)
{
        scoped(arena_done) struct arena arena = {0};
        assert_string_equal(metric_name(&arena, str_of(name), str_of(unit), type).bytes, wanted);
}

static void units_become_words_at_the_end(void **state)
{
        (void)state;
        expect_name("http.server.duration", "ms", METRIC_HISTOGRAM, "http_server_duration_milliseconds");
        expect_name("memory", "By", METRIC_GAUGE, "memory_bytes");
        expect_name("disk.io", "By/s", METRIC_GAUGE, "disk_io_bytes_per_second");
        expect_name("heat", "Cel/min", METRIC_GAUGE, "heat_celsius_per_minute");
        expect_name("sent", "{packets}", METRIC_GAUGE, "sent");
        expect_name("odd", "foo.bar", METRIC_GAUGE, "odd_foo_bar");
        expect_name("memory_bytes", "By", METRIC_GAUGE, "memory_bytes");
        expect_name("bytesize", "By", METRIC_GAUGE, "bytesize_bytes");
}

static void counters_end_in_total_and_shares_in_ratio(void **state)
{
        (void)state;
        expect_name("requests", "1", METRIC_COUNTER, "requests_total");
        expect_name("requests_total", "", METRIC_COUNTER, "requests_total");
        expect_name("total.bytes.sent", "By", METRIC_COUNTER, "bytes_sent_total");
        expect_name("cpu.busy", "1", METRIC_GAUGE, "cpu_busy_ratio");
        expect_name("hit_ratio", "1", METRIC_GAUGE, "hit_ratio");
        expect_name("total.things", "", METRIC_GAUGE, "total_things");
}

static void what_prometheus_does_not_allow_goes(void **state)
{
        (void)state;
        expect_name("a--b..c__d", "", METRIC_GAUGE, "a_b_c_d");
        expect_name("5xx", "", METRIC_GAUGE, "_5xx");
        expect_name("job:rate", "", METRIC_GAUGE, "job:rate");
        expect_name("gr\xc3\xb6\xc3\x9f" "e", "", METRIC_GAUGE, "gr_e");
}

static void label_names_keep_what_is_good(void **state)
{
        (void)state;
        scoped(arena_done) struct arena arena = {0};
        struct str good = STR("service_name");
        assert_ptr_equal(metric_label_name(&arena, good).bytes, good.bytes);
        assert_string_equal(metric_label_name(&arena, STR("host.name")).bytes, "host_name");
        assert_int_not_equal(metric_label_name(&arena, STR("1st")).bytes[0], '1');
}

static void a_unit_never_passes_its_bound(void **state)
{
        (void)state;
        char text[METRIC_UNIT_BYTES], unit[400];
        memset(unit, 'u', sizeof unit);
        unit[200] = '/';
        struct str made = metric_unit((struct str){unit, sizeof unit}, text);
        assert_in_range(made.length, 1, METRIC_UNIT_BYTES);
        assert_int_equal(metric_unit(STR("1"), text).length, 0);
        assert_int_equal(metric_unit(STR(""), text).length, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(units_become_words_at_the_end),
                cmocka_unit_test(counters_end_in_total_and_shares_in_ratio),
                cmocka_unit_test(what_prometheus_does_not_allow_goes),
                cmocka_unit_test(label_names_keep_what_is_good),
                cmocka_unit_test(a_unit_never_passes_its_bound),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
