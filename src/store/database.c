/*
 * database.c - see database.h. A thin skin: every SQLite call that can fail becomes an err with the file and SQLite's
 * own words, and statements are prepared once per database.
 *
 * What SQLite does not see to is a sync that failed: Linux then takes the pages for clean, shows them to every reader and
 * never writes them, and the next sync says that all is well. A checkpoint would copy half of a log into the file that a
 * power cut removes. So after a failed checkpoint, and at each start, the log's bytes are written once more before they count.
 */
#include "store/database.h"

#include "base/scope.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS_MAX 128
#define BUSY_WAIT_MS 5000
#define REWRITE_BYTES (64 << 10)

struct statement {
        const char *sql; /* found by its address: texts are literals */
        sqlite3_stmt *prepared;
        bool in_use;
};

struct database {
        sqlite3 *handle;
        char *path;
        struct statement statements[STATEMENTS_MAX];
        size_t statement_count;
        bool is_doubtful;    /* a sync failed, or may have failed in an earlier life: what is in the log may be on no disk */
        bool is_partly_copied; /* by a checkpoint that a reader held up: and in the file, not synced */
};

static enum err_code code_of(int result)
{
        switch (result & 0xFF) {
        case SQLITE_FULL:
                return ERR_FULL;
        case SQLITE_NOMEM:
                return ERR_MEMORY;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return ERR_CORRUPT;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return ERR_BUSY;
        case SQLITE_ERROR:
                return ERR_INTERNAL;
        case SQLITE_CONSTRAINT:
                return ERR_CONFLICT;
        default:
                return ERR_IO;
        }
}

static const char *advice(enum err_code code)
{
        switch (code) {
        case ERR_FULL:
                return "; free some space, it goes on by itself";
        case ERR_CORRUPT:
                return "; restore it from a backup, or move the file away to lose only what it holds";
        case ERR_IO:
                return "; look at the disk and the file's permissions";
        default:
                return "";
        }
}

static bool fail_sqlite(struct database *database, int result, const char *doing, struct err *err)
{
        enum err_code code = code_of(result);
        return fail(err, code, "database", "%s %s: %s%s", doing, database->path,
                    database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(result), advice(code));
}

static bool open_file(const char *path, const char *vfs, int flags, struct database **out_database, struct err *err)
{
        struct database *database = calloc(1, sizeof *database);
        if (!database || !(database->path = strdup(path))) {
                free(database);
                return fail_memory(err, "database", sizeof *database);
        }
        int result = sqlite3_open_v2(path, &database->handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
        if (result != SQLITE_OK) {
                fail_sqlite(database, result, "opening", err);
                database_close(database);
                return false;
        }
        sqlite3_extended_result_codes(database->handle, 1);
        sqlite3_busy_timeout(database->handle, BUSY_WAIT_MS);
        *out_database = database;
        return true;
}

static bool schema_version(struct database *database, int64_t *out_version, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, database, "PRAGMA user_version", err))
                return false;
        if (!query_step(&query, err))
                return query_good(&query) ? fail(err, ERR_CORRUPT, "database", "%s has no version", database->path) : false;
        *out_version = query_i64(&query, 0);
        return true;
}

static bool migrate(struct database *database, const char *const migrations[], struct err *err)
{
        int64_t version = 0, newest = 0;
        if (!schema_version(database, &version, err))
                return false;
        while (migrations[newest])
                newest++;
        if (version > newest)
                return fail(err, ERR_UNSUPPORTED, "database",
                            "%s was written by a newer version (schema %lld, this program knows %lld); use that version",
                            database->path, (long long)version, (long long)newest);
        for (; version < newest; version++) {
                char set_version[64];
                snprintf(set_version, sizeof set_version, "PRAGMA user_version = %lld", (long long)version + 1);
                if (!database_begin(database, err))
                        return false;
                if (!database_execute(database, migrations[version], err) || !database_execute(database, set_version, err) ||
                    !database_commit(database, err)) {
                        database_rollback(database);
                        return err_within(err, "bringing %s to schema %lld", database->path, (long long)version + 1);
                }
        }
        return true;
}

