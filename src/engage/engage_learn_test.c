/* engage_learn_test - each word of a person is an entry of the ledger with its effect, and taken back it leaves the models as if it had never been said. */
#include "engage/engage.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/yaml.h"
#include "engage/engage_state.h"
#include "engage/incident_table.h"
#include "engage/learning_table.h"
#include "store/database.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S ((int64_t)1000000000)
#define START (1767225600 * S)

SCOPED_PTR(engage_destroy, struct engage)
SCOPED_PTR(database_close, struct database)

struct house {
        struct engage *engage;
        struct noticed noticed;
        uint64_t sequence;
        int64_t now_ns;
        struct arena arena;
        struct err err;
        char folder[SCRATCH_BYTES];
        struct database *state;
};

static void house_done(struct house *house)
{
        engage_destroy(house->engage);
        database_close(house->state);
        noticed_done(&house->noticed);
        arena_done(&house->arena);
        scratch_remove(house->folder);
}

static void house_init(struct house *house)
{
        static const char *const migrations[] = {engage_schema, engage_evidence_schema, learning_schema, past_schema, NULL};
        char path[SCRATCH_BYTES + 16];
        *house = (struct house){.now_ns = START};
        noticed_init(&house->noticed);
        arena_init(&house->arena, 0);
        assert_int_equal(scratch_make(house->folder, "learn"), 0);
        snprintf(path, sizeof path, "%s/state.db", house->folder);
        assert_true(database_open(path, NULL, migrations, &house->state, &house->err));
        assert_true(engage_create(&(struct engage_options){0}, &house->engage, &house->err));
}

static void configure(struct house *house, const char *text)
{
        json_t *tree = yaml_parse(str_of(text), "teams.yaml", &house->err);
        scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "teams.yaml", "tree", tree);
        if (!engage_check_configuration(content, &house->err) || !engage_configure(house->engage, content, &house->err))
                fail_msg("%s", house->err.message);
}

static void store(struct house *house)
{
        if (!database_begin(house->state, &house->err) || !engage_write(house->engage, house->state, &house->err) || !database_commit(house->state, &house->err))
                fail_msg("%s", house->err.message);
        engage_written(house->engage);
}

/* "name=value name=value" fires. Gives the number of its incident. */
static uint32_t fire(struct house *house, const char *text)
{
        struct labels labels = {0};
        struct str rest = str_of(text), one, name;
        while (rest.length && str_cut(&rest, ' ', &one)) {
                str_cut(&one, '=', &name);
                *arena_push(&house->arena, &labels) = (struct label){name, one};
        }
        assert_true(labels_canonical(&labels, &house->err));
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = labels, .is_firing = true};
        struct incident *incident, *last = NULL;
        house->now_ns += S;
        assert_true(noticed_add_finding(&house->noticed, &finding, &house->err));
        assert_true(engage_take(house->engage, &house->noticed, ++house->sequence, house->now_ns, &house->err));
        noticed_clear(&house->noticed);
        engage_news_clear(house->engage);
        for (size_t at = 0; (incident = incidents_next(house->engage->incidents, &at));)
                last = incident;
        return last->number;
}

static bool order(struct house *house, const char *verb, const char *arguments, json_t **out_result)
{
        scoped_ptr(json_decref) json_t *parsed = json_parse(str_of(arguments), &house->err);
        json_t *result = NULL;
        assert_non_null(parsed);
        house->now_ns += S;
        bool good = engage_command(house->engage, verb, parsed, "alice", ++house->sequence, house->now_ns, &result, &house->err);
        engage_news_clear(house->engage);
        if (out_result)
                *out_result = result;
        else
                json_decref(result);
        return good;
}

static struct incident_view view(struct house *house, uint32_t number)
{
        struct incident_view seen;
        assert_true(engage_view(house->engage, engage_incident_id(house->engage, number), &house->arena, &seen, &house->err));
        return seen;
}

