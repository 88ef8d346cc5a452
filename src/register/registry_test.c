/* registry_test - hosts and services that come by themselves, what people write, and what both become over time. */
#include "register/registry.h"

#include "base/json.h"
#include "base/scope.h"
#include "register/entity_table.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define SECOND ((int64_t)1000000000)
#define NOW (1700000000 * SECOND)

static const char *const migrations[] = {entity_schema, NULL};
static char directory[64];
static struct database *state;
static struct registry *registry;
static uint64_t sequence;
static int64_t now_ns;

static void open_registry(void)
{
        struct err err;
        struct registry_options options = {0};
        assert_true(registry_create(&options, &registry, &err));
        if (!registry_load(registry, state, &err))
                print_error("%s\n", err.message), assert_true(false);
}

static int setup(void **unused)
{
        (void)unused;
        char path[96];
        struct err err;
        snprintf(directory, sizeof directory, "/tmp/registry-test-XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof path, "%s/state.db", directory);
        if (!database_open(path, NULL, migrations, &state, &err))
                return -1;
        sequence = 1;
        now_ns = NOW;
        open_registry();
        return 0;
}

static int teardown(void **unused)
{
        (void)unused;
        char command[128];
        registry_destroy(registry);
        database_close(state);
        snprintf(command, sizeof command, "rm -r '%s'", directory);
        return system(command);
}

/* As the pipeline does after each entry. */
static void write_down(void)
{
        struct err err;
        assert_true(database_begin(state, &err));
        if (!registry_write(registry, state, &err))
                print_error("%s\n", err.message), assert_true(false);
        assert_true(database_commit(state, &err));
        registry_written(registry);
        assert_false(registry_is_dirty(registry));
}

static void reopen(void)
{
        write_down();
        registry_destroy(registry);
        open_registry();
}

static void labels_of(const char *text, struct arena *arena, struct labels *out_labels)
{
        struct str rest = str_of(text), pair, name;
        struct err err;
        *out_labels = (struct labels){0};
        while (str_cut(&rest, ';', &pair)) {
                str_cut(&pair, '=', &name);
                *arena_push(arena, out_labels) = (struct label){name, pair};
        }
        assert_true(labels_canonical(out_labels, &err));
}

static void see(const char *text)
{
        struct arena arena;
        struct resource_seen seen = {.time_ns = now_ns};
        struct err err;
        arena_init(&arena, 0);
        labels_of(text, &arena, &seen.labels);
        assert_true(registry_see(registry, &seen, 1, sequence++, now_ns, &err));
        arena_done(&arena);
}

static json_t *order(const char *verb, json_t *arguments, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = arguments;
        json_t *result = NULL;
        assert_non_null(kept);
        *err = (struct err){0};
        return registry_command(registry, verb, kept, "alice", sequence++, now_ns, &result, err) ? result : NULL;
}

/* The result's id. */
static uint64_t ordered(const char *verb, json_t *arguments)
{
        struct err err;
        uint64_t id = 0;
        scoped_ptr(json_decref) json_t *result = order(verb, arguments, &err);
        if (!result)
                print_error("%s\n", err.message);
        assert_non_null(result);
        str_to_u64(json_str(result, "id"), &id);
        return id;
}

static void refused(const char *verb, json_t *arguments, enum err_code code, const char *why)
{
        struct err err;
        scoped_ptr(json_decref) json_t *result = order(verb, arguments, &err);
        if (result)
                print_error("not refused: %s\n", why);
        assert_null(result);
        if (err.code != code || !strstr(err.message, why))
                print_error("wanted \"%s\", was told \"%s\"\n", why, err.message), assert_true(false);
}

/* "kind:name kind:name" of what labels name. */
static const char *resolved(const char *text)
{
        static char told[500];
        struct arena arena;
        struct labels labels;
        uint64_t ids[8];
        arena_init(&arena, 0);
        labels_of(text, &arena, &labels);
        size_t count = registry_resolve(registry, &labels, ids, countof(ids));
        struct graph *graph = registry_read_begin(registry);
        told[0] = '\0';
        for (size_t i = 0; i < count; i++) {
                struct graph_node node;
                assert_true(graph_node(graph, ids[i], &node));
                snprintf(told + strlen(told), sizeof told - strlen(told), "%s%.*s:%.*s", i ? ", " : "", STR_ARGS(node.kind), STR_ARGS(node.name));
        }
        registry_read_end(registry);
        arena_done(&arena);
        return told;
}

static uint64_t named(const char *kind, const char *name)
{
        uint64_t ids[4];
        size_t count = registry_find(registry, str_of(kind), str_of(name), ids, countof(ids));
        if (count != 1)
                print_error("%zu are called %s\n", count, name);
        assert_int_equal(count, 1);
        return ids[0];
}

static bool has_edge(uint64_t from, const char *relation, uint64_t to, unsigned sources)
{
        struct graph_edge edge;
        bool found = graph_edge(registry_read_begin(registry), from, to, str_of(relation), &edge);
        registry_read_end(registry);
        return found && edge.sources == sources;
}

static json_t *text_id(uint64_t id)
{
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)id);
        return json_string(text);
}

