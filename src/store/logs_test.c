/* logs_test - what was added is what a search gives, in order, once, wherever it stands: open, on its way, stored. */
#include "store/logs.h"

#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "base/thread.h"
#include "store/line_filter.h"
#include "store/log_block.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_NS (INT64_C(20000) * 86400 * NS_PER_S)
#define STREAMS 12

struct kept { /* the naive reference: all rows in a list */
        uint64_t id;
        int64_t time_ns;
        uint32_t stream;
        uint8_t severity;
        struct str line;
        bool has_attribute;
};

struct house {
        char directory[SCRATCH_BYTES];
        struct archive *archive;
        struct logs *logs;
        struct arena arena;
        struct labels streams[STREAMS];
        struct { struct kept *items; size_t count, capacity; } kept;
        uint64_t sequence;
        struct rng rng;
};

static int set_up(void **state)
{
        struct house *house = calloc(1, sizeof *house);
        struct err err = {0};
        assert_int_equal(scratch_make(house->directory, "logs"), 0);
        arena_init(&house->arena, 0);
        house->rng.state = 77;
        for (int i = 0; i < STREAMS; i++) {
                *arena_push(&house->arena, &house->streams[i]) =
                        (struct label){STR("host"), arena_printf(&house->arena, "web%d", i % 4)};
                *arena_push(&house->arena, &house->streams[i]) =
                        (struct label){STR("service"), arena_printf(&house->arena, "app%d", i / 4)};
        }
        if (!archive_open(disk_real(), house->directory, NULL, &house->archive, &err) ||
            !logs_create(house->archive, &house->logs, &err))
                fail_msg("%s", err.message);
        *state = house;
        return 0;
}

static int tear_down(void **state)
{
        struct house *house = *state;
        logs_destroy(house->logs);
        archive_close(house->archive);
        arena_done(&house->arena);
        int code = scratch_remove(house->directory);
        free(house);
        return code;
}

static void add_telemetry(struct house *house, const struct telemetry *telemetry, int64_t received_ns)
{
        struct err err;
        uint32_t picks[512];
        uint64_t sequence = ++house->sequence;
        for (uint16_t p = 0; p < PARTITIONS; p++) {
                size_t count = 0;
                for (uint32_t i = 0; i < telemetry->records.count; i++)
                        if (logs_partition(&telemetry->streams.items[telemetry->records.items[i].stream]) == p)
                                picks[count++] = i;
                if (!logs_add(house->logs, p, sequence, received_ns, telemetry, picks, count, &err))
                        fail_msg("%s", err.message);
        }
}

static const char *const words[] = {"timeout", "refused", "session opened", "GET /index", "disk is full", "request a1b2 done"};

/* Adds a batch of random records and notes them in the reference. */
static void add_random(struct house *house, size_t count, int64_t received_ns)
{
        struct telemetry telemetry = {.arena = &house->arena};
        telemetry.streams.items = house->streams;
        telemetry.streams.count = STREAMS;
        static struct label attribute = {STR_INIT("trace"), STR_INIT("abc")};
        for (uint32_t i = 0; i < count; i++) {
                struct rng *rng = &house->rng;
                struct log_record *record = arena_push(&house->arena, &telemetry.records);
                struct kept *kept = arena_push(&house->arena, &house->kept);
                bool timeless = rng_below(rng, 10) == 0;
                kept->time_ns = timeless ? received_ns : received_ns - (int64_t)rng_below(rng, 3) * NS_PER_S;
                kept->stream = (uint32_t)rng_below(rng, STREAMS);
                kept->severity = (uint8_t)(rng_below(rng, 5) * 4);
                kept->id = item_id(house->sequence + 1, i);
                kept->line = arena_printf(&house->arena, "app[%d]: %s on port %d for %x", (int)rng_below(rng, 9000),
                                          words[rng_below(rng, countof(words))], (int)rng_below(rng, 100),
                                          (unsigned)rng_below(rng, 100000));
                kept->has_attribute = rng_below(rng, 4) == 0;
                *record = (struct log_record){timeless ? 0 : kept->time_ns, kept->stream, kept->severity, kept->line, {0}};
                if (kept->has_attribute)
                        record->attributes = (struct labels){&attribute, 1, 1};
        }
        add_telemetry(house, &telemetry, received_ns);
}

