/*
 * act.c - see act.h: begins and ends, loads and writes, and drives runs through their steps.
 *
 *      approved --guards--> running: step due -> handed (outside) -> step_result --.
 *                                        '-> looking (inside, at ticks) -----------+-> good: next step, the last one: verifying
 *                                                                                  '-> bad: retry, else on_failure: stop, continue, a later step
 *
 * A step is handed out once for each attempt, after the commit that says so. The runner asks (step_begin) before it does anything, so the
 * journal knows. What is running when the program starts was cut off in the middle: it becomes interrupted by a command of its own, and nothing of it is done again.
 */
#include "act/act.h"

#include "act/act_state.h"
#include "act/act_table.h"
#include "act/freeze.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "model/telemetry.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_NS (100 * NS_PER_MS)

bool act_create(const struct act_options *options, struct act **out_act, struct err *err)
{
        struct act *act = calloc(1, sizeof *act);
        if (!act)
                return fail_memory(err, "act", sizeof *act);
        act->options = *options;
        act->settings = json_object();
        act->healed = json_object();
        act->cells = json_object();
        act->posterior = posterior_create(0, err);
        if (!act->settings || !act->healed || !act->cells || !act->posterior || !runner_create(&options->hands, &options->sink, &act->runner, err)) {
                bool is_told = act->settings && act->healed && act->cells; /* by those who failed after it */
                act_destroy(act);
                return is_told ? false : fail_memory(err, "act", sizeof *act);
        }
        *out_act = act;
        return true;
}

static void forget_notes(struct act *act)
{
        each (note, &act->notes)
                json_decref(note->body);
        act->notes.count = 0;
}

void act_destroy(struct act *act)
{
        if (!act)
                return;
        runner_destroy(act->runner);
        each (run, &act->runs)
                run_destroy(*run);
        each (order, &act->orders)
                step_order_destroy(*order);
        forget_notes(act);
        free(act->runs.items);
        free(act->orders.items);
        free(act->notes.items);
        free(act->watches.items);
        runbooks_destroy(act->runbooks);
        posterior_destroy(act->posterior);
        json_decref(act->settings);
        json_decref(act->healed);
        json_decref(act->cells);
        json_decref(act->stopped);
        free(act);
}

void *act_push(void **items, size_t *count, size_t *capacity, size_t item_bytes)
{
        if (*count == *capacity) {
                size_t wanted = *capacity ? *capacity * 2 : 16;
                void *grown = realloc(*items, wanted * item_bytes);
                if (!grown)
                        return NULL;
                *items = grown;
                *capacity = wanted;
        }
        return memset((char *)*items + (*count)++ * item_bytes, 0, item_bytes);
}

void act_begin(struct act *act, uint64_t sequence)
{
        if (sequence != act->sequence)
                act->ordinal = 0;
        act->sequence = sequence;
}

/* The upper half of the ordinals, since engage counts from 0 in the same entry, and ids go into the same timelines. */
uint64_t act_id(struct act *act)
{
        return item_id(act->sequence, (1U << (ITEM_ORDINAL_BITS - 1)) + act->ordinal++);
}

struct run *act_run(const struct act *act, uint64_t id)
{
        each (run, &act->runs)
                if ((*run)->id == id)
                        return *run;
        return NULL;
}

struct run *act_run_of_number(const struct act *act, int64_t number)
{
        each (run, &act->runs)
                if ((*run)->number == number)
                        return *run;
        return NULL;
}

/* --- configuration ------------------------------------------------------------------------------------------------------------ */

bool act_check_configuration(const json_t *content, struct err *err)
{
        return runbooks_check(content, err) && freezes_check(content, err);
}

bool act_configure(struct act *act, const json_t *content, struct err *err)
{
        struct runbooks *runbooks;
        if (!runbooks_create(content, &runbooks, err))
                return false;
        runbooks_destroy(act->runbooks);
        act->runbooks = runbooks;
        act->are_runbooks_dirty = act->is_belief_dirty = true;
        return true;
}

