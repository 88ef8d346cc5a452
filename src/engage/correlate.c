/*
 * correlate.c - see correlate.h.
 *
 * Each living group keeps what weighing asks for: which entities its alerts are about, which alerts it was told, when it began.
 * An index leads from an entity to the groups that know it, so an alert walks the graph around its own entities once and
 * collects the groups that it meets, with the distance. Cost an alert: CORRELATE_NEAR_MAX entities and the groups they know.
 */
#include "engage/correlate.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"
#include "engage/cause.h"
#include "engage/learned.h"
#include "engage/moment.h"
#include "register/graph.h"

#include <math.h>
#include <stdlib.h>

#define GROUP_ENTITIES_MAX 512
#define GROUP_TOLD_MAX 8192
#define SEEN_MAX ((size_t)1 << 17)
#define USUAL_SEED 0x757375616c         /* tells an entity's key from an alert's */
#define USUAL_PARTS 100.0
#define USUAL_MAX 4e9
#define HOPS_MAX 3
#define BRIDGE_NS ((int64_t)60 * 1000000000)
#define ALIKE_NS ((int64_t)120 * 1000000000)
#define STRAGGLERS_NS 120e9             /* how fast what is known of stragglers fades */
#define STRAGGLERS_LEAST 0.05           /* a second: what is believed without having seen any */
#define ONSET_CHANCE 0.02               /* moments are counted, and come independently */

/* The weights, log odds; docs/decisions/correlation.md says what they rest on. */
#define WEIGHT_ENTITY 2.5
static const double weight_near[HOPS_MAX + 1] = {WEIGHT_ENTITY, 2.2, 2.0, 1.8};
#define WEIGHT_TEXT 0.5
#define WEIGHT_CHANGE 1.0
#define WEIGHT_ALIKE 3.0
#define WEIGHT_TOLD (-8.0)
#define WEIGHT_UNPLACED 1.8             /* nothing is known of where it is, and a storm is on */
#define STORM_ALERTS 8
#define STORM_ENTITIES 5                /* many alerts of one thing are no storm */
#define ALIKE (-1)                      /* in place of a distance */
#define UNPLACED (-2)
#define TIME_SCALE_NS 60e9              /* Omori's c */

struct group {
        uint64_t id, last_alert, first_name;
        uint32_t serial;                /* rises with age; what the group is stored by */
        int64_t onset_ns, last_ns;
        bool is_firing, is_tentative, is_onset;     /* is_onset: it was found by repeats, beside groups near it */
        bool is_mixed;                  /* alerts of more than one name */
        bool is_held;                   /* all of them were held back */
        uint64_t parent;                /* tentative: the group that it is merged into, unless confirmed */
        uint32_t repeats;               /* tentative: alerts that its elders had been told */
        double stragglers;              /* decayed count of repeats that turned out to be none */
        int64_t stragglers_ns;
        uint32_t alerts;
        uint64_t change;                /* the newest change near its entities */
        struct map told;                /* hash: same */
        struct evidence evidence;
        bool is_dirty, is_stored;       /* to be written; a row holds an older state of it */
};

struct change {
        uint64_t id, entities[TOPOLOGY_ENTITIES_MAX];
        int64_t time_ns;
        size_t entity_count;
};

struct near_group {
        struct group *group;
        int distance;
        uint64_t entity;
};

struct correlator {
        const struct topology *topology;
        const struct learned *learned;
        struct group **groups;          /* oldest first */
        size_t count, capacity;
        struct map by_entity;           /* hash: entity; value: serial of a group, see serial_group */
        uint32_t last_serial;
        struct map seen;                /* hash: same; value: in how many groups it was */
        uint32_t groups_seen;
        uint32_t *gone;                 /* serials of stored groups that were dropped; room for as many as groups has */
        size_t gone_count;
        struct { uint64_t *items; size_t count, capacity; } seen_dirty; /* same */
        bool is_dirty;                  /* last_serial, groups_seen */
        struct change changes[CORRELATE_CHANGES_MAX]; /* a ring */
        size_t change_begin, change_count;
        struct near_group near[CORRELATE_GROUPS_MAX];
        size_t near_count;
        struct moments moments;
        const struct moment_alert *company[CORRELATE_MOMENT_MAX]; /* what the clue that is weighed came with */
        size_t company_count;
};

const char *reason_kind_name(enum reason_kind kind)
{
        static const char *const names[] = {"unknown", "entity", "near", "time", "text", "learned", "change", "alike", "person", "again", "told", "onset", "storm", "moment"};
        return (size_t)kind < countof(names) ? names[kind] : names[0];
}

bool correlator_create(const struct topology *topology, const struct learned *learned, struct correlator **out_correlator, struct err *err)
{
        struct correlator *correlator = calloc(1, sizeof *correlator);
        if (!correlator)
                return fail_memory(err, "engage", sizeof *correlator);
        correlator->topology = topology;
        correlator->learned = learned;
        *out_correlator = correlator;
        return true;
}

static void group_destroy(struct group *group)
{
        map_done(&group->told);
        evidence_done(&group->evidence);
        free(group);
}

void correlator_destroy(struct correlator *correlator)
{
        if (!correlator)
                return;
        for (size_t i = 0; i < correlator->count; i++)
                group_destroy(correlator->groups[i]);
        free(correlator->groups);
        free(correlator->gone);
        free(correlator->seen_dirty.items);
        map_done(&correlator->by_entity);
        map_done(&correlator->seen);
        free(correlator);
}

/* --- groups -------------------------------------------------------------------------------------------------------------- */

static struct group *group_find(const struct correlator *correlator, uint64_t id)
{
        for (size_t i = correlator->count; id && i-- > 0;)
                if (correlator->groups[i]->id == id)
                        return correlator->groups[i];
        return NULL;
}

/* Serials rise with age, so groups are sorted by them. */
static struct group *serial_group(const struct correlator *correlator, uint32_t serial)
{
        size_t low = 0, high = correlator->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (correlator->groups[middle]->serial < serial)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < correlator->count && correlator->groups[low]->serial == serial ? correlator->groups[low] : NULL;
}

