/*
 * metric_detector.c - see metric_detector.h. Per partition slabs of detectors and of what is beside them, found by the high
 * half of the series' id; nothing is allocated for a sample of a known series. Slabs never move: nothing is copied when a partition
 * grows, and at most one of each is not full. Senders repeat their series in the same order, in which their detectors were made:
 * the one behind the last is asked first, and its memory is next in line.
 */
#include "observe/metric_detector.h"

#include "base/clock.h"
#include "base/keys.h"
#include "base/reader.h"
#include "base/scope.h"
#include "learn/detector.h"
#include "model/batch.h"
#include "model/measure.h"
#include "observe/observe.h"
#include "store/archive.h"

#include <math.h>
#include <stdlib.h>

#define SERIES_MAX 262144
#define IDLE_NS (3600 * NS_PER_S)
#define FETCH_STEP 4
#define LOOKED_AT 8             /* for an idle one, when a partition is full */
#define LEARNING_S 86400.0f
#define SLAB_SERIES 8          /* most programs have few series in each of many partitions */
#define VERSION 2
#define BESIDE_1_BYTES 40       /* of version 1: the whole id, then raw, since_ns, kind and reading as now */

struct beside {
        double raw;             /* a counter's last value */
        int64_t since_ns;       /* of the episode that was told; 0: none */
        uint64_t kind : 8;      /* enum anomaly_kind, as it was told */
        uint64_t reading : 56;  /* how the values are read, enum measure_reading + 1; 0: to be told by the name */
};

struct slab {
        struct detector detectors[SLAB_SERIES];
        struct beside beside[SLAB_SERIES];
};

struct partition {
        struct slab **slabs;
        uint32_t slab_count, slab_capacity;
        uint32_t hand;
        uint32_t expected;      /* behind the last one that was found */
        struct keys keys;       /* of the detectors */
        struct metric_detector_counts counts;
        /* What could not be noted for want of memory, for when the same fold comes again. */
        bool has_waiting;
        uint32_t waiting_at;
        struct verdict waiting;
};

struct metric_detectors {
        uint32_t partition_max;
        struct partition partitions[PARTITIONS];
};

bool metric_detectors_create(struct metric_detectors **out_detectors, struct err *err)
{
        return metric_detectors_create_for(SERIES_MAX, out_detectors, err);
}

bool metric_detectors_create_for(size_t series_max, struct metric_detectors **out_detectors, struct err *err)
{
        struct metric_detectors *detectors = calloc(1, sizeof *detectors);
        if (!detectors)
                return fail_memory(err, "metric_detector", sizeof *detectors);
        detectors->partition_max = (uint32_t)(series_max / PARTITIONS + series_max / (PARTITIONS * 8) + 4); /* room for an uneven spread */
        *out_detectors = detectors;
        return true;
}

static void partition_done(struct partition *partition)
{
        for (uint32_t i = 0; i < partition->slab_count; i++)
                free(partition->slabs[i]);
        free(partition->slabs);
        keys_done(&partition->keys);
        *partition = (struct partition){0};
}

void metric_detectors_destroy(struct metric_detectors *detectors)
{
        for (int p = 0; detectors && p < PARTITIONS; p++)
                partition_done(&detectors->partitions[p]);
        free(detectors);
}

static inline struct detector *detector_at(const struct partition *partition, uint32_t at)
{
        return &partition->slabs[at / SLAB_SERIES]->detectors[at % SLAB_SERIES];
}

static inline struct beside *beside_at(const struct partition *partition, uint32_t at)
{
        return &partition->slabs[at / SLAB_SERIES]->beside[at % SLAB_SERIES];
}

/* --- finding a series' detector ------------------------------------------------------------------------------------- */

static uint32_t find(const struct partition *partition, struct hash128 id)
{
        return keys_are(&partition->keys, partition->expected, id.high) ? partition->expected : keys_find(&partition->keys, id.high);
}

static void expect_next(struct partition *partition, uint32_t at)
{
        partition->expected = at + 1 < partition->keys.count ? at + 1 : 0;
}

