/* series_test - what was added is what a select gives, however it got there: open, sealed, stored, out of order, restarted. */
#include "store/series.h"

#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "store/decimal.h"
#include "store/series_partition.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SERIES 48
#define START_NS (INT64_C(1700000000) * NS_PER_S)

struct room {
        char directory[SCRATCH_BYTES];
        struct archive *archive;
        struct series_store *store;
        struct arena arena;
        struct labels labels[SERIES];
        uint64_t sequence;
};

static void open_store(struct room *room)
{
        struct err err = {0};
        if (!archive_open(disk_real(), room->directory, NULL, &room->archive, &err) ||
            !series_create(room->archive, 100000, &room->store, &err))
                fail_msg("%s", err.message);
}

static void close_store(struct room *room, bool seal)
{
        struct err err = {0};
        for (unsigned p = 0; seal && p < PARTITIONS; p++)
                assert_true(series_seal(room->store, (uint16_t)p, 0, &err));
        assert_true(archive_flush(room->archive, &err));
        series_destroy(room->store);
        archive_close(room->archive);
}

static struct labels make_labels(struct arena *arena, size_t number)
{
        struct labels labels = {0};
        *arena_push(arena, &labels) = (struct label){LABEL_METRIC_NAME, arena_printf(arena, "metric_%zu", number % 3)};
        *arena_push(arena, &labels) = (struct label){STR("host"), arena_printf(arena, "h%zu", number / 3)};
        if (number % 5 == 0)
                *arena_push(arena, &labels) = (struct label){STR("zone"), arena_printf(arena, "%0900d", (int)number)};
        return labels;
}

static int set_up(void **state)
{
        struct room *room = calloc(1, sizeof *room);
        assert_int_equal(scratch_make(room->directory, "series"), 0);
        arena_init(&room->arena, 0);
        for (size_t i = 0; i < SERIES; i++)
                room->labels[i] = make_labels(&room->arena, i);
        open_store(room);
        *state = room;
        return 0;
}

static int tear_down(void **state)
{
        struct room *room = *state;
        close_store(room, false);
        arena_done(&room->arena);
        int code = scratch_remove(room->directory);
        free(room);
        return code;
}

/* Adds a batch as the pipeline does: each partition gets its part. */
static bool add(struct room *room, int64_t received_ns, struct telemetry *telemetry)
{
        struct err err = {0};
        scoped(arena_done) struct arena arena = {0};
        size_t count = telemetry->series.count;
        uint32_t *picks = calloc(count, sizeof *picks), *ordinals = calloc(count, sizeof *ordinals);
        bool good = true;
        room->sequence++;
        if (room->sequence % 2)
                assert_true(series_identify(telemetry, &arena, &err));
        for (unsigned p = 0; p < PARTITIONS && good; p++) {
                size_t picked = 0;
                uint32_t ordinal = 0;
                for (size_t i = 0; i < count; i++) {
                        const struct series_points *points = &telemetry->series.items[i];
                        if (series_partition(&points->labels) == p) {
                                picks[picked] = (uint32_t)i;
                                ordinals[picked++] = ordinal;
                        }
                        ordinal += (uint32_t)points->count;
                }
                good = !picked || series_add(room->store, (uint16_t)p, room->sequence, received_ns, telemetry, picks, ordinals, picked, &err);
        }
        free(picks);
        free(ordinals);
        if (!good)
                fail_msg("%s", err.message);
        return good;
}

static void add_one(struct room *room, size_t series, int64_t time_ns, double value, int64_t received_ns)
{
        struct sample sample = {time_ns, value};
        struct series_points points = {room->labels[series], &sample, 1};
        struct telemetry telemetry = {.series = {&points, 1, 1}};
        assert_true(add(room, received_ns, &telemetry));
}

static struct series_set select_all(struct room *room, struct arena *arena, const struct series_select *asked)
{
        struct err err = {0};
        struct series_set set = {0};
        if (!series_select(room->store, asked, arena, &set, &err))
                fail_msg("%s", err.message);
        return set;
}

/* ---- against a naive reference ---- */

struct told {
        size_t series, place;
        int64_t time_ns;
        double value;
};

struct naive {
        struct told items[40000];
        size_t count;
};

static int by_series_time_place(const void *a, const void *b)
{
        const struct told *left = a, *right = b;
        if (left->series != right->series)
                return left->series < right->series ? -1 : 1;
        if (left->time_ns != right->time_ns)
                return left->time_ns < right->time_ns ? -1 : 1;
        return left->place < right->place ? -1 : 1;
}

