/*
 * sequence.c - see sequence.h. Bags are few and short, so the nearest is found by looking at all. What the tail is like is
 * worked out again whenever an eighth more bags have been learnt. Pieces of work under way form a list, the quietest first.
 */
#include "learn/sequence.h"

#include "base/map.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct known {
        uint64_t seen, hash;
        struct bag bag;
};

struct work {
        uint64_t id;
        uint32_t quieter, livelier;     /* neighbours in the list; of a free one `livelier` is the next free */
        int64_t first_ns, last_ns;
        uint32_t first_event, last_event;
        struct bag bag;
};

struct sequences {
        struct { struct known *items; uint32_t count, capacity; } known;
        struct { struct work *items; uint32_t count, used, capacity, quietest, liveliest, free_first; } open; /* used: slots ever taken */
        struct map by_work;
        struct { struct numbers { uint32_t event, count; } *items; uint32_t count; } numbers; /* how many different times each event came */
        bool numbers_are_old;
        uint64_t seen, seen_at_fit, too_large;
        int64_t minute;                 /* in which `judged` bags were compared */
        uint32_t judged;
        double once_share, once_distance; /* of the bags seen once: how many of all, and how far from the others */
};

void bag_add(struct bag *bag, uint32_t event)
{
        uint32_t place = 0;
        while (place < bag->count && bag->items[place].event < event)
                place++;
        if (place < bag->count && bag->items[place].event == event) {
                bag->items[place].times += bag->items[place].times < UINT32_MAX;
                return;
        }
        if (bag->count == BAG_EVENTS_MAX) {
                bag->is_too_large = true;
                return;
        }
        memmove(bag->items + place + 1, bag->items + place, (bag->count - place) * sizeof *bag->items);
        bag->items[place].event = event;
        bag->items[place].times = 1;
        bag->count++;
}

/* The same for equal bags, whatever the order. */
static uint64_t bag_hash(const struct bag *bag)
{
        uint64_t hash = bag->count;
        for (uint32_t i = 0; i < bag->count; i++) {
                uint64_t x = ((uint64_t)bag->items[i].event << 32 | bag->items[i].times) * 0x9E3779B97F4A7C15U;
                hash = (hash ^ x ^ x >> 29) * 0xBF58476D1CE4E5B9U;
        }
        return hash;
}

static uint32_t find_known(const struct sequences *sequences, const struct bag *bag)
{
        uint64_t hash = bag_hash(bag);
        uint32_t k = 0;
        while (k < sequences->known.count && sequences->known.items[k].hash != hash)
                k++;
        return k < sequences->known.count ? k : MAP_NONE;
}

struct event_times { uint32_t event, times; };

static int compare_times(const void *a, const void *b)
{
        const struct event_times *x = a, *y = b;
        return x->event != y->event ? (x->event < y->event ? -1 : 1) : x->times != y->times ? (x->times < y->times ? -1 : 1) : 0;
}

/* Counts anew, over all known bags, with how many different numbers of times each event comes. Without memory: none known. */
static void count_numbers(struct sequences *sequences)
{
        size_t count = 0, total = 0;
        for (uint32_t k = 0; k < sequences->known.count; k++)
                total += sequences->known.items[k].bag.count;
        struct event_times *all = malloc((total + 1) * sizeof *all);
        free(sequences->numbers.items);
        sequences->numbers.items = malloc((total + 1) * sizeof *sequences->numbers.items);
        sequences->numbers.count = 0;
        for (uint32_t k = 0; all && k < sequences->known.count; k++)
                for (uint32_t i = 0; i < sequences->known.items[k].bag.count; i++)
                        all[count++] = (struct event_times){sequences->known.items[k].bag.items[i].event, sequences->known.items[k].bag.items[i].times};
        if (count)
                qsort(all, count, sizeof *all, compare_times);
        for (size_t i = 0; i < count && sequences->numbers.items; i++) {
                if (i && compare_times(&all[i], &all[i - 1]) == 0)
                        continue;
                if (!i || all[i].event != all[i - 1].event)
                        sequences->numbers.items[sequences->numbers.count++] = (struct numbers){all[i].event, 0};
                sequences->numbers.items[sequences->numbers.count - 1].count++;
        }
        free(all);
        sequences->numbers_are_old = false;
}

