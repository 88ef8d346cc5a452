/* remote_write_test - what Prometheus sends comes in whole; what it should not send is told so that an operator understands. */
#include "wire/remote_write.h"

#include "wire/decode_try.h"
#include "wire/protobuf.h"

#include <snappy-c.h>
#include <stdlib.h>

static void put_label(struct buf *series, const char *name, const char *value)
{
        scoped(buf_done) struct buf label = {0};
        protobuf_put_bytes(&label, 1, str_of(name));
        protobuf_put_bytes(&label, 2, str_of(value));
        protobuf_put_bytes(series, 1, buf_str(&label));
}

static void put_sample(struct buf *series, double value, int64_t time_ms)
{
        scoped(buf_done) struct buf sample = {0};
        uint64_t bits;
        memcpy(&bits, &value, 8);
        protobuf_put_fixed64(&sample, 1, bits);
        protobuf_put_scalar(&sample, 2, (uint64_t)time_ms);
        protobuf_put_bytes(series, 2, buf_str(&sample));
}

static struct batch *send(const struct buf *request, struct err *err, bool *out_good)
{
        struct batch *batch = try_batch(STR(""), STR(""));
        size_t length = snappy_max_compressed_length(request->length);
        char *packed = arena_alloc(&batch->arena, length);
        assert_int_equal(snappy_compress(request->bytes ? request->bytes : "", request->length, packed, &length), SNAPPY_OK);
        batch->bytes = (struct str){packed, length};
        *out_good = remote_write_decode(batch, err);
        return batch;
}

static void series_samples_and_metadata_come_in(void **state)
{
        (void)state;
        scoped(buf_done) struct buf request = {0}, up = {0}, unsorted = {0}, meta = {0};
        put_label(&up, "__name__", "up");
        put_label(&up, "instance", "a:9100");
        put_label(&up, "job", "n\xC3\xB6" "de");
        for (int i = 0; i < 10000; i++)
                put_sample(&up, i, 1767225600000 + i);
        put_label(&unsorted, "job", "x");
        put_label(&unsorted, "__name__", "late");
        put_label(&unsorted, "empty", "");
        put_sample(&unsorted, -1.5, -5);
        protobuf_put_scalar(&meta, 1, 1);
        protobuf_put_bytes(&meta, 2, STR("up"));
        protobuf_put_bytes(&meta, 4, STR("help"));
        protobuf_put_bytes(&request, 1, buf_str(&up));
        protobuf_put_bytes(&request, 1, buf_str(&unsorted));
        protobuf_put_bytes(&request, 3, buf_str(&meta));
        struct err err;
        bool good;
        scoped_ptr(batch_destroy) struct batch *batch = send(&request, &err, &good);
        assert_true(good);
        assert_int_equal(batch->telemetry.series.count, 2);
        const struct series_points *first = batch->telemetry.series.items, *second = first + 1;
        assert_int_equal(first->count, 10000);
        for (int i = 0; i < 10000; i++) {
                assert_true(first->samples[i].value == i);
                assert_int_equal(first->samples[i].time_ns, (1767225600000 + i) * NS_PER_MS);
        }
        assert_str(labels_value(&first->labels, STR("instance")), "a:9100");
        assert_int_equal(second->labels.count, 2);
        assert_str(second->labels.items[0].name, "__name__");
        assert_int_equal(second->samples[0].time_ns, -5 * NS_PER_MS);
        assert_int_equal(batch->telemetry.metas.items[0].type, METRIC_COUNTER);
        assert_int_equal(batch->telemetry.rejected, 0);
}

static void wrong_series_are_counted_and_the_rest_kept(void **state)
{
        (void)state;
        scoped(buf_done) struct buf request = {0}, good_one = {0}, nameless = {0}, twice = {0}, histogram = {0}, bytes = {0};
        put_label(&good_one, "__name__", "a");
        put_sample(&good_one, 1, 1767225600000);
        put_label(&nameless, "job", "a");
        put_sample(&nameless, 1, 1);
        put_label(&twice, "__name__", "a");
        put_label(&twice, "job", "a");
        put_label(&twice, "job", "b");
        put_sample(&twice, 1, 1);
        put_label(&bytes, "__name__", "a");
        put_label(&bytes, "job", "\xFF");
        put_sample(&bytes, 1, 1);
        put_label(&histogram, "__name__", "h");
        protobuf_put_bytes(&histogram, 4, STR(""));
        protobuf_put_bytes(&request, 1, buf_str(&nameless));
        protobuf_put_bytes(&request, 1, buf_str(&good_one));
        protobuf_put_bytes(&request, 1, buf_str(&twice));
        protobuf_put_bytes(&request, 1, buf_str(&bytes));
        protobuf_put_bytes(&request, 1, buf_str(&histogram));
        struct err err;
        bool good;
        scoped_ptr(batch_destroy) struct batch *batch = send(&request, &err, &good);
        assert_true(good);
        assert_int_equal(batch->telemetry.series.count, 1);
        assert_int_equal(batch->telemetry.rejected, 4);
        assert_str(batch->telemetry.rejected_why, "a series without a metric name (__name__)");
}

static void what_is_not_remote_write_is_refused_in_words(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(batch_destroy) struct batch *text = try_batch(STR("\xFF\xFF\xFF\xFF\xFF\xFFnot snappy"), STR(""));
        assert_false(remote_write_decode(text, &err));
        assert_non_null(strstr(err.message, "snappy's block format"));
        scoped_ptr(batch_destroy) struct batch *bomb = try_batch(STR("\x80\x80\x80\x0F" "abc"), STR(""));
        assert_false(remote_write_decode(bomb, &err));
        assert_non_null(strstr(err.message, "cannot hold"));
        scoped_ptr(batch_destroy) struct batch *huge = try_batch(STR("\x80\x80\x80\x80\x0F" "abc"), STR(""));
        assert_false(remote_write_decode(huge, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        scoped(buf_done) struct buf request = {0};
        buf_text(&request, "\x0A\x05\x0A\x09garbage");
        bool good;
        scoped_ptr(batch_destroy) struct batch *damaged = send(&request, &err, &good);
        assert_false(good);
        assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(series_samples_and_metadata_come_in),
                cmocka_unit_test(wrong_series_are_counted_and_the_rest_kept),
                cmocka_unit_test(what_is_not_remote_write_is_refused_in_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
