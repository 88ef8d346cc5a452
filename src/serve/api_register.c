/*
 * api_register.c - kinds and entities over HTTP: everything comes from a kind's declaration, no kind has a door of its own.
 *
 * Rows are read from the state database by a reader of the request's own, relations from the graph; what is written becomes a
 * command, and the register itself checks what the asker's role may do.
 */
#include "base/json.h"
#include "base/scope.h"
#include "register/entity_body.h"
#include "register/entity_table.h"
#include "register/registry.h"
#include "serve/role.h"
#include "serve/server.h"
#include "serve/when.h"
#include "store/database.h"
#include "wire/compress.h"
#include "wire/csv.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_DEFAULT 200
#define PAGE_MAX 1000
#define EXPORT_MAX 100000
#define NEAR_MAX 500
#define IMPORT_BYTES_MAX ((size_t)16 << 20)

SCOPED_PTR(kinds_unref, struct kinds)
SCOPED_PTR(database_close, struct database)

/* --- who asks for what ------------------------------------------------------------------------------------------------------- */

static const char *role_text(const struct request *request)
{
        enum role role = request_role(request);
        return role == ROLE_ADMIN ? "admin" : role == ROLE_OPERATOR ? "operator" : "viewer";
}

static struct registry *registry_of(const struct request *request)
{
        return server_of(request)->context.registry;
}

static bool begin(const struct request *request, struct kinds **out_kinds, struct database **out_reader, struct err *err)
{
        const struct serve_context *context = &server_of(request)->context;
        if (!context->registry)
                return fail(err, ERR_NOT_FOUND, "serve", "there is no register here");
        if (out_reader && !database_open_reader(context->state_path, context->vfs, out_reader, err))
                return false;
        *out_kinds = registry_kinds(context->registry);
        return true;
}

static bool may_read(const struct request *request, const struct kind *kind)
{
        return kind && kind_allows(kind, request_role(request), MAY_READ);
}

static bool read_id(struct str text, uint64_t *out_id, struct err *err)
{
        return (str_to_u64(text, out_id) && *out_id && *out_id <= INT64_MAX) ||
               fail(err, ERR_NOT_FOUND, "serve", "\"%.*s\" is no entity's id", (int)min_of(text.length, (size_t)40), text.bytes ? text.bytes : "");
}

static bool order_entity(struct request *request, const char *verb, json_t *arguments, int status, struct err *err)
{
        struct server *server = server_of(request);
        json_t *result = NULL;
        if (!arguments || json_object_set_new(arguments, "role", json_string(role_text(request)))) {
                json_decref(arguments);
                return fail_memory(err, "serve", sizeof result);
        }
        if (!server->context.command(server->context.loop, verb, arguments, asker_of(request)->name, &result, err))
                return false;
        scoped_ptr(json_decref) json_t *kept = result;
        return request_answer_json(request, status, kept, err);
}

/* --- an entity as JSON ------------------------------------------------------------------------------------------------------- */

static json_t *number_text(uint64_t number)
{
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        return number ? json_string(text) : json_null();
}

/* "nginx on web1", as the graph has it; its own name when it is hidden. */
static json_t *title_json(struct registry *registry, uint64_t id, struct str name)
{
        struct graph_node node;
        const struct graph *graph = registry_read_begin(registry);
        json_t *title = json_text(graph_node(graph, id, &node) ? node.name : name);
        registry_read_end(registry);
        return title;
}

static json_t *entity_json(struct registry *registry, const struct kind *kind, const struct entity_row *row, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_parse(row->body, err);
        if (!body)
                return NULL;
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "id", number_text(row->id), "kind", json_text(row->kind),
                         "name", json_text(row->name), "title", title_json(registry, row->id, row->name), "state", json_text(row->state), "version",
                         number_text(row->version), "within", number_text(row->within), "created_ns", number_text((uint64_t)row->created_ns),
                         "changed_ns", number_text((uint64_t)row->changed_ns), "seen_ns", number_text((uint64_t)row->seen_ns), "hidden_ns",
                         number_text((uint64_t)row->hidden_ns), "drift", (json_int_t)row->drift, "fields", body_json(kind, body));
}

/* --- kinds ----------------------------------------------------------------------------------------------------------------------- */

bool kinds_list(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        if (!begin(request, &kinds, NULL, err))
                return false;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:[]}", "kinds");
        each (kind, &kinds->list)
                if (may_read(request, kind))
                        json_array_append_new(json_object_get(body, "kinds"), kind_json(kind));
        return request_answer_json(request, 200, body, err);
}

