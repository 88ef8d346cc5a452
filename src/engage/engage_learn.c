/*
 * engage_learn.c - what people's words change, and how it is taken back: see learned.h for the model.
 *
 * Each word that changes the model is an entry of the ledger, with the counts it added; model_revert subtracts them. The newest
 * LEDGER_KEPT entries are held in memory, since a command may not read tables; older ones can no longer be reverted.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage_state.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEDGER_KEPT 1000

static void entry_done(struct ledger_entry *entry)
{
        free((char *)entry->by.bytes);
        free((char *)entry->what.bytes);
        free((char *)entry->effect.bytes);
        free((char *)entry->reverted_by.bytes);
}

void engage_forget_ledger(struct engage *engage)
{
        each (entry, &engage->ledger_kept)
                entry_done(entry);
        free(engage->ledger_kept.items);
        engage->ledger_kept.items = NULL;
        engage->ledger_kept.count = engage->ledger_kept.capacity = 0;
}

static struct str own(struct str text)
{
        char *copy = strndup(text.bytes ? text.bytes : "", text.length);
        return (struct str){copy, copy ? text.length : 0};
}

static bool keep_entry(struct engage *engage, const struct ledger_entry *entry, struct err *err)
{
        __typeof__(engage->ledger_kept) *kept = &engage->ledger_kept;
        if (!kept->items && !(kept->items = calloc(LEDGER_KEPT, sizeof *kept->items)))
                return fail_memory(err, "engage", LEDGER_KEPT * sizeof *kept->items);
        if (kept->count == LEDGER_KEPT) {
                entry_done(&kept->items[0]);
                memmove(kept->items, kept->items + 1, --kept->count * sizeof *kept->items);
        }
        struct ledger_entry copy = *entry;
        copy.model = STR("correlation");
        copy.by = own(entry->by);
        copy.what = own(entry->what);
        copy.effect = own(entry->effect);
        copy.reverted_by = own(entry->reverted_by);
        if (!copy.by.bytes || !copy.what.bytes || !copy.effect.bytes || !copy.reverted_by.bytes) {
                entry_done(&copy);
                return fail_memory(err, "engage", sizeof copy);
        }
        kept->items[kept->count++] = copy;
        return true;
}

bool engage_take_ledger(void *context, const struct ledger_entry *entry, struct err *err)
{
        return keep_entry(context, entry, err);
}

static bool sort_text(const struct incident_sort *sort, struct arena *arena, struct str *out_text)
{
        *out_text = arena_printf(arena, "%.*s on %.*s", STR_ARGS(sort->name), STR_ARGS(sort->kind));
        return out_text->bytes;
}

static bool learn_pair(struct engage *engage, const struct incident_sort *one, const struct incident_sort *other, bool together, int64_t time_ns,
                       json_t *effect, struct err *err)
{
        struct str one_text, other_text;
        uint64_t pair = learned_pair(learned_sort(one->name, one->kind), learned_sort(other->name, other->kind));
        if (!sort_text(one, &engage->pending, &one_text) || !sort_text(other, &engage->pending, &other_text) ||
            json_array_append_new(effect, json_pack("{s:s%, s:s%, s:f, s:f}", "one", one_text.bytes, one_text.length, "other", other_text.bytes,
                                                    other_text.length, "together", together ? 1.0 : 0.0, "apart", together ? 0.0 : 1.0)) != 0)
                return fail_memory(err, "engage", 256);
        return learned_add(engage->learned, pair, one_text, other_text, together, !together, time_ns, err);
}

static bool note_ledger(struct engage *engage, struct ledger_entry entry, const json_t *effect, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        struct ledger_entry *kept = NULL;
        entry.id = engage_id(engage);
        if (json_write(effect, &text) && text_copy(entry.by, &engage->pending, &entry.by) && text_copy(entry.what, &engage->pending, &entry.what) &&
            text_copy(buf_str(&text), &engage->pending, &entry.effect))
                kept = arena_push(&engage->pending, &engage->ledger);
        if (!kept)
                return fail_memory(err, "engage", text.length);
        *kept = entry;
        return keep_entry(engage, &entry, err);
}

bool engage_learn(struct engage *engage, const struct incident *one, const struct incident *other, bool together, struct str by, int64_t time_ns,
                  struct err *err)
{
        scoped_ptr(json_decref) json_t *effect = json_array();
        char what[200];
        each (mine, &one->sorts)
                each (theirs, &other->sorts)
                        if (!(str_equal(mine->name, theirs->name) && str_equal(mine->kind, theirs->kind)) &&
                            !learn_pair(engage, mine, theirs, together, time_ns, effect, err))
                                return false;
        snprintf(what, sizeof what, "alerts as in incidents %u and %u belong %s", one->number, other->number, together ? "together" : "apart");
        return !json_array_size(effect) ||
               note_ledger(engage, (struct ledger_entry){.time_ns = time_ns, .model = STR("correlation"), .by = by, .what = str_of(what)}, effect, err);
}

static bool learn_cause(struct engage *engage, const struct incident_sort *sort, int64_t time_ns, json_t *effect, struct err *err)
{
        struct str text;
        if (!sort_text(sort, &engage->pending, &text) ||
            json_array_append_new(effect, json_pack("{s:s, s:s%, s:f, s:f}", "one", "the cause", "other", text.bytes, text.length, "together", 1.0,
                                                    "apart", 0.0)) != 0)
                return fail_memory(err, "engage", 256);
        return learned_add(engage->learned, learned_pair(learned_cause(), learned_sort(sort->name, sort->kind)), STR("the cause"), text, 1, 0, time_ns, err);
}

bool engage_learn_cause(struct engage *engage, const struct incident *incident, struct str kind, struct str named, struct str by, int64_t time_ns,
                        struct err *err)
{
        scoped_ptr(json_decref) json_t *effect = json_array();
        char what[200];
        each (sort, &incident->sorts)
                if (str_equal(sort->kind, kind) && !learn_cause(engage, sort, time_ns, effect, err))
                        return false;
        snprintf(what, sizeof what, "%.*s was the cause of incident %u", (int)min_of(named.length, (size_t)100), named.bytes, incident->number);
        return !json_array_size(effect) ||
               note_ledger(engage, (struct ledger_entry){.time_ns = time_ns, .model = STR("correlation"), .by = by, .what = str_of(what)}, effect, err);
}

/* "DiskFull on host": the last " on " divides, since kinds have none in them. */
static uint64_t sort_of_text(struct str text)
{
        if (str_is(text, "the cause"))
                return learned_cause();
        struct str name = text, kind = STR("");
        for (size_t at = 0, from = 0; str_find(str_slice(text, from, text.length), STR(" on "), &at); from += at + 1) {
                name = str_slice(text, 0, from + at);
                kind = str_slice(text, from + at + 4, text.length);
        }
        return learned_sort(name, kind);
}

