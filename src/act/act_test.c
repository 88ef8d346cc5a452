/* act_test - runbooks from proposal to outcome, with a register, a state database and scripted hands; no thread. */
#include "act/act.h"

#include "act/act_table.h"
#include "act/runbook.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "register/entity_table.h"
#include "register/registry.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)

static const char restart_web[] =
        "runbooks:\n"
        "  - name: restart-web\n"
        "    sentence: Restart ${service} on ${host}\n"
        "    applies_to: {alerts: [WebDown], kinds: [service]}\n"
        "    target: service\n"
        "    parameters:\n"
        "      service: {type: entity, kind: service}\n"
        "      host: {type: entity, kind: host}\n"
        "      mode: {type: enum, values: [soft, hard], value: soft}\n"
        "    guards: {target_rate: {runs: 2, within: 1h}, blast_radius: {share: 0.5, within: 1h}}\n"
        "    steps:\n"
        "      - {name: stop, exec: [/usr/bin/ctl, stop, '${service}.service', '--mode=${mode}'], retry: {times: 1, backoff: 2s}}\n"
        "      - {name: rest, wait: 3s}\n"
        "      - {name: start, exec: [/usr/bin/ctl, start, '${service}.service']}\n"
        "    verify: {after: 2s, within: 60s, stays: 5s}\n";

struct room {
        char directory[SCRATCH_BYTES];
        struct database *state;
        struct registry *registry;
        struct act *act;
        uint64_t sequence;
        int64_t time_ns;
        struct incident_view incident;          /* the one there is */
        struct incident_alert alerts[4];
        struct incident_entity entities[2];
        struct label labels[4][1];
        char notes[16384];
        char launched[4096];                    /* argv's, a line each */
        int status;                             /* of what is launched next */
        bool hangs;                             /* nothing answers */
        size_t kills;
};

/* --- the world of the test ------------------------------------------------------------------------------------------------ */

static bool view(void *context, uint64_t incident, struct arena *arena, struct incident_view *out_view, struct err *err)
{
        struct room *room = context;
        (void)arena;
        if (incident != room->incident.id)
                return (fail)(err, ERR_NOT_FOUND, "test", "no such incident");
        *out_view = room->incident;
        return true;
}

static uint64_t by_number(void *context, uint32_t number)
{
        struct room *room = context;
        return number == room->incident.number ? room->incident.id : 0;
}

static bool note(void *context, uint64_t incident, int64_t time_ns, const char *kind, const char *by, struct str text, struct err *err)
{
        struct room *room = context;
        (void)incident, (void)time_ns, (void)kind, (void)err;
        size_t at = strlen(room->notes);
        snprintf(room->notes + at, sizeof room->notes - at, "%s: %.*s\n", by, STR_ARGS(text));
        return true;
}

static bool launch(void *context, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        struct room *room = context;
        (void)arena;
        size_t at = strlen(room->launched);
        for (size_t i = 0; i < launch->word_count; i++)
                at += (size_t)snprintf(room->launched + at, sizeof room->launched - at, "%s%.*s", i ? "|" : "", STR_ARGS(launch->words[i]));
        snprintf(room->launched + at, sizeof room->launched - at, "\n");
        if (room->hangs)
                return (fail)(err, ERR_CANCELLED, "test", "nobody knows");
        *out_result = (struct launch_result){.status = room->status, .output = STR("said this")};
        return true;
}

static void kill_all(void *context)
{
        ((struct room *)context)->kills++;
}

static void write_all(struct room *room)
{
        struct err err = {0};
        if (!act_is_dirty(room->act))
                return;
        if (!database_begin(room->state, &err) || !act_write(room->act, room->state, &err) || !database_commit(room->state, &err))
                fail_msg("%s", err.message);
        act_written(room->act);
}

static bool order(struct room *room, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        bool good = act_command(room->act, verb, arguments, by, ++room->sequence, room->time_ns, out_result, err);
        json_decref(arguments);
        write_all(room);
        return good;
}

static bool submit(void *context, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        return order(context, verb, arguments, by, out_result, err);
}

