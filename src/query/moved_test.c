/* moved_test - which series are asked about, what is said of them, and what is said of what was not looked at. */
#include "query/moved.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/scope.h"
#include "query/series_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEP_S 10
#define BEGIN_S 1700000000      /* 22:13:20 */
#define FROM_S (BEGIN_S + 7200)
#define UNTIL_S (FROM_S + 1800)

struct world {
        struct buf text;
        struct arena arena;
        struct series_list list;
        struct moved_subject subjects[2];
        struct str values[2], label_names[2];
        struct moved_question question;
        json_t *answer;
};

/* web1 is 1 and db1 is 2, whatever the port. */
static size_t resolve(void *context, const struct labels *labels, uint64_t *out_ids, size_t max)
{
        struct str instance = labels_value(labels, STR("instance"));
        size_t count = 0;
        (void)context;
        if (max && (str_is(instance, "web1") || str_starts_with(instance, STR("web1:"))))
                out_ids[count++] = 1;
        if (max && str_starts_with(instance, STR("db1")))
                out_ids[count++] = 2;
        return count;
}

static size_t resolve_all(void *context, const struct labels *labels, uint64_t *out_ids, size_t max)
{
        (void)context;
        (void)labels;
        out_ids[0] = 7;
        return max > 0;
}

/* A point every ten seconds from two hours before what is asked for; from at_s on (0: never) it is at another level. */
static void add_series(struct world *world, const char *labels, double level, int at_s, double then)
{
        struct rng rng = {world->text.length + 1};
        for (int s = BEGIN_S; s <= UNTIL_S; s += STEP_S)
                buf_printf(&world->text, "%s %.6f %d\n", labels, (at_s && s >= at_s ? then : level) * (1 + 0.04 * (rng_unit(&rng) - 0.5)), s);
}

/* Counts 10 a second, and 100 from at_s on; set back once. */
static void add_counter(struct world *world, const char *labels, int at_s)
{
        double count = 0;
        for (int s = BEGIN_S; s <= UNTIL_S; s += STEP_S) {
                count = s == BEGIN_S + 3000 ? 0 : count + STEP_S * (at_s && s > at_s ? 100 : 10);
                buf_printf(&world->text, "%s %.0f %d\n", labels, count, s);
        }
}

static void world_init(struct world *world)
{
        *world = (struct world){.values = {STR("web1"), STR("db1")}, .label_names = {STR("host"), STR("instance")}};
        arena_init(&world->arena, 0);
        world->subjects[0] = (struct moved_subject){1, STR("host"), STR("web1"), {&world->values[0], 1, 1}};
        world->subjects[1] = (struct moved_subject){2, STR("host"), STR("db1"), {&world->values[1], 1, 1}};
        world->question = (struct moved_question){.subjects = world->subjects, .subject_count = 2, .label_names = world->label_names, .label_name_count = 2,
                                                  .resolve = resolve, .from_ns = FROM_S * NS_PER_S, .until_ns = UNTIL_S * NS_PER_S};
}

static void world_done(struct world *world)
{
        json_decref(world->answer);
        buf_done(&world->text);
        arena_done(&world->arena);
}

static const json_t *ask(struct world *world)
{
        struct err err = {0};
        if (!world->list.arena && !series_list_read(buf_str(&world->text), &world->arena, &world->list, &err))
                fail_msg("%s", err.message);
        world->question.source = series_list_source(&world->list);
        json_decref(world->answer);
        world->answer = moved_find(&world->question, &err);
        if (!world->answer)
                fail_msg("%s", err.message);
        return world->answer;
}

static int64_t count_of(const json_t *answer, const char *key)
{
        return json_i64(json_object_get(answer, "series"), key, -1);
}

static const char *text(const json_t *answer, size_t at, const char *key)
{
        return json_string_value(json_object_get(json_array_get(json_object_get(answer, "moved"), at), key));
}

static void what_moved_is_told_in_order_with_its_group(void **state)
{
        scoped(world_done) struct world world;
        (void)state;
        world_init(&world);
        add_series(&world, "load{instance=\"web1:9100\"}", 0.4, FROM_S + 600, 7);
        add_series(&world, "used_bytes{instance=\"db1:9100\",device=\"sda\"}", 1048576, FROM_S + 580, 4194304);
        add_series(&world, "steady{instance=\"web1:9100\"}", 3, 0, 0);
        add_series(&world, "load{instance=\"web10:9100\"}", 0.4, FROM_S + 100, 7); /* another host */
        add_counter(&world, "requests_total{instance=\"web1:9100\"}", FROM_S + 590);
        add_series(&world, "took_seconds_bucket{instance=\"web1:9100\",le=\"1\"}", 3, FROM_S + 100, 30);
        const json_t *answer = ask(&world);
        assert_int_equal(json_array_size(json_object_get(answer, "moved")), 3);
        assert_int_equal(count_of(answer, "looked_at"), 4);
        assert_int_equal(count_of(answer, "buckets"), 1);
        assert_string_equal(text(answer, 0, "what"), "used_bytes (device sda)");
        assert_non_null(strstr(text(answer, 0, "usual_text"), "MiB"));
        assert_non_null(strstr(text(answer, 0, "sentence"), "used_bytes (device sda) of db1 left its normal at 00:23:00 UTC: 4"));
        assert_non_null(strstr(text(answer, 1, "sentence"), ", 20s after the first: "));
        assert_int_equal(strtoll(json_string_value(json_object_get(answer, "first_ns")), NULL, 10), (FROM_S + 580) * NS_PER_S);
        assert_int_equal(json_i64(answer, "groups", 0), 2);
        const json_t *moved = json_object_get(answer, "moved");
        assert_int_equal(json_i64(json_array_get(moved, 0), "group", -1), 0);
        assert_int_equal(json_i64(json_array_get(moved, 1), "group", -1), 1);
        assert_int_equal(json_i64(json_array_get(moved, 2), "group", -1), 1);
        assert_non_null(strstr(json_string_value(json_object_get(answer, "sentence")), "3 of 4 series left their normal. First used_bytes (device sda) of db1, at 00:23:00 UTC; then "));
}

