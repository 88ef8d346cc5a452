/*
 * alert_stream - a recorded stream of alerts and a topology, as CSV, through the correlation that runs live: `evenkeel correlate`.
 *
 *      alert_stream_correlate(alerts, topology, out, err)
 *
 * ALERTS   ts_ms,source,entity,peer,name,kind,count,text   in order of time; source metric, trace (entity: the callee, peer: the
 *                                                          caller) or log; peer of a metric: the host
 * TOPOLOGY source,source_type,relation,target,target_type  hosted_on, instance_of, control_flow (caller to callee) ...
 *
 * Answers one JSON object a line for each incident: {"incident": N, "alerts": [ROW, ...], "causes": [NAME, ...]}. Time is the
 * stream's own. Bounded: ALERT_STREAM_ROWS_MAX rows.
 *
 * A recorded stream has no time of receipt, so a source whose clock is set to another time zone cannot be told from one that is
 * late. Its offset is found from the stream itself: whole quarters of an hour, when with it (and not without) the source's alerts
 * come with those of other sources about the same entities.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define ALERT_STREAM_ROWS_MAX ((size_t)4 << 20)

/* topology may be empty bytes (NULL): there is none. */
bool alert_stream_correlate(struct str alerts, struct str topology, struct buf *out, struct err *err);
