/*
 * registry_command.c - what people may do to entities (registry.h lists the verbs).
 *
 * Every change is first made in a draft: a copy of the body with the new values, checked as a whole. Only when all drafts of a
 * command are fine are they applied; so a refusal changes nothing, and an import is all or nothing.
 */
#include "base/json.h"
#include "base/scope.h"
#include "register/entity_body.h"
#include "register/registry_memory.h"

#include <stdio.h>
#include <stdlib.h>

#define NOTE_BYTES 400
#define UNIQUE_BYTES_MAX 200

struct order {
        struct registry *registry;
        const json_t *arguments;
        const char *by;
        enum role role;
        uint64_t sequence;
        int64_t time_ns;
};

struct draft {
        const struct kind *kind;
        uint64_t id;            /* 0: a new one */
        uint64_t within;
        struct str state;       /* of the kind, the entity or the arguments */
        json_t *body;
        char note[NOTE_BYTES];
        bool is_changed;
};

static void draft_done(struct draft *draft)
{
        json_decref(draft->body);
}

/* --- who may ------------------------------------------------------------------------------------------------------------------- */

static bool allow(const struct order *order, const struct kind *kind, enum permission permission, const char *what, struct err *err)
{
        return kind_allows(kind, order->role, permission) ||
               fail(err, ERR_FORBIDDEN, "register", "your role may not %s %.*s; the kind's permissions say who may", what, STR_ARGS(kind->plural));
}

static bool find_named(const struct order *order, const char *argument, struct entity **out_entity, struct err *err)
{
        return entity_of_text(order->registry, json_str(order->arguments, argument), out_entity, err);
}

static bool find_visible(const struct order *order, const char *argument, struct entity **out_entity, struct err *err)
{
        struct entity *entity;
        if (!find_named(order, argument, &entity, err))
                return false;
        if (entity->hidden_ns)
                return fail(err, ERR_NOT_FOUND, "register", "%.*s was deleted; restore it first", STR_ARGS(entity->name));
        *out_entity = entity;
        return true;
}

/* --- drafts ---------------------------------------------------------------------------------------------------------------------- */

static bool draft_begin(const struct order *order, const struct entity *entity, struct draft *out_draft, struct err *err)
{
        struct draft draft = {.kind = kind_of(order->registry, entity), .id = entity->id, .within = entity->within, .state = entity->state};
        draft.body = body_of(entity, err);
        if (!draft.body)
                return false;
        *out_draft = draft;
        return true;
}

static void draft_note(struct draft *draft, struct str what)
{
        size_t length = strlen(draft->note);
        draft->is_changed = true;
        snprintf(draft->note + length, sizeof draft->note - length, "%s%.*s", length ? ", " : "", (int)min_of(what.length, (size_t)100), what.bytes);
}

/* A reference by name becomes one by id; one to nothing is refused. */
static bool check_reference(const struct order *order, const struct kind_field *field, json_t **value, struct err *err)
{
        uint64_t id = 0, found = 0;
        struct str text = {json_string_value(*value), json_string_length(*value)};
        struct entity *entity = str_to_u64(text, &id) ? entity_of(order->registry, id) : NULL;
        each (each_entity, &order->registry->entities)
                if (!entity && each_entity->id && !each_entity->is_purged && !each_entity->hidden_ns && str_equal(each_entity->kind, field->to) &&
                    str_equal(each_entity->name, text)) {
                        if (found)
                                return fail(err, ERR_CONFLICT, "register", "%.*s: several are called \"%.*s\"; write the id", STR_ARGS(field->title), STR_ARGS(text));
                        found = each_entity->id;
                }
        entity = entity ? entity : entity_of(order->registry, found);
        if (!entity || entity->hidden_ns || !str_equal(entity->kind, field->to))
                return fail(err, ERR_INVALID, "register", "%.*s: there is no %.*s \"%.*s\"", STR_ARGS(field->title), STR_ARGS(field->to),
                            (int)min_of(text.length, (size_t)100), text.bytes);
        char number[24];
        snprintf(number, sizeof number, "%llu", (unsigned long long)entity->id);
        json_decref(*value);
        *value = json_string(number);
        return *value || fail_memory(err, "register", sizeof number);
}