/* The newest entry of the ledger, and its effect. */
static json_t *last_entry(struct house *house)
{
        store(house);
        scoped_ptr(json_decref) json_t *rows = ledger_rows_read(house->state, 0, 1, &house->err);
        assert_int_equal(json_array_size(rows), 1);
        return json_incref(json_array_get(rows, 0));
}

/* What taking it back says. */
static void revert_last_saying(struct house *house, const char *says)
{
        scoped_ptr(json_decref) json_t *entry = last_entry(house), *result = NULL;
        char arguments[80];
        snprintf(arguments, sizeof arguments, "{\"entry\":\"%s\"}", json_string_value(json_object_get(entry, "id")));
        if (!order(house, "model_revert", arguments, &result))
                fail_msg("%s", house->err.message);
        const char *sentence = json_string_value(json_object_get(json_object_get(result, "replay"), "sentence"));
        assert_non_null(sentence);
        if (says)
                assert_string_equal(sentence, says);
        store(house);
}

static void revert_last(struct house *house)
{
        revert_last_saying(house, NULL);
}

static bool add_pair(void *context, const struct learned_row *row, struct err *err)
{
        (void)err;
        return buf_printf(context, "%" PRIu64 " %.*s %.*s %g %g %" PRId64 "\n", row->pair, STR_ARGS(row->one), STR_ARGS(row->other), row->together, row->apart, row->changed_ns);
}

static bool add_example(void *context, const struct router_example *example, struct err *err)
{
        (void)err;
        return buf_printf(context, "%" PRIu64 " %.*s %.*s\n", example->id, STR_ARGS(example->texts[0]), STR_ARGS(example->team));
}

static bool add_fix(void *context, const struct fix_row *fix, struct err *err)
{
        (void)err;
        return buf_printf(context, "%" PRIu64 " %.*s\n", fix->id, STR_ARGS(fix->text));
}

/* All that the models are: the rows, and the classifier to the byte. */
static void models_of(struct house *house, struct buf *out)
{
        store(house);
        assert_true(learned_rows_load(house->state, add_pair, out, &house->err));
        assert_true(example_rows_load(house->state, add_example, out, &house->err));
        assert_true(fix_rows_load(house->state, add_fix, out, &house->err));
        assert_true(engage_routing_snapshot(house->engage, out, &house->err));
}

static void three_incidents(struct house *house)
{
        assert_int_equal(fire(house, "alertname=DiskFull host=web1"), 1);
        house->now_ns += 7200 * S;
        assert_int_equal(fire(house, "alertname=SlowAnswers service=shop"), 2);
        house->now_ns += 7200 * S;
        assert_int_equal(fire(house, "alertname=QueueGrows service=mail"), 3);
}

static void each_word_taken_back_leaves_the_models_as_they_were(void **unused)
{
        static const struct { const char *verb, *arguments, *model; } words[] = {
                {"incident_merge", "{\"incident\":2,\"into\":1}", "correlation"},
                {"incident_cause", "{\"incident\":3,\"entity\":\"mail\"}", "causes"},
                {"incident_reroute", "{\"incident\":3,\"team\":\"mail\"}", "routing"},
                {"incident_noise", "{\"incident\":3,\"kind\":\"false\"}", "noise"},
                {"incident_fix", "{\"incident\":3,\"text\":\"emptied the queue\"}", "help"},
        };
        (void)unused;
        for (size_t i = 0; i < countof(words); i++) {
                scoped(house_done) struct house house;
                scoped(buf_done) struct buf before = {0}, said = {0}, after = {0};
                house_init(&house);
                three_incidents(&house);
                assert_true(order(&house, "incident_reroute", "{\"incident\":1,\"team\":\"storage\"}", NULL));
                models_of(&house, &before);
                if (!order(&house, words[i].verb, words[i].arguments, NULL))
                        fail_msg("%s: %s", words[i].verb, house.err.message);
                models_of(&house, &said);
                assert_false(str_equal(buf_str(&before), buf_str(&said)));
                scoped_ptr(json_decref) json_t *entry = last_entry(&house);
                assert_string_equal(json_string_value(json_object_get(entry, "model")), words[i].model);
                assert_string_equal(json_string_value(json_object_get(entry, "by")), "alice");
                assert_int_equal(json_i64(json_object_get(entry, "replay"), "of", 0), strcmp(words[i].model, "help") == 0 ? 2 : 3); /* the others */
                revert_last(&house);
                models_of(&house, &after);
                if (!str_equal(buf_str(&before), buf_str(&after)))
                        fail_msg("after %s and its revert:\n%.*s\nbefore:\n%.*s", words[i].verb, (int)min_of(after.length, (size_t)600), after.bytes,
                                 (int)min_of(before.length, (size_t)600), before.bytes);
        }
}

