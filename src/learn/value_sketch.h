/*
 * value_sketch - what one variable of a template has held: of numbers their quantiles, of other values the most frequent.
 *
 * 168 bytes, plain data. Numbers, durations (in seconds) and sizes (in bytes) are counted in buckets whose bounds grow by
 * a half (DDSketch: Masson, Rim and Lee, VLDB 2019, with a fixed number of buckets), so a quantile is right within a fifth.
 * Others share four places by Space-Saving (Metwally, Agrawal and El Abbadi, ICDT 2005).
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "base/str.h"
#include "learn/token.h"

#include <stdbool.h>
#include <stdint.h>

#define SKETCH_BUCKETS 62
#define SKETCH_SAMPLES 4
#define SKETCH_SAMPLE_BYTES 27

struct value_sketch {
        uint32_t count;
        bool is_number;
        union {
                struct {
                        float least, most;
                        uint16_t buckets[SKETCH_BUCKETS];
                } number;
                struct {
                        uint32_t count;
                        uint8_t length;
                        char bytes[SKETCH_SAMPLE_BYTES]; /* longer ones are cut */
                } samples[SKETCH_SAMPLES];
        };
};

void value_sketch_add(struct value_sketch *sketch, struct str value, enum value_type type);
/* The number that a value of this type is; false: it is none. */
bool value_number(struct str value, enum value_type type, double *out_number);
/* The value below which this share of the numbers lies; NaN: no numbers. */
double value_sketch_quantile(const struct value_sketch *sketch, double share);
/* Knows that this number was there, without counting it: for callers that add only some. */
void value_sketch_stretch(struct value_sketch *sketch, double number);
/* How often so small or so large a number, or one further out, has been seen: (n + 1) / (count + 2), one in all at most. */
double value_sketch_rarity(const struct value_sketch *sketch, double number);

void value_sketch_write(const struct value_sketch *sketch, struct buf *out);
bool value_sketch_read(struct reader *reader, struct value_sketch *out_sketch);
