/* intake_test - who is told what, when; what is refused; and that nothing is taken twice, or lost, on the way to the journal. */
#include "observe/intake.h"

#include "base/json.h"
#include "base/scope.h"
#include "observe/source.h"
#include "store/disk_forgetful.h"
#include "store/journal.h"
#include "wire/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define OTLP_LOGS_JSON 10
#define WEBHOOK 6
#define ALERTMANAGER 13

struct house {
        struct disk *disk;
        struct clock clock;
        struct journal *journal;
        struct redactor *redactor;
        struct intake *intake;
        struct batch *delivered[16];
        size_t delivered_count;
        int answers_good, answers_bad;
        uint64_t rejected;
};

static void deliver(void *context, struct batch *batch, uint64_t sequence, int64_t time_ns)
{
        struct house *house = context;
        (void)time_ns;
        assert_int_equal(house->answers_good, house->delivered_count + 1); /* the sender is told first */
        assert_true(sequence > 0);
        house->delivered[house->delivered_count++] = batch;
}

static int set_up(void **state)
{
        struct house *house = calloc(1, sizeof *house);
        struct err err = {0};
        house->disk = disk_forgetful_create();
        clock_init_virtual(&house->clock, START_NS);
        struct journal_options options = {.segment_bytes = 1 << 16, .reserve_bytes = 4096};
        assert_true(redactor_create(NULL, NULL, &house->redactor, &err));
        struct intake_options intake_options = {.clock = &house->clock, .redactor = house->redactor, .bytes_max = 100000, .deliver = deliver, .context = house};
        assert_true(intake_create(&intake_options, &house->intake, &err));
        if (!disk_make_directory(house->disk, "/data", &err) || !journal_open(house->disk, "/data", &house->clock, &options, &house->journal, &err))
                fail_msg("%s", err.message);
        intake_connect(house->intake, house->journal);
        *state = house;
        return 0;
}

static void store_all(struct house *house)
{
        for (size_t i = 0; i < house->delivered_count; i++)
                intake_stored(house->intake, house->delivered[i], START_NS);
        house->delivered_count = 0;
        house->answers_good = 0;
}

static int tear_down(void **state)
{
        struct house *house = *state;
        store_all(house);
        journal_close(house->journal);
        intake_destroy(house->intake);
        redactor_destroy(house->redactor);
        disk_forgetful_destroy(house->disk);
        free(house);
        return 0;
}

static void note_answer(void *context, const struct batch *batch, const struct err *err)
{
        struct house *house = context;
        *(err ? &house->answers_bad : &house->answers_good) += 1;
        house->rejected += batch->telemetry.rejected;
}

static struct batch *a_batch(uint16_t format, struct str bytes)
{
        struct batch *batch = batch_create(format, STR("shop"), NULL);
        batch->received_ns = START_NS;
        batch->bytes = arena_str(&batch->arena, bytes);
        return batch;
}

static bool offer(struct house *house, uint16_t format, struct str bytes, struct err *err)
{
        return intake_offer(house->intake, a_batch(format, bytes), note_answer, house, err);
}

static const struct str otlp = STR_INIT("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}]}");

static struct intake_stats stats_of(struct house *house)
{
        struct intake_stats stats;
        intake_read_stats(house->intake, &stats);
        return stats;
}

static void the_sender_is_told_after_the_commit_and_not_before(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(offer(house, SOURCE_SYSLOG, STR("<13>hello\n<14>again\n"), &err));
        assert_int_equal(house->answers_good, 0);
        assert_int_equal(house->delivered_count, 0);
        assert_true(stats_of(house).bytes_waiting > 0);
        journal_commit_now(house->journal);
        assert_int_equal(house->answers_good, 1);
        assert_int_equal(house->delivered[0]->telemetry.records.count, 2);
        assert_int_equal(stats_of(house).records, 2);
        store_all(house);
        assert_int_equal(stats_of(house).bytes_waiting, 0);
        struct source_counters source;
        assert_int_equal(intake_list_sources(house->intake, &source, 1), 1);
        assert_string_equal(source.name, "shop");
        assert_string_equal(source.kind, "syslog");
        assert_int_equal(source.records, 2);
}

static void a_disk_that_fails_is_told_to_the_sender(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(offer(house, SOURCE_SYSLOG, STR("<13>hello\n"), &err));
        disk_fail_nth(house->disk, 1, 100);
        journal_commit_now(house->journal);
        assert_int_equal(house->answers_bad, 1);
        assert_int_equal(house->delivered_count, 0);
        assert_int_equal(stats_of(house).bytes_waiting, 0);
        disk_fail_nth(house->disk, 0, 0);
}

