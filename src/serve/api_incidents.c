/*
 * api_incidents.c - incidents, the alerts and changes behind them, why each was decided, and what people order about them.
 *
 * Reading goes to the state database through the server's reader; whatever changes something is a command in the asker's name.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "engage/engage.h"
#include "engage/incident_table.h"
#include "engage/outbox_table.h"
#include "serve/server.h"
#include "serve/when.h"

#include <stdio.h>

#define LIST_MAX 1000
#define LIST_USUAL 100

/* Takes the object; NULL: err was filled by whoever made it. */
static bool answer(struct request *request, json_t *object, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = object;
        return body && request_answer_json(request, 200, body, err);
}

/* {name: list}; takes list. */
static bool answer_list(struct request *request, const char *name, json_t *list, struct err *err)
{
        json_t *object = list ? json_pack("{s:o}", name, list) : NULL;
        if (list && !object)
                return fail_memory(err, "serve", sizeof(void *));
        return answer(request, object, err);
}

static bool read_number(struct str text, const char *what, uint64_t most, uint64_t *out_number, struct err *err)
{
        return (str_to_u64(text, out_number) && *out_number > 0 && *out_number <= most) ||
               fail(err, ERR_INVALID, "serve", "\"%.*s\" is no %s", STR_ARGS(str_slice(text, 0, 40)), what);
}

static bool read_time(struct request *request, const char *name, int64_t *out_ns, struct err *err)
{
        struct str text = request_field(request, name);
        return !text.length || when_any(text, clock_now_ns(server_of(request)->context.clock), out_ns) ||
               fail(err, ERR_INVALID, "serve", "invalid parameter \"%s\": it is a time, as 2026-01-31T10:00:00Z or -2h", name);
}

static bool read_limit(struct request *request, size_t *out_limit, struct err *err)
{
        int64_t limit;
        if (!request_number(request, "limit", LIST_USUAL, 1, LIST_MAX, &limit, err))
                return false;
        *out_limit = (size_t)limit;
        return true;
}

/* --- incidents --- */

static bool read_state(struct request *request, struct incident_filter *filter, struct err *err)
{
        struct str state = request_field(request, "state");
        if (!state.length || str_is(state, "all"))
                return true;
        filter->only_alive = str_is(state, "alive");
        for (enum incident_state one = INCIDENT_OPEN; one <= INCIDENT_MERGED; one++)
                if (str_is(state, incident_state_name(one)))
                        filter->state = one;
        return filter->only_alive || filter->state ||
               fail(err, ERR_INVALID, "serve", "\"%.*s\" is no state; there are all, alive, open, acknowledged, acting, resolved, closed, merged",
                    STR_ARGS(str_slice(state, 0, 40)));
}

static bool read_severity(struct request *request, struct incident_filter *filter, struct err *err)
{
        struct str severity = request_field(request, "severity");
        for (enum alert_severity one = ALERT_INFO; one <= ALERT_CRITICAL; one++)
                if (str_is(severity, alert_severity_name(one)))
                        filter->severity = one;
        return !severity.length || filter->severity ||
               fail(err, ERR_INVALID, "serve", "\"%.*s\" is no severity; there are info, warning, critical", STR_ARGS(str_slice(severity, 0, 40)));
}

static bool read_held(struct request *request, struct incident_filter *filter, struct err *err)
{
        struct str held = request_field(request, "held");
        filter->only_held = str_is(held, "only");
        filter->only_told = str_is(held, "none");
        return !held.length || str_is(held, "all") || filter->only_held || filter->only_told ||
               fail(err, ERR_INVALID, "serve", "invalid parameter \"held\": it is all, only (those that were held back) or none");
}

/* Adds "told", the teams that were told of it, whatever was routed since. The reader is locked. */
static bool add_teams(struct server *server, json_t *incident, struct err *err)
{
        uint64_t id = 0;
        str_to_u64(json_str(incident, "id"), &id);
        json_t *teams = told_teams_read(server->reader, id, err);
        return teams && (json_object_set_new(incident, "told", teams) == 0 || fail_memory(err, "serve", sizeof(void *)));
}

bool incidents_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct incident_filter filter = {.team = request_field(request, "team"), .owner = request_field(request, "owner"),
                                         .text = request_field(request, "text")};
        int64_t before;
        if (!read_state(request, &filter, err) || !read_severity(request, &filter, err) || !read_held(request, &filter, err) ||
            !read_limit(request, &filter.limit, err) || !read_time(request, "start", &filter.since_ns, err) ||
            !read_time(request, "end", &filter.until_ns, err) || !request_number(request, "before", 0, 0, UINT32_MAX, &before, err))
                return false;
        filter.before_number = (uint32_t)before;
        with_lock(&server->reader_lock);
        json_t *list = incident_rows_read(server->reader, &filter, err), *incident;
        size_t at;
        json_array_foreach (list, at, incident)
                if (!add_teams(server, incident, err)) {
                        json_decref(list);
                        return false;
                }
        return answer_list(request, "incidents", list, err);
}

#define TALLY_HOURS_MAX (24 * 366)

