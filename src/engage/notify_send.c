/*
 * notify_send.c - from "tell this team" to rows of the outbox: who that is at this moment, one row a recipient, one line in the
 * incident's timeline for all of them.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/message.h"
#include "engage/notify_state.h"

#include <stdio.h>
#include <stdlib.h>

/* --- who -------------------------------------------------------------------------------------------------------------- */

/* Twice the same address is once. */
static bool add(struct notify *notify, struct recipients *into, struct str receiver, struct str to, struct str person, struct err *err)
{
        for (size_t i = 0; i < into->count; i++)
                if (str_equal(into->items[i].receiver, receiver) && str_equal(into->items[i].to, to))
                        return true;
        if (into->count == RECIPIENTS_MAX)
                return true; /* so many know already */
        struct recipient one = {notify_keep(notify, receiver), notify_keep(notify, to), notify_keep(notify, person)};
        if (!one.receiver.bytes || !one.to.bytes || !one.person.bytes)
                return fail_memory(err, "engage", receiver.length);
        into->items[into->count++] = one;
        return true;
}

static bool add_person(struct notify *notify, struct recipients *into, struct str name, struct err *err)
{
        const struct person *person = policy_person(notify->policy, name);
        if (!person)
                return true;
        each (contact, &person->contacts)
                if (!add(notify, into, contact->receiver, contact->to, person->name, err))
                        return false;
        return true;
}

static bool add_on_call(struct notify *notify, struct recipients *into, struct str schedule, int64_t time_ns, struct err *err)
{
        const struct rota *rota = policy_rota(notify->policy, schedule);
        struct rota_overrides made = {notify->overrides.items, notify->overrides.count};
        return !rota || add_person(notify, into, rota_at(rota, &made, time_ns), err);
}

static bool add_receivers(struct notify *notify, struct recipients *into, const struct setting_list *names, struct err *err)
{
        each (name, names)
                if (!add(notify, into, *name, STR(""), STR(""), err))
                        return false;
        return true;
}

bool notify_recipients(struct notify *notify, const struct routing *route, struct str name, bool is_page, int64_t time_ns, struct recipients *into, struct err *err)
{
        const struct team *team = policy_team(notify->policy, name);
        if (route->receivers.count)
                return add_receivers(notify, into, &route->receivers, err);
        if (!team)
                return true;
        if ((is_page || !team->receivers.count) && team->schedule.length && !add_on_call(notify, into, team->schedule, time_ns, err))
                return false;
        return add_receivers(notify, into, &team->receivers, err);
}

static bool add_target(struct notify *notify, struct recipients *into, struct str target, const struct team *team, int64_t time_ns, struct err *err)
{
        struct str name = target, sort;
        str_cut(&name, ':', &sort);
        if (str_is(sort, "on_call"))
                return add_on_call(notify, into, name.bytes ? name : team ? team->schedule : STR(""), time_ns, err);
        if (str_is(sort, "person"))
                return add_person(notify, into, name, err);
        if (str_is(sort, "receiver"))
                return add(notify, into, name, STR(""), STR(""), err);
        if (!team)
                return true;
        if (str_is(sort, "team"))
                return add_receivers(notify, into, &team->receivers, err);
        each (member, &team->members)
                if (!add_person(notify, into, *member, err))
                        return false;
        return true;
}

bool notify_level(struct notify *notify, const struct level *level, struct str team, int64_t time_ns, struct recipients *into, struct err *err)
{
        each (target, &level->tell)
                if (!add_target(notify, into, *target, policy_team(notify->policy, team), time_ns, err))
                        return false;
        return true;
}

/* --- the message ------------------------------------------------------------------------------------------------------ */

static void name_recipient(const struct recipient *recipient, struct buf *out)
{
        if (recipient->person.length)
                buf_printf(out, "%.*s by ", STR_ARGS(recipient->person));
        buf_add(out, recipient->receiver);
        if (recipient->to.length && !str_equal(recipient->to, recipient->person))
                buf_printf(out, " (%.*s)", STR_ARGS(recipient->to));
}

static bool add_told(json_t *names, const struct recipient *recipient)
{
        scoped(buf_done) struct buf text = {0};
        size_t at;
        json_t *name;
        name_recipient(recipient, &text);
        json_array_foreach (names, at, name)
                if (str_equal((struct str){json_string_value(name), json_string_length(name)}, buf_str(&text)))
                        return true;
        return json_array_append_new(names, json_stringn(text.bytes, text.length)) == 0;
}

static json_t *compose(struct notify *notify, const struct incident_view *view, struct str team, const struct occasion *occasion, const struct recipients *to,
                       const struct told *told, const bool *is_told_of, int64_t time_ns)
{
        scoped_ptr(json_decref) json_t *names = json_array();
        struct engage_help helped;
        struct message_wish wish = {.incident = view, .occasion = occasion->name, .because = occasion->because, .team = team, .is_page = occasion->is_page,
                                    .time_ns = time_ns, .is_told_of = is_told_of, .told = names};
        for (size_t i = 0; i < to->count; i++)
                add_told(names, &to->items[i]);
        for (size_t i = 0; told && i < told->recipient_count; i++)
                add_told(names, &told->recipients[i]);
        if (engage_helped(notify->engage, view->id, &helped)) {
                wish.helped_text = helped.text;
                wish.helped_by = helped.by;
                wish.helped_number = helped.number;
        }
        return message_create(&wish);
}

