/* metric_detector_test - the stage says what the detector says, whatever happens around it. */
#include "observe/metric_detector.h"

#include "base/clock.h"
#include "base/scope.h"
#include "learn/detector.h"
#include "observe/observe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STEP_NS (60 * NS_PER_S)
#define START_NS (INT64_C(1767225600) * NS_PER_S)

SCOPED_PTR(metric_detectors_destroy, struct metric_detectors)

static double noise(int at)
{
        uint64_t z = (uint64_t)at * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static struct metric_detectors *created(size_t most)
{
        struct metric_detectors *detectors = NULL;
        assert_true(metric_detectors_create_for(most, &detectors, NULL));
        return detectors;
}

/* One sample of the series name{host="a"}, as ingest would hand it over. */
static void fold_one(struct metric_detectors *detectors, const char *name, uint64_t id, int64_t time_ns, double value, struct noticed *noticed)
{
        struct label items[] = {{LABEL_METRIC_NAME, str_of(name)}, {STR("host"), STR("a")}};
        struct sample sample = {time_ns, value};
        struct series_points points = {.labels = {items, 2, 0}, .samples = &sample, .count = 1, .id = {id << 8, id}};
        struct batch batch = {.received_ns = time_ns, .telemetry.series = {&points, 1, 0}};
        uint32_t pick = 0;
        struct fold fold = {.partition = 0, .batch = &batch, .time_ns = time_ns, .series = &pick, .series_count = 1};
        struct err err = {0};
        if (!metric_detectors_fold(detectors, &fold, noticed, &err))
                fail_msg("%s", err.message);
}

static double value_at(int i)
{
        return 40 + 5 * noise(i) + (i >= 3000 && i < 3010 ? 30 : 0);
}

static void the_stage_flags_what_the_offline_verb_flags(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = created(262144);
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        struct detector alone;
        detector_init(&alone);
        size_t flags = 0;
        for (int i = 0; i < 4000; i++) {
                struct verdict verdict;
                int64_t time_ns = START_NS + i * STEP_NS;
                detector_push(&alone, time_ns, value_at(i), &verdict);
                size_t before = noticed.anomalies.count;
                fold_one(detectors, "load", 7, time_ns, value_at(i), &noticed);
                bool told = noticed.anomalies.count > before && !noticed.anomalies.items[before].is_over;
                assert_int_equal(told, verdict.is_flagged);
                if (told)
                        assert_true(noticed.anomalies.items[before].score == (double)verdict.score);
                flags += verdict.is_flagged;
        }
        assert_true(flags >= 1);
        const struct anomaly *last = &noticed.anomalies.items[noticed.anomalies.count - 1];
        assert_true(last->is_over);
        assert_int_equal(last->kind, noticed.anomalies.items[noticed.anomalies.count - 2].kind);
        assert_true(str_is(last->evidence, "load{host=\"a\"}"));
        assert_false(last->is_learning); /* two days on */
}

static void a_counter_is_judged_by_its_rate_and_a_reset_is_no_news(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = created(262144);
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        double counter = 1e9;
        for (int i = 0; i < 3000; i++) {
                counter += 600 + 60 * noise(i);
                if (i % 700 == 699)
                        counter = 100 * noise(i + 9000);
                fold_one(detectors, "requests_total", 7, START_NS + i * STEP_NS, counter, &noticed);
        }
        assert_int_equal(noticed.anomalies.count, 0);
        fold_one(detectors, "requests_total", 7, START_NS + 3000 * STEP_NS, counter + 60000, &noticed);
        assert_int_equal(noticed.anomalies.count, 1);
        assert_true(fabs(noticed.anomalies.items[0].value - 1000) < 1e-6);
        assert_true(str_is(noticed.anomalies.items[0].evidence, "rate(requests_total{host=\"a\"}[5m])"));
}

static void a_restored_stage_goes_on_as_if_nothing_had_been(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *first = created(262144), *second = created(262144);
        scoped(noticed_done) struct noticed told, retold;
        noticed_init(&told);
        noticed_init(&retold);
        for (int i = 0; i < 2000; i++)
                fold_one(first, "load", 7, START_NS + i * STEP_NS, value_at(i), &told);
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        assert_true(metric_detectors_save(first, &bytes, NULL));
        assert_true(metric_detectors_restore(second, buf_str(&bytes), NULL));
        for (int i = 2000; i < 4000; i++) {
                fold_one(first, "load", 7, START_NS + i * STEP_NS, value_at(i), &told);
                fold_one(second, "load", 7, START_NS + i * STEP_NS, value_at(i), &retold);
        }
        buf_clear(&bytes);
        assert_true(metric_detectors_save(first, &bytes, NULL) && metric_detectors_save(second, &again, NULL));
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
        assert_true(retold.anomalies.count >= 2 && retold.anomalies.count <= told.anomalies.count);
        struct err err = {0};
        assert_false(metric_detectors_restore(second, str_slice(buf_str(&bytes), 0, bytes.length - 1), &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        bytes.bytes[1] ^= 1;
        assert_false(metric_detectors_restore(second, buf_str(&bytes), &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED); /* another version wrote it: an upgrade learns anew */
}

static void a_fold_that_comes_again_does_no_harm(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *once = created(262144), *twice = created(262144);
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 3500; i++) {
                fold_one(once, "load", 7, START_NS + i * STEP_NS, value_at(i), &noticed);
                fold_one(twice, "load", 7, START_NS + i * STEP_NS, value_at(i), &noticed);
                fold_one(twice, "load", 7, START_NS + i * STEP_NS, value_at(i), &noticed);
        }
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        assert_true(metric_detectors_save(once, &bytes, NULL) && metric_detectors_save(twice, &again, NULL));
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
}

static void at_the_bound_an_idle_series_makes_room_and_a_busy_one_does_not(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = created(1); /* 4 a partition */
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (uint64_t id = 1; id <= 6; id++)
                fold_one(detectors, "load", id, START_NS + (int64_t)id, 1, &noticed);
        struct metric_detector_counts counts = metric_detectors_counts(detectors);
        assert_int_equal(counts.series, 4);
        assert_int_equal(counts.without, 2);
        fold_one(detectors, "load", 9, START_NS + 2 * 3600 * NS_PER_S, 1, &noticed);
        counts = metric_detectors_counts(detectors);
        assert_int_equal(counts.series, 4);
        assert_int_equal(counts.evicted, 1);
        fold_one(detectors, "seconds_bucket", 10, START_NS + 4 * 3600 * NS_PER_S, 1, &noticed);
        assert_int_equal(metric_detectors_counts(detectors).samples, 5);
}

static void a_checkpoint_of_the_first_version_is_taken_over(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *first = created(262144), *second = created(262144);
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 3005; i++)
                for (uint64_t id = 7; id < 10; id++)
                        fold_one(first, "load_total", id, START_NS + i * STEP_NS, value_at(i) * (double)id, &noticed);
        scoped(buf_done) struct buf saved = {0}, old = {0}, again = {0};
        assert_true(metric_detectors_save(first, &saved, NULL));
        const char *detectors = saved.bytes + 6 + 8, *keys = detectors + 3 * sizeof(struct detector), *beside = keys + 3 * 8;
        buf_u8(&old, 1);
        buf_append(&old, saved.bytes + 1, 3);
        buf_u16(&old, 40);
        buf_append(&old, saved.bytes + 6, 8 + 3 * sizeof(struct detector));
        for (int i = 0; i < 3; i++) {
                buf_u64(&old, (uint64_t)(7 + i) << 8);
                buf_append(&old, keys + 8 * i, 8);
                buf_append(&old, beside + 24 * i, 24);
        }
        buf_append(&old, beside + 3 * 24, saved.length - (size_t)(beside + 3 * 24 - saved.bytes));
        assert_true(metric_detectors_restore(second, buf_str(&old), NULL));
        assert_true(metric_detectors_save(second, &again, NULL));
        assert_true(str_equal(buf_str(&saved), buf_str(&again)));
        assert_false(metric_detectors_restore(second, str_slice(buf_str(&old), 0, old.length - 1), NULL));
}

/* Series s of a fold, in an order of the fold's own: as they came first, backwards, drawn, some left out. */
static uint64_t series_at(int fold, int s, int series)
{
        if (fold % 7 < 3)
                return (uint64_t)s;
        return (uint64_t)(fold % 7 < 5 ? series - 1 - s : (s * 29 + fold) % series);
}

static void the_order_in_which_series_come_changes_nothing(void **state)
{
        (void)state;
        enum { SERIES = 53, FOLDS = 600 };
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = created(262144);
        scoped(noticed_done) struct noticed together, apart;
        noticed_init(&together);
        noticed_init(&apart);
        struct label items[] = {{LABEL_METRIC_NAME, STR("load")}, {STR("host"), STR("a")}};
        for (int f = 0; f < FOLDS; f++) {
                struct sample samples[SERIES];
                struct series_points points[SERIES];
                uint32_t picks[SERIES];
                int64_t time_ns = START_NS + f * STEP_NS;
                for (int s = 0; s < SERIES; s++) {
                        uint64_t id = series_at(f, s, SERIES);
                        samples[s] = (struct sample){time_ns, noise(f * SERIES + (int)id) + (f == 500 && id % 10 == 3 ? 50 : 0)};
                        points[s] = (struct series_points){.labels = {items, 2, 0}, .samples = &samples[s], .count = 1, .id = {id << 8, id * 31}};
                        picks[s] = (uint32_t)s;
                }
                struct batch batch = {.received_ns = time_ns, .telemetry.series = {points, SERIES, 0}};
                struct fold fold = {.partition = 0, .batch = &batch, .time_ns = time_ns, .series = picks, .series_count = SERIES - (size_t)(f % 3)};
                assert_true(metric_detectors_fold(detectors, &fold, &together, NULL));
        }
        for (uint64_t id = 0; id < SERIES; id++) {
                scoped_ptr(metric_detectors_destroy) struct metric_detectors *alone = created(262144);
                for (int f = 0; f < FOLDS; f++)
                        for (int s = 0; s < SERIES - f % 3; s++)
                                if (series_at(f, s, SERIES) == id)
                                        fold_one(alone, "load", id, START_NS + f * STEP_NS, noise(f * SERIES + (int)id) + (f == 500 && id % 10 == 3 ? 50 : 0), &apart);
        }
        assert_true(together.anomalies.count >= 5);
        assert_int_equal(together.anomalies.count, apart.anomalies.count);
        double sum = 0, sum_apart = 0;
        each (anomaly, &together.anomalies)
                sum += anomaly->score + anomaly->value;
        each (anomaly, &apart.anomalies)
                sum_apart += anomaly->score + anomaly->value;
        assert_true(fabs(sum - sum_apart) < 1e-9 * fabs(sum));
        assert_int_equal(metric_detectors_counts(detectors).series, SERIES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_stage_flags_what_the_offline_verb_flags),
                cmocka_unit_test(a_counter_is_judged_by_its_rate_and_a_reset_is_no_news),
                cmocka_unit_test(a_restored_stage_goes_on_as_if_nothing_had_been),
                cmocka_unit_test(a_checkpoint_of_the_first_version_is_taken_over),
                cmocka_unit_test(a_fold_that_comes_again_does_no_harm),
                cmocka_unit_test(the_order_in_which_series_come_changes_nothing),
                cmocka_unit_test(at_the_bound_an_idle_series_makes_room_and_a_busy_one_does_not),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
