/* split_test - when the words at a place are sentences of their own, and what becomes of the template, its lines and its bytes. */
#include "learn/split.h"

#include "base/scope.h"
#include "learn/line_matcher.h"
#include "learn/miner_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

SCOPED_PTR(miner_destroy, struct miner)
SCOPED_PTR(split_destroy, struct split)
SCOPED_PTR(line_matcher_destroy, struct line_matcher)

enum { INFO = 1, WARN, ERROR };

static struct miner *miner_new(void)
{
        struct miner *miner = miner_create(STR("svc"), (struct miner_bounds){0}, NULL);
        assert_non_null(miner);
        return miner;
}

static struct miner_match learn(struct miner *miner, const char *line)
{
        struct miner_match match;
        assert_true(miner_learn(miner, str_of(line), 7, &match, NULL));
        return match;
}

static void assert_reads(const struct miner *miner, uint32_t number, const char *text)
{
        scoped(buf_done) struct buf read = {0};
        assert_true(miner_sentence(miner, number, &read));
        assert_true(buf_byte(&read, 0));
        assert_string_equal(read.bytes, text);
}

static const char *const states[] = {"up", "degraded", "down"};

/* "Link 7 state is up": three words after "is" make it one sentence. */
static uint32_t learn_states(struct miner *miner)
{
        uint32_t number = 0;
        for (int i = 0; i < 6; i++) {
                char line[64];
                snprintf(line, sizeof line, "Link %d state is %s now", i, states[i % 3]);
                number = learn(miner, line).number;
        }
        assert_reads(miner, number, "Link <number> state is <name> now");
        return number;
}

typedef uint8_t level_fn(uint32_t i, uint32_t word);

/* Watches so many lines of words taken in turn, as who counts beside the miner does. */
static struct split *watch(const char *form, const char *const *words, uint32_t word_count, uint32_t lines, level_fn *level_of)
{
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        struct split *split = split_create();
        char line[100];
        for (uint32_t i = 0; i < lines + 2 * word_count; i++) {
                snprintf(line, sizeof line, form, i, words[i % word_count]);
                struct miner_match match = learn(miner, line);
                if (i >= 2 * word_count)
                        split_add(split, miner, str_of(line), &match, level_of(i, i % word_count));
        }
        return split;
}

static uint8_t level_by_word(uint32_t i, uint32_t word)
{
        (void)i;
        return word == 0 ? INFO : word == 1 ? WARN : ERROR;
}

static uint8_t level_of_one_word(uint32_t i, uint32_t word)
{
        (void)i;
        return word == 0 ? ERROR : INFO;
}

static uint8_t level_by_chance(uint32_t i, uint32_t word)
{
        (void)word;
        return (i * 2654435761U) >> 13 & 1 ? INFO : ERROR;
}

static uint8_t level_by_word_but_once(uint32_t i, uint32_t word)
{
        return i == 100 ? WARN : level_of_one_word(i, word);
}

static uint8_t level_always(uint32_t i, uint32_t word)
{
        (void)i;
        (void)word;
        return INFO;
}

static void words_that_tell_the_level_are_sentences(void **state)
{
        (void)state;
        scoped_ptr(split_destroy) struct split *split = watch("Link %u state is %s now", states, 3, 256, level_by_word);
        const struct split_place *place = split_judge(split);
        assert_non_null(place);
        assert_int_equal(place->count, 3);
        assert_false(split_is_over(split));
}

static void words_that_do_not_tell_the_level_are_values_however_few(void **state)
{
        (void)state;
        static const char *const users[] = {"alice", "bob", "carol"};
        static level_fn *const levels[] = {level_by_chance, level_always, level_by_word_but_once};
        for (size_t i = 0; i < countof(levels); i++) {
                scoped_ptr(split_destroy) struct split *split = watch("Login %u of user %s done", users, 3, 2048, levels[i]);
                assert_null(split_judge(split));
        }
}

static void a_few_lines_say_nothing_and_more_say_it(void **state)
{
        (void)state;
        static const struct { uint32_t lines; bool told; } cases[] = {{16, false}, {64, false}, {256, true}, {4096, true}};
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(split_destroy) struct split *split = watch("Link %u state is %s now", states, 3, cases[i].lines, level_of_one_word);
                assert_int_equal(split_judge(split) != NULL, cases[i].told);
        }
}