/* --- the outbox ------------------------------------------------------------------------------------------------------- */

static void parcel_destroy(struct parcel *parcel)
{
        if (!parcel)
                return;
        arena_done(&parcel->arena);
        free(parcel);
}
SCOPED_PTR(parcel_destroy, struct parcel)

static bool keep_parcel(struct notify *notify, struct parcel *parcel, struct err *err)
{
        if (notify->outbox.count == notify->outbox.capacity) {
                size_t grown = notify->outbox.capacity ? notify->outbox.capacity * 2 : 64;
                struct parcel **moved = realloc(notify->outbox.items, grown * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "engage", grown * sizeof *moved);
                notify->outbox.items = moved;
                notify->outbox.capacity = grown;
        }
        notify->outbox.items[notify->outbox.count++] = parcel;
        return true;
}

/* Copies the row and its texts; message: of the row. */
bool notify_keep_row(struct notify *notify, const struct outbox_row *row, bool is_dirty, struct err *err)
{
        scoped_ptr(parcel_destroy) struct parcel *parcel = calloc(1, sizeof *parcel);
        if (!parcel)
                return fail_memory(err, "engage", sizeof *parcel);
        arena_init(&parcel->arena, 0);
        parcel->row = *row;
        parcel->is_dirty = is_dirty;
        struct str *texts[] = {&parcel->row.team, &parcel->row.receiver, &parcel->row.to, &parcel->row.person, &parcel->row.occasion, &parcel->row.error,
                               &parcel->row.message};
        for (size_t i = 0; i < countof(texts); i++)
                if (!text_copy(*texts[i], &parcel->arena, texts[i]))
                        return fail_memory(err, "engage", texts[i]->length);
        if (!keep_parcel(notify, parcel, err))
                return false;
        (void)give(parcel);
        return true;
}

/* A test is what somebody asked for just now. */
static bool is_shadowed(const struct notify *notify, const struct outbox_row *row)
{
        const struct receiver *receiver = policy_receiver(notify->policy, row->receiver);
        return (notify->policy->is_shadow || (receiver && receiver->is_shadow)) && !str_is(row->occasion, "test");
}

bool notify_post(struct notify *notify, struct outbox_row row, const json_t *message, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (!message || !json_write(message, &text))
                return fail_memory(err, "engage", text.length);
        row.id = notify_id(notify);
        row.state = is_shadowed(notify, &row) ? OUTBOX_SHADOWED : OUTBOX_PENDING;
        row.done_ns = row.state == OUTBOX_SHADOWED ? row.created_ns : 0;
        row.is_repeat = row.state == OUTBOX_PENDING && !notify->is_started; /* decided again after a crash: it may have left before */
        notify->counts.repeats += row.is_repeat;
        row.message = buf_str(&text);
        return notify_keep_row(notify, &row, true, err);
}

static bool note(struct notify *notify, const struct incident_view *view, struct str team, const struct occasion *occasion, const struct recipients *to,
                 int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        buf_printf(&text, "%s%s: team %.*s, ", occasion->is_page ? "page, " : "", occasion->name, STR_ARGS(team));
        for (size_t i = 0; i < to->count && text.length < 400; i++) {
                buf_text(&text, i ? ", " : "");
                name_recipient(&to->items[i], &text);
        }
        char reason[REASON_BYTES];
        snprintf(reason, sizeof reason, "%s, %zu recipients%s%s", occasion->name, to->count, occasion->because ? ": " : "", occasion->because ? occasion->because : "");
        return engage_note(notify->engage, view->id, time_ns, "notified", "evenkeel", buf_str(&text), err) &&
               notify_explain(notify, view->id, team, true, time_ns, reason, err);
}

bool notify_send(struct notify *notify, const struct incident_view *view, struct str team, const struct occasion *occasion, const struct recipients *to,
                 const struct told *told, const bool *is_told_of, int64_t time_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *message = compose(notify, view, team, occasion, to, told, is_told_of, time_ns);
        for (size_t i = 0; i < to->count; i++) {
                struct outbox_row row = {.incident = view->id, .number = view->number, .is_page = occasion->is_page, .created_ns = time_ns, .team = team,
                                         .receiver = to->items[i].receiver, .to = to->items[i].to, .person = to->items[i].person,
                                         .occasion = str_of(occasion->name)};
                if (!notify_post(notify, row, message, err))
                        return false;
                notify->counts.pages += occasion->is_page;
        }
        return note(notify, view, team, occasion, to, time_ns, err);
}
