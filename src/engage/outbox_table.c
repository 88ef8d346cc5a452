/* outbox_table.c - see outbox_table.h. */
#include "engage/outbox_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdio.h>

#define COLUMNS                                                                                                        \
        "id, incident, number, state, is_page, is_repeat, attempts, created_ns, done_ns, team, receiver, address,"     \
        " person, occasion, error, message"

const char *outbox_state_name(enum outbox_state state)
{
        static const char *const names[] = {"?", "pending", "sent", "failed", "given up", "shadowed"};
        return state <= OUTBOX_SHADOWED ? names[state] : names[0];
}

static struct str text_of(struct str text)
{
        return text.bytes ? text : STR("");
}

static void bind_outbox(struct query *query, const void *context)
{
        const struct outbox_row *row = context;
        const int64_t numbers[] = {(int64_t)row->id, (int64_t)row->incident, row->number, row->state, row->is_page, row->is_repeat, row->attempts,
                                   row->created_ns, row->done_ns};
        const struct str texts[] = {row->team, row->receiver, row->to, row->person, row->occasion, row->error, row->message};
        for (size_t i = 0; i < countof(numbers); i++)
                query_bind_i64(query, 1 + (int)i, numbers[i]);
        for (size_t i = 0; i < countof(texts); i++)
                query_bind_str(query, 10 + (int)i, text_of(texts[i]));
}

bool outbox_row_write(struct database *state, const struct outbox_row *row, struct err *err)
{
        return query_run(state, "INSERT OR REPLACE INTO notify_outbox (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                                " ?13, ?14, ?15, ?16)", bind_outbox, row, err);
}

static struct outbox_row outbox_of(struct query *query)
{
        return (struct outbox_row){.id = (uint64_t)query_i64(query, 0), .incident = (uint64_t)query_i64(query, 1), .number = (uint32_t)query_i64(query, 2),
                                   .state = (enum outbox_state)query_i64(query, 3), .is_page = query_i64(query, 4), .is_repeat = query_i64(query, 5),
                                   .attempts = (uint32_t)query_i64(query, 6), .created_ns = query_i64(query, 7), .done_ns = query_i64(query, 8),
                                   .team = query_str(query, 9), .receiver = query_str(query, 10), .to = query_str(query, 11), .person = query_str(query, 12),
                                   .occasion = query_str(query, 13), .error = query_str(query, 14), .message = query_str(query, 15)};
}

bool outbox_rows_load(struct database *state, bool (*take)(void *context, const struct outbox_row *row, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT " COLUMNS " FROM notify_outbox WHERE state IN (1, 3) ORDER BY id", err))
                return false;
        while (query_step(&query, err)) {
                struct outbox_row row = outbox_of(&query);
                if (!take(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

static bool forget(struct database *state, const char *sql, int64_t before_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, sql, err))
                return false;
        query_bind_i64(&query, 1, before_ns);
        query_step(&query, err);
        return query_good(&query);
}

bool outbox_rows_forget(struct database *state, int64_t before_ns, struct err *err)
{
        return forget(state, "DELETE FROM notify_outbox WHERE id IN (SELECT id FROM notify_outbox WHERE state IN (2, 4, 5) AND created_ns < ?1 LIMIT 500)", before_ns, err) &&
               forget(state, "DELETE FROM notify_decision WHERE id IN (SELECT id FROM notify_decision WHERE time_ns < ?1 LIMIT 500)", before_ns, err) &&
               forget(state, "DELETE FROM notify_override WHERE to_ns < ?1", before_ns, err);
}

bool decision_row_write(struct database *state, const struct decision_row *row, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO notify_decision (id, incident, time_ns, is_sent, team, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)row->id);
        query_bind_i64(&query, 2, (int64_t)row->incident);
        query_bind_i64(&query, 3, row->time_ns);
        query_bind_i64(&query, 4, row->is_sent);
        query_bind_str(&query, 5, text_of(row->team));
        query_bind_str(&query, 6, text_of(row->reason));
        query_step(&query, err);
        return query_good(&query);
}

bool pursuit_row_write(struct database *state, uint64_t incident, struct str body, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, body.length ? "INSERT OR REPLACE INTO notify_pursuit (incident, body) VALUES (?1, ?2)" :
                                                      "DELETE FROM notify_pursuit WHERE incident = ?1", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)incident);
        if (body.length)
                query_bind_str(&query, 2, body);
        query_step(&query, err);
        return query_good(&query);
}

