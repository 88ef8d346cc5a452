/* series_group_test - labels come back as they were, found by name, and damage is told. */
#include "store/series_group.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define SERIES 100

static char names[SERIES][32], labels[SERIES][96];
static struct new_series series[SERIES];

static int make_series(void **state)
{
        (void)state;
        for (int i = 0; i < SERIES; i++) {
                snprintf(names[i], sizeof names[i], "metric_%d", i / 10);
                snprintf(labels[i], sizeof labels[i], "\x08__name__metric_%d instance node-%02d.example.com:9100", i / 10, i);
                series[i] = (struct new_series){700 + (uint32_t)i, str_of(names[i]), str_of(labels[i])};
        }
        return 0;
}

static size_t visited;

static bool check(void *context, uint32_t id, struct str packed, struct err *err)
{
        (void)context;
        (void)err;
        assert_in_range(id, 700, 700 + SERIES - 1);
        assert_true(str_equal(packed, series[id - 700].packed_labels));
        visited++;
        return true;
}

static bool visit(const struct series_group *group, const uint16_t *name, struct err *err)
{
        visited = 0;
        return series_group_visit(group->first_id, buf_str(&group->names), buf_str(&group->labels), name, check, NULL, err);
}

static void labels_come_back_in_groups_of_ids_in_a_row(void **state)
{
        (void)state;
        scoped(series_group_done) struct series_group group = {0};
        struct err err = {0};
        series[80].id++; /* not in a row */
        assert_true(series_group_pack(series, SERIES, &group, &err));
        assert_int_equal(group.count, SERIES_GROUP_MAX);
        assert_true(visit(&group, NULL, &err));
        assert_int_equal(visited, SERIES_GROUP_MAX);
        assert_true(group.labels.length < group.plain.length / 4);
        assert_true(series_group_pack(series + SERIES_GROUP_MAX, SERIES - SERIES_GROUP_MAX, &group, &err));
        assert_int_equal(group.count, 80 - SERIES_GROUP_MAX);
        assert_int_equal(group.first_id, 700 + SERIES_GROUP_MAX);
        assert_true(visit(&group, NULL, &err));
        assert_int_equal(visited, 80 - SERIES_GROUP_MAX);
        series[80].id--;
}

static void a_name_finds_its_series_and_no_others(void **state)
{
        (void)state;
        scoped(series_group_done) struct series_group group = {0};
        struct err err = {0};
        assert_true(series_group_pack(series, SERIES, &group, &err));
        uint16_t there = series_group_name(STR("metric_2")), elsewhere = series_group_name(STR("metric_9"));
        assert_true(group.name_min <= there && there <= group.name_max);
        assert_true(visit(&group, &there, &err));
        assert_int_equal(visited, 10);
        assert_true(visit(&group, &elsewhere, &err));
        assert_int_equal(visited, 0);
}

static void labels_as_large_as_they_may_be_make_a_group_of_their_own(void **state)
{
        (void)state;
        scoped(series_group_done) struct series_group group = {0};
        static char large[SERIES_GROUP_BYTES + 100];
        struct err err = {0};
        struct str kept = series[0].packed_labels;
        memset(large, 'x', sizeof large);
        series[0].packed_labels = (struct str){large, sizeof large};
        assert_true(series_group_pack(series, SERIES, &group, &err));
        assert_int_equal(group.count, 1);
        assert_true(visit(&group, NULL, &err));
        assert_int_equal(visited, 1);
        series[0].packed_labels = kept;
}

static void any_byte_that_is_wrong_is_told(void **state)
{
        (void)state;
        scoped(series_group_done) struct series_group group = {0};
        assert_true(series_group_pack(series, SERIES, &group, NULL));
        for (size_t i = 0; i < group.labels.length; i++) {
                struct err err = {0};
                group.labels.bytes[i] ^= 0x10;
                if (!visit(&group, NULL, &err))
                        assert_int_equal(err.code, ERR_CORRUPT);
                else
                        assert_int_equal(visited, SERIES_GROUP_MAX); /* a bit that zstd does not look at; check has compared all */
                group.labels.bytes[i] ^= 0x10;
        }
        struct err err = {0};
        group.names.length -= 2;
        assert_false(visit(&group, NULL, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(labels_come_back_in_groups_of_ids_in_a_row),
                cmocka_unit_test(a_name_finds_its_series_and_no_others),
                cmocka_unit_test(labels_as_large_as_they_may_be_make_a_group_of_their_own),
                cmocka_unit_test(any_byte_that_is_wrong_is_told),
        };
        return cmocka_run_group_tests(tests, make_series, NULL);
}
