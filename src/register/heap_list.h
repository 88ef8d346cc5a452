/* heap_list - a vector on the heap ({items, count, capacity}) that doubles as it grows; its owner frees the items. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static inline void *heap_list_grow(void **items, size_t *count, size_t *capacity, size_t item_bytes)
{
        if (*count == *capacity) {
                size_t wanted = *capacity ? *capacity * 2 : 16;
                void *grown = reallocarray(*items, wanted, item_bytes);
                if (!grown)
                        return NULL;
                *items = grown;
                *capacity = wanted;
        }
        void *item = (char *)*items + (*count)++ * item_bytes;
        memset(item, 0, item_bytes);
        return item;
}

/* One more cleared item at its end; NULL: no memory, and the list is as it was. */
#define heap_list_push(list) \
        ((__typeof__((list)->items))heap_list_grow((void **)&(list)->items, &(list)->count, &(list)->capacity, sizeof *(list)->items))
