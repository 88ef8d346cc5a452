/*
 * engage_cause.c - the likely causes of incidents, with a sentence each: see cause.h for how they are found.
 *
 * Ranked again when alerts came, but not more often than every CAUSES_EVERY_NS: in a storm each tick would be a ranking.
 */
#include "base/scope.h"
#include "engage/cause.h"
#include "engage/engage_state.h"

#include <inttypes.h>
#include <stdlib.h>

#define CAUSES_EVERY_NS ((int64_t)1000000000)
#define SHOWN_SCORE_LEAST 0.02

void engage_forget_changes(struct engage *engage)
{
        each (note, &engage->changes_kept)
                free((char *)note->change.title.bytes);
        free(engage->changes_kept.items);
        engage->changes_kept.items = NULL;
        engage->changes_kept.count = engage->changes_kept.capacity = 0;
}

/* As many as correlation remembers, so that whatever it names has a title. */
bool engage_keep_change(struct engage *engage, const struct change_note *note, struct err *err)
{
        __typeof__(engage->changes_kept) *kept = &engage->changes_kept;
        if (!kept->items && !(kept->items = calloc(CORRELATE_CHANGES_MAX, sizeof *kept->items)))
                return fail_memory(err, "engage", CORRELATE_CHANGES_MAX * sizeof *kept->items);
        kept->capacity = CORRELATE_CHANGES_MAX;
        char *title = strndup(note->change.title.bytes ? note->change.title.bytes : "", min_of(note->change.title.length, (size_t)200));
        if (!title)
                return fail_memory(err, "engage", note->change.title.length);
        if (kept->count == CORRELATE_CHANGES_MAX) {
                free((char *)kept->items[0].change.title.bytes);
                memmove(kept->items, kept->items + 1, --kept->count * sizeof *kept->items);
        }
        kept->items[kept->count++] = (struct change_note){.id = note->id, .change = {.time_ns = note->change.time_ns, .title = str_of(title)}};
        return true;
}

static const char *change_title(const struct engage *engage, uint64_t id)
{
        each (note, &engage->changes_kept)
                if (note->id == id)
                        return note->change.title.bytes;
        return NULL;
}

/* "2 of its 3 parts are in trouble, the first alert came at once; 4 min before: deploy 17". */
static struct str sentence(const struct engage *engage, const struct suspect *suspect, struct arena *arena)
{
        struct buf text = {0};
        const char *change = suspect->change ? change_title(engage, suspect->change) : NULL;
        if (suspect->parts_troubled)
                buf_printf(&text, "%u of its %u parts are in trouble", suspect->parts_troubled, suspect->parts);
        if (suspect->alerts)
                buf_printf(&text, "%s%u unusual alert%s, the first %" PRId64 " s after the beginning", text.length ? ", " : "", suspect->alerts,
                           suspect->alerts > 1 ? "s" : "", suspect->after_ns / 1000000000);
        if (suspect->change)
                buf_printf(&text, "%sthere was a change %" PRId64 " min before%s%s", text.length ? "; " : "", suspect->change_before_ns / 60000000000,
                           change ? ": " : "", change ? change : "");
        if (!text.length)
                buf_text(&text, "an alert names it");
        struct str copy = text.failed ? (struct str){0} : arena_str(arena, buf_str(&text));
        buf_done(&text);
        return copy;
}

static bool rank(struct engage *engage, struct incident *incident, int64_t time_ns, struct err *err)
{
        scoped(arena_done) struct arena arena;
        struct suspect suspects[CAUSES_MAX];
        struct incident_cause causes[CAUSES_MAX];
        size_t count, shown = 0;
        arena_init(&arena, 0);
        if (!correlator_suspects(engage->correlator, incident->id, suspects, CAUSES_MAX, &count, err))
                return false;
        for (size_t i = 0; i < count && suspects[i].score >= SHOWN_SCORE_LEAST; i++) {
                causes[shown] = (struct incident_cause){suspects[i].entity, suspects[i].name, suspects[i].kind, suspects[i].score,
                                                        sentence(engage, &suspects[i], &arena)};
                if (!causes[shown++].reason.bytes)
                        return fail_memory(err, "engage", sizeof causes);
        }
        incident->causes_due = false;
        incident->causes_ns = time_ns;
        incident_touch(engage->incidents, incident, 0, incident->changed_ns);
        if (!shown)
                return true;
        bool is_other = !incident->causes.count || incident->causes.items[0].entity != causes[0].entity;
        if (!incident_set_causes(incident, causes, shown, err))
                return false;
        incident_touch(engage->incidents, incident, is_other ? NEWS_CAUSES : 0, incident->changed_ns);
        return true;
}

bool engage_find_causes(struct engage *engage, int64_t time_ns, struct err *err)
{
        struct incident *incident;
        for (size_t at = 0; (incident = incidents_next(engage->incidents, &at));)
                if (incident->causes_due && time_ns - incident->causes_ns >= CAUSES_EVERY_NS && !rank(engage, incident, time_ns, err))
                        return err_within(err, "ranking the causes of incident %u", incident->number);
        return true;
}
