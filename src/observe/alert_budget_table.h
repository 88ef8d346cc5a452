/* alert_budget_table - episodes under way, what budgets have spent, and what was held back, in the state database. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct database;

extern const char alert_budget_schema[]; /* a migration of the state database */

struct episode_row {
        int kind;                       /* enum anomaly_kind */
        struct str labels;              /* packed, of the anomaly */
        bool is_held;
        int64_t since_ns, seen_ns;
};
bool episode_row_write(struct database *state, const struct episode_row *row, struct err *err);
bool episode_row_delete(struct database *state, const struct episode_row *row, struct err *err);
bool episode_rows_visit(struct database *state, bool (*visit)(void *context, const struct episode_row *row, struct err *err), void *context, struct err *err);

struct budget_row {
        struct str name, bytes;         /* alert_budget's own */
};
bool budget_row_write(struct database *state, const struct budget_row *row, struct err *err);
bool budget_rows_visit(struct database *state, bool (*visit)(void *context, const struct budget_row *row, struct err *err), void *context, struct err *err);

struct held_row {
        uint64_t id;
        int64_t time_ns;
        struct str alert, labels, why, sentence, evidence; /* labels packed, of the finding */
        double p_value;
};
bool held_row_write(struct database *state, const struct held_row *row, struct err *err);
bool held_rows_trim(struct database *state, int64_t keep, struct err *err); /* the newest `keep` stay */
/* Of times start_ns to end_ns, newest first, at most limit. */
bool held_rows_visit(struct database *state, int64_t start_ns, int64_t end_ns, int64_t limit,
                     bool (*visit)(void *context, const struct held_row *row, struct err *err), void *context, struct err *err);
