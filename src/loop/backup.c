/*
 * backup.c - the online copy of a data folder and the proof that it can be restored; see loop.h.
 *
 *      <backup>/state.db, <backup>/telemetry/DAY.db, <backup>/manifest.json
 *
 * The manifest is written last, so a folder without one is no backup. It has each file's size and hash, and the counts of
 * records and samples, which the verification counts again by decoding every block.
 */
#include "loop/loop.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "loop/state_table.h"
#include "store/database.h"
#include "store/logs.h"
#include "store/series.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST "manifest.json"
#define MANIFEST_VERSION 1

SCOPED_PTR(database_close, struct database)
SCOPED_PTR(archive_close, struct archive)
SCOPED_PTR(logs_destroy, struct logs)

static void close_file(FILE **file)
{
        if (*file)
                fclose(*file);
}

/* Hashes a file in pieces, each folded into the hash of the one before. */
static bool hash_file(const char *path, uint64_t *out_hash, uint64_t *out_bytes, struct err *err)
{
        scoped(close_file) FILE *file = fopen(path, "rb");
        if (!file)
                return fail_errno(err, errno, "backup", "opening %s", path);
        char piece[1 << 16];
        uint64_t hash = 0, bytes = 0;
        for (size_t count; (count = fread(piece, 1, sizeof piece, file));) {
                hash = hash64_seeded((struct str){piece, count}, hash);
                bytes += count;
        }
        if (ferror(file))
                return fail_errno(err, errno, "backup", "reading %s", path);
        *out_hash = hash;
        *out_bytes = bytes;
        return true;
}

static bool add_file(json_t *files, const char *directory, const char *name, struct err *err)
{
        char path[4096], text[32];
        uint64_t hash, bytes;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!hash_file(path, &hash, &bytes, err))
                return false;
        snprintf(text, sizeof text, "%016" PRIx64, hash);
        json_t *file = json_pack("{s:s, s:I, s:s}", "name", name, "bytes", (json_int_t)bytes, "xxh3", text);
        return (file && json_array_append_new(files, file) == 0) || fail_memory(err, "backup", sizeof path);
}

/* Calls visit for state.db and each day's file below the directory. */
static bool each_database(const char *directory, bool (*visit)(void *context, const char *name, struct err *err), void *context, struct err *err)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/telemetry", directory);
        if (!visit(context, "state.db", err))
                return false;
        DIR *days = opendir(path);
        if (!days)
                return fail_errno(err, errno, "backup", "listing %s", path);
        bool good = true;
        for (struct dirent *entry; good && (entry = readdir(days));) {
                char name[300];
                snprintf(name, sizeof name, "telemetry/%s", entry->d_name);
                if (str_ends_with(str_of(name), STR(".db")))
                        good = visit(context, name, err);
        }
        closedir(days);
        return good;
}

struct adding {
        json_t *files;
        const char *directory;
};

static bool add_one(void *context, const char *name, struct err *err)
{
        struct adding *adding = context;
        return add_file(adding->files, adding->directory, name, err);
}

static bool write_synced(const char *path, struct str text, struct err *err)
{
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file < 0)
                return fail_errno(err, errno, "backup", "making %s", path);
        bool good = write(file, text.bytes, text.length) == (ssize_t)text.length && fsync(file) == 0;
        int error_number = errno;
        close(file);
        return good || fail_errno(err, error_number, "backup", "writing %s", path);
}

static bool write_manifest(const char *directory, const struct archive_stats *stats, struct err *err)
{
        scoped_ptr(json_decref) json_t *files = json_array();
        struct adding adding = {files, directory};
        if (!each_database(directory, add_one, &adding, err))
                return false;
        scoped_ptr(json_decref) json_t *manifest =
                json_pack("{s:i, s:I, s:I, s:O}", "version", MANIFEST_VERSION, "records", (json_int_t)stats->items[BLOCK_LOGS],
                          "samples", (json_int_t)stats->items[BLOCK_METRICS], "files", files);
        scoped(buf_done) struct buf text = {0};
        char path[4096];
        snprintf(path, sizeof path, "%s/" MANIFEST, directory);
        return (manifest && json_write(manifest, &text)) ? write_synced(path, buf_str(&text), err) : fail_memory(err, "backup", text.length);
}

