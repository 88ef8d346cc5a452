/*
 * resources - the hosts, services and mount points that telemetry names, each told once an hour: what the register is fed with.
 *
 *      resources_create -> resources_watch -> resources_fold (workers, each its partitions) ... -> resources_destroy
 *
 * Of a new stream's or series' labels only those that a kind asks for are kept; what then is new in this partition is noted as
 * seen. Bounded: RESOURCES_MAX different ones a partition and hour; more are refused and counted. A function of the journal:
 * nothing depends on how many workers there are.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/noticed.h"
#include "observe/observe.h"
#include "register/kind.h"

#define RESOURCES_MAX 16384

struct resources;

bool resources_create(struct resources **out_resources, struct err *err);
void resources_destroy(struct resources *resources);
/* What to look for from now on; when no worker runs. False: no memory, it looks for what it did. */
bool resources_watch(struct resources *resources, const struct kinds *kinds, struct err *err);
void resources_forget(struct resources *resources); /* all is told again: at every command that configures, decided now or replayed */
/* What was told within the hour, for checkpoints; into one that was told nothing yet. */
bool resources_save(const struct resources *resources, struct buf *out, struct err *err);
bool resources_restore(struct resources *resources, struct str bytes, struct err *err);
/* On the worker that owns the partition; again with the same fold does no harm. False: no memory. */
bool resources_fold(struct resources *resources, const struct fold *fold, struct noticed *noticed, struct err *err);
uint64_t resources_refused(const struct resources *resources); /* when no worker runs */
