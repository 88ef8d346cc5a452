/* engage_state - what the files of engage share: the stage's whole memory. Nobody else includes it. */
#pragma once

#include "base/arena.h"
#include "engage/alert.h"
#include "engage/correlate.h"
#include "engage/engage.h"
#include "engage/incident.h"
#include "engage/learned.h"

/* Rows that are only added or taken away; kept until a transaction holds them. Texts belong to engage.pending. */
struct timeline_entry {
        uint64_t id, incident, alert;   /* alert: the one it is about, or 0 */
        int64_t time_ns;
        const char *kind;
        struct str by, text;
};

struct member_change {
        uint64_t incident, alert;
        int64_t joined_ns;
        bool is_removed;
};

/* Why something was decided, for `evenkeel why`. reasons: a JSON array of objects with a sentence each. */
struct explanation {
        uint64_t id, subject;           /* an alert's or an incident's id */
        int64_t time_ns;
        struct str decision, reasons;
};

/* A change of a model, by whose word; it can be taken back. effect: JSON, what model_revert needs. */
struct ledger_entry {
        uint64_t id;
        int64_t time_ns, reverted_ns;
        struct str model, by, what, effect, reverted_by;
        struct str replay;              /* JSON: what it would have changed of the newest incidents: { of, changed, incidents, sentence } */
};

struct change_note {
        uint64_t id;
        struct change_event change;
        uint64_t entities[TOPOLOGY_ENTITIES_MAX]; /* that it touches, as they were known when it came */
        size_t entity_count;
};

struct engage {
        struct topology topology;
        struct alerts *alerts;
        struct incidents *incidents;
        struct correlator *correlator;
        struct learned *learned;
        struct engage_routing *routing; /* engage_route.c */
        struct engage_past *past;       /* engage_similar.c */
        struct { struct change_note *items; size_t count, capacity; } changes_kept; /* the newest; titles alone, owned */
        struct { struct ledger_entry *items; size_t count, capacity; } ledger_kept; /* the newest, for model_revert; texts owned */

        uint64_t sequence;              /* of the entry being decided, and how many ids were made in it */
        uint32_t ordinal;
        size_t taken_changes, taken_findings;

        struct arena pending;           /* what the following lists hold */
        struct { struct timeline_entry *items; size_t count, capacity; } timeline;
        struct { struct member_change *items; size_t count, capacity; } members;
        struct { struct explanation *items; size_t count, capacity; } whys;
        struct { struct change_note *items; size_t count, capacity; } changes;
        struct { struct ledger_entry *items; size_t count, capacity; } ledger;
        bool is_retention_due;          /* old rows go with the next write: once a minute of journal time */
        int64_t now_ns;                 /* journal time of the newest entry decided */

        struct engage_counts counts;
};

void engage_begin(struct engage *engage, uint64_t sequence);
bool engage_take_one(struct engage *engage, const struct finding *finding, int64_t time_ns, uint64_t *out_incident, struct err *err);
uint64_t engage_id(struct engage *engage); /* the next id of the entry begun */
bool engage_explain(struct engage *engage, uint64_t subject, int64_t time_ns, struct str decision, struct str reasons, struct err *err);
/* A line of the timeline; kind is a literal. */
bool engage_tell(struct engage *engage, const struct incident *incident, uint64_t alert, int64_t time_ns, const char *kind,
                 struct str by, struct str text, struct err *err);
/* People said that what is in the two incidents (or the two halves) belongs together, or apart: the model learns it at once. */
bool engage_learn(struct engage *engage, const struct incident *one, const struct incident *other, bool together, struct str by, int64_t time_ns,
                  struct err *err);
/* The incident's alerts on entities of that kind were the cause, somebody says. */
bool engage_learn_cause(struct engage *engage, const struct incident *incident, struct str kind, struct str named, struct str by, int64_t time_ns,
                        struct err *err);
