/* alert_table - the rows of alerts and of changes in the state database; the only SQL about them. Texts are borrowed. */
#pragma once

#include "base/err.h"
#include "engage/alert.h"

#include <jansson.h>

struct database;

#define ALERT_SCHEMA                                                                                                   \
        "CREATE TABLE engage_alert (id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, name TEXT NOT NULL,"            \
        " incident INTEGER NOT NULL, is_firing INTEGER NOT NULL, flags INTEGER NOT NULL, severity INTEGER NOT NULL,"   \
        " origin INTEGER NOT NULL, first_ns INTEGER NOT NULL, starts_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL,"   \
        " changed_ns INTEGER NOT NULL, told_ns INTEGER NOT NULL, quiet_ns INTEGER NOT NULL, times INTEGER NOT NULL,"   \
        " flaps INTEGER NOT NULL, held_flaps INTEGER NOT NULL, value REAL, p_value REAL NOT NULL, labels BLOB NOT NULL,"\
        " annotations BLOB NOT NULL, source TEXT NOT NULL, evidence TEXT NOT NULL, generator_url TEXT NOT NULL,"        \
        " held_why TEXT NOT NULL) STRICT;"                                                                             \
        "CREATE INDEX engage_alert_changed ON engage_alert (changed_ns);"                                              \
        "CREATE INDEX engage_alert_firing ON engage_alert (is_firing, changed_ns);"                                    \
        "CREATE INDEX engage_alert_incident ON engage_alert (incident);"                                               \
        "CREATE TABLE engage_change (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,"            \
        " title TEXT NOT NULL, by TEXT NOT NULL, reference TEXT NOT NULL, url TEXT NOT NULL, labels BLOB NOT NULL) STRICT;" \
        "CREATE INDEX engage_change_time ON engage_change (time_ns);"

bool alert_row_write(struct database *state, const struct alert *alert, struct err *err); /* adds or replaces, or changes what a telling alone changes */
/* Alerts that fire, or changed after since_ns, into memory. */
bool alert_rows_load(struct database *state, int64_t since_ns, struct alerts *alerts, struct err *err);
struct change_note;
bool change_row_write(struct database *state, const struct change_note *note, struct err *err);
/* The newest ones, oldest of them first. */
bool change_rows_load(struct database *state, size_t newest, bool (*take)(void *context, const struct change_note *note, struct err *err), void *context,
                      struct err *err);
/* Rows older than before_ns that belong to nothing open: a few at a time, so that no write is long. */
bool alert_rows_forget(struct database *state, int64_t before_ns, struct err *err);

/* For readers; NULL and err on failure. Times are texts in nanoseconds, ids texts. Newest first, before_id (0: newest). */
struct alert_filter {
        bool has_firing, is_firing;
        uint64_t incident, before_id;
        struct str name;                /* empty: any */
        int64_t since_ns, until_ns;     /* of changed_ns, or a change's time; 0: no bound */
        size_t limit;
};
json_t *alert_rows_read(struct database *reader, const struct alert_filter *filter, struct err *err);
json_t *alert_row_read(struct database *reader, uint64_t id, struct err *err);
json_t *change_rows_read(struct database *reader, const struct alert_filter *filter, struct err *err);
/* Labels, packed, as an object of texts. NULL: no memory or not packed labels. */
json_t *packed_labels_json(struct str packed);
json_t *id_json(uint64_t id);        /* a text; null for 0 */
json_t *time_ns_json(int64_t time_ns); /* a text; null for 0 */