/* --- a run's way ---------------------------------------------------------------------------------------------------------------- */

bool run_say(struct act *act, const struct run *run, const char *by, struct str text, int64_t time_ns, struct err *err)
{
        const struct act_world *world = &act->options.world;
        scoped(buf_done) struct buf whole = {0};
        buf_printf(&whole, "run %" PRIu32 ", %.*s: %s: %.*s", run->number, STR_ARGS(run_fact(run, "sentence")), run_state_name(run->state), STR_ARGS(text));
        if (whole.failed)
                return fail_memory(err, "act", text.length);
        return !world->note || world->note(world->context, run->incident, time_ns, "run", by, buf_str(&whole), err);
}

bool run_send(struct act *act, const struct run *run, const char *occasion, struct str text, int64_t time_ns, size_t *out_recipients, struct err *err)
{
        const struct act_world *world = &act->options.world;
        size_t recipients = 0;
        scoped(buf_done) struct buf whole = {0};
        buf_printf(&whole, "run %" PRIu32 ", %.*s: %.*s", run->number, STR_ARGS(run_fact(run, "sentence")), STR_ARGS(text));
        if (!buf_byte(&whole, 0))
                return fail_memory(err, "act", text.length);
        if (world->say && !world->say(world->context, run->incident, occasion, whole.bytes, act->sequence, time_ns, &recipients, err))
                return false;
        if (out_recipients)
                *out_recipients = recipients;
        return true;
}

/* What nobody who was told of the incident may miss: it did not end well. */
static bool send_end(struct act *act, const struct run *run, struct str text, int64_t time_ns, struct err *err)
{
        bool is_bad = run->state == RUN_FAILED || run->state == RUN_HARMFUL || run->state == RUN_INTERRUPTED;
        scoped(buf_done) struct buf whole = {0};
        if (!is_bad)
                return true;
        if (!buf_printf(&whole, "%s: %.*s", run_state_name(run->state), STR_ARGS(text)))
                return fail_memory(err, "act", text.length);
        return run_send(act, run, "run", buf_str(&whole), time_ns, NULL, err);
}

/* People are asked once their team knows of the incident: before, or while it is silenced, there is nobody to ask. Asked once. */
static bool ask(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        size_t recipients;
        if (run->state != RUN_PROPOSED || !json_flag(run->story, "asks", false))
                return true;
        buf_printf(&text, "it waits for approval; `evenkeel runs show %" PRIu32 "` says what would run, `evenkeel runs approve %" PRIu32 " --why ...` lets it", run->number,
                   run->number);
        if (text.failed)
                return fail_memory(err, "act", 256);
        if (!run_send(act, run, "approval", buf_str(&text), time_ns, &recipients, err))
                return false;
        return !recipients || (run_tell(run, "asks", json_false(), err) && run_tell(run, "asked_ns", json_integer(time_ns), err));
}

bool run_move(struct act *act, struct run *run, enum run_state state, const char *by, struct str text, int64_t time_ns, struct err *err)
{
        json_t *step = json_pack("{s:s, s:s, s:o, s:I}", "state", run_state_name(state), "by", by, "text", run_text(text), "time_ns", (json_int_t)time_ns);
        json_t *history = json_object_get(run->story, "history");
        if (!history && json_object_set_new(run->story, "history", history = json_array()) != 0)
                history = NULL;
        if (!step || json_array_append_new(history, step) != 0)
                return fail_memory(err, "act", sizeof *step);
        run->state = state;
        run->is_dirty = true;
        if (state == RUN_APPROVED || state == RUN_REJECTED || state == RUN_WITHDRAWN)
                run->decided_ns = time_ns;
        if (!run_is_live(run))
                run->ended_ns = time_ns;
        return run_say(act, run, by, text, time_ns, err) && send_end(act, run, text, time_ns, err);
}

