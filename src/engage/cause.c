/* cause.c - see cause.h. */
#include "engage/cause.h"

#include "base/scope.h"
#include "engage/correlate.h"
#include "register/graph.h"

#include <math.h>
#include <stdlib.h>

#define EARLY_NS 60e9           /* how fast an alert loses weight after the first */
#define SYMPTOM_WEIGHT 0.5      /* what users see is as often behind it as there */
#define CALL_WEIGHT 0.1         /* a call's trouble shows at its ends, and is seldom theirs */
#define USUAL_LEFT 0.05
#define CHANGE_FACTOR 0.5
#define CHANGE_NS 900e9
#define UPSTREAM_FACTOR 0.8
#define BESIDE_FACTOR 0.6
#define BEHIND_FACTOR 1.9       /* times that where there are symptoms alone: most trouble that nothing behind it tells of comes from a change there */
#define CHANGED_NS 300e9
#define CHANGED_HOPS 2
#define PARENTS_MAX 8
#define CANDIDATES_MAX 2048
#define SUFFERING_HOPS_MAX 3
#define SUFFERING_NODES_MAX 256

void evidence_done(struct evidence *evidence)
{
        each (item, evidence) {
                free(item->kind);
                free(item->name);
        }
        free(evidence->items);
        *evidence = (struct evidence){0};
}

struct evidence_item *evidence_find(const struct evidence *evidence, uint64_t entity)
{
        each (item, evidence)
                if (item->entity == entity)
                        return item;
        return NULL;
}

static struct evidence_item *evidence_push(struct evidence *evidence, uint64_t entity, struct str kind, struct str name)
{
        if (evidence->count == evidence->capacity) {
                size_t capacity = evidence->capacity ? evidence->capacity * 2 : 8;
                struct evidence_item *items = realloc(evidence->items, capacity * sizeof *items);
                if (!items)
                        return NULL;
                evidence->items = items;
                evidence->capacity = capacity;
        }
        struct evidence_item item = {.entity = entity, .kind = strndup(kind.bytes, kind.length), .name = strndup(name.bytes, name.length)};
        if (!item.kind || !item.name) {
                free(item.kind);
                free(item.name);
                return NULL;
        }
        evidence->items[evidence->count] = item;
        return &evidence->items[evidence->count++];
}

bool evidence_entity(struct evidence *evidence, const struct topology_entity *entity, int64_t time_ns, struct err *err)
{
        struct evidence_item *item = evidence_push(evidence, entity->id, entity->kind, entity->name);
        if (!item)
                return fail_memory(err, "engage", sizeof *item);
        item->first_ns = time_ns;
        return true;
}

bool evidence_copy(struct evidence *evidence, const struct evidence_item *item)
{
        struct evidence_item *copy = evidence_push(evidence, item->entity, str_of(item->kind), str_of(item->name));
        if (copy)
                copy->first_ns = item->first_ns; /* evidence_merge adds the rest */
        return copy;
}

double evidence_fresh(int64_t after_ns)
{
        return exp(-fmax(0, (double)after_ns) / EARLY_NS);
}

void evidence_merge(struct evidence *to, const struct evidence *from, int64_t later_ns)
{
        double fresh = evidence_fresh(later_ns);
        each (item, from) {
                struct evidence_item *known = evidence_find(to, item->entity);
                if (!known)
                        continue;
                known->surprise += item->surprise * fresh;
                known->symptoms += item->symptoms * fresh;
                known->held = fmax(known->held, item->held * fresh);
                if (item->first_alert && (!known->first_alert || item->first_ns < known->first_ns))
                        known->first_alert = item->first_alert;
                known->alerts += item->alerts;
                known->first_ns = min_of(known->first_ns, item->first_ns);
        }
        for (size_t i = 0; i < from->sort_count && to->sort_count < EVIDENCE_SORTS_MAX; i++)
                to->sorts[to->sort_count++] = from->sorts[i];
}

/* What its alerts say together, beyond what they say in any incident; a little of the usual is left, so that it keeps its order. */
static double says(const struct evidence_item *item)
{
        return fmax(item->surprise - item->usual, item->surprise * USUAL_LEFT) + item->held;
}

static double share_of_symptoms(const struct evidence_item *item)
{
        double all = item->surprise + item->held;
        return all > 0 ? item->symptoms / all : 0;
}

double cause_surprise(uint32_t groups, uint32_t times)
{
        double unusual = log((groups + 2.0) / (times + 1.0));
        return unusual * unusual * unusual; /* many usual alerts must not outweigh an unusual one */
}

