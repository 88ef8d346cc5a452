/*
 * promql - Prometheus' query language over series: parse, check, evaluate. What is missing is refused by name.
 *
 * Source: Prometheus 2.42 documentation and observable behaviour. Times are milliseconds inside an evaluation, as there
 * (int64 ns at the faces); staleness and look-back (5 min) as there.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/series.h"

#include <stdbool.h>
#include <stdint.h>

/* Where series come from: the store live, a list in memory in tests. */
struct promql_source {
        bool (*select)(void *context, const struct series_select *select, struct arena *arena,
                       struct series_set *out_set, struct err *err);
        void *context;
};
struct promql_source promql_store_source(struct series_store *store);

struct promql_options {
        int64_t start_ns, end_ns, step_ns;      /* an instant query has start == end and step 0 */
        int64_t lookback_ns;                    /* 0: 5 min */
        size_t samples_max;                     /* 0: 50 million */
        size_t bytes_max;                       /* of memory for the evaluation; 0: 1 GiB */
        const _Atomic bool *cancelled;          /* may be NULL */
        int64_t deadline_ns;                    /* clock_monotonic_ns of clock_real; 0: none */
};

enum promql_type { PROMQL_SCALAR, PROMQL_STRING, PROMQL_VECTOR, PROMQL_MATRIX };

struct promql_result {
        enum promql_type type;
        double scalar;                  /* of PROMQL_SCALAR */
        struct str text;                /* of PROMQL_STRING */
        int64_t time_ns;                /* of scalar, string, vector */
        struct series_set set;          /* vector: one value each, at time_ns; matrix: ordered by labels (vectors: as Prometheus orders them) */
};

/* All memory of the result is of the arena. ERR_INVALID (bad_data) for what does not parse, with the place as
 * "1:5: parse error: ..."; ERR_REFUSED (execution) for what cannot be evaluated. */
bool promql_query(struct str text, const struct promql_source *source, const struct promql_options *options,
                  struct arena *arena, struct promql_result *out_result, struct err *err);

/* A selector alone, as the match[] parameters have it: fills matchers (arena-owned; matchers_done later). */
bool promql_selector(struct str text, struct arena *arena, struct matchers *out_matchers, struct err *err);

/* "5m", "1h30m", "90s", "1.5" seconds and so on; as Prometheus' API accepts steps. */
bool promql_duration(struct str text, int64_t *out_ns, struct err *err);
/* Prometheus' number text: "1", "0.1", "NaN", "+Inf", shortest that reads back equal. */
void promql_number(double value, struct buf *out);
