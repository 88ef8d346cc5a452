/* familiar.c - see familiar.h. One place for each hash; whoever has it keeps it while it is used more often than others ask for it. */
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
        return &familiar->slots[hash & (familiar->capacity - 1)];
}

static const char *plan_bytes(const struct plan *plan) { return (const char *)(plan->places + plan->place_max); }

struct plan *familiar_look(struct familiar *familiar, const struct outline *outline, uint64_t hash)
{
        struct familiar_slot *slot = familiar->capacity ? slot_of(familiar, hash) : NULL;
        struct plan *plan = slot && slot->hash == hash ? slot->plan : NULL;
        if (!plan || plan->length != outline->length || memcmp(plan_bytes(plan), outline->bytes, outline->length) != 0)
                return NULL;
        slot->used = min_of(slot->used + 1, USED_MAX);
        return plan;
}

/* Twice as many slots, while there may be more. Without memory it stays as it is. */
static void grow(struct familiar *familiar)
{
        uint32_t capacity = familiar->capacity ? familiar->capacity * 2 : SLOTS_FIRST;
        struct familiar_slot *slots = capacity <= FAMILIAR_PLANS_MAX ? calloc(capacity, sizeof *slots) : NULL;
        if (!slots)
                return;
        for (uint32_t i = 0; i < familiar->capacity; i++)
                if (familiar->slots[i].plan)
                        slots[familiar->slots[i].hash & (capacity - 1)] = familiar->slots[i]; /* no two had one place before */
        free(familiar->slots);
        familiar->slots = slots;
        familiar->capacity = capacity;
}

bool familiar_wants(struct familiar *familiar, uint64_t hash)
{
        if (familiar->count >= familiar->capacity / 2)
                grow(familiar);
        if (!familiar->capacity)
                return false;
        struct familiar_slot *slot = slot_of(familiar, hash);
        if (slot->hash == hash)
                return true;
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
        struct familiar_slot *slot = familiar->capacity ? slot_of(familiar, plan->hash) : NULL;
        if (!slot || slot->hash != plan->hash) {
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
