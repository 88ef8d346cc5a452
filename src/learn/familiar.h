/*
 * familiar - the kinds of line a miner has met, by their outlines (outline.h), and what finding their words came to.
 *
 *      familiar_look -> a plan: the line's template and where its open places stand; nothing is split
 *                    -> none: split it, learn it, then familiar_keep
 *
 * It is a memory of work done, not of what was learnt: with it or without it a line is learnt alike. So it is never saved, does not
 * count where the miner decides by its size, and a plan is believed only while nothing it was made from has changed (the changes of
 * both shapes, and of the miner's keys). An outline is kept when it comes for the second time and one of its places is free or was not used.
 *
 * Bounded: FAMILIAR_PLANS_MAX plans of at most about a kilobyte.
 */
#pragma once

#include "learn/outline.h"
#include "learn/token.h"

#define FAMILIAR_PLANS_MAX 2048u

/* A place of the template that takes values; its ends are told from the gaps before them. */
struct plan_place {
        uint16_t start, end;            /* distances from the ends of */
        uint8_t start_gap, end_gap;     /* these gaps */
        uint8_t place, type;
};

struct plan {
        uint64_t hash;                  /* of the outline */
        uint32_t slot, number;          /* the template that the key names, and what it goes by now */
        uint32_t slot_changes, number_changes, key_changes;
        uint16_t length, place_count, place_max;
        struct plan_place places[];     /* after place_max of them the outline's bytes */
};

/* Places that a hash may have, side by side: frequent lines do not drive each other out. */
#define FAMILIAR_WAYS 4u

struct familiar_slot {
        uint64_t hash;                  /* also when there is no plan yet: seen once */
        struct plan *plan;
        uint32_t used;
};

struct familiar {
        struct familiar_slot *slots;
        uint32_t capacity, count;       /* slots, plans */
        uint32_t changes;               /* a plan that was looked at before the last of them may be gone */
};

void familiar_done(struct familiar *familiar);
/* NULL: not known. Lent while `changes` is the same. */
struct plan *familiar_look(struct familiar *familiar, const struct outline *outline, uint64_t hash);
static inline struct familiar_slot *familiar_bucket(const struct familiar *familiar, uint64_t hash)
{
        return &familiar->slots[hash & (familiar->capacity - 1) & ~(uint64_t)(FAMILIAR_WAYS - 1)];
}
static inline void familiar_fetch(const struct familiar *familiar, uint64_t hash)
{
        if (!familiar->capacity)
                return;
        __builtin_prefetch(familiar_bucket(familiar, hash));
        __builtin_prefetch((const char *)(familiar_bucket(familiar, hash) + FAMILIAR_WAYS) - 1);
}
static inline void familiar_fetch_plan(const struct familiar *familiar, uint64_t hash)
{
        for (uint32_t i = 0; i < FAMILIAR_WAYS && familiar->capacity; i++) {
                const struct familiar_slot *slot = familiar_bucket(familiar, hash) + i;
                for (size_t at = 0; slot->plan && slot->hash == hash && at < 320; at += 64)
                        __builtin_prefetch((const char *)slot->plan + at);
        }
}
bool familiar_wants(struct familiar *familiar, uint64_t hash); /* a plan for it: it came before, and there is room */
void familiar_keep(struct familiar *familiar, struct plan *plan); /* takes it */

/* A plan with room for so many places; NULL without memory. */
struct plan *plan_create(const struct outline *outline, uint64_t hash, uint32_t place_count);
/* Adds one that stands from start to end in the line of the outline; false: an end lies in a gap. */
bool plan_add(struct plan *plan, const struct outline *outline, struct plan_place place, uint32_t start, uint32_t end);
static inline uint32_t plan_start(const struct plan_place *place, const struct outline *outline) { return outline->ends[place->start_gap] + place->start; }
static inline uint32_t plan_end(const struct plan_place *place, const struct outline *outline) { return outline->ends[place->end_gap] + place->end; }
