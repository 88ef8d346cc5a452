/*
 * miner_split.c - when one sentence becomes several; the opposite of miner_merge.c, and asked for from outside (split.h says when).
 *
 *      Service is <name>      keeps its id, key, past, and all words without a template of their own
 *        |- Service is up      halves: no key and no list of their own; who finds the whole is led on by the word
 *        '- Service is down
 *
 * Because halves are reached by way of the whole, nothing that finds sentences changes, and a template that is not split pays one bit.
 * A whole that merges into another takes its halves with it, and the other is not split again: no back and forth.
 */
#include "learn/miner_state.h"

#include "base/hash.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

const struct miner_split *split_of(const struct miner *miner, uint32_t parent)
{
        for (uint32_t i = 0; i < miner->splits.count; i++)
                if (miner->splits.items[i].parent == parent)
                        return &miner->splits.items[i];
        return NULL;
}

static const struct miner_split *split_with(const struct miner *miner, uint32_t half)
{
        for (uint32_t i = 0; i < miner->splits.count; i++)
                for (uint32_t h = 0; h < miner->splits.items[i].count; h++)
                        if (miner->splits.items[i].halves[h].number == half)
                                return &miner->splits.items[i];
        return NULL;
}

uint32_t miner_origin(const struct miner *miner, uint32_t number)
{
        const struct miner_split *split = number < miner->count && miner->shapes[number].is_half ? split_with(miner, number) : NULL;
        return split ? split->parent : number;
}

uint32_t split_route(const struct miner *miner, uint32_t number, struct str line, const struct token *tokens)
{
        const struct miner_split *split = split_of(miner, number);
        const struct token *token = &tokens[split->place];
        uint64_t hash = hash64(str_slice(line, token->start, token->start + token->length));
        for (uint32_t i = 0; i < split->count; i++)
                if (split->halves[i].hash == hash)
                        return split->halves[i].number;
        return number;
}

/* An outline keeps words, but not always what stands at a soft place. */
bool split_allows_plan(const struct miner *miner, uint32_t number, const struct token *tokens)
{
        const struct shape *shape = &miner->shapes[number];
        if (!shape->is_split && !shape->is_half)
                return true;
        const struct miner_split *split = shape->is_split ? split_of(miner, number) : split_with(miner, number);
        return tokens[split->place].kind == TOKEN_WORD;
}

bool miner_divides(const struct miner *miner, uint32_t number, uint16_t place)
{
        if (number == 0 || number >= miner->count)
                return false;
        const struct shape *shape = &miner->shapes[number];
        bool can_be = shape->parts && !shape->crowd && !shape->is_whole && !shape->is_half && place + (shape->has_tail ? 1u : 0) < shape->count;
        return can_be && part_is_variable(&shape->parts[place]);
}

static bool add_half(struct miner *miner, struct miner_split *split, struct str word)
{
        struct shape half;
        if (!shape_close(&miner->shapes[split->parent], split->place, word, &half))
                return false;
        half.is_half = half.is_whole = true;
        half.has_aliases = true; /* as they, it may be asked for: it is not forgotten while it is rare */
        uint32_t number = shapes_add(miner, half);
        if (number == MAP_NONE)
                return false;
        split->halves[split->count].hash = hash64(word);
        split->halves[split->count++].number = number;
        return true;
}

bool miner_divide(struct miner *miner, uint32_t number, uint16_t place, const struct str *words, uint32_t count, uint32_t *out_halves)
{
        if (count < 2 || count > MINER_HALVES_MAX || !miner_divides(miner, number, place))
                return false;
        struct miner_split split = {.parent = number, .place = place};
        struct miner_split *items = miner->splits.count < MINER_SPLITS_MAX && !miner_is_full(miner)
                                            ? realloc(miner->splits.items, (miner->splits.count + 1) * sizeof *items) : NULL;
        if (items)
                miner->splits.items = items;
        for (uint32_t i = 0; items && i < count && add_half(miner, &split, words[i]); i++)
                out_halves[i] = split.halves[i].number;
        miner->shapes[number].is_whole = true;
        miner->counts.splits_refused += split.count < count; /* words without a template stay with the whole */
        if (split.count == 0)
                return false;
        miner->shapes[number].is_split = true;
        miner->shapes[number].has_aliases = true;
        shapes_touch(miner, number);
        miner->splits.items[miner->splits.count++] = split;
        return split.count == count;
}

