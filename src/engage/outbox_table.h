/*
 * outbox_table - the rows of notifications: messages and their results, why nobody was told, silences, overrides. The only SQL
 * about them.
 *
 *      pending -> sent | given up
 *        shadowed (would have been sent: shadow mode)
 *          '-> failed (will be tried again) -> sent | given up
 */
#pragma once

#include "base/err.h"
#include "engage/rota.h"
#include "engage/silence.h"

#include <jansson.h>

struct database;

enum outbox_state { OUTBOX_PENDING = 1, OUTBOX_SENT = 2, OUTBOX_FAILED = 3, OUTBOX_GIVEN_UP = 4, OUTBOX_SHADOWED = 5 };
const char *outbox_state_name(enum outbox_state state);

struct outbox_row {
        uint64_t id, incident;          /* incident 0: of none */
        uint32_t number;                /* of the incident */
        enum outbox_state state;
        bool is_page, is_repeat;
        uint32_t attempts;
        int64_t created_ns, done_ns;
        struct str team, receiver, to, person, occasion, error; /* occasion: "fired", "resolved" ... */
        struct str message;             /* JSON */
};

struct decision_row {                   /* what was decided for a team: sent, or not, and why */
        uint64_t id, incident;
        int64_t time_ns;
        bool is_sent;
        struct str team, reason;
};

#define OUTBOX_SCHEMA                                                                                                  \
        "CREATE TABLE notify_outbox (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, number INTEGER NOT NULL,"      \
        " state INTEGER NOT NULL, is_page INTEGER NOT NULL, is_repeat INTEGER NOT NULL, attempts INTEGER NOT NULL,"    \
        " created_ns INTEGER NOT NULL, done_ns INTEGER NOT NULL, team TEXT NOT NULL, receiver TEXT NOT NULL,"          \
        " address TEXT NOT NULL, person TEXT NOT NULL, occasion TEXT NOT NULL, error TEXT NOT NULL,"                   \
        " message TEXT NOT NULL) STRICT;"                                                                              \
        "CREATE INDEX notify_outbox_incident ON notify_outbox (incident, id);"                                         \
        "CREATE INDEX notify_outbox_state ON notify_outbox (state, id);"                                               \
        "CREATE TABLE notify_pursuit (incident INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"                       \
        "CREATE TABLE notify_decision (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, time_ns INTEGER NOT NULL,"   \
        " is_sent INTEGER NOT NULL, team TEXT NOT NULL, reason TEXT NOT NULL) STRICT;"                                 \
        "CREATE INDEX notify_decision_incident ON notify_decision (incident, id);"                                     \
        "CREATE TABLE notify_silence (id TEXT PRIMARY KEY, matchers TEXT NOT NULL, by TEXT NOT NULL,"                  \
        " comment TEXT NOT NULL, starts_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL,"   \
        " is_maintenance INTEGER NOT NULL) STRICT, WITHOUT ROWID;"                                                     \
        "CREATE TABLE notify_override (id INTEGER PRIMARY KEY, schedule TEXT NOT NULL, person TEXT NOT NULL,"          \
        " from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, by TEXT NOT NULL) STRICT;"                                 \
        "CREATE TABLE notify_helped (signature INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, number INTEGER NOT NULL,"\
        " by TEXT NOT NULL, text TEXT NOT NULL) STRICT;"                                                               \
        "CREATE TABLE notify_memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

bool outbox_row_write(struct database *state, const struct outbox_row *row, struct err *err);
/* Those without a final result, oldest first. Texts are valid for the call. */
bool outbox_rows_load(struct database *state, bool (*take)(void *context, const struct outbox_row *row, struct err *err), void *context, struct err *err);
bool outbox_rows_forget(struct database *state, int64_t before_ns, struct err *err); /* with decisions */
bool decision_row_write(struct database *state, const struct decision_row *row, struct err *err);
bool pursuit_row_write(struct database *state, uint64_t incident, struct str body, struct err *err); /* an empty body: removed */
bool pursuit_rows_load(struct database *state, bool (*take)(void *context, uint64_t incident, struct str body, struct err *err), void *context, struct err *err);
bool silence_row_write(struct database *state, const struct silence *silence, struct err *err);     /* or removes it, when it is forgotten */
bool silence_rows_load(struct database *state, struct silences *silences, struct err *err);
bool override_row_write(struct database *state, uint64_t id, const struct rota_override *override, struct str by, struct err *err);
bool override_rows_load(struct database *state, int64_t since_ns, bool (*take)(void *context, uint64_t id, const struct rota_override *override, struct err *err),
                        void *context, struct err *err);
bool memory_write(struct database *state, const char *name, struct str value, struct err *err);
/* Appends the value; leaves out as it is when there is none. */
bool memory_read(struct database *state, const char *name, struct buf *out, struct err *err);

/* For readers; arrays, NULL and err on failure. */
json_t *outbox_rows_read(struct database *reader, uint64_t incident, uint64_t before_id, size_t limit, struct err *err); /* incident 0: all */
json_t *decision_rows_read(struct database *reader, uint64_t incident, size_t limit, struct err *err);
/* By the number that people know; an empty array when there is none. */
json_t *decision_rows_of_number(struct database *reader, uint32_t number, size_t limit, struct err *err);
json_t *outbox_rows_of_number(struct database *reader, uint32_t number, size_t limit, struct err *err);
json_t *override_rows_read(struct database *reader, int64_t since_ns, struct err *err);
/* Names of the teams that were told of an incident, or would have been; the last one first. */
json_t *told_teams_read(struct database *reader, uint64_t incident, struct err *err);
/* {all, pages}: messages made since. */
json_t *outbox_tally_read(struct database *reader, int64_t since_ns, struct err *err);