bool run_note_refusal(struct act *act, struct run *run, const char *guard, struct str why, const char *by, int64_t time_ns, struct err *err)
{
        json_t *refusals = json_object_get(run->story, "refusals");
        json_t *refusal = json_pack("{s:s, s:o, s:s, s:I}", "guard", guard, "reason", run_text(why), "by", by, "time_ns", (json_int_t)time_ns);
        scoped(buf_done) struct buf text = {0};
        if (!refusals && json_object_set_new(run->story, "refusals", refusals = json_array()) != 0)
                refusals = NULL;
        if (json_array_size(refusals) >= 50)
                json_array_remove(refusals, 0);
        buf_printf(&text, "not started (%s): %.*s", guard, STR_ARGS(why));
        if (!refusal || json_array_append_new(refusals, refusal) != 0 || text.failed)
                return fail_memory(err, "act", why.length);
        act->counts.refused++;
        run->is_dirty = true;
        if (run->state == RUN_APPROVED) {
                run->state = RUN_PROPOSED;
                run->is_auto = false;
        }
        return run_say(act, run, by, buf_str(&text), time_ns, err);
}

bool run_begin(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        const struct act_world *world = &act->options.world;
        const char *guard;
        scoped(buf_done) struct buf why = {0};
        if (!guards_allow(act, run, time_ns, &guard, &why))
                return run_note_refusal(act, run, guard, buf_str(&why), "evenkeel", time_ns, err);
        if (!remember_before(act, run, err) || !watch_close(act, run->incident, false, false, err) ||
            (world->acting && !world->acting(world->context, run->incident, act->sequence, time_ns, err)))
                return false;
        run->started_ns = run->due_ns = time_ns;
        run->place = STEP_DUE;
        act->counts.started++;
        return run_move(act, run, RUN_RUNNING, "evenkeel", STR("the guards allow it"), time_ns, err);
}

bool step_note_add(struct act *act, const struct run *run, json_t *body, struct err *err)
{
        struct step_note *note = body ? ACT_PUSH(&act->notes) : NULL;
        if (!note) {
                json_decref(body);
                return fail_memory(err, "act", sizeof *note);
        }
        *note = (struct step_note){run->id, run->step, run->attempt, body};
        return true;
}

static json_t *step_body(const struct run *run, const char *state, int64_t ended_ns, const json_t *result, struct str sentence)
{
        const json_t *plan = run_step_plan(run, run->step);
        struct str output = json_str(result, "output");
        json_t *body = json_pack("{s:i, s:i, s:O, s:O, s:s, s:I, s:I, s:I, s:o, s:o}", "step", (int)run->step, "attempt", (int)run->attempt, "name",
                                 json_object_get(plan, "name"), "kind", json_object_get(plan, "kind"), "state", state, "begun_ns", (json_int_t)run->begun_ns, "ended_ns",
                                 (json_int_t)ended_ns, "status", (json_int_t)json_i64(result, "status", 0), "output", run_text(output), "sentence",
                                 run_text(sentence));
        return body;
}

static bool hand_out(struct act *act, struct run *run, const json_t *plan, struct err *err)
{
        struct step_order *order = calloc(1, sizeof *order);
        struct step_order **kept = order ? ACT_PUSH(&act->orders) : NULL;
        if (kept)
                *order = (struct step_order){run->id, run->step, run->attempt, json_deep_copy(plan)};
        if (kept && order->plan) {
                *kept = order;
                return true;
        }
        act->orders.count -= kept != NULL;
        free(order);
        return fail_memory(err, "act", sizeof *order);
}

static bool begin_step(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        const json_t *plan = run_step_plan(run, run->step);
        const struct step_kind *kind = step_kind_find(json_str(plan, "kind"));
        if (!kind)
                return run_fail(act, run, STR("this version does not know one of its steps"), time_ns, err);
        run->begun_ns = time_ns;
        if (kind->run && !hand_out(act, run, plan, err))
                return false;
        run->place = kind->run ? STEP_HANDED : STEP_LOOKING;
        run->is_dirty = true;
        return step_note_add(act, run, step_body(run, kind->run ? "handed" : "looking", 0, NULL, STR("")), err);
}

