/*
 * registry_see.c - what telemetry names becomes entities (registry.h).
 *
 * A resource's labels give keys for each kind, hosts before what stands within them. The strongest key that somebody has
 * decides, unless a still stronger one contradicts; all other keys become aliases, so that "10.0.0.3", "web1" and
 * "web1.example.org" end in one host once one resource names two of them. Two entities that turn out to be one are merged.
 */
#include "base/json.h"
#include "base/scope.h"
#include "register/entity_body.h"
#include "register/registry_memory.h"

#include <stdio.h>
#include <stdlib.h>

#define SEE_BYTES_MAX ((size_t)1 << 20)
#define TELEMETRY "telemetry"

struct seeing {
        struct registry *registry;
        struct arena *arena;
        const struct labels *labels;
        uint64_t sequence;
        int64_t time_ns;
        uint64_t ids[KINDS_MAX]; /* by place of the kind: the entity that the labels name; 0: none */
        bool may_create;
};

/* --- who is it ----------------------------------------------------------------------------------------------------------------- */

struct owners {
        uint64_t within;
        uint32_t exact, elsewhere;
        size_t elsewhere_count;
};

static void note_owner(void *context, const struct key *key)
{
        struct owners *owners = context;
        if (key->within == owners->within)
                owners->exact = key->entity;
        else if (!owners->within) {
                owners->elsewhere = key->entity;
                owners->elsewhere_count++;
        }
}

/* Whether the entity has a key of a sort that the identity names stronger than its key number `place`: then that one
 * would have matched, so it is another entity. */
static bool contradicts(const struct registry *registry, const struct entity *entity, const struct identity *identity, size_t place)
{
        for (size_t i = 0; i < place; i++)
                if (identity->keys[i].strength < identity->keys[place].strength && key_has_sort(registry, entity, identity->keys[i].key))
                        return true;
        return false;
}

struct entity *identity_match(struct registry *registry, const struct kind *kind, uint64_t within, const struct identity *identity,
                              bool *out_is_ambiguous)
{
        *out_is_ambiguous = false;
        for (size_t i = 0; i < identity->count; i++) {
                struct owners owners = {.within = within, .exact = NOBODY};
                keys_with(registry, kind->id, identity->keys[i].key, identity->keys[i].value, note_owner, &owners);
                uint32_t at = owners.exact != NOBODY ? owners.exact : owners.elsewhere_count == 1 ? owners.elsewhere : NOBODY;
                if (at == NOBODY) {
                        *out_is_ambiguous |= owners.elsewhere_count > 1;
                        continue;
                }
                if (!contradicts(registry, &registry->entities.items[at], identity, i))
                        return &registry->entities.items[at];
        }
        return NULL;
}

/* --- coming to be ---------------------------------------------------------------------------------------------------------------- */

/* A bucket that fills by REGISTRY_NEW_PER_S (the generic cell rate algorithm, ITU-T I.371): journal time alone decides. */
static bool allow_new(struct registry *registry, int64_t time_ns)
{
        int64_t each_ns = 1000000000 / REGISTRY_NEW_PER_S, due_ns = max_of(registry->new_due_ns, time_ns);
        if (due_ns - time_ns > each_ns * (REGISTRY_NEW_BURST - 1)) {
                registry->stats.refused_rate++;
                return false;
        }
        registry->new_due_ns = due_ns + each_ns;
        return true;
}

static bool may_create(const struct seeing *seeing, const struct identity *identity)
{
        bool allowed = false;
        for (size_t i = 0; i < identity->count; i++)
                allowed |= identity->keys[i].may_create;
        return allowed && seeing->may_create;
}

static struct str value_of_key(const struct identity *identity, struct str key)
{
        for (size_t i = 0; i < identity->count; i++)
                if (str_equal(identity->keys[i].key, key))
                        return identity->keys[i].value;
        return (struct str){0};
}

/* What the labels say about a field; empty: nothing. A key that is somebody else's is not this one's name. */
static struct str observed_text(const struct seeing *seeing, const struct entity *entity, const struct kind_field *field,
                                const struct identity *identity)
{
        if (!labels_meet(seeing->labels, &field->conditions))
                return (struct str){0};
        each (key, &field->from_key) {
                struct str value = value_of_key(identity, *key);
                if (value.length && key_owner(seeing->registry, entity->kind, entity->within, *key, value) == entity)
                        return value;
        }
        each (name, &field->from)
                if (labels_value(seeing->labels, *name).length)
                        return labels_value(seeing->labels, *name);
        return (struct str){0};
}

