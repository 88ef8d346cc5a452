/* policy_test - declared teams, routes and schedules are read whole or refused with the place; routes and rotations decide as told. */
#include "engage/policy.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "engage/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static json_t *content(const char *yaml)
{
        struct err err = {0};
        json_t *tree = yaml_parse(str_of(yaml), "teams.yaml", &err);
        if (!tree)
                fail_msg("%s", err.message);
        return json_pack("{s:[{s:s, s:o}]}", "files", "name", "teams.yaml", "tree", tree);
}

static struct policy *policy(const char *yaml)
{
        struct err err = {0};
        struct policy *made = NULL;
        scoped_ptr(json_decref) json_t *json = content(yaml);
        if (!policy_create(json, &made, &err))
                fail_msg("%s", err.message);
        return made;
}

#define TEAMS                                                                                                          \
        "receivers:\n  - name: hook\n    webhook: { url: \"http://127.0.0.1:1/\" }\n"                                  \
        "people:\n  - { name: ann, contacts: [ hook ] }\n  - { name: bob, contacts: [ { receiver: hook, to: b } ] }\n" \
        "teams:\n  - { name: web, receivers: [ hook ], on_call: web }\n  - { name: db, receivers: [ hook ] }\n"        \
        "on_call:\n  - name: web\n    time_zone: CET-1CEST,M3.5.0,M10.5.0/3\n"                                         \
        "    rotations: [ { people: [ ann, bob ], starts: \"2026-01-05T09:00\", every: 1w } ]\n"

static void the_deepest_route_that_fits_is_taken_and_has_what_those_above_say(void **state)
{
        (void)state;
        struct policy *made = policy(TEAMS "routes:\n"
                                     "  - match: [ 'service=~\"web|api\"' ]\n    team: web\n    group_wait: 30s\n    routes:\n"
                                     "      - { match: [ severity=info ], page: never }\n      - { match: [ part=db ], team: db, continue: true }\n"
                                     "      - { match: [ part=db, urgent=yes ], page: always }\n");
        const struct routing *routes[ROUTED_MAX];
        struct label info[] = {{STR("service"), STR("web")}, {STR("severity"), STR("info")}};
        struct label both[] = {{STR("part"), STR("db")}, {STR("service"), STR("api")}, {STR("urgent"), STR("yes")}};
        struct label other[] = {{STR("service"), STR("mail")}};
        assert_int_equal(policy_route(made, &(struct labels){info, 2, 2}, routes), 1);
        assert_true(str_is(routes[0]->team, "web"));
        assert_int_equal(routes[0]->page, PAGE_NEVER);
        assert_int_equal(routes[0]->group_wait_ns, 30 * NS_PER_S);
        assert_int_equal(policy_route(made, &(struct labels){both, 3, 3}, routes), 2);
        assert_true(str_is(routes[0]->team, "db"));
        assert_int_equal(routes[1]->page, PAGE_ALWAYS);
        assert_int_equal(policy_route(made, &(struct labels){other, 1, 1}, routes), 1);
        assert_int_equal(routes[0]->team.length, 0);
        policy_destroy(made);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
        (void)state;
        static const struct { const char *yaml, *word; } wrong[] = {
                {"teams: [ { name: a, receivers: [ nowhere ] } ]", "nowhere"},
                {"teams: [ { name: a, colour: red } ]", "colour"},
                {"teams: [ { name: a }, { name: a } ]", "two teams"},
                {"routes: [ { match: [ 'a~b' ] } ]", "condition 1"},
                {"routes: [ { team: nobody } ]", "nobody"},
                {"receivers: [ { name: r } ]", "webhook"},
                {"receivers: [ { name: r, webhook: { url: \"ftp://x\" } } ]", "url"},
                {"receivers: [ { name: r, webhook: { url: \"http://x\", bearer: clear } } ]", "secret:NAME"},
                {"receivers: [ { name: r, email: { server: m, from: \"a@b\", security: none } } ]", "starttls"},
                {"on_call: [ { name: o, time_zone: Mars, rotations: [ { people: [ a ] } ] } ]", "Mars"},
                {"on_call: [ { name: o, rotations: [ { people: [ a ] } ] } ]", "person"},
                {"escalations: [ { name: e, levels: [ { after: 5m, tell: [ on_call ] }, { after: 5m, tell: [ team ] } ] } ]", "grow"},
                {"escalations: [ { name: e, levels: [ { tell: [ everybody ] } ] } ]", "everybody"},
                {"inhibitions: [ { source: [ a=b ] } ]", "target"},
                {"maintenance: [ { name: m, match: [ a=b ], from: \"2026-01-02T00:00\", to: \"2026-01-01T00:00\" } ]", "after"},
        };
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                struct policy *made = NULL;
                scoped_ptr(json_decref) json_t *json = content(wrong[i].yaml);
                assert_false(policy_create(json, &made, &err));
                assert_non_null(strstr(err.message, wrong[i].word));
                if (!strstr(err.message, "nowhere") && !strstr(err.message, "nobody") && !strstr(err.message, "person") && !strstr(err.message, "everybody"))
                        assert_non_null(strstr(err.message, "teams.yaml"));
        }
}

