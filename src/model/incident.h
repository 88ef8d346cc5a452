/*
 * incident - one problem as plain data: what engage tells the stages after it, and readers.
 *
 *      open -> acknowledged -> acting -> resolved -> closed
 *                    ^------------'  the action did not help
 *      resolved -> open               it fired again within the time to re-open
 *
 * Engage alone changes incidents (engage/incident.h); what stands here are copies. Numbers stand in the state database.
 */
#pragma once

#include "base/str.h"
#include "model/finding.h"

#include <stdbool.h>
#include <stdint.h>

enum incident_state {
        INCIDENT_OPEN = 1,
        INCIDENT_ACKNOWLEDGED = 2,
        INCIDENT_ACTING = 3,
        INCIDENT_RESOLVED = 4,
        INCIDENT_CLOSED = 5,
        INCIDENT_MERGED = 6,    /* its alerts belong to another incident now; its number stays as an alias */
};
const char *incident_state_name(enum incident_state state);

/* What happened to an incident since the stages after engage last looked; bits, one entry an incident and tick. */
enum incident_news_kind {
        NEWS_OPENED = 1 << 0,
        NEWS_ALERTS = 1 << 1,        /* an alert joined, fired again or was resolved */
        NEWS_SEVERITY = 1 << 2,      /* it became more severe, or may page now and could not before */
        NEWS_ACKNOWLEDGED = 1 << 3,
        NEWS_ASSIGNED = 1 << 4,
        NEWS_ACTING = 1 << 5,
        NEWS_RESOLVED = 1 << 6,
        NEWS_CLOSED = 1 << 7,
        NEWS_REOPENED = 1 << 8,
        NEWS_MERGED = 1 << 9,        /* into another one: see merged_into */
        NEWS_SPLIT = 1 << 10,        /* alerts were taken out of it */
        NEWS_REROUTED = 1 << 11,     /* another team */
        NEWS_COMMENTED = 1 << 12,
        NEWS_CAUSES = 1 << 13,       /* the first cause is another one */
        NEWS_NOISE = 1 << 14,        /* somebody said that it is none */
};

struct incident_news {
        uint64_t incident;
        unsigned kinds;              /* enum incident_news_kind, or'ed */
};

struct incident_cause {
        uint64_t entity;             /* 0: no entity of the register, a change for instance */
        struct str name, kind;
        double score;                /* 0 to 1, of all causes of the incident 1 */
        struct str reason;           /* a sentence */
};

struct incident_alert {
        uint64_t id;
        struct hash128 fingerprint;
        struct labels labels, annotations;
        enum alert_severity severity;
        enum finding_origin origin;
        bool is_firing, is_held;
        int64_t starts_ns, changed_ns, resolved_ns; /* resolved_ns 0: it fires */
        double value;
        struct str evidence, generator_url, source;
};

/* All of one incident, copied; texts belong to the arena it was copied into. */
struct incident_view {
        uint64_t id;
        uint32_t number;             /* what people call it; commands take it */
        enum incident_state state;
        enum alert_severity severity;
        bool is_held;                /* every alert is held back: shown, but nobody is paged */
        struct str title, owner, team; /* owner, team: empty until somebody has it */
        uint64_t signature;          /* of the alert names and kinds of entity */
        struct str signature_text;   /* "DiskFull, HostSlow on host" */
        int64_t opened_ns, changed_ns, acknowledged_ns, resolved_ns, closed_ns; /* 0: not yet */
        uint64_t merged_into;
        struct labels labels;        /* that all its alerts have alike */
        struct { struct incident_alert *items; size_t count, capacity; } alerts;
        struct { struct incident_cause *items; size_t count, capacity; } causes; /* best first */
        struct { struct incident_entity { uint64_t id; struct str kind, name; } *items; size_t count, capacity; } entities;
};
