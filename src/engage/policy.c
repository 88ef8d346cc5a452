/*
 * policy.c - see policy.h. Read in two rounds: first each key by itself, then whether the names that they give one another are
 * there, so that files may stand in any order.
 */
#include "engage/policy.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/receiver.h"
#include "model/content.h"

#include <stdlib.h>

typedef bool visit_fn(void *context, const char *file, const json_t *item, struct err *err);

#define FIND(verb, list, type)                                                                                         \
        const struct type *policy_##verb(const struct policy *policy, struct str wanted)                               \
        {                                                                                                              \
                each (item, &policy->list)                                                                             \
                        if (str_equal(item->name, wanted))                                                             \
                                return item;                                                                           \
                return NULL;                                                                                           \
        }
FIND(receiver, receivers, receiver)
FIND(person, people, person)
FIND(team, teams, team)
FIND(rota, rotas, rota)
FIND(escalation, escalations, escalation)
#undef FIND

/* Keeps a copy of made in the list, unless the name is taken. */
#define KEEP(policy, list, made, find, what, err)                                                                      \
        ({                                                                                                             \
                __typeof__((policy)->list.items) kept_ = NULL;                                                         \
                if (find(policy, (made).name))                                                                         \
                        fail(err, ERR_INVALID, "engage", "there are two %s named \"%.*s\"; rename one", what,          \
                             STR_ARGS((made).name));                                                                   \
                else if (!(kept_ = arena_push(&(policy)->arena, &(policy)->list)))                                     \
                        fail_memory(err, "engage", sizeof *kept_);                                                     \
                else                                                                                                   \
                        *kept_ = (made);                                                                               \
                kept_ != NULL;                                                                                         \
        })

/* --- receivers, people, teams ---------------------------------------------------------------------------------------- */

static bool read_receiver(void *context, const char *file, const json_t *item, struct err *err)
{
        struct policy *policy = context;
        struct receiver receiver = {.sends_resolved = json_flag(item, "send_resolved", true), .confirms = json_flag(item, "confirms", false),
                                    .per_minute = (uint32_t)json_i64(item, "per_minute", 60), .is_shadow = json_flag(item, "shadow", false)};
        const char *keys[16] = {"name", "send_resolved", "confirms", "per_minute", "shadow"};
        const struct receiver_kind *kind = NULL;
        (void)file;
        for (size_t i = 0; i < receiver_kind_count; i++) {
                keys[5 + i] = receiver_kinds[i].name;
                if (json_object_get(item, receiver_kinds[i].name)) {
                        if (kind)
                                return fail(err, ERR_INVALID, "engage", "a receiver is of one kind; this one is %s and %s", kind->name, receiver_kinds[i].name);
                        kind = &receiver_kinds[i];
                }
        }
        if (!setting_keys(item, "receivers", keys, err) || !setting_text(item, "name", true, &policy->arena, &receiver.name, err))
                return false;
        if (!kind)
                return fail(err, ERR_INVALID, "engage", "%.*s says nothing of how to send: add one of webhook, email, slack", STR_ARGS(receiver.name));
        json_t *settings = json_object_get(item, kind->name);
        if (!json_is_object(settings) || !kind->check(settings, err))
                return json_is_object(settings) ? err_within(err, "%.*s", STR_ARGS(receiver.name)) :
                                                  fail(err, ERR_INVALID, "engage", "%.*s: %s is a mapping of settings", STR_ARGS(receiver.name), kind->name);
        receiver.kind = str_of(kind->name);
        receiver.settings = json_incref(settings);
        if (KEEP(policy, receivers, receiver, policy_receiver, "receivers", err))
                return true;
        json_decref(settings);
        return false;
}

static bool read_contact(const json_t *item, struct policy *policy, struct person *person, struct err *err)
{
        static const char *const keys[] = {"receiver", "to", NULL};
        struct contact contact = {0};
        if (json_is_string(item))
                contact.receiver = arena_str(&policy->arena, (struct str){json_string_value(item), json_string_length(item)});
        else if (!setting_keys(item, "contacts", keys, err) || !setting_text(item, "receiver", true, &policy->arena, &contact.receiver, err) ||
                 !setting_text(item, "to", false, &policy->arena, &contact.to, err))
                return false;
        struct contact *kept = arena_push(&policy->arena, &person->contacts);
        if (!kept || !contact.receiver.bytes)
                return fail_memory(err, "engage", sizeof *kept);
        *kept = contact;
        return true;
}

