/*
 * notify_decide.c - looks at one incident as it is now and at what each team was told of it, and tells what is missing.
 *
 *      nothing told -(group_wait)-> fired -> worse | update (group_interval) | reminder (repeat_interval) | escalated (until acknowledged)
 *                                     '-> resolved -> again (it fired once more)
 *
 * Asked again it decides the same: nothing here depends on having seen each step. Muted alerts are left out; when all of a team's
 * are, the reason is stored, once for each reason. Resolved goes to whoever was told, whatever is silenced by then.
 */
#include "base/hash.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/notify_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What concerns one team of an incident, this time. */
#define OVER_BEFORE "it was over before anybody had to be told"

struct share {
        struct str team;
        const struct routing *route;
        enum page_when page;
        enum alert_severity severity;
        bool *is_told_of;               /* for each alert of the incident */
        size_t firing, active;          /* active: firing and not muted */
        uint64_t alerts;                /* hash of those */
        char muted[REASON_BYTES];
};

struct look {
        struct notify *notify;
        struct pursuit *pursuit;
        const struct incident_view *view;
        struct arena *arena;
        struct share shares[TEAMS_TOLD_MAX];
        size_t share_count;
        int64_t time_ns;
        int64_t due_ns;                 /* when to look again, if nothing happens */
        bool is_canary;
};

/* --- who is concerned, and what is muted ------------------------------------------------------------------------------ */

static struct told *told_of(const struct pursuit *pursuit, struct str team)
{
        for (size_t i = 0; i < pursuit->told_count; i++)
                if (str_equal(pursuit->told[i]->team, team))
                        return pursuit->told[i];
        return NULL;
}

static bool told_for(struct look *look, struct str team, struct told **out_told, struct err *err)
{
        struct pursuit *pursuit = look->pursuit;
        *out_told = told_of(pursuit, team);
        if (*out_told || pursuit->told_count == TEAMS_TOLD_MAX)
                return true;
        struct told *told = calloc(1, sizeof *told);
        if (!told)
                return fail_memory(err, "engage", sizeof *told);
        told->team = notify_keep(look->notify, team);
        if (!told->team.bytes) {
                free(told);
                return fail_memory(err, "engage", team.length);
        }
        *out_told = pursuit->told[pursuit->told_count++] = told;
        return true;
}

static bool is_source(const struct notify *notify, const struct inhibition *inhibition, const struct labels *target)
{
        for (size_t i = 0; i < notify->pursuits.count; i++)
                each (labels, &notify->pursuits.items[i]->inhibitors) {
                        bool fits = matchers_match(&inhibition->source, labels) && !labels_equal(labels, target);
                        each (name, &inhibition->equal)
                                fits = fits && str_equal(labels_value(labels, *name), labels_value(target, *name));
                        if (fits)
                                return true;
                }
        return false;
}

/* Like Alertmanager: an alert that matches both sides does not inhibit what matches both as well. */
static bool is_inhibited(const struct notify *notify, const struct labels *labels)
{
        each (inhibition, &notify->policy->inhibitions)
                if (matchers_match(&inhibition->target, labels) && !matchers_match(&inhibition->source, labels) && is_source(notify, inhibition, labels))
                        return true;
        return false;
}

static const struct planned *planned_for(const struct notify *notify, const struct labels *labels, int64_t time_ns)
{
        each (planned, &notify->policy->planned)
                if (time_ns >= planned->from_ns && time_ns < planned->to_ns && matchers_match(&planned->matchers, labels))
                        return planned;
        return NULL;
}

bool notify_is_planned(const struct notify *notify, const struct labels *labels, int64_t time_ns)
{
        struct silence *silence;
        size_t at = 0;
        while ((silence = silences_next(notify->silences, &at)))
                if (silence->is_maintenance && silence->starts_ns <= time_ns && time_ns < silence->ends_ns && matchers_match(&silence->matchers, labels))
                        return true;
        return notify->policy && planned_for(notify, labels, time_ns);
}

