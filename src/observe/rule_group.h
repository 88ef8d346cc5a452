/*
 * rule_group - rule groups as they are declared, with the alerts of each rule: the state that rules.c moves on.
 *
 * A set of groups is parsed whole, or not at all; its texts live in its arena.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "model/labels.h"

#include <jansson.h>
#include <stdint.h>

struct rule_alert {             /* heap; owned by its rule */
        struct labels labels;   /* without alertname; in its own arena */
        struct str packed;
        struct arena arena;
        int64_t active_ns, fired_ns, gone_ns;
        double value;
        uint64_t seen;          /* the evaluation that had it */
        bool is_dirty;
};

struct rule {
        struct str name, key, expression;              /* key: name and labels; unique in its group */
        bool is_recording;
        int64_t for_ns, keep_ns;
        struct labels labels, annotations;      /* templates */
        struct { struct rule_alert **items; size_t count, capacity; } alerts; /* heap */
        struct map index;                       /* hash of packed labels -> place in alerts */
        char fault[200];                        /* why the last evaluation failed; empty: it did not */
        int64_t evaluated_ns, duration_ns;
};

struct rule_group {
        struct str key, name, file;             /* key: "file;name" */
        int64_t interval_ns, slot;              /* slot: the interval that was evaluated last */
        size_t limit;                           /* alerts or series a rule may give; 0: RULE_ALERTS_MAX */
        struct rule *rules;
        size_t rule_count;
};

struct rule_set {
        struct arena arena;
        struct { struct rule_group *items; size_t count, capacity; } groups;
};

bool rule_set_parse(const json_t *content, struct rule_set *out_set, struct err *err);
void rule_set_done(struct rule_set *set);
struct rule *rule_set_find(struct rule_set *set, struct str group_key, struct str rule_key); /* NULL: not there */

struct rule_alert *rule_find_alert(const struct rule *rule, struct str packed);      /* NULL: not there */
struct rule_alert *rule_add_alert(struct rule *rule, struct str packed);             /* NULL: no memory, or bad packed labels */
void rule_remove_alert(struct rule *rule, size_t place);                             /* the last one takes its place */
