/* otlp_test - both encodings mean the same: JSON goes through the protobuf decoder. Names follow the specification. */
#include "wire/otlp.h"

#include "wire/decode_try.h"
#include "wire/metric_name.h"
#include "wire/otlp_json.h"
#include "wire/otlp_response.h"
#include "wire/protobuf.h"

#include <math.h>

#define RESOURCE                                                                                                       \
        "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"               \
        "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"eu\"}},"                                          \
        "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"web1\"}},"                                                \
        "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i1\"}},"                                        \
        "{\"key\":\"k8s.pod\",\"value\":{\"stringValue\":\"p\"}}]}"

static void logs_in_json(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                otlp_logs_json_decode,
                STR("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                    "{\"timeUnixNano\":\"1767225600000000001\",\"severityNumber\":17,\"body\":{\"stringValue\":\"exact  \\\"text\\\"\"},"
                    "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\","
                    "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"-5\"}},{\"key\":\"b\",\"value\":{\"bytesValue\":\"aGk=\"}}]},"
                    "{\"observedTimeUnixNano\":5,\"severityText\":\"WARN\",\"body\":{\"kvlistValue\":{\"values\":["
                    "{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"boolValue\":true},{\"doubleValue\":0.5},{}]}}}]}}}"
                    "]}]," RESOURCE "}]}"), STR(""));
        assert_int_equal(batch->telemetry.records.count, 2);
        const struct log_record *records = batch->telemetry.records.items;
        assert_str(records[0].line, "exact  \"text\"");
        assert_int_equal(records[0].time_ns, INT64_C(1767225600000000001));
        assert_int_equal(records[0].severity, SEVERITY_ERROR);
        assert_str(try_label(batch, 0, "service"), "shop");
        assert_str(try_label(batch, 0, "host"), "web1");
        assert_str(try_label(batch, 0, "instance"), "i1");
        assert_str(try_label(batch, 0, "source"), "otlp");
        assert_str(try_attribute(batch, 0, "trace_id"), "5b8efff798038103d269b633813fc60c");
        assert_str(try_attribute(batch, 0, "span_id"), "eee19b7ec3c1b174");
        assert_str(try_attribute(batch, 0, "n"), "-5");
        assert_str(try_attribute(batch, 0, "b"), "aGk=");
        assert_str(try_attribute(batch, 0, "k8s.pod"), "p");
        assert_str(records[1].line, "{\"a\":[true,0.5,null]}");
        assert_int_equal(records[1].severity, SEVERITY_WARN);
        assert_int_equal(records[1].time_ns, 5);
}

/* The value of the series printed so; fails the test when there is none. */
static double value_of(const struct batch *batch, const char *series)
{
        each (points, &batch->telemetry.series) {
                scoped(buf_done) struct buf text = {0};
                labels_print(&points->labels, &text);
                if (str_is(buf_str(&text), series))
                        return points->samples[0].value;
        }
        fail_msg("no series %s", series);
        return 0;
}

#define TARGET "host=\"peer\", instance=\"i1\", job=\"eu/shop\""
#define POINT "\"timeUnixNano\":\"1767225600000000000\""

