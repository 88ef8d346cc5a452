/*
 * step - one kind of thing that a runbook can do. A kind is a row of steps.def and a file step_NAME.c; docs/developers/add-a-step.md says how.
 *
 *      YAML --plan (values filled in)--> plan, kept with the run --.--> outside: run, on the runner's thread, once --> outcome
 *                                                                  '--> inside: look, at ticks, on the pipeline's thread
 *
 * The plan is a JSON object that says exactly what will be done; approving a run approves this, whatever becomes of the runbook's file.
 */
#pragma once

#include "act/parameter.h"
#include "reach/launcher.h"

#include <stdint.h>

struct http_request;
struct http_response;
struct promql_source;
struct secrets;

/* What steps do things with; a test has its own. ERR_CANCELLED from any of them: nobody knows what became of it (the program is stopping). */
struct step_hands {
        bool (*launch)(void *context, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err);
        bool (*fetch)(void *context, const struct http_request *request, struct http_response *out_response, struct err *err);
        void (*stop_all)(void *context);        /* what runs is killed */
        void *context;
        struct secrets *secrets;                /* the runner's; they enter requests and nothing that is kept */
};

struct step_outcome {
        bool is_good;
        int64_t status;                 /* exit status, HTTP status; 0 of the others */
        struct str output;              /* of the arena: what it wrote, bounded */
        struct str sentence;            /* what became of it */
};

enum step_answer { STEP_NOT_YET, STEP_GOOD, STEP_BAD };

/* What a step that is decided inside may look at. */
struct step_moment {
        const struct promql_source *series;
        int64_t time_ns, begun_ns;
        struct arena *arena;
};

struct step_kind {
        const char *name, *meaning;
        bool is_said;                   /* its sentence is told to the teams when it is good */
        const char *keys;               /* beside the kind's own and those of all steps; with spaces between */
        /* Puts what will be done into `plan` (an object); body is the step's mapping. Refuses what is wrong in it. */
        bool (*plan)(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
        /* Outside, NULL of those inside. false: it could not even be begun, or ERR_CANCELLED. */
        bool (*run)(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err);
        /* Inside, NULL of those outside. *out_sentence says what it is waiting for, or what came out. false: no memory. */
        bool (*look)(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err);
};

extern const struct step_kind step_kinds[]; /* ended by a NULL name */
const struct step_kind *step_kind_find(struct str name);

#define STEPS_MAX 32
#define STEP_TIMEOUT_NS ((int64_t)30 * 1000000000)

/* What all steps have: { name, kind, timeout_ns, retries, backoff_ns, on_failure: "stop", "continue" or a step's number } and the kind's own. The caller's. */
json_t *step_plan(const json_t *body, const struct slots *slots, size_t number, struct err *err);

/* For the kinds: a list of words with values filled in. */
bool step_words(const json_t *words, const struct slots *slots, const char *key, json_t *out_list, struct err *err);
bool step_text(const json_t *text, const struct slots *slots, enum slot_dress dress, const char *key, json_t *plan, struct err *err);
bool step_duration(const json_t *body, const char *key, int64_t otherwise_ns, int64_t most_ns, int64_t *out_ns, struct err *err);
/* Runs an argv through the hands and tells the outcome. */
bool step_launch(const struct step_hands *hands, const struct str *words, size_t count, int64_t timeout_ns, struct arena *arena,
                 struct step_outcome *out_outcome, struct err *err);