/* A name stays what it was while it is still one of the keys: aliases come in any order and must not make it flap. */
static bool keeps_old(struct registry *registry, struct entity *entity, const struct kind_field *field, const json_t *old)
{
        if (!field->from_key.count || !json_is_string(old))
                return false;
        struct str value = {json_string_value(old), json_string_length(old)};
        struct str strongest = field->from_key.items[0];
        if (key_owner(registry, entity->kind, entity->within, strongest, value) == entity)
                return true;
        if (key_has_sort(registry, entity, strongest))
                return false;
        each (sort, &field->from_key)
                if (key_owner(registry, entity->kind, entity->within, *sort, value) == entity)
                        return true;
        return false;
}

/* False: no memory. A text that does not fit the field's type is left out. */
static bool observe_field(struct seeing *seeing, struct entity *entity, const struct kind_field *field, const struct identity *identity,
                          json_t *body, struct buf *note)
{
        struct str text = observed_text(seeing, entity, field, identity);
        const json_t *old = body_observed(body, field->id);
        scoped_ptr(json_decref) json_t *value = NULL;
        struct err err;
        if (!text.length || keeps_old(seeing->registry, entity, field, old))
                return true;
        if (!value_from_text(field, text, &value, &err))
                return err.code != ERR_MEMORY;
        if (old && json_equal(old, value))
                return true;
        buf_printf(note, "%s%.*s", note->length ? ", " : "", STR_ARGS(field->title));
        return body_set_observed(body, field->id, value, TELEMETRY, seeing->time_ns);
}

static bool observe_fields(struct seeing *seeing, struct entity *entity, const struct kind *kind, const struct identity *identity, bool is_new,
                           struct err *err)
{
        scoped(buf_done) struct buf note = {0};
        bool says_something = is_new;
        each (field, &kind->fields)
                says_something |= observed_text(seeing, entity, field, identity).length > 0;
        scoped_ptr(json_decref) json_t *body = says_something ? body_of(entity, err) : NULL;
        if (!says_something)
                return true;
        if (!body)
                return false;
        each (field, &kind->fields)
                if (names_hold(&field->observers, STR(TELEMETRY)) && !observe_field(seeing, entity, field, identity, body, &note))
                        return fail_memory(err, "register", note.length);
        if (!note.length && !is_new)
                return true;
        buf_byte(&note, '\0');
        if (note.failed)
                return fail_memory(err, "register", note.length);
        return entity_change(seeing->registry, entity, body, entity->state, entity->hidden_ns, TELEMETRY, is_new ? "seen" : "observed", note.bytes,
                             seeing->sequence, seeing->time_ns, err);
}

/* --- two that are one -------------------------------------------------------------------------------------------------------------- */

static bool is_of_people(struct registry *registry, const struct entity *entity)
{
        scoped_ptr(json_decref) json_t *body = body_of(entity, NULL);
        const struct kind *kind = kind_of(registry, entity);
        bool intended = !body || !kind;
        if (!intended)
                each (field, &kind->fields)
                        intended |= body_intended(body, field->id) != NULL;
        return intended;
}

static bool move_links(struct registry *registry, uint64_t from, uint64_t to, int64_t time_ns, struct err *err)
{
        size_t count = registry->links.count;
        for (size_t i = 0; i < count; i++) {
                struct link link = registry->links.items[i];
                if (!link.relation.bytes || link.is_gone || (link.from != from && link.to != from))
                        continue;
                uint64_t a = link.from == from ? to : link.from, b = link.to == from ? to : link.to;
                link_drop(registry, link.from, link.relation, link.to, link.source);
                if (a != b && !link_note(registry, a, link.relation, b, link.source, link.by.bytes, time_ns, NULL, err))
                        return false;
        }
        return true;
}

/* Gives each key of one entity to another, to hold within the place that is given. False: no memory. */
static bool move_keys(struct registry *registry, struct entity *from, struct entity *to, uint64_t within, struct err *err)
{
        struct key moved[ENTITY_KEYS_MAX];
        size_t count = 0;
        bool good = true;
        for (; from->first_key != NOBODY && count < countof(moved) && good; count++) {
                moved[count] = registry->keys.items[from->first_key];
                good = heap_text(moved[count].value, &moved[count].value);
                if (good)
                        key_remove(registry, from, moved[count].sort, moved[count].value);
        }
        for (size_t i = 0; i < count; i++) {
                good = good && key_add(registry, to, within, moved[i].sort, moved[i].value);
                free((char *)moved[i].value.bytes);
        }
        return good || fail_memory(err, "register", sizeof(struct key));
}

