/* ingest_test - every item is stored once, whatever the number of workers, and as the same bytes; what cannot be read is left out. */
#include "observe/ingest.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/scope.h"
#include "observe/source.h"
#include "store/disk_forgetful.h"
#include "store/vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define BATCHES 20
#define SERVICES 50

struct house {
        struct disk *disk;
        struct archive *archive;
        struct logs *logs;
        struct series_store *series;
        struct metric_metas *metas;
        struct ingest *ingest;
};

static void open_house(struct house *house, int workers)
{
        struct err err = {0};
        *house = (struct house){.disk = disk_forgetful_create()};
        if (!vfs_register("ingest", house->disk, &err) || !disk_make_directory(house->disk, "/data", &err) ||
            !archive_open(house->disk, "/data", "ingest", &house->archive, &err) || !logs_create(house->archive, &house->logs, &err) ||
            !series_create(house->archive, 10000, &house->series, &err) || !metric_metas_create(&house->metas, &err) ||
            !ingest_create(house->logs, house->series, house->metas, NULL, workers, &house->ingest, &err))
                fail_msg("%s", err.message);
}

static void close_house(struct house *house)
{
        ingest_destroy(house->ingest);
        logs_destroy(house->logs);
        series_destroy(house->series);
        metric_metas_destroy(house->metas);
        archive_close(house->archive);
        vfs_unregister("ingest");
        disk_forgetful_destroy(house->disk);
}

static struct batch *a_batch(uint16_t format, struct str bytes, int64_t received_ns)
{
        struct batch *batch = batch_create(format, STR("test"), NULL);
        batch->received_ns = received_ns;
        batch->bytes = arena_str(&batch->arena, bytes);
        return batch;
}

/* Batch n: a line of every service, or a sample of as many series. */
static struct batch *nth_batch(int n)
{
        scoped(buf_done) struct buf text = {0};
        for (int i = 0; i < SERVICES; i++)
                if (n % 2)
                        buf_printf(&text, "<13>1 - h service%d - - - batch %d\n", i, n);
                else
                        buf_printf(&text, "m{i=\"%d\"} %d\n", i, n);
        return a_batch(n % 2 ? SOURCE_SYSLOG : SOURCE_SCRAPE, buf_str(&text), START_NS + n * NS_PER_S);
}

static void ingest_all(struct house *house, int at_once)
{
        for (int n = 0; n < BATCHES; n += at_once) {
                struct arrival arrivals[BATCHES];
                for (int i = 0; i < at_once; i++)
                        arrivals[i] = (struct arrival){nth_batch(n + i), (uint64_t)(n + i + 1), START_NS + (n + i) * NS_PER_S};
                ingest_round(house->ingest, arrivals, (size_t)at_once);
                for (int i = 0; i < at_once; i++)
                        batch_destroy(arrivals[i].batch);
        }
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(size_t *)context;
        return true;
}

/* Of one service, which only its partition is asked for, or (NULL) of all. */
static size_t rows_of(struct house *house, const char *service)
{
        scoped(arena_done) struct arena arena = {0};
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        size_t rows = 0;
        if (service)
                assert_true(matchers_add(&select.matchers, &arena, MATCH_EQUAL, STR("service"), str_of(service), NULL));
        assert_true(logs_select(house->logs, &select, count_row, &rows, &stats, NULL));
        return rows;
}

