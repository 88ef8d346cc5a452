/*
 * kind.c - see kind.h. Reads the files' JSON trees into plain structs, once; whatever is wrong is told with the line on
 * which it stands. Names of keys are checked too: a misspelt one would otherwise be a setting that does nothing.
 */
#include "register/kind.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "register/identity.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES_MAX 63
#define DEPTH_MAX 8
#define KINDS_BYTES_MAX ((size_t)32 << 20)

static const char *const type_names[] = {"text", "number", "bool", "time", "enum", "list", "reference"};
static const struct str role_names[] = {STR_INIT("viewer"), STR_INIT("operator"), STR_INIT("admin")};

const char *field_type_name(enum field_type type)
{
        return type_names[type];
}

enum role role_parse(struct str name)
{
        for (size_t i = 0; i < countof(role_names); i++)
                if (str_equal(name, role_names[i]))
                        return (enum role)(1u << i);
        return 0;
}

bool names_hold(const struct names *names, struct str name)
{
        each (each_name, names)
                if (str_equal(*each_name, name))
                        return true;
        return false;
}

/* --- reading, and saying where -------------------------------------------------------------------------------------------- */

struct reading {
        struct kinds *kinds;
        const struct embedded_file *file;
        struct str path[DEPTH_MAX];
        size_t depth;
        struct err *err;
};

static void step_in(struct reading *reading, struct str key)
{
        if (reading->depth < DEPTH_MAX)
                reading->path[reading->depth] = key;
        reading->depth++;
}

static void step_out(struct reading *reading)
{
        reading->depth--;
}

static bool refuse(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct reading *reading, const char *format, ...)
{
        char why[360];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(why, sizeof why, format, arguments);
        va_end(arguments);
        size_t line = yaml_line_of(reading->file->text, reading->path, min_of(reading->depth, (size_t)DEPTH_MAX));
        return fail(reading->err, ERR_INVALID, "register", "%.*s:%zu: %s", STR_ARGS(reading->file->name), line, why);
}

static bool refuse_at(struct reading *reading, struct str key, const char *why)
{
        step_in(reading, key);
        refuse(reading, "%s", why);
        step_out(reading);
        return false;
}

static bool no_memory(struct reading *reading)
{
        return fail_memory(reading->err, "register", reading->kinds->arena.bytes_held);
}

static bool keep(struct reading *reading, struct str text, struct str *out_kept)
{
        *out_kept = arena_str(&reading->kinds->arena, text);
        return out_kept->bytes || no_memory(reading);
}

/* Every key of the object is one of the words of the list. */
static bool know_keys(struct reading *reading, const json_t *object, const char *list)
{
        const char *key;
        json_t *value;
        if (!json_is_object(object))
                return refuse(reading, "here should stand a mapping (key: value) with some of: %s", list);
        json_object_foreach((json_t *)object, key, value) {
                struct str rest = str_of(list), word;
                bool known = false;
                while (!known && str_cut(&rest, ' ', &word))
                        known = str_is(word, key);
                if (known)
                        continue;
                step_in(reading, str_of(key));
                refuse(reading, "nothing is called \"%.60s\" here; write one of: %s", key, list);
                step_out(reading);
                return false;
        }
        return true;
}

static bool is_id(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if (!islower((unsigned char)text.bytes[i]) && text.bytes[i] != '_' && (i == 0 || !isdigit((unsigned char)text.bytes[i])))
                        return false;
        return text.length > 0 && text.length <= ID_BYTES_MAX;
}

static bool check_id(struct reading *reading, struct str id)
{
        return is_id(id) || refuse(reading, "\"%.*s\" is no id; begin with a lower-case letter, then letters, digits and _, %d at most",
                                   (int)min_of(id.length, (size_t)80), id.bytes ? id.bytes : "", ID_BYTES_MAX);
}

/* A text; out stays empty when it is missing and may be. */
static bool read_text(struct reading *reading, const json_t *object, const char *key, bool is_needed, struct str *out_text)
{
        const json_t *value = json_object_get(object, key);
        if (!value)
                return is_needed ? refuse(reading, "%s is missing; add \"%s: ...\"", key, key) : true;
        if (!json_is_string(value) || !json_string_length(value))
                return refuse_at(reading, str_of(key), "here should stand a text; put quotes around it when it looks like a number");
        return keep(reading, (struct str){json_string_value(value), json_string_length(value)}, out_text);
}

