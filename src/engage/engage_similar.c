/*
 * engage_similar.c - incidents of the past that look like this one, and what helped then: see learn/similar.h for likeness.
 *
 * A case is an incident that is resolved or closed; what is held is a function of the rows, which a start reads again. It is put when its row is
 * written, so a new incident finds what was committed before it. What is most alike is looked up once, when an incident opens, and stored for readers;
 * what helped is looked up when a message is made. "This fixed it" is a row of its own, so that it can be taken back.
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage_state.h"
#include "engage/learning_table.h"
#include "learn/similar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIKENESS_LEAST 0.3      /* to be shown */
#define LIKENESS_HELPS 0.5      /* for what helped to be told with it */
#define HITS_MAX 5
#define FIXES_MAX 5000          /* at the bound the oldest go */
#define RECENT_MAX 50

struct engage_past {
        struct similar *similar;
        struct text_features features;
        struct { struct fix_row *items; size_t count, capacity; } fixes;        /* oldest first; texts owned */
        struct { struct alike_row *items; size_t count, capacity; } alike;      /* to be written; texts owned */
        bool fixes_are_dirty;
};

bool engage_past_create(struct engage *engage, struct err *err)
{
        struct engage_past *past = calloc(1, sizeof *past);
        if (!past)
                return fail_memory(err, "engage", sizeof *past);
        engage->past = past;
        if (!text_features_init(&past->features))
                return fail_memory(err, "engage", sizeof past->features);
        return (past->similar = similar_create(0, err));
}

static void fix_done(struct fix_row *fix)
{
        free((char *)fix->by.bytes);
        free((char *)fix->text.bytes);
}

static void forget_alike(struct engage_past *past)
{
        each (row, &past->alike)
                free((char *)row->hits.bytes);
        past->alike.count = 0;
}

void engage_past_destroy(struct engage *engage)
{
        struct engage_past *past = engage->past;
        if (!past)
                return;
        similar_destroy(past->similar);
        text_features_done(&past->features);
        each (fix, &past->fixes)
                fix_done(fix);
        free(past->fixes.items);
        forget_alike(past);
        free(past->alike.items);
        free(past);
}

/* --- cases ---------------------------------------------------------------------------------------------------------------------- */

static void case_of(struct engage_past *past, const struct incident *incident, struct similar_case *out)
{
        *out = (struct similar_case){0};
        each (sort, &incident->sorts)
                similar_add(out, SIMILAR_ALERT, sort->name);
        each (entity, &incident->entities)
                similar_add(out, SIMILAR_ENTITY, entity->name);
        each (entity, &incident->entities)
                similar_add(out, SIMILAR_ENTITY_KIND, entity->kind);
        if (incident->headline)
                similar_add_words(out, &past->features, str_of(incident->headline));
}

static bool is_case(const struct incident *incident)
{
        return (incident->state == INCIDENT_RESOLVED || incident->state == INCIDENT_CLOSED) && !incident->is_noise;
}

bool engage_past_note(struct engage *engage, const struct incident *incident, struct err *err)
{
        struct similar_case made;
        if (!is_case(incident)) {
                similar_forget(engage->past->similar, incident->id);
                return true;
        }
        case_of(engage->past, incident, &made);
        return similar_put(engage->past->similar, incident->id, &made, err);
}

/* --- what looks like it ----------------------------------------------------------------------------------------------------------- */

static json_t *hit_json(const struct similar_case *asked, const struct similar_hit *hit)
{
        static const char *const kinds[] = {"alert", "template", "thing", "kind of thing", "change", "word"};
        json_t *reasons = json_array();
        char id[24];
        for (uint32_t i = 0; i < hit->reason_count; i++) {
                const struct similar_part *part = &asked->parts[hit->reasons[i].part];
                json_array_append_new(reasons, json_pack("{s:s, s:s%, s:f}", "kind", kinds[part->kind], "text", part->text.bytes, part->text.length, "share",
                                                         (double)hit->reasons[i].share));
        }
        snprintf(id, sizeof id, "%" PRIu64, hit->id);
        return json_pack("{s:s, s:f, s:o}", "incident", id, "likeness", hit->likeness, "reasons", reasons);
}

static bool keep_alike(struct engage_past *past, uint64_t incident, const json_t *hits, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (past->alike.count == past->alike.capacity) {
                size_t grown = past->alike.capacity ? past->alike.capacity * 2 : 16;
                struct alike_row *moved = realloc(past->alike.items, grown * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "engage", grown * sizeof *moved);
                past->alike.items = moved;
                past->alike.capacity = grown;
        }
        if (!json_write(hits, &text))
                return fail_memory(err, "engage", text.length);
        char *copy = strndup(text.bytes, text.length);
        if (!copy)
                return fail_memory(err, "engage", text.length);
        past->alike.items[past->alike.count++] = (struct alike_row){incident, {copy, text.length}};
        return true;
}

