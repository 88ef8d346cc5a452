/*
 * shadow_table - what Evenkeel would have told beside what other tools told, by incident: the report of shadow mode.
 *
 * Theirs is each firing that another tool sent (Alertmanager's API, webhooks with a mapping): what that tool would send a message for. Ours is each
 * message of the outbox that says something is wrong (not "resolved", tests, canaries), sent or not.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

struct database;

#define SHADOW_ROWS_MAX 2000

/*
 * { from_ns, until_ns, theirs, messages, pages, both, only_theirs, only_ours, hours_earlier, hours_later, incidents: [ { number, title, severity, team, kind,
 *   theirs, theirs_first_ns, messages, pages, ours_first_ns, earlier_s, reason } ] }
 *
 * kind: both, only_theirs (reason: why nobody would have been told), only_ours. earlier_s: how much earlier ours was, negative: later; for both alone.
 */
json_t *shadow_read(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err);
