/*
 * check - one active check as its YAML declares it, and what running it once gives.
 *
 *      checks:
 *        - {name: shop, kind: http, url: "https://shop.example/health", every: 30s}
 *
 * Plain data. A kind is one file check_KIND.c and one row of checks.def: it reads its own settings and runs, on a thread that may block
 * until the deadline. What was found travels as a batch (wire/check_result.h), so that what follows from it is decided behind the journal.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct check_kind;
struct http_client;
struct launcher;

/* As monitoring plugins count them. */
enum check_state { CHECK_OK = 0, CHECK_WARNING = 1, CHECK_CRITICAL = 2, CHECK_UNKNOWN = 3 };
const char *check_state_name(enum check_state state);

#define CHECKS_MAX 4096
#define CHECK_VALUES_MAX 8
#define CHECK_TEXT_MAX 1000
#define CHECK_EVERY_NS_MIN NS_PER_S

struct check {
        struct str name;                /* unique */
        const struct check_kind *kind;
        const json_t *settings;         /* the whole item; the plan's */
        struct str alert, severity;     /* alertname, and the severity of critical; warning and unknown are warnings */
        struct str instance;            /* what is asked, for people: a URL, host:port */
        struct labels labels;           /* check, kind, instance, host, service and own ones; canonical */
        struct labels annotations;
        int64_t every_ns, retry_ns, timeout_ns;
        int attempts;                   /* this many bad results in a row make a state hard */
};

struct check_value {
        const char *name;               /* gives the series check_NAME; a literal */
        double value;
};

struct check_outcome {
        enum check_state state;
        bool could_not_run;             /* it was not even tried: the fault is here, and told on the sources page */
        char text[CHECK_TEXT_MAX];      /* a line or a few, for people */
        struct str perfdata;            /* as monitoring plugins write it; of the arena */
        struct check_value values[CHECK_VALUES_MAX];
        size_t value_count;
};

/* What a thread that runs checks has at hand. */
struct check_tools {
        struct http_client *http;       /* its own */
        struct launcher *launcher;      /* NULL: nothing can be executed */
};

struct check_run {
        const struct check *check;
        const struct check_tools *tools;
        struct arena *arena;            /* for the time of the run */
        int64_t deadline_ns;            /* monotonic */
        int64_t now_ns;                 /* wall clock, for certificates */
};

typedef bool check_parse_fn(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err);
typedef void check_run_fn(const struct check_run *run, struct check_outcome *out_outcome);

struct check_kind {
        const char *name, *alert;
        check_parse_fn *parse;          /* checks the settings, says what is asked */
        check_run_fn *run;              /* out_outcome comes zeroed: OK, without text */
        const char *pages_when;         /* a sentence for people */
};

extern const struct check_kind check_kinds[];   /* ended by a NULL name */

/* --- for kinds ----------------------------------------------------------------------------------------------------------------- */

/* Sets state and text, the worse state wins and the first text stays. */
void check_tell(struct check_outcome *outcome, enum check_state state, const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_value(struct check_outcome *outcome, const char *name, double value);
/* "30s", or a whole number of seconds; otherwise when missing. */
bool check_duration(const json_t *settings, const char *key, int64_t otherwise_ns, int64_t *out_ns, struct err *err);
/* A text or a whole number as text (a port), of the arena; empty when missing. */
bool check_text(const json_t *settings, const char *key, struct arena *arena, struct str *out_text, struct err *err);
double check_number(const json_t *settings, const char *key, double otherwise);

#define C(name, alert, pages_when) check_parse_fn check_##name##_parse; check_run_fn check_##name##_run;
#include "observe/checks.def"
#undef C
