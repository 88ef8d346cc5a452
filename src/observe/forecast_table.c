/* forecast_table.c - see forecast_table.h. */
#include "observe/forecast_table.h"

#include "base/scope.h"
#include "store/database.h"

const char forecast_schema[] =
        "CREATE TABLE forecast (limit_name TEXT NOT NULL, labels BLOB NOT NULL, sentence TEXT NOT NULL, value REAL, limit_value REAL, at_ns INTEGER NOT NULL,"
        " earliest_ns INTEGER NOT NULL, latest_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL, told INTEGER NOT NULL,"
        " PRIMARY KEY (limit_name, labels)) STRICT, WITHOUT ROWID;";

static void bind_key(struct query *query, const void *context)
{
        const struct forecast_row *row = context;
        query_bind_str(query, 1, row->limit);
        query_bind_blob(query, 2, row->labels);
}

static void bind_row(struct query *query, const void *context)
{
        const struct forecast_row *row = context;
        bind_key(query, row);
        query_bind_str(query, 3, row->sentence);
        query_bind_double(query, 4, row->value);
        query_bind_double(query, 5, row->limit_value);
        query_bind_i64(query, 6, row->at_ns);
        query_bind_i64(query, 7, row->earliest_ns);
        query_bind_i64(query, 8, row->latest_ns);
        query_bind_i64(query, 9, row->updated_ns);
        query_bind_i64(query, 10, row->told);
}

bool forecast_row_write(struct database *state, const struct forecast_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO forecast (limit_name, labels, sentence, value, limit_value, at_ns, earliest_ns, latest_ns, updated_ns, told)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", bind_row, row, err);
}

bool forecast_row_delete(struct database *state, const struct forecast_row *row, struct err *err)
{
        return query_run(state, "DELETE FROM forecast WHERE limit_name = ?1 AND labels = ?2", bind_key, row, err);
}

bool forecast_rows_visit(struct database *state, bool (*visit)(void *context, const struct forecast_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT limit_name, labels, sentence, value, limit_value, at_ns, earliest_ns, latest_ns, updated_ns, told FROM forecast"
                         " ORDER BY at_ns, limit_name, labels", err))
                return false;
        while (query_step(&query, err)) {
                struct forecast_row row = {.limit = query_str(&query, 0), .labels = query_str(&query, 1), .sentence = query_str(&query, 2),
                                           .value = query_double(&query, 3), .limit_value = query_double(&query, 4), .at_ns = query_i64(&query, 5),
                                           .earliest_ns = query_i64(&query, 6), .latest_ns = query_i64(&query, 7), .updated_ns = query_i64(&query, 8),
                                           .told = (int)query_i64(&query, 9)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}
