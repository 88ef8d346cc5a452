/*
 * correlate.c - see correlate.h.
 *
 * A ring of the newest alerts, and for each entity the list of those about it. An alert is compared with the newest ones of
 * its own entities, so the cost of an alert is a bound, not the size of the storm.
 */
#include "engage/correlate.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>

#define NODES 16384
#define WINDOW_NS ((int64_t)1800 * 1000000000)
#define NONE UINT32_MAX

struct node {
        uint64_t alert, group, name;
        int64_t time_ns;
        uint64_t entities[TOPOLOGY_ENTITIES_MAX];
        uint8_t entity_count;
};

struct correlator {
        const struct topology *topology;
        struct node *nodes;     /* a ring */
        size_t begin, count;
        struct map by_entity;   /* hash: entity id; value: place in the ring */
};

const char *reason_kind_name(enum reason_kind kind)
{
        static const char *const names[] = {"unknown", "entity", "near", "time", "text", "learned", "change", "alike", "person", "again"};
        return (size_t)kind < countof(names) ? names[kind] : names[0];
}

bool correlator_create(const struct topology *topology, struct correlator **out_correlator, struct err *err)
{
        struct correlator *correlator = calloc(1, sizeof *correlator);
        if (!correlator || !(correlator->nodes = calloc(NODES, sizeof *correlator->nodes))) {
                free(correlator);
                return fail_memory(err, "engage", NODES * sizeof(struct node));
        }
        correlator->topology = topology;
        *out_correlator = correlator;
        return true;
}

void correlator_destroy(struct correlator *correlator)
{
        if (!correlator)
                return;
        map_done(&correlator->by_entity);
        free(correlator->nodes);
        free(correlator);
}

static void drop_oldest(struct correlator *correlator)
{
        struct node *node = &correlator->nodes[correlator->begin];
        for (size_t i = 0; i < node->entity_count; i++)
                map_remove(&correlator->by_entity, node->entities[i], (uint32_t)correlator->begin);
        correlator->begin = (correlator->begin + 1) % NODES;
        correlator->count--;
}

bool correlator_weigh(struct correlator *correlator, const struct clue *clue, struct verdict *out_verdict, struct err *err)
{
        (void)err;
        struct verdict best = {0};
        for (size_t e = 0; e < clue->entity_count; e++) {
                size_t at, seen = 0;
                uint64_t entity = clue->entities[e].id;
                for (uint32_t i = map_first(&correlator->by_entity, entity, &at); i != MAP_NONE && seen++ < CORRELATE_CANDIDATES_MAX;
                     i = map_next(&correlator->by_entity, entity, &at)) {
                        const struct node *node = &correlator->nodes[i];
                        int64_t apart_ns = clue->time_ns - node->time_ns;
                        double near = 2.0 / (1.0 + (double)e), late = -2.0 * (double)apart_ns / (double)WINDOW_NS;
                        if (!node->group || apart_ns > WINDOW_NS || near + late <= best.score)
                                continue;
                        best = (struct verdict){.group = node->group, .score = near + late, .reason_count = 2};
                        best.reasons[0] = (struct join_reason){REASON_ENTITY, near, node->alert, entity, 0, apart_ns};
                        best.reasons[1] = (struct join_reason){REASON_TIME, late, node->alert, 0, 0, apart_ns};
                }
        }
        *out_verdict = best;
        return true;
}

bool correlator_place(struct correlator *correlator, const struct clue *clue, uint64_t group, struct err *err)
{
        if (correlator->count == NODES)
                drop_oldest(correlator);
        size_t at = (correlator->begin + correlator->count) % NODES;
        struct node *node = &correlator->nodes[at];
        *node = (struct node){.alert = clue->alert, .group = group, .name = clue->name, .time_ns = clue->time_ns};
        correlator->count++;
        for (size_t i = 0; i < clue->entity_count; i++) {
                if (!map_put(&correlator->by_entity, clue->entities[i].id, (uint32_t)at))
                        return fail_memory(err, "engage", sizeof *node);
                node->entities[node->entity_count++] = clue->entities[i].id;
        }
        return true;
}

void correlator_move_group(struct correlator *correlator, uint64_t from, uint64_t to)
{
        for (size_t i = 0; i < correlator->count; i++) {
                struct node *node = &correlator->nodes[(correlator->begin + i) % NODES];
                if (node->group == from)
                        node->group = to;
        }
}

void correlator_move(struct correlator *correlator, uint64_t alert, uint64_t to_group)
{
        for (size_t i = 0; i < correlator->count; i++) {
                struct node *node = &correlator->nodes[(correlator->begin + i) % NODES];
                if (node->alert == alert)
                        node->group = to_group;
        }
}

void correlator_end(struct correlator *correlator, uint64_t group)
{
        correlator_move_group(correlator, group, 0);
}

void correlator_forget(struct correlator *correlator, int64_t time_ns)
{
        while (correlator->count && correlator->nodes[correlator->begin].time_ns + WINDOW_NS < time_ns)
                drop_oldest(correlator);
}
