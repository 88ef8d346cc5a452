/* rules_test - a rule waits for its `for`, tells twice (firing, resolved), survives a restart, and a bad file is refused by name. */
#include "observe/rules.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "observe/rule_table.h"
#include "store/archive.h"
#include "store/database.h"
#include "store/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define START_NS (INT64_C(1700000000) * NS_PER_S)

struct room {
        char directory[SCRATCH_BYTES];
        struct archive *archive;
        struct series_store *store;
        struct database *state;
        struct rules *rules;
        struct noticed noticed;
        uint64_t sequence;
        char recorded[1000];
};

static const char full_disk[] =
        "groups:\n"
        "- name: disks\n"
        "  interval: 10s\n"
        "  rules:\n"
        "  - record: disk:used:max\n"
        "    expr: max by (host) (disk_used)\n"
        "    labels: {unit: percent}\n"
        "  - alert: DiskFull\n"
        "    expr: disk_used > 90\n"
        "    for: 20s\n"
        "    labels: {severity: critical, host: '{{ $labels.host | toUpper }}'}\n"
        "    annotations: {summary: '{{ $labels.host }} is {{ $value }}% full'}\n";

static void record(void *context, struct str text)
{
        struct room *room = context;
        snprintf(room->recorded, sizeof room->recorded, "%.*s", STR_ARGS(text));
}

static json_t *content_of(const char *yaml)
{
        struct err err = {0};
        json_t *tree = yaml_parse(str_of(yaml), "disks.yaml", &err);
        assert_non_null(tree);
        return json_pack("{s:[{s:s, s:o}]}", "files", "name", "disks.yaml", "tree", tree);
}

static void configure(struct room *room, const char *yaml)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *content = content_of(yaml);
        if (!rules_check(content, &err) || !rules_configure(room->rules, content, &err))
                fail_msg("%s", err.message);
}

static void create_rules(struct room *room, int64_t decided_ns)
{
        struct err err = {0};
        assert_true(rules_create(room->store, &room->rules, &err));
        rules_on_record(room->rules, record, room);
        configure(room, full_disk);
        assert_true(rules_load(room->rules, room->state, decided_ns, &err));
}

static int set_up(void **state)
{
        struct room *room = calloc(1, sizeof *room);
        struct err err = {0};
        static const char *const migrations[] = {rule_schema, rule_tick_schema, NULL};
        char path[128];
        assert_int_equal(scratch_make(room->directory, "rules"), 0);
        snprintf(path, sizeof path, "%s/state.db", room->directory);
        if (!archive_open(disk_real(), room->directory, NULL, &room->archive, &err) ||
            !series_create(room->archive, 1000, &room->store, &err) || !database_open(path, NULL, migrations, &room->state, &err))
                fail_msg("%s", err.message);
        noticed_init(&room->noticed);
        create_rules(room, 0);
        *state = room;
        return 0;
}

static int tear_down(void **state)
{
        struct room *room = *state;
        rules_destroy(room->rules);
        noticed_done(&room->noticed);
        series_destroy(room->store);
        archive_close(room->archive);
        database_close(room->state);
        int code = scratch_remove(room->directory);
        free(room);
        return code;
}

static void send(struct room *room, const char *host, int64_t at_s, double value)
{
        struct label items[] = {{LABEL_METRIC_NAME, STR("disk_used")}, {STR("host"), str_of(host)}};
        struct sample sample = {START_NS + at_s * NS_PER_S, value};
        struct series_points points = {{items, 2, 2}, &sample, 1};
        struct telemetry telemetry = {.series = {&points, 1, 1}};
        struct err err = {0};
        uint32_t pick = 0, ordinal = 0;
        if (!series_add(room->store, series_partition(&points.labels), ++room->sequence, sample.time_ns, &telemetry, &pick, &ordinal, 1, &err))
                fail_msg("%s", err.message);
}

/* A tick, and its write. */
static const struct noticed *tick(struct room *room, int64_t at_s)
{
        struct err err = {0};
        noticed_clear(&room->noticed);
        if (!rules_tick(room->rules, START_NS + at_s * NS_PER_S, &room->noticed, &err))
                fail_msg("%s", err.message);
        if (rules_is_dirty(room->rules)) {
                assert_true(database_begin(room->state, &err) && rules_write(room->rules, room->state, &err) && database_commit(room->state, &err));
                rules_written(room->rules);
        }
        assert_false(rules_is_dirty(room->rules));
        return &room->noticed;
}

static void assert_told(const struct noticed *noticed, bool is_firing, const char *labels, const char *summary)
{
        scoped(buf_done) struct buf text = {0};
        assert_int_equal(noticed->findings.count, 1);
        const struct finding *finding = noticed->findings.items;
        assert_int_equal(finding->origin, FINDING_RULE);
        assert_int_equal(finding->is_firing, is_firing);
        labels_print(&finding->labels, &text);
        buf_byte(&text, 0);
        assert_string_equal(text.bytes, labels);
        struct str told = labels_value(&finding->annotations, STR("summary"));
        assert_true(str_is(told, summary));
}

