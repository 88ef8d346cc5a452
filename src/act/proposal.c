/*
 * proposal.c - which runbooks could help an incident, with which values. A value of an entity is its name in the register, found by the incident's entity;
 * the text that telemetry sent is never used. A runbook whose values cannot be filled in is kept as rejected, with the reason.
 */
#include "act/act_state.h"
#include "base/json.h"
#include "register/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TARGETS_MAX 5           /* of one runbook and incident */
#define NEAR_HOPS 2

struct place { uint64_t id; struct str kind, name; };   /* texts of an arena */

static bool in_register(struct act *act, uint64_t id, struct arena *arena, struct place *out_place)
{
        out_place->id = id;
        return registry_name(act->options.registry, id, arena, &out_place->kind, &out_place->name);
}

/* The register's own entity for one of the incident's: by its id, else by its exact name when there is only one. */
static bool find_place(struct act *act, const struct incident_entity *entity, struct arena *arena, struct place *out_place)
{
        uint64_t ids[2];
        if (!act->options.registry)
                return false;
        if (in_register(act, entity->id, arena, out_place) && str_equal(out_place->kind, entity->kind))
                return true;
        return registry_find(act->options.registry, entity->kind, entity->name, ids, 2) == 1 && in_register(act, ids[0], arena, out_place);
}

struct near {
        struct str kind;
        uint64_t id;
        int distance;
        size_t count;
};

static bool look_near(void *context, const struct graph_step *step)
{
        struct near *near = context;
        if (near->count && step->distance > near->distance)
                return false;
        if (step->distance > 0 && str_equal(step->node.kind, near->kind)) {
                near->id = step->node.id;
                near->distance = step->distance;
                near->count++;
        }
        return true;
}

/* The entity of a kind nearest to the target; none when several are as near. */
static uint64_t nearest(struct act *act, uint64_t target, struct str kind)
{
        struct near near = {.kind = kind};
        struct graph *graph = registry_read_begin(act->options.registry);
        graph_visit(graph, target, GRAPH_ANY, NEAR_HOPS, 0, look_near, &near);
        registry_read_end(act->options.registry);
        return near.count == 1 ? near.id : 0;
}

static uint64_t only_one(struct act *act, const struct incident_view *incident, struct str kind, struct arena *arena)
{
        uint64_t found = 0;
        each (entity, &incident->entities) {
                struct place place;
                if (!str_equal(entity->kind, kind) || !find_place(act, entity, arena, &place))
                        continue;
                if (found && found != place.id)
                        return 0;
                found = place.id;
        }
        return found;
}

static bool is_own(const struct act *act, struct str host)
{
        struct str own = str_of(act->options.own_host), own_short = {0}, host_short = {0};
        if (!own.length)
                return false;
        struct str rest = own;
        str_cut(&rest, '.', &own_short);
        rest = host;
        str_cut(&rest, '.', &host_short);
        return str_equal_nocase(own, host) || (str_equal_nocase(own_short, host_short) && (own_short.length == own.length || host_short.length == host.length));
}

static bool fill_entity(struct act *act, const struct incident_view *incident, const struct parameter *parameter, const struct place *target, bool is_target,
                        struct slots *slots, struct arena *arena, struct err *err)
{
        struct place place = *target;
        if (!is_target) {
                uint64_t id = nearest(act, target->id, parameter->kind);
                if (!id)
                        id = only_one(act, incident, parameter->kind, arena);
                if (!id || !in_register(act, id, arena, &place))
                        return fail(err, ERR_NOT_FOUND, "act", "%.*s: the register does not say which %.*s it is", STR_ARGS(parameter->name), STR_ARGS(parameter->kind));
        }
        if (parameter->is_here && !is_own(act, place.name))
                return fail(err, ERR_REFUSED, "act", "%.*s: it is not the machine that this runs on", STR_ARGS(parameter->name));
        return slots_set(slots, parameter, place.name, arena, err);
}

static bool fill_declared(const struct parameter *parameter, const json_t *values, struct slots *slots, struct arena *arena, struct err *err)
{
        const json_t *value = json_object_getn(values, parameter->name.bytes, parameter->name.length);
        if (!value)
                value = parameter->value;
        char number[64];
        if (json_is_integer(value))
                snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                snprintf(number, sizeof number, "%.10g", json_real_value(value));
        else if (!json_is_string(value))
                return fail(err, ERR_INVALID, "act", "%.*s has no value; declare one in the runbook or give it", STR_ARGS(parameter->name));
        struct str text = json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)} : str_of(number);
        return slots_set(slots, parameter, text, arena, err);
}

