/*
 * file_rotation - which files beside a log file are its earlier parts: app.log.1, app.log-20260131, app.log.2026-01-31.
 */
#pragma once

#include "observe/file_tail.h"

#include <stdbool.h>

#define ROTATED_MAX 64

/* Whether name (or path) is path with a rotation's ending: a dot or dash, then digits with dots, dashes, underscores. */
bool file_is_rotation_of(const char *name, const char *path);

/* The file that holds what was read up to place: renamed (same inode) or copied (same first bytes), open at the
 * place's offset. other_than: an inode that does not count (0: none). False: there is none. */
bool file_rotation_find(const char *path, const struct file_place *place, uint64_t other_than, int64_t now_ns,
                        struct file_tail *out_tail);

/* Earlier parts of path written after modified_ns, oldest first, open at their beginning; is_known(inode) leaves some out. */
size_t file_rotation_since(const char *path, int64_t modified_ns, bool (*is_known)(void *context, uint64_t inode),
                           void *context, int64_t now_ns, struct file_tail out_tails[static ROTATED_MAX]);
