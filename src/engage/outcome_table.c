/*
 * outcome_table.c - see outcome_table.h. Alerts are told apart by their labels, not by ids or fingerprints: those of another run, or of a
 * rule whose severity was changed, are other ones.
 */
#include "engage/outcome_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "model/incident.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdlib.h>

/* Takes labels. */
static json_t *sort_json(json_t *labels)
{
        if (!json_is_object(labels)) {
                json_decref(labels);
                return json_string("");
        }
        json_object_del(labels, "severity");
        json_object_del(labels, "team");
        char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
        json_t *sort = json_string(text ? text : "");
        free(text);
        json_decref(labels);
        return sort;
}

static bool has_text(const json_t *list, const char *text)
{
        size_t at;
        const json_t *item;
        json_array_foreach (list, at, item)
                if (strcmp(json_string_value(item), text) == 0)
                        return true;
        return false;
}

/* Adds the sort and the name to the lists of the object, each once. Takes sort. */
static void add_alert(json_t *object, json_t *sort, const char *name)
{
        json_t *alerts = json_object_get(object, "alerts"), *names = json_object_get(object, "names");
        if (!has_text(alerts, json_string_value(sort)))
                json_array_append(alerts, sort);
        if (!has_text(names, name))
                json_array_append_new(names, json_string(name));
        json_decref(sort);
}

/* --- incidents ------------------------------------------------------------------------------------------------------------ */

static json_t *incident_json(struct query *query)
{
        return json_pack("{s:o, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:[], s:[]}", "id", id_json((uint64_t)query_i64(query, 0)), "number",
                         (json_int_t)query_i64(query, 1), "state", incident_state_name(query_i64(query, 2)), "severity",
                         alert_severity_name(query_i64(query, 3)), "title", json_text(query_str(query, 4)), "team", json_text(query_str(query, 5)),
                         "opened_ns", time_ns_json(query_i64(query, 6)), "resolved_ns", time_ns_json(query_i64(query, 7)), "is_held",
                         (query_i64(query, 8) & 1) != 0, "alerts", "names");
}

static const char members_sql[] = "SELECT a.labels, a.name FROM engage_member m JOIN engage_alert a ON a.id = m.alert WHERE m.incident = ?1"
                                  " ORDER BY m.joined_ns, m.alert LIMIT 1000";

static bool add_members(struct database *reader, json_t *incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        uint64_t id = 0;
        if (!str_to_u64(json_str(incident, "id"), &id) || !query_begin(&query, reader, members_sql, err))
                return false;
        query_bind_i64(&query, 1, (int64_t)id);
        while (query_step(&query, err)) {
                scoped_ptr(json_decref) json_t *name = json_text(query_str(&query, 1));
                add_alert(incident, sort_json(packed_labels_json(query_str(&query, 0))), json_string_value(name));
        }
        return query_good(&query);
}

static json_t *incidents_of(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        size_t at;
        json_t *incident;
        if (!query_begin(&query, reader, "SELECT id, number, state, severity, title, team, opened_ns, resolved_ns, flags FROM engage_incident"
                                         " WHERE (opened_ns >= ?1 OR state < 4 OR resolved_ns >= ?1) AND opened_ns <= ?2 AND state <> 6 ORDER BY number LIMIT ?3", err))
                return NULL;
        query_bind_i64(&query, 1, from_ns);
        query_bind_i64(&query, 2, until_ns);
        query_bind_i64(&query, 3, OUTCOME_ROWS_MAX);
        json_t *list = query_rows(&query, incident_json, err);
        json_array_foreach (list, at, incident)
                if (!add_members(reader, incident, err)) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

/* --- who was told --------------------------------------------------------------------------------------------------------- */

/* The message's own alerts: an incident may have been merged into another one since. */
static void add_told_alerts(json_t *told, const json_t *message)
{
        size_t at;
        const json_t *alert;
        json_array_foreach (json_object_get(message, "alerts"), at, alert) {
                const char *name = json_string_value(json_object_get(alert, "name"));
                add_alert(told, sort_json(json_copy(json_object_get(alert, "labels"))), name ? name : "?");
        }
}

static json_t *told_json(struct query *query)
{
        scoped_ptr(json_decref) json_t *message = json_parse(query_str(query, 7), NULL);
        json_t *told = json_pack("{s:o, s:I, s:o, s:o, s:b, s:o, s:o, s:o, s:[], s:[], s:[]}", "incident", id_json((uint64_t)query_i64(query, 0)), "number",
                                 (json_int_t)query_i64(query, 1), "title", json_text(json_str(message, "title")), "occasion", json_text(query_str(query, 2)),
                                 "is_page", query_i64(query, 3) != 0, "team", json_text(query_str(query, 4)), "time_ns", time_ns_json(query_i64(query, 5)),
                                 "severity", json_text(json_str(message, "severity")), "to", "alerts", "names");
        if (told)
                add_told_alerts(told, message);
        return told;
}

static bool is_same_telling(const json_t *one, const json_t *other)
{
        static const char *const keys[] = {"number", "occasion", "team", "time_ns"};
        for (size_t i = 0; i < countof(keys); i++)
                if (!json_equal(json_object_get(one, keys[i]), json_object_get(other, keys[i])))
                        return false;
        return true;
}

static json_t *told_of(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        scoped_ptr(json_decref) json_t *list = json_array();
        if (!query_begin(&query, reader, "SELECT incident, number, occasion, is_page, team, created_ns, CASE person WHEN '' THEN receiver ELSE person || ' by '"
                                         " || receiver END, message FROM notify_outbox WHERE created_ns >= ?1 AND created_ns <= ?2 AND occasion NOT IN"
                                         " ('test', 'canary') AND incident <> 0 ORDER BY created_ns, id LIMIT ?3", err))
                return NULL;
        query_bind_i64(&query, 1, from_ns);
        query_bind_i64(&query, 2, until_ns);
        query_bind_i64(&query, 3, OUTCOME_ROWS_MAX);
        while (query_step(&query, err)) {
                json_t *told = told_json(&query), *last = json_array_get(list, json_array_size(list) - 1);
                if (last && told && is_same_telling(last, told)) {
                        json_decref(told);
                        told = NULL;
                } else if (!told || json_array_append_new(list, told) != 0) {
                        fail_memory(err, "engage", 256);
                        return NULL;
                }
                json_array_append_new(json_object_get(told ? told : last, "to"), json_text(query_str(&query, 6)));
        }
        return query_good(&query) ? give(list) : NULL;
}

static json_t *not_told_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:o, s:o}", "incident", id_json((uint64_t)query_i64(query, 0)), "team", json_text(query_str(query, 1)), "time_ns",
                         time_ns_json(query_i64(query, 2)), "reason", json_text(query_str(query, 3)));
}

