/* miner_state - a miner from within: what miner.c, miner_merge.c, miner_split.c and miner_snapshot.c share; nobody else includes it. */
#pragma once

#include "base/map.h"
#include "learn/familiar.h"
#include "learn/known_names.h"
#include "learn/miner.h"
#include "learn/shape.h"

struct miner_split {
        uint32_t parent;
        uint16_t place;
        uint8_t count;
        struct { uint64_t hash; uint32_t number; } halves[MINER_HALVES_MAX]; /* of the word's bytes */
};

struct miner {
        struct miner_bounds bounds;
        uint64_t domain;                /* hash of its name: part of every id */
        struct shape *shapes;           /* by number */
        uint32_t count, capacity;
        uint32_t free_first;            /* a forgotten slot; slots chained by `next`; MAP_NONE: none */
        uint32_t hand;                  /* where forgetting looks next */
        struct { uint32_t *items; uint32_t count, capacity; } waiting; /* merged templates to be looked over; dropped when full */
        struct { struct miner_split *items; uint32_t count; } splits;
        struct map by_key;              /* may name slots that are something else by now: what is found is compared */
        struct map by_id, by_marks, by_prefix;
        struct familiar familiar;
        struct known_names names;
        uint32_t changes;               /* of shapes; each has its own number */
        uint32_t key_changes;           /* of what by_key has dropped without naming it */
        struct miner_counts counts;
        void (*merged)(void *context, uint32_t from, uint32_t to);
        void *merged_context;
};

struct miner *miner_empty(struct miner_bounds bounds, struct err *err); /* not even template 0 */

/* Takes the shape (its parts too, also on failure). MAP_NONE without memory. */
uint32_t shapes_add(struct miner *miner, struct shape shape);
void shapes_unlink(struct miner *miner, uint32_t number);       /* from marks and prefixes: others no longer merge with it */
bool shapes_link(struct miner *miner, uint32_t number);
bool shapes_listed(const struct miner *miner, uint32_t number); /* stands in the list of its marks */

bool miner_is_full(const struct miner *miner);

/* What was made from the shape before (struct plan) no longer holds. */
static inline void shapes_touch(struct miner *miner, uint32_t number)
{
        miner->shapes[number].changes = ++miner->changes;
}

bool miner_set_key(struct miner *miner, uint64_t key, uint32_t number);

/* Where a tail that may be free text begins: after the last ": " of a sentence that has words before it. 0: nowhere. */
uint32_t shape_tail(const struct shape *shape);

/* Merges the shape with its like, if there is enough evidence. */
void miner_settle(struct miner *miner, uint32_t number);

/* The words of a line at places that were opened: names. */
void miner_note_names(struct miner *miner, uint32_t number, const struct token *tokens);

/* --- miner_split.c --- */

/* The half that a line found by this template's key belongs to; itself when it is not split, or not by this line's word. */
uint32_t split_route(const struct miner *miner, uint32_t number, struct str line, const struct token *tokens);
/* May lines with this one's outline be taken to this template without looking at their words? */
bool split_allows_plan(const struct miner *miner, uint32_t number, const struct token *tokens);
/* Opens a place in the halves as in the one they came from. */
void split_open(struct miner *miner, uint32_t parent, uint32_t place);
/* The halves are one with the template again. */
void split_dissolve(struct miner *miner, uint32_t parent, void (*join)(struct miner *miner, uint32_t from, uint32_t to));
const struct miner_split *split_of(const struct miner *miner, uint32_t parent); /* NULL: it is not split */
void splits_write(const struct miner *miner, struct buf *out);
bool splits_read(struct reader *reader, struct miner *miner);
bool splits_mark(struct miner *miner); /* after shapes were read; false: they are not what was split */
