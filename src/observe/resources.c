/*
 * resources.c - see resources.h. On the hot path: a series that was here within the hour costs a comparison with the one that came behind
 * its predecessor, by the hash that the store has made anyway. Only what is not there (new, or it made room for another: what is
 * recent is forgotten, never mistaken) has its labels read.
 */
#include "observe/resources.h"

#include "base/hash.h"
#include "base/keys.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scope.h"
#include "store/logs.h"

#include <stdlib.h>

#define RECENT_MAX 4096
#define STREAMS_KEPT 256
#define HOUR_NS ((int64_t)3600 * 1000000000)

struct place {
        struct keys recent;     /* hashes of streams and series */
        uint32_t expected;      /* of recent: behind the last one that was found or kept */
        uint32_t hand;          /* the next one that makes room */
        struct map known;       /* hashes of what was told */
        int64_t until_ns;       /* then all is told again */
        uint64_t refused;
};

struct resources {
        struct map asked;       /* hashes of names, with bits of enum asked */
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
        keys_done(&place->recent);
        map_clear(&place->known);
}

void resources_destroy(struct resources *resources)
{
        if (!resources)
                return;
        for (int p = 0; p < PARTITIONS; p++) {
                keys_done(&resources->places[p].recent);
                map_done(&resources->places[p].known);
        }
        map_done(&resources->asked);
        free(resources);
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

/* --- what kinds ask for -------------------------------------------------------------------------------------------------- */

/* By the name's hash: each of a new series' labels costs one look. Two names of one hash would be asked for together, and the kinds read what they know. */
enum asked { ASKED_LABEL = 1, ASKED_METRIC = 2, ASKED_OF_METRIC = 4 };

static uint32_t asked_of(const struct map *asked, struct str name)
{
        size_t at;
        uint32_t found = 0, bits;
        for (bits = map_first(asked, hash64(name), &at); bits != MAP_NONE; bits = map_next(asked, hash64(name), &at))
                found |= bits;
        return found;
}

static bool ask(struct map *asked, const struct names *names, enum asked bit)
{
        each (name, names)
                if (!map_put(asked, hash64(*name), bit))
                        return false;
        return true;
}

static bool ask_all(struct map *asked, const struct kinds *kinds)
{
        return ask(asked, &kinds->labels, ASKED_LABEL) && ask(asked, &kinds->metric_names, ASKED_METRIC) && ask(asked, &kinds->metric_labels, ASKED_OF_METRIC);
}

bool resources_watch(struct resources *resources, const struct kinds *kinds, struct err *err)
{
        struct map asked = {0};
        if (!ask_all(&asked, kinds)) {
                map_done(&asked);
                return fail_memory(err, "resources", sizeof asked);
        }
        map_done(&resources->asked);
        resources->asked = asked;
        return true;
}

/* The labels that a kind asks for; the metric's name only when a kind asks for that metric. */
static size_t reduce(const struct map *asked, const struct labels *labels, struct label out_kept[static LABELS_MAX])
{
        size_t count = 0;
        bool is_asked_metric = asked_of(asked, labels_value(labels, LABEL_METRIC_NAME)) & ASKED_METRIC;
        uint32_t wanted = is_asked_metric ? ASKED_LABEL | ASKED_OF_METRIC : ASKED_LABEL;
        each (label, labels) {
                bool is_name = str_equal(label->name, LABEL_METRIC_NAME);
                if (count < LABELS_MAX && (is_name ? is_asked_metric : (asked_of(asked, label->name) & wanted) != 0))
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

static bool is_recent(struct place *place, uint64_t hash)
{
        uint32_t at = keys_are(&place->recent, place->expected, hash) ? place->expected : keys_find(&place->recent, hash);
        if (at == KEYS_NONE)
                return false;
        place->expected = at + 1 < place->recent.count ? at + 1 : 0;
        return true;
}

/* Without memory it is forgotten, that is all. */
static void remember(struct place *place, uint64_t hash)
{
        if (place->recent.count < RECENT_MAX)
                keys_add(&place->recent, hash);
        else
                keys_replace(&place->recent, place->hand++ % RECENT_MAX, hash);
}

static bool look(struct resources *resources, struct place *place, const struct labels *labels, uint64_t hash, bool is_log, int64_t time_ns,
                 struct noticed *noticed, struct err *err)
{
        struct label kept[LABELS_MAX];
        if (is_recent(place, hash))
                return true;
        size_t count = reduce(&resources->asked, labels, kept);
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

static void make_ready(struct place *place, int64_t time_ns)
{
        if (time_ns < place->until_ns)
                return;
        place_clear(place);
        place->until_ns = time_ns - time_ns % HOUR_NS + HOUR_NS;
}

bool resources_fold(struct resources *resources, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        const struct telemetry *telemetry = &fold->batch->telemetry;
        struct place *place = &resources->places[fold->partition];
        if (!resources->asked.count)
                return true;
        make_ready(place, fold->time_ns);
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
                uint64_t hash = series->packed.length ? series->id.high : hash_labels(series->labels.items, series->labels.count);
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
