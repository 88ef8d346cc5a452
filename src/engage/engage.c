/*
 * engage.c - see engage.h: takes findings and time, and leaves alerts and incidents changed.
 *
 *      finding -> alert: same? fired? resolved?
 *                   fired    -> its incident re-opens, or correlation names one, or a new one opens
 *                   resolved -> the last one of an incident resolves it
 *
 * What a step needs is asked of the state ("fires and has no incident") rather than of the path that led there, so a step
 * that failed for want of memory can be taken again.
 */
#include "engage/engage.h"

#include "base/hash.h"
#include "base/scope.h"
#include "engage/engage_state.h"
#include "engage/words.h"
#include "model/telemetry.h"

#include <inttypes.h>
#include <stdlib.h>

#define RETAIN_NS ((int64_t)60 * 1000000000)

bool engage_create(const struct engage_options *options, struct engage **out_engage, struct err *err)
{
        struct engage *engage = calloc(1, sizeof *engage);
        if (!engage)
                return fail_memory(err, "engage", sizeof *engage);
        if (options->topology)
                engage->topology = *options->topology;
        arena_init(&engage->pending, 0);
        if (!alerts_create(options->alerts_max, &engage->alerts, err) ||
            !incidents_create(options->incidents_max, &engage->incidents, err) ||
            !learned_create(&engage->learned, err) || !engage_routing_create(engage, err) || !engage_past_create(engage, err) || !correlator_create(&engage->topology, engage->learned, &engage->correlator, err)) {
                engage_destroy(engage);
                return false;
        }
        *out_engage = engage;
        return true;
}

void engage_destroy(struct engage *engage)
{
        if (!engage)
                return;
        alerts_destroy(engage->alerts);
        incidents_destroy(engage->incidents);
        correlator_destroy(engage->correlator);
        learned_destroy(engage->learned);
        engage_routing_destroy(engage);
        engage_past_destroy(engage);
        engage_forget_ledger(engage);
        engage_forget_changes(engage);
        arena_done(&engage->pending);
        free(engage);
}

void engage_begin(struct engage *engage, uint64_t sequence)
{
        if (sequence != engage->sequence)
                engage->ordinal = 0;
        engage->sequence = sequence;
}

uint64_t engage_id(struct engage *engage)
{
        return item_id(engage->sequence, engage->ordinal++);
}

/* --- what is to be written, and told -------------------------------------------------------------------------------------- */

bool engage_tell(struct engage *engage, const struct incident *incident, uint64_t alert, int64_t time_ns, const char *kind,
                 struct str by, struct str text, struct err *err)
{
        struct timeline_entry entry = {engage_id(engage), incident->id, alert, time_ns, kind, {0}, {0}};
        struct timeline_entry *kept = text_copy(by, &engage->pending, &entry.by) && text_copy(text, &engage->pending, &entry.text) ?
                                      arena_push(&engage->pending, &engage->timeline) : NULL;
        if (!kept)
                return fail_memory(err, "engage", sizeof entry);
        *kept = entry;
        return true;
}

bool engage_explain(struct engage *engage, uint64_t subject, int64_t time_ns, struct str decision, struct str reasons, struct err *err)
{
        struct explanation why = {engage_id(engage), subject, time_ns, {0}, {0}};
        struct explanation *kept = text_copy(decision, &engage->pending, &why.decision) && text_copy(reasons, &engage->pending, &why.reasons) ?
                                   arena_push(&engage->pending, &engage->whys) : NULL;
        if (!kept)
                return fail_memory(err, "engage", sizeof why);
        *kept = why;
        return true;
}

static bool note_member(struct engage *engage, uint64_t incident, uint64_t alert, int64_t time_ns, bool is_removed, struct err *err)
{
        struct member_change *change = arena_push(&engage->pending, &engage->members);
        if (!change)
                return fail_memory(err, "engage", sizeof *change);
        *change = (struct member_change){incident, alert, time_ns, is_removed};
        return true;
}

/* --- alerts of incidents ----------------------------------------------------------------------------------------------------- */

static struct str name_of(const struct alert *alert)
{
        struct str name = alert_label(alert, STR("alertname"));
        return name.length ? name : STR("alert");
}

/* Of what is in trouble; alerts that name nothing have one kind too, so that they have a signature. */
static struct str kind_of(const struct clue *clue)
{
        return clue->entity_count ? clue->entities[0].kind : STR("nothing known");
}

