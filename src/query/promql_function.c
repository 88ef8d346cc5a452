/* promql_function.c - the table. Behaviour is that of Prometheus 2.42; see docs/reference/promql.md. */
#include "query/promql_function.h"

#include "base/scope.h"

#include <math.h>

#define S PROMQL_SCALAR
#define T PROMQL_STRING
#define V PROMQL_VECTOR
#define M PROMQL_MATRIX
#define MANY 64 /* arguments of a function that takes any number */

#define OVER_RANGE(text, kernel) {.name = text, .returns = V, .types = {M, S, S, S}, .arguments_min = 1, .arguments_max = 1, \
                                  .evaluate = function_over_range, .range = kernel}
#define OVER_VALUES(text, kernel) {.name = text, .returns = V, .types = {V, S, S, S}, .arguments_min = 1, .arguments_max = 1, \
                                   .evaluate = function_over_values, .map = kernel}
#define CALENDAR(text, kernel) {.name = text, .returns = V, .types = {V, V, V, V}, .arguments_min = 0, .arguments_max = 1, \
                                .evaluate = function_over_calendar, .map = kernel}
#define OTHER(text, type, call, least, most, ...) {.name = text, .returns = type, .types = __VA_ARGS__, .arguments_min = least, \
                                                   .arguments_max = most, .evaluate = call}
#define LIST(...) {__VA_ARGS__}

static const struct function functions[] = {
        OVER_RANGE("avg_over_time", range_avg),
        OVER_RANGE("changes", range_changes),
        OVER_RANGE("count_over_time", range_count),
        OVER_RANGE("delta", range_delta),
        OVER_RANGE("deriv", range_deriv),
        OVER_RANGE("idelta", range_idelta),
        OVER_RANGE("increase", range_increase),
        OVER_RANGE("irate", range_irate),
        OVER_RANGE("max_over_time", range_max),
        OVER_RANGE("min_over_time", range_min),
        OVER_RANGE("present_over_time", range_present),
        OVER_RANGE("rate", range_rate),
        OVER_RANGE("resets", range_resets),
        OVER_RANGE("stddev_over_time", range_stddev),
        OVER_RANGE("stdvar_over_time", range_stdvar),
        OVER_RANGE("sum_over_time", range_sum),
        {.name = "last_over_time", .returns = V, .types = {M, M, M, M}, .arguments_min = 1, .arguments_max = 1,
         .evaluate = function_over_range, .range = range_last, .keeps_name = true},
        {.name = "holt_winters", .returns = V, .types = {M, S, S, S}, .arguments_min = 3, .arguments_max = 3,
         .evaluate = function_over_range, .range = range_holt_winters},
        {.name = "predict_linear", .returns = V, .types = {M, S, S, S}, .arguments_min = 2, .arguments_max = 2,
         .evaluate = function_over_range, .range = range_predict_linear},
        {.name = "quantile_over_time", .returns = V, .types = {S, M, M, M}, .arguments_min = 2, .arguments_max = 2,
         .evaluate = function_over_range, .range = range_quantile},

        OVER_VALUES("abs", map_abs),
        OVER_VALUES("acos", map_acos),
        OVER_VALUES("acosh", map_acosh),
        OVER_VALUES("asin", map_asin),
        OVER_VALUES("asinh", map_asinh),
        OVER_VALUES("atan", map_atan),
        OVER_VALUES("atanh", map_atanh),
        OVER_VALUES("ceil", map_ceil),
        OVER_VALUES("cos", map_cos),
        OVER_VALUES("cosh", map_cosh),
        OVER_VALUES("deg", map_deg),
        OVER_VALUES("exp", map_exp),
        OVER_VALUES("floor", map_floor),
        OVER_VALUES("ln", map_ln),
        OVER_VALUES("log10", map_log10),
        OVER_VALUES("log2", map_log2),
        OVER_VALUES("rad", map_rad),
        OVER_VALUES("sgn", map_sgn),
        OVER_VALUES("sin", map_sin),
        OVER_VALUES("sinh", map_sinh),
        OVER_VALUES("sqrt", map_sqrt),
        OVER_VALUES("tan", map_tan),
        OVER_VALUES("tanh", map_tanh),
        {.name = "clamp_max", .returns = V, .types = {V, S, S, S}, .arguments_min = 2, .arguments_max = 2,
         .evaluate = function_over_values, .map = map_clamp_max},
        {.name = "clamp_min", .returns = V, .types = {V, S, S, S}, .arguments_min = 2, .arguments_max = 2,
         .evaluate = function_over_values, .map = map_clamp_min},
        {.name = "round", .returns = V, .types = {V, S, S, S}, .arguments_min = 1, .arguments_max = 2,
         .evaluate = function_over_values, .map = map_round, .missing = 1},

        CALENDAR("day_of_month", map_day_of_month),
        CALENDAR("day_of_week", map_day_of_week),
        CALENDAR("day_of_year", map_day_of_year),
        CALENDAR("days_in_month", map_days_in_month),
        CALENDAR("hour", map_hour),
        CALENDAR("minute", map_minute),
        CALENDAR("month", map_month),
        CALENDAR("year", map_year),

        OTHER("absent", V, function_absent, 1, 1, LIST(V)),
        OTHER("absent_over_time", V, function_absent_over_time, 1, 1, LIST(M)),
        OTHER("clamp", V, function_clamp, 3, 3, LIST(V, S, S, S)),
        OTHER("histogram_quantile", V, function_histogram_quantile, 2, 2, LIST(S, V, V, V)),
        OTHER("label_join", V, function_label_join, 3, MANY, LIST(V, T, T, T)),
        OTHER("label_replace", V, function_label_replace, 5, 5, LIST(V, T, T, T)),
        OTHER("pi", S, function_pi, 0, 0, LIST(S)),
        OTHER("scalar", S, function_scalar, 1, 1, LIST(V)),
        OTHER("sort", V, function_sort, 1, 1, LIST(V)),
        OTHER("sort_desc", V, function_sort_desc, 1, 1, LIST(V)),
        OTHER("time", S, function_time, 0, 0, LIST(S)),
        OTHER("timestamp", V, function_timestamp, 1, 1, LIST(V)),
        OTHER("vector", V, function_vector, 1, 1, LIST(S)),
};

/* Known elsewhere, and told so by name. */
static const struct {
        const char *name, *why;
} refusals[] = {
        {"histogram_avg", ": native histograms are not stored here"},
        {"histogram_count", ": native histograms are not stored here; use the _count series"},
        {"histogram_fraction", ": native histograms are not stored here"},
        {"histogram_stddev", ": native histograms are not stored here"},
        {"histogram_stdvar", ": native histograms are not stored here"},
        {"histogram_sum", ": native histograms are not stored here; use the _sum series"},
        {"mad_over_time", ": it is newer than Prometheus 2.42, whose language this is"},
        {"sort_by_label", ": it is newer than Prometheus 2.42, whose language this is"},
        {"sort_by_label_desc", ": it is newer than Prometheus 2.42, whose language this is"},
        {"double_exponential_smoothing", ": in Prometheus 2.42 it is called holt_winters"},
};

const struct function *function_find(struct str name)
{
        for (size_t i = 0; i < countof(functions); i++)
                if (str_is(name, functions[i].name))
                        return &functions[i];
        return NULL;
}

const char *function_refusal(struct str name)
{
        for (size_t i = 0; i < countof(refusals); i++)
                if (str_is(name, refusals[i].name))
                        return refusals[i].why;
        return "";
}
