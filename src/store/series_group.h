/*
 * series_group - the labels of up to SERIES_GROUP_MAX series with ids in a row, packed together: a row of a day's database.
 *
 * Series of a block are sorted by their metric's name, so labels in a group are much alike and take a tenth of the room that rows
 * of their own took. Beside them stand sixteen bits of each name's hash, so that who asks for a name unpacks few groups.
 *
 *      names   a u16 for each series
 *      labels  a zstd frame with a checksum: for each series varint length, packed labels
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/archive.h"

#define SERIES_GROUP_MAX 64
#define SERIES_GROUP_BYTES ((size_t)64 << 10) /* of labels, before they are packed; a single series may have more */

struct series_group {
        uint32_t first_id;
        uint16_t name_min, name_max;
        size_t count;
        struct buf names, labels, plain; /* plain: scratch */
};

void series_group_done(struct series_group *group);

/* Packs a group that begins with series[0], at most count of them; out may be used again and again. False: no memory. */
bool series_group_pack(const struct new_series *series, size_t count, struct series_group *out, struct err *err);

uint16_t series_group_name(struct str name); /* the bits of a name's hash */

/* Visits all series, or with name those that may have it: some may be of another name. ERR_CORRUPT when bytes are not what was packed. */
bool series_group_visit(uint32_t first_id, struct str names, struct str labels, const uint16_t *name,
                        bool (*visit)(void *context, uint32_t id, struct str packed_labels, struct err *err), void *context, struct err *err);
