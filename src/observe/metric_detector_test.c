/* metric_detector_test - the stage says what the detector says, whatever happens around it. */
#include "observe/metric_detector.h"

#include "base/clock.h"
#include "base/scope.h"
#include "learn/detector.h"
#include "model/batch.h"
#include "observe/observe.h"
#include "observe/pending.h"
#include "store/disk_forgetful.h"
#include "store/series.h"
#include "store/vfs.h"

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

/* --- a store that has the series, as ingest would have put them there ------------------------------------------------- */

#define SERIES 64
#define PARTITION 5

static struct house {
        struct disk *disk;
        struct archive *archive;
        struct series_store *series;
        uint64_t sequence;
} house;

static int open_house(void **state)
{
        (void)state;
        struct err err = {0};
        house = (struct house){.disk = disk_forgetful_create()};
        if (!vfs_register("detectors", house.disk, &err) || !disk_make_directory(house.disk, "/data", &err) ||
            !archive_open(house.disk, "/data", "detectors", &house.archive, &err) || !series_create(house.archive, 100000, &house.series, &err))
                fail_msg("%s", err.message);
        return 0;
}

static int close_house(void **state)
{
        (void)state;
        series_destroy(house.series);
        archive_close(house.archive);
        vfs_unregister("detectors");
        disk_forgetful_destroy(house.disk);
        return 0;
}

/* What was stored is read from the archive again, as after a restart. */
static void restart_store(void)
{
        struct err err = {0};
        if (!series_seal(house.series, PARTITION, 0, &err) || !archive_flush(house.archive, &err))
                fail_msg("%s", err.message);
        series_destroy(house.series);
        assert_true(series_create(house.archive, 100000, &house.series, NULL));
}

struct known {
        char name[32];
        char hosts[SERIES][16]; /* the nth series of the name that belongs to PARTITION is the one of hosts[n] */
};

static const struct known *known_of(const char *name)
{
        static struct known known[4];
        struct known *own = known;
        while (own->name[0] && strcmp(own->name, name) != 0)
                own++;
        if (own->name[0])
                return own;
        snprintf(own->name, sizeof own->name, "%s", name);
        for (int i = 0, found = 0; found < SERIES; i++) {
                char host[16];
                snprintf(host, sizeof host, "h%d", i);
                struct label items[] = {{LABEL_METRIC_NAME, str_of(name)}, {STR("host"), str_of(host)}};
                if (series_partition(&(struct labels){items, 2, 0}) == PARTITION)
                        memcpy(own->hosts[found++], host, sizeof host);
        }
        return own;
}

static struct metric_detectors *created(size_t most)
{
        struct metric_detectors *detectors = NULL;
        assert_true(metric_detectors_create_for(most, &detectors, NULL));
        return detectors;
}

/* Samples of the name's series, as ingest would hand them over. */
static void fold_all(struct metric_detectors *detectors, const char *name, const int *series, const double *values, size_t count, int64_t time_ns,
                     struct noticed *noticed)
{
        const struct known *known = known_of(name);
        struct label labels[SERIES][2];
        struct sample samples[SERIES];
        struct series_points points[SERIES];
        uint32_t picks[SERIES], ordinals[SERIES];
        struct err err = {0};
        scoped(arena_done) struct arena arena = {0};
        for (size_t i = 0; i < count; i++) {
                labels[i][0] = (struct label){LABEL_METRIC_NAME, str_of(name)};
                labels[i][1] = (struct label){STR("host"), str_of(known->hosts[series[i]])};
                samples[i] = (struct sample){time_ns, values[i]};
                points[i] = (struct series_points){.labels = {labels[i], 2, 0}, .samples = &samples[i], .count = 1};
                picks[i] = ordinals[i] = (uint32_t)i;
        }
        struct batch batch = {.received_ns = time_ns, .telemetry.series = {points, count, 0}};
        struct fold fold = {.partition = PARTITION, .batch = &batch, .time_ns = time_ns, .series = picks, .series_count = count, .store = house.series};
        if (!series_identify(&batch.telemetry, &arena, &err) ||
            !series_add(house.series, PARTITION, ++house.sequence, time_ns, &batch.telemetry, picks, ordinals, count, &err) ||
            !metric_detectors_fold(detectors, &fold, noticed, &err))
                fail_msg("%s", err.message);
}

static void settle(struct metric_detectors *detectors, int64_t time_ns, struct noticed *noticed)
{
        struct err err = {0};
        if (!metric_detectors_settle(detectors, &(struct settle){PARTITION, time_ns, house.series}, noticed, &err))
                fail_msg("%s", err.message);
}

