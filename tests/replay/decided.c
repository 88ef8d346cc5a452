/* decided.c - see decided.h. Asks SQLite itself, not base of the product, since the names of tables and columns are not known here. */
#include "decided.h"

#include "base/hash.h"
#include "base/scope.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

#define SHORT_BYTES 300

static bool fail_sqlite(sqlite3 *state, const char *what, struct err *err)
{
        return fail(err, ERR_IO, "decided", "%s: %s", what, sqlite3_errmsg(state));
}

static bool add_value(sqlite3_stmt *statement, int column, struct buf *out)
{
        struct str bytes = {(const char *)sqlite3_column_blob(statement, column), (size_t)sqlite3_column_bytes(statement, column)};
        switch (sqlite3_column_type(statement, column)) {
        case SQLITE_NULL:
                return buf_text(out, "|null");
        case SQLITE_INTEGER:
                return buf_printf(out, "|%lld", sqlite3_column_int64(statement, column));
        case SQLITE_FLOAT:
                return buf_printf(out, "|%a", sqlite3_column_double(statement, column)); /* to the bit */
        case SQLITE_TEXT:
                if (bytes.length <= SHORT_BYTES)
                        return buf_printf(out, "|\"%.*s\"", STR_ARGS(bytes));
                break;
        default:
                break;
        }
        return buf_printf(out, "|%zu bytes %016" PRIx64, bytes.length, hash64(bytes));
}

static bool add_table(sqlite3 *state, const char *table, struct buf *out, struct err *err)
{
        char sql[256];
        sqlite3_stmt *statement = NULL;
        bool good = true;
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1", table);
        if (sqlite3_prepare_v2(state, sql, -1, &statement, NULL) != SQLITE_OK)
                return fail_sqlite(state, table, err);
        int step;
        while (good && (step = sqlite3_step(statement)) == SQLITE_ROW) {
                good = buf_printf(out, "row %s ", table);
                for (int i = 0; good && i < sqlite3_column_count(statement); i++)
                        good = strcmp(sqlite3_column_name(statement, i), "is_repeat") == 0 || add_value(statement, i, out);
                good = good && buf_text(out, "\n");
        }
        sqlite3_finalize(statement);
        if (!good)
                return fail_memory(err, "decided", out->length);
        return step == SQLITE_DONE || fail_sqlite(state, table, err);
}

static bool add_tables(sqlite3 *state, struct buf *out, struct err *err)
{
        sqlite3_stmt *names = NULL;
        bool good = true;
        if (sqlite3_prepare_v2(state, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'"
                               " AND name NOT IN ('checkpoint', 'watermark') ORDER BY name", -1, &names, NULL) != SQLITE_OK)
                return fail_sqlite(state, "listing tables", err);
        while (good && sqlite3_step(names) == SQLITE_ROW)
                good = add_table(state, (const char *)sqlite3_column_text(names, 0), out, err);
        sqlite3_finalize(names);
        return good;
}

bool decided_read(const char *path, const char *vfs, struct buf *out, struct err *err)
{
        sqlite3 *state = NULL;
        bool good = sqlite3_open_v2(path, &state, SQLITE_OPEN_READONLY, vfs) == SQLITE_OK ? add_tables(state, out, err) :
                    fail_sqlite(state, path, err);
        sqlite3_close(state);
        return good;
}

bool decided_differ(struct str one, struct str other, char out[1200])
{
        struct str left = {0}, right = {0};
        while (one.length || other.length) {
                left = right = STR("(nothing more)");
                if (one.length)
                        str_cut(&one, '\n', &left);
                if (other.length)
                        str_cut(&other, '\n', &right);
                if (!str_equal(left, right)) {
                        snprintf(out, 1200, "\n  %.*s\n  %.*s", (int)min_of(left.length, (size_t)550), left.bytes, (int)min_of(right.length, (size_t)550), right.bytes);
                        return true;
                }
        }
        return false;
}
