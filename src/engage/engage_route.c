/*
 * engage_route.c - incidents that no route leads to a team: what people's re-routing taught is suggested, asked for, or done.
 *
 *      re-routed by a person      -> an example, an entry of the ledger, the model knows it at once
 *      news of an incident without team and route
 *                                 -> suggest: shown, the incident stays without team
 *                                    approve: waits for incident_team_approve or incident_team_reject
 *                                    auto:    the team has it, when the model is sure enough and has seen enough; else as approve
 *
 * Declared by the key "routing" of content files: { autonomy: suggest, confidence: 0.8, examples: 10 }.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage_state.h"
#include "engage/learning_table.h"
#include "engage/policy.h"
#include "engage/router.h"
#include "model/content.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUGGESTIONS_MAX 1000    /* undecided ones in memory; at the bound nothing is suggested, and counted */
#define ABOUT_MAX 20            /* entities that an example names */
#define EFFECT_INCIDENTS 50

enum autonomy { ROUTE_SUGGEST, ROUTE_APPROVE, ROUTE_AUTO };
static const char *const autonomies[] = {"suggest", "approve", "auto"};

struct route_settings {
        enum autonomy autonomy;
        double confidence;
        int64_t examples;
};

struct engage_routing {
        struct router *router;
        struct policy *policy;          /* to know what has a route; NULL: nothing was declared */
        struct route_settings settings;
        struct { struct suggestion *items; size_t count, capacity; } suggestions; /* texts owned */
};

static const struct route_settings usual = {ROUTE_SUGGEST, 0.8, 10};

bool engage_routing_create(struct engage *engage, struct err *err)
{
        struct engage_routing *routing = calloc(1, sizeof *routing);
        if (!routing)
                return fail_memory(err, "engage", sizeof *routing);
        engage->routing = routing;
        routing->settings = usual;
        return router_create(&routing->router, err);
}

static void suggestion_done(struct suggestion *suggestion)
{
        free((char *)suggestion->team.bytes);
        free((char *)suggestion->by.bytes);
        free((char *)suggestion->words.bytes);
}

void engage_routing_destroy(struct engage *engage)
{
        struct engage_routing *routing = engage->routing;
        if (!routing)
                return;
        router_destroy(routing->router);
        policy_destroy(routing->policy);
        each (suggestion, &routing->suggestions)
                suggestion_done(suggestion);
        free(routing->suggestions.items);
        free(routing);
}

/* --- configuration -------------------------------------------------------------------------------------------------------- */

static bool read_autonomy(const json_t *value, struct route_settings *settings, struct err *err)
{
        const char *name = json_string_value(value);
        for (size_t i = 0; name && i < countof(autonomies); i++)
                if (strcmp(name, autonomies[i]) == 0) {
                        settings->autonomy = (enum autonomy)i;
                        return true;
                }
        return fail(err, ERR_INVALID, "engage", "autonomy is one of suggest, approve, auto");
}

static bool read_setting(const char *key, const json_t *value, struct route_settings *settings, struct err *err)
{
        double number = json_number_value(value);
        if (strcmp(key, "autonomy") == 0)
                return read_autonomy(value, settings, err);
        if (strcmp(key, "confidence") == 0) {
                settings->confidence = number;
                return (json_is_number(value) && number >= 0.5 && number <= 1) || fail(err, ERR_INVALID, "engage", "confidence is a number from 0.5 to 1");
        }
        if (strcmp(key, "examples") == 0) {
                settings->examples = json_integer_value(value);
                return (json_is_integer(value) && settings->examples >= 1 && settings->examples <= ROUTER_EXAMPLES_MAX) ||
                       fail(err, ERR_INVALID, "engage", "examples is a whole number from 1 to %d", ROUTER_EXAMPLES_MAX);
        }
        return fail(err, ERR_INVALID, "engage", "there is no setting \"%s\"; there are autonomy, confidence, examples", key);
}

static bool read_item(void *context, const char *file, const json_t *item, struct err *err)
{
        const char *key;
        json_t *value;
        (void)file;
        if (!json_is_object(item))
                return fail(err, ERR_INVALID, "engage", "it is not a list of settings with names");
        json_object_foreach ((json_t *)item, key, value)
                if (!read_setting(key, value, context, err))
                        return false;
        return true;
}

