/*
 * engage_cause.c - the likely causes of incidents, with a sentence each: see cause.h for how they are found.
 *
 * Ranked again when alerts came, but not more often than every CAUSES_EVERY_NS: in a storm each tick would be a ranking.
 */
#include "base/scope.h"
#include "engage/cause.h"
#include "engage/engage_state.h"
#include "engage/words.h"

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

/* The name of an alert, for a sentence; gone from memory, it had one. */
static struct str alert_name(const struct engage *engage, uint64_t id)
{
        const struct alert *alert = alerts_find(engage->alerts, id);
        struct str name = alert ? alert_label(alert, STR("alertname")) : STR("");
        return name.length ? name : STR("an alert");
}

static struct str sentence(const struct engage *engage, const struct suspect *suspects, size_t at, size_t count, struct arena *arena)
{
        scoped(buf_done) struct buf text = {0};
        const struct suspect *suspect = &suspects[at];
        const char *change = suspect->change ? change_title(engage, suspect->change) : NULL;
        struct cause_words words = {.kind = suspect->kind, .name = suspect->name, .alert = alert_name(engage, suspect->first_alert), .alerts = suspect->alerts,
                                    .parts = suspect->parts, .parts_troubled = suspect->parts_troubled, .suffering = suspect->suffering,
                                    .after_ns = suspect->after_ns, .is_first = true, .has_change = suspect->change, .change = str_of(change),
                                    .change_before_ns = suspect->change_before_ns, .rank = (uint32_t)at + 1, .of = (uint32_t)count};
        for (size_t i = 0; i < count; i++)
                words.is_first &= i == at || !suspects[i].alerts || suspects[i].after_ns > suspect->after_ns;
        words_cause(&words, &text);
        return text.failed ? (struct str){0} : arena_str(arena, buf_str(&text));
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
        while (shown < count && suspects[shown].score >= SHOWN_SCORE_LEAST)
                shown++;
        count = shown;
        shown = 0;
        for (size_t i = 0; i < count; i++) {
                causes[shown] = (struct incident_cause){suspects[i].entity, suspects[i].name, suspects[i].kind, suspects[i].score,
                                                        sentence(engage, suspects, i, count, &arena)};
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
