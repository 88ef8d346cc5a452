/*
 * graph.c - see graph.h. Nodes and edges live in arrays, each node chains its outgoing and incoming edges by index, so
 * that a graph of a million edges is two blocks of memory and an edge goes away without moving others. Relations and
 * kinds are few: their texts are interned once.
 */
#include "register/graph.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"
#include "register/heap_list.h"

#include <assert.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define WORDS_MAX 65535

struct node {
        uint64_t id;            /* 0: free */
        char *name;
        uint32_t name_length;
        uint16_t kind;
        uint32_t first_out, last_out, first_in, last_in; /* edges */
        uint32_t walk;          /* the walk that met it last */
        uint32_t next_free;
};

struct edge {
        struct graph_edge shown;        /* from 0: free */
        uint32_t from, to;              /* nodes */
        uint32_t next_out, before_out, next_in, before_in;
};

struct graph {
        size_t nodes_max, edges_max;
        struct { struct node *items; size_t count, capacity; } nodes;
        struct { struct edge *items; size_t count, capacity; } edges;
        struct { struct str *items; size_t count, capacity; } words;
        struct map node_by_id, edge_by_ends;
        uint32_t free_node, free_edge;
        size_t nodes_used, edges_used;
        uint32_t walk;
        struct { struct place { uint32_t node, edge; int distance; } *items; size_t count, capacity; } queue;
};

static const struct { enum edge_source source; const char *name; } source_names[] = {
        {EDGE_PERSON, "person"},   {EDGE_DECLARED, "declared"}, {EDGE_TELEMETRY, "telemetry"},
        {EDGE_SOCKETS, "sockets"}, {EDGE_SYSTEMD, "systemd"},   {EDGE_OTLP, "otlp"},
};

const char *edge_source_name(enum edge_source source)
{
        for (size_t i = 0; i < countof(source_names); i++)
                if (source_names[i].source == source)
                        return source_names[i].name;
        return "unknown";
}

bool edge_source_parse(struct str name, enum edge_source *out_source)
{
        for (size_t i = 0; i < countof(source_names); i++)
                if (str_is(name, source_names[i].name)) {
                        *out_source = source_names[i].source;
                        return true;
                }
        return false;
}

/* --- storage ------------------------------------------------------------------------------------------------------------ */

bool graph_create(size_t nodes_max, size_t edges_max, struct graph **out_graph, struct err *err)
{
        struct graph *graph = calloc(1, sizeof *graph);
        if (!graph)
                return fail_memory(err, "graph", sizeof *graph);
        graph->nodes_max = nodes_max && nodes_max < GRAPH_NODES_MAX ? nodes_max : GRAPH_NODES_MAX;
        graph->edges_max = edges_max && edges_max < GRAPH_EDGES_MAX ? edges_max : GRAPH_EDGES_MAX;
        graph->free_node = graph->free_edge = NONE;
        *out_graph = graph;
        return true;
}

void graph_destroy(struct graph *graph)
{
        if (!graph)
                return;
        each (node, &graph->nodes)
                free(node->name);
        each (word, &graph->words)
                free((char *)word->bytes);
        free(graph->nodes.items);
        free(graph->edges.items);
        free(graph->words.items);
        free(graph->queue.items);
        map_done(&graph->node_by_id);
        map_done(&graph->edge_by_ends);
        free(graph);
}

static char *copy_text(struct str text)
{
        char *copy = malloc(text.length + 1);
        if (copy) {
                memcpy(copy, text.length ? text.bytes : "", text.length);
                copy[text.length] = '\0';
        }
        return copy;
}

static bool intern(struct graph *graph, struct str text, uint16_t *out_word, struct err *err)
{
        for (size_t i = 0; i < graph->words.count; i++)
                if (str_equal(graph->words.items[i], text)) {
                        *out_word = (uint16_t)i;
                        return true;
                }
        if (graph->words.count >= WORDS_MAX)
                return fail(err, ERR_FULL, "graph", "it knows %d kinds and relations already", WORDS_MAX);
        char *copy = copy_text(text);
        struct str *word = copy ? heap_list_push(&graph->words) : NULL;
        if (!word) {
                free(copy);
                return fail_memory(err, "graph", text.length);
        }
        *word = (struct str){copy, text.length};
        *out_word = (uint16_t)(graph->words.count - 1);
        return true;
}

static uint64_t hash_id(uint64_t id)
{
        return hash64((struct str){(const char *)&id, sizeof id});
}

static uint64_t hash_ends(uint64_t from, uint64_t to)
{
        uint64_t both[2] = {from, to};
        return hash64((struct str){(const char *)both, sizeof both});
}