static bool grow(struct correlator *correlator, struct err *err)
{
        if (correlator->count < correlator->capacity)
                return true;
        size_t capacity = correlator->capacity ? correlator->capacity * 2 : 64;
        struct group **groups = realloc(correlator->groups, capacity * sizeof(struct group *));
        if (groups)
                correlator->groups = groups;
        uint32_t *gone = realloc(correlator->gone, capacity * sizeof *gone);
        if (gone)
                correlator->gone = gone;
        if (!groups || !gone)
                return fail_memory(err, "engage", capacity * sizeof *gone);
        correlator->capacity = capacity;
        return true;
}

static bool group_create(struct correlator *correlator, uint64_t id, int64_t time_ns, struct group **out_group, struct err *err)
{
        if (!grow(correlator, err))
                return false;
        struct group *group = calloc(1, sizeof *group);
        if (!group)
                return fail_memory(err, "engage", sizeof *group);
        group->id = id;
        group->serial = ++correlator->last_serial;
        group->onset_ns = group->last_ns = time_ns;
        group->is_dirty = correlator->is_dirty = true;
        correlator->groups[correlator->count++] = group;
        correlator->groups_seen++;
        *out_group = group;
        return true;
}

static void group_drop(struct correlator *correlator, size_t at)
{
        struct group *group = correlator->groups[at];
        each (item, &group->evidence)
                map_remove(&correlator->by_entity, item->entity, group->serial);
        if (group->is_stored)
                correlator->gone[correlator->gone_count++] = group->serial; /* never more than were stored at once */
        group_destroy(group);
        correlator->count--;
        memmove(correlator->groups + at, correlator->groups + at + 1, (correlator->count - at) * sizeof(struct group *));
}

/* Of a group of which nothing fires, silence says that it is over; what goes on firing is told once. */
static bool is_living(const struct group *group, int64_t time_ns, bool same_entity)
{
        int64_t quiet_ns = time_ns - group->last_ns;
        return quiet_ns <= CORRELATE_QUIET_NS ||
               (group->is_firing && (time_ns - group->onset_ns <= CORRELATE_SPAN_NS || (same_entity && quiet_ns <= CORRELATE_WINDOW_NS)));
}

static bool was_told(const struct group *group, uint64_t same)
{
        size_t at;
        return same && map_first(&group->told, same, &at) != MAP_NONE;
}

static uint32_t times_seen(const struct correlator *correlator, uint64_t same)
{
        size_t at;
        uint32_t times = same ? map_first(&correlator->seen, same, &at) : MAP_NONE;
        return times == MAP_NONE ? 0 : times;
}

static bool note_seen(struct correlator *correlator, uint64_t same, struct err *err)
{
        if (correlator->seen_dirty.count == correlator->seen_dirty.capacity) {
                size_t capacity = correlator->seen_dirty.capacity ? correlator->seen_dirty.capacity * 2 : 64;
                uint64_t *items = realloc(correlator->seen_dirty.items, capacity * sizeof *items);
                if (!items)
                        return fail_memory(err, "engage", capacity * sizeof *items);
                correlator->seen_dirty.items = items;
                correlator->seen_dirty.capacity = capacity;
        }
        correlator->seen_dirty.items[correlator->seen_dirty.count++] = same;
        return true;
}

static bool set_seen(struct correlator *correlator, uint64_t same, uint32_t times, struct err *err)
{
        uint32_t before = times_seen(correlator, same);
        if (!same || times == before || (!before && correlator->seen.count >= SEEN_MAX))
                return true; /* at the bound new alerts count as unusual, which they are */
        if (!note_seen(correlator, same, err))
                return false;
        if (before)
                map_remove(&correlator->seen, same, before);
        return !times || map_put(&correlator->seen, same, times) || fail_memory(err, "engage", SEEN_MAX);
}

static bool count_seen(struct correlator *correlator, uint64_t same, struct err *err)
{
        return set_seen(correlator, same, times_seen(correlator, same) + 1, err);
}

/* --- what entities usually say ----------------------------------------------------------------------------------------------- */

/* Kept beside the counts of alerts, in hundredths. */
static uint64_t usual_key(uint64_t entity)
{
        return hash64_seeded((struct str){(const char *)&entity, sizeof entity}, USUAL_SEED);
}

static bool add_usual(struct correlator *correlator, uint64_t entity, double surprise, struct err *err)
{
        double total = times_seen(correlator, usual_key(entity)) + round(surprise * USUAL_PARTS);
        return set_seen(correlator, usual_key(entity), (uint32_t)fmin(fmax(total, 0), USUAL_MAX), err);
}

/* What the alerts of an entity say in an incident as they are: the mean over all incidents but this one. */
static double usual_of(const struct correlator *correlator, const struct evidence_item *item)
{
        double others = fmax(0, times_seen(correlator, usual_key(item->entity)) / USUAL_PARTS - item->surprise);
        return others / (correlator->groups_seen + 1.0);
}

/* --- which groups are near ------------------------------------------------------------------------------------------------- */

struct walking {
        struct correlator *correlator;
        const struct clue *clue;
};

/* Detectors find something odd all the time: only what they found just before is the beginning of trouble. */
static bool may_take(const struct group *group, const struct clue *clue)
{
        return !group->is_held || clue->is_held || clue->time_ns - group->onset_ns <= CORRELATE_HELD_NS;
}

static void meet_group(struct walking *walking, struct group *group, uint64_t entity, int distance)
{
        struct correlator *correlator = walking->correlator;
        size_t i = 0;
        while (i < correlator->near_count && correlator->near[i].group != group)
                i++;
        if (i == CORRELATE_GROUPS_MAX)
                return;
        const struct near_group *known = i < correlator->near_count ? &correlator->near[i] : NULL;
        if (known && (known->distance < distance || (known->distance == distance && known->entity <= entity)))
                return;
        correlator->near_count = max_of(correlator->near_count, i + 1);
        correlator->near[i] = (struct near_group){group, distance, entity};
}

