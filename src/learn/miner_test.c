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
                {"mail from <bob@example.org> by getty@tty1.service", "mail from <<*>> by <*>"},
                {"level=info msg=\"tenant 5 gone\" ctx=\"a b\"", "level=info msg=\"tenant <*> gone\" ctx=\"a b\""},
                {"{\"level\":\"info\",\"msg\":\"took 5s\"}", "{\"level\":\"info\",\"msg\":\"took <*>\"}"},
                {"10.0.0.1 \"GET /x HTTP/1.1\" 200", "<*> \"GET <*> HTTP/1.1\" <*>"},
                {"from fe80::1 via ::1 in std::map", "from <*> via <*> in std::map"},
                {"roles=[admin, dba] of x", "roles=[admin, dba] of x"},
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
        uint32_t first = learn(miner, "Accepted password for alice behind 10.0.0.1");
        uint32_t second = learn(miner, "Accepted password for bob behind 10.0.0.1"), now;
        uint64_t second_id = id_of(miner, second);
        assert_reads(miner, first, "Accepted password for alice behind <*>");
        assert_int_not_equal(first, second);
        assert_int_equal(learn(miner, "Accepted password for carol behind 10.0.0.1"), first);
        assert_reads(miner, second, "Accepted password for <*> behind <*>");
        assert_true(miner_find(miner, second_id, &now));
        assert_int_equal(now, first);
        assert_int_equal(miner_alias(miner, second), first);
        uint32_t before = miner_count(miner);
        assert_int_equal(learn(miner, "Accepted password for dave behind 10.0.0.9"), first);
        assert_int_equal(miner_count(miner), before);
        struct miner_template shown;
        assert_true(miner_template(miner, second, &shown));
        assert_int_equal(shown.lines, 4);
        assert_int_equal(shown.variable_count, 2);
        assert_int_equal(shown.last_ns, 7);
        assert_int_not_equal(learn(miner, "job failed badly today"), learn(miner, "job failed nicely today"));
}

static void two_places_that_hold_every_pair_of_words_are_two_variables(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static const char *const states[] = {"up", "down", "idle"};
        char line[100];
        uint32_t number = 0;
        for (int i = 0; i < 9; i++) {
                snprintf(line, sizeof line, "inconsistent: it reports %s, I expected %s", states[i / 3], states[i % 3]);
                number = learn(miner, line);
        }
        assert_reads(miner, number, "inconsistent: it reports <*>, I expected <*>");
        assert_int_equal(miner_counts(miner).templates - 1, 1);
}

static void what_follows_a_colon_in_many_ways_is_text(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static const char *const ends[] = {"connection refused", "no route to host", "timed out", "name or service not known", "broken pipe while writing"};
        char line[100];
        uint32_t number = 0;
        for (size_t i = 0; i < countof(ends); i++) {
                snprintf(line, sizeof line, "lost the upstream peer: %s", ends[i]);
                number = learn(miner, line);
        }
        assert_reads(miner, number, "lost the upstream peer: <*>");
        assert_int_equal(miner_counts(miner).templates - 1, 1);
        struct miner_match match;
        assert_true(miner_learn(miner, STR("lost the upstream peer: who knows"), 9, &match, NULL));
        assert_int_equal(match.variables[0].length, strlen("who knows"));
}

static void who_counts_by_number_is_told_of_merges(void *context, uint32_t from, uint32_t to)
{
        uint64_t *lines = context;
        if (to != MINER_GONE)
                lines[to] += lines[from];
        lines[from] = 0;
}

static void counts_kept_beside_the_miner_stay_equal_to_its_own(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static const char *const words[] = {"alpha", "bravo", "cedar", "delta", "ember"};
        uint64_t lines[64] = {0};
        char line[100];
        miner_on_merge(miner, who_counts_by_number_is_told_of_merges, lines);
        for (int i = 0; i < 50; i++) {
                snprintf(line, sizeof line, i % 2 ? "disk %s is full now" : "unit %s of service %s stopped", words[i % 5], words[i % 3]);
                lines[learn(miner, line)]++;
        }
        for (uint32_t i = 0; i < miner_count(miner); i++) {
                struct miner_template shown;
                if (miner_alias(miner, i) == i && miner_template(miner, i, &shown))
                        assert_int_equal(shown.lines, lines[i]);
        }
        assert_true(miner_counts(miner).aliases > 0);
}

