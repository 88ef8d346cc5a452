/* journal_test - what is acknowledged comes back in order, and what the disk does to it is told. */
#include "store/journal.h"

#include "base/scope.h"
#include "base/scratch.h"
#include "base/thread.h"
#include "store/disk_forgetful.h"
#include "store/segment.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[SCRATCH_BYTES];

static int make_directory(void **state)
{
        (void)state;
        return scratch_make(directory, "journal");
}

static int remove_directory(void **state)
{
        (void)state;
        return scratch_remove(directory);
}

/* An append that keeps what it was told. */
struct told {
        struct append append;
        int order;
        uint64_t sequence;
        int64_t time_ns;
        struct err err;
        _Atomic bool done;
};

static int told_count;

static void tell(struct append *append, const struct entry *entry, const struct err *err)
{
        struct told *told = (struct told *)append;
        told->order = ++told_count;
        if (entry) {
                told->sequence = entry->sequence;
                told->time_ns = entry->time_ns;
        } else {
                told->err = *err;
        }
        told->done = true;
}

static struct told telling(uint16_t kind, struct str payload)
{
        return (struct told){.append = {.kind = kind, .payload = payload, .done = tell}};
}

static struct journal *opened(struct clock *clock, const struct journal_options *options)
{
        struct journal *journal;
        struct err err = {0};
        if (!journal_open(disk_real(), directory, clock, options, &journal, &err))
                fail_msg("%s", err.message);
        return journal;
}

/* Appends and commits one entry; gives its sequence. */
static uint64_t put(struct journal *journal, struct str payload)
{
        struct told told = telling(ENTRY_BATCH, payload);
        struct err err = {0};
        if (!journal_append(journal, &told.append, &err))
                fail_msg("%s", err.message);
        journal_commit_now(journal);
        assert_true(told.done);
        return told.sequence;
}

struct seen {
        uint64_t count, first, last, bytes;
        int64_t last_time_ns;
        char text[4096];
};

static bool see(void *context, const struct entry *entry, struct err *err)
{
        struct seen *seen = context;
        if (seen->count && entry->sequence <= seen->last)
                return (fail)(err, ERR_INTERNAL, "test", "entry %llu twice", (unsigned long long)entry->sequence);
        if (entry->time_ns < seen->last_time_ns)
                return (fail)(err, ERR_INTERNAL, "test", "time went back");
        seen->first = seen->count++ ? seen->first : entry->sequence;
        seen->last = entry->sequence;
        seen->bytes += entry->payload.length;
        seen->last_time_ns = entry->time_ns;
        strncat(seen->text, entry->payload.bytes, min_of(entry->payload.length, (size_t)16));
        return true;
}

static struct seen replayed(struct journal *journal, uint64_t from)
{
        struct seen seen = {0};
        struct err err = {0};
        if (!journal_replay(journal, from, see, &seen, &err))
                fail_msg("%s", err.message);
        return seen;
}

static void the_one_segment(uint64_t first, char out_path[static 128])
{
        snprintf(out_path, 128, "%s/journal/%016llx.seg", directory, (unsigned long long)first);
}

static void flip_byte(const char *path, off_t at)
{
        int fd = open(path, O_RDWR);
        char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
}

static void entries_come_back_in_order_after_reopening(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 1000);
        struct journal *journal = opened(&clock, NULL);
        assert_int_equal(put(journal, STR("alpha")), 1);
        assert_int_equal(put(journal, STR("")), 2);
        journal_close(journal);

        journal = opened(&clock, NULL);
        struct seen seen = replayed(journal, 0);
        assert_int_equal(seen.count, 2);
        assert_string_equal(seen.text, "alpha");
        assert_int_equal(put(journal, STR("beta")), 3);
        journal_close(journal);

        journal = opened(&clock, NULL);
        seen = replayed(journal, 3);
        assert_int_equal(seen.count, 1);
        assert_string_equal(seen.text, "beta");
        journal_close(journal);
}

static void entries_fill_segments_and_larger_ones_get_their_own(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct journal_options options = {.segment_bytes = 4096};
        struct journal *journal = opened(&clock, &options);
        char *large = calloc(1, 3 << 20);
        memset(large, 'x', 3 << 20);
        uint64_t bytes = 0;
        for (uint64_t i = 1; i <= 60; i++) {
                struct str payload = {large, i == 30 ? 3 << 20 : i * 37};
                bytes += payload.length;
                assert_int_equal(put(journal, payload), i);
        }
        journal_close(journal);
        journal = opened(&clock, &options);
        struct seen seen = replayed(journal, 0);
        assert_int_equal(seen.count, 60);
        assert_int_equal(seen.bytes, bytes);
        assert_int_equal(replayed(journal, 31).count, 30);
        journal_close(journal);
        free(large);
}

