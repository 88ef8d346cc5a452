/* syslog_test - any line a device may send keeps its exact bytes, and gives away what it says about itself. */
#include "wire/syslog.h"

#include "wire/decode_try.h"
#include "wire/syslog_frames.h"

static void a_5424_message_says_all(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(
                syslog_decode,
                STR("<165>1 2003-10-11T22:14:15.003Z web1 evntslog 12 ID47 [a@1 iut=\"3\" k=\"x\\\"y\\]\"][b z=\"\"] \xEF\xBB\xBFhello\n"), STR(""));
        assert_int_equal(batch->telemetry.records.count, 1);
        const struct log_record *record = batch->telemetry.records.items;
        assert_str(try_label(batch, 0, "host"), "web1");
        assert_str(try_label(batch, 0, "service"), "evntslog");
        assert_str(try_label(batch, 0, "source"), "syslog");
        assert_str(try_attribute(batch, 0, "a@1.iut"), "3");
        assert_str(try_attribute(batch, 0, "a@1.k"), "x\"y]");
        assert_int_equal(record->attributes.count, 3);
        assert_int_equal(record->severity, SEVERITY_NOTICE);
        assert_str(try_time(record->time_ns), "2003-10-11T22:14:15.003Z");
        assert_int_equal(record->line.length, batch->bytes.length - 1);
}

static const struct {
        const char *line, *host, *service, *time;
} cases[] = {
        {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "mymachine", "su", "2025-10-11T22:14:15.000Z"},
        {"<34>Jan  2 22:14:15 mymachine sshd[123]: hello", "mymachine", "sshd", "2026-01-02T22:14:15.000Z"},
        {"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "10.0.0.99", "", "2026-02-05T17:32:18.000Z"},
        {"<13>Feb  5 17:32:18 su: no host", "peer", "su", "2026-02-05T17:32:18.000Z"},
        {"<13>Feb  5 17:32:18 fe80::1 cron[9]: v6", "fe80::1", "cron", "2026-02-05T17:32:18.000Z"},
        {"<13>2026-01-01T01:02:03.5+02:00 h postfix/smtpd[1]: iso", "h", "postfix/smtpd", "2025-12-31T23:02:03.500Z"},
        {"<189>*Mar  1 18:46:11.012: %LINK-3-UPDOWN: Interface up", "peer", "%LINK-3-UPDOWN", "2026-03-01T18:46:11.012Z"},
        {"<13>1 - - app - - - nil", "peer", "app", ""},
        {"<13>1 2026-01-01T00:00:00Z h - - - - x", "h", "", "2026-01-01T00:00:00.000Z"},
        {"<13>dnsmasq[77]: only a tag", "peer", "dnsmasq", ""},
        {"no header at all", "peer", "", ""},
        {"http://a/b is no tag", "peer", "", ""},
        {"<999>strange", "peer", "", ""},
        {"<13>", "peer", "", ""},
        {"<13>1 not-a-time h a p m - x", "peer", "", ""},
        {"<34>Oct 11 22:14:15 mymachine", "peer", "", "2025-10-11T22:14:15.000Z"},
        {"Jan  1 00:00:00 h app: no priority", "h", "app", "2026-01-01T00:00:00.000Z"},
};

static void no_line_is_refused_and_each_keeps_its_bytes(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(batch_destroy) struct batch *batch = try_decode(syslog_decode, str_of(cases[i].line), STR(""));
                assert_int_equal(batch->telemetry.records.count, 1);
                const struct log_record *record = batch->telemetry.records.items;
                assert_str(record->line, cases[i].line);
                assert_str(try_label(batch, 0, "host"), cases[i].host);
                assert_str(try_label(batch, 0, "service"), cases[i].service);
                assert_str(record->time_ns ? try_time(record->time_ns) : STR(""), cases[i].time);
        }
}

static void many_streams_of_one_batch_are_told_apart(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        for (int i = 0; i < 4000; i++)
                buf_printf(&text, "<14>Jan  1 00:00:0%d host-%d app%d[%d]: m\r\n", i % 10, i % 50, i % 7, i);
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(syslog_decode, buf_str(&text), STR(""));
        assert_int_equal(batch->telemetry.records.count, 4000);
        assert_int_equal(batch->telemetry.streams.count, 350);
        for (size_t i = 0; i < 4000; i++) {
                char host[32], app[32];
                snprintf(host, sizeof host, "host-%zu", i % 50);
                snprintf(app, sizeof app, "app%zu", i % 7);
                assert_str(try_label(batch, i, "host"), host);
                assert_str(try_label(batch, i, "service"), app);
        }
}

static void a_zone_in_the_settings_moves_times_without_one(void **state)
{
        (void)state;
        scoped(buf_done) struct buf settings = {0};
        assert_true(syslog_settings(&settings, -3600, STR("")));
        scoped_ptr(batch_destroy) struct batch *batch =
                try_decode(syslog_decode, STR("<34>Jan  1 22:14:15 h a: b"), buf_str(&settings));
        assert_str(try_time(batch->telemetry.records.items[0].time_ns), "2026-01-01T23:14:15.000Z");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_5424_message_says_all),
                cmocka_unit_test(no_line_is_refused_and_each_keeps_its_bytes),
                cmocka_unit_test(many_streams_of_one_batch_are_told_apart),
                cmocka_unit_test(a_zone_in_the_settings_moves_times_without_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
