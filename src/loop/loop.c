/*
 * loop.c - see loop.h. The diagram on the wall:
 *
 *      sources -> intake -> journal --commit--> ingest -> open chunks -> archive
 *      people  -> loop_command -^                  '-> folding stages -> pipeline: deciding stages -> state database
 *      clock   -> tick ---------^                                           '-> checkpoint, retention
 *
 * The pipeline's is one thread: it takes committed entries in order and lets ingest spread a round of batches over its
 * workers. Work waits in a list whose weight the intake bounds; commands and ticks are few.
 */
#include "loop/loop.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/scope.h"
#include "base/thread.h"
#include "loop/aging.h"
#include "loop/command.h"
#include "loop/kept.h"
#include "loop/pipeline.h"
#include "loop/rehearse.h"
#include "loop/state_table.h"
#include "loop/verbs.h"
#include "model/batch.h"
#include "observe/ingest.h"
#include "observe/intake.h"
#include "observe/observe.h"
#include "store/database.h"
#include "store/logs.h"
#include "store/series.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 100
#define TICKS_WAITING_MAX 50
#define TICKS_WAITING_NS NS_PER_S       /* what those that wait may take in all */
#define REST 3                          /* times what the last tick took: so much later the next one may be asked for */
#define HEAP_LEFT_BYTES ((size_t)4 << 20)
#define BURST_BYTES ((uint64_t)2 << 20)         /* so much journal makes a heap worth looking through: decoded it takes up to ten times that */
#define BURST_OVER_NS (2 * NS_PER_S)
#define QUIET_TICK_BYTES ((uint64_t)256 << 10)  /* less between two ticks is no burst */
#define SERIES_MAX ((size_t)2 << 20)
#define CHECKPOINT_NS (3600 * NS_PER_S)
#define CHECKPOINT_BYTES ((uint64_t)1 << 30)
#define KEEP_BYTES ((uint64_t)1 << 30)
#define CHECKPOINT_RETRY_NS (10 * NS_PER_S)
#define RETENTION_EVERY_NS (3600 * NS_PER_S)
#define RETENTION_DAYS 30
#define UNSTORED_TOLD_EVERY_NS (10 * NS_PER_S)
#define SERIES_IDLE_NS (2 * 3600 * NS_PER_S)

struct command {
        struct append append; /* first: the journal gives it back */
        struct loop *loop;
        struct buf payload;
        struct lock lock;
        struct signal answered;
        bool is_answered, is_good;
        json_t *result;
        struct err err;
};

/* A committed entry on its way to the pipeline. */
struct work {
        enum entry_kind kind;
        uint64_t sequence;
        int64_t time_ns;
        struct batch *batch;
        struct command *command; /* NULL when replayed */
};

struct loop {
        struct loop_options options;
        char *directory;
        int lock_file;
        struct journal *journal;
        struct archive *archive;
        struct logs *logs;
        struct series_store *series;
        struct metric_metas *metas;
        struct intake *intake;
        struct observe *observe;
        struct ingest *ingest;
        struct pipeline *deciding;
        struct database *state;

        struct queue queue;
        struct append tick;
        _Atomic bool tick_is_free;
        _Atomic int ticks_waiting;
        _Atomic int64_t tick_took_ns;   /* the last one */
        _Atomic int64_t rest_until_ns;  /* of the monotonic clock: none is asked for before */
        struct lock tick_lock;  /* guards what follows */
        struct signal tick_asked;
        bool tick_is_wanted;    /* somebody waits for a decision ... */
        bool tick_is_due;       /* ... and it can be had now */
        _Atomic bool stopping;
        struct thread ticker, thread;
        bool started;

        struct lock lock; /* guards stats, settle */
        struct signal settled;
        struct loop_stats stats;
        json_t *content_in_force;  /* a copy; guarded by the lock */
        _Atomic bool checkpoint_wanted;

        uint64_t sequence_applied; /* the pipeline's own, like the following */
        int64_t time_ns, checkpoint_due_ns, retention_due_ns;
        struct aging aging;
        int64_t first_day_kept; /* by age */
        uint64_t journal_bytes_at_checkpoint;
        struct { uint64_t bytes, trimmed_at; int64_t since_ns; } burst; /* trimmed_at 0: not since opening */
        int64_t origin_ns;      /* journal time of the first entry ever, when this loop saw it; 0: it did not */
        int64_t unstored_told_ns;
        uint64_t entry_left; /* a committed entry whose effect could not be stored: the next start does it; 0: none */
};

/* --- applying entries, live and replayed --------------------------------------------------------------------------- */

/* What became of a command; kept while the state database fails, since deciding is done once. */
struct decision {
        bool is_made, is_accepted;
        json_t *result;
        struct err refusal;
};

/* Puts what the deciding stages changed, and the watermark, into the transaction under way, and commits it. */
static bool commit_decisions(struct loop *loop, uint64_t sequence, struct err *err)
{
        if (!pipeline_write(loop->deciding, loop->state, err) || !state_write_watermark(loop->state, sequence, loop->time_ns, err) ||
            !database_commit(loop->state, err)) {
                database_rollback(loop->state);
                return false;
        }
        pipeline_written(loop->deciding);
        return true;
}

static bool decide(struct loop *loop, const json_t *command, uint64_t sequence, int64_t time_ns, struct decision *decision, struct err *err)
{
        const char *verb = json_string_value(json_object_get(command, "verb"));
        if (!pipeline_drain(loop->deciding, sequence, time_ns, err))
                return false;
        if (pipeline_handles(verb))
                decision->is_accepted = pipeline_command(loop->deciding, verb, json_object_get(command, "arguments"),
                                                         json_string_value(json_object_get(command, "by")), sequence, time_ns,
                                                         &decision->result, &decision->refusal);
        decision->is_made = true;
        return true;
}

/* Not a refusal, which is the command's outcome for good, but memory or the disk, which may be better the next time. */
static bool is_fault(const struct err *err)
{
        bool is_refusal = err->code == ERR_CONFLICT || err->code == ERR_INTERNAL;
        return err->code == ERR_MEMORY || (err->source && strcmp(err->source, "database") == 0 && !is_refusal);
}

