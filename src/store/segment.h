/*
 * segment - one file of the journal: how it is laid out, and a reader that believes nothing without its checksum.
 *
 *      0   head, 64 bytes: "EVKJRNL\n", version, head bytes, first sequence, created, salt, 0, 0, checksum
 *      64  entry: head of 56 bytes, payload, zeros to a multiple of 8
 *      ..  entry ...
 *      ..  zeros up to the preallocated size, or what a crash left there
 *
 *      entry head: checksum 8, payload hash 8, sequence 8, time 8, committed 8, mark 4, payload bytes 4, kind 2, 0 6
 *
 * Little-endian. Checksums are XXH3-64; an entry's covers its head (and with it the payload's hash and its sequence)
 * and is seeded with the segment's random salt. So neither bytes left over from another segment nor a payload that
 * holds a copy of a journal can pass for an entry.
 *
 * `committed` is the last sequence that was on disk when the entry was written. It tells a torn tail from damage: the
 * entries of one group are written before one sync and a crash may keep any part of them, but an entry that says
 * that sequence n was committed proves that a missing n was lost later.
 *
 * The journal's own; one thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/disk.h"
#include "store/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define SEGMENT_VERSION 1
#define SEGMENT_HEAD_BYTES 64
#define ENTRY_HEAD_BYTES 56
#define SEGMENT_ADVICE                                                                                                 \
        "restore the file from a backup, or start once with --skip-journal-damage to go on without the entries it lost"

struct segment_head {
        uint64_t first_sequence;
        int64_t created_ns;
        uint64_t salt;
};

struct entry_head {
        uint64_t payload_hash;
        uint64_t sequence;
        int64_t time_ns;
        uint64_t committed;
        uint32_t payload_bytes;
        uint16_t kind;
};

static inline uint64_t entry_padded(uint64_t payload_bytes)
{
        return (ENTRY_HEAD_BYTES + payload_bytes + 7) & ~UINT64_C(7);
}

void segment_put_head(char out_bytes[static SEGMENT_HEAD_BYTES], const struct segment_head *head);
void entry_put_head(char out_bytes[static ENTRY_HEAD_BYTES], const struct entry_head *head, uint64_t salt);

struct segment_reader {
        struct disk_file *file;
        const char *path;       /* borrowed; for errors */
        struct segment_head head;
        uint64_t size, offset;  /* offset: of the next entry */
        uint64_t committed;     /* what the last entry says was on disk when it was written */
        struct buf window;      /* bytes of the file from window_offset on */
        uint64_t window_offset;
};

/* Checks the head; ERR_CORRUPT when it is damaged, ERR_UNSUPPORTED when it is of a newer version. path is borrowed. */
bool segment_open(struct segment_reader *reader, struct disk *disk, const char *path, uint64_t first_sequence,
                  struct err *err);
void segment_close(struct segment_reader *reader);

/* The next entry, which must have the sequence wanted; its payload stays until the next call. *out_found false: there
 * is none at reader->offset. */
bool segment_next(struct segment_reader *reader, uint64_t sequence, struct entry *out_entry, bool *out_found,
                  struct err *err);

/* Looks from reader->offset on for an entry head whose sequence and committed sequence are at least these, and goes
 * there. Not found: stays. */
bool segment_find(struct segment_reader *reader, uint64_t sequence_min, uint64_t committed_min, bool *out_found,
                  uint64_t *out_sequence, struct err *err);
/* How many bytes from reader->offset to the last that is not zero. */
bool segment_tail(struct segment_reader *reader, uint64_t *out_bytes, struct err *err);
