/*
 * registry_memory.c - see registry_memory.h. Arrays with free places and hash indexes over them; texts that are few (kinds,
 * states, relations, who) are kept once. A change allocates everything first, so that one that fails changes nothing.
 */
#include "register/registry_memory.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "register/entity_body.h"

#include <stdio.h>
#include <stdlib.h>

#define TOUCH_NS ((int64_t)600 * 1000000000) /* what is seen all the time is written every ten minutes */

bool heap_text(struct str text, struct str *out_copy)
{
        char *copy = malloc(text.length + 1);
        if (!copy)
                return false;
        memcpy(copy, text.length ? text.bytes : "", text.length);
        copy[text.length] = '\0';
        *out_copy = (struct str){copy, text.length};
        return true;
}

bool intern_text(struct registry *registry, struct str text, struct str *out_word)
{
        size_t at;
        struct str copy;
        for (uint32_t i = map_first(&registry->word_by_text, hash64(text), &at); i != MAP_NONE;
             i = map_next(&registry->word_by_text, hash64(text), &at))
                if (str_equal(str_of(registry->words.items[i]), text)) {
                        *out_word = str_of(registry->words.items[i]);
                        return true;
                }
        if (!heap_text(text, &copy))
                return false;
        char **word = heap_list_push(&registry->words);
        if (!word || !map_put(&registry->word_by_text, hash64(text), (uint32_t)(registry->words.count - 1))) {
                registry->words.count -= word != NULL;
                free((char *)copy.bytes);
                return false;
        }
        *word = (char *)copy.bytes;
        *out_word = copy;
        return true;
}

uint64_t next_id(struct registry *registry, uint64_t sequence)
{
        if (registry->sequence != sequence) {
                registry->sequence = sequence;
                registry->ordinal = 0;
        }
        return item_id(sequence, registry->ordinal++);
}

static uint64_t hash_of_id(uint64_t id)
{
        return hash64((struct str){(const char *)&id, sizeof id});
}

static bool push_index(struct indexes *indexes, uint32_t value)
{
        uint32_t *item = heap_list_push(indexes);
        if (item)
                *item = value;
        return item;
}

/* A free place of a vector, or a new one. */
#define TAKE(vector, free_places, out_at)                                                                              \
        ({                                                                                                             \
                __typeof__((vector)->items) taken_;                                                                    \
                if ((free_places)->count) {                                                                            \
                        *(out_at) = (free_places)->items[--(free_places)->count];                                      \
                        taken_ = &(vector)->items[*(out_at)];                                                          \
                        memset(taken_, 0, sizeof *taken_);                                                             \
                } else {                                                                                               \
                        taken_ = heap_list_push(vector);                                                                         \
                        *(out_at) = (uint32_t)((vector)->count - 1);                                                   \
                }                                                                                                      \
                taken_;                                                                                                \
        })

/* --- entities ---------------------------------------------------------------------------------------------------------------- */

struct entity *entity_of(struct registry *registry, uint64_t id)
{
        size_t at;
        for (uint32_t i = map_first(&registry->entity_by_id, hash_of_id(id), &at); i != MAP_NONE;
             i = map_next(&registry->entity_by_id, hash_of_id(id), &at))
                if (registry->entities.items[i].id == id)
                        return &registry->entities.items[i];
        return NULL;
}

const struct kind *kind_of(const struct registry *registry, const struct entity *entity)
{
        return kinds_find(registry->kinds, entity->kind);
}

bool entity_of_text(struct registry *registry, struct str id, struct entity **out_entity, struct err *err)
{
        uint64_t number;
        struct entity *entity = str_to_u64(id, &number) ? entity_of(registry, number) : NULL;
        if (!entity || !kind_of(registry, entity))
                return fail(err, ERR_NOT_FOUND, "register", "there is no entity \"%.*s\"; it may have been purged", (int)min_of(id.length, (size_t)40),
                            id.bytes ? id.bytes : "");
        *out_entity = entity;
        return true;
}