#define DISK_FULL_WEB1 "{alertname=\"DiskFull\", host=\"WEB1\", severity=\"critical\"}"

static void it_waits_for_its_for_and_tells_firing_once_and_resolved_once(void **state)
{
        struct room *room = *state;
        send(room, "web1", 0, 95);
        send(room, "web2", 0, 10);
        assert_int_equal(tick(room, 0)->findings.count, 0);
        assert_int_equal(tick(room, 10)->findings.count, 0);
        send(room, "web1", 20, 96);
        const struct noticed *told = tick(room, 21);
        assert_told(told, true, DISK_FULL_WEB1, "WEB1 is 96% full");
        assert_int_equal(told->findings.items[0].starts_ns, START_NS);
        assert_int_equal(tick(room, 31)->findings.count, 0);
        send(room, "web1", 40, 50);
        assert_told(tick(room, 41), false, DISK_FULL_WEB1, "WEB1 is 96% full");
        assert_int_equal(tick(room, 51)->findings.count, 0);
}

static void what_was_pending_before_a_restart_goes_on_counting(void **state)
{
        struct room *room = *state;
        send(room, "web1", 0, 95);
        tick(room, 0);
        rules_destroy(room->rules);
        create_rules(room, START_NS);
        assert_int_equal(tick(room, 10)->findings.count, 0);
        assert_int_equal(tick(room, 20)->findings.count, 1);
        rules_destroy(room->rules);
        create_rules(room, START_NS + 20 * NS_PER_S);
        assert_int_equal(tick(room, 30)->findings.count, 0); /* it was told */
        send(room, "web1", 40, 5);
        assert_told(tick(room, 41), false, DISK_FULL_WEB1, "WEB1 is 95% full");
}

static void a_dip_shorter_than_for_says_nothing(void **state)
{
        struct room *room = *state;
        send(room, "web1", 0, 95);
        tick(room, 0);
        send(room, "web1", 10, 5);
        tick(room, 10);
        send(room, "web1", 20, 95);
        assert_int_equal(tick(room, 20)->findings.count, 0);
        assert_int_equal(tick(room, 30)->findings.count, 0);
        assert_int_equal(tick(room, 40)->findings.count, 1);
}

static void a_rule_that_is_gone_ends_its_alerts(void **state)
{
        struct room *room = *state;
        send(room, "web1", 0, 95);
        tick(room, 0);
        assert_int_equal(tick(room, 20)->findings.count, 1);
        configure(room, "groups: [{name: other, rules: [{record: a, expr: '1'}]}]");
        assert_told(tick(room, 30), false, DISK_FULL_WEB1, "WEB1 is 95% full");
        configure(room, full_disk);
        assert_int_equal(tick(room, 40)->findings.count, 0); /* pending anew */
}

static void recording_rules_give_samples_with_their_time(void **state)
{
        struct room *room = *state;
        send(room, "web1", 0, 42.5);
        tick(room, 0);
        assert_string_equal(room->recorded, "disk:used:max{host=\"web1\", unit=\"percent\"} 42.5 1700000000000\n");
}

static void a_bad_file_is_refused_with_its_place(void **state)
{
        (void)state;
        static const struct { const char *yaml, *named; } bad[] = {
                {"groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]", "disks.yaml: groups, item 1: group g: rule A"},
                {"groups: [{name: g, rules: [{alert: A, expr: 'up[5m]'}]}]", "instant vector"},
                {"groups: [{name: g, rules: [{alert: A, expr: up, fro: 5m}]}]", "fro"},
                {"groups: [{name: g, rules: [{alert: A, record: b, expr: up}]}]", "one of alert and record"},
                {"groups: [{name: g, rules: [{alert: A, expr: up, for: soon}]}]", "for"},
                {"groups: [{name: g, rules: [{alert: A, expr: up}, {alert: A, expr: up}]}]", "twice"},
                {"groups: [{name: g, rules: [{alert: A, expr: up, annotations: {summary: '{{ end }}'}}]}]", "end"},
                {"groups: [{rules: []}]", "no name"},
        };
        for (size_t i = 0; i < countof(bad); i++) {
                struct err err = {0};
                scoped_ptr(json_decref) json_t *content = content_of(bad[i].yaml);
                assert_false(rules_check(content, &err));
                if (!strstr(err.message, bad[i].named))
                        fail_msg("%s: %s", bad[i].yaml, err.message);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_waits_for_its_for_and_tells_firing_once_and_resolved_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_was_pending_before_a_restart_goes_on_counting, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_dip_shorter_than_for_says_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_rule_that_is_gone_ends_its_alerts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(recording_rules_give_samples_with_their_time, set_up, tear_down),
                cmocka_unit_test(a_bad_file_is_refused_with_its_place),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
