/*
 * notify.c - see notify.h: its memory, what is looked at when, and people's commands. What is decided stands in notify_decide.c, who
 * is told in notify_send.c, rows in notify_store.c.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/message.h"
#include "engage/notify_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SILENCE_MAX_NS ((int64_t)366 * 86400 * NS_PER_S)

/* --- life ------------------------------------------------------------------------------------------------------------- */

bool notify_create(const struct notify_options *options, struct notify **out_notify, struct err *err)
{
        struct notify *notify = calloc(1, sizeof *notify);
        scoped_ptr(json_decref) json_t *nothing = json_pack("{s:[]}", "files");
        if (!notify || !nothing) {
                free(notify);
                return fail_memory(err, "engage", sizeof *notify);
        }
        notify->engage = options->engage;
        arena_init(&notify->kept, 0);
        arena_init(&notify->pending, 0);
        if (!silences_create(&notify->silences, err) || !policy_create(nothing, &notify->policy, err) ||
            !delivery_create(&options->delivery, &options->sink, &notify->delivery, err)) {
                notify_destroy(notify);
                return false;
        }
        *out_notify = notify;
        return true;
}

static void pursuit_destroy(struct pursuit *pursuit)
{
        for (size_t i = 0; i < pursuit->told_count; i++)
                free(pursuit->told[i]);
        arena_done(&pursuit->sources);
        free(pursuit);
}

void notify_destroy(struct notify *notify)
{
        if (!notify)
                return;
        delivery_destroy(notify->delivery);
        for (size_t i = 0; i < notify->pursuits.count; i++)
                pursuit_destroy(notify->pursuits.items[i]);
        for (size_t i = 0; i < notify->outbox.count; i++) {
                arena_done(&notify->outbox.items[i]->arena);
                free(notify->outbox.items[i]);
        }
        free(notify->pursuits.items);
        free(notify->outbox.items);
        map_done(&notify->by_incident);
        map_done(&notify->by_name);
        silences_destroy(notify->silences);
        policy_destroy(notify->policy);
        arena_done(&notify->kept);
        arena_done(&notify->pending);
        free(notify);
}

uint64_t notify_id(struct notify *notify)
{
        return item_id(notify->sequence, notify->ordinal++);
}

void notify_begin(struct notify *notify, uint64_t sequence, int64_t time_ns)
{
        if (sequence != notify->sequence)
                notify->ordinal = 0;
        notify->sequence = sequence;
        notify->now_ns = time_ns;
}

struct str notify_keep(struct notify *notify, struct str text)
{
        uint64_t hash = hash64(text);
        size_t at;
        if (!text.length)
                return STR("");
        for (uint32_t i = map_first(&notify->by_name, hash, &at); i != MAP_NONE; i = map_next(&notify->by_name, hash, &at))
                if (str_equal(notify->names.items[i], text))
                        return notify->names.items[i];
        struct str copy = arena_str(&notify->kept, text), *slot = copy.bytes ? arena_push(&notify->kept, &notify->names) : NULL;
        if (!slot || !map_put(&notify->by_name, hash, (uint32_t)(notify->names.count - 1)))
                return (struct str){0};
        return *slot = copy;
}

bool notify_explain(struct notify *notify, uint64_t incident, struct str team, bool is_sent, int64_t time_ns, const char *reason, struct err *err)
{
        struct decision_row *row = arena_push(&notify->pending, &notify->decisions);
        if (!row)
                return fail_memory(err, "engage", sizeof *row);
        *row = (struct decision_row){.id = notify_id(notify), .incident = incident, .time_ns = time_ns, .is_sent = is_sent};
        if (!text_copy(team, &notify->pending, &row->team) || !text_copy(str_of(reason), &notify->pending, &row->reason))
                return fail_memory(err, "engage", strlen(reason));
        scoped(buf_done) struct buf decision = {0}, reasons = {0};
        buf_printf(&decision, "%s: team %.*s", is_sent ? "notified" : "not notified", STR_ARGS(team.length ? team : STR("(none)")));
        buf_text(&reasons, "[{\"kind\":\"notification\",\"weight\":1,\"sentence\":");
        json_quote(&reasons, str_of(reason));
        buf_text(&reasons, "}]");
        if (decision.failed || reasons.failed)
                return fail_memory(err, "engage", strlen(reason));
        return !incident || engage_why(notify->engage, incident, time_ns, buf_str(&decision), buf_str(&reasons), err);
}

