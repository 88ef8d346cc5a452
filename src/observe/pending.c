/* pending.c - see pending.h. A counting sort: there are about as many samples as series. */
#include "observe/pending.h"

#include "base/scope.h"

#include <stdlib.h>

bool pending_grow(struct pending *pending)
{
        uint32_t capacity = pending->capacity ? pending->capacity * 2 : 16;
        struct pending_sample *moved = realloc(pending->items, capacity * sizeof *moved);
        if (!moved)
                return false;
        pending->items = moved;
        pending->capacity = capacity;
        return true;
}

struct pending_sample *pending_sorted(const struct pending *pending, uint32_t series_count)
{
        struct pending_sample *sorted = malloc(pending->count * sizeof *sorted + ((size_t)series_count + 1) * sizeof(uint32_t));
        if (!sorted)
                return NULL;
        uint32_t *starts = (uint32_t *)(sorted + pending->count), sum = 0;
        for (uint32_t i = 0; i < series_count; i++)
                starts[i] = 0;
        for (uint32_t i = 0; i < pending->count; i++)
                starts[pending->items[i].series]++;
        for (uint32_t i = 0; i < series_count; i++) {
                uint32_t count = starts[i];
                starts[i] = sum;
                sum += count;
        }
        for (uint32_t i = 0; i < pending->count; i++)
                sorted[starts[pending->items[i].series]++] = pending->items[i];
        return sorted;
}

bool pending_is_due(const struct pending *pending, int64_t now_ns, int64_t wait_ns)
{
        return pending->count && (now_ns < pending->since_ns || now_ns - pending->since_ns >= wait_ns);
}

void pending_clear(struct pending *pending)
{
        pending->count = 0;
}

void pending_done(struct pending *pending)
{
        free(pending->items);
        *pending = (struct pending){0};
}
