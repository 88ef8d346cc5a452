/*
 * series.c - see series.h. The owner of a partition drives adds and seals; selects are in series_select.c.
 *
 * The trade: a sample costs a hash of its labels, a comparison and a few bytes appended to a cache line, and nothing else;
 * there are no postings in memory, a select looks at every series' name hash instead. Most of an add's time would be
 * waiting for memory, so picks go through steps group by group, each of which asks for the lines that the next one reads. A series is the
 * 72 bits of its id that are its partition and its key: labels are not compared, since that alone would read three lines more a sample.
 *
 * A block is put while the partition's lock is held, so that a reader finds samples either open or put, never neither.
 */
#include "store/series.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/reader.h"
#include "base/scope.h"
#include "store/metric_block.h"
#include "store/series_partition.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define GROUP 64        /* picks whose memory is asked for together: what they need fits the first cache */
#define PACKED_ROOM 320 /* bytes of labels that need no allocation */
#define REFUSED UINT32_MAX
#define LABELS_BYTES_USUAL ((size_t)320) /* a series' share of the memory for labels, so that few with huge ones count as many */
#define LABELS_BYTES_ROOM ((size_t)64 << 10)
#define DAYS_AHEAD 2    /* a clock set back, or batches that overtake each other at midnight, may find a later day begun */
#define LABELS_CHUNK_BYTES ((size_t)16 << 10) /* half of one is empty, in each partition */
#define IDENTIFY_ROOM ((size_t)64 << 10)

bool series_create(struct archive *archive, size_t series_max, struct series_store **out_store, struct err *err)
{
        struct series_store *store = aligned_alloc(64, (sizeof *store + 63) / 64 * 64);
        if (!store)
                return fail_memory(err, "series", sizeof *store);
        memset(store, 0, sizeof *store);
        store->archive = archive;
        /* A bound over all partitions would depend on which thread comes first; a partition's share, with room for an
         * uneven spread, does not. */
        store->partition_series_max = (uint32_t)min_of(series_max / PARTITIONS + series_max / (PARTITIONS * 8) + 16,
                                                       (size_t)SERIES_IDS_MAX - 1);
        store->partition_labels_max = store->partition_series_max * LABELS_BYTES_USUAL + LABELS_BYTES_ROOM;
        lock_init(&store->learn_lock, LOCK_PIPELINE);
        for (size_t i = 0; i < PARTITIONS; i++) {
                lock_init(&store->partitions[i].lock, LOCK_PARTITION);
                store->partitions[i].ids_day = INT64_MIN;
                store->partitions[i].labels.chunk_bytes_max = LABELS_CHUNK_BYTES;
        }
        *out_store = store;
        return true;
}

void series_destroy(struct series_store *store)
{
        if (!store)
                return;
        for (size_t i = 0; i < PARTITIONS; i++) {
                struct series_partition *partition = &store->partitions[i];
                free(partition->entries);
                free(partition->picked);
                keys_done(&partition->keys);
                arena_done(&partition->labels);
                piece_pool_done(&partition->pieces);
                lock_done(&partition->lock);
        }
        lock_done(&store->learn_lock);
        free(store);
}

uint16_t series_partition(const struct labels *labels)
{
        return (uint16_t)(labels_id(labels).low % PARTITIONS);
}

static int64_t day_of(int64_t time_ns)
{
        return time_ns / NS_PER_DAY - (time_ns % NS_PER_DAY < 0);
}

void series_unpack(struct str packed, struct label items[static LABELS_MAX], struct labels *out_labels)
{
        struct reader reader = reader_of(packed);
        *out_labels = (struct labels){items, 0, 0};
        while (reader_left(&reader) && out_labels->count < LABELS_MAX) {
                struct label *label = &items[out_labels->count++];
                label->name = reader_bytes(&reader, reader_varint(&reader));
                label->value = reader_bytes(&reader, reader_varint(&reader));
        }
        assert(!reader.failed);
}

static struct str name_of_packed(struct str packed)
{
        struct label items[LABELS_MAX];
        struct labels labels;
        series_unpack(packed, items, &labels);
        return labels_value(&labels, LABEL_METRIC_NAME);
}

/* ---- the table of series ---- */

static struct str entry_packed(const struct series_entry *entry)
{
        return (struct str){entry->packed, entry->packed_length};
}

