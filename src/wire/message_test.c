/* message_test - headers that there are, and sentences that only look like one. */
#include "wire/message.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_message(const char *source, const char *line, const char *wanted)
{
        struct str message = message_of_line(str_of(source), str_of(line));
        if (!str_is(message, wanted))
                fail_msg("of \"%s\": \"%.*s\", wanted \"%s\"", line, STR_ARGS(message), wanted);
}

static void the_sentence_begins_behind_the_header(void **state)
{
        (void)state;
        assert_message("syslog", "<34>1 2026-11-22T18:00:00Z web1 nginx 12 ID7 [a b=\"]\"][c] reload done", "reload done");
        assert_message("syslog", "<34>1 2026-11-22T18:00:00Z web1 nginx - - - \xEF\xBB\xBFreload: done", "reload: done");
        assert_message("syslog", "<34>Nov 22 18:00:00 web1 sshd[23]: Failed password: x", "Failed password: x");
        assert_message("syslog", "<34>Nov 22 18:00:00 sshd[23]: Failed", "Failed");
        assert_message("syslog", "<34>2026-11-22T18:00:00+01:00 web1 su: denied", "denied");
        assert_message("syslog", "su: denied", "denied");
        assert_message("syslog", "no header at all", "no header at all");
        assert_message("file", "2026-11-22 18:00:00,123 INFO started", "INFO started");
        assert_message("file", "[2026-11-22T18:00:00.1Z] started", "started");
        assert_message("file", "10.0.0.1 - - started", "10.0.0.1 - - started");
        assert_message("otlp", "2026-11-22 18:00:00 kept", "2026-11-22 18:00:00 kept");
}

static void only_the_first_line_is_a_sentence(void **state)
{
        (void)state;
        assert_message("file", "18:00:00 crashed\n  at main", "crashed");
}

static void the_sentence_lies_within_the_line_whatever_the_bytes(void **state)
{
        (void)state;
        static const char pieces[] = "<1 >[]:\"\\- 0\n";
        char line[40];
        uint64_t random = 1;
        for (int round = 0; round < 100000; round++) {
                size_t length = (random >> 40) % sizeof line;
                for (size_t i = 0; i < length; i++) {
                        random = random * 6364136223846793005U + 1442695040888963407U;
                        line[i] = pieces[(random >> 50) % (sizeof pieces - 1)];
                }
                struct str message = message_of_line(STR("syslog"), (struct str){line, length});
                assert_true(message.length <= length && (!message.length || (message.bytes >= line && message.bytes + message.length <= line + length)));
                message_of_line(STR("file"), (struct str){line, length});
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_sentence_begins_behind_the_header),
                cmocka_unit_test(only_the_first_line_is_a_sentence),
                cmocka_unit_test(the_sentence_lies_within_the_line_whatever_the_bytes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
