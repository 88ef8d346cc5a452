/* archive_test - blocks are readable from the moment they are put, once each, and days come and go whole. */
#include "store/archive.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/thread.h"
#include "model/telemetry.h"
#include "store/disk_forgetful.h"
#include "store/vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY_NS (INT64_C(86400) * 1000000000)

static char directory[SCRATCH_BYTES];

static int make_directory(void **state)
{
        (void)state;
        return scratch_make(directory, "archive");
}

static int remove_directory(void **state)
{
        (void)state;
        return scratch_remove(directory);
}

static struct archive *open_archive(void)
{
        struct err err;
        struct archive *archive;
        if (!archive_open(disk_real(), directory, NULL, &archive, &err))
                fail_msg("%s", err.message);
        return archive;
}

static void put(struct archive *archive, uint16_t partition, int64_t day, uint64_t sequence, const char *body)
{
        struct new_series series = {.id = (uint32_t)partition << 20 | (uint32_t)sequence, .name = STR("up"), .packed_labels = STR("\x08__name__\x02up")};
        struct block contents = {.kind = BLOCK_METRICS, .partition = partition, .day = day, .first_item = item_id(sequence, 0),
                                 .last_item = item_id(sequence, 9), .time_min_ns = day * DAY_NS + (int64_t)sequence,
                                 .time_max_ns = day * DAY_NS + (int64_t)sequence + 9, .items = 10, .raw_bytes = 100,
                                 .index = STR("index"), .body = str_of(body), .series = &series, .series_count = 1};
        struct block *block = block_create(&contents, NULL);
        assert_non_null(block);
        assert_true(archive_put(archive, block));
}

struct seen {
        uint64_t first_items[4096];
        size_t count;
        char last_body[32];
};

static bool note(void *context, const struct block *block, struct err *err)
{
        (void)err;
        struct seen *seen = context;
        assert_true(str_is(block->index, "index"));
        snprintf(seen->last_body, sizeof seen->last_body, "%.*s", STR_ARGS(block->body));
        seen->first_items[seen->count++] = block->first_item;
        return true;
}

static size_t count_blocks(struct archive *archive, int64_t start_ns, int64_t end_ns, bool newest_first, struct seen *seen)
{
        struct err err;
        *seen = (struct seen){0};
        struct archive_range range = {.kind = BLOCK_METRICS, .start_ns = start_ns, .end_ns = end_ns, .newest_first = newest_first};
        if (!archive_visit(archive, &range, NULL, note, seen, &err))
                fail_msg("%s", err.message);
        return seen->count;
}

static void a_block_is_readable_at_once_and_after_a_restart(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        struct archive *archive = open_archive();
        put(archive, 1, 100, 5, "five");
        put(archive, 1, 100, 7, "seven");
        put(archive, 2, 101, 8, "eight");
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, true, &seen), 3);
        assert_string_equal(seen.last_body, "five");
        assert_int_equal(count_blocks(archive, 101 * DAY_NS, 102 * DAY_NS, false, &seen), 1);
        assert_true(archive_flush(archive, &err));
        archive_close(archive);

        archive = open_archive();
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, false, &seen), 3);
        assert_string_equal(seen.last_body, "eight");
        uint64_t open_first[PARTITIONS] = {[1] = item_id(7, 0)};
        struct archive_range range = {.kind = BLOCK_METRICS, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .open_first = open_first};
        seen.count = 0;
        assert_true(archive_visit(archive, &range, NULL, note, &seen, &err));
        assert_int_equal(seen.count, 2);
        archive_close(archive);
}

static bool count_series(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err)
{
        (void)day, (void)id, (void)err;
        assert_int_equal(packed_labels.length, 12);
        ++*(size_t *)context;
        return true;
}

static void what_is_newer_than_a_checkpoint_is_dropped_with_its_series(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        struct archive *archive = open_archive();
        assert_true(archive_drop_after(archive, 7, &err));
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, false, &seen), 2);
        size_t series = 0;
        assert_true(archive_visit_series(archive, INT64_MIN, INT64_MAX, STR("up"), count_series, &series, &err));
        assert_int_equal(series, 2);
        series = 0;
        assert_true(archive_visit_series(archive, INT64_MIN, INT64_MAX, STR("down"), count_series, &series, &err));
        assert_int_equal(series, 0);
        struct archive_stats stats;
        archive_read_stats(archive, &stats);
        assert_int_equal(stats.items[BLOCK_METRICS], 20);
        archive_close(archive);
}

