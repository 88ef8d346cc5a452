/*
 * notify_self.c - what Evenkeel has to say about its own way to people: canaries, gaps of on-call, people who cannot be reached, messages
 * given up. They are findings like any other, so they prove the way that they go.
 *
 *      canary_every -> finding EvenkeelCanary -> alert -> incident -> message to receivers that confirm -> sent -> acknowledged, resolved
 *                                                                               '-> not within CANARY_WAIT_NS: EvenkeelCanaryLost
 *
 * An alarm is told anew every ALARM_EVERY_NS and ends by itself when it is not: so nothing about it needs to be kept.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/message.h"
#include "engage/notify_state.h"

#include <math.h>
#include <string.h>

#define ALARM_EVERY_NS (300 * NS_PER_S)
#define ALARM_LASTS_NS (900 * NS_PER_S)
#define GAP_AHEAD_NS (3 * 86400 * NS_PER_S)
#define CANARY_WAIT_NS (300 * NS_PER_S)

/* All of these are about the service evenkeel and may be one incident, but for canaries: those are an incident each, which nothing joins. */
struct telling {
        struct noticed *noticed;
        struct arena *arena;
        int64_t time_ns;
        struct err *err;
};

static bool tell(const struct telling *telling, const char *name, const char *severity, struct str about, struct str of, struct str summary, bool is_firing,
                 int64_t lasts_ns)
{
        bool is_canary = strcmp(name, "EvenkeelCanary") == 0;
        struct label labels[] = {{STR("alertname"), str_of(name)}, {about, of}, {STR("severity"), str_of(severity)}, {STR("service"), STR("evenkeel")}};
        size_t count = countof(labels) - is_canary;
        struct label annotations[] = {{STR("summary"), summary}};
        struct finding finding = {.origin = FINDING_SELF, .labels = {labels, count, count}, .annotations = {annotations, 1, 1},
                                  .is_firing = is_firing, .starts_ns = 0, .ends_ns = is_firing ? telling->time_ns + lasts_ns : telling->time_ns, .value = NAN,
                                  .held_why = STR(""), .evidence = STR(""), .generator_url = STR(""), .source = STR("notifications")};
        return labels_canonical(&finding.labels, telling->err) && noticed_add_finding(telling->noticed, &finding, telling->err);
}

static bool tell_gap(struct notify *notify, const struct telling *telling, const struct rota *rota)
{
        struct rota_overrides made = {notify->overrides.items, notify->overrides.count};
        scoped(buf_done) struct buf text = {0};
        int64_t from_ns, to_ns;
        if (!rota_gap(rota, &made, telling->time_ns, telling->time_ns + GAP_AHEAD_NS, &from_ns, &to_ns))
                return true;
        buf_printf(&text, "nobody is on call for %.*s from ", STR_ARGS(rota->name));
        message_time(from_ns, &text);
        buf_text(&text, " until ");
        message_time(to_ns, &text);
        return tell(telling, "EvenkeelOnCallGap", "warning", STR("schedule"), rota->name, arena_str(telling->arena, buf_str(&text)), true, ALARM_LASTS_NS);
}

/* Of those who may be asked for: on call, a member, or named by an escalation. */
static bool is_needed(const struct policy *policy, struct str person)
{
        each (rota, &policy->rotas)
                each (rotation, &rota->rotations)
                        each (name, &rotation->people)
                                if (str_equal(*name, person))
                                        return true;
        each (team, &policy->teams)
                each (name, &team->members)
                        if (str_equal(*name, person))
                                return true;
        return false;
}

