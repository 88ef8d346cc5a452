/*
 * resources.c - see resources.h. On the hot path: a series that was here within the hour costs one look into a small table by
 * the hash that the store has made anyway. Only what is not there (new, or crowded out: the table forgets, it never lies)
 * has its labels read.
 */
#include "observe/resources.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"
#include "store/logs.h"

#include <stdlib.h>

#define RECENT_LEAST 64 /* powers of two: most partitions see a few streams and series */
#define RECENT_MOST 4096
#define RECENT_WAYS 4  /* places that one may take: with as many places as direct ones, a tenth as many are crowded out */
#define STREAMS_KEPT 256
#define FETCH_AHEAD 8
#define HOUR_NS ((int64_t)3600 * 1000000000)

struct place {
        uint64_t *recent;       /* hashes of streams and series, each in its own row of RECENT_WAYS slots */
        uint32_t slots, crowded; /* crowded: how often one took another's slot since the table grew or was cleared */
        struct map known;       /* hashes of what was told */
        int64_t until_ns;       /* then all is told again */
        uint64_t refused;
};

struct resources {
        struct kinds *kinds;
        struct place places[PARTITIONS];
};

bool resources_create(struct resources **out_resources, struct err *err)
{
        struct resources *resources = calloc(1, sizeof *resources);
        if (!resources)
                return fail_memory(err, "resources", sizeof *resources);
        *out_resources = resources;
        return true;
}

static void place_clear(struct place *place)
{
        if (place->recent)
                memset(place->recent, 0, place->slots * sizeof *place->recent);
        map_clear(&place->known);
        place->crowded = 0;
}

void resources_destroy(struct resources *resources)
{
        if (!resources)
                return;
        for (int p = 0; p < PARTITIONS; p++) {
                free(resources->places[p].recent);
                map_done(&resources->places[p].known);
        }
        kinds_unref(resources->kinds);
        free(resources);
}

void resources_watch(struct resources *resources, struct kinds *kinds)
{
        kinds_unref(resources->kinds);
        resources->kinds = kinds_ref(kinds);
}

void resources_forget(struct resources *resources)
{
        for (int p = 0; p < PARTITIONS; p++)
                place_clear(&resources->places[p]);
}

uint64_t resources_refused(const struct resources *resources)
{
        uint64_t refused = 0;
        for (int p = 0; p < PARTITIONS; p++)
                refused += resources->places[p].refused;
        return refused;
}

static bool is_listed(const struct names *names, struct str name)
{
        size_t low = 0, high = names->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = str_compare(names->items[middle], name);
                if (order == 0)
                        return true;
                *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
        }
        return false;
}

/* The labels that a kind asks for; the metric's name only when a kind asks for that metric. */
static size_t reduce(const struct kinds *kinds, const struct labels *labels, struct label out_kept[static LABELS_MAX])
{
        size_t count = 0;
        bool is_asked_metric = is_listed(&kinds->metric_names, labels_value(labels, LABEL_METRIC_NAME));
        each (label, labels) {
                bool is_name = str_equal(label->name, LABEL_METRIC_NAME);
                if (count < LABELS_MAX && (is_name ? is_asked_metric : is_listed(&kinds->labels, label->name) ||
                                                                       (is_asked_metric && is_listed(&kinds->metric_labels, label->name))))
                        out_kept[count++] = *label;
        }
        return count;
}

static uint64_t hash_labels(const struct label *labels, size_t count)
{
        uint64_t hash = count;
        for (size_t i = 0; i < count; i++)
                hash = hash64_seeded(labels[i].value, hash64_seeded(labels[i].name, hash));
        return hash ? hash : 1;
}

static bool is_known(const struct place *place, uint64_t hash)
{
        size_t at;
        return map_first(&place->known, hash, &at) != MAP_NONE;
}

/* The lowest bits of a series' hash are its partition's. */
static inline uint64_t *row_of(const struct place *place, uint64_t hash)
{
        return &place->recent[(hash / PARTITIONS * RECENT_WAYS) & (place->slots - 1)];
}

static inline bool is_recent(const struct place *place, uint64_t hash)
{
        const uint64_t *row = row_of(place, hash);
        bool found = false;
        for (int way = 0; way < RECENT_WAYS; way++)
                found |= row[way] == hash;
        return found;
}

/* Gives whether another had to go. */
static bool put_recent(const struct place *place, uint64_t hash)
{
        uint64_t *row = row_of(place, hash);
        for (int way = 0; way < RECENT_WAYS; way++)
                if (!row[way]) {
                        row[way] = hash;
                        return false;
                }
        row[hash >> 62] = hash;
        return true;
}

static void remember(struct place *place, uint64_t hash)
{
        place->crowded += put_recent(place, hash);
        if (place->crowded < place->slots / 4 || place->slots == RECENT_MOST)
                return;
        struct place grown = {.recent = calloc(place->slots * 2, sizeof *grown.recent), .slots = place->slots * 2};
        if (!grown.recent) /* it forgets more, that is all */
                return;
        for (uint32_t i = 0; i < place->slots; i++)
                if (place->recent[i])
                        put_recent(&grown, place->recent[i]);
        free(place->recent);
        place->recent = grown.recent;
        place->slots = grown.slots;
        place->crowded = 0;
}

_Static_assert(RECENT_WAYS == 4, "two bits of the hash choose who goes");

