/*
 * syslog_batch.c - see syslog_batch.h. Nobody waits for the commit (syslog has no acknowledgement), so done only tells
 * the sources page when the journal could not keep a batch.
 */
#include "observe/syslog_batch.h"

#include "base/scope.h"
#include "observe/source.h"
#include "wire/syslog_frames.h"

#include <stdio.h>
#include <time.h>

struct batch *syslog_batch_create(const char *source, size_t bytes_max, char **out_bytes, struct err *err)
{
        struct batch *batch = batch_create(SOURCE_SYSLOG, str_of(source), err);
        if (!batch)
                return NULL;
        char *bytes = arena_alloc(&batch->arena, bytes_max);
        if (!bytes) {
                fail_memory(err, "syslog", bytes_max);
                batch_destroy(batch);
                return NULL;
        }
        *out_bytes = bytes;
        return batch;
}

/* RFC 3164 times have no zone: they are the sender's local time, which we take to be ours. */
static int utc_offset_s(int64_t now_ns)
{
        static _Thread_local int64_t known_minute = -1;
        static _Thread_local int known_offset_s;
        int64_t minute = now_ns / (60 * NS_PER_S);
        if (minute != known_minute) {
                time_t now_s = (time_t)(now_ns / NS_PER_S);
                struct tm local;
                known_offset_s = localtime_r(&now_s, &local) ? (int)local.tm_gmtoff : 0;
                known_minute = minute;
        }
        return known_offset_s;
}

bool syslog_batch_fill(struct batch *batch, const struct clock *clock, struct str messages, const char *host,
                       struct str inner_newlines, struct err *err)
{
        scoped(buf_done) struct buf settings = {0};
        batch->received_ns = clock_now_ns(clock);
        batch->bytes = messages;
        struct label *label = arena_alloc(&batch->arena, sizeof *label);
        if (!label || !syslog_settings(&settings, utc_offset_s(batch->received_ns), inner_newlines))
                return fail_memory(err, "syslog", sizeof *label + inner_newlines.length);
        *label = (struct label){STR("host"), arena_str(&batch->arena, str_of(host))};
        batch->labels = (struct labels){label, 1, 1};
        if (settings.length)
                batch->settings = arena_str(&batch->arena, buf_str(&settings));
        if (!label->value.bytes || (settings.length && !batch->settings.bytes))
                return fail_memory(err, "syslog", settings.length);
        return true;
}

static size_t count_messages(struct str messages)
{
        size_t count = 0;
        const char *at = messages.bytes, *end = messages.bytes + messages.length;
        for (const char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
                count++;
        return count + (at < end);
}

static void note_lost(struct intake *intake, struct str source, size_t messages, const struct err *err)
{
        source_dropped(intake, source, messages);
        source_state(intake, source, "syslog", true, "%zu messages lost: %s", messages, err->message);
}

static void note_committed(void *context, const struct batch *batch, const struct err *err)
{
        if (err)
                note_lost(context, batch->source, count_messages(batch->bytes), err);
}

enum syslog_offered syslog_batch_offer(struct intake *intake, struct batch **batch)
{
        struct err err;
        char source[32];
        snprintf(source, sizeof source, "%.*s", STR_ARGS((*batch)->source));
        if (intake_try_offer(intake, batch, note_committed, intake, &err))
                return SYSLOG_TAKEN;
        if (*batch)
                return SYSLOG_BUSY;
        note_lost(intake, str_of(source), 1, &err); /* how many were in it went with it; at least one */
        return SYSLOG_LOST;
}