static bool reserve(struct partition *partition, uint32_t wanted, struct err *err)
{
        uint32_t slabs = (wanted + SLAB_SERIES - 1) / SLAB_SERIES;
        if (slabs > partition->slab_capacity) {
                uint32_t capacity = max_of(slabs, partition->slab_capacity + partition->slab_capacity / 2 + 4);
                struct slab **moved = realloc(partition->slabs, capacity * sizeof *moved);
                if (!moved)
                        return fail_memory(err, "metric_detector", capacity * sizeof *moved);
                partition->slabs = moved;
                partition->slab_capacity = capacity;
        }
        for (; partition->slab_count < slabs; partition->slab_count++)
                if (!(partition->slabs[partition->slab_count] = malloc(sizeof(struct slab))))
                        return fail_memory(err, "metric_detector", sizeof(struct slab));
        return true;
}

/* An idle one among the next few in turn, or KEYS_NONE. */
static uint32_t evict(struct partition *partition, int64_t now_ns)
{
        for (int i = 0; i < LOOKED_AT && partition->keys.count; i++) {
                uint32_t at = partition->hand++ % partition->keys.count;
                if (detector_at(partition, at)->last_ns + IDLE_NS > now_ns)
                        continue;
                partition->counts.evicted++;
                return at;
        }
        return KEYS_NONE;
}

/* *out_at KEYS_NONE: there is no room for it. */
static bool add(struct partition *partition, uint32_t most, struct hash128 id, int64_t now_ns, uint32_t *out_at, struct err *err)
{
        bool is_full = partition->keys.count >= most;
        if (!is_full && !reserve(partition, partition->keys.count + 1, err))
                return false;
        uint32_t at = is_full ? evict(partition, now_ns) : partition->keys.count;
        if (at == KEYS_NONE) {
                partition->counts.without++;
                *out_at = KEYS_NONE;
                return true;
        }
        if (is_full)
                keys_replace(&partition->keys, at, id.high);
        else if (!keys_add(&partition->keys, id.high))
                return fail_memory(err, "metric_detector", sizeof id);
        detector_init(detector_at(partition, at));
        *beside_at(partition, at) = (struct beside){0};
        *out_at = at;
        return true;
}

/* --- judging -------------------------------------------------------------------------------------------------------- */

/* NaN: nothing can be said, as of a counter's first value or one that was set back. */
static double rate_of(const struct detector *detector, struct beside *beside, int64_t time_ns, double value)
{
        double before = beside->raw, seconds = (double)(time_ns - detector->last_ns) / NS_PER_S;
        beside->raw = value;
        return detector->last_ns && value >= before && seconds > 0 ? (value - before) / seconds : NAN;
}

static bool write_sentence(struct buf *out, struct str name, const struct verdict *verdict, double value, bool is_rate)
{
        bool is_move = verdict->view == VIEW_MOVE;
        buf_printf(out, "%.*s%s %s", STR_ARGS(name), is_rate ? " per second" : "", is_move ? "moved to " : verdict->view == VIEW_SHIFT ? "is lastingly " : "is ");
        measure_write(out, name, is_rate, value);
        if (is_move)
                return buf_text(out, " in a way it does not move at this hour");
        buf_text(out, "; usual at this hour is ");
        measure_write(out, name, is_rate, is_rate || measure_is_bytes(name) ? fmax(verdict->low, 0) : (double)verdict->low); /* these are never less */
        buf_text(out, " to ");
        measure_write(out, name, is_rate, verdict->high);
        return !out->failed;
}

static enum anomaly_kind kind_of(const struct verdict *verdict)
{
        return verdict->view == VIEW_SHIFT ? ANOMALY_SHIFT : ANOMALY_LEVEL;
}