static bool draft_set(const struct order *order, struct draft *draft, struct str id, const json_t *given, struct err *err)
{
        const struct kind_field *field = kind_field_find(draft->kind, id);
        const json_t *old = body_intended(draft->body, id);
        scoped_ptr(json_decref) json_t *value = NULL;
        if (!field)
                return fail(err, ERR_INVALID, "register", "the kind %.*s has no field \"%.*s\"", STR_ARGS(draft->kind->id),
                            (int)min_of(id.length, (size_t)80), id.bytes);
        if (!(field->writers & order->role))
                return fail(err, ERR_FORBIDDEN, "register", "%.*s: your role may not write this field", STR_ARGS(field->title));
        if (json_is_null(given) || (json_is_string(given) && !json_string_length(given))) {
                if (old)
                        draft_note(draft, field->title);
                return body_set_intended(draft->body, id, NULL, order->by, order->time_ns);
        }
        struct str text = json_is_string(given) ? (struct str){json_string_value(given), json_string_length(given)} : (struct str){0};
        bool good = field->type == FIELD_REFERENCE && text.length && text.length <= VALUE_BYTES_MAX ?
                        ((value = json_stringn(text.bytes, text.length)) || fail_memory(err, "register", text.length)) && check_reference(order, field, &value, err) :
                        value_from_json(field, given, &value, err);
        if (!good)
                return false;
        if (old && json_equal(old, value))
                return true;
        draft_note(draft, field->title);
        return body_set_intended(draft->body, id, value, order->by, order->time_ns) || fail_memory(err, "register", text.length);
}

static bool draft_set_fields(const struct order *order, struct draft *draft, const json_t *fields, struct err *err)
{
        const char *id;
        json_t *value;
        if (fields && !json_is_object(fields))
                return fail(err, ERR_INVALID, "register", "fields is an object: {\"name\": \"web1\"}");
        json_object_foreach((json_t *)fields, id, value)
                if (!draft_set(order, draft, str_of(id), value, err))
                        return false;
        return true;
}

static bool draft_set_state(struct draft *draft, struct str state, struct err *err)
{
        if (!state.length || str_equal(state, draft->state))
                return true;
        if (!names_hold(&draft->kind->states, state))
                return fail(err, ERR_INVALID, "register", "the kind %.*s has no state \"%.*s\"", STR_ARGS(draft->kind->id),
                            (int)min_of(state.length, (size_t)80), state.bytes);
        draft->state = state;
        draft_note(draft, STR("state"));
        return true;
}

/* A unique field's value as a key: "=email", in the kind as a whole. */
static bool unique_key(const struct draft *draft, const struct kind_field *field, char out_sort[static 80], struct buf *out_value)
{
        const json_t *value = field->is_unique ? body_effective(draft->body, field->id) : NULL;
        snprintf(out_sort, 80, "=%.*s", STR_ARGS(field->id));
        buf_clear(out_value);
        return value && value_to_text(value, out_value) && out_value->length;
}

static bool check_owner(const struct draft *draft, const struct entity *owner, const struct kind_field *field, struct err *err)
{
        if (!owner || owner->id == draft->id)
                return true;
        if (owner->hidden_ns)
                return fail(err, ERR_CONFLICT, "register", "%.*s: %.*s (%llu), which was deleted, has it still; restore that one", STR_ARGS(field->title),
                            STR_ARGS(owner->name), (unsigned long long)owner->id);
        return fail(err, ERR_CONFLICT, "register", "%.*s: %.*s (%llu) has this already", STR_ARGS(field->title), STR_ARGS(owner->name),
                    (unsigned long long)owner->id);
}

/* Keys that a new value stands for and somebody else has. */
static bool check_identity(struct registry *registry, const struct draft *draft, const struct kind_field *field, struct err *err)
{
        struct arena arena;
        const json_t *value = body_intended(draft->body, field->id);
        bool good = true;
        if (!field->from_key.count || !json_is_string(value) || draft->id)
                return true;
        arena_init(&arena, 1 << 16);
        each (sort, &field->from_key)
                each (rule, &draft->kind->rules) {
                        struct str clean, text = {json_string_value(value), json_string_length(value)};
                        if (good && str_equal(rule->key, *sort) && rule->clean(text, &arena, &clean))
                                good = check_owner(draft, key_owner(registry, draft->kind->id, draft->within, rule->key, clean), field, err);
                }
        arena_done(&arena);
        return good;
}

