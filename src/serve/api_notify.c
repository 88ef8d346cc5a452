/*
 * api_notify.c - who is on call, what was told of an incident and why not, where labels would lead, and what people order about it.
 *
 * Reads come from the state database and the configuration in force; changes are commands in the asker's name.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/outbox_table.h"
#include "engage/policy.h"
#include "loop/state_table.h"
#include "serve/server.h"

#include <inttypes.h>
#include <stdio.h>

#define AHEAD_NS (14 * 86400 * NS_PER_S)
#define SHIFTS_MAX 400

SCOPED_PTR(policy_destroy, struct policy)

static bool answer(struct request *request, json_t *body, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = body;
        return kept ? request_answer_json(request, 200, kept, err) : fail_memory(err, "serve", 256);
}

static json_t *ns_json(int64_t time_ns)
{
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, time_ns);
        return json_string(text);
}

static bool read_policy(struct request *request, struct policy **out_policy, json_t **out_overrides, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *content = NULL;
        {
                with_lock(&server->reader_lock);
                if (!state_read_content(server->reader, &content, err))
                        return false;
                if (out_overrides && !(*out_overrides = override_rows_read(server->reader, clock_now_ns(server->context.clock), err)))
                        return false;
        }
        if (!content && !(content = json_pack("{s:[]}", "files")))
                return fail_memory(err, "serve", 64);
        return policy_create(content, out_policy, err);
}

/* --- on call ---------------------------------------------------------------------------------------------------------- */

static bool overrides_of(const json_t *rows, struct arena *arena, struct rota_overrides *out, struct err *err)
{
        size_t at;
        const json_t *row;
        struct rota_override *items = arena_array(arena, json_array_size(rows) + 1, sizeof *items);
        if (!items)
                return fail_memory(err, "serve", 256);
        json_array_foreach (rows, at, row) {
                items[at] = (struct rota_override){.schedule = json_str(row, "schedule"), .person = json_str(row, "person")};
                str_to_i64(json_str(row, "from_ns"), &items[at].from_ns);
                str_to_i64(json_str(row, "to_ns"), &items[at].to_ns);
        }
        *out = (struct rota_overrides){items, json_array_size(rows)};
        return true;
}

static json_t *gaps_of(const struct rota *rota, const struct rota_overrides *made, int64_t now_ns)
{
        int64_t from_ns = now_ns, to_ns;
        json_t *gaps = json_array();
        while (json_array_size(gaps) < 20 && rota_gap(rota, made, from_ns, now_ns + AHEAD_NS, &from_ns, &to_ns)) {
                json_array_append_new(gaps, json_pack("{s:o, s:o}", "from_ns", ns_json(from_ns), "to_ns", ns_json(to_ns)));
                from_ns = to_ns;
        }
        return gaps;
}

static bool is_covered(const struct rota_override *list, size_t count, struct str schedule, int64_t time_ns)
{
        for (size_t i = 0; i < count; i++)
                if (str_equal(list[i].schedule, schedule) && time_ns >= list[i].from_ns && time_ns < list[i].to_ns)
                        return true;
        return false;
}

/* Who is on call from now on, stretch by stretch; nobody is an empty name. */
static json_t *shifts_of(const struct rota *rota, const struct rota_overrides *made, int64_t now_ns)
{
        int64_t from_ns = now_ns, until_ns = now_ns + AHEAD_NS, to_ns;
        json_t *shifts = json_array();
        for (bool more = true; more && json_array_size(shifts) < SHIFTS_MAX; from_ns = to_ns) {
                more = rota_next(rota, made, from_ns, until_ns, &to_ns);
                if (!more)
                        to_ns = until_ns;
                bool is_override = is_covered(made->items, made->count, rota->name, from_ns);
                each (declared, &rota->overrides)
                        is_override |= from_ns >= declared->from_ns && from_ns < declared->to_ns;
                json_array_append_new(shifts, json_pack("{s:o, s:o, s:o, s:b}", "from_ns", ns_json(from_ns), "to_ns", ns_json(to_ns), "person",
                                                        json_text(rota_at(rota, made, from_ns)), "is_override", is_override));
        }
        return shifts;
}

