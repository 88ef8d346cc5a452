/*
 * remote_write.c - see remote_write.h.
 *
 * Thousands of requests a second come this way, so labels and samples are written once, straight into large pieces of the
 * arena, and label names and values stay where snappy put them. A sorted series (all of Prometheus' are) costs one
 * comparison of eight bytes a label. Anything unusual goes the slow way through labels_canonical().
 */
#include "wire/remote_write.h"

#include "base/clock.h"
#include "base/reader.h"
#include "base/scope.h"
#include "wire/protobuf.h"
#include "wire/stream.h"

#include <snappy-c.h>

#define SNAPPY_RATIO_MAX 64    /* a copy of 64 bytes takes three: no honest block is above 22 */
#define PADDING 16             /* readable bytes behind the plain request, so that eight may be loaded anywhere */
#define PIECE_LABELS 4096
#define PIECE_SAMPLES 4096

struct decoding {
        struct batch *batch;
        struct label *labels, *labels_end;    /* free part of the newest piece */
        struct sample *samples, *samples_end;
        uint64_t histograms;
};

static bool uncompress(struct batch *batch, struct str *out_plain, struct err *err)
{
        size_t length = 0;
        struct str body = batch->bytes;
        if (snappy_uncompressed_length(body.bytes ? body.bytes : "", body.length, &length) != SNAPPY_OK)
                return fail(err, ERR_INVALID, "remote_write",
                            "the body of %zu bytes is not snappy: remote write sends a protobuf WriteRequest in snappy's block "
                            "format (not the framed one) with Content-Encoding: snappy", body.length);
        if (length > REMOTE_WRITE_BYTES_MAX)
                return fail(err, ERR_TOO_LARGE, "remote_write",
                            "the request says it is %zu bytes uncompressed, %zu at most; lower max_samples_per_send in the sender's "
                            "queue_config", length, REMOTE_WRITE_BYTES_MAX);
        if (length > body.length * SNAPPY_RATIO_MAX)
                return fail(err, ERR_INVALID, "remote_write", "a snappy body of %zu bytes cannot hold the %zu bytes it announces",
                            body.length, length);
        char *plain = arena_alloc(&batch->arena, length + PADDING);
        if (!plain)
                return fail_memory(err, "remote_write", length);
        if (snappy_uncompress(body.bytes, body.length, plain, &length) != SNAPPY_OK)
                return fail(err, ERR_INVALID, "remote_write",
                            "the snappy body of %zu bytes is damaged; a proxy between may have changed it", body.length);
        memset(plain + length, 0, PADDING);
        *out_plain = (struct str){plain, length};
        return true;
}

static inline uint64_t first_eight(struct str s)
{
        uint64_t word;
        memcpy(&word, s.bytes, 8); /* the plain request is padded */
        word = be64toh(word);
        return s.length >= 8 ? word : s.length ? word & ~UINT64_C(0) << (64 - 8 * s.length) : 0;
}

/* Whether a comes before b; a and b are in the padded request. */
static inline bool in_order(struct str a, uint64_t a_eight, struct str b, uint64_t b_eight)
{
        return a_eight != b_eight ? a_eight < b_eight : str_compare(a, b) < 0;
}

/* Whether no byte has its high bit: then texts are UTF-8 and lengths short. May read up to 15 bytes behind: padded. */
static inline bool is_ascii(const char *p, const char *end)
{
        uint64_t all = 0, word;
        for (; end - p >= 8; p += 8) {
                memcpy(&word, p, 8);
                all |= word;
        }
        memcpy(&word, p, 8);
        if (p < end)
                all |= le64toh(word) & ~UINT64_C(0) >> (64 - 8 * (end - p));
        return (all & UINT64_C(0x8080808080808080)) == 0;
}

static bool labels_are_utf8(const struct labels *labels)
{
        each (label, labels)
                if (!str_is_utf8(label->name) || !str_is_utf8(label->value))
                        return false;
        return true;
}

/* A length of one byte, which nearly all are, without a loop. */
static inline bool short_bytes(const char **p, const char *end, struct str *out)
{
        if (*p >= end)
                return false;
        size_t length = (unsigned char)**p;
        if (length < 0x80) {
                ++*p;
        } else {
                struct reader reader = {*p, end, false};
                length = reader_varint(&reader);
                if (reader.failed)
                        return false;
                *p = reader.next;
        }
        if ((size_t)(end - *p) < length)
                return false;
        *out = (struct str){*p, length};
        *p += length;
        return true;
}

static bool read_label_slow(struct str message, struct label *label)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        *label = (struct label){{message.bytes, 0}, {message.bytes, 0}};
        while (protobuf_next(&reader, &field)) {
                if (field.number == 1 && field.wire == PROTOBUF_BYTES)
                        label->name = field.bytes;
                else if (field.number == 2 && field.wire == PROTOBUF_BYTES)
                        label->value = field.bytes;
        }
        return !reader.failed;
}

