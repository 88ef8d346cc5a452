/* yaml.c - see yaml.h. libyaml's events, folded into a jansson tree by recursion that is bounded by DEPTH_MAX. */
#include "base/yaml.h"

#include "base/json.h"

#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64

struct reading {
        yaml_parser_t parser;
        const char *name;
        struct err *err;
        bool refused; /* else a failure is for want of memory */
};

static json_t *refuse(struct reading *reading, const yaml_mark_t *mark, const char *why)
{
        fail(reading->err, ERR_INVALID, "yaml", "%s, line %zu, column %zu: %s", reading->name, mark->line + 1,
             mark->column + 1, why);
        reading->refused = true;
        return NULL;
}

static bool next_event(struct reading *reading, yaml_event_t *event)
{
        if (yaml_parser_parse(&reading->parser, event))
                return true;
        const yaml_parser_t *parser = &reading->parser;
        refuse(reading, &parser->problem_mark, parser->problem ? parser->problem : "cannot be read");
        return false;
}

static json_t *scalar(const yaml_event_t *event)
{
        struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
        int64_t integer;
        double real;
        if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
                if (text.length == 0 || str_is(text, "~") || str_is(text, "null"))
                        return json_null();
                if (str_is(text, "true"))
                        return json_true();
                if (str_is(text, "false"))
                        return json_false();
                if (str_to_i64(text, &integer))
                        return json_integer(integer);
                if (strchr("+-.0123456789", text.bytes[0]) && str_to_double(text, &real) && real - real == 0)
                        return json_real(real);
        }
        return json_stringn(text.bytes, text.length);
}

static json_t *value(struct reading *reading, const yaml_event_t *event, int depth);

static json_t *sequence(struct reading *reading, int depth)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        for (;;) {
                yaml_event_t event;
                if (!next_event(reading, &event))
                        return NULL;
                bool ended = event.type == YAML_SEQUENCE_END_EVENT;
                json_t *item = ended ? NULL : value(reading, &event, depth + 1);
                yaml_event_delete(&event);
                if (ended)
                        return give(list);
                if (!item || json_array_append_new(list, item))
                        return NULL;
        }
}

/* Reads one key and its value into the object. *out_ended is set at the mapping's end. */
static bool member(struct reading *reading, json_t *object, int depth, bool *out_ended)
{
        yaml_event_t key, content;
        if (!next_event(reading, &key))
                return false;
        bool good = false;
        *out_ended = key.type == YAML_MAPPING_END_EVENT;
        if (*out_ended) {
                good = true;
        } else if (key.type != YAML_SCALAR_EVENT) {
                refuse(reading, &key.start_mark, "a key must be text");
        } else if (json_object_getn(object, (const char *)key.data.scalar.value, key.data.scalar.length)) {
                refuse(reading, &key.start_mark, "this key stands here twice; keep one");
        } else if (next_event(reading, &content)) {
                json_t *item = value(reading, &content, depth + 1);
                good = item && json_object_setn_new(object, (const char *)key.data.scalar.value,
                                                    key.data.scalar.length, item) == 0;
                if (item && !good && !str_is_utf8((struct str){(const char *)key.data.scalar.value, key.data.scalar.length}))
                        refuse(reading, &key.start_mark, "the key is not UTF-8");
                yaml_event_delete(&content);
        }
        yaml_event_delete(&key);
        return good;
}

static json_t *mapping(struct reading *reading, int depth)
{
        scoped_ptr(json_decref) json_t *object = json_object();
        for (bool ended = false; !ended;)
                if (!member(reading, object, depth, &ended))
                        return NULL;
        return give(object);
}

static json_t *value(struct reading *reading, const yaml_event_t *event, int depth)
{
        if (depth > DEPTH_MAX)
                return refuse(reading, &event->start_mark, "nested too deep (64 levels at most)");
        switch (event->type) {
        case YAML_SCALAR_EVENT: {
                if (event->data.scalar.anchor)
                        return refuse(reading, &event->start_mark, "anchors are not allowed; write the value out");
                json_t *made = scalar(event);
                if (!made && !str_is_utf8((struct str){(const char *)event->data.scalar.value, event->data.scalar.length}))
                        refuse(reading, &event->start_mark, "the text is not UTF-8");
                return made;
        }
        case YAML_SEQUENCE_START_EVENT:
                if (event->data.sequence_start.anchor)
                        return refuse(reading, &event->start_mark, "anchors are not allowed; write the value out");
                return sequence(reading, depth);
        case YAML_MAPPING_START_EVENT:
                if (event->data.mapping_start.anchor)
                        return refuse(reading, &event->start_mark, "anchors are not allowed; write the value out");
                return mapping(reading, depth);
        case YAML_ALIAS_EVENT:
                return refuse(reading, &event->start_mark, "aliases are not allowed; write the value out");
        default:
                return refuse(reading, &event->start_mark, "something is missing here");
        }
}

