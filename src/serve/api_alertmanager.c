/*
 * api_alertmanager.c - Alertmanager's API, version 2, as far as amtool and Prometheus ask it: status, alerts, groups, receivers, silences.
 *
 * Reads come from the state database: silences and the policy are read for each request, which people make, not machines. POST
 * /api/v2/alerts is a source's (submit.c). Source: Alertmanager 0.25, its OpenAPI description.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "engage/outbox_table.h"
#include "engage/policy.h"
#include "loop/state_table.h"
#include "serve/server.h"

#include <inttypes.h>
#include <stdio.h>

#define ALERTS_SHOWN_MAX 10000
#define LASTS_NS (300 * NS_PER_S)

SCOPED_PTR(silences_destroy, struct silences)
SCOPED_PTR(policy_destroy, struct policy)

static bool answer(struct request *request, json_t *body, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = body;
        return kept ? request_answer_json(request, 200, kept, err) : fail_memory(err, "serve", 256);
}

static json_t *time_json(int64_t time_ns)
{
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(time_ns, 3, text);
        return json_string(text);
}

/* --- what alerts are measured by -------------------------------------------------------------------------------------- */

struct measure {
        struct silences *silences;
        struct policy *policy;
        struct arena *arena;
        int64_t now_ns;
        struct { struct labels *items; size_t count, capacity; } firing;
};

static bool read_silences(struct request *request, struct silences **out_silences, struct err *err)
{
        struct server *server = server_of(request);
        with_lock(&server->reader_lock);
        return silences_create(out_silences, err) && silence_rows_load(server->reader, *out_silences, err);
}

static bool read_policy(struct request *request, struct policy **out_policy, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *content = NULL;
        {
                with_lock(&server->reader_lock);
                if (!state_read_content(server->reader, &content, err))
                        return false;
        }
        if (!content && !(content = json_pack("{s:[]}", "files")))
                return fail_memory(err, "serve", 64);
        return policy_create(content, out_policy, err);
}

static bool labels_of(const json_t *object, struct arena *arena, struct labels *out_labels, struct err *err)
{
        const char *name;
        json_t *value;
        struct labels labels = {0};
        json_object_foreach ((json_t *)object, name, value) {
                struct label *label = arena_push(arena, &labels);
                if (!label)
                        return fail_memory(err, "serve", sizeof *label);
                *label = (struct label){str_of(name), {json_string_value(value), json_string_length(value)}};
        }
        *out_labels = labels;
        return labels_canonical(out_labels, err);
}

static json_t *inhibited_by(const struct measure *measure, const struct labels *labels)
{
        json_t *list = json_array();
        each (inhibition, &measure->policy->inhibitions) {
                if (!matchers_match(&inhibition->target, labels) || matchers_match(&inhibition->source, labels))
                        continue;
                each (source, &measure->firing) {
                        char print[40];
                        bool fits = matchers_match(&inhibition->source, source);
                        each (name, &inhibition->equal)
                                fits = fits && str_equal(labels_value(source, *name), labels_value(labels, *name));
                        snprintf(print, sizeof print, "%016" PRIx64, labels_id(source).low);
                        if (fits && json_array_size(list) < 10)
                                json_array_append_new(list, json_string(print));
                }
        }
        return list;
}

static json_t *receivers_of(const struct measure *measure, const struct labels *labels)
{
        const struct routing *taken[ROUTED_MAX];
        size_t count = policy_route(measure->policy, labels, taken);
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++) {
                struct str name = taken[i]->team.length ? taken[i]->team : STR("nobody");
                json_array_append_new(list, json_pack("{s:o}", "name", json_text(name)));
        }
        return list;
}

static int64_t time_of(const json_t *alert, const char *key)
{
        int64_t time_ns = 0;
        str_to_i64(json_str(alert, key), &time_ns);
        return time_ns;
}

static json_t *alert_json(const struct measure *measure, const json_t *alert, const struct labels *labels)
{
        char print[40];
        const struct silence *silence = silences_match(measure->silences, labels, measure->now_ns);
        json_t *inhibited = inhibited_by(measure, labels), *silenced = json_array();
        bool is_quiet = silence || json_array_size(inhibited);
        int64_t ends_ns = time_of(alert, "ends_ns");
        if (silence)
                json_array_append_new(silenced, json_string(silence->id));
        snprintf(print, sizeof print, "%016" PRIx64, labels_id(labels).low);
        return json_pack("{s:O, s:o, s:s, s:o, s:o, s:{s:s, s:o, s:o}, s:o, s:O, s:O}", "annotations", json_object_get(alert, "annotations"), "endsAt",
                         time_json(ends_ns ? ends_ns : measure->now_ns + LASTS_NS), "fingerprint", print, "receivers", receivers_of(measure, labels), "startsAt",
                         time_json(time_of(alert, "starts_ns")), "status", "state", is_quiet ? "suppressed" : "active", "silencedBy", silenced, "inhibitedBy",
                         inhibited, "updatedAt", time_json(time_of(alert, "told_ns")), "generatorURL", json_object_get(alert, "generator_url"), "labels",
                         json_object_get(alert, "labels"));
}

