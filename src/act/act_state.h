/* act_state - what the files of act share: the stage's whole memory. Nobody else includes it. */
#pragma once

#include "act/act.h"
#include "act/run.h"
#include "act/runner.h"
#include "base/hash.h"
#include "base/scope.h"
#include "learn/posterior.h"

#define ACT_REMEMBERED_NS ((int64_t)24 * 3600 * 1000000000) /* ended runs that the guards still count */
#define ACT_HEAL_NS ((int64_t)600 * 1000000000)         /* a fault that is gone by then, without a run, healed by itself */
#define ACT_WATCHES_MAX 10000
#define ACT_HEALED_MAX 1000     /* the oldest are no longer taken back */
#define ACT_CELLS_MAX 200       /* of one runbook, told apart for people; all count */

/* An incident without a run so far: does it heal by itself? */
struct watch {
        uint64_t incident, signature, target_class;
        int64_t opened_ns;
        bool is_dirty, is_over;
};

struct step_note {              /* a row of a step, until it is written */
        uint64_t run;
        uint32_t step, attempt;
        json_t *body;
};

struct act {
        struct act_options options;
        struct runbooks *runbooks;      /* NULL: none */
        struct runner *runner;
        struct posterior *posterior;
        struct { struct run **items; size_t count, capacity; } runs;            /* live ones, and those that ended within ACT_REMEMBERED_NS */
        struct { struct watch *items; size_t count, capacity; } watches;
        struct { struct step_note *items; size_t count, capacity; } notes;
        struct { struct step_order **items; size_t count, capacity; } orders;   /* to be done once they are committed */
        json_t *settings;               /* autonomy by runbook: {level, by, why, time_ns} */
        json_t *healed;                 /* incidents that counted as gone by themselves, by id: {signature, target_class}; somebody may yet say otherwise */
        json_t *cells;                  /* what is known is about: "signature|kind of target" by runbook */
        json_t *stopped;                /* {by, why, time_ns}; NULL: automation may run */
        uint32_t numbers;               /* of runs given so far */
        uint64_t sequence;
        uint32_t ordinal;
        int64_t looked_ns;              /* at what changes slowly */
        bool is_second;                 /* this tick is one that looks at it */
        bool is_state_dirty, is_belief_dirty, are_runbooks_dirty, must_kill;
        struct act_counts counts;
};

void *act_push(void **items, size_t *count, size_t *capacity, size_t item_bytes); /* heap; cleared; NULL: no memory */
#define ACT_PUSH(vector) ((__typeof__((vector)->items))act_push((void **)&(vector)->items, &(vector)->count, &(vector)->capacity, sizeof *(vector)->items))

void act_begin(struct act *act, uint64_t sequence);
uint64_t act_id(struct act *act);
struct run *act_run(const struct act *act, uint64_t id);
struct run *act_run_of_number(const struct act *act, int64_t number);

/* The state changes, the incident's timeline hears of it. text: a sentence about why. */
bool run_move(struct act *act, struct run *run, enum run_state state, const char *by, struct str text, int64_t time_ns, struct err *err);
bool run_say(struct act *act, const struct run *run, const char *by, struct str text, int64_t time_ns, struct err *err);
/* A message to the teams; *out_recipients may be NULL. */
bool run_send(struct act *act, const struct run *run, const char *occasion, struct str text, int64_t time_ns, size_t *out_recipients, struct err *err);
bool run_fail(struct act *act, struct run *run, struct str text, int64_t time_ns, struct err *err);
/* The guards allow it or *out_guard (a name) and out_why say why not. */
bool guards_allow(const struct act *act, const struct run *run, int64_t time_ns, const char **out_guard, struct buf *out_why);
bool run_note_refusal(struct act *act, struct run *run, const char *guard, struct str why, const char *by, int64_t time_ns, struct err *err);
bool run_begin(struct act *act, struct run *run, int64_t time_ns, struct err *err); /* approved -> running */
bool run_advance(struct act *act, struct run *run, int64_t time_ns, struct err *err); /* what is due of a running one */
bool run_begin_step(struct act *act, struct run *run, const json_t *arguments, struct err *err);
bool run_take_result(struct act *act, struct run *run, const json_t *result, int64_t time_ns, struct err *err);
bool step_note_add(struct act *act, const struct run *run, json_t *body, struct err *err); /* takes body */

/* proposal.c */
bool propose_for(struct act *act, const struct incident_view *incident, int64_t time_ns, struct err *err);
struct wish { const struct runbook *runbook; struct str target; const json_t *values; const char *by; };
bool propose_wish(struct act *act, const struct incident_view *incident, const struct wish *wish, int64_t time_ns, struct run **out_run, struct err *err);

/* verify.c */
bool verify_begin(struct act *act, struct run *run, int64_t time_ns, struct err *err);
bool verify_look(struct act *act, struct run *run, int64_t time_ns, struct err *err);
bool remember_before(struct act *act, struct run *run, struct err *err);
bool watch_open(struct act *act, const struct incident_view *incident, int64_t time_ns, struct err *err);
bool watch_close(struct act *act, uint64_t incident, bool healed, bool counts, struct err *err);
bool watch_by_hand(struct act *act, uint64_t incident, struct err *err); /* somebody did something about it */
bool watch_tick(struct act *act, int64_t time_ns, struct err *err);

/* trust.c */
struct posterior_key trust_key(const struct run *run);
uint64_t trust_class(struct str kind);
/* What autonomy holds for it now, with its reasons and numbers as JSON (the caller's). NULL: no memory. */
json_t *trust_of(const struct act *act, const struct runbook *runbook, struct posterior_key key, enum autonomy *out_autonomy);
/* All that is known of a runbook: its totals, and the same for each signature and kind of target. The caller's; NULL: no memory. */
json_t *trust_whole(const struct act *act, const struct runbook *runbook);
void trust_take_back(struct act *act, struct run *run); /* what was counted of it */
bool trust_record(struct act *act, struct run *run, enum run_state outcome, struct err *err);
