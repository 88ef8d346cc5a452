/*
 * notify_store.c - notify's memory and its rows: loaded at the start, written inside the pipeline's transaction, and messages handed to
 * delivery once they are committed.
 *
 * A row without a result after a start may have been sent: it is sent again and marked as a repeat.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/notify_state.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_KEPT_NS ((int64_t)90 * 86400 * NS_PER_S)

const char notify_schema[] = OUTBOX_SCHEMA;

/* --- a pursuit as JSON ------------------------------------------------------------------------------------------------ */

static json_t *told_json(const struct told *told)
{
        char alerts[24];
        json_t *to = json_array();
        snprintf(alerts, sizeof alerts, "%" PRIu64, told->alerts);
        for (size_t i = 0; i < told->recipient_count; i++)
                json_array_append_new(to, json_pack("[o, o, o]", json_text(told->recipients[i].receiver), json_text(told->recipients[i].to),
                                                    json_text(told->recipients[i].person)));
        json_t *why_not = json_string(told->why_not); /* may be cut within a letter */
        return json_pack("{s:o, s:I, s:I, s:I, s:I, s:s, s:i, s:i, s:I, s:b, s:b, s:b, s:o, s:o}", "team", json_text(told->team), "seen", (json_int_t)told->seen_ns,
                         "first", (json_int_t)told->first_ns, "last", (json_int_t)told->last_ns, "paged", (json_int_t)told->paged_ns, "alerts", alerts, "level",
                         (int)told->level, "again", (int)told->again, "again_ns", (json_int_t)told->again_ns, "is_told", told->is_told, "is_page", told->is_page,
                         "is_over", told->is_over, "why_not", why_not ? why_not : json_string(""), "to", to);
}

static bool write_pursuit(const struct pursuit *pursuit, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *list = json_array();
        for (size_t i = 0; i < pursuit->told_count; i++)
                json_array_append_new(list, told_json(pursuit->told[i]));
        scoped_ptr(json_decref) json_t *body = json_pack("{s:i, s:O}", "number", (int)pursuit->number, "told", list);
        if (pursuit->is_done)
                return pursuit_row_write(state, pursuit->incident, STR(""), err);
        if (!body || !json_write(body, &text))
                return fail_memory(err, "engage", text.length);
        return pursuit_row_write(state, pursuit->incident, buf_str(&text), err);
}

static bool read_recipients(struct notify *notify, const json_t *list, struct told *told, struct err *err)
{
        size_t at;
        const json_t *item;
        json_array_foreach (list, at, item) {
                struct str texts[3];
                for (size_t i = 0; i < 3; i++) {
                        const json_t *text = json_array_get(item, i);
                        texts[i] = notify_keep(notify, (struct str){json_string_value(text), json_string_length(text)});
                        if (!texts[i].bytes)
                                return fail_memory(err, "engage", 1);
                }
                if (told->recipient_count < RECIPIENTS_MAX)
                        told->recipients[told->recipient_count++] = (struct recipient){texts[0], texts[1], texts[2]};
        }
        return true;
}

static bool read_told(struct notify *notify, const json_t *item, struct pursuit *pursuit, struct err *err)
{
        struct told *told = calloc(1, sizeof *told);
        uint64_t alerts = 0;
        if (!told)
                return fail_memory(err, "engage", sizeof *told);
        pursuit->told[pursuit->told_count++] = told;
        str_to_u64(json_str(item, "alerts"), &alerts);
        *told = (struct told){.team = notify_keep(notify, json_str(item, "team")), .seen_ns = json_i64(item, "seen", 0), .first_ns = json_i64(item, "first", 0),
                              .last_ns = json_i64(item, "last", 0), .paged_ns = json_i64(item, "paged", 0), .alerts = alerts,
                              .level = (uint32_t)json_i64(item, "level", 0), .again = (uint32_t)json_i64(item, "again", 0),
                              .again_ns = json_i64(item, "again_ns", 0), .is_told = json_flag(item, "is_told", false),
                              .is_page = json_flag(item, "is_page", false), .is_over = json_flag(item, "is_over", false)};
        snprintf(told->why_not, sizeof told->why_not, "%.*s", STR_ARGS(json_str(item, "why_not")));
        return read_recipients(notify, json_object_get(item, "to"), told, err);
}