/* --- pursuits --------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(uint64_t incident)
{
        return incident * UINT64_C(0x9e3779b97f4a7c15);
}

struct pursuit *notify_pursuit(struct notify *notify, uint64_t incident)
{
        size_t at;
        for (uint32_t i = map_first(&notify->by_incident, hash_of(incident), &at); i != MAP_NONE; i = map_next(&notify->by_incident, hash_of(incident), &at))
                if (notify->pursuits.items[i]->incident == incident)
                        return notify->pursuits.items[i];
        return NULL;
}

static bool add_pursuit(struct notify *notify, struct pursuit *pursuit, struct err *err)
{
        if (notify->pursuits.count == notify->pursuits.capacity) {
                size_t grown = notify->pursuits.capacity ? notify->pursuits.capacity * 2 : 64;
                struct pursuit **moved = realloc(notify->pursuits.items, grown * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "engage", grown * sizeof *moved);
                notify->pursuits.items = moved;
                notify->pursuits.capacity = grown;
        }
        if (!map_put(&notify->by_incident, hash_of(pursuit->incident), (uint32_t)notify->pursuits.count))
                return fail_memory(err, "engage", sizeof *pursuit);
        notify->pursuits.items[notify->pursuits.count++] = pursuit;
        return true;
}

bool notify_pursue_from(struct notify *notify, uint64_t incident, uint32_t number, struct pursuit **out_pursuit, struct err *err)
{
        struct pursuit *pursuit = notify_pursuit(notify, incident);
        if (!pursuit) {
                if (notify->pursuits.count >= PURSUITS_MAX)
                        return fail(err, ERR_FULL, "engage", "%zu incidents are being told of already; resolve some", PURSUITS_MAX);
                pursuit = calloc(1, sizeof *pursuit);
                if (!pursuit)
                        return fail_memory(err, "engage", sizeof *pursuit);
                pursuit->incident = incident;
                pursuit->number = number;
                arena_init(&pursuit->sources, 0);
                if (!add_pursuit(notify, pursuit, err)) {
                        pursuit_destroy(pursuit);
                        return false;
                }
        }
        pursuit->is_done = false;
        pursuit->is_dirty = true;
        *out_pursuit = pursuit;
        return true;
}

/* After the rows were written: what is done leaves memory. */
void notify_drop_done(struct notify *notify)
{
        size_t kept = 0;
        for (size_t i = 0; i < notify->pursuits.count; i++) {
                struct pursuit *pursuit = notify->pursuits.items[i];
                pursuit->is_dirty = false;
                if (kept != i || pursuit->is_done)
                        map_remove(&notify->by_incident, hash_of(pursuit->incident), (uint32_t)i);
                if (pursuit->is_done) {
                        pursuit_destroy(pursuit);
                        continue;
                }
                if (kept != i)
                        map_put(&notify->by_incident, hash_of(pursuit->incident), (uint32_t)kept); /* one was removed: there is room */
                notify->pursuits.items[kept++] = pursuit;
        }
        notify->pursuits.count = kept;
}

bool notify_reload(struct notify *notify, struct pursuit *pursuit, const struct incident_view *view, struct err *err)
{
        arena_reset(&pursuit->sources);
        memset(&pursuit->inhibitors, 0, sizeof pursuit->inhibitors);
        each (alert, &view->alerts) {
                bool is_wanted = false;
                each (inhibition, &notify->policy->inhibitions)
                        is_wanted |= alert->is_firing && matchers_match(&inhibition->source, &alert->labels);
                struct labels *kept = is_wanted ? arena_push(&pursuit->sources, &pursuit->inhibitors) : NULL;
                if (is_wanted && (!kept || !labels_copy(&alert->labels, &pursuit->sources, kept)))
                        return fail_memory(err, "engage", sizeof *kept);
        }
        return true;
}

/* --- time and news ---------------------------------------------------------------------------------------------------- */

bool notify_take(struct notify *notify, uint64_t sequence, int64_t time_ns, struct err *err)
{
        size_t count;
        const struct incident_news *news = engage_news(notify->engage, &count);
        notify_begin(notify, sequence, time_ns);
        for (size_t i = 0; i < count; i++) {
                struct pursuit *pursuit;
                if (!notify_pursue_from(notify, news[i].incident, 0, &pursuit, err))
                        return false;
                pursuit->due_ns = time_ns;
        }
        return true;
}

