/*
 * act_command.c - what people decide about runs, and what the runner reports. Each command is a row; everything is checked before anything changes.
 */
#include "act/act_state.h"
#include "base/json.h"

#include <inttypes.h>

struct order {
        const json_t *arguments;
        const char *by;
        int64_t time_ns;
        json_t **out_result;
};

typedef bool order_fn(struct act *act, const struct order *order, struct err *err);

static struct str why_of(const struct order *order)
{
        struct str why = json_str(order->arguments, "why");
        return why.bytes ? str_slice(why, 0, 2000) : STR("");
}

static bool find_run(struct act *act, const struct order *order, struct run **out_run, struct err *err)
{
        int64_t number = json_i64(order->arguments, "run", 0);
        *out_run = act_run_of_number(act, number);
        return *out_run || fail(err, ERR_NOT_FOUND, "act", "there is no run %" PRId64 ", or it ended too long ago to be decided on; `evenkeel runs` lists them", number);
}

static bool find_run_by_id(struct act *act, const struct order *order, struct run **out_run, struct err *err)
{
        uint64_t id = 0;
        str_to_u64(json_str(order->arguments, "run"), &id);
        *out_run = act_run(act, id);
        return *out_run || fail(err, ERR_NOT_FOUND, "act", "there is no run with the id %" PRIu64, id);
}

static bool must_be(const struct run *run, enum run_state state, struct err *err)
{
        return run->state == state || fail(err, ERR_CONFLICT, "act", "run %" PRIu32 " is %s; this can be done to one that is %s", run->number,
                                           run_state_name(run->state), run_state_name(state));
}

static bool answer_run(const struct order *order, const struct run *run)
{
        *order->out_result = json_pack("{s:I, s:s}", "run", (json_int_t)run->number, "state", run_state_name(run->state));
        return true;
}

static bool approve(struct act *act, const struct order *order, struct run *run, struct err *err)
{
        const char *guard;
        scoped(buf_done) struct buf reason = {0};
        struct str why = why_of(order);
        if (!guards_allow(act, run, order->time_ns, &guard, &reason)) {
                *order->out_result = json_pack("{s:I, s:s, s:{s:s, s:o}}", "run", (json_int_t)run->number, "state", "proposed", "refused", "guard", guard, "reason",
                                               run_text(buf_str(&reason)));
                return run_note_refusal(act, run, guard, buf_str(&reason), order->by, order->time_ns, err);
        }
        return run_tell(run, "approved_by", json_string(order->by), err) && run_tell(run, "why", json_stringn(why.bytes, why.length), err) &&
               run_move(act, run, RUN_APPROVED, order->by, why, order->time_ns, err) && answer_run(order, run);
}

static bool propose(struct act *act, const struct order *order, struct run **out_run, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        const struct act_world *world = &act->options.world;
        struct wish wish = {.runbook = runbooks_find(act->runbooks, json_str(order->arguments, "runbook")), .target = json_str(order->arguments, "target"),
                            .values = json_object_get(order->arguments, "values"), .by = order->by};
        int64_t number = json_i64(order->arguments, "incident", 0);
        uint64_t incident = world->by_number && number > 0 && number <= UINT32_MAX ? world->by_number(world->context, (uint32_t)number) : 0;
        arena_init(&arena, 0);
        if (!wish.runbook)
                return fail(err, ERR_NOT_FOUND, "act", "there is no runbook of that name; `evenkeel runbooks` lists them");
        if (!incident)
                return fail(err, ERR_NOT_FOUND, "act", "there is no incident %" PRId64 ", or it was closed too long ago for a run", number);
        return world->view(world->context, incident, &arena, &view, err) && propose_wish(act, &view, &wish, order->time_ns, out_run, err);
}

static bool order_propose(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return propose(act, order, &run, err) && answer_run(order, run);
}

static bool order_start(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return propose(act, order, &run, err) && approve(act, order, run, err);
}

