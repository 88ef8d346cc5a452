/* miner_test - what a template is, how it stays itself, and what happens at the bound. */
#include "learn/miner.h"

#include "base/hash.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

SCOPED_PTR(miner_destroy, struct miner)

static struct miner *miner_new(uint32_t templates_max)
{
        struct miner *miner = miner_create(STR("sshd"), (struct miner_bounds){.templates_max = templates_max}, NULL);
        assert_non_null(miner);
        return miner;
}

static uint32_t learn(struct miner *miner, const char *line)
{
        struct miner_match match;
        assert_true(miner_learn(miner, str_of(line), 7, &match, NULL));
        return match.number;
}

static uint64_t id_of(const struct miner *miner, uint32_t number)
{
        struct miner_template shown;
        assert_true(miner_template(miner, number, &shown));
        return shown.id;
}

static void assert_reads(const struct miner *miner, uint32_t number, const char *text)
{
        scoped(buf_done) struct buf read = {0};
        assert_true(miner_text(miner, number, &read));
        assert_true(buf_byte(&read, 0));
        assert_string_equal(read.bytes, text);
}

static void a_template_reads_as_the_programmer_wrote_it(void **state)
{
        (void)state;
        static const struct { const char *line, *text; } cases[] = {
                {"Received block blk_3587508140051953248 of size 67108864 from /10.251.42.84", "Received block <*> of size <*> from <*>"},
                {"10.251.30.85:50010:Got exception while serving", "<*>:<*>:Got exception while serving"},
                {"generating core.2275", "generating core.<*>"},
                {"data address space................0", "data address space................<*>"},
                {"Ido chip FF:F2:9F:16:E2:23:00:0D:60:E9:1D:DC ip=10.0.0.151", "Ido chip <*> ip=<*>"},
                {"Failed password for root from 10.0.0.1 port 22 ssh2", "Failed password for root from <*> port <*> ssh2"},
                {"connection from 1.2.3.4 () at Fri Jun 17 07:07:00 2005", "connection from <*> (<*>) at <*>:<*>:<*>"},
                {"do_page_fault+0x1a/0x80 in C:\\Windows\\x.dll", "do_page_fault+<*> in <*>"},
                {"can't find it, isn't there", "can't find it, isn't there"},
                {"child init 1 -2", "child init <*> <*>"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
                assert_reads(miner, learn(miner, cases[i].line), cases[i].text);
        }
}

static void variables_are_typed_and_lie_in_the_line(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        struct miner_match match;
        struct str line = STR("took 10ms for 64KB of /var/log/x at 0x1f from 10.0.0.1 ok true");
        static const struct { enum value_type type; const char *text; } wanted[] = {
                {VALUE_DURATION, "10ms"}, {VALUE_SIZE, "64KB"}, {VALUE_PATH, "/var/log/x"}, {VALUE_HEX, "0x1f"}, {VALUE_ADDRESS, "10.0.0.1"}, {VALUE_FLAG, "true"}};
        assert_true(miner_learn(miner, line, 7, &match, NULL));
        assert_int_equal(match.variable_count, countof(wanted));
        for (size_t i = 0; i < countof(wanted); i++) {
                const struct miner_variable *variable = &match.variables[i];
                assert_string_equal(value_type_name(variable->type), value_type_name(wanted[i].type));
                assert_true(str_is(str_slice(line, variable->start, variable->start + variable->length), wanted[i].text));
        }
}

static void a_place_that_holds_one_word_is_constant_until_a_second_comes(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        uint32_t number = learn(miner, "authentication failure; tty=ssh rhost=10.0.0.1 user=root");
        assert_reads(miner, number, "authentication failure; tty=ssh rhost=<*> user=root");
        assert_int_equal(learn(miner, "authentication failure; tty=ssh rhost=10.0.0.2 user=guest"), number);
        assert_reads(miner, number, "authentication failure; tty=ssh rhost=<*> user=<*>");
}

/* What stays apart: few words at a place where programmers write words. */
static void many_words_at_a_place_merge_and_the_merged_keep_aliases(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        uint32_t first = learn(miner, "Accepted password for alice from 10.0.0.1");
        uint64_t first_id = id_of(miner, first);
        learn(miner, "Accepted password for bob from 10.0.0.1");
        learn(miner, "Accepted password for carol from 10.0.0.1");
        assert_reads(miner, first, "Accepted password for alice from <*>");
        assert_int_equal(miner_refine(miner, 100), 1);
        uint32_t now, merged = miner_alias(miner, first);
        assert_int_not_equal(merged, first);
        assert_reads(miner, first, "Accepted password for <*> from <*>");
        assert_true(miner_find(miner, first_id, &now));
        assert_int_equal(now, merged);
        uint32_t before = miner_count(miner);
        assert_int_equal(learn(miner, "Accepted password for dave from 10.0.0.9"), merged);
        assert_int_equal(miner_count(miner), before);
        struct miner_template shown;
        assert_true(miner_template(miner, merged, &shown));
        assert_int_equal(shown.lines, 4);
        assert_int_equal(shown.variable_count, 2);
        assert_int_equal(shown.last_ns, 7);
        assert_int_not_equal(miner_alias(miner, learn(miner, "job failed badly today")), miner_alias(miner, learn(miner, "job failed nicely today")));
}

static void ids_and_numbers_are_stable_over_restore_and_learning_goes_on_alike(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static const char *const names[] = {"alice", "bob", "carol", "dave"};
        char line[100];
        learn(miner, "check pass; user unknown");
        for (int i = 0; i < 2; i++) {
                snprintf(line, sizeof line, "Accepted key for %s from 10.0.0.1", names[i]);
                learn(miner, line);
        }
        scoped(buf_done) struct buf snapshot = {0}, one = {0}, other = {0};
        assert_true(miner_snapshot(miner, &snapshot, NULL));
        scoped_ptr(miner_destroy) struct miner *restored = miner_restore(buf_str(&snapshot), (struct miner_bounds){0}, NULL);
        assert_non_null(restored);
        for (int i = 0; i < 4; i++) {
                snprintf(line, sizeof line, "Accepted key for %s from 10.0.0.1", names[i]);
                assert_int_equal(learn(miner, line), learn(restored, line));
                assert_int_equal(miner_refine(miner, 1), miner_refine(restored, 1));
        }
        for (uint32_t i = 0; i < miner_count(miner); i++)
                assert_true(id_of(miner, i) == id_of(restored, i));
        assert_true(miner_snapshot(miner, &one, NULL) && miner_snapshot(restored, &other, NULL));
        assert_true(str_equal(buf_str(&one), buf_str(&other)));
}

static void a_damaged_snapshot_is_refused_with_a_reason(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        learn(miner, "one line of four words");
        scoped(buf_done) struct buf snapshot = {0};
        assert_true(miner_snapshot(miner, &snapshot, NULL));
        for (size_t length = 0; length < snapshot.length; length++) {
                struct err err = {0};
                assert_null(miner_restore(str_slice(buf_str(&snapshot), 0, length), (struct miner_bounds){0}, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
        }
}

static void random_words_stay_within_the_bound_and_are_counted(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(256);
        uint64_t random = 1;
        for (int i = 0; i < 20000; i++) {
                char line[200];
                size_t length = 0;
                for (int word = 0; word < 3 + i % 9; word++) {
                        line[length++] = " ,;:"[(random >> 40) % 4];
                        for (int letter = 0; letter < 6; letter++) {
                                random = random * 6364136223846793005U + 1442695040888963407U;
                                line[length++] = (char)('a' + (random >> 59) % 26);
                        }
                }
                line[length] = 0;
                learn(miner, line);
                miner_refine(miner, 4);
        }
        struct miner_counts counts = miner_counts(miner);
        assert_true(miner_count(miner) <= 256);
        assert_int_equal(counts.lines, 20000);
        assert_true(counts.crowded > 10000 && counts.crowded >= counts.homeless && counts.forgotten > 0);
        assert_reads(miner, 0, "<*>");
}

static void any_bytes_are_a_line(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static char line[100000];
        uint64_t random = 5;
        learn(miner, "");
        for (size_t round = 0; round < 200; round++) {
                struct miner_match match;
                struct str text = {line, round * round};
                for (size_t i = 0; i < text.length; i++)
                        line[i] = (char)((random = random * 6364136223846793005U + 1442695040888963407U) >> 56);
                assert_true(miner_learn(miner, text, 0, &match, NULL));
                for (uint32_t i = 0; i < match.variable_count; i++)
                        assert_true((size_t)match.variables[i].start + match.variables[i].length <= text.length);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_template_reads_as_the_programmer_wrote_it),
                cmocka_unit_test(variables_are_typed_and_lie_in_the_line),
                cmocka_unit_test(a_place_that_holds_one_word_is_constant_until_a_second_comes),
                cmocka_unit_test(many_words_at_a_place_merge_and_the_merged_keep_aliases),
                cmocka_unit_test(ids_and_numbers_are_stable_over_restore_and_learning_goes_on_alike),
                cmocka_unit_test(a_damaged_snapshot_is_refused_with_a_reason),
                cmocka_unit_test(random_words_stay_within_the_bound_and_are_counted),
                cmocka_unit_test(any_bytes_are_a_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
