/* similar_test - what is alike, why, and what is forgotten. */
#include "learn/similar.h"

#include "base/scope.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

SCOPED_PTR(similar_destroy, struct similar)

static struct text_features features;

static int start(void **state)
{
        (void)state;
        return text_features_init(&features) ? 0 : 1;
}

static int stop(void **state)
{
        (void)state;
        text_features_done(&features);
        return 0;
}

static struct similar_case incident(const char *alert, const char *entity, const char *title)
{
        struct similar_case made = {0};
        if (alert)
                similar_add(&made, SIMILAR_ALERT, str_of(alert));
        if (entity)
                similar_add(&made, SIMILAR_ENTITY, str_of(entity));
        similar_add_words(&made, &features, str_of(title));
        return made;
}

static void put(struct similar *similar, uint64_t id, const char *alert, const char *entity, const char *title)
{
        struct similar_case made = incident(alert, entity, title);
        assert_true(similar_put(similar, id, &made, NULL));
}

static void fill(struct similar *similar)
{
        put(similar, 1, "DiskFull", "db1", "disk of the database is full");
        put(similar, 2, "DiskFull", "web7", "disk of the web server is full");
        put(similar, 3, "HighLatency", "web7", "the site is slow");
        put(similar, 4, "HighLatency", "shop", "the shop is slow");
        put(similar, 5, "CertificateExpired", "shop", "browsers warn of the shop");
}

static void the_most_alike_come_first_with_what_they_have_in_common(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(0, NULL);
        struct similar_hit hits[3];
        fill(similar);
        struct similar_case asked = incident("DiskFull", "db1", "Disk full on database");
        assert_int_equal(similar_find(similar, &asked, 0, 0, hits, 3), 2);
        assert_int_equal(hits[0].id, 1);
        assert_int_equal(hits[1].id, 2);
        assert_true(hits[0].likeness > 0.8 && hits[0].likeness <= 1 && hits[1].likeness < hits[0].likeness);
        assert_true(str_is(asked.parts[hits[0].reasons[0].part].text, "DiskFull"));
        assert_true(str_is(asked.parts[hits[0].reasons[1].part].text, "db1"));
        float sum = 0;
        for (uint32_t i = 0; i < hits[0].reason_count; i++)
                sum += hits[0].reasons[i].share;
        assert_true(fabsf(sum - 1) < 1e-3f);
}

static void the_same_case_is_wholly_alike_and_a_strange_one_not_at_all(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(0, NULL);
        struct similar_hit hits[8];
        fill(similar);
        struct similar_case same = incident("HighLatency", "shop", "the shop is slow"), strange = incident("FanBroken", "rack4", "noise");
        assert_true(similar_find(similar, &same, 0, 0, hits, 8) > 1);
        assert_true(fabs(hits[0].likeness - 1) < 1e-9 && hits[0].id == 4);
        assert_int_equal(similar_find(similar, &strange, 0, 0, hits, 8), 0);
        assert_true(similar_find(similar, &same, 4, 0, hits, 8) > 0 && hits[0].id != 4);
        assert_int_equal(similar_find(similar, &same, 0, 0.99, hits, 8), 1);
}

static void a_rare_part_says_more_than_one_that_all_have(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(0, NULL);
        struct similar_hit hits[2];
        char name[16];
        for (uint64_t id = 10; id < 40; id++) {
                snprintf(name, sizeof name, "host%d", (int)id);
                put(similar, id, "Unreachable", name, "");
        }
        put(similar, 1, "Strange", "host15", "");
        struct similar_case asked = incident("Unreachable", "host15", "");
        similar_add(&asked, SIMILAR_ALERT, STR("Strange"));
        assert_int_equal(similar_find(similar, &asked, 15, 0, hits, 2), 2);
        assert_int_equal(hits[0].id, 1);
}

static void words_meet_in_any_case_and_parts_of_two_kinds_do_not(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(0, NULL);
        struct similar_hit hits[2];
        put(similar, 1, NULL, NULL, "\xC3\x9C" "BUNG Disk");
        put(similar, 2, "shop", NULL, "");
        struct similar_case words = incident(NULL, NULL, "disk \xC3\xBC" "bung"), other = incident(NULL, "shop", "");
        assert_int_equal(similar_find(similar, &words, 0, 0, hits, 2), 1);
        assert_true(fabs(hits[0].likeness - 1) < 1e-9);
        assert_int_equal(similar_find(similar, &other, 0, 0, hits, 2), 0);
}

static void the_one_put_longest_ago_is_forgotten_at_the_bound(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(3, NULL);
        fill(similar);
        put(similar, 3, "HighLatency", "web7", "again");        /* now the newest, nothing is lost */
        assert_int_equal(similar_counts(similar).cases, 3);
        assert_int_equal(similar_counts(similar).forgotten, 2);
        assert_int_equal(similar_counts(similar).put, 6);
        put(similar, 6, "X", "y", "z");                         /* 4 goes */
        assert_false(similar_forget(similar, 4));
        assert_true(similar_forget(similar, 3) && similar_forget(similar, 5) && similar_forget(similar, 6));
        assert_int_equal(similar_counts(similar).cases, 0);
}

static void parts_past_the_bound_are_left_out(void **state)
{
        (void)state;
        struct similar_case made = {0};
        char names[SIMILAR_PARTS_MAX + 5][16];
        for (int i = 0; i < SIMILAR_PARTS_MAX + 5; i++) {
                snprintf(names[i], sizeof names[i], "e%d", i);
                similar_add(&made, SIMILAR_ENTITY, str_of(names[i]));
                similar_add(&made, SIMILAR_ENTITY, str_of(names[i]));
                assert_int_equal(made.cut, i >= SIMILAR_PARTS_MAX);
        }
        assert_int_equal(made.count, SIMILAR_PARTS_MAX);
}

static void a_restored_memory_finds_the_same(void **state)
{
        (void)state;
        scoped_ptr(similar_destroy) struct similar *similar = similar_create(0, NULL);
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        struct similar_hit a[5], b[5];
        struct err err = {0};
        fill(similar);
        assert_true(similar_forget(similar, 2) && similar_snapshot(similar, &bytes, NULL));
        scoped_ptr(similar_destroy) struct similar *twin = similar_restore(buf_str(&bytes), 0, NULL);
        struct similar_case asked = incident("HighLatency", "shop", "disk slow");
        assert_int_equal(similar_find(similar, &asked, 0, 0, a, 5), similar_find(twin, &asked, 0, 0, b, 5));
        assert_true(a[0].id == b[0].id && a[0].likeness == b[0].likeness);
        assert_true(similar_snapshot(twin, &again, NULL) && str_equal(buf_str(&bytes), buf_str(&again)));
        for (size_t length = 0; length < bytes.length; length++) {
                assert_null(similar_restore(str_slice(buf_str(&bytes), 0, length), 0, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
        }
        scoped_ptr(similar_destroy) struct similar *smaller = similar_restore(buf_str(&bytes), 2, NULL);
        assert_int_equal(similar_counts(smaller).cases, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_most_alike_come_first_with_what_they_have_in_common),
                cmocka_unit_test(the_same_case_is_wholly_alike_and_a_strange_one_not_at_all),
                cmocka_unit_test(a_rare_part_says_more_than_one_that_all_have),
                cmocka_unit_test(words_meet_in_any_case_and_parts_of_two_kinds_do_not),
                cmocka_unit_test(the_one_put_longest_ago_is_forgotten_at_the_bound),
                cmocka_unit_test(parts_past_the_bound_are_left_out),
                cmocka_unit_test(a_restored_memory_finds_the_same),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
