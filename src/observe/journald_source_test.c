/* journald_source_test - fields become entries; a real journal file is followed where systemd-journal-remote can write one. */
#include "observe/intake_fake.c"
#include "base/scratch.h"
#include "observe/journald_source.c"

#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

#define JOURNAL_REMOTE "/lib/systemd/systemd-journal-remote"

struct fields {
        const char *const (*pairs)[2];
        size_t count;
};

static bool fake_field(void *context, const char *field, struct str *out_value)
{
        const struct fields *fields = context;
        for (size_t i = 0; i < fields->count; i++)
                if (strcmp(fields->pairs[i][0], field) == 0) {
                        *out_value = str_of(fields->pairs[i][1]);
                        return true;
                }
        return false;
}

static struct batch *decode(struct buf *packed)
{
        struct err err = {0};
        struct batch *batch = batch_create(SOURCE_JOURNALD, NAME, &err);
        batch->bytes = arena_str(&batch->arena, buf_str(packed));
        if (!journald_decode(batch, &err))
                fail_msg("%s", err.message);
        return batch;
}

static void fields_become_a_record(void **state)
{
        (void)state;
        static const char *const pairs[][2] = {{"MESSAGE", "it works\nin two lines"}, {"SYSLOG_IDENTIFIER", "sshd"},
                                               {"_COMM", "sshd-session"}, {"_SYSTEMD_UNIT", "ssh.service"},
                                               {"_HOSTNAME", "web1"}, {"PRIORITY", "3"}, {"_PID", "4711"}};
        struct fields fields = {pairs, countof(pairs)};
        scoped(buf_done) struct buf texts = {0}, packed = {0};
        assert_true(pack_entry(fake_field, &fields, 1700000000123456, &texts, &packed));
        struct batch *batch = decode(&packed);
        assert_int_equal(batch->telemetry.records.count, 1);
        const struct log_record *record = batch->telemetry.records.items;
        const struct labels *labels = &batch->telemetry.streams.items[record->stream];
        assert_int_equal(record->time_ns, INT64_C(1700000000123456000));
        assert_int_equal(record->severity, SEVERITY_ERROR);
        assert_true(str_is(record->line, "it works\nin two lines"));
        assert_true(str_is(labels_value(labels, STR("service")), "sshd"));
        assert_true(str_is(labels_value(labels, STR("unit")), "ssh.service"));
        assert_true(str_is(labels_value(labels, STR("host")), "web1"));
        batch_destroy(batch);
}

static void without_an_identifier_the_command_names_the_service(void **state)
{
        (void)state;
        static const char *const pairs[][2] = {{"MESSAGE", "x"}, {"_COMM", "tool"}, {"PRIORITY", "high"}, {"_PID", "-1"}};
        struct fields fields = {pairs, countof(pairs)};
        scoped(buf_done) struct buf texts = {0}, packed = {0};
        assert_true(pack_entry(fake_field, &fields, 5, &texts, &packed));
        struct batch *batch = decode(&packed);
        const struct log_record *record = batch->telemetry.records.items;
        assert_int_equal(record->severity, SEVERITY_UNKNOWN);
        assert_true(str_is(labels_value(&batch->telemetry.streams.items[record->stream], STR("service")), "tool"));
        batch_destroy(batch);
}

static bool is_told(struct intake *fake, void *context)
{
        return fake->sources_count && strstr(fake->sources[0].state_text, context);
}

static void a_missing_journal_is_said_and_is_no_fault(void **state)
{
        (void)state;
        struct intake intake;
        struct err err;
        void *source = NULL;
        fake_init(&intake);
        scoped_ptr(json_decref) json_t *config = json_pack("{s:s}", "directory", "/nonexistent/journal");
        assert_true(journald_source_start(&intake, config, &source, &err));
        assert_true(fake_wait(&intake, is_told, "cannot be opened"));
        assert_false(fake_source(&intake, "journald").failing);
        journald_source_stop(source);
        fake_done(&intake);
}

/* Appends entries to a journal file; gives false where the tool is not there. */
static bool write_journal(const char *directory, size_t from, size_t count)
{
        char command[256];
        snprintf(command, sizeof command, "%s --output='%s/system.journal' - >/dev/null 2>&1", JOURNAL_REMOTE, directory);
        if (access(JOURNAL_REMOTE, X_OK) < 0)
                return false;
        FILE *pipe = popen(command, "w");
        assert_non_null(pipe);
        int64_t now_us = clock_now_ns(&clock_real) / 1000;
        for (size_t i = from; i < from + count; i++)
                fprintf(pipe,
                        "__REALTIME_TIMESTAMP=%lld\n__MONOTONIC_TIMESTAMP=%zu\n_BOOT_ID=00000000000000000000000000000001\n"
                        "MESSAGE=message %zu\nPRIORITY=6\nSYSLOG_IDENTIFIER=test\n_HOSTNAME=h\n\n",
                        (long long)now_us + (long long)i, i + 1, i);
        return pclose(pipe) == 0;
}

static bool has_records(struct intake *fake, void *context)
{
        size_t count = 0;
        for (size_t i = 0; i < fake->batches_count; i++)
                count += fake->batches[i]->telemetry.records.count;
        return count >= *(size_t *)context;
}

static void assert_messages(struct intake *intake, size_t from, size_t count)
{
        size_t at = from;
        assert_true(fake_wait(intake, has_records, &count));
        with_lock(&intake->lock);
        for (size_t i = 0; i < intake->batches_count; i++)
                each (record, &intake->batches[i]->telemetry.records) {
                        char expected[32];
                        snprintf(expected, sizeof expected, "message %zu", at++);
                        assert_true(str_is(record->line, expected));
                }
        assert_int_equal(at, from + count);
}

static void a_journal_is_followed_from_its_cursor(void **state)
{
        (void)state;
        struct intake intake;
        struct err err;
        void *source = NULL;
        char directory[SCRATCH_BYTES];
        assert_int_equal(scratch_make(directory, "journal"), 0);
        if (!write_journal(directory, 0, 3000)) {
                scratch_remove(directory);
                print_message("no systemd-journal-remote here: a real journal file is not tried\n");
                skip();
        }
        fake_init(&intake);
        intake.decode = journald_decode;
        scoped_ptr(json_decref) json_t *config = json_pack("{s:s}", "directory", directory);
        assert_true(journald_source_start(&intake, config, &source, &err));
        assert_messages(&intake, 0, 3000);
        journald_source_stop(source);
        fake_forget(&intake);
        assert_true(write_journal(directory, 3000, 10));
        fake_set(&intake, &intake.disk_fails, true); /* what is not committed is read again */
        assert_true(journald_source_start(&intake, config, &source, &err));
        while (!fake_source(&intake, "journald").failing)
                usleep(1000);
        fake_set(&intake, &intake.disk_fails, false);
        assert_messages(&intake, 3000, 10);
        assert_true(write_journal(directory, 3010, 5)); /* while it is followed */
        assert_messages(&intake, 3000, 15);
        journald_source_stop(source);
        fake_done(&intake);
        assert_int_equal(scratch_remove(directory), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fields_become_a_record),
                cmocka_unit_test(without_an_identifier_the_command_names_the_service),
                cmocka_unit_test(a_missing_journal_is_said_and_is_no_fault),
                cmocka_unit_test(a_journal_is_followed_from_its_cursor),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
