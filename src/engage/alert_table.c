/* alert_table.c - see alert_table.h. */
#include "engage/alert_table.h"

#include "base/json.h"
#include "base/reader.h"
#include "base/scope.h"
#include "engage/engage_state.h"
#include "store/database.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { FLAG_EXPIRED = 1, FLAG_FLAPPING = 2, FLAG_HELD = 4 };

#define COLUMNS                                                                                                        \
        "id, fingerprint, name, incident, is_firing, flags, severity, origin, first_ns, starts_ns, ends_ns, changed_ns,"\
        " told_ns, quiet_ns, times, flaps, held_flaps, value, p_value, labels, annotations, source, evidence,"          \
        " generator_url, held_why"

static void bind_value(struct query *query, int at, const struct alert *alert)
{
        if (isnan(alert->value))
                query_bind_null(query, at);
        else
                query_bind_double(query, at, alert->value);
}

static void bind_alert(struct query *query, const void *context)
{
        const struct alert *alert = context;
        struct alert_told told = alert_told(alert);
        const int64_t numbers[] = {(int64_t)alert->incident, alert->is_firing,
                                   (alert->is_expired ? FLAG_EXPIRED : 0) | (alert->is_flapping ? FLAG_FLAPPING : 0) | (alert->is_held ? FLAG_HELD : 0),
                                   alert->severity, alert->origin, alert->first_ns, alert->starts_ns, alert->ends_ns, alert->changed_ns,
                                   alert->told_ns, alert->quiet_ns, alert->times, alert->flaps, alert->held_flaps};
        query_bind_i64(query, 1, (int64_t)alert->id);
        query_bind_blob(query, 2, (struct str){(const char *)&alert->fingerprint, sizeof alert->fingerprint});
        query_bind_str(query, 3, alert_label(alert, STR("alertname")));
        for (size_t i = 0; i < countof(numbers); i++)
                query_bind_i64(query, 4 + (int)i, numbers[i]);
        bind_value(query, 18, alert);
        query_bind_double(query, 19, alert->p_value);
        query_bind_blob(query, 20, told.labels);
        query_bind_blob(query, 21, told.annotations);
        query_bind_str(query, 22, told.source);
        query_bind_str(query, 23, told.evidence);
        query_bind_str(query, 24, told.generator_url);
        query_bind_str(query, 25, told.held_why);
}

static void bind_telling(struct query *query, const void *context)
{
        const struct alert *alert = context;
        query_bind_i64(query, 1, (int64_t)alert->id);
        query_bind_i64(query, 2, alert->told_ns);
        query_bind_i64(query, 3, alert->starts_ns);
        query_bind_i64(query, 4, alert->ends_ns);
        query_bind_i64(query, 5, alert->times);
        bind_value(query, 6, alert);
        query_bind_double(query, 7, alert->p_value);
}

/* A sender tells each alert every minute: then no index changes, and no text. */
static bool write_telling(struct database *state, const struct alert *alert, struct err *err)
{
        return query_run(state, "UPDATE engage_alert SET told_ns = ?2, starts_ns = ?3, ends_ns = ?4, times = ?5, value = ?6, p_value = ?7 WHERE id = ?1", bind_telling, alert, err);
}

bool alert_row_write(struct database *state, const struct alert *alert, struct err *err)
{
        return alert->is_told_alone ? write_telling(state, alert, err) :
               query_run(state, "INSERT OR REPLACE INTO engage_alert (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                                " ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)", bind_alert, alert, err);
}

static struct alert alert_of(struct query *query)
{
        int64_t flags = query_i64(query, 5);
        struct alert alert = {.id = (uint64_t)query_i64(query, 0), .incident = (uint64_t)query_i64(query, 3), .is_firing = query_i64(query, 4),
                              .is_expired = flags & FLAG_EXPIRED, .is_flapping = flags & FLAG_FLAPPING, .is_held = flags & FLAG_HELD,
                              .severity = (uint8_t)query_i64(query, 6), .origin = (uint8_t)query_i64(query, 7), .first_ns = query_i64(query, 8),
                              .starts_ns = query_i64(query, 9), .ends_ns = query_i64(query, 10), .changed_ns = query_i64(query, 11),
                              .told_ns = query_i64(query, 12), .quiet_ns = query_i64(query, 13), .times = (uint32_t)query_i64(query, 14),
                              .flaps = (uint32_t)query_i64(query, 15), .held_flaps = (uint32_t)query_i64(query, 16),
                              .value = query_is_null(query, 17) ? NAN : query_double(query, 17), .p_value = query_double(query, 18)};
        struct str print = query_str(query, 1);
        if (print.length == sizeof alert.fingerprint)
                memcpy(&alert.fingerprint, print.bytes, print.length);
        return alert;
}