static bool fill_slots(struct act *act, const struct incident_view *incident, const struct runbook *runbook, const struct place *target, const json_t *values,
                       struct slots *out_slots, struct arena *arena, struct err *err)
{
        const char *name;
        json_t *value;
        out_slots->count = 0;
        json_object_foreach((json_t *)values, name, value) {
                const struct parameter *parameter = parameters_find(&runbook->parameters, str_of(name));
                if (!parameter || parameter->type == PARAMETER_ENTITY)
                        return fail(err, ERR_INVALID, "act", "%s is no value that can be given; entities come from the register", name);
        }
        for (size_t i = 0; i < runbook->parameters.count; i++) {
                const struct parameter *parameter = &runbook->parameters.items[i];
                bool good = parameter->type == PARAMETER_ENTITY ? fill_entity(act, incident, parameter, target, i == runbook->target, out_slots, arena, err)
                                                                : fill_declared(parameter, values, out_slots, arena, err);
                if (!good)
                        return false;
        }
        return true;
}

/* --- the run ------------------------------------------------------------------------------------------------------------------ */

static bool set_text(json_t *json, const char *key, struct str text)
{
        return json_object_set_new(json, key, run_text(text)) == 0;
}

static bool set_values(json_t *facts, const struct slots *slots)
{
        json_t *values = json_object();
        if (!values || json_object_set_new(facts, "values", values) != 0)
                return false;
        for (size_t i = 0; i < slots->count; i++)
                if (json_object_setn_new(values, slots->items[i].name.bytes, slots->items[i].name.length,
                                         json_stringn(slots->items[i].value.bytes, slots->items[i].value.length)) != 0)
                        return false;
        return true;
}

static bool set_plan(struct run *run, const struct runbook *runbook, const struct slots *slots, struct err *err)
{
        scoped(buf_done) struct buf sentence = {0}, check = {0};
        json_t *plan = runbook_plan(runbook, slots, err);
        if (!plan)
                return false;
        if (json_object_set_new(run->facts, "plan", plan) != 0 || !set_values(run->facts, slots))
                return fail_memory(err, "act", sizeof *plan);
        if (!slots_fill(slots, runbook->sentence, SLOT_WORD, &sentence, err) || !slots_fill(slots, runbook->verify.check, SLOT_PROMQL, &check, err))
                return false;
        json_t *verify = json_pack("{s:s%, s:I, s:I, s:I}", "check", check.bytes ? check.bytes : "", check.length, "after_ns", (json_int_t)runbook->verify.after_ns,
                                   "within_ns", (json_int_t)runbook->verify.within_ns, "stays_ns", (json_int_t)runbook->verify.stays_ns);
        return (verify && json_object_set_new(run->facts, "verify", verify) == 0 && set_text(run->facts, "sentence", buf_str(&sentence))) ||
               fail_memory(err, "act", sentence.length);
}

static bool set_facts(struct act *act, struct run *run, const struct incident_view *incident, const struct runbook *runbook, const struct place *target, const char *by)
{
        enum autonomy autonomy;
        (void)act;
        run->incident = incident->id;
        run->incident_number = incident->number;
        run->signature = incident->signature;
        run->target = target->id;
        bool good = set_text(run->facts, "runbook", runbook->name) && set_text(run->facts, "signature", incident->signature_text) &&
                    set_text(run->facts, "target_kind", target->kind) && set_text(run->facts, "target_name", target->name) &&
                    set_text(run->facts, "sentence", runbook->sentence) && json_object_set_new(run->facts, "proposed_by", json_string(by)) == 0;
        return good && json_object_set_new(run->facts, "belief", trust_of(act, runbook, trust_key(run), &autonomy)) == 0;
}

/* The sentence of a run whose values do not fit: what has a value, and the names of the others. */
static bool name_unfilled(struct run *run, const struct runbook *runbook, struct slots slots, struct err *err)
{
        scoped(buf_done) struct buf sentence = {0};
        size_t filled = slots.count;
        for (size_t i = 0; i < runbook->parameters.count; i++) {
                struct str name = runbook->parameters.items[i].name;
                bool is_there = false;
                for (size_t k = 0; k < filled; k++)
                        is_there |= str_equal(slots.items[k].name, name);
                if (!is_there)
                        slots.items[slots.count++] = (struct slot){name, name};
        }
        return slots_fill(&slots, runbook->sentence, SLOT_WORD, &sentence, err) &&
               (set_text(run->facts, "sentence", buf_str(&sentence)) || fail_memory(err, "act", sentence.length));
}