static void what_a_decoder_refuses_never_reaches_the_journal(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        struct journal_stats journal;
        assert_false(offer(house, OTLP_LOGS_JSON, STR("{\"resourceLogs\":7"), &err));
        assert_int_equal(err.code, ERR_INVALID);
        journal_commit_now(house->journal);
        journal_read_stats(house->journal, &journal);
        assert_int_equal(journal.entries, 0);
        assert_int_equal(house->answers_good + house->answers_bad, 0);
        assert_int_equal(stats_of(house).refused, 1);
        assert_int_equal(stats_of(house).bytes_waiting, 0);
        struct source_counters source;
        assert_int_equal(intake_list_sources(house->intake, &source, 1), 1);
        assert_int_equal(source.parse_failures, 1);
}

static void secrets_are_masked_before_the_journal_sees_them(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(offer(house, SOURCE_SYSLOG, STR("<13>login password=hunter2 ok\n"), &err));
        assert_true(offer(house, OTLP_LOGS_JSON, STR("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"token=abcdef123456\"}}]}]}]}"), &err));
        journal_commit_now(house->journal);
        assert_int_equal(stats_of(house).secrets_masked, 2);
        size_t at;
        assert_false(str_find(house->delivered[0]->bytes, STR("hunter2"), &at));
        assert_false(str_find(house->delivered[1]->bytes, STR("abcdef"), &at));
        assert_false(str_find(house->delivered[1]->telemetry.records.items[0].line, STR("abcdef"), &at));
        assert_true(str_find(house->delivered[0]->bytes, STR("login password="), &at));
}

static void a_batch_sent_again_is_acknowledged_and_not_stored_twice(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(offer(house, OTLP_LOGS_JSON, otlp, &err));
        assert_false(offer(house, OTLP_LOGS_JSON, otlp, &err)); /* the first is not on disk yet: nothing is promised */
        assert_int_equal(err.code, ERR_BUSY);
        journal_commit_now(house->journal);
        assert_int_equal(house->delivered_count, 1);
        assert_true(offer(house, OTLP_LOGS_JSON, otlp, &err));
        journal_commit_now(house->journal);
        assert_int_equal(house->answers_good, 2);
        assert_int_equal(house->delivered_count, 1);
        assert_int_equal(stats_of(house).duplicates, 1);
}

static void a_batch_whose_commit_failed_may_be_sent_again(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        assert_true(offer(house, OTLP_LOGS_JSON, otlp, &err));
        disk_fail_nth(house->disk, 1, 100);
        journal_commit_now(house->journal);
        assert_int_equal(house->answers_bad, 1);
        disk_fail_nth(house->disk, 0, 0);
        clock_advance(&house->clock, 5 * NS_PER_S);
        journal_commit_now(house->journal);
        assert_true(offer(house, OTLP_LOGS_JSON, otlp, &err));
        journal_commit_now(house->journal);
        assert_int_equal(house->delivered_count, 1);
        assert_int_equal(stats_of(house).duplicates, 0);
}

static void an_alert_may_be_told_again_in_the_same_bytes(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        for (int i = 0; i < 2; i++)
                assert_true(offer(house, ALERTMANAGER, STR("[{\"labels\":{\"alertname\":\"DiskFull\"}}]"), &err)); /* even before the first is on disk */
        journal_commit_now(house->journal);
        assert_int_equal(house->delivered_count, 2);
        assert_int_equal(stats_of(house).duplicates, 0);
}

static void lines_and_webhooks_may_say_the_same_twice(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        for (int i = 0; i < 2; i++) {
                assert_true(offer(house, SOURCE_SYSLOG, STR("<13>tick\n"), &err));
                assert_true(offer(house, WEBHOOK, STR("{\"a\":1}"), &err));
                journal_commit_now(house->journal);
        }
        assert_int_equal(house->delivered_count, 4);
        assert_int_equal(stats_of(house).duplicates, 0);
}

