/*
 * engage_learn.c - what people's words change, and how it is taken back: see learned.h for the model.
 *
 * Each word that changes a model is an entry of the ledger, with the counts it added; model_revert subtracts them, and what has no counts left
 * is gone. So the model is then what it were without the word. The newest LEDGER_KEPT entries are held in memory, since a command may not read
 * tables; older ones can no longer be reverted.
 *
 * What a word would have changed is counted over the newest RECENT_MAX incidents in memory, before and after it.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/cause.h"
#include "engage/engage_state.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEDGER_KEPT 1000
#define RECENT_MAX 50

#define MARK_CAUSE "the cause" /* learned_cause() */
#define MARK_FALSE "noise: nothing was wrong"
#define MARK_TRUE "noise: right, but nothing to do"
#define MARK_PLANNED "noise: planned work"
static const char *const marks[] = {MARK_CAUSE, MARK_FALSE, MARK_TRUE, MARK_PLANNED};
static const char *const models[] = {"correlation", "causes", "noise", "routing", "help"};

static void entry_done(struct ledger_entry *entry)
{
        free((char *)entry->by.bytes);
        free((char *)entry->what.bytes);
        free((char *)entry->effect.bytes);
        free((char *)entry->reverted_by.bytes);
        free((char *)entry->replay.bytes);
}

/* A name that lasts. */
static struct str model_of(struct str name)
{
        for (size_t i = 0; i < countof(models); i++)
                if (str_is(name, models[i]))
                        return str_of(models[i]);
        return STR("correlation");
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
        copy.model = model_of(entry->model);
        copy.by = own(entry->by);
        copy.what = own(entry->what);
        copy.effect = own(entry->effect);
        copy.reverted_by = own(entry->reverted_by);
        copy.replay = own(entry->replay);
        if (!copy.replay.bytes || !copy.by.bytes || !copy.what.bytes || !copy.effect.bytes || !copy.reverted_by.bytes) {
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

bool engage_note_ledger(struct engage *engage, const struct ledger_entry *wanted, const json_t *effect, const json_t *replay, struct err *err)
{
        scoped(buf_done) struct buf text = {0}, changed = {0};
        struct ledger_entry *kept = NULL, entry = *wanted;
        entry.id = entry.id ? entry.id : engage_id(engage);
        entry.model = model_of(entry.model);
        if (effect && replay && json_write(effect, &text) && json_write(replay, &changed) && text_copy(entry.by, &engage->pending, &entry.by) &&
            text_copy(entry.what, &engage->pending, &entry.what) && text_copy(buf_str(&text), &engage->pending, &entry.effect) &&
            text_copy(buf_str(&changed), &engage->pending, &entry.replay))
                kept = arena_push(&engage->pending, &engage->ledger);
        if (!kept)
                return fail_memory(err, "engage", text.length);
        *kept = entry;
        return keep_entry(engage, &entry, err);
}

/* --- what it would have changed ----------------------------------------------------------------------------------------------- */

struct recent {
        struct incident *incidents[RECENT_MAX];
        unsigned leans[RECENT_MAX];     /* LEANS_ bits; or a hash of the first cause; or whether it is shown with a judgement */
        size_t count;
};
enum { LEANS_TOGETHER = 1, LEANS_APART = 2 };

static void find_recent(struct engage *engage, struct recent *recent)
{
        struct incident *incident;
        recent->count = 0;
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));) {
                if (incident->state == INCIDENT_MERGED)
                        continue;
                if (recent->count == RECENT_MAX)
                        memmove(recent->incidents, recent->incidents + 1, --recent->count * sizeof *recent->incidents);
                recent->incidents[recent->count++] = incident;
        }
}

/* Whether some pair of their sorts leans that way: +1 together, -1 apart. */
static bool leans(const struct engage *engage, const struct incident *one, const struct incident *other, double way)
{
        each (mine, &one->sorts)
                each (theirs, &other->sorts) {
                        if (mine == theirs)
                                continue;
                        uint64_t pair = learned_pair(learned_sort(mine->name, mine->kind), learned_sort(theirs->name, theirs->kind));
                        if (way * learned_weight(engage->learned, pair) > 0)
                                return true;
                }
        return false;
}

