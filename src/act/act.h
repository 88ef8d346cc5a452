/*
 * act - the stage that decides what is done about an incident: incidents in, outcomes out.
 *
 *      act_create -> act_configure, act_load -> act_take, act_tick, act_command -> act_write, act_written -> ... -> act_destroy
 *                                    '-> act_start (effects may leave) -> act_stop
 *
 * A deciding stage as docs/decisions/0006-findings-to-pages.md says; the pipeline's thread alone. What steps do outside is done by the runner's threads
 * after the commit, once; what came of it returns as the command step_result. Readers use the tables (act_table.h).
 */
#pragma once

#include "act/step.h"
#include "base/err.h"
#include "model/command_sink.h"
#include "model/incident.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct act;
struct database;
struct registry;

#define ACT_RUNS_LIVE_MAX 1000          /* proposals included; more are not proposed, and counted */
#define ACT_RUNS_AT_ONCE 8

/* What act asks of incidents, and tells them; loop/ joins it with engage. A NULL function: nobody to ask. */
struct act_world {
        bool (*view)(void *context, uint64_t incident, struct arena *arena, struct incident_view *out_view, struct err *err);
        uint64_t (*by_number)(void *context, uint32_t number);  /* 0: there is none */
        bool (*note)(void *context, uint64_t incident, int64_t time_ns, const char *kind, const char *by, struct str text, struct err *err);
        bool (*acting)(void *context, uint64_t incident, uint64_t sequence, int64_t time_ns, struct err *err); /* a run began */
        bool (*is_planned)(void *context, const struct incident_view *incident, uint64_t entity, int64_t time_ns); /* maintenance */
        /* Tells the teams that the incident concerns. occasion: "approval", "run" (to those that know of it), "runbook". *out_recipients 0: nobody was told (yet). */
        bool (*say)(void *context, uint64_t incident, const char *occasion, const char *because, uint64_t sequence, int64_t time_ns, size_t *out_recipients, struct err *err);
        void *context;
};

struct act_options {
        struct registry *registry;              /* values of entities come from it alone */
        const struct promql_source *series;     /* borrowed; NULL: expressions cannot be asked */
        struct act_world world;
        struct step_hands hands;
        struct command_sink sink;
        const char *own_host;                   /* of parameters with here: true; NULL: no host is */
};

bool act_create(const struct act_options *options, struct act **out_act, struct err *err);
void act_destroy(struct act *act);

/* The keys `runbooks` and `freezes`. */
bool act_check_configuration(const json_t *content, struct err *err);
bool act_configure(struct act *act, const json_t *content, struct err *err);
bool act_load(struct act *act, struct database *state, int64_t time_ns, struct err *err);

bool act_take(struct act *act, const struct incident_news *news, size_t count, uint64_t sequence, int64_t time_ns, struct err *err);
bool act_tick(struct act *act, uint64_t sequence, int64_t time_ns, struct err *err);

/* run_propose        runbook incident [target] [values{}]        -> {run}; target: an entity's id or name
 * run_approve        run [why]                                   -> {run, state}, or {refused: {guard, reason}}: it stays proposed
 * run_reject         run [why]
 * run_start          runbook incident [target] [values{}] [why]  propose and approve in one, by a person
 * run_stop           run [why]
 * run_judge          run outcome(succeeded, failed, harmful) [why]       somebody knows better than the verification
 * run_interrupted    run                                         found running at the program's start
 * step_begin         run step attempt                            the runner is about to do it; refused: it must not
 * step_result        run step attempt good status output sentence        from the runner
 * automation_stop    [why]                                       nothing starts, and what runs is killed
 * automation_resume  [why]
 * runbook_autonomy   runbook level(suggest, approve, auto) [why]
 * run is the number that people see, except in run_interrupted, step_begin and step_result, where it is the id as text. */
bool act_handles(const char *verb);
bool act_command(struct act *act, const char *verb, const json_t *arguments, const char *by, uint64_t sequence, int64_t time_ns, json_t **out_result, struct err *err);

/* After a command about an incident was accepted: what people did or say they did is not taken for a fault that went by itself. */
bool act_heard(struct act *act, const char *verb, const json_t *arguments, struct err *err);

bool act_is_dirty(const struct act *act);
bool act_write(struct act *act, struct database *state, struct err *err);
void act_written(struct act *act);

/* Replay is over: what runs by now was cut off when the program ended. Until then it is decided on as if nothing had happened, so that what the journal has of
 * a run's steps counts. Before any thread decides; what is interrupted is ordered by act_start or act_turn. */
bool act_found(struct act *act, struct err *err);
bool act_start(struct act *act, struct err *err);       /* the runner's threads */
void act_stop(struct act *act);
bool act_set_secrets(struct act *act, const json_t *secrets, struct err *err); /* for http steps, by name; copied; any thread */
/* Without threads, for tests and scenarios: does what waits to be done, on the caller's thread, and orders the results. */
void act_turn(struct act *act);

struct act_counts {
        size_t runs_live, runs_running;
        uint64_t proposed, started, refused, unfit, crowded;
};
void act_count(const struct act *act, struct act_counts *out_counts);
