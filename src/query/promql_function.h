/*
 * promql_function - the functions of PromQL: one row of the table each. A new one is a row and, mostly, a few lines of
 * arithmetic.
 */
#pragma once

#include "query/promql_evaluate.h"

#include <stdbool.h>
#include <stdint.h>

/* The samples of one series that a range covers at one step. */
struct window {
        const int64_t *times_ns;
        const double *values;
        size_t count;                   /* at least 1 */
        const uint32_t *drops;          /* where in values it is lower than before, only those inside the window ... */
        size_t drop_count, base;        /* ... as indexes from base on */
        int64_t start_ns, end_ns;       /* the range's ends */
        int64_t step_ns;                /* the time of the step */
        double range_s;
        double *room;                   /* count doubles, for sorting */
        char *wrong;                    /* WINDOW_WRONG_BYTES; text in it refuses the query */
};
#define WINDOW_WRONG_BYTES 120

typedef double range_fn(const struct window *window, const double *parameters); /* absent() for no result */
typedef double map_fn(double value, const double *parameters);

struct function {
        const char *name;
        enum promql_type returns;
        enum promql_type types[4];      /* of the arguments; the last goes on */
        unsigned arguments_min, arguments_max;
        bool (*evaluate)(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                         struct rows *out_rows, struct err *err);
        range_fn *range;                /* for function_over_range */
        map_fn *map;                    /* for function_over_values: applied to each sample */
        bool keeps_name;
        double missing;                 /* the first parameter when it is left out */
};

const struct function *function_find(struct str name);
/* Why a name of another version is not there; "" for one nobody knows. */
const char *function_refusal(struct str name);

typedef bool function_fn(struct evaluation *evaluation, const struct node *call, const struct steps *steps,
                         struct rows *out_rows, struct err *err);
function_fn function_over_range, function_over_values, function_over_calendar;
function_fn function_absent, function_absent_over_time, function_scalar, function_vector, function_time, function_pi,
        function_timestamp, function_sort, function_sort_desc, function_label_replace, function_label_join,
        function_histogram_quantile, function_clamp;

range_fn range_rate, range_increase, range_delta, range_irate, range_idelta, range_deriv, range_predict_linear,
        range_changes, range_resets, range_holt_winters, range_avg, range_min, range_max, range_sum, range_count,
        range_quantile, range_stddev, range_stdvar, range_last, range_present;

map_fn map_abs, map_ceil, map_floor, map_round, map_sqrt, map_exp, map_ln, map_log2, map_log10, map_sgn, map_clamp_min,
        map_clamp_max, map_acos, map_acosh, map_asin, map_asinh, map_atan, map_atanh, map_cos, map_cosh, map_sin, map_sinh,
        map_tan, map_tanh, map_deg, map_rad, map_minute, map_hour, map_day_of_week, map_day_of_month, map_day_of_year,
        map_days_in_month, map_month, map_year;

/* Seconds, rounded once: int64 ns of today have more digits than a double. */
double promql_seconds(int64_t ns);
/* Go's math.Max and math.Min: infinity wins over NaN. */
double promql_max(double a, double b);
double promql_min(double a, double b);
/* The quantile of values, which it sorts; NaN counts as smallest. */
double promql_quantile(double q, double *values, size_t count);
