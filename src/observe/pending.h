/*
 * pending - samples of some series, numbered from 0, that wait in the order in which they came and leave series by series.
 *
 *      { pending_add ... pending_sorted -> pending_clear } -> pending_done
 *
 * For who must fetch much memory for each series and little for a sample. Zeroed is empty. At the bound it is_full: the owner takes
 * all before more is added.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PENDING_MAX 4096

struct pending_sample {
        uint32_t series;
        int64_t time_ns;
        double value;
};

struct pending {
        struct pending_sample *items;
        uint32_t count, capacity;
        int64_t since_ns;       /* journal time of the first */
};

/* Not when it is full. False: no memory. */
static inline bool pending_add(struct pending *pending, const struct pending_sample *sample, int64_t now_ns);

/* A copy, by series and among them as they came; free() it. All series are below series_count. NULL: no memory. */
struct pending_sample *pending_sorted(const struct pending *pending, uint32_t series_count);

/* Whether the first has waited so long; a clock that went back makes it due. */
bool pending_is_due(const struct pending *pending, int64_t now_ns, int64_t wait_ns);

void pending_clear(struct pending *pending); /* keeps the memory */
void pending_done(struct pending *pending);  /* gives it back; empty again */

static inline bool pending_is_full(const struct pending *pending)
{
        return pending->count >= PENDING_MAX;
}

bool pending_grow(struct pending *pending); /* pending_add's own */

static inline bool pending_add(struct pending *pending, const struct pending_sample *sample, int64_t now_ns)
{
        if (pending->count == pending->capacity && !pending_grow(pending))
                return false;
        if (!pending->count)
                pending->since_ns = now_ns;
        pending->items[pending->count++] = *sample;
        return true;
}
