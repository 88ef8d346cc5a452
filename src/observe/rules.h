/*
 * rules - Prometheus rule groups, alerting and recording, evaluated at ticks on the pipeline's thread.
 *
 *      rules_create -> rules_configure -> rules_load -> rules_tick (and rules_write) ... -> rules_destroy
 *
 * A group is due when journal time enters its next interval. An alert is pending until its expression held for `for`, then firing until the
 * expression no longer holds (and keep_firing_for has passed). Findings leave at these turns only. A rule that cannot be
 * evaluated keeps its alerts as they are and says why in rules_json.
 *
 * Source: Prometheus 2.42, the documentation of recording and alerting rules.
 */
#pragma once

#include "base/err.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdint.h>

struct rules;
struct database;
struct series_store;

#define RULE_ALERTS_MAX 10000   /* of one rule; a rule that gives more is not followed and says so */

/* record takes the text (Prometheus exposition with times) of what recording rules gave; NULL: it is dropped. */
typedef void rules_record_fn(void *context, struct str text);

bool rules_create(struct series_store *series, struct rules **out_rules, struct err *err);
void rules_destroy(struct rules *rules);
void rules_on_record(struct rules *rules, rules_record_fn *record, void *context);

/* The key `groups` of content. Unknown fields, expressions and templates that cannot be evaluated are refused with file, group and rule. */
bool rules_check(const json_t *content, struct err *err);
/* Alerts of rules that are still there go on; firing ones of others are resolved at the next tick. */
bool rules_configure(struct rules *rules, const json_t *content, struct err *err);
/* After configure: what was pending and firing at journal time time_ns, which was the last one decided on. */
bool rules_load(struct rules *rules, struct database *state, int64_t time_ns, struct err *err);

bool rules_tick(struct rules *rules, int64_t time_ns, struct noticed *noticed, struct err *err);
bool rules_is_dirty(const struct rules *rules);
bool rules_write(struct rules *rules, struct database *state, struct err *err);
void rules_written(struct rules *rules);

/* Prometheus' data of /api/v1/rules ({"groups": [...]}) and /api/v1/alerts ({"alerts": [...]}); from any thread; NULL: no memory. */
json_t *rules_json(struct rules *rules);
json_t *rules_alerts_json(struct rules *rules);
