/* replay_test - a past that is told again: with the same configuration nothing differs, with another one exactly what it says. */
#include "loop/replay.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "loop/command.h"
#include "loop/kept.h"
#include "loop/loop.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define ALERTMANAGER 13

/* An hour of a small shop: answers grow slow from minute 10 to 15, and two tools tell of a disk and a queue. */
static const char rules[] = "groups:\n- name: shop\n  interval: 15s\n  rules:\n  - alert: SlowAnswers\n    expr: answer_seconds > %d\n"
                            "    labels: {severity: critical, service: web}\n";
static const char teams[] = "receivers:\n- {name: chat, webhook: {url: \"http://127.0.0.1:9/chat\"}}\n"
                            "teams:\n- {name: web, receivers: [chat]}\n- {name: db, receivers: [chat]}\n"
                            "routes:\n- {match: [\"service=web\"], team: web}\n- {match: [\"service=db\"], team: %s}\n";

struct house {
        char folder[SCRATCH_BYTES], data[SCRATCH_BYTES + 8];
        struct clock clock;
        struct loop *loop;
        int64_t keep_ns;
        int works;
};

static json_t *content_of(int threshold, const char *team)
{
        char rule_text[500], team_text[500];
        struct err err = {0};
        snprintf(rule_text, sizeof rule_text, rules, threshold);
        snprintf(team_text, sizeof team_text, teams, team);
        json_t *one = yaml_parse(str_of(rule_text), "shop.yaml", &err), *two = yaml_parse(str_of(team_text), "teams.yaml", &err);
        if (!one || !two)
                fail_msg("%s", err.message);
        return json_pack("{s:[{s:s, s:o}, {s:s, s:o}]}", "files", "name", "shop.yaml", "tree", one, "name", "teams.yaml", "tree", two);
}

static void open_house(struct house *house)
{
        struct err err = {0};
        struct loop_options options = {.directory = house->data, .clock = &house->clock, .checkpoint_ns = 600 * NS_PER_S, .keep_ns = house->keep_ns,
                                       .segment_bytes = 1 << 16, .steps_in_turn = true};
        if (!loop_open(&options, &house->loop, &err))
                fail_msg("%s", err.message);
}

static int set_up(void **state)
{
        struct house *house = calloc(1, sizeof *house);
        if (scratch_make(house->folder, "replay") != 0)
                return -1;
        snprintf(house->data, sizeof house->data, "%s/data", house->folder);
        clock_init_virtual(&house->clock, START_NS);
        house->keep_ns = 24 * 3600 * NS_PER_S;
        open_house(house);
        *state = house;
        return 0;
}

static int tear_down(void **state)
{
        struct house *house = *state;
        loop_close(house->loop);
        scratch_remove(house->folder);
        free(house);
        return 0;
}

static void offer(struct house *house, uint16_t format, const char *source, const char *text)
{
        struct err err = {0};
        struct batch *batch = batch_create(format, str_of(source), &err);
        batch->received_ns = clock_now_ns(&house->clock);
        batch->bytes = arena_str(&batch->arena, str_of(text));
        if (!intake_offer(loop_intake(house->loop), batch, NULL, NULL, &err))
                fail_msg("%s", err.message);
}

static void alert(struct house *house, const char *name, const char *service, const char *until)
{
        char text[300];
        snprintf(text, sizeof text, "[{\"labels\":{\"alertname\":\"%s\",\"service\":\"%s\",\"severity\":\"critical\"},\"endsAt\":\"2026-01-01T%s:00Z\"}]", name, service, until);
        offer(house, ALERTMANAGER, "prometheus", text);
}

static void order(struct house *house, const char *verb, json_t *arguments)
{
        struct err err = {0};
        if (!loop_command(house->loop, verb, arguments, "ann", NULL, &err))
                fail_msg("%s: %s", verb, err.message);
}

/* Five seconds a step. */
static void live(struct house *house, int from_step, int to_step)
{
        for (int step = from_step; step < to_step; step++) {
                char text[80];
                clock_advance(&house->clock, 5 * NS_PER_S);
                snprintf(text, sizeof text, "answer_seconds{host=\"web1\"} %d\n", step >= 120 && step < 180 ? 7 : 1);
                offer(house, SOURCE_SCRAPE, "scrape:shop", text);
                if (step == 60)
                        alert(house, "DiskFull", "db", "00:20");
                if (step == 300)
                        alert(house, "QueueGrows", "web", "05:00");
                if (step == 330) /* the numbers are those of this run: without SlowAnswers, the queue is incident 2 */
                        order(house, "incident_acknowledge", json_pack("{s:i}", "incident", 3));
                loop_turn(house->loop);
        }
}

static json_t *replay(struct house *house, json_t *content, int64_t since_ns)
{
        char work[SCRATCH_BYTES + 30];
        json_t *report = NULL;
        struct err err = {0};
        snprintf(work, sizeof work, "%s/work%d", house->folder, house->works++);
        struct replay_options options = {.data = house->data, .work = work, .content = content, .since_ns = since_ns};
        if (!replay_run(&options, &report, &err))
                fail_msg("%s", err.message);
        json_decref(content);
        return report;
}

static void expect_sums(const json_t *report, const char *wanted)
{
        char *sums = json_dumps(json_object_get(report, "sums"), JSON_COMPACT | JSON_SORT_KEYS);
        if (strcmp(sums, wanted) != 0) {
                char *all = json_dumps(report, JSON_INDENT(1));
                fail_msg("the sums are %s\n%s", sums, all);
        }
        free(sums);
}

