/* failing.c - see failing.h. The counters are atomic: threads of the store take part. */
#include "failing.h"

#include "base/log.h"
#include "base/scope.h"
#include "store/disk_forgetful.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool is_on;
static _Atomic size_t counted, failing_nth, logged;
static enum fault failing_fault;
static _Thread_local int exempt; /* within the disk for tests, whose memory is not the program's */

void failing_begin(enum fault fault, size_t nth)
{
        failing_fault = fault;
        failing_nth = nth;
        counted = logged = 0;
        is_on = true;
}

size_t failing_end(void)
{
        is_on = false;
        return counted;
}

size_t failing_logged(void)
{
        return logged;
}

static bool fails_now(enum fault fault)
{
        return is_on && failing_fault == fault && !exempt && atomic_fetch_add(&counted, 1) + 1 == failing_nth;
}

/* --- memory --------------------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

void *__wrap_malloc(size_t bytes)
{
        return fails_now(FAULT_ALLOCATION) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
        return fails_now(FAULT_ALLOCATION) ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
        return fails_now(FAULT_ALLOCATION) ? NULL : __real_realloc(old, bytes);
}

char *__wrap_strdup(const char *text)
{
        return fails_now(FAULT_ALLOCATION) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
        return fails_now(FAULT_ALLOCATION) ? NULL : __real_strndup(text, length);
}

/* --- SQLite ---------------------------------------------------------------------------------------------------------- */

int __real_sqlite3_open_v2(const char *path, sqlite3 **out_handle, int flags, const char *vfs);
int __real_sqlite3_prepare_v3(sqlite3 *handle, const char *sql, int length, unsigned flags, sqlite3_stmt **out_statement, const char **out_rest);
int __real_sqlite3_step(sqlite3_stmt *statement);
int __real_sqlite3_exec(sqlite3 *handle, const char *sql, int (*row)(void *, int, char **, char **), void *context, char **out_error);
int __real_sqlite3_wal_checkpoint_v2(sqlite3 *handle, const char *schema, int mode, int *out_frames, int *out_copied);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out_handle, int flags, const char *vfs);
int __wrap_sqlite3_prepare_v3(sqlite3 *handle, const char *sql, int length, unsigned flags, sqlite3_stmt **out_statement, const char **out_rest);
int __wrap_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_exec(sqlite3 *handle, const char *sql, int (*row)(void *, int, char **, char **), void *context, char **out_error);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *handle, const char *schema, int mode, int *out_frames, int *out_copied);

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out_handle, int flags, const char *vfs)
{
        if (!fails_now(FAULT_STEP))
                return __real_sqlite3_open_v2(path, out_handle, flags, vfs);
        *out_handle = NULL;
        return SQLITE_CANTOPEN;
}

int __wrap_sqlite3_prepare_v3(sqlite3 *handle, const char *sql, int length, unsigned flags, sqlite3_stmt **out_statement, const char **out_rest)
{
        if (!fails_now(FAULT_STEP))
                return __real_sqlite3_prepare_v3(handle, sql, length, flags, out_statement, out_rest);
        *out_statement = NULL;
        return SQLITE_IOERR;
}

int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
        return fails_now(FAULT_STEP) ? SQLITE_IOERR : __real_sqlite3_step(statement);
}

/* A ROLLBACK ends its transaction whatever happens (https://sqlite.org/lang_transaction.html). */
int __wrap_sqlite3_exec(sqlite3 *handle, const char *sql, int (*row)(void *, int, char **, char **), void *context, char **out_error)
{
        if (strcmp(sql, "ROLLBACK") != 0 && fails_now(FAULT_STEP))
                return SQLITE_FULL;
        return __real_sqlite3_exec(handle, sql, row, context, out_error);
}

int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *handle, const char *schema, int mode, int *out_frames, int *out_copied)
{
        if (fails_now(FAULT_STEP))
                return SQLITE_IOERR;
        return __real_sqlite3_wal_checkpoint_v2(handle, schema, mode, out_frames, out_copied);
}

/* --- the log --------------------------------------------------------------------------------------------------------- */

void __wrap_log_line(enum log_level level, const char *source, const char *format, ...);
void __wrap_log_err(enum log_level level, const struct err *err);

void __wrap_log_line(enum log_level level, const char *source, const char *format, ...)
{
        (void)level, (void)source, (void)format;
        logged++;
}

void __wrap_log_err(enum log_level level, const struct err *err)
{
        (void)level;
        if (!err->message[0]) {
                printf("something failed and logged no reason\n");
                exit(1);
        }
        logged++;
}

/* --- the disk -------------------------------------------------------------------------------------------------------- */

struct failing_disk {
        struct disk base;
        struct disk *below;
};

struct failing_file {
        struct disk_file base;
        struct disk_file *below;
};

static void leave(const int *before)
{
        exempt = *before;
}

/* Memory that is taken from here to the end of the scope is the test's. */
#define exempted __attribute__((cleanup(leave), unused)) const int exempt_before = exempt++