static bool order_approve(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return find_run(act, order, &run, err) && must_be(run, RUN_PROPOSED, err) && approve(act, order, run, err);
}

static bool order_reject(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return find_run(act, order, &run, err) && must_be(run, RUN_PROPOSED, err) &&
               run_move(act, run, RUN_REJECTED, order->by, why_of(order), order->time_ns, err) && answer_run(order, run);
}

/* A step that was handed out goes on; what becomes of it is no longer waited for. */
static bool note_unknown(struct act *act, struct run *run, const char *sentence, int64_t time_ns, struct err *err)
{
        const json_t *plan = run_step_plan(run, run->step);
        if (run->state != RUN_RUNNING || run->place != STEP_BEGUN)
                return true;
        return step_note_add(act, run, json_pack("{s:i, s:i, s:O, s:O, s:s, s:I, s:I, s:i, s:s, s:s}", "step", (int)run->step, "attempt", (int)run->attempt, "name",
                                                 json_object_get(plan, "name"), "kind", json_object_get(plan, "kind"), "state", "unknown", "begun_ns",
                                                 (json_int_t)run->begun_ns, "ended_ns", (json_int_t)time_ns, "status", 0, "output", "", "sentence", sentence), err);
}

static bool stop_run(struct act *act, struct run *run, const struct order *order, struct str why, struct err *err)
{
        return note_unknown(act, run, "the run was stopped while it was under way; whether it took effect is not known", order->time_ns, err) &&
               run_move(act, run, RUN_STOPPED, order->by, why, order->time_ns, err);
}

static bool order_stop(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        if (!find_run(act, order, &run, err))
                return false;
        if (!run_is_live(run) || run->state == RUN_PROPOSED)
                return fail(err, ERR_CONFLICT, "act", "run %" PRIu32 " is %s; there is nothing to stop", run->number, run_state_name(run->state));
        return stop_run(act, run, order, why_of(order), err) && answer_run(order, run);
}

static bool order_interrupted(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        if (!find_run_by_id(act, order, &run, err) || !must_be(run, RUN_RUNNING, err))
                return false;
        bool is_unknown = run->place == STEP_BEGUN;
        run->is_found_running = false;
        return note_unknown(act, run, "the program ended while it was under way; whether it took effect is not known", order->time_ns, err) &&
               run_move(act, run, RUN_INTERRUPTED, order->by, is_unknown ? STR("the program ended in the middle; whether the last step took effect is not known, and nothing is repeated")
                        : STR("the program ended in the middle; nothing is repeated"), order->time_ns, err) && answer_run(order, run);
}

static bool order_begin(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return find_run_by_id(act, order, &run, err) && run_begin_step(act, run, order->arguments, err) && answer_run(order, run);
}

static bool order_result(struct act *act, const struct order *order, struct err *err)
{
        struct run *run;
        return find_run_by_id(act, order, &run, err) && run_take_result(act, run, order->arguments, order->time_ns, err) &&
               run_advance(act, run, order->time_ns, err) && answer_run(order, run);
}

static bool order_judge(struct act *act, const struct order *order, struct err *err)
{
        static const struct { const char *name; enum run_state state; } outcomes[] = {
                {"succeeded", RUN_SUCCEEDED}, {"failed", RUN_FAILED}, {"harmful", RUN_HARMFUL}};
        struct run *run;
        struct str wanted = json_str(order->arguments, "outcome");
        size_t i = 0;
        while (i < countof(outcomes) && !str_is(wanted, outcomes[i].name))
                i++;
        if (!find_run(act, order, &run, err))
                return false;
        if (i == countof(outcomes))
                return fail(err, ERR_INVALID, "act", "outcome must be succeeded, failed or harmful");
        if (run->state < RUN_SUCCEEDED || run->state > RUN_STOPPED || !run->started_ns)
                return fail(err, ERR_CONFLICT, "act", "run %" PRIu32 " is %s; only what ran can be judged", run->number, run_state_name(run->state));
        trust_take_back(act, run);
        return trust_record(act, run, outcomes[i].state, err) && run_move(act, run, outcomes[i].state, order->by, why_of(order), order->time_ns, err) && answer_run(order, run);
}