/* filter= may stand there several times. */
static bool read_filters(struct request *request, struct arena *arena, struct matchers *matchers, struct err *err)
{
        each (field, &request->fields)
                if (str_is(field->name, "filter") && !matcher_text_read(field->value, arena, matchers, err))
                        return err_within(err, "filter");
        return true;
}

static bool is_wanted(struct request *request, const json_t *shown)
{
        const json_t *status = json_object_get(shown, "status");
        bool is_silenced = json_array_size(json_object_get(status, "silencedBy")), is_inhibited = json_array_size(json_object_get(status, "inhibitedBy"));
        return !(str_is(request_field(request, "silenced"), "false") && is_silenced) && !(str_is(request_field(request, "inhibited"), "false") && is_inhibited) &&
               !(str_is(request_field(request, "active"), "false") && !is_silenced && !is_inhibited);
}

static json_t *read_firing(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct alert_filter filter = {.has_firing = true, .is_firing = true, .limit = ALERTS_SHOWN_MAX};
        with_lock(&server->reader_lock);
        return alert_rows_read(server->reader, &filter, err);
}

static bool list_alerts(struct request *request, json_t *shown, struct matchers *filters, struct err *err)
{
        scoped_ptr(silences_destroy) struct silences *silences = NULL;
        scoped_ptr(policy_destroy) struct policy *policy = NULL;
        scoped_ptr(json_decref) json_t *alerts = read_firing(request, err);
        struct measure measure = {.arena = &request->arena, .now_ns = clock_now_ns(server_of(request)->context.clock)};
        size_t at;
        json_t *alert;
        if (!alerts || !read_filters(request, &request->arena, filters, err) || !read_silences(request, &silences, err) || !read_policy(request, &policy, err))
                return false;
        measure.silences = silences;
        measure.policy = policy;
        json_array_foreach (alerts, at, alert) {
                struct labels *labels = arena_push(&request->arena, &measure.firing);
                if (!labels || !labels_of(json_object_get(alert, "labels"), &request->arena, labels, err))
                        return labels ? false : fail_memory(err, "serve", sizeof *labels);
        }
        json_array_foreach (alerts, at, alert) {
                if (!matchers_match(filters, &measure.firing.items[at]))
                        continue;
                json_t *one = alert_json(&measure, alert, &measure.firing.items[at]);
                if (one && is_wanted(request, one) ? json_array_append_new(shown, one) != 0 : (json_decref(one), one == NULL))
                        return fail_memory(err, "serve", 512);
        }
        return true;
}

bool am_alerts(struct request *request, struct err *err)
{
        struct matchers filters = {0};
        json_t *shown = json_array();
        bool good = shown && list_alerts(request, shown, &filters, err);
        matchers_done(&filters);
        if (good)
                return answer(request, shown, err);
        json_decref(shown);
        return false;
}

/* A group is a team here: which alerts are one incident stands in /api/v1/incidents. */
static json_t *group_of(json_t *groups, const json_t *name)
{
        size_t at;
        json_t *group;
        json_array_foreach (groups, at, group)
                if (json_equal(json_object_get(json_object_get(group, "receiver"), "name"), name))
                        return group;
        group = json_pack("{s:{}, s:{s:O}, s:[]}", "labels", "receiver", "name", name, "alerts");
        json_array_append_new(groups, group);
        return group;
}

bool am_groups(struct request *request, struct err *err)
{
        struct matchers filters = {0};
        scoped_ptr(json_decref) json_t *shown = json_array();
        json_t *groups = json_array(), *alert, *receiver;
        size_t at, i;
        bool good = shown && groups && list_alerts(request, shown, &filters, err);
        matchers_done(&filters);
        if (!good) {
                json_decref(groups);
                return false;
        }
        json_array_foreach (shown, at, alert)
                json_array_foreach (json_object_get(alert, "receivers"), i, receiver)
                        json_array_append(json_object_get(group_of(groups, json_object_get(receiver, "name")), "alerts"), alert);
        return answer(request, groups, err);
}