static void a_revert_between_other_words_takes_only_its_own_part(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house, never;
        scoped(buf_done) struct buf mine = {0}, theirs = {0};
        house_init(&house);
        house_init(&never);
        three_incidents(&house);
        three_incidents(&never);
        assert_true(order(&house, "incident_cause", "{\"incident\":3,\"entity\":\"mail\"}", NULL) && order(&never, "incident_cause", "{\"incident\":3,\"entity\":\"mail\"}", NULL));
        scoped_ptr(json_decref) json_t *entry = NULL;
        assert_true(order(&house, "incident_cause", "{\"incident\":3,\"entity\":\"mail\"}", NULL)); /* said twice, taken back once */
        entry = last_entry(&house);
        revert_last(&house);
        models_of(&house, &mine);
        models_of(&never, &theirs);
        assert_true(mine.length > 0 && str_equal(buf_str(&mine), buf_str(&theirs)));
}

static void the_effect_counts_the_incidents_that_would_have_gone_elsewhere(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        fire(&house, "alertname=DiskFull host=web1");
        house.now_ns += 7200 * S;
        fire(&house, "alertname=DiskFull host=db9");
        assert_true(order(&house, "incident_reroute", "{\"incident\":1,\"team\":\"storage\"}", NULL));
        scoped_ptr(json_decref) json_t *entry = last_entry(&house);
        assert_string_equal(json_string_value(json_object_get(json_object_get(entry, "replay"), "sentence")), "2 of the last 2 incidents would have been routed otherwise");
}

#define TEAMS "receivers:\n- {name: chat, webhook: {url: \"http://127.0.0.1:9/chat\"}}\nteams:\n- {name: web, receivers: [chat]}\n- {name: storage, receivers: [chat]}\n" \
              "routes:\n- {match: [\"service=shop\"], team: web}\n"

static void teach_storage(struct house *house)
{
        fire(house, "alertname=DiskFull host=web1");
        assert_true(order(house, "incident_reroute", "{\"incident\":1,\"team\":\"storage\"}", NULL));
        house->now_ns += 7200 * S;
}

static json_t *suggestion_of(struct house *house, uint32_t number)
{
        store(house);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(house->state, number, &house->err);
        assert_non_null(incident);
        return json_incref(json_object_get(incident, "suggestion"));
}

static void a_team_is_suggested_when_no_route_leads_to_one(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        configure(&house, TEAMS);
        teach_storage(&house);
        assert_int_equal(fire(&house, "alertname=DiskFull host=db9"), 2);
        scoped_ptr(json_decref) json_t *suggestion = suggestion_of(&house, 2);
        assert_string_equal(json_string_value(json_object_get(suggestion, "team")), "storage");
        assert_string_equal(json_string_value(json_object_get(suggestion, "state")), "suggested");
        assert_true(json_array_size(json_object_get(suggestion, "words")) > 0);
        assert_int_equal(view(&house, 2).team.length, 0);
        house.now_ns += 7200 * S;
        assert_int_equal(fire(&house, "alertname=DiskFull service=shop"), 3); /* a route says who has it */
        scoped_ptr(json_decref) json_t *none = suggestion_of(&house, 3);
        assert_true(json_is_null(none));
}