bool incidents_tally(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        int64_t hours;
        if (!request_number(request, "hours", 24 * 7, 1, TALLY_HOURS_MAX, &hours, err))
                return false;
        int64_t since_ns = clock_now_ns(server->context.clock) - hours * 3600 * NS_PER_S;
        with_lock(&server->reader_lock);
        json_t *tally = incident_tally_read(server->reader, since_ns, err), *messages = tally ? outbox_tally_read(server->reader, since_ns, err) : NULL;
        if (!messages || json_object_set_new(tally, "messages", messages) != 0) {
                json_decref(tally);
                return messages ? fail_memory(err, "serve", sizeof(void *)) : false;
        }
        return answer(request, tally, err);
}

bool incidents_show(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        uint64_t number;
        if (!read_number(request->captured[0], "number of an incident", UINT32_MAX, &number, err))
                return false;
        with_lock(&server->reader_lock);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(server->reader, (uint32_t)number, err);
        return incident && add_teams(server, incident, err) && answer(request, json_incref(incident), err);
}

/* Orders, and answers what the command said. Takes arguments. */
static bool order(struct request *request, const char *verb, json_t *arguments, struct err *err)
{
        struct server *server = server_of(request);
        json_t *result = NULL;
        if (!arguments)
                return fail_memory(err, "serve", sizeof(void *));
        if (!server->context.command(server->context.loop, verb, arguments, asker_of(request)->name, &result, err))
                return false;
        scoped_ptr(json_decref) json_t *kept = result;
        json_t *done = json_is_object(kept) ? json_deep_copy(kept) : json_object();
        if (!done || json_object_set_new(done, "status", json_string("success")) != 0) {
                json_decref(done);
                return fail_memory(err, "serve", sizeof(void *));
        }
        return answer(request, done, err);
}

bool incidents_add(struct request *request, struct err *err)
{
        json_t *body = NULL;
        return request_json(request, &body, err) && order(request, "incident_open", body, err);
}

bool incidents_order(struct request *request, struct err *err)
{
        uint64_t number;
        char verb[64];
        struct str name = request->captured[1];
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!read_number(request->captured[0], "number of an incident", UINT32_MAX, &number, err))
                return false;
        snprintf(verb, sizeof verb, "incident_%.*s", (int)min_of(name.length, (size_t)40), name.bytes);
        if (!engage_handles(verb) || str_is(name, "open"))
                return fail(err, ERR_NOT_FOUND, "serve", "\"%.*s\" cannot be done to an incident", STR_ARGS(str_slice(name, 0, 40)));
        if (!request_json(request, &body, err))
                return false;
        if (json_object_set_new(body, "incident", json_integer((json_int_t)number)) != 0)
                return fail_memory(err, "serve", sizeof(void *));
        return order(request, verb, json_incref(body), err);
}

bool incidents_why(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        uint64_t number;
        if (!read_number(request->captured[0], "number of an incident", UINT32_MAX, &number, err))
                return false;
        with_lock(&server->reader_lock);
        return answer(request, incident_why_read(server->reader, (uint32_t)number, err), err);
}

/* --- alerts and changes --- */

static bool read_filter(struct request *request, struct alert_filter *filter, struct err *err)
{
        struct str before = request_field(request, "before");
        filter->name = request_field(request, "name");
        return read_limit(request, &filter->limit, err) && read_time(request, "start", &filter->since_ns, err) &&
               read_time(request, "end", &filter->until_ns, err) &&
               (!before.length || read_number(before, "id to begin before", INT64_MAX, &filter->before_id, err));
}

bool alerts_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct alert_filter filter = {0};
        struct str state = request_field(request, "state");
        if (!read_filter(request, &filter, err))
                return false;
        filter.has_firing = state.length && !str_is(state, "all");
        filter.is_firing = str_is(state, "firing");
        if (filter.has_firing && !filter.is_firing && !str_is(state, "resolved"))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"state\": it is all, firing or resolved");
        with_lock(&server->reader_lock);
        return answer_list(request, "alerts", alert_rows_read(server->reader, &filter, err), err);
}

bool alerts_why(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        uint64_t id;
        if (!read_number(request->captured[0], "id of an alert", INT64_MAX, &id, err))
                return false;
        with_lock(&server->reader_lock);
        json_t *alert = alert_row_read(server->reader, id, err);
        json_t *why = alert ? why_rows_read(server->reader, id, err) : NULL;
        if (!why) {
                json_decref(alert);
                return false;
        }
        json_t *object = json_pack("{s:o, s:o}", "alert", alert, "why", why);
        return object ? answer(request, object, err) : fail_memory(err, "serve", sizeof(void *));
}

bool changes_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct alert_filter filter = {0};
        if (!read_filter(request, &filter, err))
                return false;
        filter.name = request_field(request, "kind");
        with_lock(&server->reader_lock);
        return answer_list(request, "changes", change_rows_read(server->reader, &filter, err), err);
}

/* --- the ledger of what was learned --- */

bool ledger_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct str before = request_field(request, "before");
        uint64_t before_id = 0;
        size_t limit;
        if (!read_limit(request, &limit, err) || (before.length && !read_number(before, "id to begin before", INT64_MAX, &before_id, err)))
                return false;
        with_lock(&server->reader_lock);
        return answer_list(request, "entries", ledger_rows_read(server->reader, before_id, limit, err), err);
}

bool ledger_revert(struct request *request, struct err *err)
{
        struct str id = request->captured[0];
        return order(request, "model_revert", json_pack("{s:s%}", "entry", id.bytes, id.length), err);
}
