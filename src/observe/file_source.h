/*
 * file_source - follows log files through rotations and restarts: nothing lost, nothing twice.
 *
 * config: { "files": [ { "path": "/var/log/nginx/?*.log", "service": "nginx", "multiline": true, "from": "start" } ] }
 * path may be a glob; service defaults to the file's name without .log; multiline (true) joins stack traces; from ("start"
 * or "end") says where a file begins that was never read before. Default: /var/log/?*.log, syslog and messages.
 *
 * Each path is a source of its own, named file:<path>, with a cursor. Rotated by renaming: the old file is read to its
 * end, then the new one. Rotated by copying and truncating: what was not read yet is taken from the copy. After a restart both
 * are found again by inode and fingerprint. Compressed files are not read.
 */
#pragma once

#include "observe/source.h"

bool file_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err);
void file_source_stop(void *source);
void file_source_check(const json_t *config, struct faults *faults);