static struct disk *disk_below(struct disk *disk)
{
        return ((struct failing_disk *)disk)->below;
}

static struct disk_file *file_below(struct disk_file *file)
{
        return ((struct failing_file *)file)->below;
}

static bool refuses(const char *doing, struct err *err)
{
        return fails_now(FAULT_DISK) && !fail_errno(err, EIO, "disk", "%s", doing);
}

static struct disk_file *failing_open(struct disk *disk, const char *path, enum disk_mode mode, struct err *err)
{
        if (refuses("opening", err))
                return NULL;
        exempted;
        struct disk_file *below = disk_open(disk_below(disk), path, mode, err);
        struct failing_file *file = below ? malloc(sizeof *file) : NULL;
        if (!file)
                return NULL;
        *file = (struct failing_file){{disk}, below};
        return &file->base;
}

static void failing_close(struct disk_file *file)
{
        exempted;
        disk_close(file_below(file));
        free(file);
}

static bool failing_read(struct disk_file *file, void *bytes, size_t count, uint64_t offset, size_t *out_count, struct err *err)
{
        if (refuses("reading", err))
                return false;
        exempted;
        return disk_read(file_below(file), bytes, count, offset, out_count, err);
}

static bool failing_write(struct disk_file *file, const struct iovec *parts, int part_count, uint64_t offset, struct err *err)
{
        if (refuses("writing", err))
                return false;
        exempted;
        return disk_writev(file_below(file), parts, part_count, offset, err);
}

static bool failing_size(struct disk_file *file, uint64_t *out_bytes, struct err *err)
{
        if (refuses("measuring", err))
                return false;
        exempted;
        return disk_size(file_below(file), out_bytes, err);
}

static bool failing_truncate(struct disk_file *file, uint64_t bytes, struct err *err)
{
        if (refuses("cutting", err))
                return false;
        exempted;
        return disk_truncate(file_below(file), bytes, err);
}

static bool failing_allocate(struct disk_file *file, uint64_t bytes, struct err *err)
{
        if (refuses("allocating", err))
                return false;
        exempted;
        return disk_allocate(file_below(file), bytes, err);
}

static bool failing_sync(struct disk_file *file, const char *site, struct err *err)
{
        struct disk *below = disk_below(file->disk);
        bool refused = fails_now(FAULT_DISK);
        exempted;
        if (refused)
                disk_fail_nth(below, 1, 1);
        bool good = disk_sync(file_below(file), site, err);
        disk_fail_nth(below, 0, 0);
        return good;
}

static bool failing_sync_directory(struct disk *disk, const char *path, const char *site, struct err *err)
{
        if (refuses("syncing a directory", err))
                return false;
        exempted;
        return disk_sync_directory(disk_below(disk), path, site, err);
}

static bool failing_rename(struct disk *disk, const char *from, const char *to, struct err *err)
{
        if (refuses("renaming", err))
                return false;
        exempted;
        return disk_rename(disk_below(disk), from, to, err);
}

static bool failing_unlink(struct disk *disk, const char *path, struct err *err)
{
        if (refuses("removing", err))
                return false;
        exempted;
        return disk_unlink(disk_below(disk), path, err);
}

static bool failing_make_directory(struct disk *disk, const char *path, struct err *err)
{
        if (refuses("making a directory", err))
                return false;
        exempted;
        return disk_make_directory(disk_below(disk), path, err);
}

struct listing {
        void (*visit)(void *context, const char *name);
        void *context;
};

/* The visitor is the program's again. */
static void pass_name(void *context, const char *name)
{
        struct listing *listing = context;
        int before = exempt;
        exempt = 0;
        listing->visit(listing->context, name);
        exempt = before;
}

static bool failing_list(struct disk *disk, const char *path, void (*visit)(void *context, const char *name), void *context,
                         struct err *err)
{
        if (refuses("listing", err))
                return false;
        exempted;
        struct listing listing = {visit, context};
        return disk_list(disk_below(disk), path, pass_name, &listing, err);
}

static bool failing_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct err *err)
{
        if (refuses("asking for space", err))
                return false;
        exempted;
        return disk_free_bytes(disk_below(disk), path, out_bytes, err);
}

static const struct disk_ops ops = {
        .open = failing_open, .close = failing_close, .read = failing_read, .write = failing_write, .size = failing_size,
        .truncate = failing_truncate, .allocate = failing_allocate, .sync = failing_sync, .sync_directory = failing_sync_directory,
        .rename = failing_rename, .unlink = failing_unlink, .make_directory = failing_make_directory, .list = failing_list,
        .free_bytes = failing_free_bytes,
};

struct disk *failing_disk_create(struct disk *below)
{
        struct failing_disk *disk = calloc(1, sizeof *disk);
        *disk = (struct failing_disk){{&ops}, below};
        return &disk->base;
}

void failing_disk_destroy(struct disk *disk)
{
        free(disk);
}
