/* launcher_test - real processes: what is allowed runs with bounds, what is not is refused, and nothing outlives its time. */
#include "reach/launcher.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/thread.h"
#include "reach/launch_allow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct room {
        char allow[64];
        struct launcher *launcher;
        struct arena arena;
};

static const char list[] =
        "# what the test may run\n"
        "/bin/echo ...\n"
        "/bin/sh -c *\n"
        "/bin/cat\n"
        "/bin/sleep 3?\n";

static int set_up(void **state)
{
        struct room *room = calloc(1, sizeof *room);
        struct err err = {0};
        int socket;
        snprintf(room->allow, sizeof room->allow, "/tmp/launcher_test.XXXXXX");
        int file = mkstemp(room->allow);
        assert_true(file >= 0 && write(file, list, strlen(list)) == (ssize_t)strlen(list));
        close(file);
        struct launcher_options options = {.allow_path = room->allow};
        assert_true(launcher_fork(&options, &socket, &err) && launcher_open(socket, &room->launcher, &err));
        arena_init(&room->arena, 0);
        *state = room;
        return 0;
}

static int tear_down(void **state)
{
        struct room *room = *state;
        launcher_close(room->launcher);
        arena_done(&room->arena);
        unlink(room->allow);
        free(room);
        return 0;
}

static struct launch command(const char *first, const char *second, const char *third)
{
        struct launch launch = {.words = {str_of(first)}, .word_count = 1, .timeout_ms = 5000};
        if (second)
                launch.words[launch.word_count++] = str_of(second);
        if (third)
                launch.words[launch.word_count++] = str_of(third);
        return launch;
}

static struct launch_result run(struct room *room, const struct launch *launch)
{
        struct err err = {0};
        struct launch_result result;
        if (!launcher_run(room->launcher, launch, &room->arena, &result, &err))
                fail_msg("%s", err.message);
        return result;
}

static void a_program_gets_its_words_as_they_are(void **state)
{
        struct launch launch = command("/bin/echo", "$(id) ; rm -rf /", "a  b");
        struct launch_result result = run(*state, &launch);
        assert_int_equal(result.status, 0);
        assert_true(str_is(result.output, "$(id) ; rm -rf / a  b\n"));
        assert_int_equal(result.errors.length, 0);
}

static void input_output_and_status_come_through(void **state)
{
        struct launch launch = command("/bin/cat", NULL, NULL);
        launch.input = STR("line\n\xc3\xa4");
        struct launch_result copied = run(*state, &launch);
        if (!str_is(copied.output, "line\n\xc3\xa4"))
                fail_msg("%d %d %.*s / %.*s", copied.status, copied.signal, STR_ARGS(copied.output), STR_ARGS(copied.errors));
        launch = command("/bin/sh", "-c", "echo fault >&2; printf 'a\\377b\\000c'; exit 3");
        struct launch_result result = run(*state, &launch);
        assert_int_equal(result.status, 3);
        assert_true(str_is(result.errors, "fault\n"));
        assert_true(str_is(result.output, "a\xef\xbf\xbd" "b c"));
}

static void what_is_not_in_the_list_is_refused(void **state)
{
        struct room *room = *state;
        static const char *const refused[][3] = {
                {"/bin/ls", NULL, NULL}, {"/bin/cat", "/etc/passwd", NULL}, {"/bin/sleep", "40", NULL}, {"/bin/sh", "-c", NULL}, {"/bin/../bin/echo", "x", NULL},
        };
        for (size_t i = 0; i < countof(refused); i++) {
                struct err err = {0};
                struct launch_result result;
                struct launch launch = command(refused[i][0], refused[i][1], refused[i][2]);
                assert_false(launcher_run(room->launcher, &launch, &room->arena, &result, &err));
                assert_int_equal(err.code, ERR_FORBIDDEN);
        }
        struct err err = {0};
        struct launch_result result;
        struct launch launch = command("echo", "x", NULL);
        assert_false(launcher_run(room->launcher, &launch, &room->arena, &result, &err));
        assert_int_equal(err.code, ERR_INVALID);
}

