/*
 * promql_order - the order of samples by value, as Prometheus gives it for topk, bottomk, sort and sort_desc.
 *
 * Ties and NaN come out as from Go's container/heap and sort, so that an instant query lists the same series in the same
 * places.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ordered {
        double value;
        size_t index;   /* the caller's */
};

/* A heap of at most room items with the first to go on top; descending for topk. */
struct order_heap {
        struct ordered *items;
        size_t count, room;
        bool descending;
};

void order_heap_offer(struct order_heap *heap, struct ordered item);
/* NaN last. Also the heap's items, at the end. */
void order_sort(struct ordered *items, size_t count, bool descending);
