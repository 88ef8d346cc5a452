/* incident_table.c - see incident_table.h. */
#include "engage/incident_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "engage/engage_state.h"
#include "engage/learning_table.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FLAG_HELD = 1, FLAG_STORM = 2, FLAG_NOISE = 4, FLAG_PERSON_SEVERITY = 8, FLAG_CAUSES_DUE = 16 };
#define MEMBERS_READ_MAX 500
#define TIMELINE_READ_MAX 1000
#define TALLY_READ_MAX "20000" /* incidents; older ones are not counted */

#define COLUMNS                                                                                                        \
        "id, number, state, severity, flags, title, headline, owner, team, signature, signature_text, opened_ns, changed_ns,"\
        " acknowledged_ns, resolved_ns, closed_ns, merged_into, firing, entities, sorts, causes, causes_ns"
#define COUNTED COLUMNS ", (SELECT count(*) FROM engage_member m WHERE m.incident = engage_incident.id)"

/* --- lists in a row ------------------------------------------------------------------------------------------------------ */

static bool list_text(json_t *list, struct buf *out, struct err *err)
{
        bool good = list && json_write(list, out);
        json_decref(list);
        return good || fail_memory(err, "engage", 256);
}

static bool entities_text(const struct incident *incident, struct buf *out, struct err *err)
{
        json_t *list = json_array();
        each (entity, &incident->entities)
                json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "id", id_json(entity->id), "kind", json_text(entity->kind), "name",
                                                      json_text(entity->name)));
        return list_text(list, out, err);
}

static bool sorts_text(const struct incident *incident, struct buf *out, struct err *err)
{
        json_t *list = json_array();
        each (sort, &incident->sorts)
                json_array_append_new(list, json_pack("{s:o, s:o}", "name", json_text(sort->name), "kind", json_text(sort->kind)));
        return list_text(list, out, err);
}

static bool causes_text(const struct incident *incident, struct buf *out, struct err *err)
{
        json_t *list = json_array();
        each (cause, &incident->causes)
                json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:f, s:o}", "entity", id_json(cause->entity), "kind", json_text(cause->kind),
                                                      "name", json_text(cause->name), "score", cause->score, "reason", json_text(cause->reason)));
        return list_text(list, out, err);
}

static uint64_t member_id(const json_t *object, const char *key)
{
        uint64_t id = 0;
        str_to_u64(json_str(object, key), &id);
        return id;
}

static bool read_lists(struct incident *incident, struct str entities, struct str sorts, struct str causes, struct err *err)
{
        scoped_ptr(json_decref) json_t *entity_list = json_parse(entities, err);
        scoped_ptr(json_decref) json_t *sort_list = entity_list ? json_parse(sorts, err) : NULL;
        scoped_ptr(json_decref) json_t *cause_list = sort_list ? json_parse(causes, err) : NULL;
        struct incident_cause kept[32];
        size_t at, count = 0;
        json_t *item;
        if (!cause_list)
                return false;
        json_array_foreach (entity_list, at, item)
                if (!incident_add_entity(incident, member_id(item, "id"), json_str(item, "kind"), json_str(item, "name"), err))
                        return false;
        json_array_foreach (sort_list, at, item)
                if (!incident_add_sort(incident, json_str(item, "name"), json_str(item, "kind"), err))
                        return false;
        json_array_foreach (cause_list, at, item)
                if (count < countof(kept))
                        kept[count++] = (struct incident_cause){member_id(item, "entity"), json_str(item, "name"), json_str(item, "kind"),
                                                                json_number_value(json_object_get(item, "score")), json_str(item, "reason")};
        return incident_set_causes(incident, kept, count, err);
}

/* --- writing --------------------------------------------------------------------------------------------------------------- */

