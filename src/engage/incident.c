/*
 * incident.c - see incident.h.
 *
 * Incidents are few beside alerts: one heap block each, found by two maps. What is dirty and what is news are lists with room
 * for every incident, made when the incident is, so that noting a change cannot fail.
 */
#include "engage/incident.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/scope.h"
#include "engage/words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct incidents {
        struct incident **items;        /* oldest first */
        size_t count, capacity, incidents_max;
        struct map by_id;
        struct incident **dirty;
        size_t dirty_count;
        struct incident_news *news;
        size_t news_count;
        size_t alive;
        uint32_t last_number;
};

static void causes_free(struct incident_cause *causes, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                free((char *)causes[i].name.bytes);
                free((char *)causes[i].kind.bytes);
                free((char *)causes[i].reason.bytes);
        }
        free(causes);
}

void incident_done(struct incident *incident)
{
        each (entity, &incident->entities) {
                free((char *)entity->kind.bytes);
                free((char *)entity->name.bytes);
        }
        each (sort, &incident->sorts) {
                free((char *)sort->name.bytes);
                free((char *)sort->kind.bytes);
        }
        causes_free(incident->causes.items, incident->causes.count);
        free(incident->entities.items);
        free(incident->sorts.items);
        free(incident->headline);
        free(incident->members.items);
        free(incident->title);
        free(incident->owner);
        free(incident->team);
        free(incident->signature_text);
        *incident = (struct incident){0};
}

static void incident_free(struct incident *incident)
{
        if (incident)
                incident_done(incident);
        free(incident);
}

bool incidents_create(size_t incidents_max, struct incidents **out_incidents, struct err *err)
{
        struct incidents *incidents = calloc(1, sizeof *incidents);
        if (!incidents)
                return fail_memory(err, "engage", sizeof *incidents);
        incidents->incidents_max = incidents_max ? incidents_max : INCIDENTS_MAX;
        *out_incidents = incidents;
        return true;
}

void incidents_destroy(struct incidents *incidents)
{
        if (!incidents)
                return;
        for (size_t i = 0; i < incidents->count; i++)
                incident_free(incidents->items[i]);
        free(incidents->items);
        free(incidents->dirty);
        free(incidents->news);
        map_done(&incidents->by_id);
        free(incidents);
}

static uint64_t id_hash(uint64_t id)
{
        return hash64((struct str){(const char *)&id, sizeof id});
}

static bool grow(struct incidents *incidents, struct err *err)
{
        if (incidents->count < incidents->capacity)
                return true;
        size_t capacity = incidents->capacity ? incidents->capacity * 2 : 64;
        struct incident **items = realloc(incidents->items, capacity * sizeof(struct incident *));
        if (items)
                incidents->items = items;
        struct incident **dirty = realloc(incidents->dirty, capacity * sizeof(struct incident *));
        if (dirty)
                incidents->dirty = dirty;
        struct incident_news *news = realloc(incidents->news, capacity * sizeof *news);
        if (news)
                incidents->news = news;
        if (!items || !dirty || !news)
                return fail_memory(err, "engage", capacity * sizeof *news);
        incidents->capacity = capacity;
        return true;
}

/* Positions move when one is dropped, so the map is made anew: rare, and a few thousand entries. */
static bool index_all(struct incidents *incidents)
{
        map_clear(&incidents->by_id);
        for (size_t i = 0; i < incidents->count; i++)
                if (!map_put(&incidents->by_id, id_hash(incidents->items[i]->id), (uint32_t)i))
                        return false;
        return true;
}

static bool may_go(const struct incident *incident, int64_t changed_before_ns)
{
        return !incident_is_alive(incident) && !incident->is_dirty && !incident->news && incident->changed_ns <= changed_before_ns;
}

static void drop(struct incidents *incidents, int64_t changed_before_ns, size_t most)
{
        size_t kept = 0;
        for (size_t i = 0; i < incidents->count; i++) {
                if (most && may_go(incidents->items[i], changed_before_ns)) {
                        incident_free(incidents->items[i]);
                        most--;
                } else {
                        incidents->items[kept++] = incidents->items[i];
                }
        }
        if (kept < incidents->count) {
                incidents->count = kept;
                index_all(incidents); /* the map only shrinks: it needs no memory */
        }
}