/* For the rooms whose commands are SQL alone: again at every try, undone when refused. */
static bool apply_verb(struct loop *loop, const char *verb, const json_t *arguments, int64_t time_ns, struct decision *decision, struct err *err)
{
        apply_fn *apply = verb_find(verb);
        json_decref(give(decision->result));
        if (!database_execute(loop->state, "SAVEPOINT command", err))
                return false;
        decision->refusal = (struct err){0};
        decision->is_accepted = apply ? apply(loop->state, verb, arguments, time_ns, &decision->result, &decision->refusal) :
                                fail(&decision->refusal, ERR_NOT_FOUND, "loop", "there is no command %s; a newer version may know it", verb);
        if (decision->is_accepted)
                return true;
        if (is_fault(&decision->refusal)) {
                if (err)
                        *err = decision->refusal;
                return false;
        }
        return database_execute(loop->state, "ROLLBACK TO command", err);
}

/* A command and its row in the audit log are one transaction, also when the command is refused. False: the state
 * database failed; the command is not applied, and can be tried again with the same decision. */
static bool apply_command(struct loop *loop, uint64_t sequence, int64_t time_ns, struct str payload, struct decision *decision, struct err *err)
{
        scoped_ptr(json_decref) json_t *command = json_parse(payload, err);
        if (!command)
                return false;
        const char *verb = json_string_value(json_object_get(command, "verb"));
        const json_t *arguments = json_object_get(command, "arguments");
        scoped(buf_done) struct buf text = {0};
        if (!verb || !arguments)
                return fail(err, ERR_CORRUPT, "loop", "the command of entry %" PRIu64 " has no verb or no arguments", sequence);
        if (!json_write(arguments, &text))
                return fail_memory(err, "loop", text.length);
        if ((!decision->is_made && !decide(loop, command, sequence, time_ns, decision, err)) || !database_begin(loop->state, err))
                return false;
        if (!pipeline_handles(verb) && !apply_verb(loop, verb, arguments, time_ns, decision, err)) {
                database_rollback(loop->state);
                return false;
        }
        struct audit_row row = {sequence, time_ns, json_str(command, "by"), str_of(verb), buf_str(&text),
                                decision->is_accepted ? STR("done") : str_of(decision->refusal.message)};
        if (!state_append_audit(loop->state, &row, err)) {
                database_rollback(loop->state);
                return false;
        }
        return commit_decisions(loop, sequence, err);
}

static void answer(struct command *command, bool good, json_t *result, const struct err *err)
{
        with_lock(&command->lock);
        command->is_answered = true;
        command->is_good = good;
        command->result = result;
        if (!good && err)
                command->err = *err;
        signal_one(&command->answered);
}

/* False: give up, the program is stopping. */
static bool wait_a_moment(void *context)
{
        struct loop *loop = context;
        if (loop->options.stalled)
                return loop->options.stalled(loop->options.stalled_context);
        struct timespec pause = {0, 500 * NS_PER_MS};
        nanosleep(&pause, NULL);
        return !loop->stopping;
}

/* An entry whose effect is given up stays in the journal for the next start. Nothing may pass it by: no later command or tick,
 * since replay begins behind the watermark, and no checkpoint. */
static bool stays_behind(struct loop *loop, struct err *err)
{
        return loop->entry_left && !fail(err, ERR_CANCELLED, "loop", "entry %" PRIu64 " could not be applied; what came after it waits for the next start",
                                         loop->entry_left);
}

/* Tells why a decision cannot be stored, and waits. False: it is given up. */
static bool try_again(struct loop *loop, uint64_t sequence, const struct err *err)
{
        log_err(LOG_LEVEL_ERROR, err);
        if (err->code != ERR_CORRUPT && wait_a_moment(loop))
                return true;
        loop->entry_left = sequence;
        return false;
}

static void run_command(struct loop *loop, const struct work *work)
{
        struct decision decision = {0};
        struct err err = {0};
        bool applied = false;
        while (!stays_behind(loop, &err) && !applied) {
                applied = apply_command(loop, work->sequence, work->time_ns, work->command->append.payload, &decision, &err);
                if (!applied && !try_again(loop, work->sequence, &err))
                        break;
        }
        if (applied && !decision.is_accepted)
                err = decision.refusal;
        if (!applied)
                json_decref(give(decision.result));
        answer(work->command, applied && decision.is_accepted, decision.result, &err);
        with_lock(&loop->lock);
        loop->stats.commands++;
}

static bool store_decisions(struct loop *loop, uint64_t sequence, struct err *err)
{
        return !pipeline_is_dirty(loop->deciding) || (database_begin(loop->state, err) && commit_decisions(loop, sequence, err));
}

/* A disk that takes no decisions does not keep telemetry waiting: what was decided stays dirty in memory, its effects stay here, and the
 * next tick writes it all. Until then the watermark, and so a checkpoint, does not move. */
static void note_unstored(struct loop *loop, int64_t time_ns, const struct err *err)
{
        if (time_ns < loop->unstored_told_ns + UNSTORED_TOLD_EVERY_NS)
                return;
        loop->unstored_told_ns = time_ns;
        log_err(LOG_LEVEL_ERROR, err);
}

/* False: given up. */
static bool decide_tick(struct loop *loop, uint64_t sequence, int64_t time_ns)
{
        struct err err = {0};
        if (stays_behind(loop, &err))
                return false;
        while (!pipeline_tick(loop->deciding, sequence, time_ns, &err))
                if (!try_again(loop, sequence, &err))
                        return false;
        if (!store_decisions(loop, sequence, &err)) {
                err_within(&err, "what was decided cannot be stored yet, and no effect leaves until it is");
                note_unstored(loop, time_ns, &err);
        }
        return true;
}

/* --- checkpoint and retention ---------------------------------------------------------------------------------------- */

static uint64_t journal_bytes(struct loop *loop)
{
        struct journal_stats stats;
        journal_read_stats(loop->journal, &stats);
        return stats.bytes_appended;
}