/* Writes a file's bytes again, as they are, so that the next sync has them to write. */
static bool rewrite(struct database *database, int which, struct err *err)
{
        sqlite3_file *file = NULL;
        sqlite3_int64 end = 0;
        int result = sqlite3_file_control(database->handle, "main", which, &file);
        if (result != SQLITE_OK || !file || !file->pMethods)
                return result == SQLITE_OK || fail_sqlite(database, result, "writing again", err);
        char *bytes = malloc(REWRITE_BYTES);
        if (!bytes)
                return fail_memory(err, "database", REWRITE_BYTES);
        result = file->pMethods->xFileSize(file, &end);
        for (sqlite3_int64 at = 0; result == SQLITE_OK && at < end; at += REWRITE_BYTES) {
                int count = (int)min_of((sqlite3_int64)REWRITE_BYTES, end - at);
                result = file->pMethods->xRead(file, bytes, count, at);
                if (result == SQLITE_OK)
                        result = file->pMethods->xWrite(file, bytes, count, at);
        }
        free(bytes);
        return result == SQLITE_OK ||
               fail(err, code_of(result), "database", "writing %s again after a failed sync: %s%s", database->path, sqlite3_errstr(result),
                    advice(code_of(result)));
}

/* Readers may go on: the bytes stay the same. The transaction keeps the log as it is meanwhile. */
static bool settle(struct database *database, struct err *err)
{
        if (!database->is_doubtful)
                return true;
        if (!database_begin(database, err))
                return false;
        bool good = rewrite(database, SQLITE_FCNTL_JOURNAL_POINTER, err) &&
                    (!database->is_partly_copied || rewrite(database, SQLITE_FCNTL_FILE_POINTER, err));
        database_rollback(database);
        database->is_doubtful = !good;
        return good;
}

bool database_open(const char *path, const char *vfs, const char *const migrations[], struct database **out_database,
                   struct err *err)
{
        struct database *database;
        if (!open_file(path, vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &database, err))
                return false;
        database->is_doubtful = true;
        if (!database_execute(database, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                        "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                                        "PRAGMA cache_size = -2048; PRAGMA journal_size_limit = 67108864", err) ||
            !settle(database, err) || !migrate(database, migrations, err)) {
                database_close(database);
                return false;
        }
        *out_database = database;
        return true;
}

bool database_open_reader(const char *path, const char *vfs, struct database **out_database, struct err *err)
{
        struct database *database;
        if (!open_file(path, vfs, SQLITE_OPEN_READONLY, &database, err))
                return false;
        if (!database_execute(database, "PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY", err)) {
                database_close(database);
                return false;
        }
        *out_database = database;
        return true;
}

void database_close(struct database *database)
{
        if (!database)
                return;
        for (size_t i = 0; i < database->statement_count; i++)
                sqlite3_finalize(database->statements[i].prepared);
        if (database->is_doubtful) /* the log stays for the next to open it, who settles it first */
                sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close_v2(database->handle);
        free(database->path);
        free(database);
}

bool database_execute(struct database *database, const char *sql, struct err *err)
{
        int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
        return result == SQLITE_OK || fail_sqlite(database, result, "changing", err);
}

bool database_begin(struct database *database, struct err *err)
{
        return database_execute(database, "BEGIN IMMEDIATE", err);
}

bool database_commit(struct database *database, struct err *err)
{
        return database_execute(database, "COMMIT", err);
}

void database_rollback(struct database *database)
{
        if (!sqlite3_get_autocommit(database->handle))
                database_execute(database, "ROLLBACK", NULL);
}

bool database_checkpoint(struct database *database, struct err *err)
{
        /* With synchronous=NORMAL a checkpoint syncs the log before it copies and the file after: all is durable then.
         * A reader may keep the log from being emptied; the copy is whole all the same if no frame is left behind. */
        int frames = 0, copied = 0;
        if (!settle(database, err))
                return err_within(err, "syncing");
        int result = sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);
        database->is_partly_copied |= result != SQLITE_OK;
        if (result == SQLITE_BUSY)
                result = sqlite3_wal_checkpoint_v2(database->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
        if (result != SQLITE_OK) {
                database->is_doubtful = true;
                return fail_sqlite(database, result, "syncing", err);
        }
        database->is_partly_copied = frames >= 0 && copied < frames;
        if (database->is_partly_copied)
                return fail(err, ERR_BUSY, "database", "syncing %s: %d of %d pages wait for a long-running reader",
                            database->path, frames - copied, frames);
        return true;
}

bool database_backup(struct database *database, const char *to_path, struct err *err)
{
        struct database *target;
        if (!open_file(to_path, NULL, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &target, err))
                return err_within(err, "backing up %s", database->path);
        sqlite3_backup *backup = sqlite3_backup_init(target->handle, "main", database->handle, "main");
        int result = backup ? sqlite3_backup_step(backup, -1) : sqlite3_errcode(target->handle);
        if (backup)
                sqlite3_backup_finish(backup);
        bool good = result == SQLITE_DONE || fail_sqlite(target, result, "backing up to", err);
        /* The copy must not need a write-ahead log beside it. */
        good = good && database_execute(target, "PRAGMA journal_mode = DELETE", err);
        database_close(target);
        return good;
}

bool database_verify(struct database *database, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, database, "PRAGMA integrity_check(1)", err) || !query_step(&query, err))
                return err_within(err, "verifying");
        struct str verdict = query_str(&query, 0);
        return str_is(verdict, "ok") || fail(err, ERR_CORRUPT, "database", "%s is damaged: %.*s; restore it from a backup",
                                             database->path, STR_ARGS(verdict));
}

