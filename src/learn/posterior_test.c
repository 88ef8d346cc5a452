/* posterior_test - what is believed of a runbook, from what, and how it changes. */
#include "learn/posterior.h"

#include "base/scope.h"
#include "learn/beta.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

SCOPED_PTR(posterior_destroy, struct posterior)

#define RESTART 1
#define TRIM 2
#define DISK_FULL 10
#define HUNG 11
#define WEB 20
#define DATABASE 21

static void record(struct posterior *posterior, struct posterior_key key, enum posterior_outcome outcome, int times)
{
        for (int i = 0; i < times; i++)
                assert_true(posterior_record(posterior, key, outcome, NULL));
}

static struct posterior_belief read_belief(const struct posterior *posterior, struct posterior_key key)
{
        struct posterior_belief belief;
        posterior_read(posterior, key, &belief);
        assert_true(belief.low <= belief.mean && belief.mean <= belief.high && belief.low >= 0 && belief.high <= 1);
        return belief;
}

static bool near(double a, double b, double by)
{
        return fabs(a - b) < by;
}

/* Against values that follow from formulas: uniform, x^n, symmetry. */
static void the_beta_distribution_is_right(void **state)
{
        (void)state;
        assert_true(near(beta_below((struct beta){1, 1}, 0.3), 0.3, 1e-9));
        assert_true(near(beta_below((struct beta){5, 1}, 0.8), pow(0.8, 5), 1e-9));
        assert_true(near(beta_below((struct beta){1, 4}, 0.2), 1 - pow(0.8, 4), 1e-9));
        assert_true(near(beta_below((struct beta){7.5, 7.5}, 0.5), 0.5, 1e-9));
        assert_true(near(beta_below((struct beta){2, 3}, 0.4), 0.5248, 1e-9)); /* 1 - sum over the binomial */
        assert_true(near(beta_quantile((struct beta){5, 1}, 0.5), pow(0.5, 0.2), 1e-9));
        assert_true(near(beta_exceeds((struct beta){3, 3}, (struct beta){3, 3}), 0.5, 1e-3));
        assert_true(near(beta_exceeds((struct beta){2, 1}, (struct beta){1, 1}), 2.0 / 3, 1e-3));
        assert_true(near(beta_below((struct beta){90000, 10000}, 0.9), 0.5, 0.01));
        assert_true(beta_below((struct beta){2, 2}, 0) == 0 && beta_below((struct beta){2, 2}, 1) == 1);
}

static void nothing_known_is_little_believed(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_belief belief = read_belief(posterior, (struct posterior_key){RESTART, HUNG, WEB});
        assert_true(near(belief.mean, 1.0 / 3, 1e-9));
        assert_true(belief.low < 0.02 && belief.high > 0.85 && !belief.is_demoted);
        assert_true(near(belief.beats_healing, 0.5, 1e-2));
}

static void verified_runs_raise_belief_and_narrow_it(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        double low = 0, width = 1;
        for (int runs = 5; runs <= 40; runs *= 2) {
                record(posterior, key, POSTERIOR_VERIFIED, runs == 5 ? 5 : runs / 2);
                struct posterior_belief belief = read_belief(posterior, key);
                assert_int_equal(belief.verified, runs);
                assert_true(belief.low > low && belief.high - belief.low < width);
                low = belief.low;
                width = belief.high - belief.low;
        }
        assert_true(low > 0.9);
}

static void alike_targets_are_believed_too_but_less(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        record(posterior, (struct posterior_key){RESTART, HUNG, WEB}, POSTERIOR_VERIFIED, 30);
        double own = read_belief(posterior, (struct posterior_key){RESTART, HUNG, WEB}).mean;
        struct posterior_belief alike = read_belief(posterior, (struct posterior_key){RESTART, HUNG, DATABASE});
        double signature = read_belief(posterior, (struct posterior_key){RESTART, DISK_FULL, WEB}).low;
        double other = read_belief(posterior, (struct posterior_key){TRIM, HUNG, WEB}).mean;
        assert_true(own > 0.9 && alike.mean > 0.8 && alike.verified == 0);
        assert_true(alike.low < read_belief(posterior, (struct posterior_key){RESTART, HUNG, WEB}).low);
        assert_true(signature <= alike.low + 1e-9);
        assert_true(near(other, 1.0 / 3, 1e-9)); /* another runbook has shown nothing */
        record(posterior, (struct posterior_key){RESTART, HUNG, DATABASE}, POSTERIOR_FAILED, 6);
        assert_true(read_belief(posterior, (struct posterior_key){RESTART, HUNG, DATABASE}).mean < 0.45);
        assert_true(read_belief(posterior, (struct posterior_key){RESTART, HUNG, WEB}).mean > 0.85);
}

