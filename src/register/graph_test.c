/* graph_test - what lies upstream and downstream, how far, and what happens at the bounds. */
#include "register/graph.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

/* shop calls pay, pay runs_on web1, db runs_on web2, pay calls db; ops owns pay. */
enum { SHOP = 1, PAY, DB, WEB1, WEB2, OPS };

SCOPED_PTR(graph_destroy, struct graph)

static void edge(struct graph *graph, uint64_t from, const char *relation, uint64_t to, enum impact impact)
{
        struct err err;
        struct graph_edge wanted = {from, to, str_of(relation), impact, EDGE_PERSON, 10, 20};
        assert_true(graph_relate(graph, &wanted, &err));
}

static struct graph *shop(void)
{
        struct graph *graph;
        struct err err;
        assert_true(graph_create(0, 0, &graph, &err));
        const char *const names[] = {"", "shop", "pay", "db", "web1", "web2", "ops"};
        for (uint64_t id = SHOP; id <= OPS; id++)
                assert_true(graph_add(graph, id, id >= WEB1 ? STR("host") : STR("service"), str_of(names[id]), &err));
        edge(graph, SHOP, "calls", PAY, IMPACT_TO_FROM);
        edge(graph, PAY, "runs_on", WEB1, IMPACT_TO_FROM);
        edge(graph, PAY, "calls", DB, IMPACT_TO_FROM);
        edge(graph, DB, "runs_on", WEB2, IMPACT_TO_FROM);
        edge(graph, OPS, "owns", PAY, IMPACT_NONE);
        return graph;
}

static bool note(void *context, const struct graph_step *step)
{
        char *text = context;
        size_t length = strlen(text);
        snprintf(text + length, 200 - length, "%s%d:%.*s", length ? " " : "", step->distance, STR_ARGS(step->node.name));
        return true;
}

static void upstream_is_what_trouble_may_come_from_and_downstream_what_suffers(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *graph = shop();
        char up[200] = "", down[200] = "", near[200] = "";
        assert_true(graph_visit(graph, PAY, GRAPH_UPSTREAM, 9, 0, note, up));
        assert_string_equal(up, "0:pay 1:db 1:web1 2:web2");
        assert_true(graph_visit(graph, WEB2, GRAPH_DOWNSTREAM, 9, 0, note, down));
        assert_string_equal(down, "0:web2 1:db 2:pay 3:shop");
        assert_true(graph_visit(graph, PAY, GRAPH_ANY, 1, 0, note, near));
        assert_string_equal(near, "0:pay 1:db 1:web1 1:shop 1:ops");
}

static void distance_counts_hops_in_the_direction_asked_for(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *graph = shop();
        assert_int_equal(graph_distance(graph, SHOP, WEB2, GRAPH_UPSTREAM, 9), 3);
        assert_int_equal(graph_distance(graph, SHOP, WEB2, GRAPH_DOWNSTREAM, 9), -1);
        assert_int_equal(graph_distance(graph, SHOP, WEB2, GRAPH_UPSTREAM, 2), -1);
        assert_int_equal(graph_distance(graph, WEB1, WEB2, GRAPH_ANY_IMPACT, 9), 3);
        assert_int_equal(graph_distance(graph, OPS, PAY, GRAPH_ANY_IMPACT, 9), -1);
        assert_int_equal(graph_distance(graph, OPS, PAY, GRAPH_ANY, 9), 1);
        assert_int_equal(graph_distance(graph, PAY, PAY, GRAPH_UPSTREAM, 0), 0);
        assert_int_equal(graph_distance(graph, PAY, 77, GRAPH_ANY, 9), -1);
}