/* Inhibitors first, so that the order of incidents does not matter. */
static bool load_inhibitors(struct notify *notify, int64_t time_ns, struct err *err)
{
        for (size_t i = 0; notify->policy->inhibitions.count && i < notify->pursuits.count; i++) {
                struct pursuit *pursuit = notify->pursuits.items[i];
                scoped(arena_done) struct arena arena;
                struct incident_view view;
                arena_init(&arena, 0);
                if (!pursuit->is_done && pursuit->due_ns <= time_ns && engage_view(notify->engage, pursuit->incident, &arena, &view, NULL) &&
                    !notify_reload(notify, pursuit, &view, err))
                        return false;
        }
        return true;
}

bool notify_tick(struct notify *notify, uint64_t sequence, int64_t time_ns, struct err *err)
{
        notify_begin(notify, sequence, time_ns);
        delivery_beat(notify->delivery);
        notify_hand_over(notify);
        bool look_at_all = notify->look_at_all || silences_turn(notify->silences, notify->looked_ns, time_ns);
        notify->looked_ns = time_ns;
        for (size_t i = 0; look_at_all && i < notify->pursuits.count; i++)
                if (!notify->pursuits.items[i]->is_done)
                        notify->pursuits.items[i]->due_ns = time_ns;
        notify->look_at_all = false;
        if (!load_inhibitors(notify, time_ns, err))
                return false;
        for (size_t i = 0; i < notify->pursuits.count; i++) /* a merged one may add another at the end */
                if (!notify->pursuits.items[i]->is_done && notify->pursuits.items[i]->due_ns <= time_ns &&
                    !notify_decide(notify, notify->pursuits.items[i], time_ns, err))
                        return false;
        silences_forget(notify->silences, time_ns);
        return true;
}

/* --- configuration ---------------------------------------------------------------------------------------------------- */

bool notify_check_configuration(const json_t *content, struct err *err)
{
        struct policy *policy = NULL;
        if (!policy_create(content, &policy, err))
                return false;
        policy_destroy(policy);
        return true;
}