/* The newest groups that know the entity, oldest of them first: whatever way the map holds them. */
static void meet(struct walking *walking, uint64_t entity, int distance)
{
        struct correlator *correlator = walking->correlator;
        struct group *met[CORRELATE_GROUPS_MAX];
        size_t at, count = 0;
        for (uint32_t serial = map_first(&correlator->by_entity, entity, &at); serial != MAP_NONE; serial = map_next(&correlator->by_entity, entity, &at)) {
                struct group *group = serial_group(correlator, serial);
                if (!group || !is_living(group, walking->clue->time_ns, distance == 0) || !may_take(group, walking->clue) ||
                    (count == countof(met) && met[0]->serial > serial))
                        continue;
                if (count == countof(met))
                        memmove(met, met + 1, --count * sizeof(struct group *));
                size_t place = count++;
                for (; place && met[place - 1]->serial > serial; place--)
                        met[place] = met[place - 1];
                met[place] = group;
        }
        for (size_t i = 0; i < count; i++)
                meet_group(walking, met[i], entity, distance);
}

static bool meet_step(void *context, const struct graph_step *step)
{
        meet(context, step->node.id, step->distance);
        return true;
}

static void find_near(struct correlator *correlator, const struct clue *clue)
{
        struct walking walking = {correlator, clue};
        struct graph *graph = topology_lend(correlator->topology);
        correlator->near_count = 0;
        for (size_t i = 0; i < clue->entity_count; i++)
                meet(&walking, clue->entities[i].id, 0);
        for (size_t i = 0; graph && i < clue->entity_count; i++)
                graph_visit(graph, clue->entities[i].id, GRAPH_ANY_IMPACT, HOPS_MAX, CORRELATE_NEAR_MAX, meet_step, &walking);
        topology_give_back(correlator->topology);
}

static bool note_edge(void *context, const struct graph_edge *edge)
{
        (void)edge;
        *(bool *)context = true;
        return false;
}

/* An alert about something that the graph knows nothing of is not far from a storm that is on: its place is unknown. That a second
 * trouble begins just then is far less likely. */
static void find_unplaced(struct correlator *correlator, const struct clue *clue)
{
        struct graph *graph = topology_lend(correlator->topology);
        bool is_placed = correlator->near_count > 0;
        for (size_t i = 0; graph && i < clue->entity_count; i++)
                graph_edges_of(graph, clue->entities[i].id, note_edge, &is_placed);
        topology_give_back(correlator->topology);
        for (size_t i = correlator->count; !is_placed && i-- > 0 && correlator->near_count < CORRELATE_GROUPS_MAX;) {
                struct group *group = correlator->groups[i];
                if (group->alerts >= STORM_ALERTS && group->evidence.count >= STORM_ENTITIES && is_living(group, clue->time_ns, false) && may_take(group, clue))
                        correlator->near[correlator->near_count++] = (struct near_group){group, UNPLACED, 0};
        }
}

/* Like trouble elsewhere, at the same time: forty certificates. Only groups that consist of nothing else. */
static void find_alike(struct correlator *correlator, const struct clue *clue)
{
        size_t looked = 0;
        for (size_t i = correlator->count; i-- > 0 && looked++ < CORRELATE_GROUPS_MAX && correlator->near_count < CORRELATE_GROUPS_MAX;) {
                struct group *group = correlator->groups[i];
                bool is_there = false;
                for (size_t k = 0; k < correlator->near_count; k++)
                        is_there |= correlator->near[k].group == group;
                if (!is_there && !group->is_mixed && group->is_held == clue->is_held && group->first_name == clue->name && clue->time_ns - group->last_ns <= ALIKE_NS)
                        correlator->near[correlator->near_count++] = (struct near_group){group, ALIKE, 0};
        }
}

/* --- weighing ---------------------------------------------------------------------------------------------------------------- */

static void weigh(struct verdict *verdict, enum reason_kind kind, double weight, const struct near_group *near, int64_t apart_ns)
{
        if (weight == 0)
                return;
        verdict->score += weight;
        if (verdict->reason_count < CORRELATE_REASONS_MAX)
                verdict->reasons[verdict->reason_count++] = (struct join_reason){kind, weight, near->group->last_alert, near->entity,
                                                                                 max_of(near->distance, 0), apart_ns};
}

static bool touches(const struct change *change, const struct clue *clue)
{
        for (size_t e = 0; e < clue->entity_count; e++)
                for (size_t k = 0; k < change->entity_count; k++)
                        if (clue->entities[e].id == change->entities[k])
                                return true;
        return false;
}

/* The newest change that touches one of the entities, after a time; NULL: none. */
static const struct change *change_since(const struct correlator *correlator, const struct clue *clue, int64_t since_ns)
{
        for (size_t i = correlator->change_count; i-- > 0;) {
                const struct change *change = &correlator->changes[(correlator->change_begin + i) % CORRELATE_CHANGES_MAX];
                if (change->time_ns < since_ns)
                        continue; /* changes are told out of order */
                if (touches(change, clue))
                        return change;
        }
        return NULL;
}

static uint64_t change_near(const struct correlator *correlator, const struct clue *clue)
{
        const struct change *change = change_since(correlator, clue, clue->time_ns - CORRELATE_WINDOW_NS);
        return change ? change->id : 0;
}

bool correlator_changed_since(const struct correlator *correlator, const struct clue *clue, int64_t since_ns)
{
        return change_since(correlator, clue, since_ns) != NULL;
}

static double learned_between(const struct correlator *correlator, const struct group *group, const struct clue *clue)
{
        double strongest = 0;
        for (size_t i = 0; correlator->learned && i < group->evidence.sort_count; i++) {
                double weight = learned_weight(correlator->learned, learned_pair(group->evidence.sorts[i], clue->sort));
                if (fabs(weight) > fabs(strongest))
                        strongest = weight;
        }
        return strongest;
}

