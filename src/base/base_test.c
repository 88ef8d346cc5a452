/* base_test - what every room stands on. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/keys.h"
#include "base/map.h"
#include "base/quantity.h"
#include "base/queue.h"
#include "base/reader.h"
#include "base/regex.h"
#include "base/scope.h"
#include "base/yaml.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void an_err_tells_what_its_callers_were_doing(void **state)
{
        (void)state;
        struct err err;
        assert_false(fail_errno(&err, ENOSPC, "disk", "writing %s", "a.seg"));
        assert_false(err_within(&err, "opening the journal"));
        assert_int_equal(err.code, ERR_FULL);
        assert_string_equal(err.message, "opening the journal: writing a.seg: No space left on device");
        assert_int_equal(err_http_status(ERR_BUSY), 429);
}

static void packed_bytes_lie_side_by_side_and_what_follows_is_aligned(void **state)
{
        (void)state;
        struct arena arena;
        arena_init(&arena, 0);
        arena.chunk_bytes_max = 16 * 1024;
        struct str one = arena_pack(&arena, STR("abc")), two = arena_pack(&arena, STR("defg"));
        assert_ptr_equal(one.bytes + one.length, two.bytes);
        assert_int_equal((uintptr_t)arena_alloc(&arena, 8) % 16, 0);
        assert_true(str_is(one, "abc") && str_is(two, "defg"));
        size_t most = 0;
        for (size_t held = arena.bytes_held; arena.bytes_held < 256 * 1024; held = arena.bytes_held) {
                assert_non_null(arena_pack(&arena, STR("a text of some length")).bytes);
                most = max_of(most, arena.bytes_held - held);
        }
        assert_int_equal(most, 16 * 1024);
        arena_done(&arena);
        assert_int_equal(arena.bytes_held, 0);
}

static void an_arena_refuses_beyond_its_bound_and_can_be_used_again(void **state)
{
        (void)state;
        struct arena arena;
        arena_init(&arena, 64 * 1024);
        assert_non_null(arena_alloc(&arena, 60 * 1024));
        assert_null(arena_alloc(&arena, 60 * 1024));
        arena_reset(&arena);
        struct str text = arena_printf(&arena, "%d-%s", 7, "x");
        assert_true(str_is(text, "7-x"));
        arena_done(&arena);
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
        (void)state;
        int64_t integer = 5;
        double real;
        assert_true(str_to_i64(STR("-9223372036854775808"), &integer) && integer == INT64_MIN);
        assert_false(str_to_i64(STR("9223372036854775808"), &integer));
        assert_false(str_to_i64(STR("12x"), &integer));
        assert_true(str_to_double(STR("+Inf"), &real) && real > 1e308);
        assert_false(str_to_double(STR("1.5 "), &real));
}

static void text_is_utf8_or_not(void **state)
{
        (void)state;
        assert_true(str_is_utf8(STR("caf\xC3\xA9 \xF0\x9F\x98\x80 plain text")));
        assert_false(str_is_utf8(STR("\xC0\x80")));
        assert_false(str_is_utf8(STR("\xED\xA0\x80")));
        assert_false(str_is_utf8(STR("abcdefgh\xE2\x82")));
}

static void endings_and_words_of_a_list_are_whole_ones(void **state)
{
        (void)state;
        assert_true(str_ends_with(STR("day.db"), STR(".db")) && str_ends_with(STR(".db"), STR(".db")) && str_ends_with(STR("x"), STR("")));
        assert_false(str_ends_with(STR("db"), STR(".db")) || str_ends_with(STR("day.db-wal"), STR(".db")) || str_ends_with((struct str){0}, STR("x")));
        assert_true(str_has_word(STR("name timeout"), STR("timeout")) && str_has_word(STR("name"), STR("name")));
        assert_false(str_has_word(STR("name timeout"), STR("time")) || str_has_word(STR("name timeout"), STR("name timeout")) || str_has_word(STR(""), STR("x")));
}

static void a_reader_never_steps_past_the_end(void **state)
{
        (void)state;
        scoped(buf_done) struct buf bytes = {0};
        buf_varint(&bytes, 300);
        buf_u32(&bytes, 7);
        struct reader reader = reader_of(buf_str(&bytes));
        assert_int_equal(reader_varint(&reader), 300);
        assert_int_equal(reader_u32(&reader), 7);
        assert_false(reader.failed);
        assert_int_equal(reader_u8(&reader), 0);
        assert_true(reader.failed);
}

static void a_map_finds_what_was_put_and_forgets_what_was_removed(void **state)
{
        (void)state;
        struct map map = {0};
        for (uint32_t i = 0; i < 5000; i++)
                assert_true(map_put(&map, i * 17 % 1000, i)); /* five of each hash */
        for (uint32_t i = 0; i < 5000; i += 2)
                assert_true(map_remove(&map, i * 17 % 1000, i));
        size_t at, found = 0;
        for (uint64_t hash = 0; hash < 1000; hash++)
                for (uint32_t i = map_first(&map, hash, &at); i != MAP_NONE; i = map_next(&map, hash, &at)) {
                        assert_true(i % 2 == 1 && i * 17 % 1000 == hash);
                        found++;
                }
        assert_int_equal(found, 2500);
        map_done(&map);
}