json_t *body_of(const struct entity *entity, struct err *err)
{
        return json_parse(entity->body, err);
}

bool entity_rewrite(struct registry *registry, struct entity *entity)
{
        if (!entity->is_dirty && !push_index(&registry->dirty_entities, (uint32_t)(entity - registry->entities.items)))
                return false;
        entity->is_dirty = true;
        return true;
}

struct entity *entity_new(struct registry *registry, const struct kind *kind, uint64_t within, uint64_t id, int64_t time_ns, struct err *err)
{
        uint32_t at;
        struct str name, body, word, state;
        if (registry->stats.entities + registry->stats.hidden >= registry->options.entities_max) {
                registry->stats.refused_full++;
                fail(err, ERR_FULL, "register", "it holds %zu entities, as many as it may; delete some, or raise register.entities",
                     registry->options.entities_max);
                return NULL;
        }
        if (!intern_text(registry, kind->id, &word) || !intern_text(registry, kind->initial, &state) || !heap_text(STR(""), &name)) {
                fail_memory(err, "register", sizeof(struct entity));
                return NULL;
        }
        if (!heap_text(STR("{}"), &body)) {
                free((char *)name.bytes);
                fail_memory(err, "register", sizeof(struct entity));
                return NULL;
        }
        struct entity *entity = TAKE(&registry->entities, &registry->free_entities, &at);
        if (!entity || !map_put(&registry->entity_by_id, hash_of_id(id), at)) {
                if (entity)
                        push_index(&registry->free_entities, at);
                free((char *)name.bytes);
                free((char *)body.bytes);
                fail_memory(err, "register", sizeof *entity);
                return NULL;
        }
        *entity = (struct entity){.id = id, .within = within, .kind = word, .state = state, .name = name, .body = body,
                                  .created_ns = time_ns, .changed_ns = time_ns, .first_key = NOBODY};
        registry->stats.entities++;
        registry->stats.created++;
        return entity;
}

/* What an entity is called: its display field, else any key, else its id. */
static bool name_of(const struct registry *registry, const struct entity *entity, const json_t *body, struct str *out_name)
{
        scoped(buf_done) struct buf name = {0};
        const struct kind *kind = kind_of(registry, entity);
        value_to_text(kind ? body_effective(body, kind->display) : NULL, &name);
        if (!name.length && entity->first_key != NOBODY)
                buf_add(&name, registry->keys.items[entity->first_key].value);
        if (!name.length)
                buf_printf(&name, "%llu", (unsigned long long)entity->id);
        return !name.failed && heap_text(buf_str(&name), out_name);
}

static void event_free(struct event *event)
{
        free((char *)event->by.bytes);
        free((char *)event->note.bytes);
        free((char *)event->name.bytes);
        free((char *)event->body.bytes);
        *event = (struct event){0};
}

/* An event at the end of those that wait to be written; NULL: no memory. */
static struct event *event_push(struct registry *registry, const struct entity *entity, struct str name, struct str body, struct str state,
                                const char *by, const char *verb, const char *note)
{
        struct event event = {.entity = entity->id};
        if (heap_text(str_of(by), &event.by) && heap_text(str_of(note), &event.note) && heap_text(name, &event.name) &&
            heap_text(body, &event.body) && intern_text(registry, str_of(verb), &event.verb) && intern_text(registry, state, &event.state)) {
                struct event *kept = heap_list_push(&registry->events);
                if (kept) {
                        *kept = event;
                        return kept;
                }
        }
        event_free(&event);
        return NULL;
}

static void set_visible(struct registry *registry, struct entity *entity, int64_t hidden_ns)
{
        if (!entity->hidden_ns != !hidden_ns) {
                registry->stats.entities += hidden_ns ? -1 : 1;
                registry->stats.hidden += hidden_ns ? 1 : -1;
        }
        entity->hidden_ns = hidden_ns;
}

