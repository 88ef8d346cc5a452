/* webhook_test - JSON of any shape becomes records by its mapping. */
#include "wire/webhook.h"

#include "base/json.h"
#include "base/yaml.h"
#include "wire/decode_try.h"

static void without_a_mapping_the_object_is_the_line(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(webhook_decode, STR("[{ \"a\" : 1 }, \"x\"]"), STR(""));
        assert_int_equal(batch->telemetry.records.count, 2);
        assert_str(batch->telemetry.records.items[0].line, "{\"a\":1}");
        assert_str(batch->telemetry.records.items[1].line, "x");
        assert_str(try_label(batch, 0, "source"), "webhook");
}

static void a_mapping_picks_and_writes(void **state)
{
        (void)state;
        struct str mapping = STR("{\"records\":\"$.events\",\"line\":\"{{$.user.name}} did {{ $[\\\"the act\\\"] }} on {{$$.host}}\","
                                 "\"time\":\"$.at\",\"severity\":\"$.tags[1]\",\"labels\":{\"service\":\"shop\",\"host\":\"$$.host\"},"
                                 "\"attributes\":{\"id\":\"$.id\",\"none\":\"$.missing.x[3]\"}}");
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                webhook_decode,
                STR("{\"host\":\"web1\",\"events\":[{\"user\":{\"name\":\"bo\"},\"the act\":\"it\",\"at\":1767225600.5,\"tags\":[\"\",\"error\"],"
                    "\"id\":7},{\"at\":\"2026-01-01T00:00:01Z\"},{\"at\":1767225600123456789}]}"), mapping);
        assert_int_equal(batch->telemetry.records.count, 3);
        const struct log_record *records = batch->telemetry.records.items;
        assert_str(records[0].line, "bo did it on web1");
        assert_str(try_time(records[0].time_ns), "2026-01-01T00:00:00.500Z");
        assert_str(try_time(records[1].time_ns), "2026-01-01T00:00:01.000Z");
        assert_int_equal(records[2].time_ns, INT64_C(1767225600123456789));
        assert_int_equal(records[0].severity, SEVERITY_ERROR);
        assert_str(try_label(batch, 0, "service"), "shop");
        assert_str(try_label(batch, 0, "host"), "web1");
        assert_str(try_attribute(batch, 0, "id"), "7");
        assert_int_equal(records[0].attributes.count, 1);
}

