/*
 * archive.c - see archive.h. Why a list of waiting blocks that readers look into: a block must be readable from the
 * moment its chunk is gone, long before SQLite has it. A reader takes the waiting blocks first and asks the databases
 * afterwards, so a block that moved meanwhile is seen twice (and left out once), never missed.
 *
 *      put -> waiting (oldest first) -> [writer: one transaction a day] -> stored, taken from waiting
 */
#include "store/archive.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "model/telemetry.h"
#include "store/day_table.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_BYTES_MAX ((size_t)64 << 20)
#define COPY_LOG_BYTES ((uint64_t)32 << 20) /* the write-ahead log is copied into the file about this often */
#define IDLE_READERS_MAX 4
#define DAMAGED_DAYS_MAX 64 /* told in answers; of more the newest found are */
#define DAY_NS (86400 * NS_PER_S)
#define RETRY_MS 1000
#define FLUSH_READER_WAIT_MS 20000

struct day {
        int64_t day;
        char *path;
        struct database *writer;               /* the archive thread's; NULL until needed */
        struct database *idle[IDLE_READERS_MAX]; /* guarded by archive.lock, like the rest */
        size_t idle_count;
        struct day_summary summary;
        uint64_t bytes_since_copy;
        bool is_dirty;                         /* something was stored since the last sync */
        struct day_news news;                  /* ... since the last checkpoint */
        bool is_damaged, is_removed;
        int references;                        /* visits under way; closed and freed at 0 when removed */
        struct day *next;                      /* newest day first */
};

struct waiting {
        struct block *block;
        struct waiting *next;
};

struct archive {
        struct disk *disk;
        char *directory;
        const char *vfs;
        struct lock lock;
        struct signal work, room, progress;
        struct waiting *oldest, *newest;
        size_t waiting_bytes;
        uint64_t put_count, stored_count;      /* blocks, since opening */
        uint64_t flush_wanted, flush_done;     /* put_count + 1 that a flush asked for (0: none), and that is synced */
        struct err flush_err;
        bool stopping;
        struct day *days;
        int64_t damaged_days[DAMAGED_DAYS_MAX];
        size_t damaged_day_count;
        bool has_lost_news;                    /* a day was set aside with what no checkpoint stands for */
        int64_t lost_day;
        struct thread thread;
        struct archive_stats stats;
};

static size_t block_bytes(const struct block *block)
{
        return sizeof *block + block->index.length + block->body.length;
}

static char *copy_str(char **to, struct str *s)
{
        char *start = *to;
        if (s->length)
                memcpy(start, s->bytes, s->length);
        *to += s->length;
        s->bytes = start;
        return start;
}

struct block *block_create(const struct block *contents, struct err *err)
{
        size_t bytes = sizeof *contents + contents->series_count * sizeof *contents->series + contents->index.length + contents->body.length;
        for (size_t i = 0; i < contents->series_count; i++)
                bytes += contents->series[i].name.length + contents->series[i].packed_labels.length;
        struct block *block = malloc(bytes);
        if (!block) {
                fail_memory(err, "archive", bytes);
                return NULL;
        }
        *block = *contents;
        block->references = 1;
        struct new_series *series = (struct new_series *)(block + 1);
        char *to = (char *)(series + contents->series_count);
        for (size_t i = 0; i < contents->series_count; i++) {
                series[i] = contents->series[i];
                copy_str(&to, &series[i].name);
                copy_str(&to, &series[i].packed_labels);
        }
        block->series = series;
        copy_str(&to, &block->index);
        copy_str(&to, &block->body);
        return block;
}

void block_unref(struct block *block)
{
        if (block && __atomic_sub_fetch(&block->references, 1, __ATOMIC_ACQ_REL) == 0)
                free(block);
}

/* --- days ------------------------------------------------------------------------------------------------------ */

static void free_day(struct day *day)
{
        database_close(day->writer);
        while (day->idle_count)
                database_close(day->idle[--day->idle_count]);
        free(day->path);
        free(day);
}

static void day_unref(struct archive *archive, struct day *day)
{
        bool last;
        {
                with_lock(&archive->lock);
                last = --day->references == 0 && day->is_removed;
        }
        if (last)
                free_day(day);
}

static char *day_path(const struct archive *archive, int64_t day_number)
{
        int64_t year;
        unsigned month, day;
        clock_date_of_days(day_number, &year, &month, &day);
        char *path;
        return asprintf(&path, "%s/%04d-%02u-%02u.db", archive->directory, (int)year, month, day) < 0 ? NULL : path;
}

static struct day *find_day(struct archive *archive, int64_t number)
{
        struct day *day = archive->days;
        while (day && day->day != number)
                day = day->next;
        return day;
}

/* Adds a day to the list, newest first. Holds archive.lock, or is alone at opening. */
static struct day *add_day(struct archive *archive, int64_t number, struct err *err)
{
        struct day *day = calloc(1, sizeof *day);
        if (!day || !(day->path = day_path(archive, number))) {
                free(day);
                fail_memory(err, "archive", sizeof *day);
                return NULL;
        }
        day->day = number;
        day->summary = (struct day_summary){.time_min_ns = INT64_MAX, .time_max_ns = INT64_MIN};
        struct day **place = &archive->days;
        while (*place && (*place)->day > number)
                place = &(*place)->next;
        day->next = *place;
        *place = day;
        archive->stats.days++;
        return day;
}

