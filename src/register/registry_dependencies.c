/*
 * registry_dependencies.c - edges that an operator's YAML files declare, for what cannot be observed.
 *
 *      dependencies:
 *        - {from: {service: checkout}, calls: {service: payments}}
 *        - {from: {service: payments, host: web1}, requires: {service: postgresql, host: db1}}
 *
 * Ends are labels, read as telemetry's are. The files own their edges: what no file declares any more is no longer declared.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "register/registry_memory.h"

#include <stdio.h>

#define EDGES_MAX 20000

struct declared {
        const struct kind *kind;
        const struct kind_relation *relation;
        struct labels from, to;
};

struct reading {
        const struct kinds *kinds;
        struct arena *arena;
        const char *name;
        struct str text;
        struct err *err;
};

static bool refuse(const struct reading *reading, size_t place, const char *why)
{
        char number[24];
        snprintf(number, sizeof number, "%zu", place);
        struct str path[] = {STR("dependencies"), str_of(number)};
        return fail(reading->err, ERR_INVALID, "register", "%s:%zu: %s", reading->name, yaml_line_of(reading->text, path, 2), why);
}

static bool read_labels(const struct reading *reading, size_t place, const json_t *object, struct labels *out_labels)
{
        const char *name;
        json_t *value;
        *out_labels = (struct labels){0};
        json_object_foreach((json_t *)object, name, value) {
                struct label *label = arena_push(reading->arena, out_labels);
                if (!label)
                        return fail_memory(reading->err, "register", sizeof *label);
                if (!json_is_string(value))
                        return refuse(reading, place, "a label's value is text; put quotes around it");
                *label = (struct label){arena_str(reading->arena, str_of(name)),
                                        arena_str(reading->arena, (struct str){json_string_value(value), json_string_length(value)})};
                if (!label->name.bytes || !label->value.bytes)
                        return fail_memory(reading->err, "register", sizeof *label);
        }
        return labels_canonical(out_labels, reading->err) &&
               (out_labels->count || refuse(reading, place, "an end is named by labels: {service: checkout, host: web1}"));
}

/* The kind that declares the relation, and of which the labels name one. */
static bool find_relation(const struct reading *reading, struct str relation, struct declared *declared)
{
        each (kind, &reading->kinds->list) {
                struct identity identity;
                const struct kind_relation *found = kind_relation_find(kind, relation);
                if (!found || !identity_of(kind, &declared->from, reading->arena, &identity) || !identity.count)
                        continue;
                declared->kind = kind;
                declared->relation = found;
        }
        return declared->relation != NULL;
}

static bool read_edge(const struct reading *reading, size_t place, const json_t *item, struct declared *out_declared)
{
        const char *key, *relation = NULL;
        json_t *value, *to = NULL;
        if (!json_is_object(item))
                return refuse(reading, place, "write {from: {...}, calls: {...}}");
        json_object_foreach((json_t *)item, key, value)
                if (strcmp(key, "from") != 0) {
                        if (relation)
                                return refuse(reading, place, "one relation a line; write a second line for the second one");
                        relation = key;
                        to = value;
                }
        *out_declared = (struct declared){0};
        if (!relation || !json_is_object(json_object_get(item, "from")) || !json_is_object(to))
                return refuse(reading, place, "write where it begins and where it leads to: {from: {service: a}, calls: {service: b}}");
        return read_labels(reading, place, json_object_get(item, "from"), &out_declared->from) &&
               read_labels(reading, place, to, &out_declared->to) &&
               (find_relation(reading, str_of(relation), out_declared) ||
                refuse(reading, place, "no kind that these labels name has this relation; kinds and their relations are listed by: evenkeel kinds"));
}

static bool visit_file(const struct kinds *kinds, const char *name, struct str text,
                       bool (*visit)(void *context, const struct declared *declared, struct err *err), void *context, struct err *err)
{
        struct arena arena;
        scoped_ptr(json_decref) json_t *tree = yaml_parse(text, name, err);
        const json_t *list = json_object_get(tree, "dependencies"), *item;
        size_t i;
        if (!tree)
                return false;
        if (!json_is_array(list) || json_object_size(tree) != 1)
                return fail(err, ERR_INVALID, "register", "%s: the file holds one list, \"dependencies:\"", name);
        if (json_array_size(list) > EDGES_MAX)
                return fail(err, ERR_TOO_LARGE, "register", "%s declares more than %d dependencies", name, EDGES_MAX);
        arena_init(&arena, 0);
        struct reading reading = {kinds, &arena, name, text, err};
        bool good = true;
        json_array_foreach(list, i, item) {
                struct declared declared;
                good = good && read_edge(&reading, i, item, &declared) && visit(context, &declared, err);
                arena_reset(&arena);
        }
        arena_done(&arena);
        return good;
}

static bool visit_files(const struct kinds *kinds, const json_t *files,
                        bool (*visit)(void *context, const struct declared *declared, struct err *err), void *context, struct err *err)
{
        const char *name;
        json_t *text;
        json_object_foreach((json_t *)files, name, text)
                if (!json_is_string(text) || !visit_file(kinds, name, (struct str){json_string_value(text), json_string_length(text)}, visit, context, err))
                        return json_is_string(text) ? false : fail(err, ERR_INVALID, "register", "%s is no text", name);
        return true;
}

static bool pass(void *context, const struct declared *declared, struct err *err)
{
        (void)context;
        (void)declared;
        (void)err;
        return true;
}

bool dependencies_check(const struct kinds *kinds, const json_t *files, struct err *err)
{
        return visit_files(kinds, files, pass, NULL, err);
}

struct taking {
        struct registry *registry;
        uint64_t sequence;
        int64_t time_ns;
        struct map noted;       /* hashes of the edges that the files declare */
};

static uint64_t hash_of_edge(uint64_t from, struct str relation, uint64_t to)
{
        uint64_t ends[2] = {from, to};
        return hash64_seeded(relation, hash64((struct str){(const char *)ends, sizeof ends}));
}

static bool take_edge(void *context, const struct declared *declared, struct err *err)
{
        struct taking *taking = context;
        uint64_t from, to;
        if (!declared_edge(taking->registry, declared->kind, declared->relation, &declared->from, &declared->to, taking->sequence, taking->time_ns,
                           &from, &to, err))
                return false;
        return !from || map_put(&taking->noted, hash_of_edge(from, declared->relation->id, to), 0) || fail_memory(err, "register", sizeof from);
}

bool dependencies_take(struct registry *registry, const json_t *files, uint64_t sequence, int64_t time_ns, struct err *err)
{
        struct taking taking = {.registry = registry, .sequence = sequence, .time_ns = time_ns};
        bool good = visit_files(registry->kinds, files, take_edge, &taking, err);
        each (link, &registry->links) {
                size_t at;
                if (good && link->relation.bytes && !link->is_gone && link->source == EDGE_DECLARED &&
                    map_first(&taking.noted, hash_of_edge(link->from, link->relation, link->to), &at) == MAP_NONE)
                        link_drop(registry, link->from, link->relation, link->to, EDGE_DECLARED);
        }
        map_done(&taking.noted);
        return good;
}
