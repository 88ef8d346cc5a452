/*
 * verify.c - whether a run helped. Steps that ended well prove nothing; what counts is that the fault is gone afterwards, stays gone, and nothing else
 * began to fire meanwhile:
 *
 *      steps end --after--> look each second --> good for `stays`              succeeded
 *                                            \-> something new for `stays`     harmful
 *                                             '-> `within` is over             failed (or harmful, if something new fires)
 *
 * Beside it, faults that nobody's run touched are watched: how many are gone after ten minutes by themselves is what a runbook must beat.
 */
#include "act/act_state.h"
#include "act/check_expression.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BEFORE_MAX 500

static bool view_of(struct act *act, uint64_t incident, struct arena *arena, struct incident_view *out_view)
{
        const struct act_world *world = &act->options.world;
        return world->view && world->view(world->context, incident, arena, out_view, NULL);
}

/* Which alerts fire, before the first step. */
bool remember_before(struct act *act, struct run *run, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view = {0};
        json_t *before = json_array();
        size_t firing = 0;
        arena_init(&arena, 0);
        if (!before)
                return fail_memory(err, "act", sizeof *before);
        if (view_of(act, run->incident, &arena, &view))
                each (alert, &view.alerts) {
                        char id[24];
                        firing += alert->is_firing;
                        snprintf(id, sizeof id, "%" PRIu64, alert->id);
                        if (alert->is_firing && json_array_size(before) < BEFORE_MAX && json_array_append_new(before, json_string(id)) != 0) {
                                json_decref(before);
                                return fail_memory(err, "act", sizeof *before);
                        }
                }
        return run_tell(run, "firing_before", json_integer((json_int_t)firing), err) && run_tell(run, "before", before, err);
}

bool verify_begin(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        run->steps_ended_ns = time_ns;
        return run_move(act, run, RUN_VERIFYING, "evenkeel", STR("all steps are done; now it is seen whether the fault is gone"), time_ns, err);
}

static bool fired_before(const struct run *run, uint64_t alert)
{
        char id[24];
        size_t i;
        json_t *one;
        snprintf(id, sizeof id, "%" PRIu64, alert);
        json_array_foreach(json_object_get(run->story, "before"), i, one)
                if (str_is(str_of(json_string_value(one)), id))
                        return true;
        return json_array_size(json_object_get(run->story, "before")) >= BEFORE_MAX;
}

struct finding_after {
        size_t firing, meant, fresh;    /* alerts that fire; that the runbook is for; that did not fire before */
        struct str fresh_name;
        bool is_good, can_tell;
};

static void see(struct act *act, const struct run *run, int64_t time_ns, struct arena *arena, struct finding_after *out_after)
{
        struct incident_view view = {0};
        struct str check = json_str(json_object_get(run->facts, "verify"), "check");
        const struct runbook *runbook = runbooks_find(act->runbooks, run_fact(run, "runbook"));
        struct finding_after after = {0};
        bool has_view = view_of(act, run->incident, arena, &view), holds = false;
        each (alert, &view.alerts) {
                if (!alert->is_firing)
                        continue;
                after.firing++;
                after.meant += !runbook || runbook_means_alert(runbook, alert);
                if (!alert->is_held && alert->severity >= ALERT_WARNING && !fired_before(run, alert->id)) {
                        after.fresh++;
                        after.fresh_name = labels_value(&alert->labels, STR("alertname"));
                }
        }
        if (check.length)
                after.can_tell = check_expression_holds(check, act->options.series, time_ns, arena, &holds, NULL);
        else
                after.can_tell = has_view && view.alerts.count > 0;
        after.is_good = after.can_tell && (check.length ? holds : after.meant == 0);
        *out_after = after;
}

static bool conclude(struct act *act, struct run *run, enum run_state outcome, const struct finding_after *after, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        struct posterior_belief belief;
        posterior_read(act->posterior, trust_key(run), &belief);
        int64_t before = json_i64(run->story, "firing_before", 0), took_s = (time_ns - run->steps_ended_ns) / NS_PER_S;
        if (outcome == RUN_SUCCEEDED)
                buf_printf(&text, "it worked: %" PRId64 " alerts fired before, %zu now, %" PRId64 " s after the last step; by itself such a fault is gone within 10 min in about %.0f of 100 cases",
                           before, after->firing, took_s, belief.heal_mean * 100);
        else if (outcome == RUN_HARMFUL)
                buf_printf(&text, "it did harm: %.*s fires, which did not before it", STR_ARGS(after->fresh_name));
        else if (after->can_tell)
                buf_printf(&text, "it did not help: the fault is still there %" PRId64 " s after the last step", took_s);
        else
                buf_text(&text, "whether it helped cannot be told: no alert and no expression shows it; give the runbook verify.check");
        if (text.failed)
                return fail_memory(err, "act", 256);
        if (!run_tell(run, "firing_after", json_integer((json_int_t)after->firing), err) || !run_tell(run, "heals_by_itself", json_real(belief.heal_mean), err))
                return false;
        if ((outcome != RUN_FAILED || after->can_tell) && !trust_record(act, run, outcome, err))
                return false;
        return run_move(act, run, outcome, "evenkeel", buf_str(&text), time_ns, err);
}

