/*
 * vfs.c - see vfs.h. SQLite's unix VFS is the model: the same five levels of file locks (https://sqlite.org/lockingv3.html),
 * the same sync of the directory with the first sync of a new journal, the same promises about sectors. What it leaves out
 * is other processes.
 */
#include "store/vfs.h"

#include "base/scope.h"
#include "base/thread.h"

#include <assert.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGIONS_MAX 1024 /* of the WAL index, 32 KiB each: a log of four million pages */

/* A file as all connections to it share it. */
struct shared {
        struct shared *next;
        struct disk *disk;
        char *path;
        unsigned references;
        /* file locks */
        unsigned readers;
        const void *reserved, *pending, *exclusive; /* the connection that holds it */
        /* the WAL's index */
        unsigned index_users, region_count;
        void *regions[REGIONS_MAX];
        unsigned slot_readers[SQLITE_SHM_NLOCK];
        const void *slot_writer[SQLITE_SHM_NLOCK];
};

struct vfs {
        sqlite3_vfs base;
        sqlite3_vfs *system;
        struct disk *disk;
};

struct vfs_file {
        sqlite3_file base;
        struct disk_file *file;
        struct shared *shared;
        const char *site;
        bool directory_unsynced; /* its name may not last yet */
        bool delete_on_close;
        bool uses_index;
        int level;
        unsigned slots_read, slots_written; /* bits */
};

static struct lock all_lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct shared *all;

static void init_all(void)
{
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody reads its counts of memory, and each allocation would take a lock for them */
        lock_init(&all_lock, LOCK_DATABASE);
}

static int result_of(const struct err *err, int otherwise)
{
        return err->code == ERR_FULL ? SQLITE_FULL : err->code == ERR_MEMORY ? SQLITE_NOMEM : otherwise;
}

static struct vfs_file *file_of(sqlite3_file *base)
{
        return (struct vfs_file *)base;
}

/* --------------------------------------------------------------------------------------------------- what is shared */

static struct shared *shared_ref(struct disk *disk, const char *path)
{
        with_lock(&all_lock);
        for (struct shared *shared = all; shared; shared = shared->next)
                if (shared->disk == disk && strcmp(shared->path, path) == 0) {
                        shared->references++;
                        return shared;
                }
        struct shared *shared = calloc(1, sizeof *shared);
        if (!shared || !(shared->path = strdup(path))) {
                free(shared);
                return NULL;
        }
        shared->disk = disk;
        shared->references = 1;
        shared->next = all;
        all = shared;
        return shared;
}

static void index_forget(struct shared *shared)
{
        for (unsigned i = 0; i < shared->region_count; i++)
                free(shared->regions[i]);
        shared->region_count = 0;
}

static void shared_unref(struct shared *shared)
{
        with_lock(&all_lock);
        if (--shared->references > 0)
                return;
        struct shared **at = &all;
        while (*at != shared)
                at = &(*at)->next;
        *at = shared->next;
        index_forget(shared);
        free(shared->path);
        free(shared);
}

/* ------------------------------------------------------------------------------------------------------- bytes and syncs */