static bool take_back(struct engage *engage, const json_t *effect, int64_t time_ns, struct err *err)
{
        size_t at;
        const json_t *pair;
        json_array_foreach (effect, at, pair) {
                struct str one = json_str(pair, "one"), other = json_str(pair, "other");
                if (!learned_add(engage->learned, learned_pair(sort_of_text(one), sort_of_text(other)), one, other,
                                 -json_number_value(json_object_get(pair, "together")), -json_number_value(json_object_get(pair, "apart")), time_ns, err))
                        return false;
        }
        return true;
}

bool engage_revert(struct engage *engage, uint64_t id, struct str by, int64_t time_ns, struct err *err)
{
        struct ledger_entry *entry = NULL;
        each (kept, &engage->ledger_kept)
                entry = kept->id == id ? kept : entry;
        if (!entry)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no entry %" PRIu64 " among the newest %d of the ledger", id, LEDGER_KEPT);
        if (entry->reverted_ns)
                return fail(err, ERR_CONFLICT, "engage", "the entry was taken back already, by %.*s", STR_ARGS(entry->reverted_by));
        scoped_ptr(json_decref) json_t *effect = json_parse(entry->effect, err);
        struct str who = own(by);
        struct ledger_entry *row = effect && who.bytes ? arena_push(&engage->pending, &engage->ledger) : NULL;
        if (!row || !take_back(engage, effect, time_ns, err)) {
                free((char *)who.bytes);
                return row ? false : fail_memory(err, "engage", sizeof *row);
        }
        free((char *)entry->reverted_by.bytes);
        entry->reverted_by = who;
        entry->reverted_ns = time_ns;
        *row = *entry;
        return text_copy(entry->by, &engage->pending, &row->by) && text_copy(entry->what, &engage->pending, &row->what) &&
               text_copy(entry->effect, &engage->pending, &row->effect) && text_copy(who, &engage->pending, &row->reverted_by) ?
               true : fail_memory(err, "engage", sizeof *row);
}