static size_t resolve(struct engage *engage, const struct labels *labels, struct topology_entity out_entities[static TOPOLOGY_ENTITIES_MAX])
{
        return engage->topology.resolve ? engage->topology.resolve(engage->topology.context, labels, out_entities, TOPOLOGY_ENTITIES_MAX) :
                                          topology_of_labels(labels, out_entities, TOPOLOGY_ENTITIES_MAX);
}

/* A check of a page, and a rule that says so: failing requests are seen where they are made, whatever of all behind it breaks. */
static bool is_symptom(const struct alert *alert)
{
        return str_is(alert_annotation(alert, STR("symptom")), "true") ||
               (alert_label(alert, STR("check")).length && str_is(alert_label(alert, STR("kind")), "http"));
}

bool engage_clue(struct engage *engage, const struct alert *alert, struct arena *arena, struct clue *out_clue, struct err *err)
{
        struct alert_told told = alert_told(alert);
        struct labels labels = {0};
        if (!labels_unpack(told.labels, arena, &labels, err))
                return false;
        struct str summary = alert_annotation(alert, STR("summary"));
        *out_clue = (struct clue){.alert = alert->id, .time_ns = alert->changed_ns, .name = hash64(name_of(alert)), .name_text = name_of(alert), .same = alert->fingerprint.low,
                                  .is_held = alert->is_held, .is_symptom = is_symptom(alert), .text = summary.length ? summary : name_of(alert)};
        out_clue->entity_count = resolve(engage, &labels, out_clue->entities);
        out_clue->sort = learned_sort(out_clue->name_text, kind_of(out_clue));
        return true;
}

static bool headline_of(const struct alert *alert, const struct clue *clue, struct buf *out)
{
        struct str kind = clue->entity_count ? clue->entities[0].kind : STR(""), name = clue->entity_count ? clue->entities[0].name : STR("");
        words_headline(name_of(alert), alert_annotation(alert, STR("summary")), kind, name, out);
        return !out->failed;
}

/* --- what fires, and how bad it is ------------------------------------------------------------------------------------------- */

/* No longer counted where it belongs; before that changes. */
static void uncount(struct engage *engage, struct alert *alert)
{
        struct incident *incident = alert->counted ? incidents_find(engage->incidents, alert->incident) : NULL;
        if (incident)
                incident->counts[alert->is_counted_held][alert->counted]--;
        alert->counted = 0;
}

static void count_alert(struct engage *engage, struct incident *incident, struct alert *alert)
{
        uncount(engage, alert);
        if (!alert->is_firing || alert->incident != incident->id)
                return;
        alert->counted = alert->severity;
        alert->is_counted_held = alert->is_held;
        incident->counts[alert->is_held][alert->severity]++;
}

/* The story of an incident: what an alert said, and of what. has_summary: else its name and place are enough, since it said it before. */
static bool tell_alert(struct engage *engage, const struct incident *incident, const struct alert *alert, const struct clue *clue, const char *kind,
                       bool has_summary, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        struct str where = clue->entity_count ? clue->entities[0].name : STR("");
        words_alert(name_of(alert), has_summary ? alert_annotation(alert, STR("summary")) : STR(""), kind_of(clue), where, &text);
        return text.failed ? fail_memory(err, "engage", text.length) :
                             engage_tell(engage, incident, alert->id, time_ns, kind, STR(""), buf_str(&text), err);
}

/* The same where nothing else was asked of the alert. */
static bool tell_alert_again(struct engage *engage, const struct incident *incident, const struct alert *alert, const char *kind, bool has_summary,
                             int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct clue clue;
        arena_init(&arena, 0);
        return engage_clue(engage, alert, &arena, &clue, err) && tell_alert(engage, incident, alert, &clue, kind, has_summary, time_ns, err);
}

/* What keeps an incident going: what was held back is evidence beside an alert that was not, and no trouble by itself. */
static void add_up(struct engage *engage, struct incident *incident)
{
        const uint32_t *counts = incident->counts[incident->is_held];
        incident->firing = counts[ALERT_INFO] + counts[ALERT_WARNING] + counts[ALERT_CRITICAL];
        correlator_hold(engage->correlator, incident->id, incident->firing > 0);
}