static void wrong_mappings_and_bodies_say_why(void **state)
{
        (void)state;
        static const char *const mappings[] = {"{\"line\":7}", "{\"records\":\"events\"}", "{\"labels\":{\"a\":\"$.b[x]\"}}", "[]", "{"};
        struct err err;
        for (size_t i = 0; i < countof(mappings); i++) {
                assert_false(webhook_mapping_check(str_of(mappings[i]), &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
        scoped_ptr(batch_destroy) struct batch *batch = try_batch(STR("{\"a\":1}"), STR("{\"records\":\"$.b\"}"));
        assert_false(webhook_decode(batch, &err));
        assert_string_equal(err.message, "the body has nothing at $.b, where the mapping looks for records");
}

/* The built-in mapping of that name, as settings. */
static struct str mapping_of(const char *name, struct buf *out)
{
        char path[128], text[16384];
        struct err err = {0};
        snprintf(path, sizeof path, "mappings/%s.yaml", name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t length = fread(text, 1, sizeof text, file);
        fclose(file);
        scoped_ptr(json_decref) json_t *tree = yaml_parse((struct str){text, length}, path, &err);
        if (!tree || !json_write(tree, out) || !webhook_mapping_check(buf_str(out), &err))
                fail_msg("%s: %s", path, err.message);
        return buf_str(out);
}

static struct batch *by_mapping(const char *name, const char *body)
{
        scoped(buf_done) struct buf settings = {0};
        return try_decode(webhook_decode, str_of(body), mapping_of(name, &settings));
}

static void assert_labels(const struct labels *labels, const char *wanted)
{
        scoped(buf_done) struct buf text = {0};
        labels_print(labels, &text);
        buf_byte(&text, 0);
        assert_string_equal(text.bytes, wanted);
}

static void grafana_alerts_become_findings(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = by_mapping("grafana",
                "{\"receiver\":\"evenkeel\",\"status\":\"firing\",\"orgId\":1,\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"High latency\","
                "\"service\":\"shop\",\"grafana_folder\":\"prod\"},\"annotations\":{\"summary\":\"slow\"},\"startsAt\":\"2026-01-01T00:00:10Z\","
                "\"endsAt\":\"0001-01-01T00:00:00Z\",\"generatorURL\":\"http://g/1\",\"fingerprint\":\"57c6d9296de2ad39\",\"panelURL\":\"\",\"values\":{\"A\":1}},"
                "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"Full\"},\"annotations\":{},\"startsAt\":\"2026-01-01T00:00:10Z\","
                "\"endsAt\":\"2026-01-01T00:05:10Z\"}],\"groupLabels\":{},\"version\":\"1\",\"state\":\"alerting\",\"title\":\"[FIRING:1]\"}");
        assert_int_equal(batch->telemetry.findings.count, 2);
        assert_int_equal(batch->telemetry.records.count, 0);
        const struct finding *findings = batch->telemetry.findings.items;
        assert_labels(&findings[0].labels, "{alertname=\"High latency\", grafana_folder=\"prod\", service=\"shop\"}");
        assert_labels(&findings[0].annotations, "{summary=\"slow\"}");
        assert_true(findings[0].is_firing && findings[0].ends_ns == 0);
        assert_str(findings[0].generator_url, "http://g/1");
        assert_str(try_time(findings[0].starts_ns), "2026-01-01T00:00:10.000Z");
        assert_false(findings[1].is_firing);
        assert_str(try_time(findings[1].ends_ns), "2026-01-01T00:05:10.000Z");
}

static void zabbix_problems_fire_and_recoveries_resolve(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = by_mapping("zabbix",
                "[{\"event\":{\"id\":\"12\",\"name\":\"Free disk space is less than 10%\",\"severity\":\"High\",\"value\":\"1\",\"opdata\":\"Used: 91%\"},"
                "\"trigger\":{\"id\":\"99\",\"url\":\"\"},\"host\":{\"name\":\"db1\"}},"
                "{\"event\":{\"id\":\"12\",\"name\":\"Free disk space is less than 10%\",\"severity\":\"High\",\"value\":\"0\"},"
                "\"trigger\":{\"id\":\"99\"},\"host\":{\"name\":\"db1\"}}]");
        assert_int_equal(batch->telemetry.findings.count, 2);
        const struct finding *findings = batch->telemetry.findings.items;
        assert_labels(&findings[0].labels, "{alertname=\"Free disk space is less than 10%\", host=\"db1\", severity=\"High\", trigger=\"99\"}");
        assert_true(findings[0].is_firing);
        assert_false(findings[1].is_firing);
        assert_true(labels_equal(&findings[0].labels, &findings[1].labels));
}

static void icinga_notifications_and_hard_states_count_soft_ones_do_not(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = by_mapping("icinga",
                "[{\"type\":\"Notification\",\"host\":\"web1\",\"service\":\"http\",\"notification_type\":\"PROBLEM\",\"text\":\"\",\"timestamp\":1767225610.25,"
                "\"check_result\":{\"output\":\"HTTP CRITICAL: timeout\"}},"
                "{\"type\":\"StateChange\",\"host\":\"web1\",\"service\":\"http\",\"state\":2.0,\"state_type\":0.0,\"check_result\":{\"output\":\"x\"}},"
                "{\"type\":\"StateChange\",\"host\":\"web1\",\"state\":0.0,\"state_type\":1.0,\"check_result\":{\"output\":\"PING OK\"}}]");
        assert_int_equal(batch->telemetry.findings.count, 2);
        const struct finding *findings = batch->telemetry.findings.items;
        assert_labels(&findings[0].labels, "{alertname=\"http\", host=\"web1\", service=\"http\"}");
        assert_labels(&findings[0].annotations, "{summary=\"HTTP CRITICAL: timeout\"}");
        assert_true(findings[0].is_firing);
        assert_labels(&findings[1].labels, "{alertname=\"hostalive\", host=\"web1\"}");
        assert_false(findings[1].is_firing);
}

static void deployments_and_pushes_are_changes(void **state)
{
        (void)state;
        static const struct { const char *mapping, *body, *kind, *title, *by, *labels; } sent[] = {
                {"github", "{\"action\":\"created\",\"deployment_status\":{\"state\":\"success\",\"created_at\":\"2026-01-01T00:00:00Z\",\"target_url\":\"\"},"
                 "\"deployment\":{\"sha\":\"abc\",\"environment\":\"prod\",\"creator\":{\"login\":\"mona\"}},"
                 "\"repository\":{\"name\":\"shop\",\"full_name\":\"org/shop\",\"html_url\":\"https://h/org/shop\"},\"sender\":{\"login\":\"bot\"}}",
                 "deployment", "deployment of org/shop to prod: success", "mona", "{environment=\"prod\", repository=\"org/shop\", service=\"shop\"}"},
                {"github", "{\"ref\":\"refs/heads/main\",\"after\":\"def\",\"compare\":\"https://c\",\"head_commit\":{\"id\":\"def\",\"message\":\"raise limit\","
                 "\"timestamp\":\"2026-01-01T01:00:00+01:00\"},\"pusher\":{\"name\":\"mona\"},\"repository\":{\"name\":\"shop\",\"full_name\":\"org/shop\"}}",
                 "commit", "push to org/shop, refs/heads/main: raise limit", "mona", "{repository=\"org/shop\", service=\"shop\"}"},
                {"gitlab", "{\"object_kind\":\"deployment\",\"status\":\"success\",\"status_changed_at\":\"2026-01-01 00:00:00 +0000\",\"environment\":\"prod\","
                 "\"project\":{\"name\":\"shop\",\"path_with_namespace\":\"org/shop\"},\"short_sha\":\"279484c0\",\"user\":{\"username\":\"ada\"},\"commit_url\":\"https://x\"}",
                 "deployment", "deployment of org/shop to prod: success", "ada", "{environment=\"prod\", repository=\"org/shop\", service=\"shop\"}"},
                {"changes", "{\"title\":\"nginx reloaded\",\"kind\":\"configuration\",\"by\":\"ada\",\"labels\":{\"host\":\"web1\"},\"time\":\"2026-01-01T00:00:00Z\"}",
                 "configuration", "nginx reloaded", "ada", "{host=\"web1\"}"},
        };
        for (size_t i = 0; i < countof(sent); i++) {
                scoped_ptr(batch_destroy) struct batch *batch = by_mapping(sent[i].mapping, sent[i].body);
                assert_int_equal(batch->telemetry.changes.count, 1);
                const struct change_event *change = batch->telemetry.changes.items;
                assert_str(change->kind, sent[i].kind);
                assert_str(change->title, sent[i].title);
                assert_str(change->by, sent[i].by);
                assert_labels(&change->labels, sent[i].labels);
                assert_str(try_time(change->time_ns ? change->time_ns : INT64_C(1767225600) * NS_PER_S), "2026-01-01T00:00:00.000Z");
        }
        scoped_ptr(batch_destroy) struct batch *nothing = by_mapping("github", "{\"zen\":\"ping\"}");
        assert_int_equal(nothing->telemetry.changes.count + nothing->telemetry.records.count, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_mapping_the_object_is_the_line),
                cmocka_unit_test(a_mapping_picks_and_writes),
                cmocka_unit_test(wrong_mappings_and_bodies_say_why),
                cmocka_unit_test(grafana_alerts_become_findings),
                cmocka_unit_test(zabbix_problems_fire_and_recoveries_resolve),
                cmocka_unit_test(icinga_notifications_and_hard_states_count_soft_ones_do_not),
                cmocka_unit_test(deployments_and_pushes_are_changes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