/* Whether the group was told already what the clue came with. */
static bool was_told_company(const struct correlator *correlator, const struct group *group)
{
        for (size_t i = 0; i < correlator->company_count; i++)
                if (correlator->company[i]->group != group->id && was_told(group, correlator->company[i]->same))
                        return true;
        return false;
}

static struct verdict weigh_group(const struct correlator *correlator, const struct near_group *near, const struct clue *clue, uint64_t change)
{
        const struct group *group = near->group;
        struct verdict verdict = {.group = group->id, .is_alike = near->distance == ALIKE};
        int64_t age_ns = max_of(clue->time_ns - group->onset_ns, (int64_t)0);
        if (near->distance == UNPLACED)
                weigh(&verdict, REASON_STORM, WEIGHT_UNPLACED, near, clue->time_ns - group->last_ns);
        else if (near->distance == ALIKE)
                weigh(&verdict, REASON_ALIKE, WEIGHT_ALIKE, near, clue->time_ns - group->last_ns);
        else
                weigh(&verdict, near->distance ? REASON_NEAR : REASON_ENTITY, weight_near[near->distance], near, clue->time_ns - group->last_ns);
        double late = log1p((double)age_ns / TIME_SCALE_NS);
        weigh(&verdict, REASON_TIME, -fmin(late, WEIGHT_ENTITY * 0.7), near, age_ns);
        if (near->distance >= 0 && group->first_name == clue->name)
                weigh(&verdict, REASON_TEXT, WEIGHT_TEXT, near, 0);
        weigh(&verdict, REASON_LEARNED, learned_between(correlator, group, clue), near, 0);
        if (change && change == group->change)
                weigh(&verdict, REASON_CHANGE, WEIGHT_CHANGE, near, 0);
        if (was_told(group, clue->same))
                weigh(&verdict, REASON_TOLD, WEIGHT_TOLD, near, clue->time_ns - group->last_ns);
        else if (was_told_company(correlator, group))
                weigh(&verdict, REASON_MOMENT, WEIGHT_TOLD, near, clue->time_ns - group->last_ns);
        return verdict;
}

/* Groups that began together, apart only because nothing between them had alerted yet: this alert stands between them. One that
 * was found by its repeats is apart for a reason. */
static void find_merges(const struct correlator *correlator, const struct clue *clue, struct verdict *best)
{
        const struct group *into = group_find(correlator, best->group);
        for (size_t i = 0; into && !into->is_onset && !best->is_alike && i < correlator->near_count; i++) {
                const struct near_group *near = &correlator->near[i];
                int64_t apart_ns = near->group->onset_ns - into->onset_ns;
                if (near->group != into && near->group->is_held == into->is_held && near->group->is_firing == into->is_firing && near->distance >= 0 && !near->group->is_onset && apart_ns >= -BRIDGE_NS && apart_ns <= BRIDGE_NS &&
                    !was_told(near->group, clue->same) && best->merge_count < countof(best->merges))
                        best->merges[best->merge_count++] = near->group->id;
        }
}

/* What the clue came with belongs to the same group: unless that was told it before, or nothing is left where it is. */
static void find_moves(const struct correlator *correlator, struct verdict *best)
{
        const struct group *into = group_find(correlator, best->group);
        for (size_t i = 0; (into || best->is_onset) && i < correlator->company_count; i++) {
                const struct moment_alert *other = correlator->company[i];
                const struct group *from = group_find(correlator, other->group);
                uint32_t going = 0;
                for (size_t k = 0; k < correlator->company_count; k++)
                        going += correlator->company[k]->group == other->group;
                if (!from || from == into || from->alerts <= going || (into && was_told(into, other->same)))
                        continue;
                best->moves[best->move_count].alert = other->alert;
                best->moves[best->move_count++].from = other->group;
        }
}

bool correlator_weigh(struct correlator *correlator, const struct clue *clue, struct verdict *out_verdict, struct err *err)
{
        (void)err;
        struct verdict best = {0};
        bool was_told_by_one = false, best_is_going = false;
        int64_t newest_ns = INT64_MIN;
        find_near(correlator, clue);
        find_unplaced(correlator, clue);
        find_alike(correlator, clue);
        uint64_t change = change_near(correlator, clue);
        correlator->company_count = clue->is_held ? 0 : moments_find(&correlator->moments, clue, correlator->company, countof(correlator->company));
        for (size_t i = 0; i < correlator->near_count; i++) {
                const struct near_group *near = &correlator->near[i];
                struct verdict verdict = weigh_group(correlator, near, clue, change);
                was_told_by_one |= near->distance >= 0 && (was_told(near->group, clue->same) || was_told_company(correlator, near->group)) && verdict.score - WEIGHT_TOLD > 0;
                if (verdict.score <= 0)
                        continue;
                bool is_newer = near->group->onset_ns > newest_ns, is_going = near->group->is_firing;
                if (!best.group || is_going > best_is_going || (is_going == best_is_going && (verdict.score > best.score || (verdict.score == best.score && is_newer)))) {
                        best = verdict;
                        newest_ns = near->group->onset_ns;
                        best_is_going = is_going; /* what is over attracts nothing that something which goes on would have */
                }
        }
        best.is_onset = !best.group && was_told_by_one;
        find_merges(correlator, clue, &best);
        find_moves(correlator, &best);
        *out_verdict = best;
        return true;
}

/* --- placing ----------------------------------------------------------------------------------------------------------------- */

static void note_change(struct correlator *correlator, const struct clue *clue)
{
        if (correlator->change_count == CORRELATE_CHANGES_MAX) {
                correlator->change_begin = (correlator->change_begin + 1) % CORRELATE_CHANGES_MAX;
                correlator->change_count--;
        }
        struct change *change = &correlator->changes[(correlator->change_begin + correlator->change_count++) % CORRELATE_CHANGES_MAX];
        *change = (struct change){.id = clue->alert, .time_ns = clue->time_ns};
        for (size_t i = 0; i < clue->entity_count; i++)
                change->entities[change->entity_count++] = clue->entities[i].id;
}

