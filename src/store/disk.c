/*
 * disk.c - the thin words over a disk's ops, and disk_real(), the operating system's files.
 *
 * Every call either does all of what it says or fails with an err that names the file: short reads and writes and
 * interrupted calls are taken up again here, so that nobody above has to think of them.
 */
#include "store/disk.h"

#include "base/scope.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What was written past the page cache and does not fill a block yet is kept, and written again with what follows it. */
struct bypass {
        char *room;             /* aligned */
        uint64_t start;         /* of the room in the file; a multiple of a block */
        size_t used;
        uint64_t end;           /* where the last write ended; UINT64_MAX: not known */
};

#define BLOCK_BYTES ((size_t)4096)
#define ROOM_BYTES ((size_t)1 << 20)

struct real_file {
        struct disk_file base;
        int fd;
        struct bypass *bypass; /* NULL: through the page cache */
        char path[];
};

static bool fail_disk(struct err *err, int error_number, const char *doing, const char *path)
{
        switch (error_number) {
        case ENOSPC:
        case EDQUOT:
                return fail_errno(err, error_number, "disk", "%s %s (free some space, it goes on by itself)", doing, path);
        case EROFS:
                return fail_errno(err, error_number, "disk", "%s %s (mount it writable, it goes on by itself)", doing, path);
        case EIO:
                return fail_errno(err, error_number, "disk", "%s %s (look at the kernel's log: the device may be failing)",
                                  doing, path);
        default:
                return fail_errno(err, error_number, "disk", "%s %s", doing, path);
        }
}

static struct disk_file *real_open(struct disk *disk, const char *path, enum disk_mode mode, struct err *err)
{
        static const int flags[] = {[DISK_READ] = O_RDONLY, [DISK_WRITE] = O_RDWR, [DISK_CREATE] = O_RDWR | O_CREAT};
        size_t path_bytes = strlen(path) + 1;
        struct real_file *file = malloc(sizeof *file + path_bytes);
        if (!file) {
                fail_memory(err, "disk", sizeof *file + path_bytes);
                return NULL;
        }
        file->base.disk = disk;
        file->bypass = NULL;
        memcpy(file->path, path, path_bytes);
        file->fd = open(path, flags[mode] | O_CLOEXEC, 0600);
        if (file->fd < 0) {
                fail_disk(err, errno, "opening", path);
                free(file);
                return NULL;
        }
        return &file->base;
}

/* --- past the page cache -------------------------------------------------------------------------------------------- */

static void bypass_end(struct real_file *file)
{
        if (!file->bypass)
                return;
        fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) & ~O_DIRECT);
        free(file->bypass->room);
        free(file->bypass);
        file->bypass = NULL;
}

static void real_bypass_cache(struct disk_file *base)
{
        struct real_file *file = (struct real_file *)base;
        struct bypass *bypass = file->bypass ? NULL : malloc(sizeof *bypass);
        if (!bypass)
                return;
        *bypass = (struct bypass){.room = aligned_alloc(BLOCK_BYTES, ROOM_BYTES), .end = UINT64_MAX};
        file->bypass = bypass;
        if (!bypass->room || fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) | O_DIRECT) < 0)
                bypass_end(file);
}

/* One aligned transfer; errno is left on failure. */
static bool bypass_put(const struct real_file *file, const char *bytes, size_t count, uint64_t offset)
{
        for (size_t done = 0; done < count;) {
                ssize_t wrote = pwrite(file->fd, bytes + done, count - done, (off_t)(offset + done));
                if (wrote < 0 && errno == EINTR)
                        continue;
                if (wrote <= 0) {
                        errno = wrote ? errno : ENOSPC;
                        return false;
                }
                done += (size_t)wrote;
        }
        return true;
}

