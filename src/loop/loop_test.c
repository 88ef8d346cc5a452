/* loop_test - from an offer to a row that is found, over restarts and crashes; commands once; on threads and on a virtual clock. */
#include "loop/loop.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "loop/command.h"
#include "loop/state_table.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/observe.h"
#include "observe/source.h"
#include "store/disk_forgetful.h"
#include "store/logs.h"
#include "store/vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define USER "{\"name\":\"%s\",\"role\":\"admin\",\"password_hash\":\"$argon2id$x\"}"

struct house {
        struct disk *disk;
        struct clock clock;
        struct loop *loop;
        struct loop_options options;
};

static void open_house(struct house *house)
{
        struct err err = {0};
        if (!loop_open(&house->options, &house->loop, &err))
                fail_msg("%s", err.message);
}

static int set_up(void **state)
{
        struct house *house = calloc(1, sizeof *house);
        house->disk = disk_forgetful_create();
        clock_init_virtual(&house->clock, START_NS);
        assert_true(vfs_register("loop", house->disk, NULL));
        house->options = (struct loop_options){.directory = "/data", .disk = house->disk, .vfs = "loop", .clock = &house->clock, .segment_bytes = 1 << 16};
        open_house(house);
        *state = house;
        return 0;
}

static int tear_down(void **state)
{
        struct house *house = *state;
        loop_close(house->loop);
        vfs_unregister("loop");
        disk_forgetful_destroy(house->disk);
        free(house);
        return 0;
}

static bool offer_line(struct loop *loop, const char *line, struct err *err)
{
        struct batch *batch = batch_create(SOURCE_SYSLOG, STR("syslog"), err);
        batch->received_ns = clock_now_ns(intake_clock(loop_intake(loop)));
        batch->bytes = arena_str(&batch->arena, str_of(line));
        return intake_offer(loop_intake(loop), batch, NULL, NULL, err);
}

static void send_line(struct house *house, const char *line)
{
        struct err err = {0};
        if (!offer_line(house->loop, line, &err))
                fail_msg("%s", err.message);
        loop_turn(house->loop);
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(size_t *)context;
        return true;
}

static size_t rows_of(struct loop *loop)
{
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        size_t rows = 0;
        assert_true(logs_select(loop_logs(loop), &select, count_row, &rows, &stats, NULL));
        return rows;
}

static bool order_user(struct loop *loop, const char *name, struct err *err)
{
        char text[200];
        snprintf(text, sizeof text, USER, name);
        return loop_command(loop, "user_create", json_parse(str_of(text), err), "test", NULL, err);
}

static uint64_t audit_rows(struct loop *loop)
{
        struct database *reader;
        uint64_t rows = 0;
        struct err err = {0};
        if (!loop_open_state(loop, &reader, &err) || !state_verify_audit(reader, &rows, &err))
                fail_msg("%s", err.message);
        database_close(reader);
        return rows;
}

static struct loop_stats stats_of(struct loop *loop)
{
        struct loop_stats stats;
        loop_read_stats(loop, &stats);
        return stats;
}

static void a_line_is_found_after_a_crash_and_after_a_checkpoint(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        send_line(house, "<13>1 2026-01-01T00:00:00Z h app - - - one\n");
        assert_int_equal(rows_of(house->loop), 1);
        disk_crash(house->disk, 1);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(rows_of(house->loop), 1);
        assert_true(stats_of(house->loop).replayed_entries > 0);
        assert_true(loop_checkpoint(house->loop, 1000, &err));
        send_line(house, "<13>1 2026-01-01T00:00:01Z h app - - - two\n");
        disk_crash(house->disk, 2);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(rows_of(house->loop), 2);
}

static void a_clean_stop_leaves_nothing_to_replay(void **state)
{
        struct house *house = *state;
        send_line(house, "<13>1 2026-01-01T00:00:00Z h app - - - one\n");
        loop_stop(house->loop);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(stats_of(house->loop).replayed_entries, 0);
        assert_int_equal(rows_of(house->loop), 1);
}

static void damage_fold(const char *name)
{
        struct database *state;
        scoped(buf_done) struct buf bytes = {0};
        struct err err = {0};
        bool found;
        if (!state_open("/data/state.db", "loop", &state, &err))
                fail_msg("%s", err.message);
        assert_true(state_read_fold(state, name, &bytes, &found, &err) && found && bytes.length > 8);
        bytes.length -= 3;
        assert_true(state_write_fold(state, name, buf_str(&bytes), &err));
        database_close(state);
}

