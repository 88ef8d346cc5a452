/*
 * series_select.c - reads series for the query engines and the label lists of series.h: open chunks first, then blocks.
 *
 *      partitions  -- match labels, copy chunks -->  finds (one a series) with parts
 *      series table of the archive  -- match labels -->  which ids of which day belong to which find
 *      blocks  -- index says which groups -->  more parts
 *      parts of a find, in the order of their items  -->  one pair of arrays
 *
 * A partition's lock is held only while its labels are matched and bytes copied out, never while the archive is asked.
 * What a partition held open is remembered by its first item, so that a block sealed meanwhile is not read twice.
 */
#include "store/series.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/scope.h"
#include "store/metric_block.h"
#include "store/series_partition.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SAMPLES_MAX_DEFAULT ((size_t)50000000)
#define OPEN_PART UINT64_MAX /* orders an open chunk behind all blocks */

struct part { /* samples of one series from one chunk or block, within the range, ascending, none twice */
        struct part *older;
        uint64_t first_item;
        int64_t *times_ns;
        double *values;
        size_t count;
};

struct find {
        struct str packed;
        struct part *parts;
        size_t part_count;
};

struct day_id {
        int64_t day;
        uint32_t id, find;
};

struct open_copy { /* of a chunk, to be decoded when the lock is released */
        uint32_t find;
        struct series_chunk chunk;
        struct str bytes;
};

struct selecting {
        struct series_store *store;
        const struct series_select *select;
        struct arena scratch;   /* finds and parts */
        struct arena block;     /* of the block being read; reset after it */
        struct { struct find *items; size_t count, capacity; } finds;
        struct { struct day_id *items; size_t count, capacity; } day_ids;
        struct { struct open_copy *items; size_t count, capacity; } copies;
        struct map find_map, day_id_map;
        uint64_t open_first[PARTITIONS];
        bool partitions[PARTITIONS];
        size_t samples, samples_max;
        size_t rows_seen;       /* of the archive's series tables */
        struct str name;        /* when the matchers ask for one metric name; else bytes is NULL */
        struct metric_index index;      /* of the block being read */
        const struct block *reading;
        uint32_t *block_finds;          /* by place; MAP_NONE: not wanted */
        bool *block_wanted;
};

static void selecting_done(struct selecting *selecting)
{
        arena_done(&selecting->scratch);
        arena_done(&selecting->block);
        map_done(&selecting->find_map);
        map_done(&selecting->day_id_map);
}

static bool may_go_on(const struct selecting *selecting, struct err *err)
{
        const struct series_select *select = selecting->select;
        if (select->cancelled && atomic_load_explicit(select->cancelled, memory_order_relaxed))
                return fail(err, ERR_CANCELLED, "series", "the select was cancelled");
        if (select->deadline_ns && clock_monotonic_ns(&clock_real) > select->deadline_ns)
                return fail(err, ERR_TIMEOUT, "series", "reading samples took longer than its time limit; ask for less, or a shorter range");
        return !select->matchers || matchers_hold_out(select->matchers, err);
}

static bool no_memory(struct err *err, size_t bytes)
{
        return fail_memory(err, "series", bytes);
}

/* ---- finds ---- */

static bool find_of(struct selecting *selecting, struct str packed, uint32_t *out_find, struct err *err)
{
        uint64_t hash = hash64(packed);
        size_t at = 0;
        for (uint32_t i = map_first(&selecting->find_map, hash, &at); i != MAP_NONE; i = map_next(&selecting->find_map, hash, &at)) {
                if (str_equal(selecting->finds.items[i].packed, packed)) {
                        *out_find = i;
                        return true;
                }
        }
        struct find *find = arena_push(&selecting->scratch, &selecting->finds);
        if (!find || !(find->packed = arena_str(&selecting->scratch, packed)).bytes ||
            !map_put(&selecting->find_map, hash, (uint32_t)(selecting->finds.count - 1)))
                return no_memory(err, packed.length);
        *out_find = (uint32_t)(selecting->finds.count - 1);
        return true;
}

static bool packed_matches(const struct selecting *selecting, struct str packed)
{
        struct label items[LABELS_MAX];
        struct labels labels;
        if (!selecting->select->matchers)
                return true;
        series_unpack(packed, items, &labels);
        return matchers_match(selecting->select->matchers, &labels);
}

