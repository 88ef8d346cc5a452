/*
 * failing - one thing that fails, at the nth time: an allocation of our own code, an operation on the disk, a step of SQLite.
 *
 *      failing_begin(FAULT_DISK, 7) -> what is tried -> failing_end() gives how many there were
 *
 * The linker wraps the calls (meson.build lists them), so libraries keep their memory, but for jansson, which takes ours.
 * What the program logs meanwhile is counted instead of printed.
 */
#pragma once

#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>

enum fault { FAULT_ALLOCATION, FAULT_DISK, FAULT_STEP, FAULTS };

void failing_begin(enum fault fault, size_t nth); /* nth 0: none fails, they are counted only */
size_t failing_end(void);                         /* how many of the kind there were since the beginning */
size_t failing_logged(void);                      /* lines logged since the beginning */

/* A disk that passes everything on to a disk_forgetful, except for the operation that is to fail. A sync that fails
 * forgets what it should have written, as Linux does. */
struct disk *failing_disk_create(struct disk *below);
void failing_disk_destroy(struct disk *disk);