/* NULL: no memory. The plan is missing when its values do not fit; *out_why then says so. */
static struct run *make_run(struct act *act, const struct incident_view *incident, const struct runbook *runbook, const struct place *target, const json_t *values,
                            const char *by, struct err *out_why, bool *out_is_planned)
{
        scoped(arena_done) struct arena arena;
        struct slots slots;
        struct err fault = {0};
        struct run *run = run_create(out_why);
        slots.count = 0;
        arena_init(&arena, 0);
        if (!run || !set_facts(act, run, incident, runbook, target, by)) {
                run_destroy(run);
                return NULL;
        }
        *out_is_planned = fill_slots(act, incident, runbook, target, values, &slots, &arena, out_why) && set_plan(run, runbook, &slots, out_why);
        if (*out_is_planned || name_unfilled(run, runbook, slots, &fault))
                return run;
        *out_why = fault;
        run_destroy(run);
        return NULL;
}

static bool keep_run(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        struct run **kept = ACT_PUSH(&act->runs);
        if (!kept)
                return fail_memory(err, "act", sizeof *run);
        run->id = act_id(act);
        run->number = ++act->numbers;
        run->proposed_ns = time_ns;
        run->is_dirty = true;
        act->is_state_dirty = true;
        *kept = run;
        return true;
}

/* --- by itself ---------------------------------------------------------------------------------------------------------------- */

static bool had_run(const struct act *act, uint64_t incident, struct str runbook, uint64_t target, int64_t opened_ns)
{
        each (run, &act->runs)
                if ((*run)->incident == incident && (*run)->target == target && str_equal(run_fact(*run, "runbook"), runbook) &&
                    (run_is_live(*run) || ((*run)->state != RUN_WITHDRAWN && (*run)->proposed_ns >= opened_ns)))
                        return true;
        return false;
}

static size_t live_runs(const struct act *act)
{
        size_t count = 0;
        each (run, &act->runs)
                count += run_is_live(*run);
        return count;
}

static bool settle_proposal(struct act *act, struct run *run, const struct runbook *runbook, bool is_planned, const struct err *why, int64_t time_ns, struct err *err)
{
        enum autonomy autonomy;
        char text[600];
        const char *guard;
        scoped(buf_done) struct buf refusal = {0};
        act->counts.proposed++;
        if (!is_planned) {
                act->counts.unfit++;
                return run_move(act, run, RUN_REJECTED, "evenkeel", str_of(why->message), time_ns, err);
        }
        run->state = 0;
        json_decref(trust_of(act, runbook, trust_key(run), &autonomy));
        snprintf(text, sizeof text, "%s", autonomy == AUTONOMY_SUGGEST ? "suggested" : autonomy == AUTONOMY_APPROVE ? "it asks for approval" : "it may go ahead by itself");
        if (!run_move(act, run, RUN_PROPOSED, "evenkeel", str_of(text), time_ns, err) ||
            (autonomy != AUTONOMY_SUGGEST && !run_tell(run, "asks", json_true(), err)))
                return false;
        if (autonomy != AUTONOMY_AUTO)
                return true;
        if (!guards_allow(act, run, time_ns, &guard, &refusal))
                return run_note_refusal(act, run, guard, buf_str(&refusal), "evenkeel", time_ns, err);
        run->is_auto = true;
        return run_move(act, run, RUN_APPROVED, "evenkeel", json_str(json_object_get(run->facts, "belief"), "reason"), time_ns, err);
}

static bool propose_target(struct act *act, const struct incident_view *incident, const struct runbook *runbook, const struct place *target, int64_t time_ns, struct err *err)
{
        struct err why = {0};
        bool is_planned = false;
        if (had_run(act, incident->id, runbook->name, target->id, incident->opened_ns))
                return true;
        if (live_runs(act) >= ACT_RUNS_LIVE_MAX) {
                act->counts.crowded++;
                return true;
        }
        struct run *run = make_run(act, incident, runbook, target, NULL, "evenkeel", &why, &is_planned);
        if (!run || (!is_planned && why.code == ERR_MEMORY) || !keep_run(act, run, time_ns, err)) {
                run_destroy(run);
                return fail_memory(err, "act", sizeof *run);
        }
        return settle_proposal(act, run, runbook, is_planned, &why, time_ns, err);
}

