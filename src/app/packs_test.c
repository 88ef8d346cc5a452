/*
 * packs_test - what ships in packs/ against the cases of tests/packs/: each rule tells what it is there for, a quiet machine stays quiet, and every name that a
 * runbook or a rule says is the name of something that ships.
 *
 *      packs_test CASES.yaml...
 */
#include "base/clock.h"
#include "base/embedded.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "model/batch.h"
#include "model/content.h"
#include "observe/check.h"
#include "observe/rules.h"
#include "store/archive.h"
#include "store/series.h"
#include "wire/exposition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define START_NS (INT64_C(1700000000) * NS_PER_S)
#define TICK_NS (5 * NS_PER_S)

extern const struct embedded_file pack_files[];
extern const size_t pack_files_count;

static char **case_files;
static int case_file_count;

static json_t *read_yaml(const char *path)
{
        struct err err = {0};
        scoped(buf_done) struct buf text = {0};
        FILE *file = fopen(path, "r");
        if (!file)
                fail_msg("%s cannot be opened", path);
        for (int c; (c = fgetc(file)) != EOF;)
                buf_byte(&text, (char)c);
        fclose(file);
        json_t *tree = yaml_parse(buf_str(&text), path, &err);
        if (!tree)
                fail_msg("%s", err.message);
        return tree;
}

/* All packs as the document that a configuration gives. */
static json_t *shipped(void)
{
        json_t *files = json_array();
        for (size_t i = 0; i < pack_files_count; i++) {
                struct err err = {0};
                json_t *tree = yaml_parse(pack_files[i].text, pack_files[i].name.bytes, &err);
                if (!tree)
                        fail_msg("%s", err.message);
                json_array_append_new(files, json_pack("{s:s, s:o}", "name", pack_files[i].name.bytes, "tree", tree));
        }
        return json_pack("{s:o}", "files", files);
}

/* --- names ---------------------------------------------------------------------------------------------------------------------- */

struct names {
        json_t *alerts, *runbooks; /* sets: each name is a key */
};

static bool note_group(void *context, const char *file, const json_t *group, struct err *err)
{
        size_t i;
        json_t *rule;
        (void)file, (void)err;
        json_array_foreach (json_object_get(group, "rules"), i, rule)
                if (json_object_get(rule, "alert"))
                        json_object_set(((struct names *)context)->alerts, json_string_value(json_object_get(rule, "alert")), rule);
        return true;
}

static bool note_watch(void *context, const char *file, const json_t *watch, struct err *err)
{
        (void)file, (void)err;
        json_object_set_new(((struct names *)context)->alerts, json_string_value(json_object_get(watch, "alert")), json_null());
        return true;
}

static bool note_runbook(void *context, const char *file, const json_t *runbook, struct err *err)
{
        (void)file, (void)err;
        json_object_set(((struct names *)context)->runbooks, json_string_value(json_object_get(runbook, "name")), (json_t *)runbook);
        return true;
}

static struct names names_of(const json_t *content)
{
        struct names names = {json_object(), json_object()};
        struct err err = {0};
        assert_true(content_visit(content, "groups", note_group, &names, &err));
        assert_true(content_visit(content, "watch", note_watch, &names, &err));
        assert_true(content_visit(content, "runbooks", note_runbook, &names, &err));
        for (const struct check_kind *kind = check_kinds; kind->name; kind++)
                if (!json_object_get(names.alerts, kind->alert))
                        json_object_set_new(names.alerts, kind->alert, json_null());
        return names;
}

/* A trailing * stands for any rest. */
static bool names_an_alert(const json_t *alerts, const char *pattern)
{
        const char *name;
        json_t *rule;
        size_t length = strlen(pattern);
        bool is_open = length && pattern[length - 1] == '*';
        json_object_foreach ((json_t *)alerts, name, rule)
                if (is_open ? !strncmp(name, pattern, length - 1) : !strcmp(name, pattern))
                        return true;
        return false;
}

