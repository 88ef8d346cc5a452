/*
 * incident - one problem, from its first alert to its closing note.
 *
 *      open -> acknowledged -> acting -> resolved -> closed
 *                    ^------------'  the action did not help
 *      resolved | closed -> open     within INCIDENT_REOPEN_NS, for the same signature
 *      any but closed    -> merged   its alerts went to another one
 *
 *      incidents_create -> incidents_open, incident_... -> incidents_destroy
 *
 * Only the pipeline's thread changes one; everyone else reads the tables, or copies (model/incident.h). Which alerts belong
 * together is decided by correlate.h; here is only what an incident is. Bounded: at incidents_max the one closed longest ago
 * leaves memory (its rows stay); when all are alive, opening is ERR_FULL.
 */
#pragma once

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "model/incident.h"

#include <stdbool.h>
#include <stdint.h>

#define INCIDENTS_MAX ((size_t)1 << 16)
#define INCIDENT_REOPEN_NS ((int64_t)1800 * 1000000000)
#define INCIDENT_CLOSE_NS ((int64_t)1800 * 1000000000)      /* resolved that long: closed, nobody has to do it */
#define INCIDENT_KEPT_NS ((int64_t)86400 * 1000000000)      /* in memory after it was closed */

struct incident_member {
        uint64_t alert;
        int64_t joined_ns;
};

/* A signature is the set of these. */
struct incident_sort {
        struct str name, kind;
};
#define INCIDENT_ENTITIES_MAX 512       /* more are not listed: the row is written at every change */
#define INCIDENT_SORTS_MAX 16           /* more are not counted for the signature */

struct incident {
        uint64_t id, merged_into;
        uint32_t number;
        enum incident_state state;
        enum alert_severity severity;
        bool is_held;
        bool is_storm;                  /* alike issues on unrelated entities */
        bool is_noise;                  /* a person said so */
        bool has_person_severity;       /* it does not follow the alerts */
        char *title, *owner, *team;     /* NULL: none */
        uint64_t signature;
        char *signature_text;
        char *headline;                 /* of the alert that opened it; the title says how many followed */
        struct { struct incident_sort *items; size_t count, capacity; } sorts;      /* alert name and kind, sorted; texts owned */
        int64_t opened_ns, changed_ns, acknowledged_ns, resolved_ns, closed_ns;
        struct { struct incident_member *items; size_t count, capacity; } members;
        uint64_t member_id_max;         /* of all that were ever members: a new alert has a larger id, and is not looked for */
        struct { struct incident_entity *items; size_t count, capacity; } entities; /* texts owned */
        struct { struct incident_cause *items; size_t count, capacity; } causes;    /* texts owned */
        uint32_t firing;                /* of its members that keep it open */
        uint32_t counts[2][ALERT_CRITICAL + 1]; /* firing ones by is_held and severity */
        unsigned news;
        bool is_dirty, is_listed;
        bool causes_due;                /* alerts came since its causes were ranked */
        int64_t causes_ns;              /* when that was */
};

struct incidents;
bool incidents_create(size_t incidents_max, struct incidents **out_incidents, struct err *err);
void incidents_destroy(struct incidents *incidents);

/* A new, open incident without alerts; the number is the next one. */
bool incidents_open(struct incidents *incidents, uint64_t id, int64_t time_ns, struct incident **out_incident, struct err *err);
/* Takes back the newest opening, when nothing else was opened, touched or told since: what was to go into it failed. */
void incidents_undo(struct incidents *incidents, struct incident *incident);
struct incident *incidents_find(struct incidents *incidents, uint64_t id);
struct incident *incidents_by_number(struct incidents *incidents, uint32_t number);
struct incident *incidents_next(struct incidents *incidents, size_t *at); /* oldest first; NULL at the end */
size_t incidents_alive(const struct incidents *incidents);                  /* neither closed nor merged */
/* Lets go of those that were closed or merged long ago and have no row to write. */
void incidents_forget(struct incidents *incidents, int64_t time_ns);
/* Puts one back as a table had it; takes over its texts, members and so on. */
bool incidents_restore(struct incidents *incidents, const struct incident *incident, struct err *err);

static inline bool incident_is_alive(const struct incident *incident)
{
        return incident->state < INCIDENT_CLOSED;
}

/* A row is to be written, and the stages after engage are to be told; kinds may be 0. Never fails. */
void incident_touch(struct incidents *incidents, struct incident *incident, unsigned kinds, int64_t time_ns);
struct incident *incidents_dirty(const struct incidents *incidents, size_t at);
void incidents_clean(struct incidents *incidents);
/* What is new, one entry an incident; until incidents_news_clear. */
const struct incident_news *incidents_news(const struct incidents *incidents, size_t *out_count);
void incidents_news_clear(struct incidents *incidents);

/* A number that is given already, in rows that are not in memory: the next one is larger. */
void incidents_number_from(struct incidents *incidents, uint32_t last_number);
void incident_done(struct incident *incident); /* of one that incidents_restore did not take */

bool incident_append(struct incident *incident, uint64_t alert, int64_t time_ns, struct err *err); /* known not to be there; in order of time, then id */
bool incident_add(struct incident *incident, uint64_t alert, int64_t time_ns, struct err *err); /* once, however often asked */
bool incident_remove(struct incident *incident, uint64_t alert);
bool incident_has(const struct incident *incident, uint64_t alert);
bool incident_add_entity(struct incident *incident, uint64_t id, struct str kind, struct str name, struct err *err);

/* Whether an alert of that name on that kind of entity belongs to the signature. */
bool incident_has_sort(const struct incident *incident, struct str name, struct str kind);
bool incident_add_sort(struct incident *incident, struct str name, struct str kind, struct err *err); /* signature and its text follow */
/* The title: the headline, and how many alerts on how many entities there are. Never with a template's blanks in it. */
bool incident_retitle(struct incident *incident, struct err *err);
bool incident_set_headline(struct incident *incident, struct str headline, struct err *err);
bool incident_set_causes(struct incident *incident, const struct incident_cause *causes, size_t count, struct err *err); /* copies */

/* Moves along the picture above; false with ERR_REFUSED, and a sentence, when there is no such arrow. */
bool incident_move(struct incidents *incidents, struct incident *incident, enum incident_state to, int64_t time_ns, struct err *err);
bool incident_set_text(char **slot, struct str text, struct err *err); /* an empty text: NULL */