static int64_t at(int64_t year, unsigned month, unsigned day, int hour)
{
        return (clock_days_of_date(year, month, day) * 86400 + hour * 3600) * NS_PER_S;
}

static void handover_is_at_nine_by_the_local_clock_in_winter_and_summer(void **state)
{
        (void)state;
        struct policy *made = policy(TEAMS);
        const struct rota *rota = policy_rota(made, STR("web"));
        int64_t next_ns;
        assert_true(str_is(rota_at(rota, NULL, at(2026, 1, 5, 8)), "ann"));     /* 09:00 CET */
        assert_true(str_is(rota_at(rota, NULL, at(2026, 1, 5, 8) - 1), "bob")); /* the week before */
        assert_true(rota_next(rota, NULL, at(2026, 1, 5, 8), at(2026, 2, 1, 0), &next_ns));
        assert_int_equal(next_ns, at(2026, 1, 12, 8));
        assert_true(rota_next(rota, NULL, at(2026, 7, 1, 0), at(2026, 8, 1, 0), &next_ns));
        assert_int_equal(next_ns, at(2026, 7, 6, 7)); /* 09:00 CEST */
        struct rota_override cover = {STR("web"), STR("bob"), at(2026, 1, 6, 0), at(2026, 1, 7, 0)};
        struct rota_overrides covers = {&cover, 1};
        assert_true(str_is(rota_at(rota, &covers, at(2026, 1, 6, 12)), "bob"));
        assert_true(str_is(rota_at(rota, &covers, at(2026, 1, 7, 0)), "ann"));
        policy_destroy(made);
}

static void a_gap_is_found_where_office_hours_end(void **state)
{
        (void)state;
        struct policy *made = policy("people: [ { name: ann } ]\non_call:\n  - name: day\n    rotations:\n"
                                     "      - { people: [ ann ], hours: [ { days: [ mon, tue, wed, thu, fri ], from: \"09:00\", to: \"17:00\" } ] }\n"
                                     "      - { people: [ ann ], hours: [ { days: [ fri ], from: \"22:00\", to: \"06:00\" } ] }\n");
        const struct rota *rota = policy_rota(made, STR("day"));
        int64_t from_ns, to_ns;
        assert_true(rota_gap(rota, NULL, at(2026, 1, 5, 10), at(2026, 1, 12, 0), &from_ns, &to_ns)); /* a Monday */
        assert_int_equal(from_ns, at(2026, 1, 5, 17));
        assert_int_equal(to_ns, at(2026, 1, 6, 9));
        assert_true(str_is(rota_at(rota, NULL, at(2026, 1, 10, 5)), "ann")); /* Saturday, still Friday's night */
        assert_int_equal(rota_at(rota, NULL, at(2026, 1, 10, 6)).length, 0);
        policy_destroy(made);
        made = policy(TEAMS);
        assert_false(rota_gap(policy_rota(made, STR("web")), NULL, at(2026, 1, 5, 10), at(2026, 2, 12, 0), &from_ns, &to_ns));
        policy_destroy(made);
}