/* The newest living group near the clue that is not tentative: where an onset goes back to when it is none. Uses the last weighing. */
static struct group *elder_of(const struct correlator *correlator, const struct group *group)
{
        struct group *elder = NULL;
        for (size_t i = 0; i < correlator->near_count; i++) {
                struct group *other = correlator->near[i].group;
                if (other != group && !other->is_tentative && correlator->near[i].distance >= 0 && (!elder || other->onset_ns > elder->onset_ns))
                        elder = other;
        }
        return elder;
}

static double stragglers_at(const struct group *group, int64_t time_ns)
{
        return group->stragglers * exp(-(double)(time_ns - group->stragglers_ns) / STRAGGLERS_NS);
}

/* P(at least count) of a Poisson variable. */
static double poisson_tail(uint32_t count, double mean)
{
        double term = exp(-mean), below = 0;
        for (uint32_t i = 0; i < count; i++) {
                below += term;
                term *= mean / (i + 1);
        }
        return 1 - below;
}

/* All living groups near it but this one have been told the alert. */
static bool is_repeat(const struct correlator *correlator, const struct group *group, uint64_t same)
{
        for (size_t i = 0; i < correlator->near_count; i++)
                if (correlator->near[i].group != group && correlator->near[i].distance >= 0 && !was_told(correlator->near[i].group, same))
                        return false;
        return true;
}

/* Something that the clue came with was counted for the group already. */
static bool company_is_repeat(const struct correlator *correlator, const struct group *group)
{
        for (size_t i = 0; i < correlator->company_count; i++)
                if (correlator->company[i]->group == group->id && is_repeat(correlator, group, correlator->company[i]->same))
                        return true;
        return false;
}

static void confirm(struct correlator *correlator, struct group *group, const struct clue *clue)
{
        struct group *parent = group_find(correlator, group->parent);
        if (is_repeat(correlator, group, clue->same) && !company_is_repeat(correlator, group))
                group->repeats++; /* what came in one moment is one event, however many alerts tell of it */
        double per_ns = parent ? stragglers_at(parent, clue->time_ns) / STRAGGLERS_NS : 0;
        double expected = (per_ns + STRAGGLERS_LEAST / 1e9) * (double)CORRELATE_ONSET_NS;
        if (poisson_tail(group->repeats, expected) >= ONSET_CHANCE)
                return;
        group->is_tentative = false;
        group->stragglers = parent ? stragglers_at(parent, clue->time_ns) : 0;
        group->stragglers_ns = clue->time_ns;
}

static bool tell_group(struct correlator *correlator, struct group *group, const struct clue *clue, struct err *err)
{
        if (!clue->same || was_told(group, clue->same))
                return true;
        if (group->told.count < GROUP_TOLD_MAX && !map_put(&group->told, clue->same, 0))
                return fail_memory(err, "engage", GROUP_TOLD_MAX);
        return count_seen(correlator, clue->same, err);
}

static bool know_entities(struct correlator *correlator, struct group *group, const struct clue *clue, struct err *err)
{
        for (size_t i = 0; i < clue->entity_count; i++) {
                uint64_t id = clue->entities[i].id;
                if (evidence_find(&group->evidence, id) || group->evidence.count >= GROUP_ENTITIES_MAX)
                        continue;
                if (!map_put(&correlator->by_entity, id, group->serial))
                        return fail_memory(err, "engage", sizeof *clue);
                if (!evidence_entity(&group->evidence, &clue->entities[i], clue->time_ns, err)) {
                        map_remove(&correlator->by_entity, id, group->serial);
                        return false;
                }
        }
        return true;
}

static bool move_alert(struct correlator *correlator, struct moment_alert *alert, struct group *to, struct err *err)
{
        struct group *from = group_find(correlator, alert->group);
        struct clue clue = {.alert = alert->alert, .same = alert->same, .sort = alert->sort, .time_ns = alert->time_ns, .is_symptom = alert->is_symptom,
                            .is_call = alert->is_call};
        if (!from || from == to)
                return true;
        for (size_t i = 0; i < alert->entity_count; i++) {
                const struct evidence_item *item = evidence_find(&from->evidence, alert->entities[i]);
                if (item)
                        clue.entities[clue.entity_count++] = (struct topology_entity){item->entity, str_of(item->kind), str_of(item->name)};
        }
        if (!know_entities(correlator, to, &clue, err))
                return false;
        if (clue.same && map_remove(&from->told, clue.same, 0) && !was_told(to, clue.same) && !map_put(&to->told, clue.same, 0))
                return fail_memory(err, "engage", GROUP_TOLD_MAX);
        double before = alert->told;
        if (alert->entity_count)
                evidence_take(&from->evidence, alert->entities[0], alert->alert, before, alert->is_symptom);
        alert->told = evidence_add(&to->evidence, &clue, alert->surprise, clue.time_ns - to->onset_ns);
        alert->group = to->id;
        from->alerts--;
        to->alerts++;
        from->is_dirty = true;
        return !clue.entity_count || add_usual(correlator, clue.entities[0].id, alert->told - before, err);
}

/* One moment with what it came with, where the last weighing says so. */
static bool note_moment(struct correlator *correlator, const struct clue *clue, struct group *group, const struct verdict *verdict, double surprise, double told,
                        struct err *err)
{
        struct moment_alert alert = {.alert = clue->alert, .same = clue->same, .sort = clue->sort, .group = group->id, .event = clue->alert, .time_ns = clue->time_ns,
                                     .surprise = surprise, .told = told, .is_symptom = clue->is_symptom, .is_call = clue->is_call, .entity_count = clue->entity_count};
        for (size_t i = 0; i < clue->entity_count; i++)
                alert.entities[i] = clue->entities[i].id;
        for (size_t i = 0; i < verdict->move_count; i++) {
                struct moment_alert *moving = moments_alert(&correlator->moments, verdict->moves[i].alert);
                if (moving && !move_alert(correlator, moving, group, err))
                        return false;
        }
        for (size_t i = 0; i < correlator->company_count; i++)
                moments_join(&correlator->moments, correlator->company[i]->event, alert.event);
        moments_note(&correlator->moments, &alert);
        correlator->company_count = 0; /* noting moves what it points to */
        correlator->is_dirty = true;
        return true;
}

