/* log_block_test - blocks give back every byte, and searches leave out nothing that is there. */
#include "store/log_block.h"

#include "base/rng.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "store/log_block_format.h"
#include "store/skeleton.h"

#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Records being made; texts with the slack that lines need. */
struct sheet {
        struct arena arena;
        struct { struct log_entry *items; size_t count, capacity; } entries;
        struct log_stream streams[3];
        const struct log_stream *listed[3];
};

static void sheet_init(struct sheet *sheet)
{
        *sheet = (struct sheet){0};
        arena_init(&sheet->arena, 0);
        for (uint32_t i = 0; i < 3; i++) {
                sheet->streams[i] = (struct log_stream){.packed = arena_printf(&sheet->arena, "stream%u", i), .number = i};
                sheet->listed[i] = &sheet->streams[i];
        }
}

static void sheet_done(struct sheet *sheet)
{
        arena_done(&sheet->arena);
}

static struct log_entry *add(struct sheet *sheet, struct str line)
{
        struct log_entry *entry = arena_push(&sheet->arena, &sheet->entries);
        char *text = arena_zalloc(&sheet->arena, line.length + SKELETON_SLACK);
        if (line.length)
                memcpy(text, line.bytes, line.length);
        *entry = (struct log_entry){.id = item_id(sheet->entries.count / 10, sheet->entries.count % 10),
                                    .time_ns = (int64_t)sheet->entries.count * 1000000007 % 1000003,
                                    .stream = &sheet->streams[sheet->entries.count % 3], .text = text,
                                    .line_length = (uint32_t)line.length, .severity = sheet->entries.count % 26};
        return entry;
}

static void pack(struct sheet *sheet, struct buf *index, struct buf *body)
{
        struct err err;
        struct log_encoder *encoder = log_encoder_create(&err);
        assert_non_null(encoder);
        struct log_span spans[] = {{sheet->entries.items, sheet->entries.count / 3},
                                   {sheet->entries.items + sheet->entries.count / 3,
                                    sheet->entries.count - sheet->entries.count / 3}};
        assert_true(log_block_encode(encoder, spans, 2, sheet->listed, 3, index, body, &err));
        log_encoder_destroy(encoder);
}

struct check {
        struct sheet *sheet;
        size_t next, wrong;
        struct str needle;
        size_t hits;
};

static bool compare(void *context, const struct log_block_row *row)
{
        struct check *check = context;
        const struct log_entry *entry = &check->sheet->entries.items[check->next++];
        struct str attributes = {entry->text + entry->line_length, entry->attributes_length};
        if (row->id != entry->id || row->time_ns != entry->time_ns || row->stream != entry->stream->number ||
            row->severity != entry->severity || !str_equal(row->line, (struct str){entry->text, entry->line_length}) ||
            !str_equal(row->attributes, attributes))
                check->wrong++;
        return true;
}

static void expect_back(struct sheet *sheet)
{
        struct err err;
        scoped(buf_done) struct buf index = {0}, body = {0};
        pack(sheet, &index, &body);
        struct log_decoder *decoder = log_decoder_create(&err);
        struct log_block_summary summary;
        assert_true(log_block_summary(decoder, buf_str(&index), &summary, &err));
        assert_int_equal(summary.rows, sheet->entries.count);
        assert_int_equal(summary.stream_count, 3);
        assert_true(str_is(summary.streams[2], "stream2"));
        struct check check = {.sheet = sheet};
        struct log_block_search search = {.visit = compare, .context = &check};
        if (!log_block_walk(decoder, buf_str(&body), 3, &search, &err))
                fail_msg("%s", err.message);
        assert_int_equal(check.next, sheet->entries.count);
        assert_int_equal(check.wrong, 0);
        log_decoder_destroy(decoder);
}

static const char *const shapes[] = {
        "<%d>1 2026-11-22T%02d:%02d:%02d.%03dZ web-%02d nginx %d ID%d - GET /api/v%d/users/%d %d",
        "Dec 10 06:55:%02d LabSZ sshd[%d]: Failed password for root from 10.%d.%d.%d port %d ssh2",
        "req-%08x-%04x-4%03x-a%03x-%012x took %d.%d s at 0x%x and 0x%X",
        "%d", "kernel: %x%x%x", "blk_%d%09d%d is 00%d 000%03d", "a%db%dc%dd%de%df%dg%d: h%d",
        "no number at all", "", "state: %c%c", "%02d:%02d:%02d 2026-%02d-%02d %02d:%02d", "T%dZ %dms %dMB x%d 0x 0xg%d 0x%dz",
};

