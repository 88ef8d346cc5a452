/*
 * api_moved.c - what of an incident, a host or a service left its normal, together and in which order: gathers whom that is about and
 * how labels name them, and lets query/moved look.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/incident_table.h"
#include "engage/topology.h"
#include "query/moved.h"
#include "register/entity_table.h"
#include "register/kind.h"
#include "register/registry.h"
#include "serve/role.h"
#include "serve/server.h"
#include "serve/warnings.h"
#include "serve/when.h"
#include "store/database.h"

#include <stdio.h>

#define VALUES_MAX 8            /* of one subject: its names as labels write them */
#define LABEL_NAMES_MAX 32
#define HOPS_MAX 3
#define LEAD_NS ((int64_t)1800 * NS_PER_S)      /* before an incident was opened: what began it is older */
#define AFTER_NS ((int64_t)3600 * NS_PER_S)     /* after it was */
#define USUAL_NS ((int64_t)3600 * NS_PER_S)     /* of a host or a service, when nothing is said */

SCOPED_PTR(kinds_unref, struct kinds)
SCOPED_PTR(database_close, struct database)

struct asking {
        struct request *request;
        struct kinds *kinds;    /* NULL: there is no register */
        struct moved_subject subjects[MOVED_SUBJECTS_MAX];
        size_t count, left_out;
        struct { struct str *items; size_t count, capacity; } label_names;
        bool failed;            /* no memory */
};

static struct registry *registry_of(const struct asking *asking)
{
        return server_of(asking->request)->context.registry;
}

/* --- whom it is about ------------------------------------------------------------------------------------------------------ */

static struct moved_subject *add_subject(struct asking *asking, uint64_t id, struct str kind, struct str name)
{
        for (size_t i = 0; i < asking->count; i++)
                if (asking->subjects[i].id == id)
                        return NULL;
        if (asking->count == MOVED_SUBJECTS_MAX) {
                asking->left_out++;
                return NULL;
        }
        struct arena *arena = &asking->request->arena;
        struct moved_subject *subject = &asking->subjects[asking->count];
        *subject = (struct moved_subject){.id = id};
        if (!text_copy(kind, arena, &subject->kind) || !text_copy(name, arena, &subject->name)) {
                asking->failed = true;
                return NULL;
        }
        asking->count++;
        return subject;
}

static void add_value(struct asking *asking, struct moved_subject *subject, struct str value)
{
        struct str copy, *place;
        each (known, &subject->values)
                if (str_equal_nocase(*known, value))
                        return;
        if (!value.length || subject->values.count == VALUES_MAX)
                return;
        if (!text_copy(value, &asking->request->arena, &copy) || !(place = arena_push(&asking->request->arena, &subject->values)))
                asking->failed = true;
        else
                *place = copy;
}

static bool may_read(const struct asking *asking, struct str kind)
{
        const struct kind *found = kinds_find(asking->kinds, kind);
        return found && kind_allows(found, request_role(asking->request), MAY_READ);
}

static bool add_near(void *context, const struct graph_step *step)
{
        struct asking *asking = context;
        if (!may_read(asking, step->node.kind))
                return true;
        add_subject(asking, step->node.id, step->node.kind, step->node.name);
        return !asking->failed;
}

/* What stands within another (a service on a host): its series often name it alone, and are the other's too. */
static bool add_part(void *context, const struct graph_step *step)
{
        struct asking *asking = context;
        const struct kind *kind = kinds_find(asking->kinds, step->node.kind);
        if (step->edge && step->edge->from == step->node.id && kind && kind->within >= 0 &&
            str_equal(kind->relations.items[kind->within].id, step->edge->relation))
                add_near(asking, step);
        return !asking->failed;
}

static void add_parts(struct asking *asking)
{
        size_t asked = asking->count;
        if (!registry_of(asking))
                return;
        struct graph *graph = registry_read_begin(registry_of(asking));
        for (size_t i = 0; i < asked; i++)
                graph_visit(graph, asking->subjects[i].id, GRAPH_ANY_IMPACT, 1, 0, add_part, asking);
        registry_read_end(registry_of(asking));
}

/* What the trouble of those asked about may come from. */
static void add_neighbours(struct asking *asking, int hops)
{
        size_t asked = asking->count;
        if (!hops || !registry_of(asking))
                return;
        struct graph *graph = registry_read_begin(registry_of(asking));
        for (size_t i = 0; i < asked; i++)
                graph_visit(graph, asking->subjects[i].id, GRAPH_UPSTREAM, hops, 4 * MOVED_SUBJECTS_MAX, add_near, asking);
        registry_read_end(registry_of(asking));
}