static size_t samples_of(struct house *house)
{
        scoped(arena_done) struct arena arena = {0};
        struct series_select select = {.matchers = &(struct matchers){0}, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct series_set set;
        size_t count = 0;
        assert_true(series_select(house->series, &select, &arena, &set, NULL));
        each (data, &set)
                count += data->count;
        return count;
}

static void every_item_is_stored_once(void **state)
{
        (void)state;
        struct house house;
        open_house(&house, 1);
        ingest_all(&house, 4);
        assert_int_equal(rows_of(&house, NULL), BATCHES / 2 * SERVICES);
        for (int i = 0; i < SERVICES; i++) {
                char service[32];
                snprintf(service, sizeof service, "service%d", i);
                assert_int_equal(rows_of(&house, service), BATCHES / 2);
        }
        assert_int_equal(samples_of(&house), BATCHES / 2 * SERVICES);
        close_house(&house);
}

static bool hash_block(void *context, const struct block *block, struct err *err)
{
        (void)err;
        uint64_t *hash = context;
        *hash = hash64_seeded(block->index, *hash ^ block->first_item);
        *hash = hash64_seeded(block->body, *hash + block->partition);
        return true;
}

static uint64_t hash_of_blocks(int workers, int at_once)
{
        struct house house;
        struct err err = {0};
        uint64_t hash = 0;
        open_house(&house, workers);
        ingest_all(&house, at_once);
        assert_true(ingest_seal(house.ingest, INT64_MIN, &err));
        assert_true(archive_flush(house.archive, &err));
        for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                struct archive_range range = {.kind = (enum block_kind)kind, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
                assert_true(archive_visit(house.archive, &range, NULL, hash_block, &hash, &err));
        }
        struct archive_stats stats;
        archive_read_stats(house.archive, &stats);
        assert_int_equal(stats.items[BLOCK_LOGS] + stats.items[BLOCK_METRICS], BATCHES * SERVICES);
        close_house(&house);
        return hash;
}

static void any_number_of_workers_and_of_batches_at_once_gives_the_same_blocks(void **state)
{
        (void)state;
        uint64_t one = hash_of_blocks(1, 1);
        assert_true(hash_of_blocks(4, 1) == one);
        assert_true(hash_of_blocks(3, 20) == one);
        assert_true(hash_of_blocks(1, 20) == one);
}

static void a_batch_that_cannot_be_decoded_is_left_out_and_the_others_stored(void **state)
{
        (void)state;
        struct house house;
        open_house(&house, 2);
        struct arrival arrivals[] = {{a_batch(999, STR("?"), START_NS), 1, START_NS}, {nth_batch(1), 2, START_NS}};
        ingest_round(house.ingest, arrivals, 2);
        assert_int_equal(rows_of(&house, NULL), SERVICES);
        assert_false(ingest_gave_up(house.ingest));
        batch_destroy(arrivals[0].batch);
        batch_destroy(arrivals[1].batch);
        close_house(&house);
}

static bool stop_waiting(void *context)
{
        ++*(int *)context;
        return false;
}

static void what_cannot_be_stored_is_given_up_when_told_and_said_so(void **state)
{
        (void)state;
        struct house house;
        struct err err = {0};
        int stalls = 0;
        open_house(&house, 1);
        struct arrival first = {nth_batch(0), 1, START_NS}, second = {nth_batch(2), 2, START_NS};
        ingest_round(house.ingest, &first, 1);
        assert_true(ingest_seal(house.ingest, INT64_MIN, &err) && archive_flush(house.archive, &err));
        series_destroy(house.series); /* as after a restart: which series the day has must be read from the disk */
        assert_true(series_create(house.archive, 10000, &house.series, &err));
        ingest_destroy(house.ingest);
        assert_true(ingest_create(house.logs, house.series, house.metas, NULL, 1, &house.ingest, &err));
        ingest_on_stall(house.ingest, stop_waiting, &stalls);
        disk_stop_nth(house.disk, 1);
        disk_unlink(house.disk, "/data/any", &err); /* the machine stops */
        assert_true(disk_stopped(house.disk));
        ingest_round(house.ingest, &second, 1);
        assert_int_equal(stalls, 1);
        assert_true(ingest_gave_up(house.ingest));
        batch_destroy(first.batch);
        batch_destroy(second.batch);
        disk_kill(house.disk);
        close_house(&house);
}

static void note_meta(void *context, const struct metric_meta *meta)
{
        *(bool *)context = str_is(meta->help, "helps") && meta->type == METRIC_GAUGE;
}

static void the_help_of_metrics_is_noted(void **state)
{
        (void)state;
        struct house house;
        open_house(&house, 1);
        struct arrival arrival = {a_batch(SOURCE_SCRAPE, STR("# HELP m helps\n# TYPE m gauge\nm 1\n"), START_NS), 1, START_NS};
        ingest_round(house.ingest, &arrival, 1);
        assert_int_equal(samples_of(&house), 1);
        bool is_there = false;
        metric_metas_visit(house.metas, STR("m"), note_meta, &is_there);
        assert_true(is_there);
        batch_destroy(arrival.batch);
        close_house(&house);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_item_is_stored_once),
                cmocka_unit_test(any_number_of_workers_and_of_batches_at_once_gives_the_same_blocks),
                cmocka_unit_test(a_batch_that_cannot_be_decoded_is_left_out_and_the_others_stored),
                cmocka_unit_test(what_cannot_be_stored_is_given_up_when_told_and_said_so),
                cmocka_unit_test(the_help_of_metrics_is_noted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
