/*
 * outline_test - lines with one outline have the same words, and a miner that knows lines by their outlines learns what one that
 * splits each of them learns. EVENKEEL_LINES=FILE compares the two over the lines of a file as well.
 */
#include "learn/outline.c"

#include "base/hash.h"
#include "learn/miner_state.h"
#include "learn/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

SCOPED_PTR(miner_destroy, struct miner)

static uint64_t state_of_chance = 7;

static uint32_t chance(uint32_t below)
{
        state_of_chance = state_of_chance * 6364136223846793005U + 1442695040888963407U;
        return (uint32_t)(state_of_chance >> 33) % below;
}

/* What rules of the scanner look for, and what stands between. */
static const char *const fragments[] = {
        "0", "1", "7", "12", "99", "123", "4096", "5312345", "1234567890", "0x1f", "0x", "0xdead12", "a", "f", "x", "v", "s", "ms", "ab", "fe",
        "blk_", "eth", "core.", "user", "login", "msg", "true", "GET", "HTTP/1.1", "May", "deadbeef1", "54fadb41-2c4e-4b5a-8d5e-0a1b2c3d4e5f",
        "/", "/var/lib/x1", "/a_path_that_is_longer/than_sixty/four_bytes/0123456789/0123456789/012345678", "//", "\\", ":", "::", ": ", "=", "= ", "=[", "=(", "[", "]", "(", ")", "{", "}", "<", ">", "\"", "'", ",", ", ", ";",
        "|", ".", "..", "...", "-", "--", "+", "+0x1c/0x40", "@", "#", "&", "%", "$", "~", "_", "*", " ", " ", " ", " ", "\t", "10.0.0.1", "10.250.19.102",
        "17:41:44,747", "FF:F2:9F:16:E2:23", "fe80::1", "C:\\x1", "\xc3\xa4", "1.5", "-5", "3e-05", "took", "from",
};

static struct str random_line(char *room, size_t size)
{
        size_t length = 0, wanted = 4 + chance(60);
        while (length < wanted) {
                const char *fragment = fragments[chance(countof(fragments))];
                size_t count = strlen(fragment);
                if (length + count > size)
                        break;
                memcpy(room + length, fragment, count);
                length += count;
        }
        return (struct str){room, length};
}

/* The line with other digits, other numbers of them, and other hexadecimal ones. */
static struct str vary(struct str line, char *room, size_t size)
{
        size_t length = 0;
        for (size_t i = 0; i < line.length && length + 12 < size; i++) {
                char c = line.bytes[i];
                if (is_digit(c) && chance(2)) {
                        for (uint32_t n = chance(8) ? 1 : chance(10); n > 0; n--)
                                room[length++] = (char)('0' + chance(10));
                        if (chance(3) == 0)
                                room[length++] = "0123456789abcdef"[chance(16)];
                } else if (is_hex(c) && chance(8) == 0) {
                        room[length++] = "0123456789abcdefABCDEF"[chance(22)];
                } else {
                        room[length++] = c;
                }
        }
        return (struct str){room, length};
}

static void assert_same_words(struct str a, const struct outline *a_outline, struct str b, const struct outline *b_outline)
{
        struct token x[LINE_TOKENS_MAX], y[LINE_TOKENS_MAX];
        uint32_t count = line_scan(a, x);
        bool same = line_scan(b, y) == count;
        struct plan *plan = plan_create(a_outline, 0, count);
        assert_non_null(plan);
        for (uint32_t i = 0; same && i < count; i++) {
                bool kept = x[i].kind == TOKEN_WORD || x[i].kind == TOKEN_MARK;
                same = x[i].kind == y[i].kind && x[i].type == y[i].type && x[i].run == y[i].run && x[i].blank_before == y[i].blank_before &&
                       (!kept || x[i].hash == y[i].hash);
                if (same && plan_add(plan, a_outline, (struct plan_place){.place = (uint8_t)i}, x[i].start, x[i].start + x[i].length)) {
                        const struct plan_place *place = &plan->places[plan->place_count - 1];
                        same = plan_start(place, b_outline) == y[i].start && plan_end(place, b_outline) == y[i].start + y[i].length;
                }
        }
        free(plan);
        if (!same)
                fail_msg("one outline, other words:\n  %.*s\n  %.*s", STR_ARGS(a), STR_ARGS(b));
}

