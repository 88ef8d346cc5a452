/* sequence_test - what a new bag is worth after many alike, and after many that differ. */
#include "learn/sequence.h"

#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

SCOPED_PTR(sequences_destroy, struct sequences)

static struct bag bag_of(const char *events)
{
        struct bag bag = {0};
        for (; *events; events++)
                bag_add(&bag, (uint32_t)*events);
        return bag;
}

static void learn(struct sequences *sequences, const char *events, int times)
{
        struct bag bag = bag_of(events);
        while (times--)
                assert_true(sequences_learn(sequences, &bag));
}

static double p_of(struct sequences *sequences, const char *events)
{
        struct bag bag = bag_of(events);
        return sequences_judge(sequences, &bag).p_value;
}

static void what_was_seen_is_no_surprise_whatever_the_order(void **state)
{
        (void)state;
        scoped_ptr(sequences_destroy) struct sequences *sequences = sequences_create(NULL);
        assert_true(p_of(sequences, "abc") == 1);
        learn(sequences, "abcc", 1000);
        assert_true(p_of(sequences, "ccba") == 1);
        assert_true(p_of(sequences, "ab") < 1e-3);
        assert_true(p_of(sequences, "abccx") < 1e-3);
}

static void a_number_of_times_that_varies_surprises_less_than_an_event_that_is_missing(void **state)
{
        (void)state;
        scoped_ptr(sequences_destroy) struct sequences *sequences = sequences_create(NULL);
        learn(sequences, "abc", 300);
        learn(sequences, "abcc", 300);
        learn(sequences, "abccc", 300);
        learn(sequences, "abcccccc", 1);
        assert_true(p_of(sequences, "abcccc") > p_of(sequences, "ac"));
        assert_true(p_of(sequences, "abcccc") < 1);
}

static void where_many_are_new_one_more_new_one_is_ordinary(void **state)
{
        (void)state;
        scoped_ptr(sequences_destroy) struct sequences *sequences = sequences_create(NULL);
        static const char letters[] = "abcdefghijklmnop";
        for (int i = 0; i < 100; i++) {
                char events[] = {letters[i % 16], letters[i * 7 % 13], letters[i * 5 % 11], letters[i * 3 % 16], 0};
                learn(sequences, events, 1);
        }
        assert_true(p_of(sequences, "appo") > 0.05);
}

static void count(void *context, const struct sequence_look *look)
{
        (void)look;
        ++*(int *)context;
}

static void pieces_of_work_beyond_the_bound_make_room_and_state_survives(void **state)
{
        (void)state;
        scoped_ptr(sequences_destroy) struct sequences *sequences = sequences_create(NULL);
        int closed = 0;
        for (uint64_t work = 1; work <= 2 * SEQUENCES_OPEN_MAX; work++)
                for (uint32_t event = 0; event < 3; event++)
                        assert_true(sequences_step(sequences, work, event + (uint32_t)(work % 5), (int64_t)work, count, &closed, NULL));
        assert_int_equal(closed, SEQUENCES_OPEN_MAX);
        scoped(buf_done) struct buf saved = {0}, again = {0};
        sequences_write(sequences, &saved);
        struct reader reader = reader_of(buf_str(&saved));
        scoped_ptr(sequences_destroy) struct sequences *restored = sequences_read(&reader, NULL);
        assert_non_null(restored);
        sequences_close(sequences, INT64_MAX, count, &closed);
        assert_int_equal(closed, 2 * SEQUENCES_OPEN_MAX);
        sequences_close(restored, INT64_MAX, NULL, NULL);
        buf_clear(&saved);
        sequences_write(sequences, &saved);
        sequences_write(restored, &again);
        assert_true(str_equal(buf_str(&saved), buf_str(&again)));
        struct bag large = {0};
        for (uint32_t event = 0; event < 100; event++)
                bag_add(&large, event);
        assert_true(large.is_too_large && sequences_judge(sequences, &large).p_value == 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_seen_is_no_surprise_whatever_the_order),
                cmocka_unit_test(a_number_of_times_that_varies_surprises_less_than_an_event_that_is_missing),
                cmocka_unit_test(where_many_are_new_one_more_new_one_is_ordinary),
                cmocka_unit_test(pieces_of_work_beyond_the_bound_make_room_and_state_survives),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