static bool read_person(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"name", "contacts", NULL};
        struct policy *policy = context;
        struct person person = {0};
        size_t at;
        const json_t *contact;
        (void)file;
        if (!setting_keys(item, "people", keys, err) || !setting_text(item, "name", true, &policy->arena, &person.name, err))
                return false;
        json_array_foreach (json_object_get(item, "contacts"), at, contact)
                if (!read_contact(contact, policy, &person, err))
                        return err_within(err, "%.*s: contact %zu", STR_ARGS(person.name), at + 1);
        return KEEP(policy, people, person, policy_person, "people", err);
}

static bool read_team(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"name", "members", "on_call", "escalation", "receivers", "canary_every", NULL};
        struct policy *policy = context;
        struct arena *arena = &policy->arena;
        struct team team = {0};
        int64_t canary_ns = 0;
        (void)file;
        if (!setting_keys(item, "teams", keys, err) || !setting_text(item, "name", true, arena, &team.name, err) ||
            !setting_text(item, "on_call", false, arena, &team.schedule, err) || !setting_text(item, "escalation", false, arena, &team.escalation, err) ||
            !setting_names(item, "members", arena, &team.members, err) || !setting_names(item, "receivers", arena, &team.receivers, err) ||
            !setting_duration(item, "canary_every", &canary_ns, err))
                return false;
        if (canary_ns && canary_ns < 60 * NS_PER_S)
                return fail(err, ERR_INVALID, "engage", "%.*s: canary_every is at least 1m", STR_ARGS(team.name));
        if (canary_ns && policy->canary_every_ns)
                return fail(err, ERR_INVALID, "engage", "%.*s and %.*s both ask for canaries; one team is enough, its receivers prove the way",
                            STR_ARGS(policy->canary_team), STR_ARGS(team.name));
        if (canary_ns) {
                policy->canary_every_ns = canary_ns;
                policy->canary_team = team.name;
        }
        return KEEP(policy, teams, team, policy_team, "teams", err);
}

static bool read_rota(void *context, const char *file, const json_t *item, struct err *err)
{
        struct policy *policy = context;
        struct rota rota;
        (void)file;
        return rota_read(item, &policy->arena, &rota, err) && KEEP(policy, rotas, rota, policy_rota, "on-call schedules", err);
}

/* --- escalations, routes, inhibitions, planned work ------------------------------------------------------------------ */

static bool read_level(const json_t *item, struct policy *policy, struct escalation *escalation, struct err *err)
{
        static const char *const keys[] = {"after", "tell", NULL};
        struct level level = {0};
        if (!setting_keys(item, "levels", keys, err) || !setting_duration(item, "after", &level.after_ns, err) ||
            !setting_names(item, "tell", &policy->arena, &level.tell, err))
                return false;
        if (!level.tell.count)
                return fail(err, ERR_INVALID, "engage", "it tells nobody: add tell, such as [ on_call ] or [ \"person:alice\" ]");
        if (escalation->levels.count && level.after_ns <= escalation->levels.items[escalation->levels.count - 1].after_ns)
                return fail(err, ERR_INVALID, "engage", "after must grow from level to level");
        struct level *kept = arena_push(&policy->arena, &escalation->levels);
        if (!kept)
                return fail_memory(err, "engage", sizeof *kept);
        *kept = level;
        return true;
}

static bool read_escalation(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"name", "levels", NULL};
        struct policy *policy = context;
        struct escalation escalation = {0};
        size_t at;
        const json_t *level;
        (void)file;
        if (!setting_keys(item, "escalations", keys, err) || !setting_text(item, "name", true, &policy->arena, &escalation.name, err))
                return false;
        json_array_foreach (json_object_get(item, "levels"), at, level)
                if (!read_level(level, policy, &escalation, err))
                        return err_within(err, "%.*s: level %zu", STR_ARGS(escalation.name), at + 1);
        if (!escalation.levels.count)
                return fail(err, ERR_INVALID, "engage", "%.*s has no levels", STR_ARGS(escalation.name));
        return KEEP(policy, escalations, escalation, policy_escalation, "escalations", err);
}