static void find_leans(const struct engage *engage, struct recent *recent)
{
        for (size_t i = 0; i < recent->count; i++) {
                const struct incident *one = recent->incidents[i];
                recent->leans[i] = leans(engage, one, one, -1) ? LEANS_APART : 0;
                for (size_t k = 0; k < recent->count; k++) {
                        const struct incident *other = recent->incidents[k];
                        int64_t apart_ns = one->opened_ns - other->opened_ns;
                        if (k != i && apart_ns < CORRELATE_WINDOW_NS && -apart_ns < CORRELATE_WINDOW_NS && leans(engage, one, other, 1))
                                recent->leans[i] |= LEANS_TOGETHER;
                }
        }
}

static bool find_first_causes(const struct engage *engage, struct recent *recent, struct err *err)
{
        for (size_t i = 0; i < recent->count; i++) {
                struct suspect suspects[CAUSES_MAX];
                size_t count;
                if (!correlator_suspects(engage->correlator, recent->incidents[i]->id, suspects, CAUSES_MAX, &count, err))
                        return false;
                recent->leans[i] = count ? (unsigned)hash64(suspects[0].name) : 0;
        }
        return true;
}

static json_t *changed_json(const struct recent *before, const struct recent *after, const char *how)
{
        json_t *numbers = json_array();
        char sentence[160];
        size_t changed = 0;
        for (size_t i = 0; i < after->count; i++)
                if (before->leans[i] != after->leans[i] && ++changed)
                        json_array_append_new(numbers, json_integer(after->incidents[i]->number));
        snprintf(sentence, sizeof sentence, "%zu of the last %zu incidents would have %s", changed, after->count, how);
        return json_pack("{s:i, s:i, s:o, s:s}", "of", (int)after->count, "changed", (int)changed, "incidents", numbers, "sentence", sentence);
}

#define LEANT "leant otherwise to being one with another, or to being two"
#define RANKED "had another first cause"

/* --- merge and split, cause, noise ----------------------------------------------------------------------------------------------- */

bool engage_learn(struct engage *engage, const struct incident *one, const struct incident *other, bool together, struct str by, int64_t time_ns,
                  struct err *err)
{
        scoped_ptr(json_decref) json_t *effect = json_array();
        struct recent before, after;
        char what[200];
        find_recent(engage, &before);
        find_leans(engage, &before);
        each (mine, &one->sorts)
                each (theirs, &other->sorts)
                        if (!(str_equal(mine->name, theirs->name) && str_equal(mine->kind, theirs->kind)) &&
                            !learn_pair(engage, mine, theirs, together, time_ns, effect, err))
                                return false;
        snprintf(what, sizeof what, "alerts as in incidents %u and %u belong %s", one->number, other->number, together ? "together" : "apart");
        after = before;
        find_leans(engage, &after);
        scoped_ptr(json_decref) json_t *replay = changed_json(&before, &after, LEANT);
        return !json_array_size(effect) || engage_note_ledger(engage, &(struct ledger_entry){.time_ns = time_ns, .model = STR("correlation"), .by = by, .what = str_of(what)},
                                                              effect, replay, err);
}

/* The counts of a sort with a marker that stands in place of another sort: "the cause", "noise". */
static bool learn_mark(struct engage *engage, const char *mark, const struct incident_sort *sort, int64_t time_ns, json_t *effect, struct err *err)
{
        struct str text;
        if (!sort_text(sort, &engage->pending, &text) ||
            json_array_append_new(effect, json_pack("{s:s, s:s%, s:f, s:f}", "one", mark, "other", text.bytes, text.length, "together", 1.0,
                                                    "apart", 0.0)) != 0)
                return fail_memory(err, "engage", 256);
        return learned_add(engage->learned, learned_pair(hash64(str_of(mark)), learned_sort(sort->name, sort->kind)), str_of(mark), text, 1, 0, time_ns, err);
}

