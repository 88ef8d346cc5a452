/*
 * source - the shape that every source which runs by itself has: two functions, named in its row of sources.def.
 *
 *      x_source_start -> (its own thread offers batches to intake) -> x_source_stop
 *
 * config is this kind's part of the configuration and is borrowed for the call; NULL or empty means the sensible
 * default, which each header states. A start that fails says why and leaves nothing behind. What can go wrong later
 * (a file that cannot be read, a target that does not answer) is told with source_state and tried again.
 * Stop waits until the thread has ended and no callback can come any more. NULL is fine to stop.
 */
#pragma once

#include "base/err.h"
#include "base/faults.h"
#include "observe/intake.h"

#include <jansson.h>
#include <stdbool.h>

typedef bool source_start_fn(struct intake *intake, const json_t *config, void **out_source, struct err *err);
typedef void source_stop_fn(void *source);
/* All that a start would refuse in this kind's part of the configuration, and the keys nobody reads; opens and reads nothing but the files it names. */
typedef void source_check_fn(const json_t *config, struct faults *faults);

/* The row numbers of sources.def that sources put into batch.format. */
enum source_format {
        SOURCE_SYSLOG = 1,
        SOURCE_FILE = 2,
        SOURCE_JOURNALD = 3,
        SOURCE_SCRAPE = 8,
        SOURCE_HOST = 9,
        SOURCE_RULES = 12,
        SOURCE_ALERTMANAGER = 13,
        SOURCE_CHANGES = 14,
        SOURCE_CHECK = 15,
};