/* Own runs are not in the pool as well: with no others the pool says what it said before. */
static void own_runs_do_not_count_twice(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        record(posterior, key, POSTERIOR_VERIFIED, 20);
        struct posterior_belief belief = read_belief(posterior, key);
        assert_true(near(belief.pool_mean, 1.0 / 3, 1e-9));
        assert_true(near(belief.mean, 20.5 / 21.5, 1e-9));
}

static void one_harmful_run_demotes_until_it_is_made_up_for(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        record(posterior, key, POSTERIOR_VERIFIED, 50);
        double before = read_belief(posterior, key).mean;
        record(posterior, key, POSTERIOR_HARMFUL, 1);
        struct posterior_belief belief = read_belief(posterior, key);
        assert_true(belief.is_demoted && belief.until_trusted == POSTERIOR_DEMOTED_UNTIL && belief.mean < before - 0.05);
        assert_false(read_belief(posterior, (struct posterior_key){RESTART, HUNG, DATABASE}).is_demoted);
        record(posterior, key, POSTERIOR_VERIFIED, POSTERIOR_DEMOTED_UNTIL - 1);
        assert_int_equal(read_belief(posterior, key).until_trusted, 1);
        record(posterior, key, POSTERIOR_HARMFUL, 1);
        assert_int_equal(read_belief(posterior, key).until_trusted, POSTERIOR_DEMOTED_UNTIL);
        record(posterior, key, POSTERIOR_VERIFIED, POSTERIOR_DEMOTED_UNTIL);
        assert_false(read_belief(posterior, key).is_demoted);
}

static void what_heals_by_itself_needs_no_runbook(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        record(posterior, key, POSTERIOR_VERIFIED, 18);
        record(posterior, key, POSTERIOR_FAILED, 2);
        assert_true(read_belief(posterior, key).beats_healing > 0.9);
        for (int i = 0; i < 40; i++)
                assert_true(posterior_heal(posterior, HUNG, WEB, i % 20 != 0, NULL));
        struct posterior_belief belief = read_belief(posterior, key);
        assert_true(belief.heal_mean > 0.85 && belief.beats_healing < 0.5 && belief.mean > 0.8);
        for (int i = 0; i < 200; i++)
                assert_true(posterior_heal(posterior, HUNG, WEB, false, NULL));
        assert_true(read_belief(posterior, key).beats_healing > 0.99);
}

static void a_record_can_be_taken_back(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB}, other = {RESTART, HUNG, DATABASE};
        record(posterior, key, POSTERIOR_VERIFIED, 3);
        record(posterior, other, POSTERIOR_FAILED, 1);
        struct posterior_belief before = read_belief(posterior, key), after;
        record(posterior, key, POSTERIOR_HARMFUL, 1);
        record(posterior, key, POSTERIOR_VERIFIED, 2);
        assert_true(posterior_take_back(posterior, key, POSTERIOR_HARMFUL));
        assert_true(posterior_take_back(posterior, key, POSTERIOR_VERIFIED));
        assert_true(posterior_take_back(posterior, key, POSTERIOR_VERIFIED));
        after = read_belief(posterior, key);
        assert_true(after.mean == before.mean && after.low == before.low && !after.is_demoted && after.pool_mean == before.pool_mean);
        assert_false(posterior_take_back(posterior, key, POSTERIOR_HARMFUL));
        assert_false(posterior_take_back(posterior, (struct posterior_key){TRIM, HUNG, WEB}, POSTERIOR_VERIFIED));
}