static bool read_flag(struct reading *reading, const json_t *object, const char *key, bool *out_flag)
{
        const json_t *value = json_object_get(object, key);
        if (value && !json_is_boolean(value))
                return refuse_at(reading, str_of(key), "write true or false");
        if (value)
                *out_flag = json_is_true(value);
        return true;
}

static bool add_name(struct reading *reading, struct names *names, struct str name)
{
        struct str *kept = arena_push(&reading->kinds->arena, names);
        return kept ? keep(reading, name, kept) : no_memory(reading);
}

/* A list of texts, or one. */
static bool read_names(struct reading *reading, const json_t *object, const char *key, struct names *out_names)
{
        const json_t *value = json_object_get(object, key), *item;
        size_t i;
        if (!value)
                return true;
        if (json_is_string(value))
                return add_name(reading, out_names, (struct str){json_string_value(value), json_string_length(value)});
        if (!json_is_array(value))
                return refuse_at(reading, str_of(key), "here should stand a list: [one, two]");
        json_array_foreach(value, i, item)
                if (!json_is_string(item) || !json_string_length(item))
                        return refuse_at(reading, str_of(key), "the list holds something that is no text; put quotes around it");
                else if (!add_name(reading, out_names, (struct str){json_string_value(item), json_string_length(item)}))
                        return false;
        return true;
}

/* A mapping of label names to values, as canonical labels. */
static bool read_labels(struct reading *reading, const json_t *object, const char *key, struct labels *out_labels)
{
        const json_t *value = json_object_get(object, key);
        const char *name;
        json_t *item;
        if (!value)
                return true;
        if (!json_is_object(value))
                return refuse_at(reading, str_of(key), "here should stand labels: {name: value}");
        json_object_foreach((json_t *)value, name, item) {
                struct label *label = arena_push(&reading->kinds->arena, out_labels);
                if (!json_is_string(item))
                        return refuse_at(reading, str_of(key), "a label's value should be text; put quotes around it");
                if (!label)
                        return no_memory(reading);
                if (!keep(reading, str_of(name), &label->name) ||
                    !keep(reading, (struct str){json_string_value(item), json_string_length(item)}, &label->value))
                        return false;
        }
        return labels_canonical(out_labels, reading->err);
}

/* --- fields ------------------------------------------------------------------------------------------------------------------ */

static bool read_type(struct reading *reading, const json_t *object, enum field_type *out_type)
{
        struct str name = json_str(object, "type");
        for (size_t i = 0; i < countof(type_names); i++)
                if (str_is(name, type_names[i])) {
                        *out_type = (enum field_type)i;
                        return true;
                }
        if (!json_object_get(object, "type"))
                return refuse(reading, "type is missing; add \"type: text\", or number, bool, time, enum, list, reference");
        return refuse_at(reading, STR("type"), "this is no type; write text, number, bool, time, enum, list or reference");
}

static bool read_roles(struct reading *reading, const json_t *object, const char *key, unsigned *out_roles)
{
        struct names names = {0};
        if (!read_names(reading, object, key, &names))
                return false;
        each (name, &names) {
                if (!role_parse(*name))
                        return refuse_at(reading, str_of(key), "roles are viewer, operator and admin");
                *out_roles |= role_parse(*name);
        }
        return true;
}

static bool read_field_body(struct reading *reading, const json_t *object, struct kind_field *field)
{
        if (!know_keys(reading, object, "title type unit required unique write observe options to from from_key if") ||
            !read_text(reading, object, "title", true, &field->title) || !read_type(reading, object, &field->type) ||
            !read_text(reading, object, "unit", false, &field->unit) || !read_flag(reading, object, "required", &field->is_required) ||
            !read_flag(reading, object, "unique", &field->is_unique) || !read_roles(reading, object, "write", &field->writers) ||
            !read_names(reading, object, "observe", &field->observers) || !read_names(reading, object, "options", &field->options) ||
            !read_text(reading, object, "to", field->type == FIELD_REFERENCE, &field->to) ||
            !read_names(reading, object, "from", &field->from) || !read_names(reading, object, "from_key", &field->from_key) ||
            !read_labels(reading, object, "if", &field->conditions))
                return false;
        if (field->type == FIELD_ENUM && !field->options.count)
                return refuse(reading, "an enum needs its options: [one, two]");
        if (field->unit.length && field->type != FIELD_NUMBER)
                return refuse_at(reading, STR("unit"), "only numbers have a unit");
        if (field->is_unique && (field->type == FIELD_LIST || field->type == FIELD_BOOL))
                return refuse_at(reading, STR("unique"), "a list or a bool cannot be unique");
        if (field->from.count && !names_hold(&field->observers, STR("telemetry")))
                return refuse(reading, "it has values from telemetry, which may not write it; add \"observe: [telemetry]\"");
        if (!field->writers && !field->observers.count)
                return refuse(reading, "nobody may write this field; add \"write: [operator, admin]\" or \"observe: [telemetry]\"");
        return true;
}

