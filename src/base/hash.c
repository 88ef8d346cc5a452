/* hash.c - see hash.h. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(struct str bytes)
{
        return XXH3_64bits(bytes.bytes, bytes.length);
}

uint64_t hash64_seeded(struct str bytes, uint64_t seed)
{
        return XXH3_64bits_withSeed(bytes.bytes, bytes.length, seed);
}

struct hash128 hash128(struct str bytes)
{
        XXH128_hash_t hash = XXH3_128bits(bytes.bytes, bytes.length);
        return (struct hash128){hash.low64, hash.high64};
}
