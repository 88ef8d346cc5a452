/* exposition_test - scrapes are read as Prometheus reads them, and what we write reads back the same. */
#include "wire/exposition.h"

#include "wire/decode_try.h"
#include "wire/exposition_write.h"

#include <math.h>

static struct str printed(const struct batch *batch, size_t i, struct buf *out)
{
        buf_clear(out);
        labels_print(&batch->telemetry.series.items[i].labels, out);
        return buf_str(out);
}

static void a_scrape_becomes_series(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                exposition_decode,
                STR("# HELP a_total Counts \\\\ and\\nlines\n# TYPE a_total counter\n# any comment\n"
                    "a_total{code=\"200\",path=\"C:\\\\x\\\"\\n\",} 1027 1767225600123\n\n"
                    "  b { host = \"web\" }  -1.5e-3\r\nc NaN\nd +Inf\ne 0.1\n"), STR(""));
        assert_int_equal(batch->telemetry.series.count, 5);
        const struct series_points *series = batch->telemetry.series.items;
        assert_str(printed(batch, 0, &text), "a_total{code=\"200\", host=\"peer\", path=\"C:\\\\x\\\"\\n\"}");
        assert_true(series[0].samples[0].value == 1027);
        assert_int_equal(series[0].samples[0].time_ns, INT64_C(1767225600123) * NS_PER_MS);
        assert_str(printed(batch, 1, &text), "b{exported_host=\"web\", host=\"peer\"}");
        assert_true(series[1].samples[0].value == -1.5e-3);
        assert_true(isnan(series[2].samples[0].value) && isinf(series[3].samples[0].value));
        assert_true(series[4].samples[0].value == 0.1);
        assert_int_equal(batch->telemetry.metas.count, 1);
        assert_int_equal(batch->telemetry.metas.items[0].type, METRIC_COUNTER);
        assert_str(batch->telemetry.metas.items[0].help, "Counts \\ and\nlines");
}

static void openmetrics_has_seconds_units_and_exemplars(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                exposition_decode,
                STR("# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n"
                    "t_seconds_bucket{le=\"1\"} 17 1767225600.5 # {trace_id=\"x\"} 0.67 1.0\n"
                    "t_seconds_bucket{le=\"+Inf\"} 17 # {a=\"b\"} 1\n# EOF\n"), STR("{\"honor_labels\":true}"));
        assert_int_equal(batch->telemetry.series.count, 2);
        assert_int_equal(batch->telemetry.series.items[0].samples[0].time_ns, INT64_C(1767225600500) * NS_PER_MS);
        assert_str(batch->telemetry.metas.items[0].unit, "seconds");
}

static void a_stale_batch_ends_its_series(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch =
                try_decode(exposition_decode, STR("a{b=\"c\"} 0\nd 0\n"), STR("{\"stale\":true}"));
        assert_int_equal(batch->telemetry.series.count, 2);
        for (size_t i = 0; i < 2; i++) {
                uint64_t bits;
                memcpy(&bits, &batch->telemetry.series.items[i].samples[0].value, sizeof bits);
                assert_true(bits == STALE_NAN_BITS);
        }
}

static void scraped_labels_win_when_they_are_honored(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(batch_destroy) struct batch *batch =
                try_decode(exposition_decode, STR("a{host=\"own\"} 1\nb{host=\"own\",exported_host=\"x\"} 1 5\n"),
                           STR("{\"honor_labels\":true,\"honor_timestamps\":false}"));
        assert_str(printed(batch, 0, &text), "a{host=\"own\"}");
        assert_int_equal(batch->telemetry.series.items[1].samples[0].time_ns, 0);
        scoped_ptr(batch_destroy) struct batch *renamed =
                try_decode(exposition_decode, STR("b{host=\"own\",exported_host=\"x\"} 1\n"), STR(""));
        assert_str(printed(renamed, 0, &text), "b{exported_exported_host=\"own\", exported_host=\"x\", host=\"peer\"}");
}

static void one_bad_line_fails_the_scrape_and_is_named(void **state)
{
        (void)state;
        static const struct {
                struct str text;
                const char *why;
        } cases[] = {
                {STR_INIT("a 1\nb{x=\"1\" 2\n"), "line 2: a comma or } was expected after a label"},
                {STR_INIT("a\n"), "line 1: a number was expected"},
                {STR_INIT("a{x=\"1} 2\n"), "line 1: a label value has no closing quote"},
                {STR_INIT("\n\n9a 2\n"), "line 3: a metric name was expected"},
                {STR_INIT("a 1 x\n"), "line 1: a timestamp was expected"},
                {STR_INIT("a{x=\"1\",x=\"2\"} 2\n"), "line 1: the label x stands there twice"},
                {STR_INIT("a{x=\"\xFF\"} 2\n"), "line 1 is not UTF-8"},
                {STR_INIT("a 1 2 3\n"), "line 1: something stands behind the timestamp"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct err err;
                scoped_ptr(batch_destroy) struct batch *batch = try_batch(cases[i].text, STR(""));
                assert_false(exposition_decode(batch, &err));
                assert_memory_equal(err.message, cases[i].why, strlen(cases[i].why));
        }
        struct err err;
        scoped_ptr(batch_destroy) struct batch *cut = try_batch(STR("a 1\n"), STR("{\"openmetrics\":true}"));
        assert_false(exposition_decode(cut, &err));
}

static void what_is_written_reads_back(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        exposition_family(&out, "x_total", "counter", "All\nof it.");
        exposition_sample(&out, "x_total", 0.1, "source", STR("a\"b\\c\nd"), "kind", STR("k"), (char *)NULL);
        exposition_sample(&out, "y", 1e300, (char *)NULL);
        exposition_sample(&out, "z", -INFINITY, (char *)NULL);
        assert_str(buf_str(&out), "# HELP x_total All\\nof it.\n# TYPE x_total counter\n"
                                  "x_total{source=\"a\\\"b\\\\c\\nd\",kind=\"k\"} 0.1\ny 1e+300\nz -Inf\n");
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(exposition_decode, buf_str(&out), STR(""));
        assert_str(labels_value(&batch->telemetry.series.items[0].labels, STR("source")), "a\"b\\c\nd");
        assert_true(batch->telemetry.series.items[1].samples[0].value == 1e300);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_scrape_becomes_series),
                cmocka_unit_test(openmetrics_has_seconds_units_and_exemplars),
                cmocka_unit_test(a_stale_batch_ends_its_series),
                cmocka_unit_test(scraped_labels_win_when_they_are_honored),
                cmocka_unit_test(one_bad_line_fails_the_scrape_and_is_named),
                cmocka_unit_test(what_is_written_reads_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
