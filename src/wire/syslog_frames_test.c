/* syslog_frames_test - whatever way a connection is framed and cut into reads, the same messages come out. */
#include "wire/syslog_frames.h"

#include "wire/decode_try.h"
#include "wire/syslog.h"

#include <stdlib.h>

/* Feeds text in reads of `step` bytes; the lines of all records, each ended by '|', go to out. */
static void feed(struct str text, size_t step, struct buf *out, uint64_t *out_cut)
{
        struct syslog_frames frames = {0};
        scoped(buf_done) struct buf buffer = {0};
        for (size_t at = 0; at < text.length || buffer.length; at += step) {
                struct str part = str_slice(text, at, at + step);
                bool at_end = at + step >= text.length;
                buf_add(&buffer, part);
                assert_true(syslog_frames_take(&frames, buffer.bytes, buffer.length, at_end, NULL));
                scoped(buf_done) struct buf settings = {0};
                assert_true(syslog_settings(&settings, 0, buf_str(&frames.inner_newlines)));
                scoped_ptr(batch_destroy) struct batch *batch = try_decode(syslog_decode, frames.messages, buf_str(&settings));
                each (record, &batch->telemetry.records) {
                        buf_add(out, record->line);
                        buf_byte(out, '|');
                }
                assert_true(frames.consumed <= buffer.length);
                buf_drop_front(&buffer, frames.consumed);
                if (at_end)
                        assert_int_equal(buffer.length, 0);
        }
        *out_cut = frames.cut;
        syslog_frames_done(&frames);
}

static void framing_is_told_message_by_message(void **state)
{
        (void)state;
        static const struct {
                struct str text;
                const char *messages;
        } cases[] = {
                {STR_INIT("<1>a\n<2>b\r\n\n<3>c"), "<1>a|<2>b|<3>c|"},
                {STR_INIT("4 <1>a5 <2>bb<3>c\n4 <4>d"), "<1>a|<2>bb|<3>c|<4>d|"},
                {STR_INIT("11 <1>a\nb\n\n c\n6 <2>b\r\n"), "<1>a\nb\n\n c|<2>b|"},
                {STR_INIT("<1>a\0<2>b\0"), "<1>a|<2>b|"},
                {STR_INIT("10 green bottles\n2026-01-01 no count\n"), "10 green bottles|2026-01-01 no count|"},
                {STR_INIT("99 <1>cut off"), "<1>cut off|"},
                {STR_INIT("12345678 <1>no count\n"), "12345678 <1>no count|"},
        };
        for (size_t i = 0; i < countof(cases); i++)
                for (size_t step = 1; step <= cases[i].text.length; step++) {
                        scoped(buf_done) struct buf out = {0};
                        uint64_t cut;
                        feed(cases[i].text, step, &out, &cut);
                        assert_str(buf_str(&out), cases[i].messages);
                        assert_int_equal(cut, 0);
                }
}

static void long_messages_are_cut_and_counted_once(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        buf_text(&text, "<1>");
        for (int i = 0; i < 200000; i++)
                buf_byte(&text, 'x');
        buf_text(&text, "\n<2>b\n150000 <3>");
        for (int i = 0; i < 149997; i++)
                buf_byte(&text, 'y');
        buf_text(&text, "<4>d\n");
        for (size_t step = 1000; step < 500000; step *= 3) {
                scoped(buf_done) struct buf out = {0};
                uint64_t cut;
                feed(buf_str(&text), step, &out, &cut);
                assert_int_equal(cut, 2);
                assert_int_equal(out.length, 2 * (SYSLOG_MESSAGE_BYTES_MAX + 1) + 10);
        }
}

static void a_plain_buffer_is_handed_on_without_copying(void **state)
{
        (void)state;
        char text[] = "<1>a line\n<2>another line, longer than sixteen bytes\n<3>begun";
        struct syslog_frames frames = {0};
        assert_true(syslog_frames_take(&frames, text, sizeof text - 1, false, NULL));
        assert_ptr_equal(frames.messages.bytes, text);
        assert_str(frames.messages, "<1>a line\n<2>another line, longer than sixteen bytes\n");
        assert_int_equal(frames.consumed, frames.messages.length);
        syslog_frames_done(&frames);
}

static void a_datagram_is_one_message(void **state)
{
        (void)state;
        struct syslog_frames frames = {0};
        scoped(buf_done) struct buf messages = {0};
        assert_true(syslog_frames_datagram(&frames, STR("<1>a\nb\n"), &messages, NULL));
        assert_true(syslog_frames_datagram(&frames, STR("<2>c\n\nd"), &messages, NULL));
        scoped(buf_done) struct buf settings = {0};
        assert_true(syslog_settings(&settings, 7200, buf_str(&frames.inner_newlines)));
        scoped_ptr(batch_destroy) struct batch *batch = try_decode(syslog_decode, buf_str(&messages), buf_str(&settings));
        assert_int_equal(batch->telemetry.records.count, 2);
        assert_str(batch->telemetry.records.items[0].line, "<1>a\nb");
        assert_str(batch->telemetry.records.items[1].line, "<2>c\n\nd");
        syslog_frames_done(&frames);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(framing_is_told_message_by_message),
                cmocka_unit_test(long_messages_are_cut_and_counted_once),
                cmocka_unit_test(a_plain_buffer_is_handed_on_without_copying),
                cmocka_unit_test(a_datagram_is_one_message),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
