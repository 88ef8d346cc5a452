/*
 * kept - how much of the past replay can go through: a part of the journal, and copies of the state at some of its checkpoints.
 *
 *      <directory>/replay/state-<sequence, 16 hex>-<time, 20 digits>.db
 *
 * Replay begins at such a state, or at the journal's very first entry with none. At a checkpoint kept_choose makes a new copy when the
 * last one is older than an eighth of what is to be kept, and drops those that reach back further than that, or whose journal takes too
 * many bytes, or when the disk has less room left than may be kept. The journal is kept from the oldest that stays.
 */
#pragma once

#include "base/err.h"
#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;

#define KEPT_STATES_MAX 64

struct kept_state {
        uint64_t sequence;              /* it stands for everything up to there; 0: nothing, the journal begins with the first entry */
        int64_t time_ns;
};

struct kept_now {
        const char *directory;
        struct database *state;
        uint64_t sequence;              /* of the checkpoint that was just written */
        int64_t time_ns;
        uint64_t first_sequence, journal_bytes;
        int64_t origin_ns;              /* journal time of the first entry; 0 or less: not known */
        int64_t keep_ns;
        uint64_t keep_bytes;
};

/* *out_below: what the journal may be trimmed below; *out_from_ns: the time from which replay can begin. On failure both are as they were. */
bool kept_choose(struct disk *disk, const struct kept_now *now, uint64_t *out_below, int64_t *out_from_ns, struct err *err);

/* The states there are, oldest first; at most max. False also when nothing was ever kept. */
bool kept_list(struct disk *disk, const char *directory, struct kept_state *out_states, size_t max, size_t *out_count, struct err *err);
void kept_path(const char *directory, const struct kept_state *state, char *out_path, size_t bytes);