static bool is_empty(const char *directory)
{
        DIR *entries = opendir(directory);
        if (!entries)
                return errno == ENOENT;
        int count = 0;
        while (readdir(entries))
                count++;
        closedir(entries);
        return count <= 2;
}

bool loop_backup(struct loop *loop, const char *to_directory, struct err *err)
{
        char path[4096];
        if (!is_empty(to_directory))
                return fail(err, ERR_CONFLICT, "backup", "%s is not empty; name a new folder", to_directory);
        if (!disk_make_directory(disk_real(), to_directory, err) || !loop_checkpoint(loop, 60000, err))
                return err_within(err, "backing up to %s", to_directory);
        struct archive_stats stats;
        scoped_ptr(database_close) struct database *state = NULL;
        snprintf(path, sizeof path, "%s/state.db", to_directory);
        if (!loop_open_state(loop, &state, err) || !database_backup(state, path, err) ||
            !archive_backup(loop_archive(loop), to_directory, err))
                return err_within(err, "backing up to %s", to_directory);
        /* Counts are of the copy itself: telemetry goes on while it is made. */
        scoped_ptr(archive_close) struct archive *copy = NULL;
        if (!archive_open(disk_real(), to_directory, NULL, &copy, err))
                return err_within(err, "reading the backup back");
        archive_read_stats(copy, &stats);
        archive_close(give(copy));
        return write_manifest(to_directory, &stats, err) || err_within(err, "writing the manifest");
}

/* --- proving ------------------------------------------------------------------------------------------------------------ */

static bool read_manifest(const char *directory, json_t **out_manifest, struct err *err)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/" MANIFEST, directory);
        scoped(close_file) FILE *file = fopen(path, "rb");
        if (!file)
                return fail(err, ERR_NOT_FOUND, "backup", "%s has no " MANIFEST ": it is no backup, or one that was not finished", directory);
        scoped(buf_done) struct buf text = {.bytes_max = 16 << 20};
        char piece[4096];
        for (size_t count; (count = fread(piece, 1, sizeof piece, file));)
                if (!buf_append(&text, piece, count))
                        return fail(err, ERR_TOO_LARGE, "backup", "%s is larger than a manifest can be", path);
        json_t *manifest = json_parse(buf_str(&text), err);
        if (!manifest)
                return err_within(err, "reading %s", path);
        *out_manifest = manifest;
        if (json_i64(manifest, "version", 0) != MANIFEST_VERSION)
                return fail(err, ERR_UNSUPPORTED, "backup", "%s was written by another version of Evenkeel; use that one", path);
        return true;
}

static bool check_file(const char *directory, const json_t *file, struct err *err)
{
        const char *name = json_string_value(json_object_get(file, "name")), *wanted = json_string_value(json_object_get(file, "xxh3"));
        if (!name || !wanted || strstr(name, ".."))
                return fail(err, ERR_CORRUPT, "backup", "the manifest of %s has a row without name or hash", directory);
        char path[4096], text[32];
        uint64_t hash, bytes;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!hash_file(path, &hash, &bytes, err))
                return false;
        snprintf(text, sizeof text, "%016" PRIx64, hash);
        if (strcmp(text, wanted) != 0)
                return fail(err, ERR_CORRUPT, "backup", "%s is not as it was backed up (%" PRIu64 " bytes, %lld then); take another backup",
                            path, bytes, (long long)json_i64(file, "bytes", -1));
        scoped_ptr(database_close) struct database *database = NULL;
        return database_open_reader(path, NULL, &database, err) && database_verify(database, err);
}

struct listing {
        const json_t *files;
        const char *directory;
};

/* What the manifest does not name would be taken without being looked at. */
static bool is_listed(void *context, const char *name, struct err *err)
{
        struct listing *listing = context;
        size_t i;
        json_t *file;
        json_array_foreach(listing->files, i, file)
                if (str_is(json_str(file, "name"), name))
                        return true;
        return fail(err, ERR_CORRUPT, "backup", "%s/%s is not in the manifest; take another backup", listing->directory, name);
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(uint64_t *)context;
        return true;
}