static int file_read(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset)
{
        struct err err = {0};
        size_t got;
        if (!disk_read(file_of(base)->file, bytes, (size_t)count, (uint64_t)offset, &got, &err))
                return result_of(&err, SQLITE_IOERR_READ);
        if (got == (size_t)count)
                return SQLITE_OK;
        memset((char *)bytes + got, 0, (size_t)count - got);
        return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset)
{
        struct err err = {0};
        return disk_write(file_of(base)->file, bytes, (size_t)count, (uint64_t)offset, &err)
                       ? SQLITE_OK
                       : result_of(&err, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
        struct err err = {0};
        return disk_truncate(file_of(base)->file, (uint64_t)bytes, &err) ? SQLITE_OK
                                                                         : result_of(&err, SQLITE_IOERR_TRUNCATE);
}

static bool sync_parent(struct disk *disk, const char *path, struct err *err)
{
        char parent[PATH_MAX];
        const char *slash = strrchr(path, '/');
        snprintf(parent, sizeof parent, "%.*s", slash ? (int)max_of(slash - path, (ptrdiff_t)1) : 1, slash ? path : ".");
        return disk_sync_directory(disk, parent, "sqlite directory", err);
}

static int file_sync(sqlite3_file *base, int flags)
{
        struct vfs_file *file = file_of(base);
        (void)flags;
        if (!disk_sync(file->file, file->site, NULL))
                return SQLITE_IOERR_FSYNC;
        if (file->directory_unsynced && !sync_parent(file->shared->disk, file->shared->path, NULL))
                return SQLITE_IOERR_DIR_FSYNC;
        file->directory_unsynced = false;
        return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out_bytes)
{
        uint64_t bytes;
        if (!disk_size(file_of(base)->file, &bytes, NULL))
                return SQLITE_IOERR_FSTAT;
        *out_bytes = (sqlite3_int64)bytes;
        return SQLITE_OK;
}

/* ------------------------------------------------------------------------------------------------------------ file locks */

static bool held_by_other(const void *holder, const struct vfs_file *file)
{
        return holder && holder != file;
}

static int lock_exclusive(struct shared *shared, struct vfs_file *file)
{
        if (held_by_other(shared->pending, file) || held_by_other(shared->reserved, file))
                return SQLITE_BUSY;
        shared->pending = file;
        file->level = SQLITE_LOCK_PENDING;
        if (shared->readers > 1)
                return SQLITE_BUSY; /* the pending lock stays, so that no new reader comes */
        shared->exclusive = file;
        file->level = SQLITE_LOCK_EXCLUSIVE;
        return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
        struct vfs_file *file = file_of(base);
        struct shared *shared = file->shared;
        with_lock(&all_lock);
        if (file->level >= level)
                return SQLITE_OK;
        if (file->level == SQLITE_LOCK_NONE) {
                if (shared->pending || shared->exclusive)
                        return SQLITE_BUSY;
                shared->readers++;
                file->level = SQLITE_LOCK_SHARED;
        }
        if (level == SQLITE_LOCK_RESERVED) {
                if (held_by_other(shared->reserved, file) || held_by_other(shared->pending, file))
                        return SQLITE_BUSY;
                shared->reserved = file;
                file->level = SQLITE_LOCK_RESERVED;
        }
        return level == SQLITE_LOCK_EXCLUSIVE ? lock_exclusive(shared, file) : SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
        struct vfs_file *file = file_of(base);
        struct shared *shared = file->shared;
        with_lock(&all_lock);
        if (file->level <= level)
                return SQLITE_OK;
        const void **holders[] = {&shared->reserved, &shared->pending, &shared->exclusive};
        for (size_t i = 0; i < countof(holders); i++)
                if (*holders[i] == file)
                        *holders[i] = NULL;
        if (level == SQLITE_LOCK_NONE)
                shared->readers--;
        file->level = level;
        return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out_reserved)
{
        struct shared *shared = file_of(base)->shared;
        with_lock(&all_lock);
        *out_reserved = shared->reserved != NULL || shared->pending != NULL;
        return SQLITE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- the WAL's index */

static int index_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **out_memory)
{
        struct vfs_file *file = file_of(base);
        struct shared *shared = file->shared;
        with_lock(&all_lock);
        if (!file->uses_index) {
                file->uses_index = true;
                shared->index_users++;
        }
        *out_memory = NULL;
        while (extend && (unsigned)region >= shared->region_count) {
                void *memory = shared->region_count < REGIONS_MAX ? calloc(1, (size_t)bytes) : NULL;
                if (!memory)
                        return SQLITE_IOERR_NOMEM;
                shared->regions[shared->region_count++] = memory;
        }
        if ((unsigned)region < shared->region_count)
                *out_memory = shared->regions[region];
        return SQLITE_OK;
}

static void slots_release(struct vfs_file *file, unsigned slots)
{
        for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
                unsigned bit = 1u << i & slots;
                if (file->slots_read & bit)
                        file->shared->slot_readers[i]--;
                if (file->slots_written & bit)
                        file->shared->slot_writer[i] = NULL;
        }
        file->slots_read &= ~slots;
        file->slots_written &= ~slots;
}