/* Holds archive.lock, or is alone at opening. */
static void note_damaged(struct archive *archive, int64_t day)
{
        for (size_t i = 0; i < archive->damaged_day_count; i++)
                if (archive->damaged_days[i] == day)
                        return;
        if (archive->damaged_day_count == DAMAGED_DAYS_MAX)
                memmove(archive->damaged_days, archive->damaged_days + 1, --archive->damaged_day_count * sizeof *archive->damaged_days);
        archive->damaged_days[archive->damaged_day_count++] = day;
}

void archive_tell_damaged(struct archive *archive, int64_t day, const struct err *why)
{
        bool is_new;
        {
                with_lock(&archive->lock);
                size_t before = archive->damaged_day_count;
                note_damaged(archive, day);
                is_new = archive->damaged_day_count != before;
                archive->stats.failures += is_new;
        }
        if (is_new) {
                struct err told = *why;
                err_within(&told, "answers leave out what of this day cannot be read");
                log_err(LOG_LEVEL_ERROR, &told);
        }
}

/* Damage of a day's file is no reason to answer nothing about the others. False: err is another fault. */
static bool is_left_out(struct archive *archive, int64_t day, struct err *err)
{
        if (err->code != ERR_CORRUPT)
                return false;
        archive_tell_damaged(archive, day, err);
        *err = (struct err){0};
        return true;
}

size_t archive_damaged_days(struct archive *archive, int64_t start_ns, int64_t end_ns, int64_t *out_days, size_t days_max)
{
        size_t count = 0;
        with_lock(&archive->lock);
        for (size_t i = 0; i < archive->damaged_day_count; i++) {
                int64_t day = archive->damaged_days[i];
                if (day > end_ns / DAY_NS || day < start_ns / DAY_NS)
                        continue;
                if (count++ < days_max)
                        out_days[count - 1] = day;
        }
        return count;
}

static bool take_reader(struct archive *archive, struct day *day, struct database **out_reader, struct err *err)
{
        {
                with_lock(&archive->lock);
                if (day->idle_count) {
                        *out_reader = day->idle[--day->idle_count];
                        return true;
                }
        }
        return database_open_reader(day->path, archive->vfs, out_reader, err);
}

static void give_reader(struct archive *archive, struct day *day, struct database *reader)
{
        {
                with_lock(&archive->lock);
                if (day->idle_count < IDLE_READERS_MAX && !day->is_removed && !day->is_damaged) {
                        day->idle[day->idle_count++] = reader;
                        return;
                }
        }
        database_close(reader);
}

/* --- opening --------------------------------------------------------------------------------------------------- */

struct listing {
        struct archive *archive;
        struct err *err;
        bool good;
};

static void note_day_file(void *context, const char *name)
{
        struct listing *listing = context;
        int year, end = 0;
        unsigned month, day;
        if (sscanf(name, "%4d-%2u-%2u.db%n", &year, &month, &day, &end) != 3 || !end)
                return;
        if (strcmp(name + end, ".damaged") == 0)
                note_damaged(listing->archive, clock_days_of_date(year, month, day));
        else if (!name[end] && !add_day(listing->archive, clock_days_of_date(year, month, day), listing->err))
                listing->good = false;
}

/* Only read, if it can be: a backup is opened this way too, and must stay as it is. A crash can leave a file without tables,
 * and an older version one with older tables; these are brought up to date. */
static bool open_for_summary(struct archive *archive, struct day *day, struct database **out_database, struct err *err)
{
        struct database *database;
        if (database_open_reader(day->path, archive->vfs, &database, err)) {
                if (day_summary(database, &day->summary, err)) {
                        *out_database = database;
                        return true;
                }
                database_close(database);
        }
        if (err->code == ERR_CORRUPT || !day_open(day->path, archive->vfs, &database, err))
                return false;
        *out_database = database;
        return day_summary(database, &day->summary, err);
}

/* A damaged day is left out and told; the others serve on. A disk that fails now is no damage: a day left out for it would
 * be missing from every answer, and keep what recovery has to remove. */
static bool read_summary(struct archive *archive, struct day *day, struct err *out_err)
{
        struct err err = {0};
        struct database *database = NULL;
        if (open_for_summary(archive, day, &database, &err)) {
                for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                        archive->stats.blocks[kind] += day->summary.blocks[kind];
                        archive->stats.items[kind] += day->summary.items[kind];
                        archive->stats.raw_bytes[kind] += day->summary.raw_bytes[kind];
                        archive->stats.stored_bytes[kind] += day->summary.stored_bytes[kind];
                }
        } else if (err.code == ERR_CORRUPT || err.code == ERR_UNSUPPORTED) {
                err_within(&err, "this day is left out until it is repaired");
                log_err(LOG_LEVEL_ERROR, &err);
                day->is_damaged = true;
                note_damaged(archive, day->day);
                archive->stats.failures++;
        } else {
                if (out_err)
                        *out_err = err;
                return err_within(out_err, "opening the days of telemetry");
        }
        database_close(database);
        return true;
}

static void run_writer(void *context);

