/* series_chunk_test - whatever goes into an open chunk comes out, to the bit and in order. */
#include "store/series_chunk.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "store/decimal.h"

#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static size_t round_trip(const struct sample *samples, size_t count)
{
        struct piece_pool pool = {0};
        struct series_chunk chunk = {0};
        assert_true(piece_pool_reserve(&pool, series_chunk_pieces_max(count)));
        for (size_t i = 0; i < count; i++)
                series_chunk_append(&chunk, &pool, samples[i].time_ns, samples[i].value);
        assert_int_equal(chunk.count, count);
        size_t length = series_chunk_bytes(&chunk, &pool);
        char *bytes = malloc(length + SERIES_CHUNK_PAD);
        int64_t *times = malloc((count + 1) * sizeof *times);
        double *values = malloc((count + 1) * sizeof *values);
        series_chunk_copy(&chunk, &pool, bytes);
        memset(bytes + length, 0xEE, SERIES_CHUNK_PAD);
        series_chunk_decode((struct str){bytes, length}, count, times, values);
        for (size_t i = 0; i < count; i++) {
                assert_int_equal(times[i], samples[i].time_ns);
                assert_int_equal(double_bits(values[i]), double_bits(samples[i].value));
        }
        free(bytes);
        free(times);
        free(values);
        piece_pool_done(&pool);
        return length;
}

static void sixty_samples_of_a_constant_cost_a_few_bytes(void **state)
{
        (void)state;
        struct sample samples[60];
        for (size_t i = 0; i < countof(samples); i++)
                samples[i] = (struct sample){INT64_C(1700000000000) * NS_PER_MS + (int64_t)i * 10 * NS_PER_S, 42};
        assert_in_range(round_trip(samples, 60), 1, 24);
}

static void counters_and_two_decimals_cost_two_or_three_bytes(void **state)
{
        (void)state;
        struct sample samples[600];
        struct rng rng = {7};
        double counter = 1e9, walk = 20;
        for (size_t i = 0; i < 600; i++) {
                counter += (double)rng_below(&rng, 1000);
                walk = (double)(llrint(walk * 100) + (int64_t)rng_below(&rng, 200) - 100) / 100;
                samples[i] = (struct sample){INT64_C(1700000000000) * NS_PER_MS + (int64_t)i * 10 * NS_PER_S, i < 300 ? counter : walk};
        }
        assert_in_range(round_trip(samples, 300), 300, 950);
        assert_in_range(round_trip(samples + 300, 300), 300, 900);
}

static void odd_values_and_times_come_back_to_the_bit(void **state)
{
        (void)state;
        static const uint64_t odd[] = {0, UINT64_C(1) << 63, STALE_NAN_BITS, 0x7ff8000000000001, 0xfff0000000000000,
                                       0x7ff0000000000000, 1, 0x000fffffffffffff, 0x7fefffffffffffff, 0x4340000000000000,
                                       0xc340000000000001, 0x3fb999999999999a, 0x3ff0000000000000, 0x4320000000000000};
        static const int64_t odd_times[] = {INT64_MIN, INT64_MAX, 0, 1, -1, NS_PER_MS, -NS_PER_MS, INT64_C(1) << 62};
        struct rng rng = {11};
        for (int round = 0; round < 2000; round++) {
                struct sample samples[80];
                size_t count = 1 + rng_below(&rng, 80);
                for (size_t i = 0; i < count; i++) {
                        uint64_t kind = rng_below(&rng, 6), bits = kind < 2 ? odd[rng_below(&rng, countof(odd))] : rng_u64(&rng);
                        double value = kind == 3 ? (double)rng_below(&rng, 1000000) / 1000 : double_of_bits(bits);
                        int64_t time = (int64_t)i * 15 * NS_PER_S + (kind == 4 ? (int64_t)rng_below(&rng, NS_PER_S) : 0);
                        if (kind == 5)
                                time = rng_below(&rng, 2) ? odd_times[rng_below(&rng, countof(odd_times))] : (int64_t)rng_u64(&rng);
                        samples[i] = i && rng_below(&rng, 3) == 0 ? samples[i - 1] : (struct sample){time, value};
                }
                round_trip(samples, count);
        }
}

static void a_pool_gives_back_what_a_chunk_did_not_use(void **state)
{
        (void)state;
        struct piece_pool pool = {0};
        struct series_chunk chunk = {0};
        assert_true(piece_pool_reserve(&pool, 10000));
        size_t before = piece_pool_bytes(&pool);
        series_chunk_append(&chunk, &pool, 5, 1);
        piece_pool_clear(&pool);
        assert_true(piece_pool_bytes(&pool) < before / 10);
        piece_pool_done(&pool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sixty_samples_of_a_constant_cost_a_few_bytes),
                cmocka_unit_test(counters_and_two_decimals_cost_two_or_three_bytes),
                cmocka_unit_test(odd_values_and_times_come_back_to_the_bit),
                cmocka_unit_test(a_pool_gives_back_what_a_chunk_did_not_use),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