/* Adds the samples of ascending times that lie in the range. */
static bool add_part(struct selecting *selecting, uint32_t find_number, uint64_t first_item, const int64_t *times_ns,
                     const double *values, size_t count, struct err *err)
{
        size_t first = 0, end = count;
        while (first < end && times_ns[first] < selecting->select->start_ns)
                first++;
        while (end > first && times_ns[end - 1] > selecting->select->end_ns)
                end--;
        if (first == end)
                return true;
        count = end - first;
        if (count > selecting->samples_max - selecting->samples)
                return fail(err, ERR_REFUSED, "series", "the query would load more than %zu samples; select fewer series or a shorter range",
                            selecting->samples_max);
        struct part *part = arena_new(&selecting->scratch, struct part);
        int64_t *times_copy = arena_alloc(&selecting->scratch, count * sizeof *times_copy);
        double *values_copy = arena_alloc(&selecting->scratch, count * sizeof *values_copy);
        if (!part || !times_copy || !values_copy)
                return no_memory(err, count * sizeof(struct sample));
        memcpy(times_copy, times_ns + first, count * sizeof *times_copy);
        memcpy(values_copy, values + first, count * sizeof *values_copy);
        struct find *find = &selecting->finds.items[find_number];
        *part = (struct part){find->parts, first_item, times_copy, values_copy, count};
        find->parts = part;
        find->part_count++;
        selecting->samples += count;
        return true;
}

/* ---- open chunks ---- */

static bool copy_open(struct selecting *selecting, const struct series_partition *partition,
                      const struct series_entry *entry, uint32_t find, struct err *err)
{
        struct open_copy *copy = arena_push(&selecting->scratch, &selecting->copies);
        size_t length = series_chunk_bytes(&entry->chunk, &partition->pieces);
        char *bytes = arena_alloc(&selecting->scratch, length + SERIES_CHUNK_PAD);
        if (!copy || !bytes)
                return no_memory(err, length);
        series_chunk_copy(&entry->chunk, &partition->pieces, bytes);
        *copy = (struct open_copy){find, entry->chunk, {bytes, length}};
        return true;
}

static bool scan_partition(struct selecting *selecting, size_t number, struct err *err)
{
        struct series_partition *partition = &selecting->store->partitions[number];
        uint32_t name_hash = series_name_hash(selecting->name), find;
        with_lock(&partition->lock);
        selecting->open_first[number] = partition->open_samples ? partition->first_item : UINT64_MAX;
        if (!partition->open_samples || partition->time_min_ns > selecting->select->end_ns ||
            partition->time_max_ns < selecting->select->start_ns)
                return true;
        for (uint32_t i = 0; i < partition->entry_count; i++) {
                const struct series_entry *entry = &partition->entries[i];
                struct str packed = {entry->packed, entry->packed_length};
                if (!entry->chunk.count || (selecting->name.bytes && entry->name_hash != name_hash) ||
                    !packed_matches(selecting, packed))
                        continue;
                if (!find_of(selecting, packed, &find, err) ||
                    (!selecting->select->labels_only && !copy_open(selecting, partition, entry, find, err)))
                        return false;
        }
        return true;
}

static bool decode_copies(struct selecting *selecting, struct err *err)
{
        each (copy, &selecting->copies) {
                size_t count = copy->chunk.count;
                arena_reset(&selecting->block);
                int64_t *times_ns = arena_alloc(&selecting->block, count * sizeof *times_ns);
                double *values = arena_alloc(&selecting->block, count * sizeof *values);
                if (!times_ns || !values)
                        return no_memory(err, count * sizeof(struct sample));
                series_chunk_decode(copy->bytes, count, times_ns, values);
                if (((copy->chunk.flags & CHUNK_UNORDERED) && !series_order(times_ns, values, count, &count, err)) ||
                    !add_part(selecting, copy->find, OPEN_PART, times_ns, values, count, err))
                        return false;
        }
        selecting->copies.count = 0;
        return true;
}

static bool read_open(struct selecting *selecting, struct err *err)
{
        for (size_t i = 0; i < PARTITIONS; i++)
                if (!may_go_on(selecting, err) || !scan_partition(selecting, i, err) || !decode_copies(selecting, err))
                        return false;
        return true;
}

