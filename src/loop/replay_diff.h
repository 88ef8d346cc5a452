/*
 * replay_diff - what two outcomes (engage/outcome_table.h) tell people differently.
 *
 *      { what: "page" | "message" | "incident", kind, time_ns, recorded_time_ns, title, occasion, team, recorded_team, incident, recorded_incident, reason }
 *
 * kind    sent       only the other would have been sent         missed     only the recorded was sent
 *         moved      to another team                              woke, calm  a message that is a page now, or is none any more
 *         earlier, later (by a second or more)                    others     the same team, but other people of it
 *         opened, not opened, split, joined, severity             of incidents
 *
 * Incidents and messages are the same when they are about the same alerts, within an hour; each is paired once, the nearest in time first.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>

/* An array, in order of time; the caller's. NULL and err on failure. */
json_t *replay_diff(const json_t *recorded, const json_t *other, struct err *err);
