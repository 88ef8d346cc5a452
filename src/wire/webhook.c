/*
 * webhook.c - see webhook.h. The mapping is read for each batch: it is a few lines, a body is a few records, and so the decoder
 * stays a function of the batch alone.
 */
#include "wire/webhook.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "wire/stream.h"
#include "wire/timestamp.h"

#include <math.h>

#define FIELDS_MAX 64 /* labels or attributes of a mapping */

struct decoding {
        struct batch *batch;
        const json_t *mapping, *body, *record;
};

static bool take_index(struct str *path, size_t *out_index)
{
        struct str number;
        uint64_t index;
        if (!str_cut(path, ']', &number) || !str_to_u64(number, &index))
                return false;
        *out_index = (size_t)index;
        return true;
}

/* One step of a pointer behind its beginning: .name, ["name"] or [0]. False: no good pointer; NULL value: nothing there. */
static bool take_step(struct str *path, const json_t **value)
{
        char first = path->bytes[0];
        struct str rest = str_slice(*path, 1, path->length), name;
        size_t index, end = 0;
        if (first == '.') {
                while (end < rest.length && rest.bytes[end] != '.' && rest.bytes[end] != '[')
                        end++;
                name = str_slice(rest, 0, end);
                rest = str_slice(rest, end, rest.length);
        } else if (first == '[' && rest.length && rest.bytes[0] == '"') {
                rest = str_slice(rest, 1, rest.length);
                if (!str_find(rest, STR("\"]"), &end))
                        return false;
                name = str_slice(rest, 0, end);
                rest = str_slice(rest, end + 2, rest.length);
        } else {
                if (first != '[' || !take_index(&rest, &index))
                        return false;
                *value = json_array_get(*value, index);
                *path = rest;
                return true;
        }
        *value = json_object_getn(*value, name.bytes, name.length);
        *path = rest;
        return name.length > 0;
}

/* "$.a.b[0]" from the record, "$$.a" from the body. False: no good pointer. */
static bool follow(const struct decoding *decoding, struct str pointer, const json_t **out_value)
{
        bool whole = str_starts_with(pointer, STR("$$"));
        struct str path = str_slice(pointer, whole ? 2 : 1, pointer.length);
        const json_t *value = whole ? decoding->body : decoding->record;
        while (path.length)
                if (!take_step(&path, &value))
                        return false;
        *out_value = value;
        return true;
}

static bool is_pointer(struct str text)
{
        struct str dollars = STR("$$");
        if (!text.length || text.bytes[0] != '$')
                return false;
        size_t at = str_starts_with(text, dollars) ? 2 : 1;
        return text.length == at || text.bytes[at] == '.' || text.bytes[at] == '[';
}

/* A text as it is; anything else as compact JSON; nothing for null and what is not there. */
static bool put_value(struct buf *out, const json_t *value)
{
        if (json_is_string(value))
                return buf_append(out, json_string_value(value), json_string_length(value));
        return !value || json_is_null(value) || json_write(value, out);
}

/* The value of one entry of the mapping: pointer, template or constant. */
static struct str expand(const struct decoding *decoding, struct str text, struct err *err)
{
        scoped(buf_done) struct buf out = {0};
        const json_t *value = NULL;
        bool good = true;
        if (is_pointer(text)) {
                follow(decoding, text, &value);
                good = put_value(&out, value);
        }
        size_t open = 0, close = 0;
        while (!is_pointer(text) && text.length) {
                if (!str_find(text, STR("{{"), &open) || !str_find(str_slice(text, open, text.length), STR("}}"), &close)) {
                        buf_add(&out, text);
                        break;
                }
                buf_add(&out, str_slice(text, 0, open));
                struct str pointer = str_trim(str_slice(text, open + 2, open + close));
                value = NULL;
                if (is_pointer(pointer))
                        follow(decoding, pointer, &value);
                good &= put_value(&out, value);
                text = str_slice(text, open + close + 2, text.length);
        }
        struct str copy = out.failed || !good ? (struct str){0} : arena_str(&decoding->batch->arena, buf_str(&out));
        if (!copy.bytes)
                fail_memory(err, "webhook", out.length);
        return copy;
}

static int64_t time_of(struct str text, int64_t received_ns)
{
        static const struct {
                double below;
                double unit_ns;
        } units[] = {{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}, {1e19, 1}}; /* s, ms, us, ns since 1970, by size */
        int64_t ns, whole;
        double number;
        if (timestamp_any(text, 0, received_ns, NULL, &ns))
                return ns;
        if (str_to_i64(text, &whole) && whole >= 100000000000000000)
                return whole; /* ns are beyond what a double holds exactly */
        if (!str_to_double(text, &number) || !(number > 0))
                return 0;
        for (size_t i = 0; i < countof(units); i++)
                if (number < units[i].below)
                        return number * units[i].unit_ns < 9.2e18 ? (int64_t)llround(number * units[i].unit_ns) : 0;
        return 0;
}

static uint8_t severity_of(struct str text)
{
        uint64_t number;
        if (str_to_u64(text, &number))
                return number <= 24 ? (uint8_t)number : 0;
        return severity_of_name(text);
}