bool incident_row_write(struct database *state, const struct incident *incident, struct err *err)
{
        scoped(buf_done) struct buf entities = {0}, sorts = {0}, causes = {0};
        scoped(query_done) struct query query = {0};
        if (!entities_text(incident, &entities, err) || !sorts_text(incident, &sorts, err) || !causes_text(incident, &causes, err) ||
            !query_begin(&query, state, "INSERT OR REPLACE INTO engage_incident (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                                        " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)incident->id);
        query_bind_i64(&query, 2, incident->number);
        query_bind_i64(&query, 3, incident->state);
        query_bind_i64(&query, 4, incident->severity);
        query_bind_i64(&query, 5, (incident->is_held ? FLAG_HELD : 0) | (incident->is_storm ? FLAG_STORM : 0) |
                                  (incident->is_noise ? FLAG_NOISE : 0) | (incident->has_person_severity ? FLAG_PERSON_SEVERITY : 0) |
                                  (incident->causes_due ? FLAG_CAUSES_DUE : 0));
        query_bind_str(&query, 6, str_of(incident->title));
        query_bind_str(&query, 7, str_of(incident->headline));
        query_bind_str(&query, 8, str_of(incident->owner));
        query_bind_str(&query, 9, str_of(incident->team));
        query_bind_i64(&query, 10, (int64_t)incident->signature);
        query_bind_str(&query, 11, str_of(incident->signature_text));
        query_bind_i64(&query, 12, incident->opened_ns);
        query_bind_i64(&query, 13, incident->changed_ns);
        query_bind_i64(&query, 14, incident->acknowledged_ns);
        query_bind_i64(&query, 15, incident->resolved_ns);
        query_bind_i64(&query, 16, incident->closed_ns);
        query_bind_i64(&query, 17, (int64_t)incident->merged_into);
        query_bind_i64(&query, 18, incident->firing);
        query_bind_str(&query, 19, buf_str(&entities));
        query_bind_str(&query, 20, buf_str(&sorts));
        query_bind_str(&query, 21, buf_str(&causes));
        query_bind_i64(&query, 22, incident->causes_ns);
        query_step(&query, err);
        return query_good(&query);
}

static void bind_member(struct query *query, const void *context)
{
        const struct member_change *change = context;
        query_bind_i64(query, 1, (int64_t)change->incident);
        query_bind_i64(query, 2, (int64_t)change->alert);
        if (!change->is_removed)
                query_bind_i64(query, 3, change->joined_ns);
}

bool member_row_write(struct database *state, const struct member_change *change, struct err *err)
{
        return query_run(state, change->is_removed ? "DELETE FROM engage_member WHERE incident = ?1 AND alert = ?2" :
                                "INSERT OR REPLACE INTO engage_member (incident, alert, joined_ns) VALUES (?1, ?2, ?3)", bind_member, change, err);
}

static void bind_timeline(struct query *query, const void *context)
{
        const struct timeline_entry *entry = context;
        query_bind_i64(query, 1, (int64_t)entry->id);
        query_bind_i64(query, 2, (int64_t)entry->incident);
        query_bind_i64(query, 3, (int64_t)entry->alert);
        query_bind_i64(query, 4, entry->time_ns);
        query_bind_str(query, 5, str_of(entry->kind));
        query_bind_str(query, 6, entry->by);
        query_bind_str(query, 7, entry->text);
}

bool timeline_row_write(struct database *state, const struct timeline_entry *entry, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO engage_timeline (id, incident, alert, time_ns, kind, by, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         bind_timeline, entry, err);
}

static void bind_why(struct query *query, const void *context)
{
        const struct explanation *why = context;
        query_bind_i64(query, 1, (int64_t)why->id);
        query_bind_i64(query, 2, (int64_t)why->subject);
        query_bind_i64(query, 3, why->time_ns);
        query_bind_str(query, 4, why->decision);
        query_bind_str(query, 5, why->reasons);
}

bool why_row_write(struct database *state, const struct explanation *why, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO engage_why (id, subject, time_ns, decision, reasons) VALUES (?1, ?2, ?3, ?4, ?5)", bind_why, why, err);
}

static void bind_learned(struct query *query, const void *context)
{
        const struct learned_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->pair);
        query_bind_str(query, 2, row->one);
        query_bind_str(query, 3, row->other);
        query_bind_double(query, 4, row->together);
        query_bind_double(query, 5, row->apart);
        query_bind_i64(query, 6, row->changed_ns);
}

static void bind_pair(struct query *query, const void *context)
{
        const struct learned_row *row = context;
        query_bind_i64(query, 1, (int64_t)row->pair);
}

