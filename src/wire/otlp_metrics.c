/* otlp_metrics.c - see otlp.h: ExportMetricsServiceRequest > ResourceMetrics > ScopeMetrics > Metric > points. */
#include "wire/otlp.h"

#include "base/scope.h"
#include "wire/exposition_write.h"
#include "wire/metric_name.h"
#include "wire/otlp_value.h"
#include "wire/stream.h"

#include <math.h>

#define BUCKETS_MAX 2048
#define TEMPORALITY_DELTA 1
#define FLAG_NO_VALUE 1

struct decoding {
        struct batch *batch;
        struct labels target; /* job, instance and the batch's own */
        int64_t newest_ns;    /* of the resource's points */
};

struct metric {
        struct str name, description, unit;
        struct str data;      /* the message of its kind */
        uint32_t kind;        /* its field number in Metric; 0: none */
        struct str full_name; /* Prometheus' */
};

enum { KIND_GAUGE = 5, KIND_SUM = 7, KIND_HISTOGRAM = 9, KIND_EXPONENTIAL = 10, KIND_SUMMARY = 11 };

/* One point of any kind. */
struct point {
        struct labels attributes;
        int64_t time_ns;
        double value, sum;
        uint64_t count;
        bool has_sum, no_value;
        struct { double *items; size_t count, capacity; } bounds;  /* explicit bounds; quantiles of a summary */
        struct { double *items; size_t count, capacity; } counts;  /* per bucket; values of a summary */
};

static double as_double(uint64_t bits)
{
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
}

/* A repeated fixed64: packed, or one a field. */
#define push_fixed64(arena, vector, field, convert)                                                                    \
        ({                                                                                                             \
                struct reader values_ = reader_of((field)->bytes);                                                     \
                uint64_t one_ = (field)->scalar;                                                                       \
                bool good_ = true, single_ = (field)->wire == PROTOBUF_FIXED64;                                        \
                while (good_ && (single_ || reader_left(&values_)) && (vector)->count < BUCKETS_MAX) {                 \
                        uint64_t bits_ = single_ ? one_ : reader_u64(&values_);                                        \
                        single_ = false;                                                                               \
                        double *item_ = values_.failed ? NULL : arena_push(arena, vector);                             \
                        good_ = item_ != NULL;                                                                         \
                        if (good_)                                                                                     \
                                *item_ = convert(bits_);                                                               \
                }                                                                                                      \
                good_;                                                                                                 \
        })
#define AS_COUNT(bits) ((double)(bits))

static bool read_quantile(struct arena *arena, struct str message, struct point *point)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        double *quantile = arena_push(arena, &point->bounds), *value = arena_push(arena, &point->counts);
        while (quantile && value && protobuf_next(&reader, &field))
                if (field.number == 1 || field.number == 2)
                        *(field.number == 1 ? quantile : value) = protobuf_double(&field);
        return quantile && value && !reader.failed;
}

/* Field numbers differ between kinds only where a switch on the kind says so. */
static bool read_point(struct arena *arena, uint32_t kind, struct str message, struct point *out_point, struct err *err)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        struct point point = {0};
        uint32_t attributes = kind == KIND_HISTOGRAM ? 9 : 7, flags = kind == KIND_HISTOGRAM ? 10 : 8;
        bool is_number = kind == KIND_GAUGE || kind == KIND_SUM, good = true;
        while (good && protobuf_next(&reader, &field)) {
                if (field.number == attributes && field.wire == PROTOBUF_BYTES)
                        good = otlp_attribute(arena, field.bytes, &point.attributes, err);
                else if (field.number == flags)
                        point.no_value = field.scalar & FLAG_NO_VALUE;
                else if (field.number == 3)
                        point.time_ns = (int64_t)field.scalar;
                else if (field.number == 4 && is_number)
                        point.value = protobuf_double(&field);
                else if (field.number == 6 && is_number)
                        point.value = (double)(int64_t)field.scalar;
                else if (field.number == 4)
                        point.count = field.scalar;
                else if (field.number == 5 && !is_number) {
                        point.sum = protobuf_double(&field);
                        point.has_sum = true;
                } else if (field.number == 6 && kind == KIND_SUMMARY && point.bounds.count < BUCKETS_MAX)
                        good = read_quantile(arena, field.bytes, &point) || otlp_damaged(err, "a quantile");
                else if (field.number == 6 && kind == KIND_HISTOGRAM)
                        good = push_fixed64(arena, &point.counts, &field, AS_COUNT) || otlp_damaged(err, "a histogram");
                else if (field.number == 7 && kind == KIND_HISTOGRAM)
                        good = push_fixed64(arena, &point.bounds, &field, as_double) || otlp_damaged(err, "a histogram");
        }
        if (!good || reader.failed)
                return good ? otlp_damaged(err, "a data point") : false;
        point.time_ns = max_of(point.time_ns, (int64_t)0);
        *out_point = point;
        return true;
}