static bool note(struct noticed *noticed, const struct labels *labels, const struct beside *beside, int64_t time_ns, double value,
                 const struct verdict *verdict, bool is_over, bool is_learning, bool is_rate, struct err *err)
{
        scoped(buf_done) struct buf sentence = {0};
        scoped(buf_done) struct buf evidence = {0};
        struct str name = labels_value(labels, LABEL_METRIC_NAME);
        if (!(is_over ? buf_printf(&sentence, "%.*s is usual again", STR_ARGS(name)) : write_sentence(&sentence, name, verdict, value, is_rate)) ||
            (is_rate && !buf_text(&evidence, "rate(")) || !labels_print(labels, &evidence) || (is_rate && !buf_text(&evidence, "[5m])")))
                return fail_memory(err, "metric_detector", sentence.length + evidence.length);
        struct anomaly anomaly = {
                .kind = beside->since_ns ? (enum anomaly_kind)beside->kind : kind_of(verdict), .labels = *labels, .time_ns = time_ns,
                .since_ns = beside->since_ns ? beside->since_ns : time_ns, .is_over = is_over, .score = (double)verdict->score,
                .p_value = (double)verdict->p_value, .value = value, .expected_low = (double)verdict->low, .expected_high = (double)verdict->high,
                .is_learning = is_learning, .sentence = buf_str(&sentence), .evidence = buf_str(&evidence),
        };
        return noticed_add_anomaly(noticed, &anomaly, err);
}

static bool tell(struct partition *partition, uint32_t at, const struct series_points *points, int64_t time_ns, double value,
                 struct noticed *noticed, struct err *err)
{
        struct beside *beside = beside_at(partition, at);
        const struct detector *detector = detector_at(partition, at);
        const struct verdict *verdict = &partition->waiting;
        bool is_over = beside->since_ns && !verdict->is_open;
        if (verdict->is_flagged || is_over) {
                bool is_rate = measure_reading(labels_value(&points->labels, LABEL_METRIC_NAME)) == READ_AS_RATE;
                bool is_learning = verdict->is_learning || (float)detector->seen * detector->step_s < LEARNING_S;
                partition->has_waiting = true;
                partition->waiting_at = at;
                if (!note(noticed, &points->labels, beside, time_ns, value, verdict, is_over, is_learning, is_rate, err))
                        return false;
                beside->kind = beside->since_ns ? beside->kind : (uint64_t)kind_of(verdict);
                beside->since_ns = is_over ? 0 : beside->since_ns ? beside->since_ns : time_ns;
                partition->counts.anomalies++;
        }
        partition->has_waiting = false;
        return true;
}

static bool push(struct partition *partition, uint32_t at, enum measure_reading reading, const struct series_points *points, const struct sample *sample,
                 int64_t received_ns, struct noticed *noticed, struct err *err)
{
        struct detector *detector = detector_at(partition, at);
        int64_t time_ns = sample->time_ns ? sample->time_ns : received_ns;
        double value = sample->value;
        if (detector->last_ns && time_ns <= detector->last_ns) /* late, or told before memory ran out */
                return !partition->has_waiting || partition->waiting_at != at || time_ns != detector->last_ns ||
                       tell(partition, at, points, time_ns, value, noticed, err);
        if (reading == READ_AS_RATE)
                value = rate_of(detector, beside_at(partition, at), time_ns, value);
        partition->counts.samples++;
        detector_push(detector, time_ns, value, &partition->waiting);
        if (!isfinite(value)) { /* no verdict; the time counts, so that the next rate is over the right stretch */
                detector->last_ns = reading == READ_AS_RATE ? time_ns : detector->last_ns;
                return true;
        }
        return tell(partition, at, points, time_ns, value, noticed, err);
}

static bool fold_series(struct metric_detectors *detectors, const struct fold *fold, const struct series_points *points, struct noticed *noticed,
                        struct err *err)
{
        struct partition *partition = &detectors->partitions[fold->partition];
        uint32_t at = find(partition, points->id);
        bool is_told = at != KEYS_NONE && beside_at(partition, at)->reading;
        enum measure_reading reading = is_told ? (enum measure_reading)(beside_at(partition, at)->reading - 1) : measure_reading(labels_value(&points->labels, LABEL_METRIC_NAME));
        if (reading != READ_NOT && at == KEYS_NONE && !add(partition, detectors->partition_max, points->id, fold->time_ns, &at, err))
                return false;
        if (at == KEYS_NONE)
                return true;
        beside_at(partition, at)->reading = (uint64_t)reading + 1;
        expect_next(partition, at);
        for (size_t i = 0; i < points->count; i++)
                if (!push(partition, at, reading, points, &points->samples[i], fold->batch->received_ns, noticed, err))
                        return false;
        return true;
}

