/*
 * miner - finds the sentences a program logs (templates), one line at a time, in bounded memory.
 *
 *      miner_create -> { miner_learn ... miner_refine } ... miner_snapshot -> miner_destroy
 *                          ^-- miner_restore
 *
 * One miner for one domain (the program that writes, not its host), used by one thread at a time. A pure model: no
 * clock, no files, no randomness; the same lines give the same templates and ids.
 *
 * Online step (miner_learn): the line is split and classed (token.h); values by looks are masked, so that nearly every
 * line finds its shape by one look-up. A new shape looks for a template that has it with one word open, then among
 * those with the same marks (a tree of depth two: marks, then words). This is Drain's fixed-depth tree (He et al.,
 * ICWS 2017) without its similarity threshold, which no single value fits for all systems.
 *
 * Refining step (miner_refine): shapes alike in all but one word are gathered; when so many different words were seen
 * there that a programmer would not have written each of them, they become one template with a variable. How many is
 * enough depends on the place (after "for", "user" ... values are expected; a sentence's first word is the
 * programmer's), as IPLoM (Makanju et al., KDD 2009) and Brain (Yu et al., TSC 2023) count words of a column. The
 * opposite, places that look like a variable but hold one word, stay constant in the text until a second is seen.
 *
 * Ids are hashes of domain and birth text and never change. A merge makes the merged templates aliases, for good.
 * Numbers are dense, from 0, and stable over snapshot and restore. Template 0 is `<*>`: what found no place at the
 * bound. At the bound new shapes first share one template for all lines with the same marks; both are counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "learn/token.h"

#include <stdbool.h>
#include <stdint.h>

struct miner;

struct miner_bounds {
        uint32_t templates_max; /* shapes and templates together; 0: 16384 */
        uint64_t bytes_max;     /* of their tokens and texts; 0: 32 MiB */
};

struct miner_variable {
        uint32_t start, length; /* in the line */
        enum value_type type;
};

struct miner_match {
        uint32_t number;        /* the template's, after aliases */
        bool is_new;            /* born by this line */
        uint32_t variable_count;
        struct miner_variable variables[LINE_TOKENS_MAX];
};

struct miner_template {
        uint64_t id;
        uint64_t lines;         /* with those of its aliases */
        int64_t first_ns, last_ns;
        uint32_t variable_count;
        enum value_type types[LINE_TOKENS_MAX];
};

struct miner_counts {
        uint64_t lines, templates, aliases, bytes;
        uint64_t crowded;       /* lines that shared a template because the bound was reached */
        uint64_t homeless;      /* lines that went to template 0 */
        uint64_t forgotten;     /* gathered evidence dropped for newer */
};

struct miner *miner_create(struct str domain, struct miner_bounds bounds, struct err *err);
void miner_destroy(struct miner *miner);

/* False only when memory ran out: nothing was learnt. */
bool miner_learn(struct miner *miner, struct str line, int64_t time_ns, struct miner_match *out_match, struct err *err);

/* Does at most so many waiting merges; the number done. What does not fit in memory is tried again later. */
uint32_t miner_refine(struct miner *miner, uint32_t steps_max);

uint32_t miner_count(const struct miner *miner);                        /* numbers are below it */
uint32_t miner_alias(const struct miner *miner, uint32_t number);       /* the number it goes by now */
bool miner_find(const struct miner *miner, uint64_t id, uint32_t *out_number); /* aliases are followed */
bool miner_template(const struct miner *miner, uint32_t number, struct miner_template *out_template);
bool miner_text(const struct miner *miner, uint32_t number, struct buf *text); /* appends, with <*> for variables */
struct miner_counts miner_counts(const struct miner *miner);

/* Version 1, little-endian. Restore refuses what it cannot have written; the bounds are the caller's. */
bool miner_snapshot(const struct miner *miner, struct buf *out, struct err *err);
struct miner *miner_restore(struct str bytes, struct miner_bounds bounds, struct err *err);
