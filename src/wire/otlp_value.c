/* otlp_value.c - see otlp_value.h. */
#include "wire/otlp_value.h"

#include "base/json.h"
#include "wire/exposition_write.h"

#include <inttypes.h>
#include <math.h>

#define DEPTH_MAX 32
#define ATTRIBUTES_MAX (4 * LABELS_MAX)

bool otlp_damaged(struct err *err, const char *what)
{
        return fail(err, ERR_INVALID, "otlp", "%s is damaged: the body is not the protobuf of an OTLP export request, or was cut", what);
}

static void write_base64(struct buf *out, struct str bytes)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (size_t i = 0; i < bytes.length; i += 3) {
                size_t left = bytes.length - i;
                uint32_t group = (uint32_t)(unsigned char)bytes.bytes[i] << 16;
                group |= left > 1 ? (uint32_t)(unsigned char)bytes.bytes[i + 1] << 8 : 0;
                group |= left > 2 ? (uint32_t)(unsigned char)bytes.bytes[i + 2] : 0;
                buf_byte(out, digits[group >> 18]);
                buf_byte(out, digits[group >> 12 & 63]);
                buf_byte(out, left > 1 ? digits[group >> 6 & 63] : '=');
                buf_byte(out, left > 2 ? digits[group & 63] : '=');
        }
}

static bool write_json(struct buf *out, struct str any_value, int depth);

/* The values of an ArrayValue, or the KeyValues of a KeyValueList. */
static bool write_members(struct buf *out, struct str message, bool keyed, int depth)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        const char *comma = "";
        buf_byte(out, keyed ? '{' : '[');
        while (protobuf_next(&reader, &field)) {
                if (field.number != 1 || field.wire != PROTOBUF_BYTES)
                        continue;
                buf_text(out, comma);
                comma = ",";
                struct str value = keyed ? STR("") : field.bytes, key = STR("");
                struct reader pair = reader_of(keyed ? field.bytes : STR(""));
                struct protobuf_field part;
                while (protobuf_next(&pair, &part))
                        if (part.wire == PROTOBUF_BYTES && part.number <= 2)
                                *(part.number == 1 ? &key : &value) = part.bytes;
                if (keyed) {
                        json_quote(out, key);
                        buf_byte(out, ':');
                }
                if (pair.failed || !write_json(out, value, depth + 1))
                        return false;
        }
        buf_byte(out, keyed ? '}' : ']');
        return !reader.failed;
}

/* quoted: within JSON; else a text stands as it is. */
static bool write_value(struct buf *out, struct str any_value, bool quoted, int depth)
{
        struct reader reader = reader_of(any_value);
        struct protobuf_field field, last = {0};
        while (protobuf_next(&reader, &field))
                last = field;
        if (reader.failed || depth > DEPTH_MAX)
                return false;
        double real = protobuf_double(&last);
        switch (last.number) {
        case 1:
                quoted ? json_quote(out, last.bytes) : buf_add(out, last.bytes);
                break;
        case 2:
                buf_text(out, last.scalar ? "true" : "false");
                break;
        case 3:
                buf_printf(out, "%" PRId64, (int64_t)last.scalar);
                break;
        case 4:
                if (quoted && !isfinite(real))
                        buf_text(out, "null");
                else
                        exposition_number(out, real);
                break;
        case 5:
        case 6:
                return write_members(out, last.bytes, last.number == 6, depth);
        case 7:
                buf_text(out, quoted ? "\"" : "");
                write_base64(out, last.bytes);
                buf_text(out, quoted ? "\"" : "");
                break;
        default: /* no value at all */
                buf_text(out, quoted ? "null" : "");
        }
        return true;
}

static bool write_json(struct buf *out, struct str any_value, int depth)
{
        return write_value(out, any_value, true, depth);
}

struct str otlp_value_text(struct arena *arena, struct str any_value, struct err *err)
{
        struct reader reader = reader_of(any_value);
        struct protobuf_field only;
        if (protobuf_next(&reader, &only) && only.number == 1 && only.wire == PROTOBUF_BYTES && !reader_left(&reader))
                return only.bytes; /* nearly always */
        scoped(buf_done) struct buf text = {0};
        if (!write_value(&text, any_value, false, 0)) {
                otlp_damaged(err, "an attribute value, or one nested deeper than 32,");
                return (struct str){0};
        }
        struct str copy = text.failed ? (struct str){0} : arena_str(arena, buf_str(&text));
        if (!copy.bytes)
                fail_memory(err, "otlp", text.length);
        return copy;
}