static void a_list_that_others_may_write_is_no_list(void **state)
{
        struct room *room = *state;
        struct err err = {0};
        struct launch_result result;
        struct launch launch = command("/bin/echo", "x", NULL);
        assert_int_equal(chmod(room->allow, 0666), 0);
        assert_false(launcher_run(room->launcher, &launch, &room->arena, &result, &err));
        assert_int_equal(err.code, ERR_FORBIDDEN);
        assert_non_null(strstr(err.message, "nobody else may write"));
        assert_int_equal(chmod(room->allow, 0600), 0);
        assert_true(launcher_run(room->launcher, &launch, &room->arena, &result, &err));
}

static void time_is_up_for_the_whole_group(void **state)
{
        struct launch launch = command("/bin/sh", "-c", "trap '' TERM; sleep 37 & echo $!; sleep 38");
        launch.timeout_ms = 300;
        struct launch_result result = run(*state, &launch);
        assert_true(result.timed_out);
        assert_int_equal(result.signal, SIGKILL);
        assert_true(result.duration_ns < 10 * NS_PER_S);
        uint64_t left_behind;
        assert_true(str_to_u64(str_trim(result.output), &left_behind));
        for (int i = 0; i < 100 && kill((pid_t)left_behind, 0) == 0; i++)
                usleep(20000); /* init takes it away */
        char path[64];
        struct stat status;
        snprintf(path, sizeof path, "/proc/%u/exe", (unsigned)left_behind);
        assert_true(stat(path, &status) != 0);
}

static void output_is_cut_at_its_bound(void **state)
{
        struct launch launch = command("/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo done >&2");
        struct launch_result result = run(*state, &launch);
        assert_true(result.output_cut);
        assert_int_equal(result.output.length, LAUNCH_OUTPUT_MAX);
        assert_true(str_is(result.errors, "done\n"));
        launch = command("/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' '\\001'");
        result = run(*state, &launch);
        assert_true(result.output_cut && result.output.length > 0);
}

static void stop_soon(void *context)
{
        usleep(300000);
        launcher_stop_all(context);
}

static void stop_all_ends_what_runs(void **state)
{
        struct room *room = *state;
        struct launch launch = command("/bin/sleep", "39", NULL);
        struct thread stopper = {0};
        struct err err = {0};
        launch.timeout_ms = 60000;
        assert_true(thread_start(&stopper, "stopper", stop_soon, room->launcher, &err));
        struct launch_result result = run(room, &launch);
        thread_join(&stopper);
        assert_int_equal(result.signal, SIGKILL);
        assert_false(result.timed_out);
        assert_true(result.duration_ns < 20 * NS_PER_S);
}

static void patterns_are_words_and_folders(void **state)
{
        (void)state;
        static const struct { const char *list, *command; bool allowed; } cases[] = {
                {"/usr/lib/p/check_* ...", "/usr/lib/p/check_disk -w 10", true},
                {"/usr/lib/p/check_* ...", "/usr/lib/p/check_x/evil", false},
                {"/bin/a *", "/bin/a x", true},
                {"/bin/a *", "/bin/a", false},
                {"/bin/a *", "/bin/a x y", false},
                {"/bin/a", "/bin/a x", false},
                {"/bin/a ...", "/bin/a", true},
                {"# /bin/a ...", "/bin/a", false},
                {"/bin/b\n  /bin/a restart web*  \n", "/bin/a restart web1", true},
                {"/bin/b\n  /bin/a restart web*  \n", "/bin/a restart db1", false},
                {"", "/bin/a", false},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct str rest = str_of(cases[i].command), words[8];
                size_t count = 0;
                struct err err = {0};
                while (rest.length) {
                        size_t end = 0;
                        while (end < rest.length && rest.bytes[end] != ' ')
                                end++;
                        words[count++] = str_slice(rest, 0, end);
                        rest = str_slice(rest, min_of(end + 1, rest.length), rest.length);
                }
                if (launch_allow_match(str_of(cases[i].list), words, count, &err) != cases[i].allowed)
                        fail_msg("%s / %s", cases[i].list, cases[i].command);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_program_gets_its_words_as_they_are, set_up, tear_down),
                cmocka_unit_test_setup_teardown(input_output_and_status_come_through, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_not_in_the_list_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_list_that_others_may_write_is_no_list, set_up, tear_down),
                cmocka_unit_test_setup_teardown(time_is_up_for_the_whole_group, set_up, tear_down),
                cmocka_unit_test_setup_teardown(output_is_cut_at_its_bound, set_up, tear_down),
                cmocka_unit_test_setup_teardown(stop_all_ends_what_runs, set_up, tear_down),
                cmocka_unit_test(patterns_are_words_and_folders),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