static int slots_take(struct vfs_file *file, unsigned slots, bool exclusive)
{
        struct shared *shared = file->shared;
        for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
                unsigned own = (file->slots_read >> i & 1);
                if ((slots >> i & 1) &&
                    (held_by_other(shared->slot_writer[i], file) || (exclusive && shared->slot_readers[i] > own)))
                        return SQLITE_BUSY;
        }
        for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
                unsigned bit = 1u << i & slots;
                if (bit && exclusive)
                        shared->slot_writer[i] = file;
                else if (bit && !(file->slots_read & bit))
                        shared->slot_readers[i]++;
        }
        if (exclusive)
                file->slots_written |= slots;
        else
                file->slots_read |= slots;
        return SQLITE_OK;
}

static int index_lock(sqlite3_file *base, int first, int count, int flags)
{
        struct vfs_file *file = file_of(base);
        unsigned slots = ((1u << count) - 1) << first;
        with_lock(&all_lock);
        if (flags & SQLITE_SHM_UNLOCK) {
                slots_release(file, slots);
                return SQLITE_OK;
        }
        return slots_take(file, slots, flags & SQLITE_SHM_EXCLUSIVE);
}

static void index_barrier(sqlite3_file *base)
{
        (void)base;
        with_lock(&all_lock);
}

static int index_unmap(sqlite3_file *base, int delete_it)
{
        struct vfs_file *file = file_of(base);
        (void)delete_it;
        with_lock(&all_lock);
        slots_release(file, UINT_MAX);
        if (file->uses_index && --file->shared->index_users == 0)
                index_forget(file->shared);
        file->uses_index = false;
        return SQLITE_OK;
}

/* ------------------------------------------------------------------------------------------------------ opening, deleting */

static int file_close(sqlite3_file *base)
{
        struct vfs_file *file = file_of(base);
        file_unlock(base, SQLITE_LOCK_NONE);
        index_unmap(base, 0);
        disk_close(file->file);
        if (file->delete_on_close)
                disk_unlink(file->shared->disk, file->shared->path, NULL);
        shared_unref(file->shared);
        return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
        (void)base, (void)operation, (void)argument;
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
        (void)base;
        return 4096;
}

static int file_characteristics(sqlite3_file *base)
{
        (void)base;
        return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite takes it of the system's files */
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_reserved,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_characteristics,
        .xShmMap = index_map,
        .xShmLock = index_lock,
        .xShmBarrier = index_barrier,
        .xShmUnmap = index_unmap,
};

static const char *site_of(int flags)
{
        return flags & SQLITE_OPEN_MAIN_DB ? "sqlite database" : flags & SQLITE_OPEN_WAL ? "sqlite wal" : "sqlite journal";
}