static json_t *schedule_json(const struct rota *rota, const struct rota_overrides *made, int64_t now_ns)
{
        int64_t next_ns = 0;
        bool changes = rota_next(rota, made, now_ns, now_ns + AHEAD_NS, &next_ns);
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_text(rota->name), "now", json_text(rota_at(rota, made, now_ns)), "next",
                         changes ? json_text(rota_at(rota, made, next_ns)) : json_null(), "next_ns", changes ? ns_json(next_ns) : json_null(), "gaps",
                         gaps_of(rota, made, now_ns), "shifts", shifts_of(rota, made, now_ns));
}

static void add_person(json_t *people, struct str name)
{
        size_t at;
        json_t *known;
        json_array_foreach (people, at, known)
                if (str_is(name, json_string_value(known)))
                        return;
        json_array_append_new(people, json_text(name));
}

/* A team with everybody who belongs to it: its members, and whoever takes turns in its schedule. */
static json_t *team_json(const struct policy *policy, const struct team *team)
{
        json_t *people = json_array();
        const struct rota *rota = policy_rota(policy, team->schedule);
        each (member, &team->members)
                add_person(people, *member);
        for (size_t i = 0; rota && i < rota->rotations.count; i++)
                each (person, &rota->rotations.items[i].people)
                        add_person(people, *person);
        return json_pack("{s:o, s:o, s:o}", "name", json_text(team->name), "on_call", json_text(team->schedule), "people", people);
}

static json_t *person_json(const struct person *person)
{
        json_t *contacts = json_array();
        each (contact, &person->contacts)
                json_array_append_new(contacts, json_pack("{s:o, s:o}", "receiver", json_text(contact->receiver), "to", json_text(contact->to)));
        return json_pack("{s:o, s:o}", "name", json_text(person->name), "contacts", contacts);
}

bool on_call_show(struct request *request, struct err *err)
{
        scoped_ptr(policy_destroy) struct policy *policy = NULL;
        scoped_ptr(json_decref) json_t *rows = NULL, *schedules = json_array(), *teams = json_array(), *people = json_array();
        struct rota_overrides made;
        int64_t now_ns = clock_now_ns(server_of(request)->context.clock);
        if (!read_policy(request, &policy, &rows, err) || !overrides_of(rows, &request->arena, &made, err))
                return false;
        each (rota, &policy->rotas)
                json_array_append_new(schedules, schedule_json(rota, &made, now_ns));
        each (team, &policy->teams)
                json_array_append_new(teams, team_json(policy, team));
        each (person, &policy->people)
                json_array_append_new(people, person_json(person));
        return answer(request, json_pack("{s:O, s:O, s:O, s:O}", "schedules", schedules, "overrides", rows, "teams", teams, "people", people), err);
}

/* --- orders ----------------------------------------------------------------------------------------------------------- */

static bool order(struct request *request, const char *verb, json_t *arguments, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *result = NULL;
        if (!arguments)
                return fail_memory(err, "serve", 256);
        if (!server->context.command(server->context.loop, verb, arguments, asker_of(request)->name, &result, err))
                return false;
        json_t *done = json_is_object(result) ? json_deep_copy(result) : json_object();
        json_object_set_new(done, "status", json_string("success"));
        return answer(request, done, err);
}

bool on_call_order(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!request_json(request, &body, err))
                return false;
        json_object_set_new(body, "schedule", json_text(request->captured[0]));
        return order(request, "on_call_override", json_incref(body), err);
}

bool on_call_release(struct request *request, struct err *err)
{
        return order(request, "on_call_override_end", json_pack("{s:o, s:o}", "schedule", json_text(request->captured[0]), "id", json_text(request->captured[1])), err);
}

