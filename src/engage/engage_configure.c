/* engage_configure.c - what operators declare about incidents: see engage.h. Checked as a whole before anything is taken. */
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage_state.h"
#include "model/content.h"

#define VOLATILE_MAX 64

struct reading {
        struct str names[VOLATILE_MAX];
        size_t count;
};

static bool read_names(struct reading *reading, const json_t *names, struct err *err)
{
        size_t at;
        const json_t *name;
        if (!json_is_array(names))
                return fail(err, ERR_INVALID, "engage", "volatile_labels is a list of label names");
        json_array_foreach (names, at, name) {
                struct str text = {json_string_value(name), json_string_length(name)};
                if (!text.length || text.length > LABEL_BYTES_MAX)
                        return fail(err, ERR_INVALID, "engage", "item %zu of volatile_labels is no label name", at + 1);
                if (str_is(text, "alertname"))
                        return fail(err, ERR_INVALID, "engage", "alertname cannot be volatile: it is what an alert is");
                if (reading->count == VOLATILE_MAX)
                        return fail(err, ERR_TOO_LARGE, "engage", "there are more than %d volatile_labels", VOLATILE_MAX);
                reading->names[reading->count++] = text;
        }
        return true;
}

static bool read_item(void *context, const char *file, const json_t *item, struct err *err)
{
        (void)file;
        const char *key;
        json_t *value;
        if (!json_is_object(item))
                return fail(err, ERR_INVALID, "engage", "it is not a list of settings with names");
        json_object_foreach ((json_t *)item, key, value) {
                if (strcmp(key, "volatile_labels") != 0)
                        return fail(err, ERR_INVALID, "engage", "there is no setting \"%s\"; there is volatile_labels", key);
                if (!read_names(context, value, err))
                        return false;
        }
        return true;
}

bool engage_check_configuration(const json_t *content, struct err *err)
{
        struct reading reading = {0};
        return content_visit(content, "incidents", read_item, &reading, err) && engage_routing_check(content, err);
}

bool engage_configure(struct engage *engage, const json_t *content, struct err *err)
{
        struct reading reading = {0};
        return content_visit(content, "incidents", read_item, &reading, err) &&
               alerts_set_volatile(engage->alerts, reading.names, reading.count, err) && engage_routing_configure(engage, content, err);
}
