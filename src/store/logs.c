/*
 * logs.c - adding and sealing; see logs.h. Reading is logs_select.c.
 *
 * Each partition is a list of chunks: closed ones on their way into a block, and the open one at its end. A chunk stays in
 * the list until the archive has taken its block, so that a reader finds every row in the list or in the archive; what it
 * found in the list it does not read again (open_first). The lock is held to change the list and the published counts,
 * never to copy, pack or wait. When a chunk closes depends on its content and the journal's times alone.
 */
#include "store/logs_snapshot.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/thread.h"
#include <stdlib.h>

struct partition {
        struct lock lock;
        struct log_chunk *oldest, *newest;
        uint16_t number;
};

#define ENCODERS 8
#define FETCH_RECORD 12 /* rows ahead of the one that is added */
#define FETCH_LINE 6
#define FETCH_BYTES 256

struct logs {
        struct archive *archive;
        struct partition partitions[PARTITIONS];
        struct lock encoders_lock;
        struct log_encoder *encoders[ENCODERS]; /* at rest */
        _Atomic uint64_t records, bytes, blocks_sealed, open_records, open_bytes;
};

bool logs_create(struct archive *archive, struct logs **out_logs, struct err *err)
{
        struct logs *logs = calloc(1, sizeof *logs);
        if (!logs)
                return fail_memory(err, "logs", sizeof *logs);
        logs->archive = archive;
        lock_init(&logs->encoders_lock, LOCK_CACHE);
        for (uint16_t i = 0; i < PARTITIONS; i++) {
                lock_init(&logs->partitions[i].lock, LOCK_PARTITION);
                logs->partitions[i].number = i;
        }
        *out_logs = logs;
        return true;
}

void logs_destroy(struct logs *logs)
{
        if (!logs)
                return;
        for (size_t i = 0; i < PARTITIONS; i++) {
                struct log_chunk *next;
                for (struct log_chunk *chunk = logs->partitions[i].oldest; chunk; chunk = next) {
                        next = chunk->next;
                        log_chunk_unref(chunk);
                }
                lock_done(&logs->partitions[i].lock);
        }
        for (size_t i = 0; i < ENCODERS; i++)
                log_encoder_destroy(logs->encoders[i]);
        lock_done(&logs->encoders_lock);
        free(logs);
}

uint16_t logs_partition(const struct labels *stream)
{
        return hash64(labels_value(stream, STR("service"))) % PARTITIONS;
}

struct archive *logs_archive(struct logs *logs)
{
        return logs->archive;
}

static struct log_encoder *take_encoder(struct logs *logs, struct err *err)
{
        {
                with_lock(&logs->encoders_lock);
                for (size_t i = 0; i < ENCODERS; i++)
                        if (logs->encoders[i])
                                return give(logs->encoders[i]);
        }
        return log_encoder_create(err);
}

static void give_encoder(struct logs *logs, struct log_encoder *encoder)
{
        with_lock(&logs->encoders_lock);
        for (size_t i = 0; i < ENCODERS; i++) {
                if (!logs->encoders[i]) {
                        logs->encoders[i] = encoder;
                        return;
                }
        }
        log_encoder_destroy(encoder);
}

static bool encode(struct logs *logs, const struct log_chunk *chunk, struct buf *index, struct buf *body, struct err *err)
{
        size_t count = log_chunk_segments(chunk, chunk->rows);
        struct log_span *spans = malloc(count * sizeof *spans);
        struct log_encoder *encoder = spans ? take_encoder(logs, err) : NULL;
        if (!spans)
                fail_memory(err, "logs", count * sizeof *spans);
        bool good = false;
        if (encoder) {
                log_chunk_spans(chunk, chunk->rows, spans);
                good = log_block_encode(encoder, spans, count, (const struct log_stream *const *)chunk->streams.items,
                                        chunk->streams.count, index, body, err);
                give_encoder(logs, encoder);
        }
        free(spans);
        return good;
}

