/* learning_table.c - see learning_table.h. */
#include "engage/learning_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "store/database.h"

const char learning_schema[] =
        "CREATE TABLE engage_example (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, time_ns INTEGER NOT NULL, team TEXT NOT NULL,"
        " called TEXT NOT NULL, signature TEXT NOT NULL, about TEXT NOT NULL) STRICT;"
        "CREATE TABLE engage_suggestion (incident INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, state INTEGER NOT NULL, confidence REAL NOT NULL,"
        " examples INTEGER NOT NULL, team TEXT NOT NULL, by TEXT NOT NULL, words TEXT NOT NULL) STRICT;"
        "CREATE INDEX engage_suggestion_state ON engage_suggestion (state, incident);"
        "ALTER TABLE model_ledger ADD COLUMN replay TEXT NOT NULL DEFAULT '';";

/* What helped was kept by signature; its rows had no entry in the ledger, so they take the place of one before all. */
const char past_schema[] =
        "CREATE TABLE engage_fix (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, number INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
        " by TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
        "CREATE INDEX engage_fix_incident ON engage_fix (incident, id);"
        "CREATE TABLE engage_alike (incident INTEGER PRIMARY KEY, hits TEXT NOT NULL) STRICT;"
        "INSERT INTO engage_fix SELECT t.id, t.incident, i.number, t.time_ns, t.by, t.text FROM engage_timeline t JOIN engage_incident i ON i.id = t.incident"
        " WHERE t.kind = 'fix';"
        "DROP TABLE IF EXISTS notify_helped;";

const char *suggestion_state_name(enum suggestion_state state)
{
        static const char *const names[] = {"?", "suggested", "waiting", "routed", "approved", "rejected", "overruled", "lapsed"};
        return state <= SUGGESTION_LAPSED ? names[state] : names[0];
}

bool example_row_write(struct database *state, const struct router_example *example, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, example->is_gone ? "DELETE FROM engage_example WHERE id = ?1" :
                                                           "INSERT OR REPLACE INTO engage_example (id, incident, time_ns, team, called, signature, about)"
                                                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)example->id);
        if (!example->is_gone) {
                query_bind_i64(&query, 2, (int64_t)example->incident);
                query_bind_i64(&query, 3, example->time_ns);
                query_bind_str(&query, 4, example->team);
                for (int i = 0; i < ROUTER_FIELDS; i++)
                        query_bind_str(&query, 5 + i, example->texts[i]);
        }
        query_step(&query, err);
        return query_good(&query);
}

bool example_rows_load(struct database *state, bool (*take)(void *context, const struct router_example *example, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT id, incident, time_ns, team, called, signature, about FROM engage_example ORDER BY id", err))
                return false;
        while (query_step(&query, err)) {
                struct router_example example = {.id = (uint64_t)query_i64(&query, 0), .incident = (uint64_t)query_i64(&query, 1), .time_ns = query_i64(&query, 2),
                                                 .team = query_str(&query, 3), .texts = {query_str(&query, 4), query_str(&query, 5), query_str(&query, 6)}};
                if (!take(context, &example, err))
                        return false;
        }
        return query_good(&query);
}

bool suggestion_row_write(struct database *state, const struct suggestion *suggestion, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO engage_suggestion (incident, time_ns, state, confidence, examples, team, by, words)"
                                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)suggestion->incident);
        query_bind_i64(&query, 2, suggestion->time_ns);
        query_bind_i64(&query, 3, suggestion->state);
        query_bind_double(&query, 4, suggestion->confidence);
        query_bind_i64(&query, 5, suggestion->examples);
        query_bind_str(&query, 6, suggestion->team);
        query_bind_str(&query, 7, suggestion->by);
        query_bind_str(&query, 8, suggestion->words);
        query_step(&query, err);
        return query_good(&query);
}

static struct suggestion suggestion_of(struct query *query)
{
        return (struct suggestion){.incident = (uint64_t)query_i64(query, 0), .time_ns = query_i64(query, 1), .state = query_i64(query, 2),
                                   .confidence = query_double(query, 3), .examples = (uint32_t)query_i64(query, 4), .team = query_str(query, 5),
                                   .by = query_str(query, 6), .words = query_str(query, 7)};
}

#define COLUMNS "incident, time_ns, state, confidence, examples, team, by, words"

