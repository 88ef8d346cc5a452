/*
 * registry - what IT is responsible for: entities of declared kinds, their relations, and how each came to be so.
 *
 *      registry_create -> registry_configure, registry_load -> registry_see, registry_tick, registry_command -> registry_write
 *      (until it succeeds) -> registry_written -> ... -> registry_destroy
 *
 * A deciding stage (docs/decisions/0006): the pipeline's thread alone changes it, memory first; registry_write puts what is
 * dirty into the caller's transaction. Memory holds every entity with its values; the history stands in tables alone. Other
 * threads read the tables (entity_table.h), the kinds (registry_kinds) and the graph (registry_read_begin).
 *
 * A field keeps two values: the intended one, which people write, and the observed one, which telemetry writes; where both
 * are there and differ, it drifts. Every change is an event with the entity's whole body after it, so that any earlier time
 * can be read and any event reverted to.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "model/finding.h"
#include "register/graph.h"
#include "register/kind.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct registry;
struct database;

#define REGISTRY_ENTITIES_MAX ((size_t)100000)
#define REGISTRY_LINKS_MAX ((size_t)400000)
#define ENTITY_KEYS_MAX 32              /* of one entity; more aliases are not learnt, and counted */
#define ENTITY_BODY_BYTES_MAX ((size_t)64 << 10)
#define REGISTRY_IMPORT_MAX 5000        /* rows of one import */
#define REGISTRY_RESOLVE_MAX 32
#define REGISTRY_PURGE_NS ((int64_t)30 * 86400 * 1000000000) /* from deletion to the end of its rows */
#define REGISTRY_NEW_PER_S 50           /* entities that telemetry may bring, of journal time ... */
#define REGISTRY_NEW_BURST 2000         /* ... after so many at once */

struct registry_options {
        size_t entities_max, links_max; /* 0: the bounds above */
        struct str own_host;            /* reserved for sources that call themselves localhost; may be empty */
};

struct registry_stats {
        uint64_t entities, hidden, relations;
        uint64_t created, updated, merged, purged;      /* since the start */
        uint64_t seen;                                  /* resources looked at */
        uint64_t refused_rate, refused_full, refused_keys, ambiguous;
};

bool registry_create(const struct registry_options *options, struct registry **out_registry, struct err *err);
void registry_destroy(struct registry *registry); /* NULL is fine */

/* Reads all entities and relations; before that the kinds are those built in. state stays borrowed: history is read from it
 * when a command reverts. */
bool registry_load(struct registry *registry, struct database *state, struct err *err);

/* content is the configuration in force: "kinds" and "dependencies", each an object of file names and YAML texts; other keys
 * are others' matter. The check changes nothing; the other applies, and cannot fail but for memory. sequence 0: it was in force
 * before, so what it declares is in the tables. */
bool registry_check_configuration(const json_t *content, struct err *err);
bool registry_configure(struct registry *registry, const json_t *content, uint64_t sequence, int64_t time_ns, struct err *err);
/* What would change, as sentences; the caller's. NULL: it is wrong (err). From any thread. */
json_t *registry_preview(struct registry *registry, const json_t *content, struct err *err);

/* Makes entities and relations of what telemetry names, or notes that they were seen again. Doing it twice does no harm.
 * What is refused (bounds) is counted. False: no memory; call again. */
bool registry_see(struct registry *registry, const struct resource_seen *seen, size_t count, uint64_t sequence, int64_t time_ns,
                  struct err *err);
/* What comes with time: edges are forgotten, hidden entities purged. Every tick; looks once a minute of journal time. */
bool registry_tick(struct registry *registry, uint64_t sequence, int64_t time_ns, struct err *err);

/* entity_create   kind fields{id: value} [state] [relations{id: entity}]       -> {id}
 * entity_update   id [version] fields{id: value or null} [state]               version: refused when it is another meanwhile
 * entity_delete   id                                                           hides, and purges after REGISTRY_PURGE_NS
 * entity_restore  id
 * entity_revert   id event                                                     to what it was after that event
 * entity_relate   id relation to
 * entity_unrelate id relation to
 * entity_import   kind rows[{column: text}]                                    all or none -> {created, updated, same}
 * entity_seen     labels{name: value}                                          as telemetry does
 * Entities are named by their id as text. `role` in the arguments is that of who asks (none: admin); what it may do is
 * checked here, for the API, the console, CSV and the CLI alike. A refusal changes nothing. */
bool registry_handles(const char *verb);
bool registry_command(struct registry *registry, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                      int64_t time_ns, json_t **out_result, struct err *err);

bool registry_is_dirty(const struct registry *registry);
bool registry_write(struct registry *registry, struct database *state, struct err *err);
void registry_written(struct registry *registry);

/* --- asking ------------------------------------------------------------------------------------------------------------- */

/* A reference is the caller's, to kinds_unref. From any thread. */
struct kinds *registry_kinds(struct registry *registry);
void registry_read_stats(struct registry *registry, struct registry_stats *out_stats);

/* The entities that labels name, most specific first (a filesystem, then its service, then its host); at most max, gives how
 * many. Labels of alerts, series, log streams and changes alike. Creates nothing. From any thread. */
size_t registry_resolve(struct registry *registry, const struct labels *labels, uint64_t *out_ids, size_t max);
/* Entities of a kind (empty: any) whose displayed name or key is exactly so; for what people and files write. From any thread. */
size_t registry_find(struct registry *registry, struct str kind, struct str name, uint64_t *out_ids, size_t max);
size_t registry_count(struct registry *registry, struct str kind); /* shown ones; from any thread */
/* Kind and name of a shown entity, without the place it stands in ("nginx", not "nginx on web1"). False: there is none, or no memory. From any thread. */
bool registry_name(struct registry *registry, uint64_t id, struct arena *arena, struct str *out_kind, struct str *out_name);

/* Lends the graph until registry_read_end on the same thread; short, since the register waits meanwhile. */
struct graph *registry_read_begin(struct registry *registry);
void registry_read_end(struct registry *registry);