void split_open(struct miner *miner, uint32_t parent, uint32_t place)
{
        const struct miner_split *split = miner->shapes[parent].is_split ? split_of(miner, parent) : NULL;
        for (uint32_t i = 0; split && i < split->count && place != split->place; i++) {
                shape_open(&miner->shapes[split->halves[i].number], place);
                shapes_touch(miner, split->halves[i].number);
        }
}

void split_dissolve(struct miner *miner, uint32_t parent, void (*join)(struct miner *miner, uint32_t from, uint32_t to))
{
        const struct miner_split *found = split_of(miner, parent);
        struct miner_split split = *found;
        size_t at = (size_t)(found - miner->splits.items);
        memmove(&miner->splits.items[at], &miner->splits.items[at + 1], (--miner->splits.count - at) * sizeof split);
        miner->shapes[parent].is_split = false;
        shapes_touch(miner, parent);
        for (uint32_t i = 0; i < split.count; i++) {
                join(miner, split.halves[i].number, parent);
                miner->shapes[split.halves[i].number].is_half = false;
        }
}

/* --- saving ---------------------------------------------------------------------------------------------------------- */

void splits_write(const struct miner *miner, struct buf *out)
{
        buf_u64(out, miner->counts.splits_refused);
        buf_u32(out, miner->splits.count);
        for (uint32_t i = 0; i < miner->splits.count; i++) {
                const struct miner_split *split = &miner->splits.items[i];
                buf_u32(out, split->parent);
                buf_u16(out, split->place);
                buf_u8(out, split->count);
                for (uint32_t h = 0; h < split->count; h++) {
                        buf_u64(out, split->halves[h].hash);
                        buf_u32(out, split->halves[h].number);
                }
        }
}

bool splits_read(struct reader *reader, struct miner *miner)
{
        miner->counts.splits_refused = reader_u64(reader);
        uint32_t count = reader_u32(reader);
        if (reader->failed || count > MINER_SPLITS_MAX)
                return false;
        if (count && !(miner->splits.items = calloc(count, sizeof *miner->splits.items)))
                return false;
        for (; miner->splits.count < count; miner->splits.count++) {
                struct miner_split *split = &miner->splits.items[miner->splits.count];
                split->parent = reader_u32(reader);
                split->place = reader_u16(reader);
                split->count = reader_u8(reader);
                if (split->count == 0 || split->count > MINER_HALVES_MAX)
                        return false;
                for (uint32_t h = 0; h < split->count; h++) {
                        split->halves[h].hash = reader_u64(reader);
                        split->halves[h].number = reader_u32(reader);
                }
        }
        return !reader->failed;
}

/* Whole and halves live, have the same places, and are each in one split only. */
bool splits_mark(struct miner *miner)
{
        for (uint32_t i = 0; i < miner->splits.count; i++) {
                const struct miner_split *split = &miner->splits.items[i];
                struct shape *whole = split->parent && split->parent < miner->count ? &miner->shapes[split->parent] : NULL;
                if (!whole || !whole->parts || whole->crowd || !whole->is_whole || !whole->has_aliases || whole->is_split || whole->is_half ||
                    split->place + (whole->has_tail ? 1u : 0) >= whole->count || !part_is_open(&whole->parts[split->place]))
                        return false;
                whole->is_split = true;
                for (uint32_t h = 0; h < split->count; h++) {
                        struct shape *half = split->halves[h].number && split->halves[h].number < miner->count ? &miner->shapes[split->halves[h].number] : NULL;
                        if (!half || !half->parts || half->crowd || !half->is_whole || half->is_split || half->is_half || half->count != whole->count ||
                            half->has_tail != whole->has_tail || !half->has_aliases || half->parts[split->place].kind != TOKEN_SOFT || half->next != MAP_NONE || half->previous != MAP_NONE)
                                return false;
                        half->is_half = true;
                }
        }
        return true;
}
