/* lines_test - times, severities and traces of the files people really follow. */
#include "wire/lines.h"

#include "wire/decode_try.h"

static const struct {
        const char *line, *time, *severity;
} cases[] = {
        {"2026-01-31T23:59:59.123Z ERROR boom", "2026-01-31T23:59:59.123Z", "error"},
        {"2026-01-31 23:59:59,123 [main] WARN  c.e.App - slow", "2026-01-31T23:59:59.123Z", "warn"},
        {"[2026-01-31 23:59:59] production.INFO: x", "2026-01-31T23:59:59.000Z", "info"},
        {"Jan  5 10:00:00 host app[1]: fine", "2026-01-05T10:00:00.000Z", "unknown"},
        {"[10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200", "2000-10-10T20:55:36.000Z", "unknown"},
        {"1767225600.25 level=warn msg=x", "2026-01-01T00:00:00.250Z", "warn"},
        {"1767225600123 INFO x", "2026-01-01T00:00:00.123Z", "info"},
        {"{\"ts\":1,\"level\":\"error\",\"msg\":\"x\"}", "", "error"},
        {"E0131 23:59:59.123456 1 main.go:1] x", "", "error"},
        {"[error] 12#12: *1 open() failed", "", "error"},
        {"error: no such thing", "", "error"},
        {"there was no error found", "", "unknown"},
        {"2026-13-31T23:59:59Z no such month", "", "unknown"},
};

static void times_and_severities_are_recognised(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(batch_destroy) struct batch *batch = try_decode(lines_decode, str_of(cases[i].line), STR("{\"service\":\"s\"}"));
                assert_int_equal(batch->telemetry.records.count, 1);
                const struct log_record *record = batch->telemetry.records.items;
                assert_str(record->line, cases[i].line);
                assert_str(record->time_ns ? try_time(record->time_ns) : STR(""), cases[i].time);
                assert_str(str_of(severity_name(record->severity)), cases[i].severity);
                assert_str(try_label(batch, 0, "service"), "s");
                assert_str(try_label(batch, 0, "source"), "file");
        }
}

#define JAVA                                                                                                           \
        "2026-01-01 00:00:01 ERROR failed\njava.lang.IllegalStateException: why\n\tat a.B.c(B.java:1)\n"               \
        "Caused by: java.io.IOException: x\n\t... 3 more\n"
#define PYTHON                                                                                                         \
        "2026-01-01 00:00:02 ERROR oops\nTraceback (most recent call last):\n  File \"a.py\", line 1\n    f()\n"      \
        "ValueError: bad\n\nDuring handling of the above exception, another exception occurred:\n\n"                  \
        "Traceback (most recent call last):\n  File \"b.py\", line 2\nKeyError: 'x'\n"
#define GO                                                                                                             \
        "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:5 +0x1d\n"      \
        "exit status 2\n"
#define PLAIN "2026-01-01 00:00:03 INFO next\n"

static void traces_are_joined_with_their_line(void **state)
{
        (void)state;
        struct str text = STR(PLAIN JAVA PLAIN PYTHON GO PLAIN);
        static const char *const expected[] = {PLAIN, JAVA, PLAIN, PYTHON, GO, PLAIN};
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(lines_decode, text, STR(""));
        assert_int_equal(batch->telemetry.records.count, 6);
        for (size_t i = 0; i < 6; i++) {
                struct str line = batch->telemetry.records.items[i].line;
                assert_str(((struct str){line.bytes, line.length + 1}), expected[i]);
        }
        assert_int_equal(batch->telemetry.records.items[4].severity, SEVERITY_FATAL);
        scoped_ptr(batch_destroy) struct batch *single = try_decode(lines_decode, text, STR("{\"multiline\":false}"));
        assert_int_equal(single->telemetry.records.count, 3 + 5 + 9 + 5);
}

static void a_cut_never_tears_a_trace(void **state)
{
        (void)state;
        struct str text = STR(PLAIN JAVA PLAIN PYTHON GO PLAIN);
        for (size_t length = 0; length <= text.length; length++) {
                size_t cut = lines_cut(str_slice(text, 0, length), true);
                assert_true(cut <= length);
                scoped_ptr(batch_destroy) struct batch *head = try_decode(lines_decode, str_slice(text, 0, cut), STR(""));
                scoped_ptr(batch_destroy) struct batch *tail = try_decode(lines_decode, str_slice(text, cut, text.length), STR(""));
                assert_int_equal(head->telemetry.records.count + tail->telemetry.records.count, 6);
        }
        assert_int_equal(lines_cut(STR("a\nb\nc"), false), 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(times_and_severities_are_recognised),
                cmocka_unit_test(traces_are_joined_with_their_line),
                cmocka_unit_test(a_cut_never_tears_a_trace),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