static bool is_noted(const struct engage_past *past, uint64_t incident)
{
        each (row, &past->alike)
                if (row->incident == incident)
                        return true;
        return false;
}

/* Of what opened in this decision. */
bool engage_find_alike(struct engage *engage, struct err *err)
{
        size_t count;
        const struct incident_news *news = incidents_news(engage->incidents, &count);
        for (size_t i = 0; i < count; i++) {
                const struct incident *incident = incidents_find(engage->incidents, news[i].incident);
                struct similar_case asked;
                struct similar_hit hits[HITS_MAX];
                if (!(news[i].kinds & NEWS_OPENED) || !incident || is_noted(engage->past, incident->id))
                        continue;
                case_of(engage->past, incident, &asked);
                uint32_t found = similar_find(engage->past->similar, &asked, incident->id, LIKENESS_LEAST, hits, HITS_MAX);
                scoped_ptr(json_decref) json_t *list = json_array();
                for (uint32_t k = 0; k < found; k++)
                        json_array_append_new(list, hit_json(&asked, &hits[k]));
                if (found && !keep_alike(engage->past, incident->id, list, err))
                        return false;
        }
        return true;
}

/* --- what helped -------------------------------------------------------------------------------------------------------------------- */

/* The last word about that incident. */
static const struct fix_row *fix_of(const struct engage_past *past, uint64_t incident)
{
        const struct fix_row *found = NULL;
        each (fix, &past->fixes)
                if (fix->incident == incident && !fix->is_gone)
                        found = fix;
        return found;
}

bool engage_helped(const struct engage *engage, uint64_t id, struct engage_help *out_help)
{
        const struct incident *incident = incidents_find(engage->incidents, id);
        struct similar_case asked;
        struct similar_hit hits[HITS_MAX];
        if (!incident || !engage->past->fixes.count)
                return false;
        case_of(engage->past, incident, &asked);
        uint32_t found = similar_find(engage->past->similar, &asked, id, LIKENESS_HELPS, hits, HITS_MAX);
        for (uint32_t i = 0; i < found; i++) {
                const struct fix_row *fix = fix_of(engage->past, hits[i].id);
                if (!fix)
                        continue;
                *out_help = (struct engage_help){fix->text, fix->by, fix->number, hits[i].likeness};
                return true;
        }
        return false;
}

static bool own(struct str *text)
{
        char *copy = strndup(text->bytes ? text->bytes : "", text->length);
        *text = (struct str){copy, copy ? text->length : 0};
        return copy;
}

static bool keep_fix(struct engage_past *past, struct fix_row fix, struct err *err)
{
        if (!past->fixes.items && !(past->fixes.items = calloc(2 * FIXES_MAX, sizeof fix)))
                return fail_memory(err, "engage", 2 * FIXES_MAX * sizeof fix);
        if (past->fixes.count == 2 * FIXES_MAX)
                return fail(err, ERR_BUSY, "engage", "too many words about fixes wait to be stored; say it again in a moment");
        fix.text = str_slice(fix.text, 0, FIX_BYTES_MAX);
        bool good = own(&fix.by);
        good = own(&fix.text) && good;
        if (!good) {
                fix_done(&fix);
                return fail_memory(err, "engage", sizeof fix);
        }
        past->fixes.items[past->fixes.count++] = fix;
        return true;
}

static void make_room(struct engage_past *past)
{
        size_t held = 0;
        each (fix, &past->fixes)
                held += !fix->is_gone;
        each (fix, &past->fixes)
                if (held > FIXES_MAX && !fix->is_gone) {
                        fix->is_gone = fix->is_dirty = true;
                        held--;
                }
}