static uint32_t numbers_of(const struct sequences *sequences, uint32_t event)
{
        uint32_t low = 0, high = sequences->numbers.count;
        while (low < high) {
                uint32_t middle = (low + high) / 2;
                if (sequences->numbers.items[middle].event < event)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < sequences->numbers.count && sequences->numbers.items[low].event == event ? sequences->numbers.items[low].count : 0;
}

/* Both are in order of events. */
static double distance_of(const struct sequences *sequences, const struct bag *a, const struct bag *b, double most)
{
        double distance = 0;
        for (uint32_t i = 0, j = 0; (i < a->count || j < b->count) && distance < most;) {
                bool only_a = j == b->count || (i < a->count && a->items[i].event < b->items[j].event);
                bool only_b = !only_a && (i == a->count || b->items[j].event < a->items[i].event);
                if (!only_a && !only_b) {
                        double off = fabs((double)a->items[i].times - (double)b->items[j].times);
                        distance += off ? off / (1 + numbers_of(sequences, a->items[i].event)) : 0;
                } else {
                        uint32_t event = only_a ? a->items[i].event : b->items[j].event, times = only_a ? a->items[i].times : b->items[j].times;
                        distance += 1 + (times - 1.0) / (1 + numbers_of(sequences, event));
                }
                i += !only_b;
                j += !only_a;
        }
        return distance;
}

static double nearest(struct sequences *sequences, const struct bag *bag, uint32_t but)
{
        double best = INFINITY;
        if (sequences->numbers_are_old)
                count_numbers(sequences);
        for (uint32_t k = 0; k < sequences->known.count && best > 0; k++) {
                if (k == but)
                        continue;
                best = fmin(best, distance_of(sequences, bag, &sequences->known.items[k].bag, best));
        }
        return best;
}

static void fit(struct sequences *sequences)
{
        uint32_t once = 0;
        double sum = 0;
        if (sequences->seen < sequences->seen_at_fit + 1 + sequences->seen_at_fit / 8)
                return;
        sequences->seen_at_fit = sequences->seen;
        for (uint32_t k = 0; k < sequences->known.count; k++) {
                if (sequences->known.items[k].seen > 1)
                        continue;
                double distance = nearest(sequences, &sequences->known.items[k].bag, k);
                if (!isfinite(distance))
                        continue;
                once++;
                sum += distance;
        }
        sequences->once_share = (once + 1.0) / ((double)sequences->seen + 2);
        sequences->once_distance = once ? sum / once : 1;
}

struct sequence_look sequences_judge(struct sequences *sequences, const struct bag *bag)
{
        struct sequence_look look = {.p_value = 1};
        if (!sequences->seen || bag->is_too_large)
                return look;
        if (find_known(sequences, bag) != MAP_NONE)
                return look;
        fit(sequences);
        look.distance = nearest(sequences, bag, UINT32_MAX);
        if (look.distance > 0)
                look.p_value = sequences->once_share * exp(-look.distance / sequences->once_distance);
        return look;
}

/* A place for a new bag: another, or the rarest's. NULL without memory. */
static struct known *known_place(struct sequences *sequences)
{
        uint32_t rarest = 0;
        if (sequences->known.count == SEQUENCES_KNOWN_MAX) {
                for (uint32_t k = 1; k < sequences->known.count; k++)
                        if (sequences->known.items[k].seen < sequences->known.items[rarest].seen)
                                rarest = k;
                return &sequences->known.items[rarest];
        }
        if (sequences->known.count == sequences->known.capacity) {
                uint32_t capacity = sequences->known.capacity ? sequences->known.capacity * 2 : 4;
                struct known *items = realloc(sequences->known.items, capacity * sizeof *items);
                if (!items)
                        return NULL;
                sequences->known.items = items;
                sequences->known.capacity = capacity;
        }
        return &sequences->known.items[sequences->known.count++];
}

bool sequences_learn(struct sequences *sequences, const struct bag *bag)
{
        if (bag->is_too_large) {
                sequences->too_large++;
                return true;
        }
        uint32_t number = find_known(sequences, bag);
        struct known *known = number == MAP_NONE ? known_place(sequences) : &sequences->known.items[number];
        if (!known)
                return false;
        if (number == MAP_NONE) {
                *known = (struct known){.hash = bag_hash(bag), .bag = *bag};
                sequences->numbers_are_old = true;
        }
        known->seen++;
        sequences->seen++;
        return true;
}

/* New bags are few in a program that does the same work again and again; where they are many, judging them all would cost
 * more than it tells. */
static bool may_judge(struct sequences *sequences, const struct work *work)
{
        int64_t minute = work->last_ns / INT64_C(60000000000);
        if (minute != sequences->minute) {
                sequences->minute = minute;
                sequences->judged = 0;
        }
        return work->bag.is_too_large || find_known(sequences, &work->bag) != MAP_NONE || sequences->judged++ < SEQUENCES_JUDGED_MAX;
}

static void list_remove(struct sequences *sequences, uint32_t number)
{
        const struct work *work = &sequences->open.items[number];
        *(work->quieter == MAP_NONE ? &sequences->open.quietest : &sequences->open.items[work->quieter].livelier) = work->livelier;
        *(work->livelier == MAP_NONE ? &sequences->open.liveliest : &sequences->open.items[work->livelier].quieter) = work->quieter;
}

static void list_append(struct sequences *sequences, uint32_t number)
{
        struct work *work = &sequences->open.items[number];
        work->quieter = sequences->open.liveliest;
        work->livelier = MAP_NONE;
        *(work->quieter == MAP_NONE ? &sequences->open.quietest : &sequences->open.items[work->quieter].livelier) = number;
        sequences->open.liveliest = number;
}

/* Without memory it is judged and not learnt. */
static void close_work(struct sequences *sequences, uint32_t number, void (*closed)(void *context, const struct sequence_look *look), void *context)
{
        struct work *work = &sequences->open.items[number];
        struct sequence_look look = may_judge(sequences, work) ? sequences_judge(sequences, &work->bag) : (struct sequence_look){.p_value = 1};
        look.work = work->id;
        look.first_event = work->first_event;
        look.last_event = work->last_event;
        look.first_ns = work->first_ns;
        look.last_ns = work->last_ns;
        sequences_learn(sequences, &work->bag);
        list_remove(sequences, number);
        map_remove(&sequences->by_work, work->id, number);
        work->livelier = sequences->open.free_first;
        sequences->open.free_first = number;
        sequences->open.count--;
        if (closed)
                closed(context, &look);
}

void sequences_close(struct sequences *sequences, int64_t quiet_since_ns, void (*closed)(void *context, const struct sequence_look *look), void *context)
{
        while (sequences->open.quietest != MAP_NONE && sequences->open.items[sequences->open.quietest].last_ns < quiet_since_ns)
                close_work(sequences, sequences->open.quietest, closed, context);
}

/* A slot for a new piece of work; MAP_NONE without memory. */
static uint32_t take_slot(struct sequences *sequences, void (*closed)(void *context, const struct sequence_look *look), void *context)
{
        if (sequences->open.count == SEQUENCES_OPEN_MAX)
                close_work(sequences, sequences->open.quietest, closed, context);
        uint32_t number = sequences->open.free_first;
        if (number != MAP_NONE) {
                sequences->open.free_first = sequences->open.items[number].livelier;
                return number;
        }
        if (sequences->open.used == sequences->open.capacity) {
                uint32_t capacity = sequences->open.capacity ? sequences->open.capacity * 2 : 8;
                struct work *items = realloc(sequences->open.items, capacity * sizeof *items);
                if (!items)
                        return MAP_NONE;
                sequences->open.items = items;
                sequences->open.capacity = capacity;
        }
        return sequences->open.used++;
}

/* Takes the piece of work as the liveliest. False: no memory. */
static bool work_add(struct sequences *sequences, const struct work *work, void (*closed)(void *context, const struct sequence_look *look), void *context)
{
        uint32_t number = take_slot(sequences, closed, context);
        if (number == MAP_NONE)
                return false;
        if (!map_put(&sequences->by_work, work->id, number)) {
                sequences->open.items[number].livelier = sequences->open.free_first;
                sequences->open.free_first = number;
                return false;
        }
        sequences->open.items[number] = *work;
        sequences->open.count++;
        list_append(sequences, number);
        return true;
}

bool sequences_step(struct sequences *sequences, uint64_t work, uint32_t event, int64_t time_ns,
                    void (*closed)(void *context, const struct sequence_look *look), void *context, struct err *err)
{
        size_t at;
        uint32_t number = map_first(&sequences->by_work, work, &at);
        if (number == MAP_NONE) {
                struct work fresh = {.id = work, .first_ns = time_ns, .first_event = event};
                if (!work_add(sequences, &fresh, closed, context))
                        return fail_memory(err, "templates", sizeof fresh);
                number = sequences->open.liveliest;
        } else if (number != sequences->open.liveliest) {
                list_remove(sequences, number);
                list_append(sequences, number);
        }
        struct work *open = &sequences->open.items[number];
        open->last_ns = time_ns;
        open->last_event = event;
        bag_add(&open->bag, event);
        return true;
}

uint64_t sequences_seen(const struct sequences *sequences)
{
        return sequences->seen;
}

uint64_t sequences_bytes(const struct sequences *sequences)
{
        return sizeof *sequences + sequences->known.capacity * sizeof *sequences->known.items + sequences->open.capacity * sizeof *sequences->open.items +
               sequences->by_work.capacity * (sizeof *sequences->by_work.hashes + sizeof *sequences->by_work.values);
}

struct sequences *sequences_create(struct err *err)
{
        struct sequences *sequences = calloc(1, sizeof *sequences);
        if (!sequences)
                return fail_memory(err, "templates", sizeof *sequences), NULL;
        sequences->open.quietest = sequences->open.liveliest = sequences->open.free_first = MAP_NONE;
        return sequences;
}

void sequences_destroy(struct sequences *sequences)
{
        if (!sequences)
                return;
        free(sequences->known.items);
        free(sequences->numbers.items);
        free(sequences->open.items);
        map_done(&sequences->by_work);
        free(sequences);
}

/* --- saving ---------------------------------------------------------------------------------------------------------- */

static void bag_write(const struct bag *bag, struct buf *out)
{
        buf_u8(out, (uint8_t)bag->count);
        buf_u8(out, bag->is_too_large);
        for (uint32_t i = 0; i < bag->count; i++) {
                buf_u32(out, bag->items[i].event);
                buf_u32(out, bag->items[i].times);
        }
}

static bool bag_read(struct reader *reader, struct bag *out_bag)
{
        *out_bag = (struct bag){.count = reader_u8(reader)};
        uint8_t is_too_large = reader_u8(reader);
        out_bag->is_too_large = is_too_large;
        if (reader->failed || out_bag->count > BAG_EVENTS_MAX || is_too_large > 1)
                return false;
        for (uint32_t i = 0; i < out_bag->count; i++) {
                out_bag->items[i].event = reader_u32(reader);
                out_bag->items[i].times = reader_u32(reader);
                if (out_bag->items[i].times == 0 || (i && out_bag->items[i].event <= out_bag->items[i - 1].event))
                        return false;
        }
        return !reader->failed;
}

void sequences_write(const struct sequences *sequences, struct buf *out)
{
        buf_u64(out, sequences->seen);
        buf_u64(out, sequences->seen_at_fit);
        buf_u64(out, sequences->too_large);
        buf_u64(out, (uint64_t)sequences->minute);
        buf_u32(out, sequences->judged);
        buf_double(out, sequences->once_share);
        buf_double(out, sequences->once_distance);
        buf_u32(out, sequences->known.count);
        for (uint32_t k = 0; k < sequences->known.count; k++) {
                buf_u64(out, sequences->known.items[k].seen);
                bag_write(&sequences->known.items[k].bag, out);
        }
        buf_u32(out, sequences->open.count);
        for (uint32_t i = sequences->open.quietest; i != MAP_NONE; i = sequences->open.items[i].livelier) {
                const struct work *work = &sequences->open.items[i];
                buf_u64(out, work->id);
                buf_u64(out, (uint64_t)work->first_ns);
                buf_u64(out, (uint64_t)work->last_ns);
                buf_u32(out, work->first_event);
                buf_u32(out, work->last_event);
                bag_write(&work->bag, out);
        }
}

static bool open_read(struct reader *reader, struct sequences *sequences, uint32_t count)
{
        for (uint32_t i = 0; i < count; i++) {
                size_t at;
                struct work work = {.id = reader_u64(reader)};
                work.first_ns = (int64_t)reader_u64(reader);
                work.last_ns = (int64_t)reader_u64(reader);
                work.first_event = reader_u32(reader);
                work.last_event = reader_u32(reader);
                if (!bag_read(reader, &work.bag) || map_first(&sequences->by_work, work.id, &at) != MAP_NONE || !work_add(sequences, &work, NULL, NULL))
                        return false;
        }
        return true;
}

static bool read_all(struct reader *reader, struct sequences *sequences)
{
        sequences->seen = reader_u64(reader);
        sequences->seen_at_fit = reader_u64(reader);
        sequences->too_large = reader_u64(reader);
        sequences->minute = (int64_t)reader_u64(reader);
        sequences->judged = reader_u32(reader);
        sequences->numbers_are_old = true;
        sequences->once_share = reader_double(reader);
        sequences->once_distance = reader_double(reader);
        uint32_t count = reader_u32(reader);
        bool fitted = sequences->once_share >= 0 && sequences->once_share <= 1 && sequences->once_distance >= 0 && sequences->once_distance < 1e12;
        if (reader->failed || count > SEQUENCES_KNOWN_MAX || !fitted || (count && !(sequences->known.items = malloc(count * sizeof *sequences->known.items))))
                return false;
        sequences->known.capacity = count;
        for (; sequences->known.count < count; sequences->known.count++) {
                sequences->known.items[sequences->known.count].seen = reader_u64(reader);
                struct known *known = &sequences->known.items[sequences->known.count];
                if (!bag_read(reader, &known->bag))
                        return false;
                known->hash = bag_hash(&known->bag);
        }
        count = reader_u32(reader);
        return !reader->failed && count <= SEQUENCES_OPEN_MAX && open_read(reader, sequences, count);
}

struct sequences *sequences_read(struct reader *reader, struct err *err)
{
        struct sequences *sequences = sequences_create(err);
        if (sequences && !read_all(reader, sequences)) {
                fail(err, ERR_CORRUPT, "templates", "the saved sequences of a program are damaged");
                sequences_destroy(sequences);
                return NULL;
        }
        return sequences;
}