static struct str random_line(struct rng *rng, struct arena *arena)
{
#define N (int)rng_below(rng, rng_below(rng, 4) ? 60 : 1000000)
        switch (rng_below(rng, 15)) {
#define SHAPE_OF(n) return arena_printf(arena, shapes[n], N, N, N, N, N, N, N, N, N, N, N, N)
#define SHAPE(n) case n: SHAPE_OF(n)
        SHAPE(0); SHAPE(1); SHAPE(2); SHAPE(3); SHAPE(4); SHAPE(5); SHAPE(6);
        case 7: return str_of(shapes[7]);
        case 8: return str_of(shapes[8]);
        case 9: return arena_printf(arena, "state: %c%c", (int)rng_below(rng, 6), N);
        case 10: {
                size_t length = rng_below(rng, 200);
                char *bytes = arena_alloc(arena, length + 1);
                for (size_t i = 0; i < length; i++)
                        bytes[i] = (char)(rng_below(rng, 3) ? "0123456789abcdefABCDEF-x: g::--"[rng_below(rng, 31)]
                                                            : (int)rng_below(rng, 256));
                return (struct str){bytes, length};
        }
        SHAPE(11);
        case 12: {
                size_t length = rng_below(rng, 100) + (rng_below(rng, 200) ? 0 : 9000);
                char *bytes = arena_alloc(arena, length + 1);
                for (size_t i = 0; i < length; i++)
                        bytes[i] = (char)('0' + rng_below(rng, 10));
                return (struct str){bytes, length};
        }
        case 13: SHAPE_OF(10);
        default: return arena_printf(arena, "worker%d: job %d done in %d ms", N % 9, N, N);
        }
}

static void every_byte_comes_back(void **state)
{
        (void)state;
        struct rng rng = {42};
        for (int round = 0; round < 60; round++) {
                struct sheet sheet;
                sheet_init(&sheet);
                size_t rows = round < 10 ? (size_t)round : rng_below(&rng, 3000);
                for (size_t i = 0; i < rows; i++) {
                        struct log_entry *entry = add(&sheet, random_line(&rng, &sheet.arena));
                        if (round % 4 == 3)
                                entry->id = rng_u64(&rng), entry->time_ns = (int64_t)rng_u64(&rng);
                        if (round % 5 == 4 && rng_below(&rng, 2)) {
                                struct str line = {entry->text, entry->line_length};
                                char *text = arena_zalloc(&sheet.arena, line.length + 30 + SKELETON_SLACK);
                                memcpy(text, line.bytes, line.length);
                                entry->attributes_length = (uint32_t)rng_below(&rng, 30);
                                memset(text + line.length, (int)rng_below(&rng, 256), entry->attributes_length);
                                entry->text = text;
                        }
                }
                expect_back(&sheet);
                sheet_done(&sheet);
        }
}

