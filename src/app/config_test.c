/* config_test - a file is taken whole or refused with a sentence; what it leaves out has its default. */
#include "app/config.h"

#include "base/scope.h"
#include "base/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static char folder[SCRATCH_BYTES], path[SCRATCH_BYTES + 20];

static int set_up(void **state)
{
        (void)state;
        if (scratch_make(folder, "config") != 0)
                return -1;
        snprintf(path, sizeof path, "%s/evenkeel.yaml", folder);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        return scratch_remove(folder);
}

static bool load(const char *text, struct config *out_config, struct err *err)
{
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        *err = (struct err){0};
        return config_load(path, out_config, NULL, err);
}

static void without_a_file_all_defaults_hold(void **state)
{
        (void)state;
        struct config config;
        struct err err = {0};
        assert_true(config_load(NULL, &config, NULL, &err));
        assert_string_equal(config_text(&config, "data"), "/var/lib/evenkeel");
        assert_int_equal(config_count(&config, "retention.days"), 30);
        assert_int_equal(config_count(&config, "limits.intake"), 128 << 20);
        assert_true(config_duration_ns(&config, "checkpoint.every") == INT64_C(3600000000000));
        assert_null(config_tree(&config, "http.listen"));
        config_done(&config);
}

static void what_the_file_says_goes_before_the_default(void **state)
{
        (void)state;
        struct config config;
        struct err err;
        if (!load("data: /srv/x\nretention:\n  days: 7\n  bytes: 10GiB\ncheckpoint:\n  every: 15s\n  bytes: 1500\nhttp:\n  listen: ['[::1]:1']\n"
                  "sources:\n  file:\n    anything: [1, {b: 2}]\nlimits:\n  intake: 2 MB\n", &config, &err))
                fail_msg("%s", err.message);
        assert_string_equal(config_text(&config, "data"), "/srv/x");
        assert_int_equal(config_count(&config, "retention.days"), 7);
        assert_true(config_count(&config, "retention.bytes") == UINT64_C(10) << 30);
        assert_int_equal(config_count(&config, "checkpoint.bytes"), 1500);
        assert_int_equal(config_count(&config, "limits.intake"), 2000000);
        assert_true(config_duration_ns(&config, "checkpoint.every") == INT64_C(15000000000));
        assert_string_equal(json_string_value(json_array_get(config_tree(&config, "http.listen"), 0)), "[::1]:1");
        assert_non_null(json_object_get(config_tree(&config, "sources.file"), "anything")); /* for whoever it is for */
        assert_string_equal(config_text(&config, "log"), "info");
        config_done(&config);
}

static void a_wrong_file_is_refused_whole_with_a_sentence(void **state)
{
        (void)state;
        static const struct { const char *text, *told; } cases[] = {
                {"data: 5\n", "data must be a text"},
                {"retention:\n  days: -1\n", "retention.days must be a whole number"},
                {"retention:\n  days: 1.5\n", "retention.days must be a whole number"},
                {"retention:\n  bytes: 10 apples\n", "must be a size such as"},
                {"retention:\n  bytes: 99999999999TiB\n", "must be a size such as"},
                {"checkpoint:\n  every: 0s\n", "must be a duration"},
                {"checkpoint:\n  every: soon\n", "must be a duration"},
                {"http:\n  listen: 127.0.0.1:8400\n", "http.listen must be a list"},
                {"sources:\n  file: yes\n", "must hold keys"},
                {"retention:\n  dais: 7\n", "there is no key retention.dais; the nearest is retention.days"},
                {"retention: 7\n", "there is no key retention"},
                {"data:\n  deeper: x\n", "data must be a text"},
                {"- a\n- b\n", "must hold keys"},
                {"data: [\n", ""},
                {"a: &x 1\nb: *x\n", ""},
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct config config = {0};
                struct err err;
                assert_false(load(cases[i].text, &config, &err));
                assert_true(err.message[0]);
                if (!strstr(err.message, cases[i].told))
                        fail_msg("\"%s\" is not told: %s", cases[i].told, err.message);
                assert_null(config.tree);
        }
}

static void a_file_that_is_not_there_or_too_large_is_told(void **state)
{
        (void)state;
        struct config config;
        struct err err = {0};
        assert_false(config_load("/nowhere/evenkeel.yaml", &config, NULL, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        scoped(buf_done) struct buf small = {.bytes_max = 4};
        FILE *file = fopen(path, "w");
        fputs("longer than four", file);
        fclose(file);
        assert_false(config_read_file(path, &small, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void a_list_can_be_set_over_the_files(void **state)
{
        (void)state;
        static const char *const texts[] = {"127.0.0.1:1", "[::1]:2"};
        struct config config;
        struct err err;
        assert_true(load("http:\n  listen: ['0.0.0.0:9']\n", &config, &err));
        assert_true(config_set_list(&config, "http", "listen", texts, 2));
        assert_true(config_set_list(&config, "redact", "disable", texts, 1)); /* nothing of it was there */
        assert_int_equal(json_array_size(config_tree(&config, "http.listen")), 2);
        assert_string_equal(json_string_value(json_array_get(config_tree(&config, "http.listen"), 1)), "[::1]:2");
        assert_int_equal(json_array_size(config_tree(&config, "redact.disable")), 1);
        config_done(&config);
}

static void the_manual_has_every_key(void **state)
{
        (void)state;
        scoped(buf_done) struct buf manual = {0};
        static const char *const keys[] = {
#define C(path, type, otherwise, meaning) path,
#include "app/config.def"
#undef C
        };
        assert_true(config_manual(&manual));
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
                char quoted[64];
                size_t at;
                snprintf(quoted, sizeof quoted, "| `%s` |", keys[i]);
                assert_true(str_find(buf_str(&manual), str_of(quoted), &at));
        }
}

static void every_wrong_key_is_told_when_all_are_asked_for(void **state)
{
        (void)state;
        static struct faults faults;
        struct config config;
        struct err err = {0};
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("data: 7\nthreads: many\nhttp: {lsiten: 1, link: x}\nnonsense: {a: 1}\nlog: debug\n", file);
        fclose(file);
        assert_true(config_load(path, &config, &faults, &err));
        assert_int_equal(faults.count, 4);
        assert_string_equal(faults.items[0].place, "data");
        assert_string_equal(faults.items[2].err.message, "there is no key http.lsiten; the nearest is http.listen");
        assert_string_equal(faults.items[3].place, "nonsense");
        assert_string_equal(config_text(&config, "data"), "/var/lib/evenkeel"); /* what is wrong is as if it were not there */
        assert_string_equal(config_text(&config, "http.link"), "x");
        assert_string_equal(config_text(&config, "log"), "debug");
        config_done(&config);
        assert_false(config_load(path, &config, NULL, &err));
        assert_non_null(strstr(err.message, "evenkeel.yaml: data must be a text"));
}

int main(void)
{
#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                story(every_wrong_key_is_told_when_all_are_asked_for),
                story(without_a_file_all_defaults_hold),
                story(what_the_file_says_goes_before_the_default),
                story(a_wrong_file_is_refused_whole_with_a_sentence),
                story(a_file_that_is_not_there_or_too_large_is_told),
                story(a_list_can_be_set_over_the_files),
                story(the_manual_has_every_key),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