bool notify_configure(struct notify *notify, const json_t *content, struct err *err)
{
        struct policy *policy = NULL;
        if (!policy_create(content, &policy, err))
                return false;
        policy_destroy(notify->policy);
        notify->policy = policy;
        notify->look_at_all = true;
        notify->alarms_due_ns = 0;
        return true;
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

struct order {
        struct notify *notify;
        const json_t *arguments;
        const char *by;
        int64_t time_ns;
        json_t **out_result;
};

static bool set_silence(const struct order *order, bool is_maintenance, struct err *err)
{
        struct notify *notify = order->notify;
        const struct silence *made;
        struct str by = json_str(order->arguments, "by"), comment = json_str(order->arguments, "comment");
        struct silence_wish wish = {.id = json_str(order->arguments, "id"), .matchers = json_object_get(order->arguments, "matchers"),
                                    .by = by.length ? by : str_of(order->by), .comment = comment.bytes ? comment : STR(""),
                                    .starts_ns = json_i64(order->arguments, "starts_ns", order->time_ns), .ends_ns = json_i64(order->arguments, "ends_ns", 0),
                                    .is_maintenance = is_maintenance};
        if (!wish.ends_ns || wish.ends_ns > order->time_ns + SILENCE_MAX_NS)
                return fail(err, ERR_INVALID, "engage", "a silence needs an end, at most a year from now");
        if (!silences_set(notify->silences, &wish, notify_id(notify), order->time_ns, &made, err))
                return false;
        notify->look_at_all = true;
        *order->out_result = json_pack("{s:s}", "id", made->id);
        return true;
}

static bool silence_create(const struct order *order, struct err *err)
{
        return set_silence(order, false, err);
}

static bool maintenance_start(const struct order *order, struct err *err)
{
        return set_silence(order, true, err);
}

static bool silence_expire(const struct order *order, struct err *err)
{
        order->notify->look_at_all = true;
        return silences_expire(order->notify->silences, json_str(order->arguments, "id"), order->time_ns, err);
}

bool notify_add_override(struct notify *notify, uint64_t id, const struct rota_override *override, struct str by, bool is_dirty, struct err *err)
{
        struct rota_override kept = {notify_keep(notify, override->schedule), notify_keep(notify, override->person), override->from_ns, override->to_ns};
        struct str name = notify_keep(notify, by);
        struct rota_override *slot = arena_push(&notify->kept, &notify->overrides);
        struct made_override *made = slot ? arena_push(&notify->kept, &notify->made_overrides) : NULL;
        if (!made || !kept.schedule.bytes || !kept.person.bytes || !name.bytes) {
                notify->overrides.count -= slot != NULL;
                notify->made_overrides.count -= made != NULL;
                return fail_memory(err, "engage", sizeof kept);
        }
        *slot = kept;
        *made = (struct made_override){id, name, is_dirty};
        return true;
}

#define OVERRIDES_MAX 1000

static void forget_overrides(struct notify *notify, int64_t time_ns)
{
        size_t kept = 0;
        for (size_t i = 0; i < notify->overrides.count; i++)
                if (notify->overrides.items[i].to_ns > time_ns || notify->made_overrides.items[i].is_dirty) {
                        notify->overrides.items[kept] = notify->overrides.items[i];
                        notify->made_overrides.items[kept++] = notify->made_overrides.items[i];
                }
        notify->overrides.count = notify->made_overrides.count = kept;
}

static bool on_call_override(const struct order *order, struct err *err)
{
        struct notify *notify = order->notify;
        struct rota_override override = {json_str(order->arguments, "schedule"), json_str(order->arguments, "person"),
                                         json_i64(order->arguments, "from_ns", order->time_ns), json_i64(order->arguments, "to_ns", 0)};
        if (!override.schedule.bytes || !policy_rota(notify->policy, override.schedule))
                return fail(err, ERR_NOT_FOUND, "engage", "there is no on-call schedule \"%.*s\"", STR_ARGS(override.schedule));
        if (!override.person.bytes || !policy_person(notify->policy, override.person))
                return fail(err, ERR_NOT_FOUND, "engage", "there is no person \"%.*s\"", STR_ARGS(override.person));
        if (override.to_ns <= override.from_ns || override.to_ns <= order->time_ns)
                return fail(err, ERR_INVALID, "engage", "an override must end after it begins, and after now");
        forget_overrides(notify, order->time_ns);
        if (notify->overrides.count >= OVERRIDES_MAX)
                return fail(err, ERR_FULL, "engage", "there are %d overrides that have not ended", OVERRIDES_MAX);
        notify->alarms_due_ns = 0;
        return notify_add_override(notify, notify_id(notify), &override, str_of(order->by), true, err);
}

/* It stays as what it was until now; one that has not begun covers nothing then. */
static bool on_call_override_end(const struct order *order, struct err *err)
{
        struct notify *notify = order->notify;
        struct str text = json_str(order->arguments, "id"), schedule = json_str(order->arguments, "schedule");
        uint64_t id = 0;
        str_to_u64(text, &id);
        for (size_t i = 0; i < notify->overrides.count; i++) {
                struct rota_override *override = &notify->overrides.items[i];
                if (notify->made_overrides.items[i].id != id || !str_equal(override->schedule, schedule) || override->to_ns <= order->time_ns)
                        continue;
                override->to_ns = order->time_ns;
                notify->made_overrides.items[i].is_dirty = true;
                notify->alarms_due_ns = 0;
                return true;
        }
        return fail(err, ERR_NOT_FOUND, "engage", "there is no override %.*s of %.*s that has not ended; declared ones stand in the content files",
                    STR_ARGS(str_slice(text, 0, 40)), STR_ARGS(str_slice(schedule, 0, 80)));
}

static struct parcel *parcel_of(const struct notify *notify, struct str id)
{
        uint64_t wanted;
        if (!str_to_u64(id, &wanted))
                return NULL;
        for (size_t i = 0; i < notify->outbox.count; i++)
                if (notify->outbox.items[i]->row.id == wanted)
                        return notify->outbox.items[i];
        return NULL;
}

static bool note_given_up(struct notify *notify, const struct outbox_row *row, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        buf_printf(&text, "%.*s could not be told: %.*s", STR_ARGS(row->receiver), STR_ARGS(row->error));
        notify->counts.given_up++;
        engage_note(notify->engage, row->incident, time_ns, "not notified", "evenkeel", buf_str(&text), NULL); /* the incident may be gone */
        buf_byte(&text, 0);
        return notify_explain(notify, row->incident, row->team, false, time_ns, text.bytes ? text.bytes : "", err);
}

/* A result of a message that is not waited for any more changes nothing: delivery may say it twice after a crash. */
static bool notification_result(const struct order *order, struct err *err)
{
        static const struct { const char *name; enum outbox_state state; } outcomes[] = {{"sent", OUTBOX_SENT}, {"failed", OUTBOX_FAILED}, {"given_up", OUTBOX_GIVEN_UP}};
        struct str outcome = json_str(order->arguments, "outcome");
        struct parcel *parcel = parcel_of(order->notify, json_str(order->arguments, "id"));
        size_t at = 0;
        while (at < countof(outcomes) && !str_is(outcome, outcomes[at].name))
                at++;
        if (at == countof(outcomes))
                return fail(err, ERR_INVALID, "engage", "outcome is sent, failed or given_up");
        if (!parcel || parcel->row.state == OUTBOX_SENT || parcel->row.state >= OUTBOX_GIVEN_UP)
                return true;
        struct outbox_row *row = &parcel->row;
        if (!text_copy(json_str(order->arguments, "error"), &parcel->arena, &row->error))
                return fail_memory(err, "engage", 1);
        row->state = outcomes[at].state;
        row->attempts = (uint32_t)json_i64(order->arguments, "attempts", 1);
        parcel->is_dirty = true;
        if (row->state == OUTBOX_FAILED)
                return true;
        row->done_ns = order->time_ns;
        order->notify->counts.sent += row->state == OUTBOX_SENT;
        if (row->state == OUTBOX_GIVEN_UP && !note_given_up(order->notify, row, order->time_ns, err))
                return false;
        return !str_is(row->occasion, "canary") || notify_canary_result(order->notify, row, order->time_ns, err);
}

static bool test_notification(const struct order *order, struct err *err)
{
        struct str name = json_str(order->arguments, "receiver"), to = json_str(order->arguments, "to");
        const struct receiver *receiver = policy_receiver(order->notify->policy, name);
        scoped_ptr(json_decref) json_t *nobody = json_array();
        if (!receiver)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no receiver \"%.*s\"", STR_ARGS(str_slice(name, 0, 80)));
        if (order->notify->outbox.count >= OUTBOX_MAX)
                return fail(err, ERR_BUSY, "engage", "too many messages wait for their receivers already");
        struct incident_view view = {.severity = ALERT_INFO, .state = INCIDENT_OPEN, .title = STR("This is a test: nothing is wrong"), .opened_ns = order->time_ns};
        struct message_wish wish = {.incident = &view, .occasion = "test", .because = "somebody asked for a test", .time_ns = order->time_ns, .told = nobody};
        scoped_ptr(json_decref) json_t *message = message_create(&wish);
        struct outbox_row row = {.created_ns = order->time_ns, .receiver = name, .to = to, .person = STR(""), .team = STR(""), .occasion = STR("test")};
        char id[24];
        if (!notify_post(order->notify, row, message, err))
                return false;
        snprintf(id, sizeof id, "%" PRIu64, order->notify->outbox.items[order->notify->outbox.count - 1]->row.id);
        *order->out_result = json_pack("{s:s}", "id", id);
        return true;
}