bool alert_rows_load(struct database *state, int64_t since_ns, struct alerts *alerts, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " COLUMNS " FROM engage_alert WHERE is_firing = 1 OR changed_ns > ?1 ORDER BY id", err))
                return false;
        query_bind_i64(&query, 1, since_ns);
        while (query_step(&query, err)) {
                struct alert alert = alert_of(&query);
                struct alert_told told = {query_str(&query, 19), query_str(&query, 20), query_str(&query, 21), query_str(&query, 22),
                                          query_str(&query, 23), query_str(&query, 24)};
                if (!alerts_restore(alerts, &alert, &told, err))
                        return false;
        }
        return query_good(&query);
}

/* --- changes --------------------------------------------------------------------------------------------------------------- */

bool change_row_write(struct database *state, const struct change_note *note, struct err *err)
{
        scoped(buf_done) struct buf packed = {0}, entities = {0};
        scoped(query_done) struct query query = {0};
        for (size_t i = 0; i < note->entity_count; i++)
                buf_u64(&entities, note->entities[i]);
        if (!labels_pack(&note->change.labels, &packed) || entities.failed)
                return fail_memory(err, "engage", packed.length);
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO engage_change (id, time_ns, kind, title, by, reference, url, labels, entities)"
                                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)note->id);
        query_bind_i64(&query, 2, note->change.time_ns);
        query_bind_str(&query, 3, note->change.kind);
        query_bind_str(&query, 4, note->change.title);
        query_bind_str(&query, 5, note->change.by);
        query_bind_str(&query, 6, note->change.reference);
        query_bind_str(&query, 7, note->change.url);
        query_bind_blob(&query, 8, buf_str(&packed));
        query_bind_blob(&query, 9, entities.length ? buf_str(&entities) : STR(""));
        query_step(&query, err);
        return query_good(&query);
}

bool change_rows_load(struct database *state, size_t newest, bool (*take)(void *context, const struct change_note *note, struct err *err), void *context,
                      struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT * FROM (SELECT id, time_ns, title, entities FROM engage_change ORDER BY id DESC LIMIT ?1) ORDER BY id", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)newest);
        while (query_step(&query, err)) {
                struct change_note note = {.id = (uint64_t)query_i64(&query, 0), .change = {.time_ns = query_i64(&query, 1), .title = query_str(&query, 2)}};
                struct reader reader = reader_of(query_str(&query, 3));
                while (reader_left(&reader) >= sizeof(uint64_t) && note.entity_count < TOPOLOGY_ENTITIES_MAX)
                        note.entities[note.entity_count++] = reader_u64(&reader);
                if (!take(context, &note, err))
                        return false;
        }
        return query_good(&query);
}

bool alert_rows_forget(struct database *state, int64_t before_ns, struct err *err)
{
        scoped(query_done) struct query query = {0}, changes = {0};
        if (!query_begin(&query, state, "DELETE FROM engage_alert WHERE id IN (SELECT id FROM engage_alert WHERE is_firing = 0 AND changed_ns < ?1 LIMIT 500)", err))
                return false;
        query_bind_i64(&query, 1, before_ns);
        query_step(&query, err);
        if (!query_good(&query) ||
            !query_begin(&changes, state, "DELETE FROM engage_change WHERE id IN (SELECT id FROM engage_change WHERE time_ns < ?1 LIMIT 500)", err))
                return false;
        query_bind_i64(&changes, 1, before_ns);
        query_step(&changes, err);
        return query_good(&changes);
}

/* --- for readers ----------------------------------------------------------------------------------------------------------- */

json_t *id_json(uint64_t id)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, id);
        return id ? json_string(text) : json_null();
}

json_t *time_ns_json(int64_t time_ns)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, time_ns);
        return time_ns ? json_string(text) : json_null();
}

json_t *packed_labels_json(struct str packed)
{
        scoped(arena_done) struct arena arena;
        struct labels labels = {0};
        arena_init(&arena, 0);
        if (!labels_unpack(packed, &arena, &labels, NULL))
                return NULL;
        json_t *object = json_object();
        each (label, &labels) {
                struct str name = arena_printf(&arena, "%.*s", STR_ARGS(label->name));
                if (!object || !name.bytes || json_object_set_new_nocheck(object, name.bytes, json_text(label->value)) != 0) {
                        json_decref(object);
                        return NULL;
                }
        }
        return object;
}