static bool reserve_entry(struct series_partition *partition)
{
        if (partition->entry_count < partition->entry_capacity)
                return true;
        uint32_t capacity = partition->entry_capacity + partition->entry_capacity / 8 + 8;
        struct series_entry *moved = aligned_alloc(64, capacity * sizeof *moved);
        if (!moved)
                return false;
        if (partition->entry_count)
                memcpy(moved, partition->entries, partition->entry_count * sizeof *moved);
        free(partition->entries);
        partition->entries = moved;
        partition->entry_capacity = capacity;
        return true;
}

static bool add_entry(struct series_partition *partition, uint64_t hash, struct str packed, uint32_t seen_s, uint32_t *out_entry)
{
        struct str kept = {0};
        if (!reserve_entry(partition) || !(kept = arena_pack(&partition->labels, packed)).bytes ||
            !keys_add(&partition->keys, hash))
                return false;
        *out_entry = partition->entry_count++;
        partition->entries[*out_entry] = (struct series_entry){
                .packed = kept.bytes,
                .packed_length = (uint32_t)kept.length,
                .name_hash = series_name_hash(name_of_packed(kept)),
                .day_id = SERIES_NO_ID,
                .seen_s = seen_s,
        };
        return true;
}

/* ---- ids of the day the program started in ---- */

struct learning {
        struct arena arena;
        struct {
                struct learned {
                        uint32_t id;
                        struct str packed;
                } *items;
                size_t count, capacity;
        } series;
};

static bool learn_one(void *context, uint32_t id, struct str packed_labels, struct err *err)
{
        struct learning *learning = context;
        struct learned *learned = arena_push(&learning->arena, &learning->series);
        if (!learned || !(learned->packed = arena_str(&learning->arena, packed_labels)).bytes)
                return fail_memory(err, "series", packed_labels.length);
        learned->id = id;
        return true;
}

/* A series stored earlier in the day keeps its id. What does not fit is met as new later and gets one more id. */
static void enter_learned(struct series_store *store, const struct learned *learned, uint32_t seen_s)
{
        uint32_t number = learned->id % SERIES_IDS_MAX, entry;
        struct series_partition *partition = &store->partitions[learned->id / SERIES_IDS_MAX % PARTITIONS];
        struct hash128 hash = labels_id_packed(learned->packed);
        with_lock(&partition->lock);
        partition->next_id = max_of(partition->next_id, number + 1);
        if (hash.low % PARTITIONS != learned->id / SERIES_IDS_MAX || partition->entry_count >= store->partition_series_max ||
            partition->labels.bytes_held + learned->packed.length > store->partition_labels_max)
                return;
        entry = keys_find(&partition->keys, hash.high);
        if (entry != KEYS_NONE || add_entry(partition, hash.high, learned->packed, seen_s, &entry))
                partition->entries[entry].day_id = learned->id;
}

/* Once, before the first sample: what the archive has of this day was stored by an earlier run. The archive is asked
 * for all partitions at once, before any partition is locked, since it takes locks of its own. */
static bool learn_day(struct series_store *store, int64_t received_ns, struct err *err)
{
        if (atomic_load_explicit(&store->learned, memory_order_acquire))
                return true;
        with_lock(&store->learn_lock);
        if (atomic_load_explicit(&store->learned, memory_order_acquire))
                return true;
        struct learning learning = {0};
        arena_init(&learning.arena, 0);
        int64_t day = day_of(received_ns) + DAYS_AHEAD;
        bool good = archive_day_series(store->archive, day, learn_one, &learning, err);
        while (good && !learning.series.count && day > day_of(received_ns))
                good = archive_day_series(store->archive, --day, learn_one, &learning, err);
        for (size_t i = 0; good && i < PARTITIONS; i++) {
                with_lock(&store->partitions[i].lock);
                store->partitions[i].ids_day = day;
        }
        for (size_t i = 0; good && i < learning.series.count; i++)
                enter_learned(store, &learning.series.items[i], (uint32_t)(received_ns / NS_PER_S));
        arena_done(&learning.arena);
        atomic_store_explicit(&store->learned, good, memory_order_release);
        return good || err_within(err, "learning which series the day has already");
}

/* ---- sealing ---- */

struct sealing {
        struct metric_run *runs;
        uint32_t *entries; /* of the runs */
        struct new_series *new_series;
        size_t run_count, new_count;
        struct buf bytes;  /* of one chunk */
        int64_t *times_ns;
        double *values;
        struct buf index, body;
};

