/*
 * file_source.c - see file_source.h.
 *
 * One thread. inotify on the directories only wakes it; what happened is found by looking at the files, since events come
 * late, merged and out of order when a rotation runs. Each path has a queue of open files: earlier parts that are not read
 * to their end, then the file that is there now; only the first is read, so order is kept. A path has at most one batch
 * under way, and its place moves when the commit is known: a batch that fails is read again.
 *
 *      path:   [ app.log.1 (renamed, rest to read) ] -> [ app.log ]
 */
#include "observe/file_source.h"

#include "base/json.h"
#include "base/thread.h"
#include "observe/file_rotation.h"
#include "observe/file_tail.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLLOWED_MAX 4096
#define RULES_MAX 256
#define QUEUE_MAX (ROTATED_MAX + 2)
#define IN_FLIGHT_BYTES_MAX ((size_t)32 << 20)
#define SCAN_NS NS_PER_S                       /* looking for new files without an event */
#define PACE_MS 20                             /* between rounds that found little */
#define HELD_MS 100                            /* while a stack trace or a rotated file waits */
#define RETRY_NS NS_PER_S                      /* after a failed read or commit */
#define ROTATED_QUIET_NS NS_PER_S              /* a renamed file ends when its writer is silent and the new one has bytes */
#define ROTATED_WAIT_NS (60 * NS_PER_S)        /* ... or when nothing came for so long */
#define FINISHED_MAX 16

struct rule {
        char path[1024], service[256];
        bool multiline, from_end;
};

enum flight { FLIGHT_NONE, FLIGHT_UNDER_WAY, FLIGHT_COMMITTED, FLIGHT_FAILED };

struct file_source;

struct followed { /* a path */
        struct file_source *source;
        const struct rule *rule;
        char path[1024], name[1040], service[256];
        struct file_tail queue[QUEUE_MAX];
        size_t count;
        uint64_t finished[FINISHED_MAX];       /* inodes read to their end, not to be taken for missed ones */
        size_t finished_next;
        _Atomic enum flight flight;
        uint64_t flight_end;                   /* the place after the batch under way */
        size_t flight_bytes;
        int64_t retry_after_ns;
        double told_lag;
        bool is_failing, is_waiting;           /* waiting: something is held back for a while */
        bool is_placed;                        /* the cursor was looked up */
};

struct file_source {
        struct intake *intake;
        struct thread thread;
        int wake_fd, inotify_fd;
        _Atomic bool stopping;
        struct rule *rules;
        size_t rules_count;
        struct followed *followed[FOLLOWED_MAX];
        size_t followed_count, in_flight_bytes;
        _Atomic size_t callbacks;              /* that may still come */
        int64_t scanned_ns;
        bool wants_scan, was_busy;
        char hostname[256];
};

static int64_t now_monotonic_ns(void)
{
        return clock_monotonic_ns(&clock_real);
}

/* --- what is told ---------------------------------------------------------------------------------------------- */

static void tell_failure(struct followed *followed, const struct err *err)
{
        followed->is_failing = true;
        followed->retry_after_ns = now_monotonic_ns() + RETRY_NS;
        source_state(followed->source->intake, str_of(followed->name), "file", true, "%s", err->message);
}

static void tell_fine(struct followed *followed)
{
        if (followed->is_failing)
                source_state(followed->source->intake, str_of(followed->name), "file", false, "%s", "");
        followed->is_failing = false;
}

static void tell_lag(struct followed *followed)
{
        double lag = 0;
        for (size_t i = 0; i < followed->count; i++)
                lag += (double)followed->queue[i].size - (double)followed->queue[i].place.offset;
        if (lag != followed->told_lag)
                source_lag(followed->source->intake, str_of(followed->name), followed->told_lag = lag);
}

/* --- the queue of a path --------------------------------------------------------------------------------------- */

static bool is_known(void *context, uint64_t inode)
{
        const struct followed *followed = context;
        for (size_t i = 0; i < followed->count; i++)
                if (followed->queue[i].place.inode == inode)
                        return true;
        for (size_t i = 0; i < FINISHED_MAX; i++)
                if (followed->finished[i] == inode)
                        return true;
        return false;
}

static void push(struct followed *followed, struct file_tail tail)
{
        if (followed->count < QUEUE_MAX)
                followed->queue[followed->count++] = tail;
        else
                file_tail_close(&tail);
}