static bool merge(struct seeing *seeing, struct entity *into, struct entity *from, struct err *err);

/* What stood within one entity stands within another from now on; what is there twice then is merged. */
static bool move_inside(struct seeing *seeing, uint64_t from, uint64_t into, struct err *err)
{
        struct registry *registry = seeing->registry;
        each (entity, &registry->entities) {
                if (entity->within != from || entity->is_purged || entity->hidden_ns)
                        continue;
                struct entity *same = NULL;
                for (uint32_t i = entity->first_key; i != NOBODY && !same; i = registry->keys.items[i].next)
                        same = key_owner(registry, entity->kind, into, registry->keys.items[i].sort, registry->keys.items[i].value);
                if (same ? !merge(seeing, same, entity, err) : (entity->within = into, !move_keys(registry, entity, entity, into, err)))
                        return false;
                if (!same && (!entity_rewrite(registry, entity) || !graph_refresh(registry, entity, false, err)))
                        return fail_memory(err, "register", sizeof *entity);
        }
        return true;
}

/* Keys, relations and what stood within it go over; the rest is hidden, with an event that says why. */
static bool merge(struct seeing *seeing, struct entity *into, struct entity *from, struct err *err)
{
        struct registry *registry = seeing->registry;
        scoped_ptr(json_decref) json_t *body = body_of(from, err);
        char note[300];
        snprintf(note, sizeof note, "is the same as %.*s (%llu)", (int)min_of(into->name.length, (size_t)200), into->name.bytes, (unsigned long long)into->id);
        if (!body || !entity_change(registry, from, body, from->state, seeing->time_ns, TELEMETRY, "merged", note, seeing->sequence, seeing->time_ns, err))
                return false;
        registry->stats.merged++;
        return move_keys(registry, from, into, into->within, err) && move_inside(seeing, from->id, into->id, err) &&
               move_links(registry, from->id, into->id, seeing->time_ns, err);
}

/* Whoever else has one of the keys, and contradicts none, is the same thing seen under another name. */
static bool take_keys(struct seeing *seeing, struct entity *entity, const struct kind *kind, uint64_t within, const struct identity *identity,
                      struct err *err)
{
        struct registry *registry = seeing->registry;
        for (size_t i = 0; i < identity->count; i++) {
                const struct identity_key *key = &identity->keys[i];
                if (!key->may_create)
                        continue; /* it may name an entity that is there; it is no name to give */
                struct entity *owner = key_owner(registry, kind->id, within, key->key, key->value);
                if (owner && owner != entity && !owner->hidden_ns && !contradicts(registry, owner, identity, i) && !is_of_people(registry, owner) &&
                    !merge(seeing, entity, owner, err))
                        return false;
                if (!key_add(registry, entity, within, key->key, key->value))
                        return fail_memory(err, "register", key->value.length);
        }
        return true;
}

/* --- one resource --------------------------------------------------------------------------------------------------------------------- */

static int place_of(const struct kinds *kinds, struct str kind)
{
        const struct kind *found = kinds_find(kinds, kind);
        return found ? (int)(found - kinds->list.items) : -1;
}

static uint64_t within_of(const struct seeing *seeing, const struct kind *kind)
{
        if (kind->within < 0)
                return 0;
        int place = place_of(seeing->registry->kinds, kind->relations.items[kind->within].to.items[0]);
        return place < 0 ? 0 : seeing->ids[place];
}

static bool relate_within(struct seeing *seeing, const struct entity *entity, const struct kind *kind, struct err *err)
{
        struct err full;
        uint64_t id = entity->id, within = entity->within;
        if (!within)
                return true;
        return link_note(seeing->registry, id, kind->relations.items[kind->within].id, within, EDGE_TELEMETRY, TELEMETRY, seeing->time_ns, NULL, &full) ||
               full.code != ERR_MEMORY || fail_memory(err, "register", sizeof(struct link));
}

static struct entity *create(struct seeing *seeing, const struct kind *kind, uint64_t within, struct err *err)
{
        struct registry *registry = seeing->registry;
        *err = (struct err){0};
        if (!allow_new(registry, seeing->time_ns))
                return NULL;
        return entity_new(registry, kind, within, next_id(registry, seeing->sequence), seeing->time_ns, err);
}

