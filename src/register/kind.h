/*
 * kind - the types of entity, as their YAML declares them: fields, relations, identity, states, permissions.
 *
 *      kinds_parse (all files together, all or nothing) -> kinds_ref ... -> kinds_unref
 *
 * A set of kinds never changes after it was parsed; who holds a reference may read it from any thread. The files come
 * from kinds/ (built in: kinds_built_in) and from an operator's folder, whose files add kinds (`kind: x`) or extend one
 * (`extend: x` with fields, relations and identity of its own). docs/developers/add-a-kind.md describes a file.
 */
#pragma once

#include "base/arena.h"
#include "base/embedded.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"
#include "register/graph.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KINDS_MAX 256
#define KIND_FIELDS_MAX 256
#define KIND_FILE_BYTES_MAX ((size_t)256 << 10)

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOL, FIELD_TIME, FIELD_ENUM, FIELD_LIST, FIELD_REFERENCE };
const char *field_type_name(enum field_type type);

enum role { ROLE_VIEWER = 1, ROLE_OPERATOR = 2, ROLE_ADMIN = 4 };                /* bits */
enum role role_parse(struct str name);                                         /* 0: no such role */
enum permission { MAY_READ = 1, MAY_CREATE = 2, MAY_UPDATE = 4, MAY_DELETE = 8, MAY_RELATE = 16 }; /* bits */

struct names {
        struct str *items;
        size_t count, capacity;
};
bool names_hold(const struct names *names, struct str name);

struct kind_field {
        struct str id, title, unit; /* id: for good; title: as shown */
        enum field_type type;
        bool is_required, is_unique;
        unsigned writers;           /* roles that may write the intended value; 0: nobody */
        struct names observers;     /* sources that may write the observed value: "telemetry", "import" ... */
        struct names options;       /* of FIELD_ENUM */
        struct str to;              /* of FIELD_REFERENCE: the kind */
        struct names from;          /* labels that say the observed value; the first that is there */
        struct names from_key;      /* or keys of the identity */
        struct labels conditions;   /* labels that must be so */
};

/* Labels of a synthetic resource: name it gets <- label of the item that is read. */
struct kind_mapping {
        struct labels from, to;     /* from empty: the entity that the item itself names */
        struct labels conditions;
        enum edge_source source;
        bool may_create;            /* else only entities that are there are related */
};

struct kind_relation {
        struct str id, title, inverse, inverse_title;
        struct names to;            /* kinds */
        enum impact impact;
        int64_t forget_ns;          /* an observed edge not seen for so long ends; 0: never */
        struct { struct kind_mapping *items; size_t count, capacity; } seen;
};

/* Makes an identity of a label's value: false when the value names nothing (a loopback address, a container's hash). */
typedef bool clean_fn(struct str value, struct arena *arena, struct str *out_clean);

struct kind_rule {
        struct str key;             /* rules with one key give values of one sort */
        uint32_t strength;          /* 0 is the strongest; the same for all rules of a key */
        struct names from;          /* labels; the first that gives something counts */
        struct names except;        /* cleaned values that name nothing here */
        struct labels conditions;
        clean_fn *clean;
        bool may_create;
};

struct kind {
        struct str id, title, plural, description;
        struct str display;         /* the field that names an entity */
        int within;                 /* the relation whose end the keys hold in; -1: everywhere */
        int whole;                  /* the relation to the entity of the same key that stands nowhere in particular; -1 */
        bool requires_within;       /* without such an end the labels name nothing */
        unsigned permissions[3];    /* by role: viewer, operator, admin */
        struct names states;
        struct str initial;
        struct { struct { struct str label; struct names values; } *items; size_t count, capacity; } unless;
        struct { struct kind_field *items; size_t count, capacity; } fields;
        struct { struct kind_relation *items; size_t count, capacity; } relations;
        struct { struct kind_rule *items; size_t count, capacity; } rules;
        struct str file;            /* where it is declared */
};

struct kinds {
        struct arena arena;
        struct { struct kind *items; size_t count, capacity; } list; /* ends of `within` come before who stands in them */
        /* What telemetry is read for; the rest of a resource's labels need not travel. */
        struct names labels;        /* that rules, fields and mappings ask for; sorted */
        struct names metric_names;  /* values of __name__ that conditions ask for; sorted */
        struct names metric_labels; /* asked for of such metrics alone; sorted */
        unsigned references;        /* atomic */
};

/* The kinds that every program has: embedded from kinds/ at build time. */
extern const struct embedded_file kinds_built_in[];
extern const size_t kinds_built_in_count;

/* One reference is the caller's. Errors name file and line and say what to write instead. */
bool kinds_parse(const struct embedded_file *files, size_t count, struct kinds **out_kinds, struct err *err);
struct kinds *kinds_ref(struct kinds *kinds);
void kinds_unref(struct kinds *kinds); /* NULL is fine */

const struct kind *kinds_find(const struct kinds *kinds, struct str id);        /* NULL: no such kind */
const struct kind_field *kind_field_find(const struct kind *kind, struct str id);
const struct kind_relation *kind_relation_find(const struct kind *kind, struct str id);
bool kind_allows(const struct kind *kind, enum role role, enum permission permission);

/* The declaration as people and programs read it over the API. NULL: no memory. The caller's. */
json_t *kind_json(const struct kind *kind);
json_t *kinds_json(const struct kinds *kinds);

/* What a change of kinds would do: kinds and fields that come, go or change their type, as sentences. The caller's. */
json_t *kinds_compare(const struct kinds *before, const struct kinds *after);
