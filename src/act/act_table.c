/* act_table.c - see act_table.h. */
#include "act/act_table.h"

#include "base/scope.h"
#include "store/database.h"

const char act_schema[] =
        "CREATE TABLE run (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, incident INTEGER NOT NULL, runbook TEXT NOT NULL, state TEXT NOT NULL,"
        " is_live INTEGER NOT NULL, ended_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT;"
        "CREATE INDEX run_by_incident ON run (incident);"
        "CREATE INDEX run_by_end ON run (is_live, ended_ns);"
        "CREATE TABLE run_step (run INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL, body TEXT NOT NULL,"
        " PRIMARY KEY (run, step, attempt)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE act_part (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE act_watch (incident INTEGER PRIMARY KEY, signature INTEGER NOT NULL, target_class INTEGER NOT NULL, opened_ns INTEGER NOT NULL) STRICT;";

static void bind_run(struct query *query, const void *context)
{
        const struct run_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->id);
        query_bind_i64(query, 2, row->number);
        query_bind_i64(query, 3, (int64_t)row->incident);
        query_bind_str(query, 4, row->runbook);
        query_bind_str(query, 5, row->state);
        query_bind_i64(query, 6, row->is_live);
        query_bind_i64(query, 7, row->ended_ns);
        query_bind_str(query, 8, row->body);
}

static void bind_run_max(struct query *query, const void *context)
{
        const struct run_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->number - RUN_ROWS_MAX);
}

bool run_row_write(struct database *state, const struct run_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO run (id, number, incident, runbook, state, is_live, ended_ns, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                         bind_run, row, err) &&
               (row->number <= RUN_ROWS_MAX ||
                (query_run(state, "DELETE FROM run_step WHERE run IN (SELECT id FROM run WHERE number <= ?1 AND NOT is_live)", bind_run_max, row, err) &&
                 query_run(state, "DELETE FROM run WHERE number <= ?1 AND NOT is_live", bind_run_max, row, err)));
}

#define RUN_COLUMNS "id, number, incident, runbook, state, is_live, ended_ns, body"

static bool visit_runs(struct query *query, run_visit_fn *visit, void *context, struct err *err)
{
        while (query_step(query, err)) {
                struct run_row row = {.id = (uint64_t)query_i64(query, 0), .number = (uint32_t)query_i64(query, 1), .incident = (uint64_t)query_i64(query, 2),
                                      .runbook = query_str(query, 3), .state = query_str(query, 4), .is_live = query_i64(query, 5),
                                      .ended_ns = query_i64(query, 6), .body = query_str(query, 7)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(query);
}

bool run_rows_recent(struct database *state, int64_t since_ns, run_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " RUN_COLUMNS " FROM run WHERE is_live OR ended_ns > ?1 ORDER BY number", err))
                return false;
        query_bind_i64(&query, 1, since_ns);
        return visit_runs(&query, visit, context, err);
}

bool run_rows_list(struct database *state, const struct run_filter *filter, run_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " RUN_COLUMNS " FROM run WHERE (?1 = 0 OR json_extract(body, '$.incident_number') = ?1) AND (?2 = '' OR runbook = ?2)"
                                        " AND (?3 = '' OR state = ?3) AND (?4 = 0 OR number < ?4) ORDER BY number DESC LIMIT ?5", err))
                return false;
        query_bind_i64(&query, 1, filter->incident_number);
        query_bind_str(&query, 2, filter->runbook.bytes ? filter->runbook : STR(""));
        query_bind_str(&query, 3, filter->state.bytes ? filter->state : STR(""));
        query_bind_i64(&query, 4, filter->before_number);
        query_bind_i64(&query, 5, (int64_t)filter->limit);
        return visit_runs(&query, visit, context, err);
}

bool run_counts_visit(struct database *state, bool (*visit)(void *context, struct str runbook, struct str run_state, int64_t count, struct err *err), void *context,
                      struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT runbook, state, count(*) FROM run GROUP BY runbook, state", err))
                return false;
        while (query_step(&query, err))
                if (!visit(context, query_str(&query, 0), query_str(&query, 1), query_i64(&query, 2), err))
                        return false;
        return query_good(&query);
}

struct found {
        run_visit_fn *visit;
        void *context;
        bool is_found;
};

static bool note_found(void *context, const struct run_row *row, struct err *err)
{
        struct found *found = context;
        found->is_found = true;
        return found->visit(found->context, row, err);
}

bool run_row_get(struct database *state, int64_t number, bool *out_found, run_visit_fn *visit, void *context, struct err *err)
{
        struct found found = {visit, context, false};
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " RUN_COLUMNS " FROM run WHERE number = ?1", err))
                return false;
        query_bind_i64(&query, 1, number);
        if (!visit_runs(&query, note_found, &found, err))
                return false;
        *out_found = found.is_found;
        return true;
}

bool step_row_write(struct database *state, uint64_t run, uint32_t step, uint32_t attempt, struct str body, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO run_step (run, step, attempt, body) VALUES (?1, ?2, ?3, ?4)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)run);
        query_bind_i64(&query, 2, step);
        query_bind_i64(&query, 3, attempt);
        query_bind_str(&query, 4, body);
        query_step(&query, err);
        return query_good(&query);
}

bool step_rows_visit(struct database *state, uint64_t run, bool (*visit)(void *context, struct str body, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT body FROM run_step WHERE run = ?1 ORDER BY step, attempt", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)run);
        while (query_step(&query, err))
                if (!visit(context, query_str(&query, 0), err))
                        return false;
        return query_good(&query);
}

bool act_part_write(struct database *state, const char *name, struct str bytes, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO act_part (name, bytes) VALUES (?1, ?2)", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        query_bind_blob(&query, 2, bytes);
        query_step(&query, err);
        return query_good(&query);
}

bool act_part_read(struct database *state, const char *name, struct buf *out, bool *out_found, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT bytes FROM act_part WHERE name = ?1", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        bool found = query_step(&query, err);
        if (found && !buf_add(out, query_str(&query, 0)))
                return fail_memory(err, "act", query_str(&query, 0).length);
        *out_found = found;
        return query_good(&query);
}

static void bind_watch(struct query *query, const void *context)
{
        const struct watch_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->incident);
        query_bind_i64(query, 2, (int64_t)row->signature);
        query_bind_i64(query, 3, (int64_t)row->target_class);
        query_bind_i64(query, 4, row->opened_ns);
}

bool watch_row_write(struct database *state, const struct watch_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO act_watch (incident, signature, target_class, opened_ns) VALUES (?1, ?2, ?3, ?4)", bind_watch, row, err);
}

static void bind_incident(struct query *query, const void *context)
{
        query_bind_i64(query, 1, (int64_t)*(const uint64_t *)context);
}

bool watch_row_delete(struct database *state, uint64_t incident, struct err *err)
{
        return query_run(state, "DELETE FROM act_watch WHERE incident = ?1", bind_incident, &incident, err);
}

bool watch_rows_visit(struct database *state, bool (*visit)(void *context, const struct watch_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT incident, signature, target_class, opened_ns FROM act_watch ORDER BY opened_ns, incident", err))
                return false;
        while (query_step(&query, err)) {
                struct watch_row row = {(uint64_t)query_i64(&query, 0), (uint64_t)query_i64(&query, 1), (uint64_t)query_i64(&query, 2), query_i64(&query, 3)};
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}