static void must(struct room *room, const char *verb, json_t *arguments)
{
        struct err err = {0};
        json_t *result = NULL;
        if (!order(room, verb, arguments, "alice", &result, &err))
                fail_msg("%s: %s", verb, err.message);
        json_decref(result);
}

static void configure(struct room *room, const char *yaml)
{
        struct err err = {0};
        json_t *tree = yaml_parse(str_of(yaml), "t.yaml", &err);
        scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "t.yaml", "tree", tree);
        if (!tree || !act_check_configuration(content, &err) || !act_configure(room->act, content, &err))
                fail_msg("%s", err.message);
}

static void open_act(struct room *room)
{
        struct err err = {0};
        struct act_options options = {.registry = room->registry, .world = {.view = view, .by_number = by_number, .note = note, .context = room},
                                      .hands = {launch, NULL, kill_all, room}, .sink = {submit, room}, .own_host = "web1"};
        assert_true(act_create(&options, &room->act, &err));
        configure(room, restart_web);
        if (!act_load(room->act, room->state, room->time_ns, &err))
                fail_msg("%s", err.message);
        assert_true(act_found(room->act, &err));
}

static void restart(struct room *room)
{
        act_destroy(room->act);
        open_act(room);
}

static void see(struct room *room, const char *host, const char *service)
{
        struct label items[] = {{STR("host"), str_of(host)}, {STR("service"), str_of(service)}};
        struct resource_seen seen = {{items, 2, 2}, room->time_ns, true};
        struct err err = {0};
        assert_true(registry_see(room->registry, &seen, 1, ++room->sequence, room->time_ns, &err));
}

static void fire(struct room *room, size_t place, const char *name, bool is_firing)
{
        room->labels[place][0] = (struct label){STR("alertname"), str_of(name)};
        room->alerts[place] = (struct incident_alert){.id = 100 + place, .labels = {room->labels[place], 1, 1}, .severity = ALERT_CRITICAL, .is_firing = is_firing};
        room->incident.alerts.count = max_of(room->incident.alerts.count, place + 1);
}

static int set_up(void **state)
{
        static const char *const migrations[] = {entity_schema, act_schema, NULL};
        struct room *room = calloc(1, sizeof *room);
        struct err err = {0};
        char path[SCRATCH_BYTES + 16];
        room->time_ns = START_NS;
        assert_int_equal(scratch_make(room->directory, "act"), 0);
        snprintf(path, sizeof path, "%s/state.db", room->directory);
        if (!database_open(path, NULL, migrations, &room->state, &err) || !registry_create(&(struct registry_options){0}, &room->registry, &err) ||
            !registry_load(room->registry, room->state, &err))
                fail_msg("%s", err.message);
        see(room, "web1", "nginx");
        see(room, "web1", "redis");
        room->entities[0] = (struct incident_entity){1, STR("service"), STR("nginx")};
        room->incident = (struct incident_view){.id = 7, .number = 1, .state = INCIDENT_OPEN, .severity = ALERT_CRITICAL, .signature = 5, .signature_text = STR("WebDown on service"),
                                                .opened_ns = START_NS, .alerts = {room->alerts, 0, 4}, .entities = {room->entities, 1, 2}};
        fire(room, 0, "WebDown", true);
        open_act(room);
        *state = room;
        return 0;
}

static int tear_down(void **state)
{
        struct room *room = *state;
        act_destroy(room->act);
        registry_destroy(room->registry);
        database_close(room->state);
        int code = scratch_remove(room->directory);
        free(room);
        return code;
}

/* Time passes in ticks; what is to be done is done between them. */
static void pass(struct room *room, int64_t seconds)
{
        struct err err = {0};
        for (int64_t end_ns = room->time_ns + seconds * NS_PER_S; room->time_ns < end_ns; room->time_ns += 500 * NS_PER_MS) {
                if (!act_tick(room->act, ++room->sequence, room->time_ns, &err))
                        fail_msg("%s", err.message);
                write_all(room);
                act_turn(room->act);
        }
}

static void news(struct room *room, unsigned kinds)
{
        struct incident_news one = {room->incident.id, kinds};
        struct err err = {0};
        if (!act_take(room->act, &one, 1, ++room->sequence, room->time_ns, &err))
                fail_msg("%s", err.message);
        write_all(room);
}

