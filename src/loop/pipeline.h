/*
 * pipeline - the deciding stages in their order: what was noticed becomes findings, findings incidents, incidents pages and runs.
 *
 *      pipeline_create -> pipeline_load -> pipeline_tick | pipeline_command -> pipeline_write (until it succeeds) -> ... -> pipeline_destroy
 *
 * One thread, the loop's. Deciding changes memory; pipeline_write puts what is dirty, and the watermark, into the transaction of the
 * caller; pipeline_written follows the commit and lets effects go. docs/decisions/0006-findings-to-pages.md says why so.
 */
#pragma once

#include "act/step.h"
#include "base/err.h"
#include "engage/delivery.h"
#include "model/batch.h"
#include "model/command_sink.h"

#include <jansson.h>
#include <stdint.h>

struct pipeline;
struct database;
struct observe;
struct registry;
struct series_store;

struct pipeline_options {
        struct observe *observe;
        struct command_sink sink;       /* for the threads that do effects */
        struct series_store *series;    /* that expressions of runbooks ask */
        struct step_hands hands;        /* what steps of runbooks do things with */
        bool steps_in_turn;             /* without threads of their own: by pipeline_turn */
        const char *own_host;           /* the machine this runs on; may be NULL */
        struct delivery_options delivery; /* how messages leave */
};

bool pipeline_create(const struct pipeline_options *options, struct pipeline **out_pipeline, struct err *err);
void pipeline_destroy(struct pipeline *pipeline);
bool pipeline_load(struct pipeline *pipeline, struct database *state, int64_t time_ns, struct err *err); /* configuration, then each stage's rows; time_ns of the watermark */

/* The configuration in force, or NULL: on the pipeline's thread, or before pipeline_start. */
const json_t *pipeline_content(const struct pipeline *pipeline);

struct registry *pipeline_registry(struct pipeline *pipeline); /* for those who ask it; its header says what they may */

/* A committed batch was stored: takes over what it carries. */
bool pipeline_carry(struct pipeline *pipeline, const struct batch *batch, int64_t time_ns, struct err *err);
/* Hands what was noticed so far to the stages, without deciding anything that depends on time: before commands and checkpoints. */
bool pipeline_drain(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err);
/* Forgets what was noticed: it was decided before a crash. */
bool pipeline_forget(struct pipeline *pipeline, struct err *err);
bool pipeline_tick(struct pipeline *pipeline, uint64_t sequence, int64_t time_ns, struct err *err);

bool pipeline_handles(const char *verb);
/* Changes memory, once; a refusal (false) changes nothing. out_result is the caller's. */
void pipeline_recall(struct pipeline *pipeline, const char *verb); /* a command that was decided before a restart */
bool pipeline_command(struct pipeline *pipeline, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                      int64_t time_ns, json_t **out_result, struct err *err);

bool pipeline_is_dirty(const struct pipeline *pipeline);
bool pipeline_write(struct pipeline *pipeline, struct database *state, struct err *err);
void pipeline_written(struct pipeline *pipeline);

bool pipeline_recovered(struct pipeline *pipeline, struct err *err); /* the journal was replayed; before any thread decides */
/* Effects may leave from now on; before, during recovery, they wait in the tables. */
bool pipeline_start(struct pipeline *pipeline, struct err *err);
void pipeline_turn(struct pipeline *pipeline);  /* effects that have no thread, on the caller's; never within a decision */
void pipeline_stop(struct pipeline *pipeline);  /* no effect thread runs afterwards */

/* By name, for the threads that do effects; copied. Any thread. */
bool pipeline_set_secrets(struct pipeline *pipeline, const json_t *secrets, struct err *err);
