/* learned.c - see learned.h: an array of pairs and a map to find them. */
#include "engage/learned.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>

struct learned {
        struct learned_pair *items;
        size_t count, capacity, dirty;
        struct map by_pair;
        uint64_t refused;
};

bool learned_create(struct learned **out_learned, struct err *err)
{
        struct learned *learned = calloc(1, sizeof *learned);
        if (!learned)
                return fail_memory(err, "engage", sizeof *learned);
        *out_learned = learned;
        return true;
}

void learned_destroy(struct learned *learned)
{
        if (!learned)
                return;
        for (size_t i = 0; i < learned->count; i++) {
                free(learned->items[i].one);
                free(learned->items[i].other);
        }
        free(learned->items);
        map_done(&learned->by_pair);
        free(learned);
}

uint64_t learned_sort(struct str name, struct str kind)
{
        return hash64_seeded(name, hash64(kind));
}

uint64_t learned_cause(void)
{
        return hash64(STR("the cause"));
}

/* Half a hash: the number fits a signed column. */
uint64_t learned_pair(uint64_t one, uint64_t other)
{
        uint64_t both[2] = {min_of(one, other), max_of(one, other)};
        return hash64((struct str){(const char *)both, sizeof both}) >> 1;
}

static struct learned_pair *find(const struct learned *learned, uint64_t pair)
{
        size_t at;
        uint32_t i = map_first(&learned->by_pair, pair, &at);
        while (i != MAP_NONE && learned->items[i].pair != pair)
                i = map_next(&learned->by_pair, pair, &at);
        return i == MAP_NONE ? NULL : &learned->items[i];
}

double learned_weight(const struct learned *learned, uint64_t pair)
{
        const struct learned_pair *known = find(learned, pair);
        if (!known)
                return 0;
        double weight = log((known->together + 0.5) / (known->apart + 0.5));
        return fmax(-LEARNED_WEIGHT_MAX, fmin(LEARNED_WEIGHT_MAX, weight));
}

static bool grow(struct learned *learned, struct err *err)
{
        if (learned->count < learned->capacity)
                return true;
        size_t capacity = learned->capacity ? learned->capacity * 2 : 64;
        struct learned_pair *items = realloc(learned->items, capacity * sizeof *items);
        if (!items)
                return fail_memory(err, "engage", capacity * sizeof *items);
        learned->items = items;
        learned->capacity = capacity;
        return true;
}

static bool add_pair(struct learned *learned, uint64_t pair, struct str one, struct str other, struct err *err)
{
        struct learned_pair added = {.pair = pair, .one = strndup(one.bytes, one.length), .other = strndup(other.bytes, other.length)};
        if (!added.one || !added.other || !grow(learned, err) || !map_put(&learned->by_pair, pair, (uint32_t)learned->count)) {
                free(added.one);
                free(added.other);
                return fail_memory(err, "engage", sizeof added);
        }
        learned->items[learned->count++] = added;
        return true;
}

bool learned_add(struct learned *learned, uint64_t pair, struct str one, struct str other, double together, double apart, int64_t time_ns, struct err *err)
{
        if (!find(learned, pair)) {
                if (learned->count >= LEARNED_PAIRS_MAX) {
                        learned->refused++;
                        return true;
                }
                if (!add_pair(learned, pair, one, other, err))
                        return false;
        }
        struct learned_pair *known = find(learned, pair);
        known->together = fmax(0, known->together + together);
        known->apart = fmax(0, known->apart + apart);
        known->changed_ns = time_ns;
        learned->dirty += !known->is_dirty;
        known->is_dirty = true;
        return true;
}

struct learned_pair *learned_next(struct learned *learned, size_t *at)
{
        return *at < learned->count ? &learned->items[(*at)++] : NULL;
}

bool learned_is_dirty(const struct learned *learned)
{
        return learned->dirty > 0;
}

static bool is_empty(const struct learned_pair *pair)
{
        return pair->together == 0 && pair->apart == 0;
}

/* All words about them were taken back: nothing of them stays. */
static void drop_empty(struct learned *learned)
{
        size_t kept = 0;
        for (size_t i = 0; i < learned->count; i++) {
                struct learned_pair pair = learned->items[i];
                if (kept != i || is_empty(&pair))
                        map_remove(&learned->by_pair, pair.pair, (uint32_t)i);
                if (is_empty(&pair)) {
                        free(pair.one);
                        free(pair.other);
                        continue;
                }
                if (kept != i)
                        map_put(&learned->by_pair, pair.pair, (uint32_t)kept); /* one was removed: there is room */
                learned->items[kept++] = pair;
        }
        learned->count = kept;
}

void learned_clean(struct learned *learned)
{
        bool has_empty = false;
        for (size_t i = 0; learned->dirty && i < learned->count; i++) {
                learned->items[i].is_dirty = false;
                has_empty |= is_empty(&learned->items[i]);
        }
        learned->dirty = 0;
        if (has_empty)
                drop_empty(learned);
}

uint64_t learned_refused(const struct learned *learned)
{
        return learned->refused;
}
