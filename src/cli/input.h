/* input - a file named on the command line, read whole: for the verbs that work on files at rest. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define INPUT_BYTES_MAX ((size_t)2 << 30)

/* Appends the bytes of the file; "-" is standard input. Fails with ERR_TOO_LARGE beyond INPUT_BYTES_MAX. */
bool input_read(const char *path, struct buf *out, struct err *err);