static bool read_field(struct reading *reading, struct kind *kind, const char *id, const json_t *object)
{
        if (!check_id(reading, str_of(id)))
                return false;
        if (kind_field_find(kind, str_of(id)))
                return refuse(reading, "the kind %.*s has a field %s already; give this one another id", STR_ARGS(kind->id), id);
        if (kind->fields.count >= KIND_FIELDS_MAX)
                return refuse(reading, "a kind has %d fields at most", KIND_FIELDS_MAX);
        struct kind_field *field = arena_push(&reading->kinds->arena, &kind->fields);
        return field ? keep(reading, str_of(id), &field->id) && read_field_body(reading, object, field) : no_memory(reading);
}

/* --- relations --------------------------------------------------------------------------------------------------------------- */

static bool read_impact(struct reading *reading, const json_t *object, enum impact *out_impact)
{
        static const char *const names[] = {"none", "to_from", "from_to", "both"};
        struct str name = json_str(object, "impact");
        for (size_t i = 0; i < countof(names); i++)
                if (str_is(name, names[i])) {
                        *out_impact = (enum impact)i;
                        return true;
                }
        return refuse_at(reading, STR("impact"), "write which way trouble travels: to_from (what it leads to breaks what it comes from), from_to, both or none");
}

static bool read_forget(struct reading *reading, const json_t *object, int64_t *out_forget_ns)
{
        static const struct { char unit; int64_t seconds; } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
        const json_t *value = json_object_get(object, "forget");
        struct str text = json_str(object, "forget");
        uint64_t number;
        if (!value)
                return true;
        for (size_t i = 0; i < countof(units) && text.length > 1; i++)
                if (text.bytes[text.length - 1] == units[i].unit && str_to_u64(str_slice(text, 0, text.length - 1), &number) && number && number < 100000) {
                        *out_forget_ns = (int64_t)number * units[i].seconds * 1000000000;
                        return true;
                }
        return refuse_at(reading, STR("forget"), "write a time such as 30m, 12h or 7d");
}

static bool read_mapping(struct reading *reading, const json_t *object, struct kind_mapping *mapping)
{
        mapping->may_create = true;
        if (!know_keys(reading, object, "source if from to create") || !read_labels(reading, object, "if", &mapping->conditions) ||
            !read_labels(reading, object, "from", &mapping->from) || !read_labels(reading, object, "to", &mapping->to) ||
            !read_flag(reading, object, "create", &mapping->may_create))
                return false;
        if (!edge_source_parse(json_str(object, "source"), &mapping->source))
                return refuse(reading, "write where the knowledge is from: \"source: otlp\", or sockets, systemd, telemetry");
        return mapping->to.count || refuse(reading, "write which label names the other end: to: {service: peer.service}");
}

static bool read_seen(struct reading *reading, const json_t *object, struct kind_relation *relation)
{
        const json_t *list = json_object_get(object, "seen"), *item;
        size_t i;
        if (list && !json_is_array(list))
                return refuse_at(reading, STR("seen"), "here should stand a list of {source: ..., to: {...}}");
        step_in(reading, STR("seen"));
        json_array_foreach(list, i, item) {
                char place[24];
                snprintf(place, sizeof place, "%zu", i);
                struct kind_mapping *mapping = arena_push(&reading->kinds->arena, &relation->seen);
                if (!mapping)
                        return no_memory(reading);
                step_in(reading, str_of(place));
                if (!read_mapping(reading, item, mapping))
                        return false;
                step_out(reading);
        }
        step_out(reading);
        return true;
}

