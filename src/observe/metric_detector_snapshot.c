/*
 * metric_detector_snapshot.c - detectors in a checkpoint: as bytes, since they hold no pointers, with the samples that wait to be judged.
 */
#include "observe/metric_detector_partition.h"

#include "base/reader.h"
#include "base/scope.h"

#include <string.h>

#define VERSION 3               /* 2: nothing was pending; 1: keys stood with what is beside */
#define BESIDE_1_BYTES 40       /* of version 1: the whole id, then raw, since_ns, kind and reading as now */
#define PENDING_BYTES 20        /* of one sample */

static void append_all(const struct detector_partition *partition, struct buf *out)
{
        uint32_t count = partition->keys.count;
        for (uint32_t i = 0; i < count; i++)
                buf_append(out, detector_at(partition, i), sizeof(struct detector));
        buf_append(out, partition->keys.items, count * sizeof *partition->keys.items);
        for (uint32_t i = 0; i < count; i++)
                buf_append(out, beside_at(partition, i), sizeof(struct beside));
        buf_u32(out, partition->pending.count);
        buf_u64(out, (uint64_t)partition->pending.since_ns);
        each (sample, &partition->pending) {
                buf_u32(out, sample->series);
                buf_u64(out, (uint64_t)sample->time_ns);
                buf_append(out, &sample->value, sizeof sample->value);
        }
}

/* version, DETECTOR_VERSION, sizes of both structs; for each partition: count, hand, all detectors, their keys, all that is beside them; how many samples are
 * pending, since when, and each. */
bool metric_detectors_save(const struct metric_detectors *detectors, struct buf *out, struct err *err)
{
        size_t series = metric_detectors_counts(detectors).series;
        buf_reserve(out, series * (sizeof(struct detector) + sizeof(uint64_t) + sizeof(struct beside)) + PARTITIONS * 2 * sizeof(uint32_t) + 8);
        buf_u8(out, VERSION);
        buf_u8(out, DETECTOR_VERSION);
        buf_u16(out, sizeof(struct detector));
        buf_u16(out, sizeof(struct beside));
        for (int p = 0; p < PARTITIONS; p++) {
                const struct detector_partition *partition = &detectors->partitions[p];
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

static bool restore_pending(struct detector_partition *partition, struct reader *reader, struct err *err)
{
        uint32_t count = reader_u32(reader);
        int64_t since_ns = (int64_t)reader_u64(reader);
        struct reader samples = reader_of(reader_bytes(reader, (size_t)count * PENDING_BYTES));
        if (reader->failed || count > PENDING_MAX)
                return fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: %u samples that wait are not there", (unsigned)count);
        for (uint32_t i = 0; i < count; i++) {
                struct pending_sample sample = {.series = reader_u32(&samples), .time_ns = (int64_t)reader_u64(&samples)};
                struct str value = reader_bytes(&samples, sizeof sample.value);
                memcpy(&sample.value, value.bytes, sizeof sample.value);
                if (sample.series < partition->keys.count && !pending_add(&partition->pending, &sample, since_ns))
                        return fail_memory(err, "metric_detector", count * sizeof sample);
        }
        return true;
}

static bool restore_partition(struct detector_partition *partition, uint8_t version, uint32_t most, struct reader *reader, struct err *err)
{
        uint32_t count = reader_u32(reader), hand = reader_u32(reader);
        struct saved saved = read_saved(reader, version, count);
        if (reader->failed)
                return fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: the saved bytes end too early");
        count = min_of(count, most); /* fewer may be allowed now: the youngest start afresh */
        if (!detector_partition_reserve(partition, count, err))
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
        return version < 3 || restore_pending(partition, reader, err);
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
                detector_partition_done(&detectors->partitions[p]);
        for (int p = 0; p < PARTITIONS; p++)
                if (!restore_partition(&detectors->partitions[p], version, detectors->partition_max, &reader, err))
                        return false;
        return reader_left(&reader) == 0 || fail(err, ERR_CORRUPT, "metric_detector", "restoring detectors: %zu bytes are left over", reader_left(&reader));
}