static bool take_body(void *context, const struct entity_row *entity, struct err *err)
{
        *(json_t **)context = json_parse(entity->body, err);
        return *(json_t **)context != NULL;
}

static json_t *stored_body(uint64_t id)
{
        json_t *body = NULL;
        struct err err;
        bool found;
        write_down();
        assert_true(entity_get(state, id, &found, take_body, &body, &err));
        assert_true(found);
        return body;
}

static void hosts_services_and_filesystems_appear_from_telemetry(void **unused)
{
        (void)unused;
        see("host=web1;service=nginx");
        see("instance=web1:9100;job=node;mountpoint=/srv;fstype=ext4;device=/dev/sda1");
        see("instance=web1:9100;job=node;mountpoint=/run;fstype=tmpfs");
        assert_string_equal(resolved("host=web1;service=nginx"), "service:nginx on web1, host:web1");
        assert_string_equal(resolved("instance=web1:9100;mountpoint=/srv"), "filesystem:/srv on web1, host:web1");
        assert_string_equal(resolved("instance=web1:9100;mountpoint=/run;fstype=tmpfs"), "host:web1");
        assert_string_equal(resolved("service=nginx"), "service:nginx on web1");
        assert_string_equal(resolved("host=web2"), "");
        struct registry_stats stats;
        registry_read_stats(registry, &stats);
        assert_int_equal(stats.entities, 3);
        assert_true(has_edge(named("service", "nginx"), "runs_on", named("host", "web1"), EDGE_TELEMETRY));
        assert_int_equal(graph_distance(registry_read_begin(registry), named("host", "web1"), named("service", "nginx"), GRAPH_DOWNSTREAM, 3), 1);
        registry_read_end(registry);
}

static void all_is_there_after_a_restart(void **unused)
{
        (void)unused;
        see("host=web1;service=nginx");
        uint64_t nginx = named("service", "nginx");
        reopen();
        assert_int_equal(named("service", "nginx"), nginx);
        assert_string_equal(resolved("host=web1;service=nginx"), "service:nginx on web1, host:web1");
        assert_true(has_edge(nginx, "runs_on", named("host", "web1"), EDGE_TELEMETRY));
        see("host=web1;service=nginx");
        assert_false(registry_is_dirty(registry));
}

static void a_host_of_two_names_is_one_once_somebody_names_both(void **unused)
{
        (void)unused;
        see("instance=10.0.0.3:9100;job=api");
        see("host=db7;service=postgres");
        see("host=10.0.0.3;service=postgres");
        assert_string_equal(resolved("instance=10.0.0.3:9100"), "host:10.0.0.3");
        see("__name__=node_uname_info;instance=10.0.0.3:9100;nodename=db7;sysname=Linux;release=6.1.0");
        assert_string_equal(resolved("instance=10.0.0.3:9100"), "host:db7");
        assert_string_equal(resolved("host=db7"), "host:db7");
        assert_string_equal(resolved("host=10.0.0.3;service=postgres"), "service:postgres on db7, host:db7");
        struct registry_stats stats;
        registry_read_stats(registry, &stats);
        assert_int_equal(stats.entities, 2);
        assert_int_equal(stats.merged, 2);
        reopen();
        assert_string_equal(resolved("instance=10.0.0.3:9100"), "host:db7");
        assert_string_equal(resolved("host=db7;service=postgres"), "service:postgres on db7, host:db7");
}