static bool read_relation(struct reading *reading, struct kind *kind, const char *id, const json_t *object)
{
        if (!check_id(reading, str_of(id)))
                return false;
        if (kind_relation_find(kind, str_of(id)))
                return refuse(reading, "the kind %.*s has a relation %s already; give this one another id", STR_ARGS(kind->id), id);
        struct kind_relation *relation = arena_push(&reading->kinds->arena, &kind->relations);
        if (!relation)
                return no_memory(reading);
        if (!keep(reading, str_of(id), &relation->id) ||
            !know_keys(reading, object, "title inverse inverse_title to impact forget seen") ||
            !read_text(reading, object, "title", true, &relation->title) || !read_text(reading, object, "inverse", true, &relation->inverse) ||
            !read_text(reading, object, "inverse_title", true, &relation->inverse_title) ||
            !read_names(reading, object, "to", &relation->to) || !read_impact(reading, object, &relation->impact) ||
            !read_forget(reading, object, &relation->forget_ns) || !read_seen(reading, object, relation))
                return false;
        return relation->to.count || refuse(reading, "write the kinds it may lead to: \"to: [service]\"");
}

/* --- identity ---------------------------------------------------------------------------------------------------------------- */

static uint32_t strength_of(const struct kind *kind, struct str key)
{
        uint32_t strongest = 0;
        each (rule, &kind->rules) {
                if (str_equal(rule->key, key))
                        return rule->strength;
                strongest = max_of(strongest, rule->strength + 1);
        }
        return strongest;
}

static bool read_rule(struct reading *reading, struct kind *kind, const json_t *object)
{
        struct kind_rule rule = {.may_create = true};
        struct str clean = STR("text");
        if (!know_keys(reading, object, "key from clean not if create") || !read_text(reading, object, "key", true, &rule.key) ||
            !check_id(reading, rule.key) || !read_names(reading, object, "from", &rule.from) ||
            !read_text(reading, object, "clean", false, &clean) || !read_names(reading, object, "not", &rule.except) ||
            !read_labels(reading, object, "if", &rule.conditions) || !read_flag(reading, object, "create", &rule.may_create))
                return false;
        if (!rule.from.count)
                return refuse(reading, "write the labels to read: \"from: [host]\"");
        rule.clean = clean_find(clean);
        if (!rule.clean) {
                scoped(buf_done) struct buf known = {0};
                clean_names(&known);
                return refuse(reading, "\"%.*s\" is no way to clean a value; write one of %.*s", STR_ARGS(clean), STR_ARGS(buf_str(&known)));
        }
        rule.strength = strength_of(kind, rule.key);
        struct kind_rule *kept = arena_push(&reading->kinds->arena, &kind->rules);
        if (!kept)
                return no_memory(reading);
        *kept = rule;
        return true;
}

/* --- a file ------------------------------------------------------------------------------------------------------------------ */

static bool read_members(struct reading *reading, struct kind *kind, const json_t *tree, const char *part,
                         bool (*read)(struct reading *reading, struct kind *kind, const char *id, const json_t *object))
{
        const json_t *members = json_object_get(tree, part);
        const char *id;
        json_t *object;
        if (!members)
                return true;
        step_in(reading, str_of(part));
        if (!json_is_object(members))
                return refuse(reading, "here should stand a mapping: an id, a colon, what it is");
        json_object_foreach((json_t *)members, id, object) {
                step_in(reading, str_of(id));
                if (!read(reading, kind, id, object))
                        return false;
                step_out(reading);
        }
        step_out(reading);
        return true;
}

static bool read_rules(struct reading *reading, struct kind *kind, const json_t *tree)
{
        const json_t *list = json_object_get(tree, "identity"), *item;
        size_t i;
        if (!list)
                return true;
        if (!json_is_array(list))
                return refuse_at(reading, STR("identity"), "here should stand a list of {key: ..., from: [...]}, from strong to weak");
        step_in(reading, STR("identity"));
        json_array_foreach(list, i, item) {
                char place[24];
                snprintf(place, sizeof place, "%zu", i);
                step_in(reading, str_of(place));
                if (!read_rule(reading, kind, item))
                        return false;
                step_out(reading);
        }
        step_out(reading);
        return true;
}

static bool read_parts(struct reading *reading, struct kind *kind, const json_t *tree)
{
        return read_members(reading, kind, tree, "fields", read_field) &&
               read_members(reading, kind, tree, "relations", read_relation) && read_rules(reading, kind, tree);
}