static void note_since(struct run *run, int64_t *since_ns, bool is_so, int64_t time_ns)
{
        if (is_so == (*since_ns != 0))
                return;
        *since_ns = is_so ? time_ns : 0;
        run->is_dirty = true;
}

bool verify_look(struct act *act, struct run *run, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct finding_after after;
        const json_t *verify = json_object_get(run->facts, "verify");
        int64_t passed_ns = time_ns - run->steps_ended_ns, stays_ns = json_i64(verify, "stays_ns", 0);
        arena_init(&arena, 0);
        if (passed_ns < json_i64(verify, "after_ns", 0) || !act->is_second)
                return true;
        see(act, run, time_ns, &arena, &after);
        note_since(run, &run->good_since_ns, after.is_good && !after.fresh, time_ns);
        note_since(run, &run->harm_since_ns, after.fresh > 0, time_ns);
        if (run->good_since_ns && time_ns - run->good_since_ns >= stays_ns)
                return conclude(act, run, RUN_SUCCEEDED, &after, time_ns, err);
        if (run->harm_since_ns && (time_ns - run->harm_since_ns >= stays_ns || passed_ns >= json_i64(verify, "within_ns", 0)))
                return conclude(act, run, RUN_HARMFUL, &after, time_ns, err);
        return passed_ns < json_i64(verify, "within_ns", 0) || conclude(act, run, RUN_FAILED, &after, time_ns, err);
}

/* --- what heals by itself ---------------------------------------------------------------------------------------------------- */

static struct watch *watch_of(struct act *act, uint64_t incident)
{
        each (watch, &act->watches)
                if (watch->incident == incident && !watch->is_over)
                        return watch;
        return NULL;
}

bool watch_open(struct act *act, const struct incident_view *incident, int64_t time_ns, struct err *err)
{
        if (watch_of(act, incident->id) || act->watches.count >= ACT_WATCHES_MAX)
                return true;
        struct watch *watch = ACT_PUSH(&act->watches);
        if (!watch)
                return fail_memory(err, "act", sizeof *watch);
        struct str kind = incident->entities.count ? incident->entities.items[0].kind : STR("");
        while (watch > act->watches.items && watch[-1].opened_ns == time_ns && watch[-1].incident > incident->id) {
                watch[0] = watch[-1]; /* in the order in which a restart finds them */
                watch--;
        }
        *watch = (struct watch){.incident = incident->id, .signature = incident->signature, .target_class = trust_class(kind), .opened_ns = time_ns, .is_dirty = true};
        return true;
}

/* jansson keeps the order of keys, so the first is the oldest. */
static bool remember_healed(struct act *act, const struct watch *watch, struct err *err)
{
        char id[24], signature[24], target_class[24];
        snprintf(id, sizeof id, "%" PRIu64, watch->incident);
        snprintf(signature, sizeof signature, "%" PRIu64, watch->signature);
        snprintf(target_class, sizeof target_class, "%" PRIu64, watch->target_class);
        if (json_object_size(act->healed) >= ACT_HEALED_MAX)
                json_object_del(act->healed, json_object_iter_key(json_object_iter(act->healed)));
        return json_object_set_new(act->healed, id, json_pack("{s:s, s:s}", "signature", signature, "target_class", target_class)) == 0 ||
               fail_memory(err, "act", sizeof *watch);
}

bool watch_close(struct act *act, uint64_t incident, bool healed, bool counts, struct err *err)
{
        struct watch *watch = watch_of(act, incident);
        if (!watch)
                return true;
        if (counts && (!posterior_heal(act->posterior, watch->signature, watch->target_class, healed, err) || (healed && !remember_healed(act, watch, err))))
                return false;
        act->is_belief_dirty |= counts;
        watch->is_over = watch->is_dirty = true;
        return true;
}

/* Who resolves an incident and then writes down what was done is not too late: what counted is taken back. */
bool watch_by_hand(struct act *act, uint64_t incident, struct err *err)
{
        char id[24];
        uint64_t signature = 0, target_class = 0;
        snprintf(id, sizeof id, "%" PRIu64, incident);
        const json_t *counted = json_object_get(act->healed, id);
        if (!counted)
                return watch_close(act, incident, false, false, err);
        str_to_u64(json_str(counted, "signature"), &signature);
        str_to_u64(json_str(counted, "target_class"), &target_class);
        posterior_heal_take_back(act->posterior, signature, target_class, true);
        json_object_del(act->healed, id);
        act->is_belief_dirty = true;
        return true;
}

bool watch_tick(struct act *act, int64_t time_ns, struct err *err)
{
        each (watch, &act->watches)
                if (!watch->is_over && time_ns - watch->opened_ns > ACT_HEAL_NS && !watch_close(act, watch->incident, false, true, err))
                        return false;
        return true;
}
