/* journal_fuzz - any bytes as the last segment: entries in order, or a clear error; with and without skipping damage.
 * The first byte says whether heads get right checksums first, so that the walk behind them is reached too. */
#include "base/scope.h"
#include "store/disk_forgetful.h"
#include "store/journal.h"
#include "store/segment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static uint64_t fixed_u64(const char *at)
{
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return value;
}

/* Gives each head the checksum it should have, walking by the lengths they tell. */
static void mend(char *bytes, size_t count)
{
        if (count < SEGMENT_HEAD_BYTES)
                return;
        struct segment_head head = {1, (int64_t)fixed_u64(bytes + 24), fixed_u64(bytes + 32)};
        segment_put_head(bytes, &head);
        for (size_t at = SEGMENT_HEAD_BYTES; at + ENTRY_HEAD_BYTES <= count;) {
                struct entry_head entry = {
                        .payload_hash = fixed_u64(bytes + at + 8),
                        .sequence = fixed_u64(bytes + at + 16),
                        .time_ns = (int64_t)fixed_u64(bytes + at + 24),
                        .committed = fixed_u64(bytes + at + 32),
                        .payload_bytes = (uint32_t)(fixed_u64(bytes + at + 40) >> 32),
                        .kind = (uint16_t)fixed_u64(bytes + at + 48),
                };
                entry_put_head(bytes + at, &entry, head.salt);
                at += entry_padded(entry.payload_bytes);
        }
}

struct seen {
        uint64_t last;
        int64_t bytes;
};

static bool see(void *context, const struct entry *entry, struct err *err)
{
        struct seen *seen = context;
        (void)err;
        if (entry->sequence <= seen->last)
                abort();
        seen->last = entry->sequence;
        for (size_t i = 0; i < entry->payload.length; i++)
                seen->bytes += entry->payload.bytes[i];
        return true;
}

static void open_and_replay(struct disk *disk, bool skip_damage)
{
        struct clock clock;
        struct journal *journal;
        struct seen seen = {0};
        struct err err = {0};
        clock_init_virtual(&clock, 0);
        bool good = journal_open(disk, "/data", &clock, &(struct journal_options){.skip_damage = skip_damage}, &journal, &err);
        if (good) {
                good = journal_replay(journal, 0, see, &seen, &err);
                journal_close(journal);
        }
        if (!good && (err.message[0] == 0 || (skip_damage && err.code == ERR_CORRUPT)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        if (count == 0)
                return 0;
        struct disk *disk = disk_forgetful_create();
        char *segment = malloc(count);
        memcpy(segment, bytes + 1, count - 1);
        if (bytes[0] & 1)
                mend(segment, count - 1);
        disk_make_directory(disk, "/data/journal", NULL);
        struct disk_file *file = disk_open(disk, "/data/journal/0000000000000001.seg", DISK_CREATE, NULL);
        disk_write(file, segment, count - 1, 0, NULL);
        disk_close(file);
        open_and_replay(disk, false);
        open_and_replay(disk, true);
        disk_forgetful_destroy(disk);
        free(segment);
        return 0;
}