static void check_series(const struct told *told, size_t count, const struct series_select *asked, const struct series_data *data)
{
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
                if (told[i].time_ns < asked->start_ns || told[i].time_ns > asked->end_ns ||
                    (i + 1 < count && told[i + 1].time_ns == told[i].time_ns))
                        continue;
                assert_non_null(data);
                assert_true(at < data->count);
                assert_int_equal(data->times_ns[at], told[i].time_ns);
                assert_int_equal(double_bits(data->values[at]), double_bits(told[i].value));
                at++;
        }
        assert_int_equal(at, data ? data->count : 0);
}

static void check_select(struct room *room, struct naive *naive, const struct series_select *asked)
{
        scoped(arena_done) struct arena arena = {0};
        struct series_set set = select_all(room, &arena, asked);
        size_t first = 0, seen = 0;
        for (size_t i = 1; i < set.count; i++)
                assert_true(labels_compare(&set.items[i - 1].labels, &set.items[i].labels) < 0);
        qsort(naive->items, naive->count, sizeof *naive->items, by_series_time_place);
        for (size_t s = 0; s < SERIES; s++) {
                size_t end = first;
                const struct series_data *data = NULL;
                while (end < naive->count && naive->items[end].series == s)
                        end++;
                each (item, &set)
                        if (labels_equal(&item->labels, &room->labels[s]))
                                data = item;
                if (!asked->matchers || matchers_match(asked->matchers, &room->labels[s]))
                        check_series(naive->items + first, end - first, asked, data);
                else
                        assert_null(data);
                seen += data != NULL;
                first = end;
        }
        assert_int_equal(seen, set.count);
}

static void check_selects(struct room *room, struct naive *naive, struct rng *rng, int64_t last_ns)
{
        static const struct { enum match_op op; const char *name, *value; } asked[] = {
                {MATCH_EQUAL, "__name__", "metric_1"}, {MATCH_REGEX, "host", "h[1-4]"}, {MATCH_NOT_EQUAL, "zone", ""},
                {MATCH_EQUAL, "zone", ""}, {MATCH_REGEX, "__name__", "metric_[02]"}, {MATCH_EQUAL, "__name__", "nothing"},
        };
        struct err err;
        check_select(room, naive, &(struct series_select){.start_ns = INT64_MIN, .end_ns = INT64_MAX});
        for (size_t i = 0; i < countof(asked); i++) {
                scoped(arena_done) struct arena arena = {0};
                scoped(matchers_done) struct matchers matchers = {0};
                assert_true(matchers_add(&matchers, &arena, asked[i].op, str_of(asked[i].name), str_of(asked[i].value), &err));
                int64_t start = START_NS - 3600 * NS_PER_S + (int64_t)rng_below(rng, (uint64_t)(last_ns - START_NS));
                int64_t end = start + (int64_t)rng_below(rng, (uint64_t)(last_ns - START_NS));
                check_select(room, naive, &(struct series_select){.matchers = &matchers, .start_ns = start, .end_ns = end});
        }
}

static double random_value(struct rng *rng)
{
        switch (rng_below(rng, 5)) {
        case 0:
                return (double)rng_below(rng, 1000);
        case 1:
                return (double)rng_below(rng, 100000) / 100;
        case 2:
                return double_of_bits(STALE_NAN_BITS);
        case 3:
                return double_of_bits(rng_u64(rng));
        default:
                return 7;
        }
}

static void add_random_batch(struct room *room, struct naive *naive, struct rng *rng, int64_t now_ns)
{
        struct series_points points[SERIES];
        struct sample samples[SERIES][3];
        struct telemetry telemetry = {.series = {points, 0, SERIES}};
        for (size_t s = 0; s < SERIES; s++) {
                size_t count = rng_below(rng, 4);
                if (!count)
                        continue;
                for (size_t i = 0; i < count; i++) {
                        int64_t late = rng_below(rng, 8) ? 0 : (int64_t)rng_below(rng, 10) * 600 * NS_PER_S;
                        int64_t time = now_ns + (int64_t)i * NS_PER_S - late;
                        bool is_timeless = rng_below(rng, 50) == 0;
                        samples[s][i] = (struct sample){is_timeless ? 0 : time, random_value(rng)};
                        naive->items[naive->count] = (struct told){s, naive->count, is_timeless ? now_ns : time, samples[s][i].value};
                        naive->count++;
                }
                points[telemetry.series.count++] = (struct series_points){room->labels[s], samples[s], count};
        }
        assert_true(naive->count < countof(naive->items));
        add(room, now_ns, &telemetry);
}

