/*
 * check_source.c - see check_source.h. Every thread takes the check that is due first, runs it without the lock, and puts it back.
 */
#include "observe/check_source.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "observe/check_batch.h"
#include "observe/checks.h"
#include "observe/file_watch.h"
#include "observe/intake.h"
#include "observe/self_watch.h"
#include "reach/http_client.h"

#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 32
#define THREADS 8
#define SELF_EVERY_NS (15 * NS_PER_S)
#define LOOK_AGAIN_MS 1000
#define FILES_EVERY_NS NS_PER_S
#define FIRST_WITHIN_NS (5 * NS_PER_S) /* after a start or a new configuration, nobody waits an interval for the first results */

struct prober { /* a check and what it came to */
        struct check_plan *plan;
        const struct check *check;
        struct check_status status;
        int64_t due_ns;                 /* monotonic */
        bool is_under_way, is_gone, could_not_run;
        char source[128];
};

struct check_source {
        struct check_source_options options;
        struct lock lock;               /* guards what follows */
        struct signal changed;
        struct prober **probers;
        size_t count;
        uint64_t plan_number;
        bool stopping;
        struct thread threads[THREADS_MAX];
        int thread_count;
        struct thread self_thread, file_thread;
};

static int64_t now_ns(void)
{
        return clock_monotonic_ns(&clock_real);
}

/* --- the plan ----------------------------------------------------------------------------------------------------------------- */

static void prober_free(struct prober *prober)
{
        check_plan_unref(prober->plan);
        free(prober);
}

/* Takes the state of the same check in the old list; NULL: no memory. */
static struct prober *prober_create(struct check_source *source, struct check_plan *plan, const struct check *check)
{
        struct prober *prober = calloc(1, sizeof *prober);
        if (!prober)
                return NULL;
        prober->plan = check_plan_ref(plan);
        prober->check = check;
        snprintf(prober->source, sizeof prober->source, "check:%.*s", STR_ARGS(check->name));
        prober->due_ns = now_ns() + (int64_t)(hash64(check->name) % (uint64_t)min_of(check->every_ns, FIRST_WITHIN_NS));
        for (size_t i = 0; i < source->count; i++)
                if (str_equal(source->probers[i]->check->name, check->name))
                        prober->status = source->probers[i]->status;
        return prober;
}

static bool lists(const struct check_plan *plan, const struct check *check)
{
        each (other, &plan->checks)
                if (str_equal(other->name, check->name) && str_equal(other->alert, check->alert) && labels_equal(&other->labels, &check->labels) &&
                    str_equal(other->severity, check->severity))
                        return true;
        return false;
}

/* A check that is no longer there, or goes by other labels now, ends what it had firing. */
static void end_finding(struct check_source *source, const struct prober *prober)
{
        struct check_outcome outcome = {0};
        struct check_status status;
        struct err err;
        {
                with_lock(&source->lock);
                status = prober->status;
        }
        if (!status.is_known || status.hard == CHECK_OK)
                return;
        status.hard = CHECK_OK;
        check_tell(&outcome, CHECK_OK, "the check is no longer configured");
        if (!check_batch_offer(source->options.intake, str_of(prober->source), check_batch_result(prober->check, &outcome, &status, (struct check_verdict){true, true}, 0), &err))
                log_err(LOG_LEVEL_WARNING, &err);
}

static void drop_old(struct check_source *source, const struct check_plan *plan, struct prober **old, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (!lists(plan, old[i]->check)) {
                        end_finding(source, old[i]);
                        source_state(source->options.intake, str_of(old[i]->source), "check", false, "no check any more");
                }
                with_lock(&source->lock);
                old[i]->is_gone = true;
                if (!old[i]->is_under_way)
                        prober_free(old[i]);
        }
        free(old);
}

