/*
 * log_chunk.c - see log_chunk.h.
 *
 * Segments begin small, because most of 256 partitions are quiet, and double; a partition that is not written to costs
 * nothing. When memory runs out in the middle of a batch, the rows since the last publish are taken back.
 */
#include "store/log_chunk.h"

#include "base/scope.h"
#include "store/skeleton.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_ROWS 32u
#define ROWS_MAX 1024u
#define FIRST_TEXT ((size_t)4 << 10)
#define TEXT_MAX ((size_t)128 << 10)

struct log_chunk *log_chunk_create(int64_t day, struct err *err)
{
        struct log_chunk *chunk = calloc(1, sizeof *chunk);
        if (!chunk) {
                fail_memory(err, "logs", sizeof *chunk);
                return NULL;
        }
        atomic_init(&chunk->references, 1);
        chunk->day = day;
        arena_init(&chunk->arena, 0);
        return chunk;
}

struct log_chunk *log_chunk_ref(struct log_chunk *chunk)
{
        atomic_fetch_add_explicit(&chunk->references, 1, memory_order_relaxed);
        return chunk;
}

static void free_segments(struct log_segment *segment)
{
        while (segment) {
                struct log_segment *next = segment->next;
                free(segment->text);
                free(segment->entries);
                free(segment);
                segment = next;
        }
}

void log_chunk_unref(struct log_chunk *chunk)
{
        if (!chunk || atomic_fetch_sub_explicit(&chunk->references, 1, memory_order_acq_rel) > 1)
                return;
        free_segments(chunk->first);
        map_done(&chunk->stream_map);
        arena_done(&chunk->arena);
        free(chunk);
}

static size_t packed_bytes(struct str text)
{
        size_t bytes = text.length + 1;
        for (size_t rest = text.length >> 7; rest; rest >>= 7)
                bytes++;
        return bytes;
}

size_t log_labels_packed_bytes(const struct labels *labels)
{
        size_t bytes = 0;
        each (label, labels)
                bytes += packed_bytes(label->name) + packed_bytes(label->value);
        return bytes;
}

static char *put_varint(char *to, size_t value)
{
        for (; value >= 0x80; value >>= 7)
                *to++ = (char)(value | 0x80);
        *to++ = (char)value;
        return to;
}

static char *put_text(char *to, struct str text)
{
        to = put_varint(to, text.length);
        if (text.length)
                memcpy(to, text.bytes, text.length);
        return to + text.length;
}

static char *put_labels(char *to, const struct labels *labels)
{
        each (label, labels)
                to = put_text(put_text(to, label->name), label->value);
        return to;
}

static const struct log_stream *add_stream(struct log_chunk *chunk, struct str packed, uint64_t hash, struct err *err)
{
        struct log_stream *stream = arena_alloc(&chunk->arena, sizeof *stream + packed.length); /* found by few cache lines */
        struct str copy = {stream ? memcpy(stream + 1, packed.bytes ?: "", packed.length) : NULL, packed.length};
        if (!stream || !labels_unpack(copy, &chunk->arena, &stream->labels, err))
                goto no_memory;
        stream->packed = copy;
        stream->number = (uint32_t)chunk->streams.count;
        if (!map_put(&chunk->stream_map, hash, stream->number))
                goto no_memory;
        struct log_stream **place = arena_push(&chunk->arena, &chunk->streams);
        if (!place) {
                map_remove(&chunk->stream_map, hash, stream->number);
                goto no_memory;
        }
        chunk->bytes += sizeof *stream + packed.length + stream->labels.count * sizeof *stream->labels.items;
        return *place = stream;
no_memory:
        fail_memory(err, "logs", packed.length + sizeof *stream);
        return NULL;
}

static const struct log_stream *find_stream(struct log_chunk *chunk, struct str packed, struct err *err)
{
        uint64_t hash = hash64(packed);
        size_t at;
        for (uint32_t i = map_first(&chunk->stream_map, hash, &at); i != MAP_NONE;
             i = map_next(&chunk->stream_map, hash, &at))
                if (str_equal(chunk->streams.items[i]->packed, packed))
                        return chunk->streams.items[i];
        return add_stream(chunk, packed, hash, err);
}

/* Packs into a room while it fits; NULL: it does not. */
static char *put_labels_within(char *to, const char *end, const struct labels *labels)
{
        each (label, labels) {
                if ((size_t)(end - to) < label->name.length + label->value.length + 20)
                        return NULL;
                to = put_text(put_text(to, label->name), label->value);
        }
        return to;
}

const struct log_stream *log_chunk_stream(struct log_chunk *chunk, const struct labels *labels, struct err *err)
{
        char room[1024];
        char *end = put_labels_within(room, room + sizeof room, labels);
        if (end)
                return find_stream(chunk, (struct str){room, (size_t)(end - room)}, err);
        scoped(buf_done) struct buf packed = {0};
        if (!labels_pack(labels, &packed)) {
                fail_memory(err, "logs", packed.length);
                return NULL;
        }
        return find_stream(chunk, buf_str(&packed), err);
}