bool archive_open(struct disk *disk, const char *directory, const char *vfs, struct archive **out_archive, struct err *err)
{
        struct archive *archive = calloc(1, sizeof *archive);
        if (!archive)
                return fail_memory(err, "archive", sizeof *archive);
        *archive = (struct archive){.disk = disk, .vfs = vfs};
        lock_init(&archive->lock, LOCK_STORE);
        signal_init(&archive->work);
        signal_init(&archive->room);
        signal_init(&archive->progress);
        struct listing listing = {archive, err, true};
        if (asprintf(&archive->directory, "%s/telemetry", directory) < 0) {
                archive->directory = NULL;
                fail_memory(err, "archive", strlen(directory));
                goto fault;
        }
        if (!disk_make_directory(disk, archive->directory, err) ||
            !disk_list(disk, archive->directory, note_day_file, &listing, err) || !listing.good)
                goto fault;
        for (struct day *day = archive->days; day; day = day->next)
                if (!read_summary(archive, day, err))
                        goto fault;
        if (!thread_start(&archive->thread, "archive", run_writer, archive, err))
                goto fault;
        *out_archive = archive;
        return true;
fault:
        archive_close(archive);
        return false;
}

void archive_close(struct archive *archive)
{
        if (!archive)
                return;
        {
                with_lock(&archive->lock);
                archive->stopping = true;
                signal_all(&archive->work);
                signal_all(&archive->room);
                signal_all(&archive->progress);
        }
        thread_join(&archive->thread);
        while (archive->oldest) { /* what a failing disk did not take; the journal still has it */
                struct waiting *waiting = archive->oldest;
                archive->oldest = waiting->next;
                block_unref(waiting->block);
                free(waiting);
        }
        while (archive->days) {
                struct day *day = archive->days;
                archive->days = day->next;
                assert(day->references == 0);
                free_day(day);
        }
        signal_done(&archive->work);
        signal_done(&archive->room);
        signal_done(&archive->progress);
        lock_done(&archive->lock);
        free(archive->directory);
        free(archive);
}

/* A day's times cover its waiting blocks too once the day has a file: such a block may be of series that an older block
 * brought, and whoever asks for its times must be led to the file that knows them. Holds the lock. */
static void widen(struct day *day, const struct block *block)
{
        day->summary.time_min_ns = min_of(day->summary.time_min_ns, block->time_min_ns);
        day->summary.time_max_ns = max_of(day->summary.time_max_ns, block->time_max_ns);
}

static void widen_by_waiting(struct archive *archive, struct day *day)
{
        for (const struct waiting *waiting = archive->oldest; waiting; waiting = waiting->next)
                if (waiting->block->day == day->day)
                        widen(day, waiting->block);
}

/* --- writing --------------------------------------------------------------------------------------------------- */

bool archive_put(struct archive *archive, struct block *block)
{
        struct waiting *waiting = malloc(sizeof *waiting);
        while (!waiting) { /* the block must not be lost for want of 16 bytes; memory comes back when the writer stores */
                struct lock *lock = &archive->lock;
                with_lock(lock);
                signal_wait_ms(&archive->room, lock, 10);
                waiting = malloc(sizeof *waiting);
        }
        with_lock(&archive->lock);
        while (!archive->stopping && archive->oldest && archive->waiting_bytes + block_bytes(block) > WAITING_BYTES_MAX)
                signal_wait(&archive->room, &archive->lock);
        if (archive->stopping) {
                free(waiting);
                block_unref(block);
                return false;
        }
        *waiting = (struct waiting){block, NULL};
        struct day *day = find_day(archive, block->day);
        if (day && day->summary.time_min_ns <= day->summary.time_max_ns)
                widen(day, block);
        if (archive->oldest)
                archive->newest->next = waiting;
        else
                archive->oldest = waiting;
        archive->newest = waiting;
        archive->waiting_bytes += block_bytes(block);
        archive->put_count++;
        signal_one(&archive->work);
        return true;
}

/* What was stored since the last checkpoint, and all labels, out of the damaged file into a new one: damage is mostly elsewhere. */
static bool take_over(struct archive *archive, struct day *day, const char *damaged, struct err *err)
{
        struct database *from = NULL, *to = NULL;
        struct day_summary summary;
        bool good = database_open_reader(damaged, archive->vfs, &from, err) && day_open(day->path, archive->vfs, &to, err) && database_begin(to, err);
        if (good && !(day_take_over(from, to, &day->news, err) && day_summary(to, &summary, err) && database_commit(to, err))) {
                database_rollback(to);
                good = false;
        }
        database_close(from);
        database_close(to);
        if (!good)
                return false;
        with_lock(&archive->lock);
        day->summary = summary;
        day->is_dirty = true;
        return true;
}

/* A file that turned out damaged is moved aside, so that storing goes on; what of it is older than the checkpoint is for a person to save. What is
 * newer, and cannot be read from it, is in the journal alone, as are the labels of blocks that name only their ids: then no checkpoint may follow. */