/* Why this alert may not be told now, into out; false: it may. */
static bool is_muted(const struct look *look, const struct incident_alert *alert, char out[static REASON_BYTES])
{
        const struct notify *notify = look->notify;
        const struct silence *silence = silences_match(notify->silences, &alert->labels, look->time_ns);
        if (alert->is_held) {
                snprintf(out, REASON_BYTES, "it is held back: what found it may not page by itself yet, or the alert budget is used up");
        } else if (silence) {
                snprintf(out, REASON_BYTES, "%s by %.*s: %.*s (%s)", silence->is_maintenance ? "maintenance" : "silenced", STR_ARGS(silence->by),
                         STR_ARGS(str_slice(silence->comment, 0, 100)), silence->id);
        } else if (is_inhibited(notify, &alert->labels)) {
                snprintf(out, REASON_BYTES, "inhibited: an alert that explains it is firing already");
        } else {
                const struct planned *planned = planned_for(notify, &alert->labels, look->time_ns);
                if (planned)
                        snprintf(out, REASON_BYTES, "planned maintenance %.*s", STR_ARGS(planned->name));
                return planned;
        }
        return true;
}

static struct share *share_of(struct look *look, const struct routing *route, struct str team, struct err *err)
{
        for (size_t i = 0; i < look->share_count; i++)
                if (str_equal(look->shares[i].team, team))
                        return &look->shares[i];
        if (look->share_count == TEAMS_TOLD_MAX)
                return &look->shares[TEAMS_TOLD_MAX - 1]; /* one of those told learns of it too, rather than nobody */
        struct share *share = &look->shares[look->share_count++];
        *share = (struct share){.team = team, .route = route, .page = route->page};
        share->is_told_of = arena_array(look->arena, look->view->alerts.count + 1, sizeof *share->is_told_of);
        if (!share->is_told_of) {
                fail_memory(err, "engage", look->view->alerts.count);
                return NULL;
        }
        return share;
}

static bool add_to_share(struct look *look, const struct routing *route, struct str team, const struct incident_alert *alert, const char *muted, struct err *err)
{
        struct share *share = share_of(look, route, team, err);
        size_t at = (size_t)(alert - look->view->alerts.items);
        if (!share)
                return false;
        share->page = route->page == PAGE_ALWAYS || share->page == PAGE_ALWAYS ? PAGE_ALWAYS : min_of(share->page, route->page);
        share->is_told_of[at] = !alert->is_firing || !*muted;
        if (!alert->is_firing)
                return true;
        share->firing++;
        if (*muted) {
                snprintf(share->muted, sizeof share->muted, "%s", muted);
                return true;
        }
        if (!share->active++)
                share->severity = alert->severity;
        share->severity = max_of(share->severity, alert->severity);
        share->alerts += alert->fingerprint.low * UINT64_C(0x9e3779b97f4a7c15); /* a sum: their order does not matter */
        return true;
}

/* The route that a team was given an incident by hand with: the first that names the team. */
static const struct routing *route_to(const struct routing *route, struct str team)
{
        each (below, &route->routes) {
                const struct routing *found = route_to(below, team);
                if (found)
                        return found;
        }
        return str_equal(route->team, team) ? route : NULL;
}

static bool share_alert(struct look *look, const struct incident_alert *alert, struct err *err)
{
        const struct policy *policy = look->notify->policy;
        const struct routing *routes[ROUTED_MAX];
        char muted[REASON_BYTES] = "";
        if (alert->is_firing)
                is_muted(look, alert, muted);
        if (look->is_canary)
                return add_to_share(look, &policy->root, policy->canary_team, alert, muted, err);
        if (look->view->team.length) {
                const struct routing *route = route_to(&policy->root, look->view->team);
                return add_to_share(look, route ? route : &policy->root, look->view->team, alert, muted, err);
        }
        size_t count = policy_route(policy, &alert->labels, routes);
        for (size_t i = 0; i < count; i++)
                if (!add_to_share(look, routes[i], routes[i]->team, alert, muted, err))
                        return false;
        return true;
}

/* --- telling ---------------------------------------------------------------------------------------------------------- */

static void look_again(struct look *look, int64_t at_ns)
{
        int64_t soonest_ns = look->time_ns + 100 * NS_PER_MS;
        at_ns = max_of(at_ns, soonest_ns);
        look->due_ns = min_of(look->due_ns, at_ns);
}

