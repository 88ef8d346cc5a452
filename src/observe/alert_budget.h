/*
 * alert_budget - which anomalies may page: a team says "two pages a night", and the rest is kept and shown with the reason.
 *
 *      alert_budget_create -> alert_budget_configure -> alert_budget_load -> alert_budget_tick (and _write) ... -> alert_budget_destroy
 *
 * Content:
 *      watch:
 *        - budget: shop              a name
 *          match: {service: shop}    labels that an anomaly must have; of several budgets the first that matches counts
 *          pages_per_night: 2        a night is twelve hours; 0: anomalies never page
 *          false_share: 0.1          of the pages, at most so many may be for nothing
 * What no budget matches has two pages a night and a share of 0.1.
 *
 * An anomaly pages when its detector has a baseline (or its kind needs none: anomaly_kinds.def), its p-value is a discovery under false discovery
 * control over the budget's whole stream (learn/fdr.h), and pages are left: so many at once, refilled over twelve hours. Everything else
 * becomes a finding of severity warning that is_held, and a row of the table `held`. Rules, checks, forecasts, other tools' alerts, persons and findings about
 * Evenkeel itself do not come here: they always pass.
 *
 * Episodes: an anomaly's beginning fires once, its end resolves once; one that becomes worse while it is held may pass then.
 * On the pipeline's thread.
 */
#pragma once

#include "base/err.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdint.h>

struct alert_budget;
struct database;

#define BUDGETS_MAX 256
#define EPISODES_MAX 20000      /* at once; further anomalies are passed by, and counted */
#define HELD_MAX 10000          /* rows kept; the oldest go */
#define HELD_TICK_MAX 1000      /* rows of one tick; further ones are only counted */

bool alert_budget_create(struct alert_budget **out_budget, struct err *err);
void alert_budget_destroy(struct alert_budget *budget);
bool alert_budget_check(const json_t *content, struct err *err);
bool alert_budget_configure(struct alert_budget *budget, const json_t *content, struct err *err);
bool alert_budget_load(struct alert_budget *budget, struct database *state, struct err *err);
/* The anomalies in noticed become findings in noticed. */
bool alert_budget_tick(struct alert_budget *budget, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err);
bool alert_budget_is_dirty(const struct alert_budget *budget);
bool alert_budget_write(struct alert_budget *budget, struct database *state, struct err *err);
void alert_budget_written(struct alert_budget *budget);

struct alert_budget_counts {
        uint64_t passed, held, passed_by; /* passed_by: at EPISODES_MAX; since the start */
};
struct alert_budget_counts alert_budget_counts(const struct alert_budget *budget);
