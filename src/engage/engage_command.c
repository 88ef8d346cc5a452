/*
 * engage_command.c - what people say about incidents: a row a verb.
 *
 * Every verb but two is about one incident, found by its number; a merged one stands for the incident that it went into. A verb
 * checks everything first and then changes memory, so that a refusal leaves no trace but its line in the audit log.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage_state.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 8192

struct order {
        struct engage *engage;
        const json_t *arguments;
        struct str by;
        struct incident *incident;
        int64_t time_ns;
        json_t **out_result;
};

static bool text_of(const struct order *order, const char *name, bool is_needed, struct str *out_text, struct err *err)
{
        struct str text = str_trim(json_str(order->arguments, name));
        if (is_needed && !text.length)
                return fail(err, ERR_INVALID, "engage", "the command needs a text \"%s\"", name);
        if (text.length > TEXT_BYTES_MAX)
                return fail(err, ERR_TOO_LARGE, "engage", "\"%s\" has %zu bytes; %d are allowed", name, text.length, TEXT_BYTES_MAX);
        *out_text = text;
        return true;
}

static bool tell(const struct order *order, const char *kind, struct str text, struct err *err)
{
        return engage_tell(order->engage, order->incident, 0, order->time_ns, kind, order->by, text, err);
}

static bool move(const struct order *order, enum incident_state to, const char *kind, struct err *err)
{
        struct str text;
        return text_of(order, "text", false, &text, err) && incident_move(order->engage->incidents, order->incident, to, order->time_ns, err) &&
               tell(order, kind, text, err);
}

static bool acknowledge(const struct order *order, struct err *err)
{
        if (order->incident->state == INCIDENT_ACKNOWLEDGED || order->incident->state == INCIDENT_ACTING)
                return true; /* twice is once */
        if (!move(order, INCIDENT_ACKNOWLEDGED, "acknowledged", err))
                return false;
        return order->incident->owner || incident_set_text(&order->incident->owner, order->by, err);
}

static bool acting(const struct order *order, struct err *err)
{
        return order->incident->state == INCIDENT_ACTING || move(order, INCIDENT_ACTING, "acting", err);
}

static bool resolve(const struct order *order, struct err *err)
{
        return move(order, INCIDENT_RESOLVED, "resolved", err);
}

static bool close_it(const struct order *order, struct err *err)
{
        if (!move(order, INCIDENT_CLOSED, "closed", err))
                return false;
        if (!order->incident->resolved_ns)
                order->incident->resolved_ns = order->time_ns;
        correlator_end(order->engage->correlator, order->incident->id);
        return true;
}

static bool reopen(const struct order *order, struct err *err)
{
        order->incident->is_noise = order->incident->is_noise && order->incident->state < INCIDENT_RESOLVED;
        if (!move(order, INCIDENT_OPEN, "reopened", err))
                return false;
        engage_count_again(order->engage, order->incident);
        return true;
}

static bool assign(const struct order *order, struct err *err)
{
        struct str owner;
        if (!text_of(order, "owner", false, &owner, err) || !tell(order, "assigned", owner, err) ||
            !incident_set_text(&order->incident->owner, owner, err))
                return false;
        incident_touch(order->engage->incidents, order->incident, NEWS_ASSIGNED, order->time_ns);
        return true;
}

static bool reroute(const struct order *order, struct err *err)
{
        struct str team;
        if (!text_of(order, "team", true, &team, err) || !tell(order, "rerouted", team, err) ||
            !incident_set_text(&order->incident->team, team, err))
                return false;
        incident_touch(order->engage->incidents, order->incident, NEWS_REROUTED, order->time_ns);
        return engage_rerouted(order->engage, order->incident, team, order->by, order->time_ns, err);
}

static bool approve_team(const struct order *order, struct err *err)
{
        return engage_team_decide(order->engage, order->incident, true, order->by, order->time_ns, err);
}