static void sealing_done(struct sealing *sealing)
{
        free(sealing->runs);
        free(sealing->entries);
        free(sealing->new_series);
        free(sealing->times_ns);
        free(sealing->values);
        buf_done(&sealing->bytes);
        buf_done(&sealing->index);
        buf_done(&sealing->body);
}

static int by_labels(const void *a, const void *b, void *context)
{
        const struct series_entry *entries = context, *left = &entries[*(const uint32_t *)a], *right = &entries[*(const uint32_t *)b];
        if (left->name_hash != right->name_hash)
                return left->name_hash < right->name_hash ? -1 : 1;
        return str_compare(entry_packed(left), entry_packed(right));
}

struct timed {
        int64_t time_ns;
        size_t place;
        double value;
};

static int by_time_and_place(const void *a, const void *b)
{
        const struct timed *left = a, *right = b;
        if (left->time_ns != right->time_ns)
                return left->time_ns < right->time_ns ? -1 : 1;
        return left->place < right->place ? -1 : left->place > right->place;
}

bool series_order(int64_t *times_ns, double *values, size_t count, size_t *out_count, struct err *err)
{
        struct timed *timed = malloc((count + 1) * sizeof *timed);
        if (!timed)
                return fail_memory(err, "series", count * sizeof *timed);
        for (size_t i = 0; i < count; i++)
                timed[i] = (struct timed){times_ns[i], i, values[i]};
        qsort(timed, count, sizeof *timed, by_time_and_place);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
                if (i + 1 < count && timed[i + 1].time_ns == timed[i].time_ns)
                        continue;
                times_ns[kept] = timed[i].time_ns;
                values[kept++] = timed[i].value;
        }
        free(timed);
        *out_count = kept;
        return true;
}

/* Which series have samples, in the order of the block: alike ones together. */
static bool list_entries(struct series_partition *partition, struct sealing *sealing, struct err *err)
{
        size_t count = partition->entry_count;
        sealing->entries = malloc((count + 1) * sizeof *sealing->entries);
        sealing->runs = malloc((count + 1) * sizeof *sealing->runs);
        sealing->new_series = malloc((count + 1) * sizeof *sealing->new_series);
        sealing->times_ns = malloc(partition->open_samples * sizeof *sealing->times_ns);
        sealing->values = malloc(partition->open_samples * sizeof *sealing->values);
        if (!sealing->entries || !sealing->runs || !sealing->new_series || !sealing->times_ns || !sealing->values)
                return fail_memory(err, "series", partition->open_samples * sizeof(struct sample));
        for (uint32_t i = 0; i < count; i++)
                if (partition->entries[i].chunk.count)
                        sealing->entries[sealing->run_count++] = i;
        qsort_r(sealing->entries, sealing->run_count, sizeof *sealing->entries, by_labels, partition->entries);
        return true;
}

static bool decode_entry(const struct series_partition *partition, const struct series_entry *entry, struct buf *bytes,
                         int64_t *times_ns, double *values, size_t *out_count, struct err *err)
{
        buf_clear(bytes);
        size_t length = series_chunk_bytes(&entry->chunk, &partition->pieces);
        if (!buf_reserve(bytes, length + SERIES_CHUNK_PAD))
                return fail_memory(err, "series", length);
        series_chunk_copy(&entry->chunk, &partition->pieces, bytes->bytes);
        series_chunk_decode((struct str){bytes->bytes, length}, entry->chunk.count, times_ns, values);
        *out_count = entry->chunk.count;
        return !(entry->chunk.flags & CHUNK_UNORDERED) || series_order(times_ns, values, *out_count, out_count, err);
}

static bool fill_runs(struct series_partition *partition, struct sealing *sealing, struct block *block, struct err *err)
{
        size_t at = 0;
        uint32_t next_id = partition->next_id;
        for (size_t i = 0; i < sealing->run_count; i++) {
                const struct series_entry *entry = &partition->entries[sealing->entries[i]];
                struct metric_run *run = &sealing->runs[i];
                *run = (struct metric_run){entry->day_id, 0, sealing->times_ns + at, sealing->values + at};
                if (!decode_entry(partition, entry, &sealing->bytes, sealing->times_ns + at, sealing->values + at, &run->count, err))
                        return false;
                if (run->id == SERIES_NO_ID) {
                        run->id = (uint32_t)block->partition * SERIES_IDS_MAX + next_id++;
                        sealing->new_series[sealing->new_count++] =
                                (struct new_series){run->id, name_of_packed(entry_packed(entry)), entry_packed(entry)};
                }
                at += run->count;
        }
        block->items = at;
        return true;
}