bool correlator_place(struct correlator *correlator, const struct clue *clue, uint64_t id, const struct verdict *verdict, struct err *err)
{
        if (clue->is_change) {
                note_change(correlator, clue);
                return true;
        }
        struct group *group = group_find(correlator, id);
        if (!group) {
                if (!group_create(correlator, id, clue->time_ns, &group, err))
                        return false;
                group->first_name = clue->name;
                group->is_held = true;
                struct group *elder = verdict && verdict->is_onset ? elder_of(correlator, group) : NULL;
                group->is_tentative = group->is_onset = elder != NULL;
                group->parent = elder ? elder->id : 0;
        }
        if (group->is_held && !clue->is_held)
                group->onset_ns = clue->time_ns; /* now it is trouble; what was odd before is evidence */
        group->is_dirty = true;
        double surprise = clue->is_held ? HELD_SURPRISE : cause_surprise(correlator->groups_seen, times_seen(correlator, clue->same));
        if (correlator->learned) /* what people called the cause before is suspected sooner */
                surprise *= exp(fmax(0, learned_weight(correlator->learned, learned_pair(learned_cause(), clue->sort))));
        if (!know_entities(correlator, group, clue, err) || !tell_group(correlator, group, clue, err))
                return false;
        double told = evidence_add(&group->evidence, clue, surprise, clue->time_ns - group->onset_ns);
        if (told > 0 && !add_usual(correlator, clue->entities[0].id, told, err))
                return false;
        if (group->is_tentative && verdict)
                confirm(correlator, group, clue);
        uint64_t change = change_near(correlator, clue);
        group->change = change ? change : group->change;
        group->is_mixed |= group->first_name != clue->name;
        group->is_held &= clue->is_held;
        group->last_ns = max_of(group->last_ns, clue->time_ns);
        group->last_alert = clue->alert;
        group->alerts++;
        return !verdict || clue->is_held || note_moment(correlator, clue, group, verdict, surprise, told, err);
}

bool correlator_settle(struct correlator *correlator, int64_t time_ns, uint64_t *out_group, uint64_t *out_into)
{
        for (size_t i = correlator->count; i-- > 0;) {
                struct group *group = correlator->groups[i];
                if (!group->is_tentative || time_ns - group->onset_ns <= CORRELATE_ONSET_NS)
                        continue;
                struct group *parent = group_find(correlator, group->parent);
                group->is_tentative = false;
                group->is_dirty = true;
                if (!parent || parent == group)
                        continue; /* what it would go back to is over */
                parent->stragglers = stragglers_at(parent, time_ns) + group->repeats;
                parent->stragglers_ns = time_ns;
                parent->is_dirty = true;
                *out_group = group->id;
                *out_into = parent->id;
                return true;
        }
        return false;
}

void correlator_hold(struct correlator *correlator, uint64_t id, bool is_firing)
{
        struct group *group = group_find(correlator, id);
        if (!group || group->is_firing == is_firing)
                return;
        group->is_firing = is_firing;
        group->is_dirty = true;
}

static int hash_compare(const void *a, const void *b)
{
        const uint64_t *one = a, *other = b;
        return (*one > *other) - (*one < *other);
}

/* What the group was told, in an order that does not depend on how the map holds it. NULL: no memory. */
static uint64_t *told_in_order(const struct group *group)
{
        uint64_t *told = malloc((group->told.count + 1) * sizeof *told);
        size_t count = 0;
        for (size_t slot = 0; told && slot < group->told.capacity; slot++)
                if (group->told.values[slot] != MAP_NONE)
                        told[count++] = group->told.hashes[slot];
        if (told)
                qsort(told, count, sizeof *told, hash_compare);
        return told;
}

/* Memory that runs out here loses evidence, never an alert. */
static void absorb(struct correlator *correlator, struct group *from, struct group *to)
{
        uint32_t serial = to->serial;
        uint64_t *told = told_in_order(from);
        for (size_t i = 0; told && i < from->told.count && to->told.count < GROUP_TOLD_MAX; i++)
                if (!was_told(to, told[i]))
                        map_put(&to->told, told[i], 0);
                else if (times_seen(correlator, told[i]) > 1)
                        set_seen(correlator, told[i], times_seen(correlator, told[i]) - 1, NULL);
        free(told);
        to->is_dirty = correlator->is_dirty = true;
        correlator->groups_seen -= correlator->groups_seen > 0; /* it was one incident all the time */
        each (item, &from->evidence)
                if (!evidence_find(&to->evidence, item->entity) && to->evidence.count < GROUP_ENTITIES_MAX &&
                    map_put(&correlator->by_entity, item->entity, serial) && !evidence_copy(&to->evidence, item))
                        map_remove(&correlator->by_entity, item->entity, serial);
        int64_t later_ns = from->onset_ns - to->onset_ns;
        evidence_merge(&to->evidence, &from->evidence, later_ns);
        each (item, &from->evidence) /* so much less is said now */
                add_usual(correlator, item->entity, -item->surprise * (1 - evidence_fresh(later_ns)), NULL);
        to->is_mixed |= from->is_mixed || from->first_name != to->first_name;
        to->last_ns = max_of(to->last_ns, from->last_ns);
        to->is_held &= from->is_held;
        to->is_firing |= from->is_firing;
        to->alerts += from->alerts;
}

void correlator_move_group(struct correlator *correlator, uint64_t from, uint64_t to)
{
        struct group *source = group_find(correlator, from), *target = group_find(correlator, to);
        if (!source || source == target)
                return;
        moments_move_group(&correlator->moments, from, to);
        for (size_t i = 0; i < correlator->count; i++)
                if (correlator->groups[i]->parent == from) {
                        correlator->groups[i]->parent = to;
                        correlator->groups[i]->is_dirty = true;
                }
        if (!target) {
                source->id = to;
                source->is_dirty = true;
                return;
        }
        absorb(correlator, source, target);
        correlator_end(correlator, from);
}