/* Reads every record and sample back. The archive is opened over the backup itself; nothing is changed in it. */
static bool count_all(const char *directory, uint64_t *out_records, uint64_t *out_samples, struct err *err)
{
        scoped_ptr(archive_close) struct archive *archive = NULL;
        scoped_ptr(logs_destroy) struct logs *logs = NULL;
        if (!archive_open(disk_real(), directory, NULL, &archive, err) || !logs_create(archive, &logs, err))
                return false;
        struct log_select all_logs = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats log_stats;
        *out_records = *out_samples = 0;
        if (!logs_select(logs, &all_logs, count_row, out_records, &log_stats, err))
                return false;
        return series_count(archive, out_samples, err);
}

bool loop_verify_backup(const char *directory, json_t **out_report, struct err *err)
{
        scoped_ptr(json_decref) json_t *manifest = NULL;
        if (!read_manifest(directory, &manifest, err))
                return false;
        size_t i;
        json_t *file;
        json_array_foreach(json_object_get(manifest, "files"), i, file)
                if (!check_file(directory, file, err))
                        return err_within(err, "verifying the backup");
        struct listing listing = {json_object_get(manifest, "files"), directory};
        if (!each_database(directory, is_listed, &listing, err))
                return err_within(err, "verifying the backup");
        uint64_t audit_rows, records, samples;
        char path[4096];
        snprintf(path, sizeof path, "%s/state.db", directory);
        scoped_ptr(database_close) struct database *state = NULL;
        if (!database_open_reader(path, NULL, &state, err) || !state_verify_audit(state, &audit_rows, err) ||
            !count_all(directory, &records, &samples, err))
                return err_within(err, "verifying the backup");
        if ((int64_t)records != json_i64(manifest, "records", -1) || (int64_t)samples != json_i64(manifest, "samples", -1))
                return fail(err, ERR_CORRUPT, "backup", "%s holds %" PRIu64 " records and %" PRIu64 " samples, %lld and %lld were backed up",
                            directory, records, samples, (long long)json_i64(manifest, "records", -1), (long long)json_i64(manifest, "samples", -1));
        *out_report = json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)i, "records", (json_int_t)records, "samples",
                                (json_int_t)samples, "audit_rows", (json_int_t)audit_rows);
        return *out_report || fail_memory(err, "backup", sizeof path);
}

/* --- restoring ---------------------------------------------------------------------------------------------------------- */

struct copying {
        const char *from, *to;
};

static bool copy_one(void *context, const char *name, struct err *err)
{
        struct copying *copying = context;
        char from[4096], to[4096];
        snprintf(from, sizeof from, "%s/%s", copying->from, name);
        snprintf(to, sizeof to, "%s/%s", copying->to, name);
        scoped_ptr(database_close) struct database *database = NULL;
        return database_open_reader(from, NULL, &database, err) && database_backup(database, to, err);
}

/* The journal begins anew after the checkpoint: the state says so to the next start. */
static bool mark_restored(const char *directory, struct err *err)
{
        char path[4096];
        uint64_t sequence;
        int64_t time_ns;
        scoped_ptr(database_close) struct database *state = NULL;
        scoped_ptr(json_decref) json_t *saved = NULL;
        snprintf(path, sizeof path, "%s/state.db", directory);
        if (!state_open(path, NULL, &state, err) || !state_read_checkpoint(state, &sequence, &time_ns, &saved, err))
                return false;
        if (!saved)
                saved = json_object();
        json_object_set_new(saved, "restored", json_true());
        return database_begin(state, err) && state_write_checkpoint(state, sequence, time_ns, saved, err) && database_commit(state, err) &&
               database_checkpoint(state, err);
}

bool loop_restore(const char *backup_directory, const char *to_directory, json_t **out_report, struct err *err)
{
        char path[4096];
        if (!is_empty(to_directory))
                return fail(err, ERR_CONFLICT, "backup", "%s is not empty; restore into a new folder, then start Evenkeel with it", to_directory);
        if (!loop_verify_backup(backup_directory, out_report, err))
                return false;
        snprintf(path, sizeof path, "%s/telemetry", to_directory);
        struct copying copying = {backup_directory, to_directory};
        bool good = disk_make_directory(disk_real(), to_directory, err) && disk_make_directory(disk_real(), path, err) &&
                    each_database(backup_directory, copy_one, &copying, err) && mark_restored(to_directory, err);
        if (good)
                return true;
        json_decref(*out_report);
        *out_report = NULL;
        return err_within(err, "restoring to %s", to_directory);
}
