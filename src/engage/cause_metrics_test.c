/* cause_metrics_test - who is blamed, why, and who is not. */
#include "engage/cause_metrics.h"

#include "base/rng.h"
#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROWS 120
#define AT 100
#define SERIES_MAX 16

/* A small world: series around 1 with some noise, to which a test adds its trouble. */
struct world {
        double values[SERIES_MAX][ROWS];
        int64_t times[ROWS];
        struct cause_series series[SERIES_MAX];
        struct cause_question question;
        struct arena arena;
        struct cause_list causes;
};

static void world_init(struct world *world)
{
        *world = (struct world){0};
        arena_init(&world->arena, 0);
        for (int i = 0; i < ROWS; i++)
                world->times[i] = i * 60000000000;
        world->question = (struct cause_question){.times_ns = world->times, .row_count = ROWS, .series = world->series,
                                                  .at_ns = world->times[AT], .target = CAUSE_NO_TARGET};
}

static void world_done(struct world *world)
{
        arena_done(&world->arena);
}

static double *add(struct world *world, const char *entity, const char *metric, double level)
{
        size_t n = world->question.series_count++;
        struct rng rng = {n + 1};
        for (int i = 0; i < ROWS; i++)
                world->values[n][i] = level * (1 + 0.02 * (rng_unit(&rng) - 0.5));
        world->series[n] = (struct cause_series){str_of(entity), str_of(metric), STR("value"), world->values[n]};
        return world->values[n];
}

static void change(double *values, int from, int to, double factor)
{
        for (int i = from; i < to; i++)
                values[i] *= factor;
}

static const struct cause *rank(struct world *world, size_t place)
{
        struct err err = {0};
        if (!cause_metrics_rank(&world->question, &world->arena, &world->causes, &err))
                fail_msg("%s", err.message);
        assert_true(place < world->causes.count);
        return &world->causes.items[place];
}

static void assert_first(struct world *world, const char *entity)
{
        struct str first = rank(world, 0)->entity;
        if (!str_is(first, entity))
                fail_msg("%.*s is first, not %s", STR_ARGS(first), entity);
}

static void the_largest_change_is_blamed_with_its_evidence(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add(&world, "web", "cpu", 20);
        change(add(&world, "cart", "cpu", 1), AT, ROWS, 80);
        change(add(&world, "queue", "memory", 500), AT, ROWS, 1.3);
        const struct cause *cause = rank(&world, 0);
        assert_true(str_is(cause->entity, "cart"));
        assert_int_equal(cause->series, 1);
        assert_true(fabs(cause->before - 1) < 0.05 && fabs(cause->after - 80) < 2);
        assert_int_equal(cause->onset, AT);
        assert_true(cause->strangeness > world.causes.items[1].strangeness && world.causes.items[1].strangeness > world.causes.items[2].strangeness);
        assert_int_equal(world.causes.items[2].onset, ROWS);
}

/* A series that never moves has no noise: any move is endless in spreads, and yet a thousandth is nothing. */
static void a_tiny_move_of_a_still_series_is_no_cause(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        double *still = add(&world, "database", "memory", 0);
        for (int i = 0; i < ROWS; i++)
                still[i] = i < AT ? 4e8 : 4.004e8;
        change(add(&world, "cart", "memory", 100), AT, ROWS, 1.5);
        assert_first(&world, "cart");
}

static void a_change_to_the_good_counts_less(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        change(add(&world, "cache", "memory", 100), AT, ROWS, 1 / 3.0);
        change(add(&world, "cart", "memory", 100), AT, ROWS, 2.5);
        assert_first(&world, "cart");
        change(world.values[0], AT, ROWS, 9); /* now up by as much */
        assert_first(&world, "cache");
}

static void a_gap_or_a_series_without_a_past_blames_nobody(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        double *born = add(&world, "new", "cpu", 50), *gone = add(&world, "gone", "cpu", 50);
        for (int i = 0; i < AT; i++)
                born[i] = NAN;
        for (int i = AT; i < ROWS; i++)
                gone[i] = NAN;
        change(add(&world, "cart", "cpu", 1), AT, ROWS, 3);
        assert_first(&world, "cart");
        assert_int_equal(world.causes.count, 3);
        assert_true(world.causes.items[1].score == 0 && world.causes.items[2].score == 0);
}

static const struct cause_edge edges[] = {
        {STR_INIT("site"), STR_INIT("search")}, {STR_INIT("site"), STR_INIT("pay")}, {STR_INIT("search"), STR_INIT("table")},
        {STR_INIT("site"), STR_INIT("batch")}, {STR_INIT("table"), STR_INIT("site")} /* a cycle does no harm */};

/* site calls search, pay and batch; search calls table. */
static void add_site(struct world *world)
{
        static const struct { const char *name; double latency, requests; } nodes[] = {
                {"site", 0.1, 500}, {"search", 0.02, 800}, {"table", 0.01, 900}, {"pay", 0.2, 100}, {"batch", 3, 2}, {"other", 0.05, 900}};
        for (size_t i = 0; i < countof(nodes); i++) {
                add(world, nodes[i].name, "latency", nodes[i].latency);
                add(world, nodes[i].name, "requests", nodes[i].requests);
        }
        world->question.edges = edges;
        world->question.edge_count = countof(edges);
        world->question.target = 0;
}

static double *latency(struct world *world, const char *entity)
{
        for (size_t i = 0; i < world->question.series_count; i += 2)
                if (str_is(world->series[i].entity, entity))
                        return world->values[i];
        fail();
        return NULL;
}

static void more(double *values, double by)
{
        for (int i = AT; i < ROWS; i++)
                values[i] += by;
}

