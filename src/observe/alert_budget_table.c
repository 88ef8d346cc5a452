/* alert_budget_table.c - see alert_budget_table.h. */
#include "observe/alert_budget_table.h"

#include "base/scope.h"
#include "store/database.h"

const char alert_budget_schema[] =
        "CREATE TABLE anomaly_episode (kind INTEGER NOT NULL, labels BLOB NOT NULL, is_held INTEGER NOT NULL, since_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL,"
        " PRIMARY KEY (kind, labels)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE alert_budget (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE held (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, alert TEXT NOT NULL, labels BLOB NOT NULL, why TEXT NOT NULL, sentence TEXT NOT NULL,"
        " evidence TEXT NOT NULL, p_value REAL) STRICT;"
        "CREATE INDEX held_time ON held (time_ns);";

static void bind_episode_key(struct query *query, const void *context)
{
        const struct episode_row *row = context;
        query_bind_i64(query, 1, row->kind);
        query_bind_blob(query, 2, row->labels);
}

static void bind_episode(struct query *query, const void *context)
{
        const struct episode_row *row = context;
        bind_episode_key(query, row);
        query_bind_i64(query, 3, row->is_held);
        query_bind_i64(query, 4, row->since_ns);
        query_bind_i64(query, 5, row->seen_ns);
}

bool episode_row_write(struct database *state, const struct episode_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO anomaly_episode (kind, labels, is_held, since_ns, seen_ns) VALUES (?1, ?2, ?3, ?4, ?5)", bind_episode, row,
                         err);
}

bool episode_row_delete(struct database *state, const struct episode_row *row, struct err *err)
{
        return query_run(state, "DELETE FROM anomaly_episode WHERE kind = ?1 AND labels = ?2", bind_episode_key, row, err);
}

bool episode_rows_visit(struct database *state, bool (*visit)(void *context, const struct episode_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT kind, labels, is_held, since_ns, seen_ns FROM anomaly_episode", err))
                return false;
        while (query_step(&query, err)) {
                struct episode_row row = {(int)query_i64(&query, 0), query_str(&query, 1), query_i64(&query, 2) != 0, query_i64(&query, 3), query_i64(&query, 4)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

static void bind_budget(struct query *query, const void *context)
{
        const struct budget_row *row = context;
        query_bind_str(query, 1, row->name);
        query_bind_blob(query, 2, row->bytes);
}

bool budget_row_write(struct database *state, const struct budget_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO alert_budget (name, bytes) VALUES (?1, ?2)", bind_budget, row, err);
}

bool budget_rows_visit(struct database *state, bool (*visit)(void *context, const struct budget_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT name, bytes FROM alert_budget", err))
                return false;
        while (query_step(&query, err)) {
                struct budget_row row = {query_str(&query, 0), query_str(&query, 1)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

static void bind_held(struct query *query, const void *context)
{
        const struct held_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->id);
        query_bind_i64(query, 2, row->time_ns);
        query_bind_str(query, 3, row->alert);
        query_bind_blob(query, 4, row->labels);
        query_bind_str(query, 5, row->why);
        query_bind_str(query, 6, row->sentence);
        query_bind_str(query, 7, row->evidence);
        query_bind_double(query, 8, row->p_value);
}

bool held_row_write(struct database *state, const struct held_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO held (id, time_ns, alert, labels, why, sentence, evidence, p_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                         bind_held, row, err);
}

static void bind_keep(struct query *query, const void *context)
{
        query_bind_i64(query, 1, *(const int64_t *)context);
}

bool held_rows_trim(struct database *state, int64_t keep, struct err *err)
{
        return query_run(state, "DELETE FROM held WHERE id <= (SELECT id FROM held ORDER BY id DESC LIMIT 1 OFFSET ?1)", bind_keep, &keep, err);
}

bool held_rows_visit(struct database *state, int64_t start_ns, int64_t end_ns, int64_t limit,
                     bool (*visit)(void *context, const struct held_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT id, time_ns, alert, labels, why, sentence, evidence, p_value FROM held WHERE time_ns BETWEEN ?1 AND ?2"
                         " ORDER BY time_ns DESC, id DESC LIMIT ?3", err))
                return false;
        query_bind_i64(&query, 1, start_ns);
        query_bind_i64(&query, 2, end_ns);
        query_bind_i64(&query, 3, limit);
        while (query_step(&query, err)) {
                struct held_row row = {.id = (uint64_t)query_i64(&query, 0), .time_ns = query_i64(&query, 1), .alert = query_str(&query, 2),
                                       .labels = query_str(&query, 3), .why = query_str(&query, 4), .sentence = query_str(&query, 5),
                                       .evidence = query_str(&query, 6), .p_value = query_double(&query, 7)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}