static void begin(struct house *house, int steps)
{
        order(house, "configure", json_pack("{s:o}", "content", content_of(5, "db")));
        live(house, 0, steps);
}

static void the_same_configuration_differs_in_nothing(void **state)
{
        struct house *house = *state;
        begin(house, 400);
        json_t *report = replay(house, content_of(5, "db"), 0);
        expect_sums(report, "{}");
        assert_int_equal(json_i64(json_object_get(report, "recorded"), "pages", 0), 3);
        assert_int_equal(json_i64(json_object_get(report, "recorded"), "incidents", 0), 3);
        assert_true(json_equal(json_object_get(report, "recorded"), json_object_get(report, "other")));
        json_decref(report);
}

static void a_higher_threshold_misses_exactly_its_own_page(void **state)
{
        struct house *house = *state;
        begin(house, 400);
        json_t *report = replay(house, content_of(9, "db"), 0);
        /* What resolved it is not told either, and what was acknowledged stays so, by whatever number. */
        expect_sums(report, "{\"incident not opened\":1,\"message missed\":1,\"page missed\":1}");
        json_t *first = json_array_get(json_object_get(report, "differences"), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(report, "differences"), 1), "reason")),
                            "with the other configuration SlowAnswers does not fire");
        assert_int_equal(json_i64(first, "recorded_incident", 0), 2);
        assert_int_equal(json_i64(report, "commands_left_out", -1), 0);
        json_decref(report);
}

static void another_route_moves_a_page_to_its_team(void **state)
{
        struct house *house = *state;
        begin(house, 400);
        json_t *report = replay(house, content_of(5, "web"), 0);
        expect_sums(report, "{\"message moved\":1,\"page moved\":1}"); /* and that it is resolved */
        json_t *moved = json_array_get(json_object_get(report, "differences"), 0);
        assert_string_equal(json_string_value(json_object_get(moved, "recorded_team")), "db");
        assert_string_equal(json_string_value(json_object_get(moved, "team")), "web");
        assert_string_equal(json_string_value(json_object_get(moved, "reason")), "it leads to team web instead of db");
        json_decref(report);
}

static void a_lower_threshold_would_have_sent_more(void **state)
{
        struct house *house = *state;
        order(house, "configure", json_pack("{s:o}", "content", content_of(9, "db")));
        live(house, 0, 300);
        json_t *report = replay(house, content_of(5, "db"), 0);
        expect_sums(report, "{\"incident opened\":1,\"message sent\":1,\"page sent\":1}");
        json_decref(report);
}

static void it_begins_at_a_kept_state_and_says_when_more_was_asked(void **state)
{
        struct house *house = *state;
        loop_close(house->loop);
        house->keep_ns = 1200 * NS_PER_S;
        open_house(house);
        begin(house, 900); /* 75 minutes, a checkpoint every ten */
        struct loop_stats stats;
        loop_read_stats(house->loop, &stats);
        assert_true(stats.replay_from_ns > START_NS + 2400 * NS_PER_S);
        json_t *report = replay(house, content_of(5, "web"), START_NS);
        assert_false(json_is_true(json_object_get(report, "is_held")));
        expect_sums(report, "{}"); /* the disk was told long before */
        assert_true(json_i64(report, "entries", 0) > 200);
        json_decref(report);
        report = replay(house, content_of(5, "db"), stats.time_ns - 300 * NS_PER_S);
        assert_true(json_is_true(json_object_get(report, "is_held")));
        json_decref(report);
}

static void before_the_first_checkpoint_the_whole_journal_is_there(void **state)
{
        struct house *house = *state;
        begin(house, 100); /* eight minutes */
        json_t *report = replay(house, content_of(5, "web"), 0);
        expect_sums(report, "{\"page moved\":1}");
        assert_true(json_is_true(json_object_get(report, "is_held")));
        json_decref(report);
        report = replay(house, content_of(5, "web"), START_NS - 3600 * NS_PER_S);
        assert_false(json_is_true(json_object_get(report, "is_held")));
        json_decref(report);
}

static void what_is_kept_has_a_bound_in_bytes(void **state)
{
        struct house *house = *state;
        struct kept_state states[KEPT_STATES_MAX];
        size_t count;
        loop_close(house->loop);
        struct err err = {0};
        struct loop_options options = {.directory = house->data, .clock = &house->clock, .checkpoint_ns = 600 * NS_PER_S, .keep_ns = 24 * 3600 * NS_PER_S,
                                       .keep_bytes = 1, .segment_bytes = 1 << 16, .steps_in_turn = true};
        assert_true(loop_open(&options, &house->loop, &err));
        begin(house, 1500); /* several segments */
        assert_true(kept_list(disk_real(), house->data, states, countof(states), &count, &err));
        assert_int_equal(count, 0);
        char first[SCRATCH_BYTES + 60];
        snprintf(first, sizeof first, "%s/journal/0000000000000001.seg", house->data);
        assert_int_not_equal(access(first, F_OK), 0);
        struct replay_options replay = {.data = house->data, .work = house->folder};
        json_t *report = NULL;
        assert_false(replay_run(&replay, &report, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_same_configuration_differs_in_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_higher_threshold_misses_exactly_its_own_page, set_up, tear_down),
                cmocka_unit_test_setup_teardown(another_route_moves_a_page_to_its_team, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_lower_threshold_would_have_sent_more, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_begins_at_a_kept_state_and_says_when_more_was_asked, set_up, tear_down),
                cmocka_unit_test_setup_teardown(before_the_first_checkpoint_the_whole_journal_is_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_kept_has_a_bound_in_bytes, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