/* Which of the newest would be shown with it. */
static json_t *shown_json(struct engage *engage, const struct incident *about)
{
        struct incident *incident, *recent[RECENT_MAX];
        struct similar_case made;
        struct similar *alone = similar_create(2, NULL);
        json_t *numbers = json_array();
        size_t count = 0;
        char sentence[120];
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));) {
                if (incident->state == INCIDENT_MERGED || incident == about)
                        continue;
                if (count == RECENT_MAX)
                        memmove(recent, recent + 1, --count * sizeof *recent);
                recent[count++] = incident;
        }
        case_of(engage->past, about, &made);
        for (size_t i = 0; alone && similar_put(alone, about->id, &made, NULL) && i < count; i++) {
                struct similar_case asked;
                struct similar_hit hit;
                case_of(engage->past, recent[i], &asked);
                if (similar_find(alone, &asked, 0, LIKENESS_HELPS, &hit, 1))
                        json_array_append_new(numbers, json_integer(recent[i]->number));
        }
        similar_destroy(alone);
        snprintf(sentence, sizeof sentence, "%zu of the last %zu incidents would have been told with it", json_array_size(numbers), count);
        return json_pack("{s:i, s:i, s:o, s:s}", "of", (int)count, "changed", (int)json_array_size(numbers), "incidents", numbers, "sentence", sentence);
}

bool engage_learn_fix(struct engage *engage, const struct incident *incident, struct str text, struct str by, int64_t time_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *replay = shown_json(engage, incident);
        scoped_ptr(json_decref) json_t *effect = json_object();
        struct fix_row fix = {.id = engage_id(engage), .incident = incident->id, .number = incident->number, .time_ns = time_ns, .by = by, .text = text, .is_dirty = true};
        char what[200];
        if (!keep_fix(engage->past, fix, err))
                return false;
        make_room(engage->past);
        engage->past->fixes_are_dirty = true;
        snprintf(what, sizeof what, "incident %u was fixed by: %.*s", incident->number, (int)min_of(text.length, (size_t)100), text.bytes);
        return engage_note_ledger(engage, &(struct ledger_entry){.id = fix.id, .time_ns = time_ns, .model = STR("help"), .by = by, .what = str_of(what)}, effect, replay, err);
}

bool engage_revert_fix(struct engage *engage, uint64_t id, json_t **out_replay, struct err *err)
{
        each (fix, &engage->past->fixes) {
                const struct incident *about = fix->id == id && !fix->is_gone ? incidents_find(engage->incidents, fix->incident) : NULL;
                if (fix->id != id || fix->is_gone)
                        continue;
                *out_replay = about ? shown_json(engage, about) : json_pack("{s:s}", "sentence", "its incident is too long ago to count");
                fix->is_gone = fix->is_dirty = engage->past->fixes_are_dirty = true;
                return *out_replay || fail_memory(err, "engage", 256);
        }
        return fail(err, ERR_NOT_FOUND, "engage", "the word is not held any more: there came too many after it");
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------- */

static bool take_fix(void *context, const struct fix_row *fix, struct err *err)
{
        struct engage *engage = context;
        return keep_fix(engage->past, *fix, err);
}

/* Texts are valid for the call. */
static bool take_case(void *context, const struct past_row *row, struct err *err)
{
        struct engage *engage = context;
        struct similar_case made = {0};
        size_t at;
        const json_t *item;
        json_array_foreach (row->sorts, at, item)
                similar_add(&made, SIMILAR_ALERT, json_str(item, "name"));
        json_array_foreach (row->entities, at, item)
                similar_add(&made, SIMILAR_ENTITY, json_str(item, "name"));
        json_array_foreach (row->entities, at, item)
                similar_add(&made, SIMILAR_ENTITY_KIND, json_str(item, "kind"));
        if (row->headline.length)
                similar_add_words(&made, &engage->past->features, row->headline);
        return similar_put(engage->past->similar, row->incident, &made, err);
}

bool engage_past_load(struct engage *engage, struct database *state, struct err *err)
{
        return past_rows_load(state, take_case, engage, err) && fix_rows_load(state, take_fix, engage, err);
}

bool engage_past_is_dirty(const struct engage *engage)
{
        return engage->past->fixes_are_dirty || engage->past->alike.count;
}

bool engage_past_write(struct engage *engage, struct database *state, struct err *err)
{
        each (fix, &engage->past->fixes)
                if (fix->is_dirty && !fix_row_write(state, fix, err))
                        return false;
        each (row, &engage->past->alike)
                if (!alike_row_write(state, row, err))
                        return false;
        return true;
}

void engage_past_written(struct engage *engage)
{
        struct engage_past *past = engage->past;
        size_t kept = 0;
        forget_alike(past);
        for (size_t i = 0; past->fixes_are_dirty && i < past->fixes.count; i++) {
                past->fixes.items[i].is_dirty = false;
                if (past->fixes.items[i].is_gone)
                        fix_done(&past->fixes.items[i]);
                else
                        past->fixes.items[kept++] = past->fixes.items[i];
        }
        if (past->fixes_are_dirty)
                past->fixes.count = kept;
        past->fixes_are_dirty = false;
}
