/* loop_clock_test - what journal time does to telemetry: it never goes back, and a clock that is wrong removes nothing. */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/scope.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/source.h"
#include "store/disk_forgetful.h"
#include "store/logs.h"
#include "store/vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define START_NS INT64_C(1767225600000000000)
#define DAY_NS (86400 * NS_PER_S)
#define VFS "loop_clock"

static struct disk *disk;
static struct clock wall;
static struct loop *loop;

static int begin(void **state)
{
        (void)state;
        clock_init_virtual(&wall, START_NS);
        disk = disk_forgetful_create();
        return disk && vfs_register(VFS, disk, NULL) ? 0 : -1;
}

static int end(void **state)
{
        (void)state;
        loop_close(loop);
        loop = NULL;
        vfs_unregister(VFS);
        disk_forgetful_destroy(disk);
        return 0;
}

static void open_in(const char *directory, bool on_real_disk)
{
        struct err err = {0};
        struct loop_options options = {.directory = directory, .disk = on_real_disk ? NULL : disk, .vfs = on_real_disk ? NULL : VFS,
                                       .clock = &wall, .retention_days = 3, .segment_bytes = 65536};
        if (!loop_open(&options, &loop, &err))
                fail_msg("%s", err.message);
}

static void restart(void)
{
        loop_close(loop);
        disk_kill(disk);
        open_in("/data", false);
}

static void note_taken(void *context, const struct batch *batch, const struct err *err)
{
        (void)batch;
        *(bool *)context = !err;
}

static void send_line(void)
{
        bool is_taken = false;
        struct err err = {0};
        struct batch *batch = batch_create(SOURCE_SYSLOG, STR("syslog-tcp"), NULL);
        batch->bytes = arena_str(&batch->arena, STR("<13>1 - host app - - - a line\n"));
        batch->received_ns = clock_now_ns(&wall);
        assert_true(intake_decode(batch, &err));
        assert_true(intake_offer(loop_intake(loop), batch, note_taken, &is_taken, NULL));
        loop_turn(loop);
        assert_true(is_taken);
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(int *)context;
        return true;
}

static int lines(void)
{
        int count = 0;
        struct err err = {0};
        struct log_select all = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        if (!logs_select(loop_logs(loop), &all, count_row, &count, &stats, &err))
                fail_msg("%s", err.message);
        return count;
}

static int64_t time_now(void)
{
        struct loop_stats stats;
        loop_read_stats(loop, &stats);
        return stats.time_ns;
}

static void store(void)
{
        struct err err = {0};
        if (!loop_checkpoint(loop, 0, &err))
                fail_msg("%s", err.message);
}

static void the_time_is_known_after_a_start_that_replays_nothing(void **state)
{
        (void)state;
        open_in("/data", false);
        send_line();
        store();
        int64_t before_ns = time_now();
        restart();
        struct loop_stats stats;
        loop_read_stats(loop, &stats);
        assert_int_equal(stats.replayed_entries, 0);
        assert_int_equal(stats.time_ns, before_ns);
        store();
        assert_int_equal(time_now(), before_ns);
}

static void time_does_not_go_back_in_a_restored_folder(void **state)
{
        (void)state;
        char folder[] = "/tmp/loop-test-XXXXXX", from[64], backup[64], to[64], command[64];
        struct err err = {0};
        json_t *report = NULL;
        assert_non_null(mkdtemp(folder));
        snprintf(from, sizeof from, "%s/from", folder);
        snprintf(backup, sizeof backup, "%s/backup", folder);
        snprintf(to, sizeof to, "%s/to", folder);
        open_in(from, true);
        send_line();
        int64_t before_ns = time_now();
        if (!loop_backup(loop, backup, &err))
                fail_msg("%s", err.message);
        loop_close(loop);
        if (!loop_restore(backup, to, &report, &err))
                fail_msg("%s", err.message);
        json_decref(report);
        clock_advance(&wall, -2 * DAY_NS);
        open_in(to, true);
        send_line();
        assert_true(time_now() >= before_ns);
        assert_int_equal(lines(), 2);
        loop_close(loop);
        loop = NULL;
        snprintf(command, sizeof command, "rm -r '%s'", folder);
        assert_int_equal(system(command), 0);
}

static void a_clock_that_jumps_ten_years_ahead_removes_no_day(void **state)
{
        (void)state;
        struct err err = {0};
        struct loop_options options = {.directory = "/data", .disk = disk, .vfs = VFS, .clock = &wall, .retention_days = 30, .segment_bytes = 65536};
        for (int life = 0; life < 2; life++) {
                if (!loop_open(&options, &loop, &err))
                        fail_msg("%s", err.message);
                for (int day = 0; !life && day < 4; day++, clock_advance(&wall, DAY_NS)) {
                        send_line();
                        store();
                }
                clock_advance(&wall, life ? DAY_NS / 12 : 3650 * DAY_NS);
                send_line();
                store();
                clock_advance(&wall, DAY_NS / 12);
                loop_turn(loop);
                assert_int_equal(lines(), 5 + life);
                if (!life) {
                        loop_close(loop);
                        disk_kill(disk);
                }
        }
}

static void what_comes_while_the_clock_stands_in_1970_is_kept(void **state)
{
        (void)state;
        open_in("/data", false);
        send_line();
        store();
        clock_advance(&wall, -START_NS);
        send_line();
        store();
        clock_advance(&wall, START_NS + DAY_NS / 12);
        for (int i = 0; i < 3; i++, clock_advance(&wall, DAY_NS / 12)) {
                send_line();
                store();
        }
        assert_int_equal(lines(), 5);
        restart();
        assert_int_equal(lines(), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(the_time_is_known_after_a_start_that_replays_nothing),
                TEST(time_does_not_go_back_in_a_restored_folder),
                TEST(a_clock_that_jumps_ten_years_ahead_removes_no_day),
                TEST(what_comes_while_the_clock_stands_in_1970_is_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