/* What the file holds of the block before the offset; errno is left on failure. */
static bool bypass_begin(const struct real_file *file, uint64_t offset)
{
        struct bypass *bypass = file->bypass;
        bypass->used = offset % BLOCK_BYTES;
        bypass->start = offset - bypass->used;
        memset(bypass->room, 0, BLOCK_BYTES);
        ssize_t got = 0;
        while (bypass->used && (got = pread(file->fd, bypass->room, BLOCK_BYTES, (off_t)bypass->start)) < 0 && errno == EINTR)
                ;
        return got >= 0;
}

static bool bypass_parts(const struct real_file *file, const struct iovec *parts, int part_count)
{
        struct bypass *bypass = file->bypass;
        for (int i = 0; i < part_count; i++) {
                const char *from = parts[i].iov_base;
                for (size_t left = parts[i].iov_len, count; left; left -= count, from += count) {
                        count = min_of(left, ROOM_BYTES - bypass->used);
                        memcpy(bypass->room + bypass->used, from, count);
                        if ((bypass->used += count) < ROOM_BYTES)
                                continue;
                        if (!bypass_put(file, bypass->room, ROOM_BYTES, bypass->start))
                                return false;
                        bypass->start += ROOM_BYTES;
                        bypass->used = 0;
                }
        }
        size_t whole = bypass->used / BLOCK_BYTES * BLOCK_BYTES, padded = (bypass->used + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        memset(bypass->room + bypass->used, 0, padded - bypass->used);
        if (!bypass_put(file, bypass->room, padded, bypass->start))
                return false;
        memmove(bypass->room, bypass->room + whole, bypass->used - whole);
        bypass->start += whole;
        bypass->used -= whole;
        return true;
}

/* False with errno EINVAL: the filesystem does not want it after all. */
static bool bypass_write(const struct real_file *file, const struct iovec *parts, int part_count, uint64_t offset)
{
        struct bypass *bypass = file->bypass;
        bool goes_on = bypass->end == offset;
        bypass->end = UINT64_MAX;
        if ((!goes_on && !bypass_begin(file, offset)) || !bypass_parts(file, parts, part_count))
                return false;
        bypass->end = bypass->start + bypass->used;
        return true;
}

static void real_close(struct disk_file *base)
{
        struct real_file *file = (struct real_file *)base;
        bypass_end(file);
        close(file->fd); /* nothing depends on it: what must last was synced */
        free(file);
}

static bool real_read(struct disk_file *base, void *bytes, size_t count, uint64_t offset, size_t *out_count, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        size_t done = 0;
        bypass_end(file);
        while (done < count) {
                ssize_t got = pread(file->fd, (char *)bytes + done, count - done, (off_t)(offset + done));
                if (got == 0)
                        break;
                if (got > 0)
                        done += (size_t)got;
                else if (errno != EINTR)
                        return fail_disk(err, errno, "reading", file->path);
        }
        *out_count = done;
        return true;
}

/* Writes the rest of parts[0], of which done bytes are written; after a short writev. */
static bool finish_part(struct real_file *file, const struct iovec *part, size_t done, uint64_t offset, struct err *err)
{
        while (done < part->iov_len) {
                ssize_t wrote = pwrite(file->fd, (char *)part->iov_base + done, part->iov_len - done, (off_t)offset);
                if (wrote < 0 && errno == EINTR)
                        continue;
                if (wrote <= 0)
                        return fail_disk(err, wrote ? errno : ENOSPC, "writing", file->path);
                done += (size_t)wrote;
                offset += (uint64_t)wrote;
        }
        return true;
}

static bool real_write(struct disk_file *base, const struct iovec *parts, int part_count, uint64_t offset, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        if (file->bypass && bypass_write(file, parts, part_count, offset))
                return true;
        if (file->bypass && errno != EINVAL)
                return fail_disk(err, errno, "writing", file->path);
        bypass_end(file);
        while (part_count > 0) {
                ssize_t wrote = pwritev(file->fd, parts, min_of(part_count, IOV_MAX), (off_t)offset);
                if (wrote < 0) {
                        if (errno == EINTR)
                                continue;
                        return fail_disk(err, errno, "writing", file->path);
                }
                uint64_t left = (uint64_t)wrote;
                for (; part_count > 0 && left >= parts->iov_len; parts++, part_count--) {
                        left -= parts->iov_len;
                        offset += parts->iov_len;
                }
                if (part_count > 0 && left > 0) {
                        if (!finish_part(file, parts, left, offset + left, err))
                                return false;
                        offset += parts->iov_len;
                        parts++, part_count--;
                } else if (part_count > 0 && wrote == 0) {
                        return fail_disk(err, ENOSPC, "writing", file->path);
                }
        }
        return true;
}

static bool real_size(struct disk_file *base, uint64_t *out_bytes, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        struct stat status;
        if (fstat(file->fd, &status) < 0)
                return fail_disk(err, errno, "asking the size of", file->path);
        *out_bytes = (uint64_t)status.st_size;
        return true;
}

static bool real_truncate(struct disk_file *base, uint64_t bytes, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        while (ftruncate(file->fd, (off_t)bytes) < 0)
                if (errno != EINTR)
                        return fail_disk(err, errno, "truncating", file->path);
        return true;
}

static bool real_allocate(struct disk_file *base, uint64_t bytes, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        uint64_t now;
        while (fallocate(file->fd, 0, 0, (off_t)bytes) < 0) {
                if (errno == EINTR)
                        continue;
                if (errno != EOPNOTSUPP)
                        return fail_disk(err, errno, "reserving space for", file->path);
                /* Some filesystems cannot reserve; a full disk then shows at a write, which callers must bear anyway. */
                return real_size(base, &now, err) && (now >= bytes || real_truncate(base, bytes, err));
        }
        return true;
}

static bool real_sync(struct disk_file *base, const char *site, struct err *err)
{
        struct real_file *file = (struct real_file *)base;
        (void)site;
        /* Not taken up again after an error: the kernel may have dropped the pages and would say yes the second time. */
        return fdatasync(file->fd) == 0 || fail_disk(err, errno, "syncing", file->path);
}

static bool real_sync_directory(struct disk *disk, const char *path, const char *site, struct err *err)
{
        (void)disk, (void)site;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fail_disk(err, errno, "opening the directory", path);
        bool good = fsync(fd) == 0 || fail_disk(err, errno, "syncing the directory", path);
        close(fd);
        return good;
}

static bool real_rename(struct disk *disk, const char *from, const char *to, struct err *err)
{
        (void)disk;
        if (rename(from, to) == 0)
                return true;
        int error_number = errno;
        char both[2 * 256];
        snprintf(both, sizeof both, "%s to %s", from, to);
        return fail_disk(err, error_number, "renaming", both);
}

static bool real_unlink(struct disk *disk, const char *path, struct err *err)
{
        (void)disk;
        return unlink(path) == 0 || fail_disk(err, errno, "removing", path);
}

/* Makes one directory and, when it is new, lasts its name in the parent. */
static bool make_one(struct disk *disk, const char *path, struct err *err)
{
        if (mkdir(path, 0700) < 0)
                return errno == EEXIST || fail_disk(err, errno, "making the directory", path);
        char parent[PATH_MAX];
        snprintf(parent, sizeof parent, "%s", path);
        char *slash = strrchr(parent, '/');
        if (slash)
                slash[slash == parent] = 0; /* the parent of /data is / */
        return disk_sync_directory(disk, slash ? parent : ".", DISK_SITE_NEW_DIRECTORY, err);
}

static bool real_make_directory(struct disk *disk, const char *path, struct err *err)
{
        char part[PATH_MAX];
        if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
                return fail_disk(err, ENAMETOOLONG, "making the directory", path);
        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (!make_one(disk, part, err))
                        return false;
                *slash = '/';
        }
        return part[strlen(part) - 1] == '/' || make_one(disk, part, err);
}

