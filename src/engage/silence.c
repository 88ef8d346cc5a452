/* silence.c - see silence.h. A list that is walked: matching is asked once a notification, not once a log line. */
#include "engage/silence.h"

#include "base/hash.h"
#include "base/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct silences {
        struct silence **items;
        size_t count, capacity;
};

static void silence_destroy(struct silence *silence)
{
        if (!silence)
                return;
        matchers_done(&silence->matchers);
        arena_done(&silence->arena);
        free(silence);
}
SCOPED_PTR(silence_destroy, struct silence)

bool silences_create(struct silences **out_silences, struct err *err)
{
        *out_silences = calloc(1, sizeof **out_silences);
        return *out_silences || fail_memory(err, "engage", sizeof **out_silences);
}

void silences_destroy(struct silences *silences)
{
        if (!silences)
                return;
        for (size_t i = 0; i < silences->count; i++)
                silence_destroy(silences->items[i]);
        free(silences->items);
        free(silences);
}

static size_t place_of(const struct silences *silences, struct str id)
{
        size_t at = 0;
        while (at < silences->count && (silences->items[at]->is_forgotten || !str_is(id, silences->items[at]->id)))
                at++;
        return at;
}

static bool add(struct silences *silences, struct silence *silence, struct err *err)
{
        if (silences->count == silences->capacity) {
                size_t grown = silences->capacity ? silences->capacity * 2 : 16;
                struct silence **moved = realloc(silences->items, grown * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "engage", grown * sizeof *moved);
                silences->items = moved;
                silences->capacity = grown;
        }
        silences->items[silences->count++] = silence;
        return true;
}

/* The form of a UUID of version 8 (RFC 9562): made by ourselves. */
static void write_id(uint64_t id, char out_text[static SILENCE_ID_BYTES])
{
        uint64_t hash = hash64((struct str){(const char *)&id, sizeof id});
        snprintf(out_text, SILENCE_ID_BYTES, "%08x-%04x-8%03x-8%03x-%012" PRIx64, (unsigned)(id >> 32), (unsigned)(id >> 16 & 0xffff),
                 (unsigned)(id >> 4 & 0xfff), (unsigned)(hash >> 48 & 0xfff), (uint64_t)(hash & 0xffffffffffff));
}

static bool matches_everything(const struct matchers *matchers)
{
        each (matcher, matchers)
                if (!matcher_matches(matcher, STR("")))
                        return false;
        return true;
}

static struct silence *make(const struct silence_wish *wish, struct err *err)
{
        scoped_ptr(silence_destroy) struct silence *silence = calloc(1, sizeof *silence);
        if (!silence) {
                fail_memory(err, "engage", sizeof *silence);
                return NULL;
        }
        arena_init(&silence->arena, 1 << 20);
        silence->starts_ns = wish->starts_ns;
        silence->ends_ns = wish->ends_ns;
        silence->is_maintenance = wish->is_maintenance;
        if (!matcher_json_read(wish->matchers, &silence->arena, &silence->matchers, err))
                return NULL;
        if (!text_copy(wish->by, &silence->arena, &silence->by) || !text_copy(wish->comment, &silence->arena, &silence->comment)) {
                fail(err, ERR_TOO_LARGE, "engage", "the silence is too large");
                return NULL;
        }
        return give(silence);
}

static bool check(const struct silences *silences, const struct silence *silence, int64_t time_ns, struct err *err)
{
        if (silence->ends_ns <= silence->starts_ns || silence->ends_ns <= time_ns)
                return fail(err, ERR_INVALID, "engage", "a silence must end after it begins, and after now");
        if (!silence->matchers.count || matches_everything(&silence->matchers))
                return fail(err, ERR_INVALID, "engage", "a silence needs at least one condition that an alert without labels does not meet");
        if (silences->count >= SILENCES_MAX)
                return fail(err, ERR_FULL, "engage", "there are %d silences; expire some first", SILENCES_MAX);
        return true;
}

