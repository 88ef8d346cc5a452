/*
 * journald_source - follows the systemd journal through libsystemd, from its cursor on, in a thread of its own.
 *
 * config: { "since_hours": 24, "directory": path } since_hours says how far back to begin when it was never read before;
 * directory reads journal files from there instead of this machine's journal. Source name: journald.
 *
 * A machine without a journal, or a user who may not read it, is no fault: the state says so and reading begins when
 * there is one.
 */
#pragma once

#include "observe/source.h"

bool journald_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err);
void journald_source_stop(void *source);
void journald_source_check(const json_t *config, struct faults *faults);
