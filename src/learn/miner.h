/*
 * miner - finds the sentences a program logs (templates), one line at a time, in bounded memory.
 *
 *      miner_create -> { miner_learn ... miner_refine } ... miner_snapshot -> miner_destroy
 *                          ^-- miner_restore
 *
 * One miner for one domain (the program that writes, not its host), used by one thread at a time. A pure model: no
 * clock, no files, no randomness; the same lines give the same templates and ids.
 *
 * Online: the line is split and classed (token.h); values by looks are masked, so that nearly every line finds its
 * sentence by one look-up. A new sentence joins those with the same marks, a tree of depth two as Drain's (He et al., ICWS
 * 2017) but without its similarity threshold, which no single value fits for all systems.
 *
 * Merging (miner_merge.c): sentences alike in all but one or two words, or in all but what follows a colon, become one
 * when so many different words were seen there that a programmer would not have written each of them. How many is
 * enough depends on the place, as IPLoM (Makanju et al., KDD 2009) and Brain (Yu et al., TSC 2023) count words of a column.
 * The opposite, places that look like a variable but hold one word, stay constant in the text until a second is seen.
 *
 * Splitting (miner_split.c): who counts beside the miner may find that a word at an open place makes another sentence (split.h);
 * miner_divide gives such words templates of their own. The one they came from keeps its id, its past and all other words.
 *
 * Ids are hashes of domain and birth text and never change; a merged sentence's id is an alias of the other's, for good.
 * Numbers are dense, from 0; a number is used again once its template was forgotten. At the bound the rarest of some old templates
 * gives way; when none is rare, new sentences share one template for all lines with the same marks, and last
 * template 0, `<*>`. All three are counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "learn/outline.h"
#include "learn/token.h"

#include <stdbool.h>
#include <stdint.h>

struct miner;

struct miner_bounds {
        uint32_t templates_max; /* with aliases; 0: 16384 */
        uint64_t bytes_max;     /* all the miner holds; 0: 32 MiB */
};

struct miner_variable {
        uint32_t start, length; /* in the line */
        uint16_t place;         /* in the template; the same over lines */
        uint8_t type;           /* enum value_type */
};

struct miner_match {
        uint32_t number;        /* the template's, after aliases */
        bool is_new;            /* born by this line */
        uint32_t variable_count;
        struct miner_variable variables[LINE_TOKENS_MAX];
};

#define MINER_HALVES_MAX 6u     /* words of one place that get templates of their own */
#define MINER_SPLITS_MAX 64u    /* templates that are split at a time, of one miner */

struct miner_template {
        uint64_t id;
        uint64_t lines;         /* with those of its aliases; without those of its halves */
        uint64_t split_from;    /* the id of the template it was split from; 0: none */
        uint64_t halves[MINER_HALVES_MAX]; /* ids of those split from it */
        uint32_t half_count;
        int64_t first_ns, last_ns;
        uint32_t variable_count;
        struct {
                uint16_t place;
                uint8_t type;   /* enum value_type */
        } variables[LINE_TOKENS_MAX];
};

struct miner_counts {
        uint64_t lines, templates, aliases, bytes;
        uint64_t splits, halves; /* templates that are split, and those split from them */
        uint64_t splits_refused; /* at a bound: the template stays as it is for good */
        uint64_t forgotten;     /* templates that gave way at the bound */
        uint64_t crowded;       /* lines that shared a template because the bound was reached */
        uint64_t homeless;      /* lines that went to template 0 */
};

struct miner *miner_create(struct str domain, struct miner_bounds bounds, struct err *err);
void miner_destroy(struct miner *miner);

#define MINER_GONE UINT32_MAX

/* Is called when template `from` became an alias of `to`: who counts by number adds the one to the other; and with to
 * MINER_GONE when it was forgotten: its number may be another's next. */
void miner_on_merge(struct miner *miner, void (*merged)(void *context, uint32_t from, uint32_t to), void *context);

/*
 * A line on its way to being learnt. Who has several at hand takes them a step each, so that what learning them will touch is asked for
 * ahead and one line's cache misses are waited for together with the next ones'. It changes nothing that is learnt:
 *
 *      miner_begin(m, text, &line)     its outline
 *      miner_fetch(m, &line)
 *      miner_split(m, &line)           what is known of lines with that outline (familiar.h); if nothing is, its words
 *      number = miner_expect(m, &line) the template it will probably have; past miner_count: no idea
 *      miner_fetch_parts(m, number)
 *      miner_learn_line(m, &line ...)
 */
struct miner_line {
        struct str text;
        uint64_t hash;                  /* of the outline; 0: it has none */
        const struct plan *plan;        /* NULL: count tokens are there */
        uint32_t familiar_changes;
        uint64_t key;
        uint32_t count;
        struct outline outline;
        struct token tokens[LINE_TOKENS_MAX];
};

void miner_begin(const struct miner *miner, struct str text, struct miner_line *out_line);
void miner_fetch(const struct miner *miner, const struct miner_line *line);
void miner_split(struct miner *miner, struct miner_line *line);
uint32_t miner_expect(const struct miner *miner, const struct miner_line *line);
void miner_fetch_parts(const struct miner *miner, uint32_t number);
bool miner_learn_line(struct miner *miner, struct miner_line *line, int64_t time_ns, struct miner_match *out_match, struct err *err);

/* All of it for one line. False only when memory ran out: nothing was learnt. */
bool miner_learn(struct miner *miner, struct str line, int64_t time_ns, struct miner_match *out_match, struct err *err);

/* Looks at most so many merged templates over for what they now have in common with others; the number looked at. */
uint32_t miner_refine(struct miner *miner, uint32_t steps_max);

/*
 * Splits the template at an open place: each of these words has a template of its own from now on, whose number goes to out_halves.
 * Lines with other words stay. For good: a template is split once, and not again after its halves were merged with it. False: it cannot be
 * (miner_divides), or, counted, a bound or memory forbids it; then it never will be.
 */
bool miner_divide(struct miner *miner, uint32_t number, uint16_t place, const struct str *words, uint32_t count, uint32_t *out_halves);
bool miner_divides(const struct miner *miner, uint32_t number, uint16_t place); /* was never split, and values stand there */
uint32_t miner_origin(const struct miner *miner, uint32_t number);       /* the template it was split from; itself when it was not */

uint32_t miner_count(const struct miner *miner);                        /* numbers are below it */
uint32_t miner_alias(const struct miner *miner, uint32_t number);       /* the number it goes by now */
uint64_t miner_id(const struct miner *miner, uint32_t number);           /* number: what miner_learn or miner_alias gave */
bool miner_find(const struct miner *miner, uint64_t id, uint32_t *out_number); /* aliases are followed; false: never seen, or forgotten */
/* False: there is no such template (any more). */
bool miner_template(const struct miner *miner, uint32_t number, struct miner_template *out_template);
bool miner_text(const struct miner *miner, uint32_t number, struct buf *text); /* appends, with <*> for variables */
bool miner_sentence(const struct miner *miner, uint32_t number, struct buf *text); /* for people: `from <address>` */
struct miner_counts miner_counts(const struct miner *miner);
uint64_t miner_bytes(const struct miner *miner);        /* held now, in all */

/* Version 4, little-endian; version 3, without names, and 2, without splits, are read too. Restore refuses what it cannot have written; the bounds are the caller's. */
bool miner_snapshot(const struct miner *miner, struct buf *out, struct err *err);
struct miner *miner_restore(struct str bytes, struct miner_bounds bounds, struct err *err);