static bool draft_check(const struct order *order, const struct draft *draft, struct err *err)
{
        scoped(buf_done) struct buf value = {0}, whole = {.bytes_max = ENTITY_BODY_BYTES_MAX};
        if (!json_write(draft->body, &whole))
                return fail(err, ERR_TOO_LARGE, "register", "the values of one entity take more than %zu KiB together", ENTITY_BODY_BYTES_MAX >> 10);
        each (field, &draft->kind->fields) {
                char sort[80];
                if (field->is_required && !body_effective(draft->body, field->id))
                        return fail(err, ERR_INVALID, "register", "%.*s (%.*s) is needed", STR_ARGS(field->title), STR_ARGS(field->id));
                if (!check_identity(order->registry, draft, field, err))
                        return false;
                if (!unique_key(draft, field, sort, &value))
                        continue;
                if (value.length > UNIQUE_BYTES_MAX)
                        return fail(err, ERR_INVALID, "register", "%.*s: a unique value has %d bytes at most", STR_ARGS(field->title), UNIQUE_BYTES_MAX);
                if (!check_owner(draft, key_owner(order->registry, draft->kind->id, 0, str_of(sort), buf_str(&value)), field, err))
                        return false;
        }
        return true;
}

static bool take_field_keys(const struct order *order, struct entity *entity, const struct draft *draft)
{
        scoped(buf_done) struct buf value = {0};
        bool good = true;
        each (field, &draft->kind->fields) {
                char sort[80];
                const json_t *intended = body_intended(draft->body, field->id);
                if (json_is_string(intended) && field->from_key.count)
                        good = good && keys_of_value(order->registry, entity, draft->kind, field,
                                                     (struct str){json_string_value(intended), json_string_length(intended)});
                if (!field->is_unique)
                        continue;
                bool has_value = unique_key(draft, field, sort, &value);
                if (!has_value || key_owner(order->registry, entity->kind, 0, str_of(sort), buf_str(&value)) != entity)
                        key_remove(order->registry, entity, str_of(sort), (struct str){0});
                good = good && (!has_value || key_add(order->registry, entity, 0, str_of(sort), buf_str(&value)));
        }
        return good;
}

static bool draft_apply(const struct order *order, const struct draft *draft, const char *verb, uint64_t *out_id, struct err *err)
{
        struct registry *registry = order->registry;
        struct entity *entity = draft->id ? entity_of(registry, draft->id) :
                                            entity_new(registry, draft->kind, draft->within, next_id(registry, order->sequence), order->time_ns, err);
        if (!entity)
                return false;
        uint64_t id = entity->id;
        if (!take_field_keys(order, entity, draft))
                return fail_memory(err, "register", sizeof *entity);
        if (!entity_change(registry, entity, draft->body, draft->state, 0, order->by, verb, draft->note, order->sequence, order->time_ns, err))
                return false;
        *out_id = id;
        return !draft->within || draft->id ||
               link_note(registry, id, draft->kind->relations.items[draft->kind->within].id, draft->within, EDGE_PERSON, order->by, order->time_ns, NULL, err);
}

static json_t *id_json(uint64_t id)
{
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)id);
        return json_pack("{s:s}", "id", text);
}

static bool answer_id(uint64_t id, json_t **out_result, struct err *err)
{
        *out_result = id_json(id);
        return *out_result || fail_memory(err, "register", sizeof id);
}

/* --- verbs -------------------------------------------------------------------------------------------------------------------------- */

static bool draft_new(const struct kind *kind, struct draft *out_draft, struct err *err)
{
        *out_draft = (struct draft){.kind = kind, .state = kind->initial, .body = json_object()};
        return out_draft->body || fail_memory(err, "register", sizeof *out_draft);
}

static bool set_within(const struct order *order, struct draft *draft, struct err *err)
{
        const struct kind_relation *relation = draft->kind->within < 0 ? NULL : &draft->kind->relations.items[draft->kind->within];
        struct str id = {0};
        struct entity *end;
        if (relation)
                id = json_str(json_object_get(order->arguments, "relations"), relation->id.bytes);
        if (!id.length && draft->kind->requires_within)
                return fail(err, ERR_INVALID, "register", "a %.*s %.*s something: add relations: {\"%.*s\": id}", STR_ARGS(draft->kind->id),
                            STR_ARGS(relation->title), STR_ARGS(relation->id));
        if (!id.length)
                return true;
        if (!entity_of_text(order->registry, id, &end, err))
                return false;
        if (end->hidden_ns || !names_hold(&relation->to, end->kind))
                return fail(err, ERR_INVALID, "register", "%.*s leads to another kind than %.*s", STR_ARGS(relation->id), STR_ARGS(end->kind));
        draft->within = end->id;
        return true;
}