bool entity_change(struct registry *registry, struct entity *entity, const json_t *body, struct str state, int64_t hidden_ns,
                   const char *by, const char *verb, const char *note, uint64_t sequence, int64_t time_ns, struct err *err)
{
        scoped(buf_done) struct buf text = {.bytes_max = ENTITY_BODY_BYTES_MAX};
        struct str name = {0}, copy = {0}, word;
        if (!json_write(body, &text))
                return fail(err, ERR_TOO_LARGE, "register", "the values of one entity take more than %zu KiB together; shorten some",
                            ENTITY_BODY_BYTES_MAX >> 10);
        struct event *event = NULL;
        if (name_of(registry, entity, body, &name) && heap_text(buf_str(&text), &copy) && intern_text(registry, state, &word) &&
            entity_rewrite(registry, entity))
                event = event_push(registry, entity, name, copy, word, by, verb, note);
        if (!event) {
                free((char *)name.bytes);
                free((char *)copy.bytes);
                return fail_memory(err, "register", text.length);
        }
        free((char *)entity->name.bytes);
        free((char *)entity->body.bytes);
        entity->name = name;
        entity->body = copy;
        entity->state = word;
        entity->drift = body_drift(body);
        entity->changed_ns = time_ns;
        bool comes_back = entity->hidden_ns && !hidden_ns;
        set_visible(registry, entity, hidden_ns);
        event->event = entity->version = next_id(registry, sequence);
        event->time_ns = time_ns;
        event->hidden_ns = hidden_ns;
        registry->stats.updated++;
        return graph_refresh(registry, entity, comes_back, err);
}

void entity_touch(struct registry *registry, struct entity *entity, int64_t time_ns)
{
        if (time_ns - entity->seen_ns >= TOUCH_NS && entity_rewrite(registry, entity))
                entity->seen_ns = time_ns;
}

static void forget_key(struct registry *registry, uint32_t at);

void entity_mark_purged(struct registry *registry, struct entity *entity)
{
        uint32_t at = (uint32_t)(entity - registry->entities.items);
        if (entity->is_purged || !push_index(&registry->purged, at))
                return;
        entity->is_purged = true;
        while (entity->first_key != NOBODY) {
                uint32_t key = entity->first_key;
                entity->first_key = registry->keys.items[key].next;
                forget_key(registry, key);
        }
        each (link, &registry->links)
                if (link->relation.bytes && !link->is_gone && (link->from == entity->id || link->to == entity->id))
                        link_drop(registry, link->from, link->relation, link->to, link->source);
        graph_remove(registry->graph, entity->id);
        map_remove(&registry->entity_by_id, hash_of_id(entity->id), at);
        *(entity->hidden_ns ? &registry->stats.hidden : &registry->stats.entities) -= 1;
        registry->stats.purged++;
}