static bool real_list(struct disk *disk, const char *path, void (*visit)(void *context, const char *name), void *context,
                      struct err *err)
{
        (void)disk;
        struct dirent **names;
        int count = scandir(path, &names, NULL, alphasort);
        if (count < 0)
                return fail_disk(err, errno, "listing", path);
        for (int i = 0; i < count; i++) {
                if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
                        visit(context, names[i]->d_name);
                free(names[i]);
        }
        free(names);
        return true;
}

static bool real_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct err *err)
{
        (void)disk;
        struct statvfs status;
        if (statvfs(path, &status) < 0)
                return fail_disk(err, errno, "asking the free space at", path);
        *out_bytes = (uint64_t)status.f_bavail * status.f_frsize;
        return true;
}

struct disk *disk_real(void)
{
        static const struct disk_ops ops = {
                .open = real_open,
                .close = real_close,
                .read = real_read,
                .write = real_write,
                .size = real_size,
                .truncate = real_truncate,
                .allocate = real_allocate,
                .bypass_cache = real_bypass_cache,
        .sync = real_sync,
                .sync_directory = real_sync_directory,
                .rename = real_rename,
                .unlink = real_unlink,
                .make_directory = real_make_directory,
                .list = real_list,
                .free_bytes = real_free_bytes,
        };
        static struct disk real = {&ops};
        return &real;
}