static bool read_permissions(struct reading *reading, struct kind *kind, const json_t *tree)
{
        static const struct { const char *name; enum permission bit; } permissions[] = {
                {"read", MAY_READ}, {"create", MAY_CREATE}, {"update", MAY_UPDATE}, {"delete", MAY_DELETE}, {"relate", MAY_RELATE}};
        const json_t *object = json_object_get(tree, "permissions");
        if (!object)
                return refuse(reading, "permissions are missing; add \"permissions:\" with viewer, operator and admin");
        step_in(reading, STR("permissions"));
        if (!know_keys(reading, object, "viewer operator admin"))
                return false;
        for (size_t role = 0; role < countof(role_names); role++) {
                struct names names = {0};
                if (!read_names(reading, object, role_names[role].bytes, &names))
                        return false;
                each (name, &names) {
                        unsigned before = kind->permissions[role];
                        for (size_t i = 0; i < countof(permissions); i++)
                                kind->permissions[role] |= str_is(*name, permissions[i].name) ? permissions[i].bit : 0;
                        if (kind->permissions[role] == before)
                                return refuse_at(reading, role_names[role], "permissions are read, create, update, delete and relate, each once");
                }
        }
        step_out(reading);
        return true;
}

static bool read_unless(struct reading *reading, struct kind *kind, const json_t *tree)
{
        const json_t *object = json_object_get(tree, "unless");
        const char *label;
        json_t *unused;
        if (!object)
                return true;
        step_in(reading, STR("unless"));
        if (!json_is_object(object))
                return refuse(reading, "here should stand labels with lists of values: {fstype: [tmpfs]}");
        json_object_foreach((json_t *)object, label, unused) {
                __typeof__(kind->unless.items) unless = arena_push(&reading->kinds->arena, &kind->unless);
                if (!unless)
                        return no_memory(reading);
                if (!keep(reading, str_of(label), &unless->label) || !read_names(reading, object, label, &unless->values))
                        return false;
        }
        step_out(reading);
        return true;
}

/* The place of the relation that a key of the kind names; -1 when the key is missing. */
static bool read_own_relation(struct reading *reading, const struct kind *kind, const json_t *tree, const char *key, int *out_place)
{
        struct str id = json_str(tree, key);
        *out_place = -1;
        if (!json_object_get(tree, key))
                return true;
        for (size_t i = 0; i < kind->relations.count; i++)
                if (str_equal(kind->relations.items[i].id, id))
                        *out_place = (int)i;
        return *out_place >= 0 || refuse_at(reading, str_of(key), "this is none of the kind's relations; declare it under \"relations:\"");
}

static bool read_states(struct reading *reading, struct kind *kind, const json_t *tree)
{
        if (!read_names(reading, tree, "states", &kind->states) || !read_text(reading, tree, "initial", true, &kind->initial))
                return false;
        return names_hold(&kind->states, kind->initial) ||
               refuse_at(reading, STR("initial"), "the first state must be one of \"states\"");
}

static bool read_kind(struct reading *reading, struct kind *kind, const json_t *tree)
{
        kind->within = kind->whole = -1;
        if (!know_keys(reading, tree, "kind title plural description display within whole requires_within permissions states initial unless "
                                      "identity fields relations") ||
            !read_text(reading, tree, "kind", true, &kind->id) || !check_id(reading, kind->id) ||
            !read_text(reading, tree, "title", true, &kind->title) || !read_text(reading, tree, "plural", true, &kind->plural) ||
            !read_text(reading, tree, "description", false, &kind->description) ||
            !read_text(reading, tree, "display", true, &kind->display) || !read_permissions(reading, kind, tree) ||
            !read_states(reading, kind, tree) || !read_unless(reading, kind, tree) || !read_parts(reading, kind, tree) ||
            !read_own_relation(reading, kind, tree, "within", &kind->within) ||
            !read_own_relation(reading, kind, tree, "whole", &kind->whole) ||
            !read_flag(reading, tree, "requires_within", &kind->requires_within))
                return false;
        const struct kind_field *display = kind_field_find(kind, kind->display);
        if (!display || display->type != FIELD_TEXT)
                return refuse_at(reading, STR("display"), "an entity is called by one of its text fields; declare it under \"fields:\"");
        return true;
}

static json_t *read_tree(struct reading *reading)
{
        char name[256];
        snprintf(name, sizeof name, "%.*s", STR_ARGS(reading->file->name));
        if (reading->file->text.length > KIND_FILE_BYTES_MAX) {
                fail(reading->err, ERR_TOO_LARGE, "register", "%s is larger than %zu bytes; split it", name, KIND_FILE_BYTES_MAX);
                return NULL;
        }
        return yaml_parse(reading->file->text, name, reading->err);
}