void incidents_forget(struct incidents *incidents, int64_t time_ns)
{
        drop(incidents, time_ns - INCIDENT_KEPT_NS, SIZE_MAX);
}

static bool enter(struct incidents *incidents, struct incident *incident, struct err *err)
{
        if (incidents->count >= incidents->incidents_max)
                drop(incidents, INT64_MAX, incidents->incidents_max / 16 + 1);
        if (incidents->count >= incidents->incidents_max)
                return fail(err, ERR_FULL, "engage", "opening an incident: %zu are open already; close what is done with", incidents->count);
        if (!grow(incidents, err))
                return false;
        if (!map_put(&incidents->by_id, id_hash(incident->id), (uint32_t)incidents->count))
                return fail_memory(err, "engage", sizeof *incident);
        incidents->items[incidents->count++] = incident;
        incidents->alive += incident_is_alive(incident);
        incidents->last_number = max_of(incidents->last_number, incident->number);
        return true;
}

bool incidents_open(struct incidents *incidents, uint64_t id, int64_t time_ns, struct incident **out_incident, struct err *err)
{
        struct incident *incident = calloc(1, sizeof *incident);
        if (!incident)
                return fail_memory(err, "engage", sizeof *incident);
        incident->id = id;
        incident->number = incidents->last_number + 1;
        incident->state = INCIDENT_OPEN;
        incident->severity = ALERT_INFO;
        incident->is_held = true;
        incident->opened_ns = incident->changed_ns = time_ns;
        if (!enter(incidents, incident, err)) {
                incident_free(incident);
                return false;
        }
        incident_touch(incidents, incident, NEWS_OPENED, time_ns);
        *out_incident = incident;
        return true;
}

void incidents_undo(struct incidents *incidents, struct incident *incident)
{
        assert(incidents->count && incidents->items[incidents->count - 1] == incident);
        assert(incident->is_dirty && incidents->dirty[incidents->dirty_count - 1] == incident);
        assert(incident->is_listed && incidents->news[incidents->news_count - 1].incident == incident->id);
        incidents->count--;
        incidents->dirty_count--;
        incidents->news_count--;
        incidents->alive--;
        incidents->last_number--;
        map_remove(&incidents->by_id, id_hash(incident->id), (uint32_t)incidents->count);
        incident_free(incident);
}

bool incidents_restore(struct incidents *incidents, const struct incident *incident, struct err *err)
{
        struct incident *kept = malloc(sizeof *kept);
        if (!kept)
                return fail_memory(err, "engage", sizeof *kept);
        *kept = *incident;
        kept->news = 0;
        kept->is_dirty = kept->is_listed = false;
        if (!enter(incidents, kept, err)) {
                free(kept);
                return false;
        }
        return true;
}

struct incident *incidents_find(struct incidents *incidents, uint64_t id)
{
        size_t at;
        for (uint32_t i = map_first(&incidents->by_id, id_hash(id), &at); i != MAP_NONE; i = map_next(&incidents->by_id, id_hash(id), &at))
                if (incidents->items[i]->id == id)
                        return incidents->items[i];
        return NULL;
}