static void insert(struct followed *followed, size_t at, struct file_tail tail)
{
        if (followed->count == QUEUE_MAX) {
                file_tail_close(&tail);
                return;
        }
        memmove(followed->queue + at + 1, followed->queue + at, (followed->count - at) * sizeof tail);
        followed->queue[at] = tail;
        followed->count++;
}

static void pop_front(struct followed *followed)
{
        followed->finished[followed->finished_next++ % FINISHED_MAX] = followed->queue[0].place.inode;
        file_tail_close(&followed->queue[0]);
        followed->count--;
        memmove(followed->queue, followed->queue + 1, followed->count * sizeof *followed->queue);
}

/* Whether it begins as a part of the queue does: a copy made of it just now, before it is truncated. */
static bool is_copy_of_known(const struct followed *followed, const struct file_tail *tail)
{
        for (size_t i = 0; i < followed->count; i++) {
                struct file_place head = followed->queue[i].place;
                head.offset = 0;
                if (head.head_bytes && file_tail_has_head(tail, &head))
                        return true;
        }
        return false;
}

/* Parts that came and went between two looks, or while we did not run, go before the one at `at`. */
static size_t insert_missed(struct followed *followed, size_t at, int64_t modified_ns, int64_t now_ns)
{
        struct file_tail missed[ROTATED_MAX];
        size_t count = file_rotation_since(followed->path, modified_ns, is_known, followed, now_ns, missed);
        size_t inserted = 0;
        for (size_t i = count; i--;) {
                if (is_copy_of_known(followed, &missed[i])) {
                        file_tail_close(&missed[i]);
                        continue;
                }
                insert(followed, at, missed[i]);
                inserted++;
        }
        return inserted;
}

/* Where reading goes on after a restart. */
static void place_at_cursor(struct followed *followed, struct file_tail *current, int64_t now_ns)
{
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 1 << 16);
        struct file_place place;
        struct str cursor = source_cursor(followed->source->intake, str_of(followed->name), &arena);
        if (!file_place_parse(cursor, &place)) {
                if (followed->rule->from_end)
                        current->place.offset = current->size;
                return;
        }
        struct file_tail earlier;
        if (file_tail_is_at(current, &place)) {
                current->place.offset = place.offset;
        } else if (file_rotation_find(followed->path, &place, current->place.inode, now_ns, &earlier)) {
                push(followed, earlier);
                insert_missed(followed, followed->count, earlier.modified_ns, now_ns);
        } else if (place.head_bytes) {
                source_state(followed->source->intake, str_of(followed->name), "file", false,
                             "the part that was read last (to byte %llu) is gone; what stood behind that is not read",
                             (unsigned long long)place.offset);
        }
}

/* Opens what the path leads to now, behind what is still to be read of it. */
static void open_newest(struct followed *followed, int64_t now_ns)
{
        struct file_tail tail;
        struct err err;
        if (!file_tail_open(followed->path, now_ns, &tail, &err)) {
                tell_failure(followed, &err);
                return;
        }
        if (!followed->is_placed)
                place_at_cursor(followed, &tail, now_ns);
        followed->is_placed = true;
        push(followed, tail);
}

/* Whether the path now leads to another file than the newest of the queue, or to none. */
static void look_at_path(struct followed *followed, int64_t now_ns)
{
        struct stat found;
        struct file_tail *newest = followed->count ? &followed->queue[followed->count - 1] : NULL;
        bool is_there = stat(followed->path, &found) == 0 && S_ISREG(found.st_mode);
        if (is_there && newest && !newest->is_rotated && newest->place.inode == found.st_ino &&
            newest->place.device == found.st_dev)
                return;
        if (newest && !newest->is_rotated) {
                newest->is_rotated = true;
                newest->rotated_ns = now_ns;
        }
        if (!is_there)
                return;
        if (newest)
                insert_missed(followed, followed->count, newest->modified_ns, now_ns);
        open_newest(followed, now_ns);
}

static bool follow(struct file_source *source, const struct rule *rule, const char *path, int64_t now_ns)
{
        struct followed *followed = calloc(1, sizeof *followed);
        if (!followed)
                return false;
        followed->source = source;
        followed->rule = rule;
        snprintf(followed->path, sizeof followed->path, "%s", path);
        snprintf(followed->name, sizeof followed->name, "file:%s", path);
        const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        size_t length = strlen(base);
        if (length > 4 && strcmp(base + length - 4, ".log") == 0)
                length -= 4;
        if (rule->service[0])
                snprintf(followed->service, sizeof followed->service, "%s", rule->service);
        else
                snprintf(followed->service, sizeof followed->service, "%.*s", (int)length, base);
        source->followed[source->followed_count++] = followed;
        open_newest(followed, now_ns);
        return true;
}

