/*
 * segment.c - see segment.h. The reader walks the file through one window that it fills forwards; only an entry
 * larger than the window makes it grow. Whatever does not pass its checksum is "no entry here"; what that means (the
 * end, a torn tail, damage) the journal decides.
 */
#include "store/segment.h"

#include "base/hash.h"
#include "base/scope.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MARK 0x454B5645u /* "EVKE" */
#define WINDOW_BYTES ((size_t)1 << 20)

static const char segment_mark[8] = "EVKJRNL\n";

static void put_u16(char *at, uint16_t value)
{
        value = htole16(value);
        memcpy(at, &value, sizeof value);
}

static void put_u32(char *at, uint32_t value)
{
        value = htole32(value);
        memcpy(at, &value, sizeof value);
}

static void put_u64(char *at, uint64_t value)
{
        value = htole64(value);
        memcpy(at, &value, sizeof value);
}

static uint16_t get_u16(const char *at)
{
        uint16_t value;
        memcpy(&value, at, sizeof value);
        return le16toh(value);
}

static uint32_t get_u32(const char *at)
{
        uint32_t value;
        memcpy(&value, at, sizeof value);
        return le32toh(value);
}

static uint64_t get_u64(const char *at)
{
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return le64toh(value);
}

void segment_put_head(char out_bytes[static SEGMENT_HEAD_BYTES], const struct segment_head *head)
{
        memset(out_bytes, 0, SEGMENT_HEAD_BYTES);
        memcpy(out_bytes, segment_mark, sizeof segment_mark);
        put_u32(out_bytes + 8, SEGMENT_VERSION);
        put_u32(out_bytes + 12, SEGMENT_HEAD_BYTES);
        put_u64(out_bytes + 16, head->first_sequence);
        put_u64(out_bytes + 24, (uint64_t)head->created_ns);
        put_u64(out_bytes + 32, head->salt);
        put_u64(out_bytes + 56, hash64((struct str){out_bytes, 56}));
}

void entry_put_head(char out_bytes[static ENTRY_HEAD_BYTES], const struct entry_head *head, uint64_t salt)
{
        put_u64(out_bytes + 8, head->payload_hash);
        put_u64(out_bytes + 16, head->sequence);
        put_u64(out_bytes + 24, (uint64_t)head->time_ns);
        put_u64(out_bytes + 32, head->committed);
        put_u32(out_bytes + 40, ENTRY_MARK);
        put_u32(out_bytes + 44, head->payload_bytes);
        put_u64(out_bytes + 48, 0);
        put_u16(out_bytes + 48, head->kind);
        put_u64(out_bytes, hash64_seeded((struct str){out_bytes + 8, ENTRY_HEAD_BYTES - 8}, salt));
}

static bool entry_get_head(const char *bytes, uint64_t salt, struct entry_head *out_head)
{
        if (get_u32(bytes + 40) != ENTRY_MARK ||
            get_u64(bytes) != hash64_seeded((struct str){bytes + 8, ENTRY_HEAD_BYTES - 8}, salt))
                return false;
        *out_head = (struct entry_head){
                .payload_hash = get_u64(bytes + 8),
                .sequence = get_u64(bytes + 16),
                .time_ns = (int64_t)get_u64(bytes + 24),
                .committed = get_u64(bytes + 32),
                .payload_bytes = get_u32(bytes + 44),
                .kind = get_u16(bytes + 48),
        };
        return true;
}

/* Gives count bytes of the file at the offset, which must lie within its size. */
static bool look(struct segment_reader *reader, uint64_t offset, size_t count, const char **out_bytes, struct err *err)
{
        if (offset < reader->window_offset || offset + count > reader->window_offset + reader->window.length) {
                uint64_t window = max_of(count, WINDOW_BYTES);
                size_t wanted = (size_t)min_of(window, reader->size - offset);
                buf_clear(&reader->window);
                if (!buf_reserve(&reader->window, wanted))
                        return fail_memory(err, "journal", wanted);
                if (!disk_read(reader->file, reader->window.bytes, wanted, offset, &reader->window.length, err))
                        return false;
                reader->window_offset = offset;
                if (reader->window.length < count)
                        return fail(err, ERR_IO, "journal", "reading %s at %llu: the file became shorter meanwhile",
                                    reader->path, (unsigned long long)offset);
        }
        *out_bytes = reader->window.bytes + (offset - reader->window_offset);
        return true;
}

