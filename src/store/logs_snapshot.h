/*
 * logs_snapshot - what stands in the open chunks at one moment, for logs_select.c and logs_streams: none of it is read twice,
 * because blocks that begin at a snapshot's first item or later are passed by.
 */
#pragma once

#include "store/log_chunk.h"
#include "store/logs.h"

struct logs_piece {
        struct log_chunk *chunk;        /* a reference */
        size_t rows;
        uint64_t first_id;
        int64_t time_min_ns, time_max_ns;
        uint16_t partition;
};

struct logs_snapshot {
        struct { struct logs_piece *items; size_t count, capacity; } pieces; /* of the caller's arena */
        uint64_t open_first[PARTITIONS];
};

/* partitions NULL: all. End it with logs_snapshot_done, also after false. */
bool logs_snapshot_take(struct logs *logs, const bool *partitions, struct arena *arena, struct logs_snapshot *out_snapshot,
                        struct err *err);
void logs_snapshot_done(struct logs_snapshot *snapshot);
struct archive *logs_archive(struct logs *logs);