static bool take_body(void *context, const struct run_row *row, struct err *err)
{
        json_t **json = context;
        json_decref(*json);
        return (*json = json_parse(row->body, err)) != NULL;
}

static json_t *run_of(struct room *room, int64_t number)
{
        struct err err = {0};
        json_t *json = NULL;
        bool found = false;
        if (!run_row_get(room->state, number, &found, take_body, &json, &err))
                fail_msg("%s", err.message);
        return found ? json : NULL;
}

static void assert_state(struct room *room, int64_t number, const char *state)
{
        scoped_ptr(json_decref) json_t *run = run_of(room, number);
        if (!run || !str_is(json_str(run, "state"), state))
                fail_msg("run %" PRId64 " is %s and not %s:\n%s", number, run ? json_string_value(json_object_get(run, "state")) : "missing", state, room->notes);
}

static void assert_noted(const struct room *room, const char *text)
{
        if (!strstr(room->notes, text))
                fail_msg("no note says \"%s\":\n%s", text, room->notes);
}

static void approve(struct room *room, int64_t number)
{
        must(room, "run_approve", json_pack("{s:I, s:s}", "run", (json_int_t)number, "why", "I looked"));
}

/* --- stories ------------------------------------------------------------------------------------------------------------------ */

static void a_run_is_proposed_approved_run_and_verified(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        assert_state(room, 1, "proposed");
        pass(room, 5);
        assert_string_equal(room->launched, "");
        approve(room, 1);
        pass(room, 1);
        assert_string_equal(room->launched, "/usr/bin/ctl|stop|nginx.service|--mode=soft\n");
        pass(room, 4);
        assert_string_equal(room->launched, "/usr/bin/ctl|stop|nginx.service|--mode=soft\n/usr/bin/ctl|start|nginx.service\n");
        assert_state(room, 1, "verifying");
        fire(room, 0, "WebDown", false);
        pass(room, 12);
        assert_state(room, 1, "succeeded");
        assert_noted(room, "alice: run 1, Restart nginx on web1: approved: I looked");
        assert_noted(room, "it worked: 1 alerts fired before, 0 now");
}

static void a_proposal_shows_exactly_what_would_run(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        scoped_ptr(json_decref) json_t *run = run_of(room, 1);
        const json_t *plan = json_object_get(json_object_get(run, "facts"), "plan");
        scoped_ptr(json_decref) json_t *words = json_pack("[s, s, s, s]", "/usr/bin/ctl", "stop", "nginx.service", "--mode=soft");
        assert_int_equal(json_array_size(plan), 3);
        assert_true(json_equal(json_object_get(json_array_get(plan, 0), "words"), words));
        assert_int_equal(json_i64(json_array_get(plan, 1), "for_ns", 0), 3 * NS_PER_S);
}

static void what_runs_is_what_was_approved_whatever_becomes_of_the_file(void **state)
{
        struct room *room = *state;
        scoped(buf_done) struct buf other = {0};
        news(room, NEWS_OPENED);
        for (const char *at = restart_web; *at;)
                if (strncmp(at, "/usr/bin/ctl", 12) == 0) {
                        buf_text(&other, "/bin/evil");
                        at += 12;
                } else {
                        buf_byte(&other, *at++);
                }
        buf_byte(&other, 0);
        configure(room, other.bytes);
        approve(room, 1);
        pass(room, 1);
        assert_string_equal(room->launched, "/usr/bin/ctl|stop|nginx.service|--mode=soft\n");
}

static void a_step_is_tried_again_with_a_pause_and_then_fails_the_run(void **state)
{
        struct room *room = *state;
        room->status = 3;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 1);
        assert_state(room, 1, "running");
        pass(room, 5);
        assert_string_equal(room->launched, "/usr/bin/ctl|stop|nginx.service|--mode=soft\n/usr/bin/ctl|stop|nginx.service|--mode=soft\n");
        assert_state(room, 1, "failed");
        assert_noted(room, "the step stop failed: it ended with status 3");
}