/* One sample of the nth series of the name, judged. */
static void fold_one(struct metric_detectors *detectors, const char *name, int series, int64_t time_ns, double value, struct noticed *noticed)
{
        fold_all(detectors, name, &series, &value, 1, time_ns, noticed);
        settle(detectors, time_ns + NS_PER_S, noticed);
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
        char evidence[64];
        snprintf(evidence, sizeof evidence, "load{host=\"%s\"}", known_of("load")->hosts[7]);
        assert_true(str_is(last->evidence, evidence));
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
        char evidence[64];
        snprintf(evidence, sizeof evidence, "rate(requests_total{host=\"%s\"}[5m])", known_of("requests_total")->hosts[7]);
        assert_true(str_is(noticed.anomalies.items[0].evidence, evidence));
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
        for (int series = 1; series <= 6; series++)
                fold_one(detectors, "load", series, START_NS + series, 1, &noticed);
        struct metric_detector_counts counts = metric_detectors_counts(detectors);
        assert_int_equal(counts.series, 4);
        assert_int_equal(counts.without, 2);
        fold_one(detectors, "load", 9, START_NS + 2 * 3600 * NS_PER_S, 1, &noticed);
        counts = metric_detectors_counts(detectors);
        assert_int_equal(counts.series, 4);
        assert_int_equal(counts.evicted, 1);
        int busy = 9, others[] = {11, 12, 13, 14, 15};
        double values[] = {1, 1, 1, 1, 1};
        fold_all(detectors, "load", &busy, values, 1, START_NS + 4 * 3600 * NS_PER_S, &noticed);
        fold_all(detectors, "load", others, values, 5, START_NS + 4 * 3600 * NS_PER_S, &noticed); /* three take the places of idle ones */
        settle(detectors, START_NS + 4 * 3600 * NS_PER_S + NS_PER_S, &noticed);
        counts = metric_detectors_counts(detectors);
        assert_int_equal(counts.evicted, 4);
        assert_int_equal(counts.samples, 9); /* one of the busy one, which is not idle while its sample waits */
        fold_one(detectors, "seconds_bucket", 10, START_NS + 4 * 3600 * NS_PER_S, 1, &noticed);
        assert_int_equal(metric_detectors_counts(detectors).samples, 9);
}

/* Bytes of an older version as saved holds them: of three series in PARTITION, and none elsewhere. */
static void write_older(struct buf *out, int version, struct str saved)
{
        const char *empty = saved.bytes + 6, *own = empty + PARTITION * 20, *detectors = own + 8;
        const char *keys = detectors + 3 * sizeof(struct detector), *beside = keys + 3 * 8;
        buf_u8(out, (uint8_t)version);
        buf_append(out, saved.bytes + 1, 3);
        buf_u16(out, version == 1 ? 40 : 24);
        for (int p = 0; p < PARTITIONS; p++) {
                buf_append(out, p == PARTITION ? own : empty, 8);
                if (p != PARTITION)
                        continue;
                buf_append(out, detectors, 3 * sizeof(struct detector) + (version == 1 ? 0 : 3 * 8));
                for (int i = 0; i < 3; i++) {
                        if (version == 1)
                                buf_u64(out, (uint64_t)i << 8);
                        if (version == 1)
                                buf_append(out, keys + 8 * i, 8);
                        buf_append(out, beside + 24 * i, 24);
                }
        }
}

static void a_checkpoint_of_an_older_version_is_taken_over(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *first = created(262144);
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        for (int i = 0; i < 3005; i++)
                for (int series = 7; series < 10; series++)
                        fold_one(first, "load_total", series, START_NS + i * STEP_NS, value_at(i) * series, &noticed);
        scoped(buf_done) struct buf saved = {0};
        assert_true(metric_detectors_save(first, &saved, NULL));
        for (int version = 1; version < 3; version++) {
                scoped_ptr(metric_detectors_destroy) struct metric_detectors *second = created(262144);
                scoped(buf_done) struct buf old = {0}, again = {0};
                write_older(&old, version, buf_str(&saved));
                assert_true(metric_detectors_restore(second, buf_str(&old), NULL));
                assert_true(metric_detectors_save(second, &again, NULL));
                assert_true(str_equal(buf_str(&saved), buf_str(&again)));
                assert_false(metric_detectors_restore(second, str_slice(buf_str(&old), 0, old.length - 1), NULL));
        }
}

/* Series s of a fold, in an order of the fold's own: as they came first, backwards, drawn. */
static int series_at(int fold, int s, int series)
{
        if (fold % 7 < 3)
                return s;
        return fold % 7 < 5 ? series - 1 - s : (s * 29 + fold) % series;
}