static void followed_destroy(struct followed *followed)
{
        for (size_t i = 0; i < followed->count; i++)
                file_tail_close(&followed->queue[i]);
        free(followed);
}

/* --- finding files ---------------------------------------------------------------------------------------------- */

static bool is_compressed(const char *path)
{
        static const char *const endings[] = {".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".Z", ".zip"};
        size_t length = strlen(path);
        for (size_t i = 0; i < countof(endings); i++) {
                size_t ending = strlen(endings[i]);
                if (length > ending && strcmp(path + length - ending, endings[i]) == 0)
                        return true;
        }
        return false;
}

static bool is_followed(const struct file_source *source, const char *path)
{
        for (size_t i = 0; i < source->followed_count; i++)
                if (strcmp(source->followed[i]->path, path) == 0)
                        return true;
        return false;
}

/* An earlier part of a file that is itself there or followed: read, if at all, as that file's. */
static bool is_earlier_part(const struct file_source *source, const char *path)
{
        char shorter[1024];
        snprintf(shorter, sizeof shorter, "%s", path);
        for (size_t length = strlen(shorter); length-- && shorter[length] != '/';) {
                if (shorter[length] != '.' && shorter[length] != '-')
                        continue;
                shorter[length] = '\0';
                if (file_is_rotation_of(path, shorter) && (is_followed(source, shorter) || access(shorter, F_OK) == 0))
                        return true;
        }
        return false;
}

static void watch_directories(struct file_source *source, const char *pattern)
{
        char directory[1024];
        glob_t found = {0};
        snprintf(directory, sizeof directory, "%s", pattern);
        char *slash = strrchr(directory, '/');
        if (slash)
                *(slash == directory ? slash + 1 : slash) = '\0';
        if (glob(slash ? directory : ".", GLOB_NOSORT, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc && i < FOLLOWED_MAX; i++)
                        inotify_add_watch(source->inotify_fd, found.gl_pathv[i],
                                          IN_CREATE | IN_MODIFY | IN_MOVE | IN_DELETE | IN_ONLYDIR);
        globfree(&found);
}

static void scan_rule(struct file_source *source, const struct rule *rule, int64_t now_ns)
{
        glob_t found = {0};
        watch_directories(source, rule->path);
        if (glob(rule->path, 0, NULL, &found) == 0) {
                for (size_t i = 0; i < found.gl_pathc; i++) {
                        const char *path = found.gl_pathv[i];
                        struct stat file;
                        if (strlen(path) >= 1000 || is_compressed(path) || is_followed(source, path) ||
                            is_earlier_part(source, path) || stat(path, &file) < 0 || !S_ISREG(file.st_mode))
                                continue;
                        if (source->followed_count == FOLLOWED_MAX || !follow(source, rule, path, now_ns))
                                source_state(source->intake, STR("file"), "file", true,
                                             "%s is not followed: more than %d files match", path, FOLLOWED_MAX);
                }
        }
        globfree(&found);
}

static void scan(struct file_source *source, int64_t now_ns)
{
        source->scanned_ns = now_ns;
        source->wants_scan = false;
        for (size_t i = 0; i < source->rules_count; i++)
                scan_rule(source, &source->rules[i], now_ns);
        for (size_t i = 0; i < source->followed_count; i++) {
                struct followed *followed = source->followed[i];
                look_at_path(followed, now_ns);
                if (followed->count || followed->flight != FLIGHT_NONE || access(followed->path, F_OK) == 0)
                        continue;
                tell_lag(followed);
                followed_destroy(followed); /* gone, and read to its end */
                source->followed[i--] = source->followed[--source->followed_count];
        }
}

/* --- reading and offering --------------------------------------------------------------------------------------- */

static bool fill_batch(struct followed *followed, struct batch *batch, struct str bytes, struct err *err)
{
        struct file_source *source = followed->source;
        scoped(buf_done) struct buf settings = {0}, cursor = {0};
        struct file_place place = followed->queue[0].place;
        place.offset += bytes.length;
        batch->bytes = bytes;
        batch->received_ns = clock_now_ns(intake_clock(source->intake));
        time_t now_s = (time_t)(batch->received_ns / NS_PER_S);
        struct tm local = {0};
        localtime_r(&now_s, &local);
        buf_text(&settings, "{\"service\":");
        json_quote(&settings, str_of(followed->service));
        buf_printf(&settings, ",\"multiline\":%s,\"utc_offset_s\":%ld}", followed->rule->multiline ? "true" : "false",
                   local.tm_gmtoff);
        struct label *labels = arena_array(&batch->arena, 2, sizeof *labels);
        if (!labels || settings.failed || !file_place_print(&place, &cursor))
                return fail_memory(err, "file", 2 * sizeof *labels);
        batch->settings = arena_str(&batch->arena, buf_str(&settings));
        batch->cursor = arena_str(&batch->arena, buf_str(&cursor));
        labels[0] = (struct label){STR("host"), arena_str(&batch->arena, str_of(source->hostname))};
        labels[1] = (struct label){STR("path"), arena_str(&batch->arena, str_of(followed->path))};
        batch->labels = (struct labels){labels, 2, 2};
        if (!batch->settings.bytes || !batch->cursor.bytes || !labels[0].value.bytes || !labels[1].value.bytes)
                return fail_memory(err, "file", settings.length);
        return true;
}

static void note_outcome(void *context, const struct batch *batch, const struct err *err)
{
        struct followed *followed = context;
        struct file_source *source = followed->source;
        (void)batch;
        followed->flight = err ? FLIGHT_FAILED : FLIGHT_COMMITTED;
        eventfd_write(source->wake_fd, 1);
        source->callbacks--; /* the last touch: stop waits for it */
}

static void offer(struct followed *followed, struct batch *batch, struct err *err)
{
        struct file_source *source = followed->source;
        size_t bytes = batch->bytes.length;
        followed->flight_end = followed->queue[0].place.offset + bytes;
        followed->flight_bytes = bytes;
        followed->flight = FLIGHT_UNDER_WAY;
        source->in_flight_bytes += bytes;
        source->callbacks++;
        if (intake_offer(source->intake, batch, note_outcome, followed, err))
                return;
        source->callbacks--;
        followed->flight = FLIGHT_NONE;
        source->in_flight_bytes -= bytes;
        source->was_busy |= err->code == ERR_BUSY;
        if (err->code != ERR_BUSY)
                tell_failure(followed, err);
}

/* The batch that was under way has come to its end. */
static void settle(struct followed *followed)
{
        enum flight flight = followed->flight;
        if (flight != FLIGHT_COMMITTED && flight != FLIGHT_FAILED)
                return;
        followed->source->in_flight_bytes -= followed->flight_bytes;
        followed->flight = FLIGHT_NONE;
        if (flight == FLIGHT_COMMITTED) {
                followed->queue[0].place.offset = followed->flight_end;
                tell_fine(followed);
                return;
        }
        struct err err;
        fail(&err, ERR_IO, "file", "%s: the journal could not keep a batch; it will be read again", followed->path);
        tell_failure(followed, &err);
}

/* The file was cut short: the rest of what it held may stand in a copy; and what came between two truncations, that were
 * both before this look, in newer ones. */
static void handle_truncation(struct followed *followed, size_t at, int64_t now_ns)
{
        struct file_tail *tail = &followed->queue[at], copy;
        struct file_place old = tail->place;
        file_tail_restart(tail);
        if (!file_rotation_find(followed->path, &old, old.inode, now_ns, &copy))
                return;
        insert_missed(followed, at, copy.modified_ns, now_ns);
        if (copy.size > old.offset && !is_known(followed, copy.place.inode))
                insert(followed, at, copy);
        else
                file_tail_close(&copy);
}

/* Looks at all parts, for the newest may be rotated on while an earlier one is read. False: the queue has changed, or
 * looking failed (then err->code says so). */
static bool look_at_parts(struct followed *followed, int64_t now_ns, struct err *err)
{
        err->code = ERR_NONE;
        for (size_t i = 0; i < followed->count; i++) {
                struct file_tail *tail = &followed->queue[i];
                bool truncated, was_empty = !tail->size && !tail->place.head_bytes;
                int64_t modified_ns = tail->modified_ns;
                if (!file_tail_look(tail, now_ns, &truncated, err))
                        return false;
                if (truncated) {
                        handle_truncation(followed, i, now_ns);
                        return false;
                }
                /* Written, copied and truncated since it was seen empty? Then the copy holds what we never saw. It may be
                 * empty again, so the time of its last change decides, not its size. */
                if (was_empty && tail->modified_ns != modified_ns && insert_missed(followed, i, modified_ns, now_ns))
                        return false;
        }
        return true;
}

/* A renamed or deleted file has ended when its writer went on to the new one, or is silent for long. */
static bool has_ended(const struct followed *followed, int64_t now_ns)
{
        const struct file_tail *tail = &followed->queue[0];
        if (!tail->is_rotated || tail->is_complete)
                return tail->is_complete;
        int64_t quiet_ns = now_ns - max_of(tail->changed_ns, tail->rotated_ns);
        struct stat next;
        bool has_successor = followed->count > 1 && fstat(followed->queue[1].fd, &next) == 0 && next.st_size > 0;
        return quiet_ns >= (has_successor ? ROTATED_QUIET_NS : ROTATED_WAIT_NS);
}

enum progress { PROGRESS_NONE, PROGRESS_OFFERED, PROGRESS_NEXT };

static enum progress read_first(struct followed *followed, int64_t now_ns, struct err *err)
{
        if (!look_at_parts(followed, now_ns, err)) {
                if (err->code)
                        tell_failure(followed, err);
                return err->code ? PROGRESS_NONE : PROGRESS_NEXT;
        }
        struct file_tail *tail = &followed->queue[0];
        bool at_end = has_ended(followed, now_ns);
        if (tail->place.offset >= tail->size) {
                if (at_end)
                        pop_front(followed);
                followed->is_waiting |= tail->is_rotated;
                return at_end ? PROGRESS_NEXT : PROGRESS_NONE;
        }
        struct batch *batch = batch_create(SOURCE_FILE, str_of(followed->name), err);
        struct str bytes = {0};
        bool is_read = batch && file_tail_read(tail, followed->rule->multiline, at_end, now_ns, &batch->arena, &bytes, err);
        if (is_read && bytes.length && fill_batch(followed, batch, bytes, err)) {
                offer(followed, batch, err);
                return PROGRESS_OFFERED;
        }
        if (!is_read || bytes.length)
                tell_failure(followed, err);
        batch_destroy(batch);
        followed->is_waiting = true;
        return PROGRESS_NONE;
}

static bool advance(struct followed *followed, int64_t now_ns)
{
        settle(followed);
        followed->is_waiting = false;
        if (followed->flight != FLIGHT_NONE || now_ns < followed->retry_after_ns ||
            followed->source->in_flight_bytes >= IN_FLIGHT_BYTES_MAX)
                return false;
        enum progress progress = PROGRESS_NEXT;
        struct err err;
        for (size_t steps = 0; progress == PROGRESS_NEXT && followed->count && steps < QUEUE_MAX; steps++)
                progress = read_first(followed, now_ns, &err);
        tell_lag(followed);
        return progress == PROGRESS_OFFERED;
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void drain_events(struct file_source *source)
{
        char events[16384] __attribute__((aligned(8)));
        for (ssize_t got; (got = read(source->inotify_fd, events, sizeof events)) > 0;)
                for (char *at = events; at < events + got;) {
                        const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
                        source->wants_scan |= (event->mask & ~(uint32_t)IN_MODIFY) != 0;
                        at += sizeof *event + event->len;
                }
        eventfd_t count;
        eventfd_read(source->wake_fd, &count);
}

static int round_ms(const struct file_source *source)
{
        if (source->was_busy)
                return PACE_MS;
        for (size_t i = 0; i < source->followed_count; i++)
                if (source->followed[i]->is_waiting)
                        return HELD_MS;
        return (int)(SCAN_NS / NS_PER_MS);
}

static void run(void *context)
{
        struct file_source *source = context;
        source->wants_scan = true;
        while (!source->stopping) {
                int64_t now_ns = now_monotonic_ns();
                if (source->wants_scan || now_ns - source->scanned_ns >= SCAN_NS)
                        scan(source, now_ns);
                size_t offered = 0;
                source->was_busy = false;
                for (size_t i = 0; i < source->followed_count && !source->was_busy; i++)
                        offered += advance(source->followed[i], now_ns);
                struct pollfd events[] = {{source->wake_fd, POLLIN, 0}, {source->inotify_fd, POLLIN, 0}};
                poll(events, 2, round_ms(source));
                if (!offered && !source->stopping) /* writers of single lines would else cost a round a line */
                        nanosleep(&(struct timespec){0, PACE_MS * NS_PER_MS / 4}, NULL);
                drain_events(source);
        }
}

static bool read_rule(const json_t *item, struct rule *rule, struct err *err)
{
        struct str path = json_is_string(item) ? str_of(json_string_value(item)) : json_str(item, "path");
        if (!path.length || path.length >= sizeof rule->path || path.bytes[0] != '/')
                return fail(err, ERR_INVALID, "file", "sources.file.files: path \"%.*s\" must be absolute", STR_ARGS(path));
        struct str from = json_str(item, "from");
        if (from.length && !str_is(from, "start") && !str_is(from, "end"))
                return fail(err, ERR_INVALID, "file", "sources.file.files: from is \"%.*s\"; say start or end", STR_ARGS(from));
        snprintf(rule->path, sizeof rule->path, "%.*s", STR_ARGS(path));
        snprintf(rule->service, sizeof rule->service, "%.*s", STR_ARGS(json_str(item, "service")));
        rule->multiline = json_flag(item, "multiline", true);
        rule->from_end = str_is(from, "end");
        return true;
}

static bool add_rules(struct file_source *source, const json_t *config, struct err *err)
{
        const json_t *files = json_object_get(config, "files");
        json_t *standard = files ? NULL : json_pack("[s,s,s]", "/var/log/*.log", "/var/log/syslog", "/var/log/messages");
        json_t *item;
        size_t index;
        bool fine = true;
        if (files && (!json_is_array(files) || json_array_size(files) > RULES_MAX))
                return fail(err, ERR_INVALID, "file", "sources.file.files must be a list of at most %d entries", RULES_MAX);
        source->rules = calloc(RULES_MAX, sizeof *source->rules);
        if (!source->rules) {
                json_decref(standard);
                return fail_memory(err, "file", RULES_MAX * sizeof *source->rules);
        }
        json_array_foreach(files ? (json_t *)files : standard, index, item)
                if (!(fine = read_rule(item, &source->rules[source->rules_count++], err)))
                        break;
        json_decref(standard);
        return fine;
}

void file_source_check(const json_t *config, struct faults *faults)
{
        const json_t *files = json_object_get(config, "files");
        json_t *item;
        size_t index;
        faults_keys(faults, "sources.file", config, "files");
        if (files && (!json_is_array(files) || json_array_size(files) > RULES_MAX))
                faults_note(faults, "sources.file.files", ERR_INVALID, "file", "it must be a list of at most %d entries", RULES_MAX);
        json_array_foreach((json_t *)files, index, item) {
                struct rule rule;
                struct err err = {0};
                char place[64];
                snprintf(place, sizeof place, "sources.file.files.%zu", index);
                faults_keys(faults, place, item, "from multiline path service");
                if (!read_rule(item, &rule, &err))
                        faults_add(faults, place, &err);
        }
}

bool file_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err)
{
        struct file_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "file", sizeof *source);
        source->intake = intake;
        if (gethostname(source->hostname, sizeof source->hostname - 1) < 0)
                snprintf(source->hostname, sizeof source->hostname, "localhost");
        source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        source->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        bool fine = source->wake_fd >= 0 && source->inotify_fd >= 0;
        if (!fine)
                fail_errno(err, errno, "file", "making descriptors to follow files");
        if (!fine || !add_rules(source, config, err) || !thread_start(&source->thread, "files", run, source, err)) {
                file_source_stop(source);
                return false;
        }
        *out_source = source;
        return true;
}

/* No callback may find a path gone. */
static void wait_for_callbacks(struct file_source *source)
{
        while (source->callbacks)
                nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
}

void file_source_stop(void *stopped)
{
        struct file_source *source = stopped;
        if (!source)
                return;
        source->stopping = true;
        eventfd_write(source->wake_fd, 1);
        thread_join(&source->thread);
        wait_for_callbacks(source);
        for (size_t i = 0; i < source->followed_count; i++)
                followed_destroy(source->followed[i]);
        if (source->wake_fd >= 0)
                close(source->wake_fd);
        if (source->inotify_fd >= 0)
                close(source->inotify_fd);
        free(source->rules);
        free(source);
}