bool engage_learn_cause(struct engage *engage, const struct incident *incident, struct str kind, struct str named, struct str by, int64_t time_ns,
                        struct err *err)
{
        scoped_ptr(json_decref) json_t *effect = json_array();
        struct recent before, after;
        char what[200];
        find_recent(engage, &before);
        if (!find_first_causes(engage, &before, err))
                return false;
        each (sort, &incident->sorts)
                if (str_equal(sort->kind, kind) && !learn_mark(engage, MARK_CAUSE, sort, time_ns, effect, err))
                        return false;
        after = before;
        if (!find_first_causes(engage, &after, err))
                return false;
        scoped_ptr(json_decref) json_t *replay = changed_json(&before, &after, RANKED);
        snprintf(what, sizeof what, "%.*s was the cause of incident %u", (int)min_of(named.length, (size_t)100), named.bytes, incident->number);
        return !json_array_size(effect) || engage_note_ledger(engage, &(struct ledger_entry){.time_ns = time_ns, .model = STR("causes"), .by = by, .what = str_of(what)},
                                                              effect, replay, err);
}

/* Which of the newest are shown with that judgement, since people said it of a sort of alert that they have. */
static void find_judged(const struct engage *engage, struct str mark, struct recent *recent)
{
        for (size_t i = 0; i < recent->count; i++) {
                recent->leans[i] = 0;
                each (sort, &recent->incidents[i]->sorts)
                        recent->leans[i] |= learned_weight(engage->learned, learned_pair(hash64(mark), learned_sort(sort->name, sort->kind))) > 0;
        }
}

/* Whom the judgement is shown with now, and with whom no longer. Nothing is decided by it, so nothing "would have" been otherwise. */
static json_t *judged_json(const struct recent *before, const struct recent *after, bool is_said)
{
        json_t *numbers = json_array();
        char sentence[200];
        size_t shown = 0, lost = 0;
        for (size_t i = 0; i < after->count; i++) {
                shown += after->leans[i];
                lost += before->leans[i] && !after->leans[i];
                if (before->leans[i] != after->leans[i])
                        json_array_append_new(numbers, json_integer(after->incidents[i]->number));
        }
        const char *plural = after->count == 1 ? "" : "s", *still = is_said ? "" : " still";
        if (lost)
                snprintf(sentence, sizeof sentence, "%zu of the last %zu incident%s %s no longer shown with this judgement", lost, after->count, plural, lost == 1 ? "is" : "are");
        else
                snprintf(sentence, sizeof sentence, "%zu of the last %zu incident%s %s%s shown with this judgement%s", shown, after->count, plural, shown == 1 ? "is" : "are", still,
                         !is_said && shown ? ", which was given to others like it too" : "");
        return json_pack("{s:i, s:i, s:o, s:s}", "of", (int)after->count, "changed", (int)json_array_size(numbers), "incidents", numbers, "sentence", sentence);
}

bool engage_learn_noise(struct engage *engage, const struct incident *incident, struct str kind, struct str by, int64_t time_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *effect = json_array();
        struct recent before, after;
        char what[200];
        const char *mark = str_is(kind, "false") ? MARK_FALSE : str_is(kind, "true") ? MARK_TRUE : MARK_PLANNED;
        find_recent(engage, &before);
        after = before;
        find_judged(engage, str_of(mark), &before);
        each (sort, &incident->sorts)
                if (!learn_mark(engage, mark, sort, time_ns, effect, err))
                        return false;
        find_judged(engage, str_of(mark), &after);
        scoped_ptr(json_decref) json_t *replay = judged_json(&before, &after, true);
        snprintf(what, sizeof what, "incident %u was %s", incident->number, mark);
        return !json_array_size(effect) || engage_note_ledger(engage, &(struct ledger_entry){.time_ns = time_ns, .model = STR("noise"), .by = by, .what = str_of(what)},
                                                              effect, replay, err);
}

/* "DiskFull on host": the last " on " divides, since kinds have none in them. */
static uint64_t sort_of_text(struct str text)
{
        for (size_t i = 0; i < countof(marks); i++)
                if (str_is(text, marks[i]))
                        return hash64(text);
        struct str name = text, kind = STR("");
        for (size_t at = 0, from = 0; str_find(str_slice(text, from, text.length), STR(" on "), &at); from += at + 1) {
                name = str_slice(text, 0, from + at);
                kind = str_slice(text, from + at + 4, text.length);
        }
        return learned_sort(name, kind);
}

