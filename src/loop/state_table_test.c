/* state_table_test - the checkpoint that a start begins from, and an audit log that cannot be changed unseen. */
#include "loop/state_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char folder[SCRATCH_BYTES], path[SCRATCH_BYTES + 16];
static struct database *state;

static void reopen(void)
{
        struct err err = {0};
        database_close(state);
        state = NULL;
        if (!state_open(path, NULL, &state, &err))
                fail_msg("%s", err.message);
}

static int set_up(void **unused)
{
        (void)unused;
        if (scratch_make(folder, "state-table") != 0)
                return -1;
        snprintf(path, sizeof path, "%s/state.db", folder);
        reopen();
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        database_close(state);
        state = NULL;
        return scratch_remove(folder);
}

static void a_checkpoint_is_the_last_one_written(void **unused)
{
        (void)unused;
        uint64_t sequence = 7;
        int64_t time_ns = 7;
        json_t *saved = json_true();
        struct err err = {0};
        assert_true(state_read_checkpoint(state, &sequence, &time_ns, &saved, &err));
        assert_int_equal(sequence, 0);
        assert_null(saved);
        scoped_ptr(json_decref) json_t *first = json_pack("{s:i}", "n", 1), *second = json_pack("{s:s}", "text", "\xc3\xbc \" \\");
        assert_true(state_write_checkpoint(state, 10, 100, first, &err));
        assert_true(state_write_checkpoint(state, UINT64_C(1) << 60, 200, second, &err));
        reopen();
        assert_true(state_read_checkpoint(state, &sequence, &time_ns, &saved, &err));
        assert_true(sequence == UINT64_C(1) << 60);
        assert_int_equal(time_ns, 200);
        assert_true(json_equal(saved, second));
        json_decref(saved);
        assert_false(state_write_checkpoint(state, 11, 300, NULL, &err)); /* what could not be saved is no checkpoint */
        assert_int_equal(err.code, ERR_MEMORY);
}

static void a_damaged_checkpoint_is_told(void **unused)
{
        (void)unused;
        uint64_t sequence;
        int64_t time_ns;
        json_t *saved = NULL;
        struct err err = {0};
        assert_true(database_execute(state, "INSERT INTO checkpoint (id, sequence, time_ns, saved) VALUES (1, 5, 6, '{\"cut')", &err));
        assert_false(state_read_checkpoint(state, &sequence, &time_ns, &saved, &err));
        assert_non_null(strstr(err.message, "reading the checkpoint"));
        assert_null(saved);
}

static void the_watermark_stays_with_its_transaction(void **unused)
{
        (void)unused;
        uint64_t sequence = 9;
        int64_t time_ns = 9;
        struct err err = {0};
        assert_true(state_read_watermark(state, &sequence, &time_ns, &err));
        assert_int_equal(sequence, 0);
        assert_true(state_write_watermark(state, 5, 50, &err));
        assert_true(database_begin(state, &err));
        assert_true(state_write_watermark(state, 6, 60, &err));
        database_rollback(state);
        assert_true(state_read_watermark(state, &sequence, &time_ns, &err));
        assert_int_equal(sequence, 5);
        assert_int_equal(time_ns, 50);
}

static void a_fold_is_bytes_by_name(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf out = {0};
        bool found = true;
        struct err err = {0};
        assert_true(state_read_fold(state, "miner", &out, &found, &err));
        assert_false(found);
        assert_true(state_write_fold(state, "miner", STR("old"), &err));
        assert_true(state_write_fold(state, "miner", (struct str){"a\0b\xff", 4}, &err));
        assert_true(state_write_fold(state, "other", STR("x"), &err));
        assert_true(state_read_fold(state, "miner", &out, &found, &err));
        assert_true(found);
        assert_int_equal(out.length, 4);
        assert_memory_equal(out.bytes, "a\0b\xff", 4);
}

static void append(uint64_t sequence, const char *by, const char *outcome)
{
        struct err err = {0};
        struct audit_row row = {sequence, (int64_t)sequence * 10, str_of(by), STR("verb"), STR("{}"), str_of(outcome)};
        if (!state_append_audit(state, &row, &err))
                fail_msg("%s", err.message);
}

struct seen {
        uint64_t sequences[8];
        size_t count;
};

static bool note(void *context, const struct audit_row *row, struct err *err)
{
        (void)err;
        struct seen *seen = context;
        assert_true(str_is(row->verb, "verb"));
        assert_int_equal(row->time_ns, row->sequence * 10);
        seen->sequences[seen->count++] = row->sequence;
        return true;
}