static void seal_all(struct house *house)
{
        struct err err;
        for (uint16_t p = 0; p < PARTITIONS; p++)
                assert_true(logs_seal(house->logs, p, &err));
}

struct expectation {
        struct house *house;
        struct { struct kept **items; size_t count, capacity; } rows;
        size_t next;
        bool backwards;
};

static int order_kept(const void *a, const void *b, void *context)
{
        const struct kept *left = *(struct kept *const *)a, *right = *(struct kept *const *)b;
        int order = left->time_ns != right->time_ns ? (left->time_ns < right->time_ns ? -1 : 1)
                    : left->id < right->id          ? -1
                                                    : left->id > right->id;
        return *(bool *)context ? -order : order;
}

/* What the reference says to a search. */
static void expect(struct house *house, const struct log_select *select, struct expectation *out)
{
        struct err err;
        *out = (struct expectation){.house = house, .backwards = select->newest_first};
        each (kept, &house->kept) {
                bool hold = true;
                each (matcher, &select->matchers)
                        hold &= matcher_matches(matcher, str_is(matcher->name, "severity")
                                                                 ? str_of(severity_name(kept->severity))
                                                                 : labels_value(&house->streams[kept->stream], matcher->name));
                hold = hold && kept->time_ns >= select->start_ns && kept->time_ns < select->end_ns;
                hold = hold && (!select->after_id || kept->id > select->after_id);
                hold = hold && (!select->before_id || kept->id < select->before_id);
                if (hold)
                        assert_true(line_filters_hold(select->filters.items, select->filters.count, kept->line, &hold, &err));
                if (hold)
                        *arena_push(&house->arena, &out->rows) = kept;
        }
        if (out->rows.count)
                qsort_r(out->rows.items, out->rows.count, sizeof *out->rows.items, order_kept, &out->backwards);
        if (select->limit && out->rows.count > select->limit)
                out->rows.count = select->limit;
}

static bool compare(void *context, const struct log_row *row)
{
        struct expectation *expectation = context;
        if (expectation->next >= expectation->rows.count)
                fail_msg("a row too many: %.*s", STR_ARGS(row->line));
        struct kept *kept = expectation->rows.items[expectation->next++];
        assert_int_equal(row->id, kept->id);
        assert_int_equal(row->time_ns, kept->time_ns);
        assert_int_equal(row->severity, kept->severity);
        assert_true(labels_equal(row->stream, &expectation->house->streams[kept->stream]));
        assert_true(str_equal(row->line, kept->line));
        assert_int_equal(row->attributes.count, kept->has_attribute);
        return true;
}

static void select_equals_reference(struct house *house, const struct log_select *select)
{
        struct err err;
        struct expectation expectation;
        struct log_select_stats stats;
        expect(house, select, &expectation);
        if (!logs_select(house->logs, select, compare, &expectation, &stats, &err))
                fail_msg("%s", err.message);
        assert_int_equal(expectation.next, expectation.rows.count);
        assert_int_equal(stats.blocks_damaged, 0);
}

