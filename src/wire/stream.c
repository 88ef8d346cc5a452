/* stream.c - see stream.h. Decoders remember the stream of what they saw before; this is for the first of each. */
#include "wire/stream.h"

#include "base/scope.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes that are not ASCII are all replaced when any of them is wrong: rare, and the exact bytes are in the line. */
static struct str clean_value(struct arena *arena, struct str value)
{
        if (value.length > LABEL_BYTES_MAX)
                value.length = LABEL_BYTES_MAX;
        if (str_is_utf8(value))
                return value;
        char *copy = arena_alloc(arena, value.length);
        for (size_t i = 0; copy && i < value.length; i++)
                copy[i] = (unsigned char)value.bytes[i] < 0x80 ? value.bytes[i] : '?';
        return (struct str){copy, copy ? value.length : 0};
}

static bool has_name(const struct label *items, size_t count, struct str name)
{
        for (size_t i = 0; i < count; i++)
                if (str_equal(items[i].name, name))
                        return true;
        return false;
}

uint32_t stream_of(struct batch *batch, const struct label *labels, size_t count, struct err *err)
{
        size_t room = count + batch->labels.count, used = 0;
        struct label *items = arena_array(&batch->arena, room ? room : 1, sizeof *items);
        if (!items) {
                fail_memory(err, "wire", room * sizeof *items);
                return UINT32_MAX;
        }
        for (size_t i = 0; i < count; i++) {
                struct str value = clean_value(&batch->arena, labels[i].value);
                if (value.length && !has_name(items, used, labels[i].name))
                        items[used++] = (struct label){labels[i].name, value};
        }
        each (label, &batch->labels)
                if (!has_name(items, used, label->name))
                        items[used++] = *label;
        struct labels made = {items, used, room};
        return telemetry_stream(&batch->telemetry, &made, err);
}

void stream_expect(struct batch *batch, size_t records)
{
        struct log_record *items = batch->telemetry.records.count ? NULL : arena_alloc(&batch->arena, records * sizeof *items);
        if (!items)
                return;
        batch->telemetry.records.items = items;
        batch->telemetry.records.capacity = records;
}

struct log_record *stream_record(struct batch *batch, uint32_t stream, struct str line, struct err *err)
{
        if (batch->telemetry.records.count >= (size_t)1 << ITEM_ORDINAL_BITS) { /* intake refuses it later: spend no memory on it */
                fail(err, ERR_TOO_LARGE, "wire", "a batch of more than %d records; send smaller ones", 1 << ITEM_ORDINAL_BITS);
                return NULL;
        }
        struct log_record *record = arena_push(&batch->arena, &batch->telemetry.records);
        if (!record) {
                fail_memory(err, "wire", sizeof *record);
                return NULL;
        }
        record->stream = stream;
        record->line = line;
        return record;
}

void stream_reject(struct batch *batch, uint64_t count, const char *format, ...)
{
        batch->telemetry.rejected += count;
        if (batch->telemetry.rejected_why.length)
                return;
        char why[400];
        va_list args;
        va_start(args, format);
        int length = vsnprintf(why, sizeof why, format, args);
        va_end(args);
        if (length > 0)
                batch->telemetry.rejected_why =
                        arena_str(&batch->arena, (struct str){why, min_of((size_t)length, sizeof why - 1)});
}
