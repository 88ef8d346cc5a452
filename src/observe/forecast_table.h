/*
 * forecast_table - what runs out, in the state database: a row for each limit and series that will meet it in sight.
 *
 * `told` is what a restart must know: which finding is firing.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct database;

extern const char forecast_schema[]; /* a migration of the state database */

struct forecast_row {
        struct str limit, labels;       /* the limit's name; packed labels of the finding without severity: together the key */
        struct str sentence;            /* what runs out, for people; without the time */
        double value, limit_value;
        int64_t at_ns, earliest_ns, latest_ns; /* latest INT64_MAX: perhaps never */
        int64_t updated_ns;
        int told;                       /* enum alert_severity of the finding that fires; 0: none */
};

bool forecast_row_write(struct database *state, const struct forecast_row *row, struct err *err);
bool forecast_row_delete(struct database *state, const struct forecast_row *row, struct err *err);
/* What runs out first comes first. */
bool forecast_rows_visit(struct database *state, bool (*visit)(void *context, const struct forecast_row *row, struct err *err), void *context, struct err *err);
