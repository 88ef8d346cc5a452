/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

struct clock clock_real;

void clock_init_virtual(struct clock *clock, int64_t start_ns)
{
        clock->set_ns = clock->passed_ns = start_ns;
        clock->is_virtual = true;
}

void clock_advance(struct clock *clock, int64_t by_ns)
{
        atomic_fetch_add(&clock->set_ns, by_ns);
        if (by_ns > 0)
                atomic_fetch_add(&clock->passed_ns, by_ns);
}

static int64_t read_clock(clockid_t which)
{
        struct timespec now;
        clock_gettime(which, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(const struct clock *clock)
{
        return clock->is_virtual ? atomic_load(&clock->set_ns) : read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(const struct clock *clock)
{
        return clock->is_virtual ? atomic_load(&clock->passed_ns) : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_days_of_date(int64_t year, unsigned month, unsigned day)
{
        year -= month <= 2;
        int64_t era = (year >= 0 ? year : year - 399) / 400;
        unsigned year_of_era = (unsigned)(year - era * 400);
        unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
        unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        return era * 146097 + (int64_t)day_of_era - 719468;
}

void clock_date_of_days(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day)
{
        days += 719468;
        int64_t era = (days >= 0 ? days : days - 146096) / 146097;
        unsigned day_of_era = (unsigned)(days - era * 146097);
        unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        unsigned shifted_month = (5 * day_of_year + 2) / 153;
        *out_day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        *out_month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
        *out_year = (int64_t)year_of_era + era * 400 + (*out_month <= 2);
}

size_t clock_rfc3339(int64_t time_ns, int digits, char out_text[static CLOCK_RFC3339_BYTES])
{
        int64_t seconds = time_ns / NS_PER_S, nanoseconds = time_ns % NS_PER_S;
        if (nanoseconds < 0)
                nanoseconds += NS_PER_S, seconds -= 1;
        int64_t days = seconds / 86400, of_day = seconds % 86400;
        if (of_day < 0)
                of_day += 86400, days -= 1;
        int64_t year;
        unsigned month, day;
        clock_date_of_days(days, &year, &month, &day);
        int length = snprintf(out_text, CLOCK_RFC3339_BYTES, "%04d-%02u-%02uT%02d:%02d:%02d", (int)year, month, day,
                              (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
        if (digits > 9)
                digits = 9;
        if (digits > 0) {
                char fraction[24];
                snprintf(fraction, sizeof fraction, "%09d", (int)nanoseconds);
                length += snprintf(out_text + length, CLOCK_RFC3339_BYTES - (size_t)length, ".%.*s", digits, fraction);
        }
        length += snprintf(out_text + length, CLOCK_RFC3339_BYTES - (size_t)length, "Z");
        return (size_t)length;
}