static uint64_t key_of(uint32_t number, uint32_t round)
{
        return (uint64_t)number << 32 | (number * 7 + round * 3) % 64; /* few homes: long runs that wrap around */
}

static void keys_are_numbered_as_they_come_and_found_until_replaced(void **state)
{
        (void)state;
        scoped(keys_done) struct keys keys = {0};
        assert_int_equal(keys_find(&keys, 1), KEYS_NONE);
        assert_false(keys_are(&keys, 0, 1));
        for (uint32_t i = 0; i < 3000; i++) {
                assert_true(keys_add(&keys, key_of(i, 0)));
                assert_int_equal(keys.count, i + 1);
        }
        for (uint32_t i = 0; i < 3000; i += 3)
                keys_replace(&keys, i, key_of(i + 10000, 1));
        for (uint32_t i = 0; i < 3000; i++) {
                uint64_t key = i % 3 ? key_of(i, 0) : key_of(i + 10000, 1);
                assert_int_equal(keys_find(&keys, key), i);
                assert_true(keys_are(&keys, i, key));
                assert_false(keys_are(&keys, i + 1, key));
                if (i % 3 == 0)
                        assert_int_equal(keys_find(&keys, key_of(i, 0)), KEYS_NONE);
        }
}

static void any_bytes_are_a_text_of_json(void **state)
{
        (void)state;
        scoped_ptr(json_decref) json_t *good = json_text(STR("caf\xc3\xa9")), *none = json_text((struct str){0}), *bad = json_text(STR("\xff\xfe"));
        assert_string_equal(json_string_value(good), "caf\xc3\xa9");
        assert_string_equal(json_string_value(none), "");
        assert_string_equal(json_string_value(bad), "(not UTF-8)");
}

static void a_full_queue_refuses_and_a_closed_one_gives_what_is_left(void **state)
{
        (void)state;
        int things[3];
        struct queue queue;
        queue_init(&queue, 10);
        assert_true(queue_try_push(&queue, &things[0], 6));
        assert_false(queue_try_push(&queue, &things[1], 6));
        assert_true(queue_try_push(&queue, &things[1], 4));
        assert_int_equal(queue.refused, 1);
        queue_close(&queue);
        assert_false(queue_push(&queue, &things[2], 1));
        assert_ptr_equal(queue_pop(&queue, -1), &things[0]);
        assert_ptr_equal(queue_pop(&queue, -1), &things[1]);
        assert_null(queue_pop(&queue, -1));
        queue_done(&queue);
}

static void times_are_written_as_people_and_programs_read_them(void **state)
{
        (void)state;
        char text[CLOCK_RFC3339_BYTES];
        clock_rfc3339(INT64_C(1700000000123456789), 3, text);
        assert_string_equal(text, "2023-11-14T22:13:20.123Z");
        clock_rfc3339(-1, 9, text);
        assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
        assert_int_equal(clock_days_of_date(2000, 2, 29), 11016);
}

static void a_clock_that_is_set_back_has_still_passed(void **state)
{
        (void)state;
        struct clock clock;
        clock_init_virtual(&clock, 5000);
        clock_advance(&clock, 1000);
        clock_advance(&clock, -4000);
        clock_advance(&clock, 10);
        assert_int_equal(clock_now_ns(&clock), 2010);
        assert_int_equal(clock_monotonic_ns(&clock), 6010);
}