static double value_of(int fold, int series)
{
        return noise(fold * 53 + series) + (fold == 500 && series % 10 == 3 ? 50 : 0);
}

static double sum_of(const struct noticed *noticed)
{
        double sum = 0;
        each (anomaly, &noticed->anomalies)
                sum += anomaly->score + anomaly->value;
        return sum;
}

static void the_order_in_which_series_come_and_how_many_wait_changes_nothing(void **state)
{
        (void)state;
        enum { COUNT = 53, FOLDS = 600 };
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = created(262144), *alone = created(262144);
        scoped(noticed_done) struct noticed together, apart;
        noticed_init(&together);
        noticed_init(&apart);
        for (int f = 0; f < FOLDS; f++) {
                int series[COUNT], count = COUNT - f % 3;
                double values[COUNT];
                for (int s = 0; s < count; s++) {
                        series[s] = series_at(f, s, COUNT);
                        values[s] = value_of(f, series[s]);
                }
                fold_all(detectors, "load", series, values, (size_t)count, START_NS + f * STEP_NS, &together);
        }
        assert_true(together.anomalies.count > 0); /* nobody settled: so many may not wait */
        settle(detectors, START_NS + FOLDS * STEP_NS, &together);
        for (int s = 0; s < COUNT; s++)
                for (int f = 0; f < FOLDS; f++)
                        for (int k = 0; k < COUNT - f % 3; k++)
                                if (series_at(f, k, COUNT) == s)
                                        fold_one(alone, "load", s, START_NS + f * STEP_NS, value_of(f, s), &apart);
        assert_true(together.anomalies.count >= 5);
        assert_int_equal(together.anomalies.count, apart.anomalies.count);
        assert_true(fabs(sum_of(&together) - sum_of(&apart)) < 1e-9 * fabs(sum_of(&together)));
        assert_int_equal(metric_detectors_counts(detectors).series, COUNT);
}

static void what_waits_is_judged_a_second_later_also_after_a_restart(void **state)
{
        (void)state;
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *first = created(262144), *second = created(262144);
        scoped(noticed_done) struct noticed told, retold;
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        int series = 9;
        noticed_init(&told);
        noticed_init(&retold);
        for (int i = 0; i < 3000; i++)
                fold_one(first, "load", series, START_NS + i * STEP_NS, value_at(i), &told);
        size_t before = told.anomalies.count;
        int64_t now_ns = START_NS + 3000 * STEP_NS;
        double value = value_at(3000);
        fold_all(first, "load", &series, &value, 1, now_ns, &told);
        assert_false(metric_detectors_are_due(first, now_ns + NS_PER_S - 1));
        settle(first, now_ns + NS_PER_S - 1, &told);
        assert_int_equal(told.anomalies.count, before);
        assert_true(metric_detectors_save(first, &bytes, NULL) && metric_detectors_restore(second, buf_str(&bytes), NULL));
        assert_true(metric_detectors_save(second, &again, NULL));
        assert_true(str_equal(buf_str(&bytes), buf_str(&again)));
        restart_store();
        assert_true(metric_detectors_are_due(second, now_ns + NS_PER_S));
        settle(second, now_ns + NS_PER_S, &retold);
        assert_false(metric_detectors_are_due(second, INT64_MAX));
        assert_int_equal(retold.anomalies.count, 1);
        assert_true(str_is(labels_value(&retold.anomalies.items[0].labels, STR("host")), known_of("load")->hosts[series]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_stage_flags_what_the_offline_verb_flags, open_house, close_house),
                cmocka_unit_test_setup_teardown(a_counter_is_judged_by_its_rate_and_a_reset_is_no_news, open_house, close_house),
                cmocka_unit_test_setup_teardown(a_restored_stage_goes_on_as_if_nothing_had_been, open_house, close_house),
                cmocka_unit_test_setup_teardown(a_checkpoint_of_an_older_version_is_taken_over, open_house, close_house),
                cmocka_unit_test_setup_teardown(a_fold_that_comes_again_does_no_harm, open_house, close_house),
                cmocka_unit_test_setup_teardown(the_order_in_which_series_come_and_how_many_wait_changes_nothing, open_house, close_house),
                cmocka_unit_test_setup_teardown(what_waits_is_judged_a_second_later_also_after_a_restart, open_house, close_house),
                cmocka_unit_test_setup_teardown(at_the_bound_an_idle_series_makes_room_and_a_busy_one_does_not, open_house, close_house),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
