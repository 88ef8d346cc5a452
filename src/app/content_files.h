/*
 * content_files - reads packs and the operator's own content files into the one document of model/content.h.
 *
 * Built-in packs come first, then the paths of the key `content` in order: a file, a pattern (rules/ *.yaml), or a folder, whose .yaml and .yml
 * files are taken in order of name. What packs.disable names of the built-in packs is left out (pack_tree.h).
 */
#pragma once

#include "app/config.h"
#include "base/err.h"

#include <jansson.h>

#define CONTENT_FILES_MAX 2000

/* out_content is the caller's. All or nothing: the error names the file and the place. With faults each file that cannot be taken is told there
 * and left out. */
bool content_files_read(const struct config *config, json_t **out_content, struct faults *faults, struct err *err);