/* Called by whichever thread sees first that the plan is another one. */
static void adopt(struct check_source *source, struct check_plan *plan)
{
        struct prober **fresh = calloc(plan->checks.count + 1, sizeof *fresh), **old;
        size_t count = 0, old_count;
        if (!fresh)
                return;
        {
                with_lock(&source->lock);
                if (source->plan_number == plan->number) {
                        free(fresh);
                        return;
                }
                each (check, &plan->checks)
                        if ((fresh[count] = prober_create(source, plan, check)))
                                count++;
                old = source->probers;
                old_count = source->count;
                source->probers = fresh;
                source->count = count;
                source->plan_number = plan->number;
        }
        drop_old(source, plan, old, old_count);
}

static void follow_plan(struct check_source *source)
{
        struct check_plan *plan = checks_plan(source->options.checks);
        if (!plan)
                return;
        bool is_new;
        {
                with_lock(&source->lock);
                is_new = plan->number != source->plan_number;
        }
        if (is_new)
                adopt(source, plan);
        check_plan_unref(plan);
}

/* --- one run ------------------------------------------------------------------------------------------------------------------ */

static void tell_source(struct check_source *source, struct prober *prober, const struct check_outcome *outcome, const struct err *err)
{
        bool fails = err || outcome->could_not_run;
        if (fails)
                source_state(source->options.intake, str_of(prober->source), "check", true, "the check did not run: %.160s", err ? err->message : outcome->text);
        else if (prober->could_not_run)
                source_state(source->options.intake, str_of(prober->source), "check", false, "%s", "");
        prober->could_not_run = fails;
}

static struct check_verdict judge(struct check_source *source, struct prober *prober, enum check_state state, int64_t time_ns, struct check_status *out_status)
{
        with_lock(&source->lock);
        struct check_verdict verdict = check_status_update(&prober->status, state, prober->check->attempts, time_ns);
        *out_status = prober->status;
        return verdict;
}

static void run_check(struct check_source *source, struct prober *prober, struct http_client *http)
{
        const struct check *check = prober->check;
        struct check_tools tools = {http, source->options.launcher};
        struct check_outcome outcome = {0};
        struct arena arena;
        struct err err;
        int64_t start_ns = now_ns(), wall_ns = clock_now_ns(intake_clock(source->options.intake));
        arena_init(&arena, (size_t)16 << 20);
        struct check_run run = {check, &tools, &arena, start_ns + check->timeout_ns, wall_ns};
        check->kind->run(&run, &outcome);
        struct check_status status;
        struct check_verdict verdict = judge(source, prober, outcome.state, wall_ns, &status);
        bool sent = check_batch_offer(source->options.intake, str_of(prober->source), check_batch_result(check, &outcome, &status, verdict, now_ns() - start_ns), &err);
        tell_source(source, prober, &outcome, sent ? NULL : &err);
        arena_done(&arena);
        int64_t place_ns = (int64_t)(hash64(check->name) % (uint64_t)check->every_ns), after_ns = now_ns();
        int64_t next_ns = after_ns - after_ns % check->every_ns + place_ns;
        prober->due_ns = verdict.is_hard ? (next_ns > after_ns ? next_ns : next_ns + check->every_ns) : after_ns + check->retry_ns;
}

/* The check that is due first, under way from now on; NULL: none is, and *out_wait_ms says for how long. Holds the lock. */
static struct prober *take_due(struct check_source *source, int64_t *out_wait_ms)
{
        struct prober *first = NULL;
        for (size_t i = 0; i < source->count; i++)
                if (!source->probers[i]->is_under_way && (!first || source->probers[i]->due_ns < first->due_ns))
                        first = source->probers[i];
        int64_t left_ns = first ? first->due_ns - now_ns() : INT64_MAX;
        if (left_ns <= 0) {
                first->is_under_way = true;
                return first;
        }
        *out_wait_ms = min_of(left_ns / NS_PER_MS + 1, (int64_t)LOOK_AGAIN_MS);
        return NULL;
}

static void put_back(struct check_source *source, struct prober *prober)
{
        with_lock(&source->lock);
        prober->is_under_way = false;
        if (prober->is_gone)
                prober_free(prober);
        signal_one(&source->changed);
}

