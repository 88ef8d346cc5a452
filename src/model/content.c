/* content.c - see content.h. */
#include "model/content.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

const struct content_key content_keys[] = {
#define K(name, taken_by, meaning) {name, taken_by, meaning},
#include "model/content.def"
#undef K
        {0},
};

static bool refuse_key(const char *file, const char *key, struct err *err)
{
        char names[512];
        size_t length = 0;
        if (strcmp(key, "dependencies") == 0 || strcmp(key, "kind") == 0 || strcmp(key, "extend") == 0)
                return fail(err, ERR_INVALID, "content", "%s: %s is no content; name the file under register.%s in evenkeel.yaml instead", file, key,
                            *key == 'd' ? key : "kinds");
        for (const struct content_key *known = content_keys; known->name && length < sizeof names; known++)
                length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", length ? ", " : "", known->name);
        return fail(err, ERR_INVALID, "content", "%s: the key %s is not known; there are %s", file, key, names);
}

bool content_check_file(const char *file, const json_t *tree, struct err *err)
{
        const char *key;
        json_t *value;
        if (!json_is_object(tree))
                return fail(err, ERR_INVALID, "content", "%s: the file must be a mapping with keys such as groups, checks, teams or runbooks", file);
        json_object_foreach((json_t *)tree, key, value) {
                size_t i;
                json_t *item;
                const struct content_key *known = content_keys;
                while (known->name && strcmp(known->name, key) != 0)
                        known++;
                if (!known->name)
                        return refuse_key(file, key, err);
                if (!json_is_array(value) && !json_is_object(value) && !json_is_null(value))
                        return fail(err, ERR_INVALID, "content", "%s: %s must be a list", file, key);
                if (json_is_array(value))
                        json_array_foreach(value, i, item)
                                if (json_is_null(item))
                                        return fail(err, ERR_INVALID, "content", "%s: %s, item %zu: it is empty; write it, or take the dash away", file, key, i + 1);
        }
        return true;
}

bool content_visit(const json_t *content, const char *key,
                   bool (*visit)(void *context, const char *file, const json_t *item, struct err *err), void *context, struct err *err)
{
        size_t i, j;
        json_t *file;
        json_array_foreach(json_object_get(content, "files"), i, file) {
                const char *name = json_string_value(json_object_get(file, "name"));
                json_t *list = json_object_get(json_object_get(file, "tree"), key), *item;
                if (json_is_object(list) && !visit(context, name, list, err))
                        return err_within(err, "%s: %s", name, key);
                json_array_foreach(list, j, item)
                        if (!json_is_null(item) && !visit(context, name, item, err))
                                return err_within(err, "%s: %s, item %zu", name, key, j + 1);
        }
        return true;
}

bool content_is_shadow(const json_t *content)
{
        size_t i;
        json_t *file;
        json_array_foreach(json_object_get(content, "files"), i, file)
                if (json_is_true(json_object_get(json_object_get(json_object_get(file, "tree"), "shadow"), "on")))
                        return true;
        return false;
}
