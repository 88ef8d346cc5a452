/*
 * hostile_test - ten thousand texts that telemetry might send, as labels, annotations, titles and names of entities, against the real launcher: what is run is what
 * the runbook lists, word for word, and nothing else.
 *
 * The program that the runbook names is a script of the test's own, which writes each of its words on a line; so the words are read where a shell, an argv or a
 * format would have been fooled. The register takes the hostile names as telemetry brings them.
 */
#include "act/act.h"

#include "act/act_table.h"
#include "act/runner.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "reach/launcher.h"
#include "register/entity_table.h"
#include "register/registry.h"
#include "store/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TEXTS 10000
#define RUN_EVERY 100   /* an incident whose target has a good name, with hostile texts around it */
#define START_NS (INT64_C(1767225600) * NS_PER_S)

struct room {
        char directory[SCRATCH_BYTES];
        char script[SCRATCH_BYTES + 16], allow[SCRATCH_BYTES + 16], ran[SCRATCH_BYTES + 16];
        struct database *state;
        struct registry *registry;
        struct launcher *launcher;
        struct act *act;
        uint64_t sequence;
        int64_t time_ns;
        struct incident_view incident;
        struct incident_alert alert;
        struct label labels[3], annotations[2];
        struct incident_entity entity;
        size_t launches;
};

static bool view(void *context, uint64_t incident, struct arena *arena, struct incident_view *out_view, struct err *err)
{
        struct room *room = context;
        (void)arena;
        if (incident != room->incident.id)
                return (fail)(err, ERR_NOT_FOUND, "test", "no such incident");
        *out_view = room->incident;
        return true;
}

static bool launch(void *context, const struct launch *wanted, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        struct room *room = context;
        room->launches++;
        return launcher_run(room->launcher, wanted, arena, out_result, err);
}

static void write_all(struct room *room)
{
        struct err err = {0};
        if (act_is_dirty(room->act) && (!database_begin(room->state, &err) || !act_write(room->act, room->state, &err) || !database_commit(room->state, &err)))
                fail_msg("%s", err.message);
        act_written(room->act);
}

static bool submit(void *context, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        struct room *room = context;
        bool good = act_command(room->act, verb, arguments, by, ++room->sequence, room->time_ns, out_result, err);
        json_decref(arguments);
        write_all(room);
        return good;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
        static const char *const migrations[] = {entity_schema, act_schema, NULL};
        struct room *room = calloc(1, sizeof *room);
        struct err err = {0};
        char path[SCRATCH_BYTES + 16], text[1024];
        int socket;
        room->time_ns = START_NS;
        assert_int_equal(scratch_make(room->directory, "hostile"), 0);
        snprintf(path, sizeof path, "%s/state.db", room->directory);
        snprintf(room->script, sizeof room->script, "%s/does", room->directory);
        snprintf(room->allow, sizeof room->allow, "%s/allow", room->directory);
        snprintf(text, sizeof text, "#!/bin/sh\necho $# >>'%s/seen'\nfor word in \"$@\"; do printf '<%%s>' \"$word\"; done\n", room->directory);
        write_file(room->script, text, 0755);
        snprintf(text, sizeof text, "%s ...\n", room->script); /* as open as a list can be: the wall that is tested here is act's */
        write_file(room->allow, text, 0644);
        if (!launcher_fork(&(struct launcher_options){.allow_path = room->allow}, &socket, &err) || !launcher_open(socket, &room->launcher, &err) ||
            !database_open(path, NULL, migrations, &room->state, &err) || !registry_create(&(struct registry_options){0}, &room->registry, &err) ||
            !registry_load(room->registry, room->state, &err))
                fail_msg("%s", err.message);
        struct act_options options = {.registry = room->registry, .world = {.view = view, .context = room}, .hands = {.launch = launch, .context = room}, .sink = {submit, room}};
        snprintf(text, sizeof text,
                 "runbooks: [{name: does, sentence: 'Does ${service}', standard_change: true, applies_to: {kinds: [service]}, parameters: {service: {type: entity, kind: service}},\n"
                 "  guards: {target_rate: {runs: 100000, within: 1h}, at_once: 1000, blast_radius: {share: 1.0, within: 1s}},\n"
                 "  steps: [{exec: [%s, listed, '${service}.service']}], verify: {after: 0s, within: 1s, stays: 0s}}]\n", room->script);
        json_t *tree = yaml_parse(str_of(text), "t.yaml", &err);
        scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "t.yaml", "tree", tree);
        if (!tree || !act_create(&options, &room->act, &err) || !act_check_configuration(content, &err) || !act_configure(room->act, content, &err))
                fail_msg("%s", err.message);
        *state = room;
        return 0;
}