static void run(void *context)
{
        struct check_source *source = context;
        struct http_client *http = NULL;
        struct err err;
        if (!http_client_create(1, NULL, NULL, &http, &err)) {
                source_state(source->options.intake, STR("check"), "check", true, "%s", err.message);
                return;
        }
        for (;;) {
                struct prober *prober = NULL;
                follow_plan(source);
                {
                        int64_t wait_ms = 0;
                        with_lock(&source->lock);
                        if (source->stopping)
                                break;
                        prober = take_due(source, &wait_ms);
                        if (!prober)
                                signal_wait_ms(&source->changed, &source->lock, wait_ms);
                }
                if (prober) {
                        run_check(source, prober, http);
                        put_back(source, prober);
                }
        }
        http_client_destroy(http);
}

static void run_self(void *context)
{
        struct check_source *source = context;
        struct self_watch *watch = NULL;
        struct err err;
        if (!self_watch_create(source->options.intake, source->options.data_directory, &source->options.store, &watch, &err)) {
                log_err(LOG_LEVEL_ERROR, &err);
                return;
        }
        for (int64_t due_ns = now_ns() + source->options.self_every_ns;;) {
                {
                        with_lock(&source->lock);
                        int64_t left_ms = (due_ns - now_ns()) / NS_PER_MS + 1;
                        if (!source->stopping && left_ms > 0)
                                signal_wait_ms(&source->changed, &source->lock, min_of(left_ms, (int64_t)LOOK_AGAIN_MS));
                        if (source->stopping)
                                break;
                }
                if (now_ns() < due_ns)
                        continue;
                due_ns = now_ns() + source->options.self_every_ns;
                if (!self_watch_look(watch, clock_now_ns(intake_clock(source->options.intake)), now_ns(), &err))
                        log_err(LOG_LEVEL_WARNING, &err);
        }
        self_watch_destroy(watch);
}

static bool is_stopping(struct check_source *source)
{
        with_lock(&source->lock);
        return source->stopping;
}

static void run_files(void *context)
{
        struct check_source *source = context;
        struct file_watch *watch = NULL;
        struct err err;
        if (!file_watch_create(source->options.intake, &watch, &err)) {
                log_err(LOG_LEVEL_ERROR, &err);
                return;
        }
        for (int64_t due_ns = 0; !is_stopping(source); file_watch_wait(watch, LOOK_AGAIN_MS)) {
                struct check_plan *plan = now_ns() >= due_ns ? checks_plan(source->options.checks) : NULL;
                if (!plan)
                        continue;
                if (!file_watch_look(watch, plan, &err) && !is_stopping(source))
                        log_err(LOG_LEVEL_WARNING, &err);
                check_plan_unref(plan);
                due_ns = now_ns() + FILES_EVERY_NS;
        }
        file_watch_destroy(watch);
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

bool check_source_start(const struct check_source_options *options, struct check_source **out_source, struct err *err)
{
        struct check_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "check", sizeof *source);
        source->options = *options;
        source->options.self_every_ns = options->self_every_ns ? options->self_every_ns : SELF_EVERY_NS;
        lock_init(&source->lock, LOCK_SOURCE);
        signal_init(&source->changed);
        int wanted = options->threads ? min_of(options->threads, THREADS_MAX) : THREADS;
        bool good = thread_start(&source->self_thread, "self", run_self, source, err) &&
                    thread_start(&source->file_thread, "watch", run_files, source, err);
        for (; good && source->thread_count < wanted; source->thread_count += good)
                good = thread_start(&source->threads[source->thread_count], "check", run, source, err);
        if (!good) {
                check_source_stop(source);
                return false;
        }
        *out_source = source;
        return true;
}

void check_source_stop(struct check_source *source)
{
        if (!source)
                return;
        {
                with_lock(&source->lock);
                source->stopping = true;
                signal_all(&source->changed);
        }
        for (int i = 0; i < source->thread_count; i++)
                thread_join(&source->threads[i]);
        thread_join(&source->self_thread);
        thread_join(&source->file_thread);
        for (size_t i = 0; i < source->count; i++)
                prober_free(source->probers[i]);
        free(source->probers);
        signal_done(&source->changed);
        lock_done(&source->lock);
        free(source);
}
