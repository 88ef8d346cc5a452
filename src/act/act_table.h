/*
 * act_table - the rows of runs, their steps, runbooks and what is believed of them; the only SQL about them. Bodies are JSON, as readers get them.
 *
 * Written by act inside the pipeline's transaction; read by the API through readers of the state database.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct database;

extern const char act_schema[]; /* a migration of the state database */

#define RUN_ROWS_MAX 100000     /* the oldest ended ones go */

struct run_row {
        uint64_t id, incident;
        uint32_t number;
        int64_t is_live, ended_ns;      /* ended_ns 0: not yet */
        struct str runbook, state, body;
};

typedef bool run_visit_fn(void *context, const struct run_row *row, struct err *err);

bool run_row_write(struct database *state, const struct run_row *row, struct err *err);
/* Live ones, and those that ended behind since_ns; oldest first. */
bool run_rows_recent(struct database *state, int64_t since_ns, run_visit_fn *visit, void *context, struct err *err);
/* Newest first; an incident by its number, 0: any, as empty texts are; before 0: from the newest. */
struct run_filter { int64_t incident_number; struct str runbook, state; int64_t before_number; size_t limit; };
bool run_rows_list(struct database *state, const struct run_filter *filter, run_visit_fn *visit, void *context, struct err *err);
/* How many runs stand where, by runbook. */
bool run_counts_visit(struct database *state, bool (*visit)(void *context, struct str runbook, struct str run_state, int64_t count, struct err *err), void *context,
                      struct err *err);
bool run_row_get(struct database *state, int64_t number, bool *out_found, run_visit_fn *visit, void *context, struct err *err);

bool step_row_write(struct database *state, uint64_t run, uint32_t step, uint32_t attempt, struct str body, struct err *err);
bool step_rows_visit(struct database *state, uint64_t run, bool (*visit)(void *context, struct str body, struct err *err), void *context, struct err *err);

/* What else act keeps, by name ("state", "posterior", "runbooks", "beliefs"). */
bool act_part_write(struct database *state, const char *name, struct str bytes, struct err *err);
bool act_part_read(struct database *state, const char *name, struct buf *out, bool *out_found, struct err *err);

struct watch_row {
        uint64_t incident, signature, target_class;
        int64_t opened_ns;
};
bool watch_row_write(struct database *state, const struct watch_row *row, struct err *err);
bool watch_row_delete(struct database *state, uint64_t incident, struct err *err);
bool watch_rows_visit(struct database *state, bool (*visit)(void *context, const struct watch_row *row, struct err *err), void *context, struct err *err);
