/* rate.c - see rate.h. Single precision is enough: what is learnt is rough, and there may be many. */
#include "learn/rate.h"

#include "base/scope.h"

#include <math.h>
#include <string.h>

#define MEMORY_MINUTES 1440     /* the level forgets with this time constant */
#define HOUR_MEMORY_MINUTES 240 /* of minutes within that hour */
#define EXACT_MEAN_MAX 64
#define SPREAD_MAX 1000.0F
#define HOUR_UNIT 4096          /* an hour like all others; steps of learning are rounded, so they must be many units */
#define HOUR_MAX UINT16_MAX

void rate_init(struct rate *rate)
{
        *rate = (struct rate){.spread = 1};
        for (int hour = 0; hour < RATE_HOURS; hour++)
                rate->hours[hour] = HOUR_UNIT;
}

/* Peizer's and Anscombe's idea: a square root makes counts nearly normal. */
static double tail_of_many(double mean, double spread, uint32_t count)
{
        double z = 2 * (sqrt(count - 0.5 + 0.375) - sqrt(mean + 0.375)) / sqrt(spread);
        return 0.5 * erfc(z / M_SQRT2);
}

double rate_tail(double mean, double spread, uint32_t count)
{
        if (count == 0)
                return 1;
        if (mean <= 0)
                return 0;
        if (mean > EXACT_MEAN_MAX)
                return tail_of_many(mean, spread, count);
        /* pmf(0), and pmf(n + 1) from pmf(n); summed from `count` on, so that tiny tails keep their digits */
        double shape = spread > 1.001 ? mean / (spread - 1) : 0, q = shape ? (spread - 1) / spread : 0;
        double log_pmf = shape ? -shape * log(spread) : -mean, sum = 0;
        for (uint32_t n = 0; n < count + 2000; n++) {
                double pmf = exp(log_pmf);
                sum += n >= count ? pmf : 0;
                if (n >= count && n > mean && pmf < sum * 1e-9)
                        break;
                log_pmf += shape ? log((n + shape) / (n + 1) * q) : log(mean / (n + 1));
        }
        return min_of(sum, 1.0);
}

static double floor_of(const struct rate *rate)
{
        return 0.1 / (rate->minutes + 1);
}

static void learn(struct rate *rate, int hour, double expected)
{
        double most = expected + 6 * sqrt(max_of(expected, 0.05) * rate->spread) + 1;
        double count = min_of((double)rate->count, rate->minutes < RATE_LEARNING_MINUTES ? (double)rate->count : most);
        double pace = 1.0 / min_of(rate->minutes + 1, (uint32_t)MEMORY_MINUTES), off = count - expected;
        if (rate->minutes) {
                double spread = off * off / max_of(expected, 0.05);
                rate->spread += (float)(fmax(pace, 1.0 / 240) * (fmin(spread, SPREAD_MAX) - rate->spread));
                rate->spread = max_of(1.0F, rate->spread);
        }
        double share = rate->level > 0 ? count / rate->level * HOUR_UNIT : HOUR_UNIT;
        if (rate->minutes > MEMORY_MINUTES) /* a day must have been seen before hours mean something */
                rate->hours[hour] = (uint16_t)lround(fmin(fmax(rate->hours[hour] + (share - rate->hours[hour]) / HOUR_MEMORY_MINUTES, 64), HOUR_MAX));
        rate->level += (float)(pace * (count - rate->level));
}

struct rate_look rate_close(struct rate *rate, int hour)
{
        double expected = (double)rate->level * rate->hours[hour] / HOUR_UNIT;
        struct rate_look look = {.p_many = 1, .p_silent = 1, .expected = expected, .count = rate->count};
        if (rate->count) {
                rate->quiet_most = max_of(rate->quiet_most, rate->quiet);
                rate->quiet = 0;
                rate->awaited = 0;
        } else {
                rate->quiet++;
                rate->awaited += (float)expected;
        }
        if (rate->minutes >= RATE_LEARNING_MINUTES) {
                if (rate->count > expected)
                        look.p_many = max_of(rate_tail(expected, rate->spread, rate->count), floor_of(rate));
                if (rate->quiet > 2 * rate->quiet_most + 1)
                        look.p_silent = max_of(exp(-rate->awaited / rate->spread), floor_of(rate));
        }
        learn(rate, hour, expected);
        rate->minutes += rate->minutes < UINT32_MAX;
        rate->count = 0;
        return look;
}

void rate_join(struct rate *rate, const struct rate *other)
{
        const struct rate *older = other->minutes > rate->minutes ? other : rate;
        float level = rate->level + other->level, spread = max_of(rate->spread, other->spread);
        uint32_t count = rate->count + other->count;
        uint32_t quiet = min_of(rate->quiet, other->quiet);
        struct rate joined = *older;
        joined.level = level;
        joined.spread = spread;
        joined.count = count;
        joined.quiet = quiet;
        joined.awaited = 0;
        *rate = joined;
}

void rate_write(const struct rate *rate, struct buf *out)
{
        buf_float(out, rate->level);
        buf_float(out, rate->spread);
        buf_float(out, rate->awaited);
        buf_u32(out, rate->minutes);
        buf_u32(out, rate->count);
        buf_u32(out, rate->quiet);
        buf_u32(out, rate->quiet_most);
        for (int hour = 0; hour < RATE_HOURS; hour++)
                buf_u16(out, rate->hours[hour]);
}

bool rate_read(struct reader *reader, struct rate *out_rate)
{
        struct rate rate = {.level = reader_float(reader), .spread = reader_float(reader), .awaited = reader_float(reader)};
        rate.minutes = reader_u32(reader);
        rate.count = reader_u32(reader);
        rate.quiet = reader_u32(reader);
        rate.quiet_most = reader_u32(reader);
        for (int hour = 0; hour < RATE_HOURS; hour++)
                rate.hours[hour] = reader_u16(reader);
        bool good = rate.level >= 0 && rate.level < 1e10F && rate.spread >= 1 && rate.spread <= SPREAD_MAX && rate.awaited >= 0 && rate.awaited < 1e30F;
        *out_rate = rate;
        return good && !reader->failed;
}
