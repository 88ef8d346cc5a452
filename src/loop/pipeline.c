/*
 * pipeline.c - see pipeline.h. The diagram on the wall, right half:
 *
 *      workers: fold -> noticed --gather--> register -> observe (rules, budget) -> engage -> notify -> act
 *                                                                                 '-> dirty -> state.db -> effects
 *
 * Only the order stands here; what a stage does is its own.
 */
#include "loop/pipeline.h"

#include "act/act.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/notify.h"
#include "loop/state_table.h"
#include "model/noticed.h"
#include "observe/observe.h"
#include "register/graph.h"
#include "query/promql.h"
#include "register/registry.h"
#include "store/database.h"

#include <stdlib.h>
#include <string.h>

struct pipeline {
        struct observe *observe;
        struct registry *registry;
        struct engage *engage;
        struct act *act;
        struct promql_source series;
        bool steps_in_turn;
        struct notify *notify;
        struct command_sink sink;
        struct noticed noticed;
        json_t *content;        /* the configuration in force; NULL: none yet */
        bool content_is_dirty;
};

/* --- what engage asks of the register -------------------------------------------------------------------------------- */

static struct graph *lend_graph(void *context)
{
        return registry_read_begin(context);
}

static void give_back_graph(void *context)
{
        registry_read_end(context);
}

/* A program that labels name and the register does not know (it never told anything of itself) is in trouble all the same, and before its host. */
static size_t name_others(const struct labels *labels, struct topology_entity *out_entities, size_t count, size_t max)
{
        static const struct str programs[] = {STR_INIT("container"), STR_INIT("pod"), STR_INIT("service"), STR_INIT("service_name")};
        struct label kept[countof(programs)];
        struct labels named = {.items = kept};
        struct topology_entity others[TOPOLOGY_ENTITIES_MAX];
        for (size_t i = 0; i < countof(programs); i++)
                if (labels_value(labels, programs[i]).length)
                        kept[named.count++] = (struct label){programs[i], labels_value(labels, programs[i])};
        size_t found = topology_of_labels(&named, others, countof(others)), added = 0;
        for (size_t i = 0; i < found; i++) {
                bool is_known = count + added == max;
                for (size_t k = 0; k < count + added; k++)
                        is_known |= str_equal(out_entities[k].kind, others[i].kind);
                if (is_known)
                        continue;
                memmove(out_entities + added + 1, out_entities + added, count * sizeof *out_entities);
                out_entities[added++] = others[i];
        }
        return count + added;
}

/* Names belong to the register, which only this thread changes. What it does not know is told by the labels alone. */
static size_t resolve(void *context, const struct labels *labels, struct topology_entity *out_entities, size_t max)
{
        uint64_t ids[TOPOLOGY_ENTITIES_MAX];
        size_t found = registry_resolve(context, labels, ids, min_of(max, (size_t)TOPOLOGY_ENTITIES_MAX)), count = 0;
        struct graph *graph = registry_read_begin(context);
        for (size_t i = 0; i < found; i++) {
                struct graph_node node;
                if (graph_node(graph, ids[i], &node))
                        out_entities[count++] = (struct topology_entity){node.id, node.kind, node.name};
        }
        registry_read_end(context);
        return count ? name_others(labels, out_entities, count, max) : topology_of_labels(labels, out_entities, max);
}

/* --- what act asks of incidents -------------------------------------------------------------------------------------- */

static bool view_incident(void *context, uint64_t incident, struct arena *arena, struct incident_view *out_view, struct err *err)
{
        struct pipeline *pipeline = context;
        return engage_view(pipeline->engage, incident, arena, out_view, err);
}

static uint64_t find_incident(void *context, uint32_t number)
{
        struct pipeline *pipeline = context;
        return engage_incident_id(pipeline->engage, number);
}

static bool note_incident(void *context, uint64_t incident, int64_t time_ns, const char *kind, const char *by, struct str text, struct err *err)
{
        struct pipeline *pipeline = context;
        struct err fault = {0};
        if (engage_note(pipeline->engage, incident, time_ns, kind, by, text, &fault) || fault.code == ERR_NOT_FOUND)
                return true;    /* an incident that engage no longer holds has no timeline to write into */
        if (err)
                *err = fault;
        return false;
}