static bool put_label(struct arena *arena, struct labels *labels, struct str name, struct str value, struct err *err)
{
        struct label *label = name.bytes && value.bytes ? arena_push(arena, labels) : NULL;
        if (!label)
                return fail_memory(err, "otlp", sizeof *label);
        *label = (struct label){name, value};
        return true;
}

/* The attributes as labels, once a point; two that come to the same name are joined by ; as the specification says. */
static bool name_attributes(struct arena *arena, struct point *point, struct err *err)
{
        struct labels named = {0}, *labels = &named;
        each (attribute, &point->attributes) {
                struct str name = metric_label_name(arena, attribute->name);
                struct label *same = name.bytes ? labels_find(labels, name) : NULL;
                if (!same) {
                        if (!put_label(arena, labels, name, attribute->value, err))
                                return false;
                        continue;
                }
                same->value = arena_printf(arena, "%.*s;%.*s", STR_ARGS(same->value), STR_ARGS(attribute->value));
                if (!same->value.bytes)
                        return fail_memory(err, "otlp", attribute->value.length);
        }
        point->attributes = named;
        return true;
}

/* Whether the labels may become a series; why not goes to rejected_why. */
static bool labels_good(struct decoding *decoding, struct labels *labels, struct str name)
{
        struct err why;
        if (!labels_canonical(labels, &why)) {
                stream_reject(decoding->batch, 1, "%.*s: %s", (int)min_of(name.length, (size_t)100), name.bytes, why.message);
                return false;
        }
        each (label, labels)
                if (!str_is_utf8(label->value)) {
                        stream_reject(decoding->batch, 1, "%.*s: the label %.*s is not UTF-8", (int)min_of(name.length, (size_t)100),
                                      name.bytes, STR_ARGS(label->name));
                        return false;
                }
        return true;
}

/* One sample: name and suffix, the point's labels, the target's and perhaps one more (le, quantile). */
static bool put_sample(struct decoding *decoding, const struct metric *metric, const char *suffix, const struct point *point,
                       const char *extra, struct str extra_value, double value, struct err *err)
{
        struct arena *arena = &decoding->batch->arena;
        struct labels labels = {0};
        struct str name = *suffix ? arena_printf(arena, "%.*s%s", STR_ARGS(metric->full_name), suffix) : metric->full_name;
        if (!put_label(arena, &labels, LABEL_METRIC_NAME, name, err))
                return false;
        if (extra && !put_label(arena, &labels, str_of(extra), extra_value, err))
                return false;
        each (target, &decoding->target)
                if (!put_label(arena, &labels, target->name, target->value, err))
                        return false;
        each (label, &point->attributes)
                if (!labels_find(&labels, label->name) && !put_label(arena, &labels, label->name, label->value, err))
                        return false;
        if (!labels_good(decoding, &labels, name))
                return true;
        struct sample *sample = arena_alloc(arena, sizeof *sample);
        struct series_points *series = sample ? arena_push(arena, &decoding->batch->telemetry.series) : NULL;
        if (!series)
                return fail_memory(err, "otlp", sizeof *series);
        *sample = (struct sample){point->time_ns, point->no_value ? as_double(STALE_NAN_BITS) : value};
        *series = (struct series_points){labels, sample, 1};
        decoding->newest_ns = max_of(decoding->newest_ns, point->time_ns);
        return true;
}

static struct str number_text(struct arena *arena, double value)
{
        scoped(buf_done) struct buf text = {0};
        exposition_number(&text, value);
        return text.failed ? (struct str){0} : arena_str(arena, buf_str(&text));
}

