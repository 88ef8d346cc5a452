/* logql_test - queries become matchers and filters, and what is wrong is told with its place. */
#include "query/logql.h"

#include "base/scope.h"
#include "store/line_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, 0);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_done(&arena);
        return 0;
}

static void a_selector_with_filters_is_understood(void **state)
{
        (void)state;
        struct err err;
        struct log_select select = {.limit = 7};
        if (!logql_parse(STR(" {host=\"web1\", service=~`nginx|php`,\n severity!=\"debug\",unit!~\"x.*\"} |= \"time\\tout\" "
                             "# a note\n != `a\\b` |~ \"5\\\\d\\\\d\" !~\"health\""),
                         &arena, &select, &err))
                fail_msg("%s", err.message);
        assert_int_equal(select.matchers.count, 4);
        assert_int_equal(select.filters.count, 4);
        assert_int_equal(select.limit, 7);
        static const enum match_op ops[] = {MATCH_EQUAL, MATCH_REGEX, MATCH_NOT_EQUAL, MATCH_NOT_REGEX};
        static const char *const values[] = {"web1", "nginx|php", "debug", "x.*"}, *const names[] = {"host", "service", "severity", "unit"};
        static const char *const texts[] = {"time\tout", "a\\b", "5\\d\\d", "health"};
        for (int i = 0; i < 4; i++) {
                assert_int_equal(select.matchers.items[i].op, ops[i]);
                assert_true(str_is(select.matchers.items[i].name, names[i]));
                assert_true(str_is(select.matchers.items[i].value, values[i]));
                assert_int_equal(select.filters.items[i].op, i == 0   ? LINE_CONTAINS
                                                             : i == 1 ? LINE_NOT_CONTAINS
                                                             : i == 2 ? LINE_MATCHES
                                                                      : LINE_NOT_MATCHES);
                assert_true(str_is(select.filters.items[i].text, texts[i]));
                assert_int_equal(select.filters.items[i].regex != NULL, i >= 2);
        }
        bool hold;
        assert_true(line_filters_hold(select.filters.items, 4, STR("time\tout 503"), &hold, &err) && hold);
        assert_true(line_filters_hold(select.filters.items, 4, STR("time\tout 503 health"), &hold, &err) && !hold);
        logql_done(&select);
}

static void bare_words_are_searched_as_typed(void **state)
{
        (void)state;
        struct err err;
        static const struct { const char *text, *needle; } cases[] = {
                {"connection reset", "connection reset"}, {"  spaced out \n", "spaced out"}, {"rate", "rate"},
                {"rate(5)", "rate(5)"}, {"\"quoted\"", "\"quoted\""}, {"a {b}", "a {b}"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct log_select select = {0};
                assert_true(logql_parse(str_of(cases[i].text), &arena, &select, &err));
                assert_int_equal(select.matchers.count, 0);
                assert_int_equal(select.filters.count, 1);
                assert_int_equal(select.filters.items[0].op, LINE_CONTAINS);
                assert_true(str_is(select.filters.items[0].text, cases[i].needle));
                logql_done(&select);
        }
        static const char *const all[] = {"", "  ", "{}", " { } ", "{} # all"};
        for (size_t i = 0; i < countof(all); i++) {
                struct log_select select = {0};
                assert_true(logql_parse(str_of(all[i]), &arena, &select, &err));
                assert_int_equal(select.matchers.count + select.filters.count, 0);
        }
}

static void escapes_are_those_of_go(void **state)
{
        (void)state;
        struct err err;
        struct log_select select = {0};
        assert_true(logql_parse(STR("{} |= \"\\x41\\101\\u00e9\\U0001F600\\n\\\"\\'\\\\\""), &arena, &select, &err));
        assert_true(str_is(select.filters.items[0].text, "AA\xc3\xa9\xf0\x9f\x98\x80\n\"'\\"));
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
        (void)state;
        static const struct { const char *text, *message; } cases[] = {
                {"{", "1:2: a label's name is expected here"},
                {"{host", "1:6: one of = != =~ !~ is expected here"},
                {"{host=", "1:7: a text in \"...\" or `...` is expected here"},
                {"{host=\"a", "1:7: the text that begins here does not end"},
                {"{host=\"a\" service=\"b\"}", "1:11: a comma or } is expected here"},
                {"{host=\"a\"}\n  |= \"\\q\"", "2:7: no such escape; write \\\\ for a backslash, or put the text in `...`"},
                {"{host=\"\xc3\xa9\"} x", "1:12: a line filter (|= != |~ !~) or the end is expected here"},
                {"{} |= \"\\ud800\"", "1:8: no such escape; write \\\\ for a backslash, or put the text in `...`"},
                {"{} |~ \"a(b\"", "1:7: the regular expression \"a(b\" is wrong at character 4"},
                {"{host=~\"a(b\"}", "1:8: the regular expression \"a(b\" is wrong at character 4"},
                {"{} | json", "1:4: of what may follow a | only the line filters |= and |~ are supported"},
                {"{} |> \"a\"", "1:4: the pattern filter |> is not supported"},
                {"{}[5m]", "1:3: a range [...] belongs to a metric query"},
                {"{} |= \"a\" or \"b\"", "1:11: \"or\" between line filters is not supported"},
                {"{} |= ip(\"10.0.0.0/8\")", "1:7: ip(...) is not supported"},
                {"rate({host=\"a\"}[5m])", "1:1: rate(...) is not supported"},
                {"sum by (host) (rate({}[1m]))", "1:1: sum(...) is not supported"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct err err = {0};
                struct log_select select = {0};
                bool good = logql_parse(str_of(cases[i].text), &arena, &select, &err);
                assert_int_equal(good, cases[i].message == NULL);
                if (!good) {
                        assert_int_equal(err.code, ERR_INVALID);
                        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)))
                                fail_msg("%s: %s", cases[i].text, err.message);
                }
        }
}

static void too_much_is_refused(void **state)
{
        (void)state;
        struct err err;
        struct log_select select = {0};
        scoped(buf_done) struct buf query = {0};
        buf_text(&query, "{}");
        for (int i = 0; i < 65; i++)
                buf_text(&query, "|~\"a\"");
        assert_false(logql_parse(buf_str(&query), &arena, &select, &err));
        assert_non_null(strstr(err.message, "more than 64 line filters"));
        while (query.length <= 64 << 10)
                buf_byte(&query, ' ');
        assert_false(logql_parse(buf_str(&query), &arena, &select, &err));
        assert_non_null(strstr(err.message, "65536 at most"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_selector_with_filters_is_understood),
                cmocka_unit_test(bare_words_are_searched_as_typed),
                cmocka_unit_test(escapes_are_those_of_go),
                cmocka_unit_test(what_is_wrong_is_told_with_its_place),
                cmocka_unit_test(too_much_is_refused),
        };
        return cmocka_run_group_tests(tests, begin, end);
}