bool engage_routing_check(const json_t *content, struct err *err)
{
        struct route_settings settings = usual;
        return content_visit(content, "routing", read_item, &settings, err);
}

/* Routes are checked by notify, in the same decision. */
bool engage_routing_configure(struct engage *engage, const json_t *content, struct err *err)
{
        struct route_settings settings = usual;
        struct policy *policy = NULL;
        if (!content_visit(content, "routing", read_item, &settings, err) || !policy_create(content, &policy, err))
                return false;
        policy_destroy(engage->routing->policy);
        engage->routing->policy = policy;
        engage->routing->settings = settings;
        return true;
}

/* --- what an incident is to the model ----------------------------------------------------------------------------------------- */

static bool texts_of(const struct incident *incident, struct arena *arena, struct str out_texts[static ROUTER_FIELDS], struct err *err)
{
        scoped(buf_done) struct buf about = {.bytes_max = ROUTER_TEXT_BYTES_MAX};
        size_t count = 0;
        each (entity, &incident->entities)
                if (count++ < ABOUT_MAX)
                        buf_printf(&about, "%.*s %.*s ", STR_ARGS(entity->kind), STR_ARGS(entity->name));
        out_texts[0] = str_of(incident->headline ? incident->headline : "");
        out_texts[1] = str_of(incident->signature_text ? incident->signature_text : "");
        out_texts[2] = arena_str(arena, buf_str(&about));
        return out_texts[2].bytes || !about.length || fail_memory(err, "engage", about.length);
}

/* The newest that are not part of another one, newest last; how many. */
static size_t newest(struct engage *engage, struct incident *out_incidents[static EFFECT_INCIDENTS])
{
        struct incident *incident;
        size_t count = 0;
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));) {
                if (incident->state == INCIDENT_MERGED)
                        continue;
                if (count == EFFECT_INCIDENTS)
                        memmove(out_incidents, out_incidents + 1, --count * sizeof *out_incidents);
                out_incidents[count++] = incident;
        }
        return count;
}

/* Which team the model would give each of them, as hashes. */
static bool teams_of(struct engage *engage, struct incident *const *incidents, size_t count, uint64_t out_teams[static EFFECT_INCIDENTS], struct err *err)
{
        for (size_t i = 0; i < count; i++) {
                scoped(arena_done) struct arena arena;
                struct str texts[ROUTER_FIELDS];
                struct router_answer answer;
                arena_init(&arena, 0);
                if (!texts_of(incidents[i], &arena, texts, err))
                        return false;
                router_answer(engage->routing->router, texts, &answer);
                out_teams[i] = hash64(answer.team);
        }
        return true;
}

static json_t *effect_of(struct incident *const *incidents, size_t count, const uint64_t before[], const uint64_t after[])
{
        json_t *numbers = json_array(), *effect;
        char sentence[120];
        size_t changed = 0;
        for (size_t i = 0; i < count; i++)
                if (before[i] != after[i] && ++changed)
                        json_array_append_new(numbers, json_integer(incidents[i]->number));
        snprintf(sentence, sizeof sentence, "%zu of the last %zu incidents would have been routed otherwise", changed, count);
        effect = json_pack("{s:i, s:i, s:o, s:s}", "of", (int)count, "changed", (int)changed, "incidents", numbers, "sentence", sentence);
        return effect;
}

/* --- people's words --------------------------------------------------------------------------------------------------------- */

static struct suggestion *suggestion_for(struct engage *engage, uint64_t incident)
{
        each (suggestion, &engage->routing->suggestions)
                if (suggestion->incident == incident && suggestion->state <= SUGGESTION_WAITING)
                        return suggestion;
        return NULL;
}

static bool decide(struct suggestion *suggestion, enum suggestion_state state, struct str by, struct err *err)
{
        char *name = strndup(by.bytes ? by.bytes : "", by.length);
        if (!name)
                return fail_memory(err, "engage", by.length);
        free((char *)suggestion->by.bytes);
        suggestion->by = str_of(name);
        suggestion->state = state;
        suggestion->is_dirty = true;
        return true;
}

