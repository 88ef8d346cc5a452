/*
 * tail - how rare a number is among those seen before it, in eight bytes.
 *
 *      tail_init -> { tail_surprise, tail_learn } ...
 *
 * Keeps the point that about TAIL_SHARE of the numbers pass (stochastic approximation of a quantile, Robbins & Monro
 * 1951; multiplicative, so that it needs no unit), how many really pass it, and the mean logarithm of by how much: Hill's
 * estimator (Annals of Statistics 1975) of a Pareto tail, which is the generalised Pareto law of peaks over threshold
 * (Pickands 1975; used so for streams by Siffer et al., KDD 2017) where tails are heavy, and errs to the safe side where
 * they are light. So a number far above all others is rare in a calm series and nothing much in a wild one.
 *
 * That tail grows heavier by the very numbers it is asked about, as it must: what happens every week is not rare. To put the numbers
 * of a series in order by how far they are out, whenever they came, the same place and share go with a fall that is not learnt: that
 * of a normal law at about three deviations.
 *
 * Plain data, copied freely. Numbers are not negative.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TAIL_SHARE 0.03f

/* As fmaxf and fminf, which are calls, for numbers that are none of them NaN. */
static inline float larger_of(float a, float b)
{
        return a > b ? a : b;
}

static inline float smaller_of(float a, float b)
{
        return a < b ? a : b;
}

struct tail {
        float from;             /* where the tail begins */
        uint16_t rate;          /* share that passes it, in 1/65536 */
        uint16_t shape;         /* mean of ln(number / from) there, in 1/16384 */
};

void tail_init(struct tail *tail, float from);

/* -ln of the share of numbers expected to be as large: 0 for small ones. */
struct tail_surprise {
        float learnt;           /* by the tail as it was learnt: for a p-value */
        float calm;             /* as if the tail were a calm series': for an order that what came before does not change */
};

struct tail_surprise tail_surprise(const struct tail *tail, float number);

/* Takes the number in with a weight of 0 to 1; seen is how many came before. `from` stays at least at least_from, so that a
 * series that hardly ever moves does not find everything surprising. */
void tail_learn(struct tail *tail, float number, float weight, uint32_t seen, float least_from);