static int tear_down(void **state)
{
        struct room *room = *state;
        act_destroy(room->act);
        launcher_close(room->launcher);
        registry_destroy(room->registry);
        database_close(room->state);
        int code = scratch_remove(room->directory);
        free(room);
        return code;
}

/* --- texts -------------------------------------------------------------------------------------------------------------------- */

static const char *const pieces[] = {
        "$(touch /tmp/x)", "`id`", "; rm -rf /", "| sh", "&& reboot", "\n", "\r\n", "\t", "\x01", "\x1b[2J", "\x7f", "--now", "-rf", "-", "--", "${service}", "$${", "${", "}", "$HOME",
        "%s", "%n", "%x%x%x", "' OR 1=1 --", "'; DROP TABLE run; --", "\"", "'", "\\", "\\'", "../../etc/passwd", "..", "/", "//", "*", "?", "[a-z]", "~", "#", "!", "<", ">", "<(id)",
        "\xc3\x28", "\xff\xfe", "\xed\xa0\x80", "\xe2\x80\xae", "\xc2\x85", "\xef\xbb\xbf", "\xf0\x9f\x92\xa9", "\xc0\xaf", "nginx", "nginx ", " nginx", "root", "{{.}}", "${jndi:ldap://x}",
        "a=b", "LD_PRELOAD=/x", "@host", ":", ",", "\\x00", "&", "^", "{a,b}", "\xcc\x81", "\xe2\x80\xa8",
};

static struct str hostile_text(struct rng *rng, char *space, size_t bytes)
{
        size_t length = 0, count = 1 + rng_below(rng, 5);
        for (size_t i = 0; i < count; i++) {
                const char *piece = pieces[rng_below(rng, countof(pieces))];
                size_t more = min_of(strlen(piece), bytes - length);
                memcpy(space + length, piece, more);
                length += more;
        }
        return (struct str){space, length};
}

static void see(struct room *room, struct str host, struct str service)
{
        struct label items[] = {{STR("host"), host}, {STR("service"), service}};
        struct resource_seen seen = {{items, 2, 2}, room->time_ns, true};
        struct err err = {0};
        registry_see(room->registry, &seen, 1, ++room->sequence, room->time_ns, &err);
}

/* One incident about an entity of that name, with that text in every place; all that it leads to is done. */
static void tell(struct room *room, uint64_t number, struct str name, struct str text)
{
        struct err err = {0};
        room->labels[0] = (struct label){STR("alertname"), text};
        room->labels[1] = (struct label){STR("service"), name};
        room->labels[2] = (struct label){STR("zone"), text};
        room->annotations[0] = (struct label){STR("description"), text};
        room->annotations[1] = (struct label){STR("summary"), text};
        room->alert = (struct incident_alert){.id = number, .labels = {room->labels, 3, 3}, .annotations = {room->annotations, 2, 2}, .severity = ALERT_CRITICAL,
                                              .is_firing = true, .evidence = text, .source = text};
        room->entity = (struct incident_entity){0, STR("service"), name};
        room->incident = (struct incident_view){.id = number, .number = (uint32_t)number, .state = INCIDENT_OPEN, .title = text, .owner = text, .team = text, .signature = 5,
                                                .signature_text = text, .opened_ns = room->time_ns, .alerts = {&room->alert, 1, 1}, .entities = {&room->entity, 1, 1}};
        struct incident_news news = {number, NEWS_OPENED};
        if (!act_take(room->act, &news, 1, ++room->sequence, room->time_ns, &err))
                fail_msg("%s", err.message);
        for (int i = 0; i < 2; i++) {
                if (!act_tick(room->act, ++room->sequence, room->time_ns, &err))
                        fail_msg("%s", err.message);
                write_all(room);
                act_turn(room->act);
        }
        room->time_ns += 2 * NS_PER_S;
        if (!act_tick(room->act, ++room->sequence, room->time_ns, &err))
                fail_msg("%s", err.message);
        write_all(room);
}

