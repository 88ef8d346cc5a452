/*
 * vfs - lets SQLite keep its files on a struct disk: on disk_forgetful its syncs can be tried like everybody's.
 *
 *      vfs_register("forgetful", disk) -> database_open(path, "forgetful", ...) ... -> vfs_unregister("forgetful")
 *
 * All connections are of this process: locks and the WAL's index are kept in memory, shared by path. Names of its sync
 * sites: "sqlite database", "sqlite wal", "sqlite journal", "sqlite directory". Temporary files go to the system's VFS.
 */
#pragma once

#include "base/err.h"
#include "store/disk.h"

#include <stdbool.h>

/* name must live until it is unregistered, with no database open. */
bool vfs_register(const char *name, struct disk *disk, struct err *err);
void vfs_unregister(const char *name);