/* A place that goes on to bring words is open, and when none is left nobody looks on. */
static void many_words_or_numbers_are_no_sentences(void **state)
{
        (void)state;
        static const char *const many[] = {"ash", "birch", "cedar", "fir", "larch", "oak", "pine"};
        static const char *const numbers[] = {"eth0", "eth1", "eth2"};
        scoped_ptr(split_destroy) struct split *wide = watch("Tree %u of kind %s grows", many, 7, 512, level_of_one_word);
        assert_null(split_judge(wide));
        assert_true(split_is_over(wide));
        scoped_ptr(split_destroy) struct split *numbered = watch("Link %u named %s grows", numbers, 3, 512, level_of_one_word);
        assert_null(split_judge(numbered));
        assert_true(split_is_over(numbered));
}

static void a_word_that_came_late_is_waited_for(void **state)
{
        (void)state;
        scoped_ptr(split_destroy) struct split *split = watch("Link %u state is %s now", states, 3, 256, level_by_word);
        split->places[0].newest = 129;
        assert_null(split_judge(split));
        split->places[0].newest = 128;
        assert_non_null(split_judge(split));
}

static void a_watch_is_read_as_it_was_written(void **state)
{
        (void)state;
        scoped_ptr(split_destroy) struct split *split = watch("Link %u state is %s now", states, 3, 100, level_by_word);
        scoped(buf_done) struct buf first = {0}, second = {0};
        split_write(split, &first);
        struct reader reader = reader_of(buf_str(&first));
        scoped_ptr(split_destroy) struct split *again = split_read(&reader);
        assert_non_null(again);
        split_write(again, &second);
        assert_true(str_equal(buf_str(&first), buf_str(&second)));
        for (size_t length = 0; length < first.length; length++) {
                struct reader cut = reader_of(str_slice(buf_str(&first), 0, length));
                assert_null(split_read(&cut));
        }
}

/* --- what the miner makes of it --------------------------------------------------------------------------------------- */

static const struct str up_and_down[] = {STR_INIT("up"), STR_INIT("down")};