bool run_fail(struct act *act, struct run *run, struct str text, int64_t time_ns, struct err *err)
{
        return trust_record(act, run, RUN_FAILED, err) && run_move(act, run, RUN_FAILED, "evenkeel", text, time_ns, err);
}

static bool go_to(struct act *act, struct run *run, uint32_t step, int64_t time_ns, struct err *err)
{
        run->step = step;
        run->attempt = 0;
        run->place = STEP_DUE;
        run->due_ns = time_ns;
        run->is_dirty = true;
        return run_step_plan(run, step) || verify_begin(act, run, time_ns, err);
}

static bool step_failed(struct act *act, struct run *run, struct str sentence, int64_t time_ns, struct err *err)
{
        const json_t *plan = run_step_plan(run, run->step), *other;
        struct str wanted = json_str(plan, "on_failure");
        scoped(buf_done) struct buf text = {0};
        if (run->attempt < json_i64(plan, "retries", 0)) {
                run->due_ns = time_ns + (json_i64(plan, "backoff_ns", 0) << min_of(run->attempt, 10U));
                run->attempt++;
                run->place = STEP_DUE;
                run->is_dirty = true;
                return true;
        }
        if (str_is(wanted, "continue"))
                return go_to(act, run, run->step + 1, time_ns, err);
        for (uint32_t i = run->step + 1; (other = run_step_plan(run, i)); i++)
                if (str_equal(json_str(other, "name"), wanted))
                        return go_to(act, run, i, time_ns, err);
        buf_printf(&text, "the step %.*s failed: %.*s", STR_ARGS(json_str(plan, "name")), STR_ARGS(sentence));
        return text.failed ? fail_memory(err, "act", sentence.length) : run_fail(act, run, buf_str(&text), time_ns, err);
}

static bool end_step(struct act *act, struct run *run, bool is_good, const json_t *result, struct str sentence, int64_t time_ns, struct err *err)
{
        if (!step_note_add(act, run, step_body(run, is_good ? "good" : "bad", time_ns, result, sentence), err))
                return false;
        return is_good ? go_to(act, run, run->step + 1, time_ns, err) : step_failed(act, run, sentence, time_ns, err);
}

/* The words of a step go into the timeline and to the teams; the step says how many were told. */
static bool say_step(struct act *act, const struct run *run, struct str *sentence, struct arena *arena, int64_t time_ns, struct err *err)
{
        size_t recipients;
        if (!run_say(act, run, "evenkeel", *sentence, time_ns, err) || !run_send(act, run, "runbook", *sentence, time_ns, &recipients, err))
                return false;
        *sentence = recipients ? arena_printf(arena, "told to %zu recipient%s: %.*s", recipients, recipients == 1 ? "" : "s", STR_ARGS(*sentence)) :
                                 arena_printf(arena, "put into the timeline; no team has a receiver to tell: %.*s", STR_ARGS(*sentence));
        return sentence->bytes || fail_memory(err, "act", 256);
}

static bool look_at_step(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        const json_t *plan = run_step_plan(run, run->step);
        const struct step_kind *kind = step_kind_find(json_str(plan, "kind"));
        enum step_answer answer;
        struct str sentence = {0};
        arena_init(&arena, 0);
        struct step_moment moment = {act->options.series, time_ns, run->begun_ns, &arena};
        if (!kind || !kind->look || !kind->look(&moment, plan, &answer, &sentence, err))
                return kind && kind->look ? false : run_fail(act, run, STR("this version does not know one of its steps"), time_ns, err);
        if (answer == STEP_NOT_YET)
                return true;
        if (answer == STEP_GOOD && kind->is_said && !say_step(act, run, &sentence, &arena, time_ns, err))
                return false;
        return end_step(act, run, answer == STEP_GOOD, NULL, sentence, time_ns, err);
}

