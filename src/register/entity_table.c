/*
 * entity_table.c - see entity_table.h. One table for all kinds: a kind is data, and a table a kind would be a migration a
 * kind. A value of a field is found inside the JSON body (json_extract): {"memory": {"i": [16, "alice", time], "o": [...]}}.
 */
#include "register/entity_table.h"

#include "base/buf.h"
#include "base/scope.h"

const char entity_schema[] =
        "CREATE TABLE entity (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
        " state TEXT NOT NULL, body TEXT NOT NULL, within INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
        " changed_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL, hidden_ns INTEGER NOT NULL, drift INTEGER NOT NULL) STRICT;"
        "CREATE INDEX entity_by_name ON entity (kind, name, id);"
        "CREATE INDEX entity_by_within ON entity (within) WHERE within > 0;"
        "CREATE TABLE entity_key (kind TEXT NOT NULL, within INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
        " entity INTEGER NOT NULL, PRIMARY KEY (kind, within, key, value)) STRICT, WITHOUT ROWID;"
        "CREATE INDEX entity_key_of ON entity_key (entity);"
        "CREATE TABLE entity_relation (from_id INTEGER NOT NULL, relation TEXT NOT NULL, to_id INTEGER NOT NULL,"
        " source INTEGER NOT NULL, by TEXT NOT NULL, first_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL,"
        " PRIMARY KEY (from_id, relation, to_id, source)) STRICT, WITHOUT ROWID;"
        "CREATE INDEX entity_relation_to ON entity_relation (to_id);"
        "CREATE TABLE entity_history (entity INTEGER NOT NULL, event INTEGER NOT NULL, time_ns INTEGER NOT NULL, by TEXT NOT NULL,"
        " verb TEXT NOT NULL, note TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,"
        " hidden_ns INTEGER NOT NULL, PRIMARY KEY (entity, event)) STRICT, WITHOUT ROWID;";

/* --- writing -------------------------------------------------------------------------------------------------------------- */

static void bind_entity(struct query *query, const void *context)
{
        const struct entity_row *entity = context;
        query_bind_i64(query, 1, (int64_t)entity->id);
        query_bind_i64(query, 2, (int64_t)entity->version);
        query_bind_str(query, 3, entity->kind);
        query_bind_str(query, 4, entity->name);
        query_bind_str(query, 5, entity->state);
        query_bind_str(query, 6, entity->body);
        query_bind_i64(query, 7, (int64_t)entity->within);
        query_bind_i64(query, 8, entity->created_ns);
        query_bind_i64(query, 9, entity->changed_ns);
        query_bind_i64(query, 10, entity->seen_ns);
        query_bind_i64(query, 11, entity->hidden_ns);
        query_bind_i64(query, 12, entity->drift);
}

bool entity_put(struct database *state, const struct entity_row *entity, struct err *err)
{
        return query_run(state,
                         "INSERT INTO entity (id, version, kind, name, state, body, within, created_ns, changed_ns, seen_ns, hidden_ns, drift)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET version = ?2,"
                         " name = ?4, state = ?5, body = ?6, within = ?7, changed_ns = ?9, seen_ns = ?10, hidden_ns = ?11, drift = ?12",
                         bind_entity, entity, err);
}

static void bind_id(struct query *query, const void *context)
{
        query_bind_i64(query, 1, (int64_t)*(const uint64_t *)context);
}

bool entity_purge(struct database *state, uint64_t id, struct err *err)
{
        return query_run(state, "DELETE FROM entity WHERE id = ?1", bind_id, &id, err) &&
               query_run(state, "DELETE FROM entity_key WHERE entity = ?1", bind_id, &id, err) &&
               query_run(state, "DELETE FROM entity_relation WHERE from_id = ?1", bind_id, &id, err) &&
               query_run(state, "DELETE FROM entity_relation WHERE to_id = ?1", bind_id, &id, err) &&
               query_run(state, "DELETE FROM entity_history WHERE entity = ?1", bind_id, &id, err);
}

static void bind_key(struct query *query, const void *context)
{
        const struct key_row *key = context;
        query_bind_str(query, 1, key->kind);
        query_bind_i64(query, 2, (int64_t)key->within);
        query_bind_str(query, 3, key->key);
        query_bind_str(query, 4, key->value);
        query_bind_i64(query, 5, (int64_t)key->entity);
}

bool key_put(struct database *state, const struct key_row *key, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO entity_key (kind, within, key, value, entity) VALUES (?1, ?2, ?3, ?4, ?5)",
                         bind_key, key, err);
}

bool key_delete(struct database *state, const struct key_row *key, struct err *err)
{
        return query_run(state, "DELETE FROM entity_key WHERE kind = ?1 AND within = ?2 AND key = ?3 AND value = ?4 AND entity = ?5",
                         bind_key, key, err);
}