static void two_machines_of_one_short_name_stay_two(void **unused)
{
        (void)unused;
        see("host=web1.a.example.org");
        see("host=web1.b.example.org");
        assert_string_equal(resolved("host=web1.a.example.org"), "host:web1");
        assert_string_equal(resolved("host=web1.b.example.org"), "host:web1.b.example.org");
        struct registry_stats stats;
        registry_read_stats(registry, &stats);
        assert_int_equal(stats.entities, 2);
}

static void edges_come_from_sockets_systemd_and_attributes(void **unused)
{
        (void)unused;
        see("__name__=evenkeel_connection;instance=web1;job=host;client=shop;server=postgres;server_unit=postgresql.service");
        uint64_t shop = named("service", "shop"), postgres = named("service", "postgresql");
        assert_true(has_edge(shop, "calls", postgres, EDGE_SOCKETS));
        see("host=web1;service=shop;peer_service=payments");
        assert_true(has_edge(shop, "calls", named("service", "payments"), EDGE_OTLP));
        see("__name__=evenkeel_unit_dependency;instance=web1;job=host;unit=postgresql.service;how=wants;needs=network-online.service");
        see("host=web1;unit=shop.service;service=shop");
        see("__name__=evenkeel_unit_dependency;instance=web1;job=host;unit=shop.service;how=requires;needs=postgresql.service");
        assert_true(has_edge(shop, "requires", postgres, EDGE_SYSTEMD));
        uint64_t ids[2];
        assert_int_equal(registry_find(registry, STR("service"), STR("network-online"), ids, 2), 0);
        assert_int_equal(graph_distance(registry_read_begin(registry), shop, postgres, GRAPH_UPSTREAM, 3), 1);
        registry_read_end(registry);
}

static void a_job_names_a_service_that_is_there_and_makes_none(void **unused)
{
        (void)unused;
        see("instance=web1:9100;job=node");
        assert_string_equal(resolved("instance=web1:9100;job=node"), "host:web1");
        see("__name__=target_info;job=checkout;instance=627cc493-f310-47de-96bd-71410b7dec09");
        assert_string_equal(resolved("job=checkout;instance=627cc493-f310-47de-96bd-71410b7dec09"), "service:checkout");
        see("host=web1;unit=nginx.service;job=node");
        assert_string_equal(resolved("instance=web1:9100;job=node"), "host:web1");
}

