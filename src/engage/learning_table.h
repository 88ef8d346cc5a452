/*
 * learning_table - the rows of what people taught about routing: examples, and what was suggested for which incident. The only SQL about them.
 *
 *      suggested | waiting -> approved | rejected | overruled | lapsed (it was over)        routed (by itself)
 */
#pragma once

#include "base/err.h"
#include "engage/router.h"

#include <jansson.h>

struct database;

enum suggestion_state { SUGGESTION_SUGGESTED = 1, SUGGESTION_WAITING, SUGGESTION_ROUTED, SUGGESTION_APPROVED, SUGGESTION_REJECTED, SUGGESTION_OVERRULED, SUGGESTION_LAPSED };
const char *suggestion_state_name(enum suggestion_state state);

struct suggestion {
        uint64_t incident;
        int64_t time_ns;
        enum suggestion_state state;
        double confidence;
        uint32_t examples;
        struct str team, by, words;     /* by: who decided; words: JSON [ { word, weight } ] */
        bool is_dirty;
};

#define FIX_BYTES_MAX 1000

struct fix_row {                        /* "this fixed it" */
        uint64_t id, incident;          /* id: of its entry in the ledger */
        uint32_t number;
        int64_t time_ns;
        struct str by, text;
        bool is_dirty, is_gone;         /* is_gone: it was taken back, or too many came after it */
};

struct alike_row {                      /* what an incident looked like when it opened */
        uint64_t incident;
        struct str hits;                /* JSON [ { incident, likeness, reasons: [ { kind, text, share } ] } ], best first */
};

struct past_row {                       /* an incident that is over */
        uint64_t incident;
        struct str headline;
        const json_t *sorts, *entities;
};

/* Migrations of the state database, after engage_schema and notify_schema. */
extern const char learning_schema[], past_schema[];

bool example_row_write(struct database *state, const struct router_example *example, struct err *err); /* or removes it, when it is gone */
bool example_rows_load(struct database *state, bool (*take)(void *context, const struct router_example *example, struct err *err), void *context, struct err *err);
bool suggestion_row_write(struct database *state, const struct suggestion *suggestion, struct err *err);
/* Those that nobody decided yet. */
bool suggestion_rows_load(struct database *state, bool (*take)(void *context, const struct suggestion *suggestion, struct err *err), void *context, struct err *err);
bool fix_row_write(struct database *state, const struct fix_row *fix, struct err *err); /* or removes it, when it is gone */
bool fix_rows_load(struct database *state, bool (*take)(void *context, const struct fix_row *fix, struct err *err), void *context, struct err *err);
bool alike_row_write(struct database *state, const struct alike_row *row, struct err *err);
/* The newest incidents that are over and no noise, the one changed longest ago first. */
bool past_rows_load(struct database *state, bool (*take)(void *context, const struct past_row *row, struct err *err), void *context, struct err *err);
/* [ { number, title, resolved_ns, fix, by, cause, likeness, reasons } ], best first; an empty list when there are none. */
json_t *alike_rows_read(struct database *reader, uint64_t incident, struct err *err);
/* [ { kind: "noise: nothing was wrong" ..., sort, times } ]: how people judged such alerts. */
json_t *judged_rows_read(struct database *reader, uint64_t incident, struct err *err);
/* Null when there is none; NULL and err on failure. */
json_t *suggestion_row_read(struct database *reader, uint64_t incident, struct err *err);
