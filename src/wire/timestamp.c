/* timestamp.c - see timestamp.h. Hand-written since this runs for every line: a remembered minute and two digits at a
 * time come to some 5 ns. */
#include "wire/timestamp.h"

#include "base/clock.h"
#include "base/scope.h"

#define NS_PER_MIN (60 * NS_PER_S)

static inline bool is_digit(char c)
{
        return (unsigned char)(c - '0') <= 9;
}

/* Two digits, or a number above 99 when they are none. */
static inline unsigned two(const char *p)
{
        unsigned tens = (unsigned char)(p[0] - '0'), ones = (unsigned char)(p[1] - '0');
        return tens > 9 || ones > 9 ? 1000 : tens * 10 + ones;
}

static bool minute_ns(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned min, int64_t *out_ns)
{
        static const uint8_t days_in[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        if (month < 1 || month > 12 || day < 1 || day > days_in[month - 1] || hour > 23 || min > 59)
                return false;
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if ((month == 2 && day == 29 && !leap) || year < 1700 || year > 2250) /* int64 ns reach 1677 to 2262 */
                return false;
        *out_ns = clock_days_of_date(year, month, day) * 86400 * NS_PER_S + (int64_t)(hour * 60 + min) * NS_PER_MIN;
        return true;
}

/* ":59" or ":59.123456789" at p; NULL when it is not that. Digits beyond nine are passed over. */
static inline const char *read_seconds(const char *p, const char *end, int64_t *out_ns)
{
        if (end - p < 3 || p[0] != ':')
                return NULL;
        unsigned seconds = two(p + 1);
        if (seconds > 60) /* 60: a leap second */
                return NULL;
        p += 3;
        int64_t ns = (int64_t)seconds * NS_PER_S;
        if (end - p >= 2 && (*p == '.' || *p == ',') && is_digit(p[1])) {
                int64_t unit = NS_PER_S;
                for (p++; p < end && is_digit(*p); p++) {
                        unit /= 10;
                        ns += unit * (*p - '0');
                }
        }
        *out_ns = ns;
        return p;
}

/* Z, +01:00, +0100 or +01 at p; without any, p as it was. NULL: a sign and then nonsense. */
static inline const char *read_zone(const char *p, const char *end, int64_t *offset_s)
{
        if (p < end && (*p == 'Z' || *p == 'z')) {
                *offset_s = 0;
                return p + 1;
        }
        if (end - p < 3 || (*p != '+' && *p != '-') || two(p + 1) > 23)
                return p;
        int64_t seconds = two(p + 1) * 3600;
        int sign = *p == '-' ? -1 : 1;
        p += 3;
        const char *minutes = p < end && *p == ':' ? p + 1 : p;
        if (end - minutes >= 2 && two(minutes) < 60) {
                seconds += two(minutes) * 60;
                p = minutes + 2;
        }
        *offset_s = sign * seconds;
        return p;
}

static bool iso_minute(const char *p, struct timestamp_minute *minute, int64_t *out_ns)
{
        if (minute && memcmp(p, minute->text, 16) == 0) {
                *out_ns = minute->ns;
                return true;
        }
        if (two(p) > 99 || two(p + 2) > 99 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ' && p[10] != 't') ||
            p[13] != ':' || !minute_ns(two(p) * 100 + two(p + 2), two(p + 5), two(p + 8), two(p + 11), two(p + 14), out_ns))
                return false;
        if (minute) {
                memcpy(minute->text, p, 16);
                minute->ns = *out_ns;
        }
        return true;
}

size_t timestamp_iso(struct str text, int64_t utc_offset_s, struct timestamp_minute *minute, int64_t *out_ns)
{
        const char *p = text.bytes, *end = p + text.length;
        int64_t base, seconds = 0;
        if (text.length < 16 || !is_digit(p[0]) || !iso_minute(p, minute, &base))
                return 0;
        p = read_seconds(p + 16, end, &seconds);
        if (!p)
                return 0;
        p = read_zone(p, end, &utc_offset_s);
        *out_ns = base + seconds - utc_offset_s * NS_PER_S;
        return (size_t)(p - text.bytes);
}

static unsigned month_of(const char *p)
{
        static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
        char low[3] = {(char)(p[0] | 0x20), (char)(p[1] | 0x20), (char)(p[2] | 0x20)};
        for (unsigned i = 0; i < 12; i++)
                if (memcmp(low, months + i * 3, 3) == 0)
                        return i + 1;
        return 0;
}

/* The year in which the date is nearest to the time of receipt: a line of 31 December read on 1 January is last year's. */
static bool nearest_year(unsigned month, unsigned day, unsigned hour, unsigned min, int64_t received_ns, int64_t *out_ns)
{
        int64_t year;
        unsigned unused_month, unused_day;
        clock_date_of_days(received_ns / (86400 * NS_PER_S), &year, &unused_month, &unused_day);
        int64_t best = INT64_MAX;
        for (int64_t candidate = year - 1; candidate <= year + 1; candidate++) {
                int64_t ns;
                if (!minute_ns(candidate, month, day, hour, min, &ns))
                        continue;
                int64_t distance = ns > received_ns ? ns - received_ns : received_ns - ns;
                if (distance < best) {
                        best = distance;
                        *out_ns = ns;
                }
        }
        return best != INT64_MAX;
}

/* "Jan 31 23:59" (12 bytes), or "Jan 31 2026 23:59" (17); gives its length. */
static size_t bsd_minute(struct str text, int64_t received_ns, struct timestamp_minute *minute, int64_t *out_ns)
{
        const char *p = text.bytes;
        if (minute && memcmp(p, minute->text, 12) == 0) {
                *out_ns = minute->ns;
                return 12;
        }
        unsigned month = month_of(p), day = p[4] == ' ' ? two((char[]){'0', p[5]}) : two(p + 4);
        if (!month || p[3] != ' ' || p[6] != ' ')
                return 0;
        if (text.length >= 17 && p[9] != ':' && two(p + 7) < 100 && two(p + 9) < 100 && p[11] == ' ' && p[14] == ':')
                return minute_ns(two(p + 7) * 100 + two(p + 9), month, day, two(p + 12), two(p + 15), out_ns) ? 17 : 0;
        if (p[9] != ':' || !nearest_year(month, day, two(p + 7), two(p + 10), received_ns, out_ns))
                return 0;
        if (minute) {
                memcpy(minute->text, p, 12);
                minute->ns = *out_ns;
        }
        return 12;
}

size_t timestamp_bsd(struct str text, int64_t utc_offset_s, int64_t received_ns, struct timestamp_minute *minute,
                     int64_t *out_ns)
{
        int64_t base, seconds = 0;
        if (text.length < 15 || (text.bytes[0] & 0x40) == 0)
                return 0;
        size_t length = bsd_minute(text, received_ns, minute, &base);
        const char *p = length ? read_seconds(text.bytes + length, text.bytes + text.length, &seconds) : NULL;
        if (!p)
                return 0;
        *out_ns = base + seconds - utc_offset_s * NS_PER_S;
        return (size_t)(p - text.bytes);
}

size_t timestamp_clf(struct str text, int64_t *out_ns)
{
        const char *p = text.bytes, *end = p + text.length;
        int64_t base, seconds = 0, offset_s = 0;
        if (text.length < 20 || p[2] != '/' || p[6] != '/' || p[11] != ':' || p[14] != ':' || two(p + 7) > 99 || two(p + 9) > 99)
                return 0;
        if (!minute_ns(two(p + 7) * 100 + two(p + 9), month_of(p + 3), two(p), two(p + 12), two(p + 15), &base))
                return 0;
        p = read_seconds(p + 17, end, &seconds);
        if (!p)
                return 0;
        if (p < end && *p == ' ')
                p = read_zone(p + 1, end, &offset_s);
        *out_ns = base + seconds - offset_s * NS_PER_S;
        return (size_t)(p - text.bytes);
}

size_t timestamp_epoch(struct str text, int64_t *out_ns)
{
        static const struct {
                size_t digits;
                int64_t unit_ns;
        } units[] = {{10, NS_PER_S}, {13, NS_PER_MS}, {16, NS_PER_US}, {19, 1}};
        size_t digits = 0;
        while (digits < text.length && digits < 20 && is_digit(text.bytes[digits]))
                digits++;
        uint64_t value;
        for (size_t i = 0; i < countof(units); i++) {
                if (digits != units[i].digits || text.bytes[0] == '0' || !str_to_u64(str_slice(text, 0, digits), &value) ||
                    value > (uint64_t)INT64_MAX / (uint64_t)units[i].unit_ns)
                        continue;
                int64_t ns = (int64_t)value * units[i].unit_ns, unit = units[i].unit_ns;
                if (digits + 1 < text.length && text.bytes[digits] == '.' && is_digit(text.bytes[digits + 1]))
                        for (digits++; digits < text.length && is_digit(text.bytes[digits]); digits++)
                                ns += (unit /= 10) * (text.bytes[digits] - '0');
                if (digits < text.length && text.bytes[digits] != ' ' && text.bytes[digits] != '\t' && text.bytes[digits] != ']' &&
                    text.bytes[digits] != ',' && text.bytes[digits] != ':')
                        return 0;
                *out_ns = ns;
                return digits;
        }
        return 0;
}

size_t timestamp_any(struct str text, int64_t utc_offset_s, int64_t received_ns, struct timestamp_minute *minute,
                     int64_t *out_ns)
{
        size_t bracket = text.length && text.bytes[0] == '[';
        struct str inner = str_slice(text, bracket, text.length);
        size_t length = timestamp_iso(inner, utc_offset_s, minute, out_ns);
        if (!length)
                length = timestamp_bsd(inner, utc_offset_s, received_ns, NULL, out_ns);
        if (!length)
                length = timestamp_clf(inner, out_ns);
        if (!length)
                length = timestamp_epoch(inner, out_ns);
        if (!length)
                return 0;
        return bracket + length + (bracket && length < inner.length && inner.bytes[length] == ']');
}