double evidence_add(struct evidence *evidence, const struct clue *clue, double surprise, int64_t after_ns)
{
        bool is_known = false;
        for (size_t i = 0; i < evidence->sort_count; i++)
                is_known |= evidence->sorts[i] == clue->sort;
        if (!is_known && evidence->sort_count < EVIDENCE_SORTS_MAX)
                evidence->sorts[evidence->sort_count++] = clue->sort;
        struct evidence_item *item = clue->entity_count ? evidence_find(evidence, clue->entities[0].id) : NULL;
        if (!item)
                return 0;
        double told = surprise * evidence_fresh(after_ns) * (clue->is_call ? CALL_WEIGHT : clue->is_symptom ? SYMPTOM_WEIGHT : 1);
        if (clue->is_held)
                item->held = fmax(item->held, told);
        else
                item->surprise += told;
        item->symptoms += clue->is_symptom && !clue->is_held ? told : 0;
        if (!item->first_alert)
                item->first_alert = clue->alert;
        item->alerts++;
        item->first_ns = min_of(item->first_ns, clue->time_ns);
        return clue->is_held ? 0 : told;
}

void evidence_take(struct evidence *evidence, uint64_t entity, uint64_t alert, double told, bool is_symptom)
{
        struct evidence_item *item = evidence_find(evidence, entity);
        if (!item)
                return;
        item->surprise = fmax(0, item->surprise - told);
        item->symptoms = fmax(0, item->symptoms - (is_symptom ? told : 0));
        item->alerts -= item->alerts > 0;
        if (item->first_alert == alert)
                item->first_alert = 0; /* which is the first now is not known */
}

/* --- what entities have in common ------------------------------------------------------------------------------------------ */

/* A call joins two that work together; everything else that carries impact joins a part and what it stands on. */
static bool is_call_edge(struct str relation)
{
        size_t at;
        return str_find(relation, STR("call"), &at) || str_find(relation, STR("flow"), &at) || str_find(relation, STR("connect"), &at);
}

/* The other end when the edge makes `part` a part of it; 0: it does not. */
static uint64_t whole_of(const struct graph_edge *edge, uint64_t part)
{
        if (is_call_edge(edge->relation))
                return 0;
        if (edge->impact == IMPACT_TO_FROM && edge->from == part)
                return edge->to;
        return edge->impact == IMPACT_FROM_TO && edge->to == part ? edge->from : 0;
}

struct neighbours {
        uint64_t self, ids[64];
        size_t count;
        bool wants_parts;
};

static bool note_neighbour(void *context, const struct graph_edge *edge)
{
        struct neighbours *neighbours = context;
        uint64_t other = edge->from == neighbours->self ? edge->to : edge->from;
        bool fits = neighbours->wants_parts ? whole_of(edge, other) == neighbours->self : whole_of(edge, neighbours->self) == other;
        for (size_t i = 0; fits && i < neighbours->count; i++)
                fits = neighbours->ids[i] != other;
        if (fits && neighbours->count < countof(neighbours->ids))
                neighbours->ids[neighbours->count++] = other;
        return true;
}

static struct neighbours neighbours_of(const struct graph *graph, uint64_t id, bool wants_parts)
{
        struct neighbours neighbours = {.self = id, .wants_parts = wants_parts};
        graph_edges_of(graph, id, note_neighbour, &neighbours);
        return neighbours;
}

static struct suspect *suspect_find(struct suspect *suspects, size_t count, uint64_t entity)
{
        for (size_t i = 0; i < count; i++)
                if (suspects[i].entity == entity)
                        return &suspects[i];
        return NULL;
}

/* Stouffer: the sum over all parts, the quiet ones too, over the root of how many there are. */
static void gather(const struct evidence *evidence, const struct graph *graph, struct suspect *whole)
{
        struct neighbours parts = neighbours_of(graph, whole->entity, true);
        double sum = 0;
        for (size_t i = 0; i < parts.count; i++) {
                const struct evidence_item *item = evidence_find(evidence, parts.ids[i]);
                if (!item)
                        continue;
                sum += says(item);
                whole->parts_troubled += says(item) > 0;
        }
        whole->parts = (uint32_t)parts.count;
        if (parts.count)
                whole->score += sum / sqrt((double)parts.count);
}

static size_t add_wholes(const struct evidence *evidence, const struct graph *graph, uint64_t part, int64_t onset_ns, struct suspect *suspects, size_t count,
                         size_t max)
{
        struct neighbours wholes = neighbours_of(graph, part, false);
        for (size_t i = 0; i < wholes.count && count < max; i++) {
                struct graph_node node;
                if (suspect_find(suspects, count, wholes.ids[i]) || !graph_node(graph, wholes.ids[i], &node))
                        continue;
                const struct evidence_item *own = evidence_find(evidence, wholes.ids[i]);
                struct suspect *whole = &suspects[count++];
                *whole = (struct suspect){.entity = node.id, .kind = node.kind, .name = node.name, .score = own ? says(own) : 0,
                                          .alerts = own ? own->alerts : 0, .first_alert = own ? own->first_alert : 0,
                                          .after_ns = own ? own->first_ns - onset_ns : 0};
                gather(evidence, graph, whole);
        }
        return count;
}

