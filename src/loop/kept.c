/* kept.c - see kept.h. Runs on the pipeline's thread, right after a checkpoint: state and journal then stand for the same entry. */
#include "loop/kept.h"

#include "base/scope.h"
#include "base/str.h"
#include "store/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_PARTS 8    /* states within the time that is kept */

void kept_path(const char *directory, const struct kept_state *state, char *out_path, size_t bytes)
{
        snprintf(out_path, bytes, "%s/replay/state-%016" PRIx64 "-%020" PRId64 ".db", directory, state->sequence, state->time_ns);
}

struct listing {
        struct kept_state *states;
        size_t count, max;
};

static void take_name(void *context, const char *name)
{
        struct listing *listing = context;
        struct kept_state state;
        int length = 0;
        if (sscanf(name, "state-%16" SCNx64 "-%20" SCNd64 ".db%n", &state.sequence, &state.time_ns, &length) == 2 && length == (int)strlen(name) &&
            listing->count < listing->max)
                listing->states[listing->count++] = state; /* names are sorted, and so are sequences */
}

bool kept_list(struct disk *disk, const char *directory, struct kept_state *out_states, size_t max, size_t *out_count, struct err *err)
{
        char path[4096];
        struct listing listing = {out_states, 0, max};
        snprintf(path, sizeof path, "%s/replay", directory);
        if (!disk_list(disk, path, take_name, &listing, err))
                return false;
        *out_count = listing.count;
        return true;
}

static bool drop(struct disk *disk, const char *directory, const struct kept_state *state, struct err *err)
{
        char path[4096];
        kept_path(directory, state, path, sizeof path);
        return disk_unlink(disk, path, err);
}

/* Under another name until it is whole. */
static bool make_state(struct disk *disk, const struct kept_now *now, struct err *err)
{
        char path[4096], whole[4096];
        struct kept_state state = {now->sequence, now->time_ns};
        snprintf(path, sizeof path, "%s/replay/unfinished", now->directory);
        kept_path(now->directory, &state, whole, sizeof whole);
        disk_unlink(disk, path, &(struct err){0});
        return database_backup(now->state, path, err) && disk_rename(disk, path, whole, err);
}

/* An empty file: where it all began there was no state. */
static bool make_origin(struct disk *disk, const struct kept_now *now, struct err *err)
{
        char path[4096];
        kept_path(now->directory, &(struct kept_state){0, now->origin_ns}, path, sizeof path);
        struct disk_file *file = disk_open(disk, path, DISK_CREATE, err);
        disk_close(file);
        return file;
}

static uint64_t size_of(struct disk *disk, const char *directory, const struct kept_state *state)
{
        char path[4096];
        uint64_t bytes = 0;
        kept_path(directory, state, path, sizeof path);
        struct disk_file *file = disk_open(disk, path, DISK_READ, &(struct err){0});
        if (file)
                disk_size(file, &bytes, &(struct err){0});
        disk_close(file);
        return bytes;
}

/* How much lies between the first entry and the last, as far as entries are alike. */
static uint64_t journal_bytes_from(const struct kept_now *now, uint64_t sequence)
{
        uint64_t all = now->sequence - min_of(now->sequence, now->first_sequence) + 1, part = now->sequence - min_of(now->sequence, sequence);
        return (uint64_t)((double)now->journal_bytes * (double)min_of(part, all) / (double)all);
}

static bool is_needed(struct disk *disk, const struct kept_now *now, const struct kept_state *states, size_t count, bool has_room)
{
        uint64_t bytes = journal_bytes_from(now, states[0].sequence);
        for (size_t i = 0; i < count; i++)
                bytes += size_of(disk, now->directory, &states[i]);
        bool reaches_too_far = count > 1 && states[1].time_ns <= now->time_ns - now->keep_ns;
        return has_room && !reaches_too_far && bytes <= now->keep_bytes && count <= KEPT_STATES_MAX;
}

/* A state whose journal is gone, or that a restored folder brought along. */
static bool drop_useless(struct disk *disk, const struct kept_now *now, struct kept_state *states, size_t *count, struct err *err)
{
        size_t kept = 0;
        for (size_t i = 0; i < *count; i++)
                if (states[i].sequence + 1 >= now->first_sequence && states[i].sequence < now->sequence)
                        states[kept++] = states[i];
                else if (!drop(disk, now->directory, &states[i], err))
                        return false;
        *count = kept;
        return true;
}

bool kept_choose(struct disk *disk, const struct kept_now *now, uint64_t *out_below, int64_t *out_from_ns, struct err *err)
{
        struct kept_state states[KEPT_STATES_MAX + 2];
        size_t count, first = 0;
        uint64_t room = 0;
        char path[4096];
        snprintf(path, sizeof path, "%s/replay", now->directory);
        if (!disk_make_directory(disk, path, err) || !kept_list(disk, now->directory, states, KEPT_STATES_MAX, &count, err) || !disk_free_bytes(disk, now->directory, &room, err) ||
            !drop_useless(disk, now, states, &count, err))
                return false;
        if (!count && now->first_sequence == 1 && now->origin_ns > 0) {
                if (!make_origin(disk, now, err))
                        return false;
                states[count++] = (struct kept_state){0, now->origin_ns};
        }
        bool has_room = room >= now->keep_bytes;
        if (has_room && (!count || now->time_ns - states[count - 1].time_ns >= now->keep_ns / KEPT_PARTS)) {
                if (!make_state(disk, now, err))
                        return false;
                states[count++] = (struct kept_state){now->sequence, now->time_ns};
        }
        for (; first < count && !is_needed(disk, now, states + first, count - first, has_room); first++)
                if (!drop(disk, now->directory, &states[first], err))
                        return false;
        *out_below = first < count ? states[first].sequence + 1 : now->sequence + 1;
        *out_from_ns = first < count ? states[first].time_ns : 0;
        return true;
}
