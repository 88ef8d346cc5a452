/*
 * topology - which entities an alert is about, and how near entities are to one another.
 *
 * Engage asks it and never the register's tables. The register lends its graph and its way to find entities; without one,
 * entities come from the alert's labels alone and nothing is near anything. Offline verbs fill a graph from a file.
 */
#pragma once

#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph;

#define TOPOLOGY_ENTITIES_MAX 4         /* that one alert is about */

struct topology_entity {
        uint64_t id;
        struct str kind, name;          /* borrowed from the labels or the graph, until the next change of either */
};

struct topology {
        void *context;
        /* The register's graph, or NULL; nobody else walks it until it is given back. graph NULL: there is none. */
        struct graph *(*graph)(void *context);
        void (*give_back)(void *context); /* NULL: need not be */
        /* The entities that labels name, the one in trouble first; how many. NULL: topology_of_labels. */
        size_t (*resolve)(void *context, const struct labels *labels, struct topology_entity *out_entities, size_t max);
};

static inline struct graph *topology_lend(const struct topology *topology)
{
        return topology->graph ? topology->graph(topology->context) : NULL;
}

static inline void topology_give_back(const struct topology *topology)
{
        if (topology->give_back)
                topology->give_back(topology->context);
}

/* From names that labels use everywhere: service and job, host and instance and node, device, mountpoint, pod, unit ...
 * The id is the hash of kind and name, with the top bit set so that it is none of the register's. */
size_t topology_of_labels(const struct labels *labels, struct topology_entity *out_entities, size_t max);
/* The names of those labels, from the narrowest; empty behind the last. */
struct str topology_label(size_t i);
uint64_t topology_id(struct str kind, struct str name);
