/* otlp_logs.c - see otlp.h: ExportLogsServiceRequest > ResourceLogs > ScopeLogs > LogRecord. */
#include "wire/otlp.h"

#include "base/scope.h"
#include "wire/otlp_value.h"
#include "wire/stream.h"

struct decoding {
        struct batch *batch;
        const struct otlp_resource *resource;
        uint32_t stream; /* of the resource */
};

static bool add_attribute(struct arena *arena, struct labels *attributes, struct str name, struct str value, struct err *err)
{
        struct label *attribute = value.bytes ? arena_push(arena, attributes) : NULL;
        if (!attribute)
                return fail_memory(err, "otlp", sizeof *attribute);
        *attribute = (struct label){name, value};
        return true;
}

static struct str hex(struct arena *arena, struct str bytes)
{
        static const char digits[] = "0123456789abcdef";
        char *text = arena_alloc(arena, bytes.length * 2);
        for (size_t i = 0; text && i < bytes.length; i++) {
                text[2 * i] = digits[(unsigned char)bytes.bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes.bytes[i] & 15];
        }
        return (struct str){text, text ? bytes.length * 2 : 0};
}

static bool add_id(struct arena *arena, struct labels *attributes, struct str name, struct str id, size_t bytes, struct err *err)
{
        return id.length != bytes || add_attribute(arena, attributes, name, hex(arena, id), err);
}

static bool add_resource(struct decoding *decoding, struct labels *attributes, struct err *err)
{
        each (attribute, &decoding->resource->attributes)
                if (!otlp_resource_names(attribute->name) &&
                    !add_attribute(&decoding->batch->arena, attributes, attribute->name, attribute->value, err))
                        return false;
        return true;
}

static bool read_record(void *context, struct str message, struct err *err)
{
        struct decoding *decoding = context;
        struct arena *arena = &decoding->batch->arena;
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        struct log_record read = {.line = STR("")};
        struct str level = STR(""), event = STR("");
        uint64_t time_ns = 0, observed_ns = 0;
        while (protobuf_next(&reader, &field)) {
                switch (field.number) {
                case 1: time_ns = field.scalar; break;
                case 2: read.severity = field.scalar <= 24 ? (uint8_t)field.scalar : 0; break;
                case 3: level = field.bytes; break;
                case 5:
                        if (!(read.line = otlp_value_text(arena, field.bytes, err)).bytes)
                                return false;
                        break;
                case 6:
                        if (!otlp_attribute(arena, field.bytes, &read.attributes, err))
                                return false;
                        break;
                case 9:
                        if (!add_id(arena, &read.attributes, STR("trace_id"), field.bytes, 16, err))
                                return false;
                        break;
                case 10:
                        if (!add_id(arena, &read.attributes, STR("span_id"), field.bytes, 8, err))
                                return false;
                        break;
                case 11: observed_ns = field.scalar; break;
                case 12: event = field.bytes; break;
                default: break;
                }
        }
        if (reader.failed)
                return otlp_damaged(err, "a log record");
        if (event.length && !add_attribute(arena, &read.attributes, STR("event_name"), event, err))
                return false;
        if (!add_resource(decoding, &read.attributes, err))
                return false;
        struct log_record *record = stream_record(decoding->batch, decoding->stream, read.line, err);
        if (!record)
                return false;
        record->time_ns = (int64_t)(time_ns ? time_ns : observed_ns);
        if (record->time_ns < 0)
                record->time_ns = 0;
        record->severity = read.severity ? read.severity : severity_of_name(level);
        record->attributes = read.attributes;
        return true;
}

static bool begin_resource(void *context, const struct otlp_resource *resource, struct err *err)
{
        struct decoding *decoding = context;
        struct label labels[] = {{STR("host"), resource->host},
                                 {STR("service"), resource->service},
                                 {STR("instance"), resource->instance},
                                 {STR("source"), STR("otlp")}};
        decoding->resource = resource;
        decoding->stream = stream_of(decoding->batch, labels, countof(labels), err);
        return decoding->stream != UINT32_MAX;
}

bool otlp_logs_read(struct batch *batch, struct str request, struct err *err)
{
        struct decoding decoding = {.batch = batch};
        struct otlp_visitor visitor = {&decoding, begin_resource, read_record, NULL};
        return otlp_walk(&batch->arena, request, &visitor, err);
}

bool otlp_logs_decode(struct batch *batch, struct err *err)
{
        return otlp_logs_read(batch, batch->bytes, err);
}