static bool read_page(const json_t *item, enum page_when *out_page, struct err *err)
{
        struct str page = json_str(item, "page");
        if (!json_object_get(item, "page"))
                return true;
        *out_page = str_is(page, "critical") ? PAGE_CRITICAL : str_is(page, "always") ? PAGE_ALWAYS : str_is(page, "never") ? PAGE_NEVER : PAGE_INHERIT;
        return *out_page || fail(err, ERR_INVALID, "engage", "page is critical, always or never");
}

/* matchers_add leaves regexes that matchers_done must free: they stay in the tree from the first one on. */
static bool read_route(const json_t *item, const struct routing *above, struct policy *policy, struct routing *into, int depth, struct err *err)
{
        static const char *const keys[] = {"match", "team", "receivers", "escalation", "page", "group_wait", "group_interval", "repeat_interval",
                                           "continue", "routes", NULL};
        struct arena *arena = &policy->arena;
        size_t at;
        const json_t *part;
        *into = (struct routing){.team = above->team, .escalation = above->escalation, .receivers = above->receivers, .page = above->page,
                               .group_wait_ns = above->group_wait_ns, .group_interval_ns = above->group_interval_ns,
                               .repeat_interval_ns = above->repeat_interval_ns, .goes_on = json_flag(item, "continue", false)};
        if (depth > ROUTES_DEEP_MAX)
                return fail(err, ERR_TOO_LARGE, "engage", "routes are nested deeper than %d", ROUTES_DEEP_MAX);
        if (!setting_keys(item, "routes", keys, err) || !matcher_json_read(json_object_get(item, "match"), arena, &into->matchers, err) ||
            !setting_text(item, "team", false, arena, &into->team, err) || !setting_text(item, "escalation", false, arena, &into->escalation, err) ||
            !read_page(item, &into->page, err) || !setting_duration(item, "group_wait", &into->group_wait_ns, err) ||
            !setting_duration(item, "group_interval", &into->group_interval_ns, err) ||
            !setting_duration(item, "repeat_interval", &into->repeat_interval_ns, err))
                return false;
        if (json_object_get(item, "receivers") && !setting_names(item, "receivers", arena, &into->receivers, err))
                return false;
        if (into->group_interval_ns < NS_PER_S || into->repeat_interval_ns < 60 * NS_PER_S)
                return fail(err, ERR_INVALID, "engage", "group_interval is at least 1s and repeat_interval at least 1m");
        json_array_foreach (json_object_get(item, "routes"), at, part) {
                struct routing *below = arena_push(arena, &into->routes);
                if (!below)
                        return fail_memory(err, "engage", sizeof *below);
                if (!read_route(part, into, policy, below, depth + 1, err))
                        return err_within(err, "routes, item %zu", at + 1);
        }
        return true;
}

static bool read_top_route(void *context, const char *file, const json_t *item, struct err *err)
{
        struct policy *policy = context;
        struct routing *route = arena_push(&policy->arena, &policy->root.routes);
        (void)file;
        if (!route)
                return fail_memory(err, "engage", sizeof *route);
        if (policy->teams.count == 1)
                policy->root.team = policy->teams.items[0].name; /* with one team there is nothing to say */
        return read_route(item, &policy->root, policy, route, 1, err);
}

static bool read_inhibition(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"source", "target", "equal", NULL};
        struct policy *policy = context;
        struct inhibition *inhibition = arena_push(&policy->arena, &policy->inhibitions);
        (void)file;
        if (!inhibition)
                return fail_memory(err, "engage", sizeof *inhibition);
        if (!setting_keys(item, "inhibitions", keys, err) || !matcher_json_read(json_object_get(item, "source"), &policy->arena, &inhibition->source, err) ||
            !matcher_json_read(json_object_get(item, "target"), &policy->arena, &inhibition->target, err) ||
            !setting_names(item, "equal", &policy->arena, &inhibition->equal, err))
                return false;
        return (inhibition->source.count && inhibition->target.count) ||
               fail(err, ERR_INVALID, "engage", "an inhibition needs source and target, each a list of conditions");
}