static void random_select(struct house *house, struct log_select *select)
{
        struct err err;
        struct rng *rng = &house->rng;
        *select = (struct log_select){.start_ns = INT64_MIN, .end_ns = INT64_MAX, .newest_first = rng_below(rng, 2)};
        if (rng_below(rng, 2))
                select->limit = 1 + rng_below(rng, 300);
        if (rng_below(rng, 3) == 0) {
                select->start_ns = START_NS + (int64_t)rng_below(rng, 200) * NS_PER_S;
                select->end_ns = select->start_ns + (int64_t)rng_below(rng, 100) * NS_PER_S;
        }
        if (rng_below(rng, 4) == 0)
                select->after_id = item_id(rng_below(rng, house->sequence + 1), 3);
        if (rng_below(rng, 4) == 0)
                select->before_id = item_id(rng_below(rng, house->sequence + 1), 3);
        static const struct { enum match_op op; const char *name, *value; } matchers[] = {
                {MATCH_EQUAL, "service", "app1"}, {MATCH_REGEX, "host", "web[12]"}, {MATCH_NOT_EQUAL, "host", "web0"},
                {MATCH_EQUAL, "severity", "debug"}, {MATCH_NOT_REGEX, "severity", "info|unknown"}, {MATCH_EQUAL, "host", "none"},
        };
        for (size_t i = 0; i < countof(matchers); i++)
                if (rng_below(rng, 5) == 0)
                        assert_true(matchers_add(&select->matchers, &house->arena, matchers[i].op, str_of(matchers[i].name),
                                                 str_of(matchers[i].value), &err));
        static const struct { enum line_filter_op op; const char *text; } filters[] = {
                {LINE_CONTAINS, "timeout"}, {LINE_CONTAINS, "port 7"}, {LINE_NOT_CONTAINS, "full"}, {LINE_CONTAINS, "a1b2"},
                {LINE_MATCHES, "port \\d+ for [a-f]"}, {LINE_NOT_MATCHES, "GET|opened"}, {LINE_CONTAINS, "nowhere"},
                {LINE_CONTAINS, "opened on"}, {LINE_CONTAINS, "]: disk is"},
        };
        for (size_t i = 0; i < countof(filters); i++)
                if (rng_below(rng, 6) == 0) {
                        struct line_filter *filter = arena_push(&house->arena, &select->filters);
                        *filter = (struct line_filter){filters[i].op, str_of(filters[i].text), NULL};
                        assert_true(line_filter_compile(filter, &err));
                }
}

static void any_search_equals_the_naive_reference(void **state)
{
        struct house *house = *state;
        struct err err;
        for (int round = 0; round < 60; round++) {
                add_random(house, 1 + rng_below(&house->rng, 400), START_NS + round * 4 * NS_PER_S);
                if (rng_below(&house->rng, 6) == 0)
                        seal_all(house);
                if (rng_below(&house->rng, 20) == 0)
                        assert_true(archive_flush(house->archive, &err));
                for (int i = 0; i < 8; i++) {
                        struct log_select select;
                        random_select(house, &select);
                        select_equals_reference(house, &select);
                        matchers_done(&select.matchers);
                        each (filter, &select.filters)
                                line_filter_done(filter);
                }
        }
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(size_t *)context;
        return true;
}

static void a_chunk_becomes_a_block_at_its_bounds_and_at_the_days_end(void **state)
{
        struct house *house = *state;
        struct err err;
        struct logs_stats stats;
        struct log_record records[512];
        for (size_t i = 0; i < countof(records); i++)
                records[i] = (struct log_record){START_NS, 0, 9, STR("one"), {0}};
        struct telemetry telemetry = {.streams = {house->streams, STREAMS, STREAMS}, .records = {records, 512, 512}};
        for (size_t i = 0; i < LOG_BLOCK_RECORDS_MAX / 512; i++)
                add_telemetry(house, &telemetry, START_NS);
        logs_read_stats(house->logs, &stats);
        assert_int_equal(stats.blocks_sealed, 0);
        assert_int_equal(stats.open_records, LOG_BLOCK_RECORDS_MAX);
        telemetry.records.count = 1;
        add_telemetry(house, &telemetry, START_NS);
        logs_read_stats(house->logs, &stats);
        assert_int_equal(stats.blocks_sealed, 1);
        assert_int_equal(stats.open_records, 1);
        add_telemetry(house, &telemetry, START_NS + 86400 * NS_PER_S); /* the next day */
        logs_read_stats(house->logs, &stats);
        assert_int_equal(stats.blocks_sealed, 2);
        char *large = calloc(1, LOG_BLOCK_BYTES_MAX);
        records[0].line = (struct str){large, LOG_BLOCK_BYTES_MAX};
        add_telemetry(house, &telemetry, START_NS + 86400 * NS_PER_S);
        add_telemetry(house, &telemetry, START_NS + 86400 * NS_PER_S);
        free(large);
        logs_read_stats(house->logs, &stats);
        assert_int_equal(stats.blocks_sealed, 4);
        assert_int_equal(stats.open_records, 1);
        assert_int_equal(stats.records, LOG_BLOCK_RECORDS_MAX + 4);
        size_t rows = 0;
        struct log_select all = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        assert_true(logs_select(house->logs, &all, count_row, &rows, NULL, &err));
        assert_int_equal(rows, LOG_BLOCK_RECORDS_MAX + 4);
        struct archive_stats archived;
        assert_true(archive_flush(house->archive, &err));
        archive_read_stats(house->archive, &archived);
        assert_int_equal(archived.days, 2);
}