static bool entity_create(const struct order *order, json_t **out_result, struct err *err)
{
        struct str kind_id = json_str(order->arguments, "kind");
        const struct kind *kind = kinds_find(order->registry->kinds, kind_id);
        if (!kind)
                return fail(err, ERR_NOT_FOUND, "register", "there is no kind \"%.*s\"", (int)min_of(kind_id.length, (size_t)80), kind_id.bytes ? kind_id.bytes : "");
        scoped(draft_done) struct draft draft = {0};
        uint64_t id;
        return allow(order, kind, MAY_CREATE, "create", err) && draft_new(kind, &draft, err) && set_within(order, &draft, err) &&
               draft_set_fields(order, &draft, json_object_get(order->arguments, "fields"), err) &&
               draft_set_state(&draft, json_str(order->arguments, "state"), err) && draft_check(order, &draft, err) &&
               draft_apply(order, &draft, "create", &id, err) && answer_id(id, out_result, err);
}

static bool check_version(const struct order *order, const struct entity *entity, struct err *err)
{
        uint64_t version;
        struct str text = json_str(order->arguments, "version");
        return !text.length || (str_to_u64(text, &version) && version == entity->version) ||
               fail(err, ERR_CONFLICT, "register", "%.*s was changed meanwhile; look at it again, then write", STR_ARGS(entity->name));
}

static bool entity_update(const struct order *order, json_t **out_result, struct err *err)
{
        struct entity *entity;
        scoped(draft_done) struct draft draft = {0};
        uint64_t id;
        if (!find_visible(order, "id", &entity, err) || !allow(order, kind_of(order->registry, entity), MAY_UPDATE, "change", err) ||
            !check_version(order, entity, err) || !draft_begin(order, entity, &draft, err) ||
            !draft_set_fields(order, &draft, json_object_get(order->arguments, "fields"), err) ||
            !draft_set_state(&draft, json_str(order->arguments, "state"), err) || !draft_check(order, &draft, err))
                return false;
        return (!draft.is_changed || draft_apply(order, &draft, "update", &id, err)) && answer_id(draft.id, out_result, err);
}

static bool set_hidden(const struct order *order, bool hidden, const char *verb, json_t **out_result, struct err *err)
{
        struct entity *entity;
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!find_named(order, "id", &entity, err) || !allow(order, kind_of(order->registry, entity), MAY_DELETE, "delete and restore", err))
                return false;
        if (hidden == (entity->hidden_ns != 0))
                return answer_id(entity->id, out_result, err);
        return (body = body_of(entity, err)) &&
               entity_change(order->registry, entity, body, entity->state, hidden ? order->time_ns : 0, order->by, verb,
                             hidden ? "deleted; its rows go after 30 days" : "restored", order->sequence, order->time_ns, err) &&
               answer_id(entity->id, out_result, err);
}

static bool entity_delete(const struct order *order, json_t **out_result, struct err *err)
{
        return set_hidden(order, true, "delete", out_result, err);
}

static bool entity_restore(const struct order *order, json_t **out_result, struct err *err)
{
        return set_hidden(order, false, "restore", out_result, err);
}

struct reverting {
        struct draft *draft;
        struct registry *registry;
};

/* Takes the values and the state of the event over; people's values alone: what was observed since stays observed. */
static bool take_event(void *context, const struct event_row *event, struct err *err)
{
        struct reverting *reverting = context;
        struct draft *draft = reverting->draft;
        scoped_ptr(json_decref) json_t *then = json_parse(event->body, err);
        if (!then)
                return false;
        each (field, &draft->kind->fields) {
                const json_t *old = json_object_getn(then, field->id.bytes, field->id.length);
                const json_t *intended = json_object_get(old, "i");
                json_t *both = json_object_getn(draft->body, field->id.bytes, field->id.length);
                if (!intended) {
                        body_set_intended(draft->body, field->id, NULL, "", 0);
                        continue;
                }
                if (!both && json_object_setn_new(draft->body, field->id.bytes, field->id.length, both = json_object()))
                        return fail_memory(err, "register", sizeof both);
                if (json_object_set(both, "i", (json_t *)intended))
                        return fail_memory(err, "register", sizeof both);
        }
        struct str state;
        if (!intern_text(reverting->registry, event->state, &state))
                return fail_memory(err, "register", event->state.length);
        draft->state = names_hold(&draft->kind->states, state) ? state : draft->state;
        return true;
}