static void a_crash_in_the_middle_leaves_the_run_interrupted_and_repeats_nothing(void **state)
{
        struct room *room = *state;
        room->hangs = true;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 2);
        assert_string_equal(room->launched, "/usr/bin/ctl|stop|nginx.service|--mode=soft\n");
        restart(room);
        room->hangs = false;
        room->launched[0] = 0;
        pass(room, 30);
        assert_string_equal(room->launched, "");
        assert_state(room, 1, "interrupted");
        assert_noted(room, "whether the last step took effect is not known");
}

static void verification_goes_on_after_a_restart(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 5);
        assert_state(room, 1, "verifying");
        restart(room);
        fire(room, 0, "WebDown", false);
        pass(room, 15);
        assert_state(room, 1, "succeeded");
}

static void a_fault_that_stays_fails_the_run(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 70);
        assert_state(room, 1, "failed");
        assert_noted(room, "it did not help");
}

static void something_new_that_fires_makes_it_harmful_and_takes_autonomy_away(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        must(room, "runbook_autonomy", json_pack("{s:s, s:s}", "runbook", "restart-web", "level", "approve"));
        approve(room, 1);
        pass(room, 5);
        fire(room, 1, "DatabaseDown", true);
        pass(room, 12);
        assert_state(room, 1, "harmful");
        assert_noted(room, "it did harm: DatabaseDown fires");
        room->incident.id = 8;
        room->incident.opened_ns = room->time_ns;
        news(room, NEWS_OPENED);
        scoped_ptr(json_decref) json_t *run = run_of(room, 2);
        const json_t *belief = json_object_get(json_object_get(run, "facts"), "belief");
        assert_true(json_flag(belief, "is_demoted", false));
        assert_true(str_is(json_str(belief, "autonomy"), "suggest"));
        assert_true(str_is(json_str(belief, "allowed"), "approve"));
        assert_int_equal(json_i64(belief, "harmful", 0), 1);
}

static void autonomy_is_earned_by_verified_success_alone(void **state)
{
        struct room *room = *state;
        must(room, "runbook_autonomy", json_pack("{s:s, s:s}", "runbook", "restart-web", "level", "auto"));
        for (int i = 1; i <= 25; i++) {
                room->incident.id = 100 + (uint64_t)i;
                room->incident.opened_ns = room->time_ns;
                fire(room, 0, "WebDown", true);
                news(room, NEWS_OPENED);
                scoped_ptr(json_decref) json_t *run = run_of(room, i);
                if (str_is(json_str(run, "state"), "proposed"))
                        approve(room, i);
                else
                        assert_true(i > 5 && json_flag(run, "is_auto", false));
                pass(room, 5);
                fire(room, 0, "WebDown", false);
                pass(room, 12);
                assert_state(room, i, "succeeded");
                room->time_ns += 3600 * NS_PER_S;
        }
        scoped_ptr(json_decref) json_t *last = run_of(room, 25);
        assert_true(json_flag(last, "is_auto", false));
}

static const json_t *belief_of(const json_t *run)
{
        return json_object_get(json_object_get(run, "facts"), "belief");
}

/* The numberth incident opens; its run, as proposed. The caller's. */
static json_t *next_incident(struct room *room, int number)
{
        room->time_ns += 3600 * NS_PER_S;
        room->incident.id = 100 + (uint64_t)number;
        room->incident.opened_ns = room->time_ns;
        room->incident.state = INCIDENT_OPEN;
        fire(room, 0, "WebDown", true);
        fire(room, 1, "DatabaseDown", false);
        news(room, NEWS_OPENED);
        return run_of(room, number);
}

static void let_it_help(struct room *room)
{
        pass(room, 5);
        fire(room, 0, "WebDown", false);
        pass(room, 12);
}

static void nobody_gave_it_more_it_is_suggested(void **state)
{
        struct room *room = *state;
        scoped_ptr(json_decref) json_t *run = next_incident(room, 1);
        assert_true(str_is(json_str(belief_of(run), "autonomy"), "suggest"));
        assert_null(json_object_get(json_object_get(run, "story"), "asks"));
        pass(room, 30);
        assert_string_equal(room->launched, "");
}

