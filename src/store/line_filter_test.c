/* line_filter_test - filters hold where they should, end in time, and never promise too much. */
#include "store/line_filter.h"

#include "base/scope.h"

#include <stdlib.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool holds(enum line_filter_op op, struct str text, struct str line)
{
        struct err err;
        bool hold = false;
        struct line_filter filter = {op, text, NULL};
        if (!line_filter_compile(&filter, &err) || !line_filters_hold(&filter, 1, line, &hold, &err))
                fail_msg("%s", err.message);
        line_filter_done(&filter);
        return hold;
}

static void each_operator_does_what_it_says(void **state)
{
        (void)state;
        assert_true(holds(LINE_CONTAINS, STR("time"), STR("a timeout")));
        assert_false(holds(LINE_CONTAINS, STR("Time"), STR("a timeout")));
        assert_true(holds(LINE_CONTAINS, STR(""), STR("")));
        assert_false(holds(LINE_NOT_CONTAINS, STR("time"), STR("a timeout")));
        assert_true(holds(LINE_MATCHES, STR("t.m+e"), STR("a timmmeout")));
        assert_true(holds(LINE_MATCHES, STR("(?i)TIME"), STR("a timeout")));
        assert_false(holds(LINE_MATCHES, STR("^time"), STR("a timeout")));
        assert_true(holds(LINE_NOT_MATCHES, STR("^time"), STR("a timeout")));
        assert_true(holds(LINE_MATCHES, STR("timeout"), STR("\xff\xfe\0timeout\xc3")));
        assert_true(holds(LINE_MATCHES, STR(""), (struct str){0}));
}

static void a_wrong_expression_says_where(void **state)
{
        (void)state;
        struct err err;
        struct line_filter filter = {LINE_MATCHES, STR("a(b"), NULL};
        assert_false(line_filter_compile(&filter, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.message, "\"a(b\" is wrong at character 4"));
}

static void no_expression_hangs(void **state)
{
        (void)state;
        struct err err;
        char line[200];
        memset(line, 'a', sizeof line);
        bool hold;
        struct line_filter filter = {LINE_MATCHES, STR("(a+)+(a+)+(a+)+b"), NULL};
        assert_true(line_filter_compile(&filter, &err));
        if (!line_filters_hold(&filter, 1, (struct str){line, sizeof line}, &hold, &err))
                assert_int_equal(err.code, ERR_REFUSED);
        else
                assert_false(hold); /* PCRE2 may see that no b is there */
        line_filter_done(&filter);
        filter = (struct line_filter){LINE_MATCHES, STR("^(([a-z])+.)+[A-Z]([a-z])+$"), NULL};
        assert_true(line_filter_compile(&filter, &err));
        assert_false(line_filters_hold(&filter, 1, (struct str){line, sizeof line}, &hold, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        line_filter_done(&filter);
}

#define COLLECTED_BYTES 256

static void collect(void *context, struct str fragment)
{
        char *all = context;
        size_t used = strlen(all);
        snprintf(all + used, COLLECTED_BYTES - used, "[%.*s]", STR_ARGS(fragment));
}

static void only_what_every_line_must_hold_is_promised(void **state)
{
        (void)state;
        static const struct {
                enum line_filter_op op;
                const char *text, *fragments;
        } cases[] = {
                {LINE_CONTAINS, "timeout", "[timeout]"},
                {LINE_CONTAINS, "reset by peer", "[reset ][by ][peer]"},
                {LINE_CONTAINS, "port 51022 ssh2", "[port ][ ][ssh]"},
                {LINE_CONTAINS, "dead", ""},
                {LINE_CONTAINS, "a dead b", "[ ][dead ]"},
                {LINE_CONTAINS, "x-dead-x", "[-][-]"}, {LINE_CONTAINS, "at 12:34: done: ", "[at ][: ][done: ]"},
                {LINE_CONTAINS, "req 7f3a9c x", "[req ][ ]"},
                {LINE_CONTAINS, "0x1f: oops", "[: ][oops]"},
                {LINE_NOT_CONTAINS, "timeout", ""},
                {LINE_NOT_MATCHES, "timeout", ""},
                {LINE_MATCHES, "time.*out", "[time][out]"},
                {LINE_MATCHES, "colou?r", "[colo][r]"},
                {LINE_MATCHES, "hosts|users", ""},
                {LINE_MATCHES, "(hosts|users) gone", "[ ][gone]"},
                {LINE_MATCHES, "(?i)hosts", ""},
                {LINE_MATCHES, "no+ way", "[no][ ][way]"},
                {LINE_MATCHES, "\\.conf\\d+ lost", "[.conf][ ][lost]"},
                {LINE_MATCHES, "x\\x41yz", ""},
                {LINE_MATCHES, "hosts{2} [a-z]+ gone", "[host][ ][ ][gone]"},
                {LINE_MATCHES, "port(?=x)", ""},
                {LINE_MATCHES, "[hosts", ""},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                char got[COLLECTED_BYTES] = "";
                struct line_filter filter = {cases[i].op, str_of(cases[i].text), NULL};
                line_filter_fragments(&filter, collect, got);
                assert_string_equal(got, cases[i].fragments);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_operator_does_what_it_says),
                cmocka_unit_test(a_wrong_expression_says_where),
                cmocka_unit_test(no_expression_hangs),
                cmocka_unit_test(only_what_every_line_must_hold_is_promised),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
