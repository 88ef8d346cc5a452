/* file_watch_test - a changed file is told once, with what changed; the first look and an untouched file are silent. */
#include "observe/intake_fake.c"

#include "base/scratch.h"
#include "observe/checks.h"
#include "observe/file_watch.h"
#include "wire/webhook.h"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>

struct stage {
        struct intake intake;
        struct checks *checks;
        struct check_plan *plan;
        struct file_watch *watch;
        char folder[SCRATCH_BYTES], path[200];
};

static void write_file(const char *path, const char *text)
{
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void begin(struct stage *stage)
{
        struct err err = {0};
        *stage = (struct stage){0};
        fake_init(&stage->intake);
        stage->intake.decode = webhook_decode;
        assert_int_equal(scratch_make(stage->folder, "watch"), 0);
        snprintf(stage->path, sizeof stage->path, "%s/app.conf", stage->folder);
        json_t *content = json_pack("{s:[{s:s, s:{s:[{s:s+, s:s}]}}]}", "files", "name", "t", "tree", "watch", "file", stage->folder, "/*.conf", "service", "app");
        assert_true(checks_create(&stage->checks, &err));
        if (!checks_configure(stage->checks, content, &err) || !file_watch_create(&stage->intake, &stage->watch, &err))
                fail_msg("%s", err.message);
        json_decref(content);
        stage->plan = checks_plan(stage->checks);
}

static void end(struct stage *stage)
{
        file_watch_destroy(stage->watch);
        check_plan_unref(stage->plan);
        checks_destroy(stage->checks);
        fake_done(&stage->intake);
        scratch_remove(stage->folder);
}

static void look(struct stage *stage)
{
        struct err err = {0};
        if (!file_watch_look(stage->watch, stage->plan, &err))
                fail_msg("%s", err.message);
}

static const struct change_event *change(struct stage *stage, size_t batch)
{
        assert_true(stage->intake.batches_count > batch);
        assert_int_equal(stage->intake.batches[batch]->telemetry.changes.count, 1);
        return &stage->intake.batches[batch]->telemetry.changes.items[0];
}

static void a_changed_line_is_told_with_what_went_and_came(void **state)
{
        (void)state;
        struct stage stage;
        char wanted[400];
        begin(&stage);
        write_file(stage.path, "listen 80;\nroot /srv;\nindex a;\n");
        look(&stage);
        look(&stage);
        assert_int_equal(stage.intake.batches_count, 0);
        write_file(stage.path, "listen 80;\nroot /data/www;\nindex a;\n");
        look(&stage);
        look(&stage);
        assert_int_equal(stage.intake.batches_count, 1);
        const struct change_event *event = change(&stage, 0);
        snprintf(wanted, sizeof wanted, "%s changed: 1 lines went, 1 came: - root /srv; + root /data/www;", stage.path);
        if (!str_is(event->title, wanted))
                fail_msg("%.*s", STR_ARGS(event->title));
        assert_true(str_is(event->kind, "configuration"));
        assert_true(str_is(labels_value(&event->labels, STR("service")), "app"));
        assert_true(event->by.length > 0);
        end(&stage);
}

static void a_file_that_comes_or_goes_is_told(void **state)
{
        (void)state;
        struct stage stage;
        size_t at;
        begin(&stage);
        look(&stage);
        write_file(stage.path, "a\n");
        look(&stage);
        assert_true(str_find(change(&stage, 0)->title, STR("was made"), &at));
        unlink(stage.path);
        look(&stage);
        assert_true(str_find(change(&stage, 1)->title, STR("was removed"), &at));
        look(&stage);
        assert_int_equal(stage.intake.batches_count, 2);
        end(&stage);
}

static void the_same_contents_written_again_are_no_change(void **state)
{
        (void)state;
        struct stage stage;
        begin(&stage);
        write_file(stage.path, "a\nb\n");
        look(&stage);
        write_file(stage.path, "a\nb\n");
        look(&stage);
        assert_int_equal(stage.intake.batches_count, 0);
        write_file(stage.path, "a\nb\nb\n");
        look(&stage);
        assert_int_equal(stage.intake.batches_count, 1);
        end(&stage);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_changed_line_is_told_with_what_went_and_came),
                cmocka_unit_test(a_file_that_comes_or_goes_is_told),
                cmocka_unit_test(the_same_contents_written_again_are_no_change),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