static void an_edge_keeps_all_its_sources_and_goes_with_the_last(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *graph = shop();
        struct err err;
        struct graph_edge again = {SHOP, PAY, STR("calls"), IMPACT_TO_FROM, EDGE_SOCKETS, 5, 15}, found;
        assert_true(graph_relate(graph, &again, &err));
        assert_int_equal(graph_edge_count(graph), 5);
        assert_true(graph_edge(graph, SHOP, PAY, STR("calls"), &found));
        assert_int_equal(found.sources, EDGE_PERSON | EDGE_SOCKETS);
        assert_int_equal(found.first_ns, 5);
        assert_int_equal(found.seen_ns, 20);
        assert_true(graph_unrelate(graph, SHOP, PAY, STR("calls"), EDGE_PERSON));
        assert_int_equal(graph_distance(graph, SHOP, PAY, GRAPH_UPSTREAM, 1), 1);
        assert_true(graph_unrelate(graph, SHOP, PAY, STR("calls"), EDGE_SOCKETS));
        assert_int_equal(graph_distance(graph, SHOP, PAY, GRAPH_UPSTREAM, 1), -1);
        assert_false(graph_unrelate(graph, SHOP, PAY, STR("calls"), EDGE_SOCKETS));
}

static void a_removed_entity_takes_its_edges_along_and_its_place_is_used_again(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *graph = shop();
        struct err err;
        graph_remove(graph, PAY);
        assert_int_equal(graph_edge_count(graph), 1);
        assert_int_equal(graph_node_count(graph), 5);
        assert_int_equal(graph_distance(graph, SHOP, WEB2, GRAPH_ANY, 9), -1);
        assert_true(graph_add(graph, 99, STR("service"), STR("pay2"), &err));
        edge(graph, SHOP, "calls", 99, IMPACT_TO_FROM);
        edge(graph, 99, "calls", DB, IMPACT_TO_FROM);
        assert_int_equal(graph_distance(graph, SHOP, WEB2, GRAPH_UPSTREAM, 9), 3);
}

static void bounds_refuse_and_leave_all_as_it_was(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *graph = NULL;
        struct err err;
        assert_true(graph_create(2, 1, &graph, &err));
        assert_true(graph_add(graph, 1, STR("host"), STR("a"), &err));
        assert_true(graph_add(graph, 2, STR("host"), STR("b"), &err));
        assert_false(graph_add(graph, 3, STR("host"), STR("c"), &err));
        assert_int_equal(err.code, ERR_FULL);
        edge(graph, 1, "near", 2, IMPACT_BOTH);
        struct graph_edge more = {2, 1, STR("near"), IMPACT_BOTH, EDGE_PERSON, 1, 1};
        assert_false(graph_relate(graph, &more, &err));
        assert_int_equal(err.code, ERR_FULL);
        struct graph_edge lost = {2, 9, STR("near"), IMPACT_BOTH, EDGE_PERSON, 1, 1};
        assert_false(graph_relate(graph, &lost, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        char text[200] = "";
        assert_false(graph_visit(graph, 1, GRAPH_ANY, 9, 1, note, text));
        assert_string_equal(text, "0:a");
        assert_int_equal(graph_edge_count(graph), 1);
}

static void the_order_in_which_edges_became_known_does_not_show(void **unused)
{
        (void)unused;
        scoped_ptr(graph_destroy) struct graph *one = shop(), *other = shop();
        char first[200] = "", second[200] = "";
        for (uint64_t id = SHOP; id <= OPS; id++)
                edge(one, PAY, "requires", id, IMPACT_TO_FROM);
        for (uint64_t id = OPS; id >= SHOP; id--)
                edge(other, PAY, "requires", id, IMPACT_TO_FROM);
        assert_false(graph_visit(one, PAY, GRAPH_ANY, 2, 4, note, first));
        assert_false(graph_visit(other, PAY, GRAPH_ANY, 2, 4, note, second));
        assert_string_equal(first, second);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(upstream_is_what_trouble_may_come_from_and_downstream_what_suffers),
                cmocka_unit_test(distance_counts_hops_in_the_direction_asked_for),
                cmocka_unit_test(an_edge_keeps_all_its_sources_and_goes_with_the_last),
                cmocka_unit_test(a_removed_entity_takes_its_edges_along_and_its_place_is_used_again),
                cmocka_unit_test(the_order_in_which_edges_became_known_does_not_show),
                cmocka_unit_test(bounds_refuse_and_leave_all_as_it_was),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