bool kinds_preview(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *content = NULL;
        if (!registry_of(request))
                return fail(err, ERR_NOT_FOUND, "serve", "there is no register here");
        if (!request_json(request, &content, err))
                return false;
        json_t *changes = registry_preview(registry_of(request), content, err);
        if (!changes)
                return false;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:o}", "changes", changes);
        return request_answer_json(request, 200, body, err);
}

/* --- lists ------------------------------------------------------------------------------------------------------------------------ */

static bool is_field_id(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", text.bytes[i]))
                        return false;
        return text.length < 64;
}

static bool read_filter(struct request *request, struct entity_filter *out_filter, struct err *err)
{
        struct entity_filter filter = {
                .kind = request_field(request, "kind"), .text = request_field(request, "query"), .state = request_field(request, "state"),
                .field = request_field(request, "field"), .value = request_field(request, "value"), .after_name = request_field(request, "after_name"),
                .hidden = str_is(request_field(request, "deleted"), "true"), .drifting = str_is(request_field(request, "drifting"), "true"),
        };
        struct str within = request_field(request, "within"), after = request_field(request, "after");
        int64_t limit;
        if (!is_field_id(filter.field))
                return fail(err, ERR_INVALID, "serve", "field: write a field's id, as the kind lists it");
        if ((within.length && !read_id(within, &filter.within, err)) || (after.length && !read_id(after, &filter.after_id, err)) ||
            !request_number(request, "limit", PAGE_DEFAULT, 1, PAGE_MAX, &limit, err))
                return false;
        filter.limit = (size_t)limit;
        *out_filter = filter;
        return true;
}

struct listing {
        const struct request *request;
        struct kinds *kinds;
        json_t *list;
        uint64_t last;
        char last_name[1024];
};

static bool list_entity(void *context, const struct entity_row *row, struct err *err)
{
        struct listing *listing = context;
        const struct kind *kind = kinds_find(listing->kinds, row->kind);
        listing->last = row->id;
        snprintf(listing->last_name, sizeof listing->last_name, "%.*s", STR_ARGS(row->name));
        if (!may_read(listing->request, kind))
                return true;
        json_t *entity = entity_json(registry_of(listing->request), kind, row, err);
        return entity && (json_array_append_new(listing->list, entity) == 0 || fail_memory(err, "serve", sizeof entity));
}

bool entities_list(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        scoped_ptr(database_close) struct database *reader = NULL;
        struct entity_filter filter;
        uint64_t total;
        if (!read_filter(request, &filter, err) || !begin(request, &kinds, &reader, err))
                return false;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:[]}", "entities");
        struct listing listing = {request, kinds, json_object_get(body, "entities"), 0, ""};
        if (!entity_list(reader, &filter, list_entity, &listing, err) || !entity_count(reader, &filter, &total, err))
                return false;
        json_object_set_new(body, "total", json_integer((json_int_t)total));
        bool more = json_array_size(listing.list) == filter.limit;
        json_object_set_new(body, "after", more ? number_text(listing.last) : json_null());
        json_object_set_new(body, "after_name", more ? json_string(listing.last_name) : json_null());
        return request_answer_json(request, 200, body, err);
}

/* --- one -------------------------------------------------------------------------------------------------------------------------- */

struct showing {
        const struct request *request;
        struct kinds *kinds;
        json_t *entity;
        const struct kind *kind;
};

static bool show_entity(void *context, const struct entity_row *row, struct err *err)
{
        struct showing *showing = context;
        showing->kind = kinds_find(showing->kinds, row->kind);
        if (!may_read(showing->request, showing->kind))
                return fail(err, ERR_FORBIDDEN, "serve", "your role may not read this");
        showing->entity = entity_json(registry_of(showing->request), showing->kind, row, err);
        return showing->entity != NULL;
}

static bool find_entity(struct request *request, struct database *reader, struct kinds *kinds, struct showing *out_showing, uint64_t *out_id,
                        struct err *err)
{
        bool found;
        *out_showing = (struct showing){.request = request, .kinds = kinds};
        if (!read_id(request->captured[0], out_id, err) || !entity_get(reader, *out_id, &found, show_entity, out_showing, err))
                return false;
        return found || fail(err, ERR_NOT_FOUND, "serve", "there is no entity %llu", (unsigned long long)*out_id);
}

struct relating {
        struct graph *graph;
        struct kinds *kinds;
        const struct request *request;
        uint64_t id;
        json_t *list;
};

