/*
 * correlate - which alerts are one problem, by evidence, as they come.
 *
 *      correlator_create -> correlator_weigh -> (the caller opens or finds the group) -> correlator_place
 *                        -> correlator_settle (at ticks) ... -> correlator_destroy
 *
 * Groups are incidents; their ids are the caller's. An alert is weighed against the living groups that have evidence in common
 * with it, and joins the one with the largest sum of weights, if that is above 0. Alerts after a fault come like aftershocks: many
 * at once, then ever fewer (Omori's law); so of two groups with equal evidence the one that began last is the likelier
 * (stochastic declustering: Zhuang, Ogata and Vere-Jones, 2002).
 *
 * A stream of alerts merges repeats: what goes on is told once. So an alert that a group has been told already is evidence
 * against that group, and when it was told to all of them something began anew. Such an onset is tentative: it is confirmed when
 * more alerts are told again within CORRELATE_ONSET_NS than the stragglers of the groups before explain (a Poisson tail), else
 * correlator_settle names the group it belongs to after all.
 *
 * What came in the same moment about the same things tells of one event (moment.h), so a group that was told one of it already is
 * unlikely for all of it. The earlier ones move when a later one shows where the moment belongs.
 *
 * The very code runs live and under `evenkeel correlate`; it reads no clock. Bounded: a walk of CORRELATE_NEAR_MAX entities and
 * CORRELATE_GROUPS_MAX groups an alert, whatever the size of the storm; docs/decisions/correlation.md has the measures.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "engage/topology.h"

#include <stdbool.h>
#include <stdint.h>

#define CORRELATE_GROUPS_MAX 64         /* living groups that an alert is weighed against, the newest ones */
#define CORRELATE_NEAR_MAX 256          /* entities looked at around an alert */
#define CORRELATE_REASONS_MAX 8
#define CORRELATE_CHANGES_MAX 1024      /* remembered; the oldest go */
#define CORRELATE_WINDOW_NS ((int64_t)1800 * 1000000000)  /* evidence older than that does not count */
#define CORRELATE_QUIET_NS ((int64_t)90 * 1000000000)     /* a group lives that long after its last alert, */
#define CORRELATE_SPAN_NS ((int64_t)300 * 1000000000)     /* and while one of them fires that long after its first */
#define CORRELATE_HELD_NS ((int64_t)120 * 1000000000)      /* what was held back longer than that before trouble did not begin it */
#define CORRELATE_ONSET_NS ((int64_t)10 * 1000000000)
#define CORRELATE_MOMENT_MAX 16         /* alerts of one moment that are judged together */

/* What correlation sees of an alert. */
struct clue {
        uint64_t alert;
        uint64_t same;          /* equal for tellings of the same alert; 0: unknown */
        int64_t time_ns;
        uint64_t name;          /* hash of the alert's name: which sort of trouble */
        uint64_t sort;          /* of name and kind of entity, as learned_sort makes it */
        struct str name_text;   /* "DiskFull" */
        struct str text;        /* its summary */
        struct topology_entity entities[TOPOLOGY_ENTITIES_MAX]; /* the one in trouble first */
        size_t entity_count;
        bool is_held;           /* held back: evidence beside others, and nothing to be told of by itself */
        bool is_symptom;        /* seen by those who use it: what breaks may stand behind it */
        bool is_call;           /* about a call between entities: a symptom, seen where it hurts */
        bool is_change;         /* a change event: evidence, but no trouble by itself */
};

enum reason_kind {
        REASON_ENTITY = 1,      /* both are about the same entity */
        REASON_NEAR = 2,        /* their entities are near one another in the dependency graph */
        REASON_TIME = 3,        /* how long ago the group began */
        REASON_TEXT = 4,        /* they say alike things */
        REASON_LEARNED = 5,     /* people or the past have put such alerts together, or apart */
        REASON_CHANGE = 6,      /* the same change came before both */
        REASON_ALIKE = 7,       /* the same trouble on many unrelated entities at once */
        REASON_PERSON = 8,      /* somebody said so */
        REASON_AGAIN = 9,       /* it fired again soon after the incident was resolved */
        REASON_TOLD = 10,       /* it was told there already */
        REASON_MOMENT = 13,     /* it was told there already what came in the same moment */
        REASON_STORM = 12,      /* nothing is known of its place, and a storm is on */
        REASON_ONSET = 11,      /* more was told again than stragglers explain: something began anew */
};
const char *reason_kind_name(enum reason_kind kind);