static bool keep_back(struct look *look, struct told *told, const char *reason, struct err *err)
{
        look_again(look, look->time_ns + MUTED_RECHECK_NS);
        if (strcmp(told->why_not, reason) == 0)
                return true;
        snprintf(told->why_not, sizeof told->why_not, "%s", reason);
        look->pursuit->is_dirty = true;
        look->notify->counts.kept_back++;
        return notify_explain(look->notify, look->pursuit->incident, told->team, false, look->time_ns, reason, err);
}

static bool add_recipients(struct told *told, const struct recipients *more)
{
        for (size_t i = 0; i < more->count; i++) {
                bool is_there = false;
                for (size_t j = 0; j < told->recipient_count; j++)
                        is_there |= str_equal(told->recipients[j].receiver, more->items[i].receiver) && str_equal(told->recipients[j].to, more->items[i].to);
                if (!is_there && told->recipient_count < RECIPIENTS_MAX)
                        told->recipients[told->recipient_count++] = more->items[i];
        }
        return true;
}

static void all_recipients(const struct told *told, struct recipients *into)
{
        memcpy(into->items, told->recipients, told->recipient_count * sizeof *told->recipients);
        into->count = told->recipient_count;
}

static bool tell(struct look *look, const struct share *share, struct told *told, const struct occasion *occasion, const struct recipients *to, struct err *err)
{
        if (!to->count)
                return keep_back(look, told, told->team.length ? "nobody can be told: the team has no receiver, and nobody on call has a contact" :
                                                                 "no team: no route leads to one, or none is declared", err);
        if (look->notify->outbox.count + to->count > OUTBOX_MAX) {
                look->notify->counts.shed++;
                return keep_back(look, told, "too many messages wait for their receivers already", err);
        }
        add_recipients(told, to);
        if (!notify_send(look->notify, look->view, told->team, occasion, to, told, share ? share->is_told_of : NULL, look->time_ns, err))
                return false;
        if (!told->first_ns)
                told->first_ns = look->time_ns;
        told->last_ns = look->time_ns;
        told->alerts = share ? share->alerts : 0;
        told->why_not[0] = 0;
        look->pursuit->is_dirty = true;
        return true;
}

static const struct escalation *escalation_of(const struct look *look, const struct share *share)
{
        const struct policy *policy = look->notify->policy;
        const struct team *team = policy_team(policy, share->team);
        struct str name = share->route->escalation.length ? share->route->escalation : team ? team->escalation : STR("");
        return look->is_canary ? NULL : policy_escalation(policy, name);
}

static bool is_page(const struct look *look, const struct share *share)
{
        return !look->is_canary && (share->page == PAGE_ALWAYS || (share->page == PAGE_CRITICAL && share->severity >= ALERT_CRITICAL));
}

/* Somebody does something about it: no reminder, no escalation. */
static bool is_taken(const struct incident_view *view)
{
        return view->state == INCIDENT_ACKNOWLEDGED || view->state == INCIDENT_ACTING;
}

/* A canary goes to those receivers that confirm, and bothers nobody else. */
static void keep_confirming(const struct policy *policy, struct recipients *to)
{
        size_t kept = 0;
        for (size_t i = 0; i < to->count; i++) {
                const struct receiver *receiver = policy_receiver(policy, to->items[i].receiver);
                if (receiver && receiver->confirms)
                        to->items[kept++] = to->items[i];
        }
        to->count = kept;
}

static bool tell_canary(struct look *look, const struct share *share, struct told *told, struct recipients *to, struct err *err)
{
        keep_confirming(look->notify->policy, to);
        if (!to->count)
                return keep_back(look, told, "the team has a canary, and none of its receivers says confirms: true", err);
        return tell(look, share, told, &(struct occasion){"canary", "Evenkeel tests the way from a finding to this receiver; nothing is wrong", false}, to, err);
}

