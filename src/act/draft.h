/*
 * draft - a runbook made of what people did about an incident: a text for a content file, that somebody reads, changes and saves, or throws away.
 *
 *      incident as the API tells it (title, entities, alerts, timeline) -> draft_runbook -> YAML
 *
 * A pure function. A recorded action that is a plain command becomes a step, with the names of the incident's entities turned into typed parameters; what
 * needs a shell, or is prose, becomes a step notify that asks a person to do it. Until it is saved nothing knows of it, and then it is proposed like any
 * other, waits for approval, and needs its lines in the allow-list, which stand above it.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

#define DRAFT_STEPS_MAX 30

/* Refused: ERR_NOT_FOUND when nobody recorded an action, or the incident names no entity. What it writes, the reader of runbooks accepts. */
bool draft_runbook(const json_t *incident, struct buf *out_yaml, struct err *err);