/* Label { name = 1, value = 2 }, in that order and nothing else, as every sender writes it. */
static inline bool read_label(struct str message, struct label *label)
{
        const char *p = message.bytes, *end = p + message.length;
        if (p < end && *p == 0x0A && (p++, short_bytes(&p, end, &label->name)) && p < end && *p == 0x12 &&
            (p++, short_bytes(&p, end, &label->value)) && p == end)
                return true;
        return read_label_slow(message, label);
}

static bool read_sample_slow(struct str message, struct sample *sample)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        int64_t time_ms = 0;
        sample->value = 0;
        while (protobuf_next(&reader, &field)) {
                if (field.number == 1)
                        sample->value = protobuf_double(&field);
                else if (field.number == 2 && field.wire == PROTOBUF_VARINT)
                        time_ms = (int64_t)field.scalar;
        }
        if (__builtin_mul_overflow(time_ms, NS_PER_MS, &sample->time_ns))
                return false;
        return !reader.failed;
}

/* Sample { value = 1: double, timestamp = 2: ms }: 0x09, eight bytes, 0x10, six bytes of varint in our age. */
static inline bool read_sample(struct str message, struct sample *sample)
{
        const unsigned char *p = (const unsigned char *)message.bytes;
        if (message.length != 16 || p[0] != 0x09 || p[9] != 0x10 || p[15] >= 0x80 ||
            (p[10] & p[11] & p[12] & p[13] & p[14] & 0x80) == 0)
                return read_sample_slow(message, sample);
        memcpy(&sample->value, p + 1, 8);
        uint64_t ms = (uint64_t)(p[10] & 0x7F) | (uint64_t)(p[11] & 0x7F) << 7 | (uint64_t)(p[12] & 0x7F) << 14 |
                      (uint64_t)(p[13] & 0x7F) << 21 | (uint64_t)(p[14] & 0x7F) << 28 | (uint64_t)p[15] << 35;
        sample->time_ns = (int64_t)ms * NS_PER_MS;
        return true;
}

static bool room_for_labels(struct decoding *decoding, struct err *err)
{
        if (decoding->labels_end - decoding->labels > LABELS_MAX)
                return true;
        decoding->labels = arena_alloc(&decoding->batch->arena, PIECE_LABELS * sizeof *decoding->labels);
        if (!decoding->labels)
                return fail_memory(err, "remote_write", PIECE_LABELS * sizeof *decoding->labels);
        decoding->labels_end = decoding->labels + PIECE_LABELS;
        return true;
}

/* Room for one sample more behind the `count` that this series has at the end of the used part; moves them when needed. */
static struct sample *room_for_sample(struct decoding *decoding, struct sample *first, size_t count, struct err *err)
{
        size_t wanted = max_of((size_t)PIECE_SAMPLES, count * 2);
        struct sample *piece = arena_alloc(&decoding->batch->arena, wanted * sizeof *piece);
        if (!piece) {
                fail_memory(err, "remote_write", wanted * sizeof *piece);
                return NULL;
        }
        if (count)
                memcpy(piece, first, count * sizeof *piece);
        decoding->samples = piece + count;
        decoding->samples_end = piece + wanted;
        return piece;
}

/* Why a series cannot be kept; NULL: it can. */
static const char *series_fault(struct labels *labels, bool sorted, struct err *why)
{
        if (!sorted && !labels_canonical(labels, why))
                return why->message;
        if (!labels->count || !labels_value(labels, LABEL_METRIC_NAME).length)
                return "a series without a metric name (__name__)";
        return NULL;
}

static bool keep_series(struct decoding *decoding, struct labels *labels, bool sorted, struct sample *samples, size_t count,
                        struct err *err)
{
        struct err why;
        if (!sorted || !count || !labels->count || !str_equal(labels->items[0].name, LABEL_METRIC_NAME)) { /* __name__ mostly sorts first */
                const char *fault = series_fault(labels, sorted, &why);
                if (fault) {
                        stream_reject(decoding->batch, max_of(count, (size_t)1), "%s", fault);
                        return true;
                }
                if (!count) /* exemplars or histograms only */
                        return true;
        }
        struct series_points *series = arena_push(&decoding->batch->arena, &decoding->batch->telemetry.series);
        if (!series)
                return fail_memory(err, "remote_write", sizeof *series);
        *series = (struct series_points){*labels, samples, count};
        return true;
}

static bool bad(struct err *err, const char *what, const char *at, struct str plain)
{
        return fail(err, ERR_INVALID, "remote_write",
                    "%s at byte %zu of the uncompressed WriteRequest; the sender must speak remote write 1.0 (protobuf), nothing "
                    "else", what, (size_t)(at - plain.bytes));
}

