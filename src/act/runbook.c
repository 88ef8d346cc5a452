/*
 * runbook.c - see runbook.h. A runbook is checked by planning it with sample values, so what the check accepts and what will be planned later cannot differ.
 */
#include "act/runbook.h"

#include "act/check_expression.h"
#include "act/step.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "model/content.h"

#include <stdlib.h>

#define HOUR_NS (3600 * NS_PER_S)

static const char *const autonomy_names[] = {"suggest", "approve", "auto"};

const char *autonomy_name(enum autonomy autonomy)
{
        return autonomy_names[autonomy];
}

bool autonomy_parse(struct str name, enum autonomy *out_autonomy)
{
        for (size_t i = 0; i < countof(autonomy_names); i++)
                if (str_is(name, autonomy_names[i])) {
                        *out_autonomy = (enum autonomy)i;
                        return true;
                }
        return false;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static bool check_keys(const json_t *tree, const char *what, const char *keys, struct err *err)
{
        const char *key;
        json_t *value;
        if (tree && !json_is_object(tree))
                return fail(err, ERR_INVALID, "runbook", "%s must be a mapping with keys of: %s", what, keys);
        json_object_foreach((json_t *)tree, key, value) {
                struct str rest = str_of(keys), head;
                bool is_known = false;
                while (str_cut(&rest, ' ', &head))
                        is_known |= str_is(head, key);
                if (!is_known)
                        return fail(err, ERR_INVALID, "runbook", "%s: %s is not known; it takes: %s", what, key, keys);
        }
        return true;
}

static bool check_names(const json_t *names, const char *what, struct err *err)
{
        size_t i;
        json_t *name;
        if (names && !json_array_size(names))
                return fail(err, ERR_INVALID, "runbook", "%s must be a list with at least one name", what);
        json_array_foreach((json_t *)names, i, name)
                if (!json_is_string(name))
                        return fail(err, ERR_INVALID, "runbook", "%s: item %zu must be a text", what, i + 1);
        return true;
}

static bool read_scope(struct runbook *runbook, struct err *err)
{
        const json_t *scope = json_object_get(runbook->tree, "applies_to");
        runbook->alerts = json_object_get(scope, "alerts");
        runbook->kinds = json_object_get(scope, "kinds");
        if (!scope || (!runbook->alerts && !runbook->kinds))
                return fail(err, ERR_INVALID, "runbook", "applies_to is missing; say for which incidents it is, such as {alerts: [DiskFull], kinds: [host]}");
        return check_keys(scope, "applies_to", "alerts kinds", err) && check_names(runbook->alerts, "applies_to.alerts", err) &&
               check_names(runbook->kinds, "applies_to.kinds", err);
}

static bool read_target(struct runbook *runbook, struct err *err)
{
        struct str name = json_str(runbook->tree, "target");
        for (size_t i = 0; i < runbook->parameters.count; i++) {
                const struct parameter *parameter = &runbook->parameters.items[i];
                if (parameter->type == PARAMETER_ENTITY && (!name.length || str_equal(name, parameter->name))) {
                        runbook->target = i;
                        return true;
                }
        }
        return fail(err, ERR_INVALID, "runbook", "target must name a parameter of type entity: what the runbook acts on, which the guards count");
}

static bool read_guards(struct runbook *runbook, struct err *err)
{
        const json_t *guards = json_object_get(runbook->tree, "guards"), *rate = json_object_get(guards, "target_rate"), *blast = json_object_get(guards, "blast_radius");
        const json_t *share = json_object_get(blast, "share");
        runbook->target_rate.runs = json_i64(rate, "runs", 3);
        runbook->at_once = json_i64(guards, "at_once", 1);
        runbook->blast.share = share ? json_number_value(share) : 0.25;
        if (!check_keys(guards, "guards", "target_rate at_once blast_radius", err) || !check_keys(rate, "guards.target_rate", "runs within", err) ||
            !check_keys(blast, "guards.blast_radius", "share within", err) ||
            !step_duration(rate, "within", HOUR_NS, 24 * HOUR_NS, &runbook->target_rate.within_ns, err) ||
            !step_duration(blast, "within", HOUR_NS, 24 * HOUR_NS, &runbook->blast.within_ns, err))
                return err_within(err, "guards");
        if (runbook->target_rate.runs < 1 || runbook->at_once < 1 || !(runbook->blast.share > 0 && runbook->blast.share <= 1))
                return fail(err, ERR_INVALID, "runbook", "guards: runs and at_once are whole numbers from 1, share is above 0 and at most 1");
        return true;
}

static bool read_verify(struct runbook *runbook, const struct slots *sample, struct err *err)
{
        const json_t *verify = json_object_get(runbook->tree, "verify");
        scoped(buf_done) struct buf text = {0};
        runbook->verify.check = json_str(verify, "check");
        if (!check_keys(verify, "verify", "check after within stays", err) || !step_duration(verify, "after", 10 * NS_PER_S, HOUR_NS, &runbook->verify.after_ns, err) ||
            !step_duration(verify, "within", 300 * NS_PER_S, 24 * HOUR_NS, &runbook->verify.within_ns, err) ||
            !step_duration(verify, "stays", 30 * NS_PER_S, HOUR_NS, &runbook->verify.stays_ns, err))
                return err_within(err, "verify");
        if (runbook->verify.after_ns + runbook->verify.stays_ns > runbook->verify.within_ns)
                return fail(err, ERR_INVALID, "runbook", "verify: within must be at least after and stays together");
        return !runbook->verify.check.length || ((slots_fill(sample, runbook->verify.check, SLOT_PROMQL, &text, err) &&
                                                  check_expression_parse(buf_str(&text), err)) || err_within(err, "verify.check"));
}

/* on_failure may name a later step: an automation that could go back might never end. */
static bool read_failures(const json_t *plan, struct err *err)
{
        size_t i, j;
        json_t *step, *other;
        json_array_foreach((json_t *)plan, i, step) {
                struct str wanted = json_str(step, "on_failure");
                bool is_known = str_is(wanted, "stop") || str_is(wanted, "continue");
                json_array_foreach((json_t *)plan, j, other)
                        is_known |= j > i && str_equal(json_str(other, "name"), wanted);
                if (!is_known)
                        return fail(err, ERR_INVALID, "runbook", "steps, item %zu: on_failure must be stop, continue or the name of a later step", i + 1);
        }
        return true;
}

json_t *runbook_plan(const struct runbook *runbook, const struct slots *slots, struct err *err)
{
        size_t i;
        json_t *body;
        scoped_ptr(json_decref) json_t *plan = json_array();
        json_array_foreach((json_t *)runbook->steps, i, body) {
                json_t *step = step_plan(body, slots, i, err);
                if (!step) {
                        err_within(err, "steps, item %zu", i + 1);
                        return NULL;
                }
                if (json_array_append_new(plan, step) != 0) {
                        fail_memory(err, "runbook", sizeof *step);
                        return NULL;
                }
        }
        return give(plan);
}

static bool read_steps(struct runbook *runbook, const struct slots *sample, struct err *err)
{
        runbook->steps = json_object_get(runbook->tree, "steps");
        if (!json_array_size(runbook->steps) || json_array_size(runbook->steps) > STEPS_MAX)
                return fail(err, ERR_INVALID, "runbook", "steps must be a list of 1 to %d steps", STEPS_MAX);
        scoped_ptr(json_decref) json_t *plan = runbook_plan(runbook, sample, err);
        return plan && read_failures(plan, err);
}

static bool is_name(struct str name)
{
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0)))
                        return false;
        }
        return name.length > 0 && name.length <= 60;
}