/* --- keys -------------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of_key(struct str kind, struct str sort, struct str value)
{
        return hash64_seeded(value, hash64_seeded(sort, hash64(kind)));
}

static bool is_key(const struct key *key, struct str kind, struct str sort, struct str value)
{
        return str_equal(key->value, value) && str_equal(key->sort, sort) && str_equal(key->kind, kind);
}

void keys_with(struct registry *registry, struct str kind, struct str sort, struct str value,
               void (*found)(void *context, const struct key *key), void *context)
{
        size_t at;
        uint64_t hash = hash_of_key(kind, sort, value);
        for (uint32_t i = map_first(&registry->key_by_value, hash, &at); i != MAP_NONE; i = map_next(&registry->key_by_value, hash, &at))
                if (is_key(&registry->keys.items[i], kind, sort, value))
                        found(context, &registry->keys.items[i]);
}

struct entity *key_owner(struct registry *registry, struct str kind, uint64_t within, struct str sort, struct str value)
{
        size_t at;
        uint64_t hash = hash_of_key(kind, sort, value);
        for (uint32_t i = map_first(&registry->key_by_value, hash, &at); i != MAP_NONE; i = map_next(&registry->key_by_value, hash, &at)) {
                const struct key *key = &registry->keys.items[i];
                if (key->within == within && is_key(key, kind, sort, value))
                        return &registry->entities.items[key->entity];
        }
        return NULL;
}

bool key_add(struct registry *registry, struct entity *entity, uint64_t within, struct str sort, struct str value)
{
        uint32_t at;
        struct str copy, word;
        if (key_owner(registry, entity->kind, within, sort, value))
                return true;
        if (entity->key_count >= ENTITY_KEYS_MAX) {
                registry->stats.refused_keys++;
                return true;
        }
        if (!intern_text(registry, sort, &word) || !heap_text(value, &copy))
                return false;
        struct key *key = TAKE(&registry->keys, &registry->free_keys, &at);
        if (!key || !push_index(&registry->dirty_keys, at)) {
                if (key)
                        push_index(&registry->free_keys, at);
                free((char *)copy.bytes);
                return false;
        }
        if (!map_put(&registry->key_by_value, hash_of_key(entity->kind, sort, value), at)) {
                registry->dirty_keys.count--;
                push_index(&registry->free_keys, at);
                free((char *)copy.bytes);
                return false;
        }
        *key = (struct key){.kind = entity->kind, .sort = word, .value = copy, .within = within, .next = entity->first_key, .is_dirty = true,
                            .entity = (uint32_t)(entity - registry->entities.items)};
        entity->first_key = at;
        entity->key_count++;
        return true;
}

/* Out of the index at once, out of the table and of memory when that is written. */
static void forget_key(struct registry *registry, uint32_t at)
{
        struct key *key = &registry->keys.items[at];
        map_remove(&registry->key_by_value, hash_of_key(key->kind, key->sort, key->value), at);
        key->is_gone = true;
        if (!key->is_dirty)
                key->is_dirty = push_index(&registry->dirty_keys, at);
}

void key_remove(struct registry *registry, struct entity *entity, struct str sort, struct str value)
{
        for (uint32_t *place = &entity->first_key; *place != NOBODY;) {
                uint32_t at = *place;
                struct key *key = &registry->keys.items[at];
                if (!str_equal(key->sort, sort) || (value.length && !str_equal(key->value, value))) {
                        place = &key->next;
                        continue;
                }
                *place = key->next;
                entity->key_count--;
                forget_key(registry, at);
        }
}

bool key_has_sort(const struct registry *registry, const struct entity *entity, struct str sort)
{
        for (uint32_t i = entity->first_key; i != NOBODY; i = registry->keys.items[i].next)
                if (str_equal(registry->keys.items[i].sort, sort))
                        return true;
        return false;
}

/* --- links -------------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of_link(uint64_t from, uint64_t to, enum edge_source source)
{
        uint64_t numbers[3] = {from, to, source};
        return hash64((struct str){(const char *)numbers, sizeof numbers});
}

static struct link *link_find(struct registry *registry, uint64_t from, struct str relation, uint64_t to, enum edge_source source)
{
        size_t at;
        uint64_t hash = hash_of_link(from, to, source);
        for (uint32_t i = map_first(&registry->link_by_ends, hash, &at); i != MAP_NONE; i = map_next(&registry->link_by_ends, hash, &at)) {
                struct link *link = &registry->links.items[i];
                if (link->from == from && link->to == to && link->source == source && str_equal(link->relation, relation))
                        return link;
        }
        return NULL;
}

static bool link_mark_dirty(struct registry *registry, struct link *link)
{
        if (!link->is_dirty)
                link->is_dirty = push_index(&registry->dirty_links, (uint32_t)(link - registry->links.items));
        return link->is_dirty;
}

/* The edge that a link stands for; nothing when an end is hidden or its kind no longer knows the relation. */
bool graph_take_link(struct registry *registry, const struct link *link, struct err *err)
{
        const struct entity *from = entity_of(registry, link->from), *to = entity_of(registry, link->to);
        const struct kind *kind = from ? kind_of(registry, from) : NULL;
        const struct kind_relation *relation = kind ? kind_relation_find(kind, link->relation) : NULL;
        if (!relation || !to || from->hidden_ns || to->hidden_ns || !kind_of(registry, to))
                return true;
        struct graph_edge edge = {link->from, link->to, link->relation, relation->impact, link->source, link->first_ns, link->seen_ns};
        return graph_relate(registry->graph, &edge, err);
}