bool silences_set(struct silences *silences, const struct silence_wish *wish, uint64_t new_id, int64_t time_ns, const struct silence **out_silence,
                  struct err *err)
{
        scoped_ptr(silence_destroy) struct silence *silence = make(wish, err);
        if (!silence)
                return false;
        size_t at = wish->id.length ? place_of(silences, wish->id) : silences->count;
        if (wish->id.length && at == silences->count)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no silence %.*s", STR_ARGS(str_slice(wish->id, 0, 60)));
        if (silence->starts_ns < time_ns && (at == silences->count || silences->items[at]->starts_ns > time_ns))
                silence->starts_ns = time_ns;
        if (!check(silences, silence, time_ns, err))
                return false;
        silence->updated_ns = time_ns;
        silence->is_dirty = true;
        if (at < silences->count) {
                memcpy(silence->id, silences->items[at]->id, sizeof silence->id);
                silence_destroy(silences->items[at]);
                *out_silence = silences->items[at] = give(silence);
                return true;
        }
        write_id(new_id, silence->id);
        if (!add(silences, silence, err))
                return false;
        *out_silence = give(silence);
        return true;
}

bool silences_expire(struct silences *silences, struct str id, int64_t time_ns, struct err *err)
{
        size_t at = place_of(silences, id);
        if (at == silences->count)
                return fail(err, ERR_NOT_FOUND, "engage", "there is no silence %.*s", STR_ARGS(str_slice(id, 0, 60)));
        struct silence *silence = silences->items[at];
        if (silence->ends_ns <= time_ns)
                return true;
        silence->starts_ns = min_of(silence->starts_ns, time_ns);
        silence->ends_ns = silence->updated_ns = time_ns;
        silence->is_dirty = true;
        return true;
}

const struct silence *silences_match(const struct silences *silences, const struct labels *labels, int64_t time_ns)
{
        for (size_t i = 0; i < silences->count; i++) {
                const struct silence *silence = silences->items[i];
                if (!silence->is_forgotten && time_ns >= silence->starts_ns && time_ns < silence->ends_ns && matchers_match(&silence->matchers, labels) &&
                    matchers_hold_out(&silence->matchers, NULL))
                        return silence;
        }
        return NULL;
}

bool silences_turn(const struct silences *silences, int64_t after_ns, int64_t until_ns)
{
        for (size_t i = 0; i < silences->count; i++) {
                const struct silence *silence = silences->items[i];
                if ((silence->starts_ns > after_ns && silence->starts_ns <= until_ns) || (silence->ends_ns > after_ns && silence->ends_ns <= until_ns))
                        return true;
        }
        return false;
}

void silences_forget(struct silences *silences, int64_t time_ns)
{
        for (size_t i = 0; i < silences->count; i++)
                if (!silences->items[i]->is_forgotten && silences->items[i]->ends_ns + SILENCE_KEPT_NS < time_ns)
                        silences->items[i]->is_forgotten = silences->items[i]->is_dirty = true;
}

struct silence *silences_next(const struct silences *silences, size_t *at)
{
        return *at < silences->count ? silences->items[(*at)++] : NULL;
}

bool silences_restore(struct silences *silences, const struct silence *silence, const json_t *matchers, struct err *err)
{
        struct silence_wish wish = {.matchers = matchers, .by = silence->by, .comment = silence->comment, .starts_ns = silence->starts_ns,
                                    .ends_ns = silence->ends_ns, .is_maintenance = silence->is_maintenance};
        scoped_ptr(silence_destroy) struct silence *copy = make(&wish, err);
        if (!copy)
                return false;
        memcpy(copy->id, silence->id, sizeof copy->id);
        copy->updated_ns = silence->updated_ns;
        if (!add(silences, copy, err))
                return false;
        (void)give(copy);
        return true;
}

void silences_clean(struct silences *silences)
{
        size_t kept = 0;
        for (size_t i = 0; i < silences->count; i++) {
                silences->items[i]->is_dirty = false;
                if (silences->items[i]->is_forgotten)
                        silence_destroy(silences->items[i]);
                else
                        silences->items[kept++] = silences->items[i];
        }
        silences->count = kept;
}
