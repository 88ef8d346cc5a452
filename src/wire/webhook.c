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
#include <string.h>

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

/* A value, or the first of a list that is not empty. bytes == NULL: err. */
static struct str expand_first(const struct decoding *decoding, const json_t *value, struct err *err)
{
        struct str text = STR("");
        size_t i;
        json_t *item;
        if (!json_is_array(value))
                return json_is_string(value) ? expand(decoding, (struct str){json_string_value(value), json_string_length(value)}, err) : text;
        json_array_foreach((json_t *)value, i, item) {
                text = expand_first(decoding, item, err);
                if (!text.bytes || text.length)
                        break;
        }
        return text;
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

/* All members of the object that a pointer finds, which are no objects themselves. */
static bool copy_all(const struct decoding *decoding, struct str pointer, struct labels *out, struct err *err)
{
        const json_t *found = NULL;
        const char *name;
        json_t *member;
        struct arena *arena = &decoding->batch->arena;
        if (is_pointer(pointer))
                follow(decoding, pointer, &found);
        json_object_foreach((json_t *)found, name, member) {
                scoped(buf_done) struct buf text = {0};
                if (!*name || json_is_object(member) || json_is_array(member))
                        continue;
                if (out->count == FIELDS_MAX)
                        return fail(err, ERR_TOO_LARGE, "webhook", "more than %d members at %.*s", FIELDS_MAX, STR_ARGS(pointer));
                struct label *label = arena_push(arena, out);
                if (!label || !put_value(&text, member) || !text_copy(str_of(name), arena, &label->name) || !text_copy(buf_str(&text), arena, &label->value))
                        return fail_memory(err, "webhook", text.length);
        }
        return true;
}

/* The entries of one object of the mapping, expanded; empty ones are left out. */
static bool expand_all(const struct decoding *decoding, const json_t *object, const char *key, struct labels *out, struct err *err)
{
        const char *name;
        json_t *text, *names = json_object_get(object, key);
        if (json_is_string(names))
                return copy_all(decoding, str_of(json_string_value(names)), out, err);
        json_object_foreach(names, name, text) {
                struct str value = expand_first(decoding, text, err);
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

/* --- alerts and changes --------------------------------------------------------------------------------------------- */

static bool is_one_of(struct str text, const json_t *words)
{
        size_t i;
        json_t *word;
        json_array_foreach((json_t *)words, i, word)
                if (json_is_string(word) && str_equal_nocase(text, str_of(json_string_value(word))))
                        return true;
        return false;
}

/* The fields of one object of the mapping, each by its name; in the order of names. */
static bool expand_fields(const struct decoding *decoding, const json_t *object, const char *const names[], struct str *const outs[], struct err *err)
{
        for (size_t i = 0; names[i]; i++) {
                const json_t *value = json_object_get(object, names[i]);
                *outs[i] = value ? expand_first(decoding, value, err) : STR("");
                if (!outs[i]->bytes)
                        return false;
        }
        return true;
}

/* An alert without a name says nothing: it is left out and counted. */
static bool take_alert(struct decoding *decoding, const json_t *shape, struct err *err)
{
        struct batch *batch = decoding->batch;
        struct str name, status, starts, ends, url;
        static const char *const names[] = {"name", "status", "starts", "ends", "url", NULL};
        struct str *const outs[] = {&name, &status, &starts, &ends, &url};
        struct finding finding = {.origin = FINDING_EXTERNAL, .value = NAN, .held_why = STR(""), .evidence = STR(""), .source = batch->source};
        if (!expand_fields(decoding, shape, names, outs, err) || !expand_all(decoding, shape, "labels", &finding.labels, err) ||
            !expand_all(decoding, shape, "annotations", &finding.annotations, err))
                return false;
        if (!name.length) {
                if (!batch->telemetry.rejected++)
                        batch->telemetry.rejected_why = STR("the alert has no name where the mapping looks for it");
                return true;
        }
        struct label *label = NULL;
        each (present, &finding.labels)
                if (str_is(present->name, "alertname"))
                        label = present;
        label = label ? label : arena_push(&batch->arena, &finding.labels);
        struct finding *kept = label ? arena_push(&batch->arena, &batch->telemetry.findings) : NULL;
        if (!kept)
                return fail_memory(err, "webhook", sizeof finding);
        *label = (struct label){STR("alertname"), name};
        finding.generator_url = url;
        finding.is_firing = !is_one_of(status, json_object_get(shape, "resolved"));
        finding.starts_ns = starts.length ? time_of(starts, batch->received_ns) : 0;
        finding.ends_ns = finding.is_firing || !ends.length ? 0 : time_of(ends, batch->received_ns);
        *kept = finding;
        return labels_canonical(&kept->labels, err) && labels_canonical(&kept->annotations, err);
}

static bool take_change(struct decoding *decoding, const json_t *shape, struct err *err)
{
        struct batch *batch = decoding->batch;
        struct change_event change = {0};
        struct str time;
        static const char *const names[] = {"kind", "title", "by", "reference", "url", "time", NULL};
        struct str *const outs[] = {&change.kind, &change.title, &change.by, &change.reference, &change.url, &time};
        if (!expand_fields(decoding, shape, names, outs, err) || !expand_all(decoding, shape, "labels", &change.labels, err))
                return false;
        if (!change.title.length) {
                if (!batch->telemetry.rejected++)
                        batch->telemetry.rejected_why = STR("the change has no title where the mapping looks for it");
                return true;
        }
        struct change_event *kept = arena_push(&batch->arena, &batch->telemetry.changes);
        if (!kept)
                return fail_memory(err, "webhook", sizeof change);
        change.kind = change.kind.length ? change.kind : STR("other");
        change.time_ns = time.length ? time_of(time, batch->received_ns) : 0;
        *kept = change;
        return labels_canonical(&kept->labels, err);
}

/* --- records -------------------------------------------------------------------------------------------------------- */

static bool mapping_holds(struct decoding *decoding, const json_t *mapping, bool *out_holds, struct err *err)
{
        const json_t *when = json_object_get(mapping, "when"), *is = json_object_get(mapping, "is");
        struct str value = when ? expand_first(decoding, when, err) : STR("always");
        *out_holds = is ? is_one_of(value, is) : value.length > 0;
        return value.bytes != NULL;
}

/* The mapping for this record: the one there is, or the first of `any` that holds; NULL: none. */
static bool choose_mapping(struct decoding *decoding, const json_t *whole, const json_t **out_mapping, struct err *err)
{
        const json_t *list = json_object_get(whole, "any");
        size_t i;
        json_t *mapping;
        bool holds;
        *out_mapping = NULL;
        if (!list) {
                if (!mapping_holds(decoding, whole, &holds, err))
                        return false;
                *out_mapping = holds ? whole : NULL;
                return true;
        }
        json_array_foreach((json_t *)list, i, mapping) {
                if (!mapping_holds(decoding, mapping, &holds, err))
                        return false;
                if (holds) {
                        *out_mapping = mapping;
                        return true;
                }
        }
        return true;
}

static bool take_log(struct decoding *decoding, struct err *err);

static bool take_record(struct decoding *decoding, const json_t *json, struct err *err)
{
        const json_t *whole = decoding->mapping, *chosen;
        decoding->record = json;
        if (!choose_mapping(decoding, whole, &chosen, err))
                return false;
        if (!chosen)
                return true;
        decoding->mapping = chosen;
        const json_t *alert = json_object_get(chosen, "alert"), *change = json_object_get(chosen, "change");
        bool good = (!alert || take_alert(decoding, alert, err)) && (!change || take_change(decoding, change, err)) &&
                    (((alert || change) && !json_object_get(chosen, "line")) || take_log(decoding, err));
        decoding->mapping = whole;
        return good;
}

static bool take_log(struct decoding *decoding, struct err *err)
{
        struct labels labels = {0}, attributes = {0};
        struct str line = field(decoding, "line", "$", err);
        struct str time = line.bytes ? field(decoding, "time", "", err) : line;
        struct str severity = time.bytes ? field(decoding, "severity", "", err) : time;
        struct str source = severity.bytes ? field(decoding, "source", "webhook", err) : severity;
        if (!source.bytes || !expand_all(decoding, decoding->mapping, "labels", &labels, err) ||
            !expand_all(decoding, decoding->mapping, "attributes", &attributes, err))
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
        size_t i;
        json_t *item;
        struct str text = {json_string_value(value), json_is_string(value) ? json_string_length(value) : 0};
        json_array_foreach((json_t *)value, i, item)
                if (json_is_array(item) || !check_text(key, item, err))
                        return json_is_array(item) ? fail(err, ERR_INVALID, "webhook", "%s: a list within a list", key) : false;
        if (json_is_array(value))
                return true;
        if (!json_is_string(value))
                return fail(err, ERR_INVALID, "webhook", "%s of the mapping must be a text", key);
        if (is_pointer(text) && !follow(&nothing, text, &unused))
                return fail(err, ERR_INVALID, "webhook", "%s: \"%.*s\" is no pointer; write $.a.b[0] or $[\"a key\"]", key, STR_ARGS(text));
        return true;
}

static bool check_names(const json_t *object, const char *key, struct err *err)
{
        const char *name;
        json_t *value;
        if (!object)
                return true;
        if (json_is_string(object))
                return is_pointer(str_of(json_string_value(object))) ? check_text(key, object, err) :
                       fail(err, ERR_INVALID, "webhook", "%s must be an object, or a pointer to one", key);
        if (!json_is_object(object) || json_object_size(object) > FIELDS_MAX)
                return fail(err, ERR_INVALID, "webhook", "%s of the mapping must be an object of %d members at most", key, FIELDS_MAX);
        json_object_foreach((json_t *)object, name, value)
                if (!check_text(name, value, err))
                        return false;
        return true;
}

enum field_type { FIELD_TEXT, FIELD_NAMES, FIELD_WORDS };

struct field_row {
        const char *name;
        enum field_type type;
};

static const struct field_row alert_fields[] = {
        {"name", FIELD_TEXT},    {"status", FIELD_TEXT},       {"starts", FIELD_TEXT},    {"ends", FIELD_TEXT}, {"url", FIELD_TEXT},
        {"labels", FIELD_NAMES}, {"annotations", FIELD_NAMES}, {"resolved", FIELD_WORDS}, {0},
};
static const struct field_row change_fields[] = {
        {"kind", FIELD_TEXT}, {"title", FIELD_TEXT}, {"by", FIELD_TEXT}, {"reference", FIELD_TEXT}, {"url", FIELD_TEXT},
        {"time", FIELD_TEXT}, {"labels", FIELD_NAMES}, {0},
};

/* An alert or a change: unknown fields would be silently lost, so they are refused. */
static bool check_shape(const json_t *shape, const char *key, const struct field_row *fields, struct err *err)
{
        const char *name;
        json_t *value;
        if (!shape)
                return true;
        if (!json_is_object(shape))
                return fail(err, ERR_INVALID, "webhook", "%s of the mapping must be an object", key);
        json_object_foreach((json_t *)shape, name, value) {
                const struct field_row *field = fields;
                while (field->name && strcmp(field->name, name) != 0)
                        field++;
                if (!field->name)
                        return fail(err, ERR_INVALID, "webhook", "%s of the mapping has no field %s", key, name);
                if (field->type == FIELD_NAMES ? !check_names(value, name, err) : !check_text(name, value, err))
                        return false;
        }
        return true;
}

static bool check_mapping(const json_t *mapping, bool may_choose, struct err *err)
{
        static const char *const texts[] = {"records", "line", "time", "severity", "source", "when", "is"};
        size_t i;
        json_t *choice;
        if (!json_is_object(mapping))
                return fail(err, ERR_INVALID, "webhook", "a mapping must be an object");
        for (size_t k = 0; k < countof(texts); k++)
                if (json_object_get(mapping, texts[k]) && !check_text(texts[k], json_object_get(mapping, texts[k]), err))
                        return false;
        struct str records = json_str(mapping, "records");
        if (records.bytes && !is_pointer(records))
                return fail(err, ERR_INVALID, "webhook", "records of the mapping must be a pointer such as $.events");
        if (json_object_get(mapping, "any") && (!may_choose || !json_is_array(json_object_get(mapping, "any"))))
                return fail(err, ERR_INVALID, "webhook", "any must be a list of mappings, at the top of the mapping");
        json_array_foreach(json_object_get(mapping, "any"), i, choice)
                if (!check_mapping(choice, false, err))
                        return err_within(err, "any, item %zu", i + 1);
        return check_names(json_object_get(mapping, "labels"), "labels", err) && check_names(json_object_get(mapping, "attributes"), "attributes", err) &&
               check_shape(json_object_get(mapping, "alert"), "alert", alert_fields, err) &&
               check_shape(json_object_get(mapping, "change"), "change", change_fields, err);
}

static json_t *read_mapping(struct str settings, struct err *err)
{
        json_t *mapping = settings.length ? json_parse(settings, err) : json_object();
        if (mapping && !check_mapping(mapping, true, err)) {
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
        scoped_ptr(json_decref) json_t *body = mapping ? batch_json(batch, err) : NULL;
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