static bool exists(struct disk *disk, const char *path, uint64_t bytes_min)
{
        struct disk_file *file = disk_open(disk, path, DISK_READ, NULL);
        uint64_t bytes = 0;
        bool found = file && disk_size(file, &bytes, NULL) && bytes >= bytes_min;
        disk_close(file);
        return found;
}

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *base_file, int flags, int *out_flags)
{
        struct vfs *vfs = (struct vfs *)base;
        struct vfs_file *file = file_of(base_file);
        if (!path)
                return vfs->system->xOpen(vfs->system, path, base_file, flags, out_flags);
        *file = (struct vfs_file){.site = site_of(flags), .delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE};
        enum disk_mode mode = flags & SQLITE_OPEN_READONLY ? DISK_READ
                            : flags & SQLITE_OPEN_CREATE   ? DISK_CREATE
                                                           : DISK_WRITE;
        struct err err = {0};
        file->file = disk_open(vfs->disk, path, mode, &err);
        if (!file->file)
                return result_of(&err, SQLITE_CANTOPEN);
        file->shared = shared_ref(vfs->disk, path);
        if (!file->shared) {
                disk_close(file->file);
                return SQLITE_NOMEM;
        }
        /* Even if it exists already: a process that was killed may have made it, and its name may not last yet. */
        file->directory_unsynced = (flags & SQLITE_OPEN_CREATE) && !(flags & SQLITE_OPEN_MAIN_DB);
        file->base.pMethods = &methods;
        if (out_flags)
                *out_flags = flags;
        return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_directory)
{
        struct vfs *vfs = (struct vfs *)base;
        struct err err = {0};
        if (!disk_unlink(vfs->disk, path, &err))
                return err.code == ERR_NOT_FOUND ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
        return !sync_directory || sync_parent(vfs->disk, path, NULL) ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *out_result)
{
        /* An empty file counts as none, as with the system's VFS: a journal that was cut to nothing is over. */
        *out_result = exists(((struct vfs *)base)->disk, path, flags == SQLITE_ACCESS_EXISTS ? 1 : 0);
        return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int bytes_max, char *out_path)
{
        (void)base;
        return snprintf(out_path, (size_t)bytes_max, "%s", path) < bytes_max ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *base, int count, char *out_bytes)
{
        sqlite3_vfs *system = ((struct vfs *)base)->system;
        return system->xRandomness(system, count, out_bytes);
}

static int vfs_sleep(sqlite3_vfs *base, int microseconds)
{
        sqlite3_vfs *system = ((struct vfs *)base)->system;
        return system->xSleep(system, microseconds);
}

static int vfs_time(sqlite3_vfs *base, sqlite3_int64 *out_time)
{
        sqlite3_vfs *system = ((struct vfs *)base)->system;
        return system->xCurrentTimeInt64(system, out_time);
}

static int vfs_last_error(sqlite3_vfs *base, int count, char *out_text)
{
        (void)base, (void)count, (void)out_text;
        return 0;
}

bool vfs_register(const char *name, struct disk *disk, struct err *err)
{
        pthread_once(&once, init_all);
        sqlite3_vfs *system = sqlite3_vfs_find(NULL);
        struct vfs *vfs = calloc(1, sizeof *vfs);
        if (!system || !vfs) {
                free(vfs);
                return fail_memory(err, "vfs", sizeof *vfs);
        }
        *vfs = (struct vfs){
                .base = {
                        .iVersion = 2,
                        .szOsFile = max_of((int)sizeof(struct vfs_file), system->szOsFile),
                        .mxPathname = PATH_MAX - 1,
                        .zName = name,
                        .xOpen = vfs_open,
                        .xDelete = vfs_delete,
                        .xAccess = vfs_access,
                        .xFullPathname = vfs_full_path,
                        .xDlOpen = system->xDlOpen,
                        .xDlError = system->xDlError,
                        .xDlSym = system->xDlSym,
                        .xDlClose = system->xDlClose,
                        .xRandomness = vfs_randomness,
                        .xSleep = vfs_sleep,
                        .xGetLastError = vfs_last_error,
                        .xCurrentTimeInt64 = vfs_time,
                },
                .system = system,
                .disk = disk,
        };
        if (sqlite3_vfs_register(&vfs->base, 0) == SQLITE_OK)
                return true;
        free(vfs);
        return fail(err, ERR_INTERNAL, "vfs", "registering %s with SQLite", name);
}

void vfs_unregister(const char *name)
{
        sqlite3_vfs *base = sqlite3_vfs_find(name);
        if (!base || base->xOpen != vfs_open)
                return;
        sqlite3_vfs_unregister(base);
        free(base);
}