static void a_silence_matches_while_it_lasts_and_not_after(void **state)
{
        (void)state;
        struct err err = {0};
        struct silences *silences = NULL;
        const struct silence *made = NULL;
        struct label items[] = {{STR("alertname"), STR("DiskFull")}, {STR("host"), STR("web1")}};
        struct labels labels = {items, 2, 2};
        assert_true(silences_create(&silences, &err));
        scoped_ptr(json_decref) json_t *matchers = json_pack("[{s:s, s:s, s:b}]", "name", "host", "value", "web.*", "isRegex", 1);
        scoped_ptr(json_decref) json_t *anything = json_pack("[{s:s, s:s, s:b}]", "name", "host", "value", ".*", "isRegex", 1);
        struct silence_wish wish = {.matchers = matchers, .by = STR("ann"), .comment = STR("disk is being swapped"), .starts_ns = 100, .ends_ns = 200};
        assert_true(silences_set(silences, &wish, 1 << 20, 100, &made, &err));
        assert_int_equal(strlen(made->id), 36);
        assert_null(silences_match(silences, &labels, 99));
        assert_ptr_equal(silences_match(silences, &labels, 100), made);
        assert_null(silences_match(silences, &labels, 200));
        assert_true(silences_turn(silences, 99, 100));
        assert_false(silences_turn(silences, 100, 199));
        assert_true(silences_expire(silences, str_of(made->id), 150, &err));
        assert_null(silences_match(silences, &labels, 150));
        assert_false(silences_expire(silences, STR("nothing"), 150, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        wish.matchers = anything;
        assert_false(silences_set(silences, &wish, 2 << 20, 100, &made, &err));
        wish.matchers = matchers;
        wish.ends_ns = 100;
        assert_false(silences_set(silences, &wish, 2 << 20, 100, &made, &err));
        silences_destroy(silences);
}

static void matchers_are_read_as_people_write_them(void **state)
{
        (void)state;
        struct err err = {0};
        scoped(arena_done) struct arena arena;
        scoped(buf_done) struct buf text = {0};
        struct matchers matchers = {0};
        arena_init(&arena, 0);
        assert_true(matcher_text_read(STR(" { severity = \"critical\" , host!~web.* ,path=\"a\\\\b\\\"c\",} "), &arena, &matchers, &err));
        assert_int_equal(matchers.count, 3);
        assert_true(str_is(matchers.items[2].value, "a\\b\"c"));
        assert_true(matcher_text_write(&matchers, &text));
        assert_true(str_equal(buf_str(&text), STR("severity=\"critical\", host!~\"web.*\", path=\"a\\\\b\\\"c\"")));
        matchers_done(&matchers);
        static const char *const wrong[] = {"severity", "a=\"b", "{a=b", "a=b c=d\"", "=b", "a=~\"(\""};
        for (size_t i = 0; i < countof(wrong); i++) {
                struct matchers none = {0};
                if (matcher_text_read(str_of(wrong[i]), &arena, &none, &err))
                        fail_msg("%s was taken", wrong[i]);
                matchers_done(&none);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_deepest_route_that_fits_is_taken_and_has_what_those_above_say),
                cmocka_unit_test(what_is_wrong_is_said_with_its_place),
                cmocka_unit_test(handover_is_at_nine_by_the_local_clock_in_winter_and_summer),
                cmocka_unit_test(a_gap_is_found_where_office_hours_end),
                cmocka_unit_test(a_silence_matches_while_it_lasts_and_not_after),
                cmocka_unit_test(matchers_are_read_as_people_write_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