static bool has_entity(const struct incident_view *incident, uint64_t id, struct str kind)
{
        each (entity, &incident->entities)
                if (entity->id == id && str_equal(entity->kind, kind))
                        return true;
        return false;
}

/* Whether an alert that the runbook is meant for is about the target: an incident has other things too, which only suffer, and nobody restarts
 * these for it. When those alerts are about no such thing, any may be meant. */
static bool is_meant_for(struct act *act, const struct incident_view *incident, const struct runbook *runbook, const struct place *target)
{
        bool is_about_others = false;
        each (alert, &incident->alerts) {
                uint64_t ids[8];
                if (!alert->is_firing || !runbook_means_alert(runbook, alert))
                        continue;
                size_t count = registry_resolve(act->options.registry, &alert->labels, ids, countof(ids));
                for (size_t i = 0; i < count; i++) {
                        if (ids[i] == target->id)
                                return true;
                        is_about_others |= has_entity(incident, ids[i], target->kind);
                }
        }
        return !is_about_others;
}

bool propose_for(struct act *act, const struct incident_view *incident, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena names_arena;
        struct alert_names names = {0};
        arena_init(&names_arena, 0);
        if (act->runbooks && !alert_names_of(incident, &names_arena, &names, err))
                return false;
        for (size_t i = 0; act->runbooks && i < act->runbooks->list.count; i++) {
                const struct runbook *runbook = &act->runbooks->list.items[i];
                struct str kind = runbook->parameters.items[runbook->target].kind;
                size_t targets = 0;
                if (!runbook_fits(runbook, &names, incident))
                        continue;
                each (entity, &incident->entities) {
                        scoped(arena_done) struct arena arena;
                        struct place place;
                        arena_init(&arena, 0);
                        if (targets == TARGETS_MAX || !str_equal(entity->kind, kind) || !find_place(act, entity, &arena, &place) ||
                            !is_meant_for(act, incident, runbook, &place))
                                continue;
                        targets++;
                        if (!propose_target(act, incident, runbook, &place, time_ns, err))
                                return false;
                }
        }
        return true;
}

/* --- by a person ---------------------------------------------------------------------------------------------------------------- */

/* The target that a person names, of the incident's entities; or the only one. */
static bool find_wished(struct act *act, const struct incident_view *incident, const struct wish *wish, struct arena *arena, struct place *out_place, struct err *err)
{
        struct str kind = wish->runbook->parameters.items[wish->runbook->target].kind;
        size_t found = 0;
        each (entity, &incident->entities) {
                struct place place;
                char id[24];
                if (!str_equal(entity->kind, kind) || !find_place(act, entity, arena, &place))
                        continue;
                snprintf(id, sizeof id, "%" PRIu64, place.id);
                if (wish->target.length && !str_equal(wish->target, place.name) && !str_is(wish->target, id))
                        continue;
                found += !found || place.id != out_place->id;
                *out_place = place;
        }
        if (found == 1)
                return true;
        return fail(err, ERR_INVALID, "act", found ? "the incident has several %.*s; say which is the target" : "the incident has no such %.*s that is in the register", STR_ARGS(kind));
}

bool propose_wish(struct act *act, const struct incident_view *incident, const struct wish *wish, int64_t time_ns, struct run **out_run, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct place place = {0};
        bool is_planned = false;
        struct run *run = NULL;
        arena_init(&arena, 0);
        if (live_runs(act) >= ACT_RUNS_LIVE_MAX)
                return fail(err, ERR_FULL, "act", "there are %d proposals and runs already; decide on some first", ACT_RUNS_LIVE_MAX);
        if (!find_wished(act, incident, wish, &arena, &place, err))
                return false;
        run = make_run(act, incident, wish->runbook, &place, wish->values, wish->by, err, &is_planned);
        if (!run)
                return fail_memory(err, "act", sizeof *run);
        if (!is_planned || !keep_run(act, run, time_ns, err)) {
                run_destroy(run);
                return false;
        }
        act->counts.proposed++;
        *out_run = run;
        return run_move(act, run, RUN_PROPOSED, wish->by, STR("proposed by a person"), time_ns, err);
}
