/* alert_budget_test - which anomalies page, which are held and why, and that each episode is told once. */
#include "observe/alert_budget.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "observe/alert_budget_table.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct stage {
        struct alert_budget *budget;
        struct noticed noticed;
        uint64_t sequence;
        int64_t time_ns;
};

static void begin(struct stage *stage, const char *watch)
{
        struct err err = {0};
        char text[1000];
        *stage = (struct stage){.sequence = 100, .time_ns = 1000 * NS_PER_S};
        noticed_init(&stage->noticed);
        assert_true(alert_budget_create(&stage->budget, &err));
        snprintf(text, sizeof text, "{\"files\":[{\"name\":\"t.yaml\",\"tree\":{\"watch\":[%s]}}]}", watch);
        scoped_ptr(json_decref) json_t *content = json_parse(str_of(text), &err);
        if (!content || !alert_budget_check(content, &err) || !alert_budget_configure(stage->budget, content, &err))
                fail_msg("%s", err.message);
}

static void end(struct stage *stage)
{
        alert_budget_destroy(stage->budget);
        noticed_done(&stage->noticed);
}

static struct anomaly on(const char *host, enum anomaly_kind kind, double p)
{
        static struct label labels[8][2];
        static int next;
        struct label *mine = labels[next++ % 8];
        mine[0] = (struct label){LABEL_METRIC_NAME, STR("load")};
        mine[1] = (struct label){STR("host"), str_of(host)};
        return (struct anomaly){.kind = kind, .labels = {mine, 2, 2}, .p_value = p, .sentence = STR("load is unusual"), .evidence = STR("load"), .time_ns = 1000};
}

/* One tick; gives the findings it told. */
static size_t tick(struct stage *stage, const struct anomaly *anomaly)
{
        struct err err = {0};
        noticed_clear(&stage->noticed);
        stage->sequence++;
        stage->time_ns += NS_PER_S;
        if (anomaly)
                assert_true(noticed_add_anomaly(&stage->noticed, anomaly, &err));
        if (!alert_budget_tick(stage->budget, stage->sequence, stage->time_ns, &stage->noticed, &err))
                fail_msg("%s", err.message);
        return stage->noticed.findings.count;
}

static void an_episode_fires_once_and_resolves_once(void **state)
{
        (void)state;
        struct stage stage;
        begin(&stage, "");
        struct anomaly anomaly = on("a", ANOMALY_LEVEL, 1e-9);
        assert_int_equal(tick(&stage, &anomaly), 1);
        const struct finding *finding = &stage.noticed.findings.items[0];
        assert_true(finding->is_firing && !finding->is_held);
        assert_int_equal(finding->origin, FINDING_ANOMALY);
        assert_true(str_is(labels_value(&finding->labels, STR("alertname")), "UnusualLevel"));
        assert_true(str_is(labels_value(&finding->labels, STR("metric")), "load"));
        assert_int_equal(alert_severity_of(&finding->labels), ALERT_CRITICAL);
        assert_int_equal(tick(&stage, &anomaly), 0);
        anomaly.is_over = true;
        assert_int_equal(tick(&stage, &anomaly), 1);
        assert_false(stage.noticed.findings.items[0].is_firing);
        assert_int_equal(tick(&stage, &anomaly), 0);
        end(&stage);
}

static void what_is_still_being_learned_is_held_but_for_forecasts(void **state)
{
        (void)state;
        for (enum anomaly_kind kind = ANOMALY_LEVEL; kind <= ANOMALY_FATAL; kind++) {
                struct stage stage;
                begin(&stage, "");
                struct anomaly anomaly = on("a", kind, 1e-12);
                anomaly.is_learning = true;
                assert_int_equal(tick(&stage, &anomaly), 1);
                assert_int_equal(stage.noticed.findings.items[0].is_held, kind != ANOMALY_FORECAST);
                if (kind != ANOMALY_FORECAST)
                        assert_true(str_is(stage.noticed.findings.items[0].held_why, "the detector is still learning what is usual here"));
                end(&stage);
        }
}

static void two_pages_a_night_and_the_third_is_held_until_the_next(void **state)
{
        (void)state;
        struct stage stage;
        size_t at;
        begin(&stage, "{\"budget\":\"ops\",\"pages_per_night\":2}");
        struct anomaly a = on("a", ANOMALY_LEVEL, 1e-9), b = on("b", ANOMALY_LEVEL, 1e-9), c = on("c", ANOMALY_LEVEL, 1e-9), d = on("d", ANOMALY_LEVEL, 1e-9);
        tick(&stage, &a);
        assert_false(stage.noticed.findings.items[0].is_held);
        tick(&stage, &b);
        assert_false(stage.noticed.findings.items[0].is_held);
        tick(&stage, &c);
        assert_true(stage.noticed.findings.items[0].is_held);
        assert_int_equal(alert_severity_of(&stage.noticed.findings.items[0].labels), ALERT_WARNING);
        assert_true(str_find(stage.noticed.findings.items[0].held_why, STR("2 pages a night is used up"), &at));
        stage.time_ns += 7 * 3600 * NS_PER_S;
        tick(&stage, &d);
        size_t held = 0;
        each (finding, &stage.noticed.findings)
                held += finding->is_held && finding->is_firing;
        assert_int_equal(held, 0);
        end(&stage);
}