/* ---- blocks ---- */

static uint64_t day_id_hash(int64_t day, uint32_t id)
{
        return ((uint64_t)day << 32 ^ id) * UINT64_C(0x9E3779B97F4A7C15) >> 16;
}

static uint32_t find_of_day_id(const struct selecting *selecting, int64_t day, uint32_t id)
{
        uint64_t hash = day_id_hash(day, id);
        size_t at = 0;
        for (uint32_t i = map_first(&selecting->day_id_map, hash, &at); i != MAP_NONE;
             i = map_next(&selecting->day_id_map, hash, &at)) {
                const struct day_id *known = &selecting->day_ids.items[i];
                if (known->day == day && known->id == id)
                        return known->find;
        }
        return MAP_NONE;
}

static bool visit_series(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err)
{
        struct selecting *selecting = context;
        uint32_t find;
        if (++selecting->rows_seen % 4096 == 0 && !may_go_on(selecting, err))
                return false;
        if (!packed_matches(selecting, packed_labels) || find_of_day_id(selecting, day, id) != MAP_NONE)
                return true;
        if (!find_of(selecting, packed_labels, &find, err))
                return false;
        if (selecting->select->labels_only)
                return true;
        struct day_id *known = arena_push(&selecting->scratch, &selecting->day_ids);
        if (!known || !map_put(&selecting->day_id_map, day_id_hash(day, id), (uint32_t)(selecting->day_ids.count - 1)))
                return no_memory(err, sizeof *known);
        *known = (struct day_id){day, id, find};
        selecting->partitions[id / SERIES_IDS_MAX % PARTITIONS] = true;
        return true;
}

/* Marks what the block has that is wanted; false when that is nothing. */
static bool mark_wanted(struct selecting *selecting, const struct block *block)
{
        const struct metric_index *index = &selecting->index;
        bool any = false;
        for (size_t i = 0; i < index->series_count; i++) {
                selecting->block_finds[i] = find_of_day_id(selecting, block->day, index->ids[i]);
                selecting->block_wanted[i] = selecting->block_finds[i] != MAP_NONE;
                any = any || selecting->block_wanted[i];
        }
        return any;
}

static bool open_index(struct selecting *selecting, const struct block *block, struct err *err)
{
        arena_reset(&selecting->block);
        if (!metric_index_read(block->index, &selecting->block, &selecting->index, err))
                return false;
        size_t count = selecting->index.series_count;
        selecting->block_finds = arena_alloc(&selecting->block, (count + 1) * sizeof *selecting->block_finds);
        selecting->block_wanted = arena_alloc(&selecting->block, count + 1);
        return (selecting->block_finds && selecting->block_wanted) || no_memory(err, count * 5);
}

/* True also for a block that cannot be read: then visit_block says why. */
static bool wants_block(void *context, const struct block *block)
{
        struct selecting *selecting = context;
        return !open_index(selecting, block, NULL) || mark_wanted(selecting, block);
}

static bool visit_run(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count, struct err *err)
{
        struct selecting *selecting = context;
        return add_part(selecting, selecting->block_finds[place], selecting->reading->first_item, times_ns, values, count, err);
}

/* A damaged block is skipped and counted: the rest of the answer is worth more than none. */
static bool visit_block(void *context, const struct block *block, struct err *err)
{
        struct selecting *selecting = context;
        struct err why = {0};
        if (!may_go_on(selecting, err))
                return false;
        selecting->reading = block;
        if (open_index(selecting, block, &why) &&
            (!mark_wanted(selecting, block) ||
             metric_block_read(&selecting->index, block->body, selecting->block_wanted, &selecting->block, visit_run, selecting, &why)))
                return true;
        if (why.code == ERR_CORRUPT || why.code == ERR_UNSUPPORTED) {
                atomic_fetch_add(&selecting->store->blocks_damaged, 1);
                archive_tell_damaged(selecting->store->archive, block->day, &why);
                return true;
        }
        if (err)
                *err = why;
        return false;
}

