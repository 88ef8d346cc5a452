/* limit_forecast_test - a filling filesystem is told ahead, once, and the all-clear too. */
#include "observe/limit_forecast.h"

#include "base/clock.h"
#include "base/scope.h"
#include "observe/observe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define STEP_NS (10 * NS_PER_S)
#define GIB 1073741824.0

SCOPED_PTR(limit_forecasts_destroy, struct limit_forecasts)

static struct limit_forecasts *created(void)
{
        struct limit_forecasts *forecasts = NULL;
        assert_true(limit_forecasts_create(&forecasts, NULL));
        return forecasts;
}

static void fold_one(struct limit_forecasts *forecasts, const char *name, uint64_t id, int64_t time_ns, double value, struct noticed *noticed)
{
        struct label items[] = {{LABEL_METRIC_NAME, str_of(name)}, {STR("mountpoint"), STR("/var")}};
        struct sample sample = {time_ns, value};
        struct series_points points = {.labels = {items, 2, 0}, .samples = &sample, .count = 1, .id = {id << 8, id}};
        struct batch batch = {.received_ns = time_ns, .telemetry.series = {&points, 1, 0}};
        uint32_t pick = 0;
        struct fold fold = {.batch = &batch, .time_ns = time_ns, .series = &pick, .series_count = 1};
        struct err err = {0};
        if (!limit_forecasts_fold(forecasts, &fold, noticed, &err))
                fail_msg("%s", err.message);
}

static double noise(int i)
{
        return sin(i * 12.9898) * 0.002 * GIB;
}

/* Six hours of quiet, then 100 GiB go in 100 minutes from row 2160 on, unless it is stopped. */
static double avail_at(int i, int stopped_at)
{
        int filling = i < 2160 ? 0 : (i < stopped_at ? i : stopped_at) - 2160;
        return 100 * GIB - filling * GIB / 6 + noise(i);
}

static void a_filling_filesystem_is_told_long_before_it_is_full(void **state)
{
        (void)state;
        scoped_ptr(limit_forecasts_destroy) struct limit_forecasts *forecasts = created();
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        int i = 0;
        for (; i < 2160; i++)
                fold_one(forecasts, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        assert_int_equal(noticed.anomalies.count, 0);
        for (; i < 2760 && !noticed.anomalies.count; i++)
                fold_one(forecasts, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        print_message("told %d minutes before\n", (2760 - i) / 6);
        assert_true(i <= 2760 - 60 * 6); /* an hour and more before */
        const struct anomaly *anomaly = &noticed.anomalies.items[0];
        print_message("%.*s\n", STR_ARGS(anomaly->sentence));
        assert_int_equal(anomaly->kind, ANOMALY_FORECAST);
        assert_false(anomaly->is_over);
        for (; i < 2750; i++)
                fold_one(forecasts, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        assert_true(noticed.anomalies.count >= 2 && noticed.anomalies.count <= 9); /* each time the time left has halved */
}

static void what_stops_filling_is_told_as_over(void **state)
{
        (void)state;
        scoped_ptr(limit_forecasts_destroy) struct limit_forecasts *forecasts = created();
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 4000; i++)
                fold_one(forecasts, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 2400), &noticed);
        assert_true(noticed.anomalies.count >= 2);
        assert_true(noticed.anomalies.items[noticed.anomalies.count - 1].is_over);
}

static void series_without_a_limit_are_passed_by_and_many_are_bounded(void **state)
{
        (void)state;
        scoped_ptr(limit_forecasts_destroy) struct limit_forecasts *forecasts = created();
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 3000; i++)
                fold_one(forecasts, "queue_length", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        assert_int_equal(noticed.anomalies.count, 0);
        for (uint64_t id = 1; id <= 70; id++)
                fold_one(forecasts, "disk_used_percent", id, START_NS, 50, &noticed);
        assert_int_equal(limit_forecasts_left_out(forecasts), 6);
}

static void a_restored_stage_says_the_same(void **state)
{
        (void)state;
        scoped_ptr(limit_forecasts_destroy) struct limit_forecasts *first = created(), *second = created();
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 2300; i++)
                fold_one(first, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        assert_true(limit_forecasts_save(first, &bytes, NULL) && limit_forecasts_restore(second, buf_str(&bytes), NULL));
        for (int i = 2300; i < 2700; i++) {
                fold_one(first, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
                fold_one(second, "node_filesystem_avail_bytes", 1, START_NS + i * STEP_NS, avail_at(i, 9999), &noticed);
        }
        buf_clear(&bytes);
        assert_true(limit_forecasts_save(first, &bytes, NULL) && limit_forecasts_save(second, &again, NULL));
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
        struct err err = {0};
        assert_false(limit_forecasts_restore(second, str_slice(buf_str(&bytes), 0, bytes.length - 1), &err));
        assert_int_equal(err.code, ERR_CORRUPT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_filling_filesystem_is_told_long_before_it_is_full),
                cmocka_unit_test(what_stops_filling_is_told_as_over),
                cmocka_unit_test(series_without_a_limit_are_passed_by_and_many_are_bounded),
                cmocka_unit_test(a_restored_stage_says_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
