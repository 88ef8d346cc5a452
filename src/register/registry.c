/*
 * registry.c - see registry.h. Begins and ends, loads, writes, and does what comes with time; registry_see.c knows how
 * telemetry becomes entities, registry_command.c what people may do.
 */
#include "register/registry.h"

#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "register/registry_memory.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_NS ((int64_t)60 * 1000000000)
#define KIND_FILES_MAX (KINDS_MAX * 4)

static void registry_clear(struct registry *registry);

bool registry_create(const struct registry_options *options, struct registry **out_registry, struct err *err)
{
        struct registry *registry = calloc(1, sizeof *registry);
        if (!registry)
                return fail_memory(err, "register", sizeof *registry);
        registry->options = *options;
        if (!registry->options.entities_max)
                registry->options.entities_max = REGISTRY_ENTITIES_MAX;
        if (!registry->options.links_max)
                registry->options.links_max = REGISTRY_LINKS_MAX;
        lock_init(&registry->lock, LOCK_REGISTER);
        if (!kinds_parse(kinds_built_in, kinds_built_in_count, &registry->kinds, err) || !graph_create(0, 0, &registry->graph, err)) {
                registry_destroy(registry);
                return false;
        }
        *out_registry = registry;
        return true;
}

static void event_done(struct event *event)
{
        free((char *)event->by.bytes);
        free((char *)event->note.bytes);
        free((char *)event->name.bytes);
        free((char *)event->body.bytes);
}

static void registry_clear(struct registry *registry)
{
        each (entity, &registry->entities) {
                free((char *)entity->name.bytes);
                free((char *)entity->body.bytes);
        }
        each (key, &registry->keys)
                free((char *)key->value.bytes);
        each (event, &registry->events)
                event_done(event);
        each (word, &registry->words)
                free(*word);
        free(registry->entities.items);
        free(registry->keys.items);
        free(registry->links.items);
        free(registry->events.items);
        free(registry->words.items);
        struct indexes *lists[] = {&registry->free_entities, &registry->free_keys, &registry->free_links, &registry->dirty_entities,
                                   &registry->dirty_keys, &registry->dirty_links, &registry->purged};
        for (size_t i = 0; i < countof(lists); i++)
                free(lists[i]->items);
        map_done(&registry->entity_by_id);
        map_done(&registry->key_by_value);
        map_done(&registry->link_by_ends);
        map_done(&registry->word_by_text);
}

void registry_destroy(struct registry *registry)
{
        if (!registry)
                return;
        registry_clear(registry);
        graph_destroy(registry->graph);
        kinds_unref(registry->kinds);
        lock_done(&registry->lock);
        free(registry);
}

/* --- loading ----------------------------------------------------------------------------------------------------------------- */

static bool set_text(struct str *text, struct str value)
{
        struct str copy;
        if (!heap_text(value, &copy))
                return false;
        free((char *)text->bytes);
        *text = copy;
        return true;
}

static bool load_entity(void *context, const struct entity_row *row, struct err *err)
{
        struct registry *registry = context;
        const struct kind kind = {.id = row->kind, .initial = row->state};
        struct entity *entity = entity_new(registry, &kind, row->within, row->id, row->created_ns, err);
        if (!entity)
                return false;
        if (!set_text(&entity->name, row->name) || !set_text(&entity->body, row->body))
                return fail_memory(err, "register", row->body.length);
        entity->version = row->version;
        entity->changed_ns = row->changed_ns;
        entity->seen_ns = row->seen_ns;
        entity->hidden_ns = row->hidden_ns;
        entity->drift = row->drift;
        if (row->hidden_ns) {
                registry->stats.entities--;
                registry->stats.hidden++;
        }
        return true;
}

static bool load_key(void *context, const struct key_row *row, struct err *err)
{
        struct registry *registry = context;
        struct entity *entity = entity_of(registry, row->entity);
        return !entity || key_add(registry, entity, row->within, row->key, row->value) || fail_memory(err, "register", row->value.length);
}

static bool load_link(void *context, const struct link_row *row, struct err *err)
{
        struct registry *registry = context;
        char by[300];
        snprintf(by, sizeof by, "%.*s", STR_ARGS(row->by));
        if (!link_note(registry, row->from, row->relation, row->to, (enum edge_source)row->source, by, row->first_ns, NULL, err))
                return false;
        registry->links.items[registry->links.count - 1].seen_ns = row->seen_ns;
        return true;
}