static bool entity_revert(const struct order *order, json_t **out_result, struct err *err)
{
        struct entity *entity;
        scoped(draft_done) struct draft draft = {0};
        struct str text = json_str(order->arguments, "event");
        uint64_t event, id;
        bool found;
        if (!find_visible(order, "id", &entity, err) || !allow(order, kind_of(order->registry, entity), MAY_UPDATE, "change", err) ||
            !draft_begin(order, entity, &draft, err))
                return false;
        struct reverting reverting = {&draft, order->registry};
        if (!str_to_u64(text, &event) || !order->registry->state)
                return fail(err, ERR_INVALID, "register", "write the event to go back to, from the history");
        if (!event_get(order->registry->state, entity->id, event, &found, take_event, &reverting, err))
                return false;
        if (!found)
                return fail(err, ERR_NOT_FOUND, "register", "%.*s has no event %llu in its history", STR_ARGS(entity->name), (unsigned long long)event);
        each (field, &draft.kind->fields) {
                scoped_ptr(json_decref) json_t *now = body_of(entity, err);
                if (!now)
                        return false;
                const json_t *was = body_intended(now, field->id), *is = body_intended(draft.body, field->id);
                if ((!was != !is || (was && !json_equal(was, is))) && !(field->writers & order->role))
                        return fail(err, ERR_FORBIDDEN, "register", "%.*s: your role may not write this field", STR_ARGS(field->title));
        }
        snprintf(draft.note, sizeof draft.note, "back to what it was after event %llu", (unsigned long long)event);
        return draft_check(order, &draft, err) && draft_apply(order, &draft, "revert", &id, err) && answer_id(id, out_result, err);
}

/* --- relations ----------------------------------------------------------------------------------------------------------------------- */

static bool note_relation(const struct order *order, uint64_t id, const char *verb, const struct kind_relation *relation, struct str other, struct err *err)
{
        char note[NOTE_BYTES];
        struct entity *entity = entity_of(order->registry, id);
        scoped_ptr(json_decref) json_t *body = body_of(entity, err);
        snprintf(note, sizeof note, "%.*s %.*s", STR_ARGS(relation->title), (int)min_of(other.length, (size_t)200), other.bytes);
        return body && entity_change(order->registry, entity, body, entity->state, 0, order->by, verb, note, order->sequence, order->time_ns, err);
}

static bool find_ends(const struct order *order, struct entity **out_from, struct entity **out_to, const struct kind_relation **out_relation, struct err *err)
{
        struct str id = json_str(order->arguments, "relation");
        if (!find_visible(order, "id", out_from, err) || !find_visible(order, "to", out_to, err))
                return false;
        const struct kind *kind = kind_of(order->registry, *out_from);
        *out_relation = kind_relation_find(kind, id);
        if (!*out_relation)
                return fail(err, ERR_NOT_FOUND, "register", "the kind %.*s has no relation \"%.*s\"", STR_ARGS(kind->id), (int)min_of(id.length, (size_t)80),
                            id.bytes ? id.bytes : "");
        if (!names_hold(&(*out_relation)->to, (*out_to)->kind))
                return fail(err, ERR_INVALID, "register", "%.*s does not lead to a %.*s", STR_ARGS(id), STR_ARGS((*out_to)->kind));
        if (*out_from == *out_to)
                return fail(err, ERR_INVALID, "register", "an entity is not related to itself");
        return allow(order, kind, MAY_RELATE, "relate", err);
}

static bool entity_relate(const struct order *order, json_t **out_result, struct err *err)
{
        struct entity *from, *to;
        const struct kind_relation *relation;
        bool is_new;
        return find_ends(order, &from, &to, &relation, err) &&
               link_note(order->registry, from->id, relation->id, to->id, EDGE_PERSON, order->by, order->time_ns, &is_new, err) &&
               (!is_new || note_relation(order, from->id, "relate", relation, to->name, err)) && answer_id(from->id, out_result, err);
}