static bool set_aside(struct archive *archive, struct day *day, struct err *err)
{
        database_close(day->writer);
        day->writer = NULL;
        static const char *const endings[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < countof(endings); i++) {
                char from[4096], to[4200];
                snprintf(from, sizeof from, "%s%s", day->path, endings[i]);
                snprintf(to, sizeof to, "%s.damaged%s", day->path, endings[i]);
                struct err ignored;
                if (!disk_rename(archive->disk, from, to, i == 0 ? err : &ignored) && i == 0)
                        return false;
        }
        bool was_left_out; /* since the start: partitions give their ids anew, and nothing of it is news */
        {
                with_lock(&archive->lock);
                was_left_out = day->is_damaged;
                while (day->idle_count)
                        database_close(day->idle[--day->idle_count]);
                day->is_damaged = false;
                note_damaged(archive, day->day);
                day->summary = (struct day_summary){.time_min_ns = INT64_MAX, .time_max_ns = INT64_MIN};
        }
        char damaged[4200];
        struct err fault = {0};
        snprintf(damaged, sizeof damaged, "%s.damaged", day->path);
        bool is_whole = !was_left_out && take_over(archive, day, damaged, &fault);
        log_warning("archive", "%s is damaged and was renamed to end in .damaged; a new file was begun%s", day->path,
                    is_whole ? ", with all that came since the last checkpoint" : "");
        with_lock(&archive->lock);
        widen_by_waiting(archive, day);
        if (!is_whole && !was_left_out && !archive->has_lost_news) {
                err_within(&fault, "what came since the last checkpoint cannot be taken over");
                log_err(LOG_LEVEL_WARNING, &fault);
                archive->has_lost_news = true;
                archive->lost_day = day->day;
        }
        return true;
}

static bool open_writer(struct archive *archive, struct day *day, struct err *err)
{
        if (day->writer)
                return true;
        struct database *writer;
        if (!day_open(day->path, archive->vfs, &writer, err) &&
            !(err->code == ERR_CORRUPT && set_aside(archive, day, err) && day_open(day->path, archive->vfs, &writer, err)))
                return false;
        day->writer = writer; /* its name lasts from the first sync of its log on: SQLite syncs the directory with it */
        return true;
}

static struct day *day_for_writing(struct archive *archive, int64_t number, struct err *err)
{
        struct day *day;
        {
                with_lock(&archive->lock);
                day = find_day(archive, number);
                if (!day)
                        day = add_day(archive, number, err);
        }
        return day && open_writer(archive, day, err) ? day : NULL;
}

static void note_stored(struct archive *archive, struct day *day, const struct block *block)
{
        uint64_t stored = block->index.length + block->body.length;
        widen(day, block);
        day->bytes_since_copy += stored;
        day->is_dirty = true;
        archive->stats.blocks[block->kind]++;
        archive->stats.items[block->kind] += block->items;
        archive->stats.raw_bytes[block->kind] += block->raw_bytes;
        archive->stats.stored_bytes[block->kind] += stored;
}

/* Stores the first blocks of one day that wait, in one transaction; gives how many, 0 on failure. */
static size_t store_some(struct archive *archive, const struct waiting *first, size_t count_max, struct err *err)
{
        struct day *day = day_for_writing(archive, first->block->day, err);
        if (!day || !database_begin(day->writer, err))
                return 0;
        size_t count = 0;
        bool good = true;
        struct day_news news = {0}; /* summed without the lock: it reads all bytes */
        const struct waiting *waiting = first;
        for (; good && count < count_max && waiting->block->day == day->day; count++) {
                good = day_insert(day->writer, waiting->block, err);
                day_news_add(&news, waiting->block);
                if (count + 1 < count_max) /* what is behind the last one is not ours to read */
                        waiting = waiting->next;
        }
        if (!good || !database_commit(day->writer, err)) {
                database_rollback(day->writer);
                if (err->code == ERR_CORRUPT) {
                        struct err ignored;
                        set_aside(archive, day, &ignored);
                }
                return 0;
        }
        with_lock(&archive->lock);
        waiting = first;
        for (size_t i = 0; i < count; i++, waiting = waiting->next)
                note_stored(archive, day, waiting->block);
        day_news_join(&day->news, &news);
        widen_by_waiting(archive, day);
        return count;
}

/* Takes the stored ones from the list. */
static void forget_stored(struct archive *archive, size_t count)
{
        with_lock(&archive->lock);
        for (size_t i = 0; i < count; i++) {
                struct waiting *waiting = archive->oldest;
                archive->oldest = waiting->next;
                archive->waiting_bytes -= block_bytes(waiting->block);
                block_unref(waiting->block);
                free(waiting);
        }
        archive->stored_count += count;
        signal_all(&archive->room);
        signal_all(&archive->progress);
}

static bool sync_day(struct day *day, struct err *err)
{
        for (int64_t waited_ms = 0;; waited_ms += 20) {
                if (database_checkpoint(day->writer, err))
                        return true;
                if (err->code != ERR_BUSY || waited_ms >= FLUSH_READER_WAIT_MS)
                        return false;
                struct timespec pause = {0, 20 * NS_PER_MS}; /* a reader holds old pages; it will finish */
                nanosleep(&pause, NULL);
        }
}

/* The days whose writer is open; only this thread adds or removes writers, so the list may be walked without the lock
 * as long as no day is removed meanwhile: retention leaves days with a writer alone. */
static bool sync_days(struct archive *archive, struct err *err)
{
        for (;;) {
                struct day *dirty = NULL;
                {
                        with_lock(&archive->lock);
                        for (struct day *day = archive->days; day && !dirty; day = day->next)
                                if (day->writer && day->is_dirty)
                                        dirty = day;
                        if (!dirty)
                                return true;
                        dirty->is_dirty = false;
                }
                if (!sync_day(dirty, err)) {
                        dirty->is_dirty = true;
                        return false;
                }
                dirty->bytes_since_copy = 0;
        }
}