static bool tell_first(struct look *look, const struct share *share, struct told *told, const char *name, struct err *err)
{
        struct recipients to = {0};
        bool pages = is_page(look, share);
        const struct escalation *escalation = escalation_of(look, share);
        bool has_level = pages && escalation && escalation->levels.items[0].after_ns == 0 && !share->route->receivers.count;
        if (has_level ? !notify_level(look->notify, &escalation->levels.items[0], share->team, look->time_ns, &to, err) :
                        !notify_recipients(look->notify, share->route, share->team, pages, look->time_ns, &to, err))
                return false;
        if (look->is_canary ? !tell_canary(look, share, told, &to, err) : !tell(look, share, told, &(struct occasion){name, NULL, pages}, &to, err))
                return false;
        if (told->why_not[0])
                return true;
        told->is_told = true;
        told->is_over = false;
        told->is_page = pages;
        told->paged_ns = pages ? look->time_ns : 0;
        told->level = has_level;
        return true;
}

/* It came again: told, unless it does so all the time. */
static bool tell_again(struct look *look, const struct share *share, struct told *told, struct err *err)
{
        if (look->time_ns - told->again_ns > AGAIN_NS) {
                told->again_ns = look->time_ns;
                told->again = 0;
        }
        if (told->again >= AGAIN_MAX)
                return keep_back(look, told, "it flaps: it was told as come again three times within an hour", err);
        told->again++;
        return tell_first(look, share, told, "again", err);
}

static bool escalate(struct look *look, const struct share *share, struct told *told, const struct escalation *escalation, struct err *err)
{
        char because[REASON_BYTES];
        struct recipients to = {0};
        const struct level *level = &escalation->levels.items[told->level];
        snprintf(because, sizeof because, "nobody acknowledged it within %" PRId64 " minutes", (look->time_ns - told->paged_ns) / (60 * NS_PER_S));
        if (!notify_level(look->notify, level, share->team, look->time_ns, &to, err))
                return false;
        told->level++;
        look->pursuit->is_dirty = true;
        return tell(look, share, told, &(struct occasion){"escalated", because, true}, &to, err);
}

/* It was told, and goes on. */
static bool tell_more(struct look *look, const struct share *share, struct told *told, struct err *err)
{
        const struct escalation *escalation = escalation_of(look, share);
        struct recipients all;
        bool is_waiting = told->is_page && !is_taken(look->view) && escalation && told->level < escalation->levels.count;
        int64_t level_ns = is_waiting ? told->paged_ns + escalation->levels.items[told->level].after_ns : INT64_MAX;
        int64_t update_ns = share->alerts != told->alerts ? told->last_ns + share->route->group_interval_ns : INT64_MAX;
        int64_t repeat_ns = is_taken(look->view) || look->is_canary ? INT64_MAX : told->last_ns + share->route->repeat_interval_ns;
        all_recipients(told, &all);
        if (is_page(look, share) && !told->is_page)
                return tell_first(look, share, told, "worse", err);
        if (look->time_ns >= level_ns)
                return escalate(look, share, told, escalation, err);
        if (look->time_ns >= update_ns)
                return tell(look, share, told, &(struct occasion){"update", "other alerts joined it or were resolved", false}, &all, err);
        if (look->time_ns >= repeat_ns)
                return tell(look, share, told, &(struct occasion){"reminder", "it goes on and nobody acknowledged it", told->is_page}, &all, err);
        look_again(look, level_ns);
        look_again(look, update_ns);
        look_again(look, repeat_ns);
        return true;
}

static bool tell_share(struct look *look, const struct share *share, struct err *err)
{
        struct told *told;
        if (!told_for(look, share->team, &told, err))
                return false;
        if (!told || !share->firing)
                return true;
        if (!share->active) {
                told->seen_ns = 0;
                return keep_back(look, told, share->muted, err);
        }
        if (!told->seen_ns) {
                told->seen_ns = look->time_ns;
                look->pursuit->is_dirty = true;
        }
        int64_t ready_ns = told->seen_ns + (look->is_canary ? 0 : share->route->group_wait_ns);
        if (told->is_told && !told->is_over) {
                if (!tell_more(look, share, told, err))
                        return false;
        } else if (look->time_ns < ready_ns) {
                look_again(look, ready_ns);
                return true;
        } else if (told->is_told ? !tell_again(look, share, told, err) : !tell_first(look, share, told, "fired", err)) {
                return false;
        }
        look_again(look, look->time_ns + 60 * NS_PER_S); /* policies and silences change too */
        return true;
}