void cause_order(struct suspect *suspects, size_t count)
{
        for (size_t i = 1; i < count; i++) { /* few, and equal ones keep their order */
                struct suspect moving = suspects[i];
                size_t at = i;
                for (; at && suspects[at - 1].score < moving.score; at--)
                        suspects[at] = suspects[at - 1];
                suspects[at] = moving;
        }
}

bool cause_rank(const struct evidence *evidence, struct graph *graph, int64_t onset_ns, struct suspect *out_suspects, size_t max, size_t *out_count,
                struct err *err)
{
        size_t most = min_of(evidence->count * (1 + PARENTS_MAX), (size_t)CANDIDATES_MAX), count = 0;
        struct suspect *suspects = calloc(most ? most : 1, sizeof *suspects);
        if (!suspects)
                return fail_memory(err, "engage", most * sizeof *suspects);
        each (item, evidence)
                if (graph && count < most)
                        count = add_wholes(evidence, graph, item->entity, onset_ns, suspects, count, most);
        each (item, evidence)
                if (count < most && !suspect_find(suspects, count, item->entity))
                        suspects[count++] = (struct suspect){.entity = item->entity, .kind = str_of(item->kind), .name = str_of(item->name),
                                                             .score = says(item), .symptoms = share_of_symptoms(item), .alerts = item->alerts, .first_alert = item->first_alert,
                                                             .after_ns = item->first_ns - onset_ns};
        cause_order(suspects, count);
        count = min_of(count, max);
        double sum = 0;
        for (size_t i = 0; i < count; i++)
                sum += suspects[i].score;
        for (size_t i = 0; i < count; i++)
                suspects[i].score = sum > 0 ? suspects[i].score / sum : 1.0 / (double)count;
        if (count)
                memcpy(out_suspects, suspects, count * sizeof *suspects);
        *out_count = count;
        free(suspects);
        return true;
}

struct suffering {
        const struct evidence *evidence;
        uint64_t self;
        uint32_t count;
};

static bool note_suffering(void *context, const struct graph_step *step)
{
        struct suffering *suffering = context;
        const struct evidence_item *item = step->node.id == suffering->self ? NULL : evidence_find(suffering->evidence, step->node.id);
        suffering->count += item && item->alerts;
        return true;
}

uint32_t cause_suffering(const struct evidence *evidence, struct graph *graph, uint64_t entity)
{
        struct suffering suffering = {evidence, entity, 0};
        if (graph)
                graph_visit(graph, entity, GRAPH_DOWNSTREAM, SUFFERING_HOPS_MAX, SUFFERING_NODES_MAX, note_suffering, &suffering);
        return suffering.count;
}

void cause_consider_change(struct suspect *suspects, size_t count, uint64_t entity, uint64_t change, int64_t before_ns)
{
        struct suspect *suspect = suspect_find(suspects, count, entity);
        if (!suspect || (suspect->change && suspect->change_before_ns <= before_ns))
                return;
        if (!suspect->change)
                suspect->score *= 1 + CHANGE_FACTOR * exp(-(double)before_ns / CHANGE_NS);
        suspect->change = change;
        suspect->change_before_ns = before_ns;
}

/* How far a change there is suspected for the trouble of one. Who calls whom is not always seen: what stands beside it on a host counts less. */
static double change_reaches(struct graph *graph, uint64_t there, const struct suspect *here)
{
        double behind = 1 + (BEHIND_FACTOR - 1) * here->symptoms;
        if (graph_distance(graph, here->entity, there, GRAPH_UPSTREAM, CHANGED_HOPS) > 0)
                return UPSTREAM_FACTOR * behind;
        return graph_distance(graph, here->entity, there, GRAPH_ANY_IMPACT, CHANGED_HOPS) > 0 ? BESIDE_FACTOR * behind : 0;
}

void cause_add_changed(struct suspect *suspects, size_t *count, size_t max, struct graph *graph, uint64_t entity, uint64_t change, int64_t before_ns)
{
        struct suspect *suspect = suspect_find(suspects, *count, entity);
        struct graph_node node;
        double most = 0;
        if (!graph || before_ns > (int64_t)(2 * CHANGED_NS) || (suspect && suspect->change != change) || !graph_node(graph, entity, &node))
                return;
        for (size_t i = 0; i < *count; i++)
                if (suspects[i].alerts)
                        most = fmax(most, suspects[i].score * change_reaches(graph, entity, &suspects[i]));
        double score = most * exp(-(double)before_ns / CHANGED_NS);
        if (suspect) {
                suspect->score = fmax(suspect->score, score);
        } else if (most > 0) {
                *count -= *count == max;
                suspects[(*count)++] = (struct suspect){.entity = node.id, .kind = node.kind, .name = node.name, .score = score, .change = change,
                                                        .change_before_ns = before_ns};
        }
}
