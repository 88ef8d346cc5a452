/*
 * moment - the alerts that came in the same moment about the same things: they tell of one event, and belong together.
 *
 *      moments_find (what a clue came with) -> moments_note (when it was placed) ...
 *
 * A request that goes wrong hurts everything along its path within milliseconds, and what is measured at one time is told at one
 * time. So of two incidents that an alert may belong to, it belongs to the one that its company belongs to. That is more than
 * nearness in the graph says, where two incidents are on the same things. Bounded: MOMENTS_MAX alerts of the last MOMENT_KEPT_NS.
 *
 * Plain data of one correlator, saved with it.
 */
#pragma once

#include "base/buf.h"
#include "engage/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clue;
struct reader;

#define MOMENT_NS ((int64_t)50 * 1000000)       /* apart at the most */
#define MOMENT_KEPT_NS ((int64_t)200 * 1000000) /* of a chain of them */
#define MOMENTS_MAX 64

struct moment_alert {
        uint64_t alert, same, sort, group;
        uint64_t event;         /* the first alert of the moment */
        int64_t time_ns;
        double surprise, told;  /* of it, what it added to its group's evidence */
        bool is_symptom, is_call;
        uint64_t entities[TOPOLOGY_ENTITIES_MAX];
        size_t entity_count;
};

struct moments {
        struct moment_alert items[MOMENTS_MAX];  /* in the order in which they were placed */
        size_t count;
};

/* The alerts of the clue's moment: those that share an entity with it, and those that came with these. How many. */
size_t moments_find(const struct moments *moments, const struct clue *clue, const struct moment_alert **out_alerts, size_t max);
struct moment_alert *moments_alert(struct moments *moments, uint64_t alert); /* NULL: not there any more */
/* At the bound the oldest goes. */
void moments_note(struct moments *moments, const struct moment_alert *alert);
void moments_join(struct moments *moments, uint64_t event, uint64_t into);
void moments_move_group(struct moments *moments, uint64_t from, uint64_t to);

void moments_write(const struct moments *moments, struct buf *out);
void moments_read(struct moments *moments, struct reader *reader);
