/* file_source_test - real files in a directory of their own: rotations, truncations, restarts, failures. */
#include "observe/intake_fake.c"

#include "base/json.h"
#include "base/scratch.h"
#include "observe/file_rotation.h"
#include "observe/file_source.h"
#include "observe/file_tail.h"

#include <setjmp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
        struct intake intake;
        void *source;
        char directory[SCRATCH_BYTES], path[128], name[140];
};

static struct fixture fixture;

static int set_up(void **state)
{
        memset(&fixture, 0, sizeof fixture);
        fake_init(&fixture.intake);
        if (scratch_make(fixture.directory, "files") != 0)
                return -1;
        snprintf(fixture.path, sizeof fixture.path, "%s/app.log", fixture.directory);
        snprintf(fixture.name, sizeof fixture.name, "file:%s", fixture.path);
        *state = &fixture;
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        file_source_stop(fixture.source);
        fake_done(&fixture.intake);
        return scratch_remove(fixture.directory);
}

static void start_with(const char *format, ...)
{
        char config[1024];
        struct err err = {0};
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(config, sizeof config, format, arguments);
        va_end(arguments);
        scoped_ptr(json_decref) json_t *json = json_parse(str_of(config), &err);
        assert_non_null(json);
        if (!file_source_start(&fixture.intake, json, &fixture.source, &err))
                fail_msg("%s", err.message);
}

static void start(void)
{
        start_with("{\"files\":[{\"path\":\"%s\",\"multiline\":false}]}", fixture.path);
}

static void stop(void)
{
        file_source_stop(fixture.source);
        fixture.source = NULL;
}

static const char *beside(const char *suffix)
{
        static char path[2][256];
        static size_t turn;
        snprintf(path[++turn % 2], sizeof path[0], "%s/%s", fixture.directory, suffix);
        return path[turn % 2];
}

