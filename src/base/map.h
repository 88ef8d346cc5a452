/*
 * map - finds a number by a 64-bit hash: the index half of a hash table whose items live in the owner's array.
 *
 * The owner keeps items in an array and asks for candidates with the item's hash; it compares the items itself, so
 * equal hashes are no fault. Linear probing, power of two, at most three quarters full; 12 bytes a slot.
 *
 *      for (uint32_t i = map_first(&map, hash, &at); i != MAP_NONE; i = map_next(&map, hash, &at))
 *              if (same(&items[i], wanted)) return &items[i];
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map {
        uint64_t *hashes;   /* of the slots in use */
        uint32_t *values;   /* MAP_NONE: empty slot */
        size_t capacity, count;
};

void map_done(struct map *map);
void map_clear(struct map *map);
bool map_put(struct map *map, uint64_t hash, uint32_t value); /* adds, even beside an equal hash; false: no memory */
bool map_remove(struct map *map, uint64_t hash, uint32_t value); /* false: not there */
uint32_t map_first(const struct map *map, uint64_t hash, size_t *out_at);
static inline void map_fetch(const struct map *map, uint64_t hash) /* asks for what map_first will look at */
{
        if (!map->count)
                return;
        __builtin_prefetch(&map->hashes[hash & (map->capacity - 1)]);
        __builtin_prefetch(&map->values[hash & (map->capacity - 1)]);
}

uint32_t map_next(const struct map *map, uint64_t hash, size_t *at);
