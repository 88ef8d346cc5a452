/* miner_snapshot.c - a miner as bytes, and back; see miner.h. Keys and the order of
 * lists are kept as they are, so that a restored miner does what the saved one would have done; the other maps follow. */
#include "learn/miner_state.h"

#include <stdlib.h>

#define SNAPSHOT_MAGIC 0x344E494DU /* "MIN4" */
#define SNAPSHOT_MAGIC_3 0x334E494DU /* "MIN3": no names are known */
#define SNAPSHOT_MAGIC_2 0x324E494DU /* "MIN2": nothing is split */
#define WAITING_MAX 1024

struct key {
        uint64_t key;
        uint32_t number;
};

static int compare_keys(const void *a, const void *b)
{
        uint64_t x = ((const struct key *)a)->key, y = ((const struct key *)b)->key;
        return x < y ? -1 : x > y;
}

/* In order, so that equal miners give equal bytes. */
static bool keys_write(const struct miner *miner, struct buf *out)
{
        struct key *keys = malloc((miner->by_key.count + 1) * sizeof *keys);
        uint32_t count = 0;
        if (!keys)
                return false;
        for (size_t i = 0; i < miner->by_key.capacity; i++)
                if (miner->by_key.values[i] != MAP_NONE)
                        keys[count++] = (struct key){miner->by_key.hashes[i], miner->by_key.values[i]};
        qsort(keys, count, sizeof *keys, compare_keys);
        buf_u32(out, count);
        for (uint32_t i = 0; i < count; i++) {
                buf_u64(out, keys[i].key);
                buf_u32(out, keys[i].number);
        }
        free(keys);
        return true;
}

bool miner_snapshot(const struct miner *miner, struct buf *out, struct err *err)
{
        buf_u32(out, SNAPSHOT_MAGIC);
        splits_write(miner, out);
        known_names_write(&miner->names, out);
        buf_u64(out, miner->domain);
        buf_u64(out, miner->counts.lines);
        buf_u64(out, miner->counts.crowded);
        buf_u64(out, miner->counts.homeless);
        buf_u64(out, miner->counts.forgotten);
        buf_u32(out, miner->hand);
        buf_u32(out, miner->free_first);
        buf_u32(out, miner->count);
        for (uint32_t i = 0; i < miner->count; i++)
                shape_write(&miner->shapes[i], out);
        buf_u32(out, miner->waiting.count);
        for (uint32_t i = 0; i < miner->waiting.count; i++)
                buf_u32(out, miner->waiting.items[i]);
        if (!keys_write(miner, out))
                return fail_memory(err, "miner", miner->by_key.count * sizeof(struct key));
        return out->failed ? fail_memory(err, "miner", out->length) : true;
}

static bool shapes_read(struct reader *reader, struct miner *miner, uint32_t count)
{
        for (uint32_t i = 0; i < count; i++) {
                struct shape shape;
                if (!shape_read(reader, &shape))
                        return false;
                if (miner->count == miner->capacity) {
                        uint32_t capacity = miner->capacity ? miner->capacity * 2 : 8;
                        struct shape *shapes = realloc(miner->shapes, capacity * sizeof *shapes);
                        if (!shapes)
                                return shape_done(&shape), false;
                        miner->shapes = shapes;
                        miner->capacity = capacity;
                }
                miner->shapes[miner->count++] = shape;
                miner->counts.bytes += shape_bytes(&shape);
        }
        return true;
}

/* Every alias leads to a template in one step or several; a slot without parts is an alias or free. */
static bool aliases_are_sound(struct miner *miner)
{
        for (uint32_t i = 0; i < miner->count; i++) {
                const struct shape *shape = &miner->shapes[i];
                if (shape->alias >= miner->count || (shape->parts && (shape->alias != i || shape->id == 0)))
                        return false;
                uint32_t to = i;
                for (uint32_t steps = 0; miner->shapes[to].alias != to; steps++)
                        if (steps > miner->count || (to = miner->shapes[to].alias) >= miner->count)
                                return false;
                if (to != i && (!miner->shapes[to].parts || shape->id == 0))
                        return false;
                miner->counts.aliases += to != i;
        }
        return miner->count > 0 && miner->shapes[0].parts && miner->shapes[0].count == 1 && miner->shapes[0].crowd;
}

static bool is_free(const struct miner *miner, uint32_t number)
{
        return !miner->shapes[number].parts && miner->shapes[number].alias == number;
}

