/*
 * entity_table - the rows of entities, their keys, relations and history; the only SQL about them. Texts are borrowed.
 *
 * Written by the register inside the pipeline's transaction; read by the API through readers of the state database.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "store/database.h"

#include <stdbool.h>
#include <stdint.h>

/* The tables: a migration of the state database. */
extern const char entity_schema[];

struct entity_row {
        uint64_t id, version;           /* version: the newest event */
        struct str kind, name, state, body;
        uint64_t within;                /* the entity that its keys hold in; 0: none */
        int64_t created_ns, changed_ns, seen_ns, hidden_ns; /* hidden_ns 0: shown */
        int64_t drift;                  /* fields whose values differ */
};

struct key_row {
        struct str kind, key, value;
        uint64_t within, entity;
};

struct link_row {
        uint64_t from, to;
        struct str relation, by;
        int64_t source;                 /* one of enum edge_source */
        int64_t first_ns, seen_ns;
};

struct event_row {
        uint64_t entity, event;
        int64_t time_ns;
        struct str by, verb, note;      /* note: a sentence about what changed */
        struct str name, state, body;   /* as they are after it; of relations: as they are */
        int64_t hidden_ns;
};

bool entity_put(struct database *state, const struct entity_row *entity, struct err *err);
bool entity_purge(struct database *state, uint64_t id, struct err *err); /* with keys, relations and history */
bool key_put(struct database *state, const struct key_row *key, struct err *err);
bool key_delete(struct database *state, const struct key_row *key, struct err *err);
bool link_put(struct database *state, const struct link_row *link, struct err *err);
bool link_delete(struct database *state, const struct link_row *link, struct err *err);
/* Keeps the newest EVENTS_KEPT of an entity: beyond, the oldest goes. */
#define EVENTS_KEPT 1000
bool event_insert(struct database *state, const struct event_row *event, struct err *err);

typedef bool entity_visit_fn(void *context, const struct entity_row *entity, struct err *err);
bool entity_visit(struct database *state, entity_visit_fn *visit, void *context, struct err *err);
bool key_visit(struct database *state, bool (*visit)(void *context, const struct key_row *key, struct err *err), void *context,
               struct err *err);
bool link_visit(struct database *state, bool (*visit)(void *context, const struct link_row *link, struct err *err), void *context,
                struct err *err);

/* Shown or hidden; *out_found false: no such entity. visit is called with it. */
bool entity_get(struct database *state, uint64_t id, bool *out_found, entity_visit_fn *visit, void *context, struct err *err);

struct entity_filter {
        struct str kind;                /* empty: any */
        struct str text;                /* part of the name or of a value, any case; empty: all */
        struct str state;               /* empty: any */
        struct str field, value;        /* a field's effective value, as text; empty: any */
        uint64_t within;                /* 0: any */
        bool hidden, drifting;          /* hidden: only deleted ones; else none of them */
        struct str after_name;          /* the page after this name and id */
        uint64_t after_id;
        size_t limit;
};
/* In order of name and id. */
bool entity_list(struct database *state, const struct entity_filter *filter, entity_visit_fn *visit, void *context, struct err *err);
bool entity_count(struct database *state, const struct entity_filter *filter, uint64_t *out_count, struct err *err); /* without the page */

typedef bool event_visit_fn(void *context, const struct event_row *event, struct err *err);
/* Newest first, events below `before` (0: all). */
bool event_visit(struct database *state, uint64_t entity, uint64_t before, size_t limit, event_visit_fn *visit, void *context, struct err *err);
/* The newest event at or before a time, or the event of that id. */
bool event_as_of(struct database *state, uint64_t entity, int64_t time_ns, bool *out_found, event_visit_fn *visit, void *context, struct err *err);
bool event_get(struct database *state, uint64_t entity, uint64_t event, bool *out_found, event_visit_fn *visit, void *context, struct err *err);
bool key_visit_of(struct database *state, uint64_t entity, bool (*visit)(void *context, const struct key_row *key, struct err *err),
                  void *context, struct err *err);