/* Takes no text over. An id of 0 is given one. */
bool engage_note_ledger(struct engage *engage, const struct ledger_entry *entry, const json_t *effect, const json_t *replay, struct err *err);

/* engage_route.c: teams for incidents that no route leads to one. */
bool engage_routing_create(struct engage *engage, struct err *err);
void engage_routing_destroy(struct engage *engage);
bool engage_routing_check(const json_t *content, struct err *err);
bool engage_routing_configure(struct engage *engage, const json_t *content, struct err *err);
bool engage_rerouted(struct engage *engage, struct incident *incident, struct str team, struct str by, int64_t time_ns, struct err *err); /* a person did */
bool engage_team_decide(struct engage *engage, struct incident *incident, bool is_approved, struct str by, int64_t time_ns, struct err *err);
bool engage_routing_revert(struct engage *engage, uint64_t id, json_t **out_replay, struct err *err);
bool engage_suggest_teams(struct engage *engage, int64_t time_ns, struct err *err);
bool engage_routing_load(struct engage *engage, struct database *state, struct err *err);
bool engage_routing_is_dirty(const struct engage *engage);
bool engage_routing_write(struct engage *engage, struct database *state, struct err *err);
void engage_routing_written(struct engage *engage);
bool engage_routing_snapshot(const struct engage *engage, struct buf *out, struct err *err); /* of the model, for tests */

/* engage_similar.c: what looked like it before, and what helped then. */
bool engage_past_create(struct engage *engage, struct err *err);
void engage_past_destroy(struct engage *engage);
bool engage_past_note(struct engage *engage, const struct incident *incident, struct err *err); /* its row is written: it is a case now, or none */
bool engage_find_alike(struct engage *engage, struct err *err);
bool engage_learn_fix(struct engage *engage, const struct incident *incident, struct str text, struct str by, int64_t time_ns, struct err *err);
bool engage_revert_fix(struct engage *engage, uint64_t id, json_t **out_replay, struct err *err);
bool engage_past_load(struct engage *engage, struct database *state, struct err *err);
bool engage_past_is_dirty(const struct engage *engage);
bool engage_past_write(struct engage *engage, struct database *state, struct err *err);
void engage_past_written(struct engage *engage);

bool engage_take_ledger(void *context, const struct ledger_entry *entry, struct err *err);
void engage_forget_ledger(struct engage *engage);
bool engage_keep_change(struct engage *engage, const struct change_note *note, struct err *err); /* its title, for sentences */
void engage_forget_changes(struct engage *engage);
bool engage_place_change(struct engage *engage, const struct change_note *note, struct err *err); /* as evidence */
/* One of the three words: it was noise. */
bool engage_learn_noise(struct engage *engage, const struct incident *incident, struct str kind, struct str by, int64_t time_ns, struct err *err);
bool engage_revert(struct engage *engage, uint64_t entry, struct str by, int64_t time_ns, json_t **out_result, struct err *err); /* result: its effect on replay */
/* The alert belongs to the incident: member, entities, signature, severity, title. */
bool engage_join(struct engage *engage, struct incident *incident, struct alert *alert, const struct clue *clue, int64_t time_ns, struct err *err);
bool engage_leave(struct engage *engage, struct incident *incident, struct alert *alert, struct err *err);
/* Both alive; from's alerts go into `into`, its number stays as an alias. */
bool engage_merge(struct engage *engage, struct incident *from, struct incident *into, struct str by, int64_t time_ns, struct err *err);
bool engage_find_causes(struct engage *engage, int64_t time_ns, struct err *err);
/* From its members: what fires, whether all is held back, the severity. engage_count_again leaves the latter two. */
bool engage_recount(struct engage *engage, struct incident *incident, int64_t time_ns, struct err *err);
void engage_count_again(struct engage *engage, struct incident *incident);
bool engage_clue(struct engage *engage, const struct alert *alert, struct arena *arena, struct clue *out_clue, struct err *err);
