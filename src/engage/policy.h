/*
 * policy - who is told of what, and how: teams, people, on-call, receivers, routes, escalations, inhibitions, planned work.
 *
 *      policy_create (from content; all or nothing) -> policy_route, policy_... -> policy_destroy
 *
 * Read-only after it was made. A route is matched as Alertmanager matches: top down, the deepest that fits, the first one
 * unless it says continue; what a route does not say it has from the one above it.
 */
#pragma once

#include "engage/matcher_text.h"
#include "engage/rota.h"
#include "engage/setting.h"

enum page_when { PAGE_INHERIT, PAGE_CRITICAL, PAGE_ALWAYS, PAGE_NEVER };

struct receiver {
        struct str name, kind;          /* kind: a row of receivers.def */
        json_t *settings;               /* as declared; secrets by name. Owned by the policy */
        uint32_t per_minute;            /* at most so many messages; 0: no bound */
        bool confirms;                  /* a delivered canary counts as confirmed */
        bool sends_resolved;
        bool is_shadow;                 /* what it would get is noted, and not sent */
};

struct contact { struct str receiver, to; }; /* to: an address for it; empty: the receiver's own */

struct person {
        struct str name;
        struct { struct contact *items; size_t count, capacity; } contacts;
};

struct team {
        struct str name, schedule, escalation; /* may be empty */
        struct setting_list members, receivers;
};

struct level {
        int64_t after_ns;               /* since the page */
        struct setting_list tell;       /* "on_call", "on_call:NAME", "team", "members", "person:NAME", "receiver:NAME" */
};

struct escalation {
        struct str name;
        struct { struct level *items; size_t count, capacity; } levels;
};

struct routing {
        struct str team, escalation;    /* with what the one above says */
        struct setting_list receivers;  /* empty: the team's */
        enum page_when page;
        int64_t group_wait_ns, group_interval_ns, repeat_interval_ns;
        struct matchers matchers;
        bool goes_on;
        struct { struct routing *items; size_t count, capacity; } routes;
};

struct inhibition {
        struct matchers source, target;
        struct setting_list equal;
};

struct planned {                        /* declared maintenance */
        struct str name, comment;
        struct matchers matchers;
        int64_t from_ns, to_ns;
};

struct policy {
        struct arena arena;
        struct { struct receiver *items; size_t count, capacity; } receivers;
        struct { struct person *items; size_t count, capacity; } people;
        struct { struct team *items; size_t count, capacity; } teams;
        struct { struct rota *items; size_t count, capacity; } rotas;
        struct { struct escalation *items; size_t count, capacity; } escalations;
        struct { struct inhibition *items; size_t count, capacity; } inhibitions;
        struct { struct planned *items; size_t count, capacity; } planned;
        struct routing root;              /* the declared ones are below it */
        int64_t canary_every_ns;        /* of the team that asks for one; 0: none */
        struct str canary_team;
        bool is_shadow;                 /* nothing is sent to anybody */
};

#define GROUP_WAIT_NS (10 * NS_PER_S)
#define GROUP_INTERVAL_NS (5 * 60 * NS_PER_S)
#define REPEAT_INTERVAL_NS (4 * 3600 * NS_PER_S)
#define ROUTES_DEEP_MAX 8
#define ROUTED_MAX 8                    /* routes that one alert may take */

/* Err names file, key and item. */
bool policy_create(const json_t *content, struct policy **out_policy, struct err *err);
void policy_destroy(struct policy *policy);

/* The routes that an alert takes, in order; at least one (the root). Gives how many. */
size_t policy_route(const struct policy *policy, const struct labels *labels, const struct routing *out_routes[static ROUTED_MAX]);
const struct receiver *policy_receiver(const struct policy *policy, struct str name);   /* NULL: none; as below */
const struct person *policy_person(const struct policy *policy, struct str name);
const struct team *policy_team(const struct policy *policy, struct str name);
const struct rota *policy_rota(const struct policy *policy, struct str name);
const struct escalation *policy_escalation(const struct policy *policy, struct str name);