/* Whoever has acknowledged it or not, something is being done now. What engage refuses (it is acting already) is no fault. */
static bool mark_acting(void *context, uint64_t incident, uint64_t sequence, int64_t time_ns, struct err *err)
{
        struct pipeline *pipeline = context;
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        struct err fault = {0};
        json_t *result = NULL;
        arena_init(&arena, 0);
        if (!engage_view(pipeline->engage, incident, &arena, &view, &fault))
                return fault.code == ERR_NOT_FOUND || fail_memory(err, "loop", sizeof view);
        scoped_ptr(json_decref) json_t *arguments = json_pack("{s:I}", "incident", (json_int_t)view.number);
        if (!arguments)
                return fail_memory(err, "loop", sizeof *arguments);
        bool good = engage_command(pipeline->engage, "incident_acting", arguments, "evenkeel", sequence, time_ns, &result, &fault);
        json_decref(result);
        return good || fault.code != ERR_MEMORY || fail_memory(err, "loop", sizeof view);
}

/* Planned work on the target itself, or on anything that an alert about it names. */
static bool is_planned(void *context, const struct incident_view *incident, uint64_t entity, int64_t time_ns)
{
        struct pipeline *pipeline = context;
        each (alert, &incident->alerts) {
                uint64_t ids[TOPOLOGY_ENTITIES_MAX];
                size_t found = registry_resolve(pipeline->registry, &alert->labels, ids, countof(ids));
                for (size_t i = 0; i < found; i++)
                        if (ids[i] == entity && notify_is_planned(pipeline->notify, &alert->labels, time_ns))
                                return true;
        }
        each (one, &incident->entities) {
                struct label label = {one->kind, one->name};
                if (one->id == entity && notify_is_planned(pipeline->notify, &(struct labels){.items = &label, .count = 1}, time_ns))
                        return true;
        }
        return false;
}

static bool say(void *context, uint64_t incident, const char *occasion, const char *because, uint64_t sequence, int64_t time_ns, size_t *out_recipients, struct err *err)
{
        struct pipeline *pipeline = context;
        return notify_say(pipeline->notify, incident, occasion, because, sequence, time_ns, out_recipients, err);
}

static bool create_act(struct pipeline *pipeline, const struct pipeline_options *options, struct err *err)
{
        struct act_options act = {
                .registry = pipeline->registry, .series = options->series ? &pipeline->series : NULL, .hands = options->hands, .sink = options->sink,
                .own_host = options->own_host,
                .world = {.view = view_incident, .by_number = find_incident, .note = note_incident, .acting = mark_acting, .is_planned = is_planned,
                          .say = say, .context = pipeline},
        };
        if (options->series)
                pipeline->series = promql_store_source(options->series);
        pipeline->steps_in_turn = options->steps_in_turn;
        return act_create(&act, &pipeline->act, err);
}

bool pipeline_create(const struct pipeline_options *options, struct pipeline **out_pipeline, struct err *err)
{
        struct pipeline *pipeline = calloc(1, sizeof *pipeline);
        if (!pipeline)
                return fail_memory(err, "pipeline", sizeof *pipeline);
        pipeline->observe = options->observe;
        pipeline->sink = options->sink;
        noticed_init(&pipeline->noticed);
        if (!registry_create(&(struct registry_options){0}, &pipeline->registry, err)) {
                pipeline_destroy(pipeline);
                return false;
        }
        struct topology topology = {pipeline->registry, lend_graph, give_back_graph, resolve};
        struct notify_options notify = {.sink = options->sink, .delivery = options->delivery};
        if (!engage_create(&(struct engage_options){.topology = &topology}, &pipeline->engage, err) ||
            !(notify.engage = pipeline->engage, notify_create(&notify, &pipeline->notify, err)) || !create_act(pipeline, options, err)) {
                pipeline_destroy(pipeline);
                return false;
        }
        *out_pipeline = pipeline;
        return true;
}

void pipeline_destroy(struct pipeline *pipeline)
{
        if (!pipeline)
                return;
        act_destroy(pipeline->act);
        notify_destroy(pipeline->notify);
        engage_destroy(pipeline->engage);
        registry_destroy(pipeline->registry);
        noticed_done(&pipeline->noticed);
        json_decref(pipeline->content);
        free(pipeline);
}

/* --- configuration --------------------------------------------------------------------------------------------------- */

static bool check_content(struct pipeline *pipeline, const json_t *content, struct err *err)
{
        return registry_check_configuration(content, err) && observe_check_configuration(pipeline->observe, content, err) &&
               engage_check_configuration(content, err) && notify_check_configuration(content, err) &&
               act_check_configuration(content, err);
}