static const struct { const char *verb; bool (*obey)(const struct order *order, struct err *err); } verbs[] = {
        {"maintenance_end", silence_expire},   {"maintenance_start", maintenance_start}, {"notification_result", notification_result},
        {"on_call_override", on_call_override}, {"on_call_override_end", on_call_override_end}, {"silence_create", silence_create},       {"silence_expire", silence_expire},
        {"test_notification", test_notification},
};

bool notify_handles(const char *verb)
{
        for (size_t i = 0; i < countof(verbs); i++)
                if (strcmp(verbs[i].verb, verb) == 0)
                        return true;
        return false;
}

bool notify_command(struct notify *notify, const char *verb, const json_t *arguments, const char *by, uint64_t sequence, int64_t time_ns,
                    json_t **out_result, struct err *err)
{
        json_t *unwanted = NULL;
        struct order order = {notify, arguments, by, time_ns, out_result ? out_result : &unwanted};
        notify_begin(notify, sequence, time_ns);
        for (size_t i = 0; i < countof(verbs); i++)
                if (strcmp(verbs[i].verb, verb) == 0)
                        return verbs[i].obey(&order, err);
        return fail(err, ERR_NOT_FOUND, "engage", "there is no command %s", verb);
}

void notify_count(const struct notify *notify, struct notify_counts *out_counts)
{
        *out_counts = notify->counts;
        out_counts->pursued = notify->pursuits.count;
        out_counts->waiting = notify->outbox.count;
}
