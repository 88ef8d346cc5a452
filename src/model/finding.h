/*
 * finding - what observe hands to engage: the result of a rule, a check or a detector, or another tool's alert.
 *
 *      batch (Alertmanager API, webhook, check) --.
 *      rule, forecast at a tick -------------------+-> finding -> engage: alert -> incident
 *      anomaly -> alert budget --------------------'
 *
 * Plain data; texts belong to an arena of whoever made it, and whoever keeps one copies it.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

/* Where it comes from; the numbers stand in the state database. */
enum finding_origin {
        FINDING_RULE = 1,       /* an alerting rule */
        FINDING_CHECK = 2,      /* a check's result */
        FINDING_EXTERNAL = 3,   /* another tool's alert */
        FINDING_ANOMALY = 4,    /* a detector's, through the alert budget */
        FINDING_FORECAST = 5,   /* a limit will be reached */
        FINDING_SELF = 6,       /* about Evenkeel itself: a canary, a schedule gap, a silent source */
        FINDING_PERSON = 7,     /* somebody said so */
};

/* As the label "severity" says it: "critical" or "page" wake people; unknown texts count as warning. */
enum alert_severity { ALERT_INFO = 1, ALERT_WARNING = 2, ALERT_CRITICAL = 3 };

struct finding {
        enum finding_origin origin;
        struct labels labels;      /* canonical, with alertname; their id is the alert's fingerprint */
        struct labels annotations; /* summary, description, runbook_url ...: may change without being another alert */
        bool is_firing;
        int64_t starts_ns;         /* when the trouble began; 0: now */
        int64_t ends_ns;           /* resolved: when it ended. Firing: it ends by itself then, unless told again; 0: it does not */
        double value;              /* of rules, checks and series: the newest; NaN when there is none */
        double p_value;            /* of anomalies; 0: not a matter of chance */
        bool is_held;              /* kept and shown, but may not page: the budget or a rule of learning held it back */
        struct str held_why;       /* a sentence, when is_held */
        struct str evidence;       /* what to look at: a PromQL or LogQL expression; may be empty */
        struct str generator_url;
        struct str source;         /* the source, rule, check or detector, as people know it */
};

/* A deployment, commit, new configuration, maintenance ...: may explain what follows. */
struct change_event {
        int64_t time_ns;
        struct labels labels;      /* what it touches: host, service, path ... ; canonical */
        struct str kind;           /* "deployment", "commit", "configuration", "maintenance", "restart", "other" */
        struct str title;          /* a sentence */
        struct str by, reference, url; /* who, which revision, where to look; may be empty */
};

enum anomaly_kind {
        ANOMALY_LEVEL = 1,      /* a value out of its usual range */
        ANOMALY_SHIFT = 2,      /* a lasting change */
        ANOMALY_FLAT = 3,       /* stopped moving */
        ANOMALY_MISSING = 4,    /* stopped coming */
        ANOMALY_FORECAST = 5,   /* will reach a limit */
        ANOMALY_NEW_TEMPLATE = 6,
        ANOMALY_TEMPLATE_RATE = 7,
        ANOMALY_TEMPLATE_STOPPED = 8,
        ANOMALY_SEVERITY_BURST = 9,
        ANOMALY_ORDER = 10,     /* a sequence never seen */
        ANOMALY_VARIABLE = 11,  /* a value inside a template out of its usual range */
        ANOMALY_FATAL = 12,     /* a program that says it cannot go on */
};

/* What a detector noticed, before anybody decided whether it matters. */
struct anomaly {
        enum anomaly_kind kind;
        struct labels labels;      /* of the series, or of the log stream plus template */
        int64_t time_ns;           /* of the item that showed it */
        int64_t since_ns;          /* when it began, as far as can be told */
        bool is_over;              /* the same (kind, labels) anomaly ended */
        double score;              /* 0 to 1 */
        double p_value;            /* calibrated: how often this would be seen by chance, at one look */
        double value, expected_low, expected_high; /* NaN where it has no meaning */
        bool is_learning;          /* the detector has no baseline yet */
        struct str sentence;       /* for people, without a number that only a statistician reads */
        struct str evidence;       /* an expression that shows it */
};

/* A resource that telemetry names for the first time: what the register makes entities of. */
struct resource_seen {
        struct labels labels;      /* host, service, unit, mountpoint ... without what changes with each item */
        int64_t time_ns;
        bool is_log;               /* a log stream, else a series */
};

/* Labels kept beside a copy of themselves: for those who hold a finding longer than its arena. False: no memory. */
bool finding_copy(const struct finding *finding, struct arena *arena, struct finding *out_copy, struct err *err);
bool change_event_copy(const struct change_event *change, struct arena *arena, struct change_event *out_copy, struct err *err);
enum alert_severity alert_severity_of(const struct labels *labels);
const char *alert_severity_name(enum alert_severity severity);
const char *finding_origin_name(enum finding_origin origin);