static void selects_equal_a_naive_reference_through_seals_restarts_and_midnight(void **state)
{
        struct room *room = *state;
        struct naive *naive = calloc(1, sizeof *naive);
        struct rng rng = {21};
        struct err err = {0};
        int64_t now = START_NS;
        for (int round = 0; round < 300; round++) {
                now += (int64_t)(1 + rng_below(&rng, 600)) * NS_PER_S;
                add_random_batch(room, naive, &rng, now);
                if (rng_below(&rng, 8) == 0)
                        assert_true(series_seal(room->store, (uint16_t)rng_below(&rng, PARTITIONS), 0, &err));
                if (round % 60 == 30)
                        for (unsigned p = 0; p < PARTITIONS; p++)
                                assert_true(series_seal(room->store, (uint16_t)p, now, &err));
                if (round % 50 == 49) {
                        check_selects(room, naive, &rng, now);
                        close_store(room, true);
                        open_store(room);
                        check_selects(room, naive, &rng, now);
                }
        }
        struct series_stats stats;
        series_read_stats(room->store, &stats);
        assert_int_equal(stats.blocks_damaged, 0);
        free(naive);
}

/* ---- one promise each ---- */

static bool count_series(void *context, uint32_t id, struct str packed_labels, struct err *err)
{
        (void)id, (void)packed_labels, (void)err;
        ++*(size_t *)context;
        return true;
}

static void a_series_keeps_its_id_of_the_day_over_a_restart(void **state)
{
        struct room *room = *state;
        struct err err = {0};
        for (int round = 0; round < 3; round++) {
                add_one(room, 4, START_NS + round * NS_PER_S, round, START_NS + round * NS_PER_S);
                add_one(room, 7, START_NS + round * NS_PER_S, round, START_NS + round * NS_PER_S);
                close_store(room, true);
                open_store(room);
        }
        size_t known = 0;
        assert_true(archive_day_series(room->archive, START_NS / NS_PER_DAY, count_series, &known, &err));
        assert_int_equal(known, 2);
}

static void an_idle_series_leaves_memory_and_comes_back(void **state)
{
        struct room *room = *state;
        struct err err = {0};
        struct series_stats stats;
        add_one(room, 1, START_NS, 1, START_NS);
        add_one(room, 2, START_NS + 3 * 3600 * NS_PER_S, 2, START_NS + 3 * 3600 * NS_PER_S);
        for (unsigned p = 0; p < PARTITIONS; p++)
                assert_true(series_seal(room->store, (uint16_t)p, START_NS + 3600 * NS_PER_S, &err));
        series_read_stats(room->store, &stats);
        assert_int_equal(stats.series, 1);
        add_one(room, 1, START_NS + 4 * 3600 * NS_PER_S, 3, START_NS + 4 * 3600 * NS_PER_S);
        scoped(arena_done) struct arena arena = {0};
        struct series_set set = select_all(room, &arena, &(struct series_select){.start_ns = 0, .end_ns = INT64_MAX});
        assert_int_equal(set.count, 2);
        assert_int_equal(set.items[0].count + set.items[1].count, 3);
}

static void too_many_series_are_refused_and_counted(void **state)
{
        struct room *room = *state;
        struct series_stats stats;
        struct err err = {0};
        series_destroy(room->store);
        assert_true(series_create(room->archive, 0, &room->store, &err));
        for (size_t i = 0; i < 6000; i++) {
                scoped(arena_done) struct arena arena = {0};
                struct sample sample = {START_NS, 1};
                struct series_points points = {make_labels(&arena, 3 * i + 1), &sample, 1};
                struct telemetry telemetry = {.series = {&points, 1, 1}};
                assert_true(add(room, START_NS, &telemetry));
        }
        series_read_stats(room->store, &stats);
        assert_true(stats.series <= 16 * PARTITIONS);
        assert_int_equal(stats.series_refused, 6000 - stats.series);
        assert_true(stats.series_refused > 0);
}

static void few_series_with_huge_labels_are_refused_as_many_are(void **state)
{
        struct room *room = *state;
        struct series_stats stats;
        for (size_t i = 0; i < 8000; i++) { /* 64 MB of labels, where 100,000 usual series have 36 */
                scoped(arena_done) struct arena arena = {0};
                struct label items[] = {{LABEL_METRIC_NAME, STR("huge")}, {STR("id"), arena_printf(&arena, "%08000zu", i)}};
                struct sample sample = {START_NS, 1};
                struct series_points points = {{items, 2, 2}, &sample, 1};
                struct telemetry telemetry = {.series = {&points, 1, 1}};
                assert_true(add(room, START_NS, &telemetry));
        }
        series_read_stats(room->store, &stats);
        assert_true(stats.series_refused > 0);
        assert_true(stats.resident_bytes < (size_t)80 << 20);
        assert_int_equal(stats.series + stats.series_refused, 8000);
}