static void who_can_send_again_gets_a_share_of_the_room(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        static char large[10000], other[10000];
        memset(large, ' ', sizeof large);
        memcpy(large, otlp.bytes, otlp.length);
        memcpy(other, large, sizeof large);
        other[sizeof other - 1] = '\n';
        assert_true(offer(house, OTLP_LOGS_JSON, (struct str){large, sizeof large}, &err));
        assert_false(offer(house, OTLP_LOGS_JSON, (struct str){other, sizeof other}, &err));
        assert_int_equal(err.code, ERR_BUSY);
        assert_true(offer(house, SOURCE_SYSLOG, (struct str){other, sizeof other}, &err));
        journal_commit_now(house->journal);
        store_all(house);
        assert_int_equal(stats_of(house).bytes_waiting, 0);
        assert_true(offer(house, OTLP_LOGS_JSON, (struct str){other, sizeof other}, &err));
        journal_commit_now(house->journal);
}

static void at_the_bound_senders_are_told_to_come_again(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        static char large[60000] = "<13>";
        memset(large + 4, 'x', sizeof large - 4);
        assert_true(offer(house, SOURCE_SYSLOG, (struct str){large, sizeof large}, &err));
        assert_false(offer(house, SOURCE_SYSLOG, (struct str){large, sizeof large}, &err));
        assert_int_equal(err.code, ERR_BUSY);
        assert_int_equal(stats_of(house).busy, 1);
        struct batch *kept = a_batch(SOURCE_SYSLOG, (struct str){large, sizeof large});
        assert_false(intake_try_offer(house->intake, &kept, note_answer, house, &err));
        assert_non_null(kept); /* still the caller's */
        journal_commit_now(house->journal);
        store_all(house);
        assert_true(intake_try_offer(house->intake, &kept, note_answer, house, &err));
        assert_null(kept);
        journal_commit_now(house->journal);
        assert_int_equal(house->delivered_count, 1);
}

static void repeats_and_cursors_are_known_after_a_restart(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        struct batch *batch = a_batch(OTLP_LOGS_JSON, otlp);
        batch->cursor = STR("here");
        assert_true(intake_offer(house->intake, batch, note_answer, house, &err));
        journal_commit_now(house->journal);
        store_all(house);
        scoped_ptr(json_decref) json_t *saved = intake_save(house->intake);
        assert_non_null(saved);
        intake_destroy(house->intake);
        struct intake_options options = {.clock = &house->clock, .deliver = deliver, .context = house};
        assert_true(intake_create(&options, &house->intake, &err));
        intake_connect(house->intake, house->journal);
        assert_true(intake_restore(house->intake, saved, &err));
        scoped(arena_done) struct arena arena = {0};
        assert_true(str_is(source_cursor(house->intake, STR("shop"), &arena), "here"));
        assert_true(offer(house, OTLP_LOGS_JSON, otlp, &err));
        assert_int_equal(stats_of(house).duplicates, 1);
        assert_int_equal(house->answers_good, 1);
}

static void after_stop_nothing_is_taken(void **state)
{
        struct house *house = *state;
        struct err err = {0};
        intake_stop(house->intake);
        assert_true(intake_stopping(house->intake));
        assert_false(offer(house, SOURCE_SYSLOG, STR("<13>late\n"), &err));
        assert_int_equal(err.code, ERR_CANCELLED);
        assert_false(intake_offer_wait(house->intake, a_batch(SOURCE_SYSLOG, STR("<13>late\n")), NULL, &err));
        journal_commit_now(house->journal);
        assert_int_equal(house->delivered_count, 0);
}

static void a_batch_of_an_unknown_format_is_told_and_not_decoded(void **state)
{
        (void)state;
        struct err err = {0};
        struct batch *batch = a_batch(999, STR("x"));
        assert_false(intake_decode(batch, &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        assert_false(batch->is_decoded);
        batch_destroy(batch);
}

int main(void)
{
#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                story(the_sender_is_told_after_the_commit_and_not_before),
                story(a_disk_that_fails_is_told_to_the_sender),
                story(what_a_decoder_refuses_never_reaches_the_journal),
                story(secrets_are_masked_before_the_journal_sees_them),
                story(a_batch_sent_again_is_acknowledged_and_not_stored_twice),
                story(a_batch_whose_commit_failed_may_be_sent_again),
                story(an_alert_may_be_told_again_in_the_same_bytes),
                story(lines_and_webhooks_may_say_the_same_twice),
                story(who_can_send_again_gets_a_share_of_the_room),
                story(at_the_bound_senders_are_told_to_come_again),
                story(repeats_and_cursors_are_known_after_a_restart),
                story(after_stop_nothing_is_taken),
                story(a_batch_of_an_unknown_format_is_told_and_not_decoded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
