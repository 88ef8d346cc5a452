/*
 * journald_source.c - see journald_source.h. Entries are packed by wire/journald; a batch carries the cursor of its last
 * entry. When a batch is not committed, reading goes back to the last cursor that was.
 */
#include "observe/journald_source.h"

#include "base/json.h"
#include "base/thread.h"
#include "wire/journald.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define ENTRIES_MAX 2000
#define PACKED_BYTES_MAX ((size_t)512 << 10)
#define FIELD_BYTES_MAX ((size_t)256 << 10)
#define WAIT_MS 10000
#define REOPEN_MS 60000
#define RETRY_MS 1000
#define NAME STR("journald")

/* One field's value, valid until the next call; false when the entry has none. */
typedef bool field_fn(void *context, const char *field, struct str *out_value);

struct journald_source {
        struct intake *intake;
        struct thread thread;
        int wake_fd;
        _Atomic bool stopping;
        sd_journal *journal;
        char directory[1024];
        int64_t since_ns;
        char *cursor;                   /* committed; malloc'ed, as libsystemd gives it */
        struct buf packed, texts;
        uint64_t last_us;               /* time of the last entry packed */
        bool is_failing, has_said_none;
};

/* --- entry to bytes --------------------------------------------------------------------------------------------- */

enum field { FIELD_MESSAGE, FIELD_IDENTIFIER, FIELD_COMMAND, FIELD_UNIT, FIELD_HOST, FIELD_PRIORITY, FIELD_PID, FIELDS };

static const char *const field_names[FIELDS] = {"MESSAGE", "SYSLOG_IDENTIFIER", "_COMM", "_SYSTEMD_UNIT", "_HOSTNAME",
                                                "PRIORITY", "_PID"};

/* Packs one entry; texts is scratch memory, since a field's value is gone when the next is asked for. */
static bool pack_entry(field_fn *get, void *context, uint64_t time_us, struct buf *texts, struct buf *packed)
{
        size_t starts[FIELDS], lengths[FIELDS];
        buf_clear(texts);
        for (size_t i = 0; i < FIELDS; i++) {
                struct str value = {0};
                starts[i] = texts->length;
                lengths[i] = get(context, field_names[i], &value) ? value.length : 0;
                if (lengths[i] && !buf_add(texts, value))
                        return false;
        }
        struct str values[FIELDS];
        for (size_t i = 0; i < FIELDS; i++)
                values[i] = (struct str){texts->bytes ? texts->bytes + starts[i] : "", lengths[i]};
        uint64_t pid = 0;
        str_to_u64(values[FIELD_PID], &pid);
        bool has_priority = values[FIELD_PRIORITY].length == 1 && values[FIELD_PRIORITY].bytes[0] >= '0' &&
                            values[FIELD_PRIORITY].bytes[0] <= '7';
        struct journald_entry entry = {
                .time_us = (int64_t)time_us,
                .priority = has_priority ? (uint8_t)(values[FIELD_PRIORITY].bytes[0] - '0') : JOURNALD_NO_PRIORITY,
                .pid = (uint32_t)pid,
                .identifier = values[values[FIELD_IDENTIFIER].length ? FIELD_IDENTIFIER : FIELD_COMMAND],
                .unit = values[FIELD_UNIT],
                .host = values[FIELD_HOST],
                .message = values[FIELD_MESSAGE],
        };
        return journald_pack(&entry, packed);
}