static void a_counter_is_read_as_a_rate_and_may_be_set_back(void **state)
{
        scoped(world_done) struct world world;
        (void)state;
        world_init(&world);
        add_counter(&world, "requests_total{instance=\"web1:9100\"}", FROM_S + 600);
        add_counter(&world, "quiet_total{instance=\"web1:9100\"}", 0);
        const json_t *answer = ask(&world);
        assert_int_equal(json_array_size(json_object_get(answer, "moved")), 1);
        assert_string_equal(text(answer, 0, "what"), "requests_total per second");
        assert_string_equal(text(answer, 0, "query"), "rate(requests_total{instance=\"web1:9100\"}[5m])");
        assert_string_equal(text(answer, 0, "usual_text"), "10");
        assert_string_equal(text(answer, 0, "level_text"), "100");
}

/* Ten requests a second, of a tenth of a second each; of two from FROM_S + 600 on. As many as ever: only the mean says so. */
static void a_sum_is_read_by_the_count_beside_it(void **state)
{
        scoped(world_done) struct world world;
        double sum = 0, count = 0;
        (void)state;
        world_init(&world);
        for (int s = BEGIN_S; s <= UNTIL_S; s += STEP_S) {
                count += 100 + s % 7;
                sum += (100 + s % 7) * (s >= FROM_S + 600 ? 2 : 0.1 + 0.001 * (s % 11));
                buf_printf(&world.text, "took_seconds_sum{instance=\"web1:9100\"} %.6f %d\ntook_seconds_count{instance=\"web1:9100\"} %.0f %d\n", sum, s, count, s);
        }
        const json_t *answer = ask(&world);
        assert_int_equal(json_array_size(json_object_get(answer, "moved")), 1);
        assert_string_equal(text(answer, 0, "what"), "took_seconds on average");
        assert_string_equal(text(answer, 0, "query"), "rate(took_seconds_sum{instance=\"web1:9100\"}[5m]) / rate(took_seconds_count{instance=\"web1:9100\"}[5m])");
        assert_string_equal(text(answer, 0, "level_text"), "2s");
        assert_non_null(strstr(text(answer, 0, "sentence"), "at 00:23:20 UTC"));
}

static void the_bound_takes_one_of_each_metric_first_and_is_told(void **state)
{
        scoped(world_done) struct world world;
        (void)state;
        world_init(&world);
        for (int i = 0; i < 5; i++) {
                char labels[80];
                snprintf(labels, sizeof labels, "a{instance=\"web1:9100\",cpu=\"%d\"}", i);
                add_series(&world, labels, 5, FROM_S + 600, 50);
        }
        add_series(&world, "z{instance=\"web1:9100\"}", 5, FROM_S + 300, 50);
        world.question.series_max = 3;
        const json_t *answer = ask(&world);
        assert_int_equal(count_of(answer, "looked_at"), 3);
        assert_int_equal(count_of(answer, "left_out"), 3);
        assert_string_equal(text(answer, 0, "what"), "z");
        assert_non_null(strstr(json_string_value(json_object_get(answer, "sentence")), "3 more series were not looked at"));
}

static void nothing_is_said_where_nothing_is_known(void **state)
{
        scoped(world_done) struct world world;
        struct err err = {0};
        (void)state;
        world_init(&world);
        add_series(&world, "load{instance=\"web1.other.example:9100\"}", 0.4, 0, 0);
        assert_string_equal(json_string_value(json_object_get(ask(&world), "sentence")), "No series names this: nothing was measured about it in this time.");
        world.question.from_ns = (BEGIN_S + 30) * NS_PER_S;
        world.question.until_ns = (BEGIN_S + 1800) * NS_PER_S;
        world.subjects[0].id = 7;
        world.question.resolve = resolve_all;
        assert_string_equal(json_string_value(json_object_get(ask(&world), "sentence")), "Whether anything left its normal cannot be said. Of 1 too little is known from before.");
        world.question.from_ns = world.question.until_ns;
        assert_null(moved_find(&world.question, &err));
        assert_int_equal(err.code, ERR_INVALID);
        world.question.from_ns -= 2 * MOVED_WINDOW_MAX_NS;
        assert_null(moved_find(&world.question, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_moved_is_told_in_order_with_its_group),
                cmocka_unit_test(a_counter_is_read_as_a_rate_and_may_be_set_back),
                cmocka_unit_test(a_sum_is_read_by_the_count_beside_it),
                cmocka_unit_test(the_bound_takes_one_of_each_metric_first_and_is_told),
                cmocka_unit_test(nothing_is_said_where_nothing_is_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