static bool write_folds(struct loop *loop, struct err *err)
{
        scoped(buf_done) struct buf bytes = {0};
        for (const struct fold_part *part = fold_parts; part->name; part++) {
                buf_clear(&bytes);
                if (!part->save(loop->observe, &bytes, err) || !state_write_fold(loop->state, part->name, buf_str(&bytes), err))
                        return false;
        }
        return true;
}

/* What another version of the program learnt in another form, or what is damaged, is learnt anew: neither is a reason not to watch. */
static bool restore_fold(struct loop *loop, const struct fold_part *part, struct str bytes, struct err *err)
{
        struct err fault = {0};
        if (part->restore(loop->observe, bytes, &fault))
                return true;
        if (fault.code != ERR_UNSUPPORTED && fault.code != ERR_CORRUPT) {
                *err = fault;
                return false;
        }
        err_within(&fault, "%s are learnt anew", part->name);
        log_err(fault.code == ERR_CORRUPT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, &fault);
        return observe_learn_anew(loop->observe, part, err);
}

static bool restore_folds(struct loop *loop, struct err *err)
{
        scoped(buf_done) struct buf bytes = {0};
        for (const struct fold_part *part = fold_parts; part->name; part++) {
                bool found;
                buf_clear(&bytes);
                if (!state_read_fold(loop->state, part->name, &bytes, &found, err) || (found && !restore_fold(loop, part, buf_str(&bytes), err)))
                        return err_within(err, "restoring %s", part->name);
        }
        return true;
}

/* With keep_ns a part of it stays for replay, with states to begin at. */
static bool trim_journal(struct loop *loop, struct err *err)
{
        uint64_t below = loop->sequence_applied + 1;
        struct journal_stats stats;
        journal_read_stats(loop->journal, &stats);
        struct kept_now now = {.directory = loop->directory, .state = loop->state, .sequence = loop->sequence_applied, .time_ns = loop->time_ns,
                               .first_sequence = stats.first_sequence, .journal_bytes = stats.bytes_on_disk, .origin_ns = loop->origin_ns,
                               .keep_ns = loop->options.keep_ns, .keep_bytes = loop->options.keep_bytes};
        struct err fault = {0};
        int64_t from_ns = 0;
        if (loop->options.keep_ns && !kept_choose(loop->options.disk, &now, &below, &from_ns, &fault)) {
                err_within(&fault, "nothing is kept for replay");
                log_err(LOG_LEVEL_WARNING, &fault);
        }
        with_lock(&loop->lock);
        loop->stats.replay_from_ns = from_ns;
        return journal_trim(loop->journal, below, err);
}

/* What was noticed since the last tick is decided on now: the journal's entries that would tell it again go away. */
static bool write_checkpoint(struct loop *loop, struct err *err)
{
        if (stays_behind(loop, err) || !pipeline_drain(loop->deciding, loop->sequence_applied, loop->time_ns, err))
                return false;
        if (ingest_gave_up(loop->ingest))
                return fail(err, ERR_CANCELLED, "loop", "some telemetry is not stored yet; the next start does it");
        if (!ingest_seal(loop->ingest, loop->time_ns - SERIES_IDLE_NS, err) || !archive_flush(loop->archive, err) ||
            !archive_holds_all(loop->archive, err))
                return false;
        scoped_ptr(json_decref) json_t *saved = intake_save(loop->intake);
        if (!saved || json_object_set_new(saved, "clock_jumps", aging_save(&loop->aging)) != 0)
                return fail_memory(err, "loop", sizeof loop->aging);
        if (!database_begin(loop->state, err))
                return false;
        if (!state_write_checkpoint(loop->state, loop->sequence_applied, loop->time_ns, saved, err) || !write_folds(loop, err)) {
                database_rollback(loop->state);
                return false;
        }
        if (!commit_decisions(loop, loop->sequence_applied, err) || !database_checkpoint(loop->state, err))
                return false;
        archive_checkpointed(loop->archive);
        return loop->options.keep_journal || trim_journal(loop, err);
}

static bool checkpoint(struct loop *loop, struct err *err)
{
        int64_t start_ns = clock_monotonic_ns(&clock_real);
        bool good = write_checkpoint(loop, err) || err_within(err, "writing a checkpoint");
        loop->checkpoint_due_ns = loop->time_ns + (good ? loop->options.checkpoint_ns : CHECKPOINT_RETRY_NS);
        if (good)
                loop->journal_bytes_at_checkpoint = journal_bytes(loop);
        malloc_trim(HEAP_LEFT_BYTES); /* all chunks are sealed: what a burst took goes back to the system */
        with_lock(&loop->lock);
        loop->stats.checkpoints += good;
        loop->stats.checkpoint_failures += !good;
        loop->stats.checkpoint_ns_last = clock_monotonic_ns(&clock_real) - start_ns;
        if (good) {
                loop->stats.sequence_checkpoint = loop->sequence_applied;
                loop->stats.checkpoint_time_ns = loop->time_ns;
        }
        signal_all(&loop->settled);
        return good;
}

static void retain(struct loop *loop)
{
        struct err err = {0};
        uint64_t removed = 0;
        loop->retention_due_ns = loop->time_ns + RETENTION_EVERY_NS;
        if (!archive_retain(loop->archive, loop->first_day_kept, loop->options.retention_bytes, &removed, &err))
                log_err(LOG_LEVEL_ERROR, &err);
        if (removed)
                log_info("loop", "retention removed %" PRIu64 " days of telemetry", removed);
        with_lock(&loop->lock);
        loop->stats.days_removed += removed;
}

/* The heap keeps what was freed, for speed. Two seconds after opening and after a burst it goes back: resident at rest is what is needed at rest. */
static void give_heap_back(struct loop *loop, int64_t time_ns)
{
        uint64_t bytes = journal_bytes(loop);
        if (!loop->burst.since_ns || bytes - loop->burst.bytes > QUIET_TICK_BYTES) {
                loop->burst.since_ns = time_ns;
        } else if ((!loop->burst.trimmed_at || bytes - loop->burst.trimmed_at >= BURST_BYTES) && time_ns - loop->burst.since_ns >= BURST_OVER_NS) {
                malloc_trim(HEAP_LEFT_BYTES);
                loop->burst.trimmed_at = max_of(bytes, (uint64_t)1);
        }
        loop->burst.bytes = bytes;
}

