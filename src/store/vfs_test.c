/* vfs_test - SQLite on the forgetful disk keeps what it said is durable, and only that; locks and the WAL's index work. */
#include "store/vfs.h"

#include "base/scope.h"
#include "base/thread.h"
#include "store/database.h"
#include "store/disk_forgetful.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PATH "/data/a.db"

static const char *const schema[] = {"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)", NULL};
static struct disk *disk;

static int make_disk(void **state)
{
        (void)state;
        disk = disk_forgetful_create();
        return disk && disk_make_directory(disk, "/data", NULL) && vfs_register("forgetful", disk, NULL) ? 0 : -1;
}

static int remove_disk(void **state)
{
        (void)state;
        vfs_unregister("forgetful");
        disk_forgetful_destroy(disk);
        return 0;
}

static struct database *opened(void)
{
        struct database *database;
        struct err err = {0};
        if (!database_open(PATH, "forgetful", schema, &database, &err))
                fail_msg("%s", err.message);
        return database;
}

static void insert(struct database *database, int64_t id)
{
        struct err err = {0};
        scoped(query_done) struct query query = {0};
        assert_true(query_begin(&query, database, "INSERT INTO thing VALUES (?1, 'name of a thing')", &err));
        query_bind_i64(&query, 1, id);
        query_step(&query, &err);
        if (!query_good(&query))
                fail_msg("%s", err.message);
}

static int64_t counted(struct database *database)
{
        scoped(query_done) struct query query = {0};
        assert_true(query_begin(&query, database, "SELECT count(*) FROM thing", NULL));
        assert_true(query_step(&query, NULL));
        return query_i64(&query, 0);
}

static void what_was_checkpointed_survives_every_crash_and_the_file_stays_sound(void **state)
{
        (void)state;
        int64_t rows = 0, lost = 0;
        for (uint64_t seed = 1; seed <= 60; seed++) {
                struct database *database = opened();
                int64_t found = counted(database);
                assert_true(found >= rows);
                assert_true(database_verify(database, NULL));
                int64_t durable = found, next = found;
                for (uint64_t i = 0; i < 20 + seed % 7; i++) {
                        insert(database, ++next);
                        if (i == seed % 11) {
                                assert_true(database_checkpoint(database, NULL));
                                durable = next;
                        }
                }
                disk_crash(disk, seed);
                database_close(database);
                rows = durable;
                database = opened();
                lost += next - counted(database);
                rows = counted(database);
                assert_true(rows >= durable);
                assert_true(database_checkpoint(database, NULL));
                database_close(database);
        }
        assert_true(lost > 0); /* or the disk does not forget */
}

/* The log's sync fails, its bytes are forgotten by the kernel, and the next try says that all is well. */
static bool survives_a_failed_sync(uint64_t stop_at, bool is_killed_between)
{
        struct err err = {0};
        struct database *database = opened();
        int64_t rows = 0;
        while (rows < 300)
                insert(database, ++rows);
        assert_true(database_checkpoint(database, NULL));
        assert_true(database_execute(database, "BEGIN; UPDATE thing SET name = name || ' that is longer now'; COMMIT", NULL));
        disk_fail_nth(disk, 1, 1);
        assert_false(database_checkpoint(database, NULL));
        if (is_killed_between) {
                disk_kill(disk);
                database_close(database);
                database = opened();
        }
        disk_stop_nth(disk, stop_at);
        bool is_over = database_checkpoint(database, NULL);
        disk_crash(disk, stop_at);
        database_close(database);
        database = opened();
        if (!database_verify(database, &err) || counted(database) != rows)
                fail_msg("stopped at operation %d: %s", (int)stop_at, err.message);
        database_close(database);
        return is_over;
}

static void a_log_whose_sync_failed_is_written_again_before_the_file_is_touched(void **state)
{
        for (int is_killed = 0; is_killed < 2; is_killed++) {
                bool is_over = false;
                for (uint64_t stop_at = 1; !is_over; stop_at++) {
                        is_over = survives_a_failed_sync(stop_at, is_killed);
                        remove_disk(state);
                        assert_int_equal(make_disk(state), 0);
                }
        }
}

static void a_killed_process_loses_no_commit(void **state)
{
        (void)state;
        struct database *database = opened();
        for (int64_t i = 1; i <= 50; i++)
                insert(database, i);
        disk_kill(disk);
        database_close(database);
        database = opened();
        assert_int_equal(counted(database), 50);
        database_close(database);
}

static void a_full_disk_is_told_and_goes_on_when_there_is_room(void **state)
{
        (void)state;
        struct database *database = opened();
        insert(database, 1);
        disk_set_bytes_max(disk, 1);
        struct err err = {0};
        assert_false(database_execute(database, "INSERT INTO thing VALUES (2, 'two')", &err));
        assert_int_equal(err.code, ERR_FULL);
        disk_set_bytes_max(disk, 0);
        insert(database, 2);
        assert_int_equal(counted(database), 2);
        database_close(database);
}

static void a_damaged_page_is_told_with_the_file(void **state)
{
        (void)state;
        struct database *database = opened();
        for (int64_t i = 1; i <= 500; i++)
                insert(database, i);
        assert_true(database_checkpoint(database, NULL));
        database_close(database);
        struct disk_file *file = disk_open(disk, PATH, DISK_WRITE, NULL);
        char rubbish[4096];
        memset(rubbish, 0xA5, sizeof rubbish);
        assert_true(disk_write(file, rubbish, sizeof rubbish, 4096, NULL)); /* the table's root page */
        disk_close(file);
        database = opened();
        struct err err = {0};
        scoped(query_done) struct query query = {0};
        bool good = query_begin(&query, database, "SELECT count(*) FROM thing", &err) && query_step(&query, &err);
        assert_false(good);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, PATH));
        assert_non_null(strstr(err.message, "backup"));
        query_done(&query);
        database_close(database);
}

static void write_many(void *context)
{
        (void)context;
        struct database *database = opened();
        for (int64_t i = 1; i <= 300; i++) {
                insert(database, i);
                if (i % 50 == 0)
                        database_checkpoint(database, NULL); /* may be told to wait for the reader */
        }
        database_close(database);
}

static void a_reader_beside_the_writer_sees_whole_transactions(void **state)
{
        (void)state;
        database_close(opened());
        struct thread writer = {0};
        assert_true(thread_start(&writer, "writer", write_many, NULL, NULL));
        struct database *reader;
        assert_true(database_open_reader(PATH, "forgetful", &reader, NULL));
        int64_t seen = 0;
        for (int i = 0; i < 300; i++) {
                int64_t now = counted(reader);
                assert_true(now >= seen);
                seen = now;
        }
        thread_join(&writer);
        assert_int_equal(counted(reader), 300);
        database_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_disk, remove_disk)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_was_checkpointed_survives_every_crash_and_the_file_stays_sound),
                TEST(a_log_whose_sync_failed_is_written_again_before_the_file_is_touched),
                TEST(a_killed_process_loses_no_commit),
                TEST(a_full_disk_is_told_and_goes_on_when_there_is_room),
                TEST(a_damaged_page_is_told_with_the_file),
                TEST(a_reader_beside_the_writer_sees_whole_transactions),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