bool pursuit_rows_load(struct database *state, bool (*take)(void *context, uint64_t incident, struct str body, struct err *err), void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT incident, body FROM notify_pursuit ORDER BY incident", err))
                return false;
        while (query_step(&query, err))
                if (!take(context, (uint64_t)query_i64(&query, 0), query_str(&query, 1), err))
                        return false;
        return query_good(&query);
}

/* --- silences and overrides ------------------------------------------------------------------------------------------- */

bool silence_row_write(struct database *state, const struct silence *silence, struct err *err)
{
        scoped(query_done) struct query query = {0};
        scoped(buf_done) struct buf matchers = {0};
        scoped_ptr(json_decref) json_t *json = matcher_json_write(&silence->matchers);
        if (!json || !json_write(json, &matchers))
                return fail_memory(err, "engage", matchers.length);
        if (!query_begin(&query, state, silence->is_forgotten ? "DELETE FROM notify_silence WHERE id = ?1" :
                                                                "INSERT OR REPLACE INTO notify_silence (id, matchers, by, comment, starts_ns, ends_ns,"
                                                                " updated_ns, is_maintenance) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", err))
                return false;
        query_bind_str(&query, 1, str_of(silence->id));
        if (!silence->is_forgotten) {
                query_bind_str(&query, 2, buf_str(&matchers));
                query_bind_str(&query, 3, text_of(silence->by));
                query_bind_str(&query, 4, text_of(silence->comment));
                query_bind_i64(&query, 5, silence->starts_ns);
                query_bind_i64(&query, 6, silence->ends_ns);
                query_bind_i64(&query, 7, silence->updated_ns);
                query_bind_i64(&query, 8, silence->is_maintenance);
        }
        query_step(&query, err);
        return query_good(&query);
}

bool silence_rows_load(struct database *state, struct silences *silences, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT id, matchers, by, comment, starts_ns, ends_ns, updated_ns, is_maintenance FROM notify_silence"
                                        " ORDER BY starts_ns, id", err))
                return false;
        while (query_step(&query, err)) {
                scoped_ptr(json_decref) json_t *matchers = json_parse(query_str(&query, 1), err);
                struct silence silence = {.by = query_str(&query, 2), .comment = query_str(&query, 3), .starts_ns = query_i64(&query, 4),
                                          .ends_ns = query_i64(&query, 5), .updated_ns = query_i64(&query, 6), .is_maintenance = query_i64(&query, 7)};
                snprintf(silence.id, sizeof silence.id, "%.*s", STR_ARGS(query_str(&query, 0)));
                if (!matchers || !silences_restore(silences, &silence, matchers, err))
                        return err_within(err, "silence %s", silence.id);
        }
        return query_good(&query);
}

bool override_row_write(struct database *state, uint64_t id, const struct rota_override *override, struct str by, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO notify_override (id, schedule, person, from_ns, to_ns, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)id);
        query_bind_str(&query, 2, override->schedule);
        query_bind_str(&query, 3, override->person);
        query_bind_i64(&query, 4, override->from_ns);
        query_bind_i64(&query, 5, override->to_ns);
        query_bind_str(&query, 6, text_of(by));
        query_step(&query, err);
        return query_good(&query);
}

#define OVERRIDES "SELECT id, schedule, person, from_ns, to_ns, by FROM notify_override WHERE to_ns > ?1 ORDER BY id"

bool override_rows_load(struct database *state, int64_t since_ns, bool (*take)(void *context, uint64_t id, const struct rota_override *override, struct err *err),
                        void *context, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, OVERRIDES, err))
                return false;
        query_bind_i64(&query, 1, since_ns);
        while (query_step(&query, err)) {
                struct rota_override override = {query_str(&query, 1), query_str(&query, 2), query_i64(&query, 3), query_i64(&query, 4)};
                if (!take(context, (uint64_t)query_i64(&query, 0), &override, err))
                        return false;
        }
        return query_good(&query);
}

/* --- what is remembered ------------------------------------------------------------------------------ */

bool memory_write(struct database *state, const char *name, struct str value, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO notify_memory (name, value) VALUES (?1, ?2)", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        query_bind_str(&query, 2, value);
        query_step(&query, err);
        return query_good(&query);
}

bool memory_read(struct database *state, const char *name, struct buf *out, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT value FROM notify_memory WHERE name = ?1", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        if (query_step(&query, err) && !buf_add(out, query_str(&query, 0)))
                return fail_memory(err, "engage", query_str(&query, 0).length);
        return query_good(&query);
}