/* The severity is that of the worst alert that fires, and of the worst there was when none does; what a person set stays. */
static bool follow_severity(struct engage *engage, struct incident *incident, const struct alert *alert, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        enum alert_severity worst = ALERT_CRITICAL, before = incident->severity;
        while (worst && !incident->counts[incident->is_held][worst])
                worst--;
        if (incident->has_person_severity || !worst || worst == before)
                return true;
        incident->severity = worst;
        incident_touch(engage->incidents, incident, worst > before ? NEWS_SEVERITY : NEWS_ALERTS, time_ns);
        if (incident->members.count < 2 && worst > before && incident->opened_ns == time_ns)
                return true;    /* it opened as what it is */
        buf_printf(&text, "from %s to %s: ", alert_severity_name(before), alert_severity_name(worst));
        if (!alert)
                buf_text(&text, "what belongs to it changed");
        else if (alert->is_firing && alert->severity == worst)
                buf_printf(&text, "%.*s is %s", STR_ARGS(name_of(alert)), alert_severity_name(worst));
        else
                buf_printf(&text, "%.*s is %s, and the worst that still fires is %s", STR_ARGS(name_of(alert)), alert->is_firing ? "less bad" : "over",
                           alert_severity_name(worst));
        return text.failed ? fail_memory(err, "engage", text.length) :
                             engage_tell(engage, incident, alert ? alert->id : 0, time_ns, "severity", STR(""), buf_str(&text), err);
}

static bool count_in(struct engage *engage, struct incident *incident, struct alert *alert, int64_t time_ns, struct err *err)
{
        bool is_told_now = incident->is_held && !alert->is_held && alert->is_firing;
        count_alert(engage, incident, alert);
        incident->is_held &= !is_told_now;
        add_up(engage, incident);
        incident_touch(engage->incidents, incident, NEWS_ALERTS | (is_told_now ? NEWS_SEVERITY : 0), time_ns);
        return follow_severity(engage, incident, alert, time_ns, err);
}

void engage_count_again(struct engage *engage, struct incident *incident)
{
        memset(incident->counts, 0, sizeof incident->counts);
        each (member, &incident->members) {
                struct alert *alert = alerts_find(engage->alerts, member->alert);
                if (!alert || alert->incident != incident->id)
                        continue;
                alert->counted = 0;
                count_alert(engage, incident, alert);
        }
        add_up(engage, incident);
}

bool engage_recount(struct engage *engage, struct incident *incident, int64_t time_ns, struct err *err)
{
        bool is_held = true;
        each (member, &incident->members) {
                const struct alert *alert = alerts_find(engage->alerts, member->alert);
                is_held &= !alert || alert->incident != incident->id || alert->is_held;
        }
        incident->is_held = is_held;
        engage_count_again(engage, incident);
        return follow_severity(engage, incident, NULL, time_ns, err);
}

/* --- members ----------------------------------------------------------------------------------------------------------------- */

bool engage_join(struct engage *engage, struct incident *incident, struct alert *alert, const struct clue *clue, int64_t time_ns, struct err *err)
{
        if (!incident->headline || (incident->is_held && incident->members.count && !alert->is_held)) { /* evidence gives no title to trouble */
                scoped(buf_done) struct buf headline = {0};
                if (!headline_of(alert, clue, &headline))
                        return fail_memory(err, "engage", headline.length);
                if (!incident_set_headline(incident, buf_str(&headline), err))
                        return false;
        }
        for (size_t i = 0; i < clue->entity_count; i++)
                if (!incident_add_entity(incident, clue->entities[i].id, clue->entities[i].kind, clue->entities[i].name, err))
                        return false;
        if (!incident_add_sort(incident, name_of(alert), kind_of(clue), err) ||
            !incident_add(incident, alert->id, time_ns, err) || !incident_retitle(incident, err) ||
            !note_member(engage, incident->id, alert->id, time_ns, false, err))
                return false;
        uncount(engage, alert);
        alert->incident = incident->id;
        alerts_touch(engage->alerts, alert);
        return count_in(engage, incident, alert, time_ns, err);
}

bool engage_leave(struct engage *engage, struct incident *incident, struct alert *alert, struct err *err)
{
        if (!note_member(engage, incident->id, alert->id, 0, true, err))
                return false;
        incident_remove(incident, alert->id);
        uncount(engage, alert);
        if (alert->incident == incident->id)
                alert->incident = 0;
        alerts_touch(engage->alerts, alert);
        return incident_retitle(incident, err);
}

/* --- an alert fires ------------------------------------------------------------------------------------------------------------ */

/* What is held back re-opens nothing that somebody was told of, and what is told begins with no incident of what was held back. */
static bool may_reopen(const struct incident *incident, const struct alert *alert, int64_t time_ns)
{
        return (incident->state == INCIDENT_RESOLVED || incident->state == INCIDENT_CLOSED) && !incident->is_noise &&
               incident->is_held == alert->is_held && time_ns - incident->resolved_ns <= INCIDENT_REOPEN_NS;
}