static bool look(struct resources *resources, struct place *place, const struct labels *labels, uint64_t hash, bool is_log, int64_t time_ns,
                 struct noticed *noticed, struct err *err)
{
        struct label kept[LABELS_MAX];
        if (is_recent(place, hash))
                return true;
        size_t count = reduce(resources->kinds, labels, kept);
        uint64_t reduced = hash_labels(kept, count);
        if (count && !is_known(place, reduced)) {
                if (place->known.count >= RESOURCES_MAX) {
                        place->refused++;
                        return true;
                }
                struct resource_seen seen = {{kept, count, count}, time_ns, is_log};
                if (!map_put(&place->known, reduced, 0))
                        return fail_memory(err, "resources", sizeof seen);
                if (!noticed_add_resource(noticed, &seen, err)) {
                        map_remove(&place->known, reduced, 0);
                        return false;
                }
        }
        remember(place, hash);
        return true;
}

static bool make_ready(struct place *place, int64_t time_ns, struct err *err)
{
        if (!place->recent && !(place->recent = calloc(RECENT_LEAST, sizeof *place->recent)))
                return fail_memory(err, "resources", RECENT_LEAST * sizeof *place->recent);
        place->slots = max_of(place->slots, (uint32_t)RECENT_LEAST);
        if (time_ns >= place->until_ns) {
                place_clear(place);
                place->until_ns = time_ns - time_ns % HOUR_NS + HOUR_NS;
        }
        return true;
}

bool resources_fold(struct resources *resources, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        const struct telemetry *telemetry = &fold->batch->telemetry;
        struct place *place = &resources->places[fold->partition];
        if (!resources->kinds)
                return true;
        if (!make_ready(place, fold->time_ns, err))
                return false;
        uint32_t streams[STREAMS_KEPT] = {0}; /* of this fold that were looked at: number + 1 */
        for (size_t i = 0; i < fold->record_count; i++) {
                uint32_t stream = telemetry->records.items[fold->records[i]].stream;
                if (streams[stream % STREAMS_KEPT] == stream + 1)
                        continue;
                streams[stream % STREAMS_KEPT] = stream + 1;
                const struct labels *labels = &telemetry->streams.items[stream];
                if (!look(resources, place, labels, hash_labels(labels->items, labels->count), true, fold->time_ns, noticed, err))
                        return false;
        }
        for (size_t i = 0; i < fold->series_count; i++) {
                const struct series_points *series = &telemetry->series.items[fold->series[i]];
                if (i + FETCH_AHEAD < fold->series_count)
                        __builtin_prefetch(row_of(place, telemetry->series.items[fold->series[i + FETCH_AHEAD]].id.low | 1));
                uint64_t hash = series->packed.length ? series->id.low | 1 : hash_labels(series->labels.items, series->labels.count);
                if (!look(resources, place, &series->labels, hash, false, fold->time_ns, noticed, err))
                        return false;
        }
        return true;
}

/* --- checkpoints ------------------------------------------------------------------------------------------------------------ */

#define FORMAT 1

static int hash_compare(const void *a, const void *b)
{
        const uint64_t *one = a, *other = b;
        return (*one > *other) - (*one < *other);
}

/* Sorted, so that the same knowledge has the same bytes. */
static bool save_place(const struct place *place, int partition, struct buf *out)
{
        uint64_t *hashes = malloc(place->known.count * sizeof *hashes);
        size_t count = 0;
        for (size_t slot = 0; hashes && slot < place->known.capacity; slot++)
                if (place->known.values[slot] != MAP_NONE)
                        hashes[count++] = place->known.hashes[slot];
        if (hashes)
                qsort(hashes, count, sizeof *hashes, hash_compare);
        bool good = hashes && buf_u16(out, (uint16_t)partition) && buf_u64(out, (uint64_t)place->until_ns) && buf_varint(out, count) &&
                    buf_append(out, hashes, count * sizeof *hashes);
        free(hashes);
        return good;
}

bool resources_save(const struct resources *resources, struct buf *out, struct err *err)
{
        buf_u8(out, FORMAT);
        for (int p = 0; p < PARTITIONS; p++)
                if (resources->places[p].known.count && !save_place(&resources->places[p], p, out))
                        return fail_memory(err, "resources", out->length);
        return !out->failed || fail_memory(err, "resources", out->length);
}

static bool restore_place(struct resources *resources, struct reader *reader)
{
        struct place *place = &resources->places[reader_u16(reader) % PARTITIONS];
        place->until_ns = (int64_t)reader_u64(reader);
        uint64_t count = reader_varint(reader);
        for (uint64_t i = 0; i < count && !reader->failed; i++)
                if (!map_put(&place->known, reader_u64(reader), 0))
                        return false;
        return true;
}

bool resources_restore(struct resources *resources, struct str bytes, struct err *err)
{
        struct reader reader = reader_of(bytes);
        if (reader_u8(&reader) != FORMAT)
                return fail(err, ERR_CORRUPT, "resources", "reading which resources were told: another version wrote it, or it is cut");
        while (!reader.failed && reader_left(&reader))
                if (!restore_place(resources, &reader))
                        return fail_memory(err, "resources", bytes.length);
        return !reader.failed || fail(err, ERR_CORRUPT, "resources", "reading which resources were told: it is cut");
}