static bool take_pursuit(void *context, uint64_t incident, struct str body, struct err *err)
{
        struct notify *notify = context;
        struct pursuit *pursuit;
        size_t at;
        const json_t *item;
        scoped_ptr(json_decref) json_t *json = json_parse(body, err);
        if (!json || !notify_pursue_from(notify, incident, (uint32_t)json_i64(json, "number", 0), &pursuit, err))
                return false;
        pursuit->is_dirty = false;
        json_array_foreach (json_object_get(json, "told"), at, item)
                if (pursuit->told_count < TEAMS_TOLD_MAX && !read_told(notify, item, pursuit, err))
                        return false;
        return true; /* due at once: what it is now is looked at */
}

/* --- loading ---------------------------------------------------------------------------------------------------------- */

static bool take_message(void *context, const struct outbox_row *row, struct err *err)
{
        struct notify *notify = context;
        struct outbox_row again = *row;
        again.is_repeat = true;
        notify->counts.repeats++;
        return notify_keep_row(notify, &again, true, err);
}

static bool take_override(void *context, uint64_t id, const struct rota_override *override, struct err *err)
{
        return notify_add_override(context, id, override, STR(""), false, err);
}

static bool load_memory(struct notify *notify, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (!memory_read(state, "canary", &text, err))
                return false;
        scoped_ptr(json_decref) json_t *json = text.length ? json_parse(buf_str(&text), err) : json_object();
        if (!json)
                return false;
        notify->canary_sent_ns = json_i64(json, "sent_ns", 0);
        notify->canary_confirmed_ns = json_i64(json, "confirmed_ns", 0);
        notify->canary_is_out = json_flag(json, "is_out", false);
        notify->canary_resolve = json_flag(json, "resolve", false);
        return true;
}

