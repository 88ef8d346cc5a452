/*
 * router - learns from people's words which team an incident belongs to: engage's use of learn/classifier.
 *
 *      router_create -> { router_learn | router_answer | router_revert } ... -> router_destroy
 *                ^-- router_restore, a row at a time, then router_rebuild
 *
 * The model is a function of the examples that are held, in their order, and of nothing else: it is made anew from them after a start, when one
 * is taken back, and when the oldest go at ROUTER_EXAMPLES_MAX. So a word that is taken back leaves no trace in it at all.
 * Of several about one incident the last one counts, until it is taken back. Only the pipeline's thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTER_FIELDS 3                 /* what it is called, its signature, what it is about */
#define ROUTER_TEXT_BYTES_MAX 2000      /* of a field */
#define ROUTER_EXAMPLES_MAX 1000
#define ROUTER_EXAMPLES_DROPPED 100     /* at the bound, at once */
#define ROUTER_WORDS 6

struct router_example {
        uint64_t id;                    /* of its entry in the ledger */
        uint64_t incident;
        int64_t time_ns;
        struct str texts[ROUTER_FIELDS], team;
        bool is_dirty, is_gone;         /* is_gone: the row goes, and it */
};

struct router_answer {
        struct str team;                /* lasts until the next change; empty: nothing is known */
        double confidence;              /* the chance that it is right */
        size_t examples;                /* of that team */
        size_t word_count;
        struct router_word { struct str word; double weight; } words[ROUTER_WORDS]; /* of the texts asked about; weight: for the team, against the second best */
};

struct router;
bool router_create(struct router **out_router, struct err *err);
void router_destroy(struct router *router);

/* Copies. On failure nothing was learnt. */
bool router_learn(struct router *router, const struct router_example *example, struct err *err);
bool router_revert(struct router *router, uint64_t id, struct err *err); /* ERR_NOT_FOUND: it is not held any more */
void router_answer(const struct router *router, const struct str texts[static ROUTER_FIELDS], struct router_answer *out_answer);

bool router_restore(struct router *router, const struct router_example *example, struct err *err);
bool router_rebuild(struct router *router, struct err *err);
const struct router_example *router_dirty(const struct router *router, size_t *at); /* rows to write or remove; NULL at the end */
bool router_is_dirty(const struct router *router);
void router_clean(struct router *router);       /* they were written */
bool router_snapshot(const struct router *router, struct buf *out, struct err *err); /* of the model */