static void run_tick(struct loop *loop, uint64_t sequence, int64_t time_ns)
{
        intake_tick(loop->intake, time_ns);
        ingest_settle(loop->ingest, time_ns);
        decide_tick(loop, sequence, time_ns);
        bool large = journal_bytes(loop) - loop->journal_bytes_at_checkpoint >= loop->options.checkpoint_bytes;
        bool due = time_ns >= loop->checkpoint_due_ns;
        bool wanted = atomic_exchange(&loop->checkpoint_wanted, false);
        struct err err = {0};
        if ((due || wanted || (large && loop->checkpoint_due_ns - time_ns < loop->options.checkpoint_ns)) && !checkpoint(loop, &err))
                log_err(LOG_LEVEL_ERROR, &err);
        if (time_ns >= loop->retention_due_ns)
                retain(loop);
        give_heap_back(loop, time_ns);
}

/* --- the pipeline ---------------------------------------------------------------------------------------------------- */

/* Behind the journal, live and replayed. */
static void pass_time(struct loop *loop, int64_t time_ns)
{
        int64_t skipped_ns = aging_pass(&loop->aging, time_ns);
        if (skipped_ns)
                log_warning("loop", "the clock went on by %" PRId64 " days at once: telemetry from before is kept %" PRId64 " days longer; if the clock is "
                            "wrong now, set it and restart", (skipped_ns + AGING_STEP_NS) / AGING_DAY_NS, skipped_ns / AGING_DAY_NS);
        loop->time_ns = time_ns;
        loop->first_day_kept = aging_first_day_kept(&loop->aging, loop->options.retention_days);
}

/* A clock that was set back so far that retention would remove what it says at once is not believed. */
static void hold_received(struct loop *loop, struct batch *batch, int64_t time_ns)
{
        pass_time(loop, time_ns);
        if (batch->received_ns / AGING_DAY_NS < loop->first_day_kept)
                batch->received_ns = time_ns;
}

static void note_applied(struct loop *loop, uint64_t sequence, int64_t time_ns)
{
        if (!loop->origin_ns)
                loop->origin_ns = sequence == 1 ? time_ns : -1;
        loop->sequence_applied = sequence;
        pass_time(loop, time_ns);
        with_lock(&loop->lock);
        loop->stats.sequence_applied = sequence;
        loop->stats.time_ns = time_ns;
        signal_all(&loop->settled);
}

/* Hands on what a stored batch carries, and lets go of it. False: given up; the next start does it. */
static bool finish_batch(struct loop *loop, const struct arrival *arrival)
{
        struct err err = {0};
        bool good;
        while (!(good = pipeline_carry(loop->deciding, arrival->batch, arrival->time_ns, &err)) && try_again(loop, arrival->sequence, &err))
                ;
        intake_stored(loop->intake, arrival->batch, arrival->time_ns);
        return good;
}

/* Stores a run of batches in one round. */
static void run_batches(struct loop *loop, struct work **works, size_t count)
{
        struct arrival arrivals[INGEST_ROUND_MAX];
        for (size_t i = 0; i < count; i++) {
                hold_received(loop, works[i]->batch, works[i]->time_ns);
                arrivals[i] = (struct arrival){works[i]->batch, works[i]->sequence, works[i]->time_ns};
        }
        ingest_round(loop->ingest, arrivals, count);
        for (size_t i = 0; i < count; i++)
                finish_batch(loop, &arrivals[i]);
        note_applied(loop, works[count - 1]->sequence, works[count - 1]->time_ns);
}

/* Whoever could not get his tick while this one was under way gets the next one now. */
static void ticked(struct loop *loop)
{
        with_lock(&loop->tick_lock);
        loop->tick_is_due |= loop->tick_is_wanted;
        if (loop->tick_is_due)
                signal_one(&loop->tick_asked);
}

static void run_works(struct loop *loop, struct work **works, size_t count)
{
        for (size_t i = 0; i < count;) {
                size_t run = 0;
                while (i + run < count && works[i + run]->kind == ENTRY_BATCH)
                        run++;
                if (run) {
                        run_batches(loop, works + i, run);
                        i += run;
                        continue;
                }
                struct work *work = works[i++];
                note_applied(loop, work->sequence, work->time_ns);
                if (work->kind == ENTRY_TICK) {
                        int64_t began_ns = clock_monotonic_ns(&clock_real);
                        run_tick(loop, work->sequence, work->time_ns);
                        int64_t ended_ns = clock_monotonic_ns(&clock_real);
                        loop->tick_took_ns = ended_ns - began_ns;
                        loop->rest_until_ns = ended_ns + REST * (ended_ns - began_ns);
                        atomic_fetch_sub(&loop->ticks_waiting, 1);
                        ticked(loop);
                } else if (work->command) {
                        run_command(loop, work);
                }
        }
        for (size_t i = 0; i < count; i++)
                free(works[i]);
}

static void run_pipeline(void *context)
{
        struct loop *loop = context;
        void *works[INGEST_ROUND_MAX];
        size_t count;
        while ((count = queue_pop_all(&loop->queue, works, INGEST_ROUND_MAX, -1)))
                run_works(loop, (struct work **)works, count);
}

static void drop_one(struct work *work)
{
        if (work->batch)
                batch_destroy(work->batch);
        if (work->command)
                answer(work->command, false, NULL, &(struct err){ERR_CANCELLED, "loop", "the program is stopping"});
        free(work);
}

