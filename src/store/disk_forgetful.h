/*
 * disk_forgetful - a disk in memory that forgets, at a power cut, whatever was not synced.
 *
 *      disk_forgetful_create -> use it as a struct disk -> disk_crash or disk_kill -> use it again ... -> destroy
 *
 * For each file it keeps what a program sees and what the platter holds, with the writes between the two; for each
 * directory the same about names, so that a created, renamed or removed file whose directory was not synced may
 * revert. A crash keeps none, all, a prefix with its end torn, or any sectors of what was not synced, as the seed says.
 * Sectors of 512 bytes are whole, and bytes outside of a write are never touched, as real disks promise.
 *
 * A failed sync forgets what it should have written while reads still show it, as Linux does. Deterministic from the
 * seeds. Any thread.
 */
#pragma once

#include "store/disk.h"

#include <stdbool.h>
#include <stdint.h>

struct disk *disk_forgetful_create(void); /* NULL: no memory; with running out of it later it stops the program */
void disk_forgetful_destroy(struct disk *disk); /* its files are closed */

/* The machine loses power and comes back. Files that were open fail from then on and still want to be closed. */
void disk_crash(struct disk *disk, uint64_t seed);
/* The process ends and begins again: the same, but what was written stays to be seen, unsynced as it was. */
void disk_kill(struct disk *disk);

void disk_set_bytes_max(struct disk *disk, uint64_t bytes_max);  /* full beyond it; 0: no bound */
void disk_set_read_only(struct disk *disk, bool read_only);
/* The nth change or sync from now (1: the next) and those after it, so many in all, fail; 0: none. */
void disk_fail_nth(struct disk *disk, uint64_t nth, uint64_t count);
void disk_stop_nth(struct disk *disk, uint64_t nth);    /* it and all after it fail, until disk_crash or disk_kill; 0: none */
/* As disk_stop_nth, counted from when a file of such an ending (a literal) is next made; once. */
void disk_stop_after_new(struct disk *disk, uint64_t nth, const char *ending);
bool disk_stopped(struct disk *disk);
uint64_t disk_operations(struct disk *disk);            /* changes and syncs so far */

/* Syncs of this site do nothing, but say they did. NULL: all work. */
void disk_forget_site(struct disk *disk, const char *site);
/* Calls visit for each site name seen so far, in the order of their first use. */
void disk_sites(struct disk *disk, void (*visit)(void *context, const char *site, uint64_t syncs), void *context);