static void labels_of_new_streams_fill_a_chunk_as_lines_do(void **state)
{
        struct house *house = *state;
        struct logs_stats stats;
        for (size_t i = 0; i < 600; i++) { /* 4.8 MB of labels, and not a byte of lines */
                scoped(arena_done) struct arena arena = {0};
                struct label items[] = {{STR("id"), arena_printf(&arena, "%08000zu", i)}, {STR("service"), STR("many")}};
                struct labels stream = {items, 2, 2};
                struct log_record record = {START_NS, 0, 9, STR(""), {0}};
                struct telemetry telemetry = {.streams = {&stream, 1, 1}, .records = {&record, 1, 1}};
                add_telemetry(house, &telemetry, START_NS);
        }
        logs_read_stats(house->logs, &stats);
        assert_int_equal(stats.blocks_sealed, 2);
}

struct writer {
        struct house *house;
        _Atomic uint64_t rows;          /* published so far */
        _Atomic bool done;
};

static void write_much(void *context)
{
        struct writer *writer = context;
        struct house *house = writer->house;
        char text[64][64];
        struct log_record records[64];
        struct telemetry telemetry = {.streams = {house->streams, STREAMS, STREAMS}, .records = {records, 64, 64}};
        for (int batch = 0; batch < 1500; batch++) {
                for (size_t i = 0; i < 64; i++) {
                        int length = snprintf(text[i], sizeof text[i], "worker: job %d step %zu", batch, i);
                        records[i] = (struct log_record){START_NS + batch * NS_PER_MS, 0, 9, {text[i], (size_t)length}, {0}};
                }
                add_telemetry(house, &telemetry, START_NS);
                atomic_store(&writer->rows, (uint64_t)(batch + 1) * 64);
                if (batch % 97 == 0)
                        seal_all(house);
        }
        atomic_store(&writer->done, true);
}

static bool follows(void *context, const struct log_row *row)
{
        uint64_t *next = context;
        assert_int_equal(row->id, item_id(1 + *next / 64, (uint32_t)(*next % 64))); /* none twice, none missing */
        ++*next;
        return true;
}

static void a_reader_sees_every_row_once_while_a_writer_adds(void **state)
{
        struct house *house = *state;
        struct err err;
        struct writer writer = {.house = house};
        struct thread thread = {0};
        assert_true(thread_start(&thread, "writer", write_much, &writer, &err));
        bool last = false;
        for (int searches = 0; !last; searches++) {
                last = atomic_load(&writer.done);
                uint64_t least = atomic_load(&writer.rows), next = 0;
                struct log_select all = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
                assert_true(logs_select(house->logs, &all, follows, &next, NULL, &err));
                assert_true(next >= least);
        }
        thread_join(&thread);
}

static bool cancel_later(void *context, const struct log_row *row)
{
        (void)row;
        atomic_store((_Atomic bool *)context, true);
        return true;
}

static void a_search_ends_when_the_asker_or_its_time_is_gone(void **state)
{
        struct house *house = *state;
        struct err err;
        _Atomic bool cancelled = false;
        for (int i = 0; i < 20; i++) {
                add_random(house, 400, START_NS + i * 10 * NS_PER_S);
                seal_all(house);
        }
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .cancelled = &cancelled};
        assert_false(logs_select(house->logs, &select, cancel_later, &cancelled, NULL, &err));
        assert_int_equal(err.code, ERR_CANCELLED);
        cancelled = false;
        select.deadline_ns = 1;
        size_t rows = 0;
        assert_false(logs_select(house->logs, &select, count_row, &rows, NULL, &err));
        assert_int_equal(err.code, ERR_TIMEOUT);
        assert_int_equal(rows, 0);
}