/* Committed entries must not be lost for want of a few bytes: memory comes back as the pipeline works. */
static void hand_over(struct loop *loop, struct work work)
{
        struct timespec pause = {0, 5 * NS_PER_MS};
        struct work *kept;
        while (!(kept = malloc(sizeof *kept)))
                nanosleep(&pause, NULL);
        *kept = work;
        while (!queue_try_push(&loop->queue, kept, 1)) {
                if (loop->stopping && queue_is_closed(&loop->queue)) { /* it is on disk, and the next start replays it */
                        drop_one(kept);
                        return;
                }
                nanosleep(&pause, NULL);
        }
}

static void deliver_batch(void *context, struct batch *batch, uint64_t sequence, int64_t time_ns)
{
        hand_over(context, (struct work){ENTRY_BATCH, sequence, time_ns, batch, NULL});
}

/* --- ticks and commands ------------------------------------------------------------------------------------------------ */

static void tick_done(struct append *append, const struct entry *entry, const struct err *err)
{
        (void)err;
        struct loop *loop = (struct loop *)((char *)append - offsetof(struct loop, tick));
        if (entry) {
                atomic_fetch_add(&loop->ticks_waiting, 1);
                hand_over(loop, (struct work){ENTRY_TICK, entry->sequence, entry->time_ns, NULL, NULL});
        }
        loop->tick_is_free = true;
}

/* Amid a storm a tick may take longer than the time to the next one: then few may wait, since whatever comes waits behind them. */
static bool is_behind(struct loop *loop)
{
        int waiting = loop->ticks_waiting;
        return waiting > TICKS_WAITING_MAX || (waiting > 1 && waiting * loop->tick_took_ns > TICKS_WAITING_NS);
}

/* False: the last one still waits for the disk, or the pipeline is behind: time passes all the same. */
static bool append_tick(struct loop *loop)
{
        if (is_behind(loop) || !atomic_exchange(&loop->tick_is_free, false))
                return false;
        loop->tick = (struct append){.kind = ENTRY_TICK, .payload = STR(""), .done = tick_done};
        if (journal_append(loop->journal, &loop->tick, NULL))
                return true;
        loop->tick_is_free = true;
        return false;
}

static int64_t rest_ns(const struct loop *loop)
{
        return loop->rest_until_ns - clock_monotonic_ns(&clock_real);
}

/* What was offered should be decided on at once: right behind it, so that both are synced together. While another tick is on its way, or waits for the
 * pipeline, the next one follows when that is done, and after a rest in proportion: ticks asked for take a quarter of a processor at most, and leave the rest
 * to what comes in. Which ticks there were is in the journal, so when they come decides nothing. */
static void ask_tick(void *context)
{
        struct loop *loop = context;
        if (!loop->started) /* turned by hand */
                return;
        if (!loop->ticks_waiting && rest_ns(loop) <= 0 && append_tick(loop))
                return;
        with_lock(&loop->tick_lock);
        loop->tick_is_wanted = true;
        loop->tick_is_due |= !loop->ticks_waiting && loop->tick_is_free; /* that other one was done meanwhile */
        if (loop->tick_is_due)
                signal_one(&loop->tick_asked);
}

/* is_wanted: somebody still waits for one. True: one was asked for before its time. */
static bool wait_for_tick(struct loop *loop, bool is_wanted)
{
        with_lock(&loop->tick_lock);
        loop->tick_is_wanted |= is_wanted;
        if (!loop->tick_is_due)
                signal_wait_ms(&loop->tick_asked, &loop->tick_lock, TICK_MS);
        return loop->tick_is_due;
}

static void rest(const struct loop *loop)
{
        int64_t left_ns = min_of(rest_ns(loop), TICK_MS * NS_PER_MS);
        if (left_ns > 0)
                nanosleep(&(struct timespec){0, left_ns}, NULL);
}

static void run_ticker(void *context)
{
        struct loop *loop = context;
        bool is_asked = false;
        while (!loop->stopping) {
                bool came_late = !append_tick(loop) && is_asked; /* another went during the rest, maybe before who asked last */
                is_asked = wait_for_tick(loop, came_late);
                if (is_asked)
                        rest(loop);
                with_lock(&loop->tick_lock);
                loop->tick_is_due = loop->tick_is_wanted = false;
        }
}

static void command_committed(struct append *append, const struct entry *entry, const struct err *err)
{
        struct command *command = (struct command *)append;
        if (entry)
                hand_over(command->loop, (struct work){ENTRY_COMMAND, entry->sequence, entry->time_ns, NULL, command});
        else
                answer(command, false, NULL, err);
}

static bool await(struct command *command, json_t **out_result, struct err *err)
{
        with_lock(&command->lock);
        while (!command->is_answered)
                signal_wait(&command->answered, &command->lock);
        if (command->is_good && out_result)
                *out_result = give(command->result);
        if (!command->is_good && err)
                *err = command->err;
        json_decref(command->result);
        return command->is_good;
}

bool loop_command(struct loop *loop, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        struct command command = {.append = {.kind = ENTRY_COMMAND, .done = command_committed}, .loop = loop};
        scoped_ptr(json_decref) json_t *whole = json_pack("{s:s, s:s, s:o}", "verb", verb, "by", by, "arguments", arguments ? arguments : json_object());
        if (!whole || !json_write(whole, &command.payload)) {
                buf_done(&command.payload);
                return fail_memory(err, "loop", command.payload.length);
        }
        command.append.payload = buf_str(&command.payload);
        lock_init(&command.lock, LOCK_CACHE);
        signal_init(&command.answered);
        bool good = journal_append(loop->journal, &command.append, err);
        if (good) {
                if (!loop->started)
                        loop_turn(loop);
                good = await(&command, out_result, err);
        }
        signal_done(&command.answered);
        lock_done(&command.lock);
        buf_done(&command.payload);
        return good;
}

bool loop_configure(struct loop *loop, json_t *content, struct err *err)
{
        {
                with_lock(&loop->lock);
                if (loop->content_in_force && json_equal(loop->content_in_force, content))
                        return true;
        }
        if (!loop_command(loop, "configure", json_pack("{s:O}", "content", content), "configuration", NULL, err))
                return false;
        with_lock(&loop->lock);
        json_decref(loop->content_in_force);
        loop->content_in_force = json_incref(content);
        return true;
}

