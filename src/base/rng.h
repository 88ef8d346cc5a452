/*
 * rng - random numbers, as a parameter: seeded, so that a test repeats (splitmix64, Steele et al. 2014).
 * Never for secrets; those come from libsodium.
 */
#pragma once

#include <stdint.h>

struct rng {
        uint64_t state;
};

static inline uint64_t rng_u64(struct rng *rng)
{
        uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
}

/* Below bound, which is above 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
        return (uint64_t)(((unsigned __int128)rng_u64(rng) * bound) >> 64);
}

/* In [0, 1). */
static inline double rng_unit(struct rng *rng)
{
        return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}