static void metrics_in_json(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                otlp_metrics_json_decode,
                STR("{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{\"metrics\":["
                    "{\"name\":\"http.server.duration\",\"unit\":\"ms\",\"description\":\"d\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT
                    ",\"count\":\"6\",\"sum\":12.5,\"bucketCounts\":[\"1\",\"2\",\"3\"],\"explicitBounds\":[0.5,10],\"attributes\":[{\"key\":\"http.method\",\"value\":{\"stringValue\":\"GET\"}}]}]}},"
                    "{\"name\":\"jobs\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":[{" POINT ",\"asInt\":\"7\"}]}},"
                    "{\"name\":\"queue\",\"unit\":\"{jobs}\",\"sum\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT ",\"asInt\":-2}]}},"
                    "{\"name\":\"load\",\"unit\":\"1\",\"gauge\":{\"dataPoints\":[{" POINT ",\"asDouble\":0.5},{" POINT ",\"flags\":1,\"attributes\":[{\"key\":\"a.b\",\"value\":{\"intValue\":1}},{\"key\":\"a_b\",\"value\":{\"intValue\":2}}]}]}},"
                    "{\"name\":\"rpc\",\"summary\":{\"dataPoints\":[{" POINT ",\"count\":2,\"sum\":3,\"quantileValues\":[{\"quantile\":0.99,\"value\":2.5}]}]}},"
                    "{\"name\":\"delta\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,\"dataPoints\":[{" POINT ",\"asInt\":7},{" POINT ",\"asInt\":8}]}},"
                    "{\"name\":\"exp\",\"exponentialHistogram\":{\"dataPoints\":[{}]}}"
                    "]}]}]}"), STR(""));
#define HISTOGRAM "{host=\"peer\", http_method=\"GET\", instance=\"i1\", job=\"eu/shop\""
        assert_true(value_of(batch, "http_server_duration_milliseconds_bucket" HISTOGRAM ", le=\"0.5\"}") == 1);
        assert_true(value_of(batch, "http_server_duration_milliseconds_bucket" HISTOGRAM ", le=\"10\"}") == 3);
        assert_true(value_of(batch, "http_server_duration_milliseconds_bucket" HISTOGRAM ", le=\"+Inf\"}") == 6);
        assert_true(value_of(batch, "http_server_duration_milliseconds_sum" HISTOGRAM "}") == 12.5);
        assert_int_equal(batch->telemetry.rejected, 3);
        assert_memory_equal(batch->telemetry.rejected_why.bytes, "delta: delta temporality is not kept", 36);
        assert_true(value_of(batch, "jobs_total{" TARGET "}") == 7);
        assert_true(value_of(batch, "queue{" TARGET "}") == -2);
        assert_true(value_of(batch, "load_ratio{" TARGET "}") == 0.5);
        uint64_t stale;
        double value = value_of(batch, "load_ratio{a_b=\"1;2\", " TARGET "}");
        memcpy(&stale, &value, 8);
        assert_true(stale == STALE_NAN_BITS);
        assert_true(value_of(batch, "rpc{" TARGET ", quantile=\"0.99\"}") == 2.5);
        assert_true(value_of(batch, "rpc_count{" TARGET "}") == 2);
        assert_true(value_of(batch, "target_info{host=\"peer\", host_name=\"web1\", instance=\"i1\", job=\"eu/shop\", k8s_pod=\"p\"}") == 1);
        assert_int_equal(batch->telemetry.metas.count, 5);
        assert_str(batch->telemetry.metas.items[0].unit, "milliseconds");
}

static void names_follow_the_specification(void **state)
{
        (void)state;
        static const struct {
                const char *name, *unit;
                enum metric_type type;
                const char *wanted;
        } cases[] = {
                {"system.disk.io", "By", METRIC_COUNTER, "system_disk_io_bytes_total"},
                {"a_total_b", "", METRIC_COUNTER, "a_b_total"},
                {"net", "By/s", METRIC_GAUGE, "net_bytes_per_second"},
                {"x.bytes", "By", METRIC_GAUGE, "x_bytes"},
                {"cpu.utilization", "1", METRIC_GAUGE, "cpu_utilization_ratio"},
                {"n", "1", METRIC_COUNTER, "n_total"},
                {"5xx rate", "{req}/s", METRIC_GAUGE, "_5xx_rate"},
                {"__a--b__", "foo^2", METRIC_GAUGE, "a_b_foo_2"},
        };
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        for (size_t i = 0; i < countof(cases); i++)
                assert_str(metric_name(&arena, str_of(cases[i].name), str_of(cases[i].unit), cases[i].type), cases[i].wanted);
        assert_str(metric_label_name(&arena, STR("host.name")), "host_name");
        assert_str(metric_label_name(&arena, STR("1st")), "key_1st");
}

static void damaged_requests_are_refused(void **state)
{
        (void)state;
        struct err err;
        static const char *const cases[] = {"{", "[]", "{\"resourceLogs\":[7]}", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"x\"}]}]}]}"};
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(batch_destroy) struct batch *batch = try_batch(str_of(cases[i]), STR(""));
                assert_false(otlp_logs_json_decode(batch, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
        scoped_ptr(batch_destroy) struct batch *text = try_batch(STR("hello, this is no protobuf"), STR(""));
        assert_false(otlp_logs_decode(text, &err));
        scoped_ptr(batch_destroy) struct batch *same = try_batch(STR("hello, this is no protobuf"), STR(""));
        assert_false(otlp_metrics_decode(same, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

static void answers_say_what_was_rejected(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        assert_true(otlp_response(OTLP_LOGS, OTLP_PROTOBUF, 0, STR(""), &out));
        assert_int_equal(out.length, 0);
        assert_true(otlp_response(OTLP_METRICS, OTLP_JSON, 3, STR("a \"b\""), &out));
        assert_str(buf_str(&out), "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"a \\\"b\\\"\"}}");
        buf_clear(&out);
        assert_true(otlp_response(OTLP_LOGS, OTLP_PROTOBUF, 300, STR("why"), &out));
        assert_str(buf_str(&out), "\x0A\x08\x08\xAC\x02\x12\x03why");
        buf_clear(&out);
        struct err err = {.code = ERR_BUSY, .source = "test", .message = "full"};
        assert_true(otlp_error(&err, OTLP_JSON, &out));
        assert_str(buf_str(&out), "{\"code\":14,\"message\":\"full\"}");
        buf_clear(&out);
        assert_true(otlp_error(&err, OTLP_PROTOBUF, &out));
        assert_str(buf_str(&out), "\x08\x0E\x12\x04" "full");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(logs_in_json),
                cmocka_unit_test(metrics_in_json),
                cmocka_unit_test(names_follow_the_specification),
                cmocka_unit_test(damaged_requests_are_refused),
                cmocka_unit_test(answers_say_what_was_rejected),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
