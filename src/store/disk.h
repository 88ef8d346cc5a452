/*
 * disk - files as the store uses them, behind a face, so that a test can have a disk that forgets what was not synced.
 *
 * disk_real() is the operating system. disk_forgetful.h has one in memory that loses, at disk_crash(), every write that
 * no sync covered, may tear the last one, can be full, read-only or failing, and can be told to leave out one named sync.
 * Every sync carries the name of its site, so that "what if this sync were missing" is a test.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define DISK_SITE_NEW_DIRECTORY "new directory" /* the sync within make_directory */

enum disk_mode { DISK_READ, DISK_WRITE, DISK_CREATE }; /* DISK_WRITE: exists; DISK_CREATE: made when missing; both read too */

struct disk;
struct disk_file;

struct disk_ops {
        struct disk_file *(*open)(struct disk *disk, const char *path, enum disk_mode mode, struct err *err);
        void (*close)(struct disk_file *file);
        /* Reads up to count bytes at the offset; *out_count short only at the end of the file. */
        bool (*read)(struct disk_file *file, void *bytes, size_t count, uint64_t offset, size_t *out_count, struct err *err);
        bool (*write)(struct disk_file *file, const struct iovec *parts, int part_count, uint64_t offset, struct err *err); /* all or error */
        bool (*size)(struct disk_file *file, uint64_t *out_bytes, struct err *err);
        bool (*truncate)(struct disk_file *file, uint64_t bytes, struct err *err);
        bool (*allocate)(struct disk_file *file, uint64_t bytes, struct err *err);   /* fallocate; size becomes at least bytes */
        void (*bypass_cache)(struct disk_file *file);                                /* may be missing */
        bool (*sync)(struct disk_file *file, const char *site, struct err *err);     /* fdatasync */
        bool (*sync_directory)(struct disk *disk, const char *path, const char *site, struct err *err);
        bool (*rename)(struct disk *disk, const char *from, const char *to, struct err *err);
        bool (*unlink)(struct disk *disk, const char *path, struct err *err);
        /* Parents too, each lasting when it returns; fine when it exists; mode 0700. */
        bool (*make_directory)(struct disk *disk, const char *path, struct err *err);
        /* Calls visit(context, name) for each entry but . and .. ; in sorted order. */
        bool (*list)(struct disk *disk, const char *path, void (*visit)(void *context, const char *name), void *context, struct err *err);
        bool (*free_bytes)(struct disk *disk, const char *path, uint64_t *out_bytes, struct err *err);
};

struct disk {
        const struct disk_ops *ops;
};

struct disk_file { /* first member of each disk's own file */
        struct disk *disk;
};

struct disk *disk_real(void);

/* Thin words over the ops. */
struct disk_file *disk_open(struct disk *disk, const char *path, enum disk_mode mode, struct err *err);
void disk_close(struct disk_file *file); /* NULL is fine */
bool disk_read(struct disk_file *file, void *bytes, size_t count, uint64_t offset, size_t *out_count, struct err *err);
bool disk_write(struct disk_file *file, const void *bytes, size_t count, uint64_t offset, struct err *err);
bool disk_writev(struct disk_file *file, const struct iovec *parts, int part_count, uint64_t offset, struct err *err);
bool disk_size(struct disk_file *file, uint64_t *out_bytes, struct err *err);
bool disk_truncate(struct disk_file *file, uint64_t bytes, struct err *err);
bool disk_allocate(struct disk_file *file, uint64_t bytes, struct err *err);
/* Writes from here on go past the page cache where the system can: for a file that is written in order and read only after a
 * crash. A hint; what lies behind the end of a write within its block of 4 KiB may become zeros. */
void disk_bypass_cache(struct disk_file *file);
bool disk_sync(struct disk_file *file, const char *site, struct err *err);
bool disk_sync_directory(struct disk *disk, const char *path, const char *site, struct err *err);
bool disk_rename(struct disk *disk, const char *from, const char *to, struct err *err);
bool disk_unlink(struct disk *disk, const char *path, struct err *err);
bool disk_make_directory(struct disk *disk, const char *path, struct err *err);
bool disk_list(struct disk *disk, const char *path, void (*visit)(void *context, const char *name), void *context,
               struct err *err);
bool disk_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct err *err);