static void whole_days_are_removed_by_age_and_by_size(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        uint64_t removed;
        struct archive *archive = open_archive();
        for (int64_t day = 200; day < 206; day++)
                put(archive, 3, day, (uint64_t)day, "body");
        assert_true(archive_retain(archive, 202, 0, &removed, &err));
        assert_int_equal(removed, 4); /* 100, 101, 200, 201 */
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, false, &seen), 4);
        assert_true(archive_retain(archive, 0, 1, &removed, &err));
        assert_int_equal(removed, 3);
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, false, &seen), 1); /* today stays */
        char to[96];
        snprintf(to, sizeof to, "%s/copy", directory);
        assert_true(archive_backup(archive, to, &err));
        archive_close(archive);
        char original[sizeof directory];
        snprintf(original, sizeof original, "%s", directory);
        snprintf(directory, sizeof directory, "%.50s/copy", original);
        archive = open_archive();
        assert_int_equal(count_blocks(archive, INT64_MIN, INT64_MAX, false, &seen), 1);
        archive_close(archive);
        snprintf(directory, sizeof directory, "%s", original);
}

static void a_damaged_day_is_told_and_the_others_serve_on(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        struct archive *archive = open_archive();
        put(archive, 3, 300, 300, "body");
        put(archive, 3, 301, 301, "body");
        assert_true(archive_flush(archive, &err));
        archive_close(archive);
        char path[128];
        snprintf(path, sizeof path, "%s/telemetry/1970-10-28.db", directory); /* day 300 */
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        for (int i = 0; i < 4096; i++)
                fputc(0x55, file);
        fclose(file);
        archive = open_archive();
        struct archive_stats stats;
        archive_read_stats(archive, &stats);
        assert_int_equal(stats.failures, 1);
        assert_int_equal(count_blocks(archive, 301 * DAY_NS, INT64_MAX, false, &seen), 1);
        put(archive, 3, 300, 310, "again"); /* storing goes on in a new file; the damaged one is kept aside */
        put(archive, 3, 301, 311, "again");
        assert_true(archive_flush(archive, &err));
        assert_int_equal(count_blocks(archive, 300 * DAY_NS, 301 * DAY_NS - 1, false, &seen), 1);
        snprintf(path + strlen(path), sizeof path - strlen(path), ".damaged");
        assert_int_equal(access(path, R_OK), 0);
        archive_close(archive);
}

static void a_day_file_that_a_crash_left_empty_is_used(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        char path[128];
        snprintf(path, sizeof path, "%s/telemetry/1971-08-25.db", directory); /* day 601 */
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        struct archive *archive = open_archive();
        put(archive, 3, 601, 6010, "body");
        assert_true(archive_flush(archive, &err));
        assert_int_equal(count_blocks(archive, 601 * DAY_NS, 602 * DAY_NS, false, &seen), 1);
        archive_close(archive);
}

static void read_again_and_again(void *context)
{
        struct archive *archive = context;
        struct seen *seen = malloc(sizeof *seen);
        size_t before = 0;
        while (before < 2000) {
                size_t count = count_blocks(archive, 400 * DAY_NS, 401 * DAY_NS, false, seen);
                assert_true(count >= before); /* none goes missing on its way to the file */
                for (size_t i = 1; i < count; i++)
                        assert_true(seen->first_items[i - 1] < seen->first_items[i]); /* none comes twice */
                before = count;
        }
        free(seen);
}

static void readers_see_every_block_once_while_it_moves(void **state)
{
        (void)state;
        struct err err;
        struct archive *archive = open_archive();
        struct thread reader = {0};
        assert_true(thread_start(&reader, "reader", read_again_and_again, archive, &err));
        for (uint64_t i = 0; i < 2000; i++)
                put(archive, 9, 400, 1000 + i, "body");
        thread_join(&reader);
        archive_close(archive);
}

static void a_flush_of_nothing_does_not_answer_for_the_first_block(void **state)
{
        (void)state;
        struct disk *disk = disk_forgetful_create();
        struct archive *archive;
        struct err err = {0};
        assert_true(vfs_register("archive_test", disk, NULL));
        if (!archive_open(disk, "/data", "archive_test", &archive, &err))
                fail_msg("%s", err.message);
        assert_true(archive_flush(archive, &err));
        disk_set_read_only(disk, true);
        put(archive, 1, 20000, 1, "first");
        assert_false(archive_flush(archive, &err));
        disk_set_read_only(disk, false);
        assert_true(archive_flush(archive, &err));
        archive_close(archive);
        vfs_unregister("archive_test");
        disk_forgetful_destroy(disk);
}