static const struct share *share_named(const struct look *look, struct str team)
{
        for (size_t i = 0; i < look->share_count; i++)
                if (str_equal(look->shares[i].team, team))
                        return &look->shares[i];
        return NULL;
}

/* Nothing of the incident fires for that team any more. */
static bool tell_over(struct look *look, struct told *told, struct err *err)
{
        const struct share *share = share_named(look, told->team);
        struct recipients to = {0};
        if (told->is_over || (share && share->firing))
                return true;
        told->seen_ns = 0;
        if (!told->is_told)
                return keep_back(look, told, OVER_BEFORE, err);
        told->is_over = true;
        look->pursuit->is_dirty = true;
        if (look->is_canary)
                return true; /* it came through, which is all that it had to say */
        if (look->view->team.length && !str_equal(look->view->team, told->team))
                return keep_back(look, told, "another team has it now", err);
        for (size_t i = 0; i < told->recipient_count; i++) {
                const struct receiver *receiver = policy_receiver(look->notify->policy, told->recipients[i].receiver);
                if (receiver && receiver->sends_resolved)
                        to.items[to.count++] = told->recipients[i];
        }
        if (!to.count)
                return keep_back(look, told, "resolved: its receivers do not want to know", err);
        return tell(look, share, told, &(struct occasion){"resolved", NULL, false}, &to, err);
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

/* Whoever was told of it is told when the one that it is part of now is over. */
static bool hand_over(struct look *look, struct err *err)
{
        struct pursuit *into;
        if (!notify_pursue_from(look->notify, look->view->merged_into, 0, &into, err))
                return false;
        struct look there = {.notify = look->notify, .pursuit = into};
        for (size_t i = 0; i < look->pursuit->told_count; i++) {
                struct told *told = look->pursuit->told[i], *heir;
                if (!told->is_told || told->is_over)
                        continue;
                if (!told_for(&there, told->team, &heir, err))
                        return false;
                if (!heir)
                        continue;
                struct recipients to;
                bool is_new = !heir->is_told;
                all_recipients(told, &to);
                add_recipients(heir, &to);
                if (is_new) {
                        heir->seen_ns = told->seen_ns;
                        heir->first_ns = told->first_ns;
                        heir->last_ns = told->last_ns;
                        heir->paged_ns = told->paged_ns;
                        heir->level = told->level;
                        heir->is_page = told->is_page;
                        heir->is_told = true;
                }
                into->is_dirty = true;
                if (!notify_explain(look->notify, look->pursuit->incident, told->team, false, look->time_ns, "it became part of another incident, which is told on", err))
                        return false;
        }
        into->due_ns = look->time_ns;
        look->pursuit->is_done = look->pursuit->is_dirty = true;
        return true;
}

static bool is_canary(const struct incident_view *view)
{
        each (alert, &view->alerts)
                if (!str_is(labels_value(&alert->labels, STR("alertname")), "EvenkeelCanary"))
                        return false;
        return view->alerts.count > 0;
}

/* What opened and ended just before a long time in which nothing ran is looked at when its alerts are known no more: that, too, has its explanation. */
static bool end_pursuit(struct notify *notify, struct pursuit *pursuit, int64_t time_ns, struct err *err)
{
        pursuit->is_done = pursuit->is_dirty = true;
        return pursuit->told_count || notify_explain(notify, pursuit->incident, STR(""), false, time_ns, OVER_BEFORE, err);
}

static bool take_look(struct look *look, struct err *err)
{
        const struct incident_view *view = look->view;
        struct pursuit *pursuit = look->pursuit;
        if (view->state == INCIDENT_MERGED)
                return hand_over(look, err);
        if (!notify_reload(look->notify, pursuit, view, err))
                return false;
        bool is_over = view->state >= INCIDENT_RESOLVED;
        each (alert, &view->alerts)
                if (!share_alert(look, alert, err))
                        return false;
        for (size_t i = 0; i < look->share_count; i++)
                if (is_over)
                        look->shares[i].firing = 0; /* a person said so */
        for (size_t i = 0; i < look->share_count; i++)
                if (!tell_share(look, &look->shares[i], err))
                        return false;
        for (size_t i = 0; i < pursuit->told_count; i++)
                if (!tell_over(look, pursuit->told[i], err))
                        return false;
        return view->state != INCIDENT_CLOSED || end_pursuit(look->notify, pursuit, look->time_ns, err);
}

bool notify_decide(struct notify *notify, struct pursuit *pursuit, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        struct err gone = {0};
        arena_init(&arena, 0);
        if (!engage_view(notify->engage, pursuit->incident, &arena, &view, &gone)) {
                if (gone.code != ERR_NOT_FOUND)
                        return err ? (*err = gone, false) : false;
                return end_pursuit(notify, pursuit, time_ns, err); /* closed long ago */
        }
        struct look look = {.notify = notify, .pursuit = pursuit, .view = &view, .arena = &arena, .time_ns = time_ns, .due_ns = INT64_MAX};
        if (pursuit->number != view.number) {
                pursuit->number = view.number;
                pursuit->is_dirty = true;
        }
        look.is_canary = is_canary(&view);
        if (!take_look(&look, err))
                return err_within(err, "telling of incident #%u", view.number);
        pursuit->due_ns = look.due_ns;
        return true;
}

/* --- what is done about it ---------------------------------------------------------------------------------------------- */

/* Whoever was told of the incident; else whom the team's route names now. */
static bool recipients_of(struct look *look, const struct share *share, const struct told *told, struct recipients *to, struct err *err)
{
        if (told && told->is_told)
                return all_recipients(told, to), true;
        return notify_recipients(look->notify, share->route, share->team, is_page(look, share), look->time_ns, to, err);
}

static bool say_to(struct look *look, const struct share *share, const struct occasion *occasion, size_t *out_recipients, struct err *err)
{
        const struct told *told = told_of(look->pursuit, share->team);
        struct recipients to = {0};
        bool knows = told && told->is_told, can_decide = knows && !told->is_over && share->active;
        bool is_wanted = strcmp(occasion->name, "approval") == 0 ? can_decide : strcmp(occasion->name, "run") == 0 ? knows : true;
        if (look->is_canary || !is_wanted)
                return true;
        if (!recipients_of(look, share, told, &to, err))
                return false;
        if (look->notify->outbox.count + to.count > OUTBOX_MAX) {
                look->notify->counts.shed++;
                return notify_explain(look->notify, look->view->id, share->team, false, look->time_ns, "too many messages wait for their receivers already", err);
        }
        *out_recipients += to.count;
        return !to.count || notify_send(look->notify, look->view, share->team, occasion, &to, told, share->is_told_of, look->time_ns, err);
}

bool notify_say(struct notify *notify, uint64_t incident, const char *occasion, const char *because, uint64_t sequence, int64_t time_ns, size_t *out_recipients,
                struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct incident_view view;
        struct err gone = {0};
        struct look look = {.notify = notify, .view = &view, .arena = &arena, .time_ns = time_ns, .due_ns = INT64_MAX};
        arena_init(&arena, 0);
        notify_begin(notify, sequence, time_ns);
        *out_recipients = 0;
        if (!notify->policy)
                return true;
        if (!engage_view(notify->engage, incident, &arena, &view, &gone))
                return gone.code == ERR_NOT_FOUND || fail_memory(err, "engage", sizeof view);
        struct pursuit nobody = {0}, *pursuit = notify_pursuit(notify, incident);
        look.pursuit = pursuit ? pursuit : &nobody;
        look.is_canary = is_canary(&view);
        each (alert, &view.alerts)
                if (!share_alert(&look, alert, err))
                        return false;
        for (size_t i = 0; i < look.share_count; i++)
                if (!say_to(&look, &look.shares[i], &(struct occasion){occasion, because, false}, out_recipients, err))
                        return err_within(err, "telling what is done about incident #%u", view.number);
        return true;
}