static bool read_planned(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"name", "match", "from", "to", "comment", "time_zone", "time_zone_rule", NULL};
        struct policy *policy = context;
        struct planned *planned = arena_push(&policy->arena, &policy->planned);
        struct time_zone zone;
        struct str rule = json_str(item, "time_zone_rule");
        (void)file;
        if (!planned)
                return fail_memory(err, "engage", sizeof *planned);
        if (!setting_keys(item, "maintenance", keys, err) || !setting_text(item, "name", true, &policy->arena, &planned->name, err) ||
            !setting_text(item, "comment", false, &policy->arena, &planned->comment, err) ||
            !time_zone_parse(rule.bytes ? rule : json_str(item, "time_zone"), &zone, err) ||
            !matcher_json_read(json_object_get(item, "match"), &policy->arena, &planned->matchers, err) ||
            !rota_time_read(json_str(item, "from"), &zone, &planned->from_ns, err) || !rota_time_read(json_str(item, "to"), &zone, &planned->to_ns, err))
                return false;
        return (planned->matchers.count && planned->to_ns > planned->from_ns) ||
               fail(err, ERR_INVALID, "engage", "%.*s needs match, and a time `to` after `from`", STR_ARGS(planned->name));
}

/* --- the second round: names ------------------------------------------------------------------------------------------ */

static bool missing(struct err *err, const char *of, struct str by, const char *what, struct str name)
{
        return fail(err, ERR_INVALID, "engage", "%s %.*s: there is no %s named \"%.*s\"; declare it or correct the name", of, STR_ARGS(by), what,
                    STR_ARGS(str_slice(name, 0, 80)));
}

static bool check_tell(const struct policy *policy, const struct escalation *escalation, struct str target, struct err *err)
{
        struct str name = target, sort;
        str_cut(&name, ':', &sort);
        if (str_is(sort, "team") || str_is(sort, "members") || (str_is(sort, "on_call") && !name.bytes))
                return true;
        if (str_is(sort, "on_call"))
                return policy_rota(policy, name) || missing(err, "escalation", escalation->name, "on-call schedule", name);
        if (str_is(sort, "person"))
                return policy_person(policy, name) || missing(err, "escalation", escalation->name, "person", name);
        if (str_is(sort, "receiver"))
                return policy_receiver(policy, name) || missing(err, "escalation", escalation->name, "receiver", name);
        return fail(err, ERR_INVALID, "engage", "escalation %.*s: \"%.*s\" is none of on_call, on_call:NAME, team, members, person:NAME, receiver:NAME",
                    STR_ARGS(escalation->name), STR_ARGS(str_slice(target, 0, 80)));
}

static bool check_route(const struct policy *policy, const struct routing *route, struct err *err)
{
        if (route->team.length && !policy_team(policy, route->team))
                return missing(err, "a route to", route->team, "team", route->team);
        if (route->escalation.length && !policy_escalation(policy, route->escalation))
                return missing(err, "a route to", route->team, "escalation", route->escalation);
        each (name, &route->receivers)
                if (!policy_receiver(policy, *name))
                        return missing(err, "a route to", route->team, "receiver", *name);
        each (below, &route->routes)
                if (!check_route(policy, below, err))
                        return false;
        return true;
}

static bool check_people(const struct policy *policy, struct err *err)
{
        each (person, &policy->people)
                each (contact, &person->contacts)
                        if (!policy_receiver(policy, contact->receiver))
                                return missing(err, "people:", person->name, "receiver", contact->receiver);
        each (rota, &policy->rotas) {
                each (rotation, &rota->rotations)
                        each (name, &rotation->people)
                                if (!policy_person(policy, *name))
                                        return missing(err, "on_call", rota->name, "person", *name);
                each (override, &rota->overrides)
                        if (!policy_person(policy, override->person))
                                return missing(err, "on_call", rota->name, "person", override->person);
        }
        return true;
}