int64_t database_changes(struct database *database)
{
        return sqlite3_changes64(database->handle);
}

/* A free prepared statement of this text, or NULL when there is none and no room to keep one. */
static struct statement *kept_statement(struct database *database, const char *sql)
{
        for (size_t i = 0; i < database->statement_count; i++)
                if (database->statements[i].sql == sql && !database->statements[i].in_use)
                        return &database->statements[i];
        if (database->statement_count == STATEMENTS_MAX)
                return NULL;
        struct statement *fresh = &database->statements[database->statement_count++];
        *fresh = (struct statement){.sql = sql};
        return fresh;
}

bool query_begin(struct query *query, struct database *database, const char *sql, struct err *err)
{
        *query = (struct query){.database = database};
        struct statement *kept = kept_statement(database, sql);
        sqlite3_stmt *prepared = kept ? kept->prepared : NULL;
        if (!prepared) {
                int result = sqlite3_prepare_v3(database->handle, sql, -1, kept ? SQLITE_PREPARE_PERSISTENT : 0, &prepared, NULL);
                if (result != SQLITE_OK) {
                        if (kept)
                                kept->sql = NULL;
                        query->failed = true;
                        return fail_sqlite(database, result, "asking", err);
                }
        }
        if (kept) {
                kept->prepared = prepared;
                kept->in_use = true;
        }
        query->statement = prepared;
        return true;
}

void query_bind_i64(struct query *query, int place, int64_t value)
{
        sqlite3_bind_int64(query->statement, place, value);
}

void query_bind_double(struct query *query, int place, double value)
{
        sqlite3_bind_double(query->statement, place, value);
}

void query_bind_str(struct query *query, int place, struct str text)
{
        sqlite3_bind_text64(query->statement, place, text.bytes ? text.bytes : "", text.length, SQLITE_STATIC, SQLITE_UTF8);
}

void query_bind_blob(struct query *query, int place, struct str bytes)
{
        sqlite3_bind_blob64(query->statement, place, bytes.bytes ? bytes.bytes : "", bytes.length, SQLITE_STATIC);
}

void query_bind_null(struct query *query, int place)
{
        sqlite3_bind_null(query->statement, place);
}

bool query_step(struct query *query, struct err *err)
{
        int result = sqlite3_step(query->statement);
        if (result == SQLITE_ROW)
                return true;
        if (result != SQLITE_DONE) {
                query->failed = true;
                fail_sqlite(query->database, result, "asking", err);
        }
        return false;
}

int64_t query_i64(struct query *query, int column)
{
        return sqlite3_column_int64(query->statement, column);
}

double query_double(struct query *query, int column)
{
        return sqlite3_column_double(query->statement, column);
}

struct str query_str(struct query *query, int column)
{
        const char *bytes = sqlite3_column_blob(query->statement, column); /* before asking for the length */
        return (struct str){bytes ? bytes : "", (size_t)sqlite3_column_bytes(query->statement, column)};
}

bool query_is_null(struct query *query, int column)
{
        return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

void query_done(struct query *query)
{
        if (!query || !query->statement)
                return;
        struct database *database = query->database;
        for (size_t i = 0; i < database->statement_count; i++)
                if (database->statements[i].prepared == query->statement) {
                        sqlite3_reset(query->statement);
                        sqlite3_clear_bindings(query->statement);
                        database->statements[i].in_use = false;
                        query->statement = NULL;
                        return;
                }
        sqlite3_finalize(query->statement);
        query->statement = NULL;
}

json_t *query_rows(struct query *query, json_t *(*row)(struct query *query), struct err *err)
{
        json_t *list = json_array();
        bool has_memory = list != NULL;
        while (has_memory && query_step(query, err))
                has_memory = json_array_append_new(list, row(query)) == 0;
        if (has_memory && query_good(query))
                return list;
        json_decref(list);
        if (!has_memory)
                fail_memory(err, "database", sizeof list);
        return NULL;
}

bool query_run(struct database *database, const char *sql, void (*bind)(struct query *query, const void *context),
               const void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, database, sql, err))
                return false;
        if (bind)
                bind(&query, context);
        query_step(&query, err);
        return query_good(&query);
}