static void empty_chunks(struct series_partition *partition, const struct sealing *sealing)
{
        for (size_t i = 0; i < sealing->run_count; i++) {
                struct series_entry *entry = &partition->entries[sealing->entries[i]];
                entry->day_id = sealing->runs[i].id;
                entry->chunk = (struct series_chunk){0};
        }
        partition->next_id += (uint32_t)sealing->new_count;
        partition->open_samples = 0;
        piece_pool_clear(&partition->pieces);
        partition->stats.blocks_sealed++;
}

/* With the lock held. On failure the samples stay open and it may be tried again. */
static bool seal(struct series_store *store, struct series_partition *partition, struct err *err)
{
        if (!partition->open_samples)
                return true;
        scoped(sealing_done) struct sealing sealing = {0};
        struct block contents = {
                .kind = BLOCK_METRICS,
                .partition = (uint16_t)(partition - store->partitions),
                .day = partition->ids_day,
                .first_item = partition->first_item,
                .last_item = partition->last_item,
                .time_min_ns = partition->time_min_ns,
                .time_max_ns = partition->time_max_ns,
                .raw_bytes = partition->open_samples * sizeof(struct sample),
        };
        if (!list_entries(partition, &sealing, err) || !fill_runs(partition, &sealing, &contents, err) ||
            !metric_block_encode(sealing.runs, sealing.run_count, &sealing.index, &sealing.body, err))
                return err_within(err, "sealing the series of partition %u", contents.partition);
        contents.index = buf_str(&sealing.index);
        contents.body = buf_str(&sealing.body);
        contents.series = sealing.new_series;
        contents.series_count = sealing.new_count;
        struct block *block = block_create(&contents, err);
        if (!block)
                return err_within(err, "sealing the series of partition %u", contents.partition);
        if (!archive_put(store->archive, block))
                return fail(err, ERR_CANCELLED, "series", "the archive is closing; the journal keeps the samples");
        partition->stats.duplicates += partition->open_samples - contents.items;
        empty_chunks(partition, &sealing);
        return true;
}

/* All chunks are empty. The tables are made anew from what stays, which gives back the memory of what goes. */
static bool drop_idle(struct series_partition *partition, int64_t idle_before_ns, struct err *err)
{
        uint32_t idle = 0, entry;
        for (uint32_t i = 0; i < partition->entry_count; i++)
                idle += partition->entries[i].seen_s * NS_PER_S < idle_before_ns;
        if (!idle)
                return true;
        struct series_partition kept = {.labels.chunk_bytes_max = LABELS_CHUNK_BYTES};
        for (uint32_t i = 0; i < partition->entry_count; i++) {
                const struct series_entry *old = &partition->entries[i];
                if (old->seen_s * NS_PER_S < idle_before_ns)
                        continue;
                if (!add_entry(&kept, partition->keys.items[i], entry_packed(old), old->seen_s, &entry)) {
                        free(kept.entries);
                        keys_done(&kept.keys);
                        arena_done(&kept.labels);
                        return fail_memory(err, "series", partition->entry_count * sizeof *old);
                }
                kept.entries[entry].day_id = old->day_id;
        }
        free(partition->entries);
        keys_done(&partition->keys);
        arena_done(&partition->labels);
        partition->entries = kept.entries;
        partition->entry_count = kept.entry_count;
        partition->entry_capacity = kept.entry_capacity;
        partition->keys = kept.keys;
        partition->labels = kept.labels;
        return true;
}

bool series_seal(struct series_store *store, uint16_t partition_number, int64_t idle_before_ns, struct err *err)
{
        struct series_partition *partition = &store->partitions[partition_number];
        with_lock(&partition->lock);
        return seal(store, partition, err) && drop_idle(partition, idle_before_ns, err);
}

/* ---- adding ---- */

struct adding {
        struct series_store *store;
        struct series_partition *partition;
        const struct telemetry *telemetry;
        const uint32_t *picks;
        uint32_t seen_s;
};