bool suggestion_rows_load(struct database *state, bool (*take)(void *context, const struct suggestion *suggestion, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " COLUMNS " FROM engage_suggestion WHERE state IN (1, 2) ORDER BY incident", err))
                return false;
        while (query_step(&query, err)) {
                struct suggestion suggestion = suggestion_of(&query);
                if (!take(context, &suggestion, err))
                        return false;
        }
        return query_good(&query);
}

json_t *suggestion_row_read(struct database *reader, uint64_t incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " COLUMNS " FROM engage_suggestion WHERE incident = ?1", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        if (!query_step(&query, err))
                return query_good(&query) ? json_null() : NULL;
        struct suggestion row = suggestion_of(&query);
        json_t *words = json_parse(row.words, NULL);
        json_t *json = json_pack("{s:o, s:s, s:f, s:i, s:o, s:o, s:o}", "team", json_text(row.team), "state", suggestion_state_name(row.state), "confidence",
                                 row.confidence, "examples", (int)row.examples, "by", json_text(row.by), "time_ns", time_ns_json(row.time_ns), "words",
                                 words ? words : json_array());
        if (!json)
                fail_memory(err, "engage", 256);
        return json;
}

/* --- the past ------------------------------------------------------------------------------------------------------------ */

bool fix_row_write(struct database *state, const struct fix_row *fix, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, fix->is_gone ? "DELETE FROM engage_fix WHERE id = ?1" :
                                                       "INSERT OR REPLACE INTO engage_fix (id, incident, number, time_ns, by, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)fix->id);
        if (!fix->is_gone) {
                query_bind_i64(&query, 2, (int64_t)fix->incident);
                query_bind_i64(&query, 3, fix->number);
                query_bind_i64(&query, 4, fix->time_ns);
                query_bind_str(&query, 5, fix->by);
                query_bind_str(&query, 6, fix->text);
        }
        query_step(&query, err);
        return query_good(&query);
}

bool fix_rows_load(struct database *state, bool (*take)(void *context, const struct fix_row *fix, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT * FROM (SELECT id, incident, number, time_ns, by, text FROM engage_fix ORDER BY id DESC LIMIT 5000) ORDER BY id", err))
                return false;
        while (query_step(&query, err)) {
                struct fix_row fix = {.id = (uint64_t)query_i64(&query, 0), .incident = (uint64_t)query_i64(&query, 1), .number = (uint32_t)query_i64(&query, 2),
                                      .time_ns = query_i64(&query, 3), .by = query_str(&query, 4), .text = query_str(&query, 5)};
                if (!take(context, &fix, err))
                        return false;
        }
        return query_good(&query);
}

bool alike_row_write(struct database *state, const struct alike_row *row, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO engage_alike (incident, hits) VALUES (?1, ?2)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)row->incident);
        query_bind_str(&query, 2, row->hits);
        query_step(&query, err);
        return query_good(&query);
}

bool past_rows_load(struct database *state, bool (*take)(void *context, const struct past_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT * FROM (SELECT id, headline, sorts, entities, changed_ns FROM engage_incident WHERE state IN (4, 5) AND (flags & 4) = 0"
                                        " ORDER BY changed_ns DESC, id DESC LIMIT 4096) ORDER BY changed_ns, id", err))
                return false;
        while (query_step(&query, err)) {
                scoped_ptr(json_decref) json_t *sorts = json_parse(query_str(&query, 2), err);
                scoped_ptr(json_decref) json_t *entities = sorts ? json_parse(query_str(&query, 3), err) : NULL;
                struct past_row row = {(uint64_t)query_i64(&query, 0), query_str(&query, 1), sorts, entities};
                if (!entities || !take(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

static const char one_alike_sql[] = "SELECT number, title, resolved_ns, coalesce((SELECT text FROM engage_fix f WHERE f.incident = i.id ORDER BY f.id DESC LIMIT 1), ''),"
                                    " coalesce((SELECT by FROM engage_fix f WHERE f.incident = i.id ORDER BY f.id DESC LIMIT 1), ''),"
                                    " coalesce((SELECT text FROM engage_timeline t WHERE t.incident = i.id AND t.kind = 'cause' ORDER BY t.id DESC LIMIT 1), '')"
                                    " FROM engage_incident i WHERE id = ?1";

/* Retention may have taken the incident: then it is left out. */
static bool add_alike(struct database *reader, const json_t *hit, json_t *list, struct err *err)
{
        scoped(query_done) struct query query = {0};
        uint64_t id = 0;
        if (!str_to_u64(json_str(hit, "incident"), &id) || !query_begin(&query, reader, one_alike_sql, err))
                return false;
        query_bind_i64(&query, 1, (int64_t)id);
        if (!query_step(&query, err))
                return query_good(&query);
        json_t *row = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:O, s:O}", "number", (json_int_t)query_i64(&query, 0), "title", json_text(query_str(&query, 1)),
                                "resolved_ns", time_ns_json(query_i64(&query, 2)), "fix", json_text(query_str(&query, 3)), "by", json_text(query_str(&query, 4)),
                                "cause", json_text(query_str(&query, 5)), "likeness", json_object_get(hit, "likeness"), "reasons", json_object_get(hit, "reasons"));
        return (row && json_array_append_new(list, row) == 0) || fail_memory(err, "engage", 256);
}

json_t *alike_rows_read(struct database *reader, uint64_t incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        scoped_ptr(json_decref) json_t *hits = NULL, *list = json_array();
        size_t at;
        const json_t *hit;
        if (!list || !query_begin(&query, reader, "SELECT hits FROM engage_alike WHERE incident = ?1", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        if (query_step(&query, err))
                hits = json_parse(query_str(&query, 0), NULL);
        if (!query_good(&query))
                return NULL;
        json_array_foreach (hits, at, hit)
                if (!add_alike(reader, hit, list, err))
                        return NULL;
        return json_incref(list);
}

static json_t *judged_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:I}", "kind", json_text(query_str(query, 0)), "sort", json_text(query_str(query, 1)), "times", (json_int_t)query_double(query, 2));
}

json_t *judged_rows_read(struct database *reader, uint64_t incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT l.one, l.other, l.together FROM engage_incident i, json_each(i.sorts) s JOIN engage_learned l ON l.other ="
                                         " json_extract(s.value, '$.name') || ' on ' || json_extract(s.value, '$.kind') WHERE i.id = ?1 AND l.one LIKE 'noise: %'"
                                         " ORDER BY l.together DESC, l.pair LIMIT 20", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        return query_rows(&query, judged_json, err);
}
