/* pack_tree_test - what packs.disable leaves in force of what ships. */
#include "app/pack_tree.h"

#include "base/json.h"
#include "base/scope.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static bool keep(void *into, const char *name, json_t *tree, struct err *err)
{
        (void)err;
        return json_object_set(into, name, tree) == 0;
}

/* NULL: refused. */
static json_t *in_force(const char *disabled, struct err *err)
{
        scoped_ptr(json_decref) json_t *names = json_parse(str_of(disabled), err);
        json_t *trees = json_object();
        assert_true(names && trees);
        if (pack_trees_each(names, keep, trees, err))
                return trees;
        json_decref(trees);
        return NULL;
}

static bool has_item(const json_t *list, const char *key, const char *name)
{
        size_t i;
        json_t *item;
        json_array_foreach ((json_t *)list, i, item)
                if (str_is(json_str(item, key), name))
                        return true;
        return false;
}

static bool has_rule(const json_t *trees, const char *name)
{
        const char *file;
        json_t *tree, *group;
        size_t i;
        json_object_foreach ((json_t *)trees, file, tree)
                json_array_foreach (json_object_get(tree, "groups"), i, group)
                        if (has_item(json_object_get(group, "rules"), "alert", name))
                                return true;
        return false;
}

static bool has_runbook(const json_t *trees, const char *name)
{
        const char *file;
        json_t *tree;
        json_object_foreach ((json_t *)trees, file, tree)
                if (has_item(json_object_get(tree, "runbooks"), "name", name))
                        return true;
        return false;
}

static void all_is_in_force_when_nothing_is_named(void **state)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *trees = in_force("[]", &err);
        (void)state;
        assert_true(trees && has_rule(trees, "SwapAlmostGone") && has_rule(trees, "NginxDown") && has_runbook(trees, "restart-failed-unit"));
}

static void a_pack_is_left_out_with_all_its_files(void **state)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *trees = in_force("[\"linux\"]", &err);
        const char *file;
        json_t *tree;
        (void)state;
        assert_true(trees && json_object_size(trees) > 0 && has_rule(trees, "NginxDown"));
        json_object_foreach (trees, file, tree)
                assert_int_not_equal(strncmp(file, "packs/linux/", 12), 0);
}

static void one_rule_one_limit_and_one_runbook_are_left_out_and_nothing_else(void **state)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *all = in_force("[]", &err);
        scoped_ptr(json_decref) json_t *trees = in_force("[\"linux/SwapAlmostGone\", \"linux/FilesystemFillsUp\", \"linux/restart-failed-unit\"]", &err);
        const char *file;
        json_t *tree;
        size_t limits = 0, limits_before = 0;
        (void)state;
        assert_true(all && trees);
        assert_int_equal(json_object_size(trees), json_object_size(all));
        assert_false(has_rule(trees, "SwapAlmostGone"));
        assert_true(has_rule(trees, "MemoryAlmostGone"));
        assert_false(has_runbook(trees, "restart-failed-unit"));
        assert_true(has_runbook(trees, "restart-failed-unit-here"));
        json_object_foreach (trees, file, tree) {
                limits += json_array_size(json_object_get(tree, "watch"));
                limits_before += json_array_size(json_object_get(json_object_get(all, file), "watch"));
                assert_false(has_item(json_object_get(tree, "watch"), "alert", "FilesystemFillsUp"));
        }
        assert_int_equal(limits + 1, limits_before);
}

static void a_name_that_nothing_has_is_refused_and_said(void **state)
{
        static const char *const wrong[] = {"[\"linus\"]", "[\"linux/SwapAlmostGon\"]", "[\"web/SwapAlmostGone\"]", "[\"\"]", "[\"linux/\"]", "[7]"};
        (void)state;
        for (size_t i = 0; i < countof(wrong); i++) {
                struct err err = {0};
                assert_null(in_force(wrong[i], &err));
                assert_int_equal(err.code, ERR_NOT_FOUND);
                assert_non_null(strstr(err.message, "packs.disable"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_is_in_force_when_nothing_is_named),
                cmocka_unit_test(a_pack_is_left_out_with_all_its_files),
                cmocka_unit_test(one_rule_one_limit_and_one_runbook_are_left_out_and_nothing_else),
                cmocka_unit_test(a_name_that_nothing_has_is_refused_and_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