bool learned_row_write(struct database *state, const struct learned_row *row, struct err *err)
{
        if (row->together == 0 && row->apart == 0) /* all words about it were taken back */
                return query_run(state, "DELETE FROM engage_learned WHERE pair = ?1", bind_pair, row, err);
        return query_run(state, "INSERT OR REPLACE INTO engage_learned (pair, one, other, together, apart, changed_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                         bind_learned, row, err);
}

bool learned_rows_load(struct database *state, bool (*take)(void *context, const struct learned_row *row, struct err *err), void *context,
                       struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT pair, one, other, together, apart, changed_ns FROM engage_learned ORDER BY pair", err))
                return false;
        while (query_step(&query, err)) {
                struct learned_row row = {(uint64_t)query_i64(&query, 0), query_str(&query, 1), query_str(&query, 2), query_double(&query, 3),
                                          query_double(&query, 4), query_i64(&query, 5)};
                if (!take(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

bool seen_row_write(struct database *state, uint64_t same, uint32_t incidents, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO engage_seen (same, incidents) VALUES (?1, ?2)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)same);
        query_bind_i64(&query, 2, incidents);
        query_step(&query, err);
        return query_good(&query);
}

bool seen_rows_load(struct database *state, bool (*take)(void *context, uint64_t same, uint32_t incidents, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT same, incidents FROM engage_seen", err))
                return false;
        while (query_step(&query, err))
                if (!take(context, (uint64_t)query_i64(&query, 0), (uint32_t)query_i64(&query, 1), err))
                        return false;
        return query_good(&query);
}

bool group_row_write(struct database *state, uint32_t serial, struct str bytes, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, bytes.length ? "INSERT OR REPLACE INTO engage_group (serial, body) VALUES (?1, ?2)" :
                                                       "DELETE FROM engage_group WHERE serial = ?1", err))
                return false;
        query_bind_i64(&query, 1, serial);
        if (bytes.length)
                query_bind_blob(&query, 2, bytes);
        query_step(&query, err);
        return query_good(&query);
}

bool group_rows_load(struct database *state, bool (*take)(void *context, uint32_t serial, struct str bytes, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT serial, body FROM engage_group ORDER BY serial", err))
                return false;
        while (query_step(&query, err))
                if (!take(context, (uint32_t)query_i64(&query, 0), query_str(&query, 1), err))
                        return false;
        return query_good(&query);
}

static void bind_ledger(struct query *query, const void *context)
{
        const struct ledger_entry *entry = context;
        query_bind_i64(query, 1, (int64_t)entry->id);
        query_bind_i64(query, 2, entry->time_ns);
        query_bind_str(query, 3, entry->model);
        query_bind_str(query, 4, entry->by);
        query_bind_str(query, 5, entry->what);
        query_bind_str(query, 6, entry->effect);
        query_bind_i64(query, 7, entry->reverted_ns);
        query_bind_str(query, 8, entry->reverted_by);
        query_bind_str(query, 9, entry->replay.bytes ? entry->replay : STR(""));
}

bool ledger_row_write(struct database *state, const struct ledger_entry *entry, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO model_ledger (id, time_ns, model, by, what, effect, reverted_ns, reverted_by, replay)"
                                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", bind_ledger, entry, err);
}

static struct ledger_entry ledger_of(struct query *query)
{
        return (struct ledger_entry){(uint64_t)query_i64(query, 0), query_i64(query, 1), query_i64(query, 6), query_str(query, 2), query_str(query, 3),
                                     query_str(query, 4), query_str(query, 5), query_str(query, 7), query_str(query, 8)};
}

bool ledger_rows_load(struct database *state, size_t newest, bool (*take)(void *context, const struct ledger_entry *entry, struct err *err), void *context,
                      struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT * FROM (SELECT id, time_ns, model, by, what, effect, reverted_ns, reverted_by, replay FROM model_ledger"
                                        " ORDER BY id DESC LIMIT ?1) ORDER BY id", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)newest);
        while (query_step(&query, err)) {
                struct ledger_entry entry = ledger_of(&query);
                if (!take(context, &entry, err))
                        return false;
        }
        return query_good(&query);
}

bool incident_rows_forget(struct database *state, int64_t whys_before_ns, int64_t closed_before_ns, struct err *err)
{
        static const char *const statements[] = {
                "DELETE FROM engage_why WHERE id IN (SELECT id FROM engage_why WHERE time_ns < ?1 ORDER BY id LIMIT 500)",
                "DELETE FROM engage_timeline WHERE id IN (SELECT t.id FROM engage_timeline t JOIN engage_incident i ON i.id = t.incident"
                " WHERE i.state >= 5 AND i.changed_ns < ?1 LIMIT 500)",
                "DELETE FROM engage_member WHERE incident IN (SELECT id FROM engage_incident WHERE state >= 5 AND changed_ns < ?1 LIMIT 20)",
                "DELETE FROM engage_incident WHERE id IN (SELECT id FROM engage_incident i WHERE state >= 5 AND changed_ns < ?1 AND NOT EXISTS"
                " (SELECT 1 FROM engage_timeline t WHERE t.incident = i.id) LIMIT 20)",
        };
        for (size_t i = 0; i < countof(statements); i++) {
                scoped(query_done) struct query query = {0};
                if (!query_begin(&query, state, statements[i], err))
                        return false;
                query_bind_i64(&query, 1, i ? closed_before_ns : whys_before_ns);
                query_step(&query, err);
                if (!query_good(&query))
                        return false;
        }
        return true;
}

/* --- loading --------------------------------------------------------------------------------------------------------------- */

static bool load_members(struct database *state, struct incident *incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT alert, joined_ns FROM engage_member WHERE incident = ?1 ORDER BY joined_ns, alert", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)incident->id);
        while (query_step(&query, err))
                if (!incident_append(incident, (uint64_t)query_i64(&query, 0), query_i64(&query, 1), err))
                        return false;
        return query_good(&query);
}

static bool load_one(struct database *state, struct query *query, struct incident *incident, struct err *err)
{
        int64_t flags = query_i64(query, 4);
        *incident = (struct incident){.id = (uint64_t)query_i64(query, 0), .number = (uint32_t)query_i64(query, 1), .state = query_i64(query, 2),
                                      .severity = query_i64(query, 3), .is_held = flags & FLAG_HELD, .is_storm = flags & FLAG_STORM,
                                      .is_noise = flags & FLAG_NOISE, .has_person_severity = flags & FLAG_PERSON_SEVERITY,
                                      .opened_ns = query_i64(query, 11), .changed_ns = query_i64(query, 12), .acknowledged_ns = query_i64(query, 13),
                                      .resolved_ns = query_i64(query, 14), .closed_ns = query_i64(query, 15),
                                      .merged_into = (uint64_t)query_i64(query, 16), .firing = (uint32_t)query_i64(query, 17),
                                      .causes_due = flags & FLAG_CAUSES_DUE, .causes_ns = query_i64(query, 21)};
        return incident_set_text(&incident->title, query_str(query, 5), err) && incident_set_text(&incident->headline, query_str(query, 6), err) &&
               incident_set_text(&incident->owner, query_str(query, 7), err) && incident_set_text(&incident->team, query_str(query, 8), err) &&
               read_lists(incident, query_str(query, 18), query_str(query, 19), query_str(query, 20), err) && load_members(state, incident, err);
}

bool incident_rows_load(struct database *state, int64_t since_ns, struct incidents *incidents, struct err *err)
{
        scoped(query_done) struct query query = {0}, last = {0};
        if (!query_begin(&query, state, "SELECT " COLUMNS " FROM engage_incident WHERE state < 5 OR changed_ns > ?1 ORDER BY number", err))
                return false;
        query_bind_i64(&query, 1, since_ns);
        while (query_step(&query, err)) {
                struct incident incident;
                if (!load_one(state, &query, &incident, err) || !incidents_restore(incidents, &incident, err)) {
                        incident_done(&incident);
                        return err_within(err, "loading incident %" PRId64, query_i64(&query, 1));
                }
        }
        if (!query_good(&query) || !query_begin(&last, state, "SELECT coalesce(max(number), 0) FROM engage_incident", err) || !query_step(&last, err))
                return false;
        incidents_number_from(incidents, (uint32_t)query_i64(&last, 0));
        return true;
}

/* --- for readers ----------------------------------------------------------------------------------------------------------- */

static json_t *parsed_or_null(struct str text)
{
        json_t *json = json_parse(text, NULL);
        return json ? json : json_null();
}

static json_t *incident_json(struct query *query)
{
        int64_t flags = query_i64(query, 4);
        return json_pack("{s:o, s:I, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:b}",
                         "id", id_json((uint64_t)query_i64(query, 0)), "number", (json_int_t)query_i64(query, 1), "state",
                         incident_state_name(query_i64(query, 2)), "severity", alert_severity_name(query_i64(query, 3)),
                         "is_held", (flags & FLAG_HELD) != 0, "is_storm", (flags & FLAG_STORM) != 0, "is_noise", (flags & FLAG_NOISE) != 0,
                         "title", json_text(query_str(query, 5)), "owner", json_text(query_str(query, 7)), "team", json_text(query_str(query, 8)),
                         "signature", id_json((uint64_t)query_i64(query, 9)), "signature_text", json_text(query_str(query, 10)),
                         "opened_ns", time_ns_json(query_i64(query, 11)), "changed_ns", time_ns_json(query_i64(query, 12)),
                         "acknowledged_ns", time_ns_json(query_i64(query, 13)), "resolved_ns", time_ns_json(query_i64(query, 14)),
                         "closed_ns", time_ns_json(query_i64(query, 15)), "merged_into", id_json((uint64_t)query_i64(query, 16)),
                         "firing", (json_int_t)query_i64(query, 17), "entities", parsed_or_null(query_str(query, 18)),
                         "causes", parsed_or_null(query_str(query, 20)), "alert_count", (json_int_t)query_i64(query, 22),
                         "has_person_severity", (flags & FLAG_PERSON_SEVERITY) != 0);
}

json_t *incident_rows_read(struct database *reader, const struct incident_filter *filter, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " COUNTED " FROM engage_incident WHERE number < ?1 AND (?2 = 0 OR state < 5) AND (?3 = 0 OR state = ?3)"
                                         " AND (?4 = '' OR team = ?4) AND (?5 = '' OR owner = ?5) AND opened_ns >= ?6 AND opened_ns <= ?7"
                                         " AND (?3 = 6 OR state <> 6) AND (?9 = 0 OR severity = ?9) AND (?10 < 0 OR (flags & 1) = ?10)"
                                         " AND (?11 = '' OR instr(lower(title), lower(?11)) OR instr(lower(entities), lower(?11))"
                                         " OR instr(lower(signature_text), lower(?11))) ORDER BY number DESC LIMIT ?8", err))
                return NULL;
        query_bind_i64(&query, 1, filter->before_number ? filter->before_number : INT64_MAX);
        query_bind_i64(&query, 2, filter->only_alive);
        query_bind_i64(&query, 3, filter->state);
        query_bind_str(&query, 4, filter->team);
        query_bind_str(&query, 5, filter->owner);
        query_bind_i64(&query, 6, filter->since_ns);
        query_bind_i64(&query, 7, filter->until_ns ? filter->until_ns : INT64_MAX);
        query_bind_i64(&query, 8, (int64_t)filter->limit);
        query_bind_i64(&query, 9, filter->severity);
        query_bind_i64(&query, 10, filter->only_held ? FLAG_HELD : filter->only_told ? 0 : -1);
        query_bind_str(&query, 11, filter->text.bytes ? filter->text : STR(""));
        return query_rows(&query, incident_json, err);
}