/* weight: log odds that the two are one problem, so weights add up. */
struct join_reason {
        enum reason_kind kind;
        double weight;
        uint64_t other;         /* the alert, or change, that is the evidence; 0: the group as a whole */
        uint64_t entity;        /* the entity that they share or are near to */
        int distance;           /* hops */
        int64_t apart_ns;
};

struct verdict {
        uint64_t group;         /* to join; 0: nothing is like it, open a new one */
        bool is_onset;          /* a new one, tentative, since what lives has been told this already */
        bool is_alike;          /* joined as like trouble on unrelated entities */
        double score;           /* sum of the weights */
        struct join_reason reasons[CORRELATE_REASONS_MAX];
        size_t reason_count;
        uint64_t merges[4];     /* groups that this alert shows to be the same problem: merge them into group */
        size_t merge_count;
        struct { uint64_t alert, from; } moves[CORRELATE_MOMENT_MAX]; /* alerts of the same moment that belong to the group as well, and were placed elsewhere */
        size_t move_count;
};

struct learned;
struct correlator;
/* topology and learned are borrowed for good; learned may be NULL. */
bool correlator_create(const struct topology *topology, const struct learned *learned, struct correlator **out_correlator, struct err *err);
void correlator_destroy(struct correlator *correlator);

/* Changes nothing that a later answer depends on. */
bool correlator_weigh(struct correlator *correlator, const struct clue *clue, struct verdict *out_verdict, struct err *err);
bool correlator_changed_since(const struct correlator *correlator, const struct clue *clue, int64_t since_ns); /* something that the clue is about */
/* Remembers that the alert belongs to the group, and what verdict (may be NULL), as weighed, moves there with it. A change belongs to none: group 0. */
bool correlator_place(struct correlator *correlator, const struct clue *clue, uint64_t group, const struct verdict *verdict, struct err *err);
/* A tentative group whose time is over without being confirmed: merge it. False: there is none (any more). */
bool correlator_settle(struct correlator *correlator, int64_t time_ns, uint64_t *out_group, uint64_t *out_into);
void correlator_hold(struct correlator *correlator, uint64_t group, bool is_firing); /* lives as long as an alert of it fires */
void correlator_move_group(struct correlator *correlator, uint64_t from, uint64_t to);
void correlator_move(struct correlator *correlator, const struct clue *clue, uint64_t from_group, uint64_t to_group);
/* Nothing joins the group any more. */
void correlator_end(struct correlator *correlator, uint64_t group);
void correlator_forget(struct correlator *correlator, int64_t time_ns);

/* What a later answer depends on, so that who restores it answers the same: changed groups as bytes, by a number of their own (empty: the
 * group is gone), and how many incidents an alert was in. Saving may be repeated; correlator_clean follows the commit. */
struct correlator_rows {
        void *context;
        bool (*group)(void *context, uint32_t serial, struct str bytes, struct err *err);
        bool (*seen)(void *context, uint64_t same, uint32_t incidents, struct err *err);
};
bool correlator_is_dirty(const struct correlator *correlator);
bool correlator_save(const struct correlator *correlator, const struct correlator_rows *rows, struct err *err);
void correlator_clean(struct correlator *correlator);
/* In order of serials, into a correlator that knows nothing yet. Changes are placed again, see correlator_place. */
bool correlator_restore(struct correlator *correlator, uint32_t serial, struct str bytes, struct err *err);
bool correlator_remember(struct correlator *correlator, uint64_t same, uint32_t incidents, struct err *err);

/* What the group's alerts say about where the trouble is: entities with a number of surprise, best first. See cause.h. */
struct suspect {
        uint64_t entity;
        struct str kind, name;          /* borrowed until the next correlator_place */
        double score;                   /* 0 to 1 */
        double symptoms;                /* share of what its alerts say that only users saw */
        uint32_t alerts;                /* that are about it itself */
        uint64_t first_alert;           /* of these */
        uint32_t suffering;             /* others in trouble that depend on it */
        uint32_t parts, parts_troubled; /* of what runs on it or belongs to it */
        int64_t after_ns;               /* its first alert, after the group's */
        uint64_t change;                /* the change it stands for; 0: none */
        int64_t change_before_ns;       /* how long before the group's first alert */
};
bool correlator_suspects(struct correlator *correlator, uint64_t group, struct suspect *out_suspects, size_t max, size_t *out_count, struct err *err);