static bool reopen(struct engage *engage, struct incident *incident, const struct alert *alert, int64_t time_ns, struct err *err)
{
        int64_t after_s = (time_ns - incident->resolved_ns) / 1000000000;
        engage_count_again(engage, incident); /* what is closed was not counted any more */
        char text[200];
        snprintf(text, sizeof text, "%.*s fired again %" PRId64 " s after the incident was resolved", STR_ARGS(name_of(alert)), after_s);
        return engage_tell(engage, incident, alert->id, time_ns, "reopened", STR(""), str_of(text), err) &&
               engage_explain(engage, alert->id, time_ns, str_of(text), STR("[{\"kind\":\"again\",\"weight\":0,\"sentence\":\"it fired again soon after the incident was resolved\"}]"), err) &&
               incident_move(engage->incidents, incident, INCIDENT_OPEN, time_ns, err);
}

/* The alert that it began with; of an incident that is not held back, the first one that was not. NULL: it is forgotten. */
static const struct alert *first_told(const struct engage *engage, const struct incident *incident)
{
        each (member, &incident->members) {
                const struct alert *alert = alerts_find(engage->alerts, member->alert);
                if (alert && alert->is_held == incident->is_held)
                        return alert;
        }
        return NULL;
}

/* The same trouble once more: it begins as it began, and nothing was changed there in between. One of its later symptoms alone may be
 * of something else. */
static bool is_same_again(const struct engage *engage, const struct incident *incident, const struct alert *alert, const struct clue *clue, int64_t time_ns)
{
        const struct alert *first = first_told(engage, incident);
        return may_reopen(incident, alert, time_ns) && first && str_equal(name_of(alert), name_of(first)) &&
               incident_has_sort(incident, name_of(alert), kind_of(clue)) && !correlator_changed_since(engage->correlator, clue, incident->resolved_ns);
}

/* Whether the resolved incident that it belonged to is to re-open: not when it belongs to one that is open now. */
static bool brings_back(struct engage *engage, const struct incident *incident, const struct alert *alert, int64_t time_ns, bool *out_does, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct clue clue;
        struct verdict verdict;
        arena_init(&arena, 0);
        if (!engage_clue(engage, alert, &arena, &clue, err) || !correlator_weigh(engage->correlator, &clue, &verdict, err))
                return false;
        const struct incident *other = verdict.group ? incidents_find(engage->incidents, verdict.group) : NULL;
        bool is_elsewhere = other && other != incident && other->state < INCIDENT_RESOLVED && other->is_held == alert->is_held;
        *out_does = !is_elsewhere && is_same_again(engage, incident, alert, &clue, time_ns);
        return true;
}

/* It fires again: back to the incident it belonged to, when that lives or may be re-opened. */
static bool fire_again(struct engage *engage, struct alert *alert, int64_t time_ns, bool *out_is_done, struct err *err)
{
        struct incident *incident = alert->incident ? incidents_find(engage->incidents, alert->incident) : NULL;
        bool is_again = true;
        *out_is_done = false;
        if (incident && incident->state == INCIDENT_MERGED)
                incident = incidents_find(engage->incidents, incident->merged_into);
        if (incident && incident->state >= INCIDENT_RESOLVED && !brings_back(engage, incident, alert, time_ns, &is_again, err))
                return false;
        if (!incident || !is_again) {
                uncount(engage, alert);
                alert->incident = 0;
                alert->flaps = 0; /* another trouble: it does not flap */
                alert->is_flapping = false;
                return true;
        }
        if (incident->state >= INCIDENT_RESOLVED && !reopen(engage, incident, alert, time_ns, err))
                return false;
        if (!tell_alert_again(engage, incident, alert, "alert_fired", true, time_ns, err))
                return false;
        *out_is_done = true;
        return count_in(engage, incident, alert, time_ns, err);
}

