/* promql_number.c - numbers and durations as Prometheus writes and reads them. */
#include "query/promql_number.h"

#include "base/clock.h"
#include "base/scope.h"
#include "query/promql.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The shortest decimal digits that read back as the value (positive, finite), and the place of the point. */
static int shortest_digits(double value, char digits[static 20], int *out_exponent)
{
        char text[40];
        int precision = value < 0x1p-1022 ? 1 : 15; /* subnormal numbers have fewer than 15 digits */
        do
                snprintf(text, sizeof text, "%.*e", precision - 1, value);
        while (precision++ < 17 && strtod(text, NULL) != value);
        int count = 0;
        char *c = text;
        for (; *c && *c != 'e'; c++)
                if (isdigit((unsigned char)*c))
                        digits[count++] = *c;
        *out_exponent = atoi(c + 1);
        while (count > 1 && digits[count - 1] == '0')
                count--;
        return count;
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
                buf_printf(out, "%llu", (unsigned long long)value);
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