static void approve_waits_for_a_person_whose_word_is_learnt(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        configure(&house, TEAMS "routing: {autonomy: approve}\n");
        teach_storage(&house);
        fire(&house, "alertname=DiskFull host=db9");
        scoped_ptr(json_decref) json_t *waiting = suggestion_of(&house, 2);
        assert_string_equal(json_string_value(json_object_get(waiting, "state")), "waiting");
        assert_true(order(&house, "incident_team_approve", "{\"incident\":2}", NULL));
        assert_true(str_is(view(&house, 2).team, "storage"));
        scoped_ptr(json_decref) json_t *approved = suggestion_of(&house, 2), *entry = last_entry(&house);
        assert_string_equal(json_string_value(json_object_get(approved, "state")), "approved");
        assert_string_equal(json_string_value(json_object_get(entry, "what")), "incidents such as 2 belong to team storage");
        assert_false(order(&house, "incident_team_reject", "{\"incident\":2}", NULL));
        assert_int_equal(house.err.code, ERR_NOT_FOUND);
}

static void auto_gives_the_team_only_when_sure_and_never_learns_from_itself(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        configure(&house, TEAMS "routing: {autonomy: auto, confidence: 0.5, examples: 1}\n");
        teach_storage(&house);
        fire(&house, "alertname=DiskFull host=db9");
        assert_true(str_is(view(&house, 2).team, "storage"));
        scoped_ptr(json_decref) json_t *routed = suggestion_of(&house, 2);
        assert_string_equal(json_string_value(json_object_get(routed, "state")), "routed");
        scoped_ptr(json_decref) json_t *rows = ledger_rows_read(house.state, 0, 10, &house.err);
        assert_int_equal(json_array_size(rows), 1); /* the one word of a person */
        configure(&house, TEAMS "routing: {autonomy: auto, confidence: 0.5, examples: 5}\n");
        house.now_ns += 7200 * S;
        fire(&house, "alertname=DiskFull host=db10");
        assert_int_equal(view(&house, 3).team.length, 0);
        scoped_ptr(json_decref) json_t *waiting = suggestion_of(&house, 3);
        assert_string_equal(json_string_value(json_object_get(waiting, "state")), "waiting");
}

/* Resolved, stored, and long enough ago for the next one to be another incident. */
static void end(struct house *house, uint32_t number)
{
        char arguments[40];
        snprintf(arguments, sizeof arguments, "{\"incident\":%u}", number);
        assert_true(order(house, "incident_close", arguments, NULL));
        store(house);
        house->now_ns += 7200 * S;
}

static void what_helped_an_incident_like_it_is_known_until_it_is_taken_back(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        struct engage_help help;
        house_init(&house);
        fire(&house, "alertname=DiskFull host=web1");
        assert_true(order(&house, "incident_fix", "{\"incident\":1,\"text\":\"emptied the spool\"}", NULL));
        store(&house);
        end(&house, 1);
        fire(&house, "alertname=QueueGrows service=mail");
        assert_false(engage_helped(house.engage, engage_incident_id(house.engage, 2), &help)); /* nothing alike */
        end(&house, 2);
        fire(&house, "alertname=DiskFull host=web2");
        assert_true(engage_helped(house.engage, engage_incident_id(house.engage, 3), &help));
        assert_true(str_is(help.text, "emptied the spool") && str_is(help.by, "alice") && help.number == 1);
        store(&house);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(house.state, 3, &house.err);
        const json_t *alike = json_array_get(json_object_get(incident, "similar"), 0);
        assert_int_equal(json_i64(alike, "number", 0), 1);
        assert_string_equal(json_string_value(json_object_get(alike, "fix")), "emptied the spool");
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(alike, "reasons"), 0), "text")), "DiskFull");
        revert_last(&house);
        assert_false(engage_helped(house.engage, engage_incident_id(house.engage, 3), &help));
}

