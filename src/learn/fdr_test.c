/* fdr_test - chance alone makes few discoveries, real faults are found, and the share of false ones stays below what was asked. */
#include "learn/fdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

static double uniform(uint64_t *state)
{
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}

static void chance_alone_is_rarely_called_a_discovery(void **state)
{
        (void)state;
        int streams_with_any = 0;
        uint64_t seed = 11;
        for (int stream = 0; stream < 400; stream++) {
                struct fdr fdr;
                fdr_init(&fdr, 0.1);
                for (int i = 0; i < 2000; i++)
                        fdr_test(&fdr, uniform(&seed) * 0.01); /* what a detector reports of pure noise: uniform below its own bound */
                streams_with_any += fdr.discovered > 0;
        }
        assert_true(streams_with_any <= 40); /* a false discovery among none true is a share of one: at most 0.1 of the streams */
}

static void the_share_of_false_discoveries_stays_below_alpha_while_true_ones_are_found(void **state)
{
        (void)state;
        double share = 0, found = 0, there = 0;
        uint64_t seed = 5;
        for (int stream = 0; stream < 200; stream++) {
                struct fdr fdr;
                int falsely = 0, all = 0;
                fdr_init(&fdr, 0.1);
                for (int i = 0; i < 1000; i++) {
                        bool is_true = uniform(&seed) < 0.1;
                        double p = is_true ? 1e-7 * uniform(&seed) : 0.01 * uniform(&seed);
                        bool is_discovery = fdr_test(&fdr, p);
                        falsely += is_discovery && !is_true;
                        all += is_discovery;
                        found += is_discovery && is_true;
                        there += is_true;
                }
                share += all ? (double)falsely / all : 0;
        }
        assert_true(share / 200 <= 0.1);
        assert_true(found / there > 0.9);
}

static void what_is_beyond_tau_spends_nothing(void **state)
{
        (void)state;
        struct fdr fdr;
        fdr_init(&fdr, 0.1);
        double before = fdr_level(&fdr);
        for (int i = 0; i < 1000; i++)
                assert_false(fdr_test(&fdr, 0.5));
        assert_false(fdr_test(&fdr, NAN));
        assert_true(fdr_level(&fdr) == before);
        for (int i = 0; i < 1000; i++)
                fdr_test(&fdr, 0.009);
        assert_true(fdr_level(&fdr) < before / 100);
}

static void the_weights_sum_to_one(void **state)
{
        (void)state;
        struct fdr fdr;
        double sum = 0;
        fdr_init(&fdr, 0.1);
        for (int i = 0; i < 200000; i++) {
                sum += fdr_level(&fdr) / (fdr.tau * (1 - fdr.lambda) * 0.05);
                fdr_test(&fdr, 0.01);
        }
        assert_true(sum > 0.99 && sum <= 1.0001);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(chance_alone_is_rarely_called_a_discovery),
                cmocka_unit_test(the_share_of_false_discoveries_stays_below_alpha_while_true_ones_are_found),
                cmocka_unit_test(what_is_beyond_tau_spends_nothing),
                cmocka_unit_test(the_weights_sum_to_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