static void lines_with_one_outline_have_the_same_words(void **state)
{
        (void)state;
        static struct kept { uint32_t length; char bytes[256]; } kept[1 << 15];
        uint32_t compared = 0;
        for (uint32_t i = 0; i < 300000; i++) {
                char room[256], varied[256];
                struct outline outline, other;
                struct str line = random_line(room, sizeof room);
                for (uint32_t variant = 0; variant < 4; variant++) {
                        struct str now = variant ? vary(line, varied, sizeof varied) : line;
                        if (!outline_of(now, &outline))
                                continue;
                        struct kept *before = &kept[hash64((struct str){outline.bytes, outline.length}) % countof(kept)];
                        struct str then = {before->bytes, before->length};
                        if (then.length && outline_of(then, &other) && other.length == outline.length && memcmp(other.bytes, outline.bytes, other.length) == 0) {
                                compared += !str_equal(then, now);
                                assert_same_words(then, &other, now, &outline);
                        }
                        before->length = (uint32_t)now.length;
                        memcpy(before->bytes, now.bytes, now.length);
                }
        }
        assert_true(compared > 100000);
}

static void an_outline_leaves_out_numbers_paths_and_long_hexadecimals(void **state)
{
        (void)state;
        static const struct { const char *one, *other; bool same; } cases[] = {
                {"took 5 ms", "took 5312 ms", true},
                {"from /10.250.19.102:54106 to /10.1.1.1:50010", "from /10.25.9.2:541 to /192.168.100.100:123", true},
                {"block blk_-160899 of 12", "block blk_-9 of 12", false},
                {"block blk_-160899 of 12", "block blk_-16089996 of 7", true},
                {"id 54fadb41-2c4e-4b5a-8d5e-0a1b2c3d4e5f gone", "id a4fadb41-2c4e-4b5a-8d5e-0a1b2c3d4e50 gone", true},
                {"read /var/log/a", "read /etc/passwd1", true},
                {"at 17:41:44", "at 18:59:01", true},
                {"at 17:41:4", "at 18:59:01", false},
                {"code 0x1f", "code 0xdeadbeef", true},
                {"code 0x1f", "code 1", false},
                {"key 7x5fd199cb", "key 12zz99", true},
                {"took 7ms", "took 7min", false},
                {"f=g(1, b2)", "f=g(1, b234)", false},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct outline one, other;
                assert_true(outline_of(str_of(cases[i].one), &one) && outline_of(str_of(cases[i].other), &other));
                bool same = one.length == other.length && memcmp(one.bytes, other.bytes, one.length) == 0;
                if (same != cases[i].same)
                        fail_msg("%s | %s", cases[i].one, cases[i].other);
        }
}

static void sixty_four_bytes_are_classed_at_once_as_one_by_one(void **state)
{
        (void)state;
#if defined(__x86_64__)
        if (!__builtin_cpu_supports("avx2"))
                skip();
        for (uint32_t i = 0; i < 20000; i++) {
                struct masks fast, slow;
                char bytes[64];
                memset(&fast, 0, sizeof fast);
                memset(&slow, 0, sizeof slow);
                for (uint32_t at = 0; at < 64; at++)
                        bytes[at] = (char)(i < 256 ? i : chance(256));
                class_avx2(bytes, &fast, 0);
                class_plain(bytes, &slow, 0);
                fast.control = fast.control != 0;
                slow.control = slow.control != 0;
                assert_memory_equal(&fast, &slow, sizeof fast);
        }
#endif
}