static void every_alert_that_a_runbook_is_meant_for_ships(void **state)
{
        (void)state;
        scoped_ptr(json_decref) json_t *content = shipped();
        struct names names = names_of(content);
        const char *name;
        json_t *runbook, *pattern;
        size_t i;
        assert_true(json_object_size(names.runbooks) > 0);
        json_object_foreach (names.runbooks, name, runbook)
                json_array_foreach (json_object_get(json_object_get(runbook, "applies_to"), "alerts"), i, pattern)
                        if (!names_an_alert(names.alerts, json_string_value(pattern)))
                                fail_msg("the runbook %s is meant for %s, which nothing tells", name, json_string_value(pattern));
        json_decref(names.alerts);
        json_decref(names.runbooks);
}

static void every_runbook_that_a_rule_names_ships(void **state)
{
        (void)state;
        scoped_ptr(json_decref) json_t *content = shipped();
        struct names names = names_of(content);
        const char *name;
        json_t *rule;
        json_object_foreach (names.alerts, name, rule) {
                const char *runbook = json_string_value(json_object_get(json_object_get(rule, "annotations"), "runbook"));
                json_t *patterns = json_object_get(json_object_get(json_object_get(names.runbooks, runbook ? runbook : ""), "applies_to"), "alerts");
                size_t i;
                json_t *pattern;
                bool is_meant = !runbook;
                json_array_foreach (patterns, i, pattern)
                        is_meant |= !strcmp(json_string_value(pattern), name);
                if (!is_meant)
                        fail_msg("%s names the runbook %s, which does not ship or is not meant for it", name, runbook);
        }
        json_decref(names.alerts);
        json_decref(names.runbooks);
}

/* --- cases ---------------------------------------------------------------------------------------------------------------------- */

struct room {
        char directory[SCRATCH_BYTES];
        struct archive *archive;
        struct series_store *store;
        struct rules *rules;
        uint64_t sequence;
        json_t *told; /* names of alerts that fired */
};

static void enter(struct room *room, const json_t *content)
{
        struct err err = {0};
        *room = (struct room){.told = json_object()};
        assert_int_equal(scratch_make(room->directory, "packs"), 0);
        if (!archive_open(disk_real(), room->directory, NULL, &room->archive, &err) || !series_create(room->archive, 1000, &room->store, &err) ||
            !rules_create(room->store, &room->rules, &err) || !rules_check(content, &err) || !rules_configure(room->rules, content, &err))
                fail_msg("%s", err.message);
}

static void leave(struct room *room)
{
        rules_destroy(room->rules);
        series_destroy(room->store);
        archive_close(room->archive);
        json_decref(room->told);
        assert_int_equal(scratch_remove(room->directory), 0);
}

/* The value of step number `step`; false: the text has ended. */
static bool value_at(const char *text, long step, double *out_value)
{
        while (*text) {
                char *end;
                double value = strtod(text, &end), grows = *end == '+' || *end == '-' ? strtod(end, &end) : 0;
                long count = *end == '*' ? strtol(end + 1, &end, 10) : 1;
                if (end == text || (*end && *end != ' '))
                        fail_msg("\"%s\" is no list of values such as 0+5*30 7*3", text);
                if (step < count) {
                        *out_value = value + grows * (double)step;
                        return true;
                }
                step -= count;
                text = *end ? end + 1 : end;
        }
        return false;
}

static const char *values_of(const json_t *values)
{
        return json_is_string(values) ? json_string_value(values) : "";
}

static void add_text(struct room *room, struct str text, int64_t time_ns)
{
        struct err err = {0};
        struct batch *batch = batch_create(0, STR("packs"), &err);
        assert_non_null(batch);
        batch->bytes = text;
        batch->received_ns = time_ns;
        if (!exposition_decode(batch, &err))
                fail_msg("%s", err.message);
        for (uint32_t i = 0, ordinal = 0; i < batch->telemetry.series.count; i++, ordinal++)
                assert_true(series_add(room->store, series_partition(&batch->telemetry.series.items[i].labels), ++room->sequence, time_ns, &batch->telemetry, &i,
                                       &ordinal, 1, &err));
        batch_destroy(batch);
}