static bool learn(struct engage *engage, const struct incident *incident, struct str team, struct str by, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident *recent[EFFECT_INCIDENTS];
        uint64_t before[EFFECT_INCIDENTS], after[EFFECT_INCIDENTS];
        size_t count = newest(engage, recent);
        struct router_example example = {.incident = incident->id, .time_ns = time_ns, .team = team};
        char what[200];
        arena_init(&arena, 0);
        if (!texts_of(incident, &arena, example.texts, err) || !teams_of(engage, recent, count, before, err))
                return false;
        example.id = engage_id(engage);
        if (!router_learn(engage->routing->router, &example, err) || !teams_of(engage, recent, count, after, err))
                return false;
        scoped_ptr(json_decref) json_t *effect = json_object();
        scoped_ptr(json_decref) json_t *replay = effect_of(recent, count, before, after);
        snprintf(what, sizeof what, "incidents such as %u belong to team %.*s", incident->number, (int)min_of(team.length, (size_t)80), team.bytes);
        return engage_note_ledger(engage, &(struct ledger_entry){.id = example.id, .time_ns = time_ns, .model = STR("routing"), .by = by, .what = str_of(what)},
                                  effect, replay, err);
}

bool engage_rerouted(struct engage *engage, struct incident *incident, struct str team, struct str by, int64_t time_ns, struct err *err)
{
        struct suggestion *suggestion = suggestion_for(engage, incident->id);
        if (suggestion && !decide(suggestion, str_equal(suggestion->team, team) ? SUGGESTION_APPROVED : SUGGESTION_OVERRULED, by, err))
                return false;
        return learn(engage, incident, team, by, time_ns, err);
}

bool engage_routing_revert(struct engage *engage, uint64_t id, json_t **out_replay, struct err *err)
{
        struct incident *recent[EFFECT_INCIDENTS];
        uint64_t before[EFFECT_INCIDENTS], after[EFFECT_INCIDENTS];
        size_t count = newest(engage, recent);
        if (!teams_of(engage, recent, count, before, err) || !router_revert(engage->routing->router, id, err) || !teams_of(engage, recent, count, after, err))
                return false;
        *out_replay = effect_of(recent, count, before, after);
        return *out_replay || fail_memory(err, "engage", 256);
}

static bool give_team(struct engage *engage, struct incident *incident, struct str team, const char *kind, struct str by, int64_t time_ns, struct err *err)
{
        if (!engage_tell(engage, incident, 0, time_ns, kind, by, team, err) || !incident_set_text(&incident->team, team, err))
                return false;
        incident_touch(engage->incidents, incident, NEWS_REROUTED, time_ns);
        return true;
}

bool engage_team_decide(struct engage *engage, struct incident *incident, bool is_approved, struct str by, int64_t time_ns, struct err *err)
{
        struct suggestion *suggestion = suggestion_for(engage, incident->id);
        if (!suggestion)
                return fail(err, ERR_NOT_FOUND, "engage", "no team is suggested for incident %u, or somebody decided it already", incident->number);
        if (is_approved)
                return give_team(engage, incident, suggestion->team, "rerouted", by, time_ns, err) &&
                       engage_rerouted(engage, incident, suggestion->team, by, time_ns, err);
        return engage_tell(engage, incident, 0, time_ns, "team_rejected", by, suggestion->team, err) && decide(suggestion, SUGGESTION_REJECTED, by, err);
}

/* --- suggesting -------------------------------------------------------------------------------------------------------------- */

static bool has_route(const struct engage *engage, const struct incident *incident, bool *out_has, struct err *err)
{
        *out_has = false;
        each (member, &incident->members) {
                scoped(arena_done) struct arena arena;
                const struct alert *alert = alerts_find(engage->alerts, member->alert);
                const struct routing *routes[ROUTED_MAX];
                struct labels labels = {0};
                arena_init(&arena, 0);
                if (!alert)
                        continue;
                if (!labels_unpack(alert_told(alert).labels, &arena, &labels, err))
                        return false;
                size_t count = policy_route(engage->routing->policy, &labels, routes);
                for (size_t i = 0; i < count; i++)
                        *out_has |= routes[i]->team.length > 0;
        }
        return true;
}

