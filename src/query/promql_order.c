/* promql_order.c - see promql_order.h. */
#include "query/promql_order.h"

#include <math.h>
#include <stdlib.h>

#define INSERTION_MAX 12 /* up to here Go's sort is an insertion sort */

/* Whether a stands nearer the top of the heap: the smallest for topk. */
static bool above(const struct order_heap *heap, size_t a, size_t b)
{
        double x = heap->items[a].value, y = heap->items[b].value;
        return isnan(x) || (heap->descending ? x < y : x > y);
}

static void swap(struct ordered *items, size_t a, size_t b)
{
        struct ordered kept = items[a];
        items[a] = items[b];
        items[b] = kept;
}

static void rise(struct order_heap *heap, size_t at)
{
        for (; at > 0 && above(heap, at, (at - 1) / 2); at = (at - 1) / 2)
                swap(heap->items, at, (at - 1) / 2);
}

static void sink(struct order_heap *heap, size_t at)
{
        for (;;) {
                size_t child = 2 * at + 1;
                if (child >= heap->count)
                        return;
                if (child + 1 < heap->count && above(heap, child + 1, child))
                        child++;
                if (!above(heap, child, at))
                        return;
                swap(heap->items, at, child);
                at = child;
        }
}

void order_heap_offer(struct order_heap *heap, struct ordered item)
{
        if (heap->count < heap->room) {
                heap->items[heap->count++] = item;
                rise(heap, heap->count - 1);
                return;
        }
        double top = heap->items[0].value;
        bool better = heap->descending ? top < item.value : top > item.value;
        if (!better && !(isnan(top) && !isnan(item.value)))
                return;
        heap->items[0] = item;
        sink(heap, 0);
}

static bool before(const struct ordered *a, const struct ordered *b, bool descending)
{
        return isnan(b->value) || (descending ? b->value < a->value : b->value > a->value);
}

static int compare_ascending(const void *a, const void *b)
{
        const struct ordered *x = a, *y = b;
        if (isnan(x->value) || isnan(y->value))
                return isnan(x->value) - isnan(y->value);
        return (x->value > y->value) - (x->value < y->value);
}

static int compare_descending(const void *a, const void *b)
{
        const struct ordered *x = a, *y = b;
        if (isnan(x->value) || isnan(y->value))
                return isnan(x->value) - isnan(y->value);
        return (x->value < y->value) - (x->value > y->value);
}

void order_sort(struct ordered *items, size_t count, bool descending)
{
        if (count > INSERTION_MAX) {
                qsort(items, count, sizeof *items, descending ? compare_descending : compare_ascending);
                return;
        }
        for (size_t i = 1; i < count; i++)
                for (size_t j = i; j > 0 && before(&items[j], &items[j - 1], descending); j--)
                        swap(items, j, j - 1);
}