static bool put_count_and_sum(struct decoding *decoding, const struct metric *metric, const struct point *point, struct err *err)
{
        return put_sample(decoding, metric, "_count", point, NULL, STR(""), (double)point->count, err) &&
               (!point->has_sum || put_sample(decoding, metric, "_sum", point, NULL, STR(""), point->sum, err));
}

static bool put_histogram(struct decoding *decoding, const struct metric *metric, const struct point *point, struct err *err)
{
        if (point->counts.count && point->counts.count != point->bounds.count + 1) {
                stream_reject(decoding->batch, 1, "%.*s: a histogram with %zu bounds and %zu buckets", STR_ARGS(metric->full_name),
                              point->bounds.count, point->counts.count);
                return true;
        }
        double below = 0;
        for (size_t i = 0; i < point->bounds.count && point->counts.count; i++) {
                below += point->counts.items[i];
                if (!isinf(point->bounds.items[i]) &&
                    !put_sample(decoding, metric, "_bucket", point, "le", number_text(&decoding->batch->arena, point->bounds.items[i]),
                                below, err))
                        return false;
        }
        return put_sample(decoding, metric, "_bucket", point, "le", STR("+Inf"), (double)point->count, err) &&
               put_count_and_sum(decoding, metric, point, err);
}

static bool put_summary(struct decoding *decoding, const struct metric *metric, const struct point *point, struct err *err)
{
        for (size_t i = 0; i < point->bounds.count; i++)
                if (!put_sample(decoding, metric, "", point, "quantile", number_text(&decoding->batch->arena, point->bounds.items[i]),
                                point->counts.items[i], err))
                        return false;
        return put_count_and_sum(decoding, metric, point, err);
}

static bool put_point(struct decoding *decoding, const struct metric *metric, const struct point *point, struct err *err)
{
        switch (metric->kind) {
        case KIND_HISTOGRAM:
                return put_histogram(decoding, metric, point, err);
        case KIND_SUMMARY:
                return put_summary(decoding, metric, point, err);
        default:
                return put_sample(decoding, metric, "", point, NULL, STR(""), point->value, err);
        }
}

/* What stands beside the points of any kind. */
struct manner {
        uint64_t points, temporality;
        bool monotonic;
};

static struct manner manner_of(struct str data)
{
        struct reader reader = reader_of(data);
        struct protobuf_field field;
        struct manner manner = {0};
        while (protobuf_next(&reader, &field)) {
                manner.points += field.number == 1 && field.wire == PROTOBUF_BYTES;
                if (field.number == 2 && field.wire == PROTOBUF_VARINT)
                        manner.temporality = field.scalar;
                if (field.number == 3 && field.wire == PROTOBUF_VARINT)
                        manner.monotonic = field.scalar;
        }
        return manner;
}

static enum metric_type type_of(uint32_t kind, bool monotonic)
{
        switch (kind) {
        case KIND_GAUGE: return METRIC_GAUGE;
        case KIND_SUM: return monotonic ? METRIC_COUNTER : METRIC_GAUGE;
        case KIND_HISTOGRAM: return METRIC_HISTOGRAM;
        case KIND_SUMMARY: return METRIC_SUMMARY;
        default: return METRIC_UNKNOWN;
        }
}

/* Why the points of a metric cannot be kept truly; NULL: they can. */
static const char *refusal(const struct metric *metric, const struct manner *manner)
{
        if (metric->kind == KIND_EXPONENTIAL)
                return "exponential histograms are not kept; choose explicit buckets in the SDK's view";
        if ((metric->kind == KIND_SUM || metric->kind == KIND_HISTOGRAM) && manner->temporality == TEMPORALITY_DELTA)
                return "delta temporality is not kept; set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative";
        return metric->name.length ? NULL : "a metric without a name";
}

static bool put_meta(struct arena *arena, struct batch *batch, const struct metric *metric, enum metric_type type, struct err *err)
{
        char text[METRIC_UNIT_BYTES];
        struct metric_meta *meta = arena_push(arena, &batch->telemetry.metas);
        if (!meta)
                return fail_memory(err, "otlp", sizeof *meta);
        *meta = (struct metric_meta){metric->full_name, metric->description, arena_str(arena, metric_unit(metric->unit, text)), type};
        return meta->unit.bytes ? true : fail_memory(err, "otlp", sizeof text);
}

