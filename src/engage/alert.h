/*
 * alert - a deduplicated, stateful finding: the same labels are the same alert, however often it is told.
 *
 *      (told) -> firing <-> resolved -> (forgotten)
 *                  '--- ends_ns passed without being told again: resolved, as expired
 *
 *      alerts_create -> alerts_take, alerts_tick ... -> alerts_destroy
 *
 * Only the pipeline's thread. Identity is the fingerprint, the id of the labels without the volatile ones (labels_id), as in
 * Prometheus' Alertmanager; ends_ns means there and here: firing until then, unless told again.
 *
 * An alert that resolves and fires again ALERT_FLAPS_MAX times, each within ALERT_FLAP_NS, flaps: from then on "resolved" is
 * held, and the alert goes on firing, until it has kept still for ALERT_FLAP_NS. Held transitions are counted.
 *
 * Small: one struct and one heap block of packed texts an alert. Bounded: at alerts_max the alert resolved longest ago makes
 * room; when all fire, the new one is shed and counted.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/str.h"
#include "model/finding.h"

#include <stdbool.h>
#include <stdint.h>

#define ALERTS_MAX ((size_t)1 << 20)
#define ALERT_FLAPS_MAX 3
#define ALERT_FLAP_NS ((int64_t)600 * 1000000000)
#define ALERT_KEPT_NS ((int64_t)3600 * 1000000000) /* in memory after it was resolved; its row stays */

struct alert_text; /* labels, annotations and texts, packed */

struct alert {
        uint64_t id;            /* item_id of the entry that told it first */
        uint64_t incident;      /* the one it belongs to now; 0: none */
        struct hash128 fingerprint;
        struct alert_text *text;
        int64_t first_ns;       /* when it was told first */
        int64_t starts_ns;      /* when this firing began, as told */
        int64_t ends_ns;        /* firing: ends by itself then; 0: does not. Resolved: when it ended */
        int64_t changed_ns;     /* the last change between firing and resolved */
        int64_t told_ns;        /* the newest telling */
        int64_t quiet_ns;       /* flapping: resolved was told then, and is held; 0: nothing is held */
        double value, p_value;
        uint32_t slot, times, flaps, held_flaps;
        uint8_t origin, severity;
        bool is_firing, is_expired, is_flapping, is_held;
        uint8_t counted;        /* as what its incident counts it: a severity; 0: not at all */
        bool is_counted_held;   /* ... and among those held back */
        bool is_dirty, is_used; /* is_used: the slot holds an alert */
        bool is_told_alone;     /* dirty, but nothing is new but the telling: told_ns, ends_ns, starts_ns, times, value, p_value */
};

enum alert_step {
        ALERT_SAME,             /* nothing that anybody must be told */
        ALERT_TOLD_MORE,        /* another severity, annotation, or no longer held back */
        ALERT_FIRED,            /* new, or firing again */
        ALERT_RESOLVED,
        ALERT_SHED,             /* no room; out_alert is NULL */
};

struct alerts;
/* alerts_max 0: ALERTS_MAX. volatile_labels are names that do not count for identity; borrowed for the call, copied. */
bool alerts_create(size_t alerts_max, struct alerts **out_alerts, struct err *err);
void alerts_destroy(struct alerts *alerts);
/* Names that tell one alert from itself at another time ("pod", "instance_id"): not part of the fingerprint from now on. */
bool alerts_set_volatile(struct alerts *alerts, const struct str *names, size_t count, struct err *err);

/* id is used when the alert is new. out_alert stays valid until the next alerts_take or alerts_forget. */
bool alerts_take(struct alerts *alerts, const struct finding *finding, uint64_t id, int64_t time_ns, struct alert **out_alert,
                 enum alert_step *out_step, struct err *err);
/* Ends what ended by itself and calls step for each such alert, oldest first. */
bool alerts_tick(struct alerts *alerts, int64_t time_ns, void (*step)(void *context, struct alert *alert), void *context, struct err *err);
/* Lets go of those resolved ALERT_KEPT_NS ago or longer that have no row to write: the same ones that a load would leave out. */
void alerts_forget(struct alerts *alerts, int64_t time_ns);

struct alert *alerts_find(struct alerts *alerts, uint64_t id);
struct alert *alerts_by_fingerprint(struct alerts *alerts, struct hash128 fingerprint);
/* Walks all, in order of slots: start with *at = 0; NULL at the end. */
struct alert *alerts_next(struct alerts *alerts, size_t *at);

/* Alerts whose row is to be written: touched since alerts_clean. at counts from 0; NULL at the end. */
void alerts_touch(struct alerts *alerts, struct alert *alert);
struct alert *alerts_dirty(const struct alerts *alerts, size_t at);
void alerts_clean(struct alerts *alerts);

/* Puts back an alert as a table had it; text is copied. */
struct alert_told {
        struct str labels, annotations;  /* packed, see labels_pack */
        struct str source, evidence, generator_url, held_why;
};
bool alerts_restore(struct alerts *alerts, const struct alert *alert, const struct alert_told *told, struct err *err);

struct alert_counts {
        size_t held, firing, bytes;     /* in memory */
        uint64_t taken, shed, flaps_held;
};
void alerts_count(const struct alerts *alerts, struct alert_counts *out_counts);

/* Texts; borrowed until the alert is told again. */
struct alert_told alert_told(const struct alert *alert);
struct str alert_label(const struct alert *alert, struct str name); /* empty: it has none */
struct str alert_annotation(const struct alert *alert, struct str name);