static bool submit_command(void *context, const char *verb, json_t *arguments, const char *by, json_t **out_result, struct err *err)
{
        return loop_command(context, verb, arguments, by, out_result, err);
}

/* --- recovery ------------------------------------------------------------------------------------------------------------ */

struct recovery {
        struct loop *loop;
        uint64_t watermark;
        uint64_t entries;
};

static bool replay_batch(struct loop *loop, const struct entry *entry, struct err *err)
{
        struct err fault = {0};
        struct batch *batch;
        while (!(batch = batch_unpack(entry->payload, &fault)) && fault.code == ERR_MEMORY && wait_a_moment(loop))
                ;
        if (!batch && fault.code == ERR_MEMORY) {
                if (err)
                        *err = fault;
                return err_within(err, "replaying entry %" PRIu64, entry->sequence);
        }
        if (!batch) {
                err_within(&fault, "entry %" PRIu64 " of the journal is left out", entry->sequence);
                log_err(LOG_LEVEL_ERROR, &fault);
                return true;
        }
        hold_received(loop, batch, entry->time_ns);
        struct arrival arrival = {batch, entry->sequence, entry->time_ns};
        ingest_round(loop->ingest, &arrival, 1);
        return (finish_batch(loop, &arrival) && !ingest_gave_up(loop->ingest)) || fail(err, ERR_CANCELLED, "loop", "entry %" PRIu64 " cannot be stored", entry->sequence);
}

/* In the world's place: what left has arrived. */
static bool hear_results(struct loop *loop, const struct entry *entry, struct err *err)
{
        struct rehearsal *rehearsal = loop->options.rehearsal;
        for (size_t i = 0; rehearsal && i < rehearsal->sent_count; i++) {
                char id[24];
                json_t *unwanted = NULL;
                snprintf(id, sizeof id, "%" PRIu64, rehearsal->sent[i]);
                scoped_ptr(json_decref) json_t *arguments = json_pack("{s:s, s:s, s:i}", "id", id, "outcome", "sent", "attempts", 1);
                bool good = arguments && pipeline_command(loop->deciding, "notification_result", arguments, "replay", entry->sequence, entry->time_ns, &unwanted, err);
                json_decref(unwanted);
                if (!good)
                        return arguments ? false : fail_memory(err, "replay", sizeof id);
        }
        if (rehearsal)
                rehearsal->sent_count = 0;
        return true;
}

static bool replay_command(struct loop *loop, const struct entry *entry, struct err *err)
{
        struct decision decision = {0};
        scoped(buf_done) struct buf told = {0};
        struct str payload = entry->payload;
        bool is_left_out = false;
        if (loop->options.rehearsal && !rehearsal_command(loop->options.rehearsal, loop->state, payload, &told, &is_left_out, err))
                return false;
        if (is_left_out)
                return true;
        if (loop->options.rehearsal)
                payload = buf_str(&told);
        bool applied = apply_command(loop, entry->sequence, entry->time_ns, payload, &decision, err);
        json_decref(decision.result);
        return applied;
}

static bool is_past_end(struct loop *loop, const struct entry *entry)
{
        struct rehearsal *rehearsal = loop->options.rehearsal;
        if (!rehearsal || (rehearsal->until_ns && entry->time_ns > rehearsal->until_ns))
                return rehearsal;
        if (!rehearsal->entries++)
                rehearsal->first_ns = entry->time_ns;
        rehearsal->last_ns = entry->time_ns;
        if (rehearsal->look && rehearsal->entries % 4096 == 0)
                rehearsal->look(rehearsal->context, entry->sequence, entry->time_ns);
        return false;
}

static bool recall_command(struct loop *loop, const struct entry *entry, struct err *err)
{
        scoped_ptr(json_decref) json_t *command = json_parse(entry->payload, err);
        const char *verb = json_string_value(json_object_get(command, "verb"));
        if (verb)
                pipeline_recall(loop->deciding, verb);
        return command;
}

/* Folding stages see every entry again; what is decided already, up to the watermark, is not decided twice. */
static bool replay_entry(void *context, const struct entry *entry, struct err *err)
{
        struct recovery *recovery = context;
        struct loop *loop = recovery->loop;
        if (is_past_end(loop, entry))
                return true;
        if (!loop->origin_ns)
                loop->origin_ns = entry->sequence == 1 ? entry->time_ns : -1;
        recovery->entries++;
        loop->sequence_applied = entry->sequence;
        pass_time(loop, entry->time_ns);
        if (entry->kind == ENTRY_BATCH && !replay_batch(loop, entry, err))
                return false;
        if (entry->kind == ENTRY_TICK)
                ingest_settle(loop->ingest, entry->time_ns);
        if (entry->sequence <= recovery->watermark)
                return pipeline_forget(loop->deciding, err) && (entry->kind != ENTRY_COMMAND || recall_command(loop, entry, err));
        if (entry->kind == ENTRY_COMMAND)
                return replay_command(loop, entry, err) && hear_results(loop, entry, err);
        return entry->kind != ENTRY_TICK || (decide_tick(loop, entry->sequence, entry->time_ns) && hear_results(loop, entry, err)) ||
               fail(err, ERR_CANCELLED, "loop", "entry %" PRIu64 " cannot be decided on", entry->sequence);
}

static void note_file(void *context, const char *name)
{
        (void)name;
        *(bool *)context = true;
}

/* A restored folder has a checkpoint and no journal yet: the journal begins after the checkpoint. */
static bool begins_after_restore(struct loop *loop, const json_t *saved)
{
        char path[4096];
        bool has_journal = false;
        snprintf(path, sizeof path, "%s/journal", loop->directory);
        return json_flag(saved, "restored", false) &&
               (!disk_list(loop->options.disk, path, note_file, &has_journal, NULL) || !has_journal);
}

