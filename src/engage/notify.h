/*
 * notify - the stage that decides who is told of an incident, when, how, and whom not, with the reason.
 *
 *      notify_create -> notify_configure, notify_load -> notify_take, notify_tick, notify_command
 *                    -> notify_write, notify_written (messages leave) -> ... -> notify_destroy
 *
 *      incident -> a group for each team that its alerts are routed to -> muted? a reason : fired -> update, reminder, escalated -> resolved
 *
 * A deciding stage as docs/decisions/0006-findings-to-pages.md says; only the pipeline's thread. It looks at incidents as they
 * are now and at what it has told, never at single events, so a lost or doubled piece of news changes nothing. One message an
 * incident, team and occasion; a row of the outbox each recipient.
 */
#pragma once

#include "base/err.h"
#include "engage/delivery.h"
#include "model/command_sink.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct notify;
struct engage;
struct database;

struct notify_options {
        struct engage *engage;
        struct command_sink sink;
        struct delivery_options delivery;
};

bool notify_create(const struct notify_options *options, struct notify **out_notify, struct err *err);
void notify_destroy(struct notify *notify);

extern const char notify_schema[];

bool notify_check_configuration(const json_t *content, struct err *err);
bool notify_configure(struct notify *notify, const json_t *content, struct err *err); /* before notify_load or after; what is due is decided anew */
bool notify_load(struct notify *notify, struct database *state, int64_t time_ns, struct err *err); /* after engage_load */

/* What Evenkeel has to say about itself goes the way of all findings: canaries, gaps of on-call, people who cannot be reached. */
bool notify_find(struct notify *notify, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err);
/* The news of engage, which may be cleared afterwards. */
bool notify_take(struct notify *notify, uint64_t sequence, int64_t time_ns, struct err *err);
bool notify_tick(struct notify *notify, uint64_t sequence, int64_t time_ns, struct err *err);

/* silence_create      matchers, ends_ns [starts_ns, comment, by, id]  result: id; with id: in place of that one
 * silence_expire      id
 * maintenance_start   matchers, ends_ns [starts_ns, comment]          result: id
 * maintenance_end     id
 * on_call_override    schedule, person, from_ns, to_ns
 * on_call_override_end schedule, id
 * notification_result id, outcome (sent, failed, given_up) [attempts, error]     of delivery
 * test_notification   receiver [to]                                   result: id
 * Times are integers of nanoseconds. */
bool notify_handles(const char *verb);
bool notify_command(struct notify *notify, const char *verb, const json_t *arguments, const char *by, uint64_t sequence, int64_t time_ns,
                    json_t **out_result, struct err *err);
/* Whether planned work covers what has these labels, and so nothing may touch it by itself. */
bool notify_is_planned(const struct notify *notify, const struct labels *labels, int64_t time_ns);

/* What is done about an incident, told to the teams that it concerns: occasion "approval" (people are asked), "run" (what became of it), "runbook" (a
 * runbook's own words). "runbook" always leaves; "run" to teams that were told of the incident; "approval" to those of them that are not muted now. *out_recipients: so many are told. */
bool notify_say(struct notify *notify, uint64_t incident, const char *occasion, const char *because, uint64_t sequence, int64_t time_ns, size_t *out_recipients,
                struct err *err);

bool notify_is_dirty(const struct notify *notify);
bool notify_write(struct notify *notify, struct database *state, struct err *err);
void notify_written(struct notify *notify);

/* Messages leave from now on, and those first that the tables still have. secrets: by name, copied. */
bool notify_start(struct notify *notify, struct err *err);
void notify_stop(struct notify *notify);
bool notify_set_secrets(struct notify *notify, const json_t *secrets, struct err *err); /* any thread */

struct notify_counts {
        size_t pursued, waiting;        /* incidents; messages without a result */
        uint64_t sent, pages, kept_back, given_up, repeats, shed;
};
void notify_count(const struct notify *notify, struct notify_counts *out_counts);