void correlator_move(struct correlator *correlator, const struct clue *clue, uint64_t from, uint64_t to)
{
        struct group *source = group_find(correlator, from);
        struct moment_alert *recent = moments_alert(&correlator->moments, clue->alert);
        if (source && clue->same && map_remove(&source->told, clue->same, 0))
                source->is_dirty = true;
        if (recent)
                recent->group = to;
        correlator_place(correlator, clue, to, NULL, NULL);
}

void correlator_end(struct correlator *correlator, uint64_t id)
{
        for (size_t i = correlator->count; id && i-- > 0;)
                if (correlator->groups[i]->id == id)
                        group_drop(correlator, i);
}

void correlator_forget(struct correlator *correlator, int64_t time_ns)
{
        for (size_t i = correlator->count; i-- > 0;) {
                const struct group *group = correlator->groups[i];
                int64_t kept_ns = group->is_firing ? (int64_t)86400 * 1000000000 : CORRELATE_WINDOW_NS;
                if (time_ns - group->last_ns > kept_ns)
                        group_drop(correlator, i);
        }
}

/* --- causes ------------------------------------------------------------------------------------------------------------------ */

bool correlator_suspects(struct correlator *correlator, uint64_t id, struct suspect *out_suspects, size_t max, size_t *out_count, struct err *err)
{
        const struct group *group = group_find(correlator, id);
        *out_count = 0;
        if (!group)
                return true;
        struct graph *graph = topology_lend(correlator->topology);
        each (item, &group->evidence)
                item->usual = usual_of(correlator, item);
        bool good = cause_rank(&group->evidence, graph, group->onset_ns, out_suspects, max, out_count, err);
        for (size_t i = correlator->change_count; good && i-- > 0;) { /* the newest first */
                const struct change *change = &correlator->changes[(correlator->change_begin + i) % CORRELATE_CHANGES_MAX];
                int64_t before_ns = group->onset_ns - change->time_ns;
                if (before_ns < 0 || before_ns > CORRELATE_WINDOW_NS || !change->entity_count)
                        continue;
                /* of what was changed, not of where that runs */
                cause_consider_change(out_suspects, *out_count, change->entities[0], change->id, before_ns);
                cause_add_changed(out_suspects, out_count, max, graph, change->entities[0], change->id, before_ns);
        }
        if (good)
                cause_order(out_suspects, *out_count);
        for (size_t i = 0; good && i < *out_count; i++)
                out_suspects[i].suffering = cause_suffering(&group->evidence, graph, out_suspects[i].entity);
        topology_give_back(correlator->topology);
        return good;
}

/* --- storing ----------------------------------------------------------------------------------------------------------------- */

#define FORMAT 3
#define FORMAT_WITHOUT_MOMENTS 2
#define FORMAT_WITHOUT_SYMPTOMS 1
#define WHOLE 0 /* in place of a serial: what belongs to no group */

enum { FLAG_FIRING = 1, FLAG_TENTATIVE = 2, FLAG_ONSET = 4, FLAG_MIXED = 8, FLAG_HELD = 16 };

static void write_text(const char *text, struct buf *out)
{
        buf_varint(out, strlen(text));
        buf_text(out, text);
}

static void write_evidence(const struct evidence *evidence, struct buf *out)
{
        buf_varint(out, evidence->sort_count);
        for (size_t i = 0; i < evidence->sort_count; i++)
                buf_u64(out, evidence->sorts[i]);
        buf_varint(out, evidence->count);
        each (item, evidence) {
                buf_u64(out, item->entity);
                write_text(item->kind, out);
                write_text(item->name, out);
                buf_double(out, item->surprise);
                buf_double(out, item->held);
                buf_double(out, item->symptoms);
                buf_varint(out, item->alerts);
                buf_u64(out, item->first_alert);
                buf_u64(out, (uint64_t)item->first_ns);
        }
}

static bool write_group(const struct group *group, struct buf *out, struct err *err)
{
        uint64_t *told = told_in_order(group);
        if (!told)
                return fail_memory(err, "engage", group->told.count * sizeof *told);
        buf_u8(out, FORMAT);
        buf_u8(out, (uint8_t)((group->is_firing ? FLAG_FIRING : 0) | (group->is_tentative ? FLAG_TENTATIVE : 0) | (group->is_onset ? FLAG_ONSET : 0) |
                              (group->is_mixed ? FLAG_MIXED : 0) | (group->is_held ? FLAG_HELD : 0)));
        const uint64_t numbers[] = {group->id, group->last_alert, group->first_name, (uint64_t)group->onset_ns, (uint64_t)group->last_ns,
                                    group->parent, (uint64_t)group->stragglers_ns, group->change};
        for (size_t i = 0; i < countof(numbers); i++)
                buf_u64(out, numbers[i]);
        buf_double(out, group->stragglers);
        buf_varint(out, group->repeats);
        buf_varint(out, group->alerts);
        buf_varint(out, group->told.count);
        buf_append(out, told, group->told.count * sizeof *told);
        free(told);
        write_evidence(&group->evidence, out);
        return !out->failed || fail_memory(err, "engage", out->length);
}

static bool write_whole(const struct correlator *correlator, struct buf *out, struct err *err)
{
        buf_u8(out, FORMAT);
        buf_u32(out, correlator->last_serial);
        buf_u32(out, correlator->groups_seen);
        moments_write(&correlator->moments, out);
        return !out->failed || fail_memory(err, "engage", out->length);
}

bool correlator_is_dirty(const struct correlator *correlator)
{
        bool is_dirty = correlator->is_dirty || correlator->gone_count || correlator->seen_dirty.count;
        for (size_t i = 0; !is_dirty && i < correlator->count; i++)
                is_dirty = correlator->groups[i]->is_dirty;
        return is_dirty;
}

