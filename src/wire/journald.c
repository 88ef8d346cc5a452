/* journald.c - see journald.h. */
#include "wire/journald.h"

#include "base/clock.h"
#include "base/reader.h"
#include "base/scope.h"
#include "wire/stream.h"

static void pack_text(struct buf *out, struct str text)
{
        buf_varint(out, text.length);
        buf_add(out, text);
}

bool journald_pack(const struct journald_entry *entry, struct buf *out)
{
        scoped(buf_done) struct buf packed = {0};
        buf_varint(&packed, (uint64_t)entry->time_us << 1 ^ (uint64_t)(entry->time_us >> 63));
        buf_u8(&packed, entry->priority);
        buf_varint(&packed, entry->pid);
        pack_text(&packed, entry->identifier);
        pack_text(&packed, entry->unit);
        pack_text(&packed, entry->host);
        pack_text(&packed, entry->message);
        if (packed.failed || !buf_reserve(out, packed.length + 10))
                return false;
        pack_text(out, buf_str(&packed));
        return !out->failed;
}

static struct str read_text(struct reader *reader)
{
        return reader_bytes(reader, reader_varint(reader));
}

static bool read_entry(struct str packed, struct journald_entry *out_entry)
{
        struct reader reader = reader_of(packed);
        uint64_t zigzag = reader_varint(&reader);
        out_entry->time_us = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
        out_entry->priority = reader_u8(&reader);
        out_entry->pid = (uint32_t)reader_varint(&reader);
        out_entry->identifier = read_text(&reader);
        out_entry->unit = read_text(&reader);
        out_entry->host = read_text(&reader);
        out_entry->message = read_text(&reader);
        return !reader.failed;
}

static uint8_t severity_of(uint8_t priority)
{
        static const uint8_t severities[] = {SEVERITY_FATAL, SEVERITY_ALERT,  SEVERITY_CRITICAL, SEVERITY_ERROR,
                                             SEVERITY_WARN,  SEVERITY_NOTICE, SEVERITY_INFO,     SEVERITY_DEBUG};
        return priority < countof(severities) ? severities[priority] : SEVERITY_UNKNOWN;
}

static bool add_pid(struct arena *arena, struct log_record *record, uint32_t pid, struct err *err)
{
        struct label *attribute = pid ? arena_push(arena, &record->attributes) : NULL;
        if (!pid)
                return true;
        if (!attribute)
                return fail_memory(err, "journald", sizeof *attribute);
        *attribute = (struct label){STR("pid"), arena_printf(arena, "%u", pid)};
        return attribute->value.bytes ? true : fail_memory(err, "journald", 11);
}

bool journald_decode(struct batch *batch, struct err *err)
{
        struct reader reader = reader_of(batch->bytes);
        struct journald_entry entry = {0}, before = {0};
        uint32_t stream = UINT32_MAX;
        while (reader_left(&reader)) {
                size_t at = (size_t)(reader.next - batch->bytes.bytes);
                if (!read_entry(read_text(&reader), &entry) || reader.failed)
                        return fail(err, ERR_INVALID, "journald", "the packed entry at byte %zu of %zu is damaged", at, batch->bytes.length);
                if (stream == UINT32_MAX || !str_equal(entry.identifier, before.identifier) || !str_equal(entry.unit, before.unit) ||
                    !str_equal(entry.host, before.host)) { /* entries of one program mostly come together */
                        struct label labels[] = {{STR("host"), entry.host}, {STR("service"), entry.identifier},
                                                 {STR("unit"), entry.unit}, {STR("source"), STR("journald")}};
                        stream = stream_of(batch, labels, countof(labels), err);
                        before = entry;
                }
                struct log_record *record = stream != UINT32_MAX ? stream_record(batch, stream, entry.message, err) : NULL;
                if (!record || !add_pid(&batch->arena, record, entry.pid, err))
                        return false;
                record->severity = severity_of(entry.priority);
                if (__builtin_mul_overflow(entry.time_us, NS_PER_US, &record->time_ns))
                        record->time_ns = 0;
        }
        return true;
}
