/* promql_math.c - functions of one sample: arithmetic, trigonometry and the calendar (UTC). */
#include "query/promql_function.h"

#include "base/clock.h"

#include <math.h>

double promql_seconds(int64_t ns)
{
        return ns % NS_PER_MS == 0 ? (double)(ns / NS_PER_MS) / 1e3 : (double)ns / 1e9;
}

double promql_max(double a, double b)
{
        if (isinf(a) && a > 0)
                return a;
        if (isinf(b) && b > 0)
                return b;
        if (isnan(a) || isnan(b))
                return NAN;
        return a > b || (a == b && !signbit(a)) ? a : b;
}

double promql_min(double a, double b)
{
        if (isinf(a) && a < 0)
                return a;
        if (isinf(b) && b < 0)
                return b;
        if (isnan(a) || isnan(b))
                return NAN;
        return a < b || (a == b && signbit(a)) ? a : b;
}

/* e^v as Go has it on this processor: infinite as soon as the power of two nearest to it is not a double any more. */
static double exponential(double v)
{
        return v * M_LOG2E >= 1023.5 ? INFINITY : exp(v);
}

#define MAP(name, expression)                                                                                          \
        double name(double v, const double *parameters)                                                                \
        {                                                                                                              \
                (void)parameters;                                                                                      \
                return expression;                                                                                     \
        }

MAP(map_abs, fabs(v))
MAP(map_ceil, ceil(v))
MAP(map_floor, floor(v))
MAP(map_sqrt, sqrt(v))
MAP(map_exp, exponential(v))
MAP(map_ln, log(v))
MAP(map_log2, log2(v))
MAP(map_log10, log10(v))
MAP(map_acos, acos(v))
MAP(map_acosh, acosh(v))
MAP(map_asin, asin(v))
MAP(map_asinh, asinh(v))
MAP(map_atan, atan(v))
MAP(map_atanh, atanh(v))
MAP(map_cos, cos(v))
MAP(map_cosh, fabs(v) > 21 ? exponential(fabs(v)) * 0.5 : cosh(v))
MAP(map_sin, sin(v))
MAP(map_sinh, fabs(v) > 21 ? copysign(exponential(fabs(v)) * 0.5, v) : sinh(v))
MAP(map_tan, tan(v))
MAP(map_tanh, tanh(v))
MAP(map_deg, v * 180 / M_PI)
MAP(map_rad, v * M_PI / 180)
MAP(map_sgn, v < 0 ? -1 : v > 0 ? 1 : v)

double map_round(double v, const double *parameters)
{
        double inverse = 1.0 / parameters[0]; /* dividing by it is more accurate than multiplying with the parameter */
        return floor(v * inverse + 0.5) / inverse;
}

double map_clamp_min(double v, const double *parameters)
{
        return promql_max(parameters[0], v);
}

double map_clamp_max(double v, const double *parameters)
{
        return promql_min(parameters[0], v);
}

/*
 * Seconds since 1970 on a scale that begins some 292 billion years before, unsigned, as Go counts, so that what is no time
 * (NaN, infinity, 1e300) gives the same odd dates there and here.
 */
#define ABSOLUTE_SECONDS UINT64_C(9223372028715321600)

static uint64_t absolute(double v)
{
        int64_t at = v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
        return (uint64_t)at + ABSOLUTE_SECONDS;
}

static int64_t days_of(double v)
{
        return (int64_t)(absolute(v) / 86400) - (int64_t)(ABSOLUTE_SECONDS / 86400);
}

static void date_of(double v, int64_t *out_year, unsigned *out_month, unsigned *out_day)
{
        clock_date_of_days(days_of(v), out_year, out_month, out_day);
}

MAP(map_minute, (double)(absolute(v) % 3600 / 60))
MAP(map_hour, (double)(absolute(v) % 86400 / 3600))
MAP(map_day_of_week, (double)((absolute(v) / 86400 + 1) % 7)) /* day 0 of that scale is a Monday */

double map_day_of_month(double v, const double *parameters)
{
        int64_t year;
        unsigned month, day;
        (void)parameters;
        date_of(v, &year, &month, &day);
        return day;
}

double map_month(double v, const double *parameters)
{
        int64_t year;
        unsigned month, day;
        (void)parameters;
        date_of(v, &year, &month, &day);
        return month;
}

double map_year(double v, const double *parameters)
{
        int64_t year;
        unsigned month, day;
        (void)parameters;
        date_of(v, &year, &month, &day);
        return (double)year;
}

double map_day_of_year(double v, const double *parameters)
{
        int64_t year;
        unsigned month, day;
        (void)parameters;
        date_of(v, &year, &month, &day);
        return (double)(days_of(v) - clock_days_of_date(year, 1, 1) + 1);
}

double map_days_in_month(double v, const double *parameters)
{
        int64_t year;
        unsigned month, day;
        (void)parameters;
        date_of(v, &year, &month, &day);
        int64_t next = month == 12 ? clock_days_of_date(year + 1, 1, 1) : clock_days_of_date(year, month + 1, 1);
        return (double)(next - clock_days_of_date(year, month, 1));
}