static void a_team_is_named_by_its_label(void **unused)
{
        (void)unused;
        see("host=web1;team=ops");
        assert_string_equal(resolved("host=web1;team=ops"), "host:web1");
        ordered("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "team", "fields", "name", "ops"));
        see("host=web1;team=ops");
        assert_string_equal(resolved("team=ops"), "team:ops");
        scoped_ptr(json_decref) json_t *body = stored_body(named("team", "ops"));
        assert_null(json_object_get(json_object_get(body, "name"), "o"));
}

static void a_declared_file_owns_its_edges(void **unused)
{
        (void)unused;
        struct err err;
        scoped_ptr(json_decref) json_t *both = json_pack("{s:{s:s}}", "dependencies", "estate.yaml",
                "dependencies:\n  - {from: {service: checkout}, calls: {service: payments}}\n  - {from: {service: payments}, calls: {service: ledger}}\n");
        scoped_ptr(json_decref) json_t *one = json_pack("{s:{s:s}}", "dependencies", "estate.yaml",
                "dependencies:\n  - {from: {service: checkout}, calls: {service: payments}}\n");
        scoped_ptr(json_decref) json_t *wrong = json_pack("{s:{s:s}}", "dependencies", "estate.yaml",
                "dependencies:\n  - {from: {service: checkout}, calls: {service: payments}}\n  - {from: {service: a}, eats: {service: b}}\n");
        assert_false(registry_check_configuration(wrong, &err));
        assert_non_null(strstr(err.message, "estate.yaml:3: no kind"));
        assert_true(registry_check_configuration(both, &err));
        assert_true(registry_configure(registry, both, sequence++, now_ns, &err));
        uint64_t payments = named("service", "payments");
        assert_true(has_edge(named("service", "checkout"), "calls", payments, EDGE_DECLARED));
        assert_true(has_edge(payments, "calls", named("service", "ledger"), EDGE_DECLARED));
        assert_true(registry_configure(registry, one, sequence++, now_ns, &err));
        assert_false(has_edge(payments, "calls", named("service", "ledger"), EDGE_DECLARED));
        reopen();
        assert_true(has_edge(named("service", "checkout"), "calls", payments, EDGE_DECLARED));
}

static void an_observed_edge_is_forgotten_and_a_persons_is_not(void **unused)
{
        (void)unused;
        see("__name__=evenkeel_connection;instance=web1;job=host;client=shop;server=redis");
        uint64_t shop = named("service", "shop"), redis = named("service", "redis");
        struct err err;
        now_ns += 6 * 86400 * SECOND;
        assert_true(registry_tick(registry, sequence++, now_ns, &err));
        assert_true(has_edge(shop, "calls", redis, EDGE_SOCKETS));
        ordered("entity_relate", json_pack("{s:o, s:s, s:o}", "id", text_id(shop), "relation", "calls", "to", text_id(redis)));
        now_ns += 2 * 86400 * SECOND;
        assert_true(registry_tick(registry, sequence++, now_ns, &err));
        assert_true(has_edge(shop, "calls", redis, EDGE_PERSON));
        ordered("entity_unrelate", json_pack("{s:o, s:s, s:o}", "id", text_id(shop), "relation", "calls", "to", text_id(redis)));
        assert_false(has_edge(shop, "calls", redis, EDGE_PERSON));
}

static void a_flood_of_new_names_is_refused_and_counted(void **unused)
{
        (void)unused;
        struct registry_stats stats;
        for (int i = 0; i < REGISTRY_NEW_BURST + 100; i++) {
                char text[40];
                snprintf(text, sizeof text, "host=node-%d", i);
                see(text);
        }
        registry_read_stats(registry, &stats);
        assert_int_equal(stats.entities, REGISTRY_NEW_BURST);
        assert_int_equal(stats.refused_rate, 100);
        now_ns += SECOND;
        see("host=later");
        assert_string_equal(resolved("host=later"), "host:later");
}

static void what_people_write_is_checked_as_the_kind_says(void **unused)
{
        (void)unused;
        refused("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "plane", "fields", "name", "x"), ERR_NOT_FOUND, "no kind \"plane\"");
        refused("entity_create", json_pack("{s:s, s:{}}", "kind", "host", "fields"), ERR_INVALID, "Name (name) is needed");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "a", "memory", "much"), ERR_INVALID, "write a number");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "a", "environment", "moon"), ERR_INVALID, "write one of: production");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "a", "bought", "yesterday"), ERR_INVALID, "2026-03-31");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "a", "owner", "nobody"), ERR_INVALID, "there is no team \"nobody\"");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "a", "kernel", "6.1"), ERR_FORBIDDEN, "may not write this field");
        refused("entity_create", json_pack("{s:s, s:{s:s}, s:s}", "kind", "host", "fields", "name", "a", "role", "viewer"), ERR_FORBIDDEN, "may not create Hosts");
        refused("entity_create", json_pack("{s:s, s:{s:s}, s:s}", "kind", "team", "fields", "name", "ops", "role", "operator"), ERR_FORBIDDEN, "may not create Teams");
        assert_false(registry_is_dirty(registry));
        ordered("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "team", "fields", "name", "ops"));
        refused("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "team", "fields", "name", "ops"), ERR_CONFLICT, "has this already");
        uint64_t host = ordered("entity_create", json_pack("{s:s, s:{s:s, s:i, s:s, s:s, s:[s, s], s:s}}", "kind", "host", "fields", "name", "web1", "memory", 16,
                                                          "owner", "ops", "bought", "2026-03-31", "tags", "a", "b", "serial", "X1"));
        refused("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "host", "fields", "name", "WEB1"), ERR_CONFLICT, "web1");
        refused("entity_create", json_pack("{s:s, s:{s:s, s:s}}", "kind", "host", "fields", "name", "web2", "serial", "X1"), ERR_CONFLICT, "Serial number: web1");
        see("host=web1;service=nginx");
        assert_int_equal(named("host", "web1"), host);
        uint64_t web = ordered("entity_create", json_pack("{s:s, s:{s:s}}", "kind", "team", "fields", "name", "web"));
        refused("entity_update", json_pack("{s:o, s:{s:n}}", "id", text_id(web), "fields", "name"), ERR_INVALID, "is needed");
}

static void intended_and_observed_values_stand_side_by_side_and_drift(void **unused)
{
        (void)unused;
        see("host=web1;host.arch=x86_64");
        uint64_t host = named("host", "web1");
        ordered("entity_update", json_pack("{s:o, s:{s:s}}", "id", text_id(host), "fields", "architecture", "arm64"));
        scoped_ptr(json_decref) json_t *body = stored_body(host);
        json_t *both = json_object_get(body, "architecture");
        assert_string_equal(json_string_value(json_array_get(json_object_get(both, "i"), 0)), "arm64");
        assert_string_equal(json_string_value(json_array_get(json_object_get(both, "i"), 1)), "alice");
        assert_string_equal(json_string_value(json_array_get(json_object_get(both, "o"), 0)), "x86_64");
        assert_string_equal(json_string_value(json_array_get(json_object_get(both, "o"), 1)), "telemetry");
        struct entity_filter filter = {.kind = STR("host"), .drifting = true, .limit = 10};
        uint64_t count;
        struct err err;
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 1);
        see("host=web1;host.arch=arm64");
        write_down();
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 0);
}

