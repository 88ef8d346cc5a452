/* intake_fake.c - see intake_fake.h. Included by tests, never part of the program. */
#include "observe/intake_fake.h"

#include "base/scope.h"

#include <stdarg.h>
#include <stdio.h>

void fake_init(struct intake *fake)
{
        memset(fake, 0, sizeof *fake);
        lock_init(&fake->lock, LOCK_INTAKE);
        signal_init(&fake->changed);
        fake->clock = &clock_real;
}

void fake_forget(struct intake *fake)
{
        with_lock(&fake->lock);
        for (size_t i = 0; i < fake->batches_count; i++)
                batch_destroy(fake->batches[i]);
        fake->batches_count = 0;
}

void fake_done(struct intake *fake)
{
        fake_forget(fake);
        signal_done(&fake->changed);
        lock_done(&fake->lock);
}

bool fake_wait(struct intake *fake, bool (*check)(struct intake *fake, void *context), void *context)
{
        with_lock(&fake->lock);
        int64_t until_ns = clock_monotonic_ns(&clock_real) + 10 * NS_PER_S;
        while (!check(fake, context)) {
                if (clock_monotonic_ns(&clock_real) > until_ns)
                        return false;
                signal_wait_ms(&fake->changed, &fake->lock, 50);
        }
        return true;
}

static bool has_batches(struct intake *fake, void *context)
{
        return fake->batches_count >= *(size_t *)context;
}

bool fake_wait_batches(struct intake *fake, size_t count)
{
        return fake_wait(fake, has_batches, &count);
}

struct wanted_bytes {
        const char *source;
        size_t length;
};

static bool has_bytes(struct intake *fake, void *context)
{
        const struct wanted_bytes *wanted = context;
        size_t length = 0;
        for (size_t i = 0; i < fake->batches_count; i++)
                if (!wanted->source || str_is(fake->batches[i]->source, wanted->source))
                        length += fake->batches[i]->bytes.length;
        return length >= wanted->length;
}

bool fake_wait_bytes(struct intake *fake, const char *source, size_t length)
{
        return fake_wait(fake, has_bytes, &(struct wanted_bytes){source, length});
}

void fake_bytes(struct intake *fake, const char *source, struct buf *out)
{
        with_lock(&fake->lock);
        for (size_t i = 0; i < fake->batches_count; i++)
                if (!source || str_is(fake->batches[i]->source, source))
                        buf_add(out, fake->batches[i]->bytes);
}

void fake_set(struct intake *fake, bool *flag, bool value)
{
        with_lock(&fake->lock);
        *flag = value;
        signal_all(&fake->changed);
}

static struct source_counters *find_source(struct intake *fake, struct str name)
{
        for (size_t i = 0; i < fake->sources_count; i++)
                if (str_is(name, fake->sources[i].name))
                        return &fake->sources[i];
        if (fake->sources_count == FAKE_SOURCES_MAX)
                return &fake->sources[FAKE_SOURCES_MAX - 1];
        struct source_counters *added = &fake->sources[fake->sources_count++];
        snprintf(added->name, sizeof added->name, "%.*s", STR_ARGS(name));
        return added;
}

struct source_counters fake_source(struct intake *fake, const char *name)
{
        with_lock(&fake->lock);
        return *find_source(fake, str_of(name));
}

static void keep_cursor(struct intake *fake, const struct batch *batch)
{
        size_t at = 0;
        while (at < fake->cursors_count && !str_is(batch->source, fake->cursors[at].name))
                at++;
        if (at == FAKE_SOURCES_MAX)
                return;
        fake->cursors_count = max_of(fake->cursors_count, at + 1);
        snprintf(fake->cursors[at].name, sizeof fake->cursors[at].name, "%.*s", STR_ARGS(batch->source));
        snprintf(fake->cursors[at].cursor, sizeof fake->cursors[at].cursor, "%.*s", STR_ARGS(batch->cursor));
}

static void keep_batch(struct intake *intake, struct batch *batch)
{
        with_lock(&intake->lock);
        find_source(intake, batch->source)->batches++;
        if (batch->cursor.length)
                keep_cursor(intake, batch);
        if (intake->batches_count == FAKE_BATCHES_MAX)
                batch_destroy(batch);
        else
                intake->batches[intake->batches_count++] = batch;
        signal_all(&intake->changed);
}