static void halves_have_ids_of_their_own_and_the_whole_keeps_its_past_and_other_words(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t whole = learn_states(miner), halves[2];
        uint64_t id = miner_id(miner, whole);
        assert_true(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        for (int round = 0; round < 5; round++) {
                assert_int_equal(learn(miner, "Link 8 state is up now").number, halves[0]);
                assert_int_equal(learn(miner, "Link 9 state is down now").number, halves[1]);
                assert_int_equal(learn(miner, "Link 9 state is degraded now").number, whole);
        }
        assert_reads(miner, halves[0], "Link <number> state is up now");
        assert_reads(miner, halves[1], "Link <number> state is down now");
        assert_reads(miner, whole, "Link <number> state is <name> now");
        struct miner_template shown;
        assert_true(miner_template(miner, halves[0], &shown));
        assert_true(shown.split_from == id && shown.lines == 5 && shown.variable_count == 1 && shown.half_count == 0);
        assert_true(miner_template(miner, whole, &shown));
        assert_true(shown.id == id && shown.lines == 11 && shown.half_count == 2 && shown.split_from == 0);
        assert_true(shown.halves[0] == miner_id(miner, halves[0]) && shown.halves[0] != id && shown.halves[1] != shown.halves[0]);
        assert_int_equal(miner_origin(miner, halves[1]), whole);
        assert_int_equal(miner_counts(miner).halves, 2);
}

static void a_soft_place_and_one_known_by_its_looks_split_too(void **state)
{
        (void)state;
        static const struct { const char *form, *words[2], *text; } cases[] = {
                {"port=7 state=%s of x", {"open", "shut"}, "state=shut"}, {"overlap:%s in 5 ms of x", {"true", "false"}, "overlap:false"}};
        for (size_t i = 0; i < countof(cases); i++) {
                scoped_ptr(miner_destroy) struct miner *miner = miner_new();
                struct str words[2] = {str_of(cases[i].words[0]), str_of(cases[i].words[1])};
                struct miner_match match;
                char line[64];
                for (int l = 0; l < 6; l++) {
                        snprintf(line, sizeof line, cases[i].form, cases[i].words[l & 1]);
                        match = learn(miner, line);
                }
                uint32_t v = 0, halves[2];
                while (v < match.variable_count && !str_equal(str_slice(str_of(line), match.variables[v].start, match.variables[v].start + match.variables[v].length), words[1]))
                        v++;
                assert_true(v < match.variable_count);
                assert_true(miner_divide(miner, match.number, match.variables[v].place, words, 2, halves));
                for (int l = 0; l < 8; l++) {
                        snprintf(line, sizeof line, cases[i].form, cases[i].words[l & 1]);
                        assert_int_equal(learn(miner, line).number, halves[l & 1]);
                }
                scoped(buf_done) struct buf text = {0};
                size_t at;
                assert_true(miner_sentence(miner, halves[1], &text) && str_find(buf_str(&text), str_of(cases[i].text), &at));
        }
}

/* The old id finds both halves among stored lines, each half its own. */
static void stored_lines_are_found_by_the_old_id_and_by_the_new(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t whole = learn_states(miner), halves[2], found;
        uint64_t id = miner_id(miner, whole);
        assert_true(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        assert_true(miner_find(miner, id, &found));
        scoped_ptr(line_matcher_destroy) struct line_matcher *all = line_matcher_create(miner, found, NULL), *up = line_matcher_create(miner, halves[0], NULL);
        assert_true(line_matcher_matches(all, STR("Link 1 state is up now")) && line_matcher_matches(all, STR("Link 1 state is down now")));
        assert_true(line_matcher_matches(up, STR("Link 1 state is up now")));
        assert_false(line_matcher_matches(up, STR("Link 1 state is down now")));
}

/* Says it of things whose names come first; six of them are enough for a place of values. */
static void say_things(struct miner *miner, const char *const *things, int count, int lines)
{
        for (int i = 0; i < lines; i++) {
                char line[64];
                snprintf(line, sizeof line, "%s %d state is %s now", things[i % count], i, states[i / count % 3]);
                learn(miner, line);
                while (miner_refine(miner, 8))
                        ;
        }
}

static const char *const things[] = {"Port", "Plug", "Tunnel", "Bridge", "Bond", "Vlan", "Team"};

static void a_split_sentence_merges_with_others_and_its_halves_with_it(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t whole = learn_states(miner), halves[2], now;
        assert_true(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        for (int i = 0; i < 200; i++)
                learn(miner, "Link 5 state is degraded now"); /* the one most seen stays */
        uint64_t half_id = miner_id(miner, halves[0]);
        say_things(miner, things, countof(things), 42);
        assert_int_equal(miner_alias(miner, learn(miner, "Team 9 state is degraded now").number), whole);
        assert_int_equal(learn(miner, "Team 9 state is up now").number, halves[0]);
        assert_true(miner_find(miner, half_id, &now));
        assert_reads(miner, now, "<name> <number> state is up now");
}

static void what_merges_again_is_not_split_again(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t whole = learn_states(miner), halves[2], now;
        assert_true(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        assert_false(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        assert_false(miner_divides(miner, halves[0], 1));
        uint64_t id = miner_id(miner, whole), half_id = miner_id(miner, halves[0]);
        for (int i = 0; i < 20; i++)
                learn(miner, "Link 5 state is up now");
        say_things(miner, things, 1, 300); /* ports are seen most, so links merge into them */
        say_things(miner, things, countof(things), 42);
        assert_int_equal(miner_counts(miner).splits, 0);
        assert_true(miner_find(miner, id, &now) && now != whole);
        assert_false(miner_divides(miner, now, 4));
        struct miner_template shown;
        assert_true(miner_template(miner, now, &shown) && shown.half_count == 0 && shown.split_from == 0);
        assert_int_equal(shown.lines, 6 + 20 + 342);
        assert_int_equal(learn(miner, "Link 5 state is up now").number, now);
        assert_true(miner_find(miner, half_id, &now) && now == miner_alias(miner, whole));
}

static void beyond_the_bound_a_template_stays_whole_and_is_counted(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t halves[2], refused = 0;
        for (uint32_t i = 0; i < MINER_SPLITS_MAX + 3; i++) {
                char line[300] = "";
                struct miner_match match;
                for (uint32_t w = 0; w <= i; w++)
                        memcpy(line + 3 * w, "so ", 4); /* sentences of different lengths never merge */
                for (int w = 0; w < 2; w++) {
                        snprintf(line + 3 * (i + 1), 40, "it is state=%s", w ? "up" : "down");
                        match = learn(miner, line);
                }
                assert_int_equal(match.variable_count, 1);
                refused += !miner_divide(miner, match.number, match.variables[0].place, up_and_down, 2, halves);
                assert_false(miner_divides(miner, match.number, match.variables[0].place));
        }
        assert_true(refused >= 3);
        assert_int_equal(refused, 3);
        assert_int_equal(miner_counts(miner).splits_refused, refused);
        assert_int_equal(miner_counts(miner).splits, MINER_SPLITS_MAX);
}

/* Also after a restart, and with the knowledge of outlines that a restart loses. */
static void a_restored_miner_goes_on_alike_and_bytes_of_versions_2_and_3_open(void **state)
{
        (void)state;
        scoped_ptr(miner_destroy) struct miner *miner = miner_new();
        uint32_t whole = learn_states(miner), halves[2];
        scoped(buf_done) struct buf old = {0}, saved = {0}, first = {0}, second = {0};
        assert_true(miner_snapshot(miner, &old, NULL));
        /* Version 3 had no names: their count and four bytes for each, behind four that name the version and twelve of splits. */
        size_t names = 2 + 4 * (size_t)old.bytes[16];
        assert_int_equal(old.bytes[16], 3);
        memmove(old.bytes + 16, old.bytes + 16 + names, old.length - 16 - names);
        memcpy(old.bytes, "MIN3", 4);
        old.length -= names;
        scoped_ptr(miner_destroy) struct miner *third = miner_restore(buf_str(&old), (struct miner_bounds){0}, NULL);
        assert_non_null(third);
        assert_int_equal(miner_counts(third).templates, miner_counts(miner).templates);
        /* Version 2 had no splits either. */
        memmove(old.bytes + 4, old.bytes + 16, old.length - 16);
        memcpy(old.bytes, "MIN2", 4);
        old.length -= 12;
        scoped_ptr(miner_destroy) struct miner *upgraded = miner_restore(buf_str(&old), (struct miner_bounds){0}, NULL);
        assert_non_null(upgraded);
        assert_true(miner_divide(miner, whole, 4, up_and_down, 2, halves));
        assert_true(miner_divide(upgraded, whole, 4, up_and_down, 2, halves));
        assert_true(miner_snapshot(miner, &saved, NULL));
        scoped_ptr(miner_destroy) struct miner *restored = miner_restore(buf_str(&saved), (struct miner_bounds){0}, NULL);
        assert_non_null(restored);
        for (int i = 0; i < 100; i++) {
                char line[64];
                snprintf(line, sizeof line, "Link %d state is %s now", i, states[i % 3]);
                uint32_t number = learn(miner, line).number;
                assert_int_equal(learn(restored, line).number, number);
                assert_int_equal(learn(upgraded, line).number, number);
        }
        assert_true(miner_snapshot(miner, &first, NULL) && miner_snapshot(restored, &second, NULL));
        assert_true(str_equal(buf_str(&first), buf_str(&second)));
        for (size_t length = 0; length < saved.length; length++)
                assert_null(miner_restore(str_slice(buf_str(&saved), 0, length), (struct miner_bounds){0}, NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_that_tell_the_level_are_sentences),
                cmocka_unit_test(words_that_do_not_tell_the_level_are_values_however_few),
                cmocka_unit_test(a_few_lines_say_nothing_and_more_say_it),
                cmocka_unit_test(many_words_or_numbers_are_no_sentences),
                cmocka_unit_test(a_word_that_came_late_is_waited_for),
                cmocka_unit_test(a_watch_is_read_as_it_was_written),
                cmocka_unit_test(halves_have_ids_of_their_own_and_the_whole_keeps_its_past_and_other_words),
                cmocka_unit_test(a_soft_place_and_one_known_by_its_looks_split_too),
                cmocka_unit_test(stored_lines_are_found_by_the_old_id_and_by_the_new),
                cmocka_unit_test(a_split_sentence_merges_with_others_and_its_halves_with_it),
                cmocka_unit_test(what_merges_again_is_not_split_again),
                cmocka_unit_test(beyond_the_bound_a_template_stays_whole_and_is_counted),
                cmocka_unit_test(a_restored_miner_goes_on_alike_and_bytes_of_versions_2_and_3_open),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
