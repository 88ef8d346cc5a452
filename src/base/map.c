/* map.c - see map.h. Removal shifts the run back (Knuth 6.4 R), so there are no tombstones. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

void map_done(struct map *map)
{
        if (!map)
                return;
        free(map->hashes);
        free(map->values);
        *map = (struct map){0};
}

void map_clear(struct map *map)
{
        if (map->capacity)
                memset(map->values, 0xFF, map->capacity * sizeof *map->values);
        map->count = 0;
}

static void place(struct map *map, uint64_t hash, uint32_t value)
{
        size_t mask = map->capacity - 1, at = hash & mask;
        while (map->values[at] != MAP_NONE)
                at = (at + 1) & mask;
        map->hashes[at] = hash;
        map->values[at] = value;
        map->count++;
}

static bool grow(struct map *map)
{
        struct map grown = {.capacity = map->capacity ? map->capacity * 2 : 16};
        grown.hashes = malloc(grown.capacity * sizeof *grown.hashes);
        grown.values = malloc(grown.capacity * sizeof *grown.values);
        if (!grown.hashes || !grown.values) {
                map_done(&grown);
                return false;
        }
        memset(grown.values, 0xFF, grown.capacity * sizeof *grown.values);
        for (size_t i = 0; i < map->capacity; i++)
                if (map->values[i] != MAP_NONE)
                        place(&grown, map->hashes[i], map->values[i]);
        map_done(map);
        *map = grown;
        return true;
}

bool map_put(struct map *map, uint64_t hash, uint32_t value)
{
        if (map->count >= map->capacity / 4 * 3 && !grow(map))
                return false;
        place(map, hash, value);
        return true;
}

uint32_t map_next(const struct map *map, uint64_t hash, size_t *at)
{
        size_t mask = map->capacity - 1;
        for (;; *at = (*at + 1) & mask) {
                uint32_t value = map->values[*at];
                if (value == MAP_NONE)
                        return MAP_NONE;
                if (map->hashes[*at] == hash) {
                        *at = (*at + 1) & mask;
                        return value;
                }
        }
}

uint32_t map_first(const struct map *map, uint64_t hash, size_t *out_at)
{
        if (!map->count)
                return MAP_NONE;
        *out_at = hash & (map->capacity - 1);
        return map_next(map, hash, out_at);
}

bool map_remove(struct map *map, uint64_t hash, uint32_t value)
{
        if (!map->count)
                return false;
        size_t mask = map->capacity - 1, at = hash & mask;
        while (map->values[at] != MAP_NONE && !(map->hashes[at] == hash && map->values[at] == value))
                at = (at + 1) & mask;
        if (map->values[at] == MAP_NONE)
                return false;
        for (size_t next = (at + 1) & mask; map->values[next] != MAP_NONE; next = (next + 1) & mask) {
                size_t home = map->hashes[next] & mask;
                if (((next - home) & mask) >= ((next - at) & mask)) {
                        map->hashes[at] = map->hashes[next];
                        map->values[at] = map->values[next];
                        at = next;
                }
        }
        map->values[at] = MAP_NONE;
        map->count--;
        return true;
}