static void people_read_types_where_machines_read_stars(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        scoped(buf_done) struct buf text = {0};
        assert_true(miner_sentence(miner, learn(miner, "took 10ms for /var/log/x from 10.0.0.1"), &text) && buf_byte(&text, 0));
        assert_string_equal(text.bytes, "took <duration> for <path> from <address>");
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
        }
        assert_reads(restored, 2, "Accepted key for <*> from <*>");
        for (uint32_t i = 0; i < miner_count(miner); i++)
                assert_true(id_of(miner, i) == id_of(restored, i));
        assert_true(miner_snapshot(miner, &one, NULL) && miner_snapshot(restored, &other, NULL));
        assert_true(str_equal(buf_str(&one), buf_str(&other)));
}

static void between_two_prepositions_the_second_word_makes_a_name(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        uint32_t first = learn(miner, "Refused password for root from 10.0.0.1");
        assert_int_equal(learn(miner, "Refused password for uucp from 10.0.0.1"), first);
        uint32_t on = learn(miner, "Service is enabled for 10.0.0.1"), start = learn(miner, "Unable to start on 10.0.0.1");
        assert_true(learn(miner, "Service is disabled for 10.0.0.1") != on);
        assert_true(learn(miner, "Unable to stop on 10.0.0.1") != start);
        uint32_t read = learn(miner, "Error on read of block 7"), writing = learn(miner, "Channel opened for writing by 10.0.0.1");
        assert_true(learn(miner, "Error on write of block 7") != read);
        assert_true(learn(miner, "Channel opened for reading by 10.0.0.1") != writing);
}

/* "alice" is a customer; what "up" is, a list of states has not told. */
static void a_name_that_is_known_is_a_value_where_one_is_announced(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        static const char *const names[] = {"alice", "bob", "carol", "dave"}, *const states[] = {"up", "down", "busy", "idle"};
        char line[64];
        assert_reads(miner, learn(miner, "Order cancelled by alice"), "Order cancelled by alice");
        for (int i = 0; i < 4; i++) {
                snprintf(line, sizeof line, "Basket of customer %s was emptied", names[i]);
                learn(miner, line);
                snprintf(line, sizeof line, "Monitor: agent says %s now", states[i]);
                learn(miner, line);
        }
        uint32_t moved = learn(miner, "Order moved by carol");
        assert_reads(miner, moved, "Order moved by <*>");
        assert_int_equal(learn(miner, "Order moved by dave"), moved);
        assert_int_equal(learn(miner, "Order moved by eve"), moved);
        assert_reads(miner, learn(miner, "Order moved to page carol"), "Order moved to page carol");
        uint32_t up = learn(miner, "Link up after repair");
        assert_true(learn(miner, "Link down after repair") != up);
}

static void names_survive_a_restart(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(0);
        scoped(buf_done) struct buf snapshot = {0};
        learn(miner, "Basket of customer alice was emptied");
        for (int i = 0; i < 4; i++)
                learn(miner, (const char *const[]){"Basket of customer bob was emptied", "Basket of customer carol was emptied",
                                                   "Basket of customer dave was emptied", "Basket of customer eve was emptied"}[i]);
        assert_true(miner_snapshot(miner, &snapshot, NULL));
        scoped_ptr(miner_destroy) struct miner *restored = miner_restore(buf_str(&snapshot), (struct miner_bounds){0}, NULL);
        assert_non_null(restored);
        assert_reads(restored, learn(restored, "Order moved by eve"), "Order moved by <*>");
        assert_reads(restored, learn(restored, "Order moved by fay"), "Order moved by <*>");
        assert_reads(restored, learn(restored, "Crate sent by gil"), "Crate sent by gil");
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
        assert_true(miner_count(miner) <= 256 * 9 / 8);
        assert_int_equal(counts.lines, 20000);
        assert_true(counts.forgotten > 10000);
        assert_reads(miner, 0, "<*>");
}

