/* rule_table.c - see rule_table.h. */
#include "observe/rule_table.h"

#include "base/scope.h"
#include "store/database.h"

const char rule_schema[] =
        "CREATE TABLE rule_alert (rule_group TEXT NOT NULL, rule TEXT NOT NULL, labels BLOB NOT NULL, active_ns INTEGER NOT NULL,"
        " fired_ns INTEGER NOT NULL, gone_ns INTEGER NOT NULL, value REAL, PRIMARY KEY (rule_group, rule, labels)) STRICT, WITHOUT ROWID;";

const char rule_tick_schema[] = "CREATE TABLE rule_tick (id INTEGER PRIMARY KEY CHECK (id = 1), time_ns INTEGER NOT NULL) STRICT;";

static void bind_row(struct query *query, const void *context)
{
        const struct rule_row *row = context;
        query_bind_str(query, 1, row->group);
        query_bind_str(query, 2, row->rule);
        query_bind_blob(query, 3, row->labels);
        query_bind_i64(query, 4, row->active_ns);
        query_bind_i64(query, 5, row->fired_ns);
        query_bind_i64(query, 6, row->gone_ns);
        query_bind_double(query, 7, row->value);
}

static void bind_key(struct query *query, const void *context)
{
        const struct rule_row *row = context;
        query_bind_str(query, 1, row->group);
        query_bind_str(query, 2, row->rule);
        query_bind_blob(query, 3, row->labels);
}

bool rule_row_write(struct database *state, const struct rule_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO rule_alert (rule_group, rule, labels, active_ns, fired_ns, gone_ns, value)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", bind_row, row, err);
}

bool rule_row_delete(struct database *state, const struct rule_row *row, struct err *err)
{
        return query_run(state, "DELETE FROM rule_alert WHERE rule_group = ?1 AND rule = ?2 AND labels = ?3", bind_key, row, err);
}

bool rule_rows_visit(struct database *state, bool (*visit)(void *context, const struct rule_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT rule_group, rule, labels, active_ns, fired_ns, gone_ns, value FROM rule_alert", err))
                return false;
        while (query_step(&query, err)) {
                struct rule_row row = {query_str(&query, 0), query_str(&query, 1), query_str(&query, 2), query_i64(&query, 3),
                                       query_i64(&query, 4), query_i64(&query, 5), query_double(&query, 6)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

static void bind_time(struct query *query, const void *context)
{
        query_bind_i64(query, 1, *(const int64_t *)context);
}

bool rule_tick_write(struct database *state, int64_t time_ns, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO rule_tick (id, time_ns) VALUES (1, ?1)", bind_time, &time_ns, err);
}

bool rule_tick_read(struct database *state, int64_t *out_time_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT time_ns FROM rule_tick", err))
                return false;
        *out_time_ns = query_step(&query, err) ? query_i64(&query, 0) : 0;
        return query_good(&query);
}
