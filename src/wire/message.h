/*
 * message - where in a stored line the program's own sentence begins: behind syslog's header, or a file's time.
 *
 * Stores keep lines whole; templates are of what the program said. A pure function of the line and of the kind of its
 * source (the stream's label `source`), so that live and later both find the same.
 */
#pragma once

#include "base/str.h"

/* The rest of the first line; the whole first line where no header is known. */
struct str message_of_line(struct str source, struct str line);
