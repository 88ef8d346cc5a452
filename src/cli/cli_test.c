/* cli_test - verbs are found, used wrongly in clear words, and tell programs how they ended. */
#include "cli/cli.h"

#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail

/* Runs a command line given as one text, with both outputs kept; gives the exit code. */
static int run(const char *line, char *out_text, size_t bytes)
{
        char copy[400], *argv[20] = {(char[]){"evenkeel"}}, path[] = "/tmp/cli-test-XXXXXX";
        char *rest = NULL;
        int argc = 1, kept_out = dup(1), kept_err = dup(2), fd = mkstemp(path);
        snprintf(copy, sizeof copy, "%s", line);
        for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
                argv[argc++] = word;
        fflush(stdout);
        dup2(fd, 1);
        dup2(fd, 2);
        int code = cli_run(argc, argv);
        fflush(stdout);
        dup2(kept_out, 1);
        dup2(kept_err, 2);
        ssize_t count = pread(fd, out_text, bytes - 1, 0);
        out_text[count > 0 ? count : 0] = 0;
        close(kept_out);
        close(kept_err);
        close(fd);
        unlink(path);
        return code;
}

static void what_is_used_wrongly_is_told_with_exit_code_2(void **state)
{
        (void)state;
        char text[4000];
        assert_int_equal(run("nonsense", text, sizeof text), 2);
        assert_non_null(strstr(text, "there is no verb nonsense"));
        assert_int_equal(run("logs --nope", text, sizeof text), 2);
        assert_non_null(strstr(text, "there is no option --nope"));
        assert_int_equal(run("query", text, sizeof text), 2);
        assert_int_equal(run("query a b", text, sizeof text), 2);
        assert_int_equal(run("query up --range", text, sizeof text), 2);
        assert_int_equal(run("restore /tmp", text, sizeof text), 2);
        assert_int_equal(run("completion fish", text, sizeof text), 2);
}

static void without_a_daemon_the_exit_code_is_3_and_the_text_says_what_to_do(void **state)
{
        (void)state;
        char text[4000];
        assert_int_equal(run("status --data /nonexistent", text, sizeof text), 3);
        assert_non_null(strstr(text, "evenkeel run --data /nonexistent"));
        assert_int_equal(run("status --server http://127.0.0.1:1", text, sizeof text), 3);
        assert_non_null(strstr(text, "is the daemon running?"));
        static const char *const verbs_with_tables[] = {"on-call", "silences", "incidents", "notifications 1", "silence preview 1h host=a"};
        for (size_t i = 0; i < countof(verbs_with_tables); i++) {
                char line[200];
                snprintf(line, sizeof line, "%s --json --server http://127.0.0.1:1", verbs_with_tables[i]);
                assert_int_equal(run(line, text, sizeof text), 3);
        }
}

static void every_verb_is_in_the_help_the_manual_and_the_completion(void **state)
{
        (void)state;
        static char help[60000], manual[60000], completion[60000];
        assert_int_equal(run("help", help, sizeof help), 0);
        assert_int_equal(run("man --markdown", manual, sizeof manual), 0);
        assert_int_equal(run("completion bash", completion, sizeof completion), 0);
        for (size_t i = 0; i < verb_count; i++) {
                char quoted[80], one[400], line[80];
                assert_non_null(strstr(help, verbs[i].name));
                assert_non_null(strstr(manual, verbs[i].summary));
                snprintf(quoted, sizeof quoted, "\"%s\"", verbs[i].name);
                assert_non_null(strstr(completion, quoted));
                snprintf(line, sizeof line, "%s --help", verbs[i].name);
                if (verbs[i].run)
                        assert_int_equal(run(line, one, sizeof one), 0);
        }
}

static void the_pages_in_docs_are_the_ones_the_program_prints(void **state)
{
        (void)state;
        static const struct { const char *line, *path; } pages[] = {{"man --markdown", "docs/reference/cli.md"}, {"man", "docs/evenkeel.1"}};
        for (size_t i = 0; i < countof(pages); i++) {
                static char printed[60000], written[60000];
                assert_int_equal(run(pages[i].line, printed, sizeof printed), 0);
                FILE *file = fopen(pages[i].path, "r");
                assert_non_null(file);
                written[fread(written, 1, sizeof written - 1, file)] = 0;
                fclose(file);
                assert_string_equal(printed, written);
        }
}