/* A page of the file, from 1. The tables are made in their order, so page 1 is the schema, 2 the blocks, 4 their index on times, 7 the labels. */
static void damage(const char *path, long page)
{
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
        for (int i = 0; i < 4096; i++)
                fputc(0xA5, file);
        assert_int_equal(fclose(file), 0);
}

/* A past day's file goes bad while the program runs, and another block of that day comes. */
static void store_into_a_damaged_day(struct archive *archive, int64_t day, long page, bool is_checkpointed)
{
        char path[128];
        struct err err;
        int64_t year;
        unsigned month, of_month;
        clock_date_of_days(day, &year, &month, &of_month);
        put(archive, 1, day, 1, "first");
        put(archive, 1, day + 1, 2, "next day");
        assert_true(archive_flush(archive, &err));
        if (is_checkpointed)
                archive_checkpointed(archive);
        snprintf(path, sizeof path, "%s/telemetry/%04d-%02u-%02u.db", directory, (int)year, month, of_month);
        damage(path, page);
        put(archive, 1, day, 3, "late");
        assert_true(archive_flush(archive, &err) || archive_flush(archive, &err)); /* the first may be what meets the damage */
}

static void a_day_set_aside_with_what_only_the_journal_has_holds_up_the_checkpoint(void **state)
{
        (void)state;
        struct err err;
        int64_t days[4];
        struct archive *archive = open_archive();
        store_into_a_damaged_day(archive, 21100, 1, false);
        assert_false(archive_holds_all(archive, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, "2027-10-09"));
        assert_int_equal(archive_damaged_days(archive, 21100 * DAY_NS, 21101 * DAY_NS, days, 4), 1);
        assert_int_equal(days[0], 21100);
        archive_close(archive);
        archive = open_archive(); /* the next start replays the journal, and still tells what is missing */
        assert_true(archive_holds_all(archive, &err));
        assert_int_equal(archive_damaged_days(archive, 21100 * DAY_NS, 21100 * DAY_NS, days, 4), 1);
        assert_int_equal(archive_damaged_days(archive, 21001 * DAY_NS, 21001 * DAY_NS, days, 4), 0);
        archive_close(archive);
}

static size_t series_of_day(struct archive *archive, int64_t day)
{
        struct err err;
        size_t count = 0;
        assert_true(archive_visit_series(archive, day * DAY_NS, (day + 1) * DAY_NS - 1, STR("up"), count_series, &count, &err));
        return count;
}

static void what_is_news_is_taken_over_from_a_day_that_is_set_aside(void **state)
{
        (void)state;
        struct err err;
        int64_t days[4];
        struct seen seen;
        struct archive *archive = open_archive();
        store_into_a_damaged_day(archive, 22000, 4, false);
        assert_true(archive_holds_all(archive, &err)); /* so the next checkpoint is written, and the journal trimmed */
        assert_int_equal(count_blocks(archive, 22000 * DAY_NS, 22001 * DAY_NS - 1, false, &seen), 2);
        assert_string_equal(seen.last_body, "late");
        assert_int_equal(series_of_day(archive, 22000), 2);
        assert_int_equal(archive_damaged_days(archive, 22000 * DAY_NS, 22000 * DAY_NS, days, 4), 1); /* of what is older something may be missing */
        archive_close(archive);
        archive = open_archive();
        assert_int_equal(count_blocks(archive, 22000 * DAY_NS, 22001 * DAY_NS - 1, false, &seen), 2);
        assert_int_equal(series_of_day(archive, 22000), 2);
        archive_close(archive);
}

/* What a checkpoint stands for is left to the damaged file; the labels of its series are not, since blocks to come need them. */
static void labels_of_what_is_older_are_taken_over_or_wait_for_the_journal(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        struct archive *archive = open_archive();
        store_into_a_damaged_day(archive, 22150, 7, true);
        assert_false(archive_holds_all(archive, &err));
        archive_close(archive);
        archive = open_archive();
        store_into_a_damaged_day(archive, 22100, 4, true);
        assert_true(archive_holds_all(archive, &err));
        assert_int_equal(count_blocks(archive, 22100 * DAY_NS, 22101 * DAY_NS - 1, false, &seen), 1);
        assert_int_equal(series_of_day(archive, 22100), 2);
        archive_close(archive);
}