struct history {
        struct { uint64_t event; int64_t time_ns; char verb[20], note[200]; } rows[10];
        size_t count;
};

static bool take_event_row(void *context, const struct event_row *event, struct err *err)
{
        struct history *history = context;
        (void)err;
        assert_true(history->count < 10);
        history->rows[history->count].event = event->event;
        history->rows[history->count].time_ns = event->time_ns;
        snprintf(history->rows[history->count].verb, 20, "%.*s", STR_ARGS(event->verb));
        snprintf(history->rows[history->count++].note, 200, "%.*s", STR_ARGS(event->note));
        return true;
}

static void every_change_is_an_event_and_can_be_undone(void **unused)
{
        (void)unused;
        struct err err;
        bool found;
        uint64_t host = ordered("entity_create", json_pack("{s:s, s:{s:s, s:i}}", "kind", "host", "fields", "name", "web1", "memory", 16));
        now_ns += 10 * SECOND;
        ordered("entity_update", json_pack("{s:o, s:{s:i, s:s}}", "id", text_id(host), "fields", "memory", 32, "purpose", "shop"));
        now_ns += 10 * SECOND;
        ordered("entity_update", json_pack("{s:o, s:s}", "id", text_id(host), "state", "retired"));
        write_down();
        struct history history = {0};
        assert_true(event_visit(state, host, 0, 10, take_event_row, &history, &err));
        assert_int_equal(history.count, 3);
        assert_string_equal(history.rows[0].note, "state");
        assert_string_equal(history.rows[1].note, "Memory, Purpose");
        assert_string_equal(history.rows[2].verb, "create");
        struct history then = {0};
        assert_true(event_as_of(state, host, NOW + 15 * SECOND, &found, take_event_row, &then, &err));
        assert_int_equal(then.rows[0].event, history.rows[1].event);
        ordered("entity_revert", json_pack("{s:o, s:o}", "id", text_id(host), "event", text_id(history.rows[2].event)));
        scoped_ptr(json_decref) json_t *body = stored_body(host);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(json_object_get(body, "memory"), "i"), 0)), 16);
        assert_null(json_object_get(body, "purpose"));
        refused("entity_revert", json_pack("{s:o, s:s}", "id", text_id(host), "event", "12345"), ERR_NOT_FOUND, "no event 12345");
        refused("entity_update", json_pack("{s:o, s:s, s:{s:i}}", "id", text_id(host), "version", "1", "fields", "memory", 1), ERR_CONFLICT, "changed meanwhile");
}

