/* setting.c - see setting.h. */
#include "engage/setting.h"

#include "base/json.h"
#include "query/promql.h"

#include <string.h>

bool setting_keys(const json_t *item, const char *what, const char *const *keys, struct err *err)
{
        const char *key;
        json_t *value;
        if (!json_is_object(item))
                return fail(err, ERR_INVALID, "engage", "an item of %s is a mapping such as { %s: ... }", what, keys[0]);
        json_object_foreach ((json_t *)item, key, value) {
                size_t i = 0;
                char known[200] = "";
                while (keys[i] && strcmp(keys[i], key) != 0)
                        i++;
                if (keys[i])
                        continue;
                for (i = 0; keys[i]; i++) {
                        strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
                        strncat(known, keys[i], sizeof known - strlen(known) - 1);
                }
                return fail(err, ERR_INVALID, "engage", "%s has no setting \"%.60s\"; there are %s", what, key, known);
        }
        return true;
}

bool setting_text(const json_t *item, const char *key, bool is_needed, struct arena *arena, struct str *out_text, struct err *err)
{
        const json_t *value = json_object_get(item, key);
        if ((!value || json_is_null(value)) && !is_needed)
                return true;
        if (!json_is_string(value) || !json_string_length(value) || json_string_length(value) > 4096)
                return fail(err, ERR_INVALID, "engage", "%s must be a text", key);
        struct str copy = arena_str(arena, (struct str){json_string_value(value), json_string_length(value)});
        if (!copy.bytes)
                return fail_memory(err, "engage", json_string_length(value));
        *out_text = copy;
        return true;
}

bool setting_duration(const json_t *item, const char *key, int64_t *out_ns, struct err *err)
{
        const json_t *value = json_object_get(item, key);
        if (!value || json_is_null(value))
                return true;
        if (json_is_integer(value) && json_integer_value(value) == 0) {
                *out_ns = 0;
                return true;
        }
        struct str text = json_str(item, key);
        if (str_is(text, "0s") || str_is(text, "0")) {
                *out_ns = 0;
                return true;
        }
        return (text.bytes && promql_duration(text, out_ns, NULL)) ||
               fail(err, ERR_INVALID, "engage", "%s must be a duration such as 30s, 5m, 4h, 1d or 1w", key);
}

static bool add_name(const json_t *value, const char *key, struct arena *arena, struct setting_list *list, struct err *err)
{
        if (!json_is_string(value) || !json_string_length(value))
                return fail(err, ERR_INVALID, "engage", "%s must be a list of names", key);
        struct str *slot = arena_push(arena, list);
        if (slot)
                *slot = arena_str(arena, (struct str){json_string_value(value), json_string_length(value)});
        return (slot && slot->bytes) || fail_memory(err, "engage", json_string_length(value));
}

bool setting_names(const json_t *item, const char *key, struct arena *arena, struct setting_list *out_list, struct err *err)
{
        size_t at;
        const json_t *value = json_object_get(item, key), *name;
        struct setting_list list = {0};
        if (json_is_string(value)) {
                if (!add_name(value, key, arena, &list, err))
                        return false;
        } else if (value && !json_is_array(value) && !json_is_null(value)) {
                return fail(err, ERR_INVALID, "engage", "%s must be a list of names", key);
        }
        json_array_foreach (value, at, name)
                if (!add_name(name, key, arena, &list, err))
                        return false;
        *out_list = list;
        return true;
}