static uint64_t next_random(uint64_t *random)
{
        *random = *random * 6364136223846793005U + 1442695040888963407U;
        return *random >> 33;
}

/* Twenty sentences of up to nine words; in one line of three one to three of them are others. */
static void flood_line(uint64_t *random, char out_line[static 128])
{
        uint64_t sentence = next_random(random) % 20, others = 0;
        size_t length = 0;
        for (uint64_t i = next_random(random) % 3 ? 0 : 1 + next_random(random) % 3; i; i--)
                others |= UINT64_C(1) << next_random(random) % 9;
        for (uint64_t word = 0; word < 3 + sentence % 7; word++) {
                for (uint64_t letter = 0; letter < 5; letter++)
                        out_line[length++] = (char)('a' + (others >> word & 1 ? next_random(random) : sentence % 12 * 7 + (word % 3 ? 0 : sentence) + word * 11 + letter * (sentence % 12 + 3)) % 26);
                out_line[length++] = ' ';
        }
        out_line[length - 1] = 0;
}

static void what_a_flood_of_words_left_can_be_saved_and_restored(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(2048);
        uint64_t random = 9;
        char line[128];
        for (int i = 1; i <= 120000; i++) {
                flood_line(&random, line);
                learn(miner, line);
                if (i % 10000)
                        continue;
                struct err err = {0};
                scoped(buf_done) struct buf first = {0}, second = {0};
                assert_true(miner_snapshot(miner, &first, &err));
                scoped_ptr(miner_destroy) struct miner *again = miner_restore(buf_str(&first), (struct miner_bounds){.templates_max = 2048}, &err);
                if (!again)
                        fail_msg("after %d lines: %s", i, err.message);
                assert_true(miner_snapshot(again, &second, &err));
                assert_true(str_equal(buf_str(&first), buf_str(&second)));
        }
}

static void a_frequent_sentence_outlives_a_flood_of_rare_ones(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new(64);
        uint64_t random = 3;
        uint32_t number = 0;
        for (int i = 0; i < 5000; i++) {
                char line[64] = "";
                for (int letter = 0; letter < 30; letter++) {
                        random = random * 6364136223846793005U + 1442695040888963407U;
                        line[letter] = letter % 6 == 5 ? ' ' : (char)('a' + (random >> 59) % 26);
                }
                learn(miner, line);
                number = i % 10 ? number : learn(miner, "the disk is full");
        }
        struct miner_template shown;
        assert_true(miner_template(miner, number, &shown));
        assert_int_equal(shown.lines, 500);
        assert_true(miner_counts(miner).bytes < 64 * 1024);
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
                cmocka_unit_test(two_places_that_hold_every_pair_of_words_are_two_variables),
                cmocka_unit_test(what_follows_a_colon_in_many_ways_is_text),
                cmocka_unit_test(counts_kept_beside_the_miner_stay_equal_to_its_own),
                cmocka_unit_test(people_read_types_where_machines_read_stars),
                cmocka_unit_test(a_frequent_sentence_outlives_a_flood_of_rare_ones),
                cmocka_unit_test(ids_and_numbers_are_stable_over_restore_and_learning_goes_on_alike),
                cmocka_unit_test(between_two_prepositions_the_second_word_makes_a_name),
                cmocka_unit_test(a_name_that_is_known_is_a_value_where_one_is_announced),
                cmocka_unit_test(names_survive_a_restart),
                cmocka_unit_test(a_damaged_snapshot_is_refused_with_a_reason),
                cmocka_unit_test(random_words_stay_within_the_bound_and_are_counted),
                cmocka_unit_test(what_a_flood_of_words_left_can_be_saved_and_restored),
                cmocka_unit_test(any_bytes_are_a_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