/* Copies short texts without calling memcpy: most names and values are a few bytes long. */
static inline char *put_text(char *at, struct str text)
{
        size_t length = text.length;
        for (; length >= 0x80; length >>= 7)
                *at++ = (char)(length | 0x80);
        *at++ = (char)length;
        length = text.length;
        const char *from = text.bytes;
        if (length >= 8) {
                size_t done = 0;
                for (; done + 8 <= length; done += 8)
                        memcpy(at + done, from + done, 8);
                memcpy(at + length - 8, from + length - 8, 8);
        } else if (length >= 4) {
                memcpy(at, from, 4);
                memcpy(at + length - 4, from + length - 4, 4);
        } else {
                for (size_t i = 0; i < length; i++)
                        at[i] = from[i];
        }
        return at + length;
}

/* At most this many bytes. */
static size_t packed_bytes_max(const struct labels *labels)
{
        size_t bytes = 0;
        each (label, labels)
                bytes += label->name.length + label->value.length + 6;
        return bytes;
}

static struct str pack(const struct labels *labels, char *room)
{
        char *at = room;
        each (label, labels) {
                at = put_text(at, label->name);
                at = put_text(at, label->value);
        }
        return (struct str){room, (size_t)(at - room)};
}

bool series_identify(struct telemetry *telemetry, struct arena *arena, struct err *err)
{
        char *room = NULL;
        size_t left = 0;
        each (points, &telemetry->series) {
                size_t bytes = packed_bytes_max(&points->labels);
                if (bytes > left) {
                        left = max_of(bytes, IDENTIFY_ROOM);
                        if (!(room = arena_alloc(arena, left)))
                                return fail_memory(err, "series", left);
                }
                points->packed = pack(&points->labels, room);
                points->id = labels_id_packed(points->packed);
                room += points->packed.length;
                left -= points->packed.length;
        }
        return true;
}

static const struct series_points *points_of(const struct adding *adding, size_t i)
{
        return &adding->telemetry->series.items[adding->picks[i]];
}

/* The entry of a series that is not among the keys; REFUSED when there are too many. */
static bool make_entry(const struct adding *adding, struct str packed, uint64_t key, uint32_t *out_entry)
{
        struct series_partition *partition = adding->partition;
        if (partition->entry_count >= adding->store->partition_series_max ||
            partition->labels.bytes_held + packed.length > adding->store->partition_labels_max ||
            partition->entry_count + partition->next_id >= SERIES_IDS_MAX) {
                partition->stats.series_refused++;
                *out_entry = REFUSED;
                return true;
        }
        if (!add_entry(partition, key, packed, adding->seen_s, out_entry))
                return false;
        partition->stats.series_created++;
        return true;
}

/* Of a series that was not found before: one that stands twice in a batch is made by the first. */
static bool find_or_make_entry(const struct adding *adding, const struct series_points *points, uint32_t *out_entry)
{
        struct str packed = points->packed;
        struct hash128 id = points->id;
        char room[PACKED_ROOM], *large = NULL;
        if (!packed.bytes) { /* nobody has identified it */
                size_t bytes = packed_bytes_max(&points->labels);
                if (bytes > sizeof room && !(large = malloc(bytes)))
                        return false;
                packed = pack(&points->labels, large ? large : room);
                id = labels_id_packed(packed);
        }
        *out_entry = keys_find(&adding->partition->keys, id.high);
        bool good = *out_entry != KEYS_NONE || make_entry(adding, packed, id.high, out_entry);
        free(large);
        return good;
}

static uint32_t entry_behind(const struct series_partition *partition, uint32_t entry)
{
        return entry + 1 < partition->entry_count ? entry + 1 : 0;
}

static void fetch_entry(const struct series_partition *partition, uint32_t entry)
{
        if (entry != KEYS_NONE)
                __builtin_prefetch(&partition->entries[entry], 1);
}

/* Senders repeat their series in the same order, in which the entries were made too: so the key behind the last one is
 * compared first; it is next in line in memory, and no slot of the keys is read. The others' slots are asked for. */