/* --- asking for memory ahead ------------------------------------------------------------------------------------------ */

/*
 * While series come in the order of their detectors, those behind the last one are asked for; in any other order the slot of the
 * keys, then the key and what stands beside the detector, then the detector itself, each a few series ahead of being needed.
 * Changes nothing that is decided.
 */
static const struct series_points *points_at(const struct fold *fold, size_t i)
{
        return &fold->batch->telemetry.series.items[fold->series[i]];
}

static void fetch_detector(const struct partition *partition, uint32_t at)
{
        const char *bytes = (const char *)detector_at(partition, at);
        for (size_t byte = 0; byte < sizeof(struct detector); byte += 64)
                __builtin_prefetch(bytes + byte, 1);
        __builtin_prefetch(beside_at(partition, at), 1);
}

static void fetch_ahead(const struct partition *partition, const struct fold *fold, size_t i, bool in_order)
{
        size_t far = i + 2 * FETCH_STEP, near = i + FETCH_STEP;
        if (in_order) {
                if (near < fold->series_count && partition->keys.count)
                        fetch_detector(partition, (uint32_t)((partition->expected + FETCH_STEP) % partition->keys.count));
                return;
        }
        if (far < fold->series_count)
                keys_fetch(&partition->keys, points_at(fold, far)->id.high);
        uint32_t likely = near < fold->series_count ? keys_likely(&partition->keys, points_at(fold, near)->id.high) : KEYS_NONE;
        if (likely != KEYS_NONE)
                fetch_detector(partition, likely);
}

bool metric_detectors_fold(struct metric_detectors *detectors, const struct fold *fold, struct noticed *noticed, struct err *err)
{
        const struct partition *partition = &detectors->partitions[fold->partition];
        for (uint32_t i = 0; i < FETCH_STEP && i < fold->series_count && partition->expected + i < partition->keys.count; i++)
                fetch_detector(partition, partition->expected + i);
        for (size_t i = 0; i < fold->series_count; i++) {
                const struct series_points *points = points_at(fold, i);
                fetch_ahead(partition, fold, i, keys_are(&partition->keys, partition->expected, points->id.high));
                if (!fold_series(detectors, fold, points, noticed, err))
                        return err_within(err, "detecting in partition %u", (unsigned)fold->partition);
        }
        return true;
}

struct metric_detector_counts metric_detectors_counts(const struct metric_detectors *detectors)
{
        struct metric_detector_counts sum = {0};
        for (int p = 0; p < PARTITIONS; p++) {
                const struct partition *partition = &detectors->partitions[p];
                sum.series += partition->keys.count;
                sum.samples += partition->counts.samples;
                sum.anomalies += partition->counts.anomalies;
                sum.evicted += partition->counts.evicted;
                sum.without += partition->counts.without;
        }
        return sum;
}

/* --- checkpoints ---------------------------------------------------------------------------------------------------- */

static void append_all(const struct partition *partition, struct buf *out)
{
        uint32_t count = partition->keys.count;
        for (uint32_t i = 0; i < count; i++)
                buf_append(out, detector_at(partition, i), sizeof(struct detector));
        buf_append(out, partition->keys.items, count * sizeof *partition->keys.items);
        for (uint32_t i = 0; i < count; i++)
                buf_append(out, beside_at(partition, i), sizeof(struct beside));
}