static void the_audit_log_is_read_backwards_in_pages(void **unused)
{
        (void)unused;
        struct err err = {0};
        struct seen seen = {0};
        for (uint64_t i = 1; i <= 5; i++)
                append(i * 2, "ann", "done");
        assert_true(state_visit_audit(state, &(struct audit_filter){.limit = 2}, note, &seen, &err));
        assert_true(state_visit_audit(state, &(struct audit_filter){.before = 8, .limit = 10, .by = STR("ann"), .verb = STR("verb")}, note, &seen, &err));
        assert_true(state_visit_audit(state, &(struct audit_filter){.limit = 10, .by = STR("bob")}, note, &seen, &err));
        assert_true(state_visit_audit(state, &(struct audit_filter){.limit = 10, .verb = STR("other")}, note, &seen, &err));
        static const uint64_t wanted[] = {10, 8, 6, 4, 2};
        assert_int_equal(seen.count, 5);
        assert_memory_equal(seen.sequences, wanted, sizeof wanted);
}

static void a_row_changed_removed_or_put_in_between_is_found(void **unused)
{
        (void)unused;
        static const char *const tamperings[] = {
                "UPDATE audit SET by = 'eve' WHERE sequence = 2", "UPDATE audit SET outcome = '' WHERE sequence = 3",
                "UPDATE audit SET time_ns = 0 WHERE sequence = 3", "DELETE FROM audit WHERE sequence = 2",
                "UPDATE audit SET by = 'an', verb = 'nverb' WHERE sequence = 2", "UPDATE audit SET chain = x'00' WHERE sequence = 3",
                "INSERT INTO audit SELECT 5, time_ns, by, verb, arguments, outcome, chain FROM audit WHERE sequence = 3",
        };
        uint64_t rows = 0;
        struct err err = {0};
        for (uint64_t i = 1; i <= 3; i++)
                append(i, "ann", "done");
        assert_true(state_verify_audit(state, &rows, &err));
        assert_int_equal(rows, 3);
        for (size_t i = 0; i < countof(tamperings); i++) {
                assert_true(database_execute(state, "SAVEPOINT tampering", &err));
                assert_true(database_execute(state, tamperings[i], &err));
                err = (struct err){0};
                assert_false(state_verify_audit(state, &rows, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
                assert_true(database_execute(state, "ROLLBACK TO tampering; RELEASE tampering", &err));
        }
        assert_true(state_verify_audit(state, &rows, &err));
}

static void the_check_names_the_first_row_that_was_changed(void **unused)
{
        (void)unused;
        struct err err = {0};
        struct audit_check check;
        for (uint64_t i = 1; i <= 5; i++)
                append(i * 3, "ann", "done");
        assert_true(database_execute(state, "UPDATE audit SET arguments = '{\"role\":\"admin\"}' WHERE sequence = 9", &err));
        assert_true(state_check_audit(state, STR(""), &check, &err));
        assert_false(check.is_whole);
        assert_int_equal(check.broken, 9);
        assert_int_equal(check.rows, 2);
}

static void an_end_that_was_cut_off_is_found_by_the_head_noted_before(void **unused)
{
        (void)unused;
        struct err err = {0};
        struct audit_check before, after;
        for (uint64_t i = 1; i <= 3; i++)
                append(i, "ann", "done");
        assert_true(state_check_audit(state, STR(""), &before, &err));
        assert_true(before.is_whole && !before.has_noted);
        append(4, "ann", "done");
        assert_true(state_check_audit(state, str_of(before.head), &after, &err));
        assert_true(after.is_whole && after.has_noted);
        assert_string_not_equal(after.head, before.head);
        assert_true(database_execute(state, "DELETE FROM audit WHERE sequence > 2", &err));
        assert_true(state_check_audit(state, str_of(before.head), &after, &err));
        assert_true(after.is_whole && !after.has_noted);
}

static void no_entry_is_audited_twice(void **unused)
{
        (void)unused;
        struct err err = {0};
        append(4, "ann", "done");
        struct audit_row again = {4, 1, STR("ann"), STR("verb"), STR("{}"), STR("done")};
        assert_false(state_append_audit(state, &again, &err));
        assert_int_equal(err.code, ERR_CONFLICT);
}

int main(void)
{
#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                story(a_checkpoint_is_the_last_one_written),
                story(a_damaged_checkpoint_is_told),
                story(the_watermark_stays_with_its_transaction),
                story(a_fold_is_bytes_by_name),
                story(the_audit_log_is_read_backwards_in_pages),
                story(a_row_changed_removed_or_put_in_between_is_found),
                story(the_check_names_the_first_row_that_was_changed),
                story(an_end_that_was_cut_off_is_found_by_the_head_noted_before),
                story(no_entry_is_audited_twice),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
