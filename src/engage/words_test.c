/* words_test - what people read, as a table: a row for each kind of thing that is said. */
#include "engage/words.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define S INT64_C(1000000000)

static void assert_words(const struct buf *out, const char *wanted)
{
        if (!str_is(buf_str(out), wanted))
                fail_msg("\"%.*s\" instead of \"%s\"", STR_ARGS(buf_str(out)), wanted);
}

static void a_title_says_what_is_wrong_and_where(void **unused)
{
        (void)unused;
        static const struct { const char *alert, *summary, *kind, *name, *title; } rows[] = {
                {"DiskFull", "", "host", "web1", "Disk full on host web1"},
                {"disk_almost_full", "", "filesystem", "web1:/srv", "Disk almost full on filesystem web1:/srv"},
                {"SSLCertExpiry", "", "service", "shop", "SSL cert expiry on service shop"},
                {"HighHTTPErrorRate", "", "service", "shop", "High HTTP error rate on service shop"},
                {"Host is down", "", "host", "web1", "Host is down on host web1"},
                {"InstanceDown", "web1 does not answer", "host", "web1", "web1 does not answer"},
                {"InstanceDown", "WEB1 does not answer.", "host", "web1", "WEB1 does not answer"},
                {"SlowAnswers", "answers take 9.2 s", "service", "shop", "answers take 9.2 s on service shop"},
                {"SlowAnswers", "", "", "", "Slow answers"},
                {"", "", "", "", "Trouble"},
                {"NewTemplate", "shop: cannot reach <*> after <duration>", "service", "shop", "shop: cannot reach \u2026 after \u2026"},
                {"Odd", "seen by chance 3e-09 of the time on web1", "host", "web1", "seen by chance nearly 0 of the time on web1"},
                {"Odd", "web1 uses 1.5e+06 of 2E+6 bytes", "host", "web1", "web1 uses 1500000 of 2000000 bytes"},
                {"Odd", "web1: commit 3e-4f and id 12e+x stay", "host", "web1", "web1: commit 3e-4f and id 12e+x stay"},
                {"Odd", "web1: a < b and <B> stay\n", "host", "web1", "web1: a < b and <B> stay"},
        };
        for (size_t i = 0; i < countof(rows); i++) {
                scoped(buf_done) struct buf out = {0};
                words_headline(str_of(rows[i].alert), str_of(rows[i].summary), str_of(rows[i].kind), str_of(rows[i].name), &out);
                assert_words(&out, rows[i].title);
        }
}

static void the_story_names_an_alert_what_it_said_and_of_what(void **unused)
{
        (void)unused;
        static const struct { const char *alert, *summary, *kind, *name, *text; } rows[] = {
                {"DiskFull", "/data is 91 % full", "host", "db1", "DiskFull: /data is 91 % full on host db1"},
                {"DiskFull", "/data of db1 is 91 % full", "host", "db1", "DiskFull: /data of db1 is 91 % full"},
                {"DiskFull", " ", "host", "db1", "DiskFull on host db1"},
                {"DiskFull", "", "nothing known", "", "DiskFull"},
        };
        for (size_t i = 0; i < countof(rows); i++) {
                scoped(buf_done) struct buf out = {0};
                words_alert(str_of(rows[i].alert), str_of(rows[i].summary), str_of(rows[i].kind), str_of(rows[i].name), &out);
                assert_words(&out, rows[i].text);
        }
        scoped(buf_done) struct buf summary = {0}, out = {0};
        for (int i = 0; i < 400; i++)
                buf_text(&summary, "\u00e4");
        words_alert(STR("Odd"), buf_str(&summary), STR(""), STR(""), &out);
        assert_int_equal(out.length, strlen("Odd: ") + 300);
        assert_true(str_is_utf8(buf_str(&out)));
}

