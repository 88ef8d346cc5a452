/* database_test - a file is migrated, asked, synced, backed up, and its damage is told. */
#include "store/database.h"

#include "base/scope.h"
#include "base/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const first[] = {"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)", NULL};
static const char *const second[] = {"CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)",
                                     "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 7", NULL};

static char directory[SCRATCH_BYTES], path[96];

static int make_directory(void **state)
{
        (void)state;
        if (scratch_make(directory, "database") != 0)
                return -1;
        snprintf(path, sizeof path, "%s/a.db", directory);
        return 0;
}

static int remove_directory(void **state)
{
        (void)state;
        return scratch_remove(directory);
}

static void bind_name(struct query *query, const void *name)
{
        query_bind_str(query, 1, str_of(name));
}

static void a_file_is_migrated_forward_and_never_back(void **state)
{
        (void)state;
        struct err err;
        struct database *database;
        assert_true(database_open(path, NULL, first, &database, &err));
        assert_true(query_run(database, "INSERT INTO thing (name) VALUES (?1)", bind_name, "lamp", &err));
        database_close(database);
        assert_true(database_open(path, NULL, second, &database, &err));
        struct query query;
        assert_true(query_begin(&query, database, "SELECT name, size FROM thing", &err));
        assert_true(query_step(&query, &err));
        assert_true(str_is(query_str(&query, 0), "lamp"));
        assert_int_equal(query_i64(&query, 1), 7);
        assert_false(query_step(&query, &err));
        assert_true(query_good(&query));
        query_done(&query);
        database_close(database);
        assert_false(database_open(path, NULL, first, &database, &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static void a_backup_is_whole_and_damage_is_told(void **state)
{
        (void)state;
        struct err err;
        struct database *database;
        char copy[128];
        snprintf(copy, sizeof copy, "%s/copy.db", directory);
        assert_true(database_open(path, NULL, second, &database, &err));
        for (int i = 0; i < 2000; i++)
                assert_true(query_run(database, "INSERT INTO thing (name) VALUES (?1)", bind_name, "a lamp with a long name", &err));
        assert_true(database_checkpoint(database, &err));
        assert_true(database_backup(database, copy, &err));
        database_close(database);

        assert_true(database_open_reader(copy, NULL, &database, &err));
        assert_true(database_verify(database, &err));
        database_close(database);
        FILE *file = fopen(copy, "r+");
        fseek(file, 4096 * 4 + 100, SEEK_SET);
        for (int i = 0; i < 3000; i++)
                fputc(0x55, file);
        fclose(file);
        assert_true(database_open_reader(copy, NULL, &database, &err));
        assert_false(database_verify(database, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        database_close(database);
}

static void a_rolled_back_change_is_gone(void **state)
{
        (void)state;
        struct err err;
        struct database *database;
        assert_true(database_open(path, NULL, second, &database, &err));
        assert_true(database_begin(database, &err));
        assert_true(database_execute(database, "DELETE FROM thing", &err));
        database_rollback(database);
        scoped(query_done) struct query query = {0};
        assert_true(query_begin(&query, database, "SELECT count(*) FROM thing", &err));
        assert_true(query_step(&query, &err));
        assert_true(query_i64(&query, 0) > 2000);
        query_done(&query);
        assert_false(query_begin(&query, database, "SELECT missing FROM thing", &err));
        if (!strstr(err.message, "no such column"))
                fail_msg("%s", err.message);
        database_close(database);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_is_migrated_forward_and_never_back),
                cmocka_unit_test(a_backup_is_whole_and_damage_is_told),
                cmocka_unit_test(a_rolled_back_change_is_gone),
        };
        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