static json_t *not_told_of(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT incident, team, time_ns, reason FROM notify_decision WHERE time_ns >= ?1 AND time_ns <= ?2 AND is_sent = 0"
                                         " ORDER BY id LIMIT ?3", err))
                return NULL;
        query_bind_i64(&query, 1, from_ns);
        query_bind_i64(&query, 2, until_ns);
        query_bind_i64(&query, 3, OUTCOME_ROWS_MAX);
        return query_rows(&query, not_told_json, err);
}

json_t *outcome_read(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *incidents = incidents_of(reader, from_ns, until_ns, err);
        scoped_ptr(json_decref) json_t *told = incidents ? told_of(reader, from_ns, until_ns, err) : NULL;
        scoped_ptr(json_decref) json_t *not_told = told ? not_told_of(reader, from_ns, until_ns, err) : NULL;
        if (!not_told)
                return NULL;
        json_t *outcome = json_pack("{s:O, s:O, s:O}", "incidents", incidents, "told", told, "not_told", not_told);
        if (!outcome)
                fail_memory(err, "engage", 256);
        return outcome;
}

/* --- finding an incident of another run ----------------------------------------------------------------------------------- */

json_t *outcome_sorts_of(struct database *reader, uint32_t number, struct err *err)
{
        scoped(query_done) struct query query = {0};
        scoped_ptr(json_decref) json_t *object = json_pack("{s:[], s:[]}", "alerts", "names");
        if (!object || !query_begin(&query, reader, "SELECT a.labels, a.name FROM engage_incident i JOIN engage_member m ON m.incident = i.id"
                                                    " JOIN engage_alert a ON a.id = m.alert WHERE i.number = ?1 ORDER BY m.joined_ns, m.alert LIMIT 100", err))
                return NULL;
        query_bind_i64(&query, 1, number);
        while (query_step(&query, err))
                add_alert(object, sort_json(packed_labels_json(query_str(&query, 0))), "");
        return query_good(&query) ? json_incref(json_object_get(object, "alerts")) : NULL;
}

bool outcome_incident_of(struct database *reader, struct str sort, uint32_t *out_number, struct err *err)
{
        scoped(query_done) struct query query = {0};
        *out_number = 0;
        if (!query_begin(&query, reader, "SELECT a.labels, i.number FROM engage_incident i JOIN engage_member m ON m.incident = i.id JOIN engage_alert a"
                                         " ON a.id = m.alert WHERE i.state <> 6 ORDER BY i.number DESC, m.alert LIMIT 20000", err))
                return false;
        while (!*out_number && query_step(&query, err)) {
                scoped_ptr(json_decref) json_t *own = sort_json(packed_labels_json(query_str(&query, 0)));
                if (str_equal(str_of(json_string_value(own)), sort))
                        *out_number = (uint32_t)query_i64(&query, 1);
        }
        return query_good(&query);
}
