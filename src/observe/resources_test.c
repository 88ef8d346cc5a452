/* resources_test - each resource is told once, and again after an hour; what no kind asks for is not told. */
#include "observe/resources.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define HOUR ((int64_t)3600 * 1000000000)

static struct resources *resources;
static struct noticed noticed;

static int setup(void **unused)
{
        (void)unused;
        struct kinds *kinds;
        struct err err;
        noticed_init(&noticed);
        if (!resources_create(&resources, &err) || !kinds_parse(kinds_built_in, kinds_built_in_count, &kinds, &err))
                return -1;
        bool good = resources_watch(resources, kinds, &err);
        kinds_unref(kinds);
        return good ? 0 : -1;
}

static int teardown(void **unused)
{
        (void)unused;
        resources_destroy(resources);
        noticed_done(&noticed);
        return 0;
}

static void fold_series(struct label *items, size_t count, int64_t time_ns)
{
        struct err err;
        struct batch *batch = batch_create(8, STR("test"), &err);
        struct series_points *series = arena_push(&batch->arena, &batch->telemetry.series);
        uint32_t pick = 0;
        series->labels = (struct labels){items, count, count};
        struct fold fold = {.partition = 3, .batch = batch, .time_ns = time_ns, .series = &pick, .series_count = 1};
        assert_true(resources_fold(resources, &fold, &noticed, &err));
        batch_destroy(batch);
}

static void a_resource_is_told_once_and_again_after_an_hour(void **unused)
{
        (void)unused;
        struct label cpu[] = {{STR("__name__"), STR("cpu")}, {STR("core"), STR("1")}, {STR("instance"), STR("web1:9100")}};
        struct label load[] = {{STR("__name__"), STR("load")}, {STR("instance"), STR("web1:9100")}};
        fold_series(cpu, countof(cpu), HOUR);
        fold_series(load, countof(load), HOUR + 1);
        fold_series(cpu, countof(cpu), HOUR + 2);
        assert_int_equal(noticed.resources.count, 1);
        assert_int_equal(noticed.resources.items[0].labels.count, 1);
        assert_true(str_is(noticed.resources.items[0].labels.items[0].name, "instance"));
        fold_series(cpu, countof(cpu), 2 * HOUR);
        assert_int_equal(noticed.resources.count, 2);
}

static void a_label_that_one_metric_alone_is_asked_for_is_not_told_of_others(void **unused)
{
        (void)unused;
        struct label unit[] = {{STR("__name__"), STR("node_systemd_unit_state")}, {STR("instance"), STR("web1:9100")}, {STR("name"), STR("nginx.service")}};
        struct label other[] = {{STR("__name__"), STR("other")}, {STR("instance"), STR("web1:9100")}, {STR("name"), STR("whatever")}};
        struct label none[] = {{STR("__name__"), STR("other")}, {STR("core"), STR("1")}};
        fold_series(unit, countof(unit), HOUR);
        fold_series(other, countof(other), HOUR);
        fold_series(none, countof(none), HOUR);
        assert_int_equal(noticed.resources.count, 2);
        assert_int_equal(noticed.resources.items[0].labels.count, 3);
        assert_int_equal(noticed.resources.items[1].labels.count, 1);
}

static void beyond_the_bound_resources_are_refused_and_counted(void **unused)
{
        (void)unused;
        for (int i = 0; i < RESOURCES_MAX + 7; i++) {
                char host[24];
                snprintf(host, sizeof host, "node-%d", i);
                struct label labels[] = {{STR("__name__"), STR("up")}, {STR("host"), str_of(host)}};
                fold_series(labels, countof(labels), HOUR);
        }
        assert_int_equal(noticed.resources.count, RESOURCES_MAX);
        assert_int_equal(resources_refused(resources), 7);
}

static void what_was_told_is_known_after_a_restart_and_told_anew_when_forgotten(void **unused)
{
        (void)unused;
        struct label cpu[] = {{STR("__name__"), STR("cpu")}, {STR("instance"), STR("web1:9100")}};
        scoped(buf_done) struct buf saved = {0}, again = {0};
        struct err err;
        fold_series(cpu, countof(cpu), HOUR);
        assert_true(resources_save(resources, &saved, &err));
        resources_forget(resources);
        fold_series(cpu, countof(cpu), HOUR + 1);
        assert_int_equal(noticed.resources.count, 2);
        resources_forget(resources);
        assert_true(resources_restore(resources, buf_str(&saved), &err));
        fold_series(cpu, countof(cpu), HOUR + 2);
        assert_int_equal(noticed.resources.count, 2);
        assert_true(resources_save(resources, &again, &err));
        assert_true(str_equal(buf_str(&saved), buf_str(&again)));
        assert_false(resources_restore(resources, str_slice(buf_str(&saved), 0, saved.length - 1), &err));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_resource_is_told_once_and_again_after_an_hour, setup, teardown),
                cmocka_unit_test_setup_teardown(a_label_that_one_metric_alone_is_asked_for_is_not_told_of_others, setup, teardown),
                cmocka_unit_test_setup_teardown(what_was_told_is_known_after_a_restart_and_told_anew_when_forgotten, setup, teardown),
                cmocka_unit_test_setup_teardown(beyond_the_bound_resources_are_refused_and_counted, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