static bool take_kind(struct reading *reading, const json_t *tree)
{
        struct kinds *kinds = reading->kinds;
        const struct kind *known = kinds_find(kinds, json_str(tree, "kind"));
        if (known)
                return refuse_at(reading, STR("kind"), "this kind is declared in another file already; write \"extend:\" to add to it");
        if (kinds->list.count >= KINDS_MAX)
                return refuse(reading, "there are %d kinds already, as many as there may be", KINDS_MAX);
        struct kind *kind = arena_push(&kinds->arena, &kinds->list);
        return kind ? keep(reading, reading->file->name, &kind->file) && read_kind(reading, kind, tree) : no_memory(reading);
}

static bool extend_kind(struct reading *reading, const json_t *tree)
{
        struct kind *kind = (struct kind *)kinds_find(reading->kinds, json_str(tree, "extend"));
        if (!kind)
                return refuse_at(reading, STR("extend"), "there is no such kind to extend; write \"kind:\" to declare one");
        return know_keys(reading, tree, "extend identity fields relations") && read_parts(reading, kind, tree);
}

/* Kinds first, then what extends them, so that the order of files does not matter. */
static bool read_file(struct kinds *kinds, const struct embedded_file *file, bool extensions, struct err *err)
{
        struct reading reading = {.kinds = kinds, .file = file, .err = err};
        scoped_ptr(json_decref) json_t *tree = read_tree(&reading);
        if (!tree)
                return false;
        if (!json_is_object(tree) || (!json_object_get(tree, "kind") && !json_object_get(tree, "extend")))
                return refuse(&reading, "a file declares a kind (\"kind: rack\") or adds to one (\"extend: host\")");
        bool extends = json_object_get(tree, "extend") != NULL;
        if (extends != extensions)
                return true;
        return extends ? extend_kind(&reading, tree) : take_kind(&reading, tree);
}

/* --- what only all files together can say ---------------------------------------------------------------------------------------- */

static bool check_target(const struct kinds *kinds, const struct kind *kind, struct str target, const char *what, struct str id, struct err *err)
{
        return kinds_find(kinds, target) ||
               fail(err, ERR_INVALID, "register", "%.*s: the %s %.*s leads to a kind \"%.*s\", which no file declares; correct it or add that kind",
                    STR_ARGS(kind->file), what, STR_ARGS(id), STR_ARGS(target));
}

static bool check_links(const struct kinds *kinds, struct err *err)
{
        each (kind, &kinds->list) {
                each (field, &kind->fields)
                        if (field->to.length && !check_target(kinds, kind, field->to, "field", field->id, err))
                                return false;
                each (relation, &kind->relations)
                        each (target, &relation->to)
                                if (!check_target(kinds, kind, *target, "relation", relation->id, err))
                                        return false;
        }
        return true;
}

static const struct kind *end_of_within(const struct kinds *kinds, const struct kind *kind)
{
        return kind->within < 0 ? NULL : kinds_find(kinds, kind->relations.items[kind->within].to.items[0]);
}

static int depth_of(const struct kinds *kinds, const struct kind *kind)
{
        int depth = 0;
        for (; (kind = end_of_within(kinds, kind)) && depth < KINDS_MAX; depth++)
                continue;
        return depth;
}

/* Those that stand in nothing first: when a resource is read, what a key holds in is known before. */
static bool sort_kinds(struct kinds *kinds, struct err *err)
{
        struct { struct kind *items; size_t count, capacity; } sorted = {0};
        for (int depth = 0; depth < KINDS_MAX && sorted.count < kinds->list.count; depth++)
                each (kind, &kinds->list)
                        if (depth_of(kinds, kind) == depth) {
                                struct kind *place = arena_push(&kinds->arena, &sorted);
                                if (!place)
                                        return fail_memory(err, "register", sizeof *place);
                                *place = *kind;
                        }
        if (sorted.count < kinds->list.count)
                return fail(err, ERR_INVALID, "register", "kinds stand in each other by \"within\"; take one of these lines away");
        kinds->list.items = sorted.items;
        return true;
}