static bool tell_alarms(struct notify *notify, const struct telling *telling)
{
        each (rota, &notify->policy->rotas)
                if (!tell_gap(notify, telling, rota))
                        return false;
        each (person, &notify->policy->people)
                if (!person->contacts.count && is_needed(notify->policy, person->name) &&
                    !tell(telling, "EvenkeelNoContact", "warning", STR("person"), person->name,
                          arena_printf(telling->arena, "%.*s may be asked for and has no contact: add one under people", STR_ARGS(person->name)), true, ALARM_LASTS_NS))
                        return false;
        for (size_t i = 0; i < notify->outbox.count; i++) {
                const struct outbox_row *row = &notify->outbox.items[i]->row;
                if (row->state == OUTBOX_FAILED && telling->time_ns - row->created_ns > 120 * NS_PER_S &&
                    !tell(telling, "EvenkeelDeliveryFails", "warning", STR("receiver"), row->receiver,
                          arena_printf(telling->arena, "messages to %.*s do not arrive: %.*s", STR_ARGS(row->receiver), STR_ARGS(row->error)), true, ALARM_LASTS_NS))
                        return false;
        }
        return true;
}

static bool tell_lost(struct notify *notify, const struct telling *telling)
{
        scoped(buf_done) struct buf text = {0};
        buf_text(&text, "pages may not arrive: no receiver that confirms took the test message of ");
        message_time(notify->canary_sent_ns, &text);
        buf_text(&text, notify->canary_confirmed_ns ? "; the last one came through at " : "; none ever came through");
        if (notify->canary_confirmed_ns)
                message_time(notify->canary_confirmed_ns, &text);
        return tell(telling, "EvenkeelCanaryLost", "critical", STR("team"), notify->policy->canary_team, arena_str(telling->arena, buf_str(&text)), true, ALARM_LASTS_NS);
}

static bool tell_canary(struct notify *notify, const struct telling *telling)
{
        int64_t every_ns = notify->policy->canary_every_ns;
        struct str team = notify->policy->canary_team;
        if (!every_ns)
                return true;
        if (notify->canary_resolve) {
                notify->canary_resolve = false;
                notify->memory_is_dirty = true;
                return tell(telling, "EvenkeelCanary", "info", STR("team"), team, STR("the way from a finding to a receiver works"), false, 0);
        }
        if (notify->canary_is_out && telling->time_ns - notify->canary_sent_ns > CANARY_WAIT_NS && telling->time_ns >= notify->alarms_due_ns && /* as often as the others */
            !tell_lost(notify, telling))
                return false;
        if (telling->time_ns - notify->canary_sent_ns < every_ns)
                return true;
        if (!notify->canary_is_out)
                notify->canary_sent_ns = telling->time_ns;
        notify->canary_is_out = notify->memory_is_dirty = true;
        return telling->time_ns < notify->alarms_due_ns ||
               tell(telling, "EvenkeelCanary", "info", STR("team"), team, STR("a test of the way from a finding to a receiver"), true, ALARM_LASTS_NS);
}

bool notify_find(struct notify *notify, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct telling telling = {noticed, &arena, time_ns, err};
        (void)sequence;
        arena_init(&arena, 0);
        bool starts = notify->policy->canary_every_ns && !notify->canary_is_out && time_ns - notify->canary_sent_ns >= notify->policy->canary_every_ns;
        if (starts)
                notify->alarms_due_ns = 0;
        if (!tell_canary(notify, &telling))
                return false;
        if (time_ns < notify->alarms_due_ns)
                return true;
        notify->alarms_due_ns = time_ns + ALARM_EVERY_NS;
        return tell_alarms(notify, &telling);
}

/* The receiver took it: that is the acknowledgement. What cannot be told to engage (closed by hand meanwhile) proves no less. */
bool notify_canary_result(struct notify *notify, const struct outbox_row *row, int64_t time_ns, struct err *err)
{
        const struct receiver *receiver = policy_receiver(notify->policy, row->receiver);
        scoped_ptr(json_decref) json_t *arguments = json_pack("{s:i}", "incident", (int)row->number);
        json_t *unwanted = NULL;
        if (row->state != OUTBOX_SENT || !receiver || !receiver->confirms)
                return true;
        if (!arguments)
                return fail_memory(err, "engage", 64);
        engage_command(notify->engage, "incident_acknowledge", arguments, "evenkeel", notify->sequence, time_ns, &unwanted, NULL);
        json_decref(unwanted);
        notify->canary_confirmed_ns = time_ns;
        notify->canary_is_out = false;
        notify->canary_resolve = notify->memory_is_dirty = true;
        return true;
}