/* What a weight rests on, for people. */
static void write_sentence(const struct join_reason *reason, struct buf *out)
{
        double apart_s = (double)reason->apart_ns / 1e9;
        switch (reason->kind) {
        case REASON_ENTITY: buf_printf(out, "an alert there is about the same thing, %.0f s before", apart_s); break;
        case REASON_NEAR: buf_printf(out, "an alert there is about something %d step%s away in the dependencies, %.0f s before", reason->distance,
                                     reason->distance > 1 ? "s" : "", apart_s); break;
        case REASON_TIME: buf_printf(out, "it began %.0f s before this alert", apart_s); break;
        case REASON_TEXT: buf_text(out, "it began with an alert of the same name"); break;
        case REASON_LEARNED: buf_printf(out, "people put such alerts %s before", reason->weight > 0 ? "together" : "apart"); break;
        case REASON_CHANGE: buf_text(out, "the same change came before both"); break;
        case REASON_ALIKE: buf_text(out, "the same trouble on other things at the same time"); break;
        case REASON_PERSON: buf_text(out, "somebody said so"); break;
        case REASON_AGAIN: buf_text(out, "it fired again soon after the incident was resolved"); break;
        case REASON_TOLD: buf_text(out, "it was told this alert already"); break;
        case REASON_MOMENT: buf_text(out, "it was told already what came in the same moment as this alert"); break;
        case REASON_ONSET: buf_text(out, "more was told again than stragglers explain"); break;
        case REASON_STORM: buf_text(out, "nothing is known of where this belongs, and many alerts come in just now"); break;
        }
}

static void write_reasons(const struct verdict *verdict, struct buf *out)
{
        buf_byte(out, '[');
        for (size_t i = 0; i < verdict->reason_count; i++) {
                const struct join_reason *reason = &verdict->reasons[i];
                buf_printf(out, "%s{\"kind\":\"%s\",\"weight\":%.2f,\"alert\":\"%" PRIu64 "\",\"sentence\":\"", i ? "," : "", reason_kind_name(reason->kind),
                           reason->weight, reason->other);
                write_sentence(reason, out);
                buf_text(out, "\"}");
        }
        buf_byte(out, ']');
}

static bool explain_join(struct engage *engage, const struct incident *incident, const struct alert *alert, const struct clue *clue,
                         const struct verdict *verdict, bool is_new, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf reasons = {0}, decision = {0};
        write_reasons(verdict, &reasons);
        if (is_new)
                buf_printf(&decision, "opened incident %u: %s", incident->number, verdict->is_onset ? "what is open near it was told this already, so something began anew" :
                                                                                "no open incident has enough evidence in common with it");
        else
                buf_printf(&decision, "joined incident %u", incident->number);
        if (reasons.failed || decision.failed)
                return fail_memory(err, "engage", reasons.length);
        return tell_alert(engage, incident, alert, clue, is_new ? "opened" : "alert_joined", true, time_ns, err) &&
               engage_explain(engage, alert->id, time_ns, buf_str(&decision), buf_str(&reasons), err);
}

/* The incident that the verdict names, when it may take this alert: a resolved one only for its own signature. */
static struct incident *accepted(struct engage *engage, const struct verdict *verdict, const struct alert *alert, const struct clue *clue, int64_t time_ns)
{
        struct incident *incident = verdict->group ? incidents_find(engage->incidents, verdict->group) : NULL;
        if (!incident || incident->state < INCIDENT_RESOLVED)
                return incident;
        return is_same_again(engage, incident, alert, clue, time_ns) ? incident : NULL;
}

static bool merge_others(struct engage *engage, struct incident *incident, const struct verdict *verdict, int64_t time_ns, struct err *err)
{
        for (size_t i = 0; i < verdict->merge_count; i++) {
                struct incident *other = incidents_find(engage->incidents, verdict->merges[i]);
                if (!other || other == incident || other->state >= INCIDENT_RESOLVED)
                        continue;
                struct incident *older = other->number < incident->number ? other : incident;
                struct incident *newer = older == other ? incident : other;
                if (!engage_merge(engage, newer, older, STR(""), time_ns, err))
                        return false;
                incident = older;
        }
        return true;
}

/* Out of another incident, with what came in the same moment. */
static bool follow(struct engage *engage, struct incident *from, struct incident *into, struct alert *alert, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct clue clue;
        char text[80];
        arena_init(&arena, 0);
        if (!engage_clue(engage, alert, &arena, &clue, err) || !engage_leave(engage, from, alert, err) ||
            !engage_join(engage, into, alert, &clue, time_ns, err) || !engage_recount(engage, from, time_ns, err))
                return false;
        from->causes_due = true;
        incident_touch(engage->incidents, from, NEWS_ALERTS, time_ns);
        snprintf(text, sizeof text, "moved from incident %u to incident %u", from->number, into->number);
        return tell_alert(engage, from, alert, &clue, "alert_left", false, time_ns, err) &&
               tell_alert(engage, into, alert, &clue, "alert_joined", true, time_ns, err) &&
               engage_explain(engage, alert->id, time_ns, str_of(text),
                              STR("[{\"kind\":\"moment\",\"weight\":0,\"sentence\":\"what came in the same moment belongs there\"}]"), err);
}