static json_t *sources_json(unsigned sources)
{
        json_t *list = json_array();
        for (unsigned source = 1; source <= EDGE_OTLP; source *= 2)
                if (sources & source)
                        json_array_append_new(list, json_string(edge_source_name((enum edge_source)source)));
        return list;
}

/* In words as it reads from here: "runs on", or from the other end "runs". */
static struct str relation_title(const struct kinds *kinds, struct str from_kind, struct str id, bool is_out)
{
        const struct kind *kind = kinds_find(kinds, from_kind);
        const struct kind_relation *relation = kind ? kind_relation_find(kind, id) : NULL;
        return !relation ? id : is_out ? relation->title : relation->inverse_title;
}

static json_t *edge_json(const struct kinds *kinds, const struct graph *graph, const struct graph_edge *edge)
{
        static const char *const impacts[] = {"none", "to_from", "from_to", "both"};
        struct graph_node from = {0};
        graph_node(graph, edge->from, &from);
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "from", number_text(edge->from), "to", number_text(edge->to), "relation",
                         json_text(edge->relation), "title", json_text(relation_title(kinds, from.kind, edge->relation, true)), "inverse_title",
                         json_text(relation_title(kinds, from.kind, edge->relation, false)), "impact", impacts[edge->impact], "sources",
                         sources_json(edge->sources), "first_ns", number_text((uint64_t)edge->first_ns), "seen_ns", number_text((uint64_t)edge->seen_ns));
}

static json_t *node_json(const struct graph_node *node)
{
        return json_pack("{s:o, s:o, s:o}", "id", number_text(node->id), "kind", json_text(node->kind), "title", json_text(node->name));
}

static bool add_relation(void *context, const struct graph_edge *edge)
{
        struct relating *relating = context;
        struct graph_node other;
        if (json_array_size(relating->list) >= NEAR_MAX)
                return false;
        if (!graph_node(relating->graph, edge->from == relating->id ? edge->to : edge->from, &other) ||
            !may_read(relating->request, kinds_find(relating->kinds, other.kind)))
                return true;
        json_t *made = edge_json(relating->kinds, relating->graph, edge);
        json_object_set_new(made, "other", node_json(&other));
        json_array_append_new(relating->list, made);
        return true;
}

static json_t *relations_json(const struct request *request, struct kinds *kinds, uint64_t id)
{
        struct registry *registry = registry_of(request);
        struct relating relating = {registry_read_begin(registry), kinds, request, id, json_array()};
        graph_edges_of(relating.graph, id, add_relation, &relating);
        registry_read_end(registry);
        return relating.list;
}

static bool add_key(void *context, const struct key_row *key, struct err *err)
{
        (void)err;
        if (key->key.length && key->key.bytes[0] != '=')
                json_array_append_new(context, json_pack("{s:o, s:o}", "key", json_text(key->key), "value", json_text(key->value)));
        return true;
}

static json_t *event_json(const struct kind *kind, const struct event_row *event, bool with_values)
{
        json_t *made = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "event", number_text(event->event), "time_ns",
                                 number_text((uint64_t)event->time_ns), "by", json_text(event->by), "verb", json_text(event->verb), "note",
                                 json_text(event->note), "name", json_text(event->name), "state", json_text(event->state), "hidden_ns",
                                 number_text((uint64_t)event->hidden_ns));
        scoped_ptr(json_decref) json_t *body = with_values ? json_parse(event->body, NULL) : NULL;
        if (body)
                json_object_set_new(made, "fields", body_json(kind, body));
        return made;
}

/* Lays an event's values over the entity's. */
static bool go_back(void *context, const struct event_row *event, struct err *err)
{
        struct showing *showing = context;
        scoped_ptr(json_decref) json_t *then = event_json(showing->kind, event, true);
        (void)err;
        json_object_update_existing(showing->entity, then);
        json_object_set_new(showing->entity, "version", number_text(event->event));
        return true;
}

bool entity_show(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        scoped_ptr(database_close) struct database *reader = NULL;
        struct showing showing;
        uint64_t id;
        int64_t at_ns;
        bool found;
        if (!begin(request, &kinds, &reader, err) || !find_entity(request, reader, kinds, &showing, &id, err))
                return false;
        scoped_ptr(json_decref) json_t *entity = showing.entity;
        struct str at = request_field(request, "at");
        if (at.length) {
                if (!str_to_i64(at, &at_ns))
                        return fail(err, ERR_INVALID, "serve", "at: write nanoseconds since 1970");
                if (!event_as_of(reader, id, at_ns, &found, go_back, &showing, err))
                        return false;
                if (!found)
                        return fail(err, ERR_NOT_FOUND, "serve", "the entity did not exist then, or its history begins later");
        }
        json_t *keys = json_array();
        json_object_set_new(entity, "keys", keys);
        if (!key_visit_of(reader, id, add_key, keys, err))
                return false;
        json_object_set_new(entity, "relations", relations_json(request, kinds, id));
        return request_answer_json(request, 200, entity, err);
}