static bool read_fields(struct runbook *runbook, struct err *err)
{
        struct slots sample;
        scoped(buf_done) struct buf sentence = {0};
        if (!check_keys(runbook->tree, "the runbook", "name sentence applies_to target parameters guards steps verify standard_change", err))
                return false;
        runbook->sentence = json_str(runbook->tree, "sentence");
        runbook->is_standard_change = json_flag(runbook->tree, "standard_change", false);
        if (!runbook->sentence.length)
                return fail(err, ERR_INVALID, "runbook", "sentence is missing; say for people what it does");
        if (!read_scope(runbook, err) || !parameters_parse(json_object_get(runbook->tree, "parameters"), &runbook->parameters, err) || !read_target(runbook, err) ||
            !read_guards(runbook, err))
                return false;
        slots_sample(&sample, &runbook->parameters);
        return (slots_fill(&sample, runbook->sentence, SLOT_WORD, &sentence, err) || err_within(err, "sentence")) && read_steps(runbook, &sample, err) &&
               read_verify(runbook, &sample, err);
}

static bool read_one(void *context, const char *file, const json_t *item, struct err *err)
{
        struct runbooks *runbooks = context;
        struct str name = json_str(item, "name");
        if (!is_name(name))
                return fail(err, ERR_INVALID, "runbook", "name is missing or has other than small letters, digits and -");
        if (runbooks_find(runbooks, name))
                return fail(err, ERR_INVALID, "runbook", "%.*s: there is another runbook of that name; rename one", STR_ARGS(name));
        if (runbooks->list.count == RUNBOOKS_MAX)
                return fail(err, ERR_TOO_LARGE, "runbook", "there are more than %d runbooks", RUNBOOKS_MAX);
        if (runbooks->list.count == runbooks->list.capacity) {
                size_t capacity = runbooks->list.capacity ? runbooks->list.capacity * 2 : 16;
                struct runbook *items = realloc(runbooks->list.items, capacity * sizeof *items);
                if (!items)
                        return fail_memory(err, "runbook", capacity * sizeof *items);
                runbooks->list.items = items;
                runbooks->list.capacity = capacity;
        }
        struct runbook *runbook = &runbooks->list.items[runbooks->list.count++];
        *runbook = (struct runbook){.name = name, .tree = item, .file = str_of(file)};
        return read_fields(runbook, err) || err_within(err, "runbook %.*s", STR_ARGS(name));
}