static bool move_company(struct engage *engage, struct incident *into, const struct verdict *verdict, int64_t time_ns, struct err *err)
{
        for (size_t i = 0; i < verdict->move_count; i++) {
                struct alert *alert = alerts_find(engage->alerts, verdict->moves[i].alert);
                struct incident *from = alert && alert->incident == verdict->moves[i].from ? incidents_find(engage->incidents, alert->incident) : NULL;
                if (from && from != into && from->members.count > 1 && !follow(engage, from, into, alert, time_ns, err))
                        return false;
        }
        return true;
}

static bool place(struct engage *engage, struct alert *alert, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct clue clue;
        struct verdict verdict;
        arena_init(&arena, 0);
        if (!engage_clue(engage, alert, &arena, &clue, err) || !correlator_weigh(engage->correlator, &clue, &verdict, err))
                return false;
        struct incident *incident = accepted(engage, &verdict, alert, &clue, time_ns);
        bool is_new = !incident;
        if (is_new && verdict.group)
                verdict.move_count = 0; /* they were to go where it is not going */
        if (is_new && !incidents_open(engage->incidents, engage_id(engage), time_ns, &incident, err))
                return false;
        if (incident->state >= INCIDENT_RESOLVED && !reopen(engage, incident, alert, time_ns, err))
                return false;
        if (!correlator_place(engage->correlator, &clue, incident->id, &verdict, err) || !engage_join(engage, incident, alert, &clue, time_ns, err)) {
                if (is_new && !alert->incident) {
                        correlator_end(engage->correlator, incident->id);
                        incidents_undo(engage->incidents, incident);
                }
                return false;
        }
        if (!explain_join(engage, incident, alert, &clue, &verdict, is_new, time_ns, err))
                return false;
        engage->counts.joins += !is_new;
        incident->is_storm = incident->sorts.count == 1 && (incident->is_storm || (!is_new && verdict.is_alike));
        incident->causes_due = true;
        if (!move_company(engage, incident, &verdict, time_ns, err) || !incident_retitle(incident, err))
                return false;
        return is_new || merge_others(engage, incident, &verdict, time_ns, err);
}

static bool fired(struct engage *engage, struct alert *alert, int64_t time_ns, struct err *err)
{
        bool is_done;
        if (!fire_again(engage, alert, time_ns, &is_done, err))
                return false;
        if (is_done || place(engage, alert, time_ns, err))
                return true;
        if (!err || err->code != ERR_FULL)
                return false;
        engage->counts.shed++; /* more open incidents than memory may hold: the alert is kept, without one */
        return true;
}

/* --- an alert ends ------------------------------------------------------------------------------------------------------------- */

static bool ended(struct engage *engage, struct alert *alert, int64_t time_ns, struct err *err)
{
        struct incident *incident = alert->incident ? incidents_find(engage->incidents, alert->incident) : NULL;
        if (!incident || !incident_is_alive(incident))
                return true;
        count_alert(engage, incident, alert);
        add_up(engage, incident);
        incident_touch(engage->incidents, incident, NEWS_ALERTS, time_ns);
        if (!tell_alert_again(engage, incident, alert, alert->is_expired ? "alert_expired" : "alert_resolved", false, time_ns, err) ||
            !follow_severity(engage, incident, alert, time_ns, err))
                return false;
        if (incident->firing || incident->state == INCIDENT_RESOLVED)
                return true;
        return incident_move(engage->incidents, incident, INCIDENT_RESOLVED, time_ns, err) &&
               engage_tell(engage, incident, 0, time_ns, "resolved", STR(""), STR("all its alerts are resolved"), err);
}

static bool take_finding(struct engage *engage, const struct finding *finding, int64_t time_ns, struct err *err)
{
        struct alert *alert;
        enum alert_step step;
        engage->counts.findings++;
        if (!alerts_take(engage->alerts, finding, engage_id(engage), time_ns, &alert, &step, err))
                return false;
        if (step == ALERT_FIRED || (alert && alert->is_firing && !alert->incident)) /* or it found no place when it fired */
                return fired(engage, alert, time_ns, err);
        if (step == ALERT_RESOLVED)
                return ended(engage, alert, time_ns, err);
        if (step != ALERT_TOLD_MORE || !alert->incident)
                return true;
        struct incident *incident = incidents_find(engage->incidents, alert->incident);
        return !incident || !incident_is_alive(incident) || count_in(engage, incident, alert, time_ns, err);
}