static int compare_names(const void *a, const void *b)
{
        return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool want(struct kinds *kinds, struct names *names, struct str name)
{
        if (names_hold(names, name))
                return true;
        struct str *kept = arena_push(&kinds->arena, names);
        if (kept)
                *kept = name;
        return kept;
}

/* Labels that matter for some metrics alone are asked for of these alone: "name" is a unit's in one metric and anything in others. */
static struct names *list_for(struct kinds *kinds, const struct labels *conditions)
{
        return labels_value(conditions, LABEL_METRIC_NAME).length ? &kinds->metric_labels : &kinds->labels;
}

static bool want_all(struct kinds *kinds, const struct names *names, const struct labels *conditions)
{
        each (name, names)
                if (!want(kinds, list_for(kinds, conditions), *name))
                        return false;
        each (condition, conditions)
                if (str_equal(condition->name, LABEL_METRIC_NAME) ? !want(kinds, &kinds->metric_names, condition->value)
                                                                  : !want(kinds, &kinds->labels, condition->name))
                        return false;
        return true;
}

static bool want_mapping(struct kinds *kinds, const struct kind_mapping *mapping)
{
        struct names *list = list_for(kinds, &mapping->conditions), none = {0};
        each (label, &mapping->from)
                if (!want(kinds, list, label->value))
                        return false;
        each (label, &mapping->to)
                if (!want(kinds, list, label->value))
                        return false;
        return want_all(kinds, &none, &mapping->conditions);
}

static bool want_of_kind(struct kinds *kinds, const struct kind *kind)
{
        each (unless, &kind->unless)
                if (!want(kinds, &kinds->labels, unless->label))
                        return false;
        each (rule, &kind->rules)
                if (!want_all(kinds, &rule->from, &rule->conditions))
                        return false;
        each (field, &kind->fields)
                if (!want_all(kinds, &field->from, &field->conditions))
                        return false;
        each (relation, &kind->relations)
                each (mapping, &relation->seen)
                        if (!want_mapping(kinds, mapping))
                                return false;
        return true;
}

static void sort_names(struct names *names)
{
        if (names->count)
                qsort(names->items, names->count, sizeof *names->items, compare_names);
}

static bool collect_wanted(struct kinds *kinds, struct err *err)
{
        each (kind, &kinds->list)
                if (!want_of_kind(kinds, kind))
                        return fail_memory(err, "register", sizeof *kind);
        sort_names(&kinds->labels);
        sort_names(&kinds->metric_names);
        sort_names(&kinds->metric_labels);
        return true;
}

bool kinds_parse(const struct embedded_file *files, size_t count, struct kinds **out_kinds, struct err *err)
{
        struct kinds *kinds = calloc(1, sizeof *kinds);
        if (!kinds)
                return fail_memory(err, "register", sizeof *kinds);
        kinds->references = 1;
        arena_init(&kinds->arena, KINDS_BYTES_MAX);
        bool good = true;
        for (size_t i = 0; i < count && good; i++)
                good = read_file(kinds, &files[i], false, err);
        for (size_t i = 0; i < count && good; i++)
                good = read_file(kinds, &files[i], true, err);
        if (!good || !check_links(kinds, err) || !sort_kinds(kinds, err) || !collect_wanted(kinds, err)) {
                kinds_unref(kinds);
                return false;
        }
        *out_kinds = kinds;
        return true;
}

struct kinds *kinds_ref(struct kinds *kinds)
{
        __atomic_add_fetch(&kinds->references, 1, __ATOMIC_RELAXED);
        return kinds;
}

void kinds_unref(struct kinds *kinds)
{
        if (!kinds || __atomic_sub_fetch(&kinds->references, 1, __ATOMIC_ACQ_REL))
                return;
        arena_done(&kinds->arena);
        free(kinds);
}

/* --- asking ------------------------------------------------------------------------------------------------------------------------ */

const struct kind *kinds_find(const struct kinds *kinds, struct str id)
{
        each (kind, &kinds->list)
                if (id.length && str_equal(kind->id, id))
                        return kind;
        return NULL;
}

const struct kind_field *kind_field_find(const struct kind *kind, struct str id)
{
        each (field, &kind->fields)
                if (str_equal(field->id, id))
                        return field;
        return NULL;
}

const struct kind_relation *kind_relation_find(const struct kind *kind, struct str id)
{
        each (relation, &kind->relations)
                if (str_equal(relation->id, id))
                        return relation;
        return NULL;
}

bool kind_allows(const struct kind *kind, enum role role, enum permission permission)
{
        for (size_t i = 0; i < countof(kind->permissions); i++)
                if (role & (1u << i) && kind->permissions[i] & permission)
                        return true;
        return false;
}

static json_t *names_list(const struct names *names)
{
        json_t *list = json_array();
        each (name, names)
                json_array_append_new(list, json_text(*name));
        return list;
}

static json_t *roles_list(unsigned roles)
{
        json_t *list = json_array();
        for (size_t i = 0; i < countof(role_names); i++)
                if (roles & (1u << i))
                        json_array_append_new(list, json_text(role_names[i]));
        return list;
}

static json_t *field_json(const struct kind_field *field)
{
        return json_pack("{s:o, s:o, s:s, s:o, s:b, s:b, s:o, s:o, s:o, s:o}", "id", json_text(field->id), "title", json_text(field->title),
                         "type", field_type_name(field->type), "unit", json_text(field->unit), "required", field->is_required, "unique",
                         field->is_unique, "write", roles_list(field->writers), "observe", names_list(&field->observers), "options",
                         names_list(&field->options), "to", json_text(field->to));
}

static json_t *relation_json(const struct kind_relation *relation)
{
        static const char *const impacts[] = {"none", "to_from", "from_to", "both"};
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "id", json_text(relation->id), "title", json_text(relation->title), "inverse",
                         json_text(relation->inverse), "inverse_title", json_text(relation->inverse_title), "to",
                         names_list(&relation->to), "impact", impacts[relation->impact]);
}