/* TimeSeries { labels = 1, samples = 2, exemplars = 3, histograms = 4 }. */
static bool read_series(struct decoding *decoding, struct str message, struct str plain, struct err *err)
{
        if (!room_for_labels(decoding, err))
                return false;
        struct labels labels = {decoding->labels, 0, 0};
        struct sample *first = decoding->samples;
        size_t samples = 0;
        uint64_t previous = 0;
        bool sorted = true, too_many = false;
        const char *labels_end = message.bytes; /* of the labels' part */
        const char *p = message.bytes, *end = p + message.length;
        while (p < end) {
                struct str part;
                const char *at = p;
                unsigned char key = (unsigned char)*p++;
                if ((key != 0x0A && key != 0x12) || !short_bytes(&p, end, &part)) {
                        struct reader reader = {at, end, false};
                        struct protobuf_field field;
                        if (!protobuf_next(&reader, &field))
                                return bad(err, "a damaged series", at, plain);
                        decoding->histograms += field.number == 4;
                        p = reader.next;
                } else if (key == 0x0A) {
                        struct label *label = &labels.items[labels.count];
                        if (labels.count == LABELS_MAX) {
                                too_many = true;
                                continue;
                        }
                        if (!read_label(part, label))
                                return bad(err, "a damaged label", at, plain);
                        uint64_t eight = first_eight(label->name);
                        sorted &= label->value.length > 0 && label->name.length > 0 && label->name.length <= LABEL_BYTES_MAX &&
                                  label->value.length <= LABEL_BYTES_MAX &&
                                  (!labels.count || in_order(label[-1].name, previous, label->name, eight));
                        previous = eight;
                        labels.count++;
                        labels_end = p;
                } else {
                        if (decoding->samples == decoding->samples_end &&
                            !(first = room_for_sample(decoding, first, samples, err)))
                                return false;
                        if (!read_sample(part, decoding->samples))
                                return bad(err, "a damaged sample", at, plain);
                        decoding->samples++;
                        samples++;
                }
        }
        labels.capacity = labels.count;
        decoding->labels += labels.count;
        if (too_many) {
                stream_reject(decoding->batch, max_of(samples, (size_t)1), "a series with more than %d labels; drop some by "
                              "write_relabel_configs", LABELS_MAX);
                return true;
        }
        if (!is_ascii(message.bytes, labels_end) && !labels_are_utf8(&labels)) {
                stream_reject(decoding->batch, max_of(samples, (size_t)1), "a series with a label that is not UTF-8");
                return true;
        }
        return keep_series(decoding, &labels, sorted, first, samples, err);
}

/* MetricMetadata { type = 1, metric_family_name = 2, help = 4, unit = 5 }. */
static bool read_meta(struct decoding *decoding, struct str message, struct str plain, struct err *err)
{
        static const enum metric_type types[] = {METRIC_UNKNOWN,         METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM,
                                                 METRIC_GAUGE_HISTOGRAM, METRIC_SUMMARY, METRIC_INFO,  METRIC_STATESET};
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        struct metric_meta meta = {.name = STR(""), .help = STR(""), .unit = STR("")};
        while (protobuf_next(&reader, &field)) {
                if (field.number == 1 && field.wire == PROTOBUF_VARINT && field.scalar < countof(types))
                        meta.type = types[field.scalar];
                struct str *text = field.number == 2 ? &meta.name : field.number == 4 ? &meta.help : field.number == 5 ? &meta.unit : NULL;
                if (text && field.wire == PROTOBUF_BYTES)
                        *text = field.bytes;
        }
        if (reader.failed)
                return bad(err, "damaged metadata", message.bytes, plain);
        struct metric_meta *kept = meta.name.length ? arena_push(&decoding->batch->arena, &decoding->batch->telemetry.metas) : NULL;
        if (meta.name.length && !kept)
                return fail_memory(err, "remote_write", sizeof *kept);
        if (kept)
                *kept = meta;
        return true;
}

/* Room for as many series as there would be if all were as long as the first. */
static void expect_series(struct batch *batch, struct str plain)
{
        struct reader reader = reader_of(plain);
        struct protobuf_field first;
        if (!protobuf_next(&reader, &first))
                return;
        size_t series = plain.length / max_of(first.bytes.length, (size_t)64) + 1;
        struct series_points *items = arena_alloc(&batch->arena, series * sizeof *items);
        if (!items)
                return; /* the list grows by itself, or says that memory ran out */
        batch->telemetry.series.items = items;
        batch->telemetry.series.capacity = series;
}

/* WriteRequest { timeseries = 1, metadata = 3 }. */
bool remote_write_decode(struct batch *batch, struct err *err)
{
        struct str plain = {0};
        if (!uncompress(batch, &plain, err))
                return false;
        struct decoding decoding = {.batch = batch};
        expect_series(batch, plain);
        struct reader reader = reader_of(plain);
        struct protobuf_field field;
        while (protobuf_next(&reader, &field)) {
                if (field.wire != PROTOBUF_BYTES)
                        continue;
                if (field.number == 1 && !read_series(&decoding, field.bytes, plain, err))
                        return false;
                if (field.number == 3 && !read_meta(&decoding, field.bytes, plain, err))
                        return false;
        }
        if (reader.failed)
                return bad(err, "damaged protobuf", reader.next, plain);
        if (decoding.histograms)
                stream_reject(batch, decoding.histograms, "native histograms are not kept; set send_native_histograms: false in the "
                              "sender's remote_write");
        return true;
}