bool run_take_result(struct act *act, struct run *run, const json_t *result, int64_t time_ns, struct err *err)
{
        bool is_awaited = run->state == RUN_RUNNING && run->place == STEP_BEGUN && json_i64(result, "step", -1) == run->step &&
                          json_i64(result, "attempt", -1) == run->attempt;
        if (!is_awaited)
                return fail(err, ERR_CONFLICT, "act", "run %" PRIu32 " no longer waits for this result", run->number);
        return end_step(act, run, json_flag(result, "good", false), result, json_str(result, "sentence"), time_ns, err);
}

/* The runner asks before it does anything outside. The journal has the answer before the runner does, so that even a power failure which takes back the state
 * database finds it in replay: what was begun is not begun again. */
bool run_begin_step(struct act *act, struct run *run, const json_t *arguments, struct err *err)
{
        bool is_wanted = run->state == RUN_RUNNING && run->place == STEP_HANDED && !run->is_found_running && json_i64(arguments, "step", -1) == run->step &&
                         json_i64(arguments, "attempt", -1) == run->attempt;
        (void)act;
        if (!is_wanted)
                return fail(err, ERR_CONFLICT, "act", "run %" PRIu32 " no longer wants this step", run->number);
        run->place = STEP_BEGUN;
        run->is_dirty = true;
        return true;
}

/* Steps that need no time follow at once; bounded by their number. */
bool run_advance(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        for (size_t i = 0; i < 2 * STEPS_MAX && run->state == RUN_RUNNING && !run->is_found_running; i++) {
                if (run->place == STEP_HANDED || run->place == STEP_BEGUN || (run->place == STEP_DUE && time_ns < run->due_ns))
                        return true;
                if (run->place == STEP_DUE && !begin_step(act, run, time_ns, err))
                        return false;
                uint32_t step = run->step;
                if (run->state == RUN_RUNNING && run->place == STEP_LOOKING && !look_at_step(act, run, time_ns, err))
                        return false;
                if (run->step == step)
                        return true;
        }
        return true;
}

/* --- incidents ---------------------------------------------------------------------------------------------------------------- */

static bool withdraw(struct act *act, uint64_t incident, struct str why, int64_t time_ns, struct err *err)
{
        each (run, &act->runs)
                if ((*run)->incident == incident && ((*run)->state == RUN_PROPOSED || (*run)->state == RUN_APPROVED) &&
                    !run_move(act, *run, RUN_WITHDRAWN, "evenkeel", why, time_ns, err))
                        return false;
        return true;
}

static bool is_quiet(const struct incident_view *view)
{
        each (alert, &view->alerts)
                if (alert->is_firing)
                        return false;
        return view->alerts.count > 0;
}

static bool take_one(struct act *act, const struct incident_news *news, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        const struct act_world *world = &act->options.world;
        struct err fault = {0};
        arena_init(&arena, 0);
        if (!world->view || !world->view(world->context, news->incident, &arena, &view, &fault)) {
                if (fault.code == ERR_MEMORY && err)
                        *err = fault;
                return fault.code != ERR_MEMORY;
        }
        if (view.state >= INCIDENT_RESOLVED)
                return watch_close(act, view.id, is_quiet(&view), is_quiet(&view), err) && withdraw(act, view.id, STR("the incident is over"), time_ns, err);
        if ((news->kinds & (NEWS_OPENED | NEWS_REOPENED)) && !view.is_held && !watch_open(act, &view, time_ns, err))
                return false;
        unsigned matters = NEWS_OPENED | NEWS_REOPENED | NEWS_ALERTS | NEWS_SEVERITY | NEWS_CAUSES | NEWS_SPLIT;
        return !(news->kinds & matters) || propose_for(act, &view, time_ns, err);
}