static void awkward_lines_come_back(void **state)
{
        (void)state;
        static char large[65536], zeros[700];
        for (size_t i = 0; i < sizeof large; i++)
                large[i] = (char)(i % 251);
        memset(zeros, '0', sizeof zeros);
        static const struct str lines[] = {
                STR_INIT(""), STR_INIT("\0"), STR_INIT("\1\2\3"), STR_INIT("a\1b 12"), STR_INIT("\xff\xfe 7 \x80"),
                STR_INIT("0"), STR_INIT("00"), STR_INIT("000"), STR_INIT("18446744073709551615"),
                STR_INIT("99999999999999999999999999999999999999999"), STR_INIT("0xffffffffffffffffffff"),
                STR_INIT("0x0"), STR_INIT("0X1F"), STR_INIT("deadBEEF1"), STR_INIT("1dead"), STR_INIT("DEAD1"),
                STR_INIT("12345678-1234-1234-1234-123456789abc"), STR_INIT("ABCDEF01-1234-ABCD-1234-123456789ABC x"),
                STR_INIT("12345678-1234-1234-1234-123456789abcd"), STR_INIT("12345678-1234-1234-1234-12345678"),
                STR_INIT("zz12345678-1234-1234-1234-123456789abc"), STR_INIT(": "), STR_INIT("1: 2"), STR_INIT("9:"),
                STR_INIT("<1>1 a b c d e f"), STR_INIT("<34>1 2003-10-11T22:14:15.003Z h su - ID47 - it: failed 1"),
                STR_INIT("<34>"), STR_INIT("<"), STR_INIT("e1 1e a-1 1-a"),
                STR_INIT("2026-11-22T23:59:59.001Z"), STR_INIT("2026-11-221"), STR_INIT("99:59:59"), STR_INIT("12:60:00"),
                STR_INIT("00:11:22:33:44:55"), STR_INIT("12:34:5"), STR_INIT("1:12:34:56"), STR_INIT("x12:34:56y"),
                STR_INIT("9999-99-99 0000-00-00"), STR_INIT("12345-11-22"), STR_INIT("at 12:34:56: ok"), STR_INIT("\4\5"),
                /* the same but for their digits, which make something else of them */
                STR_INIT("1x12"), STR_INIT("0x12"), STR_INIT("2x12"), STR_INIT("12:30:00"), STR_INIT("12:61:00"),
                STR_INIT("12:30:01"), STR_INIT("a 007 b"), STR_INIT("a 123 b"), STR_INIT("a 000 b"),
        };
        struct sheet sheet;
        sheet_init(&sheet);
        for (int times = 0; times < 3; times++) {
                for (size_t i = 0; i < countof(lines); i++)
                        add(&sheet, lines[i]);
                add(&sheet, (struct str){large, sizeof large});
                add(&sheet, (struct str){zeros, sizeof zeros});
                for (size_t i = 0; i < 12; i++) /* head cut at the edge of what is looked at */
                        add(&sheet, arena_printf(&sheet.arena, "%0*d: 5 end", (int)(120 + i), 7));
        }
        expect_back(&sheet);
        sheet_done(&sheet);
}

static void lines_that_share_nothing_come_back(void **state)
{
        (void)state;
        struct rng rng = {7};
        struct sheet sheet;
        sheet_init(&sheet);
        for (int i = 0; i < 5000; i++) {
                char *text = arena_alloc(&sheet.arena, 40);
                for (int k = 0; k < 40; k++)
                        text[k] = (char)('a' + rng_below(&rng, 26));
                add(&sheet, (struct str){text, 40});
        }
        expect_back(&sheet);
        sheet_done(&sheet);
}

static void simd_and_plain_scan_are_equal(void **state)
{
        (void)state;
        struct rng rng = {3};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 0);
        for (int i = 0; i < 20000; i++) {
                struct str line = random_line(&rng, &arena);
                char *text = arena_zalloc(&arena, line.length + SKELETON_SLACK);
                memset(text, '5', line.length + SKELETON_SLACK); /* what stands behind must not matter */
                memcpy(text, line.bytes ?: "", line.length);
                line.bytes = text;
                struct skeleton_scan fast = {0}, plain = {0};
                bool has = skeleton_scan(line, &fast);
                assert_int_equal(has, skeleton_scan_scalar(line, &plain));
                if (has) {
                        assert_int_equal(fast.cut, plain.cut);
                        assert_memory_equal(fast.digits, plain.digits, (line.length / 64 + 1) * 8);
                }
                char masked[SKELETON_LAYOUT_BYTES + SKELETON_SLACK];
                line.length = min_of(line.length, (size_t)SKELETON_LAYOUT_BYTES);
                skeleton_mask(line, masked);
                for (size_t k = 0; k < line.length; k++)
                        assert_int_equal(masked[k], line.bytes[k] >= '0' && line.bytes[k] <= '9' ? '0' : line.bytes[k]);
                if (i % 1000 == 0)
                        arena_reset(&arena);
        }
}

static bool hit(void *context, const struct log_block_row *row)
{
        struct check *check = context;
        size_t at;
        check->hits += str_find(row->line, check->needle, &at);
        check->next++;
        return true;
}

struct fragments {
        struct str items[LOG_FRAGMENTS_MAX];
        size_t count;
};

static void take_fragment(void *context, struct str fragment)
{
        struct fragments *fragments = context;
        if (fragments->count < LOG_FRAGMENTS_MAX)
                fragments->items[fragments->count++] = fragment;
}