/* Two words: the listed one, and the name of a unit as a person would have typed it. */
static bool is_as_listed(struct str output)
{
        struct str front = STR("<listed><"), back = STR(".service>");
        if (!str_starts_with(output, front) || output.length <= front.length + back.length ||
            !str_equal(str_slice(output, output.length - back.length, output.length), back))
                return false;
        struct str name = str_slice(output, front.length, output.length - back.length);
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                bool is_mark = i > 0 && (c == '.' || c == ':' || c == '@' || c == '-');
                if (!is_letter && !is_mark)
                        return false;
        }
        return true;
}

/* Every output the state database has: the words that the script saw. */
static bool look_at_step(void *context, struct str body, struct err *err)
{
        scoped_ptr(json_decref) json_t *step = json_parse(body, err);
        size_t *good = context;
        if (str_is(json_str(step, "state"), "handed"))
                return true;
        if (!is_as_listed(json_str(step, "output")))
                fail_msg("a run saw other words: %.*s", STR_ARGS(body));
        ++*good;
        return true;
}

static bool look_at_run(void *context, const struct run_row *row, struct err *err)
{
        struct { struct database *state; size_t good; } *looking = context;
        return step_rows_visit(looking->state, row->id, look_at_step, &looking->good, err);
}

/* The script's own account of how often it ran, each time with how many words. */
static size_t count_seen(const struct room *room)
{
        char path[SCRATCH_BYTES + 16];
        int words;
        size_t count = 0;
        snprintf(path, sizeof path, "%s/seen", room->directory);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        for (; fscanf(file, "%d", &words) == 1; count++)
                assert_int_equal(words, 2);
        fclose(file);
        return count;
}

static void ten_thousand_hostile_texts_run_not_one_word_that_no_runbook_lists(void **state)
{
        struct room *room = *state;
        struct rng rng = {7};
        char name[512], other[512];
        size_t wanted = 0;
        see(room, STR("web1"), STR("nginx"));
        for (uint64_t i = 1; i <= TEXTS; i++) {
                struct str text = hostile_text(&rng, name, sizeof name), around = hostile_text(&rng, other, sizeof other);
                bool is_real = i % RUN_EVERY == 0;
                wanted += is_real;
                if (i % 10 == 0)
                        see(room, STR("web1"), text);   /* telemetry brings it into the register, if that takes it */
                tell(room, i, is_real ? STR("nginx") : text, around);
        }
        struct { struct database *state; size_t good; } looking = {room->state, 0};
        struct err err = {0};
        if (!run_rows_list(room->state, &(struct run_filter){.limit = 100000}, look_at_run, &looking, &err))
                fail_msg("%s", err.message);
        assert_true(looking.good >= wanted);            /* the good ones ran, so the wall is no closed door */
        assert_int_equal(looking.good, room->launches); /* and each thing that ran was looked at */
        assert_int_equal(count_seen(room), room->launches);
        struct act_counts counts;
        act_count(room->act, &counts);
        assert_true(registry_count(room->registry, STR("service")) > 40); /* hostile names did come into the register, */
        assert_true(counts.unfit > 300);                /* were the targets of proposals, and were found not to fit */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(ten_thousand_hostile_texts_run_not_one_word_that_no_runbook_lists, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