bool act_take(struct act *act, const struct incident_news *news, size_t count, uint64_t sequence, int64_t time_ns, struct err *err)
{
        act_begin(act, sequence);
        for (size_t i = 0; i < count; i++)
                if (!take_one(act, &news[i], time_ns, err))
                        return false;
        return true;
}

bool act_heard(struct act *act, const char *verb, const json_t *arguments, struct err *err)
{
        const struct act_world *world = &act->options.world;
        int64_t number = json_i64(arguments, "incident", 0);
        bool is_hand = strcmp(verb, "incident_fix") == 0 || strcmp(verb, "incident_action") == 0;
        if (!is_hand || !world->by_number || number <= 0 || number > UINT32_MAX)
                return true;
        uint64_t incident = world->by_number(world->context, (uint32_t)number);
        return !incident || watch_by_hand(act, incident, err);
}

/* Ended runs that no guard counts any more leave memory; their rows stay. */
static void forget_old(struct act *act, int64_t time_ns)
{
        size_t kept = 0;
        each (run, &act->runs) {
                bool is_old = !run_is_live(*run) && !(*run)->is_dirty && time_ns - (*run)->ended_ns > ACT_REMEMBERED_NS;
                if (is_old)
                        run_destroy(*run);
                else
                        act->runs.items[kept++] = *run;
        }
        act->runs.count = kept;
}

/* What is looked at once a second is looked at in the second's first tick: by the time alone, so that a program that was started anew in between decides the
 * same. Where ticks come so slowly that a second has no first one, every other second must do. */
static void begin_second(struct act *act, int64_t time_ns)
{
        act->is_second = time_ns % NS_PER_S < TICK_NS || time_ns - act->looked_ns >= 2 * NS_PER_S;
        if (act->is_second)
                act->looked_ns = time_ns;
}

bool act_tick(struct act *act, uint64_t sequence, int64_t time_ns, struct err *err)
{
        act_begin(act, sequence);
        begin_second(act, time_ns);
        for (size_t i = 0; i < act->runs.count; i++) {
                struct run *run = act->runs.items[i];
                if (run->state == RUN_APPROVED && !run_begin(act, run, time_ns, err))
                        return false;
                if (run->state == RUN_RUNNING && !run_advance(act, run, time_ns, err))
                        return false;
                if (run->state == RUN_VERIFYING && !verify_look(act, run, time_ns, err))
                        return false;
        }
        if (!act->is_second)
                return true;
        each (run, &act->runs)
                if (!ask(act, *run, time_ns, err))
                        return false;
        forget_old(act, time_ns);
        return watch_tick(act, time_ns, err);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------- */

bool act_is_dirty(const struct act *act)
{
        bool is_dirty = act->is_state_dirty || act->is_belief_dirty || act->are_runbooks_dirty || act->notes.count || act->orders.count || act->must_kill;
        for (size_t i = 0; !is_dirty && i < act->runs.count; i++)
                is_dirty = act->runs.items[i]->is_dirty;
        for (size_t i = 0; !is_dirty && i < act->watches.count; i++)
                is_dirty = act->watches.items[i].is_dirty;
        return is_dirty;
}

static bool write_part(struct database *state, const char *name, json_t *part, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *own = part;
        if (!own || !json_write(own, &text))
                return fail_memory(err, "act", text.length);
        return act_part_write(state, name, buf_str(&text), err);
}

static bool write_run(struct run *run, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *json = run_json(run);
        if (!json || !json_write(json, &text))
                return fail_memory(err, "act", text.length);
        struct run_row row = {run->id, run->incident, run->number, run_is_live(run), run->ended_ns, run_fact(run, "runbook"), str_of(run_state_name(run->state)), buf_str(&text)};
        return run_row_write(state, &row, err);
}

static json_t *setting_part(const struct act *act)
{
        return json_pack("{s:i, s:O, s:O?}", "numbers", (int)act->numbers, "settings", act->settings, "stopped", act->stopped);
}

/* What readers see of runbooks: as declared, with how far each may go. */
static json_t *runbook_part(const struct act *act)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        for (size_t i = 0; act->runbooks && i < act->runbooks->list.count; i++) {
                const struct runbook *runbook = &act->runbooks->list.items[i];
                json_t *trust = trust_whole(act, runbook);
                json_t *one = json_pack("{s:s%, s:s%, s:O, s:o}", "name", runbook->name.bytes, runbook->name.length, "file", runbook->file.bytes ? runbook->file.bytes : "",
                                        runbook->file.length, "declared", runbook->tree, "trust", trust);
                if (!one || json_array_append_new(list, one) != 0)
                        return NULL;
        }
        return give(list);
}