static void guess_group(const struct adding *adding, size_t first, size_t end)
{
        struct series_partition *partition = adding->partition;
        uint32_t expected = partition->expected_entry;
        for (size_t i = first; i < end; i++) {
                const struct series_points *points = points_of(adding, i);
                bool is_right = points->packed.bytes && keys_are(&partition->keys, expected, points->id.high);
                partition->picked[i] = is_right ? expected : KEYS_NONE;
                fetch_entry(partition, partition->picked[i]);
                if (!is_right)
                        keys_fetch(&partition->keys, points->id.high);
                __builtin_prefetch(points->samples);
                expected = entry_behind(partition, expected);
        }
}

static void find_group(const struct adding *adding, size_t first, size_t end)
{
        struct series_partition *partition = adding->partition;
        for (size_t i = first; i < end; i++)
                if (partition->picked[i] == KEYS_NONE && points_of(adding, i)->packed.bytes) {
                        partition->picked[i] = keys_find(&partition->keys, points_of(adding, i)->id.high);
                        fetch_entry(partition, partition->picked[i]);
                }
        for (size_t i = first; i < end; i++) {
                uint32_t entry = partition->picked[i];
                if (entry != KEYS_NONE && partition->entries[entry].chunk.count)
                        __builtin_prefetch(series_chunk_tail(&partition->entries[entry].chunk, &partition->pieces), 1);
        }
}

/* Entries that are found or made stay where they are until the next group: making one may move all. */
static bool enter_all(const struct adding *adding, size_t pick_count, struct err *err)
{
        struct series_partition *partition = adding->partition;
        for (size_t first = 0; first < pick_count; first += GROUP) {
                size_t end = min_of(first + GROUP, pick_count);
                for (size_t i = first; i < end; i++) {
                        __builtin_prefetch(points_of(adding, i));
                        __builtin_prefetch((const char *)(points_of(adding, i) + 1) - 1);
                }
                guess_group(adding, first, end);
                find_group(adding, first, end);
                for (size_t i = first; i < end; i++) {
                        if (partition->picked[i] == KEYS_NONE && !find_or_make_entry(adding, points_of(adding, i), &partition->picked[i]))
                                return fail_memory(err, "series", sizeof(struct series_entry));
                        if (partition->picked[i] != REFUSED)
                                partition->expected_entry = entry_behind(partition, partition->picked[i]);
                }
        }
        return true;
}

/* Finds or makes the entries of all picks and reserves what their samples can need; nothing after it can fail. */
static bool prepare(const struct adding *adding, size_t pick_count, struct err *err)
{
        struct series_partition *partition = adding->partition;
        if (pick_count > partition->picked_capacity) {
                free(partition->picked);
                partition->picked_capacity = 0;
                if (!(partition->picked = malloc(pick_count * sizeof *partition->picked)))
                        return fail_memory(err, "series", pick_count * sizeof *partition->picked);
                partition->picked_capacity = pick_count;
        }
        if (!enter_all(adding, pick_count, err))
                return false;
        size_t pieces = 0;
        for (size_t i = 0; i < pick_count; i++)
                pieces += series_chunk_pieces_max(adding->telemetry->series.items[adding->picks[i]].count);
        return piece_pool_reserve(&partition->pieces, pieces) || fail_memory(err, "series", pieces * sizeof(struct piece));
}

static void append_points(struct series_partition *partition, struct series_entry *entry,
                          const struct series_points *points, int64_t received_ns)
{
        for (size_t i = 0; i < points->count; i++) {
                const struct sample *sample = &points->samples[i];
                int64_t time_ns = sample->time_ns ? sample->time_ns : received_ns;
                partition->stats.out_of_order += entry->chunk.count && time_ns < entry->chunk.last_time_ns;
                partition->time_min_ns = min_of(partition->time_min_ns, time_ns);
                partition->time_max_ns = max_of(partition->time_max_ns, time_ns);
                series_chunk_append(&entry->chunk, &partition->pieces, time_ns, sample->value);
        }
        entry->seen_s = (uint32_t)(received_ns / NS_PER_S);
}

static void note_items(struct series_partition *partition, uint64_t first, uint64_t last, size_t samples, int64_t received_ns)
{
        if (!partition->open_samples) {
                partition->first_item = first;
                partition->last_item = last;
                partition->opened_ns = received_ns;
                partition->time_min_ns = INT64_MAX;
                partition->time_max_ns = INT64_MIN;
        }
        partition->first_item = min_of(partition->first_item, first);
        partition->last_item = max_of(partition->last_item, last);
        partition->open_samples += samples;
        partition->stats.samples += samples;
}

