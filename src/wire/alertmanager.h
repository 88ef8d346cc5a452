/*
 * alertmanager - the body of POST /api/v2/alerts (and /api/v1/alerts of older senders): a JSON array of alerts, to findings.
 *
 * An alert whose endsAt is not after the receive time is resolved; else it fires until endsAt, or for five minutes when it has none, unless it is
 * sent again. startsAt missing: the time it came. Alerts without labels, with a bad label name or a bad time are rejected and counted while the rest is
 * taken. Source: Alertmanager 0.25, its OpenAPI description of postableAlert and the way its API treats times.
 */
#pragma once

#include "base/clock.h"
#include "wire/decode.h"

#define ALERTMANAGER_ALERTS_MAX 100000
#define ALERTMANAGER_RESOLVE_NS (5 * 60 * NS_PER_S)

decode_fn alertmanager_decode;