static void allowed_to_ask_it_asks_and_runs_nothing(void **state)
{
        struct room *room = *state;
        must(room, "runbook_autonomy", json_pack("{s:s, s:s}", "runbook", "restart-web", "level", "approve"));
        scoped_ptr(json_decref) json_t *run = next_incident(room, 1);
        assert_true(str_is(json_str(belief_of(run), "autonomy"), "approve"));
        assert_true(json_flag(json_object_get(run, "story"), "asks", false));
        pass(room, 30);
        assert_string_equal(room->launched, "");
}

static void allowed_to_go_ahead_it_asks_until_it_has_earned_it(void **state)
{
        struct room *room = *state;
        must(room, "runbook_autonomy", json_pack("{s:s, s:s}", "runbook", "restart-web", "level", "auto"));
        scoped_ptr(json_decref) json_t *run = next_incident(room, 1);
        assert_true(str_is(json_str(belief_of(run), "autonomy"), "approve"));
        assert_true(str_is(json_str(belief_of(run), "allowed"), "auto"));
        assert_false(json_flag(run, "is_auto", false));
}

static const char standard_change[] =
        "runbooks:\n"
        "  - name: restart-web\n"
        "    sentence: Restart ${service} on ${host}\n"
        "    standard_change: true\n"
        "    applies_to: {alerts: [WebDown], kinds: [service]}\n"
        "    target: service\n"
        "    parameters: {service: {type: entity, kind: service}, host: {type: entity, kind: host}}\n"
        "    guards: {blast_radius: {share: 1, within: 1h}}\n"
        "    steps: [{exec: [/usr/bin/ctl, '${service}.service']}]\n"
        "    verify: {after: 2s, within: 60s, stays: 5s}\n";

static void a_standard_change_goes_ahead_until_it_does_harm_and_again_after_ten_successes(void **state)
{
        struct room *room = *state;
        configure(room, standard_change);
        scoped_ptr(json_decref) json_t *first = next_incident(room, 1);
        assert_true(json_flag(first, "is_auto", false));
        pass(room, 5);
        fire(room, 1, "DatabaseDown", true);
        pass(room, 12);
        assert_state(room, 1, "harmful");
        for (int i = 2; i <= 11; i++) {
                scoped_ptr(json_decref) json_t *run = next_incident(room, i);
                assert_false(json_flag(run, "is_auto", false));
                assert_true(str_is(json_str(belief_of(run), "autonomy"), "suggest"));
                assert_int_equal(json_i64(belief_of(run), "until_trusted", 0), 12 - i);
                approve(room, i);
                let_it_help(room);
                assert_state(room, i, "succeeded");
        }
        scoped_ptr(json_decref) json_t *last = next_incident(room, 12);
        assert_true(json_flag(last, "is_auto", false));
}

static void a_run_that_does_not_fit_is_told_with_the_names_of_what_it_lacks(void **state)
{
        static const char undeclared[] =
                "runbooks:\n"
                "  - name: restart-web\n"
                "    sentence: Restart ${service} in mode ${mode}\n"
                "    applies_to: {alerts: [WebDown], kinds: [service]}\n"
                "    target: service\n"
                "    parameters: {service: {type: entity, kind: service}, mode: {type: enum, values: [soft, hard]}}\n"
                "    steps: [{exec: [/usr/bin/ctl, '${service}.service', '${mode}']}]\n"
                "    verify: {after: 2s, within: 60s, stays: 5s}\n";
        struct room *room = *state;
        configure(room, undeclared);
        scoped_ptr(json_decref) json_t *run = next_incident(room, 1);
        assert_true(str_is(json_str(run, "state"), "rejected"));
        assert_string_equal(json_string_value(json_object_get(json_object_get(run, "facts"), "sentence")), "Restart nginx in mode mode");
        assert_noted(room, "mode has no value");
}

static void what_an_administrator_takes_back_is_no_standard_change(void **state)
{
        struct room *room = *state;
        configure(room, standard_change);
        must(room, "runbook_autonomy", json_pack("{s:s, s:s}", "runbook", "restart-web", "level", "suggest"));
        scoped_ptr(json_decref) json_t *run = next_incident(room, 1);
        assert_false(json_flag(run, "is_auto", false));
        assert_true(str_is(json_str(belief_of(run), "autonomy"), "suggest"));
}

