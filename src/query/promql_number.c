/* promql_number.c - numbers and durations as Prometheus writes and reads them. */
#include "query/promql_number.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 10^0 to 10^27 are exact in the 64 bits of a long double. */
static const long double tens[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                   1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

/* The value as a number of 17 digits before the point, rounded once (to some 2^-8), and what it was scaled by. */
static bool scale(double value, long double *out_scaled, int *out_exponent)
{
        int exponent = (int)floor(log10(value));
        for (int tries = 0; tries < 2; tries++) {
                int power = 16 - exponent;
                if (power < -27 || power > 27)
                        return false;
                *out_scaled = power < 0 ? value / tens[-power] : value * tens[power];
                *out_exponent = exponent;
                if (*out_scaled >= 1e16L && *out_scaled < 1e17L - 100)
                        return true;
                exponent += *out_scaled < 1e16L ? -1 : 1; /* log10 rounds near powers of ten */
        }
        return false;
}

/*
 * The number with the fewest digits among the neighbours of scaled that reads back as the value: within half the gap to
 * the next double. Too near to that border, or to the middle between two candidates, gives false: then exact, slow
 * arithmetic must tell.
 */
static bool shortest_near(long double scaled, long double half_gap, uint64_t *out_digits)
{
        static const uint64_t units[] = {100, 10, 1}; /* 15, 16 and 17 digits */
        const long double margin = 0x1p-5L;
        for (size_t i = 0; i < countof(units); i++) {
                uint64_t below = (uint64_t)scaled / units[i] * units[i];
                long double over = scaled - below, under = units[i] - over;
                long double away = over < under ? over : under;
                if (fabsl(away - half_gap) < margin || fabsl(over - under) < margin)
                        return false;
                if (away < half_gap)
                        return *out_digits = over < under ? below : below + units[i], true;
        }
        return false;
}

static bool fast_digits(double value, char digits[static 20], int *out_count, int *out_exponent)
{
        long double scaled;
        uint64_t number, bits;
        int binary;
        memcpy(&bits, &value, sizeof bits);
        if (!(bits << 12) || !scale(value, &scaled, out_exponent)) /* below a power of two the gap is only half as wide */
                return false;
        frexp(value, &binary);
        long double half_gap = scaled * (ldexpl(1, binary - 54) / value);
        if (!shortest_near(scaled, half_gap, &number) || number >= UINT64_C(100000000000000000))
                return false;
        int count = 17;
        for (; number % 10 == 0; number /= 10)
                count--;
        *out_count = count;
        for (; count > 0; number /= 10)
                digits[--count] = (char)('0' + number % 10);
        return true;
}

/* The shortest decimal digits that read back as the value (positive, finite), and the place of the point. */
static int shortest_digits(double value, char digits[static 20], int *out_exponent)
{
        char text[40];
        int precision = value < 0x1p-1022 ? 1 : 15, count = 0; /* subnormal numbers have fewer than 15 digits */
        if (value >= 0x1p-1022 && fast_digits(value, digits, &count, out_exponent))
                return count;
        do
                snprintf(text, sizeof text, "%.*e", precision - 1, value);
        while (precision++ < 17 && strtod(text, NULL) != value);
        count = 0;
        char *c = text;
        for (; *c && *c != 'e'; c++)
                if (isdigit((unsigned char)*c))
                        digits[count++] = *c;
        *out_exponent = (int)strtol(c + 1, NULL, 10);
        while (count > 1 && digits[count - 1] == '0')
                count--;
        return count;
}

void promql_integer(uint64_t value, struct buf *out)
{
        char text[20];
        size_t at = sizeof text;
        do
                text[--at] = (char)('0' + value % 10);
        while (value /= 10);
        buf_append(out, text + at, sizeof text - at);
}

static void zeros(struct buf *out, int count)
{
        for (; count > 0; count--)
                buf_byte(out, '0');
}

static void plain(struct buf *out, const char *digits, int count, int exponent)
{
        if (exponent < 0) {
                buf_text(out, "0.");
                zeros(out, -exponent - 1);
                buf_append(out, digits, (size_t)count);
                return;
        }
        int whole = min_of(count, exponent + 1);
        buf_append(out, digits, (size_t)whole);
        zeros(out, exponent + 1 - whole);
        if (count > whole) {
                buf_byte(out, '.');
                buf_append(out, digits + whole, (size_t)(count - whole));
        }
}

static void number(double value, bool may_scale, struct buf *out)
{
        if (isnan(value)) {
                buf_text(out, "NaN");
                return;
        }
        if (isinf(value)) {
                buf_text(out, value > 0 ? "+Inf" : "-Inf");
                return;
        }
        if (signbit(value))
                buf_byte(out, '-');
        value = fabs(value);
        if (value < 0x1p53 && value == (double)(uint64_t)value) { /* most counters */
                promql_integer((uint64_t)value, out);
                return;
        }
        char digits[20];
        int exponent, count = shortest_digits(value, digits, &exponent);
        if (!may_scale || (value >= 1e-6 && value < 1e21)) {
                plain(out, digits, count, exponent);
                return;
        }
        buf_byte(out, digits[0]);
        if (count > 1) {
                buf_byte(out, '.');
                buf_append(out, digits + 1, (size_t)(count - 1));
        }
        buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

void promql_number(double value, struct buf *out)
{
        number(value, true, out);
}

void promql_number_plain(double value, struct buf *out)
{
        number(value, false, out);
}

static const struct {
        const char *name;
        int64_t ns;
} units[] = { /* in the order they must stand */
        {"y", 365 * 86400 * NS_PER_S}, {"w", 7 * 86400 * NS_PER_S}, {"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S},
        {"m", 60 * NS_PER_S},          {"s", NS_PER_S},             {"ms", NS_PER_MS},
};

static bool take_unit(struct str *rest, size_t *from, int64_t *out_ns)
{
        size_t length = 0;
        while (length < rest->length && isalpha((unsigned char)rest->bytes[length]))
                length++;
        struct str name = str_slice(*rest, 0, length);
        *rest = str_slice(*rest, length, rest->length);
        for (; *from < countof(units); (*from)++)
                if (str_is(name, units[*from].name))
                        return *out_ns = units[(*from)++].ns, true;
        return false;
}

static bool read_units(struct str text, int64_t *out_ns)
{
        int64_t total = 0, unit;
        size_t from = 0;
        while (text.length) {
                size_t digits = 0;
                uint64_t count;
                while (digits < text.length && isdigit((unsigned char)text.bytes[digits]))
                        digits++;
                if (!str_to_u64(str_slice(text, 0, digits), &count) || count > INT64_MAX)
                        return false;
                text = str_slice(text, digits, text.length);
                int64_t part;
                if (!take_unit(&text, &from, &unit) || __builtin_mul_overflow((int64_t)count, unit, &part) ||
                    __builtin_add_overflow(total, part, &total))
                        return false;
        }
        *out_ns = total;
        return true;
}

bool promql_duration(struct str text, int64_t *out_ns, struct err *err)
{
        double seconds;
        if (text.length && text.bytes[text.length - 1] <= '9' && str_to_double(text, &seconds) && fabs(seconds) < 9.2e9) {
                *out_ns = (int64_t)(seconds * 1e9);
                return true;
        }
        if (text.length && read_units(text, out_ns))
                return true;
        return fail(err, ERR_INVALID, "promql", "cannot parse \"%.*s\" to a valid duration; write it as 90s, 5m or 1h30m",
                    (int)min_of(text.length, (size_t)60), text.bytes);
}