/* version, DETECTOR_VERSION, sizes of both structs; for each partition: count, hand, all detectors, their keys, all that is beside them. */
bool metric_detectors_save(const struct metric_detectors *detectors, struct buf *out, struct err *err)
{
        size_t series = metric_detectors_counts(detectors).series;
        buf_reserve(out, series * (sizeof(struct detector) + sizeof(uint64_t) + sizeof(struct beside)) + PARTITIONS * 2 * sizeof(uint32_t) + 8);
        buf_u8(out, VERSION);
        buf_u8(out, DETECTOR_VERSION);
        buf_u16(out, sizeof(struct detector));
        buf_u16(out, sizeof(struct beside));
        for (int p = 0; p < PARTITIONS; p++) {
                const struct partition *partition = &detectors->partitions[p];
                buf_u32(out, partition->keys.count);
                buf_u32(out, partition->hand);
                append_all(partition, out);
        }
        return !out->failed || fail_memory(err, "metric_detector", out->length);
}

/* As they were saved; in version 1 a key is the high half of the id in front of what is beside. */
struct saved {
        struct str detectors, keys, beside;
        size_t key_bytes, beside_bytes; /* from one to the next */
};

static struct saved read_saved(struct reader *reader, uint8_t version, uint32_t count)
{
        struct saved saved = {.detectors = reader_bytes(reader, (size_t)count * sizeof(struct detector))};
        if (version == 1) {
                saved.keys = saved.beside = reader_bytes(reader, (size_t)count * BESIDE_1_BYTES);
                saved.key_bytes = saved.beside_bytes = BESIDE_1_BYTES;
                saved.keys.bytes += reader->failed ? 0 : offsetof(struct hash128, high);
                saved.beside.bytes += reader->failed ? 0 : sizeof(struct hash128);
                return saved;
        }
        saved.key_bytes = sizeof(uint64_t);
        saved.beside_bytes = sizeof(struct beside);
        saved.keys = reader_bytes(reader, count * saved.key_bytes);
        saved.beside = reader_bytes(reader, count * saved.beside_bytes);
        return saved;
}

static bool restore_partition(struct partition *partition, uint8_t version, uint32_t most, struct reader *reader, struct err *err)
{
        uint32_t count = reader_u32(reader), hand = reader_u32(reader);
        struct saved saved = read_saved(reader, version, count);
        if (reader->failed)
                return fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: the saved bytes end too early");
        count = min_of(count, most); /* fewer may be allowed now: the youngest start afresh */
        if (!reserve(partition, count, err))
                return false;
        partition->hand = hand;
        for (uint32_t i = 0; i < count; i++) {
                uint64_t key;
                memcpy(detector_at(partition, i), saved.detectors.bytes + i * sizeof(struct detector), sizeof(struct detector));
                memcpy(beside_at(partition, i), saved.beside.bytes + i * saved.beside_bytes, sizeof(struct beside));
                memcpy(&key, saved.keys.bytes + i * saved.key_bytes, sizeof key);
                if (!detector_is_sound(detector_at(partition, i)))
                        return fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: number %u holds what no detector can; the checkpoint is damaged", (unsigned)i);
                if (!keys_add(&partition->keys, key))
                        return fail_memory(err, "metric_detector", count * sizeof key);
        }
        return true;
}

bool metric_detectors_restore(struct metric_detectors *detectors, struct str bytes, struct err *err)
{
        struct reader reader = reader_of(bytes);
        uint8_t version = reader_u8(&reader), detector_version = reader_u8(&reader);
        uint16_t size = reader_u16(&reader), beside_size = reader_u16(&reader);
        if (version < 1 || version > VERSION || detector_version != DETECTOR_VERSION || size != sizeof(struct detector) ||
            beside_size != (version == 1 ? BESIDE_1_BYTES : sizeof(struct beside)))
                return fail(err, reader.failed ? ERR_CORRUPT : ERR_UNSUPPORTED, "metric_detector", "restoring detectors: version %u.%u is not %d.%d", version, detector_version, VERSION, DETECTOR_VERSION);
        for (int p = 0; p < PARTITIONS; p++)
                partition_done(&detectors->partitions[p]);
        for (int p = 0; p < PARTITIONS; p++)
                if (!restore_partition(&detectors->partitions[p], version, detectors->partition_max, &reader, err))
                        return false;
        return reader_left(&reader) == 0 || fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: %zu bytes are left over", reader_left(&reader));
}
