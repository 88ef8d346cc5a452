/*
 * correlate - which alerts are one problem, by evidence, as they come.
 *
 *      correlator_create -> correlator_weigh -> (the caller opens or finds the group) -> correlator_place ... -> correlator_destroy
 *
 * Groups are incidents; their ids are the caller's. An alert is weighed against the open groups that share evidence with it,
 * and joins the best one above the threshold; when it is evidence for two groups, they are one. Every weight that took part is
 * told in the verdict. The very code runs live and under `evenkeel correlate`; it reads no clock. Bounded: an alert is compared
 * with CORRELATE_CANDIDATES_MAX others at most, the newest of each index first.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "engage/topology.h"

#include <stdbool.h>
#include <stdint.h>

#define CORRELATE_CANDIDATES_MAX 64
#define CORRELATE_REASONS_MAX 4

/* What correlation sees of an alert. */
struct clue {
        uint64_t alert;
        int64_t time_ns;
        uint64_t name;          /* hash of the alert's name: which sort of trouble */
        struct str text;        /* its summary */
        struct topology_entity entities[TOPOLOGY_ENTITIES_MAX];
        size_t entity_count;
        bool is_change;         /* a change event: evidence, but no trouble by itself */
};

enum reason_kind {
        REASON_ENTITY = 1,      /* both are about the same entity */
        REASON_NEAR = 2,        /* their entities are near one another in the dependency graph */
        REASON_TIME = 3,        /* how far apart in time */
        REASON_TEXT = 4,        /* they say alike things */
        REASON_LEARNED = 5,     /* people or the past have put such alerts together, or apart */
        REASON_CHANGE = 6,      /* the same change came before both */
        REASON_ALIKE = 7,       /* the same trouble on many unrelated entities at once */
        REASON_PERSON = 8,      /* somebody said so */
        REASON_AGAIN = 9,       /* it fired again soon after the incident was resolved */
};
const char *reason_kind_name(enum reason_kind kind);

/* weight: log odds that the two are one problem, so weights add up. */
struct join_reason {
        enum reason_kind kind;
        double weight;
        uint64_t other;         /* the alert that is the evidence; 0: the group as a whole */
        uint64_t entity;        /* the entity that they share or are near to */
        int distance;           /* hops */
        int64_t apart_ns;
};

struct verdict {
        uint64_t group;         /* to join; 0: nothing is like it, open a new one */
        double score;           /* sum of the weights */
        struct join_reason reasons[CORRELATE_REASONS_MAX];
        size_t reason_count;
        uint64_t merges[4];     /* groups that this alert shows to be the same problem: merge them into group */
        size_t merge_count;
};

struct correlator;
bool correlator_create(const struct topology *topology, struct correlator **out_correlator, struct err *err);
void correlator_destroy(struct correlator *correlator);

/* Changes nothing. */
bool correlator_weigh(struct correlator *correlator, const struct clue *clue, struct verdict *out_verdict, struct err *err);
/* Remembers that the alert belongs to the group; moves it when it is known. */
bool correlator_place(struct correlator *correlator, const struct clue *clue, uint64_t group, struct err *err);
void correlator_move_group(struct correlator *correlator, uint64_t from, uint64_t to);
void correlator_move(struct correlator *correlator, uint64_t alert, uint64_t to_group);
/* Nothing joins the group any more (closed), and what is older than time_ns minus the window is let go. */
void correlator_end(struct correlator *correlator, uint64_t group);
void correlator_forget(struct correlator *correlator, int64_t time_ns);
