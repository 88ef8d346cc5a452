/* story_store.c - stories of the store: the journal, the archive, and telemetry from adding to asking. */
#include "story.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/scope.h"
#include "model/batch.h"
#include "store/archive.h"
#include "store/disk_forgetful.h"
#include "store/journal.h"
#include "store/logs.h"
#include "store/series.h"
#include "wire/exposition.h"
#include "wire/syslog.h"

#include <stdlib.h>
#include <string.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define DAY (START_NS / (86400 * NS_PER_S))
#define DAY_NS (86400 * NS_PER_S)

/* --- the journal: append, trim, replay ------------------------------------------------------------------------------ */

#define ENTRIES 10
#define ENTRY_BYTES 900
#define TRIM_BELOW 5

struct kept {
        struct append append;
        uint64_t sequence; /* 0: not committed */
        bool answered;
};

static struct clock virtual_clock;
static struct journal *journal;
static struct kept kept[ENTRIES];
static char payload[ENTRIES][ENTRY_BYTES];
static const struct journal_options small_segments = {.segment_bytes = 4096, .reserve_bytes = 4096};

void begin_journal(void)
{
        world_begin();
        clock_init_virtual(&virtual_clock, START_NS);
        memset(kept, 0, sizeof kept);
        for (int i = 0; i < ENTRIES; i++)
                memset(payload[i], 'a' + i, ENTRY_BYTES);
}

static void note_answer(struct append *append, const struct entry *entry, const struct err *err)
{
        struct kept *one = (struct kept *)append;
        if (one->answered)
                broken("an append was answered twice");
        if (!entry)
                step_failed("appending", err);
        one->answered = true;
        one->sequence = entry ? entry->sequence : 0;
}

/* Tries until it is taken: after a fault the journal refuses for a second. */
static void append(int number)
{
        struct err err = {0};
        for (int tries = 0; tries < 4 && !kept[number].sequence; tries++) {
                kept[number] = (struct kept){.append = {.kind = ENTRY_BATCH, .payload = {payload[number], ENTRY_BYTES}, .done = note_answer}};
                if (!journal_append(journal, &kept[number].append, &err)) {
                        step_failed("appending", &err);
                        kept[number].answered = true;
                }
                journal_commit_now(journal);
                if (!kept[number].answered)
                        broken("an append was not answered");
                if (!kept[number].sequence)
                        clock_advance(&virtual_clock, 2 * NS_PER_S);
                journal_commit_now(journal);
        }
        if (!kept[number].sequence)
                broken("entry %d is never taken: %s", number, err.message);
}

/* Every acknowledged entry comes once, with its bytes. */
static bool check_entry(void *context, const struct entry *entry, struct err *err)
{
        (void)err;
        int *next = context;
        while (*next < ENTRIES && kept[*next].sequence < entry->sequence)
                if (kept[(*next)++].sequence >= TRIM_BELOW)
                        broken("entry %d was acknowledged and is gone", *next - 1);
        if (*next < ENTRIES && kept[*next].sequence == entry->sequence) {
                if (!str_equal(entry->payload, (struct str){payload[*next], ENTRY_BYTES}))
                        broken("entry %d has other bytes", *next);
                ++*next;
        }
        return true;
}

static void open_journal(void)
{
        insist(journal_open(world.disk, FOLDER, &virtual_clock, &small_segments, &journal, &err));
}

static void replay(uint64_t from)
{
        int next;
        insist((next = 0, journal_replay(journal, from, check_entry, &next, &err)));
        if (next < ENTRIES && kept[next].sequence)
                broken("entry %d was acknowledged and is not replayed", next);
}

void live_journal(void)
{
        open_journal();
        for (int i = 0; i < ENTRIES; i++)
                append(i);
        insist(journal_trim(journal, TRIM_BELOW, &err));
        journal_close(journal);
        open_journal();
        replay(TRIM_BELOW);
        journal_close(journal);
}