/* --- for readers ------------------------------------------------------------------------------------------------------ */

static json_t *number_text(int64_t number)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, number);
        return number ? json_string(text) : json_null();
}

static json_t *outbox_json(struct query *query)
{
        struct outbox_row row = outbox_of(query);
        json_t *message = json_parse(row.message, NULL);
        return json_pack("{s:o, s:i, s:s, s:b, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", number_text((int64_t)row.id), "incident",
                         (int)row.number, "state", outbox_state_name(row.state), "is_page", row.is_page, "is_repeat", row.is_repeat, "attempts",
                         (int)row.attempts, "created_ns", number_text(row.created_ns), "done_ns", number_text(row.done_ns), "team", json_text(row.team),
                         "receiver", json_text(row.receiver), "to", json_text(row.to), "person", json_text(row.person), "occasion", json_text(row.occasion),
                         "error", json_text(row.error), "message", message ? message : json_null());
}

static json_t *decision_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:b, s:o, s:o}", "id", number_text(query_i64(query, 0)), "time_ns", number_text(query_i64(query, 2)), "is_sent",
                         (int)query_i64(query, 3), "team", json_text(query_str(query, 4)), "reason", json_text(query_str(query, 5)));
}

static json_t *override_json(struct query *query)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", number_text(query_i64(query, 0)), "schedule", json_text(query_str(query, 1)), "person",
                         json_text(query_str(query, 2)), "from_ns", number_text(query_i64(query, 3)), "to_ns", number_text(query_i64(query, 4)), "by",
                         json_text(query_str(query, 5)));
}

json_t *outbox_rows_read(struct database *reader, uint64_t incident, uint64_t before_id, size_t limit, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " COLUMNS " FROM notify_outbox WHERE (?1 = 0 OR incident = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        query_bind_i64(&query, 2, before_id ? (int64_t)before_id : INT64_MAX);
        query_bind_i64(&query, 3, (int64_t)limit);
        return query_rows(&query, outbox_json, err);
}

json_t *decision_rows_read(struct database *reader, uint64_t incident, size_t limit, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT id, incident, time_ns, is_sent, team, reason FROM notify_decision WHERE incident = ?1 ORDER BY id DESC LIMIT ?2", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        query_bind_i64(&query, 2, (int64_t)limit);
        return query_rows(&query, decision_json, err);
}

json_t *decision_rows_of_number(struct database *reader, uint32_t number, size_t limit, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT id, incident, time_ns, is_sent, team, reason FROM notify_decision WHERE incident ="
                                         " (SELECT id FROM engage_incident WHERE number = ?1) ORDER BY id DESC LIMIT ?2", err))
                return NULL;
        query_bind_i64(&query, 1, number);
        query_bind_i64(&query, 2, (int64_t)limit);
        return query_rows(&query, decision_json, err);
}

json_t *outbox_rows_of_number(struct database *reader, uint32_t number, size_t limit, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT " COLUMNS " FROM notify_outbox WHERE number = ?1 ORDER BY id DESC LIMIT ?2", err))
                return NULL;
        query_bind_i64(&query, 1, number);
        query_bind_i64(&query, 2, (int64_t)limit);
        return query_rows(&query, outbox_json, err);
}

json_t *override_rows_read(struct database *reader, int64_t since_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, OVERRIDES, err))
                return NULL;
        query_bind_i64(&query, 1, since_ns);
        return query_rows(&query, override_json, err);
}

static json_t *team_json(struct query *query)
{
        return json_text(query_str(query, 0));
}

json_t *told_teams_read(struct database *reader, uint64_t incident, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT team FROM notify_decision WHERE incident = ?1 AND team <> '' GROUP BY team ORDER BY max(id) DESC LIMIT 8", err))
                return NULL;
        query_bind_i64(&query, 1, (int64_t)incident);
        return query_rows(&query, team_json, err);
}

json_t *outbox_tally_read(struct database *reader, int64_t since_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, reader, "SELECT count(*), coalesce(sum(is_page), 0) FROM (SELECT is_page, created_ns FROM notify_outbox ORDER BY id DESC"
                                         " LIMIT 20000) WHERE created_ns >= ?1", err))
                return NULL;
        query_bind_i64(&query, 1, since_ns);
        if (!query_step(&query, err))
                return NULL;
        json_t *tally = json_pack("{s:I, s:I}", "all", (json_int_t)query_i64(&query, 0), "pages", (json_int_t)query_i64(&query, 1));
        if (!tally)
                fail_memory(err, "engage", 256);
        return tally;
}