bool intake_try_offer(struct intake *intake, struct batch **batch, intake_done_fn *done, void *context, struct err *err)
{
        lock_take(&intake->lock);
        if (intake->full || intake->batches_count == FAKE_BATCHES_MAX) {
                intake->refused++;
                signal_all(&intake->changed);
                lock_release(&intake->lock);
                return fail(err, ERR_BUSY, "intake", "full");
        }
        struct batch *taken = *batch;
        *batch = NULL;
        if (intake->decode && !intake->decode(taken, err)) {
                find_source(intake, taken->source)->parse_failures++;
                lock_release(&intake->lock);
                batch_destroy(taken);
                return false;
        }
        bool failed = intake->disk_fails;
        lock_release(&intake->lock);
        struct err why = {ERR_IO, "disk", "told to fail"};
        if (done)
                done(context, taken, failed ? &why : NULL); /* before the test can see the batch, and forget it */
        if (failed)
                batch_destroy(taken);
        else
                keep_batch(intake, taken);
        return true;
}

bool intake_offer(struct intake *intake, struct batch *batch, intake_done_fn *done, void *context, struct err *err)
{
        bool taken = intake_try_offer(intake, &batch, done, context, err);
        batch_destroy(batch);
        return taken;
}

struct outcome {
        bool failed;
        uint64_t rejected;
};

static void note_outcome(void *context, const struct batch *batch, const struct err *err)
{
        *(struct outcome *)context = (struct outcome){err != NULL, batch->telemetry.rejected};
}

static bool has_room(struct intake *fake, void *context)
{
        (void)context;
        return !fake->full || fake->stopping;
}

bool intake_offer_wait(struct intake *intake, struct batch *batch, uint64_t *out_rejected, struct err *err)
{
        struct outcome outcome = {0};
        fake_wait(intake, has_room, NULL);
        if (!intake_offer(intake, batch, note_outcome, &outcome, err))
                return false;
        if (outcome.failed)
                return fail(err, ERR_IO, "disk", "told to fail");
        if (out_rejected)
                *out_rejected = outcome.rejected;
        return true;
}

const struct clock *intake_clock(const struct intake *intake)
{
        return intake->clock;
}

bool intake_stopping(const struct intake *intake)
{
        return intake->stopping;
}

void source_dropped(struct intake *intake, struct str source, uint64_t count)
{
        with_lock(&intake->lock);
        find_source(intake, source)->dropped += count;
        signal_all(&intake->changed);
}

void source_parse_failure(struct intake *intake, struct str source, uint64_t count)
{
        with_lock(&intake->lock);
        find_source(intake, source)->parse_failures += count;
        signal_all(&intake->changed);
}

void source_state(struct intake *intake, struct str source, const char *kind, bool failing, const char *format, ...)
{
        with_lock(&intake->lock);
        struct source_counters *counters = find_source(intake, source);
        snprintf(counters->kind, sizeof counters->kind, "%s", kind);
        counters->failing = failing;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(counters->state_text, sizeof counters->state_text, format, arguments);
        va_end(arguments);
        signal_all(&intake->changed);
}

void source_lag(struct intake *intake, struct str source, double lag)
{
        with_lock(&intake->lock);
        find_source(intake, source)->lag_s = lag;
        signal_all(&intake->changed);
}

struct str source_cursor(struct intake *intake, struct str source, struct arena *arena)
{
        with_lock(&intake->lock);
        for (size_t i = 0; i < intake->cursors_count; i++)
                if (str_is(source, intake->cursors[i].name))
                        return arena_str(arena, str_of(intake->cursors[i].cursor));
        return (struct str){0};
}

size_t intake_list_sources(struct intake *fake, struct source_counters *out_sources, size_t max)
{
        with_lock(&fake->lock);
        for (size_t i = 0; i < min_of(fake->sources_count, max); i++)
                out_sources[i] = fake->sources[i];
        return fake->sources_count;
}