static json_t *trust_of_runbook(struct room *room)
{
        scoped(buf_done) struct buf text = {0};
        struct err err = {0};
        bool found;
        assert_true(act_part_read(room->state, "runbooks", &text, &found, &err) && found);
        scoped_ptr(json_decref) json_t *list = json_parse(buf_str(&text), &err);
        return json_incref(json_object_get(json_array_get(list, 0), "trust"));
}

static void a_run_counts_once_whoever_judges_it_how_often_and_after_a_restart(void **state)
{
        struct room *room = *state;
        json_decref(next_incident(room, 1));
        approve(room, 1);
        let_it_help(room);
        assert_state(room, 1, "succeeded");
        restart(room);
        pass(room, 5);
        static const char *const judged[] = {"failed", "harmful", "failed", "succeeded", "succeeded"};
        for (size_t i = 0; i < countof(judged); i++) {
                must(room, "run_judge", json_pack("{s:i, s:s}", "run", 1, "outcome", judged[i]));
                restart(room);
                scoped_ptr(json_decref) json_t *trust = trust_of_runbook(room);
                assert_int_equal(json_i64(trust, "verified", 9) + json_i64(trust, "failed", 9) + json_i64(trust, "harmful", 9), 1);
        }
        scoped_ptr(json_decref) json_t *trust = trust_of_runbook(room);
        assert_int_equal(json_i64(trust, "verified", 0), 1);
        const json_t *known = json_array_get(json_object_get(trust, "known"), 0);
        assert_true(str_is(json_str(known, "signature"), "WebDown on service") && str_is(json_str(known, "target_kind"), "service"));
        assert_int_equal(json_i64(known, "verified", 0), 1);
        assert_int_equal(json_i64(json_object_get(trust, "wants"), "verified", 0), 5);
}

/* A run that shows no outcome is not counted; judging it must take nothing from others. */
static void what_was_not_counted_is_not_taken_back(void **state)
{
        struct room *room = *state;
        json_decref(next_incident(room, 1));
        approve(room, 1);
        pass(room, 70);
        assert_state(room, 1, "failed");
        json_decref(next_incident(room, 2));
        approve(room, 2);
        pass(room, 1);
        must(room, "run_stop", json_pack("{s:i}", "run", 2));
        must(room, "run_judge", json_pack("{s:i, s:s}", "run", 2, "outcome", "succeeded"));
        scoped_ptr(json_decref) json_t *trust = trust_of_runbook(room);
        assert_int_equal(json_i64(trust, "verified", 9), 1);
        assert_int_equal(json_i64(trust, "failed", 9), 1);
}

static double heals(struct room *room, int number)
{
        scoped_ptr(json_decref) json_t *run = next_incident(room, number);
        return json_number_value(json_object_get(belief_of(run), "heals_by_itself"));
}

static void hear(struct room *room, const char *verb)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *arguments = json_pack("{s:i, s:s}", "incident", 1, "text", "systemctl restart nginx");
        if (!act_heard(room->act, verb, arguments, &err))
                fail_msg("%s", err.message);
        write_all(room);
}

static void resolve(struct room *room)
{
        fire(room, 0, "WebDown", false);
        room->incident.state = INCIDENT_RESOLVED;
        news(room, NEWS_RESOLVED);
}

static void what_people_did_is_no_healing_whether_they_say_so_before_or_after(void **state)
{
        struct room *room = *state;
        double nothing = heals(room, 1);
        hear(room, "incident_action");  /* while it is open */
        resolve(room);
        assert_true(heals(room, 2) == nothing);
        resolve(room);
        restart(room);
        hear(room, "incident_fix");     /* when it is over, and the program was started anew */
        assert_true(heals(room, 3) == nothing);
        resolve(room);
        hear(room, "incident_comment"); /* words are no deed */
        assert_true(heals(room, 4) > nothing);
}