/* Free slots form one chain that ends. */
static bool free_are_sound(const struct miner *miner)
{
        uint32_t steps = 0;
        for (uint32_t i = miner->free_first; i != MAP_NONE; i = miner->shapes[i].next)
                if (i >= miner->count || !is_free(miner, i) || ++steps > miner->count)
                        return false;
        return true;
}

/* Who follows whom among those with the same marks, told by both. */
static bool list_is_sound(const struct miner *miner, uint32_t number)
{
        const struct shape *shape = &miner->shapes[number];
        if (!shapes_listed(miner, number))
                return true;
        uint64_t marks = shape_marks(shape);
        bool next_good = shape->next == MAP_NONE || (shape->next < miner->count && shapes_listed(miner, shape->next) &&
                                                     miner->shapes[shape->next].previous == number && shape_marks(&miner->shapes[shape->next]) == marks);
        bool previous_good = shape->previous == MAP_NONE || (shape->previous < miner->count && shapes_listed(miner, shape->previous) &&
                                                             miner->shapes[shape->previous].next == number);
        return next_good && previous_good;
}

static bool shapes_reindex(struct miner *miner)
{
        if (!free_are_sound(miner))
                return false;
        for (uint32_t i = 0; i < miner->count; i++) {
                const struct shape *shape = &miner->shapes[i];
                if (is_free(miner, i))
                        continue;
                if (!list_is_sound(miner, i) || !map_put(&miner->by_id, shape->id, i))
                        return false;
                if (shapes_listed(miner, i) && shape->previous == MAP_NONE && !map_put(&miner->by_marks, shape_marks(shape), i))
                        return false;
                uint32_t tail = i && shape->parts && !shape->crowd && !shape->is_half ? shape_tail(shape) : 0;
                if (tail && !map_put(&miner->by_prefix, shape_prefix(shape, tail), i))
                        return false;
        }
        return true;
}

static bool keys_read(struct reader *reader, struct miner *miner)
{
        uint32_t count = reader_u32(reader);
        if (reader->failed || reader_left(reader) != (uint64_t)count * 12)
                return false;
        for (uint64_t i = 0, last = 0; i < count; i++) {
                uint64_t key = reader_u64(reader);
                uint32_t number = reader_u32(reader);
                bool in_order = i == 0 || key >= last, is_first = i == 0 || key > last; /* once, two could have the same key: one is enough */
                last = key;
                if (!in_order || number >= miner->count || (is_first && !map_put(&miner->by_key, key, number)))
                        return false;
        }
        return true;
}

static bool waiting_read(struct reader *reader, struct miner *miner)
{
        uint32_t count = reader_u32(reader);
        if (reader->failed || count > WAITING_MAX || reader_left(reader) < count * sizeof(uint32_t))
                return false;
        if (count && !(miner->waiting.items = malloc(count * sizeof(uint32_t))))
                return false;
        miner->waiting.capacity = count;
        for (; miner->waiting.count < count; miner->waiting.count++)
                if ((miner->waiting.items[miner->waiting.count] = reader_u32(reader)) >= miner->count)
                        return false;
        return true;
}

static bool miner_read(struct reader *reader, struct miner *miner)
{
        uint32_t magic = reader_u32(reader);
        if (magic != SNAPSHOT_MAGIC && magic != SNAPSHOT_MAGIC_3 && magic != SNAPSHOT_MAGIC_2)
                return false;
        if ((magic != SNAPSHOT_MAGIC_2 && !splits_read(reader, miner)) || (magic == SNAPSHOT_MAGIC && !known_names_read(reader, &miner->names)))
                return false;
        miner->domain = reader_u64(reader);
        miner->counts.lines = reader_u64(reader);
        miner->counts.crowded = reader_u64(reader);
        miner->counts.homeless = reader_u64(reader);
        miner->counts.forgotten = reader_u64(reader);
        miner->hand = reader_u32(reader);
        miner->free_first = reader_u32(reader);
        uint32_t count = reader_u32(reader);
        return !reader->failed && miner->hand <= count && shapes_read(reader, miner, count) && aliases_are_sound(miner) && splits_mark(miner) && shapes_reindex(miner) &&
               waiting_read(reader, miner) && keys_read(reader, miner);
}

struct miner *miner_restore(struct str bytes, struct miner_bounds bounds, struct err *err)
{
        struct reader reader = reader_of(bytes);
        struct miner *miner = miner_empty(bounds, err);
        if (miner && !miner_read(&reader, miner)) {
                fail(err, ERR_CORRUPT, "miner", "restoring %zu bytes of templates: they are not a snapshot of version 2 to 4, or are damaged", bytes.length);
                miner_destroy(miner);
                return NULL;
        }
        return miner;
}