bool correlator_save(const struct correlator *correlator, const struct correlator_rows *rows, struct err *err)
{
        scoped(buf_done) struct buf bytes = {0};
        if (correlator->is_dirty && (!write_whole(correlator, &bytes, err) || !rows->group(rows->context, WHOLE, buf_str(&bytes), err)))
                return false;
        for (size_t i = 0; i < correlator->gone_count; i++)
                if (!rows->group(rows->context, correlator->gone[i], STR(""), err))
                        return false;
        for (size_t i = 0; i < correlator->count; i++) {
                const struct group *group = correlator->groups[i];
                buf_clear(&bytes);
                if (group->is_dirty && (!write_group(group, &bytes, err) || !rows->group(rows->context, group->serial, buf_str(&bytes), err)))
                        return false;
        }
        for (size_t i = 0; i < correlator->seen_dirty.count; i++)
                if (!rows->seen(rows->context, correlator->seen_dirty.items[i], times_seen(correlator, correlator->seen_dirty.items[i]), err))
                        return false;
        return true;
}

void correlator_clean(struct correlator *correlator)
{
        for (size_t i = 0; i < correlator->count; i++) {
                correlator->groups[i]->is_stored |= correlator->groups[i]->is_dirty;
                correlator->groups[i]->is_dirty = false;
        }
        correlator->gone_count = correlator->seen_dirty.count = 0;
        correlator->is_dirty = false;
}

static bool read_told(struct reader *reader, struct group *group)
{
        uint64_t count = reader_varint(reader);
        for (uint64_t i = 0; i < count && !reader->failed; i++)
                if (!map_put(&group->told, reader_u64(reader), 0))
                        return false;
        return true;
}

static bool read_evidence(struct reader *reader, uint8_t format, struct evidence *evidence, struct err *err)
{
        uint64_t sorts = reader_varint(reader);
        for (uint64_t i = 0; i < sorts && !reader->failed; i++) {
                uint64_t sort = reader_u64(reader);
                if (evidence->sort_count < EVIDENCE_SORTS_MAX)
                        evidence->sorts[evidence->sort_count++] = sort;
        }
        uint64_t count = reader_varint(reader);
        for (uint64_t i = 0; i < count && !reader->failed; i++) {
                struct topology_entity entity = {.id = reader_u64(reader)};
                entity.kind = reader_bytes(reader, reader_varint(reader));
                entity.name = reader_bytes(reader, reader_varint(reader));
                double surprise = reader_double(reader), held = reader_double(reader), symptoms = format == FORMAT_WITHOUT_SYMPTOMS ? 0 : reader_double(reader);
                uint32_t alerts = (uint32_t)reader_varint(reader);
                uint64_t first_alert = reader_u64(reader);
                int64_t first_ns = (int64_t)reader_u64(reader);
                if (reader->failed)
                        return true;
                if (!evidence_entity(evidence, &entity, first_ns, err))
                        return false;
                evidence->items[evidence->count - 1].surprise = surprise;
                evidence->items[evidence->count - 1].held = held;
                evidence->items[evidence->count - 1].symptoms = symptoms;
                evidence->items[evidence->count - 1].alerts = alerts;
                evidence->items[evidence->count - 1].first_alert = first_alert;
        }
        return true;
}

static bool read_group(struct reader *reader, uint8_t format, struct group *group, struct err *err)
{
        uint8_t flags = reader_u8(reader);
        uint64_t numbers[8];
        for (size_t i = 0; i < countof(numbers); i++)
                numbers[i] = reader_u64(reader);
        *group = (struct group){.serial = group->serial, .id = numbers[0], .last_alert = numbers[1], .first_name = numbers[2],
                                .onset_ns = (int64_t)numbers[3], .last_ns = (int64_t)numbers[4], .parent = numbers[5],
                                .stragglers_ns = (int64_t)numbers[6], .change = numbers[7], .is_firing = flags & FLAG_FIRING,
                                .is_tentative = flags & FLAG_TENTATIVE, .is_onset = flags & FLAG_ONSET, .is_mixed = flags & FLAG_MIXED, .is_held = flags & FLAG_HELD, .is_stored = true};
        group->stragglers = reader_double(reader);
        group->repeats = (uint32_t)reader_varint(reader);
        group->alerts = (uint32_t)reader_varint(reader);
        return read_told(reader, group) ? read_evidence(reader, format, &group->evidence, err) : fail_memory(err, "engage", sizeof *group);
}

static bool restore_group(struct correlator *correlator, uint32_t serial, uint8_t format, struct reader *reader, struct err *err)
{
        struct group *group = calloc(1, sizeof *group);
        if (!group)
                return fail_memory(err, "engage", sizeof *group);
        group->serial = serial;
        bool good = grow(correlator, err) && read_group(reader, format, group, err);
        each (item, &group->evidence)
                good = good && (map_put(&correlator->by_entity, item->entity, serial) || fail_memory(err, "engage", sizeof *group));
        if (!good) {
                group_destroy(group);
                return false;
        }
        correlator->groups[correlator->count++] = group;
        return true;
}

bool correlator_restore(struct correlator *correlator, uint32_t serial, struct str bytes, struct err *err)
{
        struct reader reader = reader_of(bytes);
        uint8_t format = reader_u8(&reader);
        if (format < FORMAT_WITHOUT_SYMPTOMS || format > FORMAT)
                return fail(err, ERR_CORRUPT, "engage", "the evidence of group %u was written by another version, or is cut", serial);
        if (serial == WHOLE) {
                correlator->last_serial = reader_u32(&reader);
                correlator->groups_seen = reader_u32(&reader);
                if (format > FORMAT_WITHOUT_MOMENTS)
                        moments_read(&correlator->moments, &reader);
        } else if (!restore_group(correlator, serial, format, &reader, err)) {
                return false;
        }
        return !reader.failed || fail(err, ERR_CORRUPT, "engage", "the evidence of group %u is cut", serial);
}

bool correlator_remember(struct correlator *correlator, uint64_t same, uint32_t incidents, struct err *err)
{
        return !incidents || correlator->seen.count >= SEEN_MAX || map_put(&correlator->seen, same, incidents) || fail_memory(err, "engage", SEEN_MAX);
}
