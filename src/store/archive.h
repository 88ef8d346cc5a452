/*
 * archive - the sealed blocks of all days: one SQLite database per ingest day, in which a row is a block.
 *
 *      <directory>/telemetry/2026-11-22.db
 *
 * Partitions put sealed blocks; one writer thread stores them, and readers see a block from the moment it was put:
 * visits take first what is still on its way, then what is stored. Nothing here is durable before archive_flush; after a
 * crash archive_drop_after removes what is newer than the checkpoint and the journal is replayed (the same blocks come
 * again). Retention unlinks whole days.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTITIONS 256

enum block_kind { BLOCK_LOGS = 1, BLOCK_METRICS = 2 };

struct new_series {
        uint32_t id;                    /* unique in its day: partition << 20 | number in the partition that day */
        struct str name;                /* __name__ */
        struct str packed_labels;
};

/* A sealed block. block_create copies all texts into one allocation. */
struct block {
        enum block_kind kind;
        uint16_t partition;
        int64_t day;                    /* days since 1970 of the journal time of its first item */
        uint64_t first_item, last_item; /* item ids; blocks of one kind and partition never overlap and go up */
        int64_t time_min_ns, time_max_ns; /* event times in it */
        uint64_t items, raw_bytes;      /* records or samples; bytes as they came */
        struct str index;               /* small; tells a reader whether it needs the body */
        struct str body;
        const struct new_series *series; /* series that this block is the first of the day to hold */
        size_t series_count;
        int references;                 /* the archive's */
};

struct block *block_create(const struct block *contents, struct err *err);
void block_unref(struct block *block);

struct archive;

struct archive_stats {
        uint64_t blocks[3], items[3], raw_bytes[3], stored_bytes[3]; /* by block_kind */
        uint64_t days, bytes_on_disk, waiting_bytes, failures;
        uint64_t flushed_item;
};

bool archive_open(struct disk *disk, const char *directory, const char *vfs, struct archive **out_archive, struct err *err);
void archive_close(struct archive *archive);

/* Takes the block. Waits while more than 64 MiB are on their way. False (block destroyed) only when closing. A disk that
 * fails keeps blocks waiting; they are tried again every second and the failure shows in the stats. */
bool archive_put(struct archive *archive, struct block *block);
/* Waits until all that was put before is stored and synced. */
bool archive_flush(struct archive *archive, struct err *err);
/* A checkpoint that follows a flush asks first: false (ERR_CORRUPT) when a damaged day was set aside and blocks that were put since the last checkpoint, or
 * labels, could not be taken over from it. Only the journal still has them; the next start, which replays it, brings them back. */
bool archive_holds_all(struct archive *archive, struct err *err);
/* The checkpoint is on disk: the journal may forget what was put before the flush. */
void archive_checkpointed(struct archive *archive);
/* Removes blocks and series that hold items with a sequence above this one. Before anything is put. */
bool archive_drop_after(struct archive *archive, uint64_t sequence, struct err *err);

struct archive_range {
        enum block_kind kind;
        int64_t start_ns, end_ns;       /* event times, both included */
        const bool *partitions;         /* PARTITIONS flags; NULL: all */
        const uint64_t *open_first;     /* per partition: blocks that begin here or later are skipped, because the
                                           asker has read them as open chunks before; NULL: none */
        bool newest_first;              /* order by time_max of blocks; else by first_item */
};

/* What of a day's file cannot be read is left out and told (archive_tell_damaged); a visit that fails ends it.
 * Visits blocks whose times overlap; without bodies: wants(context, block) true loads the body and calls visit. Either NULL means yes. */
typedef bool block_visit_fn(void *context, const struct block *block, struct err *err);
bool archive_visit(struct archive *archive, const struct archive_range *range,
                   bool (*wants)(void *context, const struct block *block), block_visit_fn *visit, void *context,
                   struct err *err);

/* Series known in the days that overlap the time range, of one metric name or (bytes NULL) all. day tells which day the
 * id belongs to; the same labels come once for each day. */
bool archive_visit_series(struct archive *archive, int64_t start_ns, int64_t end_ns, struct str name,
                          bool (*visit)(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err),
                          void *context, struct err *err);

/* Series of one day, blocks on their way included (one may come twice), for partitions that begin after a restart. */
bool archive_day_series(struct archive *archive, int64_t day,
                        bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err),
                        void *context, struct err *err);

/* A reader met bytes of that day that cannot be read, and goes on without them. Told once a day in the log, and in answers from now on. */
void archive_tell_damaged(struct archive *archive, int64_t day, const struct err *why);

/* Ingest days overlapping the times (both included) of which answers miss something: the file is left out, one was set aside, or a reader met damage.
 * Fills in at most days_max, in no order; gives how many there are. */
size_t archive_damaged_days(struct archive *archive, int64_t start_ns, int64_t end_ns, int64_t *out_days, size_t days_max);

/* Unlinks days before this day; then oldest days until at most bytes_max are used (0: no bound); today stays. */
bool archive_retain(struct archive *archive, int64_t first_day_kept, uint64_t bytes_max, uint64_t *out_days_removed,
                    struct err *err);
bool archive_backup(struct archive *archive, const char *to_directory, struct err *err);
void archive_read_stats(struct archive *archive, struct archive_stats *out_stats);