/* One round of values; false: none had one. */
static bool send_step(struct room *room, const json_t *series, long step, int64_t time_ns)
{
        scoped(buf_done) struct buf text = {0};
        const char *name;
        json_t *values;
        json_object_foreach ((json_t *)series, name, values) {
                double value;
                if (value_at(values_of(values), step, &value))
                        buf_printf(&text, "%s %.17g\n", name, value);
        }
        if (text.length)
                add_text(room, buf_str(&text), time_ns);
        return text.length > 0;
}

static void tick(struct room *room, int64_t time_ns)
{
        struct err err = {0};
        struct noticed noticed;
        noticed_init(&noticed);
        if (!rules_tick(room->rules, time_ns, &noticed, &err))
                fail_msg("%s", err.message);
        each (finding, &noticed.findings) {
                char name[200];
                struct str alert = labels_value(&finding->labels, STR("alertname"));
                snprintf(name, sizeof name, "%.*s", STR_ARGS(alert));
                json_object_set_new(room->told, name, json_true());
        }
        noticed_done(&noticed);
}

static void compare(const char *title, const json_t *told, const json_t *wanted)
{
        size_t i;
        json_t *alert;
        char *text = json_dumps(told, JSON_SORT_KEYS);
        json_array_foreach ((json_t *)wanted, i, alert)
                if (!json_object_get(told, json_string_value(alert)))
                        fail_msg("%s: %s did not fire, but %s", title, json_string_value(alert), text);
        if (json_object_size(told) != json_array_size(wanted))
                fail_msg("%s: more fired than is said: %s", title, text);
        free(text);
}

static void tell_case(const json_t *content, const json_t *one, json_t *covered)
{
        struct room room;
        struct err err = {0};
        int64_t every_ns, time_ns = START_NS, next_ns = START_NS;
        size_t i;
        json_t *alert;
        enter(&room, content);
        assert_true(check_duration(one, "every", 10 * NS_PER_S, &every_ns, &err));
        for (long step = 0; send_step(&room, json_object_get(one, "series"), step, time_ns); step++, time_ns += every_ns)
                for (; next_ns < time_ns + every_ns; next_ns += TICK_NS)
                        tick(&room, next_ns);
        assert_true(time_ns > START_NS);
        compare(json_string_value(json_object_get(one, "name")), room.told, json_object_get(one, "fires"));
        json_array_foreach (json_object_get(one, "fires"), i, alert)
                json_object_set_new(covered, json_string_value(alert), json_true());
        leave(&room);
}

static void each_case_fires_what_it_says_and_no_other_and_each_rule_has_one(void **state)
{
        (void)state;
        scoped_ptr(json_decref) json_t *content = shipped(), *covered = json_object();
        struct names names = names_of(content);
        const char *name;
        json_t *rule;
        for (int i = 0; i < case_file_count; i++) {
                scoped_ptr(json_decref) json_t *tree = read_yaml(case_files[i]);
                size_t at;
                json_t *one;
                json_array_foreach (json_object_get(tree, "cases"), at, one)
                        tell_case(content, one, covered);
        }
        json_object_foreach (names.alerts, name, rule)
                if (json_is_object(rule) && !json_object_get(covered, name))
                        fail_msg("no case of tests/packs makes %s fire", name);
        json_decref(names.alerts);
        json_decref(names.runbooks);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_alert_that_a_runbook_is_meant_for_ships),
                cmocka_unit_test(every_runbook_that_a_rule_names_ships),
                cmocka_unit_test(each_case_fires_what_it_says_and_no_other_and_each_rule_has_one),
        };
        case_files = argv + 1;
        case_file_count = argc - 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