static json_t *timeline_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", id_json((uint64_t)query_i64(query, 0)), "alert", id_json((uint64_t)query_i64(query, 1)),
                         "time_ns", time_ns_json(query_i64(query, 2)), "kind", json_text(query_str(query, 3)), "by", json_text(query_str(query, 4)),
                         "text", json_text(query_str(query, 5)));
}

static json_t *number_json(struct query *query)
{
        return json_integer(query_i64(query, 0));
}

static json_t *member_json(struct query *query)
{
        return id_json((uint64_t)query_i64(query, 0));
}

/* The rows of a statement about one incident, two numbers bound. */
static json_t *rows_about(struct database *reader, const char *sql, uint64_t one, int64_t two, json_t *(*row)(struct query *query), struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, sql, err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)one);
        query_bind_i64(&query, 2, two);
        return query_rows(&query, row, err);
}

static json_t *alerts_of(struct database *reader, uint64_t incident, struct err *err)
{
        json_t *ids = rows_about(reader, "SELECT alert FROM engage_member WHERE incident = ?1 ORDER BY joined_ns, alert LIMIT ?2", incident,
                                 MEMBERS_READ_MAX, member_json, err);
        json_t *alerts = ids ? json_array() : NULL, *id;
        size_t at;
        json_array_foreach (ids, at, id) {
                uint64_t number = 0;
                struct err missing = {0};
                str_to_u64(str_of(json_string_value(id)), &number);
                json_t *alert = alert_row_read(reader, number, &missing);
                if (alert)
                        json_array_append_new(alerts, alert); /* without a row: retention took it */
        }
        json_decref(ids);
        return alerts;
}