bool engage_place_change(struct engage *engage, const struct change_note *note, struct err *err)
{
        struct clue clue = {.alert = note->id, .time_ns = note->change.time_ns, .is_change = true, .entity_count = note->entity_count};
        for (size_t i = 0; i < note->entity_count; i++)
                clue.entities[i].id = note->entities[i];
        return correlator_place(engage->correlator, &clue, 0, NULL, err);
}

bool engage_take_one(struct engage *engage, const struct finding *finding, int64_t time_ns, uint64_t *out_incident, struct err *err)
{
        struct alert *alert;
        enum alert_step step;
        if (!alerts_take(engage->alerts, finding, engage_id(engage), time_ns, &alert, &step, err))
                return false;
        if (step == ALERT_SHED)
                return fail(err, ERR_FULL, "engage", "there are too many alerts; close what is done with");
        if (step == ALERT_FIRED && !fired(engage, alert, time_ns, err))
                return false;
        *out_incident = alert->incident;
        return true;
}

static bool take_change(struct engage *engage, const struct change_event *change, struct err *err)
{
        struct change_note note = {.id = engage_id(engage)}, *kept;
        struct topology_entity entities[TOPOLOGY_ENTITIES_MAX];
        if (!change_event_copy(change, &engage->pending, &note.change, err))
                return false;
        note.entity_count = resolve(engage, &change->labels, entities);
        for (size_t i = 0; i < note.entity_count; i++)
                note.entities[i] = entities[i].id;
        if (!(kept = arena_push(&engage->pending, &engage->changes)))
                return fail_memory(err, "engage", sizeof note);
        *kept = note;
        return engage_keep_change(engage, &note, err) && engage_place_change(engage, &note, err);
}

/* What is too old goes at the beginning of an entry, before anything is dirty: then memory holds what a load would find. */
void engage_pass(struct engage *engage, int64_t time_ns)
{
        alerts_forget(engage->alerts, time_ns);
        incidents_forget(engage->incidents, time_ns);
        engage->is_retention_due |= time_ns / RETAIN_NS != engage->now_ns / RETAIN_NS;
        engage->now_ns = time_ns;
}

bool engage_take(struct engage *engage, const struct noticed *noticed, uint64_t sequence, int64_t time_ns, struct err *err)
{
        engage_begin(engage, sequence);
        if (!engage->taken_changes && !engage->taken_findings)
                engage_pass(engage, time_ns);
        for (; engage->taken_changes < noticed->changes.count; engage->taken_changes++)
                if (!take_change(engage, &noticed->changes.items[engage->taken_changes], err))
                        return err_within(err, "taking a change");
        for (; engage->taken_findings < noticed->findings.count; engage->taken_findings++)
                if (!take_finding(engage, &noticed->findings.items[engage->taken_findings], time_ns, err))
                        return err_within(err, "taking a finding");
        if (!engage_suggest_teams(engage, time_ns, err))
                return err_within(err, "suggesting teams");
        engage->taken_findings = engage->taken_changes = 0;
        return true;
}

struct ticking {
        struct engage *engage;
        int64_t time_ns;
        bool good;
        struct err *err;
};

static void end_one(void *context, struct alert *alert)
{
        struct ticking *ticking = context;
        ticking->good = ended(ticking->engage, alert, ticking->time_ns, ticking->err) && ticking->good;
}

static bool close_old(struct engage *engage, int64_t time_ns, struct err *err)
{
        struct incident *incident;
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));) {
                if (incident->state != INCIDENT_RESOLVED || time_ns - incident->resolved_ns < INCIDENT_CLOSE_NS)
                        continue;
                if (!incident_move(engage->incidents, incident, INCIDENT_CLOSED, time_ns, err) ||
                    !engage_tell(engage, incident, 0, time_ns, "closed", STR(""), STR("nothing of it came back"), err))
                        return false;
                correlator_end(engage->correlator, incident->id);
        }
        return true;
}

