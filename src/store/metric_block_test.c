/* metric_block_test - blocks give back every bit, read only what is asked, and call damage by its name. */
#include "store/metric_block.h"

#include "base/clock.h"
#include "base/rng.h"
#include "base/scope.h"
#include "model/telemetry.h"
#include "store/decimal.h"

#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SERIES 100
#define SAMPLES 90

struct sheet { /* runs with their samples */
        struct metric_run runs[SERIES];
        int64_t times[SERIES][SAMPLES];
        double values[SERIES][SAMPLES];
        size_t visited;
        const bool *wanted;
};

static double value_of(struct rng *rng, size_t kind, double before)
{
        switch (kind) {
        case 0:
                return before + (double)rng_below(rng, 1000);
        case 1:
                return (double)(llrint(before * 100) + (int64_t)rng_below(rng, 100) - 50) / 100;
        case 2:
                return before;
        case 3:
                return rng_unit(rng);
        case 4:
                return double_of_bits(rng_u64(rng));
        case 5:
                return before + 4096;
        default: /* a stale marker now and then */
                return rng_below(rng, 30) ? (double)rng_below(rng, 50) : double_of_bits(STALE_NAN_BITS);
        }
}

static void fill(struct sheet *sheet, uint64_t seed)
{
        struct rng rng = {seed};
        for (size_t s = 0; s < SERIES; s++) {
                size_t count = 1 + rng_below(&rng, SAMPLES), kind = rng_below(&rng, 7), jitter = rng_below(&rng, 3);
                int64_t time = rng_below(&rng, 20) ? INT64_C(1700000000) * NS_PER_S : INT64_MIN;
                double value = (double)rng_below(&rng, 100000);
                for (size_t i = 0; i < count; i++) {
                        sheet->times[s][i] = time;
                        value = sheet->values[s][i] = value_of(&rng, kind, kind == 6 ? 0 : value);
                        time += jitter == 2 ? 1 + (int64_t)rng_below(&rng, NS_PER_S)
                                            : 10 * NS_PER_S + (int64_t)(jitter * rng_below(&rng, 5)) * NS_PER_MS;
                }
                sheet->runs[s] = (struct metric_run){(uint32_t)(rng_below(&rng, 256) << 20 | s), count, sheet->times[s], sheet->values[s]};
        }
}

static bool compare(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count, struct err *err)
{
        (void)err;
        struct sheet *sheet = context;
        assert_true(!sheet->wanted || sheet->wanted[place]);
        assert_int_equal(count, sheet->runs[place].count);
        assert_memory_equal(times_ns, sheet->runs[place].times_ns, count * sizeof *times_ns);
        assert_memory_equal(values, sheet->runs[place].values, count * sizeof *values);
        sheet->visited++;
        return true;
}

static void blocks_give_back_every_bit(void **state)
{
        (void)state;
        struct err err = {0};
        struct sheet *sheet = calloc(1, sizeof *sheet);
        for (uint64_t seed = 1; seed <= 60; seed++) {
                scoped(buf_done) struct buf index = {0}, body = {0};
                scoped(arena_done) struct arena arena = {0};
                struct metric_index read;
                size_t count = seed == 60 ? 0 : seed % 3 ? SERIES : 1;
                fill(sheet, seed);
                assert_true(metric_block_encode(sheet->runs, count, &index, &body, &err));
                assert_true(metric_index_read(buf_str(&index), &arena, &read, &err));
                assert_int_equal(read.series_count, count);
                for (size_t i = 0; i < count; i++)
                        assert_int_equal(read.ids[i], sheet->runs[i].id);
                sheet->visited = 0;
                assert_true(metric_block_read(&read, buf_str(&body), NULL, &arena, compare, sheet, &err));
                assert_int_equal(sheet->visited, count);
        }
        free(sheet);
}

static void a_reader_gets_only_the_series_it_wants(void **state)
{
        (void)state;
        struct err err = {0};
        struct sheet *sheet = calloc(1, sizeof *sheet);
        scoped(buf_done) struct buf index = {0}, body = {0};
        scoped(arena_done) struct arena arena = {0};
        struct metric_index read;
        bool wanted[SERIES] = {[3] = true, [70] = true};
        fill(sheet, 5);
        sheet->wanted = wanted;
        assert_true(metric_block_encode(sheet->runs, SERIES, &index, &body, &err));
        assert_true(metric_index_read(buf_str(&index), &arena, &read, &err));
        assert_true(metric_block_read(&read, buf_str(&body), wanted, &arena, compare, sheet, &err));
        assert_int_equal(sheet->visited, 2);
        free(sheet);
}

static bool ignore(void *context, size_t place, const int64_t *times_ns, const double *values, size_t count, struct err *err)
{
        (void)context, (void)place, (void)times_ns, (void)values, (void)count, (void)err;
        return true;
}

static bool reads(struct str index, struct str body, struct err *err)
{
        scoped(arena_done) struct arena arena = {0};
        struct metric_index read;
        return metric_index_read(index, &arena, &read, err) && metric_block_read(&read, body, NULL, &arena, ignore, NULL, err);
}

static void every_flipped_byte_and_every_cut_is_called_damage(void **state)
{
        (void)state;
        struct err err = {0};
        struct sheet *sheet = calloc(1, sizeof *sheet);
        scoped(buf_done) struct buf index = {0}, body = {0};
        fill(sheet, 9);
        assert_true(metric_block_encode(sheet->runs, 20, &index, &body, &err));
        assert_true(reads(buf_str(&index), buf_str(&body), &err));
        struct buf *both[] = {&index, &body};
        for (size_t b = 0; b < 2; b++) {
                for (size_t i = 0; i < both[b]->length; i++) {
                        both[b]->bytes[i] ^= 0x10;
                        assert_false(reads(buf_str(&index), buf_str(&body), &err));
                        assert_int_equal(err.code, ERR_CORRUPT);
                        both[b]->bytes[i] ^= 0x10;
                        assert_false(reads(str_slice(buf_str(&index), 0, b ? index.length : i),
                                           str_slice(buf_str(&body), 0, b ? i : body.length), &err));
                }
        }
        free(sheet);
}

static void series_with_the_same_times_share_them(void **state)
{
        (void)state;
        struct err err = {0};
        struct sheet *sheet = calloc(1, sizeof *sheet);
        struct rng rng = {3};
        scoped(buf_done) struct buf index = {0}, body = {0}, index_one = {0}, body_one = {0};
        for (size_t i = 0; i < SAMPLES; i++)
                sheet->times[0][i] = (int64_t)i * NS_PER_S + (int64_t)rng_below(&rng, NS_PER_S);
        for (size_t s = 0; s < SERIES; s++)
                sheet->runs[s] = (struct metric_run){(uint32_t)s, SAMPLES, sheet->times[0], sheet->values[0]};
        assert_true(metric_block_encode(sheet->runs, SERIES, &index, &body, &err));
        assert_true(metric_block_encode(sheet->runs, 1, &index_one, &body_one, &err));
        assert_true(body.length < body_one.length * 2);
        free(sheet);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(blocks_give_back_every_bit),
                cmocka_unit_test(a_reader_gets_only_the_series_it_wants),
                cmocka_unit_test(every_flipped_byte_and_every_cut_is_called_damage),
                cmocka_unit_test(series_with_the_same_times_share_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