static uint64_t pair_of(const json_t *counts)
{
        return learned_pair(sort_of_text(json_str(counts, "one")), sort_of_text(json_str(counts, "other")));
}

/* When the pair was last taught by a word that still counts; as if the one that is taken back had never been said. */
static int64_t taught_ns(const struct engage *engage, uint64_t pair, uint64_t but)
{
        int64_t last_ns = 0;
        each (entry, &engage->ledger_kept) {
                if (entry->id == but || entry->reverted_ns || str_is(entry->model, "routing") || str_is(entry->model, "help"))
                        continue;
                scoped_ptr(json_decref) json_t *effect = json_parse(entry->effect, NULL);
                size_t at;
                const json_t *counts;
                json_array_foreach (effect, at, counts)
                        if (pair_of(counts) == pair)
                                last_ns = max_of(last_ns, entry->time_ns);
        }
        return last_ns;
}

static bool take_back_counts(struct engage *engage, uint64_t entry, const json_t *effect, int64_t time_ns, struct err *err)
{
        size_t at;
        const json_t *counts;
        json_array_foreach (effect, at, counts) {
                struct str one = json_str(counts, "one"), other = json_str(counts, "other");
                uint64_t pair = pair_of(counts);
                int64_t last_ns = taught_ns(engage, pair, entry);
                if (!learned_add(engage->learned, pair, one, other, -json_number_value(json_object_get(counts, "together")),
                                 -json_number_value(json_object_get(counts, "apart")), last_ns ? last_ns : time_ns, err))
                        return false;
        }
        return true;
}

/* What the recent incidents are looked at for, by the model: their first causes, the judgement they are shown with, or how they lean. */
static bool find_effect(const struct engage *engage, const struct ledger_entry *entry, const json_t *effect, struct recent *recent, struct err *err)
{
        if (str_is(entry->model, "causes"))
                return find_first_causes(engage, recent, err);
        if (str_is(entry->model, "noise"))
                find_judged(engage, json_str(json_array_get(effect, 0), "one"), recent);
        else
                find_leans(engage, recent);
        return true;
}

/* One model each: what it was before the entry. */
static bool take_back(struct engage *engage, const struct ledger_entry *entry, const json_t *effect, int64_t time_ns, json_t **out_replay, struct err *err)
{
        struct recent before, after;
        if (str_is(entry->model, "routing"))
                return engage_routing_revert(engage, entry->id, out_replay, err);
        if (str_is(entry->model, "help"))
                return engage_revert_fix(engage, entry->id, out_replay, err);
        find_recent(engage, &before);
        after = before;
        if (!find_effect(engage, entry, effect, &before, err) || !take_back_counts(engage, entry->id, effect, time_ns, err) ||
            !find_effect(engage, entry, effect, &after, err))
                return false;
        *out_replay = str_is(entry->model, "noise") ? judged_json(&before, &after, false) : changed_json(&before, &after, str_is(entry->model, "causes") ? RANKED : LEANT);
        return *out_replay || fail_memory(err, "engage", 256);
}

bool engage_revert(struct engage *engage, uint64_t id, struct str by, int64_t time_ns, json_t **out_result, struct err *err)
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
        scoped_ptr(json_decref) json_t *replay = NULL;
        if (!effect || !who.bytes || !take_back(engage, entry, effect, time_ns, &replay, err)) {
                bool is_memory = effect && !who.bytes;
                free((char *)who.bytes);
                return is_memory ? fail_memory(err, "engage", by.length) : false;
        }
        struct ledger_entry *row = arena_push(&engage->pending, &engage->ledger);
        if (!row) {
                free((char *)who.bytes);
                return fail_memory(err, "engage", sizeof *row);
        }
        free((char *)entry->reverted_by.bytes);
        entry->reverted_by = who;
        entry->reverted_ns = time_ns;
        *row = *entry;
        *out_result = json_pack("{s:O}", "replay", replay);
        return text_copy(entry->replay, &engage->pending, &row->replay) && text_copy(entry->by, &engage->pending, &row->by) && text_copy(entry->what, &engage->pending, &row->what) &&
               text_copy(entry->effect, &engage->pending, &row->effect) && text_copy(who, &engage->pending, &row->reverted_by) ?
               true : fail_memory(err, "engage", sizeof *row);
}