static json_t *permissions_json(const struct kind *kind)
{
        static const char *const names[] = {"read", "create", "update", "delete", "relate"};
        json_t *object = json_object();
        for (size_t role = 0; role < countof(role_names); role++) {
                json_t *list = json_array();
                for (size_t i = 0; i < countof(names); i++)
                        if (kind->permissions[role] & (1u << i))
                                json_array_append_new(list, json_string(names[i]));
                json_object_set_new(object, role_names[role].bytes, list);
        }
        return object;
}

json_t *kind_json(const struct kind *kind)
{
        json_t *fields = json_array(), *relations = json_array(), *keys = json_array();
        each (field, &kind->fields)
                json_array_append_new(fields, field_json(field));
        each (relation, &kind->relations)
                json_array_append_new(relations, relation_json(relation));
        each (rule, &kind->rules)
                json_array_append_new(keys, json_pack("{s:o, s:o}", "key", json_text(rule->key), "from", names_list(&rule->from)));
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", json_text(kind->id), "title",
                         json_text(kind->title), "plural", json_text(kind->plural), "description", json_text(kind->description), "display",
                         json_text(kind->display), "within",
                         kind->within < 0 ? json_null() : json_text(kind->relations.items[kind->within].id), "states",
                         names_list(&kind->states), "initial", json_text(kind->initial), "permissions", permissions_json(kind), "fields",
                         fields, "relations", relations, "identity", keys);
}

json_t *kinds_json(const struct kinds *kinds)
{
        json_t *list = json_array();
        each (kind, &kinds->list)
                json_array_append_new(list, kind_json(kind));
        return list;
}

static void tell(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(json_t *list, const char *format, ...)
{
        char text[400];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        json_array_append_new(list, json_string(text));
}

static void compare_fields(json_t *list, const struct kind *before, const struct kind *after)
{
        each (field, &before->fields) {
                const struct kind_field *now = kind_field_find(after, field->id);
                if (!now)
                        tell(list, "%.*s loses the field %.*s; its values stay in the history", STR_ARGS(after->id), STR_ARGS(field->id));
                else if (now->type != field->type)
                        tell(list, "%.*s.%.*s is %s, no longer %s; values that do not fit are shown as they are and cannot be written again",
                             STR_ARGS(after->id), STR_ARGS(field->id), field_type_name(now->type), field_type_name(field->type));
        }
        each (field, &after->fields)
                if (!kind_field_find(before, field->id))
                        tell(list, "%.*s gains the field %.*s", STR_ARGS(after->id), STR_ARGS(field->id));
}

json_t *kinds_compare(const struct kinds *before, const struct kinds *after)
{
        json_t *list = json_array();
        each (kind, &before->list) {
                const struct kind *now = kinds_find(after, kind->id);
                if (now)
                        compare_fields(list, kind, now);
                else
                        tell(list, "the kind %.*s goes; its entities are kept, but not shown", STR_ARGS(kind->id));
        }
        each (kind, &after->list)
                if (!kinds_find(before, kind->id))
                        tell(list, "the kind %.*s is new", STR_ARGS(kind->id));
        return list;
}