static bool read_metric(void *context, struct str message, struct err *err)
{
        struct decoding *decoding = context;
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        struct metric metric = {.name = STR(""), .description = STR(""), .unit = STR("")};
        while (protobuf_next(&reader, &field)) {
                if (field.wire != PROTOBUF_BYTES)
                        continue;
                if (field.number <= 3)
                        *(field.number == 1 ? &metric.name : field.number == 2 ? &metric.description : &metric.unit) = field.bytes;
                else if (field.number <= KIND_SUMMARY) {
                        metric.kind = field.number;
                        metric.data = field.bytes;
                }
        }
        if (reader.failed)
                return otlp_damaged(err, "a metric");
        struct manner manner = manner_of(metric.data);
        const char *why = refusal(&metric, &manner);
        if (why) {
                stream_reject(decoding->batch, max_of(manner.points, UINT64_C(1)), "%.*s: %s",
                              (int)min_of(metric.name.length, (size_t)100), metric.name.bytes, why);
                return true;
        }
        struct arena *arena = &decoding->batch->arena;
        enum metric_type type = type_of(metric.kind, manner.monotonic);
        metric.full_name = metric_name(arena, metric.name, metric.unit, type);
        if (!metric.full_name.bytes)
                return fail_memory(err, "otlp", metric.name.length);
        if (!metric.kind || !manner.points)
                return true;
        reader = reader_of(metric.data);
        while (protobuf_next(&reader, &field)) {
                struct point point = {0};
                if (field.number != 1 || field.wire != PROTOBUF_BYTES)
                        continue;
                if (!read_point(arena, metric.kind, field.bytes, &point, err) || !name_attributes(arena, &point, err) ||
                    !put_point(decoding, &metric, &point, err))
                        return false;
        }
        return reader.failed ? otlp_damaged(err, "a metric's data") : put_meta(arena, decoding->batch, &metric, type, err);
}

/* job, instance, then what the batch says of its own and they do not. */
static bool begin_resource(void *context, const struct otlp_resource *resource, struct err *err)
{
        struct decoding *decoding = context;
        struct arena *arena = &decoding->batch->arena;
        struct str job = resource->service;
        if (resource->service_namespace.length && job.length)
                job = arena_printf(arena, "%.*s/%.*s", STR_ARGS(resource->service_namespace), STR_ARGS(job));
        decoding->target = (struct labels){0};
        decoding->newest_ns = 0;
        if (job.length && !put_label(arena, &decoding->target, STR("job"), job, err))
                return false;
        if (resource->instance.length && !put_label(arena, &decoding->target, STR("instance"), resource->instance, err))
                return false;
        each (label, &decoding->batch->labels)
                if (!labels_find(&decoding->target, label->name) &&
                    !put_label(arena, &decoding->target, label->name, label->value, err))
                        return false;
        return true;
}

/* target_info carries what else the resource says, for joining in queries. */
static bool put_target_info(void *context, const struct otlp_resource *resource, struct err *err)
{
        struct decoding *decoding = context;
        struct point point = {.time_ns = decoding->newest_ns};
        struct metric metric = {.full_name = STR("target_info")};
        struct arena *arena = &decoding->batch->arena;
        each (attribute, &resource->attributes)
                if (!otlp_resource_names(attribute->name) || str_is(attribute->name, "host.name"))
                        if (!put_label(arena, &point.attributes, attribute->name, attribute->value, err))
                                return false;
        if (!point.attributes.count || !decoding->newest_ns || !decoding->target.count)
                return true;
        if (!name_attributes(arena, &point, err))
                return false;
        return put_sample(decoding, &metric, "", &point, NULL, STR(""), 1, err);
}

bool otlp_metrics_read(struct batch *batch, struct str request, struct err *err)
{
        struct decoding decoding = {.batch = batch};
        struct otlp_visitor visitor = {&decoding, begin_resource, read_metric, put_target_info};
        return otlp_walk(&batch->arena, request, &visitor, err);
}

bool otlp_metrics_decode(struct batch *batch, struct err *err)
{
        return otlp_metrics_read(batch, batch->bytes, err);
}