void end_journal(void)
{
        disk_crash(world.memory, world.seed);
        open_journal();
        replay(TRIM_BELOW);
        memset(&kept[0], 0, sizeof kept[0]);
        append(0);
        journal_close(journal);
        world_end();
}

/* --- the archive: store, read, keep ---------------------------------------------------------------------------------- */

static struct archive *archive;

void begin_archive(void)
{
        world_begin();
}

static void open_archive(void)
{
        insist(archive_open(world.disk, FOLDER, VFS, &archive, &err));
}

static void put_block(uint16_t partition, int64_t day, uint64_t sequence)
{
        struct new_series series = {.id = (uint32_t)partition << 20 | (uint32_t)sequence, .name = STR("up"), .packed_labels = STR("\x08__name__\x02up")};
        struct block contents = {.kind = BLOCK_METRICS, .partition = partition, .day = day, .first_item = item_id(sequence, 0),
                                 .last_item = item_id(sequence, 9), .time_min_ns = day * DAY_NS, .time_max_ns = day * DAY_NS + 9,
                                 .items = 10, .raw_bytes = 100, .index = STR("index"), .body = STR("body"), .series = &series, .series_count = 1};
        struct block *block = NULL;
        insist((block = block_create(&contents, &err)));
        if (!archive_put(archive, block))
                broken("the archive says that it is closing");
}

static bool count_block(void *context, const struct block *block, struct err *err)
{
        (void)err;
        if (!str_is(block->index, "index") || !str_is(block->body, "body"))
                broken("a block has other bytes");
        ++*(size_t *)context;
        return true;
}

static bool count_series(void *context, int64_t day, uint32_t id, struct str packed_labels, struct err *err)
{
        (void)day, (void)id, (void)err;
        *(size_t *)context += packed_labels.length == 12;
        return true;
}