bool notify_load(struct notify *notify, struct database *state, int64_t time_ns, struct err *err)
{
        notify->now_ns = notify->looked_ns = time_ns;
        return pursuit_rows_load(state, take_pursuit, notify, err) && outbox_rows_load(state, take_message, notify, err) &&
               silence_rows_load(state, notify->silences, err) && override_rows_load(state, time_ns, take_override, notify, err) &&
               load_memory(notify, state, err);
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

bool notify_is_dirty(const struct notify *notify)
{
        size_t at = 0;
        bool is_dirty = notify->decisions.count || notify->memory_is_dirty;
        for (size_t i = 0; !is_dirty && i < notify->pursuits.count; i++)
                is_dirty = notify->pursuits.items[i]->is_dirty;
        for (size_t i = 0; !is_dirty && i < notify->outbox.count; i++)
                is_dirty = notify->outbox.items[i]->is_dirty;
        for (const struct silence *silence; !is_dirty && (silence = silences_next(notify->silences, &at));)
                is_dirty = silence->is_dirty;
        for (size_t i = 0; !is_dirty && i < notify->made_overrides.count; i++)
                is_dirty = notify->made_overrides.items[i].is_dirty;
        return is_dirty;
}

static bool write_memory(const struct notify *notify, struct database *state, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *json = json_pack("{s:I, s:I, s:b, s:b}", "sent_ns", (json_int_t)notify->canary_sent_ns, "confirmed_ns",
                                                         (json_int_t)notify->canary_confirmed_ns, "is_out", notify->canary_is_out, "resolve", notify->canary_resolve);
        if (!json || !json_write(json, &text))
                return fail_memory(err, "engage", text.length);
        return memory_write(state, "canary", buf_str(&text), err);
}

static bool write_lists(struct notify *notify, struct database *state, struct err *err)
{
        size_t at = 0;
        for (const struct silence *silence; (silence = silences_next(notify->silences, &at));)
                if (silence->is_dirty && !silence_row_write(state, silence, err))
                        return false;
        for (size_t i = 0; i < notify->made_overrides.count; i++)
                if (notify->made_overrides.items[i].is_dirty &&
                    !override_row_write(state, notify->made_overrides.items[i].id, &notify->overrides.items[i], notify->made_overrides.items[i].by, err))
                        return false;
        each (decision, &notify->decisions)
                if (!decision_row_write(state, decision, err))
                        return false;
        return !notify->memory_is_dirty || write_memory(notify, state, err);
}

bool notify_write(struct notify *notify, struct database *state, struct err *err)
{
        if (notify->now_ns >= notify->forget_due_ns && !outbox_rows_forget(state, notify->now_ns - ROWS_KEPT_NS, err))
                return false;
        for (size_t i = 0; i < notify->pursuits.count; i++)
                if (notify->pursuits.items[i]->is_dirty && !write_pursuit(notify->pursuits.items[i], state, err))
                        return false;
        for (size_t i = 0; i < notify->outbox.count; i++)
                if (notify->outbox.items[i]->is_dirty && !outbox_row_write(state, &notify->outbox.items[i]->row, err))
                        return false;
        return write_lists(notify, state, err);
}

/* --- messages leave --------------------------------------------------------------------------------------------------- */

/* What cannot be handed over for want of memory is handed over after the next commit. */
static void hand_over(struct notify *notify, struct parcel *parcel)
{
        const struct outbox_row *row = &parcel->row;
        const struct receiver *receiver = policy_receiver(notify->policy, row->receiver);
        scoped_ptr(json_decref) json_t *message = json_parse(row->message, NULL);
        struct outgoing outgoing = {.id = row->id, .receiver = row->receiver, .kind = receiver ? receiver->kind : STR(""), .to = row->to,
                                    .settings = receiver ? receiver->settings : NULL, .message = message, .is_repeat = row->is_repeat,
                                    .per_minute = receiver ? receiver->per_minute : 0};
        parcel->is_given = message && delivery_give(notify->delivery, &outgoing, NULL);
}

void notify_hand_over(struct notify *notify)
{
        for (size_t i = 0; notify->is_started && i < notify->outbox.count; i++)
                if (!notify->outbox.items[i]->is_given && !notify->outbox.items[i]->is_dirty)
                        hand_over(notify, notify->outbox.items[i]);
}

void notify_written(struct notify *notify)
{
        size_t kept = 0;
        if (notify->now_ns >= notify->forget_due_ns)
                notify->forget_due_ns = notify->now_ns + 3600 * NS_PER_S;
        for (size_t i = 0; i < notify->outbox.count; i++) {
                struct parcel *parcel = notify->outbox.items[i];
                parcel->is_dirty = false;
                if (parcel->row.state == OUTBOX_SENT || parcel->row.state >= OUTBOX_GIVEN_UP) {
                        arena_done(&parcel->arena);
                        free(parcel);
                } else {
                        notify->outbox.items[kept++] = parcel;
                }
        }
        notify->outbox.count = kept;
        for (size_t i = 0; i < notify->made_overrides.count; i++)
                notify->made_overrides.items[i].is_dirty = false;
        memset(&notify->decisions, 0, sizeof notify->decisions);
        arena_reset(&notify->pending);
        notify->memory_is_dirty = false;
        silences_clean(notify->silences);
        notify_drop_done(notify);
        notify_hand_over(notify);
}

bool notify_start(struct notify *notify, struct err *err)
{
        if (!delivery_start(notify->delivery, err))
                return false;
        notify->is_started = true; /* the pipeline's thread hands over */
        return true;
}

void notify_stop(struct notify *notify)
{
        notify->is_started = false;
        delivery_stop(notify->delivery);
}

bool notify_set_secrets(struct notify *notify, const json_t *secrets, struct err *err)
{
        return delivery_set_secrets(notify->delivery, secrets, err);
}
