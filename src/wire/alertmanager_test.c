/* alertmanager_test - alerts as Prometheus and amtool send them, and what is refused of them. */
#include "wire/alertmanager.h"

#include "wire/decode_try.h"

#include <math.h>

static void an_alert_fires_until_its_end_or_five_minutes(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_batch(
                STR("[{\"labels\":{\"alertname\":\"Down\",\"instance\":\"a:9100\"},\"annotations\":{\"summary\":\"gone\"},\"startsAt\":\"2026-01-01T00:00:00.5Z\","
                    "\"endsAt\":\"2026-01-01T00:04:00Z\",\"generatorURL\":\"http://p/graph\"},{\"labels\":{\"alertname\":\"Open\",\"empty\":\"\"}}]"), STR(""));
        struct err err = {0};
        batch->received_ns = INT64_C(1767225601) * NS_PER_S;
        if (!alertmanager_decode(batch, &err))
                fail_msg("%s", err.message);
        assert_int_equal(batch->telemetry.findings.count, 2);
        const struct finding *findings = batch->telemetry.findings.items;
        assert_true(findings[0].is_firing);
        assert_int_equal(findings[0].origin, FINDING_EXTERNAL);
        assert_str(labels_value(&findings[0].labels, STR("instance")), "a:9100");
        assert_str(labels_value(&findings[0].annotations, STR("summary")), "gone");
        assert_str(findings[0].generator_url, "http://p/graph");
        assert_int_equal(findings[0].starts_ns, INT64_C(1767225600500) * NS_PER_MS);
        assert_int_equal(findings[0].ends_ns, INT64_C(1767225840) * NS_PER_S);
        assert_int_equal(findings[1].labels.count, 1);
        assert_int_equal(findings[1].starts_ns, batch->received_ns);
        assert_int_equal(findings[1].ends_ns, batch->received_ns + ALERTMANAGER_RESOLVE_NS);
}

static void the_rules_expression_and_the_value_are_evidence(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                alertmanager_decode,
                STR("[{\"labels\":{\"alertname\":\"Down\"},\"annotations\":{\"value\":\"0.25\"},"
                    "\"generatorURL\":\"http://p/graph?g0.expr=rate%28up%5B5m%5D%29+%3C+0.5%zz%4&g0.tab=1\"},"
                    "{\"labels\":{\"alertname\":\"Other\"},\"annotations\":{\"value\":\"about 3\"},\"generatorURL\":\"http://p/graph\"}]"), STR(""));
        assert_int_equal(batch->telemetry.findings.count, 2);
        const struct finding *findings = batch->telemetry.findings.items;
        assert_str(findings[0].evidence, "rate(up[5m]) < 0.5%zz%4");
        assert_true(findings[0].value == 0.25);
        assert_str(findings[1].evidence, "");
        assert_true(isnan(findings[1].value));
}

static void an_end_that_has_passed_resolves(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                alertmanager_decode, STR("[{\"labels\":{\"alertname\":\"Down\"},\"startsAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2020-01-01T00:01:00+00:00\"}]"), STR(""));
        assert_int_equal(batch->telemetry.findings.count, 1);
        assert_false(batch->telemetry.findings.items[0].is_firing);
        assert_str(try_time(batch->telemetry.findings.items[0].ends_ns), "2020-01-01T00:01:00.000Z");
}

static void wrong_alerts_are_told_and_the_others_taken(void **state)
{
        (void)state;
        static const struct { const char *alert, *why; } wrong[] = {
                {"{\"labels\":{}}", "at least one label"},
                {"{\"labels\":{\"a-b\":\"x\"}}", "a-b"},
                {"{\"labels\":{\"a\":1}}", "\"a\""},
                {"{\"labels\":{\"a\":\"x\"},\"startsAt\":\"yesterday\"}", "yesterday"},
                {"{\"labels\":{\"a\":\"x\"},\"startsAt\":\"2026-01-02T00:00:00Z\",\"endsAt\":\"2026-01-01T00:00:00Z\"}", "after endsAt"},
                {"7", "must be an object"},
        };
        for (size_t i = 0; i < countof(wrong); i++) {
                scoped(buf_done) struct buf body = {0};
                buf_printf(&body, "[%s,{\"labels\":{\"alertname\":\"Good\"}}]", wrong[i].alert);
                scoped_ptr(batch_destroy) struct batch *batch = try_decode(alertmanager_decode, buf_str(&body), STR(""));
                assert_int_equal(batch->telemetry.findings.count, 1);
                assert_int_equal(batch->telemetry.rejected, 1);
                size_t at;
                if (!str_find(batch->telemetry.rejected_why, str_of(wrong[i].why), &at))
                        fail_msg("%s: %.*s", wrong[i].alert, STR_ARGS(batch->telemetry.rejected_why));
        }
        struct err err = {0};
        scoped_ptr(batch_destroy) struct batch *batch = try_batch(STR("{\"labels\":{}}"), STR(""));
        assert_false(alertmanager_decode(batch, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_alert_fires_until_its_end_or_five_minutes),
                cmocka_unit_test(the_rules_expression_and_the_value_are_evidence),
                cmocka_unit_test(an_end_that_has_passed_resolves),
                cmocka_unit_test(wrong_alerts_are_told_and_the_others_taken),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
