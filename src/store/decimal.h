/*
 * decimal - doubles that people and programs wrote with few digits after the point, as the integers they are.
 *
 * 12.34 is 1234 at scale 2. Only what comes back equal to the bit counts as decimal, so -0, NaN and Inf never do.
 * A value exact at one scale is exact at every larger one whose bound it keeps: both divisions round one rational.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DECIMAL_SCALE_MAX 9

static const double decimal_power[DECIMAL_SCALE_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static inline uint64_t double_bits(double value)
{
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
}

static inline double double_of_bits(uint64_t bits)
{
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
}

static inline double decimal_value(int64_t mantissa, unsigned scale)
{
        return scale ? (double)mantissa / decimal_power[scale] : (double)mantissa;
}

/* False when the value is not exact at this scale. Mantissas stay below 2^51, where adding 1.5 * 2^52 rounds. */
static inline bool decimal_of(double value, unsigned scale, int64_t *out_mantissa)
{
        double scaled = value * decimal_power[scale];
        if (!(fabs(scaled) < 0x1p51))
                return false;
        int64_t mantissa = (int64_t)((scaled + 0x1.8p52) - 0x1.8p52);
        *out_mantissa = mantissa;
        return double_bits(decimal_value(mantissa, scale)) == double_bits(value);
}

static inline uint64_t zigzag(int64_t value)
{
        return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t zigzag_back(uint64_t value)
{
        return (int64_t)(value >> 1 ^ -(value & 1));
}
