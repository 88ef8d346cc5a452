/* when.c - see when.h. Pure; overflow is "no time". */
#include "serve/when.h"

#include "base/clock.h"
#include "base/scope.h"

#include <math.h>

static bool seconds(struct str text, int64_t *out_ns)
{
        double value;
        if (!str_to_double(text, &value) || !isfinite(value) || fabs(value) > 9.2e9)
                return false;
        double whole = floor(value);
        *out_ns = (int64_t)whole * NS_PER_S + (int64_t)llround((value - whole) * 1e9);
        return true;
}

static bool digits(struct str text, size_t at, size_t count, int64_t *out_number)
{
        *out_number = 0;
        if (text.length < at + count)
                return false;
        for (size_t i = at; i < at + count; i++) {
                if (text.bytes[i] < '0' || text.bytes[i] > '9')
                        return false;
                *out_number = *out_number * 10 + (text.bytes[i] - '0');
        }
        return true;
}

/* What follows the seconds: [.fraction](Z|+hh:mm|-hh:mm) */
static bool rfc3339_rest(struct str text, int64_t *out_fraction_ns, int64_t *out_offset_s)
{
        size_t at = 0;
        *out_fraction_ns = *out_offset_s = 0;
        if (text.length && text.bytes[0] == '.') {
                int64_t unit = NS_PER_S / 10;
                for (at = 1; at < text.length && text.bytes[at] >= '0' && text.bytes[at] <= '9'; at++, unit /= 10)
                        *out_fraction_ns += (text.bytes[at] - '0') * unit;
                if (at == 1)
                        return false;
        }
        int64_t hours, minutes;
        if (text.length == at + 1 && (text.bytes[at] | 0x20) == 'z')
                return true;
        if (text.length != at + 6 || (text.bytes[at] != '+' && text.bytes[at] != '-') || text.bytes[at + 3] != ':' ||
            !digits(text, at + 1, 2, &hours) || !digits(text, at + 4, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *out_offset_s = (hours * 60 + minutes) * 60 * (text.bytes[at] == '-' ? -1 : 1);
        return true;
}

static bool rfc3339(struct str text, int64_t *out_ns)
{
        int64_t year, month, day, hour, minute, second, fraction_ns, offset_s;
        if (!digits(text, 0, 4, &year) || !digits(text, 5, 2, &month) || !digits(text, 8, 2, &day) ||
            !digits(text, 11, 2, &hour) || !digits(text, 14, 2, &minute) || !digits(text, 17, 2, &second) ||
            text.bytes[4] != '-' || text.bytes[7] != '-' || (text.bytes[10] | 0x20) != 't' || text.bytes[13] != ':' ||
            text.bytes[16] != ':' || year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31 ||
            hour > 23 || minute > 59 || second > 60 || !rfc3339_rest(str_slice(text, 19, text.length), &fraction_ns, &offset_s))
                return false;
        int64_t days = clock_days_of_date(year, (unsigned)month, (unsigned)day);
        *out_ns = (((days * 24 + hour) * 60 + minute) * 60 + second - offset_s) * NS_PER_S + fraction_ns;
        return true;
}

bool when_prometheus(struct str text, int64_t *out_ns)
{
        return seconds(text, out_ns) || rfc3339(text, out_ns);
}

static const struct { const char *name; int64_t ns; } units[] = {
        {"ms", NS_PER_MS},
        {"s", NS_PER_S},
        {"m", 60 * NS_PER_S},
        {"h", 3600 * NS_PER_S},
        {"d", 86400 * NS_PER_S},
        {"w", 7 * 86400 * NS_PER_S},
        {"y", 365 * 86400 * NS_PER_S},
};

static int64_t unit_ns(struct str name)
{
        for (size_t i = 0; i < countof(units); i++)
                if (str_is(name, units[i].name))
                        return units[i].ns;
        return 0;
}

static size_t run_of(struct str text, size_t at, bool of_digits)
{
        while (at < text.length && (text.bytes[at] >= '0' && text.bytes[at] <= '9') == of_digits)
                at++;
        return at;
}

bool when_length(struct str text, int64_t *out_ns)
{
        int64_t total = 0;
        if (seconds(text, out_ns))
                return *out_ns >= 0;
        for (size_t at = 0; at < text.length;) {
                size_t unit_at = run_of(text, at, true), end = run_of(text, unit_at, false);
                uint64_t number;
                int64_t unit = unit_ns(str_slice(text, unit_at, end)), part;
                if (!unit || !str_to_u64(str_slice(text, at, unit_at), &number) || number > INT64_MAX ||
                    __builtin_mul_overflow((int64_t)number, unit, &part) || __builtin_add_overflow(total, part, &total))
                        return false;
                at = end;
        }
        *out_ns = total;
        return text.length > 0;
}

bool when_any(struct str text, int64_t now_ns, int64_t *out_ns)
{
        int64_t number, back;
        if (text.length > 10 && str_to_i64(text, &number)) {
                *out_ns = number;
                return true;
        }
        if (str_starts_with(text, STR("now"))) {
                text = str_slice(text, 3, text.length);
                *out_ns = now_ns;
                if (text.length == 0)
                        return true;
        }
        if (text.length > 1 && text.bytes[0] == '-' && when_length(str_slice(text, 1, text.length), &back)) {
                *out_ns = now_ns - back;
                return true;
        }
        return when_prometheus(text, out_ns);
}