static void the_deepest_that_explains_the_target_is_blamed(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        more(latency(&world, "table"), 0.05);   /* 45 s */
        more(latency(&world, "search"), 0.055); /* 44 s, all of it the table's */
        more(latency(&world, "site"), 0.09);    /* 45 s */
        const struct cause *cause = rank(&world, 0);
        assert_true(str_is(cause->entity, "table"));
        assert_true(cause->share > 0.8 && cause->is_upstream);
        assert_true(world.causes.items[1].share < 0.2);
}

static void a_caller_is_blamed_for_what_its_callees_do_not_explain(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        more(latency(&world, "table"), 0.003);
        more(latency(&world, "search"), 0.055);
        more(latency(&world, "site"), 0.09);
        assert_first(&world, "search");
}

static void what_nobody_waits_for_or_the_target_does_not_call_is_not_blamed(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        more(latency(&world, "batch"), 3);      /* twice as slow, but two calls: 6 s */
        more(latency(&world, "other"), 5);      /* a hundred times as slow, but not called */
        more(latency(&world, "pay"), 0.4);      /* 40 s */
        more(latency(&world, "site"), 0.09);
        assert_first(&world, "pay");
        for (size_t i = 0; i < world.causes.count; i++)
                if (str_is(world.causes.items[i].entity, "other"))
                        assert_true(!world.causes.items[i].is_upstream && world.causes.items[i].share == 0);
}

static void what_changed_at_another_time_than_the_target_is_not_blamed(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        change(latency(&world, "site"), AT, AT + 6, 1.9);
        change(latency(&world, "search"), AT, AT + 6, 3);
        change(latency(&world, "pay"), AT + 7, ROWS, 8);
        assert_first(&world, "search");
}

static void without_edges_the_excess_still_tells(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        world.question.edge_count = 0;
        more(latency(&world, "batch"), 3);
        more(latency(&world, "pay"), 0.4);
        more(latency(&world, "site"), 0.09);
        assert_first(&world, "pay");
}

static void without_a_target_the_entry_that_suffers_is_taken_for_one(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        world.question.edge_count -= 1; /* nobody calls the site */
        world.question.target = CAUSE_NO_TARGET;
        more(latency(&world, "pay"), 0.4);
        more(latency(&world, "site"), 0.09);
        more(latency(&world, "batch"), 3);
        assert_first(&world, "pay");
}

/* A p99 of ten seconds says nothing of how much time was lost; the mean beside it does. */
static void shares_are_of_means_where_the_target_is_a_quantile(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        add_site(&world);
        double *slowest = add(&world, "site", "latency", 1), *pay_slowest = add(&world, "pay", "latency", 1);
        for (size_t i = 0; i < world.question.series_count; i++)
                world.series[i].statistic = i < 12 ? STR("Average") : STR("p99");
        world.question.target = 12;
        more(slowest, 9);
        more(pay_slowest, 9);                   /* one call in a hundred, and no cause */
        more(latency(&world, "search"), 0.055); /* 44 s */
        more(latency(&world, "site"), 0.09);
        assert_first(&world, "search");
}

static void falling_availability_is_trouble_and_the_names_of_metrics_say_so(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        world_init(&world);
        double *site = add(&world, "site", "Availability", 100), *search = add(&world, "search", "Availability", 100);
        add(&world, "pay", "Availability", 60);
        change(site, AT, ROWS, 0.9);
        change(search, AT, ROWS, 0.8);
        change(world.values[2], AT, ROWS, 1.6); /* better than ever */
        world.question.edges = edges;
        world.question.edge_count = countof(edges);
        world.question.target = 0;
        assert_first(&world, "search");
}

static void too_short_a_past_is_refused(void **state)
{
        (void)state;
        scoped(world_done) struct world world;
        struct err err = {0};
        world_init(&world);
        add(&world, "web", "cpu", 1);
        world.question.at_ns = world.times[3];
        assert_false(cause_metrics_rank(&world.question, &world.arena, &world.causes, &err));
        assert_int_equal(err.code, ERR_INVALID);
        world.question.row_count = 0;
        assert_false(cause_metrics_rank(&world.question, &world.arena, &world.causes, &err));
}

static void running_out_of_memory_is_said(void **state)
{
        (void)state;
        size_t refused = 0;
        for (size_t bytes = 1; bytes < 1 << 20; bytes *= 2) {
                scoped(world_done) struct world world;
                struct err err = {0};
                world_init(&world);
                add_site(&world);
                world.arena.bytes_max = bytes;
                if (!cause_metrics_rank(&world.question, &world.arena, &world.causes, &err)) {
                        assert_int_equal(err.code, ERR_MEMORY);
                        refused++;
                }
        }
        assert_true(refused > 3 && refused < 20);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_largest_change_is_blamed_with_its_evidence),
                cmocka_unit_test(a_tiny_move_of_a_still_series_is_no_cause),
                cmocka_unit_test(a_change_to_the_good_counts_less),
                cmocka_unit_test(a_gap_or_a_series_without_a_past_blames_nobody),
                cmocka_unit_test(the_deepest_that_explains_the_target_is_blamed),
                cmocka_unit_test(a_caller_is_blamed_for_what_its_callees_do_not_explain),
                cmocka_unit_test(what_nobody_waits_for_or_the_target_does_not_call_is_not_blamed),
                cmocka_unit_test(what_changed_at_another_time_than_the_target_is_not_blamed),
                cmocka_unit_test(without_edges_the_excess_still_tells),
                cmocka_unit_test(without_a_target_the_entry_that_suffers_is_taken_for_one),
                cmocka_unit_test(shares_are_of_means_where_the_target_is_a_quantile),
                cmocka_unit_test(falling_availability_is_trouble_and_the_names_of_metrics_say_so),
                cmocka_unit_test(too_short_a_past_is_refused),
                cmocka_unit_test(running_out_of_memory_is_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