/* Onsets that were none go back to the incident they belong to. */
static bool settle(struct engage *engage, int64_t time_ns, struct err *err)
{
        uint64_t group, into;
        while (correlator_settle(engage->correlator, time_ns, &group, &into)) {
                struct incident *from = incidents_find(engage->incidents, group), *to = incidents_find(engage->incidents, into);
                if (from && to && from->state < INCIDENT_RESOLVED && to->state < INCIDENT_RESOLVED &&
                    !engage_merge(engage, from, to, STR(""), time_ns, err))
                        return false;
        }
        return true;
}

bool engage_tick(struct engage *engage, uint64_t sequence, int64_t time_ns, struct err *err)
{
        struct ticking ticking = {engage, time_ns, true, err};
        engage_begin(engage, sequence);
        if (!alerts_tick(engage->alerts, time_ns, end_one, &ticking, err) || !ticking.good || !close_old(engage, time_ns, err))
                return err_within(err, "ending alerts at a tick");
        if (!settle(engage, time_ns, err) || !engage_find_causes(engage, time_ns, err))
                return err_within(err, "joining incidents at a tick");
        if (!engage_suggest_teams(engage, time_ns, err))
                return err_within(err, "suggesting teams at a tick");
        correlator_forget(engage->correlator, time_ns);
        return true;
}

/* --- merging ------------------------------------------------------------------------------------------------------------------- */

static bool move_member(struct engage *engage, struct incident *from, struct incident *into, const struct incident_member *member, struct err *err)
{
        struct alert *alert = alerts_find(engage->alerts, member->alert);
        if (!incident_add(into, member->alert, member->joined_ns, err) ||
            !note_member(engage, into->id, member->alert, member->joined_ns, false, err))
                return false;
        if (alert && alert->incident == from->id) {
                uncount(engage, alert);
                alert->incident = into->id;
                alerts_touch(engage->alerts, alert);
        }
        return true;
}

bool engage_merge(struct engage *engage, struct incident *from, struct incident *into, struct str by, int64_t time_ns, struct err *err)
{
        char text[80];
        each (member, &from->members)
                if (!move_member(engage, from, into, member, err))
                        return false;
        each (entity, &from->entities)
                if (!incident_add_entity(into, entity->id, entity->kind, entity->name, err))
                        return false;
        each (sort, &from->sorts)
                if (!incident_add_sort(into, sort->name, sort->kind, err))
                        return false;
        snprintf(text, sizeof text, "into incident %u", into->number);
        if (!incident_retitle(into, err) || !engage_tell(engage, from, 0, time_ns, "merged", by, str_of(text), err))
                return false;
        snprintf(text, sizeof text, "incident %u is part of this one", from->number);
        if (!engage_tell(engage, into, 0, time_ns, "merged_from", by, str_of(text), err) ||
            !incident_move(engage->incidents, from, INCIDENT_MERGED, time_ns, err))
                return false;
        from->merged_into = into->id;
        correlator_move_group(engage->correlator, from->id, into->id);
        into->is_storm &= into->sorts.count == 1;
        into->causes_due = true;
        incident_touch(engage->incidents, into, NEWS_ALERTS, time_ns);
        engage->counts.merges++;
        return engage_recount(engage, into, time_ns, err);
}

/* --- for others ---------------------------------------------------------------------------------------------------------------- */

const struct incident_news *engage_news(const struct engage *engage, size_t *out_count)
{
        return incidents_news(engage->incidents, out_count);
}

void engage_news_clear(struct engage *engage)
{
        incidents_news_clear(engage->incidents);
}

bool engage_why(struct engage *engage, uint64_t subject, int64_t time_ns, struct str decision, struct str reasons, struct err *err)
{
        return engage_explain(engage, subject, time_ns, decision, reasons, err);
}

bool engage_note(struct engage *engage, uint64_t incident, int64_t time_ns, const char *kind, const char *by, struct str text, struct err *err)
{
        const struct incident *kept = incidents_find(engage->incidents, incident);
        if (!kept)
                return fail(err, ERR_NOT_FOUND, "engage", "noting what was done about an incident: it is not in memory any more");
        return engage_tell(engage, kept, 0, time_ns, kind, str_of(by), text, err);
}

void engage_count(const struct engage *engage, struct engage_counts *out_counts)
{
        struct alert_counts alerts;
        alerts_count(engage->alerts, &alerts);
        *out_counts = engage->counts;
        out_counts->alerts = alerts.held;
        out_counts->alerts_firing = alerts.firing;
        out_counts->bytes = alerts.bytes;
        out_counts->shed += alerts.shed;
        out_counts->flaps_held = alerts.flaps_held;
        out_counts->incidents_alive = incidents_alive(engage->incidents);
}