static void a_cause_says_what_happened_where_when_and_why_it_stands_there(void **unused)
{
        (void)unused;
        static const struct { struct cause_words cause; const char *sentence; } rows[] = {
                {{.kind = STR_INIT("host"), .name = STR_INIT("db1"), .alert = STR_INIT("DiskFull"), .alerts = 1, .is_first = true, .rank = 1, .of = 1},
                 "host db1: \u201cDisk full\u201d as the incident began. Suspected, since its trouble came first"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("db1"), .alert = STR_INIT("DiskFull"), .alerts = 3, .parts = 3, .parts_troubled = 2, .suffering = 1,
                  .is_first = true, .rank = 1, .of = 3},
                 "host db1: \u201cDisk full\u201d as the incident began, the first of 3 alerts there; 2 of the 3 things that stand on it are in trouble; 1 thing in "
                 "trouble depends on it. The likeliest of 3, since its trouble came first, trouble travels from it to what depends on it and what is in trouble "
                 "has it in common"},
                {{.kind = STR_INIT("service"), .name = STR_INIT("shop"), .alert = STR_INIT("SlowAnswers"), .alerts = 1, .after_ns = 12 * S, .rank = 2, .of = 3},
                 "service shop: \u201cSlow answers\u201d 12 seconds after the incident began. Number 2 of 3: there are fewer signs of it than of those above"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("n1"), .parts = 2, .parts_troubled = 2, .rank = 1, .of = 2},
                 "host n1 has no alert of its own, but 2 of the 2 things that stand on it are in trouble. The likeliest of 2, since what is in trouble has it in "
                 "common"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("n1"), .parts = 1, .parts_troubled = 1, .rank = 2, .of = 2},
                 "host n1 has no alert of its own, but the one thing that stands on it is in trouble. Number 2 of 2: there are fewer signs of it than of those "
                 "above"},
                {{.kind = STR_INIT("service"), .name = STR_INIT("shop"), .alert = STR_INIT("Down"), .alerts = 1, .is_first = true, .has_change = true,
                  .change = STR_INIT("deploy 17"), .change_before_ns = 240 * S, .rank = 1, .of = 2},
                 "service shop: \u201cDown\u201d as the incident began; it was changed 4 minutes before the incident began: deploy 17. The likeliest of 2, since it "
                 "changed shortly before and its trouble came first"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("db1"), .alert = STR_INIT("UnusualLevel"), .alerts = 1, .after_ns = -30 * S, .rank = 2, .of = 2},
                 "host db1: \u201cUnusual level\u201d 30 seconds before the incident began. Number 2 of 2: there are fewer signs of it than of those above"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("web9"), .rank = 2, .of = 2},
                 "host web9 is named by alerts about something else. Number 2 of 2: there are fewer signs of it than of those above"},
                {{.kind = STR_INIT("host"), .name = STR_INIT("web2"), .has_change = true, .change_before_ns = 90 * S, .rank = 1, .of = 1},
                 "host web2 has no alert of its own; it was changed 90 seconds before the incident began. Suspected, since it changed shortly "
                 "before"},
        };
        for (size_t i = 0; i < countof(rows); i++) {
                scoped(buf_done) struct buf out = {0};
                words_cause(&rows[i].cause, &out);
                assert_words(&out, rows[i].sentence);
        }
}

static void durations_and_plurals_read_as_people_say_them(void **unused)
{
        (void)unused;
        static const struct { int64_t ns; const char *text; } durations[] = {
                {0, "less than a second"}, {S, "1 second"}, {59 * S, "59 seconds"}, {60 * S, "1 minute"}, {90 * S, "90 seconds"}, {600 * S, "10 minutes"},
                {3600 * S, "1 hour"}, {5400 * S, "90 minutes"}, {7 * 3600 * S, "7 hours"}, {86400 * S * 3, "3 days"}};
        static const struct { const char *one, *many; } plurals[] = {{"host", "hosts"}, {"entity", "entities"}, {"gateway", "gateways"}, {"switch", "switches"}, {"bus", "buses"}};
        for (size_t i = 0; i < countof(durations); i++) {
                scoped(buf_done) struct buf out = {0};
                words_duration(durations[i].ns, &out);
                assert_words(&out, durations[i].text);
        }
        for (size_t i = 0; i < countof(plurals); i++) {
                scoped(buf_done) struct buf out = {0};
                words_plural(str_of(plurals[i].one), &out);
                assert_words(&out, plurals[i].many);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_title_says_what_is_wrong_and_where),
                cmocka_unit_test(the_story_names_an_alert_what_it_said_and_of_what),
                cmocka_unit_test(a_cause_says_what_happened_where_when_and_why_it_stands_there),
                cmocka_unit_test(durations_and_plurals_read_as_people_say_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