static void what_a_person_had_healed_can_be_taken_back(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        assert_false(posterior_heal_take_back(posterior, HUNG, WEB, true));
        assert_true(posterior_heal(posterior, HUNG, WEB, false, NULL));
        double before = read_belief(posterior, key).heal_mean;
        assert_true(posterior_heal(posterior, HUNG, WEB, true, NULL));
        assert_true(read_belief(posterior, key).heal_mean > before);
        assert_true(posterior_heal_take_back(posterior, HUNG, WEB, true));
        assert_true(read_belief(posterior, key).heal_mean == before);
        assert_false(posterior_heal_take_back(posterior, HUNG, WEB, true));
}

static void the_totals_of_a_runbook_are_of_all_its_signatures(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        record(posterior, (struct posterior_key){RESTART, HUNG, WEB}, POSTERIOR_VERIFIED, 3);
        record(posterior, (struct posterior_key){RESTART, HUNG + 1, DATABASE}, POSTERIOR_FAILED, 2);
        record(posterior, (struct posterior_key){TRIM, HUNG, WEB}, POSTERIOR_HARMFUL, 1);
        struct posterior_totals totals = posterior_totals(posterior, RESTART);
        assert_true(totals.verified == 3 && totals.failed == 2 && totals.harmful == 0);
        assert_int_equal(posterior_totals(posterior, 77).verified, 0);
}

static void past_the_bound_the_pools_still_learn(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(4, NULL);
        for (uint64_t class = 0; class < 10; class++)
                record(posterior, (struct posterior_key){RESTART, HUNG, class}, POSTERIOR_VERIFIED, 1);
        assert_int_equal(posterior_counts(posterior).cells, 4);
        assert_int_equal(posterior_counts(posterior).crowded, 8);
        struct posterior_belief belief = read_belief(posterior, (struct posterior_key){RESTART, HUNG, 9});
        assert_true(belief.verified == 0 && belief.mean > 0.8);
}

static void a_restored_one_believes_the_same(void **state)
{
        (void)state;
        scoped_ptr(posterior_destroy) struct posterior *posterior = posterior_create(0, NULL);
        struct posterior_key key = {RESTART, HUNG, WEB};
        scoped(buf_done) struct buf bytes = {0}, again = {0};
        struct err err = {0};
        record(posterior, key, POSTERIOR_HARMFUL, 1);
        record(posterior, key, POSTERIOR_VERIFIED, 7);
        assert_true(posterior_heal(posterior, HUNG, WEB, true, NULL));
        assert_true(posterior_snapshot(posterior, &bytes, NULL));
        scoped_ptr(posterior_destroy) struct posterior *twin = posterior_restore(buf_str(&bytes), 0, NULL);
        struct posterior_belief a = read_belief(posterior, key), b = read_belief(twin, key);
        assert_memory_equal(&a, &b, sizeof a);
        assert_true(posterior_snapshot(twin, &again, NULL) && str_equal(buf_str(&bytes), buf_str(&again)));
        for (size_t length = 0; length < bytes.length; length++) {
                assert_null(posterior_restore(str_slice(buf_str(&bytes), 0, length), 0, &err));
                assert_int_equal(err.code, ERR_CORRUPT);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_beta_distribution_is_right),
                cmocka_unit_test(nothing_known_is_little_believed),
                cmocka_unit_test(verified_runs_raise_belief_and_narrow_it),
                cmocka_unit_test(alike_targets_are_believed_too_but_less),
                cmocka_unit_test(own_runs_do_not_count_twice),
                cmocka_unit_test(one_harmful_run_demotes_until_it_is_made_up_for),
                cmocka_unit_test(what_heals_by_itself_needs_no_runbook),
                cmocka_unit_test(a_record_can_be_taken_back),
                cmocka_unit_test(what_a_person_had_healed_can_be_taken_back),
                cmocka_unit_test(the_totals_of_a_runbook_are_of_all_its_signatures),
                cmocka_unit_test(past_the_bound_the_pools_still_learn),
                cmocka_unit_test(a_restored_one_believes_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