static void yaml_becomes_a_tree_and_aliases_are_refused(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(json_decref) json_t *tree = yaml_parse(STR("a: 1\nb:\n  - x: true\n    y: '1'\n"), "t.yaml", &err);
        assert_non_null(tree);
        assert_int_equal(json_i64(tree, "a", 0), 1);
        assert_true(str_is(json_str(json_array_get(json_object_get(tree, "b"), 0), "y"), "1"));
        assert_null(yaml_parse(STR("a: &x 1\nb: *x\n"), "t.yaml", &err));
        assert_string_equal(err.message, "t.yaml, line 1, column 4: anchors are not allowed; write the value out");
        assert_null(yaml_parse(STR("a: 1\na: 2\n"), "t.yaml", &err));
        scoped_ptr(json_decref) json_t *nothing = yaml_parse((struct str){0}, "t.yaml", &err);
        assert_true(json_is_object(nothing) && json_object_size(nothing) == 0);
}

static void a_regex_is_anchored_or_not_and_never_hangs(void **state)
{
        (void)state;
        struct err err;
        struct regex *whole, *anywhere, *slow;
        assert_true(regex_create(STR("no.e"), REGEX_WHOLE, "test", &whole, &err));
        assert_true(regex_create(STR("no.e"), REGEX_ANYWHERE, "test", &anywhere, &err));
        assert_int_equal(regex_match(whole, STR("node")), REGEX_YES);
        assert_int_equal(regex_match(whole, STR("a node")), REGEX_NO);
        assert_int_equal(regex_match(anywhere, STR("a \xFF node")), REGEX_YES);
        assert_false(regex_create(STR("a("), REGEX_WHOLE, "test", &slow, &err));
        assert_non_null(strstr(err.message, "\"a(\" is wrong at character 3"));
        assert_true(regex_create(STR("^(a+)+$"), REGEX_ANYWHERE, "test", &slow, &err));
        assert_int_equal(regex_match(slow, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")), REGEX_GAVE_UP);
        assert_true(regex_has_given_up(slow));
        regex_destroy(whole);
        regex_destroy(anywhere);
        regex_destroy(slow);
}

static void any_bytes_become_a_json_string(void **state)
{
        (void)state;
        scoped(buf_done) struct buf out = {0};
        assert_true(json_quote(&out, STR("a\"\n\x01\xFF\xC3\xA9")));
        assert_true(str_is(buf_str(&out), "\"a\\\"\\n\\u0001\\ufffd\xC3\xA9\""));
}

static void numbers_are_written_as_a_person_reads_them(void **state)
{
        static const struct { void (*write)(double number, struct buf *out); double number; const char *text; } cases[] = {
                {quantity_si, 16200000, "16.2M"},     {quantity_si, 0.25, "250m"},           {quantity_si, -1234, "-1.234k"},
                {quantity_iec, 41710000, "39.78Mi"},  {quantity_iec, 512, "512"},            {quantity_percentage, 0.25, "25%"},
                {quantity_duration, 0.0125, "12.5ms"}, {quantity_duration, 7500, "2h 5m 0s"}, {quantity_duration, -90061, "-1d 1h 1m 1s"},
                {quantity_duration, NAN, "nans"},     {quantity_duration, INFINITY, "infs"},
        };
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                scoped(buf_done) struct buf text = {0};
                cases[i].write(cases[i].number, &text);
                buf_byte(&text, 0);
                assert_string_equal(text.bytes, cases[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(endings_and_words_of_a_list_are_whole_ones),
                cmocka_unit_test(an_err_tells_what_its_callers_were_doing),
                cmocka_unit_test(numbers_are_written_as_a_person_reads_them),
                cmocka_unit_test(packed_bytes_lie_side_by_side_and_what_follows_is_aligned),
                cmocka_unit_test(an_arena_refuses_beyond_its_bound_and_can_be_used_again),
                cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
                cmocka_unit_test(text_is_utf8_or_not),
                cmocka_unit_test(a_reader_never_steps_past_the_end),
                cmocka_unit_test(a_map_finds_what_was_put_and_forgets_what_was_removed),
                cmocka_unit_test(keys_are_numbered_as_they_come_and_found_until_replaced),
                cmocka_unit_test(any_bytes_are_a_text_of_json),
                cmocka_unit_test(a_full_queue_refuses_and_a_closed_one_gives_what_is_left),
                cmocka_unit_test(times_are_written_as_people_and_programs_read_them),
                cmocka_unit_test(a_clock_that_is_set_back_has_still_passed),
                cmocka_unit_test(yaml_becomes_a_tree_and_aliases_are_refused),
                cmocka_unit_test(a_regex_is_anchored_or_not_and_never_hangs),
                cmocka_unit_test(any_bytes_become_a_json_string),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