/* Also one that was decided already, as long as it is not written: the table has it then, but nobody asks the table here. */
static bool was_suggested(const struct engage *engage, uint64_t incident)
{
        each (suggestion, &engage->routing->suggestions)
                if (suggestion->incident == incident)
                        return true;
        return false;
}

static bool words_text(const struct router_answer *answer, struct buf *out, struct err *err)
{
        scoped_ptr(json_decref) json_t *words = json_array();
        for (size_t i = 0; i < answer->word_count; i++)
                json_array_append_new(words, json_pack("{s:s%, s:f}", "word", answer->words[i].word.bytes, answer->words[i].word.length, "weight", answer->words[i].weight));
        return (words && json_write(words, out)) || fail_memory(err, "engage", 256);
}

static bool keep(struct engage *engage, const struct suggestion *suggestion, struct err *err)
{
        __typeof__(engage->routing->suggestions) *kept = &engage->routing->suggestions;
        if (!kept->items && !(kept->items = calloc(SUGGESTIONS_MAX, sizeof *kept->items)))
                return fail_memory(err, "engage", SUGGESTIONS_MAX * sizeof *kept->items);
        struct suggestion copy = *suggestion;
        struct str *texts[] = {&copy.team, &copy.by, &copy.words};
        bool good = true;
        for (size_t i = 0; i < countof(texts); i++) {
                char *text = strndup(texts[i]->bytes ? texts[i]->bytes : "", texts[i]->length);
                *texts[i] = (struct str){text, text ? texts[i]->length : 0};
                good = good && text;
        }
        if (!good) {
                suggestion_done(&copy);
                return fail_memory(err, "engage", sizeof copy);
        }
        kept->items[kept->count++] = copy;
        return true;
}

static bool tell_suggestion(struct engage *engage, struct incident *incident, const struct suggestion *suggestion, const struct router_answer *answer, int64_t time_ns,
                            struct err *err)
{
        static const char *const kinds[] = {"", "team_suggested", "team_asked", "routed"};
        scoped(buf_done) struct buf text = {0}, reasons = {0};
        buf_printf(&text, "team %.*s, %.0f %% sure, from %u example%s", STR_ARGS(suggestion->team), 100 * suggestion->confidence, suggestion->examples,
                   suggestion->examples == 1 ? "" : "s");
        buf_byte(&reasons, '[');
        for (size_t i = 0; i < answer->word_count; i++) {
                scoped(buf_done) struct buf sentence = {0};
                buf_printf(&sentence, "\"%.*s\" speaks %s it", STR_ARGS(answer->words[i].word), answer->words[i].weight < 0 ? "against" : "for");
                buf_printf(&reasons, "%s{\"kind\":\"word\",\"weight\":%.2f,\"sentence\":", i ? "," : "", answer->words[i].weight);
                json_quote(&reasons, buf_str(&sentence));
                buf_byte(&reasons, '}');
        }
        buf_byte(&reasons, ']');
        if (text.failed || reasons.failed)
                return fail_memory(err, "engage", text.length);
        return engage_tell(engage, incident, 0, time_ns, kinds[suggestion->state], STR("evenkeel"), buf_str(&text), err) &&
               engage_explain(engage, incident->id, time_ns, buf_str(&text), buf_str(&reasons), err);
}

static enum suggestion_state state_for(const struct route_settings *settings, const struct router_answer *answer)
{
        bool is_sure = answer->confidence >= settings->confidence && (int64_t)answer->examples >= settings->examples;
        return settings->autonomy == ROUTE_SUGGEST ? SUGGESTION_SUGGESTED : settings->autonomy == ROUTE_AUTO && is_sure ? SUGGESTION_ROUTED : SUGGESTION_WAITING;
}

