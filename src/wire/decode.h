/*
 * decode - the one shape of every decoder in wire/: bytes to model, pure, bounded, fuzzed.
 *
 * A decoder fills batch->telemetry from batch->bytes, batch->labels, batch->settings and batch->received_ns, with
 * memory of batch->arena. Texts may point into batch->bytes. It never reads a clock, never does I/O and never crashes,
 * whatever the bytes are. A batch that is wrong as a whole gives false and err (ERR_INVALID with the place);
 * wrong items within a good batch are left out and counted in telemetry.rejected.
 */
#pragma once

#include "base/err.h"
#include "model/batch.h"

typedef bool decode_fn(struct batch *batch, struct err *err);
