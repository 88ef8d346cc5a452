/* tail.c - see tail.h. Runs several times for every sample: no division where a product does, a logarithm only in the tail. */
#include "learn/tail.h"

#include <math.h>

#define RATE_ONE 65536.0f
#define SHAPE_ONE 16384.0f
#define SHAPE_START 0.2f        /* as of something between a normal and a heavy tail, until there is evidence */
#define SHAPE_LEAST 0.05f
#define CALM_STEEPNESS 8.0f     /* 1 / shape of a normal tail at 2.8 deviations: there it falls off with about the square of them */
#define SHAPE_PACE 0.02f        /* the mean is over about the last fifty that passed */
#define RATE_LEAST 0.001f
#define PACE 0.005f             /* rate and quantile: over about the last two hundred */
#define QUANTILE_GAIN 4.0f
#define OVER_MAX 2.3f           /* ln 10: one wild number must not make the tail look heavy for long */

void tail_init(struct tail *tail, float from)
{
        tail->from = from;
        tail->rate = (uint16_t)(TAIL_SHARE * RATE_ONE);
        tail->shape = (uint16_t)(SHAPE_START * SHAPE_ONE);
}

struct tail_surprise tail_surprise(const struct tail *tail, float number)
{
        if (number <= tail->from) { /* -ln TAIL_SHARE at `from`, about right below it, where nobody looks */
                float near = 3.5f * number / tail->from;
                return (struct tail_surprise){near, near};
        }
        float over = logf(number / tail->from), share = -logf(tail->rate / RATE_ONE);
        return (struct tail_surprise){over * SHAPE_ONE / tail->shape + share, over * CALM_STEEPNESS + share};
}

void tail_learn(struct tail *tail, float number, float weight, uint32_t seen, float least_from)
{
        bool passes = number > tail->from;
        float pace = weight * larger_of(PACE, 1.0f / (float)(seen + 10));
        if (passes) {
                float shape = tail->shape / SHAPE_ONE, over = smaller_of(logf(number / tail->from), OVER_MAX);
                shape += weight * SHAPE_PACE * (over - shape);
                tail->shape = (uint16_t)(larger_of(shape, SHAPE_LEAST) * SHAPE_ONE + 0.5f);
        }
        float rate = tail->rate / RATE_ONE;
        rate += pace * ((passes ? 1.0f : 0.0f) - rate);
        tail->rate = (uint16_t)(smaller_of(larger_of(rate, RATE_LEAST), 0.99f) * RATE_ONE + 0.5f);
        tail->from *= 1 + QUANTILE_GAIN * pace * ((passes ? 1.0f : 0.0f) - TAIL_SHARE);
        tail->from = larger_of(tail->from, least_from);
}
