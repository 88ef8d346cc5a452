/*
 * registry_memory - the entities, keys and links that the registry holds in memory, and what of them waits to be written.
 * Only files of the registry include it. All under the registry's lock.
 */
#pragma once

#include "base/map.h"
#include "base/thread.h"
#include "register/entity_table.h"
#include "register/heap_list.h"
#include "register/identity.h"
#include "register/registry.h"

#define NOBODY UINT32_MAX

struct entity {
        uint64_t id, version, within;
        struct str kind, state;         /* interned */
        struct str name, body;          /* heap */
        int64_t created_ns, changed_ns, seen_ns, hidden_ns, drift;
        uint32_t first_key;             /* of the chain in keys; NOBODY: none */
        uint32_t key_count;
        bool is_dirty, is_purged;
};

struct key {
        struct str kind, sort;          /* interned */
        struct str value;               /* heap; NULL: a free place */
        uint64_t within;
        uint32_t entity;                /* index */
        uint32_t next;                  /* of the same entity */
        bool is_dirty, is_gone;
};

struct link {
        uint64_t from, to;
        struct str relation, by;        /* interned; relation NULL: a free place */
        enum edge_source source;
        int64_t first_ns, seen_ns;
        bool is_dirty, is_gone;
};

struct event {
        uint64_t entity, event;
        int64_t time_ns, hidden_ns;
        struct str verb, state;         /* interned */
        struct str by, note, name, body; /* heap */
};

struct indexes {
        uint32_t *items;
        size_t count, capacity;
};

struct registry {
        struct registry_options options;
        struct lock lock;
        struct kinds *kinds;
        struct graph *graph;
        struct database *state;         /* borrowed */
        struct { struct entity *items; size_t count, capacity; } entities;
        struct { struct key *items; size_t count, capacity; } keys;
        struct { struct link *items; size_t count, capacity; } links;
        struct { struct event *items; size_t count, capacity; } events;
        struct { char **items; size_t count, capacity; } words;
        struct map entity_by_id, key_by_value, link_by_ends, word_by_text;
        struct indexes free_entities, free_keys, free_links;
        struct indexes dirty_entities, dirty_keys, dirty_links, purged;
        uint64_t sequence;              /* of the entry under way, and how many ids it has given */
        uint32_t ordinal;
        int64_t new_due_ns;             /* when the allowance for new entities is full again */
        int64_t minute_ns;              /* when registry_tick looks again */
        struct registry_stats stats;
};

bool intern_text(struct registry *registry, struct str text, struct str *out_word);     /* false: no memory */
bool heap_text(struct str text, struct str *out_copy);                                  /* false: no memory */
uint64_t next_id(struct registry *registry, uint64_t sequence);

struct entity *entity_of(struct registry *registry, uint64_t id);                       /* hidden ones too; NULL: none */
/* A visible entity by an id as text. */
bool entity_of_text(struct registry *registry, struct str id, struct entity **out_entity, struct err *err);
const struct kind *kind_of(const struct registry *registry, const struct entity *entity); /* NULL: no longer declared */
json_t *body_of(const struct entity *entity, struct err *err);                          /* parsed; the caller's */

/* An entity that stands only in memory so far, with an empty body; NULL: no memory or full. */
struct entity *entity_new(struct registry *registry, const struct kind *kind, uint64_t within, uint64_t id, int64_t time_ns, struct err *err);
/* Sets body, state and visibility, with an event. note: what changed, for people. False: no memory, nothing changed. */
bool entity_change(struct registry *registry, struct entity *entity, const json_t *body, struct str state, int64_t hidden_ns,
                   const char *by, const char *verb, const char *note, uint64_t sequence, int64_t time_ns, struct err *err);
void entity_touch(struct registry *registry, struct entity *entity, int64_t time_ns);   /* seen again */
bool entity_rewrite(struct registry *registry, struct entity *entity);                  /* its row is written again; false: no memory */
void entity_mark_purged(struct registry *registry, struct entity *entity);

/* The owner of a key, exactly there; NULL: nobody. */
struct entity *key_owner(struct registry *registry, struct str kind, uint64_t within, struct str sort, struct str value);
/* Adds it when nobody has it; true also when it is too many (counted) or another's. False: no memory. */
bool key_add(struct registry *registry, struct entity *entity, uint64_t within, struct str sort, struct str value);
void key_remove(struct registry *registry, struct entity *entity, struct str sort, struct str value); /* value empty: all of the sort */
bool key_has_sort(const struct registry *registry, const struct entity *entity, struct str sort);
/* For each key of that value, wherever it holds. */
void keys_with(struct registry *registry, struct str kind, struct str sort, struct str value,
               void (*found)(void *context, const struct key *key), void *context);

/* Makes or refreshes it; *out_is_new may be NULL. False: no memory or full. */
bool link_note(struct registry *registry, uint64_t from, struct str relation, uint64_t to, enum edge_source source, const char *by,
               int64_t time_ns, bool *out_is_new, struct err *err);
bool link_drop(struct registry *registry, uint64_t from, struct str relation, uint64_t to, enum edge_source source); /* false: not there */
/* Puts an entity into the graph, or takes it out when it is hidden; with_links: the links too, when it was not there. */
bool graph_refresh(struct registry *registry, struct entity *entity, bool with_links, struct err *err);
bool graph_take_link(struct registry *registry, const struct link *link, struct err *err);

/* registry_see.c: the best match of an identity; NULL: nobody. *out_is_ambiguous: several, without knowing where. */
struct entity *identity_match(struct registry *registry, const struct kind *kind, uint64_t within, const struct identity *identity,
                              bool *out_is_ambiguous);
/* Keys that a field's value stands for (a host named by hand is the one that telemetry names). False: no memory. */
bool keys_of_value(struct registry *registry, struct entity *entity, const struct kind *kind, const struct kind_field *field, struct str value);
bool declared_edge(struct registry *registry, const struct kind *kind, const struct kind_relation *relation, const struct labels *from,
                   const struct labels *to, uint64_t sequence, int64_t time_ns, uint64_t *out_from, uint64_t *out_to, struct err *err);
/* registry_dependencies.c: the declared file. */
bool dependencies_check(const struct kinds *kinds, const json_t *files, struct err *err);
bool dependencies_take(struct registry *registry, const json_t *files, uint64_t sequence, int64_t time_ns, struct err *err);
