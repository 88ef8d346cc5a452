/*
 * queue - a bounded line of pointers between threads.
 *
 * Bounded by a weight (bytes, records: the owner's choice) and not by a count. After a successful push the item is no
 * longer the pusher's. What to do at the bound is the pusher's choice, in the open: queue_push waits, queue_try_push
 * refuses. queue_close wakes everybody: pushes fail from then on, pops give what is left and then nothing.
 */
#pragma once

#include "base/err.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_item {
        void *thing;
        size_t weight;
};

struct queue {
        struct lock lock;
        struct signal not_empty, not_full;
        struct queue_item *ring;
        size_t capacity, head, count;
        size_t weight, weight_max;
        uint64_t refused; /* pushes that found it full; read without the lock for the counters */
        bool closed;
};

void queue_init(struct queue *queue, size_t weight_max);
void queue_done(struct queue *queue);                             /* the owner has taken the items out before */
bool queue_push(struct queue *queue, void *thing, size_t weight); /* waits for room; false: closed, or no memory */
bool queue_try_push(struct queue *queue, void *thing, size_t weight); /* false: full, closed, or no memory */
void *queue_pop(struct queue *queue, int64_t wait_ms);            /* NULL: nothing in that time, or closed and empty; -1 waits */
/* All that is there at once, oldest first, at most things_max; waits up to wait_ms for the first. */
size_t queue_pop_all(struct queue *queue, void **out_things, size_t things_max, int64_t wait_ms);
void queue_close(struct queue *queue);
bool queue_is_closed(struct queue *queue);
size_t queue_weight(struct queue *queue);