static bool recover(struct loop *loop, struct err *err)
{
        int64_t start_ns = clock_monotonic_ns(&clock_real);
        uint64_t checkpoint_sequence;
        int64_t decided_ns;
        int64_t checkpoint_time_ns;
        scoped_ptr(json_decref) json_t *saved = NULL;
        struct recovery recovery = {.loop = loop};
        if (!state_read_checkpoint(loop->state, &checkpoint_sequence, &checkpoint_time_ns, &saved, err) ||
            !state_read_watermark(loop->state, &recovery.watermark, &decided_ns, err))
                return false;
        struct journal_options journal_options = {
                .segment_bytes = loop->options.segment_bytes,
                .skip_damage = loop->options.skip_damage || begins_after_restore(loop, saved),
                .sequence_min = max_of(checkpoint_sequence, recovery.watermark) + 1,
                .time_min_ns = checkpoint_time_ns,
        };
        if (!journal_open(loop->options.disk, loop->directory, loop->options.clock, &journal_options, &loop->journal, err))
                return false;
        loop->sequence_applied = checkpoint_sequence;
        aging_restore(&loop->aging, json_object_get(saved, "clock_jumps"), checkpoint_time_ns);
        if (checkpoint_time_ns)
                pass_time(loop, checkpoint_time_ns);
        if ((saved && !intake_restore(loop->intake, saved, err)) || !restore_folds(loop, err) || !pipeline_load(loop->deciding, loop->state, decided_ns, err) ||
            (loop->options.rehearsal && !pipeline_start(loop->deciding, err)) || !archive_drop_after(loop->archive, checkpoint_sequence, err) ||
            !journal_replay(loop->journal, checkpoint_sequence + 1, replay_entry, &recovery, err))
                return err_within(err, "recovering from the checkpoint at entry %" PRIu64, checkpoint_sequence);
        loop->stats.sequence_applied = loop->sequence_applied;
        loop->stats.time_ns = loop->time_ns;
        loop->stats.sequence_checkpoint = checkpoint_sequence;
        loop->stats.checkpoint_time_ns = checkpoint_time_ns;
        loop->stats.retention_days = loop->options.retention_days;
        loop->stats.retention_bytes = loop->options.retention_bytes;
        loop->stats.replayed_entries = recovery.entries;
        loop->stats.recovery_ns = clock_monotonic_ns(&clock_real) - start_ns;
        return true;
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

/* One program a folder. Only on the real disk: the one of a test is its own. */
static bool take_folder(struct loop *loop, struct err *err)
{
        if (loop->options.disk != disk_real())
                return true;
        char path[4096];
        snprintf(path, sizeof path, "%s/lock", loop->directory);
        loop->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (loop->lock_file < 0)
                return fail_errno(err, errno, "loop", "opening %s", path);
        if (flock(loop->lock_file, LOCK_EX | LOCK_NB) != 0)
                return fail(err, ERR_CONFLICT, "loop", "another evenkeel uses %s; stop it, or give this one another folder with --data", loop->directory);
        return true;
}

static void set_defaults(struct loop_options *options)
{
        options->disk = options->disk ? options->disk : disk_real();
        options->clock = options->clock ? options->clock : &clock_real;
        options->series_max = options->series_max ? options->series_max : SERIES_MAX;
        options->checkpoint_ns = options->checkpoint_ns ? options->checkpoint_ns : CHECKPOINT_NS;
        options->checkpoint_bytes = options->checkpoint_bytes ? options->checkpoint_bytes : CHECKPOINT_BYTES;
        options->keep_bytes = options->keep_bytes ? options->keep_bytes : KEEP_BYTES;
        options->retention_days = options->retention_days ? options->retention_days : RETENTION_DAYS;
}

static bool open_rooms(struct loop *loop, struct err *err)
{
        char path[4096];
        const struct loop_options *options = &loop->options;
        snprintf(path, sizeof path, "%s/state.db", loop->directory);
        struct intake_options intake_options = {
                .clock = options->clock, .redactor = options->redactor, .bytes_max = options->intake_bytes_max,
                .deliver = deliver_batch, .decide_soon = ask_tick, .context = loop,
        };
        return disk_make_directory(options->disk, loop->directory, err) && take_folder(loop, err) &&
               state_open(path, options->vfs, &loop->state, err) &&
               archive_open(options->disk, loop->directory, options->vfs, &loop->archive, err) &&
               logs_create(loop->archive, &loop->logs, err) &&
               series_create(loop->archive, options->series_max, &loop->series, err) &&
               metric_metas_create(&loop->metas, err) &&
               observe_create(&(struct observe_options){.logs = loop->logs, .series = loop->series}, &loop->observe, err) &&
               pipeline_create(&(struct pipeline_options){.observe = loop->observe, .sink = {submit_command, loop}, .series = loop->series,
                                                            .hands = options->hands, .steps_in_turn = options->steps_in_turn, .own_host = options->own_host, .delivery = options->delivery}, &loop->deciding, err) &&
               ingest_create(loop->logs, loop->series, loop->metas, options->spine_alone ? NULL : loop->observe, options->workers, &loop->ingest, err) &&
               (ingest_on_stall(loop->ingest, wait_a_moment, loop), true) &&
               intake_create(&intake_options, &loop->intake, err) && recover(loop, err);
}

bool loop_open(const struct loop_options *options, struct loop **out_loop, struct err *err)
{
        struct loop *loop = calloc(1, sizeof *loop);
        if (!loop || !(loop->directory = strdup(options->directory))) {
                free(loop);
                return fail_memory(err, "loop", sizeof *loop);
        }
        loop->options = *options;
        set_defaults(&loop->options);
        loop->lock_file = -1;
        loop->tick_is_free = true;
        lock_init(&loop->lock, LOCK_APP);
        signal_init(&loop->settled);
        lock_init(&loop->tick_lock, LOCK_QUEUE);
        signal_init(&loop->tick_asked);
        queue_init(&loop->queue, SIZE_MAX / 2); /* the intake bounds what can be in it */
        if (!open_rooms(loop, err)) {
                loop_close(loop);
                return false;
        }
        intake_connect(loop->intake, loop->journal);
        observe_connect(loop->observe, loop->intake);
        loop->content_in_force = json_deep_copy(pipeline_content(loop->deciding));
        loop->checkpoint_due_ns = max_of(loop->time_ns, clock_now_ns(loop->options.clock)) + loop->options.checkpoint_ns;
        if (!pipeline_recovered(loop->deciding, err) || (options->delivery.fake && !options->rehearsal && !pipeline_start(loop->deciding, err))) {
                loop_close(loop);
                return false;
        }
        *out_loop = loop;
        return true;
}

bool loop_set_secrets(struct loop *loop, const json_t *secrets, struct err *err)
{
        return pipeline_set_secrets(loop->deciding, secrets, err);
}

bool loop_start(struct loop *loop, struct err *err)
{
        loop->started = true;
        return journal_start(loop->journal, err) && thread_start(&loop->thread, "pipeline", run_pipeline, loop, err) &&
               thread_start(&loop->ticker, "ticker", run_ticker, loop, err) && pipeline_start(loop->deciding, err);
}

void loop_turn(struct loop *loop)
{
        void *works[INGEST_ROUND_MAX];
        size_t count;
        append_tick(loop);
        journal_commit_now(loop->journal);
        while ((count = queue_pop_all(&loop->queue, works, INGEST_ROUND_MAX, 0)))
                run_works(loop, (struct work **)works, count);
        pipeline_turn(loop->deciding);
}

void loop_stop(struct loop *loop)
{
        struct err err = {0};
        pipeline_stop(loop->deciding);
        intake_stop(loop->intake);
        loop->stopping = true;
        thread_join(&loop->ticker);
        if (loop->started && !loop_settle(loop, 60000, &err))
                log_err(LOG_LEVEL_WARNING, &err);
        queue_close(&loop->queue);
        thread_join(&loop->thread);
        loop->started = false;
        if (!checkpoint(loop, &err)) {
                err_within(&err, "the journal is replayed at the next start instead");
                log_err(LOG_LEVEL_WARNING, &err);
        }
}

static void drop_work(struct loop *loop)
{
        for (struct work *work; (work = queue_pop(&loop->queue, 0));)
                drop_one(work);
}

void loop_close(struct loop *loop)
{
        if (!loop)
                return;
        loop->stopping = true;
        pipeline_stop(loop->deciding);
        thread_join(&loop->ticker);
        journal_close(loop->journal);
        queue_close(&loop->queue);
        thread_join(&loop->thread);
        drop_work(loop);
        ingest_destroy(loop->ingest);
        pipeline_destroy(loop->deciding);
        observe_destroy(loop->observe);
        intake_destroy(loop->intake);
        logs_destroy(loop->logs);
        series_destroy(loop->series);
        metric_metas_destroy(loop->metas);
        archive_close(loop->archive);
        database_close(loop->state);
        if (loop->lock_file >= 0)
                close(loop->lock_file);
        queue_done(&loop->queue);
        signal_done(&loop->settled);
        signal_done(&loop->tick_asked);
        lock_done(&loop->tick_lock);
        lock_done(&loop->lock);
        json_decref(loop->content_in_force);
        free(loop->directory);
        free(loop);
}

/* --- asking ----------------------------------------------------------------------------------------------------------------- */

struct observe *loop_observe(struct loop *loop)
{
        return loop->observe;
}

struct intake *loop_intake(struct loop *loop)
{
        return loop->intake;
}

struct logs *loop_logs(struct loop *loop)
{
        return loop->logs;
}

struct series_store *loop_series(struct loop *loop)
{
        return loop->series;
}

struct metric_metas *loop_metas(struct loop *loop)
{
        return loop->metas;
}

struct registry *loop_registry(struct loop *loop)
{
        return pipeline_registry(loop->deciding);
}

struct archive *loop_archive(struct loop *loop)
{
        return loop->archive;
}

struct journal *loop_journal(struct loop *loop)
{
        return loop->journal;
}

const char *loop_directory(const struct loop *loop)
{
        return loop->directory;
}

bool loop_settle(struct loop *loop, int64_t wait_ms, struct err *err)
{
        int64_t until_ns = clock_monotonic_ns(&clock_real) + wait_ms * NS_PER_MS;
        struct journal_stats stats;
        journal_read_stats(loop->journal, &stats);
        with_lock(&loop->lock);
        while (loop->stats.sequence_applied < stats.last_committed) {
                int64_t left_ms = (until_ns - clock_monotonic_ns(&clock_real)) / NS_PER_MS;
                if (left_ms <= 0)
                        return fail(err, ERR_TIMEOUT, "loop", "entry %" PRIu64 " is stored, entry %" PRIu64 " still waits",
                                    loop->stats.sequence_applied, stats.last_committed);
                signal_wait_ms(&loop->settled, &loop->lock, left_ms);
        }
        return true;
}

void loop_read_stats(struct loop *loop, struct loop_stats *out_stats)
{
        with_lock(&loop->lock);
        *out_stats = loop->stats;
}

bool loop_open_state(struct loop *loop, struct database **out_reader, struct err *err)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/state.db", loop->directory);
        return database_open_reader(path, loop->options.vfs, out_reader, err);
}

/* Asks the pipeline for a checkpoint and waits for it. */
bool loop_checkpoint(struct loop *loop, int64_t wait_ms, struct err *err)
{
        if (!loop->started)
                return checkpoint(loop, err);
        int64_t until_ns = clock_monotonic_ns(&clock_real) + wait_ms * NS_PER_MS;
        with_lock(&loop->lock);
        uint64_t before = loop->stats.checkpoints, failed = loop->stats.checkpoint_failures;
        loop->checkpoint_wanted = true;
        while (loop->stats.checkpoints == before && loop->stats.checkpoint_failures == failed) {
                int64_t left_ms = (until_ns - clock_monotonic_ns(&clock_real)) / NS_PER_MS;
                if (left_ms <= 0)
                        return fail(err, ERR_TIMEOUT, "loop", "no checkpoint was written in %lld s", (long long)wait_ms / 1000);
                signal_wait_ms(&loop->settled, &loop->lock, left_ms);
        }
        return loop->stats.checkpoints != before || fail(err, ERR_IO, "loop", "the checkpoint failed; the log says why");
}