/* A partition with an open block of another day or of two hours is sealed, and one that should have been and could not be;
 * ids begin anew with a day. */
static bool begin_time(struct series_store *store, struct series_partition *partition, int64_t received_ns, struct err *err)
{
        int64_t day = day_of(received_ns);
        bool due = day > partition->ids_day || received_ns - partition->opened_ns >= SERIES_OPEN_NS_MAX ||
                   partition->open_samples > SERIES_OPEN_SAMPLES_MAX;
        if (partition->open_samples && due && !seal(store, partition, err))
                return false;
        if (day <= partition->ids_day)
                return true;
        partition->ids_day = day;
        partition->next_id = 0;
        for (uint32_t i = 0; i < partition->entry_count; i++)
                partition->entries[i].day_id = SERIES_NO_ID;
        return true;
}

bool series_add(struct series_store *store, uint16_t partition_number, uint64_t sequence, int64_t received_ns,
                const struct telemetry *telemetry, const uint32_t *picks, const uint32_t *first_ordinals, size_t pick_count,
                struct err *err)
{
        struct series_partition *partition = &store->partitions[partition_number];
        struct adding adding = {store, partition, telemetry, picks, (uint32_t)(received_ns / NS_PER_S)};
        if (!learn_day(store, received_ns, err))
                return false;
        with_lock(&partition->lock);
        if (!begin_time(store, partition, received_ns, err) || !prepare(&adding, pick_count, err))
                return err_within(err, "adding samples of %zu series", pick_count);
        for (size_t i = 0; i < pick_count; i++) {
                const struct series_points *points = &telemetry->series.items[picks[i]];
                if (partition->picked[i] == REFUSED || !points->count)
                        continue;
                uint64_t first = item_id(sequence, first_ordinals[i]);
                note_items(partition, first, first + points->count - 1, points->count, received_ns);
                append_points(partition, &partition->entries[partition->picked[i]], points, received_ns);
        }
        /* The samples are in: when sealing fails, the next call tries again. */
        if (partition->pieces.used * sizeof(struct piece) > SERIES_OPEN_BYTES_MAX ||
            partition->open_samples > SERIES_OPEN_SAMPLES_MAX)
                seal(store, partition, NULL);
        return true;
}

static bool copy_packed(struct series_partition *partition, uint64_t key, struct arena *arena, struct str *out_packed)
{
        with_lock(&partition->lock);
        uint32_t entry = keys_find(&partition->keys, key);
        if (entry == KEYS_NONE)
                return true;
        *out_packed = arena_str(arena, entry_packed(&partition->entries[entry]));
        return out_packed->bytes;
}

bool series_labels(struct series_store *store, uint16_t partition, uint64_t key, int64_t time_ns, struct arena *arena, struct labels *out_labels,
                   bool *out_found, struct err *err)
{
        struct str packed = {0};
        struct label *items = arena_array(arena, LABELS_MAX, sizeof *items);
        if (!learn_day(store, time_ns, err))
                return false;
        if (!items || !copy_packed(&store->partitions[partition], key, arena, &packed))
                return fail_memory(err, "series", LABELS_MAX * sizeof *items);
        *out_found = packed.bytes;
        if (*out_found)
                series_unpack(packed, items, out_labels);
        return true;
}

void series_read_stats(struct series_store *store, struct series_stats *out_stats)
{
        struct series_stats sum = {.blocks_damaged = store->blocks_damaged};
        for (size_t i = 0; i < PARTITIONS; i++) {
                struct series_partition *partition = &store->partitions[i];
                with_lock(&partition->lock);
                sum.series += partition->entry_count;
                sum.series_created += partition->stats.series_created;
                sum.series_refused += partition->stats.series_refused;
                sum.samples += partition->stats.samples;
                sum.out_of_order += partition->stats.out_of_order;
                sum.duplicates += partition->stats.duplicates;
                sum.blocks_sealed += partition->stats.blocks_sealed;
                sum.open_bytes += partition->pieces.used * sizeof(struct piece);
                sum.resident_bytes += partition->labels.bytes_held + piece_pool_bytes(&partition->pieces) +
                                      partition->entry_capacity * sizeof(struct series_entry) + keys_bytes(&partition->keys) +
                                      partition->picked_capacity * sizeof *partition->picked;
        }
        *out_stats = sum;
}