struct disk_file *disk_open(struct disk *disk, const char *path, enum disk_mode mode, struct err *err)
{
        return disk->ops->open(disk, path, mode, err);
}

void disk_close(struct disk_file *file)
{
        if (file)
                file->disk->ops->close(file);
}

bool disk_read(struct disk_file *file, void *bytes, size_t count, uint64_t offset, size_t *out_count, struct err *err)
{
        return file->disk->ops->read(file, bytes, count, offset, out_count, err);
}

bool disk_write(struct disk_file *file, const void *bytes, size_t count, uint64_t offset, struct err *err)
{
        struct iovec part = {(void *)bytes, count};
        return file->disk->ops->write(file, &part, 1, offset, err);
}

bool disk_writev(struct disk_file *file, const struct iovec *parts, int part_count, uint64_t offset, struct err *err)
{
        return file->disk->ops->write(file, parts, part_count, offset, err);
}

bool disk_size(struct disk_file *file, uint64_t *out_bytes, struct err *err)
{
        return file->disk->ops->size(file, out_bytes, err);
}

bool disk_truncate(struct disk_file *file, uint64_t bytes, struct err *err)
{
        return file->disk->ops->truncate(file, bytes, err);
}

bool disk_allocate(struct disk_file *file, uint64_t bytes, struct err *err)
{
        return file->disk->ops->allocate(file, bytes, err);
}

void disk_bypass_cache(struct disk_file *file)
{
        if (file->disk->ops->bypass_cache)
                file->disk->ops->bypass_cache(file);
}

bool disk_sync(struct disk_file *file, const char *site, struct err *err)
{
        return file->disk->ops->sync(file, site, err);
}

bool disk_sync_directory(struct disk *disk, const char *path, const char *site, struct err *err)
{
        return disk->ops->sync_directory(disk, path, site, err);
}

bool disk_rename(struct disk *disk, const char *from, const char *to, struct err *err)
{
        return disk->ops->rename(disk, from, to, err);
}

bool disk_unlink(struct disk *disk, const char *path, struct err *err)
{
        return disk->ops->unlink(disk, path, err);
}

bool disk_make_directory(struct disk *disk, const char *path, struct err *err)
{
        return disk->ops->make_directory(disk, path, err);
}

bool disk_list(struct disk *disk, const char *path, void (*visit)(void *context, const char *name), void *context,
               struct err *err)
{
        return disk->ops->list(disk, path, visit, context, err);
}

bool disk_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct err *err)
{
        return disk->ops->free_bytes(disk, path, out_bytes, err);
}
