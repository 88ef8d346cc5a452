/*
 * content - what operators and packs declare in YAML (rules, checks, teams, routes, runbooks ...), as one JSON document.
 *
 *      { "files": [ { "name": "packs/linux/filesystem.yaml", "tree": { "groups": [ ... ], "checks": [ ... ] } }, ... ] }
 *
 * app/ reads the files, the command `configure` journals the document, and each deciding stage takes the keys that it knows. The keys are rows
 * of content.def. No secret stands in it.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Every key at the top of a content file: K(key, who takes it, meaning). */
struct content_key {
        const char *name, *taken_by, *meaning;
};
extern const struct content_key content_keys[]; /* ended by a NULL name */

/* Refuses a file with an unknown key at its top; err names file and key. */
bool content_check_file(const char *file, const json_t *tree, struct err *err);

/* Whether a file says shadow: { on: true }; nothing may be sent or run then. */
bool content_is_shadow(const json_t *content);

/* Calls visit for each item of the list under the key, of every file in order; a single object counts as a list of one. visit false ends it.
 * err gets the file's name and the item's number in front. */
bool content_visit(const json_t *content, const char *key,
                   bool (*visit)(void *context, const char *file, const json_t *item, struct err *err), void *context, struct err *err);