/* Skips stream and document starts; an empty stream is an empty object. */
static json_t *document(struct reading *reading)
{
        json_t *root = NULL;
        for (bool ended = false; !ended;) {
                yaml_event_t event;
                if (!next_event(reading, &event))
                        goto fault;
                bool failed = false;
                if (event.type == YAML_STREAM_END_EVENT) {
                        ended = true;
                } else if (event.type == YAML_DOCUMENT_START_EVENT && root) {
                        failed = !refuse(reading, &event.start_mark, "a second document; one a file");
                } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                           event.type != YAML_DOCUMENT_END_EVENT) {
                        root = value(reading, &event, 0);
                        failed = !root;
                }
                yaml_event_delete(&event);
                if (failed)
                        goto fault;
        }
        if (!root || json_is_null(root))
                root = json_object();
        return root;
fault:
        json_decref(root);
        return NULL;
}

json_t *yaml_parse(struct str text, const char *name, struct err *err)
{
        if (text.length > YAML_BYTES_MAX) {
                fail(err, ERR_TOO_LARGE, "yaml", "%s is larger than %zu bytes; split it", name, YAML_BYTES_MAX);
                return NULL;
        }
        struct reading reading = {.name = name, .err = err};
        if (!yaml_parser_initialize(&reading.parser)) {
                fail_memory(err, "yaml", sizeof reading.parser);
                return NULL;
        }
        yaml_parser_set_input_string(&reading.parser, (const unsigned char *)(text.bytes ? text.bytes : ""), text.length);
        json_t *root = document(&reading);
        yaml_parser_delete(&reading.parser);
        if (!root && !reading.refused)
                fail_memory(err, "yaml", text.length);
        return root;
}

/* --- finding a line again -------------------------------------------------------------------------------------------------- */

/* Passes over the node that the event begins. */
static bool skip_node(yaml_parser_t *parser, yaml_event_type_t begun)
{
        for (int depth = begun == YAML_MAPPING_START_EVENT || begun == YAML_SEQUENCE_START_EVENT; depth > 0;) {
                yaml_event_t event;
                if (!yaml_parser_parse(parser, &event))
                        return false;
                depth += event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT;
                depth -= event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
                yaml_event_delete(&event);
        }
        return true;
}

/* Inside a mapping or list: goes on to the node that stands at `wanted`, gives its line and what begins there. */
static bool enter(yaml_parser_t *parser, yaml_event_type_t within, struct str wanted, size_t *out_line, yaml_event_type_t *out_begun)
{
        for (uint64_t place = 0, number;; place++) {
                yaml_event_t event;
                bool found = within == YAML_SEQUENCE_START_EVENT && str_to_u64(wanted, &number) && number == place;
                if (!yaml_parser_parse(parser, &event))
                        return false;
                size_t line = event.start_mark.line + 1;
                yaml_event_type_t type = event.type;
                if (within == YAML_MAPPING_START_EVENT && type == YAML_SCALAR_EVENT)
                        found = str_equal(wanted, (struct str){(const char *)event.data.scalar.value, event.data.scalar.length});
                yaml_event_delete(&event);
                if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT || type == YAML_NO_EVENT)
                        return false;
                if (within == YAML_MAPPING_START_EVENT) { /* that was the key: its value follows */
                        if (!yaml_parser_parse(parser, &event))
                                return false;
                        type = event.type;
                        yaml_event_delete(&event);
                }
                if (found) {
                        *out_line = line;
                        *out_begun = type;
                        return true;
                }
                if (!skip_node(parser, type))
                        return false;
        }
}

size_t yaml_line_of(struct str text, const struct str *path, size_t count)
{
        yaml_parser_t parser;
        size_t line = 1;
        if (!yaml_parser_initialize(&parser))
                return line;
        yaml_parser_set_input_string(&parser, (const unsigned char *)(text.bytes ? text.bytes : ""), text.length);
        yaml_event_type_t begun = YAML_NO_EVENT;
        for (yaml_event_t event; begun != YAML_MAPPING_START_EVENT && begun != YAML_SEQUENCE_START_EVENT &&
                                 begun != YAML_STREAM_END_EVENT && yaml_parser_parse(&parser, &event);) {
                begun = event.type;
                yaml_event_delete(&event);
                if (begun == YAML_NO_EVENT)
                        break;
        }
        for (size_t i = 0; i < count && (begun == YAML_MAPPING_START_EVENT || begun == YAML_SEQUENCE_START_EVENT); i++)
                if (!enter(&parser, begun, path[i], &line, &begun))
                        break;
        yaml_parser_delete(&parser);
        return line;
}
