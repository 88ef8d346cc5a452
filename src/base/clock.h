/*
 * clock - the time, as a parameter: the real one, or one a test turns by hand.
 *
 * int64 nanoseconds since 1970 UTC everywhere. Monotonic times only compare with one another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#define NS_PER_US ((int64_t)1000)
#define NS_PER_MS ((int64_t)1000000)
#define NS_PER_S ((int64_t)1000000000)

struct clock {
        _Atomic int64_t set_ns;    /* virtual time; used when is_virtual */
        _Atomic int64_t passed_ns; /* the same without the times that it was set back */
        bool is_virtual;
};

extern struct clock clock_real;                       /* the machine's */
void clock_init_virtual(struct clock *clock, int64_t start_ns);
void clock_advance(struct clock *clock, int64_t by_ns); /* virtual clocks only; by_ns may be negative: a clock set back */

int64_t clock_now_ns(const struct clock *clock);       /* wall time; may jump */
int64_t clock_monotonic_ns(const struct clock *clock); /* never goes back, though the wall time is set back */

/* "2026-01-31T23:59:59.123456789Z", at most digits (0 to 9) after the point. Needs 31 bytes; gives the length. */
#define CLOCK_RFC3339_BYTES 32
size_t clock_rfc3339(int64_t time_ns, int digits, char out_text[static CLOCK_RFC3339_BYTES]);

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian; Hinnant, "chrono-compatible date algorithms"). */
int64_t clock_days_of_date(int64_t year, unsigned month, unsigned day);
void clock_date_of_days(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day);
