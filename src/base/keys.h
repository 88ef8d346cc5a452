/*
 * keys - numbers 64-bit keys in the order in which they come, and finds a key's number: the index of an array whose items stand
 * for keys that are hashes already.
 *
 * Unlike a map it holds each key once, one behind another, and its slots hold numbers alone: four bytes each, and eight a key.
 * Who meets keys in the order in which they were added asks for the next number first (keys_are) and touches no slot: 64 bytes
 * answer for eight of them. Linear probing, a power of two, at most three quarters full.
 *
 *      if (!keys_are(&keys, guess, key) && (at = keys_find(&keys, key)) == KEYS_NONE) keys_add(&keys, key)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_NONE UINT32_MAX

struct keys {
        uint64_t *items;        /* by number */
        uint32_t *slots;        /* numbers; KEYS_NONE: empty */
        uint32_t count, capacity, slot_count;
};

void keys_done(struct keys *keys);
bool keys_add(struct keys *keys, uint64_t key); /* its number is the count before; false: no memory, nothing changed */
void keys_replace(struct keys *keys, uint32_t number, uint64_t key); /* the number stands for another one from now on */
uint32_t keys_find(const struct keys *keys, uint64_t key);
size_t keys_bytes(const struct keys *keys);

static inline bool keys_are(const struct keys *keys, uint32_t number, uint64_t key)
{
        return number < keys->count && keys->items[number] == key;
}

/* Asks for what keys_find will look at first, and tells the number there, for asking for what it stands for; it may be another's. */
static inline void keys_fetch(const struct keys *keys, uint64_t key)
{
        if (keys->slot_count)
                __builtin_prefetch(&keys->slots[key & (keys->slot_count - 1)]);
}

static inline uint32_t keys_likely(const struct keys *keys, uint64_t key)
{
        uint32_t number = keys->slot_count ? keys->slots[key & (keys->slot_count - 1)] : KEYS_NONE;
        if (number != KEYS_NONE)
                __builtin_prefetch(&keys->items[number]);
        return number;
}