static void expect_blocks(size_t wanted)
{
        size_t blocks, series;
        struct archive_range range = {.kind = BLOCK_METRICS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        insist((blocks = 0, archive_visit(archive, &range, NULL, count_block, &blocks, &err)));
        insist((series = 0, archive_visit_series(archive, INT64_MIN, INT64_MAX, STR("up"), count_series, &series, &err)));
        if (blocks != wanted || series < wanted)
                broken("%zu blocks and %zu series where %zu are", blocks, series, wanted);
}

void live_archive(void)
{
        uint64_t removed = 0, removed_now = 0;
        open_archive();
        put_block(1, DAY, 5);
        put_block(2, DAY + 1, 6);
        expect_blocks(2);
        insist(archive_flush(archive, &err));
        put_block(1, DAY + 1, 7);
        insist(archive_flush(archive, &err));
        expect_blocks(3);
        insist(archive_retain(archive, DAY + 1, 0, &removed_now, &err) && (removed += removed_now, true));
        expect_blocks(2);
        archive_close(archive);
        open_archive();
        insist(archive_drop_after(archive, 6, &err));
        expect_blocks(1);
        archive_close(archive);
}

void end_archive(void)
{
        disk_kill(world.memory);
        open_archive();
        expect_blocks(1);
        archive_close(archive);
        disk_crash(world.memory, world.seed); /* what was dropped may come back, and the removed day */
        open_archive();
        insist(archive_retain(archive, DAY + 1, 0, NULL, &err) && archive_drop_after(archive, 6, &err));
        expect_blocks(1);
        archive_close(archive);
        world_end();
}

/* --- telemetry: add, seal, ask --------------------------------------------------------------------------------------- */

static struct logs *logs;
static struct series_store *series;
static struct batch *lines, *samples;

static struct batch *decoded(decode_fn *decode, struct str bytes)
{
        struct err err = {0};
        struct batch *batch = batch_create(1, STR("story"), &err);
        batch->bytes = bytes;
        batch->received_ns = START_NS;
        batch->telemetry.arena = &batch->arena;
        if (!decode(batch, &err))
                broken("%s", err.message);
        return batch;
}

void begin_telemetry(void)
{
        world_begin();
        lines = decoded(syslog_decode, STR("<13>1 2026-01-01T00:00:00Z web nginx 1 - [a b=\"c\"] hello\n<13>1 2026-01-01T00:00:01Z web nginx 1 - - hello again\n"
                                           "<14>1 2026-01-01T00:00:02Z db su - - - who 1234\n"));
        samples = decoded(exposition_decode, STR("a{x=\"1\"} 2\na{x=\"2\"} 3\nb 3 1767225601000\n"));
}

static void open_stores(void)
{
        open_archive();
        insist(logs_create(archive, &logs, &err));
        insist(series_create(archive, 1000, &series, &err));
}

static void close_stores(void)
{
        logs_destroy(logs);
        series_destroy(series);
        archive_close(archive);
}

static void add(uint64_t sequence)
{
        for (unsigned p = 0; p < PARTITIONS; p++) {
                uint32_t picks[8], ordinals[8];
                size_t picked = 0;
                for (uint32_t i = 0; i < lines->telemetry.records.count; i++)
                        if (logs_partition(&lines->telemetry.streams.items[lines->telemetry.records.items[i].stream]) == p)
                                picks[picked++] = i;
                if (picked)
                        insist(logs_add(logs, (uint16_t)p, sequence, START_NS, &lines->telemetry, picks, picked, &err));
                picked = 0;
                for (uint32_t i = 0; i < samples->telemetry.series.count; i++)
                        if (series_partition(&samples->telemetry.series.items[i].labels) == p) {
                                ordinals[picked] = i;
                                picks[picked++] = i;
                        }
                if (picked)
                        insist(series_add(series, (uint16_t)p, sequence, START_NS + (int64_t)sequence * NS_PER_S, &samples->telemetry, picks, ordinals, picked, &err));
        }
}

static void seal(void)
{
        for (unsigned p = 0; p < PARTITIONS; p++) {
                insist(logs_seal(logs, (uint16_t)p, &err));
                insist(series_seal(series, (uint16_t)p, INT64_MIN, &err));
        }
}

static bool count_row(void *context, const struct log_row *row)
{
        *(size_t *)context += row->line.length > 0;
        return true;
}

static bool count_stream(void *context, const struct labels *stream)
{
        *(size_t *)context += stream->count > 0;
        return true;
}

static size_t selected_samples(void)
{
        struct series_select select = {.matchers = &(struct matchers){0}, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
        scoped(arena_done) struct arena arena = {0};
        struct series_set set;
        size_t count = 0;
        insist((arena_done(&arena), series_select(series, &select, &arena, &set, &err)));
        each (data, &set)
                count += data->count;
        return count;
}

/* b says its own time, so its sample of the second round is the same one again. */
static void expect_telemetry(size_t rounds)
{
        size_t rows, streams, found;
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        insist((rows = 0, logs_select(logs, &select, count_row, &rows, &stats, &err)));
        insist((streams = 0, logs_streams(logs, &(struct matchers){0}, INT64_MIN, INT64_MAX, count_stream, &streams, &err)));
        found = selected_samples();
        if (rows != 3 * rounds || streams != 2 || found != 2 * rounds + 1)
                broken("%zu records of %zu streams and %zu samples are found after %zu rounds", rows, streams, found, rounds);
}

void live_telemetry(void)
{
        open_stores();
        add(1);
        seal();
        insist(archive_flush(archive, &err));
        expect_telemetry(1);
        add(2);
        expect_telemetry(2);
        seal();
        expect_telemetry(2);
        insist(archive_flush(archive, &err));
        close_stores();
        open_stores();
        add(3); /* after a restart: the day's series are read back */
        expect_telemetry(3);
        close_stores();
}

void end_telemetry(void)
{
        disk_crash(world.memory, world.seed);
        open_stores();
        expect_telemetry(2);
        close_stores();
        batch_destroy(lines);
        batch_destroy(samples);
        world_end();
}
