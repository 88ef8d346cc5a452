/*
 * scratch - a folder for a test's files, removed with all that is in it. For tests only.
 *
 *      char folder[SCRATCH_BYTES];
 *      scratch_make(folder, "journal") -> ... -> scratch_remove(folder)
 */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_BYTES 64

/* 0, or -1 with nothing made: what the fixtures of cmocka give. */
static inline int scratch_make(char out_folder[static SCRATCH_BYTES], const char *name)
{
        snprintf(out_folder, SCRATCH_BYTES, "/tmp/evenkeel-%.30s-XXXXXX", name);
        return mkdtemp(out_folder) ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
        (void)status, (void)type, (void)place;
        return remove(path);
}

static inline int scratch_remove(const char *folder)
{
        return nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
