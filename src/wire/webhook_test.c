/* webhook_test - JSON of any shape becomes records by its mapping. */
#include "wire/webhook.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_mapping_the_object_is_the_line),
                cmocka_unit_test(a_mapping_picks_and_writes),
                cmocka_unit_test(wrong_mappings_and_bodies_say_why),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
