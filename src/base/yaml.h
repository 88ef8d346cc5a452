/*
 * yaml - reads a YAML document into a JSON tree, which is how configuration, kinds and packs are read.
 *
 * One document; mappings with text keys; aliases and anchors are refused (they hide what a file says, and expand to
 * bombs), duplicate keys too. Plain scalars become null, booleans (true, false), integers and reals as in the YAML 1.2
 * core schema; all else is text. Depth at most 64, size at most bytes_max.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stddef.h>

#define YAML_BYTES_MAX ((size_t)8 << 20)

/* name says in errors where the text comes from ("evenkeel.yaml"). The result is the caller's; NULL on error, which
 * names the line and column. An empty document is an empty object. */
json_t *yaml_parse(struct str text, const char *name, struct err *err);

/* The line, from 1, on which a node of a well-formed document stands: path is its keys and list places ("fields", "name",
 * "0"). What comes nearest to it when the path leads nowhere. For messages about what is well-formed and still wrong. */
size_t yaml_line_of(struct str text, const struct str *path, size_t count);