static const char timeline_sql[] = "SELECT id, alert, time_ns, kind, by, text FROM engage_timeline WHERE incident = ?1 ORDER BY id LIMIT ?2";
static const char merged_sql[] = "SELECT number FROM engage_incident WHERE merged_into = ?1 AND number < ?2 ORDER BY number";
static bool set(json_t *object, const char *key, json_t *value)
{
        return value && json_object_set_new(object, key, value) == 0;
}

json_t *incident_row_read(struct database *reader, uint32_t number, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " COUNTED " FROM engage_incident WHERE number = ?1", err))
                return NULL;
        query_bind_i64(&query, 1, number);
        if (!query_step(&query, err)) {
                if (query_good(&query))
                        fail(err, ERR_NOT_FOUND, "engage", "there is no incident %u", number);
                return NULL;
        }
        uint64_t id = (uint64_t)query_i64(&query, 0);
        json_t *incident = incident_json(&query);
        if (incident && set(incident, "alerts", alerts_of(reader, id, err)) &&
            set(incident, "timeline", rows_about(reader, timeline_sql, id, TIMELINE_READ_MAX, timeline_json, err)) &&
            set(incident, "merged", rows_about(reader, merged_sql, id, INT64_MAX, number_json, err)) &&
            set(incident, "suggestion", suggestion_row_read(reader, id, err)) &&
            set(incident, "judged", judged_rows_read(reader, id, err)) &&
            set(incident, "similar", alike_rows_read(reader, id, err)))
                return incident;
        json_decref(incident);
        return NULL;
}