static void write_file(const char *folder, const char *name, const char *text)
{
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void remove_folder(const char *folder, const char *const *names)
{
        char path[200];
        for (; *names; names++) {
                snprintf(path, sizeof path, "%s/%s", folder, *names);
                unlink(path);
        }
        assert_int_equal(rmdir(folder), 0);
}

static void tickets_are_routed_from_tables(void **state)
{
        (void)state;
        char folder[] = "/tmp/cli-test-XXXXXX", line[400], text[4000];
        assert_non_null(mkdtemp(folder));
        write_file(folder, "train", "title,text,team\nvpn,the tunnel is down,network\nprinter,\"toner, empty\",\"print, east\"\nvpn,no route,network\n");
        write_file(folder, "test", "text,title\nempty toner,\ntunnel down,vpn\n");
        snprintf(line, sizeof line, "route --train %s/train --test %s/test --text title,text --label team", folder, folder);
        assert_int_equal(run(line, text, sizeof text), 0);
        assert_non_null(strstr(text, "row,first,confidence,second,third\n0,\"print, east\",0."));
        assert_non_null(strstr(text, "\n1,network,0."));
        snprintf(line, sizeof line, "route --train %s/train --test %s/test --text title,body --label team", folder, folder);
        assert_int_equal(run(line, text, sizeof text), 1);
        assert_non_null(strstr(text, "there is no column body"));
        remove_folder(folder, (const char *const[]){"train", "test", NULL});
}

static void causes_are_ranked_from_tables(void **state)
{
        (void)state;
        char folder[] = "/tmp/cli-test-XXXXXX", line[400], text[4000], table[4000];
        size_t length = (size_t)snprintf(table, sizeof table, "timestamp,web|latency|mean,cart|latency|mean,idle|cpu|value\n");
        for (int i = 0; i < 40; i++)
                length += (size_t)snprintf(table + length, sizeof table - length, "%d,%g,%g,\n", 600 + i * 10, 0.1 + i % 3 * 0.001 + (i >= 30) * 0.2,
                                           0.05 + i % 2 * 0.001 + (i >= 30) * 0.2);
        assert_non_null(mkdtemp(folder));
        write_file(folder, "metrics", table);
        write_file(folder, "edges", "caller,callee\nweb,cart\n");
        snprintf(line, sizeof line, "causes %s/metrics --at 900 --graph %s/edges --target web|latency|mean", folder, folder);
        assert_int_equal(run(line, text, sizeof text), 0);
        assert_non_null(strstr(text, "rank,entity,score\n1,cart,"));
        assert_non_null(strstr(text, "\n3,idle,0\n"));
        snprintf(line, sizeof line, "causes %s/metrics --at noon", folder);
        assert_int_equal(run(line, text, sizeof text), 1);
        assert_non_null(strstr(text, "noon is no time"));
        remove_folder(folder, (const char *const[]){"metrics", "edges", NULL});
}

static void a_table_is_aligned_by_characters_and_keeps_control_bytes_from_the_terminal(void **state)
{
        (void)state;
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        scoped(table_done) struct table table;
        table_init(&table, "NAME|>COUNT");
        table_cell(&table, COLOR_RED, "größer");
        table_cell(&table, COLOR_NONE, "%d", 7);
        table_cell(&table, COLOR_NONE, "a\033[2J");
        table_cell(&table, COLOR_NONE, "%d", 123456);
        table_print(&table, out, false);
        fclose(out);
        assert_string_equal(text, "NAME     COUNT\n"
                                  "größer       7\n"
                                  "a [2J   123456\n");
        free(text);
}

static void what_an_answer_lacks_shows_as_a_dash_and_its_text_cannot_order_the_terminal_about(void **state)
{
        (void)state;
        scoped_ptr(json_decref) json_t *item = json_pack("{s:s, s:s, s:s, s:n, s:i}", "name", "cart", "empty", "", "seen_ns", "86400000000000", "none", "number", 7);
        scoped(buf_done) struct buf one = {0}, two = {0};
        char time[CLOCK_RFC3339_BYTES];
        assert_string_equal(item_text(item, "name"), "cart");
        assert_string_equal(item_text(item, "empty"), "-");
        assert_string_equal(item_text(item, "none"), "-");
        assert_string_equal(item_text(item, "number"), "-");
        assert_string_equal(item_text(NULL, "name"), "-");
        item_time(item, "seen_ns", time);
        assert_string_equal(time, "1970-01-02T00:00:00Z");
        item_time(item, "name", time);
        assert_string_equal(time, "-");
        assert_int_equal(item_time_ns(item, "seen_ns"), 86400 * NS_PER_S);
        assert_int_equal(item_time_ns(item, "gone_ns"), 0);
        item_safe(STR("a\033[2J\tb\nc\x7f"), NULL, &one);
        assert_string_equal(one.bytes, "a\\x1b[2J\tb\\x0ac\\x7f");
        item_safe(STR("größer\n  b\r"), "\n    ", &two);
        assert_string_equal(two.bytes, "größer\n      b\\x0d");
}

static void a_path_is_encoded(void **state)
{
        (void)state;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/x");
        path_add(&path, "query", "{a=\"b c\"}&");
        path_add(&path, "none", NULL);
        path_add(&path, "n", "1");
        assert_true(str_equal(buf_str(&path), STR("/x?query=%7Ba%3D%22b%20c%22%7D%26&n=1")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_used_wrongly_is_told_with_exit_code_2),
                cmocka_unit_test(without_a_daemon_the_exit_code_is_3_and_the_text_says_what_to_do),
                cmocka_unit_test(every_verb_is_in_the_help_the_manual_and_the_completion),
                cmocka_unit_test(the_pages_in_docs_are_the_ones_the_program_prints),
                cmocka_unit_test(tickets_are_routed_from_tables),
                cmocka_unit_test(causes_are_ranked_from_tables),
                cmocka_unit_test(a_table_is_aligned_by_characters_and_keeps_control_bytes_from_the_terminal),
                cmocka_unit_test(what_an_answer_lacks_shows_as_a_dash_and_its_text_cannot_order_the_terminal_about),
                cmocka_unit_test(a_path_is_encoded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
