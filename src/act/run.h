/*
 * run - one execution of a runbook for one incident, from the proposal to what came of it.
 *
 *      proposed -> approved -> running (step by step) -> verifying -> succeeded | failed | harmful
 *          |  \-> rejected         |  \-> failed (a step did)
 *          '-> withdrawn           '-> stopped | interrupted
 *
 *      withdrawn       the incident ended before anybody decided
 *      stopped         by a person, or by "stop all automation"
 *      interrupted     the program ended in the middle; nothing of it is repeated, and whether its last step took effect is not known
 *
 * Only act, on the pipeline's thread, changes a run. What it will do (facts.plan) is fixed when it is proposed.
 */
#pragma once

#include "act/runbook.h"

#include <jansson.h>
#include <stdint.h>

enum run_state {
        RUN_PROPOSED = 1, RUN_APPROVED = 2, RUN_REJECTED = 3, RUN_RUNNING = 4, RUN_VERIFYING = 5, RUN_SUCCEEDED = 6, RUN_FAILED = 7, RUN_HARMFUL = 8,
        RUN_INTERRUPTED = 9, RUN_STOPPED = 10, RUN_WITHDRAWN = 11,
};
const char *run_state_name(enum run_state state);

/* Where the present step stands. Handed: to the runner; begun: the journal has that it is being done, and from here on it is never done again. */
enum step_place { STEP_DUE = 1, STEP_HANDED = 2, STEP_LOOKING = 3, STEP_BEGUN = 4 };

struct run {
        uint64_t id, incident, target, signature;
        uint32_t number, incident_number;       /* what people call them */
        enum run_state state;
        json_t *facts;          /* runbook, sentence, signature, target, target_kind, target_name, values, plan, verify, belief, proposed_by */
        json_t *story;          /* approved_by, why, refusals, before, outcome: what came later */
        int64_t proposed_ns, decided_ns, started_ns, steps_ended_ns, ended_ns; /* 0: not yet */
        uint32_t step, attempt;
        enum step_place place;
        int64_t due_ns, begun_ns;               /* of the present step: when it may begin, when it began */
        int64_t good_since_ns, harm_since_ns;   /* while verifying; 0: it is not so */
        bool is_auto;
        bool is_dirty;
        bool is_found_running;                  /* when replay was over: it will be interrupted */
};

struct run *run_create(struct err *err); /* with empty facts and story */
void run_destroy(struct run *run);
static inline bool run_is_live(const struct run *run)
{
        return run->state == RUN_PROPOSED || run->state == RUN_APPROVED || run->state == RUN_RUNNING || run->state == RUN_VERIFYING;
}

/* As it is kept in its row and told to readers; the caller's. NULL: no memory. */
json_t *run_json(const struct run *run);
struct run *run_of_json(const json_t *json, struct err *err);

struct str run_fact(const struct run *run, const char *key);            /* a text of facts; empty: none */
const json_t *run_step_plan(const struct run *run, uint32_t step);      /* NULL: behind the last */
json_t *run_text(struct str text); /* a JSON string whatever the bytes: what is no UTF-8 becomes '?'; NULL: no memory */
bool run_tell(struct run *run, const char *key, json_t *value, struct err *err); /* into the story; takes value */
