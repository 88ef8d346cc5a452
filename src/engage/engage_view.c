/* engage_view.c - copies of incidents for the stages after engage, which run in the same decision: see engage.h. */
#include "base/scope.h"
#include "engage/engage_state.h"

/* The texts stay the alert's: nothing is told before the decision is over, and a storm's incident is looked at often. */
static bool copy_alert(const struct alert *alert, struct arena *arena, struct incident_alert *out, struct err *err)
{
        struct alert_told told = alert_told(alert);
        struct incident_alert copy = {.id = alert->id, .fingerprint = alert->fingerprint, .severity = alert->severity, .origin = alert->origin,
                                      .is_firing = alert->is_firing, .is_held = alert->is_held, .starts_ns = alert->starts_ns,
                                      .changed_ns = alert->changed_ns, .resolved_ns = alert->is_firing ? 0 : alert->ends_ns,
                                      .value = alert->value};
        copy.evidence = told.evidence;
        copy.generator_url = told.generator_url;
        copy.source = told.source;
        if (!labels_unpack(told.labels, arena, &copy.labels, err) || !labels_unpack(told.annotations, arena, &copy.annotations, err))
                return false;
        *out = copy;
        return true;
}

/* Keeps of common what other has alike. */
static void intersect(struct labels *common, const struct labels *other)
{
        size_t kept = 0;
        each (label, common)
                if (str_equal(labels_value(other, label->name), label->value))
                        common->items[kept++] = *label;
        common->count = kept;
}

static bool copy_alerts(const struct engage *engage, const struct incident *incident, struct arena *arena, struct incident_view *view, struct err *err)
{
        each (member, &incident->members) {
                const struct alert *alert = alerts_find(engage->alerts, member->alert);
                struct incident_alert *copy = alert ? arena_push(arena, &view->alerts) : NULL;
                if (!alert)
                        continue; /* resolved long ago */
                if (!copy)
                        return fail_memory(err, "engage", sizeof *copy);
                if (!copy_alert(alert, arena, copy, err))
                        return false;
                if (view->alerts.count > 1)
                        intersect(&view->labels, &copy->labels);
                else if (!labels_copy(&copy->labels, arena, &view->labels))
                        return fail_memory(err, "engage", sizeof *copy);
        }
        return true;
}

static bool copy_lists(const struct incident *incident, struct arena *arena, struct incident_view *view, struct err *err)
{
        each (cause, &incident->causes) {
                struct incident_cause *copy = arena_push(arena, &view->causes);
                if (!copy)
                        return fail_memory(err, "engage", sizeof *copy);
                *copy = *cause;
                if (!text_copy(cause->name, arena, &copy->name) || !text_copy(cause->kind, arena, &copy->kind) ||
                    !text_copy(cause->reason, arena, &copy->reason))
                        return fail_memory(err, "engage", sizeof *copy);
        }
        each (entity, &incident->entities) {
                struct incident_entity *copy = arena_push(arena, &view->entities);
                if (!copy)
                        return fail_memory(err, "engage", sizeof *copy);
                copy->id = entity->id;
                if (!text_copy(entity->kind, arena, &copy->kind) || !text_copy(entity->name, arena, &copy->name))
                        return fail_memory(err, "engage", sizeof *copy);
        }
        return true;
}

bool engage_view(const struct engage *engage, uint64_t id, struct arena *arena, struct incident_view *out_view, struct err *err)
{
        const struct incident *incident = incidents_find(engage->incidents, id);
        if (!incident)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no such incident in memory");
        struct incident_view view = {.id = incident->id, .number = incident->number, .state = incident->state, .severity = incident->severity,
                                     .is_held = incident->is_held, .signature = incident->signature, .opened_ns = incident->opened_ns,
                                     .changed_ns = incident->changed_ns, .acknowledged_ns = incident->acknowledged_ns,
                                     .resolved_ns = incident->resolved_ns, .closed_ns = incident->closed_ns,
                                     .merged_into = incident->merged_into};
        if (!text_copy(str_of(incident->title), arena, &view.title) || !text_copy(str_of(incident->owner), arena, &view.owner) ||
            !text_copy(str_of(incident->team), arena, &view.team) ||
            !text_copy(str_of(incident->signature_text), arena, &view.signature_text))
                return fail_memory(err, "engage", sizeof view);
        if (!copy_alerts(engage, incident, arena, &view, err) || !copy_lists(incident, arena, &view, err))
                return false;
        *out_view = view;
        return true;
}

uint64_t engage_incident_id(const struct engage *engage, uint32_t number)
{
        const struct incident *incident = incidents_by_number(engage->incidents, number);
        return incident ? incident->id : 0;
}