static bool journal_field(void *context, const char *field, struct str *out_value)
{
        const void *data;
        size_t length, name = strlen(field) + 1; /* "FIELD=" */
        if (sd_journal_get_data(context, field, &data, &length) < 0 || length < name)
                return false;
        *out_value = (struct str){(const char *)data + name, length - name};
        return true;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void tell(struct journald_source *source, bool failing, const char *text)
{
        source->is_failing = failing;
        source_state(source->intake, NAME, "journald", failing, "%s", text);
}

/* To the entry behind the committed cursor, or to the configured beginning. */
static int seek(struct journald_source *source)
{
        if (!source->cursor) {
                int64_t from_ns = clock_now_ns(intake_clock(source->intake)) - source->since_ns;
                return sd_journal_seek_realtime_usec(source->journal, (uint64_t)max_of(from_ns / 1000, (int64_t)0));
        }
        int got = sd_journal_seek_cursor(source->journal, source->cursor);
        if (got >= 0)
                got = sd_journal_next(source->journal);
        if (got > 0 && sd_journal_test_cursor(source->journal, source->cursor) <= 0)
                got = sd_journal_seek_cursor(source->journal, source->cursor); /* it is gone: do not skip the one after it */
        return got;
}

static bool open_journal(struct journald_source *source)
{
        int got = source->directory[0] ? sd_journal_open_directory(&source->journal, source->directory, 0)
                                       : sd_journal_open(&source->journal, SD_JOURNAL_LOCAL_ONLY);
        if (got >= 0)
                got = sd_journal_get_fd(source->journal);
        if (got >= 0) {
                sd_journal_set_data_threshold(source->journal, FIELD_BYTES_MAX);
                got = seek(source);
        }
        if (got >= 0)
                return true;
        sd_journal_close(source->journal);
        source->journal = NULL;
        char text[160];
        snprintf(text, sizeof text, "the journal cannot be opened: %s", strerror(-got));
        tell(source, false, text);
        return false;
}

static void say_when_there_is_none(struct journald_source *source)
{
        bool has_any = sd_journal_has_runtime_files(source->journal) > 0 ||
                       sd_journal_has_persistent_files(source->journal) > 0 || source->directory[0];
        if (!has_any && !source->has_said_none)
                tell(source, false, "no systemd journal can be read here: there is none, or this user is not in the group systemd-journal");
        if (has_any && source->has_said_none)
                tell(source, false, "");
        source->has_said_none = !has_any;
}

/* Packs entries until a batch is full or the end is reached; gives how many. */
static size_t pack_entries(struct journald_source *source, struct err *err, bool *out_fine)
{
        size_t count = 0;
        *out_fine = true;
        buf_clear(&source->packed);
        while (count < ENTRIES_MAX && source->packed.length < PACKED_BYTES_MAX && !source->stopping) {
                int got = sd_journal_next(source->journal);
                uint64_t time_us = 0;
                if (got > 0)
                        got = sd_journal_get_realtime_usec(source->journal, &time_us) < 0 ? -EBADMSG : 1;
                if (got == -EBADMSG)
                        continue; /* a damaged entry: the others are read */
                if (got < 0)
                        *out_fine = fail_errno(err, -got, "journald", "reading the journal");
                if (got <= 0)
                        break;
                if (!pack_entry(journal_field, source->journal, time_us, &source->texts, &source->packed)) {
                        *out_fine = fail_memory(err, "journald", source->packed.length);
                        break;
                }
                source->last_us = time_us;
                count++;
        }
        return count;
}

static bool send_entries(struct journald_source *source, char *cursor, struct err *err)
{
        struct batch *batch = batch_create(SOURCE_JOURNALD, NAME, err);
        if (!batch)
                return false;
        batch->received_ns = clock_now_ns(intake_clock(source->intake));
        batch->bytes = arena_str(&batch->arena, buf_str(&source->packed));
        batch->cursor = arena_str(&batch->arena, str_of(cursor));
        if (!batch->bytes.bytes || !batch->cursor.bytes) {
                batch_destroy(batch);
                return fail_memory(err, "journald", source->packed.length);
        }
        return intake_offer_wait(source->intake, batch, NULL, err);
}

/* One batch. False: nothing more for now, or a fault, which is told; then reading goes back to the last cursor. */
static bool read_batch(struct journald_source *source)
{
        struct err err;
        bool fine;
        char *cursor = NULL;
        size_t count = pack_entries(source, &err, &fine);
        if (fine && count && sd_journal_get_cursor(source->journal, &cursor) < 0)
                fine = fail(&err, ERR_IO, "journald", "the journal gives no cursor");
        if (fine && count)
                fine = send_entries(source, cursor, &err);
        if (!fine) {
                free(cursor);
                if (!source->stopping)
                        tell(source, true, err.message);
                seek(source);
                return false;
        }
        if (source->is_failing)
                tell(source, false, "");
        if (!count)
                return false;
        free(source->cursor);
        source->cursor = cursor;
        double behind_s = (double)(clock_now_ns(intake_clock(source->intake)) / 1000 - (int64_t)source->last_us) / 1e6;
        source_lag(source->intake, NAME, behind_s > 0 ? behind_s : 0);
        return true;
}

static void wait_for_entries(struct journald_source *source, int wait_ms)
{
        struct pollfd events[] = {{source->wake_fd, POLLIN, 0}, {-1, POLLIN, 0}};
        if (source->journal && !source->is_failing)
                events[1].fd = sd_journal_get_fd(source->journal);
        poll(events, 2, wait_ms);
        if (source->journal)
                sd_journal_process(source->journal);
}

static void run(void *context)
{
        struct journald_source *source = context;
        while (!source->stopping) {
                if (!source->journal && !open_journal(source)) {
                        wait_for_entries(source, REOPEN_MS);
                        continue;
                }
                say_when_there_is_none(source);
                while (!source->stopping && read_batch(source))
                        ;
                if (!source->is_failing)
                        source_lag(source->intake, NAME, 0);
                wait_for_entries(source, source->is_failing ? RETRY_MS : WAIT_MS);
        }
}

static void take_cursor(struct journald_source *source)
{
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 1 << 16);
        struct str cursor = source_cursor(source->intake, NAME, &arena);
        if (cursor.length)
                source->cursor = strndup(cursor.bytes, cursor.length);
}