bool otlp_attribute(struct arena *arena, struct str key_value, struct labels *attributes, struct err *err)
{
        struct reader reader = reader_of(key_value);
        struct protobuf_field field;
        struct str key = STR(""), value = STR("");
        while (protobuf_next(&reader, &field)) {
                if (field.number == 1 && field.wire == PROTOBUF_BYTES)
                        key = field.bytes;
                if (field.number == 2 && field.wire == PROTOBUF_BYTES && !(value = otlp_value_text(arena, field.bytes, err)).bytes)
                        return false;
        }
        if (reader.failed)
                return otlp_damaged(err, "an attribute");
        if (!key.length || attributes->count >= ATTRIBUTES_MAX)
                return true;
        struct label *attribute = arena_push(arena, attributes);
        if (!attribute)
                return fail_memory(err, "otlp", sizeof *attribute);
        *attribute = (struct label){key, value};
        return true;
}

static const struct {
        const char *name;
        size_t offset;
} named[] = {
        {"service.name", offsetof(struct otlp_resource, service)},
        {"service.namespace", offsetof(struct otlp_resource, service_namespace)},
        {"service.instance.id", offsetof(struct otlp_resource, instance)},
        {"host.name", offsetof(struct otlp_resource, host)},
};

bool otlp_resource_names(struct str attribute)
{
        for (size_t i = 0; i < countof(named); i++)
                if (str_is(attribute, named[i].name))
                        return true;
        return false;
}

bool otlp_resource_read(struct arena *arena, struct str message, struct otlp_resource *out_resource, struct err *err)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        struct otlp_resource resource = {0};
        while (protobuf_next(&reader, &field))
                if (field.number == 1 && field.wire == PROTOBUF_BYTES && !otlp_attribute(arena, field.bytes, &resource.attributes, err))
                        return false;
        if (reader.failed)
                return otlp_damaged(err, "a resource");
        each (attribute, &resource.attributes)
                for (size_t i = 0; i < countof(named); i++)
                        if (str_is(attribute->name, named[i].name))
                                *(struct str *)((char *)&resource + named[i].offset) = attribute->value;
        *out_resource = resource;
        return true;
}

static bool walk_scope(const struct otlp_visitor *visitor, struct str message, struct err *err)
{
        struct reader reader = reader_of(message);
        struct protobuf_field field;
        while (protobuf_next(&reader, &field))
                if (field.number == 2 && field.wire == PROTOBUF_BYTES && !visitor->item(visitor->context, field.bytes, err))
                        return false;
        return reader.failed ? otlp_damaged(err, "a scope") : true;
}

static bool walk_resource(struct arena *arena, const struct otlp_visitor *visitor, struct str message, struct err *err)
{
        struct reader reader = reader_of(message), again = reader;
        struct protobuf_field field;
        struct otlp_resource resource = {0};
        while (protobuf_next(&reader, &field)) /* first: it may stand behind what it describes */
                if (field.number == 1 && !otlp_resource_read(arena, field.bytes, &resource, err))
                        return false;
        if (reader.failed)
                return otlp_damaged(err, "a resource");
        if (!visitor->begin(visitor->context, &resource, err))
                return false;
        while (protobuf_next(&again, &field))
                if (field.number == 2 && field.wire == PROTOBUF_BYTES && !walk_scope(visitor, field.bytes, err))
                        return false;
        return !visitor->end || visitor->end(visitor->context, &resource, err);
}

bool otlp_walk(struct arena *arena, struct str request, const struct otlp_visitor *visitor, struct err *err)
{
        struct reader reader = reader_of(request);
        struct protobuf_field field;
        while (protobuf_next(&reader, &field))
                if (field.number == 1 && field.wire == PROTOBUF_BYTES && !walk_resource(arena, visitor, field.bytes, err))
                        return false;
        return reader.failed ? otlp_damaged(err, "the request") : true;
}