/* Packs the oldest chunk and hands it to the archive; then it leaves the list. */
static bool seal_oldest(struct logs *logs, struct partition *partition, struct err *err)
{
        struct log_chunk *chunk = partition->oldest; /* only the owner, who we are, changes the list */
        scoped(buf_done) struct buf index = {0}, body = {0};
        if (!encode(logs, chunk, &index, &body, err))
                return err_within(err, "sealing a block of %zu log records", chunk->rows);
        struct block contents = {.kind = BLOCK_LOGS, .partition = partition->number, .day = chunk->day,
                                 .first_item = chunk->first_id, .last_item = chunk->last_id,
                                 .time_min_ns = chunk->time_min_ns, .time_max_ns = chunk->time_max_ns,
                                 .items = chunk->rows, .raw_bytes = chunk->bytes, .index = buf_str(&index),
                                 .body = buf_str(&body)};
        struct block *block = block_create(&contents, err);
        if (!block)
                return false;
        if (!archive_put(logs->archive, block))
                return fail(err, ERR_CANCELLED, "logs", "the archive is closing; %zu log records stay in the journal",
                            chunk->rows);
        {
                with_lock(&partition->lock);
                partition->oldest = chunk->next;
                if (!partition->oldest)
                        partition->newest = NULL;
        }
        atomic_fetch_sub(&logs->open_records, chunk->rows);
        atomic_fetch_sub(&logs->open_bytes, chunk->bytes);
        atomic_fetch_add(&logs->blocks_sealed, 1);
        log_chunk_unref(chunk);
        return true;
}

static bool seal_closed(struct logs *logs, struct partition *partition, struct err *err)
{
        while (partition->oldest && partition->oldest->closed)
                if (!seal_oldest(logs, partition, err))
                        return false;
        return true;
}

/* One call of logs_add: rows are added unseen, then published at once or taken back. */
struct adding {
        struct partition *partition;
        struct log_chunk *began_at;     /* the open chunk as it was; NULL: none */
        struct log_chunk *fresh, *last; /* chunks made by this call, oldest first; last: where rows go now */
        int64_t day;
        uint64_t bytes;
        uint32_t stream_index[256];     /* streams of the batch that were looked up: index + 1 */
        const struct log_stream *streams[256];
};

static bool next_chunk(struct adding *adding, struct err *err)
{
        struct log_chunk *chunk = log_chunk_create(adding->day, err);
        if (!chunk)
                return false;
        if (adding->fresh)
                adding->last->next = chunk; /* nobody sees it yet */
        else
                adding->fresh = chunk;
        adding->last = chunk;
        memset(adding->stream_index, 0, sizeof adding->stream_index);
        return true;
}

static bool add_record(struct adding *adding, uint64_t id, int64_t received_ns, const struct telemetry *telemetry,
                       const struct log_record *record, struct err *err)
{
        size_t bytes = record->line.length + (record->attributes.count ? log_labels_packed_bytes(&record->attributes) : 0);
        if (!adding->last || adding->last->day != adding->day || log_chunk_is_full(adding->last, bytes))
                if (!next_chunk(adding, err))
                        return false;
        adding->bytes += bytes;
        size_t slot = record->stream % countof(adding->streams);
        if (adding->stream_index[slot] != record->stream + 1) {
                adding->streams[slot] = log_chunk_stream(adding->last, &telemetry->streams.items[record->stream], err);
                if (!adding->streams[slot])
                        return false;
                adding->stream_index[slot] = record->stream + 1;
        }
        return log_chunk_add(adding->last, id, record->time_ns ?: received_ns, adding->streams[slot], record, err);
}

static void take_back(struct adding *adding)
{
        if (adding->began_at)
                log_chunk_back(adding->began_at);
        for (struct log_chunk *chunk = adding->fresh, *next; chunk; chunk = next) {
                next = chunk->next;
                log_chunk_unref(chunk);
        }
}

static void publish(struct adding *adding)
{
        struct partition *partition = adding->partition;
        for (struct log_chunk *chunk = adding->fresh; chunk; chunk = chunk->next) {
                log_chunk_publish(chunk); /* nobody sees it yet */
                chunk->closed = chunk != adding->last;
        }
        with_lock(&partition->lock);
        if (adding->began_at) {
                log_chunk_publish(adding->began_at);
                adding->began_at->closed = adding->fresh != NULL;
                adding->began_at->next = adding->fresh;
        } else {
                partition->oldest = adding->fresh;
        }
        partition->newest = adding->last;
}

