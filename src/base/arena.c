/* arena.c - see arena.h. Chunks double up to a megabyte, so that small arenas stay small. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_BYTES_MIN ((size_t)4096)
#define CHUNK_BYTES_MAX ((size_t)1 << 20)

struct arena_chunk {
        struct arena_chunk *older;
        size_t bytes; /* this header included */
} __attribute__((aligned(16)));

void arena_init(struct arena *arena, size_t bytes_max)
{
        *arena = (struct arena){.bytes_max = bytes_max};
}

static void free_chunks(struct arena_chunk *chunk)
{
        while (chunk) {
                struct arena_chunk *older = chunk->older;
                free(chunk);
                chunk = older;
        }
}

void arena_done(struct arena *arena)
{
        if (!arena)
                return;
        free_chunks(arena->chunks);
        *arena = (struct arena){.bytes_max = arena->bytes_max, .chunk_bytes_max = arena->chunk_bytes_max};
}

static void use_chunk(struct arena *arena, struct arena_chunk *chunk)
{
        arena->chunks = chunk;
        arena->next = (char *)(chunk + 1);
        arena->end = (char *)chunk + chunk->bytes;
}

void arena_reset(struct arena *arena)
{
        struct arena_chunk *largest = arena->chunks;
        for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->older)
                if (chunk->bytes > largest->bytes)
                        largest = chunk;
        if (!largest)
                return;
        for (struct arena_chunk *chunk = arena->chunks; chunk;) {
                struct arena_chunk *older = chunk->older;
                if (chunk != largest)
                        free(chunk);
                chunk = older;
        }
        largest->older = NULL;
        arena->bytes_held = largest->bytes;
        use_chunk(arena, largest);
}

static bool add_chunk(struct arena *arena, size_t bytes)
{
        size_t most = arena->chunk_bytes_max ? arena->chunk_bytes_max : CHUNK_BYTES_MAX;
        size_t wanted = arena->chunks ? arena->chunks->bytes * 2 : most < CHUNK_BYTES_MAX ? most / 16 : CHUNK_BYTES_MIN;
        if (wanted > most)
                wanted = most;
        if (wanted < bytes + sizeof(struct arena_chunk))
                wanted = bytes + sizeof(struct arena_chunk);
        if (arena->bytes_max && arena->bytes_held + wanted > arena->bytes_max)
                wanted = bytes + sizeof(struct arena_chunk);
        if (arena->bytes_max && arena->bytes_held + wanted > arena->bytes_max)
                return false;
        struct arena_chunk *chunk = malloc(wanted);
        if (!chunk)
                return false;
        chunk->bytes = wanted;
        chunk->older = arena->chunks;
        arena->bytes_held += wanted;
        use_chunk(arena, chunk);
        return true;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
        if (bytes > SIZE_MAX / 4)
                return NULL;
        bytes = (bytes + 15) & ~(size_t)15;
        size_t gap = (size_t)-(uintptr_t)arena->next & 15; /* behind packed bytes */
        if ((size_t)(arena->end - arena->next) < bytes + gap) {
                if (!add_chunk(arena, bytes))
                        return NULL;
                gap = 0;
        }
        char *given = arena->next + gap;
        arena->next = given + bytes;
        return given;
}

struct str arena_pack(struct arena *arena, struct str s)
{
        if (s.length > SIZE_MAX / 4 || ((size_t)(arena->end - arena->next) < s.length + 1 && !add_chunk(arena, s.length + 1)))
                return (struct str){0};
        char *copy = arena->next;
        if (s.length)
                memcpy(copy, s.bytes, s.length);
        arena->next += s.length;
        return (struct str){copy, s.length};
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
        void *given = arena_alloc(arena, bytes);
        return given ? memset(given, 0, bytes) : NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t item_bytes)
{
        size_t bytes;
        if (__builtin_mul_overflow(count, item_bytes, &bytes))
                return NULL;
        return arena_zalloc(arena, bytes);
}

struct str arena_str(struct arena *arena, struct str s)
{
        char *copy = arena_alloc(arena, s.length + 1);
        if (!copy)
                return (struct str){0};
        if (s.length)
                memcpy(copy, s.bytes, s.length);
        copy[s.length] = 0;
        return (struct str){copy, s.length};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
        va_list args, again;
        va_start(args, format);
        va_copy(again, args);
        int length = vsnprintf(NULL, 0, format, args);
        va_end(args);
        char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
        if (text)
                vsnprintf(text, (size_t)length + 1, format, again);
        va_end(again);
        return (struct str){text, text ? (size_t)length : 0};
}

void *arena_push_bytes(struct arena *arena, void **items, size_t *count, size_t *capacity, size_t item_bytes)
{
        if (*count == *capacity) {
                size_t grown = *capacity ? *capacity * 2 : 8;
                void *moved = arena_alloc(arena, grown * item_bytes);
                if (!moved)
                        return NULL;
                if (*count)
                        memcpy(moved, *items, *count * item_bytes);
                *items = moved;
                *capacity = grown;
        }
        void *item = (char *)*items + *count * item_bytes;
        *count += 1;
        return memset(item, 0, item_bytes);
}
