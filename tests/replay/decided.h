/*
 * decided - all that a state database says was decided, as text: a line a row, so that two runs can be compared byte for byte.
 *
 *      row incident 1|7340032|"DiskFull on web1"|...
 *
 * Every table counts, also those that a later version adds; left out are only the two that say how far storing came, `checkpoint` and
 * `watermark`, since a run that was interrupted stores at other moments; and the columns `is_repeat`, since a message without a result is sent
 * again after a crash, and says so. Long values and blobs stand as their hash.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

bool decided_read(const char *path, const char *vfs, struct buf *out, struct err *err);
/* The first line in which the two differ, one below the other, into out; false: they are equal. */
bool decided_differ(struct str one, struct str other, char out[1200]);