static void bind_link(struct query *query, const void *context)
{
        const struct link_row *link = context;
        query_bind_i64(query, 1, (int64_t)link->from);
        query_bind_str(query, 2, link->relation);
        query_bind_i64(query, 3, (int64_t)link->to);
        query_bind_i64(query, 4, link->source);
}

static void bind_whole_link(struct query *query, const void *context)
{
        const struct link_row *link = context;
        bind_link(query, context);
        query_bind_str(query, 5, link->by);
        query_bind_i64(query, 6, link->first_ns);
        query_bind_i64(query, 7, link->seen_ns);
}

bool link_put(struct database *state, const struct link_row *link, struct err *err)
{
        return query_run(state,
                         "INSERT OR REPLACE INTO entity_relation (from_id, relation, to_id, source, by, first_ns, seen_ns)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         bind_whole_link, link, err);
}

bool link_delete(struct database *state, const struct link_row *link, struct err *err)
{
        return query_run(state, "DELETE FROM entity_relation WHERE from_id = ?1 AND relation = ?2 AND to_id = ?3 AND source = ?4",
                         bind_link, link, err);
}

static void bind_event(struct query *query, const void *context)
{
        const struct event_row *event = context;
        query_bind_i64(query, 1, (int64_t)event->entity);
        query_bind_i64(query, 2, (int64_t)event->event);
        query_bind_i64(query, 3, event->time_ns);
        query_bind_str(query, 4, event->by);
        query_bind_str(query, 5, event->verb);
        query_bind_str(query, 6, event->note);
        query_bind_str(query, 7, event->name);
        query_bind_str(query, 8, event->state);
        query_bind_str(query, 9, event->body);
        query_bind_i64(query, 10, event->hidden_ns);
}

bool event_insert(struct database *state, const struct event_row *event, struct err *err)
{
        return query_run(state,
                         "INSERT OR REPLACE INTO entity_history (entity, event, time_ns, by, verb, note, name, state, body, hidden_ns)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                         bind_event, event, err) &&
               query_run(state,
                         "DELETE FROM entity_history WHERE entity = ?1 AND event <= (SELECT event FROM entity_history WHERE entity = ?1"
                         " ORDER BY event DESC LIMIT 1 OFFSET 1000)",
                         bind_id, &event->entity, err);
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

#define ENTITY_COLUMNS "id, version, kind, name, state, body, within, created_ns, changed_ns, seen_ns, hidden_ns, drift"
#define EVENT_COLUMNS "entity, event, time_ns, by, verb, note, name, state, body, hidden_ns"

static bool step_entities(struct query *query, entity_visit_fn *visit, void *context, struct err *err)
{
        while (query_step(query, err)) {
                struct entity_row entity = {
                        (uint64_t)query_i64(query, 0), (uint64_t)query_i64(query, 1), query_str(query, 2), query_str(query, 3),
                        query_str(query, 4), query_str(query, 5), (uint64_t)query_i64(query, 6), query_i64(query, 7), query_i64(query, 8),
                        query_i64(query, 9), query_i64(query, 10), query_i64(query, 11)};
                if (!visit(context, &entity, err))
                        return false;
        }
        return query_good(query);
}

bool entity_visit(struct database *state, entity_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        return query_begin(&query, state, "SELECT " ENTITY_COLUMNS " FROM entity ORDER BY id", err) &&
               step_entities(&query, visit, context, err);
}

struct once {
        entity_visit_fn *visit;
        void *context;
        bool found;
};

static bool visit_once(void *context, const struct entity_row *entity, struct err *err)
{
        struct once *once = context;
        once->found = true;
        return once->visit(once->context, entity, err);
}

bool entity_get(struct database *state, uint64_t id, bool *out_found, entity_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        struct once once = {visit, context, false};
        if (!query_begin(&query, state, "SELECT " ENTITY_COLUMNS " FROM entity WHERE id = ?1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)id);
        if (!step_entities(&query, visit_once, &once, err))
                return false;
        *out_found = once.found;
        return true;
}

static bool step_keys(struct query *query, bool (*visit)(void *context, const struct key_row *key, struct err *err), void *context,
                      struct err *err)
{
        while (query_step(query, err)) {
                struct key_row key = {query_str(query, 0), query_str(query, 2), query_str(query, 3), (uint64_t)query_i64(query, 1),
                                      (uint64_t)query_i64(query, 4)};
                if (!visit(context, &key, err))
                        return false;
        }
        return query_good(query);
}

bool key_visit(struct database *state, bool (*visit)(void *context, const struct key_row *key, struct err *err), void *context,
               struct err *err)
{
        scoped(query_done) struct query query = {0};
        return query_begin(&query, state, "SELECT kind, within, key, value, entity FROM entity_key ORDER BY entity, kind, within, key, value", err) &&
               step_keys(&query, visit, context, err);
}

bool key_visit_of(struct database *state, uint64_t entity, bool (*visit)(void *context, const struct key_row *key, struct err *err),
                  void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT kind, within, key, value, entity FROM entity_key WHERE entity = ?1 ORDER BY key, value", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)entity);
        return step_keys(&query, visit, context, err);
}

bool link_visit(struct database *state, bool (*visit)(void *context, const struct link_row *link, struct err *err), void *context,
                struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT from_id, to_id, relation, by, source, first_ns, seen_ns FROM entity_relation"
                         " ORDER BY from_id, relation, to_id, source",
                         err))
                return false;
        while (query_step(&query, err)) {
                struct link_row link = {(uint64_t)query_i64(&query, 0), (uint64_t)query_i64(&query, 1), query_str(&query, 2),
                                        query_str(&query, 3), query_i64(&query, 4), query_i64(&query, 5), query_i64(&query, 6)};
                if (!visit(context, &link, err))
                        return false;
        }
        return query_good(&query);
}

/* One statement for every filter: a condition whose parameter is empty holds for all. A value is compared as text: the
 * intended one, else the observed one. */
#define FILTER                                                                                                         \
        " FROM entity WHERE (?1 = '' OR kind = ?1) AND (?2 = '' OR instr(lower(name), lower(?2)) OR instr(lower(body), lower(?2)))"      \
        " AND (?3 = '' OR state = ?3) AND (?4 = '' OR coalesce(json_extract(body, '$.' || ?4 || '.i[0]'),"                      \
        " json_extract(body, '$.' || ?4 || '.o[0]')) = ?5 OR CAST(coalesce(json_extract(body, '$.' || ?4 || '.i[0]'),"          \
        " json_extract(body, '$.' || ?4 || '.o[0]')) AS TEXT) = ?5)"                                                            \
        " AND (?6 = 0 OR within = ?6) AND (hidden_ns > 0) = ?7 AND (?8 = 0 OR drift > 0)"

static void bind_filter(struct query *query, const struct entity_filter *filter)
{
        struct str texts[] = {filter->kind, filter->text, filter->state, filter->field, filter->value};
        for (int i = 0; i < (int)countof(texts); i++)
                query_bind_str(query, i + 1, texts[i].length ? texts[i] : STR(""));
        query_bind_i64(query, 6, (int64_t)filter->within);
        query_bind_i64(query, 7, filter->hidden);
        query_bind_i64(query, 8, filter->drifting);
}

bool entity_list(struct database *state, const struct entity_filter *filter, entity_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT " ENTITY_COLUMNS FILTER " AND (?10 = 0 OR (name, id) > (?9, ?10)) ORDER BY name, id LIMIT ?11", err))
                return false;
        bind_filter(&query, filter);
        query_bind_str(&query, 9, filter->after_name.length ? filter->after_name : STR(""));
        query_bind_i64(&query, 10, (int64_t)filter->after_id);
        query_bind_i64(&query, 11, (int64_t)filter->limit);
        return step_entities(&query, visit, context, err);
}

bool entity_count(struct database *state, const struct entity_filter *filter, uint64_t *out_count, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT count(*)" FILTER, err))
                return false;
        bind_filter(&query, filter);
        if (!query_step(&query, err))
                return false;
        *out_count = (uint64_t)query_i64(&query, 0);
        return true;
}

static bool step_events(struct query *query, bool *out_found, event_visit_fn *visit, void *context, struct err *err)
{
        *out_found = false;
        while (query_step(query, err)) {
                struct event_row event = {(uint64_t)query_i64(query, 0), (uint64_t)query_i64(query, 1), query_i64(query, 2),
                                          query_str(query, 3), query_str(query, 4), query_str(query, 5), query_str(query, 6),
                                          query_str(query, 7), query_str(query, 8), query_i64(query, 9)};
                *out_found = true;
                if (!visit(context, &event, err))
                        return false;
        }
        return query_good(query);
}

bool event_visit(struct database *state, uint64_t entity, uint64_t before, size_t limit, event_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        bool found;
        if (!query_begin(&query, state,
                         "SELECT " EVENT_COLUMNS " FROM entity_history WHERE entity = ?1 AND (?2 = 0 OR event < ?2) ORDER BY event DESC LIMIT ?3",
                         err))
                return false;
        query_bind_i64(&query, 1, (int64_t)entity);
        query_bind_i64(&query, 2, (int64_t)before);
        query_bind_i64(&query, 3, (int64_t)limit);
        return step_events(&query, &found, visit, context, err);
}

bool event_as_of(struct database *state, uint64_t entity, int64_t time_ns, bool *out_found, event_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT " EVENT_COLUMNS " FROM entity_history WHERE entity = ?1 AND time_ns <= ?2 ORDER BY event DESC LIMIT 1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)entity);
        query_bind_i64(&query, 2, time_ns);
        return step_events(&query, out_found, visit, context, err);
}

bool event_get(struct database *state, uint64_t entity, uint64_t event, bool *out_found, event_visit_fn *visit, void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " EVENT_COLUMNS " FROM entity_history WHERE entity = ?1 AND event = ?2", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)entity);
        query_bind_i64(&query, 2, (int64_t)event);
        return step_events(&query, out_found, visit, context, err);
}
