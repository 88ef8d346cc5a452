/* shadow_test - beside today's tools: nothing leaves, nothing runs, and each day says who told what first. */
#include "engage/shadow_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/source.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define ALERTMANAGER 13

static const char content[] = "groups:\n- name: shop\n  interval: 15s\n  rules:\n  - alert: SlowAnswers\n    expr: answer_seconds > 5\n    labels: {severity: critical}\n"
                              "receivers:\n- {name: chat, webhook: {url: \"http://127.0.0.1:9/chat\"}}\nteams:\n- {name: web, receivers: [chat]}\n"
                              "maintenance:\n- {name: move, match: [\"host=old1\"], from: \"2026-01-01T00:00\", to: \"2026-01-02T00:00\", time_zone: UTC0}\n"
                              "shadow: {on: true}\n";

struct house {
        char folder[SCRATCH_BYTES], data[SCRATCH_BYTES + 8];
        struct clock clock;
        struct loop *loop;
        size_t left;            /* messages that left */
};

static void hear(void *context, const struct outgoing *outgoing)
{
        struct house *house = context;
        (void)outgoing;
        house->left++;
}

static int set_up(void **state)
{
        struct house *house = calloc(1, sizeof *house);
        struct err err = {0};
        if (scratch_make(house->folder, "shadow") != 0)
                return -1;
        snprintf(house->data, sizeof house->data, "%s/data", house->folder);
        clock_init_virtual(&house->clock, START_NS);
        struct loop_options options = {.directory = house->data, .clock = &house->clock, .steps_in_turn = true, .delivery = {.fake = hear, .fake_context = house}};
        if (!loop_open(&options, &house->loop, &err))
                fail_msg("%s", err.message);
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

static void configure(struct house *house)
{
        struct err err = {0};
        json_t *tree = yaml_parse(str_of(content), "shop.yaml", &err);
        if (!tree || !loop_command(house->loop, "configure", json_pack("{s:{s:[{s:s, s:o}]}}", "content", "files", "name", "shop.yaml", "tree", tree), "ann", NULL, &err))
                fail_msg("%s", err.message);
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

static void alert(struct house *house, const char *name, const char *host)
{
        char text[300];
        snprintf(text, sizeof text, "[{\"labels\":{\"alertname\":\"%s\",\"host\":\"%s\",\"severity\":\"critical\"},\"endsAt\":\"2026-01-01T05:00:00Z\"}]", name, host);
        offer(house, ALERTMANAGER, "prometheus", text);
}

/* Answers grow slow at 2 min, by our own rule; another tool tells of the same host at 5 min, and of one that is being moved at 10. */
static void live(struct house *house)
{
        configure(house);
        for (int step = 0; step < 240; step++) {
                char text[80];
                clock_advance(&house->clock, 5 * NS_PER_S);
                snprintf(text, sizeof text, "answer_seconds{host=\"web1\"} %d\nanswer_seconds{host=\"db1\"} %d\n", step >= 24 ? 7 : 1, step >= 180 ? 7 : 1);
                offer(house, SOURCE_SCRAPE, "scrape:shop", text);
                if (step == 60)
                        alert(house, "HttpSlow", "web1");
                if (step == 120)
                        alert(house, "HostDown", "old1");
                loop_turn(house->loop);
        }
}

static const json_t *of_kind(const json_t *report, const char *kind)
{
        size_t i;
        const json_t *incident;
        json_array_foreach (json_object_get(report, "incidents"), i, incident)
                if (strcmp(json_string_value(json_object_get(incident, "kind")), kind) == 0)
                        return incident;
        char *all = json_dumps(report, JSON_INDENT(1));
        fail_msg("no incident of the kind %s in %s", kind, all);
        return NULL;
}

static json_t *report_of(struct house *house, int64_t from_ns, int64_t until_ns)
{
        struct database *reader;
        struct err err = {0};
        assert_true(loop_open_state(house->loop, &reader, &err));
        json_t *report = shadow_read(reader, from_ns, until_ns, &err);
        database_close(reader);
        if (!report)
                fail_msg("%s", err.message);
        return report;
}

static void nothing_leaves_and_the_day_says_who_was_first(void **state)
{
        struct house *house = *state;
        live(house);
        assert_int_equal(house->left, 0);
        scoped_ptr(json_decref) json_t *report = report_of(house, START_NS, START_NS + 86400 * NS_PER_S);
        assert_int_equal(json_i64(report, "theirs", 0), 2);
        assert_int_equal(json_i64(report, "both", 0), 1);
        assert_int_equal(json_i64(report, "only_theirs", 0), 1);
        assert_true(json_i64(report, "pages", 0) >= 1);
        const json_t *both = of_kind(report, "both"), *theirs = of_kind(report, "only_theirs");
        double earlier_s = json_number_value(json_object_get(both, "earlier_s"));
        assert_true(earlier_s > 120 && earlier_s < 190);
        assert_true(json_number_value(json_object_get(report, "hours_earlier")) > 0.03);
        assert_string_equal(json_string_value(json_object_get(theirs, "reason")), "planned maintenance move");
}

static void another_day_has_nothing_of_it(void **state)
{
        struct house *house = *state;
        live(house);
        scoped_ptr(json_decref) json_t *report = report_of(house, START_NS + 86400 * NS_PER_S, START_NS + 2 * 86400 * NS_PER_S);
        assert_int_equal(json_i64(report, "theirs", -1), 0);
        assert_int_equal(json_array_size(json_object_get(report, "incidents")), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(nothing_leaves_and_the_day_says_who_was_first, set_up, tear_down),
                cmocka_unit_test_setup_teardown(another_day_has_nothing_of_it, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