bool am_receivers(struct request *request, struct err *err)
{
        scoped_ptr(policy_destroy) struct policy *policy = NULL;
        json_t *list;
        if (!read_policy(request, &policy, err) || !(list = json_array()))
                return false;
        each (team, &policy->teams)
                json_array_append_new(list, json_pack("{s:o}", "name", json_text(team->name)));
        return answer(request, list, err);
}

bool am_status(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        return answer(request, json_pack("{s:{s:s, s:[]}, s:{s:s}, s:o, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "cluster", "status", "disabled", "peers", "config",
                                         "original", "# Evenkeel: teams, routes and receivers stand in its content files\n", "uptime", time_json(server->started_ns),
                                         "versionInfo", "version", server->context.version, "branch", "", "buildDate", "", "buildUser", "", "goVersion", "", "revision", ""),
                      err);
}

/* --- silences --------------------------------------------------------------------------------------------------------- */

static json_t *silence_json(const struct silence *silence, int64_t now_ns)
{
        const char *state = now_ns >= silence->ends_ns ? "expired" : now_ns < silence->starts_ns ? "pending" : "active";
        return json_pack("{s:s, s:{s:s}, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "id", silence->id, "status", "state", state, "updatedAt",
                         time_json(silence->updated_ns), "comment", json_text(silence->comment), "createdBy", json_text(silence->by), "startsAt",
                         time_json(silence->starts_ns), "endsAt", time_json(silence->ends_ns), "matchers", matcher_json_write(&silence->matchers), "maintenance",
                         silence->is_maintenance);
}

/* As Alertmanager: a silence fits a filter when the filter, asked of what the silence says, holds. */
static bool fits(const struct silence *silence, const struct matchers *filters)
{
        each (filter, filters) {
                bool any = false;
                each (matcher, &silence->matchers)
                        any |= str_equal(matcher->name, filter->name) && matcher_matches(filter, matcher->value);
                if (!any)
                        return false;
        }
        return true;
}

bool am_silences(struct request *request, struct err *err)
{
        scoped_ptr(silences_destroy) struct silences *silences = NULL;
        struct matchers filters = {0};
        size_t at = 0;
        json_t *list = json_array();
        bool good = list && read_filters(request, &request->arena, &filters, err) && read_silences(request, &silences, err);
        for (const struct silence *silence; good && (silence = silences_next(silences, &at));)
                if (fits(silence, &filters))
                        json_array_append_new(list, silence_json(silence, clock_now_ns(server_of(request)->context.clock)));
        matchers_done(&filters);
        if (good)
                return answer(request, list, err);
        json_decref(list);
        return false;
}

bool am_silence_show(struct request *request, struct err *err)
{
        scoped_ptr(silences_destroy) struct silences *silences = NULL;
        size_t at = 0;
        if (!read_silences(request, &silences, err))
                return false;
        for (const struct silence *silence; (silence = silences_next(silences, &at));)
                if (str_is(request->captured[0], silence->id))
                        return answer(request, silence_json(silence, clock_now_ns(server_of(request)->context.clock)), err);
        return fail(err, ERR_NOT_FOUND, "serve", "there is no silence %.*s", STR_ARGS(str_slice(request->captured[0], 0, 60)));
}

bool am_silence_set(struct request *request, struct err *err)
{
        static const struct time_zone utc = {0};
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *body = NULL, *result = NULL;
        int64_t starts_ns, ends_ns;
        if (!request_json(request, &body, err) || !rota_time_read(json_str(body, "startsAt").bytes ? json_str(body, "startsAt") : STR(""), &utc, &starts_ns, err) ||
            !rota_time_read(json_str(body, "endsAt").bytes ? json_str(body, "endsAt") : STR(""), &utc, &ends_ns, err))
                return false;
        json_t *arguments = json_pack("{s:O*, s:O*, s:O*, s:O*, s:I, s:I}", "id", json_object_get(body, "id"), "matchers", json_object_get(body, "matchers"), "comment",
                                      json_object_get(body, "comment"), "by", json_object_get(body, "createdBy"), "starts_ns", (json_int_t)starts_ns, "ends_ns",
                                      (json_int_t)ends_ns);
        if (!arguments)
                return fail_memory(err, "serve", 256);
        return server->context.command(server->context.loop, "silence_create", arguments, asker_of(request)->name, &result, err) &&
               answer(request, json_pack("{s:O}", "silenceID", json_object_get(result, "id")), err);
}

bool am_silence_expire(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *result = NULL;
        json_t *arguments = json_pack("{s:o}", "id", json_text(request->captured[0]));
        if (!arguments)
                return fail_memory(err, "serve", 256);
        return server->context.command(server->context.loop, "silence_expire", arguments, asker_of(request)->name, &result, err) && answer(request, json_object(), err);
}
