/*
 * outcome_table - what was decided in a span of time, as replay and shadow compare it: incidents that were open then, who was told, and why not.
 *
 *      { incidents: [ { id, number, title, state, severity, team, opened_ns, resolved_ns, is_held, alerts: [ SORT ... ], names: [ ... ] } ],
 *        told: [ { incident, number, title, occasion, is_page, team, time_ns, to: [ ... ], alerts: [ SORT ... ], names: [ ... ] } ],
 *        not_told: [ { incident, team, time_ns, reason } ] }
 *
 * A SORT is an alert's labels but for severity and team, as one text: what stays the same when only its weight or its owner is changed.
 * One message to several is one row. Tests and canaries are left out.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdint.h>

struct database;

#define OUTCOME_ROWS_MAX 100000

/* The caller's; NULL and err on failure. */
json_t *outcome_read(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err);

/* The number of the newest incident that was opened before and holds an alert of that sort; 0: none. */
bool outcome_incident_of(struct database *reader, struct str sort, uint32_t *out_number, struct err *err);
/* The sorts of the alerts of an incident, by its number. */
json_t *outcome_sorts_of(struct database *reader, uint32_t number, struct err *err);