static bool read_blocks(struct selecting *selecting, struct err *err)
{
        const struct series_select *select = selecting->select;
        struct archive_range range = {
                .kind = BLOCK_METRICS,
                .start_ns = select->start_ns,
                .end_ns = select->end_ns,
                .partitions = selecting->partitions,
                .open_first = selecting->open_first,
        };
        if (!archive_visit_series(selecting->store->archive, select->start_ns, select->end_ns, selecting->name, visit_series,
                                  selecting, err))
                return false;
        return select->labels_only || !selecting->day_ids.count ||
               archive_visit(selecting->store->archive, &range, wants_block, visit_block, selecting, err);
}

/* ---- the result ---- */

static int by_first_item(const void *a, const void *b)
{
        const struct part *left = *(struct part *const *)a, *right = *(struct part *const *)b;
        return left->first_item < right->first_item ? -1 : left->first_item > right->first_item;
}

/* The parts of a find one after another in the order of their items; sorted when that is not the order of their times. */
static bool join_parts(const struct find *find, struct arena *arena, struct series_data *out_data, struct err *err)
{
        size_t total = 0, number = 0, at = 0;
        bool ordered = true;
        scoped(buf_done) struct buf list = {0};
        if (!buf_reserve(&list, find->part_count * sizeof(struct part *)))
                return no_memory(err, find->part_count * sizeof(struct part *));
        struct part **parts = (struct part **)list.bytes;
        for (struct part *part = find->parts; part; part = part->older) {
                parts[number++] = part;
                total += part->count;
        }
        qsort(parts, number, sizeof *parts, by_first_item);
        int64_t *times_ns = arena_alloc(arena, total * sizeof *times_ns);
        double *values = arena_alloc(arena, total * sizeof *values);
        if (!times_ns || !values)
                return no_memory(err, total * sizeof(struct sample));
        for (size_t i = 0; i < number; i++) {
                ordered = ordered && (!at || parts[i]->times_ns[0] > times_ns[at - 1]);
                memcpy(times_ns + at, parts[i]->times_ns, parts[i]->count * sizeof *times_ns);
                memcpy(values + at, parts[i]->values, parts[i]->count * sizeof *values);
                at += parts[i]->count;
        }
        if (!ordered && !series_order(times_ns, values, total, &total, err))
                return false;
        out_data->times_ns = times_ns;
        out_data->values = values;
        out_data->count = total;
        return true;
}

static int by_labels(const void *a, const void *b)
{
        return labels_compare(&((const struct series_data *)a)->labels, &((const struct series_data *)b)->labels);
}

static bool gather(struct selecting *selecting, struct arena *arena, struct series_set *out_set, struct err *err)
{
        struct series_set set = {0};
        each (find, &selecting->finds) {
                if (!find->parts && !selecting->select->labels_only)
                        continue;
                struct str packed = arena_str(arena, find->packed);
                struct series_data *data = arena_push(arena, &set);
                if (!data || !packed.bytes)
                        return no_memory(err, sizeof *data);
                if (!labels_unpack(packed, arena, &data->labels, err) ||
                    (find->parts && !join_parts(find, arena, data, err)) || !may_go_on(selecting, err))
                        return false;
        }
        if (set.count)
                qsort(set.items, set.count, sizeof *set.items, by_labels);
        *out_set = set;
        return true;
}

static struct str name_asked_for(const struct matchers *matchers)
{
        if (matchers)
                each (matcher, matchers)
                        if (matcher->op == MATCH_EQUAL && matcher->value.length && str_equal(matcher->name, LABEL_METRIC_NAME))
                                return matcher->value;
        return (struct str){0};
}

bool series_select(struct series_store *store, const struct series_select *select, struct arena *arena,
                   struct series_set *out_set, struct err *err)
{
        scoped(selecting_done) struct selecting selecting = {
                .store = store,
                .select = select,
                .samples_max = select->samples_max ? select->samples_max : SAMPLES_MAX_DEFAULT,
                .name = name_asked_for(select->matchers),
        };
        arena_init(&selecting.scratch, arena->bytes_max);
        arena_init(&selecting.block, 0);
        return read_open(&selecting, err) && read_blocks(&selecting, err) && gather(&selecting, arena, out_set, err) &&
               (!select->matchers || matchers_hold_out(select->matchers, err));
}