/* Past days need no writer once they are synced; without one retention may remove them. */
static void close_old_writers(struct archive *archive)
{
        with_lock(&archive->lock);
        for (struct day *day = archive->days; day; day = day->next)
                if (day != archive->days && day->writer && !day->is_dirty) {
                        database_close(day->writer);
                        day->writer = NULL;
                }
}

static void answer_flush(struct archive *archive, uint64_t wanted)
{
        struct err err = {0};
        bool good = sync_days(archive, &err);
        if (good)
                close_old_writers(archive);
        with_lock(&archive->lock);
        if (!good) {
                archive->stats.failures++;
                archive->flush_err = err;
        }
        archive->flush_done = good ? wanted : archive->flush_done;
        if (!good || archive->flush_wanted == wanted) /* else somebody asked for more meanwhile */
                archive->flush_wanted = 0;
        signal_all(&archive->progress);
}

static void copy_large_logs(struct archive *archive)
{
        struct day *large = NULL;
        {
                with_lock(&archive->lock);
                for (struct day *day = archive->days; day && !large; day = day->next)
                        if (day->writer && day->bytes_since_copy > COPY_LOG_BYTES)
                                large = day;
        }
        if (large && (database_checkpoint(large->writer, NULL) || true))
                large->bytes_since_copy = 0;
}

/* Waits for work. Gives the blocks to store; *out_flush is set when nothing waits and a flush is wanted. */
static const struct waiting *next_work(struct archive *archive, size_t *out_count, uint64_t *out_flush)
{
        with_lock(&archive->lock);
        while (!archive->oldest && !archive->flush_wanted && !archive->stopping)
                signal_wait(&archive->work, &archive->lock);
        *out_count = (size_t)(archive->put_count - archive->stored_count);
        *out_flush = archive->oldest ? 0 : archive->flush_wanted;
        return archive->oldest;
}

static bool is_stopping(struct archive *archive, int64_t wait_ms)
{
        with_lock(&archive->lock);
        if (wait_ms && !archive->stopping && !archive->flush_wanted) /* who asks for a flush has it tried at once */
                signal_wait_ms(&archive->work, &archive->lock, wait_ms);
        return archive->stopping;
}

static void run_writer(void *context)
{
        struct archive *archive = context;
        bool was_failing = false;
        for (;;) {
                size_t count;
                uint64_t flush;
                const struct waiting *first = next_work(archive, &count, &flush);
                if (flush)
                        answer_flush(archive, flush);
                if (!first && is_stopping(archive, 0))
                        return;
                if (!first)
                        continue;
                struct err err = {0};
                size_t stored = store_some(archive, first, count, &err);
                if (stored) {
                        forget_stored(archive, stored);
                        copy_large_logs(archive);
                        if (was_failing)
                                log_info("archive", "storing blocks works again");
                        was_failing = false;
                        continue;
                }
                if (!was_failing)
                        log_err(LOG_LEVEL_ERROR, &err);
                was_failing = true;
                {
                        with_lock(&archive->lock);
                        archive->stats.failures++;
                        archive->flush_err = err;
                        if (archive->flush_wanted) { /* a flush must not hang on a full disk */
                                archive->flush_wanted = 0;
                                signal_all(&archive->progress);
                        }
                }
                if (is_stopping(archive, RETRY_MS))
                        return;
        }
}

bool archive_flush(struct archive *archive, struct err *err)
{
        with_lock(&archive->lock);
        uint64_t asked = archive->put_count + 1; /* else a flush of nothing would answer for the first block too */
        archive->flush_err = (struct err){.code = ERR_CANCELLED, .source = "archive", .message = "the archive is closing"};
        archive->flush_wanted = asked;
        signal_one(&archive->work);
        while (archive->flush_wanted && archive->flush_done < asked && !archive->stopping)
                signal_wait(&archive->progress, &archive->lock);
        if (archive->flush_done >= asked)
                return true;
        if (err)
                *err = archive->flush_err;
        return err_within(err, "flushing the archive");
}

bool archive_holds_all(struct archive *archive, struct err *err)
{
        int64_t year;
        unsigned month, day;
        with_lock(&archive->lock);
        if (!archive->has_lost_news)
                return true;
        clock_date_of_days(archive->lost_day, &year, &month, &day);
        return fail(err, ERR_CORRUPT, "archive", "the damaged file of %04d-%02u-%02u was set aside with telemetry that only the journal has besides;"
                    " restart Evenkeel, and it comes back from there (the journal is kept, and grows, until then)", (int)year, month, day);
}

void archive_checkpointed(struct archive *archive)
{
        with_lock(&archive->lock);
        for (struct day *day = archive->days; day; day = day->next)
                day->news = (struct day_news){0};
}

