/*
 * noticed - what came out of the folding stages since the last tick, in journal order: anomalies, findings, changes, resources.
 *
 *      noticed_init -> noticed_add_... -> (the deciding stages read it) -> noticed_clear -> ... -> noticed_done
 *
 * Texts are copied into its arena. Bounded: what is beyond NOTICED_MAX of a sort between two ticks is dropped and counted,
 * the same way on every replay.
 */
#pragma once

#include "model/finding.h"

#define NOTICED_MAX 65536

struct noticed {
        struct arena arena;
        struct { struct anomaly *items; size_t count, capacity; } anomalies;
        struct { struct finding *items; size_t count, capacity; } findings;
        struct { struct change_event *items; size_t count, capacity; } changes;
        struct { struct resource_seen *items; size_t count, capacity; } resources;
        uint64_t dropped; /* since noticed_init */
};

void noticed_init(struct noticed *noticed);
void noticed_done(struct noticed *noticed);
void noticed_clear(struct noticed *noticed); /* empty, memory kept */
/* False: no memory, nothing was added. At the bound: true, and counted. */
bool noticed_add_anomaly(struct noticed *noticed, const struct anomaly *anomaly, struct err *err);
bool noticed_add_finding(struct noticed *noticed, const struct finding *finding, struct err *err);
bool noticed_add_change(struct noticed *noticed, const struct change_event *change, struct err *err);
bool noticed_add_resource(struct noticed *noticed, const struct resource_seen *resource, struct err *err);
/* Appends copies of all that `from` has and empties it. False: no memory; `from` keeps what was not moved yet. */
bool noticed_move(struct noticed *from, struct noticed *to, struct err *err);
static inline bool noticed_is_empty(const struct noticed *noticed)
{
        return !noticed->anomalies.count && !noticed->findings.count && !noticed->changes.count && !noticed->resources.count;
}