/* Any piece of any line must be found by fragments, dictionary and filter. */
static void a_needle_that_is_there_is_never_passed_by(void **state)
{
        (void)state;
        struct rng rng = {11};
        struct err err;
        struct log_decoder *decoder = log_decoder_create(&err);
        size_t rows_read = 0, rows_there = 0;
        for (int round = 0; round < 12; round++) {
                struct sheet sheet;
                sheet_init(&sheet);
                for (size_t i = 0; i < 400; i++)
                        add(&sheet, random_line(&rng, &sheet.arena));
                scoped(buf_done) struct buf index = {0}, body = {0};
                pack(&sheet, &index, &body);
                struct log_block_summary summary;
                assert_true(log_block_summary(decoder, buf_str(&index), &summary, &err));
                for (int i = 0; i < 400; i++) {
                        const struct log_entry *entry = &sheet.entries.items[rng_below(&rng, 400)];
                        size_t from = rng_below(&rng, entry->line_length + 1), length = rng_below(&rng, 30);
                        struct check check = {.needle = str_slice((struct str){entry->text, entry->line_length}, from,
                                                                  from + length)};
                        struct fragments fragments = {0};
                        skeleton_fragments(check.needle, take_fragment, &fragments);
                        for (size_t k = 0; k < fragments.count; k++)
                                assert_true(log_block_may_hold(&summary, fragments.items[k]));
                        struct log_block_search search = {fragments.items, fragments.count, NULL, hit, &check};
                        assert_true(log_block_walk(decoder, buf_str(&body), 3, &search, &err));
                        size_t there = 0, at;
                        each (other, &sheet.entries)
                                there += str_find((struct str){other->text, other->line_length}, check.needle, &at);
                        assert_int_equal(check.hits, there);
                        rows_read += check.next, rows_there += 400;
                }
                sheet_done(&sheet);
        }
        assert_true(rows_read * 2 < rows_there); /* and much is left out */
        log_decoder_destroy(decoder);
}

static void a_rare_word_is_not_in_the_filter(void **state)
{
        (void)state;
        struct err err;
        struct sheet sheet;
        sheet_init(&sheet);
        for (int i = 0; i < 1000; i++)
                add(&sheet, arena_printf(&sheet.arena, "host%d sshd[%d]: session opened for user root", i % 9, i));
        scoped(buf_done) struct buf index = {0}, body = {0};
        pack(&sheet, &index, &body);
        struct log_decoder *decoder = log_decoder_create(&err);
        struct log_block_summary summary;
        assert_true(log_block_summary(decoder, buf_str(&index), &summary, &err));
        assert_false(log_block_may_hold(&summary, STR("marryaldkfaczcz")));
        assert_true(log_block_may_hold(&summary, STR("session opened")));
        log_decoder_destroy(decoder);
        sheet_done(&sheet);
}

static void damage_is_told_and_never_followed(void **state)
{
        (void)state;
        struct err err;
        struct sheet sheet;
        sheet_init(&sheet);
        struct rng rng = {5};
        for (int i = 0; i < 300; i++)
                add(&sheet, random_line(&rng, &sheet.arena));
        scoped(buf_done) struct buf index = {0}, body = {0};
        pack(&sheet, &index, &body);
        struct log_decoder *decoder = log_decoder_create(&err);
        struct check check = {.needle = STR("x")};
        struct log_block_search search = {.visit = hit, .context = &check};
        struct log_block_summary summary;
        for (size_t i = 0; i < body.length; i += 7) {
                body.bytes[i] ^= 0x40;
                assert_false(log_block_walk(decoder, buf_str(&body), 3, &search, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
                body.bytes[i] ^= 0x40;
        }
        for (size_t i = 0; i < index.length; i++) {
                index.bytes[i] ^= 0x04;
                assert_false(log_block_summary(decoder, buf_str(&index), &summary, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
                index.bytes[i] ^= 0x04;
        }
        for (size_t i = 0; i < body.length; i += 13)
                assert_false(log_block_walk(decoder, str_slice(buf_str(&body), 0, i), 3, &search, &err));
        log_decoder_destroy(decoder);
        sheet_done(&sheet);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_byte_comes_back),
                cmocka_unit_test(awkward_lines_come_back),
                cmocka_unit_test(lines_that_share_nothing_come_back),
                cmocka_unit_test(simd_and_plain_scan_are_equal),
                cmocka_unit_test(a_needle_that_is_there_is_never_passed_by),
                cmocka_unit_test(a_rare_word_is_not_in_the_filter),
                cmocka_unit_test(damage_is_told_and_never_followed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