static bool read_since(const json_t *config, int64_t *out_hours, struct err *err)
{
        int64_t since_hours = json_i64(config, "since_hours", 24);
        if (since_hours < 0 || since_hours > 1000000)
                return fail(err, ERR_INVALID, "journald", "sources.journald.since_hours is %lld; give 0 or more",
                            (long long)since_hours);
        *out_hours = since_hours;
        return true;
}

void journald_source_check(const json_t *config, struct faults *faults)
{
        struct err err = {0};
        int64_t since_hours;
        faults_keys(faults, "sources.journald", config, "directory since_hours");
        if (!read_since(config, &since_hours, &err))
                faults_add(faults, "sources.journald.since_hours", &err);
}

bool journald_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err)
{
        int64_t since_hours = 0;
        struct str directory = json_str(config, "directory");
        if (!read_since(config, &since_hours, err))
                return false;
        struct journald_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "journald", sizeof *source);
        source->intake = intake;
        source->since_ns = since_hours * 3600 * NS_PER_S;
        snprintf(source->directory, sizeof source->directory, "%.*s", STR_ARGS(directory));
        take_cursor(source);
        source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (source->wake_fd < 0)
                fail_errno(err, errno, "journald", "making an eventfd for the journal source");
        if (source->wake_fd < 0 || !thread_start(&source->thread, "journald", run, source, err)) {
                journald_source_stop(source);
                return false;
        }
        *out_source = source;
        return true;
}

void journald_source_stop(void *stopped)
{
        struct journald_source *source = stopped;
        if (!source)
                return;
        source->stopping = true;
        if (source->wake_fd >= 0)
                eventfd_write(source->wake_fd, 1);
        thread_join(&source->thread);
        if (source->wake_fd >= 0)
                close(source->wake_fd);
        sd_journal_close(source->journal);
        free(source->cursor);
        buf_done(&source->packed);
        buf_done(&source->texts);
        free(source);
}