static bool find_entity(struct asking *asking, struct str wanted, struct str kind, struct err *err)
{
        uint64_t ids[2], id;
        size_t count = 0;
        struct graph_node node;
        bool is_there = false;
        if (!registry_of(asking))
                return fail(err, ERR_NOT_FOUND, "serve", "there is no register here");
        if (str_to_u64(wanted, &id))
                ids[count++] = id;
        else
                count = registry_find(registry_of(asking), kind, wanted, ids, countof(ids));
        if (count > 1)
                return fail(err, ERR_INVALID, "serve", "several things are called %.*s; say which kind, or give the id", STR_ARGS(str_slice(wanted, 0, 80)));
        struct graph *graph = registry_read_begin(registry_of(asking));
        if (count && graph_node(graph, ids[0], &node) && may_read(asking, node.kind)) {
                is_there = true;
                add_subject(asking, node.id, node.kind, node.name);
        }
        registry_read_end(registry_of(asking));
        return is_there || fail(err, ERR_NOT_FOUND, "serve", "nothing in the inventory is called %.*s", STR_ARGS(str_slice(wanted, 0, 80)));
}

static int64_t time_of(const json_t *incident, const char *key)
{
        int64_t time_ns;
        return str_to_i64(json_str(incident, key), &time_ns) ? time_ns : 0;
}

/* The incident's entities, and the time around its beginning. */
static bool find_incident(struct asking *asking, int64_t number, int64_t now_ns, int64_t *from_ns, int64_t *until_ns, struct err *err)
{
        struct server *server = server_of(asking->request);
        size_t i;
        json_t *entity;
        with_lock(&server->reader_lock);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(server->reader, (uint32_t)number, err);
        if (!incident)
                return false;
        int64_t opened_ns = time_of(incident, "opened_ns"), resolved_ns = time_of(incident, "resolved_ns");
        *from_ns = opened_ns - LEAD_NS;
        *until_ns = min_of(now_ns, opened_ns + AFTER_NS);
        if (resolved_ns > opened_ns)
                *until_ns = min_of(*until_ns, resolved_ns);
        json_array_foreach (json_object_get(incident, "entities"), i, entity) {
                uint64_t id;
                if (!str_to_u64(json_str(entity, "id"), &id))
                        continue;
                struct str name = json_str(entity, "name");
                struct moved_subject *subject = add_subject(asking, id, json_str(entity, "kind"), name);
                if (subject)
                        add_value(asking, subject, name);
        }
        return true;
}

/* --- how labels name them ---------------------------------------------------------------------------------------------------- */

static void add_label_name(struct asking *asking, struct str name)
{
        struct str copy, *place;
        each (known, &asking->label_names)
                if (str_equal(*known, name))
                        return;
        if (asking->label_names.count == LABEL_NAMES_MAX)
                return;
        if (!text_copy(name, &asking->request->arena, &copy) || !(place = arena_push(&asking->request->arena, &asking->label_names)))
                asking->failed = true;
        else
                *place = copy;
}

/* A metric's label has no dot in its name; what kinds call host.name comes as host_name. */
static bool is_of_metrics(struct str name)
{
        for (size_t i = 0; i < name.length; i++)
                if (name.bytes[i] == '.')
                        return false;
        return name.length > 0;
}

static void add_label_names(struct asking *asking)
{
        for (size_t i = 0; topology_label(i).length; i++)
                add_label_name(asking, topology_label(i));
        if (!registry_of(asking))
                return;
        for (size_t i = 0; i < asking->count; i++) {
                const struct kind *kind = kinds_find(asking->kinds, asking->subjects[i].kind);
                if (!kind)
                        continue;
                each (rule, &kind->rules)
                        each (name, &rule->from)
                                if (is_of_metrics(*name))
                                        add_label_name(asking, *name);
        }
}

struct keys {
        struct asking *asking;
        struct moved_subject *subject;
};

static bool add_key(void *context, const struct key_row *key, struct err *err)
{
        struct keys *keys = context;
        add_value(keys->asking, keys->subject, key->value);
        return !keys->asking->failed || fail_memory(err, "serve", key->value.length);
}