struct telling {
        const struct kind *kind;
        json_t *list;
};

static bool add_event(void *context, const struct event_row *event, struct err *err)
{
        const struct telling *telling = context;
        (void)err;
        json_array_append_new(telling->list, event_json(telling->kind, event, true));
        return true;
}

bool entity_history(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        scoped_ptr(database_close) struct database *reader = NULL;
        struct showing showing;
        uint64_t id, before = 0;
        int64_t limit;
        struct str text = request_field(request, "before");
        if ((text.length && !read_id(text, &before, err)) || !request_number(request, "limit", 50, 1, PAGE_MAX, &limit, err) ||
            !begin(request, &kinds, &reader, err) || !find_entity(request, reader, kinds, &showing, &id, err))
                return false;
        json_decref(showing.entity);
        scoped_ptr(json_decref) json_t *body = json_pack("{s:[]}", "events");
        struct telling telling = {showing.kind, json_object_get(body, "events")};
        return event_visit(reader, id, before, (size_t)limit, add_event, &telling, err) && request_answer_json(request, 200, body, err);
}

/* --- the neighbourhood -------------------------------------------------------------------------------------------------------------- */

struct near {
        const struct request *request;
        struct kinds *kinds;
        struct graph *graph;
        json_t *nodes, *edges;
};

static bool add_near(void *context, const struct graph_step *step)
{
        struct near *near = context;
        if (!may_read(near->request, kinds_find(near->kinds, step->node.kind)))
                return true;
        json_t *node = node_json(&step->node);
        json_object_set_new(node, "distance", json_integer(step->distance));
        json_array_append_new(near->nodes, node);
        if (step->edge)
                json_array_append_new(near->edges, edge_json(near->kinds, near->graph, step->edge));
        return true;
}

static bool read_direction(struct str text, enum graph_direction *out_direction, struct err *err)
{
        static const struct { const char *name; enum graph_direction direction; } names[] = {
                {"", GRAPH_ANY}, {"any", GRAPH_ANY}, {"upstream", GRAPH_UPSTREAM}, {"downstream", GRAPH_DOWNSTREAM}, {"impact", GRAPH_ANY_IMPACT}};
        for (size_t i = 0; i < countof(names); i++)
                if (str_is(text, names[i].name)) {
                        *out_direction = names[i].direction;
                        return true;
                }
        return fail(err, ERR_INVALID, "serve", "direction: write upstream (what its trouble may come from), downstream (what suffers), impact or any");
}

bool entity_graph(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        enum graph_direction direction = GRAPH_ANY;
        uint64_t id;
        int64_t hops;
        if (!read_id(request->captured[0], &id, err) || !read_direction(request_field(request, "direction"), &direction, err) ||
            !request_number(request, "hops", 2, 1, 20, &hops, err) || !begin(request, &kinds, NULL, err))
                return false;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:[], s:[]}", "nodes", "edges");
        struct near *near = arena_new(&request->arena, struct near);
        if (!near || !body)
                return fail_memory(err, "serve", sizeof *near);
        near->request = request;
        near->kinds = kinds;
        near->nodes = json_object_get(body, "nodes");
        near->edges = json_object_get(body, "edges");
        near->graph = registry_read_begin(registry_of(request));
        bool whole = graph_visit(near->graph, id, direction, (int)hops, NEAR_MAX, add_near, near);
        registry_read_end(registry_of(request));
        json_object_set_new(body, "whole", json_boolean(whole));
        if (!json_array_size(near->nodes))
                return fail(err, ERR_NOT_FOUND, "serve", "there is no entity %llu", (unsigned long long)id);
        return request_answer_json(request, 200, body, err);
}

/* --- writing -------------------------------------------------------------------------------------------------------------------------- */

static bool order_from_body(struct request *request, const char *verb, bool about_one, int status, struct err *err)
{
        json_t *arguments = NULL;
        if (!request_json(request, &arguments, err))
                return false;
        json_object_del(arguments, "role");
        if (about_one)
                json_object_set_new(arguments, "id", json_text(request->captured[0]));
        return order_entity(request, verb, arguments, status, err);
}

bool entity_add(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_create", false, 201, err);
}

