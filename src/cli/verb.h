/* verb - one row of the command line: how it is called, what it says about itself, what it does. */
#pragma once

#include "base/err.h"
#include "cli/client.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

struct verb {
        const char *name;       /* "logs", "user add" */
        const char *usage;      /* after the name */
        const char *options;    /* "since= follow": what the verb takes beside the common ones; '=' takes a value */
        int least, most;        /* words after the name */
        bool asks;              /* needs a daemon */
        const char *summary;
        bool (*run)(struct cli *cli, struct err *err);
};

extern const struct verb verbs[];
extern const size_t verb_count;

#define COMMON_OPTIONS "data= server= token= json help"
#define DATA_DEFAULT "/var/lib/evenkeel"

struct cli {
        const struct verb *verb;
        const char *words[8];
        int word_count;
        const char *options[16], *values[16]; /* values: "" for those without */
        int option_count;
        bool json, has_color;
        struct client client;
};

const char *cli_option(const struct cli *cli, const char *name); /* NULL: not given */

/* manual.c */
bool manual_help(struct cli *cli, struct err *err);
bool manual_completion(struct cli *cli, struct err *err);
bool manual_man(struct cli *cli, struct err *err);
bool manual_markdown(struct cli *cli, struct err *err);
/* verb_audit.c, verb_logs.c, verb_mine.c, verb_moved.c, verb_query.c, verb_accounts.c, verb_causes.c, verb_correlate.c, verb_detect.c, verb_incidents.c, verb_notify.c, verb_route.c, verb_silence.c, verb_status.c, verb_templates.c */
#define V(function) bool function(struct cli *cli, struct err *err);
V(verb_status) V(verb_sources) V(verb_logs) V(verb_query) V(verb_series) V(verb_users) V(verb_user_add) V(verb_user_password)
V(verb_user_role) V(verb_user_disable) V(verb_user_enable) V(verb_tokens) V(verb_token_add) V(verb_token_revoke)
V(verb_kinds) V(verb_entities) V(verb_entity_show) V(verb_entity_create) V(verb_entity_set) V(verb_entity_delete)
V(verb_entity_restore) V(verb_entity_relate) V(verb_entity_unrelate) V(verb_entity_history) V(verb_entity_revert)
V(verb_backup) V(verb_alerts) V(verb_audit) V(verb_audit_verify) V(verb_causes) V(verb_correlate) V(verb_detect) V(verb_incident) V(verb_incident_order) V(verb_incident_report) V(verb_incidents) V(verb_mine) V(verb_moved) V(verb_restore) V(verb_redact_test) V(verb_route) V(verb_templates) V(verb_openapi) V(verb_version) V(verb_why)
V(verb_runbooks) V(verb_runbook_autonomy) V(verb_runbook_show) V(verb_runbooks_draft) V(verb_runs) V(verb_run_show) V(verb_run_propose) V(verb_run_approve) V(verb_run_reject) V(verb_run_stop)
V(verb_run_judge) V(verb_automation_stop) V(verb_automation_resume)
V(verb_maintenance) V(verb_maintenance_create) V(verb_notification_test) V(verb_notifications) V(verb_on_call) V(verb_on_call_override) V(verb_route_test)
V(verb_silence_create) V(verb_silence_expire) V(verb_silence_preview) V(verb_silences) V(verb_on_call_release) V(verb_ledger) V(verb_ledger_revert)
V(verb_shadow)
#undef V