/* Left out since the start, partitions number its series anew: old labels under the same ids would be wrong ones. */
static void nothing_is_taken_over_from_a_day_that_was_left_out_from_the_start(void **state)
{
        (void)state;
        struct err err;
        char path[128];
        struct archive *archive = open_archive();
        put(archive, 1, 22300, 1, "first");
        assert_true(archive_flush(archive, &err));
        archive_close(archive);
        snprintf(path, sizeof path, "%s/telemetry/2031-01-21.db", directory);
        damage(path, 2);
        archive = open_archive();
        put(archive, 1, 22300, 5, "anew");
        assert_true(archive_flush(archive, &err) || archive_flush(archive, &err));
        assert_true(archive_holds_all(archive, &err));
        assert_int_equal(series_of_day(archive, 22300), 1);
        archive_close(archive);
}

/* The news cannot be read whole: blocks without labels, or none at all. */
static void news_that_cannot_be_read_whole_waits_for_the_journal(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        static const long pages[] = {2, 7};
        for (size_t i = 0; i < countof(pages); i++) {
                int64_t day = 22200 + 10 * (int64_t)i;
                struct archive *archive = open_archive();
                store_into_a_damaged_day(archive, day, pages[i], false);
                assert_false(archive_holds_all(archive, &err));
                assert_int_equal(count_blocks(archive, day * DAY_NS, (day + 1) * DAY_NS - 1, false, &seen), 1); /* and nothing twice after the restart */
                archive_close(archive);
        }
}

static void pages_that_go_bad_are_left_out_of_answers_and_told(void **state)
{
        (void)state;
        struct err err;
        struct seen seen;
        int64_t days[2];
        static const long pages[] = {1, 2, 4, 7};
        for (size_t i = 0; i < countof(pages); i++) {
                int64_t day = 23000 + 10 * (int64_t)i, year;
                unsigned month, of_month;
                char path[128];
                struct archive *archive = open_archive();
                put(archive, 1, day, 1, "lost");
                put(archive, 1, day + 1, 2, "next day");
                assert_true(archive_flush(archive, &err));
                clock_date_of_days(day, &year, &month, &of_month);
                snprintf(path, sizeof path, "%s/telemetry/%04d-%02u-%02u.db", directory, (int)year, month, of_month);
                damage(path, pages[i]);
                assert_int_equal(archive_damaged_days(archive, day * DAY_NS, (day + 2) * DAY_NS - 1, days, 2), 0);
                assert_int_equal(count_blocks(archive, day * DAY_NS, (day + 2) * DAY_NS - 1, false, &seen), pages[i] == 7 ? 2 : 1);
                assert_string_equal(seen.last_body, "next day");
                assert_int_equal(series_of_day(archive, day + 1), 1);
                assert_in_range(series_of_day(archive, day), 0, 1);
                assert_int_equal(archive_damaged_days(archive, day * DAY_NS, (day + 2) * DAY_NS - 1, days, 2), 1);
                assert_int_equal(days[0], day);
                archive_close(archive);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_block_is_readable_at_once_and_after_a_restart),
                cmocka_unit_test(what_is_newer_than_a_checkpoint_is_dropped_with_its_series),
                cmocka_unit_test(whole_days_are_removed_by_age_and_by_size),
                cmocka_unit_test(a_damaged_day_is_told_and_the_others_serve_on),
                cmocka_unit_test(a_day_file_that_a_crash_left_empty_is_used),
                cmocka_unit_test(a_day_set_aside_with_what_only_the_journal_has_holds_up_the_checkpoint),
                cmocka_unit_test(what_is_news_is_taken_over_from_a_day_that_is_set_aside),
                cmocka_unit_test(labels_of_what_is_older_are_taken_over_or_wait_for_the_journal),
                cmocka_unit_test(news_that_cannot_be_read_whole_waits_for_the_journal),
                cmocka_unit_test(nothing_is_taken_over_from_a_day_that_was_left_out_from_the_start),
                cmocka_unit_test(pages_that_go_bad_are_left_out_of_answers_and_told),
                cmocka_unit_test(a_flush_of_nothing_does_not_answer_for_the_first_block),
                cmocka_unit_test(readers_see_every_block_once_while_it_moves),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
