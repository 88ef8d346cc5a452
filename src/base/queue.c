/* queue.c - see queue.h. An item heavier than the whole bound is let in when the queue is empty, or it could never pass. */
#include "base/queue.h"

#include <stdlib.h>

void queue_init(struct queue *queue, size_t weight_max)
{
        *queue = (struct queue){.weight_max = weight_max};
        lock_init(&queue->lock, LOCK_QUEUE);
        signal_init(&queue->not_empty);
        signal_init(&queue->not_full);
}

void queue_done(struct queue *queue)
{
        free(queue->ring);
        signal_done(&queue->not_empty);
        signal_done(&queue->not_full);
        lock_done(&queue->lock);
}

static bool has_room(const struct queue *queue, size_t weight)
{
        return queue->count == 0 || queue->weight + weight <= queue->weight_max;
}

static bool grow(struct queue *queue)
{
        size_t grown = queue->capacity ? queue->capacity * 2 : 16;
        struct queue_item *ring = malloc(grown * sizeof *ring);
        if (!ring)
                return false;
        for (size_t i = 0; i < queue->count; i++)
                ring[i] = queue->ring[(queue->head + i) % queue->capacity];
        free(queue->ring);
        queue->ring = ring;
        queue->capacity = grown;
        queue->head = 0;
        return true;
}

static bool put(struct queue *queue, void *thing, size_t weight)
{
        if (queue->closed || (queue->count == queue->capacity && !grow(queue)))
                return false;
        queue->ring[(queue->head + queue->count) % queue->capacity] = (struct queue_item){thing, weight};
        queue->count++;
        queue->weight += weight;
        signal_one(&queue->not_empty);
        return true;
}

bool queue_push(struct queue *queue, void *thing, size_t weight)
{
        with_lock(&queue->lock);
        if (!has_room(queue, weight))
                queue->refused++;
        while (!queue->closed && !has_room(queue, weight))
                signal_wait(&queue->not_full, &queue->lock);
        return put(queue, thing, weight);
}

bool queue_try_push(struct queue *queue, void *thing, size_t weight)
{
        with_lock(&queue->lock);
        if (!has_room(queue, weight)) {
                queue->refused++;
                return false;
        }
        return put(queue, thing, weight);
}

static void *take(struct queue *queue)
{
        struct queue_item item = queue->ring[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->count--;
        queue->weight -= item.weight;
        signal_all(&queue->not_full);
        return item.thing;
}

static void wait_for_item(struct queue *queue, int64_t wait_ms)
{
        while (queue->count == 0 && !queue->closed) {
                if (wait_ms < 0)
                        signal_wait(&queue->not_empty, &queue->lock);
                else if (wait_ms == 0 || !signal_wait_ms(&queue->not_empty, &queue->lock, wait_ms))
                        return;
        }
}

void *queue_pop(struct queue *queue, int64_t wait_ms)
{
        with_lock(&queue->lock);
        wait_for_item(queue, wait_ms);
        return queue->count ? take(queue) : NULL;
}

size_t queue_pop_all(struct queue *queue, void **out_things, size_t things_max, int64_t wait_ms)
{
        with_lock(&queue->lock);
        wait_for_item(queue, wait_ms);
        size_t count = 0;
        while (count < things_max && queue->count)
                out_things[count++] = take(queue);
        return count;
}

void queue_close(struct queue *queue)
{
        with_lock(&queue->lock);
        queue->closed = true;
        signal_all(&queue->not_empty);
        signal_all(&queue->not_full);
}

bool queue_is_closed(struct queue *queue)
{
        with_lock(&queue->lock);
        return queue->closed;
}

size_t queue_weight(struct queue *queue)
{
        with_lock(&queue->lock);
        return queue->weight;
}