static void newest_first_with_a_limit_opens_few_blocks(void **state)
{
        struct house *house = *state;
        struct err err;
        for (int i = 0; i < 100; i++) {
                add_random(house, 400, START_NS + i * 100 * NS_PER_S);
                seal_all(house);
        }
        struct log_select_stats stats;
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .limit = 10, .newest_first = true};
        size_t rows = 0;
        assert_true(logs_select(house->logs, &select, count_row, &rows, &stats, &err));
        assert_int_equal(rows, 10);
        assert_int_equal(stats.blocks_seen, 300);
        assert_in_range(stats.blocks_opened, 1, 150);
        struct line_filter filter = {LINE_CONTAINS, STR("marryaldkfaczcz"), NULL};
        select.filters.items = &filter;
        select.filters.count = 1;
        assert_true(logs_select(house->logs, &select, count_row, &rows, &stats, &err));
        assert_int_equal(stats.blocks_opened, 0); /* the filters of the indexes say it is nowhere */
}

static void a_damaged_block_is_left_out_and_counted(void **state)
{
        struct house *house = *state;
        struct err err;
        add_random(house, 50, START_NS);
        struct block contents = {.kind = BLOCK_LOGS, .partition = 1, .day = 20000, .first_item = item_id(900, 0),
                                 .last_item = item_id(900, 5), .time_min_ns = START_NS, .time_max_ns = START_NS, .items = 6,
                                 .raw_bytes = 100, .index = STR("not an index at all"), .body = STR("nor a body")};
        struct block *block = block_create(&contents, &err);
        assert_true(archive_put(house->archive, block));
        struct log_select_stats stats;
        struct log_select all = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        size_t rows = 0;
        assert_true(logs_select(house->logs, &all, count_row, &rows, &stats, &err));
        assert_int_equal(rows, 50);
        assert_int_equal(stats.blocks_damaged, 1);
        int64_t day;
        assert_int_equal(archive_damaged_days(house->archive, INT64_MIN, INT64_MAX, &day, 1), 1); /* so answers say it */
        assert_int_equal(day, 20000);
}

struct seen_streams {
        struct house *house;
        int times[STREAMS];
};

static bool note_stream(void *context, const struct labels *stream)
{
        struct seen_streams *seen = context;
        for (int i = 0; i < STREAMS; i++)
                seen->times[i] += labels_equal(stream, &seen->house->streams[i]);
        return true;
}

static void streams_are_listed_once(void **state)
{
        struct house *house = *state;
        struct err err;
        for (int i = 0; i < 4; i++) {
                add_random(house, 300, START_NS + i * NS_PER_S);
                if (i < 3)
                        seal_all(house);
        }
        struct seen_streams seen = {house, {0}};
        assert_true(logs_streams(house->logs, NULL, INT64_MIN, INT64_MAX, note_stream, &seen, &err));
        for (int i = 0; i < STREAMS; i++)
                assert_int_equal(seen.times[i], 1);
        seen = (struct seen_streams){house, {0}};
        struct matchers matchers = {0};
        assert_true(matchers_add(&matchers, &house->arena, MATCH_EQUAL, STR("service"), STR("app2"), &err));
        assert_true(logs_streams(house->logs, &matchers, INT64_MIN, INT64_MAX, note_stream, &seen, &err));
        for (int i = 0; i < STREAMS; i++)
                assert_int_equal(seen.times[i], i / 4 == 2);
        seen = (struct seen_streams){house, {0}};
        assert_true(logs_streams(house->logs, NULL, START_NS + 1000 * NS_PER_S, INT64_MAX, note_stream, &seen, &err));
        for (int i = 0; i < STREAMS; i++)
                assert_int_equal(seen.times[i], 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(any_search_equals_the_naive_reference),
                TEST(a_chunk_becomes_a_block_at_its_bounds_and_at_the_days_end),
                TEST(labels_of_new_streams_fill_a_chunk_as_lines_do),
                TEST(a_reader_sees_every_row_once_while_a_writer_adds),
                TEST(a_search_ends_when_the_asker_or_its_time_is_gone),
                TEST(newest_first_with_a_limit_opens_few_blocks),
                TEST(a_damaged_block_is_left_out_and_counted),
                TEST(streams_are_listed_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