static int64_t day_of(int64_t time_ns)
{
        int64_t day_ns = 86400 * NS_PER_S;
        return time_ns / day_ns - (time_ns % day_ns < 0);
}

/* Picks lie all over a batch: asks for what the next rows need while this one is copied. */
static inline void fetch_ahead(const struct telemetry *telemetry, const uint32_t *picks, size_t left)
{
        const struct log_record *records = telemetry->records.items;
        if (left > FETCH_RECORD)
                __builtin_prefetch(&records[picks[FETCH_RECORD]]);
        if (left <= FETCH_LINE)
                return;
        const struct log_record *record = &records[picks[FETCH_LINE]];
        for (size_t at = 0; at < record->line.length && at < FETCH_BYTES; at += 64)
                __builtin_prefetch(record->line.bytes + at);
}

bool logs_add(struct logs *logs, uint16_t partition_number, uint64_t sequence, int64_t received_ns,
              const struct telemetry *telemetry, const uint32_t *picks, size_t pick_count, struct err *err)
{
        struct partition *partition = &logs->partitions[partition_number];
        if (!pick_count)
                return true;
        if (!seal_closed(logs, partition, err)) /* left over from a call that could not */
                return false;
        struct adding adding = {.partition = partition, .began_at = partition->newest, .last = partition->newest,
                                .day = day_of(received_ns)};
        for (size_t i = 0; i < pick_count; i++) {
                const struct log_record *record = &telemetry->records.items[picks[i]];
                fetch_ahead(telemetry, picks + i, pick_count - i);
                if (!add_record(&adding, item_id(sequence, picks[i]), received_ns, telemetry, record, err)) {
                        take_back(&adding);
                        return false;
                }
        }
        publish(&adding);
        atomic_fetch_add(&logs->records, pick_count);
        atomic_fetch_add(&logs->bytes, adding.bytes);
        atomic_fetch_add(&logs->open_records, pick_count);
        atomic_fetch_add(&logs->open_bytes, adding.bytes);
        struct err later; /* the rows are in; a chunk that cannot be sealed now is tried again by the next call */
        seal_closed(logs, partition, &later);
        return true;
}

bool logs_seal(struct logs *logs, uint16_t partition_number, struct err *err)
{
        struct partition *partition = &logs->partitions[partition_number];
        {
                with_lock(&partition->lock);
                if (partition->newest)
                        partition->newest->closed = true;
        }
        return seal_closed(logs, partition, err);
}

bool logs_snapshot_take(struct logs *logs, const bool *partitions, struct arena *arena, struct logs_snapshot *out_snapshot,
                        struct err *err)
{
        *out_snapshot = (struct logs_snapshot){0};
        for (uint16_t p = 0; p < PARTITIONS; p++) {
                struct partition *partition = &logs->partitions[p];
                out_snapshot->open_first[p] = UINT64_MAX;
                if (partitions && !partitions[p])
                        continue;
                with_lock(&partition->lock);
                for (struct log_chunk *chunk = partition->oldest; chunk; chunk = chunk->next) {
                        struct logs_piece *piece = arena_push(arena, &out_snapshot->pieces);
                        if (!piece)
                                return fail_memory(err, "logs", sizeof *piece);
                        *piece = (struct logs_piece){log_chunk_ref(chunk), chunk->published, chunk->first_id,
                                                     chunk->time_min_ns, chunk->time_max_ns, p};
                        out_snapshot->open_first[p] = min_of(out_snapshot->open_first[p], chunk->first_id);
                }
        }
        return true;
}

void logs_snapshot_done(struct logs_snapshot *snapshot)
{
        each (piece, &snapshot->pieces)
                log_chunk_unref(piece->chunk);
        snapshot->pieces.count = 0;
}

void logs_read_stats(struct logs *logs, struct logs_stats *out_stats)
{
        *out_stats = (struct logs_stats){logs->records, logs->bytes, logs->open_records, logs->open_bytes,
                                         logs->blocks_sealed};
}
