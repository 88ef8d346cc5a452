/*
 * arena - memory with one end: many allocations, dropped whole.
 *
 *      arena_init -> arena_alloc ... -> arena_reset -> arena_alloc ... -> arena_done
 *
 * One arena per batch, request or evaluation. Used by one thread at a time. bytes_max bounds what it may hold in
 * all; at the bound, and when memory runs out, arena_alloc returns NULL and the caller says so with fail_memory().
 */
#pragma once

#include "base/str.h"

#include <stddef.h>

struct arena_chunk;

struct arena {
        struct arena_chunk *chunks; /* newest first */
        char *next, *end;           /* free space in the newest */
        size_t bytes_held, bytes_max;
        size_t chunk_bytes_max;     /* chunks double up to this; 0: 1 MB. Many small arenas that live long set it low */
};

void arena_init(struct arena *arena, size_t bytes_max); /* allocates nothing yet; bytes_max 0 means no bound */
void arena_done(struct arena *arena);                   /* frees all; the arena may be zeroed or used again after init */
void arena_reset(struct arena *arena);                  /* forgets all, keeps its largest chunk for reuse */

void *arena_alloc(struct arena *arena, size_t bytes);   /* aligned to 16, not cleared; NULL when it cannot */
void *arena_zalloc(struct arena *arena, size_t bytes);  /* cleared */
void *arena_array(struct arena *arena, size_t count, size_t item_bytes); /* cleared; NULL also on overflow */

/* A copy, ended by a NUL that is not counted; bytes is NULL when memory ran out. */
struct str arena_str(struct arena *arena, struct str s);
/* A copy that is neither aligned nor ended by a NUL. */
struct str arena_pack(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(arena, type) ((type *)arena_zalloc(arena, sizeof(type)))

/* Appends an item to an arena-owned vector { items, count, capacity }; gives the new, cleared item or NULL. */
#define arena_push(arena, vector)                                                                                      \
        ((__typeof__((vector)->items))arena_push_bytes(arena, (void **)&(vector)->items, &(vector)->count,             \
                                                       &(vector)->capacity, sizeof *(vector)->items))
void *arena_push_bytes(struct arena *arena, void **items, size_t *count, size_t *capacity, size_t item_bytes);