static void refused_by(struct room *room, int64_t number, const char *guard)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *result = NULL;
        if (!order(room, "run_approve", json_pack("{s:I}", "run", (json_int_t)number), "alice", &result, &err))
                fail_msg("%s", err.message);
        struct str told = json_str(json_object_get(result, "refused"), "guard");
        if (!str_is(told, guard))
                fail_msg("refused by \"%.*s\" and not %s", STR_ARGS(told), guard);
        assert_state(room, number, "proposed");
        scoped_ptr(json_decref) json_t *run = run_of(room, number);
        const json_t *refusals = json_object_get(json_object_get(run, "story"), "refusals");
        assert_true(str_is(json_str(json_array_get(refusals, json_array_size(refusals) - 1), "guard"), guard));
}

static void stopping_all_automation_kills_what_runs_and_keeps_the_rest_from_starting(void **state)
{
        struct room *room = *state;
        room->hangs = true;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 1);
        must(room, "automation_stop", json_pack("{s:s}", "why", "fire drill"));
        assert_int_equal(room->kills, 1);
        assert_state(room, 1, "stopped");
        restart(room);
        room->incident.id = 8;
        news(room, NEWS_OPENED);
        refused_by(room, 2, "stopped");
        assert_noted(room, "all automation was stopped by alice: fire drill");
        must(room, "automation_resume", json_object());
        approve(room, 2);
        assert_state(room, 2, "approved");
}

static void guards_refuse_and_keep_their_reason(void **state)
{
        struct room *room = *state;
        scoped(buf_done) struct buf frozen = {0};
        news(room, NEWS_OPENED);
        buf_printf(&frozen, "%sfreezes: [{name: year end, from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z'}]\n", restart_web);
        buf_byte(&frozen, 0);
        configure(room, frozen.bytes);
        refused_by(room, 1, "freeze");
        configure(room, restart_web);
        room->incident.state = INCIDENT_RESOLVED;
        refused_by(room, 1, "fault_gone");
        room->incident.state = INCIDENT_OPEN;
        approve(room, 1);
        pass(room, 1);
        room->incident.id = 8;
        news(room, NEWS_OPENED);
        refused_by(room, 2, "target_busy");
        pass(room, 70);
        approve(room, 2);
        pass(room, 70);
        room->incident.id = 9;
        news(room, NEWS_OPENED);
        refused_by(room, 3, "target_rate");
        room->entities[0].name = STR("redis");
        room->incident.id = 10;
        news(room, NEWS_OPENED);
        refused_by(room, 4, "blast_radius");
}

static void a_thousand_alerts_have_the_names_of_those_that_fire_and_may_be_told_each_once(void **state)
{
        (void)state;
        static struct incident_alert alerts[1000];
        static char names[7][16];
        static struct label labels[7];
        struct incident_view view = {.alerts = {.items = alerts, .count = countof(alerts)}};
        struct alert_names found;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        for (size_t i = 0; i < countof(names); i++) {
                snprintf(names[i], sizeof names[i], "Kind%zu", i);
                labels[i] = (struct label){STR("alertname"), str_of(names[i])};
        }
        for (size_t i = 0; i < countof(alerts); i++)
                alerts[i] = (struct incident_alert){.is_firing = i % 7 != 3, .is_held = i % 7 == 5, .labels = {.items = &labels[i % 7], .count = 1}};
        assert_true(alert_names_of(&view, &arena, &found, NULL));
        assert_int_equal(found.count, 5);
        for (size_t i = 0; i < found.count; i++)
                assert_true(str_is(found.items[i], names[i < 3 ? i : i == 3 ? 4 : 6]));
}

static void what_is_not_in_the_register_is_no_argument(void **state)
{
        struct room *room = *state;
        room->entities[0].name = STR("$(reboot)");
        news(room, NEWS_OPENED);
        assert_null(run_of(room, 1));
        struct err err = {0};
        json_t *result = NULL;
        assert_false(order(room, "run_start", json_pack("{s:s, s:i, s:s}", "runbook", "restart-web", "incident", 1, "target", "$(reboot)"), "alice", &result, &err));
        assert_false(order(room, "run_start", json_pack("{s:s, s:i, s:{s:s}}", "runbook", "restart-web", "incident", 1, "values", "service", "nginx"), "alice", &result, &err));
        pass(room, 2);
        assert_string_equal(room->launched, "");
}