static bool entity_unrelate(const struct order *order, json_t **out_result, struct err *err)
{
        struct entity *from, *to;
        const struct kind_relation *relation;
        if (!find_ends(order, &from, &to, &relation, err))
                return false;
        if (!link_drop(order->registry, from->id, relation->id, to->id, EDGE_PERSON))
                return fail(err, ERR_NOT_FOUND, "register", "nobody related these by hand; an observed relation ends when it is no longer seen, a declared one in its file");
        return note_relation(order, from->id, "unrelate", relation, to->name, err) && answer_id(from->id, out_result, err);
}

/* --- import ----------------------------------------------------------------------------------------------------------------------------- */

struct import {
        struct draft *drafts;
        size_t count;
        json_t *taken; /* names and unique values of the rows so far */
};

static void import_done(struct import *import)
{
        for (size_t i = 0; i < import->count; i++)
                draft_done(&import->drafts[i]);
        free(import->drafts);
        json_decref(import->taken);
}

static struct entity *entity_named(struct registry *registry, const struct kind *kind, struct str name)
{
        each (entity, &registry->entities)
                if (entity->id && !entity->is_purged && !entity->hidden_ns && str_equal(entity->kind, kind->id) && str_equal(entity->name, name))
                        return entity;
        return NULL;
}

static bool is_row_of_its_own(struct import *import, const struct draft *draft, struct err *err)
{
        scoped(buf_done) struct buf mark = {0};
        buf_text(&mark, "name:");
        value_to_text(body_effective(draft->body, draft->kind->display), &mark);
        if (json_object_getn(import->taken, mark.bytes, mark.length))
                return fail(err, ERR_CONFLICT, "register", "another row is about the same one");
        json_object_setn_new(import->taken, mark.bytes, mark.length, json_true());
        each (field, &draft->kind->fields) {
                char sort[80];
                scoped(buf_done) struct buf value = {0};
                if (!unique_key(draft, field, sort, &value))
                        continue;
                buf_clear(&mark);
                buf_printf(&mark, "%s:%.*s", sort, STR_ARGS(buf_str(&value)));
                if (json_object_getn(import->taken, mark.bytes, mark.length))
                        return fail(err, ERR_CONFLICT, "register", "%.*s: another row has this value", STR_ARGS(field->title));
                json_object_setn_new(import->taken, mark.bytes, mark.length, json_true());
        }
        return true;
}

static bool import_row(const struct order *order, const struct kind *kind, const json_t *row, struct draft *draft, struct err *err)
{
        struct str id = json_str(row, "id"), name = json_str(row, kind->display.bytes), state = json_str(row, "state");
        struct entity *entity = NULL;
        const char *column;
        json_t *value;
        if (id.length && !entity_of_text(order->registry, id, &entity, err))
                return false;
        if (entity && (entity->hidden_ns || !str_equal(entity->kind, kind->id)))
                return fail(err, ERR_NOT_FOUND, "register", "the id %.*s is of another kind, or was deleted", STR_ARGS(id));
        entity = entity ? entity : name.length ? entity_named(order->registry, kind, name) : NULL;
        if (entity ? !draft_begin(order, entity, draft, err) : !draft_new(kind, draft, err))
                return false;
        if (!entity && kind->requires_within)
                return fail(err, ERR_UNSUPPORTED, "register", "a new %.*s cannot come from CSV: it stands in something", STR_ARGS(kind->id));
        json_object_foreach((json_t *)row, column, value) {
                if (strcmp(column, "id") == 0 || strcmp(column, "state") == 0 || strcmp(column, "within") == 0 || !json_string_length(value))
                        continue;
                const struct kind_field *field = kind_field_find(kind, str_of(column));
                scoped_ptr(json_decref) json_t *typed = NULL;
                if (!field || field->type == FIELD_REFERENCE)
                        typed = json_incref(value);
                else if (!value_from_text(field, (struct str){json_string_value(value), json_string_length(value)}, &typed, err))
                        return false;
                bool is_as_it_is = field && body_effective(draft->body, field->id) && json_equal(body_effective(draft->body, field->id), typed);
                if (!is_as_it_is && !draft_set(order, draft, str_of(column), typed, err))
                        return false; /* a value that is only observed does not become intended by an export and its import */
        }
        return draft_set_state(draft, state, err) &&
               allow(order, kind, entity ? MAY_UPDATE : MAY_CREATE, entity ? "change" : "create", err) && draft_check(order, draft, err);
}