static void append(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

static void copy(const char *from, const char *to)
{
        char command[600];
        snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
        assert_int_equal(system(command), 0);
}

static void expect(const char *expected)
{
        scoped(buf_done) struct buf bytes = {0};
        bool came = fake_wait_bytes(&fixture.intake, fixture.name, strlen(expected));
        fake_bytes(&fixture.intake, fixture.name, &bytes);
        buf_byte(&bytes, '\0');
        assert_string_equal(bytes.bytes, expected);
        assert_true(came);
}

static bool was_refused(struct intake *fake, void *context)
{
        (void)context;
        return fake->refused > 0;
}

static void hold(void)
{
        fake_set(&fixture.intake, &fixture.intake.full, true);
        fixture.intake.refused = 0;
        append(fixture.path, "held\n");
        assert_true(fake_wait(&fixture.intake, was_refused, NULL));
}

static void release(void)
{
        fake_set(&fixture.intake, &fixture.intake.full, false);
}

static void lines_come_as_they_are_written_and_an_unfinished_one_waits(void **state)
{
        (void)state;
        append(fixture.path, "one\ntwo\nthr");
        start();
        expect("one\ntwo\n");
        append(fixture.path, "ee\nfour\n");
        expect("one\ntwo\nthree\nfour\n");
        const struct batch *batch = fixture.intake.batches[0];
        assert_int_equal(batch->format, SOURCE_FILE);
        assert_true(str_is(labels_value(&batch->labels, STR("path")), fixture.path));
        assert_true(labels_value(&batch->labels, STR("host")).length > 0);
        size_t at;
        assert_true(str_find(batch->settings, STR("\"service\":\"app\""), &at));
}

static void a_stack_trace_is_not_torn_between_batches(void **state)
{
        (void)state;
        append(fixture.path, "fine\nException: boom\n\tat a\n");
        start_with("{\"files\":[{\"path\":\"%s\"}]}", fixture.path);
        expect("fine\n");
        append(fixture.path, "\tat b\nnext\n");
        expect("fine\nException: boom\n\tat a\n\tat b\n");
        expect("fine\nException: boom\n\tat a\n\tat b\nnext\n"); /* after a second without a continuation */
        for (size_t i = 0; i < fixture.intake.batches_count; i++)
                assert_int_not_equal(fixture.intake.batches[i]->bytes.bytes[0], '\t');
}

static void a_renamed_file_is_finished_before_the_new_one(void **state)
{
        (void)state;
        append(fixture.path, "old 1\n");
        start();
        expect("old 1\n");
        int writer = open(fixture.path, O_WRONLY | O_APPEND);
        assert_int_equal(rename(fixture.path, beside("app.log.1")), 0);
        assert_int_equal(write(writer, "old 2\nold 3", 11), 11); /* the writer has not noticed yet */
        append(fixture.path, "new 1\n");
        close(writer);
        expect("old 1\nold 2\nold 3new 1\n");
        scoped(buf_done) struct buf last = {0};
        buf_add(&last, fixture.intake.batches[fixture.intake.batches_count - 2]->bytes);
        assert_true(str_is(buf_str(&last), "old 3")); /* a line of its own batch, though its end is missing */
        append(fixture.path, "new 2\n");
        expect("old 1\nold 2\nold 3new 1\nnew 2\n");
}

static void copy_and_truncate_loses_nothing_that_the_copy_holds(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        hold(); /* so that the rotation comes before we have read on */
        append(fixture.path, "two\n");
        copy(fixture.path, beside("app.log.1"));
        assert_int_equal(truncate(fixture.path, 0), 0);
        append(fixture.path, "three, longer than all that was there before the truncation\n");
        release();
        expect("one\nheld\ntwo\nthree, longer than all that was there before the truncation\n");
}

static void truncations_between_two_looks_are_caught_up_in_order(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        hold();
        append(fixture.path, "two\n");
        copy(fixture.path, beside("app.log.2"));
        struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
        assert_int_equal(utimensat(AT_FDCWD, beside("app.log.2"), times, 0), 0);
        assert_int_equal(truncate(fixture.path, 0), 0);
        append(fixture.path, "three\n");
        copy(fixture.path, beside("app.log.1"));
        assert_int_equal(truncate(fixture.path, 0), 0);
        append(fixture.path, "four\n");
        release();
        expect("one\nheld\ntwo\nthree\nfour\n");
}

static void what_was_copied_before_the_file_was_ever_seen_with_bytes_is_read(void **state)
{
        (void)state;
        append(fixture.path, "");
        start();
        usleep(50000); /* seen empty */
        append(beside("app.log.1"), "copied\n");
        close(open(fixture.path, O_WRONLY | O_TRUNC));
        usleep(50000); /* seen empty again, truncated */
        append(fixture.path, "new\n");
        expect("copied\nnew\n");
}

static void a_truncation_without_a_copy_starts_again(void **state)
{
        (void)state;
        append(fixture.path, "one\ntwo\n");
        start();
        expect("one\ntwo\n");
        assert_int_equal(truncate(fixture.path, 0), 0);
        append(fixture.path, "three\n");
        expect("one\ntwo\nthree\n");
}

static void a_restart_goes_on_at_the_cursor(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        stop();
        fake_forget(&fixture.intake);
        append(fixture.path, "two\n");
        start();
        expect("two\n");
}

static void rotations_while_we_were_down_are_caught_up_in_order(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        stop();
        fake_forget(&fixture.intake);
        append(fixture.path, "two\n");
        assert_int_equal(rename(fixture.path, beside("app.log.2")), 0);
        struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
        assert_int_equal(utimensat(AT_FDCWD, beside("app.log.2"), times, 0), 0);
        append(beside("app.log.1"), "three\n");
        append(fixture.path, "four\n");
        start();
        expect("two\nthree\nfour\n");
}

static void a_truncation_while_we_were_down_is_caught_up(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        stop();
        fake_forget(&fixture.intake);
        append(fixture.path, "two\n");
        copy(fixture.path, beside("app.log-20260131"));
        assert_int_equal(truncate(fixture.path, 0), 0);
        append(fixture.path, "three\n");
        start();
        expect("two\nthree\n");
}

static void what_the_journal_could_not_keep_is_read_again(void **state)
{
        (void)state;
        fake_set(&fixture.intake, &fixture.intake.disk_fails, true);
        append(fixture.path, "one\n");
        start();
        while (!fake_source(&fixture.intake, fixture.name).failing)
                usleep(1000);
        fake_set(&fixture.intake, &fixture.intake.disk_fails, false);
        expect("one\n");
        append(fixture.path, "two\n");
        expect("one\ntwo\n");
        assert_false(fake_source(&fixture.intake, fixture.name).failing);
}

static bool has_lag(struct intake *fake, void *context)
{
        for (size_t i = 0; i < fake->sources_count; i++)
                if (strcmp(fake->sources[i].name, fixture.name) == 0 && fake->sources[i].lag_s == *(double *)context)
                        return true;
        return false;
}

static void the_lag_is_told_in_bytes(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        start();
        expect("one\n");
        hold();
        double lag = 5;
        assert_true(fake_wait(&fixture.intake, has_lag, &lag));
        release();
        lag = 0;
        assert_true(fake_wait(&fixture.intake, has_lag, &lag));
}

static void a_glob_finds_new_files_but_no_rotated_or_compressed_ones(void **state)
{
        (void)state;
        append(fixture.path, "one\n");
        append(beside("app.log.1"), "older\n");
        append(beside("app.log.2.gz"), "packed\n");
        mkdir(beside("app.log.d"), 0755);
        start_with("{\"files\":[{\"path\":\"%s/*.log*\",\"multiline\":false,\"service\":\"shop\"}]}", fixture.directory);
        expect("one\n");
        append(beside("other.log"), "new file\n");
        char other[160];
        snprintf(other, sizeof other, "file:%s", beside("other.log"));
        assert_true(fake_wait_bytes(&fixture.intake, other, 9));
        scoped(buf_done) struct buf all = {0};
        fake_bytes(&fixture.intake, NULL, &all);
        assert_int_equal(all.length, 4 + 9);
        size_t at;
        assert_true(str_find(fixture.intake.batches[0]->settings, STR("\"service\":\"shop\""), &at));
}

static void a_new_file_may_begin_at_its_end(void **state)
{
        (void)state;
        append(fixture.path, "old\n");
        start_with("{\"files\":[{\"path\":\"%s\",\"multiline\":false,\"from\":\"end\"}]}", fixture.path);
        scoped(buf_done) struct buf bytes = {0};
        for (; !bytes.length; fake_bytes(&fixture.intake, NULL, &bytes)) {
                append(fixture.path, "new\n"); /* until the file was opened and its end noted */
                usleep(20000);
        }
        assert_int_equal(bytes.bytes[0], 'n');
}

static void a_large_file_comes_whole_in_parts(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        for (size_t i = 0; text.length < 5 << 20; i++)
                buf_printf(&text, "line %zu\n", i);
        int fd = open(fixture.path, O_WRONLY | O_CREAT, 0644);
        assert_int_equal(write(fd, text.bytes, text.length), (ssize_t)text.length);
        close(fd);
        start();
        assert_true(fake_wait_bytes(&fixture.intake, fixture.name, text.length));
        scoped(buf_done) struct buf bytes = {0};
        fake_bytes(&fixture.intake, fixture.name, &bytes);
        assert_true(str_equal(buf_str(&bytes), buf_str(&text)));
        assert_true(fixture.intake.batches_count >= 5);
        for (size_t i = 0; i < fixture.intake.batches_count; i++) {
                struct str part = fixture.intake.batches[i]->bytes;
                assert_int_equal(part.bytes[part.length - 1], '\n');
        }
}

static void rotations_are_known_by_their_names(void **state)
{
        (void)state;
        assert_true(file_is_rotation_of("app.log.1", "app.log"));
        assert_true(file_is_rotation_of("app.log-20260131", "app.log"));
        assert_true(file_is_rotation_of("app.log.2026-01-31_12", "app.log"));
        assert_false(file_is_rotation_of("app.log.1.gz", "app.log"));
        assert_false(file_is_rotation_of("app.log.bak", "app.log"));
        assert_false(file_is_rotation_of("app.log", "app.log"));
        assert_false(file_is_rotation_of("app2.log", "app.log"));
}

static void a_place_survives_its_text_and_a_wrong_one_is_refused(void **state)
{
        (void)state;
        struct file_place place = {7, 8, 9, 1024, 0xfedcba9876543210}, back;
        scoped(buf_done) struct buf text = {0};
        assert_true(file_place_print(&place, &text));
        assert_true(file_place_parse(buf_str(&text), &back));
        assert_memory_equal(&place, &back, sizeof place);
        assert_false(file_place_parse(STR("{\"dev\":1}"), &back));
        assert_false(file_place_parse(STR("nonsense"), &back));
        assert_false(file_place_parse(STR("{\"dev\":1,\"inode\":2,\"offset\":3,\"head_bytes\":4,\"head\":\"xyz\"}"), &back));
}

static void a_relative_path_is_refused(void **state)
{
        (void)state;
        struct err err;
        void *source = NULL;
        scoped_ptr(json_decref) json_t *config = json_pack("{s:[{s:s}]}", "files", "path", "app.log");
        assert_false(file_source_start(&fixture.intake, config, &source, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                WITH_FILES(lines_come_as_they_are_written_and_an_unfinished_one_waits),
                WITH_FILES(a_stack_trace_is_not_torn_between_batches),
                WITH_FILES(a_renamed_file_is_finished_before_the_new_one),
                WITH_FILES(copy_and_truncate_loses_nothing_that_the_copy_holds),
                WITH_FILES(truncations_between_two_looks_are_caught_up_in_order),
                WITH_FILES(what_was_copied_before_the_file_was_ever_seen_with_bytes_is_read),
                WITH_FILES(a_truncation_without_a_copy_starts_again),
                WITH_FILES(a_restart_goes_on_at_the_cursor),
                WITH_FILES(rotations_while_we_were_down_are_caught_up_in_order),
                WITH_FILES(a_truncation_while_we_were_down_is_caught_up),
                WITH_FILES(what_the_journal_could_not_keep_is_read_again),
                WITH_FILES(the_lag_is_told_in_bytes),
                WITH_FILES(a_glob_finds_new_files_but_no_rotated_or_compressed_ones),
                WITH_FILES(a_new_file_may_begin_at_its_end),
                WITH_FILES(a_large_file_comes_whole_in_parts),
                WITH_FILES(rotations_are_known_by_their_names),
                WITH_FILES(a_place_survives_its_text_and_a_wrong_one_is_refused),
                WITH_FILES(a_relative_path_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