static uint32_t find_node(const struct graph *graph, uint64_t id)
{
        size_t at;
        for (uint32_t i = map_first(&graph->node_by_id, hash_id(id), &at); i != MAP_NONE;
             i = map_next(&graph->node_by_id, hash_id(id), &at))
                if (graph->nodes.items[i].id == id)
                        return i;
        return NONE;
}

static uint32_t find_edge(const struct graph *graph, uint64_t from, uint64_t to, struct str relation)
{
        size_t at;
        for (uint32_t i = map_first(&graph->edge_by_ends, hash_ends(from, to), &at); i != MAP_NONE;
             i = map_next(&graph->edge_by_ends, hash_ends(from, to), &at)) {
                const struct graph_edge *edge = &graph->edges.items[i].shown;
                if (edge->from == from && edge->to == to && str_equal(edge->relation, relation))
                        return i;
        }
        return NONE;
}

/* --- changing ----------------------------------------------------------------------------------------------------------- */

static struct node *take_node(struct graph *graph, uint32_t *out_at)
{
        struct node *node;
        if (graph->free_node != NONE) {
                *out_at = graph->free_node;
                node = &graph->nodes.items[graph->free_node];
                graph->free_node = node->next_free;
        } else {
                node = heap_list_push(&graph->nodes);
                *out_at = (uint32_t)(graph->nodes.count - 1);
        }
        if (node)
                *node = (struct node){.first_out = NONE, .last_out = NONE, .first_in = NONE, .last_in = NONE, .next_free = NONE};
        return node;
}

static void give_node(struct graph *graph, uint32_t at)
{
        struct node *node = &graph->nodes.items[at];
        free(node->name);
        *node = (struct node){.next_free = graph->free_node};
        graph->free_node = at;
}

bool graph_add(struct graph *graph, uint64_t id, struct str kind, struct str name, struct err *err)
{
        uint16_t word;
        assert(id);
        if (!intern(graph, kind, &word, err))
                return false;
        char *copy = copy_text(name);
        if (!copy)
                return fail_memory(err, "graph", name.length);
        uint32_t at = find_node(graph, id);
        if (at == NONE) {
                if (graph->nodes_used >= graph->nodes_max) {
                        free(copy);
                        return fail(err, ERR_FULL, "graph", "it holds %zu entities, as many as it may", graph->nodes_max);
                }
                struct node *fresh = take_node(graph, &at);
                if (!fresh || !map_put(&graph->node_by_id, hash_id(id), at)) {
                        if (fresh)
                                give_node(graph, at);
                        free(copy);
                        return fail_memory(err, "graph", sizeof *fresh);
                }
                graph->nodes_used++;
        }
        struct node *node = &graph->nodes.items[at];
        free(node->name);
        node->id = id;
        node->name = copy;
        node->name_length = (uint32_t)name.length;
        node->kind = word;
        return true;
}

/* Takes an edge out of the two chains it hangs in. */
static void unlink_edge(struct graph *graph, uint32_t at)
{
        struct edge *edges = graph->edges.items, *edge = &edges[at];
        struct node *from = &graph->nodes.items[edge->from], *to = &graph->nodes.items[edge->to];
        *(edge->before_out == NONE ? &from->first_out : &edges[edge->before_out].next_out) = edge->next_out;
        *(edge->next_out == NONE ? &from->last_out : &edges[edge->next_out].before_out) = edge->before_out;
        *(edge->before_in == NONE ? &to->first_in : &edges[edge->before_in].next_in) = edge->next_in;
        *(edge->next_in == NONE ? &to->last_in : &edges[edge->next_in].before_in) = edge->before_in;
}

/* Whether an edge stands behind another one in a chain: ordered by its other end and relation, so that walks do not depend on the order in
 * which edges became known, and a graph that was loaded is walked like the one that was stored. */
static bool is_behind(const struct edge *edge, const struct edge *other, bool is_out)
{
        uint64_t one = is_out ? edge->shown.to : edge->shown.from, two = is_out ? other->shown.to : other->shown.from;
        return one != two ? one > two : str_compare(edge->shown.relation, other->shown.relation) >= 0;
}