bool maintenance_begin(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        return request_json(request, &body, err) && order(request, "maintenance_start", json_incref(body), err);
}

bool maintenance_list(struct request *request, struct err *err)
{
        scoped_ptr(policy_destroy) struct policy *policy = NULL;
        scoped_ptr(json_decref) json_t *list = json_array();
        if (!read_policy(request, &policy, NULL, err))
                return false;
        each (planned, &policy->planned)
                json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", json_text(planned->name), "comment", json_text(planned->comment), "matchers",
                                                      matcher_json_write(&planned->matchers), "from_ns", ns_json(planned->from_ns), "to_ns", ns_json(planned->to_ns)));
        return answer(request, json_pack("{s:O}", "maintenance", list), err);
}

bool notification_test(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        return request_json(request, &body, err) && order(request, "test_notification", json_incref(body), err);
}

/* --- notifications and routes ----------------------------------------------------------------------------------------- */

bool notifications_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        with_lock(&server->reader_lock);
        json_t *rows = outbox_rows_read(server->reader, 0, 0, 200, err), *object = rows ? json_pack("{s:o}", "notifications", rows) : NULL;
        return rows && answer(request, object, err);
}

bool incidents_notifications(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        uint64_t number;
        if (!str_to_u64(request->captured[0], &number) || number > UINT32_MAX)
                return fail(err, ERR_INVALID, "serve", "\"%.*s\" is no number of an incident", STR_ARGS(str_slice(request->captured[0], 0, 40)));
        with_lock(&server->reader_lock);
        scoped_ptr(json_decref) json_t *rows = outbox_rows_of_number(server->reader, (uint32_t)number, 500, err);
        scoped_ptr(json_decref) json_t *decisions = rows ? decision_rows_of_number(server->reader, (uint32_t)number, 500, err) : NULL;
        return decisions && answer(request, json_pack("{s:O, s:O}", "notifications", rows, "decisions", decisions), err);
}

static json_t *names_json(const struct setting_list *names)
{
        json_t *list = json_array();
        each (name, names)
                json_array_append_new(list, json_text(*name));
        return list;
}

static json_t *route_json(const struct policy *policy, const struct routing *route)
{
        static const char *const pages[] = {"critical", "critical", "always", "never"};
        const struct team *team = policy_team(policy, route->team);
        return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "team", json_text(route->team), "page", pages[route->page], "receivers",
                         names_json(route->receivers.count || !team ? &route->receivers : &team->receivers), "on_call", json_text(team ? team->schedule : STR("")),
                         "escalation", json_text(route->escalation.length ? route->escalation : team ? team->escalation : STR("")), "group_wait_ns",
                         ns_json(route->group_wait_ns), "group_interval_ns", ns_json(route->group_interval_ns), "repeat_interval_ns",
                         ns_json(route->repeat_interval_ns));
}

bool routes_try(struct request *request, struct err *err)
{
        scoped_ptr(policy_destroy) struct policy *policy = NULL;
        scoped_ptr(json_decref) json_t *body = NULL, *list = json_array();
        const struct routing *taken[ROUTED_MAX];
        const char *name;
        json_t *value;
        struct labels labels = {0};
        if (!request_json(request, &body, err) || !read_policy(request, &policy, NULL, err))
                return false;
        json_object_foreach (json_object_get(body, "labels"), name, value) {
                struct label *label = arena_push(&request->arena, &labels);
                if (!label)
                        return fail_memory(err, "serve", sizeof *label);
                *label = (struct label){str_of(name), {json_string_value(value), json_string_length(value)}};
        }
        if (!labels_canonical(&labels, err))
                return false;
        size_t count = policy_route(policy, &labels, taken);
        for (size_t i = 0; i < count; i++)
                json_array_append_new(list, route_json(policy, taken[i]));
        return answer(request, json_pack("{s:O}", "routes", list), err);
}