static bool watch_kinds(struct pipeline *pipeline, struct err *err)
{
        struct kinds *kinds = registry_kinds(pipeline->registry);
        bool good = observe_watch(pipeline->observe, kinds, err);
        kinds_unref(kinds);
        return good;
}

/* After check_content; what can fail now is memory alone. */
static bool take_content(struct pipeline *pipeline, const json_t *content, uint64_t sequence, int64_t time_ns, struct err *err)
{
        if (!registry_configure(pipeline->registry, content, sequence, time_ns, err))
                return false;
        return watch_kinds(pipeline, err) && observe_configure(pipeline->observe, content, err) && engage_configure(pipeline->engage, content, err) &&
               notify_configure(pipeline->notify, content, err) && act_configure(pipeline->act, content, err);
}

/* { "content": { "files": [...] } } as model/content.h has it. All stages accept it, or all stay as they were. */
static bool configure(struct pipeline *pipeline, const json_t *arguments, uint64_t sequence, int64_t time_ns, json_t **out_result, struct err *err)
{
        json_t *content = json_object_get(arguments, "content");
        if (!json_is_array(json_object_get(content, "files")))
                return fail(err, ERR_INVALID, "loop", "configure needs content with a list of files");
        if (!check_content(pipeline, content, err) || !take_content(pipeline, content, sequence, time_ns, err))
                return false;
        json_decref(pipeline->content);
        pipeline->content = json_incref(content);
        pipeline->content_is_dirty = true;
        *out_result = json_pack("{s:i}", "files", (int)json_array_size(json_object_get(content, "files")));
        return true;
}

/* A configuration of an older version that is no longer understood does not keep the program from starting: the next configure replaces it. */
bool pipeline_load(struct pipeline *pipeline, struct database *state, int64_t time_ns, struct err *err)
{
        struct err refusal = {0};
        if (!watch_kinds(pipeline, err) || !registry_load(pipeline->registry, state, err))
                return false;
        if (!state_read_content(state, &pipeline->content, err))
                return false;
        if (pipeline->content && (!check_content(pipeline, pipeline->content, &refusal) || !take_content(pipeline, pipeline->content, 0, time_ns, &refusal)))
                log_err(LOG_LEVEL_ERROR, &refusal);
        return observe_load(pipeline->observe, state, time_ns, err) && engage_load(pipeline->engage, state, time_ns, err) &&
               notify_load(pipeline->notify, state, time_ns, err) && act_load(pipeline->act, state, time_ns, err);
}

struct registry *pipeline_registry(struct pipeline *pipeline)
{
        return pipeline->registry;
}

const json_t *pipeline_content(const struct pipeline *pipeline)
{
        return pipeline->content;
}

/* --- deciding -------------------------------------------------------------------------------------------------------- */

bool pipeline_carry(struct pipeline *pipeline, const struct batch *batch, int64_t time_ns, struct err *err)
{
        return observe_carry(pipeline->observe, batch, time_ns, err);
}

bool pipeline_forget(struct pipeline *pipeline, struct err *err)
{
        bool good = observe_gather(pipeline->observe, &pipeline->noticed, err);
        noticed_clear(&pipeline->noticed);
        return good;
}

/* What telemetry names is in the register before anybody asks what an alert is about. */
static bool see_resources(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        return registry_see(pipeline->registry, pipeline->noticed.resources.items, pipeline->noticed.resources.count, sequence, time_ns, err);
}

/* In the decision that made them, so that they are committed with it: news that only memory knew would be lost in a crash. */
static bool pass_on_news(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        size_t count;
        const struct incident_news *news = engage_news(pipeline->engage, &count);
        if (!notify_take(pipeline->notify, sequence, time_ns, err) ||
            !act_take(pipeline->act, news, count, sequence, time_ns, err))
                return false;
        engage_news_clear(pipeline->engage); /* after the stages that look at it */
        return true;
}

bool pipeline_drain(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        if (!observe_gather(pipeline->observe, &pipeline->noticed, err) || !see_resources(pipeline, sequence, time_ns, err) ||
            !observe_drain(pipeline->observe, sequence, time_ns, &pipeline->noticed, err) ||
            !engage_take(pipeline->engage, &pipeline->noticed, sequence, time_ns, err))
                return false;
        noticed_clear(&pipeline->noticed);
        return pass_on_news(pipeline, sequence, time_ns, err);
}

