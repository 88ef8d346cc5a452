/*
 * file_tail - one open log file, read from a place on, and known again after a rotation or a restart.
 *
 *      file_tail_open -> file_tail_read ... (file_tail_advance after the commit) -> file_tail_close
 *
 * A file is known by device, inode and fingerprint: the hash of its first bytes, up to 1 KiB. Inodes are used again soon
 * after a deletion, and a truncated file keeps its inode; the fingerprint tells both.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAIL_READ_BYTES_MAX ((size_t)1 << 20)
#define TAIL_FINGERPRINT_BYTES ((size_t)1 << 10)

struct file_place { /* the cursor of a file source */
        uint64_t device, inode, offset;
        uint64_t head_bytes, head_hash; /* the fingerprint and over how many bytes it is */
};

bool file_place_parse(struct str json, struct file_place *out_place);
bool file_place_print(const struct file_place *place, struct buf *out);

struct file_tail {
        int fd;
        struct file_place place;
        uint64_t size;          /* when last looked */
        int64_t changed_ns;     /* monotonic: when the size was last seen to change */
        int64_t modified_ns;    /* mtime */
        bool is_rotated;        /* its path is gone or another file: it ends some time */
        int64_t rotated_ns;
        bool is_complete;       /* a copy, or rotated long ago: nobody writes to it any more */
};

/* Opens a regular file at its beginning. ERR_UNSUPPORTED: it is no regular file. */
bool file_tail_open(const char *path, int64_t now_ns, struct file_tail *out_tail, struct err *err);
void file_tail_close(struct file_tail *tail);

/* Whether the open file is the one of the place and still holds all that was read of it. */
bool file_tail_is_at(const struct file_tail *tail, const struct file_place *place);
bool file_tail_has_head(const struct file_tail *tail, const struct file_place *place); /* fingerprint and size only */

/* Looks at the size and the fingerprint. *out_truncated: what was read is not there any more; the place is as it was. */
bool file_tail_look(struct file_tail *tail, int64_t now_ns, bool *out_truncated, struct err *err);
void file_tail_restart(struct file_tail *tail); /* from the beginning, after a truncation */

/* The next bytes that may go into a batch: whole lines, no stack trace torn, in the arena. Empty: nothing yet. at_end:
 * nothing more will be written, so the rest goes whatever it is. */
bool file_tail_read(struct file_tail *tail, bool multiline, bool at_end, int64_t now_ns, struct arena *arena,
                    struct str *out_bytes, struct err *err);
