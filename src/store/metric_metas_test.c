/* metric_metas_test - the newest word about a metric is kept, within bounds. */
#include "store/metric_metas.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct seen {
        char text[512];
        size_t count;
};

static void note(void *context, const struct metric_meta *meta)
{
        struct seen *seen = context;
        size_t used = strlen(seen->text);
        snprintf(seen->text + used, sizeof seen->text - used, "%.*s %s %.*s|", STR_ARGS(meta->name), metric_type_name(meta->type), STR_ARGS(meta->help));
        seen->count++;
}

static void the_newest_word_is_kept_in_order_of_names(void **state)
{
        (void)state;
        struct metric_metas *metas;
        struct seen seen = {0};
        assert_true(metric_metas_create(&metas, NULL));
        metric_metas_note(metas, &(struct metric_meta){STR("up"), STR("old"), STR(""), METRIC_UNKNOWN});
        metric_metas_note(metas, &(struct metric_meta){STR("load"), STR("Load."), STR(""), METRIC_GAUGE});
        metric_metas_note(metas, &(struct metric_meta){STR("up"), STR("Is it up?"), STR(""), METRIC_GAUGE});
        metric_metas_visit(metas, (struct str){0}, note, &seen);
        assert_string_equal(seen.text, "load gauge Load.|up gauge Is it up?|");
        seen = (struct seen){0};
        metric_metas_visit(metas, STR("missing"), note, &seen);
        assert_int_equal(seen.count, 0);
        metric_metas_destroy(metas);
}

static void names_beyond_the_bound_are_left_out_and_counted(void **state)
{
        (void)state;
        struct metric_metas *metas;
        assert_true(metric_metas_create(&metas, NULL));
        for (int i = 0; i < METRIC_METAS_MAX * 2; i++) {
                char name[32];
                int length = snprintf(name, sizeof name, "m%d", i);
                metric_metas_note(metas, &(struct metric_meta){{name, (size_t)length}, STR(""), STR(""), METRIC_COUNTER});
        }
        struct seen seen = {0};
        metric_metas_visit(metas, (struct str){0}, note, &seen);
        assert_int_equal(seen.count + metric_metas_left_out(metas), METRIC_METAS_MAX * 2);
        assert_in_range(seen.count, METRIC_METAS_MAX, METRIC_METAS_MAX * 2 - 1);
        metric_metas_destroy(metas);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_newest_word_is_kept_in_order_of_names),
                cmocka_unit_test(names_beyond_the_bound_are_left_out_and_counted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