static void an_incident_that_ends_takes_its_proposals_along_and_counts_as_healed(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        pass(room, 3);
        fire(room, 0, "WebDown", false);
        room->incident.state = INCIDENT_RESOLVED;
        news(room, NEWS_RESOLVED);
        assert_state(room, 1, "withdrawn");
        fire(room, 0, "WebDown", true);
        room->incident.id = 8;
        room->incident.state = INCIDENT_OPEN;
        news(room, NEWS_OPENED);
        scoped_ptr(json_decref) json_t *run = run_of(room, 2);
        double healed = json_number_value(json_object_get(json_object_get(json_object_get(run, "facts"), "belief"), "heals_by_itself"));
        assert_true(healed > 0.4);
}

static void a_result_that_nobody_waits_for_is_refused(void **state)
{
        struct room *room = *state;
        room->hangs = true;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 1);
        scoped_ptr(json_decref) json_t *run = run_of(room, 1);
        struct err err = {0};
        json_t *result = NULL;
        assert_false(order(room, "step_result", json_pack("{s:O, s:i, s:i, s:b}", "run", json_object_get(run, "id"), "step", 2, "attempt", 0, "good", 1), "evenkeel", &result, &err));
        assert_int_equal(err.code, ERR_CONFLICT);
        assert_true(order(room, "step_result", json_pack("{s:O, s:i, s:i, s:b}", "run", json_object_get(run, "id"), "step", 0, "attempt", 0, "good", 1), "evenkeel", &result, &err));
        json_decref(result);
        result = NULL;
        assert_false(order(room, "step_result", json_pack("{s:O, s:i, s:i, s:b}", "run", json_object_get(run, "id"), "step", 0, "attempt", 0, "good", 1), "evenkeel", &result, &err));
}

static void a_person_may_judge_better(void **state)
{
        struct room *room = *state;
        news(room, NEWS_OPENED);
        approve(room, 1);
        pass(room, 5);
        fire(room, 0, "WebDown", false);
        pass(room, 12);
        assert_state(room, 1, "succeeded");
        must(room, "run_judge", json_pack("{s:i, s:s, s:s}", "run", 1, "outcome", "harmful", "why", "it lost the sessions"));
        assert_state(room, 1, "harmful");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                STORY(a_run_is_proposed_approved_run_and_verified),
                STORY(a_proposal_shows_exactly_what_would_run),
                STORY(what_runs_is_what_was_approved_whatever_becomes_of_the_file),
                STORY(a_step_is_tried_again_with_a_pause_and_then_fails_the_run),
                STORY(a_crash_in_the_middle_leaves_the_run_interrupted_and_repeats_nothing),
                STORY(verification_goes_on_after_a_restart),
                STORY(a_fault_that_stays_fails_the_run),
                STORY(something_new_that_fires_makes_it_harmful_and_takes_autonomy_away),
                STORY(nobody_gave_it_more_it_is_suggested),
                STORY(allowed_to_ask_it_asks_and_runs_nothing),
                STORY(allowed_to_go_ahead_it_asks_until_it_has_earned_it),
                STORY(autonomy_is_earned_by_verified_success_alone),
                STORY(a_standard_change_goes_ahead_until_it_does_harm_and_again_after_ten_successes),
                STORY(a_run_that_does_not_fit_is_told_with_the_names_of_what_it_lacks),
                STORY(what_an_administrator_takes_back_is_no_standard_change),
                STORY(a_run_counts_once_whoever_judges_it_how_often_and_after_a_restart),
                STORY(what_was_not_counted_is_not_taken_back),
                STORY(what_people_did_is_no_healing_whether_they_say_so_before_or_after),
                STORY(stopping_all_automation_kills_what_runs_and_keeps_the_rest_from_starting),
                STORY(guards_refuse_and_keep_their_reason),
                STORY(a_thousand_alerts_have_the_names_of_those_that_fire_and_may_be_told_each_once),
                STORY(what_is_not_in_the_register_is_no_argument),
                STORY(an_incident_that_ends_takes_its_proposals_along_and_counts_as_healed),
                STORY(a_result_that_nobody_waits_for_is_refused),
                STORY(a_person_may_judge_better),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