/* The entries of one object of the mapping, expanded; empty ones are left out. */
static bool expand_all(const struct decoding *decoding, const char *key, struct labels *out, struct err *err)
{
        const char *name;
        json_t *text;
        json_object_foreach((json_t *)json_object_get(decoding->mapping, key), name, text) {
                struct str value = expand(decoding, (struct str){json_string_value(text), json_string_length(text)}, err);
                struct str copy = value.length ? arena_str(&decoding->batch->arena, str_of(name)) : STR("");
                if (!value.bytes || !copy.bytes)
                        return value.bytes ? fail_memory(err, "webhook", 64) : false;
                struct label *label = value.length && copy.length ? arena_push(&decoding->batch->arena, out) : NULL;
                if (value.length && copy.length && !label)
                        return fail_memory(err, "webhook", sizeof *label);
                if (label)
                        *label = (struct label){copy, value};
        }
        return true;
}

/* bytes == NULL: err. */
static struct str field(const struct decoding *decoding, const char *key, const char *otherwise, struct err *err)
{
        struct str text = json_str(decoding->mapping, key);
        return expand(decoding, text.bytes ? text : str_of(otherwise), err);
}

static bool take_record(struct decoding *decoding, const json_t *json, struct err *err)
{
        struct labels labels = {0}, attributes = {0};
        decoding->record = json;
        struct str line = field(decoding, "line", "$", err);
        struct str time = line.bytes ? field(decoding, "time", "", err) : line;
        struct str severity = time.bytes ? field(decoding, "severity", "", err) : time;
        struct str source = severity.bytes ? field(decoding, "source", "webhook", err) : severity;
        if (!source.bytes || !expand_all(decoding, "labels", &labels, err) || !expand_all(decoding, "attributes", &attributes, err))
                return false;
        struct label *label = arena_push(&decoding->batch->arena, &labels);
        if (!label)
                return fail_memory(err, "webhook", sizeof *label);
        *label = (struct label){STR("source"), source};
        uint32_t stream = stream_of(decoding->batch, labels.items, labels.count, err);
        struct log_record *record = stream != UINT32_MAX ? stream_record(decoding->batch, stream, line, err) : NULL;
        if (!record)
                return false;
        record->time_ns = time.length ? time_of(time, decoding->batch->received_ns) : 0;
        record->severity = severity.length ? severity_of(severity) : 0;
        record->attributes = attributes;
        return true;
}

static bool check_text(const char *key, const json_t *value, struct err *err)
{
        struct decoding nothing = {0};
        const json_t *unused;
        struct str text = {json_string_value(value), json_is_string(value) ? json_string_length(value) : 0};
        if (!json_is_string(value))
                return fail(err, ERR_INVALID, "webhook", "%s of the mapping must be a text", key);
        if (is_pointer(text) && !follow(&nothing, text, &unused))
                return fail(err, ERR_INVALID, "webhook", "%s: \"%.*s\" is no pointer; write $.a.b[0] or $[\"a key\"]", key, STR_ARGS(text));
        return true;
}

static bool check_mapping(const json_t *mapping, struct err *err)
{
        static const char *const texts[] = {"records", "line", "time", "severity", "source"}, *const objects[] = {"labels", "attributes"};
        const char *key;
        json_t *value;
        if (!json_is_object(mapping))
                return fail(err, ERR_INVALID, "webhook", "a mapping must be an object");
        for (size_t i = 0; i < countof(texts); i++)
                if (json_object_get(mapping, texts[i]) && !check_text(texts[i], json_object_get(mapping, texts[i]), err))
                        return false;
        for (size_t i = 0; i < countof(objects); i++) {
                json_t *object = json_object_get(mapping, objects[i]);
                if (object && (!json_is_object(object) || json_object_size(object) > FIELDS_MAX))
                        return fail(err, ERR_INVALID, "webhook", "%s of the mapping must be an object of %d members at most", objects[i],
                                    FIELDS_MAX);
                json_object_foreach(object, key, value)
                        if (!check_text(key, value, err))
                                return false;
        }
        struct str records = json_str(mapping, "records");
        if (records.bytes && !is_pointer(records))
                return fail(err, ERR_INVALID, "webhook", "records of the mapping must be a pointer such as $.events");
        return true;
}

static json_t *read_mapping(struct str settings, struct err *err)
{
        json_t *mapping = settings.length ? json_parse(settings, err) : json_object();
        if (mapping && !check_mapping(mapping, err)) {
                json_decref(mapping);
                return NULL;
        }
        return mapping;
}

bool webhook_mapping_check(struct str settings, struct err *err)
{
        scoped_ptr(json_decref) json_t *mapping = read_mapping(settings, err);
        return mapping != NULL;
}

bool webhook_decode(struct batch *batch, struct err *err)
{
        scoped_ptr(json_decref) json_t *mapping = read_mapping(batch->settings, err);
        scoped_ptr(json_decref) json_t *body = mapping ? json_parse(batch->bytes, err) : NULL;
        if (!body)
                return err_within(err, "reading a webhook");
        struct decoding decoding = {batch, mapping, body, body};
        struct str records = json_str(mapping, "records");
        const json_t *found = body;
        if (records.length)
                follow(&decoding, records, &found);
        if (!found)
                return fail(err, ERR_INVALID, "webhook", "the body has nothing at %.*s, where the mapping looks for records", STR_ARGS(records));
        if (!json_is_array(found))
                return take_record(&decoding, found, err);
        if (json_array_size(found) > WEBHOOK_RECORDS_MAX)
                return fail(err, ERR_TOO_LARGE, "webhook", "%zu records in a body, %d at most; send fewer at a time", json_array_size(found),
                            WEBHOOK_RECORDS_MAX);
        for (size_t i = 0; i < json_array_size(found); i++)
                if (!take_record(&decoding, json_array_get(found, i), err))
                        return false;
        return true;
}
