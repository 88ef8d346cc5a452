/* familiar.c - see familiar.h. A few places for each hash; whoever has one keeps it while it is used more often
 * than others ask for it. */
#include "learn/familiar.h"

#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 64u
#define USED_MAX 8u

void familiar_done(struct familiar *familiar)
{
        for (uint32_t i = 0; i < familiar->capacity; i++)
                free(familiar->slots[i].plan);
        free(familiar->slots);
        *familiar = (struct familiar){0};
}

static struct familiar_slot *slot_of(const struct familiar *familiar, uint64_t hash)
{
        struct familiar_slot *bucket = familiar->capacity ? familiar_bucket(familiar, hash) : NULL;
        for (uint32_t i = 0; bucket && i < FAMILIAR_WAYS; i++)
                if (bucket[i].hash == hash)
                        return &bucket[i];
        return NULL;
}

static const char *plan_bytes(const struct plan *plan) { return (const char *)(plan->places + plan->place_max); }

struct plan *familiar_look(struct familiar *familiar, const struct outline *outline, uint64_t hash)
{
        struct familiar_slot *slot = slot_of(familiar, hash);
        struct plan *plan = slot ? slot->plan : NULL;
        if (!plan || plan->length != outline->length || memcmp(plan_bytes(plan), outline->bytes, outline->length) != 0)
                return NULL;
        slot->used = min_of(slot->used + 1, USED_MAX);
        return plan;
}

/* The one that is used least. */
static struct familiar_slot *least_used(const struct familiar *familiar, uint64_t hash)
{
        struct familiar_slot *bucket = familiar_bucket(familiar, hash), *least = bucket;
        for (uint32_t i = 1; i < FAMILIAR_WAYS; i++)
                if (bucket[i].used < least->used || (bucket[i].used == least->used && !bucket[i].plan))
                        least = &bucket[i];
        return least;
}

/* Twice as many slots, while there may be more. Without memory it stays as it is. */
static void grow(struct familiar *familiar)
{
        struct familiar wider = {.capacity = familiar->capacity ? familiar->capacity * 2 : SLOTS_FIRST, .count = familiar->count,
                                 .changes = familiar->changes};
        wider.slots = wider.capacity <= FAMILIAR_PLANS_MAX ? calloc(wider.capacity, sizeof *wider.slots) : NULL;
        if (!wider.slots)
                return;
        for (uint32_t i = 0; i < familiar->capacity; i++)
                if (familiar->slots[i].plan)
                        *least_used(&wider, familiar->slots[i].hash) = familiar->slots[i]; /* a bucket becomes two: there is room */
        free(familiar->slots);
        *familiar = wider;
}

bool familiar_wants(struct familiar *familiar, uint64_t hash)
{
        if (familiar->count >= familiar->capacity / 2)
                grow(familiar);
        if (!familiar->capacity)
                return false;
        if (slot_of(familiar, hash))
                return true;
        struct familiar_slot *slot = least_used(familiar, hash);
        if (slot->used) {
                slot->used--;
                return false;
        }
        familiar->count -= slot->plan != NULL;
        familiar->changes++;
        free(slot->plan);
        *slot = (struct familiar_slot){.hash = hash};
        return false;
}

void familiar_keep(struct familiar *familiar, struct plan *plan)
{
        struct familiar_slot *slot = slot_of(familiar, plan->hash);
        if (!slot) {
                free(plan);
                return;
        }
        familiar->count += slot->plan == NULL;
        familiar->changes++;
        free(slot->plan);
        slot->plan = plan;
        slot->used = 1;
}

struct plan *plan_create(const struct outline *outline, uint64_t hash, uint32_t place_count)
{
        struct plan *plan = malloc(sizeof *plan + place_count * sizeof *plan->places + outline->length);
        if (!plan)
                return NULL;
        *plan = (struct plan){.hash = hash, .length = (uint16_t)outline->length, .place_max = (uint16_t)place_count};
        memcpy(plan->places + place_count, outline->bytes, outline->length);
        return plan;
}

/* The last gap that ends at or before; UINT32_MAX when the next one has begun. */
static uint32_t gap_before(const struct outline *outline, uint32_t at)
{
        uint32_t gap = 0;
        while (gap < outline->gap_count && outline->ends[gap + 1] <= at)
                gap++;
        return gap < outline->gap_count && outline->starts[gap + 1] < at ? UINT32_MAX : gap;
}

bool plan_add(struct plan *plan, const struct outline *outline, struct plan_place place, uint32_t start, uint32_t end)
{
        uint32_t first = gap_before(outline, start), last = gap_before(outline, end);
        if (first == UINT32_MAX || last == UINT32_MAX || plan->place_count == plan->place_max)
                return false;
        place.start_gap = (uint8_t)first;
        place.end_gap = (uint8_t)last;
        place.start = (uint16_t)(start - outline->ends[first]);
        place.end = (uint16_t)(end - outline->ends[last]);
        plan->places[plan->place_count++] = place;
        return true;
}