/* From the tail: entities get rising ids, so an edge seldom has to go far. */
static void link_edge(struct graph *graph, uint32_t at)
{
        struct edge *edges = graph->edges.items, *edge = &edges[at];
        struct node *from = &graph->nodes.items[edge->from], *to = &graph->nodes.items[edge->to];
        edge->before_out = from->last_out;
        edge->next_out = NONE;
        while (edge->before_out != NONE && !is_behind(edge, &edges[edge->before_out], true)) {
                edge->next_out = edge->before_out;
                edge->before_out = edges[edge->before_out].before_out;
        }
        edge->before_in = to->last_in;
        edge->next_in = NONE;
        while (edge->before_in != NONE && !is_behind(edge, &edges[edge->before_in], false)) {
                edge->next_in = edge->before_in;
                edge->before_in = edges[edge->before_in].before_in;
        }
        *(edge->before_out == NONE ? &from->first_out : &edges[edge->before_out].next_out) = at;
        *(edge->next_out == NONE ? &from->last_out : &edges[edge->next_out].before_out) = at;
        *(edge->before_in == NONE ? &to->first_in : &edges[edge->before_in].next_in) = at;
        *(edge->next_in == NONE ? &to->last_in : &edges[edge->next_in].before_in) = at;
}

static void drop_edge(struct graph *graph, uint32_t at)
{
        struct edge *edge = &graph->edges.items[at];
        unlink_edge(graph, at);
        map_remove(&graph->edge_by_ends, hash_ends(edge->shown.from, edge->shown.to), at);
        *edge = (struct edge){.next_out = graph->free_edge};
        graph->free_edge = at;
        graph->edges_used--;
}

void graph_remove(struct graph *graph, uint64_t id)
{
        uint32_t at = find_node(graph, id);
        if (at == NONE)
                return;
        const struct node *node = &graph->nodes.items[at];
        while (node->first_out != NONE)
                drop_edge(graph, node->first_out);
        while (node->first_in != NONE)
                drop_edge(graph, node->first_in);
        map_remove(&graph->node_by_id, hash_id(id), at);
        give_node(graph, at);
        graph->nodes_used--;
}

static bool add_edge(struct graph *graph, const struct graph_edge *shown, uint32_t from, uint32_t to, struct err *err)
{
        uint16_t word;
        if (graph->edges_used >= graph->edges_max)
                return fail(err, ERR_FULL, "graph", "it holds %zu relations, as many as it may", graph->edges_max);
        if (!intern(graph, shown->relation, &word, err))
                return false;
        uint32_t at = graph->free_edge;
        if (at == NONE && !heap_list_push(&graph->edges))
                return fail_memory(err, "graph", sizeof(struct edge));
        if (at == NONE) {
                at = (uint32_t)(graph->edges.count - 1);
                graph->edges.items[at].next_out = NONE;
        } else {
                graph->free_edge = graph->edges.items[at].next_out;
        }
        if (!map_put(&graph->edge_by_ends, hash_ends(shown->from, shown->to), at)) {
                graph->edges.items[at].next_out = graph->free_edge;
                graph->free_edge = at;
                return fail_memory(err, "graph", sizeof(struct edge));
        }
        graph->edges.items[at] = (struct edge){.shown = *shown, .from = from, .to = to};
        graph->edges.items[at].shown.relation = graph->words.items[word];
        link_edge(graph, at);
        graph->edges_used++;
        return true;
}

bool graph_relate(struct graph *graph, const struct graph_edge *edge, struct err *err)
{
        uint32_t from = find_node(graph, edge->from), to = find_node(graph, edge->to);
        if (from == NONE || to == NONE)
                return fail(err, ERR_NOT_FOUND, "graph", "there is no entity %llu to relate",
                            (unsigned long long)(from == NONE ? edge->from : edge->to));
        uint32_t at = find_edge(graph, edge->from, edge->to, edge->relation);
        if (at == NONE)
                return add_edge(graph, edge, from, to, err);
        struct graph_edge *known = &graph->edges.items[at].shown;
        known->sources |= edge->sources;
        known->impact = edge->impact;
        known->first_ns = min_of(known->first_ns, edge->first_ns);
        known->seen_ns = max_of(known->seen_ns, edge->seen_ns);
        return true;
}