static void trimming_removes_whole_segments_and_keeps_the_sequence(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct journal_options options = {.segment_bytes = 4096};
        struct journal *journal = opened(&clock, &options);
        char payload[1000] = "p";
        for (int i = 0; i < 20; i++)
                put(journal, (struct str){payload, sizeof payload});
        assert_true(journal_trim(journal, 21, NULL));
        struct journal_stats stats;
        journal_read_stats(journal, &stats);
        assert_true(stats.first_sequence > 1);
        assert_true(stats.bytes_on_disk <= 4096);
        journal_close(journal);

        journal = opened(&clock, &options);
        struct err err = {0};
        struct seen seen = {0};
        assert_false(journal_replay(journal, 1, see, &seen, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_int_equal(replayed(journal, 20).count, 1);
        assert_int_equal(put(journal, STR("next")), 21);
        journal_close(journal);
}

static void a_clock_set_back_holds_the_time(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 1000);
        struct journal *journal = opened(&clock, NULL);
        put(journal, STR("a"));
        clock_advance(&clock, -500);
        put(journal, STR("b"));
        struct journal_stats stats;
        journal_read_stats(journal, &stats);
        assert_int_equal(stats.clock_held, 1);
        journal_close(journal);
        journal = opened(&clock, NULL);
        put(journal, STR("c"));
        journal_close(journal);
        journal = opened(&clock, NULL);
        assert_int_equal(replayed(journal, 0).last_time_ns, 1000);
        journal_close(journal);
}

static void damage_before_later_groups_is_told_with_file_and_offset(void **state)
{
        (void)state;
        struct clock clock;
        char path[128];
        clock_init_virtual(&clock, 0);
        struct journal *journal = opened(&clock, NULL);
        put(journal, STR("first"));
        put(journal, STR("second"));
        put(journal, STR("third"));
        journal_close(journal);
        the_one_segment(1, path);
        flip_byte(path, SEGMENT_HEAD_BYTES + 64 + ENTRY_HEAD_BYTES + 2); /* in "second" */

        struct err err = {0};
        assert_false(journal_open(disk_real(), directory, &clock, NULL, &journal, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.message, "0000000000000001.seg is damaged at offset 128"));
        assert_non_null(strstr(err.message, "--skip-journal-damage"));

        struct journal_options options = {.skip_damage = true};
        journal = opened(&clock, &options);
        struct seen seen = replayed(journal, 0);
        assert_string_equal(seen.text, "firstthird");
        struct journal_stats stats;
        journal_read_stats(journal, &stats);
        assert_true(stats.entries_skipped >= 1);
        assert_int_equal(put(journal, STR("fourth")), 4);
        journal_close(journal);
}

static void a_damaged_segment_in_the_middle_is_told_at_replay(void **state)
{
        (void)state;
        struct clock clock;
        char path[128], payload[3000] = "p";
        clock_init_virtual(&clock, 0);
        struct journal_options options = {.segment_bytes = 4096};
        struct journal *journal = opened(&clock, &options);
        for (int i = 0; i < 4; i++)
                put(journal, (struct str){payload, sizeof payload});
        journal_close(journal);
        the_one_segment(2, path);
        flip_byte(path, 500);
        journal = opened(&clock, &options);
        struct err err = {0};
        struct seen seen = {0};
        assert_false(journal_replay(journal, 0, see, &seen, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_int_equal(seen.count, 1);
        assert_int_equal(replayed(journal, 3).count, 2);
        journal_close(journal);

        unlink(path);
        journal = opened(&clock, &options);
        assert_false(journal_replay(journal, 0, see, &(struct seen){0}, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        journal_close(journal);
}

static void a_torn_tail_is_cut_and_counted(void **state)
{
        (void)state;
        struct clock clock;
        char path[128];
        clock_init_virtual(&clock, 0);
        struct journal *journal = opened(&clock, NULL);
        put(journal, STR("whole"));
        put(journal, STR("torn"));
        journal_close(journal);
        the_one_segment(1, path);
        flip_byte(path, SEGMENT_HEAD_BYTES + 64 + ENTRY_HEAD_BYTES);
        journal = opened(&clock, NULL);
        struct journal_stats stats;
        journal_read_stats(journal, &stats);
        assert_int_equal(stats.tail_bytes_cut, ENTRY_HEAD_BYTES + 4);
        assert_int_equal(stats.last_committed, 1);
        assert_int_equal(put(journal, STR("again")), 2);
        journal_close(journal);
        journal = opened(&clock, NULL);
        assert_string_equal(replayed(journal, 0).text, "wholeagain");
        journal_close(journal);
}

static void a_damaged_head_and_a_newer_format_are_told(void **state)
{
        (void)state;
        struct clock clock;
        char path[128];
        clock_init_virtual(&clock, 0);
        struct journal *journal = opened(&clock, NULL);
        put(journal, STR("one"));
        journal_close(journal);
        the_one_segment(1, path);
        struct err err = {0};
        flip_byte(path, 9); /* version 0x4001 */
        assert_false(journal_open(disk_real(), directory, &clock, NULL, &journal, &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        flip_byte(path, 9);
        flip_byte(path, 20);
        assert_false(journal_open(disk_real(), directory, &clock, NULL, &journal, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        flip_byte(path, 20);
        assert_int_equal(truncate(path, 0), 0);
        assert_false(journal_open(disk_real(), directory, &clock, NULL, &journal, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_journal_that_ends_before_the_checkpoint_is_told(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct journal *journal = opened(&clock, NULL);
        put(journal, STR("one"));
        struct err err = {0};
        assert_false(journal_replay(journal, 100, see, &(struct seen){0}, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        journal_close(journal);
        journal = opened(&clock, &(struct journal_options){.skip_damage = true, .sequence_min = 100});
        assert_int_equal(replayed(journal, 100).count, 0);
        assert_int_equal(put(journal, STR("two")), 100);
        journal_close(journal);
}

struct sender {
        struct journal *journal;
        struct thread thread;
        struct told told[500];
        char bytes[2000];
};

static void send_all(void *context)
{
        struct sender *sender = context;
        for (int i = 0; i < (int)countof(sender->told); i++) {
                sender->told[i] = telling(i % 7 ? ENTRY_BATCH : ENTRY_TICK, (struct str){sender->bytes, (size_t)(i * 4)});
                while (!journal_append(sender->journal, &sender->told[i].append, NULL))
                        nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        }
}

static void many_appenders_share_syncs_and_are_told_in_order(void **state)
{
        (void)state;
        struct journal_options options = {.segment_bytes = 256 << 10, .queue_bytes_max = 128 << 10};
        struct journal *journal = opened(&clock_real, &options);
        assert_true(journal_start(journal, NULL));
        static struct sender senders[4];
        told_count = 0;
        for (int i = 0; i < 4; i++) {
                senders[i].journal = journal;
                assert_true(thread_start(&senders[i].thread, "sender", send_all, &senders[i], NULL));
        }
        for (int i = 0; i < 4; i++)
                thread_join(&senders[i].thread);
        journal_close(journal);
        for (int i = 0; i < 4; i++)
                for (int k = 0; k < (int)countof(senders[i].told); k++) {
                        assert_true(senders[i].told[k].done);
                        assert_int_equal(senders[i].told[k].err.code, ERR_NONE);
                        assert_int_equal(senders[i].told[k].sequence, senders[i].told[k].order);
                }
        journal = opened(&clock_real, &options);
        struct seen seen = replayed(journal, 0);
        assert_int_equal(seen.count, 4 * countof(senders[0].told));
        journal_close(journal);
}

static void ticks_alone_wait_up_to_a_second(void **state)
{
        (void)state;
        struct journal *journal = opened(&clock_real, NULL);
        assert_true(journal_start(journal, NULL));
        struct told tick = telling(ENTRY_TICK, STR("")), batch = telling(ENTRY_BATCH, STR("b"));
        assert_true(journal_append(journal, &tick.append, NULL));
        nanosleep(&(struct timespec){0, 50 * NS_PER_MS}, NULL);
        assert_false(tick.done);
        assert_true(journal_append(journal, &batch.append, NULL));
        for (int i = 0; i < 2000 && !batch.done; i++)
                nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        assert_true(tick.done && batch.done);
        tick.done = false; /* the first after the batch decides about it, and waits for nothing */
        int64_t began_ns = clock_monotonic_ns(&clock_real);
        assert_true(journal_append(journal, &tick.append, NULL));
        for (int i = 0; i < 3000 && !tick.done; i++)
                nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        assert_true(tick.done);
        assert_true(clock_monotonic_ns(&clock_real) - began_ns < 900 * NS_PER_MS);
        tick.done = false; /* the next has nothing to decide */
        assert_true(journal_append(journal, &tick.append, NULL));
        nanosleep(&(struct timespec){0, 50 * NS_PER_MS}, NULL);
        assert_false(tick.done);
        for (int i = 0; i < 3000 && !tick.done; i++)
                nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        assert_true(tick.done);
        journal_close(journal);
}

static void what_is_followed_shares_the_sync_of_its_follower(void **state)
{
        (void)state;
        struct journal *journal = opened(&clock_real, NULL);
        assert_true(journal_start(journal, NULL));
        struct told batch = telling(ENTRY_BATCH, STR("b")), tick = telling(ENTRY_TICK, STR(""));
        nanosleep(&(struct timespec){0, 50 * NS_PER_MS}, NULL); /* it sleeps by now */
        struct journal_stats before, after;
        journal_read_stats(journal, &before);
        batch.append.is_followed = true;
        assert_true(journal_append(journal, &batch.append, NULL));
        nanosleep(&(struct timespec){0, 50 * NS_PER_MS}, NULL);
        assert_false(batch.done);
        assert_true(journal_append(journal, &tick.append, NULL));
        journal_go(journal);
        for (int i = 0; i < 3000 && !tick.done; i++)
                nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        assert_true(batch.done && tick.done);
        journal_read_stats(journal, &after);
        assert_int_equal(after.syncs - before.syncs, 1);
        journal_close(journal);
}

static void a_full_queue_is_busy(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct journal *journal = opened(&clock, &(struct journal_options){.queue_bytes_max = 2048});
        char bytes[1500] = "b";
        struct told one = telling(ENTRY_BATCH, (struct str){bytes, sizeof bytes}), two = one;
        struct err err = {0};
        assert_true(journal_append(journal, &one.append, &err));
        assert_false(journal_append(journal, &two.append, &err));
        assert_int_equal(err.code, ERR_BUSY);
        journal_commit_now(journal);
        assert_true(journal_append(journal, &two.append, &err));
        journal_close(journal);
        assert_true(two.done);
        assert_int_equal(two.sequence, 2);
}

/* ------------------------------------------------------------------------------------ on a disk that can be told to fail */

static struct journal *opened_on(struct disk *disk, struct clock *clock)
{
        struct journal *journal;
        struct err err = {0};
        if (!journal_open(disk, "/data", clock,
                          &(struct journal_options){.segment_bytes = 16384, .reserve_bytes = 4096}, &journal, &err))
                fail_msg("%s", err.message);
        return journal;
}

static struct told offered(struct journal *journal, uint16_t kind, struct str payload)
{
        struct told told = telling(kind, payload);
        if (!journal_append(journal, &told.append, &told.err))
                told.done = true;
        journal_commit_now(journal);
        assert_true(told.done);
        return told;
}

static void a_full_disk_refuses_batches_and_takes_commands_until_there_is_room(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct disk *disk = disk_forgetful_create();
        struct journal *journal = opened_on(disk, &clock);
        char bytes[9000] = "b";
        struct str batch = {bytes, sizeof bytes};
        assert_int_equal(offered(journal, ENTRY_BATCH, batch).sequence, 1);
        disk_set_bytes_max(disk, 1); /* full from now on */
        struct told told = offered(journal, ENTRY_BATCH, batch);
        assert_int_equal(told.err.code, ERR_FULL);
        assert_non_null(strstr(told.err.message, "free some space"));
        assert_int_equal(offered(journal, ENTRY_BATCH, STR("small")).err.code, ERR_FULL);
        assert_int_equal(offered(journal, ENTRY_TICK, STR("")).err.code, ERR_FULL);
        assert_int_equal(offered(journal, ENTRY_COMMAND, STR("free some space")).sequence, 2);
        assert_int_equal(offered(journal, ENTRY_CONFIG, STR("keep less")).sequence, 3);
        assert_int_equal(offered(journal, ENTRY_COMMAND, (struct str){bytes, 5000}).err.code, ERR_FULL);
        assert_int_equal(offered(journal, ENTRY_COMMAND, STR("the reserve has room")).sequence, 4);
        struct journal_stats stats;
        journal_read_stats(journal, &stats);
        assert_int_equal(stats.health, JOURNAL_RESERVE);
        disk_set_bytes_max(disk, 0);
        clock_advance(&clock, 2 * NS_PER_S);
        journal_commit_now(journal);
        assert_int_equal(offered(journal, ENTRY_BATCH, STR("back")).sequence, 5);
        disk_set_bytes_max(disk, 1); /* again, with a new reserve */
        assert_int_equal(offered(journal, ENTRY_BATCH, (struct str){bytes, 9000}).sequence, 6);
        assert_int_equal(offered(journal, ENTRY_BATCH, (struct str){bytes, 9000}).err.code, ERR_FULL);
        assert_int_equal(offered(journal, ENTRY_COMMAND, STR("again")).sequence, 7);
        journal_close(journal);
        disk_crash(disk, 1);
        journal = opened_on(disk, &clock);
        assert_int_equal(replayed(journal, 0).count, 7);
        journal_close(journal);
        disk_forgetful_destroy(disk);
}

static void a_read_only_disk_refuses_and_goes_on_when_writable(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 0);
        struct disk *disk = disk_forgetful_create();
        struct journal *journal = opened_on(disk, &clock);
        assert_int_equal(offered(journal, ENTRY_BATCH, STR("a")).sequence, 1);
        disk_set_read_only(disk, true);
        struct told told = offered(journal, ENTRY_BATCH, STR("b"));
        assert_int_equal(told.err.code, ERR_IO);
        assert_non_null(strstr(told.err.message, "mount it writable"));
        assert_int_equal(offered(journal, ENTRY_COMMAND, STR("b")).err.code, ERR_IO);
        disk_set_read_only(disk, false);
        assert_int_equal(offered(journal, ENTRY_BATCH, STR("b")).err.code, ERR_IO); /* not yet tried again */
        clock_advance(&clock, 2 * NS_PER_S);
        journal_commit_now(journal);
        assert_int_equal(offered(journal, ENTRY_BATCH, STR("c")).sequence, 2);
        journal_close(journal);
        disk_forgetful_destroy(disk);
}

/* Each operation of a short life fails once; what was told as committed must be there, once, after a power cut. */
static void any_one_failure_loses_nothing_that_was_told_as_committed(void **state)
{
        (void)state;
        for (uint64_t nth = 1; nth < 60; nth++) {
                struct clock clock;
                clock_init_virtual(&clock, 0);
                struct disk *disk = disk_forgetful_create();
                struct journal *journal = opened_on(disk, &clock);
                uint64_t committed = 0;
                char bytes[5000] = "b";
                disk_fail_nth(disk, nth, 1);
                for (int i = 0; i < 12; i++) {
                        struct told told = offered(journal, ENTRY_BATCH, (struct str){bytes, sizeof bytes});
                        if (told.sequence)
                                assert_int_equal(told.sequence, ++committed);
                        else
                                assert_int_equal(told.err.code, ERR_IO);
                        clock_advance(&clock, NS_PER_S);
                }
                assert_true(committed >= 10);
                disk_crash(disk, nth);
                journal_close(journal);
                journal = opened_on(disk, &clock);
                assert_int_equal(replayed(journal, 0).count, committed);
                journal_close(journal);
                disk_forgetful_destroy(disk);
        }
}

static void a_failing_journal_goes_on_by_itself_within_two_seconds(void **state)
{
        (void)state;
        struct disk *disk = disk_forgetful_create();
        struct journal *journal = opened_on(disk, &clock_real);
        disk_set_read_only(disk, true);
        assert_true(journal_start(journal, NULL));
        struct told told = telling(ENTRY_BATCH, STR("b"));
        struct err err = {0};
        assert_false(journal_append(journal, &told.append, &err));
        assert_int_equal(err.code, ERR_IO);
        disk_set_read_only(disk, false);
        bool taken = false;
        for (int i = 0; i < 200 && !taken; i++) {
                nanosleep(&(struct timespec){0, 10 * NS_PER_MS}, NULL);
                taken = journal_append(journal, &told.append, NULL);
        }
        assert_true(taken);
        journal_close(journal);
        assert_int_equal(told.sequence, 1);
        disk_forgetful_destroy(disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(entries_come_back_in_order_after_reopening),
                TEST(entries_fill_segments_and_larger_ones_get_their_own),
                TEST(trimming_removes_whole_segments_and_keeps_the_sequence),
                TEST(a_clock_set_back_holds_the_time),
                TEST(damage_before_later_groups_is_told_with_file_and_offset),
                TEST(a_damaged_segment_in_the_middle_is_told_at_replay),
                TEST(a_torn_tail_is_cut_and_counted),
                TEST(a_damaged_head_and_a_newer_format_are_told),
                TEST(a_journal_that_ends_before_the_checkpoint_is_told),
                TEST(what_is_followed_shares_the_sync_of_its_follower),
                TEST(many_appenders_share_syncs_and_are_told_in_order),
                TEST(ticks_alone_wait_up_to_a_second),
                TEST(a_full_queue_is_busy),
                cmocka_unit_test(a_full_disk_refuses_batches_and_takes_commands_until_there_is_room),
                cmocka_unit_test(a_read_only_disk_refuses_and_goes_on_when_writable),
                cmocka_unit_test(any_one_failure_loses_nothing_that_was_told_as_committed),
                cmocka_unit_test(a_failing_journal_goes_on_by_itself_within_two_seconds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
