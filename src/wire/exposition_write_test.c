/* exposition_write_test - what we write as Prometheus text is what a reader of it reads. */
#include "wire/exposition_write.h"

#include "base/scope.h"
#include "wire/decode_try.h"
#include "wire/exposition.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static void expect_number(double value, const char *wanted)
{
        scoped(buf_done) struct buf out = {0};
        exposition_number(&out, value);
        assert_str(buf_str(&out), wanted);
}

static void numbers_are_short_and_read_back_as_the_same(void **state)
{
        (void)state;
        expect_number(0, "0");
        expect_number(0.1, "0.1");
        expect_number(1e100, "1e+100");
        expect_number(NAN, "NaN");
        expect_number(INFINITY, "+Inf");
        expect_number(-INFINITY, "-Inf");
        static const double values[] = {1.0 / 3, DBL_MAX, DBL_MIN, 4.9e-324, -0.0, 123456789012345678.0, 0.1 + 0.2};
        for (size_t i = 0; i < countof(values); i++) {
                scoped(buf_done) struct buf out = {0};
                exposition_number(&out, values[i]);
                buf_byte(&out, 0);
                double back = strtod(out.bytes, NULL);
                assert_memory_equal(&back, &values[i], sizeof back);
        }
}

static void families_and_samples_are_laid_out_and_escaped(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        exposition_family(&out, "lines_total", "counter", "Lines \\ taken\n\"in\".");
        exposition_sample(&out, "lines_total", 12, "source", STR("a\"b\\c\nd"), "kind", STR("k"), (char *)NULL);
        exposition_sample(&out, "up", 1, (char *)NULL);
        assert_str(buf_str(&out), "# HELP lines_total Lines \\\\ taken\\n\"in\".\n# TYPE lines_total counter\n"
                                  "lines_total{source=\"a\\\"b\\\\c\\nd\",kind=\"k\"} 12\nup 1\n");
}

static void a_series_labels_stand_without_its_name(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        struct label items[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("j")}, {STR("z"), STR("1")}};
        exposition_sample_labels(&out, "up", &(struct labels){items, 3, 3}, 0.5);
        exposition_sample_labels(&out, "up", &(struct labels){items, 1, 1}, 2);
        assert_str(buf_str(&out), "up{job=\"j\",z=\"1\"} 0.5\nup 2\n");
}

static void our_own_reader_reads_it_back(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        exposition_family(&out, "a", "gauge", "h");
        exposition_sample(&out, "a", 0.25, "x", STR("q\"\\\n"), (char *)NULL);
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(exposition_decode, buf_str(&out), STR(""));
        assert_int_equal(batch->telemetry.series.count, 1);
        const struct series_points *series = batch->telemetry.series.items;
        assert_str(labels_value(&series->labels, STR("x")), "q\"\\\n");
        assert_true(series->samples[0].value == 0.25);
}

static void a_full_buffer_is_remembered(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {.bytes_max = 8};
        exposition_sample(&out, "much_too_long_a_name", 1, (char *)NULL);
        assert_true(out.failed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_short_and_read_back_as_the_same),
                cmocka_unit_test(families_and_samples_are_laid_out_and_escaped),
                cmocka_unit_test(a_series_labels_stand_without_its_name),
                cmocka_unit_test(our_own_reader_reads_it_back),
                cmocka_unit_test(a_full_buffer_is_remembered),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