static void a_judgement_is_shown_with_the_next_one_of_its_sort(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        fire(&house, "alertname=DiskFull host=web1");
        assert_true(order(&house, "incident_noise", "{\"incident\":1,\"kind\":\"false\"}", NULL));
        house.now_ns += 7200 * S;
        fire(&house, "alertname=DiskFull host=web2");
        store(&house);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(house.state, 2, &house.err);
        const json_t *judged = json_array_get(json_object_get(incident, "judged"), 0);
        assert_string_equal(json_string_value(json_object_get(judged, "kind")), "noise: nothing was wrong");
        assert_string_equal(json_string_value(json_object_get(judged, "sort")), "DiskFull on host");
        revert_last(&house);
        scoped_ptr(json_decref) json_t *after = incident_row_read(house.state, 2, &house.err);
        assert_int_equal(json_array_size(json_object_get(after, "judged")), 0);
}

static void a_judgement_taken_back_says_whom_it_is_shown_with(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house);
        for (int i = 1; i <= 3; i++) {
                fire(&house, i == 1 ? "alertname=DiskFull host=web1" : i == 2 ? "alertname=DiskFull host=web2" : "alertname=Slow host=web3");
                house.now_ns += 7200 * S;
        }
        assert_true(order(&house, "incident_noise", "{\"incident\":1,\"kind\":\"planned\"}", NULL));
        scoped_ptr(json_decref) json_t *entry = last_entry(&house);
        const json_t *replay = json_object_get(entry, "replay");
        assert_string_equal(json_string_value(json_object_get(replay, "sentence")), "2 of the last 3 incidents are shown with this judgement");
        assert_int_equal(json_array_size(json_object_get(replay, "incidents")), 2);
        assert_true(order(&house, "incident_noise", "{\"incident\":2,\"kind\":\"planned\"}", NULL));
        revert_last_saying(&house, "2 of the last 3 incidents are still shown with this judgement, which was given to others like it too");
        assert_true(order(&house, "incident_noise", "{\"incident\":3,\"kind\":\"false\"}", NULL));
        revert_last_saying(&house, "1 of the last 3 incidents is no longer shown with this judgement");
}

static void what_is_loaded_knows_what_helped(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        struct engage_help help;
        house_init(&house);
        fire(&house, "alertname=DiskFull host=web1");
        assert_true(order(&house, "incident_fix", "{\"incident\":1,\"text\":\"emptied the spool\"}", NULL));
        end(&house, 1);
        engage_destroy(house.engage);
        assert_true(engage_create(&(struct engage_options){0}, &house.engage, &house.err));
        assert_true(engage_load(house.engage, house.state, house.now_ns, &house.err));
        fire(&house, "alertname=DiskFull host=web2");
        assert_true(engage_helped(house.engage, engage_incident_id(house.engage, 2), &help));
        assert_true(str_is(help.text, "emptied the spool"));
}

static void what_is_wrong_in_the_settings_is_refused(void **unused)
{
        (void)unused;
        static const char *const wrong[] = {"routing: {autonomy: always}\n", "routing: {confidence: 2}\n", "routing: {examples: 0}\n", "routing: {colour: red}\n"};
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                json_t *tree = yaml_parse(str_of(wrong[i]), "routing.yaml", &err);
                scoped_ptr(json_decref) json_t *content = json_pack("{s:[{s:s, s:o}]}", "files", "name", "routing.yaml", "tree", tree);
                assert_false(engage_check_configuration(content, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_word_taken_back_leaves_the_models_as_they_were),
                cmocka_unit_test(a_revert_between_other_words_takes_only_its_own_part),
                cmocka_unit_test(the_effect_counts_the_incidents_that_would_have_gone_elsewhere),
                cmocka_unit_test(a_team_is_suggested_when_no_route_leads_to_one),
                cmocka_unit_test(approve_waits_for_a_person_whose_word_is_learnt),
                cmocka_unit_test(auto_gives_the_team_only_when_sure_and_never_learns_from_itself),
                cmocka_unit_test(what_helped_an_incident_like_it_is_known_until_it_is_taken_back),
                cmocka_unit_test(a_judgement_is_shown_with_the_next_one_of_its_sort),
                cmocka_unit_test(a_judgement_taken_back_says_whom_it_is_shown_with),
                cmocka_unit_test(what_is_loaded_knows_what_helped),
                cmocka_unit_test(what_is_wrong_in_the_settings_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
