/* promql_order.c - see promql_order.h. */
#include "query/promql_order.h"

#include <math.h>
#include <stdint.h>

#define INSERTION_MAX 12 /* up to here it is an insertion sort */

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

static void drop_top(struct order_heap *heap)
{
        heap->items[0] = heap->items[--heap->count];
        sink(heap, 0);
}

/* A full heap gives up its top for a better item; NaN is given up for anything, even another NaN. */
void order_heap_offer(struct order_heap *heap, struct ordered item)
{
        if (heap->count == heap->room) {
                double top = heap->items[0].value;
                if (!isnan(top) && !(heap->descending ? top < item.value : top > item.value))
                        return;
                drop_top(heap);
        }
        heap->items[heap->count++] = item;
        rise(heap, heap->count - 1);
}

/*
 * Pattern-defeating quicksort (Orson Peters 2021, arXiv:2106.05123) with the pivots, thresholds and scrambling of Go 1.19's
 * sort package: the sort is not stable, so only the very same steps leave equal values in the very same places.
 */
struct sorting {
        struct ordered *items;
        bool descending;
};

enum hint { HINT_NONE, HINT_SORTED, HINT_REVERSED };

static bool less(const struct sorting *s, size_t a, size_t b)
{
        double x = s->items[a].value, y = s->items[b].value;
        return isnan(y) || (s->descending ? y < x : y > x);
}

static void insertion(const struct sorting *s, size_t start, size_t end)
{
        for (size_t i = start + 1; i < end; i++)
                for (size_t j = i; j > start && less(s, j, j - 1); j--)
                        swap(s->items, j, j - 1);
}

static void sift(const struct sorting *s, size_t start, size_t root, size_t count)
{
        for (;;) {
                size_t child = 2 * root + 1;
                if (child >= count)
                        return;
                if (child + 1 < count && less(s, start + child, start + child + 1))
                        child++;
                if (!less(s, start + root, start + child))
                        return;
                swap(s->items, start + root, start + child);
                root = child;
        }
}

static void heap_sort(const struct sorting *s, size_t start, size_t end)
{
        size_t count = end - start;
        for (size_t i = (count - 1) / 2 + 1; i-- > 0;)
                sift(s, start, i, count);
        for (size_t i = count; i-- > 0;) {
                swap(s->items, start, start + i);
                sift(s, start, 0, i);
        }
}

/* The place of the middle one of three; counts how often they stood the wrong way round. */
static size_t median(const struct sorting *s, size_t a, size_t b, size_t c, int *swaps)
{
        size_t places[3] = {a, b, c};
        static const int pairs[] = {0, 1, 0};
        for (int i = 0; i < 3; i++) {
                size_t *pair = &places[pairs[i]];
                if (!less(s, pair[1], pair[0]))
                        continue;
                size_t kept = pair[0];
                pair[0] = pair[1];
                pair[1] = kept;
                ++*swaps;
        }
        return places[1];
}

static size_t choose_pivot(const struct sorting *s, size_t start, size_t end, enum hint *out_hint)
{
        size_t quarter = (end - start) / 4, i = start + quarter, j = start + quarter * 2, k = start + quarter * 3;
        int swaps = 0;
        if (end - start >= 50) {
                i = median(s, i - 1, i, i + 1, &swaps);
                j = median(s, j - 1, j, j + 1, &swaps);
                k = median(s, k - 1, k, k + 1, &swaps);
        }
        j = median(s, i, j, k, &swaps);
        *out_hint = swaps == 0 ? HINT_SORTED : swaps == 12 ? HINT_REVERSED : HINT_NONE;
        return j;
}

/* Gives up after five repairs; true: sorted. */
static bool nearly_sorted(const struct sorting *s, size_t start, size_t end)
{
        size_t i = start + 1;
        for (int repairs = 0; repairs < 5; repairs++) {
                while (i < end && !less(s, i, i - 1))
                        i++;
                if (i == end)
                        return true;
                if (end - start < 50)
                        return false;
                swap(s->items, i, i - 1);
                for (size_t j = i - 1; i - start >= 2 && j >= 1 && less(s, j, j - 1); j--)
                        swap(s->items, j, j - 1);
                for (size_t j = i + 1; end - i >= 2 && j < end && less(s, j, j - 1); j++)
                        swap(s->items, j, j - 1);
        }
        return false;
}

static void scramble(const struct sorting *s, size_t start, size_t end)
{
        size_t count = end - start, middle = start + count / 4 * 2 - 1;
        uint64_t random = count, mask = (UINT64_C(1) << (64 - __builtin_clzll(count))) - 1;
        for (size_t i = 0; i < 3; i++) {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                size_t other = random & mask;
                swap(s->items, middle - 1 + i, start + (other >= count ? other - count : other));
        }
}

static void reverse(const struct sorting *s, size_t start, size_t end)
{
        for (; start + 1 < end; start++, end--)
                swap(s->items, start, end - 1);
}

/* Smaller ones before the pivot's new place, the others after it. */
static size_t partition(const struct sorting *s, size_t start, size_t end, size_t pivot, bool *out_was_done)
{
        size_t i = start + 1, j = end - 1;
        bool was_done = true;
        swap(s->items, start, pivot);
        for (;; was_done = false) {
                while (i <= j && less(s, i, start))
                        i++;
                while (i <= j && !less(s, j, start))
                        j--;
                if (i > j)
                        break;
                swap(s->items, i++, j--);
        }
        swap(s->items, j, start);
        *out_was_done = was_done;
        return j;
}

/* Those equal to the pivot first; gives the place of the first greater one. */
static size_t partition_equal(const struct sorting *s, size_t start, size_t end, size_t pivot)
{
        size_t i = start + 1, j = end - 1;
        swap(s->items, start, pivot);
        for (;;) {
                while (i <= j && !less(s, start, i))
                        i++;
                while (i <= j && less(s, start, j))
                        j--;
                if (i > j)
                        return i;
                swap(s->items, i++, j--);
        }
}

static void sort_range(const struct sorting *s, size_t start, size_t end, int limit)
{
        bool was_balanced = true, was_partitioned = true;
        while (end - start > INSERTION_MAX) {
                size_t count = end - start;
                enum hint hint;
                if (limit == 0) {
                        heap_sort(s, start, end);
                        return;
                }
                if (!was_balanced) {
                        scramble(s, start, end);
                        limit--;
                }
                size_t pivot = choose_pivot(s, start, end, &hint);
                if (hint == HINT_REVERSED) {
                        reverse(s, start, end);
                        pivot = end - 1 - (pivot - start);
                        hint = HINT_SORTED;
                }
                if (was_balanced && was_partitioned && hint == HINT_SORTED && nearly_sorted(s, start, end))
                        return;
                if (start > 0 && !less(s, start - 1, pivot)) {
                        start = partition_equal(s, start, end, pivot);
                        continue;
                }
                size_t middle = partition(s, start, end, pivot, &was_partitioned);
                was_balanced = (middle - start < end - middle ? middle - start : end - middle) >= count / 8;
                if (middle - start < end - middle) {
                        sort_range(s, start, middle, limit);
                        start = middle + 1;
                } else {
                        sort_range(s, middle + 1, end, limit);
                        end = middle;
                }
        }
        insertion(s, start, end);
}

void order_sort(struct ordered *items, size_t count, bool descending)
{
        struct sorting sorting = {items, descending};
        if (count > 1)
                sort_range(&sorting, 0, count, 64 - __builtin_clzll(count));
}
