/* notify_state - what the files of notify share: the stage's whole memory. Nobody else includes it. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "engage/notify.h"
#include "engage/outbox_table.h"
#include "engage/policy.h"
#include "engage/silence.h"
#include "model/incident.h"
#include "model/telemetry.h"

#define TEAMS_TOLD_MAX 8                /* of one incident; more are told nothing, with that reason */
#define RECIPIENTS_MAX 32               /* of one team and incident */
#define PURSUITS_MAX ((size_t)1 << 16)
#define OUTBOX_MAX 10000                /* messages without a result */
#define MUTED_RECHECK_NS (10 * NS_PER_S)
#define AGAIN_MAX 3                     /* times an incident may come again in AGAIN_NS before it is told no more until it kept still */
#define AGAIN_NS (3600 * NS_PER_S)
#define REASON_BYTES 240

struct recipient {
        struct str receiver, to, person; /* kept by notify_keep */
};

/* What one team was told of one incident. */
struct told {
        struct str team;
        int64_t seen_ns;                /* since when there is something to tell; 0: nothing */
        int64_t first_ns, last_ns, paged_ns;
        uint64_t alerts;                /* hash of what was told last */
        uint32_t level;                 /* of the escalation: how many were told */
        uint32_t again;                 /* times it came again since again_ns */
        int64_t again_ns;
        bool is_told, is_page, is_over;
        char why_not[REASON_BYTES];     /* the newest reason that is stored; empty: it was sent */
        struct recipient recipients[RECIPIENTS_MAX];
        size_t recipient_count;
};

/* An incident as long as somebody may have to be told of it. */
struct pursuit {
        uint64_t incident;
        uint32_t number;
        int64_t due_ns;
        struct told *told[TEAMS_TOLD_MAX];
        size_t told_count;
        struct arena sources;           /* labels of its firing alerts that inhibit others */
        struct { struct labels *items; size_t count, capacity; } inhibitors;
        bool is_dirty, is_done;         /* is_done: the row goes, and it */
};

struct parcel {                         /* a row of the outbox without a final result, or not yet written with it */
        struct outbox_row row;          /* texts in the arena */
        struct arena arena;
        bool is_dirty, is_given;
};

struct made_override { uint64_t id; struct str by; bool is_dirty; };

struct notify {
        struct engage *engage;
        struct delivery *delivery;
        struct policy *policy;          /* NULL: nothing was declared yet */
        struct silences *silences;
        uint64_t sequence;
        uint32_t ordinal;

        struct { struct pursuit **items; size_t count, capacity; } pursuits;
        struct map by_incident;         /* places in pursuits */
        struct { struct parcel **items; size_t count, capacity; } outbox;

        struct arena kept;              /* names that are told again and again, each once */
        struct { struct str *items; size_t count, capacity; } names;
        struct map by_name;
        struct { struct rota_override *items; size_t count, capacity; } overrides; /* in kept, made_overrides beside them */
        struct { struct made_override *items; size_t count, capacity; } made_overrides;

        struct arena pending;
        struct { struct decision_row *items; size_t count, capacity; } decisions;

        int64_t now_ns, looked_ns;      /* looked_ns: when the silences were last walked */
        int64_t alarms_due_ns, forget_due_ns;
        int64_t canary_sent_ns, canary_confirmed_ns;
        bool canary_is_out, canary_resolve, memory_is_dirty, look_at_all;
        _Atomic bool is_started;        /* messages may leave; set from another thread */
        struct notify_counts counts;
};

void notify_begin(struct notify *notify, uint64_t sequence, int64_t time_ns); /* ids of this entry; again is no harm */
uint64_t notify_id(struct notify *notify);
/* The text, kept for good, once however often it is asked for; bytes NULL: no memory. Bounded by what is configured. */
struct str notify_keep(struct notify *notify, struct str text);
struct pursuit *notify_pursuit(struct notify *notify, uint64_t incident); /* NULL: none */
void notify_hand_over(struct notify *notify); /* what is committed and has not left */
bool notify_pursue_from(struct notify *notify, uint64_t incident, uint32_t number, struct pursuit **out_pursuit, struct err *err);
bool notify_explain(struct notify *notify, uint64_t incident, struct str team, bool is_sent, int64_t time_ns, const char *reason, struct err *err);
bool notify_reload(struct notify *notify, struct pursuit *pursuit, const struct incident_view *view, struct err *err); /* its inhibitors */

/* What notify_store.c loads, as if it had been made: is_dirty is then false, but for repeats. Copies. */
bool notify_keep_row(struct notify *notify, const struct outbox_row *row, bool is_dirty, struct err *err);
bool notify_add_override(struct notify *notify, uint64_t id, const struct rota_override *override, struct str by, bool is_dirty, struct err *err);
void notify_drop_done(struct notify *notify); /* after their rows were written */

/* notify_decide.c: looks at an incident as it is, and tells what has to be told. */
bool notify_decide(struct notify *notify, struct pursuit *pursuit, int64_t time_ns, struct err *err);

/* notify_send.c */
struct occasion {
        const char *name;               /* "fired", "worse", "again", "update", "reminder", "escalated", "resolved", "canary", "test" */
        const char *because;            /* a sentence, or NULL */
        bool is_page;
};
/* Who is told first, or at that level: adds to `into`, which has room for RECIPIENTS_MAX. */
struct recipients { struct recipient items[RECIPIENTS_MAX]; size_t count; };
bool notify_recipients(struct notify *notify, const struct routing *route, struct str team, bool is_page, int64_t time_ns, struct recipients *into, struct err *err);
bool notify_level(struct notify *notify, const struct level *level, struct str team, int64_t time_ns, struct recipients *into, struct err *err);
bool notify_send(struct notify *notify, const struct incident_view *view, struct str team, const struct occasion *occasion,
                 const struct recipients *to, const struct told *told, const bool *is_told_of, int64_t time_ns, struct err *err);
bool notify_post(struct notify *notify, struct outbox_row row, const json_t *message, struct err *err);

/* notify_self.c */
bool notify_canary_result(struct notify *notify, const struct outbox_row *row, int64_t time_ns, struct err *err);