static json_t *decision(const struct order *order)
{
        struct str why = why_of(order);
        return json_pack("{s:s, s:s%, s:I}", "by", order->by, "why", why.bytes, why.length, "time_ns", (json_int_t)order->time_ns);
}

/* What runs is stopped; what was approved waits for a new approval. */
static bool order_stop_all(struct act *act, const struct order *order, struct err *err)
{
        json_t *stopped = decision(order);
        int count = 0;
        if (!stopped)
                return fail_memory(err, "act", sizeof *stopped);
        json_decref(act->stopped);
        act->stopped = stopped;
        act->is_state_dirty = act->must_kill = true;
        each (run, &act->runs) {
                if ((*run)->state == RUN_RUNNING && !stop_run(act, *run, order, STR("all automation was stopped"), err))
                        return false;
                count += (*run)->state == RUN_STOPPED && (*run)->ended_ns == order->time_ns;
                if ((*run)->state == RUN_APPROVED && !run_note_refusal(act, *run, "stopped", STR("all automation was stopped"), order->by, order->time_ns, err))
                        return false;
        }
        *order->out_result = json_pack("{s:i}", "stopped", count);
        return true;
}

static bool order_resume(struct act *act, const struct order *order, struct err *err)
{
        if (!act->stopped)
                return fail(err, ERR_CONFLICT, "act", "automation is not stopped");
        json_decref(act->stopped);
        act->stopped = NULL;
        act->is_state_dirty = true;
        *order->out_result = json_pack("{s:b}", "resumed", true);
        return true;
}

static bool order_autonomy(struct act *act, const struct order *order, struct err *err)
{
        const struct runbook *runbook = runbooks_find(act->runbooks, json_str(order->arguments, "runbook"));
        enum autonomy level;
        if (!runbook)
                return fail(err, ERR_NOT_FOUND, "act", "there is no runbook of that name; `evenkeel runbooks` lists them");
        if (!autonomy_parse(json_str(order->arguments, "level"), &level))
                return fail(err, ERR_INVALID, "act", "level must be suggest, approve or auto");
        json_t *setting = decision(order);
        if (!setting || json_object_set_new(setting, "level", json_string(autonomy_name(level))) != 0 ||
            json_object_setn(act->settings, runbook->name.bytes, runbook->name.length, setting) != 0) {
                json_decref(setting);
                return fail_memory(err, "act", sizeof *setting);
        }
        json_decref(setting);
        act->is_state_dirty = true;
        *order->out_result = json_pack("{s:s%, s:s}", "runbook", runbook->name.bytes, runbook->name.length, "level", autonomy_name(level));
        return true;
}

static const struct {
        const char *verb;
        order_fn *run;
} orders[] = {
        {"automation_resume", order_resume}, {"automation_stop", order_stop_all}, {"run_approve", order_approve},
        {"run_interrupted", order_interrupted}, {"run_judge", order_judge},   {"run_propose", order_propose},
        {"run_reject", order_reject},        {"run_start", order_start},      {"run_stop", order_stop},
        {"runbook_autonomy", order_autonomy}, {"step_begin", order_begin},    {"step_result", order_result},
};

static order_fn *find_order(const char *verb)
{
        for (size_t i = 0; i < countof(orders); i++)
                if (strcmp(orders[i].verb, verb) == 0)
                        return orders[i].run;
        return NULL;
}

bool act_handles(const char *verb)
{
        return find_order(verb) != NULL;
}

bool act_command(struct act *act, const char *verb, const json_t *arguments, const char *by, uint64_t sequence, int64_t time_ns, json_t **out_result, struct err *err)
{
        act_begin(act, sequence);
        return find_order(verb)(act, &(struct order){arguments, by, time_ns, out_result}, err);
}