static void many_looks_make_a_small_p_value_ordinary(void **state)
{
        (void)state;
        struct stage stage;
        char host[16];
        begin(&stage, "");
        for (int i = 0; i < 300; i++) {
                snprintf(host, sizeof host, "h%d", i);
                struct anomaly anomaly = on(host, ANOMALY_LEVEL, 1e-4);
                tick(&stage, &anomaly);
                assert_true(stage.noticed.findings.items[0].is_held);
        }
        struct anomaly ordinary = on("x", ANOMALY_LEVEL, 1e-6);
        tick(&stage, &ordinary);
        assert_true(stage.noticed.findings.items[0].is_held); /* among 300 others it is not much */
        struct anomaly worse = on("x", ANOMALY_LEVEL, 1e-12);
        assert_int_equal(tick(&stage, &worse), 2); /* the held one ends, the page begins */
        assert_false(stage.noticed.findings.items[0].is_firing);
        assert_true(stage.noticed.findings.items[1].is_firing && !stage.noticed.findings.items[1].is_held);
        assert_int_equal(alert_budget_counts(stage.budget).held, 301);
        end(&stage);
}

static void what_a_detector_hardly_tells_of_is_not_remarkable(void **state)
{
        (void)state;
        struct stage stage;
        begin(&stage, "");
        struct anomaly faint = on("a", ANOMALY_LEVEL, 1e-4); /* of all it tells of, four in five of chance's are further out */
        tick(&stage, &faint);
        assert_true(stage.noticed.findings.items[0].is_held);
        struct anomaly clear = on("b", ANOMALY_LEVEL, 1e-7);
        tick(&stage, &clear);
        assert_false(stage.noticed.findings.items[0].is_held);
        end(&stage);
}

static void an_episode_nobody_ends_ends_by_itself(void **state)
{
        (void)state;
        struct stage stage;
        begin(&stage, "");
        struct anomaly anomaly = on("a", ANOMALY_NEW_TEMPLATE, 1e-9);
        tick(&stage, &anomaly);
        stage.time_ns += 800 * NS_PER_S;
        assert_int_equal(tick(&stage, NULL), 0);
        stage.time_ns += 200 * NS_PER_S;
        assert_int_equal(tick(&stage, NULL), 1);
        assert_false(stage.noticed.findings.items[0].is_firing);
        end(&stage);
}

static bool count_held(void *context, const struct held_row *row, struct err *err)
{
        (void)err;
        assert_true(str_is(row->why, "the detector is still learning what is usual here"));
        ++*(int *)context;
        return true;
}

static void a_restart_remembers_episodes_and_what_was_held(void **state)
{
        (void)state;
        char folder[SCRATCH_BYTES], path[200];
        struct err err = {0};
        struct stage stage, after;
        struct database *database;
        int held = 0;
        assert_int_equal(scratch_make(folder, "budget"), 0);
        snprintf(path, sizeof path, "%s/state.db", folder);
        const char *const migrations[] = {alert_budget_schema, NULL};
        assert_true(database_open(path, NULL, migrations, &database, &err));
        begin(&stage, "");
        struct anomaly anomaly = on("a", ANOMALY_LEVEL, 1e-9);
        anomaly.is_learning = true;
        tick(&stage, &anomaly);
        assert_true(alert_budget_is_dirty(stage.budget));
        if (!alert_budget_write(stage.budget, database, &err))
                fail_msg("%s", err.message);
        alert_budget_written(stage.budget);
        assert_false(alert_budget_is_dirty(stage.budget));
        begin(&after, "");
        assert_true(alert_budget_load(after.budget, database, &err));
        assert_int_equal(tick(&after, &anomaly), 0); /* it is known already */
        anomaly.is_over = true;
        assert_int_equal(tick(&after, &anomaly), 1);
        assert_true(held_rows_visit(database, 0, INT64_MAX, 100, count_held, &held, &err));
        assert_int_equal(held, 1);
        database_close(database);
        end(&stage);
        end(&after);
        scratch_remove(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_episode_fires_once_and_resolves_once),
                cmocka_unit_test(what_is_still_being_learned_is_held_but_for_forecasts),
                cmocka_unit_test(two_pages_a_night_and_the_third_is_held_until_the_next),
                cmocka_unit_test(many_looks_make_a_small_p_value_ordinary),
                cmocka_unit_test(what_a_detector_hardly_tells_of_is_not_remarkable),
                cmocka_unit_test(an_episode_nobody_ends_ends_by_itself),
                cmocka_unit_test(a_restart_remembers_episodes_and_what_was_held),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