static bool reject_team(const struct order *order, struct err *err)
{
        return engage_team_decide(order->engage, order->incident, false, order->by, order->time_ns, err);
}

static bool comment(const struct order *order, struct err *err)
{
        struct str text;
        if (!text_of(order, "text", true, &text, err) || !tell(order, "commented", text, err))
                return false;
        incident_touch(order->engage->incidents, order->incident, NEWS_COMMENTED, order->time_ns);
        return true;
}

/* What somebody did about it: a command as it was typed, with the host that it was typed on. A draft of a runbook is made of these. */
static bool action(const struct order *order, struct err *err)
{
        struct str text, on;
        scoped(buf_done) struct buf whole = {0};
        if (!text_of(order, "text", true, &text, err) || !text_of(order, "on", false, &on, err))
                return false;
        if (on.length)
                buf_printf(&whole, "on %.*s: ", STR_ARGS(on));
        buf_add(&whole, text);
        if (whole.failed)
                return fail_memory(err, "engage", text.length);
        if (!tell(order, "action", buf_str(&whole), err))
                return false;
        incident_touch(order->engage->incidents, order->incident, NEWS_COMMENTED, order->time_ns);
        return true;
}

static bool set_severity(const struct order *order, struct err *err)
{
        struct str name;
        if (!text_of(order, "severity", true, &name, err))
                return false;
        if (str_is(name, "auto")) {
                order->incident->has_person_severity = false;
                return tell(order, "severity", STR("it follows the alerts again"), err) &&
                       engage_recount(order->engage, order->incident, order->time_ns, err);
        }
        struct label label = {STR("severity"), name};
        enum alert_severity severity = alert_severity_of(&(struct labels){&label, 1, 1});
        if (!str_is(name, alert_severity_name(severity)))
                return fail(err, ERR_INVALID, "engage", "\"%.*s\" is no severity; there are info, warning, critical, and auto: that of the alerts", STR_ARGS(name));
        char text[100];
        snprintf(text, sizeof text, "from %s to %s, set by hand; it does not follow the alerts any more", alert_severity_name(order->incident->severity),
                 alert_severity_name(severity));
        if (!tell(order, "severity", str_of(text), err))
                return false;
        order->incident->severity = severity;
        order->incident->has_person_severity = true;
        incident_touch(order->engage->incidents, order->incident, NEWS_SEVERITY, order->time_ns);
        return true;
}

static bool merge(const struct order *order, struct err *err)
{
        int64_t number = json_i64(order->arguments, "into", 0);
        struct incident *into = number > 0 && number <= UINT32_MAX ? incidents_by_number(order->engage->incidents, (uint32_t)number) : NULL;
        if (!into || into->state >= INCIDENT_CLOSED || into == order->incident)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no other open incident %" PRId64 " to merge into", number);
        if (order->incident->state >= INCIDENT_CLOSED)
                return fail(err, ERR_REFUSED, "engage", "incident %u is %s", order->incident->number, incident_state_name(order->incident->state));
        return engage_learn(order->engage, order->incident, into, true, order->by, order->time_ns, err) &&
               engage_merge(order->engage, order->incident, into, order->by, order->time_ns, err);
}

/* The alerts named, all of the incident; false when one is not, or none would be left. */
static bool named_alerts(const struct order *order, struct alert **out_alerts, size_t max, size_t *out_count, struct err *err)
{
        const json_t *names = json_object_get(order->arguments, "alerts");
        size_t count = json_array_size(names);
        if (!count || count > max || count >= order->incident->members.count)
                return fail(err, ERR_INVALID, "engage", "name at least one alert in \"alerts\", at most %zu, and leave one in the incident", max);
        for (size_t i = 0; i < count; i++) {
                uint64_t id = 0;
                const char *text = json_string_value(json_array_get(names, i));
                struct alert *alert = text && str_to_u64(str_of(text), &id) ? alerts_find(order->engage->alerts, id) : NULL;
                if (!alert || alert->incident != order->incident->id)
                        return fail(err, ERR_NOT_FOUND, "engage", "alert %s is not in incident %u", text ? text : "?", order->incident->number);
                for (size_t k = 0; k < i; k++)
                        if (out_alerts[k] == alert)
                                return fail(err, ERR_INVALID, "engage", "alert %s is named twice", text);
                out_alerts[i] = alert;
        }
        *out_count = count;
        return true;
}