/* Nodes before edges, and again whenever the kinds change: what impact an edge has is theirs to say. */
static bool build_graph(struct registry *registry, struct err *err)
{
        struct graph *graph;
        if (!graph_create(0, 0, &graph, err))
                return false;
        graph_destroy(registry->graph);
        registry->graph = graph;
        each (entity, &registry->entities)
                if (entity->id && !entity->is_purged && !graph_refresh(registry, entity, false, err))
                        return false;
        each (link, &registry->links)
                if (link->relation.bytes && !link->is_gone && !graph_take_link(registry, link, err))
                        return false;
        return true;
}

static void forget_dirty(struct registry *registry);

bool registry_load(struct registry *registry, struct database *state, struct err *err)
{
        with_lock(&registry->lock);
        registry->state = state;
        if (!entity_visit(state, load_entity, registry, err) || !key_visit(state, load_key, registry, err) || !build_graph(registry, err) ||
            !link_visit(state, load_link, registry, err))
                return err_within(err, "loading the register");
        forget_dirty(registry);
        registry->stats.created = 0;
        return build_graph(registry, err);
}

/* --- configuration -------------------------------------------------------------------------------------------------------------- */

static bool parse_kinds(const json_t *content, struct kinds **out_kinds, struct err *err)
{
        struct embedded_file files[KIND_FILES_MAX];
        size_t count = 0;
        const char *name;
        json_t *text;
        for (; count < kinds_built_in_count; count++)
                files[count] = kinds_built_in[count];
        json_object_foreach(json_object_get(content, "kinds"), name, text) {
                if (count == countof(files) || !json_is_string(text))
                        return fail(err, ERR_INVALID, "register", "the folder of kinds holds more than %d files, or one that is no text", KIND_FILES_MAX);
                files[count++] = (struct embedded_file){str_of(name), {json_string_value(text), json_string_length(text)}};
        }
        return kinds_parse(files, count, out_kinds, err);
}

bool registry_check_configuration(const json_t *content, struct err *err)
{
        struct kinds *kinds;
        if (!parse_kinds(content, &kinds, err))
                return false;
        bool good = dependencies_check(kinds, json_object_get(content, "dependencies"), err);
        kinds_unref(kinds);
        return good;
}

bool registry_configure(struct registry *registry, const json_t *content, uint64_t sequence, int64_t time_ns, struct err *err)
{
        struct kinds *kinds;
        with_lock(&registry->lock);
        if (!parse_kinds(content, &kinds, err))
                return false;
        kinds_unref(registry->kinds);
        registry->kinds = kinds;
        return build_graph(registry, err) && (!sequence || dependencies_take(registry, json_object_get(content, "dependencies"), sequence, time_ns, err));
}

json_t *registry_preview(struct registry *registry, const json_t *content, struct err *err)
{
        struct kinds *after, *before;
        if (!parse_kinds(content, &after, err))
                return NULL;
        before = registry_kinds(registry);
        json_t *told = kinds_compare(before, after);
        kinds_unref(before);
        kinds_unref(after);
        if (!told)
                fail_memory(err, "register", sizeof told);
        return told;
}

/* --- what comes with time ----------------------------------------------------------------------------------------------------------- */

static int64_t forget_after(struct registry *registry, const struct link *link)
{
        const struct entity *from = entity_of(registry, link->from);
        const struct kind *kind = from ? kind_of(registry, from) : NULL;
        const struct kind_relation *relation = kind ? kind_relation_find(kind, link->relation) : NULL;
        bool is_observed = link->source != EDGE_PERSON && link->source != EDGE_DECLARED;
        return relation && is_observed ? relation->forget_ns : 0;
}

bool registry_tick(struct registry *registry, uint64_t sequence, int64_t time_ns, struct err *err)
{
        (void)sequence;
        (void)err;
        with_lock(&registry->lock);
        if (time_ns < registry->minute_ns)
                return true;
        registry->minute_ns = time_ns + MINUTE_NS;
        each (link, &registry->links) {
                int64_t after_ns = link->relation.bytes && !link->is_gone ? forget_after(registry, link) : 0;
                if (after_ns && time_ns - link->seen_ns > after_ns)
                        link_drop(registry, link->from, link->relation, link->to, link->source);
        }
        each (entity, &registry->entities)
                if (entity->hidden_ns && !entity->is_purged && time_ns - entity->hidden_ns > REGISTRY_PURGE_NS)
                        entity_mark_purged(registry, entity);
        return true;
}

