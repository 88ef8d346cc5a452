/*
 * incident_table - the rows of incidents: themselves, which alerts are theirs, what happened, why, and what was learned. The only SQL
 * about them. Lists that are only ever read together with their incident (entities, causes, signature) are JSON in its row.
 */
#pragma once

#include "base/err.h"
#include "engage/incident.h"

#include <jansson.h>

struct database;
struct timeline_entry;
struct member_change;
struct explanation;
struct ledger_entry;

#define INCIDENT_SCHEMA                                                                                                \
        "CREATE TABLE engage_incident (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, state INTEGER NOT NULL,"\
        " severity INTEGER NOT NULL, flags INTEGER NOT NULL, title TEXT NOT NULL, headline TEXT NOT NULL,"             \
        " owner TEXT NOT NULL, team TEXT NOT NULL, signature INTEGER NOT NULL, signature_text TEXT NOT NULL,"          \
        " opened_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, acknowledged_ns INTEGER NOT NULL,"                  \
        " resolved_ns INTEGER NOT NULL, closed_ns INTEGER NOT NULL, merged_into INTEGER NOT NULL,"                     \
        " firing INTEGER NOT NULL, entities TEXT NOT NULL, sorts TEXT NOT NULL, causes TEXT NOT NULL) STRICT;"         \
        "CREATE INDEX engage_incident_state ON engage_incident (state, number);"                                       \
        "CREATE INDEX engage_incident_signature ON engage_incident (signature, number);"                               \
        "CREATE TABLE engage_member (incident INTEGER NOT NULL, alert INTEGER NOT NULL, joined_ns INTEGER NOT NULL,"   \
        " PRIMARY KEY (incident, alert)) STRICT, WITHOUT ROWID;"                                                       \
        "CREATE INDEX engage_member_alert ON engage_member (alert);"                                                   \
        "CREATE TABLE engage_timeline (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, alert INTEGER NOT NULL,"     \
        " time_ns INTEGER NOT NULL, kind TEXT NOT NULL, by TEXT NOT NULL, text TEXT NOT NULL) STRICT;"                 \
        "CREATE INDEX engage_timeline_incident ON engage_timeline (incident, id);"                                     \
        "CREATE TABLE engage_why (id INTEGER PRIMARY KEY, subject INTEGER NOT NULL, time_ns INTEGER NOT NULL,"         \
        " decision TEXT NOT NULL, reasons TEXT NOT NULL) STRICT;"                                                      \
        "CREATE INDEX engage_why_subject ON engage_why (subject, id);"                                                 \
        "CREATE TABLE engage_learned (pair INTEGER PRIMARY KEY, one TEXT NOT NULL, other TEXT NOT NULL,"               \
        " together REAL NOT NULL, apart REAL NOT NULL, changed_ns INTEGER NOT NULL) STRICT;"                           \
        "CREATE TABLE model_ledger (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, model TEXT NOT NULL,"            \
        " by TEXT NOT NULL, what TEXT NOT NULL, effect TEXT NOT NULL, reverted_ns INTEGER NOT NULL DEFAULT 0,"         \
        " reverted_by TEXT NOT NULL DEFAULT '') STRICT;"

/* What a decision depends on beside alerts and incidents, so that it is found again as it was. */
#define EVIDENCE_SCHEMA                                                                                                \
        "CREATE TABLE engage_group (serial INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"                           \
        "CREATE TABLE engage_seen (same INTEGER PRIMARY KEY, incidents INTEGER NOT NULL) STRICT;"                      \
        "ALTER TABLE engage_change ADD COLUMN entities BLOB NOT NULL DEFAULT x'';"                                     \
        "ALTER TABLE engage_incident ADD COLUMN causes_ns INTEGER NOT NULL DEFAULT 0;"

bool incident_row_write(struct database *state, const struct incident *incident, struct err *err); /* adds or replaces */
bool member_row_write(struct database *state, const struct member_change *change, struct err *err);
bool timeline_row_write(struct database *state, const struct timeline_entry *entry, struct err *err);
bool why_row_write(struct database *state, const struct explanation *why, struct err *err);
/* Incidents that live, or changed after since_ns, with their members, into memory; and the highest number ever given. */
bool incident_rows_load(struct database *state, int64_t since_ns, struct incidents *incidents, struct err *err);

struct learned_row {
        uint64_t pair;
        struct str one, other;          /* "alert name on kind" */
        double together, apart;
        int64_t changed_ns;
};
bool learned_row_write(struct database *state, const struct learned_row *row, struct err *err);
bool learned_rows_load(struct database *state, bool (*take)(void *context, const struct learned_row *row, struct err *err), void *context,
                       struct err *err);
/* What was decided and why, and incidents closed for long, a few at a time. */
bool incident_rows_forget(struct database *state, int64_t whys_before_ns, int64_t closed_before_ns, struct err *err);
/* What correlation knows: see correlator_save. Groups in order of serials. */
bool group_row_write(struct database *state, uint32_t serial, struct str bytes, struct err *err); /* without bytes: takes it away */
bool group_rows_load(struct database *state, bool (*take)(void *context, uint32_t serial, struct str bytes, struct err *err), void *context, struct err *err);
bool seen_row_write(struct database *state, uint64_t same, uint32_t incidents, struct err *err);
bool seen_rows_load(struct database *state, bool (*take)(void *context, uint64_t same, uint32_t incidents, struct err *err), void *context, struct err *err);
bool ledger_row_write(struct database *state, const struct ledger_entry *entry, struct err *err);
bool ledger_rows_load(struct database *state, size_t newest, bool (*take)(void *context, const struct ledger_entry *entry, struct err *err), void *context,
                      struct err *err);

/* For readers; NULL and err on failure. */
struct incident_filter {
        bool only_alive, only_told, only_held; /* told: not held back */
        enum incident_state state;      /* 0: any */
        enum alert_severity severity;   /* 0: any */
        struct str team, owner;         /* empty: any */
        struct str text;                /* in title, entities or sorts of alert; empty: any */
        uint32_t before_number;         /* 0: newest first from the newest */
        int64_t since_ns, until_ns;     /* opened; 0: no bound */
        size_t limit;
};
json_t *incident_rows_read(struct database *reader, const struct incident_filter *filter, struct err *err);
/* Of those opened since: how many, how many people judged to be noise of which kind, and which nobody but a person found. */
json_t *incident_tally_read(struct database *reader, int64_t since_ns, struct err *err);
/* One: itself with alerts, timeline, similar ones of the past, and the ones merged into it. */
json_t *incident_row_read(struct database *reader, uint32_t number, struct err *err);
json_t *why_rows_read(struct database *reader, uint64_t subject, struct err *err);
/* {why, alerts: [{id, name, why}]} */
json_t *incident_why_read(struct database *reader, uint32_t number, struct err *err);
bool incident_number_of(struct database *reader, uint64_t id, uint32_t *out_number, struct err *err); /* 0: none */
json_t *ledger_rows_read(struct database *reader, uint64_t before_id, size_t limit, struct err *err);