static bool take_out(const struct order *order, struct incident *into, struct alert *alert, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct clue clue;
        arena_init(&arena, 0);
        if (!engage_clue(order->engage, alert, &arena, &clue, err) || !engage_leave(order->engage, order->incident, alert, err) ||
            !engage_join(order->engage, into, alert, &clue, order->time_ns, err))
                return false;
        correlator_move(order->engage->correlator, &clue, order->incident->id, into->id);
        return true;
}

static bool split(const struct order *order, struct err *err)
{
        struct alert *alerts[256];
        size_t count = 0;
        struct incident *into;
        char text[80];
        if (!named_alerts(order, alerts, countof(alerts), &count, err) ||
            !incidents_open(order->engage->incidents, engage_id(order->engage), order->time_ns, &into, err))
                return false;
        for (size_t i = 0; i < count; i++)
                if (!take_out(order, into, alerts[i], err))
                        return false;
        if (!engage_recount(order->engage, into, order->time_ns, err) || !engage_recount(order->engage, order->incident, order->time_ns, err) ||
            !engage_learn(order->engage, order->incident, into, false, order->by, order->time_ns, err))
                return false;
        incident_touch(order->engage->incidents, order->incident, NEWS_SPLIT, order->time_ns);
        snprintf(text, sizeof text, "%zu alerts became incident %u", count, into->number);
        if (!tell(order, "split", str_of(text), err))
                return false;
        snprintf(text, sizeof text, "taken out of incident %u", order->incident->number);
        *order->out_result = json_pack("{s:i}", "incident", (int)into->number);
        return engage_tell(order->engage, into, 0, order->time_ns, "split_from", order->by, str_of(text), err);
}

static bool noise(const struct order *order, struct err *err)
{
        struct str kind;
        if (!text_of(order, "kind", true, &kind, err))
                return false;
        if (!str_is(kind, "false") && !str_is(kind, "true") && !str_is(kind, "planned"))
                return fail(err, ERR_INVALID, "engage", "\"%.*s\" is no kind of noise; there are false (nothing was wrong), true (right, but nothing to do)"
                            " and planned (planned work)", STR_ARGS(kind));
        if (order->incident->state < INCIDENT_CLOSED &&
            !incident_move(order->engage->incidents, order->incident, INCIDENT_CLOSED, order->time_ns, err))
                return false;
        order->incident->is_noise = true;
        incident_touch(order->engage->incidents, order->incident, NEWS_NOISE, order->time_ns);
        correlator_end(order->engage->correlator, order->incident->id);
        return tell(order, "noise", kind, err) && engage_learn_noise(order->engage, order->incident, kind, order->by, order->time_ns, err);
}

static bool cause(const struct order *order, struct err *err)
{
        struct str entity, text;
        if (!text_of(order, "entity", false, &entity, err) || !text_of(order, "text", !entity.length, &text, err))
                return false;
        if (!tell(order, "cause", entity.length ? entity : text, err))
                return false;
        struct str kind = STR("");
        each (known, &order->incident->entities)
                if (str_equal(known->name, entity))
                        kind = known->kind;
        incident_touch(order->engage->incidents, order->incident, NEWS_COMMENTED, order->time_ns);
        return !kind.length || engage_learn_cause(order->engage, order->incident, kind, entity, order->by, order->time_ns, err);
}