bool archive_drop_after(struct archive *archive, uint64_t sequence, struct err *err)
{
        uint64_t last_kept = item_id(sequence + 1, 0) - 1;
        for (struct day *day = archive->days; day; day = day->next) {
                if (day->is_damaged)
                        continue;
                struct database *database;
                if (!day_open(day->path, archive->vfs, &database, err))
                        return false;
                bool good = database_begin(database, err) && day_drop_after(database, last_kept, err) && database_commit(database, err) &&
                            day_summary(database, &day->summary, err);
                database_close(database);
                if (!good)
                        return err_within(err, "removing what is newer than the checkpoint");
        }
        for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                archive->stats.blocks[kind] = archive->stats.items[kind] = 0;
                archive->stats.raw_bytes[kind] = archive->stats.stored_bytes[kind] = 0;
                for (struct day *day = archive->days; day; day = day->next) {
                        archive->stats.blocks[kind] += day->summary.blocks[kind];
                        archive->stats.items[kind] += day->summary.items[kind];
                        archive->stats.raw_bytes[kind] += day->summary.raw_bytes[kind];
                        archive->stats.stored_bytes[kind] += day->summary.stored_bytes[kind];
                }
        }
        return true;
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct candidate {
        struct day_row place;
        struct block *waiting; /* or NULL: stored in the day */
        struct day *day;
};

struct selection {
        struct archive *archive;
        const struct archive_range *range;
        struct arena arena;
        struct { struct candidate *items; size_t count, capacity; } candidates;
        size_t waiting_count; /* the first so many candidates are waiting blocks */
        struct day *day;      /* whose rows are being noted */
};

static bool in_range(const struct archive_range *range, uint16_t partition, uint64_t first_item)
{
        return (!range->partitions || range->partitions[partition]) &&
               (!range->open_first || !range->open_first[partition] || first_item < range->open_first[partition]);
}

static bool note_candidate(struct selection *selection, const struct candidate *found, struct err *err)
{
        struct candidate *candidate = arena_push(&selection->arena, &selection->candidates);
        if (!candidate)
                return fail_memory(err, "archive", sizeof *candidate);
        *candidate = *found;
        return true;
}

static bool note_row(void *context, const struct day_row *row, struct err *err)
{
        struct selection *selection = context;
        if (!in_range(selection->range, row->partition, row->first_item))
                return true;
        for (size_t i = 0; i < selection->waiting_count; i++) {
                const struct day_row *seen = &selection->candidates.items[i].place;
                if (seen->partition == row->partition && seen->first_item == row->first_item)
                        return true; /* stored since we looked at the waiting ones */
        }
        return note_candidate(selection, &(struct candidate){.place = *row, .day = selection->day}, err);
}

/* References the waiting blocks in range, and the days to ask. */
static bool note_waiting(struct selection *selection, struct err *err)
{
        struct archive *archive = selection->archive;
        const struct archive_range *range = selection->range;
        with_lock(&archive->lock);
        for (struct waiting *waiting = archive->oldest; waiting; waiting = waiting->next) {
                struct block *block = waiting->block;
                if (block->kind != range->kind || block->time_max_ns < range->start_ns || block->time_min_ns > range->end_ns ||
                    !in_range(range, block->partition, block->first_item))
                        continue;
                struct candidate found = {.place = {0, block->partition, block->first_item, block->time_min_ns, block->time_max_ns},
                                          .waiting = block};
                if (!note_candidate(selection, &found, err))
                        return false;
                __atomic_add_fetch(&block->references, 1, __ATOMIC_RELAXED);
        }
        selection->waiting_count = selection->candidates.count;
        return true;
}

/* The next older day that may hold times in the range, referenced; NULL at the end. */
static struct day *next_day(struct archive *archive, int64_t before, int64_t start_ns, int64_t end_ns)
{
        with_lock(&archive->lock);
        for (struct day *day = archive->days; day; day = day->next)
                if (day->day < before && !day->is_damaged && day->summary.time_min_ns <= day->summary.time_max_ns &&
                    day->summary.time_max_ns >= start_ns && day->summary.time_min_ns <= end_ns) {
                        day->references++;
                        return day;
                }
        return NULL;
}

static bool note_stored_rows(struct selection *selection, struct day *day, struct err *err)
{
        const struct archive_range *range = selection->range;
        struct database *reader;
        if (!take_reader(selection->archive, day, &reader, err))
                return is_left_out(selection->archive, day->day, err);
        selection->day = day;
        bool good = day_find(reader, range->kind, range->start_ns, range->end_ns, note_row, selection, err);
        if (good)
                give_reader(selection->archive, day, reader);
        else
                database_close(reader);
        return good || is_left_out(selection->archive, day->day, err);
}

static int by_time_backwards(const void *left, const void *right)
{
        const struct candidate *a = left, *b = right;
        if (a->place.time_max_ns != b->place.time_max_ns)
                return a->place.time_max_ns > b->place.time_max_ns ? -1 : 1;
        return a->place.first_item > b->place.first_item ? -1 : a->place.first_item < b->place.first_item;
}

static int by_item(const void *left, const void *right)
{
        const struct candidate *a = left, *b = right;
        if (a->place.first_item != b->place.first_item)
                return a->place.first_item < b->place.first_item ? -1 : 1;
        return (int)a->place.partition - (int)b->place.partition;
}

struct visiting {
        bool (*wants)(void *context, const struct block *block);
        block_visit_fn *visit;
        void *context;
};

