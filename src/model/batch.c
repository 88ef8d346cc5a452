/* batch.c - see batch.h. Payload: varint format, then for source, packed labels, settings, cursor and bytes a varint
 * length and the bytes, then u64 received_ns. */
#include "model/batch.h"

#include "base/json.h"
#include "base/reader.h"
#include "base/scope.h"

#include <stdlib.h>

#define BATCH_ARENA_BYTES_MAX ((size_t)1 << 30)

struct batch *batch_create(uint16_t format, struct str source, struct err *err)
{
        struct batch *batch = calloc(1, sizeof *batch);
        if (!batch) {
                fail_memory(err, "batch", sizeof *batch);
                return NULL;
        }
        arena_init(&batch->arena, BATCH_ARENA_BYTES_MAX);
        batch->format = format;
        batch->telemetry.arena = &batch->arena;
        batch->source = arena_str(&batch->arena, source);
        if (!batch->source.bytes) {
                fail_memory(err, "batch", source.length);
                batch_destroy(batch);
                return NULL;
        }
        return batch;
}

void batch_destroy(struct batch *batch)
{
        if (!batch)
                return;
        json_decref(batch->tree);
        arena_done(&batch->arena);
        free(batch);
}

struct json_t *batch_json(const struct batch *batch, struct err *err)
{
        return batch->tree ? json_incref(batch->tree) : json_parse(batch->bytes, err);
}

static void pack_part(struct buf *out, struct str part)
{
        buf_varint(out, part.length);
        buf_add(out, part);
}

bool batch_pack(const struct batch *batch, struct buf *out)
{
        scoped(buf_done) struct buf labels = {0};
        if (!labels_pack(&batch->labels, &labels))
                return false;
        buf_varint(out, batch->format);
        pack_part(out, batch->source);
        pack_part(out, buf_str(&labels));
        pack_part(out, batch->settings);
        pack_part(out, batch->cursor);
        pack_part(out, batch->bytes);
        return buf_u64(out, (uint64_t)batch->received_ns);
}

static struct str unpack_part(struct reader *reader, struct arena *arena, bool *no_memory)
{
        struct str part = reader_bytes(reader, reader_varint(reader));
        struct str copy = arena_str(arena, part);
        *no_memory |= !copy.bytes;
        return copy;
}

struct batch *batch_unpack(struct str payload, struct err *err)
{
        struct reader reader = reader_of(payload);
        uint64_t format = reader_varint(&reader);
        struct str source = reader_bytes(&reader, reader_varint(&reader));
        struct batch *batch = batch_create((uint16_t)format, source, err);
        if (!batch)
                return NULL;
        bool no_memory = false;
        struct str labels = unpack_part(&reader, &batch->arena, &no_memory);
        batch->settings = unpack_part(&reader, &batch->arena, &no_memory);
        batch->cursor = unpack_part(&reader, &batch->arena, &no_memory);
        batch->bytes = unpack_part(&reader, &batch->arena, &no_memory);
        batch->received_ns = (int64_t)reader_u64(&reader);
        bool good = true;
        if (no_memory)
                good = fail_memory(err, "batch", payload.length);
        else if (reader.failed || format > UINT16_MAX)
                good = fail(err, ERR_CORRUPT, "batch", "a batch of %zu bytes is cut short", payload.length);
        if (!good || !labels_unpack(labels, &batch->arena, &batch->labels, err)) {
                batch_destroy(batch);
                return NULL;
        }
        return batch;
}