struct incident *incidents_by_number(struct incidents *incidents, uint32_t number)
{
        size_t low = 0, high = incidents->count; /* numbers rise with age */
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (incidents->items[middle]->number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < incidents->count && incidents->items[low]->number == number ? incidents->items[low] : NULL;
}

struct incident *incidents_next(struct incidents *incidents, size_t *at)
{
        return *at < incidents->count ? incidents->items[(*at)++] : NULL;
}

void incidents_number_from(struct incidents *incidents, uint32_t last_number)
{
        incidents->last_number = max_of(incidents->last_number, last_number);
}

size_t incidents_alive(const struct incidents *incidents)
{
        return incidents->alive;
}

void incident_touch(struct incidents *incidents, struct incident *incident, unsigned kinds, int64_t time_ns)
{
        incident->changed_ns = max_of(incident->changed_ns, time_ns);
        if (!incident->is_dirty)
                incidents->dirty[incidents->dirty_count++] = incident;
        incident->is_dirty = true;
        if (kinds && !incident->is_listed) {
                incidents->news[incidents->news_count++].incident = incident->id;
                incident->is_listed = true;
        }
        incident->news |= kinds;
}

struct incident *incidents_dirty(const struct incidents *incidents, size_t at)
{
        return at < incidents->dirty_count ? incidents->dirty[at] : NULL;
}

void incidents_clean(struct incidents *incidents)
{
        for (size_t i = 0; i < incidents->dirty_count; i++)
                incidents->dirty[i]->is_dirty = false;
        incidents->dirty_count = 0;
}

const struct incident_news *incidents_news(const struct incidents *incidents, size_t *out_count)
{
        for (size_t i = 0; i < incidents->news_count; i++)
                incidents->news[i].kinds = incidents_find((struct incidents *)incidents, incidents->news[i].incident)->news;
        *out_count = incidents->news_count;
        return incidents->news;
}

void incidents_news_clear(struct incidents *incidents)
{
        for (size_t i = 0; i < incidents->news_count; i++) {
                struct incident *incident = incidents_find(incidents, incidents->news[i].incident);
                incident->news = 0;
                incident->is_listed = false;
        }
        incidents->news_count = 0;
}

/* --- one incident ---------------------------------------------------------------------------------------------------------- */

#define VECTOR_ROOM(vector)                                                                                            \
        ({                                                                                                             \
                bool room_ = (vector)->count < (vector)->capacity;                                                     \
                if (!room_) {                                                                                          \
                        size_t capacity_ = (vector)->capacity ? (vector)->capacity * 2 : 4;                            \
                        void *items_ = realloc((vector)->items, capacity_ * sizeof *(vector)->items);                  \
                        if (items_) {                                                                                  \
                                (vector)->items = items_;                                                              \
                                (vector)->capacity = capacity_;                                                        \
                                room_ = true;                                                                          \
                        }                                                                                              \
                }                                                                                                      \
                room_;                                                                                                 \
        })

bool incident_has(const struct incident *incident, uint64_t alert)
{
        if (alert > incident->member_id_max)
                return false;
        each (member, &incident->members)
                if (member->alert == alert)
                        return true;
        return false;
}

bool incident_append(struct incident *incident, uint64_t alert, int64_t time_ns, struct err *err)
{
        if (!VECTOR_ROOM(&incident->members))
                return fail_memory(err, "engage", incident->members.capacity * 2 * sizeof *incident->members.items);
        struct incident_member *items = incident->members.items;
        size_t at = incident->members.count++;
        for (; at && (items[at - 1].joined_ns > time_ns || (items[at - 1].joined_ns == time_ns && items[at - 1].alert > alert)); at--)
                items[at] = items[at - 1];
        items[at] = (struct incident_member){alert, time_ns};
        incident->member_id_max = max_of(incident->member_id_max, alert);
        return true;
}

bool incident_add(struct incident *incident, uint64_t alert, int64_t time_ns, struct err *err)
{
        return incident_has(incident, alert) || incident_append(incident, alert, time_ns, err);
}

bool incident_remove(struct incident *incident, uint64_t alert)
{
        for (size_t i = 0; i < incident->members.count; i++)
                if (incident->members.items[i].alert == alert) {
                        memmove(&incident->members.items[i], &incident->members.items[i + 1],
                                (incident->members.count - i - 1) * sizeof *incident->members.items);
                        incident->members.count--;
                        return true;
                }
        return false;
}

static bool own(struct str text, struct str *out_copy)
{
        char *copy = malloc(text.length + 1);
        if (!copy)
                return false;
        if (text.length)
                memcpy(copy, text.bytes, text.length);
        copy[text.length] = 0;
        *out_copy = (struct str){copy, text.length};
        return true;
}

bool incident_add_entity(struct incident *incident, uint64_t id, struct str kind, struct str name, struct err *err)
{
        each (entity, &incident->entities)
                if (entity->id == id)
                        return true;
        if (incident->entities.count == INCIDENT_ENTITIES_MAX)
                return true;
        struct incident_entity entity = {.id = id};
        if (!VECTOR_ROOM(&incident->entities) || !own(kind, &entity.kind))
                return fail_memory(err, "engage", sizeof entity);
        if (!own(name, &entity.name)) {
                free((char *)entity.kind.bytes);
                return fail_memory(err, "engage", sizeof entity);
        }
        incident->entities.items[incident->entities.count++] = entity;
        return true;
}

bool incident_set_text(char **slot, struct str text, struct err *err)
{
        struct str copy = {0};
        if (text.length && !own(text, &copy))
                return fail_memory(err, "engage", text.length);
        free(*slot);
        *slot = (char *)copy.bytes;
        return true;
}

bool incident_has_sort(const struct incident *incident, struct str name, struct str kind)
{
        each (sort, &incident->sorts)
                if (str_equal(sort->name, name) && str_equal(sort->kind, kind))
                        return true;
        return false;
}

/* "DiskFull, HostSlow on filesystem, host": each name and each kind once, both sorted. */
static bool write_signature(struct incident *incident, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        each (sort, &incident->sorts)
                if (sort == incident->sorts.items || !str_equal(sort[-1].name, sort->name))
                        buf_printf(&text, "%s%.*s", text.length ? ", " : "", STR_ARGS(sort->name));
        struct str last = STR("");
        for (bool is_first = true;; is_first = false) {
                struct str next = {0};
                each (sort, &incident->sorts)
                        if (str_compare(sort->kind, last) > 0 && (!next.bytes || str_compare(sort->kind, next) < 0))
                                next = sort->kind;
                if (!next.bytes)
                        break;
                buf_printf(&text, "%s%.*s", is_first ? " on " : ", ", STR_ARGS(next));
                last = next;
        }
        if (text.failed)
                return fail_memory(err, "engage", text.length);
        incident->signature = hash64(buf_str(&text)) >> 1; /* fits a signed column */
        return incident_set_text(&incident->signature_text, buf_str(&text), err);
}

static int sort_compare(const struct incident_sort *a, const struct incident_sort *b)
{
        int order = str_compare(a->name, b->name);
        return order ? order : str_compare(a->kind, b->kind);
}

bool incident_add_sort(struct incident *incident, struct str name, struct str kind, struct err *err)
{
        if (incident_has_sort(incident, name, kind) || incident->sorts.count == INCIDENT_SORTS_MAX)
                return true;
        struct incident_sort sort = {0};
        if (!VECTOR_ROOM(&incident->sorts) || !own(name, &sort.name))
                return fail_memory(err, "engage", sizeof sort);
        if (!own(kind, &sort.kind)) {
                free((char *)sort.name.bytes);
                return fail_memory(err, "engage", sizeof sort);
        }
        size_t at = incident->sorts.count++;
        for (; at && sort_compare(&sort, &incident->sorts.items[at - 1]) < 0; at--)
                incident->sorts.items[at] = incident->sorts.items[at - 1];
        incident->sorts.items[at] = sort;
        return write_signature(incident, err);
}

bool incident_set_headline(struct incident *incident, struct str headline, struct err *err)
{
        return incident_set_text(&incident->headline, headline, err) && incident_retitle(incident, err);
}

/* "40 hosts" when they are of one kind, else "40 things". */
static void write_entities(const struct incident *incident, struct buf *out)
{
        struct str kind = incident->entities.items[0].kind;
        bool is_same = true;
        each (entity, &incident->entities)
                is_same &= str_equal(entity->kind, kind);
        buf_printf(out, "%s%zu ", incident->entities.count == INCIDENT_ENTITIES_MAX ? "more than " : "", incident->entities.count);
        words_plural(is_same ? kind : STR("thing"), out);
}

bool incident_retitle(struct incident *incident, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        size_t alerts = incident->members.count, entities = incident->entities.count;
        bool is_storm = incident->is_storm && incident->sorts.count == 1 && entities > 1;
        if (is_storm)
                words_of_name(incident->sorts.items[0].name, &text);
        else
                buf_text(&text, incident->headline ? incident->headline : "An incident without alerts");
        if (!incident->is_storm && alerts > 1)
                buf_printf(&text, ", and %zu more alert%s", alerts - 1, alerts > 2 ? "s" : "");
        if (entities > 1 && (is_storm || (!incident->is_storm && alerts > 1))) {
                buf_text(&text, " on ");
                write_entities(incident, &text);
        }
        return text.failed ? fail_memory(err, "engage", text.length) : incident_set_text(&incident->title, buf_str(&text), err);
}

bool incident_set_causes(struct incident *incident, const struct incident_cause *causes, size_t count, struct err *err)
{
        struct incident_cause *copies = calloc(count ? count : 1, sizeof *copies);
        bool good = copies;
        for (size_t i = 0; good && i < count; i++) {
                copies[i] = (struct incident_cause){.entity = causes[i].entity, .score = causes[i].score};
                good = own(causes[i].name, &copies[i].name) && own(causes[i].kind, &copies[i].kind) &&
                       own(causes[i].reason, &copies[i].reason);
        }
        if (!good) {
                if (copies)
                        causes_free(copies, count);
                return fail_memory(err, "engage", count * sizeof *copies);
        }
        causes_free(incident->causes.items, incident->causes.count);
        incident->causes.items = copies;
        incident->causes.count = incident->causes.capacity = count;
        return true;
}

/* A row for each arrow of the picture. */
static const struct { enum incident_state from, to; unsigned news; } arrows[] = {
        {INCIDENT_OPEN, INCIDENT_ACKNOWLEDGED, NEWS_ACKNOWLEDGED},
        {INCIDENT_OPEN, INCIDENT_ACTING, NEWS_ACTING},
        {INCIDENT_OPEN, INCIDENT_RESOLVED, NEWS_RESOLVED},
        {INCIDENT_OPEN, INCIDENT_CLOSED, NEWS_CLOSED},
        {INCIDENT_OPEN, INCIDENT_MERGED, NEWS_MERGED},
        {INCIDENT_ACKNOWLEDGED, INCIDENT_ACTING, NEWS_ACTING},
        {INCIDENT_ACKNOWLEDGED, INCIDENT_RESOLVED, NEWS_RESOLVED},
        {INCIDENT_ACKNOWLEDGED, INCIDENT_CLOSED, NEWS_CLOSED},
        {INCIDENT_ACKNOWLEDGED, INCIDENT_MERGED, NEWS_MERGED},
        {INCIDENT_ACTING, INCIDENT_ACKNOWLEDGED, NEWS_ACKNOWLEDGED},
        {INCIDENT_ACTING, INCIDENT_RESOLVED, NEWS_RESOLVED},
        {INCIDENT_ACTING, INCIDENT_CLOSED, NEWS_CLOSED},
        {INCIDENT_ACTING, INCIDENT_MERGED, NEWS_MERGED},
        {INCIDENT_RESOLVED, INCIDENT_OPEN, NEWS_REOPENED},
        {INCIDENT_RESOLVED, INCIDENT_CLOSED, NEWS_CLOSED},
        {INCIDENT_RESOLVED, INCIDENT_MERGED, NEWS_MERGED},
        {INCIDENT_CLOSED, INCIDENT_OPEN, NEWS_REOPENED},
        {INCIDENT_MERGED, INCIDENT_OPEN, NEWS_REOPENED},
};

bool incident_move(struct incidents *incidents, struct incident *incident, enum incident_state to, int64_t time_ns, struct err *err)
{
        size_t i = 0;
        while (i < countof(arrows) && (arrows[i].from != incident->state || arrows[i].to != to))
                i++;
        if (i == countof(arrows))
                return fail(err, ERR_REFUSED, "engage", "incident %u is %s and cannot become %s", incident->number,
                            incident_state_name(incident->state), incident_state_name(to));
        incidents->alive -= incident_is_alive(incident);
        incident->state = to;
        incidents->alive += incident_is_alive(incident);
        if (to == INCIDENT_OPEN)
                incident->resolved_ns = incident->closed_ns = incident->acknowledged_ns = 0;
        if (to == INCIDENT_ACKNOWLEDGED && !incident->acknowledged_ns)
                incident->acknowledged_ns = time_ns;
        if (to == INCIDENT_RESOLVED)
                incident->resolved_ns = time_ns;
        if (to == INCIDENT_CLOSED)
                incident->closed_ns = time_ns;
        incident_touch(incidents, incident, arrows[i].news, time_ns);
        return true;
}