static bool check_names(const struct policy *policy, struct err *err)
{
        each (team, &policy->teams) {
                if (team->schedule.length && !policy_rota(policy, team->schedule))
                        return missing(err, "team", team->name, "on-call schedule", team->schedule);
                if (team->escalation.length && !policy_escalation(policy, team->escalation))
                        return missing(err, "team", team->name, "escalation", team->escalation);
                each (name, &team->receivers)
                        if (!policy_receiver(policy, *name))
                                return missing(err, "team", team->name, "receiver", *name);
                each (name, &team->members)
                        if (!policy_person(policy, *name))
                                return missing(err, "team", team->name, "person", *name);
        }
        each (escalation, &policy->escalations)
                each (level, &escalation->levels)
                        each (target, &level->tell)
                                if (!check_tell(policy, escalation, *target, err))
                                        return false;
        return check_people(policy, err) && check_route(policy, &policy->root, err);
}

/* --- life ------------------------------------------------------------------------------------------------------------- */

static void route_done(struct routing *route)
{
        matchers_done(&route->matchers);
        each (below, &route->routes)
                route_done(below);
}

void policy_destroy(struct policy *policy)
{
        if (!policy)
                return;
        route_done(&policy->root);
        each (inhibition, &policy->inhibitions) {
                matchers_done(&inhibition->source);
                matchers_done(&inhibition->target);
        }
        each (planned, &policy->planned)
                matchers_done(&planned->matchers);
        each (receiver, &policy->receivers)
                json_decref(receiver->settings);
        arena_done(&policy->arena);
        free(policy);
}

static bool read_shadow(void *context, const char *file, const json_t *item, struct err *err)
{
        static const char *const keys[] = {"on", NULL};
        struct policy *policy = context;
        (void)file;
        if (!setting_keys(item, "shadow", keys, err))
                return false;
        if (!json_is_boolean(json_object_get(item, "on")))
                return fail(err, ERR_INVALID, "engage", "on is true or false");
        policy->is_shadow |= json_is_true(json_object_get(item, "on"));
        return true;
}

bool policy_create(const json_t *content, struct policy **out_policy, struct err *err)
{
        static const struct { const char *key; visit_fn *visit; } keys[] = {
                {"receivers", read_receiver}, {"people", read_person},     {"on_call", read_rota},           {"escalations", read_escalation},
                {"teams", read_team},         {"routes", read_top_route},  {"inhibitions", read_inhibition}, {"maintenance", read_planned},
                {"shadow", read_shadow},
        };
        struct policy *policy = calloc(1, sizeof *policy);
        if (!policy)
                return fail_memory(err, "engage", sizeof *policy);
        arena_init(&policy->arena, 0);
        policy->root = (struct routing){.page = PAGE_CRITICAL, .group_wait_ns = GROUP_WAIT_NS, .group_interval_ns = GROUP_INTERVAL_NS,
                                      .repeat_interval_ns = REPEAT_INTERVAL_NS};
        bool good = true;
        for (size_t i = 0; good && i < countof(keys); i++)
                good = content_visit(content, keys[i].key, keys[i].visit, policy, err);
        if (policy->is_shadow)
                policy->canary_every_ns = 0; /* it could not arrive */
        if (good && policy->teams.count == 1)
                policy->root.team = policy->teams.items[0].name;
        if (!good || !check_names(policy, err)) {
                policy_destroy(policy);
                return false;
        }
        *out_policy = policy;
        return true;
}

/* --- routing ---------------------------------------------------------------------------------------------------------- */

static void walk(const struct routing *route, const struct labels *labels, const struct routing **routes, size_t *count)
{
        size_t before = *count;
        each (below, &route->routes) {
                if (!matchers_match(&below->matchers, labels))
                        continue;
                walk(below, labels, routes, count);
                if (!below->goes_on)
                        break;
        }
        if (*count == before && *count < ROUTED_MAX)
                routes[(*count)++] = route;
}

size_t policy_route(const struct policy *policy, const struct labels *labels, const struct routing *out_routes[static ROUTED_MAX])
{
        size_t count = 0;
        walk(&policy->root, labels, out_routes, &count);
        return count;
}