/* --- writing -------------------------------------------------------------------------------------------------------------------------- */

bool registry_is_dirty(const struct registry *registry)
{
        return registry->dirty_entities.count || registry->dirty_keys.count || registry->dirty_links.count || registry->events.count ||
               registry->purged.count;
}

static bool write_entity(struct database *state, const struct entity *entity, struct err *err)
{
        struct entity_row row = {entity->id, entity->version, entity->kind, entity->name, entity->state, entity->body, entity->within,
                                 entity->created_ns, entity->changed_ns, entity->seen_ns, entity->hidden_ns, entity->drift};
        return entity_put(state, &row, err);
}

static bool write_keys(const struct registry *registry, bool gone, struct database *state, struct err *err)
{
        each (at, &registry->dirty_keys) {
                const struct key *key = &registry->keys.items[*at];
                struct key_row row = {key->kind, key->sort, key->value, key->within, registry->entities.items[key->entity].id};
                if (key->is_gone == gone && !(gone ? key_delete(state, &row, err) : key_put(state, &row, err)))
                        return false;
        }
        return true;
}

static bool write_links(const struct registry *registry, bool gone, struct database *state, struct err *err)
{
        each (at, &registry->dirty_links) {
                const struct link *link = &registry->links.items[*at];
                struct link_row row = {link->from, link->to, link->relation, link->by, link->source, link->first_ns, link->seen_ns};
                if (link->is_gone == gone && !(gone ? link_delete(state, &row, err) : link_put(state, &row, err)))
                        return false;
        }
        return true;
}

/* What goes before what comes: a key that moved to another entity is both. */
bool registry_write(struct registry *registry, struct database *state, struct err *err)
{
        if (!write_keys(registry, true, state, err) || !write_links(registry, true, state, err))
                return false;
        each (at, &registry->dirty_entities)
                if (!registry->entities.items[*at].is_purged && !write_entity(state, &registry->entities.items[*at], err))
                        return false;
        if (!write_keys(registry, false, state, err) || !write_links(registry, false, state, err))
                return false;
        each (event, &registry->events) {
                struct event_row row = {event->entity, event->event, event->time_ns, event->by, event->verb, event->note,
                                        event->name, event->state, event->body, event->hidden_ns};
                if (!event_insert(state, &row, err))
                        return false;
        }
        each (at, &registry->purged)
                if (!entity_purge(state, registry->entities.items[*at].id, err))
                        return false;
        return true;
}

static void keep_free(struct indexes *places, uint32_t at)
{
        uint32_t *place = heap_list_push(places);
        if (place)
                *place = at; /* without memory the place is lost until the next start */
}

static void forget_dirty(struct registry *registry)
{
        each (at, &registry->dirty_keys) {
                struct key *key = &registry->keys.items[*at];
                key->is_dirty = false;
                if (key->is_gone) {
                        free((char *)key->value.bytes);
                        *key = (struct key){0};
                        keep_free(&registry->free_keys, *at);
                }
        }
        each (at, &registry->dirty_links) {
                struct link *link = &registry->links.items[*at];
                link->is_dirty = false;
                if (link->is_gone) {
                        *link = (struct link){0};
                        keep_free(&registry->free_links, *at);
                }
        }
        each (at, &registry->dirty_entities)
                registry->entities.items[*at].is_dirty = false;
        each (at, &registry->purged) {
                struct entity *entity = &registry->entities.items[*at];
                free((char *)entity->name.bytes);
                free((char *)entity->body.bytes);
                *entity = (struct entity){.first_key = NOBODY};
                keep_free(&registry->free_entities, *at);
        }
        each (event, &registry->events)
                event_done(event);
        registry->dirty_keys.count = registry->dirty_links.count = registry->dirty_entities.count = 0;
        registry->purged.count = registry->events.count = 0;
}

void registry_written(struct registry *registry)
{
        with_lock(&registry->lock);
        forget_dirty(registry);
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------------- */

struct kinds *registry_kinds(struct registry *registry)
{
        with_lock(&registry->lock);
        return kinds_ref(registry->kinds);
}

void registry_read_stats(struct registry *registry, struct registry_stats *out_stats)
{
        with_lock(&registry->lock);
        *out_stats = registry->stats;
}

struct graph *registry_read_begin(struct registry *registry)
{
        lock_take(&registry->lock);
        return registry->graph;
}

void registry_read_end(struct registry *registry)
{
        lock_release(&registry->lock);
}
