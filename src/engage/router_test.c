/* router_test - a word about routing counts at once, and leaves no trace when it is taken back. */
#include "engage/router.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct router *made(void)
{
        struct router *router;
        struct err err = {0};
        assert_true(router_create(&router, &err));
        return router;
}

static void teach(struct router *router, uint64_t id, uint64_t incident, const char *called, const char *about, const char *team)
{
        struct err err = {0};
        struct router_example example = {.id = id, .incident = incident, .time_ns = (int64_t)id, .texts = {str_of(called), STR("X on host"), str_of(about)}, .team = str_of(team)};
        if (!router_learn(router, &example, &err))
                fail_msg("%s", err.message);
}

static void teach_all(struct router *router)
{
        teach(router, 1, 1, "disk of db1 is full", "host db1", "storage");
        teach(router, 2, 2, "disk of db2 is full", "host db2", "storage");
        teach(router, 3, 3, "checkout answers slowly", "service shop", "web");
        teach(router, 4, 4, "shop answers with errors", "service shop", "web");
}

static struct router_answer ask(const struct router *router, const char *called, const char *about)
{
        struct router_answer answer;
        router_answer(router, (struct str[]){str_of(called), STR("X on host"), str_of(about)}, &answer);
        return answer;
}

static void expect_same(const struct router *one, const struct router *other)
{
        scoped(buf_done) struct buf mine = {0}, theirs = {0};
        struct err err = {0};
        assert_true(router_snapshot(one, &mine, &err) && router_snapshot(other, &theirs, &err));
        assert_true(str_equal(buf_str(&mine), buf_str(&theirs)));
}

static void nothing_is_known_at_first(void **state)
{
        (void)state;
        struct router *router = made();
        assert_int_equal(ask(router, "disk is full", "host db1").team.length, 0);
        router_destroy(router);
}

static void a_word_counts_at_once_and_names_the_words_that_spoke(void **state)
{
        (void)state;
        struct router *router = made();
        teach_all(router);
        struct router_answer answer = ask(router, "disk of db7 is full", "host db7");
        assert_true(str_is(answer.team, "storage"));
        assert_int_equal(answer.examples, 2);
        assert_true(answer.word_count > 0 && answer.words[0].weight > 0);
        answer = ask(router, "shop answers slowly", "service shop");
        assert_true(str_is(answer.team, "web"));
        router_destroy(router);
}

static void taken_back_the_model_is_to_the_byte_as_if_it_had_never_been_said(void **state)
{
        (void)state;
        struct router *never = made(), *reverted = made();
        struct err err = {0};
        teach_all(never);
        teach(never, 6, 6, "shop is down", "service shop", "web");
        teach_all(reverted);
        teach(reverted, 5, 5, "disk of web1 is full", "host web1", "web");
        teach(reverted, 6, 6, "shop is down", "service shop", "web");
        assert_true(router_revert(reverted, 5, &err));
        expect_same(never, reverted);
        assert_false(router_revert(reverted, 5, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        router_destroy(never);
        router_destroy(reverted);
}

static void the_last_word_about_an_incident_counts_until_it_is_taken_back(void **state)
{
        (void)state;
        struct router *once = made(), *twice = made();
        struct err err = {0};
        teach_all(once);
        teach_all(twice);
        teach(twice, 5, 1, "disk of db1 is full", "host db1", "web");
        assert_int_equal(ask(twice, "disk of db1 is full", "host db1").examples, str_is(ask(twice, "disk of db1 is full", "host db1").team, "web") ? 3 : 1);
        assert_true(router_revert(twice, 5, &err));
        expect_same(once, twice);
        router_destroy(once);
        router_destroy(twice);
}

static void what_is_loaded_is_what_was_learnt(void **state)
{
        (void)state;
        struct router *live = made(), *loaded = made();
        struct err err = {0};
        const struct router_example *example;
        teach_all(live);
        for (size_t at = 0; (example = router_dirty(live, &at));)
                assert_true(router_restore(loaded, example, &err));
        assert_true(router_rebuild(loaded, &err));
        expect_same(live, loaded);
        assert_true(router_is_dirty(live));
        assert_false(router_is_dirty(loaded));
        router_destroy(live);
        router_destroy(loaded);
}

static void at_the_bound_the_oldest_go(void **state)
{
        (void)state;
        struct router *router = made();
        struct err err = {0};
        for (uint64_t i = 1; i <= ROUTER_EXAMPLES_MAX + 1; i++) {
                char text[40];
                snprintf(text, sizeof text, "w%u", (unsigned)i % 7);
                teach(router, i, i, text, "", i % 2 ? "a" : "b");
                if (i % 200 == 0)
                        router_clean(router);
        }
        router_clean(router);
        assert_false(router_revert(router, 1, &err));
        assert_true(router_revert(router, ROUTER_EXAMPLES_DROPPED + 1, &err));
        router_destroy(router);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_known_at_first),
                cmocka_unit_test(a_word_counts_at_once_and_names_the_words_that_spoke),
                cmocka_unit_test(taken_back_the_model_is_to_the_byte_as_if_it_had_never_been_said),
                cmocka_unit_test(the_last_word_about_an_incident_counts_until_it_is_taken_back),
                cmocka_unit_test(what_is_loaded_is_what_was_learnt),
                cmocka_unit_test(at_the_bound_the_oldest_go),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
