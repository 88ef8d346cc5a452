/*
 * graph - entities as nodes, relations as typed, directed edges, in memory: for correlation, causes and blast radius.
 *
 *      graph_create -> graph_add, graph_relate ... -> graph_distance, graph_visit ... -> graph_destroy
 *
 * The register keeps one that mirrors its tables and lends it between registry_read_begin and registry_read_end
 * (registry.h); the offline verbs fill one from a file. Used by one thread at a time; walking marks nodes, so even a
 * reader needs it for itself. Bounded: beyond nodes_max and edges_max an addition is ERR_FULL, and walks stop at their
 * own bounds.
 *
 * An edge stands as its relation is declared: "checkout calls payments" goes from checkout to payments. Trouble travels
 * along impact, which the relation's kind declares: IMPACT_TO_FROM says that trouble at the edge's end (payments)
 * reaches its beginning (checkout). Upstream of a node is what its trouble may come from, downstream what suffers.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_NODES_MAX ((size_t)1 << 20)
#define GRAPH_EDGES_MAX ((size_t)4 << 20)

struct graph;

enum impact {
        IMPACT_NONE,            /* belongs together, but trouble does not travel (a team owns a service) */
        IMPACT_TO_FROM,         /* trouble at `to` reaches `from`: runs_on, calls, requires */
        IMPACT_FROM_TO,         /* trouble at `from` reaches `to` */
        IMPACT_BOTH,
};

/* Where an edge is known from; bits, since several sources may know the same edge. Numbers stand in the state database. */
enum edge_source {
        EDGE_PERSON = 1,        /* somebody related them */
        EDGE_DECLARED = 2,      /* the dependency file */
        EDGE_TELEMETRY = 4,     /* one resource names both */
        EDGE_SOCKETS = 8,       /* an open connection between two processes */
        EDGE_SYSTEMD = 16,      /* Requires, Wants, After */
        EDGE_OTLP = 32,         /* peer.service, server.address */
};
const char *edge_source_name(enum edge_source source);          /* "sockets" */
bool edge_source_parse(struct str name, enum edge_source *out_source);

struct graph_edge {
        uint64_t from, to;      /* entity ids */
        struct str relation;    /* the relation's id: "runs_on" */
        enum impact impact;
        unsigned sources;       /* enum edge_source, or'ed */
        int64_t first_ns;       /* journal time at which the first source knew it */
        int64_t seen_ns;        /* and the newest one; how old the knowledge is */
};

struct graph_node {
        uint64_t id;
        struct str kind, name;  /* name: as shown to people */
};

/* 0 for a bound: the largest. */
bool graph_create(size_t nodes_max, size_t edges_max, struct graph **out_graph, struct err *err);
void graph_destroy(struct graph *graph);

/* Texts are copied. A node that is there gets the new kind and name. id must not be 0. */
bool graph_add(struct graph *graph, uint64_t id, struct str kind, struct str name, struct err *err);
void graph_remove(struct graph *graph, uint64_t id); /* with its edges */
/* Both nodes must be there (ERR_NOT_FOUND). An edge that is there (same ends and relation) gains the sources, the older
 * first_ns and the newer seen_ns. */
bool graph_relate(struct graph *graph, const struct graph_edge *edge, struct err *err);
/* Takes sources away; an edge without a source goes. False: it was not there. */
bool graph_unrelate(struct graph *graph, uint64_t from, uint64_t to, struct str relation, unsigned sources);

size_t graph_node_count(const struct graph *graph);
size_t graph_edge_count(const struct graph *graph);
bool graph_node(const struct graph *graph, uint64_t id, struct graph_node *out_node); /* texts until the next change */
bool graph_edge(const struct graph *graph, uint64_t from, uint64_t to, struct str relation, struct graph_edge *out_edge);

enum graph_direction {
        GRAPH_UPSTREAM,         /* against impact: what a node's trouble may come from */
        GRAPH_DOWNSTREAM,       /* along impact: what suffers with it */
        GRAPH_ANY_IMPACT,       /* either way, over edges that carry impact */
        GRAPH_ANY,              /* over all edges */
};

/* Hops from a to b on the shortest way in a direction (GRAPH_UPSTREAM: b is upstream of a); 0 when a is b; -1 when there
 * is none within hops_max or a node is unknown. Breadth first; looks at GRAPH_WALK_MAX nodes at most. */
#define GRAPH_WALK_MAX ((size_t)1 << 16)
int graph_distance(struct graph *graph, uint64_t a, uint64_t b, enum graph_direction direction, int hops_max);

/* What a walk meets, nearest first, in each distance in the order in which edges were added; the node it began at comes
 * first, with distance 0 and no edge. */
struct graph_step {
        struct graph_node node;
        int distance;
        const struct graph_edge *edge;  /* the edge it was reached by; NULL for the first */
};
/* Until visit returns false, hops_max, or nodes_max (0: GRAPH_WALK_MAX) nodes; true when nothing was left out for nodes_max.
 * visit must not change the graph nor walk it. */
bool graph_visit(struct graph *graph, uint64_t from, enum graph_direction direction, int hops_max, size_t nodes_max,
                 bool (*visit)(void *context, const struct graph_step *step), void *context);

/* Each edge of a node, outgoing ones first. Until edge returns false. */
void graph_edges_of(const struct graph *graph, uint64_t id, bool (*edge)(void *context, const struct graph_edge *edge), void *context);