static bool write_beliefs(struct act *act, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf bytes = {0};
        return posterior_snapshot(act->posterior, &bytes, err) && act_part_write(state, "posterior", buf_str(&bytes), err) &&
               write_part(state, "beliefs", json_pack("{s:O, s:O}", "healed", act->healed, "cells", act->cells), err);
}

static bool write_watches(struct act *act, struct database *state, struct err *err)
{
        each (watch, &act->watches) {
                struct watch_row row = {watch->incident, watch->signature, watch->target_class, watch->opened_ns};
                if (watch->is_dirty && !(watch->is_over ? watch_row_delete(state, watch->incident, err) : watch_row_write(state, &row, err)))
                        return false;
        }
        return true;
}

bool act_write(struct act *act, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        each (run, &act->runs)
                if ((*run)->is_dirty && !write_run(*run, state, err))
                        return false;
        each (note, &act->notes) {
                buf_clear(&text);
                if (!json_write(note->body, &text))
                        return fail_memory(err, "act", text.length);
                if (!step_row_write(state, note->run, note->step, note->attempt, buf_str(&text), err))
                        return false;
        }
        return (!act->is_state_dirty || write_part(state, "state", setting_part(act), err)) && (!act->is_belief_dirty || write_beliefs(act, state, err)) &&
               (!(act->are_runbooks_dirty || act->is_belief_dirty || act->is_state_dirty) || write_part(state, "runbooks", runbook_part(act), err)) &&
               write_watches(act, state, err);
}

static void hand_over(struct act *act)
{
        size_t kept = 0;
        each (order, &act->orders) {
                const struct run *run = act_run(act, (*order)->run);
                bool is_wanted = !(*order)->run || (run && run->state == RUN_RUNNING && !run->is_found_running);
                if (!is_wanted)
                        step_order_destroy(*order);
                else if (!runner_hand(act->runner, *order))
                        act->orders.items[kept++] = *order;     /* no memory: at the next commit */
        }
        act->orders.count = kept;
}

void act_written(struct act *act)
{
        size_t kept = 0;
        each (run, &act->runs)
                (*run)->is_dirty = false;
        forget_notes(act);
        each (watch, &act->watches) {
                watch->is_dirty = false;
                if (!watch->is_over)
                        act->watches.items[kept++] = *watch;
        }
        act->watches.count = kept;
        act->is_state_dirty = act->is_belief_dirty = act->are_runbooks_dirty = false;
        if (act->must_kill)
                runner_kill(act->runner);
        act->must_kill = false;
        hand_over(act);
}

static bool load_run(void *context, const struct run_row *row, struct err *err)
{
        struct act *act = context;
        scoped_ptr(json_decref) json_t *json = json_parse(row->body, err);
        struct run *run = json ? run_of_json(json, err) : NULL;
        struct run **kept = run ? ACT_PUSH(&act->runs) : NULL;
        if (!kept) {
                run_destroy(run);
                return run ? fail_memory(err, "act", sizeof *run) : false;
        }
        *kept = run;
        return true;
}

static bool load_watch(void *context, const struct watch_row *row, struct err *err)
{
        struct act *act = context;
        struct watch *watch = ACT_PUSH(&act->watches);
        if (!watch)
                return fail_memory(err, "act", sizeof *watch);
        *watch = (struct watch){.incident = row->incident, .signature = row->signature, .target_class = row->target_class, .opened_ns = row->opened_ns};
        return true;
}

