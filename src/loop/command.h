/*
 * command - what a person or a program orders (add a user, revoke a token ...): journaled, applied in order, answered.
 *
 * A command enters like telemetry: as an entry of the journal. The pipeline's thread applies it when its turn comes,
 * by the row of its verb, in one transaction of the state database together with its sequence; so it is ordered,
 * audited and replayable, and never applied twice. Arguments never hold clear secrets.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct loop;

/* Journals the command, waits until it is committed and applied. Takes arguments (a JSON object, may be NULL). by names who
 * asked, for the audit. out_result (may be NULL) becomes the caller's. From any thread but the loop's own. */
bool loop_command(struct loop *loop, const char *verb, json_t *arguments, const char *by, json_t **out_result,
                  struct err *err);