static void deleting_hides_then_purges(void **unused)
{
        (void)unused;
        struct err err;
        see("host=web1;service=nginx");
        uint64_t host = named("host", "web1");
        ordered("entity_delete", json_pack("{s:o}", "id", text_id(host)));
        assert_string_equal(resolved("host=web1"), "");
        see("host=web1");
        assert_string_equal(resolved("host=web1"), "");
        ordered("entity_restore", json_pack("{s:o}", "id", text_id(host)));
        assert_string_equal(resolved("host=web1;service=nginx"), "service:nginx on web1, host:web1");
        assert_true(has_edge(named("service", "nginx"), "runs_on", host, EDGE_TELEMETRY));
        ordered("entity_delete", json_pack("{s:o}", "id", text_id(host)));
        write_down();
        now_ns += REGISTRY_PURGE_NS + 61 * SECOND;
        assert_true(registry_tick(registry, sequence++, now_ns, &err));
        write_down();
        bool found = true;
        assert_true(entity_get(state, host, &found, NULL, NULL, &err));
        assert_false(found);
        see("host=web1");
        assert_true(named("host", "web1") != host);
        reopen();
        assert_string_equal(resolved("host=web1"), "host:web1");
}

static void an_import_is_all_or_nothing(void **unused)
{
        (void)unused;
        see("host=web1");
        write_down();
        refused("entity_import", json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "kind", "host", "rows", "name", "web2", "memory", "8", "name", "web3", "memory", "lots"),
                ERR_INVALID, "row 2");
        refused("entity_import", json_pack("{s:s, s:[{s:s}, {s:s}]}", "kind", "host", "rows", "name", "web2", "name", "web2"), ERR_CONFLICT, "row 2");
        assert_false(registry_is_dirty(registry));
        struct err err;
        scoped_ptr(json_decref) json_t *result = order("entity_import", json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s, s:s}]}", "kind", "host", "rows", "name", "web1",
                                                                               "memory", "8", "name", "web2", "memory", "", "tags", "a;b"), &err);
        assert_non_null(result);
        assert_int_equal(json_i64(result, "created", -1), 1);
        assert_int_equal(json_i64(result, "updated", -1), 1);
        assert_string_equal(resolved("host=web2"), "host:web2");
}

static void lists_are_filtered_searched_and_paged(void **unused)
{
        (void)unused;
        struct err err;
        uint64_t count;
        for (int i = 0; i < 5; i++) {
                char name[20];
                snprintf(name, sizeof name, "web%d", i);
                ordered("entity_create", json_pack("{s:s, s:{s:s, s:s, s:i}}", "kind", "host", "fields", "name", name, "environment",
                                                  i % 2 ? "test" : "production", "memory", i));
        }
        write_down();
        struct entity_filter filter = {.kind = STR("host"), .field = STR("environment"), .value = STR("production"), .limit = 10};
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 3);
        filter = (struct entity_filter){.field = STR("memory"), .value = STR("4"), .limit = 10};
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 1);
        filter = (struct entity_filter){.text = STR("WEB3")};
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 1);
        filter = (struct entity_filter){.kind = STR("service")};
        assert_true(entity_count(state, &filter, &count, &err));
        assert_int_equal(count, 0);
}

static void what_could_not_be_written_is_written_the_next_time(void **unused)
{
        (void)unused;
        struct err err;
        see("host=web1;service=nginx");
        assert_true(database_begin(state, &err));
        assert_true(registry_write(registry, state, &err));
        database_rollback(state);
        assert_true(registry_is_dirty(registry));
        see("host=web2");
        reopen();
        assert_string_equal(resolved("host=web1;service=nginx"), "service:nginx on web1, host:web1");
        assert_string_equal(resolved("host=web2"), "host:web2");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                STORY(hosts_services_and_filesystems_appear_from_telemetry),
                STORY(all_is_there_after_a_restart),
                STORY(a_host_of_two_names_is_one_once_somebody_names_both),
                STORY(two_machines_of_one_short_name_stay_two),
                STORY(edges_come_from_sockets_systemd_and_attributes),
                STORY(a_job_names_a_service_that_is_there_and_makes_none),
                STORY(a_team_is_named_by_its_label),
                STORY(a_declared_file_owns_its_edges),
                STORY(an_observed_edge_is_forgotten_and_a_persons_is_not),
                STORY(a_flood_of_new_names_is_refused_and_counted),
                STORY(what_people_write_is_checked_as_the_kind_says),
                STORY(intended_and_observed_values_stand_side_by_side_and_drift),
                STORY(every_change_is_an_event_and_can_be_undone),
                STORY(deleting_hides_then_purges),
                STORY(an_import_is_all_or_nothing),
                STORY(lists_are_filtered_searched_and_paged),
                STORY(what_could_not_be_written_is_written_the_next_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