static void a_select_says_no_when_it_is_too_large_too_late_or_cancelled(void **state)
{
        struct room *room = *state;
        struct err err = {0};
        struct series_set set;
        scoped(arena_done) struct arena arena = {0};
        atomic_bool cancelled = true;
        for (int i = 0; i < 10; i++)
                add_one(room, 1, START_NS + i, i, START_NS);
        assert_false(series_select(room->store, &(struct series_select){.end_ns = INT64_MAX, .samples_max = 9}, &arena, &set, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_non_null(strstr(err.message, "more than 9 samples"));
        assert_false(series_select(room->store, &(struct series_select){.end_ns = INT64_MAX, .deadline_ns = 1}, &arena, &set, &err));
        assert_int_equal(err.code, ERR_TIMEOUT);
        assert_false(series_select(room->store, &(struct series_select){.end_ns = INT64_MAX, .cancelled = &cancelled}, &arena, &set, &err));
        assert_int_equal(err.code, ERR_CANCELLED);
}

static void labels_alone_come_from_memory_and_from_the_days(void **state)
{
        struct room *room = *state;
        scoped(arena_done) struct arena arena = {0};
        add_one(room, 1, START_NS, 1, START_NS);
        close_store(room, true);
        open_store(room);
        add_one(room, 2, START_NS + NS_PER_S, 1, START_NS + NS_PER_S);
        struct series_select asked = {.start_ns = START_NS - NS_PER_S, .end_ns = START_NS + 10 * NS_PER_S, .labels_only = true};
        struct series_set set = select_all(room, &arena, &asked);
        assert_int_equal(set.count, 2);
        assert_int_equal(set.items[0].count, 0);
        assert_true(labels_equal(&set.items[0].labels, &room->labels[1]));
        asked.end_ns = asked.start_ns = START_NS - 30 * NS_PER_DAY;
        assert_int_equal(select_all(room, &arena, &asked).count, 0);
}

static bool put_damaged(struct room *room)
{
        struct err err;
        struct block contents = {.kind = BLOCK_METRICS, .partition = 3, .day = START_NS / NS_PER_DAY, .first_item = 1, .last_item = 2,
                                 .time_min_ns = START_NS, .time_max_ns = START_NS, .items = 1, .index = STR("not an index"), .body = STR("x")};
        struct str packed = STR("\x08__name__\x01x");
        contents.series = &(struct new_series){3 << 20 | 999, STR("x"), packed};
        contents.series_count = 1;
        struct block *block = block_create(&contents, &err);
        return block && archive_put(room->archive, block);
}

static void a_damaged_block_is_skipped_and_counted(void **state)
{
        struct room *room = *state;
        struct series_stats stats;
        scoped(arena_done) struct arena arena = {0};
        /* A series of the damaged block's partition, so that it is looked at. */
        assert_true(put_damaged(room));
        add_one(room, 1, START_NS, 1, START_NS);
        struct series_set set = select_all(room, &arena, &(struct series_select){.end_ns = INT64_MAX});
        assert_int_equal(set.count, 1);
        series_read_stats(room->store, &stats);
        assert_int_equal(stats.blocks_damaged, 1);
        int64_t day;
        assert_int_equal(archive_damaged_days(room->archive, START_NS, START_NS, &day, 1), 1); /* so answers say it */
}

struct race {
        struct room *room;
        atomic_bool stop;
        atomic_int added;
};

static void add_and_seal(void *context)
{
        struct race *race = context;
        struct err err;
        for (int i = 0; i < 3000 && !race->stop; i++) {
                add_one(race->room, 1, START_NS + i * NS_PER_S, i, START_NS + i * NS_PER_S);
                atomic_store(&race->added, i + 1);
                if (i % 37 == 0)
                        series_seal(race->room->store, series_partition(&race->room->labels[1]), 0, &err);
        }
        race->stop = true;
}

static void a_reader_beside_the_writer_misses_nothing(void **state)
{
        struct race race = {.room = *state};
        struct thread writer = {0};
        struct err err;
        assert_true(thread_start(&writer, "writer", add_and_seal, &race, &err));
        while (!race.stop) {
                scoped(arena_done) struct arena arena = {0};
                size_t least = (size_t)atomic_load(&race.added);
                struct series_set set = select_all(race.room, &arena, &(struct series_select){.end_ns = INT64_MAX});
                size_t count = set.count ? set.items[0].count : 0;
                assert_true(count >= least);
                for (size_t i = 0; i < count; i++)
                        assert_int_equal(set.items[0].times_ns[i], START_NS + (int64_t)i * NS_PER_S);
        }
        thread_join(&writer);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                story(selects_equal_a_naive_reference_through_seals_restarts_and_midnight),
                story(a_series_keeps_its_id_of_the_day_over_a_restart),
                story(an_idle_series_leaves_memory_and_comes_back),
                story(too_many_series_are_refused_and_counted),
                story(few_series_with_huge_labels_are_refused_as_many_are),
                story(a_select_says_no_when_it_is_too_large_too_late_or_cancelled),
                story(labels_alone_come_from_memory_and_from_the_days),
                story(a_damaged_block_is_skipped_and_counted),
                story(a_reader_beside_the_writer_misses_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