/* The entity of a kind that the labels name, made when it is new. False: no memory. */
static bool see_kind(struct seeing *seeing, const struct kind *kind, struct err *err)
{
        struct registry *registry = seeing->registry;
        struct identity identity;
        bool is_ambiguous, is_new = false;
        uint64_t within = within_of(seeing, kind);
        uint64_t *out_id = &seeing->ids[kind - registry->kinds->list.items];
        if (!identity_of(kind, seeing->labels, seeing->arena, &identity))
                return fail_memory(err, "register", seeing->arena->bytes_held);
        if (!identity.count || (kind->requires_within && !within))
                return true;
        struct entity *entity = identity_match(registry, kind, within, &identity, &is_ambiguous);
        if (!entity && (is_ambiguous || !may_create(seeing, &identity))) {
                registry->stats.ambiguous += is_ambiguous;
                return true;
        }
        if (!entity) {
                entity = create(seeing, kind, within, err);
                is_new = true;
                if (!entity)
                        return err->code != ERR_MEMORY; /* refused: counted there */
        }
        if (entity->hidden_ns)
                return true; /* somebody deleted it: it stays away until it is purged */
        uint64_t id = entity->id;
        if (!take_keys(seeing, entity, kind, entity->within, &identity, err) || !observe_fields(seeing, entity, kind, &identity, is_new, err) ||
            !relate_within(seeing, entity, kind, err))
                return false;
        entity_touch(registry, entity_of(registry, id), seeing->time_ns);
        *out_id = id;
        return true;
}

static bool see_kinds(struct seeing *seeing, struct err *err)
{
        each (kind, &seeing->registry->kinds->list)
                if (!see_kind(seeing, kind, err))
                        return false;
        return true;
}

/* --- edges ------------------------------------------------------------------------------------------------------------------------------ */

/* {service: <value of peer.service>} of a mapping; empty: the item lacks these labels. */
static bool mapped(const struct seeing *seeing, const struct labels *mapping, struct labels *out_labels)
{
        *out_labels = (struct labels){0};
        each (label, mapping) {
                struct str value = labels_value(seeing->labels, label->value);
                struct label *copy = value.length ? arena_push(seeing->arena, out_labels) : NULL;
                if (value.length && !copy)
                        return false;
                if (copy)
                        *copy = (struct label){label->name, value};
        }
        return true; /* a mapping's labels are sorted, so these are */
}

/* The entity of one of the kinds that made-up labels name. */
static bool see_end(const struct seeing *seeing, const struct names *kinds, const struct labels *labels, bool may_be_new, uint64_t *out_id, struct err *err)
{
        struct seeing other = {.registry = seeing->registry, .arena = seeing->arena, .labels = labels, .sequence = seeing->sequence,
                               .time_ns = seeing->time_ns, .may_create = may_be_new && seeing->may_create};
        if (!see_kinds(&other, err))
                return false;
        *out_id = 0;
        for (size_t i = 0; i < kinds->count && !*out_id; i++) {
                int place = place_of(seeing->registry->kinds, kinds->items[i]);
                *out_id = place < 0 ? 0 : other.ids[place];
        }
        return true;
}

static bool see_edge(struct seeing *seeing, const struct kind *kind, const struct kind_relation *relation, const struct kind_mapping *mapping,
                     struct err *err)
{
        struct labels from_labels, to_labels;
        struct str own = kind->id;
        struct names own_kind = {&own, 1, 1};
        uint64_t from = seeing->ids[kind - seeing->registry->kinds->list.items], to = 0;
        if (!labels_meet(seeing->labels, &mapping->conditions))
                return true;
        if (!mapped(seeing, &mapping->from, &from_labels) || !mapped(seeing, &mapping->to, &to_labels))
                return fail_memory(err, "register", seeing->arena->bytes_held);
        if (!to_labels.count || (mapping->from.count && !from_labels.count) || (!mapping->from.count && !from))
                return true;
        if ((mapping->from.count && !see_end(seeing, &own_kind, &from_labels, mapping->may_create, &from, err)) ||
            !see_end(seeing, &relation->to, &to_labels, mapping->may_create, &to, err))
                return false;
        struct err full;
        return !from || !to || from == to ||
               link_note(seeing->registry, from, relation->id, to, mapping->source, TELEMETRY, seeing->time_ns, NULL, &full) ||
               full.code != ERR_MEMORY || fail_memory(err, "register", sizeof(struct link));
}

static bool see_edges(struct seeing *seeing, struct err *err)
{
        each (kind, &seeing->registry->kinds->list)
                each (relation, &kind->relations)
                        each (mapping, &relation->seen)
                                if (!see_edge(seeing, kind, relation, mapping, err))
                                        return false;
        return true;
}