static void what_was_learnt_and_is_damaged_is_learnt_anew(void **state)
{
        struct house *house = *state;
        send_line(house, "<13>1 2026-01-01T00:00:00Z h app - - - one\n");
        loop_stop(house->loop);
        loop_close(house->loop);
        for (const struct fold_part *part = fold_parts; part->name; part++)
                damage_fold(part->name);
        open_house(house);
        assert_int_equal(rows_of(house->loop), 1);
        send_line(house, "<13>1 2026-01-01T00:00:01Z h app - - - two\n");
        loop_stop(house->loop);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(rows_of(house->loop), 2);
}

static void commands_are_applied_once_and_refusals_are_audited_too(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(order_user(house->loop, "ann", &err));
        assert_false(order_user(house->loop, "ann", &err));
        assert_int_equal(err.code, ERR_CONFLICT);
        assert_false(loop_command(house->loop, "no_such_verb", NULL, "test", NULL, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_int_equal(audit_rows(house->loop), 3);
        disk_crash(house->disk, 3);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(audit_rows(house->loop), 3);
        assert_true(order_user(house->loop, "bob", &err)); /* the refused one left nothing behind */
        assert_int_equal(audit_rows(house->loop), 4);
}

static int tries;

static bool heal_at_the_third(void *context)
{
        struct house *house = context;
        if (++tries == 3)
                disk_fail_nth(house->disk, 0, 0);
        return true;
}

static bool never_again(void *context)
{
        (void)context;
        tries++;
        return false;
}

/* The journal takes the command with a write and a sync; then the state database finds that the disk fails. */
static bool order_on_a_failing_disk(struct house *house, bool (*stalled)(void *context), struct err *err)
{
        loop_close(house->loop);
        house->options.stalled = stalled;
        house->options.stalled_context = house;
        open_house(house);
        tries = 0;
        send_line(house, "<13>1 - h app - - - begins the segment\n");
        assert_true(order_user(house->loop, "first", err));
        disk_fail_nth(house->disk, 3, 1000);
        bool good = order_user(house->loop, "ann", err);
        disk_fail_nth(house->disk, 0, 0);
        return good;
}

static void a_command_that_the_disk_failed_is_tried_again(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(order_on_a_failing_disk(house, heal_at_the_third, &err));
        assert_int_equal(tries, 3);
        assert_int_equal(audit_rows(house->loop), 2);
}

static void a_command_that_is_given_up_is_done_by_the_next_start(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_false(order_on_a_failing_disk(house, never_again, &err));
        assert_int_equal(tries, 1);
        assert_false(order_user(house->loop, "later", &err)); /* it may not overtake */
        assert_int_equal(err.code, ERR_CANCELLED);
        assert_false(loop_checkpoint(house->loop, 1000, &err));
        disk_kill(house->disk);
        loop_close(house->loop);
        open_house(house);
        assert_int_equal(audit_rows(house->loop), 3); /* first, ann, and later, whose turn has come */
}

static void checkpoints_come_by_time_and_let_the_journal_go(void **state)
{
        struct house *house = *state;
        loop_close(house->loop);
        house->options.checkpoint_ns = 60 * NS_PER_S;
        house->options.segment_bytes = 4096;
        open_house(house);
        for (int i = 0; i < 130; i++) {
                send_line(house, "<13>1 - h app - - - xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
                clock_advance(&house->clock, NS_PER_S);
        }
        struct journal_stats journal;
        journal_read_stats(loop_journal(house->loop), &journal);
        assert_int_equal(stats_of(house->loop).checkpoints, 2);
        assert_true(journal.first_sequence > 1);
        assert_int_equal(rows_of(house->loop), 130);
}

static void retention_removes_whole_days(void **state)
{
        struct house *house = *state;
        loop_close(house->loop);
        house->options.retention_days = 2;
        open_house(house);
        for (int day = 0; day < 5; day++) {
                struct err err = {0};
                send_line(house, "<13>1 - h app - - - x\n");
                assert_true(loop_checkpoint(house->loop, 1000, &err));
                clock_advance(&house->clock, 86400 * NS_PER_S);
        }
        loop_turn(house->loop);
        assert_int_equal(stats_of(house->loop).days_removed, 3);
        assert_int_equal(rows_of(house->loop), 2);
}

static void on_threads_all_is_stored_and_answered(void **state)
{
        (void)state;
        char folder[SCRATCH_BYTES];
        struct err err = {0};
        struct loop *loop = NULL, *second = NULL;
        assert_int_equal(scratch_make(folder, "loop"), 0);
        struct loop_options options = {.directory = folder, .workers = 3, .segment_bytes = 1 << 20};
        if (!loop_open(&options, &loop, &err) || !loop_start(loop, &err))
                fail_msg("%s", err.message);
        assert_false(loop_open(&options, &second, &err)); /* one program a folder */
        assert_int_equal(err.code, ERR_CONFLICT);
        for (int i = 0; i < 200; i++)
                assert_true(offer_line(loop, "<13>1 - h app - - - x\n", &err));
        assert_true(order_user(loop, "ann", &err));
        if (!loop_settle(loop, 10000, &err))
                fail_msg("%s", err.message);
        assert_int_equal(rows_of(loop), 200);
        if (!loop_checkpoint(loop, 10000, &err))
                fail_msg("%s", err.message);
        assert_true(stats_of(loop).sequence_checkpoint >= 201);
        loop_stop(loop);
        assert_false(offer_line(loop, "<13>late\n", &err));
        loop_close(loop);
        assert_true(loop_open(&options, &loop, &err));
        assert_int_equal(rows_of(loop), 200);
        assert_int_equal(audit_rows(loop), 1);
        loop_close(loop);
        assert_int_equal(scratch_remove(folder), 0);
}

static void a_backup_proves_itself_and_its_restored_folder_starts(void **state)
{
        (void)state;
        char folder[SCRATCH_BYTES], data[SCRATCH_BYTES + 16], copy[SCRATCH_BYTES + 16], again[SCRATCH_BYTES + 16], manifest[SCRATCH_BYTES + 40];
        struct err err = {0};
        struct loop *loop = NULL;
        json_t *report = NULL;
        assert_int_equal(scratch_make(folder, "backup"), 0);
        snprintf(data, sizeof data, "%s/data", folder);
        snprintf(copy, sizeof copy, "%s/copy", folder);
        snprintf(again, sizeof again, "%s/again", folder);
        snprintf(manifest, sizeof manifest, "%s/manifest.json", copy);
        struct loop_options options = {.directory = data, .segment_bytes = 1 << 20};
        assert_true(loop_open(&options, &loop, &err));
        assert_true(offer_line(loop, "<13>1 - h app - - - x\n", &err));
        assert_true(order_user(loop, "ann", &err));
        if (!loop_backup(loop, copy, &err))
                fail_msg("%s", err.message);
        assert_false(loop_backup(loop, copy, &err)); /* never into a folder that holds something */
        loop_close(loop);
        if (!loop_restore(copy, again, &report, &err))
                fail_msg("%s", err.message);
        assert_int_equal(json_i64(report, "records", -1), 1);
        assert_int_equal(json_i64(report, "audit_rows", -1), 1);
        json_decref(report);
        options.directory = again;
        if (!loop_open(&options, &loop, &err))
                fail_msg("%s", err.message);
        assert_int_equal(rows_of(loop), 1);
        assert_int_equal(audit_rows(loop), 1);
        loop_close(loop);
        assert_int_equal(truncate(manifest, 20), 0);
        assert_false(loop_verify_backup(copy, &report, &err));
        assert_int_equal(unlink(manifest), 0);
        assert_false(loop_verify_backup(copy, &report, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_int_equal(scratch_remove(folder), 0);
}

int main(void)
{
#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                story(a_line_is_found_after_a_crash_and_after_a_checkpoint),
                story(a_clean_stop_leaves_nothing_to_replay),
                story(what_was_learnt_and_is_damaged_is_learnt_anew),
                story(commands_are_applied_once_and_refusals_are_audited_too),
                story(a_command_that_the_disk_failed_is_tried_again),
                story(a_command_that_is_given_up_is_done_by_the_next_start),
                story(checkpoints_come_by_time_and_let_the_journal_go),
                story(retention_removes_whole_days),
                cmocka_unit_test(on_threads_all_is_stored_and_answered),
                cmocka_unit_test(a_backup_proves_itself_and_its_restored_folder_starts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