static bool visit_stored(struct archive *archive, struct database *reader, const struct candidate *candidate, const struct visiting *visiting, struct err *err)
{
        struct block block;
        int64_t day = candidate->day->day;
        if (visiting->wants) {
                scoped(query_done) struct query query = {0};
                if (!day_load(reader, candidate->place.row, false, &query, &block, err))
                        return err->code == ERR_NONE || is_left_out(archive, day, err);
                if (!visiting->wants(visiting->context, &block))
                        return true;
        }
        if (!visiting->visit)
                return true;
        scoped(query_done) struct query query = {0};
        if (!day_load(reader, candidate->place.row, true, &query, &block, err))
                return err->code == ERR_NONE || is_left_out(archive, day, err);
        return visiting->visit(visiting->context, &block, err);
}

static bool visit_all(struct selection *selection, const struct visiting *visiting, struct err *err)
{
        struct day *open_day = NULL;
        struct database *reader = NULL;
        bool good = true;
        each (candidate, &selection->candidates) {
                if (candidate->waiting) {
                        if (!visiting->wants || visiting->wants(visiting->context, candidate->waiting))
                                good = !visiting->visit || visiting->visit(visiting->context, candidate->waiting, err);
                } else {
                        if (candidate->day != open_day) {
                                if (reader)
                                        give_reader(selection->archive, open_day, reader);
                                reader = NULL;
                                open_day = candidate->day;
                                good = take_reader(selection->archive, open_day, &reader, err) || is_left_out(selection->archive, open_day->day, err);
                        }
                        good = good && (!reader || visit_stored(selection->archive, reader, candidate, visiting, err));
                }
                if (!good)
                        break;
        }
        if (reader)
                give_reader(selection->archive, open_day, reader);
        return good;
}

bool archive_visit(struct archive *archive, const struct archive_range *range,
                   bool (*wants)(void *context, const struct block *block), block_visit_fn *visit, void *context,
                   struct err *err)
{
        struct err ignored = {0};
        if (!err)
                err = &ignored;
        struct selection selection = {.archive = archive, .range = range};
        arena_init(&selection.arena, 0);
        bool good = note_waiting(&selection, err);
        struct { struct day **items; size_t count, capacity; } days = {0};
        for (struct day *day = NULL; good && (day = next_day(archive, day ? day->day : INT64_MAX, range->start_ns, range->end_ns));) {
                struct day **kept = arena_push(&selection.arena, &days);
                if (kept)
                        *kept = day;
                else
                        day_unref(archive, day);
                good = kept ? note_stored_rows(&selection, day, err) : fail_memory(err, "archive", sizeof day);
        }
        if (good && selection.candidates.count) {
                struct visiting visiting = {wants, visit, context};
                struct candidate *items = selection.candidates.items;
                /* Waiting blocks stand first until here; sorting a copy would cost the same memory again. */
                qsort(items, selection.candidates.count, sizeof *items, range->newest_first ? by_time_backwards : by_item);
                good = visit_all(&selection, &visiting, err);
        }
        each (candidate, &selection.candidates)
                block_unref(candidate->waiting);
        each (day, &days)
                day_unref(archive, *day);
        arena_done(&selection.arena);
        return good;
}

struct series_visiting {
        bool (*visit)(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err);
        void *context;
        int64_t day;
};

static bool visit_series_of_day(void *context, uint32_t id, struct str packed_labels, struct err *err)
{
        struct series_visiting *visiting = context;
        return visiting->visit(visiting->context, visiting->day, id, packed_labels, err);
}

/* Series that waiting blocks bring. One that is stored meanwhile may come twice; askers expect that. */
static bool visit_waiting_series(struct archive *archive, const struct archive_range *range, struct str name,
                                 struct series_visiting *visiting, struct err *err)
{
        struct selection selection = {.archive = archive, .range = range};
        arena_init(&selection.arena, 0);
        bool good = note_waiting(&selection, err);
        each (candidate, &selection.candidates) {
                const struct block *block = candidate->waiting;
                for (size_t i = 0; good && i < block->series_count; i++)
                        if (!name.bytes || str_equal(block->series[i].name, name))
                                good = visiting->visit(visiting->context, block->day, block->series[i].id,
                                                       block->series[i].packed_labels, err);
                block_unref(candidate->waiting);
        }
        arena_done(&selection.arena);
        return good;
}

bool archive_visit_series(struct archive *archive, int64_t start_ns, int64_t end_ns, struct str name,
                          bool (*visit)(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err),
                          void *context, struct err *err)
{
        struct err ignored = {0};
        if (!err)
                err = &ignored;
        struct series_visiting visiting = {visit, context, 0};
        struct archive_range range = {.kind = BLOCK_METRICS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        if (!visit_waiting_series(archive, &range, name, &visiting, err))
                return false;
        int64_t before = INT64_MAX;
        bool good = true;
        for (struct day *day; good && (day = next_day(archive, before, start_ns, end_ns));) {
                struct database *reader;
                before = visiting.day = day->day;
                good = take_reader(archive, day, &reader, err);
                if (good) {
                        good = day_series(reader, name, visit_series_of_day, &visiting, err);
                        give_reader(archive, day, reader);
                }
                good = good || is_left_out(archive, day->day, err);
                day_unref(archive, day);
        }
        return good;
}

struct day_visiting {
        bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err);
        void *context;
        int64_t day;
};