bool pipeline_tick(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err)
{
        if (!observe_gather(pipeline->observe, &pipeline->noticed, err) ||
            !see_resources(pipeline, sequence, time_ns, err) || !registry_tick(pipeline->registry, sequence, time_ns, err) ||
            !observe_tick(pipeline->observe, sequence, time_ns, &pipeline->noticed, err) ||
            !notify_find(pipeline->notify, sequence, time_ns, &pipeline->noticed, err) ||
            !engage_take(pipeline->engage, &pipeline->noticed, sequence, time_ns, err))
                return false;
        noticed_clear(&pipeline->noticed);
        return engage_tick(pipeline->engage, sequence, time_ns, err) && pass_on_news(pipeline, sequence, time_ns, err) &&
               notify_tick(pipeline->notify, sequence, time_ns, err) && act_tick(pipeline->act, sequence, time_ns, err);
}

bool pipeline_handles(const char *verb)
{
        return strcmp(verb, "configure") == 0 || registry_handles(verb) || engage_handles(verb) || notify_handles(verb) ||
               act_handles(verb);
}

/* What folding stages make of a command: the same when it is decided and when it is replayed, accepted or not. */
void pipeline_recall(struct pipeline *pipeline, const char *verb)
{
        if (strcmp(verb, "configure") == 0)
                observe_forget_seen(pipeline->observe);
}

bool pipeline_command(struct pipeline *pipeline, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                      int64_t time_ns, json_t **out_result, struct err *err)
{
        engage_pass(pipeline->engage, time_ns);
        pipeline_recall(pipeline, verb);
        if (strcmp(verb, "configure") == 0)
                return configure(pipeline, arguments, sequence, time_ns, out_result, err);
        if (engage_handles(verb))
                return engage_command(pipeline->engage, verb, arguments, by, sequence, time_ns, out_result, err) &&
                       act_heard(pipeline->act, verb, arguments, err) && pass_on_news(pipeline, sequence, time_ns, err);
        if (notify_handles(verb))
                return notify_command(pipeline->notify, verb, arguments, by, sequence, time_ns, out_result, err) &&
                       pass_on_news(pipeline, sequence, time_ns, err);
        if (act_handles(verb))
                return act_command(pipeline->act, verb, arguments, by, sequence, time_ns, out_result, err);
        if (registry_handles(verb))
                return registry_command(pipeline->registry, verb, arguments, by, sequence, time_ns, out_result, err);
        return fail(err, ERR_NOT_FOUND, "loop", "there is no command %s; a newer version may know it", verb);
}

bool pipeline_is_dirty(const struct pipeline *pipeline)
{
        return pipeline->content_is_dirty || registry_is_dirty(pipeline->registry) || observe_is_dirty(pipeline->observe) ||
               engage_is_dirty(pipeline->engage) || notify_is_dirty(pipeline->notify) || act_is_dirty(pipeline->act);
}

bool pipeline_write(struct pipeline *pipeline, struct database *state, struct err *err)
{
        return (!pipeline->content_is_dirty || state_write_content(state, pipeline->content, err)) && registry_write(pipeline->registry, state, err) &&
               observe_write(pipeline->observe, state, err) && engage_write(pipeline->engage, state, err) &&
               notify_write(pipeline->notify, state, err) && act_write(pipeline->act, state, err);
}

void pipeline_written(struct pipeline *pipeline)
{
        pipeline->content_is_dirty = false;
        registry_written(pipeline->registry);
        observe_written(pipeline->observe);
        engage_written(pipeline->engage);
        notify_written(pipeline->notify);
        act_written(pipeline->act);
}

bool pipeline_recovered(struct pipeline *pipeline, struct err *err)
{
        return act_found(pipeline->act, err);
}

bool pipeline_start(struct pipeline *pipeline, struct err *err)
{
        return notify_start(pipeline->notify, err) && (pipeline->steps_in_turn || act_start(pipeline->act, err));
}

void pipeline_turn(struct pipeline *pipeline)
{
        if (pipeline && pipeline->steps_in_turn)
                act_turn(pipeline->act);
}

void pipeline_stop(struct pipeline *pipeline)
{
        if (pipeline) {
                notify_stop(pipeline->notify);
                act_stop(pipeline->act);
        }
}

bool pipeline_set_secrets(struct pipeline *pipeline, const json_t *secrets, struct err *err)
{
        return notify_set_secrets(pipeline->notify, secrets, err) && act_set_secrets(pipeline->act, secrets, err);
}