bool runbooks_create(const json_t *content, struct runbooks **out_runbooks, struct err *err)
{
        struct runbooks *runbooks = calloc(1, sizeof *runbooks);
        if (!runbooks)
                return fail_memory(err, "runbook", sizeof *runbooks);
        runbooks->content = json_incref((json_t *)content);
        if (content_visit(content, "runbooks", read_one, runbooks, err)) {
                *out_runbooks = runbooks;
                return true;
        }
        runbooks_destroy(runbooks);
        return false;
}

bool runbooks_check(const json_t *content, struct err *err)
{
        struct runbooks *runbooks;
        if (!runbooks_create(content, &runbooks, err))
                return false;
        runbooks_destroy(runbooks);
        return true;
}

void runbooks_destroy(struct runbooks *runbooks)
{
        if (!runbooks)
                return;
        each (runbook, &runbooks->list)
                parameters_done(&runbook->parameters);
        free(runbooks->list.items);
        json_decref((json_t *)runbooks->content);
        free(runbooks);
}

const struct runbook *runbooks_find(const struct runbooks *runbooks, struct str name)
{
        for (size_t i = 0; runbooks && i < runbooks->list.count; i++)
                if (str_equal(runbooks->list.items[i].name, name))
                        return &runbooks->list.items[i];
        return NULL;
}

/* --- for which incidents ------------------------------------------------------------------------------------------------- */

static bool is_named(const json_t *names, struct str name)
{
        size_t i;
        json_t *one;
        if (!names)
                return true;
        json_array_foreach((json_t *)names, i, one) {
                struct str text = {json_string_value(one), json_string_length(one)};
                bool is_open = text.length && text.bytes[text.length - 1] == '*';
                if (is_open ? str_starts_with(name, str_slice(text, 0, text.length - 1)) : str_equal(name, text))
                        return true;
        }
        return false;
}

bool runbook_means_alert(const struct runbook *runbook, const struct incident_alert *alert)
{
        return is_named(runbook->alerts, labels_value(&alert->labels, STR("alertname")));
}

bool alert_names_of(const struct incident_view *incident, struct arena *arena, struct alert_names *out_names, struct err *err)
{
        struct alert_names names = {0};
        struct map known = {0};
        bool good = true;
        each (alert, &incident->alerts) {
                struct str name = labels_value(&alert->labels, STR("alertname"));
                uint64_t hash = hash64(name);
                size_t at;
                if (!alert->is_firing || alert->is_held)
                        continue;
                uint32_t i = map_first(&known, hash, &at);
                while (i != MAP_NONE && !str_equal(names.items[i], name))
                        i = map_next(&known, hash, &at);
                if (i != MAP_NONE)
                        continue;
                struct str *place = map_put(&known, hash, (uint32_t)names.count) ? arena_push(arena, &names) : NULL;
                if (!(good = place != NULL))
                        break;
                *place = name;
        }
        map_done(&known);
        *out_names = names;
        return good || fail_memory(err, "act", sizeof *names.items);
}

bool runbook_fits(const struct runbook *runbook, const struct alert_names *names, const struct incident_view *incident)
{
        bool alert_fits = false, kind_fits = !runbook->kinds;
        for (size_t i = 0; !alert_fits && i < names->count; i++)
                alert_fits = is_named(runbook->alerts, names->items[i]);
        for (size_t i = 0; alert_fits && !kind_fits && i < incident->entities.count; i++)
                kind_fits = is_named(runbook->kinds, incident->entities.items[i].kind);
        return alert_fits && kind_fits;
}
