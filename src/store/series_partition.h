/*
 * series_partition - what one partition of the series store holds in memory. Private to series.c and series_select.c.
 *
 * All of it is guarded by its lock. The thread that owns the partition holds it for an add or a seal, readers while they
 * look for series and copy compressed bytes out. Entries are found by the high half of labels_id, since the
 * low bits are the partition's number.
 */
#pragma once

#include "base/arena.h"
#include "base/keys.h"
#include "base/thread.h"
#include "store/series.h"
#include "store/series_chunk.h"

#define SERIES_OPEN_BYTES_MAX ((size_t)256 << 10) /* of a partition's open chunks, then they are sealed */
#define SERIES_OPEN_SAMPLES_MAX ((size_t)1 << 20)
#define SERIES_OPEN_NS_MAX (2 * 3600 * NS_PER_S)  /* of journal time */
#define NS_PER_DAY (86400 * NS_PER_S)
#define SERIES_IDS_MAX ((uint32_t)1 << 20)        /* of one day and partition */
#define SERIES_NO_ID UINT32_MAX

struct series_entry { /* a cache line */
        const char *packed;     /* labels; of the partition's arena */
        uint32_t packed_length;
        uint32_t name_hash;     /* low bits of the metric name's hash */
        uint32_t day_id;        /* of the partition's ids_day; SERIES_NO_ID before the first block of the day */
        uint32_t seen_s;        /* journal time of the last sample, seconds since 1970 */
        struct series_chunk chunk;
};

struct series_partition {
        struct lock lock;
        struct series_entry *entries;
        uint32_t entry_count, entry_capacity;
        struct keys keys;       /* of the entries, by their place */
        struct arena labels;
        struct piece_pool pieces;
        uint32_t *picked;       /* scratch of series_add: entries by pick */
        size_t picked_capacity;
        uint32_t expected_entry; /* behind the last one that was found or made */

        size_t open_samples;    /* of the open chunks; 0: what follows has no meaning */
        uint64_t first_item, last_item;
        int64_t opened_ns;      /* journal time of the first */
        int64_t time_min_ns, time_max_ns; /* event times */
        int64_t ids_day;        /* that day_id and next_id belong to; never goes back */
        uint32_t next_id;
        struct series_stats stats;
};

struct series_store {
        struct archive *archive;
        uint32_t partition_series_max;
        size_t partition_labels_max;    /* bytes of a partition's labels */
        _Atomic bool learned;   /* the ids of the day in which the program started are known */
        struct lock learn_lock;
        _Atomic uint64_t blocks_damaged;
        struct series_partition partitions[PARTITIONS];
};

static inline uint32_t series_name_hash(struct str name)
{
        return (uint32_t)hash64(name);
}

/* Sorts by time, drops equal times but the last of each, and gives the count that is left. */
bool series_order(int64_t *times_ns, double *values, size_t count, size_t *out_count, struct err *err);

/* Labels of packed bytes that are known to be good, without memory: items has room for LABELS_MAX. */
void series_unpack(struct str packed, struct label items[static LABELS_MAX], struct labels *out_labels);