/* An edge that a file declares: both ends are made when they are not there. *out_from 0: one of them is named by no label. */
bool declared_edge(struct registry *registry, const struct kind *kind, const struct kind_relation *relation, const struct labels *from,
                   const struct labels *to, uint64_t sequence, int64_t time_ns, uint64_t *out_from, uint64_t *out_to, struct err *err)
{
        struct arena arena;
        struct str own = kind->id;
        struct names own_kind = {&own, 1, 1};
        arena_init(&arena, SEE_BYTES_MAX);
        struct seeing seeing = {.registry = registry, .arena = &arena, .sequence = sequence, .time_ns = time_ns, .may_create = true};
        bool good = see_end(&seeing, &own_kind, from, true, out_from, err) && see_end(&seeing, &relation->to, to, true, out_to, err);
        arena_done(&arena);
        if (!good || !*out_from || !*out_to || *out_from == *out_to)
                return good && (*out_from = 0, true);
        return link_note(registry, *out_from, relation->id, *out_to, EDGE_DECLARED, "file", time_ns, NULL, err);
}

/* --- the part of a whole: "nginx on web1" and "nginx" ------------------------------------------------------------------------------------- */

struct parts {
        struct registry *registry;
        uint64_t ids[64];
        size_t count;
        bool wants_whole;
};

static void note_part(void *context, const struct key *key)
{
        struct parts *parts = context;
        const struct entity *entity = &parts->registry->entities.items[key->entity];
        if (!key->within == parts->wants_whole && !entity->hidden_ns && parts->count < countof(parts->ids))
                parts->ids[parts->count++] = entity->id;
}

static bool see_whole(struct seeing *seeing, const struct kind *kind, struct err *err)
{
        struct registry *registry = seeing->registry;
        uint64_t id = seeing->ids[kind - registry->kinds->list.items];
        struct entity *entity = kind->whole < 0 || !id ? NULL : entity_of(registry, id);
        struct err full;
        if (!entity)
                return true;
        struct parts parts = {.registry = registry, .wants_whole = entity->within != 0};
        for (uint32_t i = entity->first_key; i != NOBODY; i = registry->keys.items[i].next)
                keys_with(registry, kind->id, registry->keys.items[i].sort, registry->keys.items[i].value, note_part, &parts);
        struct str relation = kind->relations.items[kind->whole].id;
        bool is_part = entity->within != 0;
        for (size_t i = 0; i < parts.count; i++)
                if (parts.ids[i] != id && !link_note(registry, is_part ? id : parts.ids[i], relation, is_part ? parts.ids[i] : id, EDGE_TELEMETRY,
                                                     TELEMETRY, seeing->time_ns, NULL, &full) &&
                    full.code == ERR_MEMORY)
                        return fail_memory(err, "register", sizeof(struct link));
        return true;
}

/* Whether the same labels stand earlier in the list, as when series of many partitions name one host. Nothing more is learnt from them. */
static bool is_again(struct map *earlier, const struct resource_seen *seen, size_t at, bool *out_again)
{
        uint64_t hash = labels_id(&seen[at].labels).low;
        size_t slot;
        *out_again = false;
        for (uint32_t i = map_first(earlier, hash, &slot); i != MAP_NONE && !*out_again; i = map_next(earlier, hash, &slot))
                *out_again = seen[i].is_log == seen[at].is_log && labels_equal(&seen[i].labels, &seen[at].labels);
        return *out_again || map_put(earlier, hash, (uint32_t)at);
}

static bool see(struct seeing *seeing, struct err *err)
{
        bool good = see_kinds(seeing, err) && see_edges(seeing, err);
        each (kind, &seeing->registry->kinds->list)
                good = good && see_whole(seeing, kind, err);
        return good;
}

bool registry_see(struct registry *registry, const struct resource_seen *seen, size_t count, uint64_t sequence, int64_t time_ns,
                  struct err *err)
{
        with_lock(&registry->lock);
        scoped(map_done) struct map earlier = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, SEE_BYTES_MAX);
        for (size_t i = 0; i < count; i++) {
                struct seeing seeing = {.registry = registry, .arena = &arena, .labels = &seen[i].labels, .sequence = sequence,
                                        .time_ns = time_ns, .may_create = true};
                bool again;
                if (!is_again(&earlier, seen, i, &again))
                        return fail_memory(err, "register", count * sizeof *seen);
                if (!again && !see(&seeing, err))
                        return false;
                registry->stats.seen++;
                arena_reset(&arena);
        }
        return true;
}

