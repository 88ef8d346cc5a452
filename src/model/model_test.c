/* model_test - labels, batches and severities keep their promises. */
#include "model/batch.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void labels_become_canonical_or_say_why_not(void **state)
{
        (void)state;
        struct err err;
        struct label items[] = {{STR("z"), STR("1")}, {STR("a"), STR("2")}, {STR("m"), STR("")}};
        struct labels labels = {items, 3, 3};
        assert_true(labels_canonical(&labels, &err));
        assert_int_equal(labels.count, 2);
        assert_true(str_is(labels.items[0].name, "a"));
        struct label twice[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
        struct labels bad = {twice, 2, 2};
        assert_false(labels_canonical(&bad, &err));
        assert_string_equal(err.message, "the label a stands there twice; send it once");
}

static void an_id_is_the_hash_of_the_packed_form_however_long(void **state)
{
        (void)state;
        static char large[5000];
        memset(large, 'x', sizeof large);
        struct label items[] = {{STR("a"), STR("2")}, {STR("b"), {large, sizeof large}}};
        for (size_t count = 1; count <= 2; count++) {
                struct labels labels = {items, count, 2};
                scoped(buf_done) struct buf packed = {0};
                assert_true(labels_pack(&labels, &packed));
                assert_true(hash128_equal(labels_id(&labels), labels_id_packed(buf_str(&packed))));
        }
}

static void matchers_follow_prometheus(void **state)
{
        (void)state;
        struct err err;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct label items[] = {{STR("__name__"), STR("up")}, {STR("job"), STR("node")}};
        struct labels labels = {items, 2, 2};
        struct matchers matchers = {0};
        assert_true(matchers_add(&matchers, &arena, MATCH_REGEX, STR("job"), STR("no.*"), &err));
        assert_true(matchers_add(&matchers, &arena, MATCH_EQUAL, STR("missing"), STR(""), &err));
        assert_true(matchers_match(&matchers, &labels));
        assert_true(matchers_add(&matchers, &arena, MATCH_NOT_REGEX, STR("job"), STR("od"), &err));
        assert_true(matchers_match(&matchers, &labels)); /* anchored: "od" is not all of "node" */
        assert_false(matchers_add(&matchers, &arena, MATCH_REGEX, STR("job"), STR("a("), &err));
        matchers_done(&matchers);
        scoped(buf_done) struct buf text = {0};
        labels_print(&labels, &text);
        assert_true(str_is(buf_str(&text), "up{job=\"node\"}"));
}

static void a_regex_that_explodes_gives_up_and_says_so(void **state)
{
        (void)state;
        struct err err = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct matchers matchers = {0};
        assert_true(matchers_add(&matchers, &arena, MATCH_NOT_REGEX, STR("host"), STR("(a+)+b\\d"), &err));
        struct label host = {STR("host"), STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabx")};
        struct labels labels = {&host, 1, 1};
        assert_true(matchers_hold_out(&matchers, &err));
        matchers_match(&matchers, &labels);
        assert_false(matchers_hold_out(&matchers, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_non_null(strstr(err.message, "(a+)+b\\d"));
        matchers_done(&matchers);
}

static void a_stream_is_found_again_among_thousands(void **state)
{
        (void)state;
        struct err err;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct telemetry telemetry = {.arena = &arena};
        for (int round = 0; round < 2; round++)
                for (uint32_t i = 0; i < 5000; i++) {
                        struct label *items = arena_array(&arena, 2, sizeof *items);
                        items[0] = (struct label){STR("service"), STR("web")};
                        items[1] = (struct label){STR("host"), arena_printf(&arena, "h%u", i)};
                        struct labels labels = {items, 2, 2};
                        assert_int_equal(telemetry_stream(&telemetry, &labels, &err), i);
                }
        assert_int_equal(telemetry.streams.count, 5000);
}

static void a_batch_comes_back_from_its_payload(void **state)
{
        (void)state;
        struct err err;
        struct batch *batch = batch_create(7, STR("remote_write"), &err);
        struct label items[] = {{STR("job"), STR("x")}};
        batch->labels = (struct labels){items, 1, 1};
        batch->bytes = STR("any\0bytes");
        batch->received_ns = -5;
        scoped(buf_done) struct buf payload = {0};
        assert_true(batch_pack(batch, &payload));
        struct batch *again = batch_unpack(buf_str(&payload), &err);
        assert_non_null(again);
        assert_true(str_equal(again->bytes, batch->bytes) && again->received_ns == -5 && again->format == 7);
        assert_null(batch_unpack(str_slice(buf_str(&payload), 0, payload.length - 1), &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        batch_destroy(again);
        batch_destroy(batch);
}

static void streams_are_listed_once(void **state)
{
        (void)state;
        struct err err;
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        struct telemetry telemetry = {.arena = &arena};
        struct label one[] = {{STR("host"), STR("a")}}, two[] = {{STR("host"), STR("b")}}, again[] = {{STR("host"), STR("a")}};
        assert_int_equal(telemetry_stream(&telemetry, &(struct labels){one, 1, 1}, &err), 0);
        assert_int_equal(telemetry_stream(&telemetry, &(struct labels){two, 1, 1}, &err), 1);
        assert_int_equal(telemetry_stream(&telemetry, &(struct labels){again, 1, 1}, &err), 0);
        assert_int_equal(severity_of_name(STR("WARNING")), SEVERITY_WARN);
        assert_string_equal(severity_name(SEVERITY_NOTICE), "notice");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(labels_become_canonical_or_say_why_not),
                cmocka_unit_test(an_id_is_the_hash_of_the_packed_form_however_long),
                cmocka_unit_test(matchers_follow_prometheus),
                cmocka_unit_test(a_regex_that_explodes_gives_up_and_says_so),
                cmocka_unit_test(a_stream_is_found_again_among_thousands),
                cmocka_unit_test(a_batch_comes_back_from_its_payload),
                cmocka_unit_test(streams_are_listed_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