bool link_note(struct registry *registry, uint64_t from, struct str relation, uint64_t to, enum edge_source source, const char *by,
               int64_t time_ns, bool *out_is_new, struct err *err)
{
        uint32_t at;
        struct str relation_word, by_word;
        struct link *known = link_find(registry, from, relation, to, source);
        if (out_is_new)
                *out_is_new = !known;
        if (known) {
                if (time_ns - known->seen_ns >= TOUCH_NS && link_mark_dirty(registry, known)) {
                        known->seen_ns = time_ns;
                        return graph_take_link(registry, known, err);
                }
                return true;
        }
        if (registry->stats.relations >= registry->options.links_max) {
                registry->stats.refused_full++;
                return fail(err, ERR_FULL, "register", "it holds %zu relations, as many as it may", registry->options.links_max);
        }
        if (!intern_text(registry, relation, &relation_word) || !intern_text(registry, str_of(by), &by_word))
                return fail_memory(err, "register", sizeof(struct link));
        struct link *link = TAKE(&registry->links, &registry->free_links, &at);
        if (!link || !push_index(&registry->dirty_links, at) || !map_put(&registry->link_by_ends, hash_of_link(from, to, source), at))
                return fail_memory(err, "register", sizeof *link);
        *link = (struct link){.from = from, .to = to, .relation = relation_word, .by = by_word, .source = source, .first_ns = time_ns,
                              .seen_ns = time_ns, .is_dirty = true};
        registry->stats.relations++;
        return graph_take_link(registry, link, err);
}

bool link_drop(struct registry *registry, uint64_t from, struct str relation, uint64_t to, enum edge_source source)
{
        struct link *link = link_find(registry, from, relation, to, source);
        if (!link || !link_mark_dirty(registry, link))
                return false;
        map_remove(&registry->link_by_ends, hash_of_link(from, to, source), (uint32_t)(link - registry->links.items));
        link->is_gone = true;
        registry->stats.relations--;
        graph_unrelate(registry->graph, from, to, relation, source);
        return true;
}

/* --- the graph ------------------------------------------------------------------------------------------------------------------ */

/* "nginx on web1": names that hold within something say in what. */
static bool shown_name(struct registry *registry, const struct entity *entity, struct buf *out)
{
        const struct entity *within = entity->within ? entity_of(registry, entity->within) : NULL;
        buf_add(out, entity->name);
        if (within)
                buf_printf(out, " on %.*s", STR_ARGS(within->name));
        return !out->failed;
}

bool graph_refresh(struct registry *registry, struct entity *entity, bool with_links, struct err *err)
{
        scoped(buf_done) struct buf name = {0};
        if (entity->hidden_ns || !kind_of(registry, entity)) {
                graph_remove(registry->graph, entity->id);
                return true;
        }
        if (!shown_name(registry, entity, &name))
                return fail_memory(err, "register", name.length);
        if (!graph_add(registry->graph, entity->id, entity->kind, buf_str(&name), err))
                return false;
        for (size_t i = 0; with_links && i < registry->links.count; i++) {
                const struct link *link = &registry->links.items[i];
                if (link->relation.bytes && !link->is_gone && (link->from == entity->id || link->to == entity->id) &&
                    !graph_take_link(registry, link, err))
                        return false;
        }
        return true;
}