bool entity_set(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_update", true, 200, err);
}

bool entity_remove(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_delete", true, 200, err);
}

bool entity_bring_back(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_restore", true, 200, err);
}

bool entity_go_back(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_revert", true, 200, err);
}

bool entity_join(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_relate", true, 200, err);
}

bool entity_part(struct request *request, struct err *err)
{
        return order_from_body(request, "entity_unrelate", true, 200, err);
}

/* --- CSV --------------------------------------------------------------------------------------------------------------------------------- */

struct exporting {
        const struct kind *kind;
        struct registry *registry;
        struct buf *out;
};

static bool export_entity(void *context, const struct entity_row *row, struct err *err)
{
        const struct exporting *exporting = context;
        scoped_ptr(json_decref) json_t *body = json_parse(row->body, err);
        scoped(buf_done) struct buf value = {0};
        char number[24];
        if (!body)
                return false;
        snprintf(number, sizeof number, "%llu", (unsigned long long)row->id);
        csv_write_field(exporting->out, str_of(number), true);
        csv_write_field(exporting->out, row->state, false);
        each (field, &exporting->kind->fields) {
                buf_clear(&value);
                value_to_text(body_effective(body, field->id), &value);
                csv_write_field(exporting->out, buf_str(&value), false);
        }
        return buf_byte(exporting->out, '\n') || fail_memory(err, "serve", exporting->out->length);
}

static bool find_kind(struct request *request, struct kinds *kinds, const struct kind **out_kind, struct err *err)
{
        struct str id = request_field(request, "kind");
        *out_kind = kinds_find(kinds, id);
        if (!may_read(request, *out_kind))
                return fail(err, ERR_NOT_FOUND, "serve", "kind: there is no kind \"%.*s\"", (int)min_of(id.length, (size_t)80), id.bytes ? id.bytes : "");
        return true;
}

bool entities_export(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        scoped_ptr(database_close) struct database *reader = NULL;
        scoped(buf_done) struct buf out = {0};
        const struct kind *kind;
        if (!begin(request, &kinds, &reader, err) || !find_kind(request, kinds, &kind, err))
                return false;
        csv_write_field(&out, STR("id"), true);
        csv_write_field(&out, STR("state"), false);
        each (field, &kind->fields)
                csv_write_field(&out, field->id, false);
        buf_byte(&out, '\n');
        struct entity_filter filter = {.kind = kind->id, .text = request_field(request, "query"), .limit = EXPORT_MAX};
        struct exporting exporting = {kind, registry_of(request), &out};
        if (!entity_list(reader, &filter, export_entity, &exporting, err))
                return false;
        request_add_header(request, "Content-Disposition", "attachment; filename=\"entities.csv\"");
        return request_answer(request, 200, "text/csv; charset=utf-8", buf_str(&out)) || fail_memory(err, "serve", out.length);
}

static bool read_rows(struct csv *csv, json_t *rows, struct err *err)
{
        for (bool has_row;;) {
                if (!csv_next(csv, &has_row, err))
                        return false;
                if (!has_row)
                        return true;
                if (json_array_size(rows) >= REGISTRY_IMPORT_MAX)
                        return fail(err, ERR_TOO_LARGE, "serve", "an import has %d rows at most; split it", REGISTRY_IMPORT_MAX);
                json_t *row = json_object();
                json_array_append_new(rows, row);
                for (size_t i = 0; i < csv->fields.count; i++) {
                        json_t *value = json_text(csv->fields.items[i]);
                        struct str column = csv->header.items[i];
                        if (!value || json_object_setn_new(row, column.bytes, column.length, value))
                                return fail(err, ERR_INVALID, "serve", "line %zu: not UTF-8", csv->line);
                }
        }
}

bool entities_import(struct request *request, struct err *err)
{
        scoped_ptr(kinds_unref) struct kinds *kinds = NULL;
        scoped(csv_done) struct csv csv = {0};
        const struct kind *kind;
        struct str text;
        if (!begin(request, &kinds, NULL, err) || !find_kind(request, kinds, &kind, err) ||
            !decompress(request_header(request, "Content-Encoding"), buf_str(&request->body), IMPORT_BYTES_MAX, &request->arena, &text, err))
                return false;
        scoped_ptr(json_decref) json_t *arguments = json_pack("{s:o, s:[]}", "kind", json_text(kind->id), "rows");
        if (!csv_open(&csv, text, err) || !read_rows(&csv, json_object_get(arguments, "rows"), err))
                return false;
        return order_entity(request, "entity_import", give(arguments), 200, err);
}