static bool visit_if_of_day(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err)
{
        struct day_visiting *visiting = context;
        return day != visiting->day || visiting->visit(visiting->context, id, packed_labels, err);
}

bool archive_day_series(struct archive *archive, int64_t day_number,
                        bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err),
                        void *context, struct err *err)
{
        /* Blocks on their way first, as everywhere: their series would be missed, and their ids given away again. */
        struct day_visiting of_day = {visit, context, day_number};
        struct series_visiting visiting = {visit_if_of_day, &of_day, 0};
        struct archive_range range = {.kind = BLOCK_METRICS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        if (!visit_waiting_series(archive, &range, (struct str){0}, &visiting, err))
                return false;
        struct day *day;
        {
                with_lock(&archive->lock);
                day = find_day(archive, day_number);
                if (!day || day->is_damaged || day->summary.time_min_ns > day->summary.time_max_ns)
                        return true; /* nothing stored of that day */
                day->references++;
        }
        struct database *reader;
        bool good = take_reader(archive, day, &reader, err);
        if (good) {
                good = day_series(reader, (struct str){0}, visit, context, err);
                give_reader(archive, day, reader);
        }
        day_unref(archive, day);
        return good;
}

/* --- keeping and copying --------------------------------------------------------------------------------------- */

static uint64_t file_bytes(struct archive *archive, const char *path)
{
        uint64_t total = 0;
        static const char *const endings[] = {"", "-wal"};
        for (size_t i = 0; i < countof(endings); i++) {
                char name[4096];
                uint64_t bytes;
                snprintf(name, sizeof name, "%s%s", path, endings[i]);
                struct disk_file *file = disk_open(archive->disk, name, DISK_READ, NULL);
                if (file && disk_size(file, &bytes, NULL))
                        total += bytes;
                disk_close(file);
        }
        return total;
}

static bool remove_day(struct archive *archive, struct day *day, struct err *err)
{
        static const char *const endings[] = {"-wal", "-shm", ""}; /* a log that stayed alone would stay for good */
        for (size_t i = 0; i < countof(endings); i++) {
                char name[4096];
                struct err fault = {0};
                snprintf(name, sizeof name, "%s%s", day->path, endings[i]);
                if (!disk_unlink(archive->disk, name, &fault) && fault.code != ERR_NOT_FOUND) {
                        if (err)
                                *err = fault;
                        return err_within(err, "removing the day %s", day->path);
                }
        }
        bool unused;
        {
                with_lock(&archive->lock);
                struct day **place = &archive->days;
                while (*place != day)
                        place = &(*place)->next;
                *place = day->next;
                day->is_removed = true;
                archive->stats.days--;
                for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                        archive->stats.blocks[kind] -= day->summary.blocks[kind];
                        archive->stats.items[kind] -= day->summary.items[kind];
                        archive->stats.raw_bytes[kind] -= day->summary.raw_bytes[kind];
                        archive->stats.stored_bytes[kind] -= day->summary.stored_bytes[kind];
                }
                unused = day->references == 0;
        }
        if (unused)
                free_day(day);
        return true;
}

/* The oldest day that may be removed; the newest, and days being written, stay. */
static struct day *oldest_day(struct archive *archive)
{
        with_lock(&archive->lock);
        struct day *oldest = NULL;
        for (struct day *day = archive->days; day; day = day->next)
                if (day != archive->days && !day->writer)
                        oldest = day;
        return oldest;
}

bool archive_retain(struct archive *archive, int64_t first_day_kept, uint64_t bytes_max, uint64_t *out_days_removed,
                    struct err *err)
{
        if (!archive_flush(archive, err))
                return false;
        uint64_t removed = 0;
        for (struct day *day; (day = oldest_day(archive)); removed++) {
                uint64_t used = 0;
                for (struct day *counted = archive->days; bytes_max && counted; counted = counted->next)
                        used += file_bytes(archive, counted->path);
                if (day->day >= first_day_kept && !(bytes_max && used > bytes_max))
                        break;
                if (!remove_day(archive, day, err))
                        return false;
        }
        if (out_days_removed)
                *out_days_removed = removed;
        return true;
}

bool archive_backup(struct archive *archive, const char *to_directory, struct err *err)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/telemetry", to_directory);
        if (!disk_make_directory(archive->disk, path, err))
                return false;
        int64_t before = INT64_MAX;
        for (struct day *day; (day = next_day(archive, before, INT64_MIN, INT64_MAX));) {
                struct database *reader;
                before = day->day;
                snprintf(path, sizeof path, "%s/telemetry%s", to_directory, strrchr(day->path, '/'));
                bool good = take_reader(archive, day, &reader, err);
                if (good) {
                        good = database_backup(reader, path, err);
                        give_reader(archive, day, reader);
                }
                day_unref(archive, day);
                if (!good)
                        return false;
        }
        return true;
}

void archive_read_stats(struct archive *archive, struct archive_stats *out_stats)
{
        {
                with_lock(&archive->lock);
                *out_stats = archive->stats;
                out_stats->waiting_bytes = archive->waiting_bytes;
        }
        int64_t before = INT64_MAX;
        for (struct day *day; (day = next_day(archive, before, INT64_MIN, INT64_MAX));) {
                before = day->day;
                out_stats->bytes_on_disk += file_bytes(archive, day->path);
                day_unref(archive, day);
        }
}