static struct log_segment *add_segment(struct log_chunk *chunk, size_t text_bytes)
{
        struct log_segment *last = chunk->last, *segment = calloc(1, sizeof *segment);
        if (!segment)
                return NULL;
        segment->capacity = last ? min_of(last->capacity * 2, ROWS_MAX) : FIRST_ROWS;
        size_t usual = last ? min_of(last->text_capacity * 2, TEXT_MAX) : FIRST_TEXT;
        segment->text_capacity = max_of(usual, text_bytes + SKELETON_SLACK);
        segment->entries = malloc(segment->capacity * sizeof *segment->entries);
        segment->text = malloc(segment->text_capacity);
        if (!segment->entries || !segment->text) {
                free_segments(segment);
                return NULL;
        }
        if (last)
                last->next = segment;
        else
                chunk->first = segment;
        return chunk->last = segment;
}

bool log_chunk_is_full(const struct log_chunk *chunk, size_t bytes)
{
        return chunk->rows && (chunk->rows >= LOG_BLOCK_RECORDS_MAX || chunk->bytes + bytes > LOG_BLOCK_BYTES_MAX);
}

bool log_chunk_add(struct log_chunk *chunk, uint64_t id, int64_t time_ns, const struct log_stream *stream,
                   const struct log_record *record, struct err *err)
{
        size_t attributes = record->attributes.count ? log_labels_packed_bytes(&record->attributes) : 0;
        size_t bytes = record->line.length + attributes;
        assert(bytes <= UINT32_MAX); /* a batch is far smaller */
        struct log_segment *segment = chunk->last;
        uint32_t count = segment ? atomic_load_explicit(&segment->count, memory_order_relaxed) : 0;
        if (!segment || count == segment->capacity || segment->text_capacity - segment->text_used < bytes + SKELETON_SLACK) {
                if (!(segment = add_segment(chunk, bytes)))
                        return fail_memory(err, "logs", bytes);
                count = 0;
        }
        char *text = segment->text + segment->text_used;
        if (record->line.length)
                memcpy(text, record->line.bytes, record->line.length);
        if (attributes)
                put_labels(text + record->line.length, &record->attributes);
        segment->entries[count] = (struct log_entry){id, time_ns, stream, text, (uint32_t)record->line.length,
                                                     (uint32_t)attributes, record->severity};
        segment->text_used += bytes;
        chunk->rows++;
        chunk->bytes += bytes;
        atomic_store_explicit(&segment->count, count + 1, memory_order_relaxed);
        return true;
}

static void widen(struct log_chunk *chunk, const struct log_entry *entry)
{
        bool first = chunk->published == 0;
        chunk->first_id = first ? entry->id : chunk->first_id;
        chunk->last_id = entry->id;
        chunk->time_min_ns = first ? entry->time_ns : min_of(chunk->time_min_ns, entry->time_ns);
        chunk->time_max_ns = first ? entry->time_ns : max_of(chunk->time_max_ns, entry->time_ns);
        chunk->published++;
}

void log_chunk_publish(struct log_chunk *chunk)
{
        struct log_segment *segment = chunk->mark.last ?: chunk->first;
        for (uint32_t from = chunk->mark.last ? chunk->mark.last_count : 0; segment; segment = segment->next, from = 0)
                for (uint32_t i = from; i < atomic_load_explicit(&segment->count, memory_order_relaxed); i++)
                        widen(chunk, &segment->entries[i]);
        chunk->mark = (struct log_mark){.last = chunk->last, .rows = chunk->rows, .bytes = chunk->bytes};
        if (chunk->last) {
                chunk->mark.last_count = atomic_load_explicit(&chunk->last->count, memory_order_relaxed);
                chunk->mark.text_used = chunk->last->text_used;
        }
}

void log_chunk_back(struct log_chunk *chunk)
{
        struct log_segment *last = chunk->mark.last;
        free_segments(last ? last->next : chunk->first);
        chunk->last = last;
        if (last) {
                last->next = NULL;
                last->text_used = chunk->mark.text_used;
                atomic_store_explicit(&last->count, chunk->mark.last_count, memory_order_relaxed);
        } else {
                chunk->first = NULL;
        }
        chunk->rows = chunk->mark.rows;
        chunk->bytes = chunk->mark.bytes;
}

size_t log_chunk_segments(const struct log_chunk *chunk, size_t rows)
{
        return log_chunk_spans(chunk, rows, NULL);
}

size_t log_chunk_spans(const struct log_chunk *chunk, size_t rows, struct log_span *out_spans)
{
        size_t spans = 0;
        for (const struct log_segment *segment = chunk->first; rows; spans++) {
                size_t count = min_of(rows, (size_t)atomic_load_explicit(&segment->count, memory_order_relaxed));
                if (out_spans)
                        out_spans[spans] = (struct log_span){segment->entries, count};
                if (rows -= count)
                        segment = segment->next;
        }
        return spans;
}
