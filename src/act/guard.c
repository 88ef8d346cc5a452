/*
 * guard.c - what keeps a run from starting, whoever approved it. Each guard is a row of guards.def and a function here; it looks only at what is
 * decided and in memory, so the same journal gives the same answers.
 */
#include "act/act_state.h"
#include "act/freeze.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/content.h"
#include "register/registry.h"

#include <inttypes.h>

/* True: it refuses, and why has a sentence. */
typedef bool guard_fn(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why);

static const struct runbook *runbook_of(const struct act *act, const struct run *run)
{
        return runbooks_find(act->runbooks, run_fact(run, "runbook"));
}

static bool guard_stopped(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        (void)run, (void)time_ns;
        if (!act->stopped)
                return false;
        struct str reason = json_str(act->stopped, "why");
        return buf_printf(why, "all automation was stopped by %.*s%s%.*s; resume it first", STR_ARGS(json_str(act->stopped, "by")), reason.length ? ": " : "", STR_ARGS(reason));
}

static bool guard_shadow(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        (void)run, (void)time_ns;
        return act->runbooks && content_is_shadow(act->runbooks->content) && buf_text(why, "shadow mode: nothing is run");
}

static bool guard_freeze(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        struct str name;
        (void)run;
        return act->runbooks && freezes_hold(act->runbooks->content, time_ns, &name) && buf_printf(why, "the freeze \"%.*s\" holds", STR_ARGS(name));
}

static bool view_of(const struct act *act, const struct run *run, struct arena *arena, struct incident_view *out_view)
{
        const struct act_world *world = &act->options.world;
        return world->view && world->view(world->context, run->incident, arena, out_view, NULL);
}

static bool guard_fault_gone(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        (void)time_ns;
        arena_init(&arena, 0);
        if (view_of(act, run, &arena, &view) && view.state < INCIDENT_RESOLVED)
                return false;
        return buf_printf(why, "incident %" PRIu32 " is over", run->incident_number);
}

static bool guard_target_gone(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        scoped(arena_done) struct arena arena;
        struct str kind, name;
        (void)time_ns;
        arena_init(&arena, 0);
        bool is_there = act->options.registry && registry_name(act->options.registry, run->target, &arena, &kind, &name) && str_equal(name, run_fact(run, "target_name"));
        return !is_there && buf_printf(why, "%.*s %.*s is no longer in the register under that name", STR_ARGS(run_fact(run, "target_kind")), STR_ARGS(run_fact(run, "target_name")));
}

static bool guard_maintenance(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        const struct act_world *world = &act->options.world;
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        arena_init(&arena, 0);
        return world->is_planned && view_of(act, run, &arena, &view) && world->is_planned(world->context, &view, run->target, time_ns) &&
               buf_printf(why, "there is planned work on %.*s", STR_ARGS(run_fact(run, "target_name")));
}

static bool guard_target_busy(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        (void)time_ns;
        each (other, &act->runs)
                if (*other != run && (*other)->target == run->target && ((*other)->state == RUN_RUNNING || (*other)->state == RUN_VERIFYING))
                        return buf_printf(why, "run %" PRIu32 " is at work on %.*s", (*other)->number, STR_ARGS(run_fact(run, "target_name")));
        return false;
}

static bool guard_target_rate(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        const struct runbook *runbook = runbook_of(act, run);
        int64_t runs = 0;
        if (!runbook)
                return buf_printf(why, "the runbook %.*s is no longer declared", STR_ARGS(run_fact(run, "runbook")));
        each (other, &act->runs)
                runs += *other != run && (*other)->target == run->target && (*other)->started_ns && str_equal(run_fact(*other, "runbook"), runbook->name) &&
                        time_ns - (*other)->started_ns < runbook->target_rate.within_ns;
        return runs >= runbook->target_rate.runs && buf_printf(why, "it ran %" PRId64 " times on %.*s within %" PRId64 " min; no more are allowed", runs,
                                                               STR_ARGS(run_fact(run, "target_name")), runbook->target_rate.within_ns / (60 * NS_PER_S));
}

static bool guard_at_once(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        const struct runbook *runbook = runbook_of(act, run);
        int64_t own = 0, all = 0;
        (void)time_ns;
        each (other, &act->runs) {
                bool is_running = *other != run && (*other)->state == RUN_RUNNING;
                all += is_running;
                own += is_running && runbook && str_equal(run_fact(*other, "runbook"), runbook->name);
        }
        if (all >= ACT_RUNS_AT_ONCE)
                return buf_printf(why, "%" PRId64 " runs are at work; no more are allowed at once", all);
        return runbook && own >= runbook->at_once && buf_printf(why, "%" PRId64 " runs of this runbook are at work; no more are allowed at once", own);
}

/* Of targets touched within the time, each counts once; one may always be touched, or small estates could not be helped. */
static bool guard_blast_radius(const struct act *act, const struct run *run, int64_t time_ns, struct buf *why)
{
        const struct runbook *runbook = runbook_of(act, run);
        struct str kind = run_fact(run, "target_kind");
        size_t all = act->options.registry ? registry_count(act->options.registry, kind) : 0, touched = 1;
        if (!runbook)
                return false;
        for (size_t i = 0; i < act->runs.count; i++) {
                const struct run *other = act->runs.items[i];
                bool counts = other->started_ns && other->target != run->target && str_equal(run_fact(other, "target_kind"), kind) &&
                              time_ns - other->started_ns < runbook->blast.within_ns;
                for (size_t j = 0; counts && j < i; j++)
                        counts = act->runs.items[j]->target != other->target || !act->runs.items[j]->started_ns ||
                                 time_ns - act->runs.items[j]->started_ns >= runbook->blast.within_ns;
                touched += counts;
        }
        return touched > 1 && (double)touched > runbook->blast.share * (double)all &&
               buf_printf(why, "it would be number %zu of %zu of the kind %.*s touched within %" PRId64 " min; at most %.0f %% may be", touched, all, STR_ARGS(kind),
                          runbook->blast.within_ns / (60 * NS_PER_S), runbook->blast.share * 100);
}

static const struct {
        const char *name;
        guard_fn *refuses;
} guards[] = {
#define G(name, meaning) {#name, guard_##name},
#include "act/guards.def"
#undef G
};

bool guards_allow(const struct act *act, const struct run *run, int64_t time_ns, const char **out_guard, struct buf *out_why)
{
        for (size_t i = 0; i < countof(guards); i++)
                if (guards[i].refuses(act, run, time_ns, out_why)) {
                        *out_guard = guards[i].name;
                        return false;
                }
        if (!out_why->failed)
                return true;
        *out_guard = "memory";  /* a guard that cannot say why must not be taken for one that allows */
        return false;
}
