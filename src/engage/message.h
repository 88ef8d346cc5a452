/*
 * message - what is told of an incident, as JSON that every receiver makes its own of: what, where, since when, why it is believed,
 * what it may come from, what helped last time, who was told.
 *
 *      { occasion, because, is_page, team, incident, title, severity, state, since_ns, resolved_ns, time_ns, where: [], why: [], causes: [], helped: {},
 *        told: [], alerts: [ { name, state, labels, annotations, starts_ns, ends_ns, fingerprint, generator_url } ], more_alerts,
 *        common_labels, receiver }
 *
 * Texts are for people: no template's blanks. Bounded: MESSAGE_ALERTS_MAX alerts, the others counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/incident.h"

#include <jansson.h>

#define MESSAGE_ALERTS_MAX 50
#define MESSAGE_WHY_MAX 5
#define MESSAGE_CAUSES_MAX 3

struct message_wish {
        const struct incident_view *incident;
        const char *occasion, *because; /* because: NULL, or why this message is sent */
        struct str team;
        bool is_page;
        int64_t time_ns;
        const bool *is_told_of;         /* for each alert: whether it is this team's and not muted; NULL: all */
        const json_t *told;             /* names of who is told; borrowed */
        struct str helped_text, helped_by;
        uint32_t helped_number;         /* 0: nothing is known to have helped */
};

/* The caller's; NULL: no memory. */
json_t *message_create(const struct message_wish *wish);

/* As the receivers of texts show it. link: of the console, "" for none. */
bool message_subject(const json_t *message, bool is_repeat, struct buf *out);
bool message_text(const json_t *message, const char *link, bool is_repeat, struct buf *out);
bool message_html(const json_t *message, const char *link, bool is_repeat, struct buf *out);
/* "2026-01-01 00:05 UTC" */
bool message_time(int64_t time_ns, struct buf *out);
