/* keys.c - see keys.h. A slot is given up by shifting its run back (Knuth 6.4 R), so there are no tombstones. */
#include "base/keys.h"

#include <stdlib.h>
#include <string.h>

void keys_done(struct keys *keys)
{
        if (!keys)
                return;
        free(keys->items);
        free(keys->slots);
        *keys = (struct keys){0};
}

static void place(struct keys *keys, uint32_t number)
{
        uint32_t mask = keys->slot_count - 1, at = (uint32_t)keys->items[number] & mask;
        while (keys->slots[at] != KEYS_NONE)
                at = (at + 1) & mask;
        keys->slots[at] = number;
}

static bool reserve_slots(struct keys *keys)
{
        if (keys->count < keys->slot_count / 4 * 3)
                return true;
        uint32_t slot_count = keys->slot_count ? keys->slot_count * 2 : 16;
        uint32_t *slots = malloc(slot_count * sizeof *slots);
        if (!slots)
                return false;
        memset(slots, 0xFF, slot_count * sizeof *slots);
        free(keys->slots);
        keys->slots = slots;
        keys->slot_count = slot_count;
        for (uint32_t i = 0; i < keys->count; i++)
                place(keys, i);
        return true;
}

bool keys_add(struct keys *keys, uint64_t key)
{
        if (keys->count == keys->capacity) {
                uint32_t capacity = keys->capacity + keys->capacity / 8 + 8;
                uint64_t *moved = realloc(keys->items, capacity * sizeof *moved);
                if (!moved)
                        return false;
                keys->items = moved;
                keys->capacity = capacity;
        }
        if (!reserve_slots(keys))
                return false;
        keys->items[keys->count] = key;
        place(keys, keys->count++);
        return true;
}

static void give_up_slot(struct keys *keys, uint32_t number)
{
        uint32_t mask = keys->slot_count - 1, at = (uint32_t)keys->items[number] & mask;
        while (keys->slots[at] != number)
                at = (at + 1) & mask;
        for (uint32_t next = (at + 1) & mask; keys->slots[next] != KEYS_NONE; next = (next + 1) & mask) {
                uint32_t home = (uint32_t)keys->items[keys->slots[next]] & mask;
                if (((next - home) & mask) >= ((next - at) & mask)) {
                        keys->slots[at] = keys->slots[next];
                        at = next;
                }
        }
        keys->slots[at] = KEYS_NONE;
}

void keys_replace(struct keys *keys, uint32_t number, uint64_t key)
{
        give_up_slot(keys, number);
        keys->items[number] = key;
        place(keys, number);
}

uint32_t keys_find(const struct keys *keys, uint64_t key)
{
        if (!keys->count)
                return KEYS_NONE;
        uint32_t mask = keys->slot_count - 1, number;
        for (uint32_t at = (uint32_t)key & mask; (number = keys->slots[at]) != KEYS_NONE; at = (at + 1) & mask)
                if (keys->items[number] == key)
                        return number;
        return KEYS_NONE;
}

size_t keys_bytes(const struct keys *keys)
{
        return keys->capacity * sizeof *keys->items + keys->slot_count * sizeof *keys->slots;
}