static bool entity_import(const struct order *order, json_t **out_result, struct err *err)
{
        const struct kind *kind = kinds_find(order->registry->kinds, json_str(order->arguments, "kind"));
        const json_t *rows = json_object_get(order->arguments, "rows"), *row;
        size_t i, created = 0, updated = 0, same = 0;
        uint64_t id;
        if (!kind)
                return fail(err, ERR_NOT_FOUND, "register", "there is no such kind");
        if (!json_is_array(rows) || json_array_size(rows) > REGISTRY_IMPORT_MAX)
                return fail(err, ERR_TOO_LARGE, "register", "an import has %d rows at most; split it", REGISTRY_IMPORT_MAX);
        scoped(import_done) struct import import = {.drafts = calloc(json_array_size(rows) + 1, sizeof *import.drafts), .taken = json_object()};
        if (!import.drafts || !import.taken)
                return fail_memory(err, "register", json_array_size(rows) * sizeof *import.drafts);
        json_array_foreach(rows, i, row) {
                struct draft *draft = &import.drafts[import.count++];
                if (!import_row(order, kind, row, draft, err) || !is_row_of_its_own(&import, draft, err))
                        return err_within(err, "row %zu (nothing was taken)", i + 1);
        }
        if (order->registry->stats.entities + order->registry->stats.hidden + import.count > order->registry->options.entities_max)
                return fail(err, ERR_FULL, "register", "the register holds %zu entities at most", order->registry->options.entities_max);
        for (i = 0; i < import.count; i++) {
                const struct draft *draft = &import.drafts[i];
                *(!draft->id ? &created : draft->is_changed ? &updated : &same) += 1;
                if ((!draft->id || draft->is_changed) && !draft_apply(order, draft, "import", &id, err))
                        return false;
        }
        *out_result = json_pack("{s:I, s:I, s:I}", "created", (json_int_t)created, "updated", (json_int_t)updated, "same", (json_int_t)same);
        return *out_result || fail_memory(err, "register", sizeof created);
}

/* --- by name ------------------------------------------------------------------------------------------------------------------------------ */

static const struct verb {
        const char *name;
        bool (*apply)(const struct order *order, json_t **out_result, struct err *err);
} verbs[] = {
        {"entity_create", entity_create},   {"entity_delete", entity_delete},     {"entity_import", entity_import},
        {"entity_relate", entity_relate},   {"entity_restore", entity_restore},   {"entity_revert", entity_revert},
        {"entity_unrelate", entity_unrelate}, {"entity_update", entity_update},
};

static const struct verb *verb_of(const char *name)
{
        for (size_t i = 0; i < countof(verbs); i++)
                if (name && strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

bool registry_handles(const char *verb)
{
        return verb_of(verb) || (verb && strcmp(verb, "entity_seen") == 0);
}

/* As telemetry does; for programs that know of something without measuring it. */
static bool entity_seen(struct registry *registry, const struct order *order, json_t **out_result, struct err *err)
{
        struct arena arena;
        struct labels labels = {0};
        const char *name;
        json_t *value;
        bool good = true;
        if (!(order->role & (ROLE_OPERATOR | ROLE_ADMIN)))
                return fail(err, ERR_FORBIDDEN, "register", "your role may not say what was seen");
        arena_init(&arena, 1 << 20);
        json_object_foreach(json_object_get(order->arguments, "labels"), name, value) {
                struct label *label = json_is_string(value) ? arena_push(&arena, &labels) : NULL;
                if (label)
                        *label = (struct label){str_of(name), {json_string_value(value), json_string_length(value)}};
        }
        good = labels_canonical(&labels, err);
        struct resource_seen seen = {labels, order->time_ns, false};
        good = good && registry_see(registry, &seen, 1, order->sequence, order->time_ns, err);
        arena_done(&arena);
        *out_result = good ? json_object() : NULL;
        return good && (*out_result || fail_memory(err, "register", sizeof seen));
}

bool registry_command(struct registry *registry, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                      int64_t time_ns, json_t **out_result, struct err *err)
{
        struct str role = json_str(arguments, "role");
        struct order order = {registry, arguments, by, role.length ? role_parse(role) : ROLE_ADMIN, sequence, time_ns};
        const struct verb *row = verb_of(verb);
        if (!row && registry_handles(verb))
                return entity_seen(registry, &order, out_result, err);
        if (!row)
                return fail(err, ERR_NOT_FOUND, "register", "there is no command \"%s\" about entities", verb);
        with_lock(&registry->lock);
        return row->apply(&order, out_result, err) || err_within(err, "%s", verb);
}