/* For readers: people know an incident by its number. */
#define SHOWN COLUMNS ", (SELECT number FROM engage_incident AS i WHERE i.id = engage_alert.incident)"
#define AT_NUMBER 25

static json_t *alert_json(struct query *query)
{
        struct alert alert = alert_of(query);
        return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:b, s:o, s:b, s:b, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                         "id", id_json(alert.id), "name", json_text(query_str(query, 2)), "incident", id_json(alert.incident),
                         "incident_number", query_is_null(query, AT_NUMBER) ? json_null() : json_integer(query_i64(query, AT_NUMBER)),
                         "state", alert.is_firing ? "firing" : alert.is_expired ? "expired" : "resolved",
                         "severity", alert_severity_name(alert.severity), "origin", finding_origin_name(alert.origin),
                         "is_held", alert.is_held, "held_why", json_text(query_str(query, 24)), "is_flapping", alert.is_flapping,
                         "is_expired", alert.is_expired, "times", (int)alert.times, "flaps", (int)(alert.flaps + alert.held_flaps),
                         "first_ns", time_ns_json(alert.first_ns), "starts_ns", time_ns_json(alert.starts_ns),
                         "ends_ns", time_ns_json(alert.ends_ns), "changed_ns", time_ns_json(alert.changed_ns),
                         "told_ns", time_ns_json(alert.told_ns), "value", isnan(alert.value) || isinf(alert.value) ? json_null() : json_real(alert.value),
                         "labels", packed_labels_json(query_str(query, 19)), "annotations", packed_labels_json(query_str(query, 20)),
                         "source", json_text(query_str(query, 21)), "evidence", json_text(query_str(query, 22)),
                         "generator_url", json_text(query_str(query, 23)));
}

static void bind_filter(struct query *query, const struct alert_filter *filter)
{
        query_bind_i64(query, 1, filter->before_id ? (int64_t)filter->before_id : INT64_MAX);
        query_bind_i64(query, 2, filter->since_ns);
        query_bind_i64(query, 3, filter->until_ns ? filter->until_ns : INT64_MAX);
        query_bind_i64(query, 4, (int64_t)filter->limit);
        query_bind_str(query, 5, filter->name.bytes ? filter->name : STR(""));
        query_bind_i64(query, 6, filter->has_firing ? filter->is_firing : -1);
        query_bind_i64(query, 7, (int64_t)filter->incident);
}

json_t *alert_rows_read(struct database *reader, const struct alert_filter *filter, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " SHOWN " FROM engage_alert WHERE id < ?1 AND changed_ns >= ?2 AND changed_ns <= ?3"
                                         " AND (?5 = '' OR name = ?5) AND (?6 < 0 OR is_firing = ?6) AND (?7 = 0 OR incident = ?7)"
                                         " ORDER BY id DESC LIMIT ?4", err))
                return NULL;
        bind_filter(&query, filter);
        return query_rows(&query, alert_json, err);
}

json_t *alert_row_read(struct database *reader, uint64_t id, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " SHOWN " FROM engage_alert WHERE id = ?1", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)id);
        if (!query_step(&query, err)) {
                if (query_good(&query))
                        fail(err, ERR_NOT_FOUND, "engage", "there is no alert %" PRIu64, id);
                return NULL;
        }
        return alert_json(&query);
}

static json_t *change_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", id_json((uint64_t)query_i64(query, 0)), "time_ns",
                         time_ns_json(query_i64(query, 1)), "kind", json_text(query_str(query, 2)), "title", json_text(query_str(query, 3)), "by",
                         json_text(query_str(query, 4)), "reference", json_text(query_str(query, 5)), "url", json_text(query_str(query, 6)),
                         "labels", packed_labels_json(query_str(query, 7)));
}

json_t *change_rows_read(struct database *reader, const struct alert_filter *filter, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT id, time_ns, kind, title, by, reference, url, labels FROM engage_change"
                                         " WHERE id < ?1 AND time_ns >= ?2 AND time_ns <= ?3 AND (?5 = '' OR kind = ?5) AND ?6 = ?6 AND ?7 = ?7"
                                         " ORDER BY id DESC LIMIT ?4", err))
                return NULL;
        bind_filter(&query, filter);
        return query_rows(&query, change_json, err);
}
