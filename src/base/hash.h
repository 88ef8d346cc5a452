/* hash - XXH3 over bytes: ids, tables, checksums. Stable for good: values are stored on disk. */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct hash128 {
        uint64_t low, high;
};

uint64_t hash64(struct str bytes);
uint64_t hash64_seeded(struct str bytes, uint64_t seed);
struct hash128 hash128(struct str bytes);

static inline bool hash128_equal(struct hash128 a, struct hash128 b)
{
        return a.low == b.low && a.high == b.high;
}