/* --- what was too much, and what was missed -------------------------------------------------------------------------------- */

static json_t *judged_json(struct query *query)
{
        return json_pack("{s:o, s:I}", "kind", json_text(query_str(query, 0)), "incidents", (json_int_t)query_i64(query, 1));
}

static json_t *missed_json(struct query *query)
{
        return json_pack("{s:I, s:o, s:o}", "number", (json_int_t)query_i64(query, 0), "title", json_text(query_str(query, 1)), "opened_ns",
                         time_ns_json(query_i64(query, 2)));
}

#define RECENT "(SELECT id, number, title, state, flags, opened_ns FROM engage_incident ORDER BY number DESC LIMIT " TALLY_READ_MAX ")"
static const char opened_sql[] = "SELECT count(*) FROM " RECENT " WHERE opened_ns >= ?2 AND state <> 6 AND (flags & ?1) = 0";
/* The last word about each counts. */
static const char judged_sql[] = "SELECT kind, count(*) FROM (SELECT (SELECT text FROM engage_timeline t WHERE t.incident = r.id AND t.kind = 'noise'"
                                 " ORDER BY t.id DESC LIMIT 1) AS kind FROM " RECENT " r WHERE r.opened_ns >= ?2 AND (r.flags & ?1) <> 0)"
                                 " WHERE kind IS NOT NULL GROUP BY kind";
static const char missed_sql[] = "SELECT r.number, r.title, r.opened_ns FROM " RECENT " r WHERE r.opened_ns >= ?2 AND (SELECT a.origin FROM engage_member m"
                                 " JOIN engage_alert a ON a.id = m.alert WHERE m.incident = r.id ORDER BY m.joined_ns, m.alert LIMIT 1) = ?1"
                                 " ORDER BY r.number DESC LIMIT 50";

