/*
 * database - one SQLite file: opened, migrated, asked and changed, with errors that read as sentences.
 *
 * One thread writes a file (its struct database); readers open their own with database_open_reader. SQL stands only in
 * *_table.c files. Statements are prepared once and kept by the database, found by the address of their text.
 *
 *      scoped(query_done) struct query query = {0};
 *      if (!query_begin(&query, database, "SELECT name FROM account WHERE id = ?1", err)) return false;
 *      query_bind_i64(&query, 1, id);
 *      while (query_step(&query, err)) use(query_str(&query, 0));
 *      return query_good(&query);
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct database;
struct sqlite3_stmt;

/* migrations[n] takes the schema from version n to n + 1 (PRAGMA user_version); forward only; NULL-ended list.
 * A file newer than the list is refused. WAL, synchronous=NORMAL, page size 4096, vfs NULL for the system's. */
bool database_open(const char *path, const char *vfs, const char *const migrations[], struct database **out_database,
                   struct err *err);
bool database_open_reader(const char *path, const char *vfs, struct database **out_database, struct err *err);
void database_close(struct database *database);

bool database_begin(struct database *database, struct err *err);
bool database_commit(struct database *database, struct err *err);
void database_rollback(struct database *database);              /* does nothing outside a transaction */
bool database_execute(struct database *database, const char *sql, struct err *err); /* no results, no parameters */
/* Makes all that was committed survive a power failure: syncs and empties the write-ahead log. */
bool database_checkpoint(struct database *database, struct err *err);
bool database_backup(struct database *database, const char *to_path, struct err *err); /* online copy */
bool database_verify(struct database *database, struct err *err); /* PRAGMA integrity_check */
int64_t database_changes(struct database *database);            /* rows the last statement changed */

struct query {
        struct database *database;
        struct sqlite3_stmt *statement;
        bool failed;
};

/* sql must be a literal, or live as long as the database. */
bool query_begin(struct query *query, struct database *database, const char *sql, struct err *err);
void query_bind_i64(struct query *query, int place, int64_t value);
void query_bind_double(struct query *query, int place, double value);
void query_bind_str(struct query *query, int place, struct str text);   /* TEXT; borrowed until query_done */
void query_bind_blob(struct query *query, int place, struct str bytes); /* BLOB; borrowed until query_done */
void query_bind_null(struct query *query, int place);
bool query_step(struct query *query, struct err *err);          /* true: a row is there; false: done or failed */
static inline bool query_good(const struct query *query)
{
        return !query->failed;
}
int64_t query_i64(struct query *query, int column);
double query_double(struct query *query, int column);
struct str query_str(struct query *query, int column);          /* TEXT or BLOB; valid until the next step */
bool query_is_null(struct query *query, int column);
void query_done(struct query *query);

/* All rows from here on, each as row makes it (NULL: no memory), as an array that is the caller's; NULL and err on failure. */
json_t *query_rows(struct query *query, json_t *(*row)(struct query *query), struct err *err);
/* One statement without rows: begins, lets bind(query, context) bind (may be NULL), steps, ends. */
bool query_run(struct database *database, const char *sql, void (*bind)(struct query *query, const void *context),
               const void *context, struct err *err);
