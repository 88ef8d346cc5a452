/* stream_test - which labels a stream gets, how records are added to it, and how what is left out is counted. */
#include "wire/stream.h"

#include "wire/decode_try.h"

static struct batch *a_batch(void)
{
        struct err err;
        struct batch *batch = batch_create(1, STR("test"), &err);
        assert_non_null(batch);
        struct label *labels = arena_array(&batch->arena, 2, sizeof *labels);
        labels[0] = (struct label){STR("host"), STR("of-batch")};
        labels[1] = (struct label){STR("job"), STR("j")};
        batch->labels = (struct labels){labels, 2, 2};
        return batch;
}

static struct str value_of(struct batch *batch, uint32_t stream, const char *name)
{
        assert_in_range(stream, 0, batch->telemetry.streams.count - 1);
        return labels_value(&batch->telemetry.streams.items[stream], str_of(name));
}

static void a_messages_labels_go_before_those_of_its_batch(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(batch_destroy) struct batch *batch = a_batch();
        struct label labels[] = {{STR("service"), STR("s")}, {STR("host"), STR("of-message")}, {STR("service"), STR("again")}, {STR("empty"), STR("")}};
        uint32_t stream = stream_of(batch, labels, countof(labels), &err);
        assert_str(value_of(batch, stream, "host"), "of-message");
        assert_str(value_of(batch, stream, "job"), "j");
        assert_str(value_of(batch, stream, "service"), "s");
        assert_int_equal(batch->telemetry.streams.items[stream].count, 3);
        labels[1].value = STR(""); /* what the message leaves empty comes from the batch */
        assert_str(value_of(batch, stream_of(batch, labels, countof(labels), &err), "host"), "of-batch");
}

static void the_same_labels_are_the_same_stream(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(batch_destroy) struct batch *batch = a_batch();
        struct label one[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}}, turned[] = {{STR("b"), STR("2")}, {STR("a"), STR("1")}};
        uint32_t first = stream_of(batch, one, 2, &err);
        assert_int_equal(stream_of(batch, turned, 2, &err), first);
        turned[0].value = STR("3");
        assert_int_not_equal(stream_of(batch, turned, 2, &err), first);
        assert_int_equal(batch->telemetry.streams.count, 2);
}

static void values_that_are_not_utf8_or_too_long_are_made_good(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(batch_destroy) struct batch *batch = a_batch();
        static char large[LABEL_BYTES_MAX + 100];
        memset(large, 'x', sizeof large);
        struct label labels[] = {{STR("bad"), STR("a\xff" "b")}, {STR("good"), STR("\xc3\xbc")}, {STR("large"), {large, sizeof large}}};
        uint32_t stream = stream_of(batch, labels, countof(labels), &err);
        assert_str(value_of(batch, stream, "bad"), "a?b");
        assert_str(value_of(batch, stream, "good"), "\xc3\xbc");
        assert_int_equal(value_of(batch, stream, "large").length, LABEL_BYTES_MAX);
}

static void records_are_added_up_to_the_bound_of_a_batch(void **state)
{
        (void)state;
        struct err err = {0};
        scoped_ptr(batch_destroy) struct batch *batch = a_batch();
        stream_expect(batch, 3);
        struct log_record *first = stream_record(batch, 7, STR("line"), &err);
        assert_non_null(first);
        assert_int_equal(first->stream, 7);
        assert_str(first->line, "line");
        stream_expect(batch, 100); /* too late: what is there stays */
        assert_ptr_equal(batch->telemetry.records.items, first);
        batch->telemetry.records.count = (size_t)1 << ITEM_ORDINAL_BITS;
        assert_null(stream_record(batch, 7, STR("one too many"), &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void what_is_left_out_is_counted_and_the_first_reason_kept(void **state)
{
        (void)state;
        scoped_ptr(batch_destroy) struct batch *batch = a_batch();
        char large[1000];
        memset(large, 'y', sizeof large);
        stream_reject(batch, 2, "line %d is odd", 5);
        stream_reject(batch, 3, "another");
        assert_int_equal(batch->telemetry.rejected, 5);
        assert_str(batch->telemetry.rejected_why, "line 5 is odd");
        batch->telemetry.rejected_why = STR("");
        stream_reject(batch, 1, "%.*s", (int)sizeof large, large);
        assert_int_equal(batch->telemetry.rejected_why.length, 399);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_messages_labels_go_before_those_of_its_batch),
                cmocka_unit_test(the_same_labels_are_the_same_stream),
                cmocka_unit_test(values_that_are_not_utf8_or_too_long_are_made_good),
                cmocka_unit_test(records_are_added_up_to_the_bound_of_a_batch),
                cmocka_unit_test(what_is_left_out_is_counted_and_the_first_reason_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