static bool fix(const struct order *order, struct err *err)
{
        struct str text;
        return text_of(order, "text", true, &text, err) && tell(order, "fix", text, err) &&
               engage_learn_fix(order->engage, order->incident, text, order->by, order->time_ns, err);
}

static bool revert(const struct order *order, struct err *err)
{
        uint64_t entry;
        struct str text = json_str(order->arguments, "entry");
        if (!str_to_u64(text, &entry))
                return fail(err, ERR_INVALID, "engage", "model_revert needs the id of an entry of the ledger, as text");
        return engage_revert(order->engage, entry, order->by, order->time_ns, order->out_result, err);
}

/* A person's own finding: an alert like any other, which that person will resolve. */
static bool open_by_hand(const struct order *order, struct err *err)
{
        struct str title, entity, severity;
        if (!text_of(order, "title", true, &title, err) || !text_of(order, "entity", false, &entity, err) ||
            !text_of(order, "severity", false, &severity, err))
                return false;
        struct label labels[] = {{STR("alertname"), STR("Reported")}, {STR("by"), order->by}, {STR("entity"), entity}, {STR("severity"), severity},
                                 {STR("title"), title}};
        struct label summary = {STR("summary"), title};
        struct finding finding = {.origin = FINDING_PERSON, .labels = {labels, countof(labels), countof(labels)}, .annotations = {&summary, 1, 1},
                                  .is_firing = true, .source = order->by};
        uint64_t incident = 0;
        if (!labels_canonical(&finding.labels, err) || !engage_take_one(order->engage, &finding, order->time_ns, &incident, err))
                return false;
        const struct incident *opened = incidents_find(order->engage->incidents, incident);
        *order->out_result = json_pack("{s:i}", "incident", opened ? (int)opened->number : 0);
        return true;
}

static const struct { const char *verb; bool (*run)(const struct order *order, struct err *err); bool is_free; } verbs[] = { /* is_free: of no incident yet */
        {"incident_acknowledge", acknowledge},
        {"incident_acting", acting},
        {"incident_action", action},
        {"incident_assign", assign},
        {"incident_cause", cause},
        {"incident_close", close_it},
        {"incident_comment", comment},
        {"incident_fix", fix},
        {"incident_merge", merge},
        {"incident_noise", noise},
        {"incident_open", open_by_hand, true},
        {"incident_reopen", reopen},
        {"incident_reroute", reroute},
        {"incident_resolve", resolve},
        {"incident_severity", set_severity},
        {"incident_split", split},
        {"incident_team_approve", approve_team},
        {"incident_team_reject", reject_team},
        {"model_revert", revert, true},
};

static size_t row_of(const char *verb)
{
        size_t i = 0;
        while (i < countof(verbs) && strcmp(verbs[i].verb, verb) != 0)
                i++;
        return i;
}

bool engage_handles(const char *verb)
{
        return row_of(verb) < countof(verbs);
}

static bool find_incident(struct order *order, struct err *err)
{
        int64_t number = json_i64(order->arguments, "incident", 0);
        struct incident *incident = number > 0 && number <= UINT32_MAX ? incidents_by_number(order->engage->incidents, (uint32_t)number) : NULL;
        if (incident && incident->state == INCIDENT_MERGED)
                incident = incidents_find(order->engage->incidents, incident->merged_into);
        if (!incident)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no incident %" PRId64 ", or it was closed too long ago to be changed", number);
        order->incident = incident;
        return true;
}

bool engage_command(struct engage *engage, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                    int64_t time_ns, json_t **out_result, struct err *err)
{
        struct order order = {engage, arguments, str_of(by ? by : ""), NULL, time_ns, out_result};
        size_t row = row_of(verb);
        if (row == countof(verbs))
                return fail(err, ERR_NOT_FOUND, "engage", "there is no command %s", verb);
        engage_begin(engage, sequence);
        return (verbs[row].is_free || find_incident(&order, err)) && verbs[row].run(&order, err) && engage_suggest_teams(engage, time_ns, err);
}
