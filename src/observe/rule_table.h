/*
 * rule_table - the alerts that rules have pending or firing, in the state database: what a restart must know to go on counting `for`.
 *
 * A row is known by group, rule and the packed labels of its alert.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct database;

extern const char rule_schema[], rule_tick_schema[]; /* migrations of the state database */

struct rule_row {
        struct str group, rule, labels;         /* group is "file;name"; labels packed */
        int64_t active_ns;                      /* since when the expression holds */
        int64_t fired_ns;                       /* 0: pending */
        int64_t gone_ns;                        /* since when it no longer holds, under keep_firing_for; 0: it holds */
        double value;
};

bool rule_row_write(struct database *state, const struct rule_row *row, struct err *err);
bool rule_row_delete(struct database *state, const struct rule_row *row, struct err *err);
bool rule_rows_visit(struct database *state, bool (*visit)(void *context, const struct rule_row *row, struct err *err), void *context, struct err *err);

/* Journal time of the newest tick that rules were evaluated at; 0: none yet. */
bool rule_tick_write(struct database *state, int64_t time_ns, struct err *err);
bool rule_tick_read(struct database *state, int64_t *out_time_ns, struct err *err);
