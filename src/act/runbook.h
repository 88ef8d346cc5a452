/*
 * runbook - an automation as it is declared: for which incidents, with which parameters, which steps, and how it is proven that it helped.
 *
 *      content (YAML) -> runbooks_check | runbooks_create -> runbooks_find, runbook_fits, runbook_plan -> runbooks_destroy
 *
 * Read-only after it was made; texts are borrowed from the content, which it holds a reference to. docs/operators/runbooks.md shows the format.
 */
#pragma once

#include "act/parameter.h"
#include "base/arena.h"
#include "model/incident.h"

#include <stdint.h>

#define RUNBOOKS_MAX 1000

enum autonomy { AUTONOMY_SUGGEST, AUTONOMY_APPROVE, AUTONOMY_AUTO };
const char *autonomy_name(enum autonomy autonomy);
bool autonomy_parse(struct str name, enum autonomy *out_autonomy);

struct runbook {
        struct str name, sentence, file;
        const json_t *tree;
        const json_t *alerts, *kinds;           /* names, a trailing * stands for any rest; NULL: any */
        struct parameters parameters;
        size_t target;                          /* of parameters: the entity that it acts on */
        const json_t *steps;
        struct { int64_t runs, within_ns; } target_rate;        /* at most so many starts on one target */
        int64_t at_once;                        /* runs of this runbook */
        struct { double share; int64_t within_ns; } blast;      /* of all entities of the target's kind */
        struct { struct str check; int64_t after_ns, within_ns, stays_ns; } verify;
        bool is_standard_change;                /* pre-approved: goes ahead under the guards, until it does harm */
};

struct runbooks {
        const json_t *content;                  /* a reference */
        struct { struct runbook *items; size_t count, capacity; } list;
};

/* err names file, runbook, field and what to do. */
bool runbooks_check(const json_t *content, struct err *err);
bool runbooks_create(const json_t *content, struct runbooks **out_runbooks, struct err *err);
void runbooks_destroy(struct runbooks *runbooks);
const struct runbook *runbooks_find(const struct runbooks *runbooks, struct str name);

/* What the alerts are called that fire and are not held back, each name once: thousands of alerts have few names, and every runbook asks for them. */
struct alert_names { struct str *items; size_t count, capacity; };
bool alert_names_of(const struct incident_view *incident, struct arena *arena, struct alert_names *out_names, struct err *err);
/* Whether it is meant for such an incident: one of these names and one of its entities' kinds are in applies_to. */
bool runbook_fits(const struct runbook *runbook, const struct alert_names *names, const struct incident_view *incident);
bool runbook_means_alert(const struct runbook *runbook, const struct incident_alert *alert);
/* What would be done, step by step, with these values. The caller's; NULL: a value does not fit. */
json_t *runbook_plan(const struct runbook *runbook, const struct slots *slots, struct err *err);
