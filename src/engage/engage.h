/*
 * engage - the stage that decides what a finding means for people: alerts in, incidents out.
 *
 *      engage_create -> engage_configure, engage_load -> engage_take, engage_tick, engage_command
 *                    -> engage_news (the stages after it look) -> engage_write, engage_written -> ... -> engage_destroy
 *
 * A deciding stage as docs/decisions/0006-findings-to-pages.md says; only the pipeline's thread. Retrying engage_take after a
 * failure with the same noticed goes on where it stopped. Readers use the tables (engage_read.h).
 */
#pragma once

#include "base/err.h"
#include "engage/topology.h"
#include "model/incident.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engage;
struct database;

struct engage_options {
        const struct topology *topology; /* NULL: entities come from labels alone */
        size_t alerts_max, incidents_max; /* 0: the largest */
};

bool engage_create(const struct engage_options *options, struct engage **out_engage, struct err *err);
void engage_destroy(struct engage *engage);

/* The tables: migrations of the state database, in this order. */
extern const char engage_schema[], engage_evidence_schema[];

/* The key "incidents" of content files: { volatile_labels: [pod] }, names that do not tell one alert from another. */
bool engage_check_configuration(const json_t *content, struct err *err);
bool engage_configure(struct engage *engage, const json_t *content, struct err *err);
bool engage_load(struct engage *engage, struct database *state, int64_t time_ns, struct err *err); /* time_ns: of the newest entry decided */

/* Time comes to this entry's: what is too old is forgotten. engage_take does it by itself; before a command it is the caller's. */
void engage_pass(struct engage *engage, int64_t time_ns);
bool engage_take(struct engage *engage, const struct noticed *noticed, uint64_t sequence, int64_t time_ns, struct err *err);
bool engage_tick(struct engage *engage, uint64_t sequence, int64_t time_ns, struct err *err);

/* incident_acknowledge  incident                                 the numbers that people see, as everywhere below
 * incident_acting       incident                                 a run began (act says so)
 * incident_action       incident text [on]                       what a person did about it: a command as typed, and the host
 * incident_assign       incident owner
 * incident_comment      incident text
 * incident_resolve      incident [text]
 * incident_close        incident [text]
 * incident_reopen       incident [text]
 * incident_merge        incident into
 * incident_split        incident alerts (ids)                    into a new incident, told in the result
 * incident_reroute      incident team
 * incident_severity     incident severity                        a person's word stays; "auto": that of its alerts again
 * incident_team_approve incident                                 the suggested team has it; incident_team_reject: it has not
 * incident_cause        incident entity | text                   "this was the cause"
 * incident_fix          incident text                            "this fixed it"
 * incident_noise        incident kind (false, true, planned)
 * incident_open         title entity severity                    by a person
 * model_revert          entry
 * A refusal (false) changes nothing. out_result (may be set to an object) is the caller's. */
bool engage_handles(const char *verb);
bool engage_command(struct engage *engage, const char *verb, const json_t *arguments, const char *by, uint64_t sequence,
                    int64_t time_ns, json_t **out_result, struct err *err);

/* What happened since engage_news_clear, one entry an incident: for notifications and act, in the same decision. */
const struct incident_news *engage_news(const struct engage *engage, size_t *out_count);
void engage_news_clear(struct engage *engage);
/* A copy of an incident in memory; false and ERR_NOT_FOUND when it is not there (any more). Good until the next finding is taken: the
 * texts of its alerts are borrowed. */
bool engage_view(const struct engage *engage, uint64_t incident, struct arena *arena, struct incident_view *out_view, struct err *err);
uint64_t engage_incident_id(const struct engage *engage, uint32_t number); /* 0: not in memory */
/* Adds a line to an incident's timeline: what the stages after engage did about it. kind: "notified", "run" ... */
bool engage_note(struct engage *engage, uint64_t incident, int64_t time_ns, const char *kind, const char *by, struct str text, struct err *err);

/* Why something was decided about an incident or alert (its id), for `evenkeel why`: a sentence, and reasons as a JSON array of
 * {kind, weight, sentence}. For the stages after engage, that decide who is told. */
bool engage_why(struct engage *engage, uint64_t subject, int64_t time_ns, struct str decision, struct str reasons, struct err *err);

/* What somebody said fixed the past incident that is most like this one; texts last until the next change. False: nothing is known. */
struct engage_help {
        struct str text, by;
        uint32_t number;                /* of that incident */
        double likeness;                /* 0 to 1 */
};
bool engage_helped(const struct engage *engage, uint64_t incident, struct engage_help *out_help);

bool engage_is_dirty(const struct engage *engage);
bool engage_write(struct engage *engage, struct database *state, struct err *err);
void engage_written(struct engage *engage);

struct engage_counts {
        size_t alerts, alerts_firing, incidents_alive, bytes;
        uint64_t findings, shed, flaps_held, joins, merges;
};
void engage_count(const struct engage *engage, struct engage_counts *out_counts);
