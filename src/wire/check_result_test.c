/* check_result_test - results of checks become series always, and findings when the state counts. */
#include "wire/check_result.h"

#include "wire/decode_try.h"

#include <math.h>

static double value_of(const struct batch *batch, const char *name, const char *label)
{
        each (series, &batch->telemetry.series)
                if (str_is(labels_value(&series->labels, LABEL_METRIC_NAME), name) && (!label || str_is(labels_value(&series->labels, STR("label")), label)))
                        return series->samples[0].value;
        return NAN;
}

static void performance_data_becomes_series_in_base_units(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(check_result_decode,
                STR("{\"check\":\"disk\",\"alert\":\"A\",\"labels\":{\"check\":\"disk\"},\"state\":\"ok\",\"duration_s\":0.5,\"values\":{\"days_left\":12.5},"
                    "\"perfdata\":\"/=2MB;5948;5958;0;5968 'it''s /tmp'=7% time=31ms lost=U odd=x\"}"), STR(""));
        assert_true(value_of(batch, "check_perfdata", "/") == 2 * 1048576.0);
        assert_true(value_of(batch, "check_perfdata", "it's /tmp") == 7);
        assert_true(fabs(value_of(batch, "check_perfdata", "time") - 0.031) < 1e-12);
        assert_true(isnan(value_of(batch, "check_perfdata", "lost")));
        assert_true(value_of(batch, "check_up", NULL) == 1);
        assert_true(value_of(batch, "check_duration_seconds", NULL) == 0.5);
        assert_true(value_of(batch, "check_days_left", NULL) == 12.5);
        assert_int_equal(batch->telemetry.rejected, 1); /* odd=x */
        assert_int_equal(batch->telemetry.findings.count, 0);
}

static void a_state_that_is_not_hard_tells_nobody(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(check_result_decode,
                STR("{\"check\":\"web\",\"alert\":\"Down\",\"state\":\"critical\",\"hard\":false,\"new\":false}"), STR(""));
        assert_int_equal(batch->telemetry.findings.count, 0);
        assert_true(value_of(batch, "check_up", NULL) == 0);
        assert_true(value_of(batch, "check_state", NULL) == 2);
}

static void a_warning_that_becomes_critical_resolves_as_the_other_fires(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(check_result_decode,
                STR("{\"check\":\"web\",\"alert\":\"Down\",\"labels\":{\"host\":\"web1\"},\"annotations\":{\"runbook\":\"restart\"},\"state\":\"critical\",\"hard\":true,"
                    "\"new\":true,\"text\":\"no answer\",\"ends_s\":3600,\"since_ns\":1767225500000000000}"), STR(""));
        assert_int_equal(batch->telemetry.findings.count, 2);
        const struct finding *resolved = &batch->telemetry.findings.items[1], *firing = &batch->telemetry.findings.items[0];
        assert_false(resolved->is_firing);
        assert_str(labels_value(&resolved->labels, STR("severity")), "warning");
        assert_true(firing->is_firing);
        assert_int_equal(firing->origin, FINDING_CHECK);
        assert_str(labels_value(&firing->labels, STR("severity")), "critical");
        assert_str(labels_value(&firing->labels, STR("alertname")), "Down");
        assert_str(labels_value(&firing->labels, STR("host")), "web1");
        assert_str(labels_value(&firing->annotations, STR("summary")), "no answer");
        assert_str(labels_value(&firing->annotations, STR("runbook")), "restart");
        assert_int_equal(firing->starts_ns, INT64_C(1767225500) * NS_PER_S);
        assert_int_equal(firing->ends_ns, TRY_RECEIVED_NS + 3600 * NS_PER_S);
}

static void a_good_result_resolves_once(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *first = try_decode(check_result_decode,
                STR("{\"check\":\"web\",\"alert\":\"Down\",\"state\":\"ok\",\"hard\":true,\"new\":true}"), STR(""));
        scoped_ptr(batch_destroy) struct batch *later = try_decode(check_result_decode,
                STR("{\"check\":\"web\",\"alert\":\"Down\",\"state\":\"ok\",\"hard\":true,\"new\":false}"), STR(""));
        assert_int_equal(first->telemetry.findings.count, 2);
        each (finding, &first->telemetry.findings)
                assert_false(finding->is_firing);
        assert_int_equal(later->telemetry.findings.count, 0);
}

static void a_wrong_result_leaves_nothing_behind(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(check_result_decode,
                STR("[{\"check\":\"x\",\"alert\":\"y\",\"state\":\"bad\"},{\"check\":\"x\",\"alert\":\"y\",\"state\":\"ok\",\"hard\":true,\"new\":true,"
                    "\"annotations\":{\"a\":1}},7]"), STR(""));
        assert_int_equal(batch->telemetry.rejected, 3);
        assert_int_equal(batch->telemetry.series.count, 0);
        assert_int_equal(batch->telemetry.findings.count, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(performance_data_becomes_series_in_base_units),
                cmocka_unit_test(a_state_that_is_not_hard_tells_nobody),
                cmocka_unit_test(a_warning_that_becomes_critical_resolves_as_the_other_fires),
                cmocka_unit_test(a_good_result_resolves_once),
                cmocka_unit_test(a_wrong_result_leaves_nothing_behind),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