/* --- asking --------------------------------------------------------------------------------------------------------------------------------- */

struct answer {
        struct registry *registry;
        uint64_t *ids;
        size_t count, max;
};

static void add_id(struct answer *answer, uint64_t id)
{
        const struct entity *entity = entity_of(answer->registry, id);
        if (!entity || entity->hidden_ns)
                return;
        for (size_t i = 0; i < answer->count; i++)
                if (answer->ids[i] == id)
                        return;
        if (answer->count < answer->max)
                answer->ids[answer->count++] = id;
}

static void add_owner(void *context, const struct key *key)
{
        struct answer *answer = context;
        add_id(answer, answer->registry->entities.items[key->entity].id);
}

/* One kind: who the labels name, or all of that name when they do not say where. */
static void resolve_kind(struct seeing *seeing, const struct kind *kind, struct answer *answer)
{
        struct identity identity;
        bool is_ambiguous;
        uint64_t within = within_of(seeing, kind);
        if (!identity_of(kind, seeing->labels, seeing->arena, &identity) || !identity.count || (kind->requires_within && !within && kind->within >= 0))
                return;
        const struct entity *entity = identity_match(seeing->registry, kind, within, &identity, &is_ambiguous);
        if (entity) {
                seeing->ids[kind - seeing->registry->kinds->list.items] = entity->id;
                add_id(answer, entity->id);
                return;
        }
        for (size_t i = 0; i < identity.count && is_ambiguous; i++)
                keys_with(seeing->registry, kind->id, identity.keys[i].key, identity.keys[i].value, add_owner, answer);
}

size_t registry_resolve(struct registry *registry, const struct labels *labels, uint64_t *out_ids, size_t max)
{
        with_lock(&registry->lock);
        struct arena arena;
        arena_init(&arena, SEE_BYTES_MAX);
        struct seeing seeing = {.registry = registry, .arena = &arena, .labels = labels};
        uint64_t found[REGISTRY_RESOLVE_MAX];
        size_t starts[KINDS_MAX + 1], kinds = registry->kinds->list.count, count = 0;
        struct answer answer = {registry, found, 0, countof(found)};
        for (size_t i = 0; i < kinds; i++) {
                starts[i] = answer.count;
                resolve_kind(&seeing, &registry->kinds->list.items[i], &answer);
        }
        starts[kinds] = answer.count;
        for (size_t i = kinds; i-- > 0;) /* what stands within something comes behind it in the list of kinds, and first here */
                for (size_t k = starts[i]; k < starts[i + 1] && count < max; k++)
                        out_ids[count++] = found[k];
        arena_done(&arena);
        return count;
}

size_t registry_find(struct registry *registry, struct str kind, struct str name, uint64_t *out_ids, size_t max)
{
        with_lock(&registry->lock);
        struct answer answer = {registry, out_ids, 0, max};
        each (entity, &registry->entities)
                if (entity->id && !entity->is_purged && !entity->hidden_ns && str_equal(entity->name, name) && (!kind.length || str_equal(entity->kind, kind)))
                        add_id(&answer, entity->id);
        return answer.count;
}

bool registry_name(struct registry *registry, uint64_t id, struct arena *arena, struct str *out_kind, struct str *out_name)
{
        with_lock(&registry->lock);
        const struct entity *entity = entity_of(registry, id);
        return entity && !entity->is_purged && !entity->hidden_ns && text_copy(entity->kind, arena, out_kind) && text_copy(entity->name, arena, out_name);
}

size_t registry_count(struct registry *registry, struct str kind)
{
        with_lock(&registry->lock);
        size_t count = 0;
        each (entity, &registry->entities)
                count += entity->id && !entity->is_purged && !entity->hidden_ns && str_equal(entity->kind, kind);
        return count;
}

/* --- keys of what people write ----------------------------------------------------------------------------------------------------------------- */

bool keys_of_value(struct registry *registry, struct entity *entity, const struct kind *kind, const struct kind_field *field, struct str value)
{
        struct arena arena;
        arena_init(&arena, 1 << 16);
        bool good = true;
        each (sort, &field->from_key)
                each (rule, &kind->rules) {
                        struct str clean;
                        if (str_equal(rule->key, *sort) && rule->clean(value, &arena, &clean))
                                good = good && key_add(registry, entity, entity->within, rule->key, clean);
                }
        arena_done(&arena);
        return good;
}