static void learn_both(struct miner *quick, struct miner *plain, struct str line)
{
        struct miner_match a, b;
        familiar_done(&plain->familiar); /* knows nothing by outline */
        assert_true(miner_learn(quick, line, 7, &a, NULL) && miner_learn(plain, line, 7, &b, NULL));
        miner_refine(quick, 4);
        miner_refine(plain, 4);
        bool same = a.number == b.number && a.is_new == b.is_new && a.variable_count == b.variable_count;
        for (uint32_t i = 0; same && i < a.variable_count; i++) {
                const struct miner_variable *x = &a.variables[i], *y = &b.variables[i];
                same = x->start == y->start && x->length == y->length && x->place == y->place && x->type == y->type;
        }
        if (!same)
                fail_msg("learnt differently: %.*s", STR_ARGS(line));
}

static void assert_alike(const struct miner *quick, const struct miner *plain)
{
        scoped(buf_done) struct buf a = {0}, b = {0};
        assert_true(miner_snapshot(quick, &a, NULL) && miner_snapshot(plain, &b, NULL));
        assert_int_equal(a.length, b.length);
        assert_memory_equal(a.bytes, b.bytes, a.length);
}

static struct miner *miner_of(uint32_t templates_max)
{
        struct miner *miner = miner_create(STR("p"), (struct miner_bounds){.templates_max = templates_max}, NULL);
        assert_non_null(miner);
        return miner;
}

static void a_miner_learns_the_same_with_and_without_outlines(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *quick = miner_of(200), *plain = miner_of(200);
        char lines[64][256];
        uint32_t lengths[64], known = 0;
        uint64_t merged = 0;
        for (uint32_t i = 0; i < 60000; i++) {
                char room[256];
                uint32_t number = chance(64);
                if (i < 64 || chance(50) == 0) {
                        number = i < 64 ? i : number;
                        lengths[number] = (uint32_t)random_line(lines[number], sizeof lines[number]).length;
                }
                learn_both(quick, plain, vary((struct str){lines[number], lengths[number]}, room, sizeof room));
                if (i % 16 == 0) { /* sentences that become one */
                        int length = snprintf(room, sizeof room, "the door %c of room %u was closed by user %c", 'a' + chance(8), chance(500), 'p' + chance(6));
                        learn_both(quick, plain, (struct str){room, (size_t)length});
                }
                if (i % 500 == 0)
                        assert_alike(quick, plain);
                known = max_of(known, quick->familiar.count);
                merged = max_of(merged, quick->counts.aliases); /* they are forgotten in the end */
        }
        assert_true(quick->counts.forgotten > 0);
        assert_true(merged > 0);
        assert_true(known > 50);
}

static void a_file_of_lines_is_learnt_the_same_with_and_without_outlines(void **state)
{
        (void)state;
        const char *path = getenv("EVENKEEL_LINES");
        FILE *file = path ? fopen(path, "r") : NULL;
        if (!file)
                skip();
        scoped_ptr(miner_destroy) struct miner *quick = miner_of(2048), *plain = miner_of(2048);
        char *line = NULL;
        size_t size = 0;
        ssize_t length;
        while ((length = getline(&line, &size, file)) > 0)
                learn_both(quick, plain, (struct str){line, (size_t)length - (line[length - 1] == '\n')});
        assert_alike(quick, plain);
        print_message("%llu lines, %u outlines kept\n", (unsigned long long)quick->counts.lines, quick->familiar.count);
        free(line);
        fclose(file);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_with_one_outline_have_the_same_words),
                cmocka_unit_test(an_outline_leaves_out_numbers_paths_and_long_hexadecimals),
                cmocka_unit_test(sixty_four_bytes_are_classed_at_once_as_one_by_one),
                cmocka_unit_test(a_miner_learns_the_same_with_and_without_outlines),
                cmocka_unit_test(a_file_of_lines_is_learnt_the_same_with_and_without_outlines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