static bool check_head(struct segment_reader *reader, uint64_t first_sequence, struct err *err)
{
        const char *bytes = NULL;
        if (reader->size < SEGMENT_HEAD_BYTES)
                return fail(err, ERR_CORRUPT, "journal", "%s holds only %llu bytes; " SEGMENT_ADVICE, reader->path,
                            (unsigned long long)reader->size);
        if (!look(reader, 0, SEGMENT_HEAD_BYTES, &bytes, err))
                return false;
        if (memcmp(bytes, segment_mark, sizeof segment_mark) == 0 && get_u32(bytes + 8) > SEGMENT_VERSION)
                return fail(err, ERR_UNSUPPORTED, "journal", "%s was written by a newer version (format %u, this program "
                            "knows %u); use that version", reader->path, get_u32(bytes + 8), SEGMENT_VERSION);
        if (memcmp(bytes, segment_mark, sizeof segment_mark) != 0 || get_u64(bytes + 56) != hash64((struct str){bytes, 56}) ||
            get_u32(bytes + 12) != SEGMENT_HEAD_BYTES || get_u64(bytes + 16) != first_sequence)
                return fail(err, ERR_CORRUPT, "journal", "%s is damaged at offset 0 (its head); " SEGMENT_ADVICE,
                            reader->path);
        reader->head = (struct segment_head){first_sequence, (int64_t)get_u64(bytes + 24), get_u64(bytes + 32)};
        reader->offset = SEGMENT_HEAD_BYTES;
        return true;
}

bool segment_open(struct segment_reader *reader, struct disk *disk, const char *path, uint64_t first_sequence,
                  struct err *err)
{
        *reader = (struct segment_reader){.path = path};
        reader->file = disk_open(disk, path, DISK_READ, err);
        if (reader->file && disk_size(reader->file, &reader->size, err) && check_head(reader, first_sequence, err))
                return true;
        segment_close(reader);
        return false;
}

void segment_close(struct segment_reader *reader)
{
        disk_close(reader->file);
        buf_done(&reader->window);
        *reader = (struct segment_reader){0};
}

bool segment_next(struct segment_reader *reader, uint64_t sequence, struct entry *out_entry, bool *out_found,
                  struct err *err)
{
        const char *bytes = NULL;
        struct entry_head head;
        *out_found = false;
        if (reader->size - reader->offset < ENTRY_HEAD_BYTES)
                return true;
        if (!look(reader, reader->offset, ENTRY_HEAD_BYTES, &bytes, err))
                return false;
        if (!entry_get_head(bytes, reader->head.salt, &head) || head.sequence != sequence ||
            head.payload_bytes > JOURNAL_PAYLOAD_BYTES_MAX ||
            reader->size - reader->offset < ENTRY_HEAD_BYTES + (uint64_t)head.payload_bytes)
                return true;
        if (!look(reader, reader->offset, ENTRY_HEAD_BYTES + head.payload_bytes, &bytes, err))
                return false;
        struct str payload = {bytes + ENTRY_HEAD_BYTES, head.payload_bytes};
        if (hash64(payload) != head.payload_hash)
                return true;
        *out_entry = (struct entry){head.sequence, head.time_ns, head.kind, payload};
        *out_found = true;
        reader->committed = head.committed;
        reader->offset = min_of(reader->offset + entry_padded(head.payload_bytes), reader->size);
        return true;
}

bool segment_find(struct segment_reader *reader, uint64_t sequence_min, uint64_t committed_min, bool *out_found,
                  uint64_t *out_sequence, struct err *err)
{
        const char *bytes = NULL;
        struct entry_head head;
        *out_found = false;
        for (uint64_t offset = (reader->offset + 7) & ~UINT64_C(7); offset + ENTRY_HEAD_BYTES <= reader->size; offset += 8) {
                if (!look(reader, offset, ENTRY_HEAD_BYTES, &bytes, err))
                        return false;
                if (get_u32(bytes + 40) == ENTRY_MARK && entry_get_head(bytes, reader->head.salt, &head) &&
                    head.sequence >= sequence_min && head.sequence < UINT64_MAX && head.committed >= committed_min) {
                        *out_found = true;
                        *out_sequence = head.sequence;
                        reader->offset = offset;
                        return true;
                }
        }
        return true;
}

bool segment_tail(struct segment_reader *reader, uint64_t *out_bytes, struct err *err)
{
        uint64_t last = reader->offset;
        for (uint64_t offset = reader->offset; offset < reader->size;) {
                size_t count = (size_t)min_of((uint64_t)WINDOW_BYTES, reader->size - offset);
                const char *bytes = NULL;
                if (!look(reader, offset, count, &bytes, err))
                        return false;
                bool zeros = bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
                for (size_t left = zeros ? 0 : count; left > 0; left--)
                        if (bytes[left - 1]) {
                                last = offset + left;
                                break;
                        }
                offset += count;
        }
        *out_bytes = last - reader->offset;
        return true;
}