static bool load_memory(struct act *act, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        bool found;
        if (!act_part_read(state, "beliefs", &text, &found, err))
                return false;
        if (!found)
                return true;
        scoped_ptr(json_decref) json_t *part = json_parse(buf_str(&text), err);
        return part && (json_object_update(act->healed, json_object_get(part, "healed")) == 0 || !json_object_get(part, "healed")) &&
               (json_object_update(act->cells, json_object_get(part, "cells")) == 0 || !json_object_get(part, "cells"));
}

static bool load_state(struct act *act, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0}, bytes = {0};
        bool found, has_beliefs;
        if (!act_part_read(state, "state", &text, &found, err) || !act_part_read(state, "posterior", &bytes, &has_beliefs, err))
                return false;
        if (found) {
                scoped_ptr(json_decref) json_t *part = json_parse(buf_str(&text), err);
                if (!part)
                        return false;
                act->numbers = (uint32_t)json_i64(part, "numbers", 0);
                json_object_update(act->settings, json_object_get(part, "settings"));
                const json_t *stopped = json_object_get(part, "stopped");
                act->stopped = json_is_object(stopped) ? json_incref((json_t *)stopped) : NULL;
        }
        if (!load_memory(act, state, err))
                return false;
        if (!has_beliefs)
                return true;
        struct posterior *posterior = posterior_restore(buf_str(&bytes), 0, err);
        if (!posterior)
                return false;
        posterior_destroy(act->posterior);
        act->posterior = posterior;
        return true;
}

bool act_load(struct act *act, struct database *state, int64_t time_ns, struct err *err)
{
        act->looked_ns = time_ns;
        return load_state(act, state, err) && run_rows_recent(state, time_ns - ACT_REMEMBERED_NS, load_run, act, err) && watch_rows_visit(state, load_watch, act, err);
}

/* --- effects -------------------------------------------------------------------------------------------------------------------- */

/* What was found running and has not ended in replay was cut off; said once, by a command. */
static bool order_interruptions(struct act *act, struct err *err)
{
        each (run, &act->runs) {
                char id[24];
                if ((*run)->state != RUN_RUNNING || !(*run)->is_found_running)
                        continue;
                struct step_order *order = calloc(1, sizeof *order);
                snprintf(id, sizeof id, "%" PRIu64, (*run)->id);
                if (order)
                        order->plan = json_pack("{s:s, s:{s:s}}", "verb", "run_interrupted", "arguments", "run", id);
                if (!order || !order->plan || !runner_hand(act->runner, order)) {
                        step_order_destroy(order);
                        return fail_memory(err, "act", sizeof *order);
                }
        }
        return true;
}

/* Steps that replay decided on anew were handed over then; either the journal had their results, or they are not done any more. */
bool act_found(struct act *act, struct err *err)
{
        runner_forget(act->runner);
        each (order, &act->orders)
                step_order_destroy(*order);
        act->orders.count = 0;
        each (run, &act->runs)
                (*run)->is_found_running = (*run)->state == RUN_RUNNING;
        return order_interruptions(act, err);
}

bool act_start(struct act *act, struct err *err)
{
        return runner_start(act->runner, err);
}

bool act_set_secrets(struct act *act, const json_t *secrets, struct err *err)
{
        return runner_set_secrets(act->runner, secrets, err);
}

void act_stop(struct act *act)
{
        runner_stop(act->runner);
}

void act_turn(struct act *act)
{
        runner_turn(act->runner);
}

void act_count(const struct act *act, struct act_counts *out_counts)
{
        *out_counts = act->counts;
        out_counts->runs_live = out_counts->runs_running = 0;
        each (run, &act->runs) {
                out_counts->runs_live += run_is_live(*run);
                out_counts->runs_running += (*run)->state == RUN_RUNNING;
        }
}
