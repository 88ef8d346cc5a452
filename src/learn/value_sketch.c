/* value_sketch.c - see value_sketch.h. Bucket 0 holds what is not above LEAST, also negative numbers. */
#include "learn/value_sketch.h"

#include "base/scope.h"

#include <math.h>
#include <string.h>

#define LEAST 1e-3
#define GROWTH 1.75

static double unit_of_duration(struct str unit)
{
        static const struct { const char *name; double seconds; } units[] = {
                {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"sec", 1}, {"min", 60}, {"h", 3600}};
        for (size_t i = 0; i < countof(units); i++)
                if (str_equal_nocase(unit, str_of(units[i].name)))
                        return units[i].seconds;
        return 1;
}

static double unit_of_size(struct str unit)
{
        static const char prefixes[] = "kmgt";
        double size = 1;
        for (size_t i = 0; unit.length && i < 4; i++) {
                size *= 1024;
                if ((unit.bytes[0] | 32) == prefixes[i])
                        return size;
        }
        return 1;
}

bool value_number(struct str value, enum value_type type, double *out_number)
{
        size_t end = value.length && (value.bytes[0] == '-' || value.bytes[0] == '+');
        if (type != VALUE_NUMBER && type != VALUE_DURATION && type != VALUE_SIZE)
                return false;
        while (end < value.length && end < 40 && ((unsigned char)(value.bytes[end] - '0') < 10 || value.bytes[end] == '.'))
                end++;
        double number;
        if (!str_to_double(str_slice(value, 0, end), &number) || !isfinite(number))
                return false;
        struct str unit = str_slice(value, end, value.length);
        *out_number = number * (type == VALUE_DURATION ? unit_of_duration(unit) : type == VALUE_SIZE ? unit_of_size(unit) : 1);
        return true;
}

static uint32_t bucket_of(double number)
{
        if (number <= LEAST)
                return 0;
        double bucket = 1 + floor(log(number / LEAST) * (1 / log(GROWTH)));
        return bucket < SKETCH_BUCKETS - 1 ? (uint32_t)bucket : SKETCH_BUCKETS - 1;
}

static void add_number(struct value_sketch *sketch, double number)
{
        uint32_t bucket = bucket_of(number);
        bool first = sketch->count == 0;
        sketch->number.least = first ? (float)number : min_of(sketch->number.least, (float)number);
        sketch->number.most = first ? (float)number : max_of(sketch->number.most, (float)number);
        if (sketch->number.buckets[bucket] == UINT16_MAX) /* the past counts half from here on */
                for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
                        sketch->number.buckets[i] /= 2;
        sketch->number.buckets[bucket]++;
}

static void add_text(struct value_sketch *sketch, struct str value)
{
        uint32_t rarest = 0;
        value.length = min_of(value.length, (size_t)SKETCH_SAMPLE_BYTES);
        for (uint32_t i = 0; i < SKETCH_SAMPLES; i++) {
                if (sketch->samples[i].count && str_equal(value, (struct str){sketch->samples[i].bytes, sketch->samples[i].length})) {
                        sketch->samples[i].count++;
                        return;
                }
                if (sketch->samples[i].count < sketch->samples[rarest].count)
                        rarest = i;
        }
        sketch->samples[rarest].count++;
        sketch->samples[rarest].length = (uint8_t)value.length;
        memcpy(sketch->samples[rarest].bytes, value.bytes, value.length);
}

void value_sketch_add(struct value_sketch *sketch, struct str value, enum value_type type)
{
        double number = 0;
        bool is_number = value_number(value, type, &number);
        if (is_number != sketch->is_number && sketch->count) { /* the place holds something else than it did: begin anew */
                if (is_number)
                        return;
                *sketch = (struct value_sketch){0};
        }
        sketch->is_number = is_number;
        if (is_number)
                add_number(sketch, number);
        else
                add_text(sketch, value);
        sketch->count += sketch->count < UINT32_MAX;
}

void value_sketch_stretch(struct value_sketch *sketch, double number)
{
        if (!sketch->is_number || !sketch->count)
                return;
        sketch->number.least = min_of(sketch->number.least, (float)number);
        sketch->number.most = max_of(sketch->number.most, (float)number);
}

static uint64_t total(const struct value_sketch *sketch)
{
        uint64_t sum = 0;
        for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
                sum += sketch->number.buckets[i];
        return sum;
}

double value_sketch_quantile(const struct value_sketch *sketch, double share)
{
        if (!sketch->is_number || !sketch->count)
                return NAN;
        uint64_t wanted = (uint64_t)(share * (double)(total(sketch) - 1)), sum = 0;
        for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
                if ((sum += sketch->number.buckets[i]) <= wanted)
                        continue;
                double middle = i ? LEAST * pow(GROWTH, i - 0.5) : sketch->number.least;
                return fmin(fmax(middle, sketch->number.least), sketch->number.most);
        }
        return sketch->number.most;
}

double value_sketch_rarity(const struct value_sketch *sketch, double number)
{
        if (!sketch->is_number)
                return 1;
        uint32_t bucket = bucket_of(number);
        uint64_t below = 0, above = 0;
        for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) {
                below += i <= bucket ? sketch->number.buckets[i] : 0;
                above += i >= bucket ? sketch->number.buckets[i] : 0;
        }
        double least = (double)(min_of(below, above) + 1) / (double)(below + above + 2);
        return min_of(2 * least, 1.0);
}

void value_sketch_write(const struct value_sketch *sketch, struct buf *out)
{
        buf_u32(out, sketch->count);
        buf_u8(out, sketch->is_number);
        if (sketch->is_number) {
                uint32_t bits[2];
                memcpy(bits, &sketch->number.least, sizeof bits);
                buf_u32(out, bits[0]);
                buf_u32(out, bits[1]);
                for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
                        buf_u16(out, sketch->number.buckets[i]);
                return;
        }
        for (uint32_t i = 0; i < SKETCH_SAMPLES; i++) {
                buf_u32(out, sketch->samples[i].count);
                buf_u8(out, sketch->samples[i].length);
                buf_append(out, sketch->samples[i].bytes, sketch->samples[i].length);
        }
}

bool value_sketch_read(struct reader *reader, struct value_sketch *out_sketch)
{
        struct value_sketch sketch = {.count = reader_u32(reader)};
        uint8_t is_number = reader_u8(reader);
        sketch.is_number = is_number;
        if (is_number) {
                uint32_t bits[2] = {reader_u32(reader), reader_u32(reader)};
                memcpy(&sketch.number.least, bits, sizeof bits);
                for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
                        sketch.number.buckets[i] = reader_u16(reader);
        }
        for (uint32_t i = 0; !is_number && i < SKETCH_SAMPLES; i++) {
                sketch.samples[i].count = reader_u32(reader);
                sketch.samples[i].length = reader_u8(reader);
                struct str bytes = reader_bytes(reader, min_of(sketch.samples[i].length, (uint8_t)SKETCH_SAMPLE_BYTES));
                if (sketch.samples[i].length > SKETCH_SAMPLE_BYTES || reader->failed)
                        return false;
                if (bytes.length)
                        memcpy(sketch.samples[i].bytes, bytes.bytes, bytes.length);
        }
        *out_sketch = sketch;
        return is_number < 2 && !reader->failed && (!is_number || (isfinite(sketch.number.least) && isfinite(sketch.number.most)));
}