static bool suggest(struct engage *engage, struct incident *incident, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        scoped(buf_done) struct buf words = {0};
        struct str texts[ROUTER_FIELDS];
        struct router_answer answer;
        arena_init(&arena, 0);
        if (!texts_of(incident, &arena, texts, err))
                return false;
        router_answer(engage->routing->router, texts, &answer);
        if (!answer.team.length || engage->routing->suggestions.count == SUGGESTIONS_MAX)
                return true;
        struct suggestion made = {.incident = incident->id, .time_ns = time_ns, .state = state_for(&engage->routing->settings, &answer), .confidence = answer.confidence,
                                  .examples = (uint32_t)answer.examples, .team = answer.team, .by = STR(""), .is_dirty = true};
        if (!words_text(&answer, &words, err))
                return false;
        made.words = buf_str(&words);
        return tell_suggestion(engage, incident, &made, &answer, time_ns, err) && keep(engage, &made, err) &&
               (made.state != SUGGESTION_ROUTED || give_team(engage, incident, answer.team, "rerouted", STR("evenkeel"), time_ns, err));
}

/* The news of this decision, before the stages after engage look. An incident is asked about once, when it is new. */
bool engage_suggest_teams(struct engage *engage, int64_t time_ns, struct err *err)
{
        size_t count;
        const struct incident_news *news = incidents_news(engage->incidents, &count);
        if (!engage_find_alike(engage, err))
                return false;
        for (size_t i = 0; engage->routing->policy && i < count; i++) {
                struct incident *incident = incidents_find(engage->incidents, news[i].incident);
                struct suggestion *lapsed = suggestion_for(engage, news[i].incident);
                bool has = true;
                if (lapsed && (news[i].kinds & (NEWS_CLOSED | NEWS_MERGED)) && !decide(lapsed, SUGGESTION_LAPSED, STR(""), err))
                        return false;
                if (!(news[i].kinds & NEWS_OPENED) || !incident || incident->team || !incident_is_alive(incident) || incident->is_held ||
                    was_suggested(engage, incident->id))
                        continue;
                if (!has_route(engage, incident, &has, err) || (!has && !suggest(engage, incident, time_ns, err)))
                        return false;
        }
        return true;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------- */

static bool take_example(void *context, const struct router_example *example, struct err *err)
{
        struct engage *engage = context;
        return router_restore(engage->routing->router, example, err);
}

static bool take_suggestion(void *context, const struct suggestion *suggestion, struct err *err)
{
        struct engage *engage = context;
        return engage->routing->suggestions.count == SUGGESTIONS_MAX || keep(engage, suggestion, err);
}

bool engage_routing_load(struct engage *engage, struct database *state, struct err *err)
{
        return example_rows_load(state, take_example, engage, err) && router_rebuild(engage->routing->router, err) &&
               suggestion_rows_load(state, take_suggestion, engage, err);
}

bool engage_routing_is_dirty(const struct engage *engage)
{
        bool is_dirty = router_is_dirty(engage->routing->router);
        each (suggestion, &engage->routing->suggestions)
                is_dirty |= suggestion->is_dirty;
        return is_dirty;
}

bool engage_routing_write(struct engage *engage, struct database *state, struct err *err)
{
        const struct router_example *example;
        for (size_t at = 0; (example = router_dirty(engage->routing->router, &at));)
                if (!example_row_write(state, example, err))
                        return false;
        each (suggestion, &engage->routing->suggestions)
                if (suggestion->is_dirty && !suggestion_row_write(state, suggestion, err))
                        return false;
        return true;
}

/* What is decided leaves memory, and so does what is about an incident that is over: nobody will decide it. */
void engage_routing_written(struct engage *engage)
{
        size_t kept = 0;
        router_clean(engage->routing->router);
        for (size_t i = 0; i < engage->routing->suggestions.count; i++) {
                struct suggestion *suggestion = &engage->routing->suggestions.items[i];
                suggestion->is_dirty = false;
                if (suggestion->state > SUGGESTION_WAITING)
                        suggestion_done(suggestion);
                else
                        engage->routing->suggestions.items[kept++] = *suggestion;
        }
        engage->routing->suggestions.count = kept;
}

bool engage_routing_snapshot(const struct engage *engage, struct buf *out, struct err *err)
{
        return router_snapshot(engage->routing->router, out, err);
}