static bool add_values(struct asking *asking, struct err *err)
{
        const struct serve_context *context = &server_of(asking->request)->context;
        scoped_ptr(database_close) struct database *reader = NULL;
        struct str kind, name;
        if (!context->registry)
                return true;
        if (!database_open_reader(context->state_path, context->vfs, &reader, err))
                return false;
        for (size_t i = 0; i < asking->count; i++) {
                struct moved_subject *subject = &asking->subjects[i];
                if (registry_name(context->registry, subject->id, &asking->request->arena, &kind, &name))
                        add_value(asking, subject, name);
                if (subject->id <= INT64_MAX && !key_visit_of(reader, subject->id, add_key, &(struct keys){asking, subject}, err))
                        return false;
        }
        return true;
}

/* As alerts are: what the register knows, and what labels alone say. */
static size_t resolve(void *context, const struct labels *labels, uint64_t *out_ids, size_t max)
{
        struct registry *registry = context;
        struct topology_entity others[TOPOLOGY_ENTITIES_MAX];
        size_t count = registry ? registry_resolve(registry, labels, out_ids, max) : 0, more = topology_of_labels(labels, others, countof(others));
        for (size_t i = 0; i < more && count < max; i++)
                out_ids[count++] = others[i].id;
        return count;
}

/* --- the question -------------------------------------------------------------------------------------------------------------- */

static bool read_time(struct request *request, const char *name, int64_t now_ns, int64_t *out_ns, struct err *err)
{
        struct str text = request_field(request, name);
        int64_t ago_ns;
        if (!text.length || when_any(text, now_ns, out_ns))
                return true;
        if (!when_length(text, &ago_ns))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"%s\": it is a time, as 2026-01-31T10:00:00Z, or how long ago, as 2h", name);
        *out_ns = now_ns - ago_ns;
        return true;
}

static bool read_question(struct asking *asking, struct moved_question *question, struct err *err)
{
        struct request *request = asking->request;
        struct str entity = request_field(request, "entity");
        int64_t now_ns = clock_now_ns(server_of(request)->context.clock), number, hops;
        if (!request_number(request, "incident", 0, 0, UINT32_MAX, &number, err) || !request_number(request, "hops", number ? 1 : 0, 0, HOPS_MAX, &hops, err))
                return false;
        if (!number == !entity.length)
                return fail(err, ERR_INVALID, "serve", "say which incident, or which entity by its name or id");
        question->until_ns = now_ns;
        if (number ? !find_incident(asking, number, now_ns, &question->from_ns, &question->until_ns, err)
                   : !find_entity(asking, entity, request_field(request, "kind"), err))
                return false;
        if (!read_time(request, "until", now_ns, &question->until_ns, err))
                return false;
        if (!number)
                question->from_ns = question->until_ns - USUAL_NS;
        if (!read_time(request, "since", now_ns, &question->from_ns, err) || !request_deadline(request, &question->deadline_ns, err))
                return false;
        if (!number)
                add_parts(asking);
        add_neighbours(asking, (int)hops);
        add_label_names(asking);
        return add_values(asking, err) && (!asking->failed || fail_memory(err, "serve", sizeof *asking));
}

bool moved_show(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct asking *asking = arena_new(&request->arena, struct asking);
        if (!asking)
                return fail_memory(err, "serve", sizeof *asking);
        scoped_ptr(kinds_unref) struct kinds *kinds = server->context.registry ? registry_kinds(server->context.registry) : NULL;
        asking->request = request;
        asking->kinds = kinds;
        struct warnings_source noting;
        struct moved_question question = {.resolve = resolve, .context = server->context.registry, .cancelled = http_stopping(server->http),
                                          .source = warnings_note(&noting, promql_store_source(server->context.series))};
        if (!read_question(asking, &question, err))
                return false;
        question.subjects = asking->subjects;
        question.subject_count = asking->count;
        question.label_names = asking->label_names.items;
        question.label_name_count = asking->label_names.count;
        scoped_ptr(json_decref) json_t *answer = moved_find(&question, err);
        if (!answer)
                return false;
        if (json_object_set_new(answer, "entities_left_out", json_integer((json_int_t)asking->left_out)))
                return fail_memory(err, "serve", sizeof(void *));
        return warnings_add(request, noting.start_ns, noting.end_ns, answer, err) && request_answer_json(request, 200, answer, err);
}