json_t *incident_tally_read(struct database *reader, int64_t since_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *opened = rows_about(reader, opened_sql, FLAG_HELD, since_ns, number_json, err);
        json_t *judged = opened ? rows_about(reader, judged_sql, FLAG_NOISE, since_ns, judged_json, err) : NULL;
        json_t *missed = judged ? rows_about(reader, missed_sql, FINDING_PERSON, since_ns, missed_json, err) : NULL;
        if (!missed) {
                json_decref(judged);
                return NULL;
        }
        json_t *tally = json_pack("{s:O, s:o, s:o}", "incidents", json_array_get(opened, 0), "judged", judged, "missed", missed);
        if (!tally)
                fail_memory(err, "engage", 256);
        return tally;
}

static json_t *why_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:o}", "time_ns", time_ns_json(query_i64(query, 0)), "decision", json_text(query_str(query, 1)), "reasons",
                         parsed_or_null(query_str(query, 2)));
}

json_t *why_rows_read(struct database *reader, uint64_t subject, struct err *err)
{
        return rows_about(reader, "SELECT time_ns, decision, reasons FROM engage_why WHERE subject = ?1 ORDER BY id DESC LIMIT ?2", subject, 200, why_json, err);
}

static json_t *why_of_alert(struct database *reader, uint64_t id, struct err *err)
{
        struct err missing = {0};
        scoped_ptr(json_decref) json_t *alert = alert_row_read(reader, id, &missing);
        json_t *why = why_rows_read(reader, id, err);
        return why ? json_pack("{s:o, s:s, s:o}", "id", id_json(id), "name", alert ? json_string_value(json_object_get(alert, "name")) : "", "why", why) : NULL;
}

#define WHY_ALERTS_MAX 50

json_t *incident_why_read(struct database *reader, uint32_t number, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT id FROM engage_incident WHERE number = ?1", err))
                return NULL;
        query_bind_i64(&query, 1, number);
        if (!query_step(&query, err)) {
                if (query_good(&query))
                        fail(err, ERR_NOT_FOUND, "engage", "there is no incident %u", number);
                return NULL;
        }
        uint64_t id = (uint64_t)query_i64(&query, 0);
        scoped_ptr(json_decref) json_t *ids = rows_about(reader, "SELECT alert FROM engage_member WHERE incident = ?1 ORDER BY joined_ns, alert LIMIT ?2", id,
                                                         WHY_ALERTS_MAX, member_json, err);
        json_t *why = ids ? why_rows_read(reader, id, err) : NULL, *alerts = why ? json_array() : NULL, *one;
        size_t at;
        json_array_foreach (ids, at, one) {
                uint64_t alert = 0;
                str_to_u64(str_of(json_string_value(one)), &alert);
                if (!alerts || json_array_append_new(alerts, why_of_alert(reader, alert, err)) != 0)
                        break;
        }
        json_t *object = alerts ? json_pack("{s:o, s:o}", "why", why, "alerts", alerts) : NULL;
        if (!object)
                fail_memory(err, "engage", 256);
        return object;
}

bool incident_number_of(struct database *reader, uint64_t id, uint32_t *out_number, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT number FROM engage_incident WHERE id = ?1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)id);
        *out_number = query_step(&query, err) ? (uint32_t)query_i64(&query, 0) : 0;
        return query_good(&query);
}

static json_t *ledger_json(struct query *query)
{
        struct ledger_entry entry = ledger_of(query);
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", id_json(entry.id), "time_ns", time_ns_json(entry.time_ns), "model",
                         json_text(entry.model), "by", json_text(entry.by), "what", json_text(entry.what), "effect", parsed_or_null(entry.effect),
                         "reverted_ns", time_ns_json(entry.reverted_ns), "reverted_by", json_text(entry.reverted_by), "replay", parsed_or_null(entry.replay));
}

json_t *ledger_rows_read(struct database *reader, uint64_t before_id, size_t limit, struct err *err)
{
        return rows_about(reader, "SELECT id, time_ns, model, by, what, effect, reverted_ns, reverted_by, replay FROM model_ledger WHERE id < ?1"
                                  " ORDER BY id DESC LIMIT ?2", before_id ? before_id : INT64_MAX, (int64_t)limit, ledger_json, err);
}