bool graph_unrelate(struct graph *graph, uint64_t from, uint64_t to, struct str relation, unsigned sources)
{
        uint32_t at = find_edge(graph, from, to, relation);
        if (at == NONE)
                return false;
        struct graph_edge *edge = &graph->edges.items[at].shown;
        edge->sources &= ~sources;
        if (!edge->sources)
                drop_edge(graph, at);
        return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------------- */

size_t graph_node_count(const struct graph *graph)
{
        return graph->nodes_used;
}

size_t graph_edge_count(const struct graph *graph)
{
        return graph->edges_used;
}

static struct graph_node shown_node(const struct graph *graph, uint32_t at)
{
        const struct node *node = &graph->nodes.items[at];
        return (struct graph_node){node->id, graph->words.items[node->kind], {node->name, node->name_length}};
}

bool graph_node(const struct graph *graph, uint64_t id, struct graph_node *out_node)
{
        uint32_t at = find_node(graph, id);
        if (at != NONE)
                *out_node = shown_node(graph, at);
        return at != NONE;
}

bool graph_edge(const struct graph *graph, uint64_t from, uint64_t to, struct str relation, struct graph_edge *out_edge)
{
        uint32_t at = find_edge(graph, from, to, relation);
        if (at != NONE)
                *out_edge = graph->edges.items[at].shown;
        return at != NONE;
}

/* Whether a walk may leave a node over an edge: outgoing (it is the edge's `from`) or incoming. */
static bool may_pass(enum impact impact, bool outgoing, enum graph_direction direction)
{
        enum impact upstream = outgoing ? IMPACT_TO_FROM : IMPACT_FROM_TO;
        switch (direction) {
        case GRAPH_ANY:
                return true;
        case GRAPH_ANY_IMPACT:
                return impact != IMPACT_NONE;
        case GRAPH_UPSTREAM:
                return impact == IMPACT_BOTH || impact == upstream;
        case GRAPH_DOWNSTREAM:
                return impact == IMPACT_BOTH || (impact != IMPACT_NONE && impact != upstream);
        }
        return false;
}

static bool meet(struct graph *graph, uint32_t node, uint32_t edge, int distance)
{
        if (graph->nodes.items[node].walk == graph->walk)
                return true;
        struct place *place = heap_list_push(&graph->queue);
        if (!place)
                return false;
        graph->nodes.items[node].walk = graph->walk;
        *place = (struct place){node, edge, distance};
        return true;
}

static bool meet_neighbours(struct graph *graph, struct place place, enum graph_direction direction)
{
        const struct edge *edges = graph->edges.items;
        const struct node *node = &graph->nodes.items[place.node];
        for (uint32_t i = node->first_out; i != NONE; i = edges[i].next_out)
                if (may_pass(edges[i].shown.impact, true, direction) && !meet(graph, edges[i].to, i, place.distance + 1))
                        return false;
        for (uint32_t i = node->first_in; i != NONE; i = edges[i].next_in)
                if (may_pass(edges[i].shown.impact, false, direction) && !meet(graph, edges[i].from, i, place.distance + 1))
                        return false;
        return true;
}

static void begin_walk(struct graph *graph)
{
        graph->queue.count = 0;
        if (++graph->walk != 0)
                return;
        each (node, &graph->nodes) /* the numbers of walks have wrapped */
                node->walk = 0;
        graph->walk = 1;
}

bool graph_visit(struct graph *graph, uint64_t from, enum graph_direction direction, int hops_max, size_t nodes_max,
                 bool (*visit)(void *context, const struct graph_step *step), void *context)
{
        uint32_t start = find_node(graph, from);
        nodes_max = nodes_max ? min_of(nodes_max, GRAPH_WALK_MAX) : GRAPH_WALK_MAX;
        begin_walk(graph);
        if (start == NONE)
                return true;
        if (!meet(graph, start, NONE, 0))
                return false;
        for (size_t i = 0; i < graph->queue.count; i++) {
                struct place place = graph->queue.items[i];
                if (i >= nodes_max)
                        return false;
                struct graph_step step = {shown_node(graph, place.node), place.distance,
                                          place.edge == NONE ? NULL : &graph->edges.items[place.edge].shown};
                if (!visit(context, &step))
                        return true;
                if (place.distance < hops_max && !meet_neighbours(graph, place, direction))
                        return false;
        }
        return true;
}

struct search {
        uint64_t wanted;
        int distance;
};

static bool is_wanted(void *context, const struct graph_step *step)
{
        struct search *search = context;
        if (step->node.id == search->wanted)
                search->distance = step->distance;
        return search->distance < 0;
}

int graph_distance(struct graph *graph, uint64_t a, uint64_t b, enum graph_direction direction, int hops_max)
{
        struct search search = {b, -1};
        graph_visit(graph, a, direction, hops_max, 0, is_wanted, &search);
        return search.distance;
}

void graph_edges_of(const struct graph *graph, uint64_t id, bool (*edge)(void *context, const struct graph_edge *edge), void *context)
{
        uint32_t at = find_node(graph, id);
        if (at == NONE)
                return;
        const struct edge *edges = graph->edges.items;
        for (uint32_t i = graph->nodes.items[at].first_out; i != NONE; i = edges[i].next_out)
                if (!edge(context, &edges[i].shown))
                        return;
        for (uint32_t i = graph->nodes.items[at].first_in; i != NONE; i = edges[i].next_in)
                if (edges[i].shown.from != edges[i].shown.to && !edge(context, &edges[i].shown))
                        return;
}
