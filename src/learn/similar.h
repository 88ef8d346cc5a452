/*
 * similar - remembers what past cases looked like and finds those most like a new one, with what they have in common.
 *
 *      similar_create -> { similar_put | similar_find | similar_forget } ... -> similar_destroy
 *               ^-- similar_restore <-- similar_snapshot
 *
 * A case is a set of parts, each of a kind (the name of an alert, an entity, a word ...) that says how much it counts.
 * Likeness is the geometric mean of two shares: how much of the new case the old one has, and how much of the old one the
 * new has. In the first a part counts the more the fewer cases have it (inverse document frequency, Spärck Jones, 1972):
 * two incidents of the same rare alert are alike, two on Mondays are not.
 *
 * Only hashes are remembered; the texts of what is in common are the new case's own. Every search looks at all cases: a
 * few thousand of at most SIMILAR_PARTS_MAX parts take some milliseconds and need no index that could be wrong.
 *
 * Used by one thread at a time. At cases_max the case put longest ago is forgotten, and counted. No clock, no randomness.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "learn/text_features.h"

#include <stdbool.h>
#include <stdint.h>

#define SIMILAR_PARTS_MAX 96
#define SIMILAR_REASONS_MAX 8

enum similar_kind {
        SIMILAR_ALERT,          /* the name of an alert: what a signature is made of */
        SIMILAR_TEMPLATE,       /* a log template */
        SIMILAR_ENTITY,
        SIMILAR_ENTITY_KIND,
        SIMILAR_CHANGE,         /* what was changed before it */
        SIMILAR_WORD,           /* of titles and texts */
        SIMILAR_KINDS
};

struct similar_case {
        struct similar_part {
                uint64_t hash;
                struct str text; /* borrowed; for the reasons */
                uint8_t kind;
        } parts[SIMILAR_PARTS_MAX];
        uint32_t count;
        bool cut;               /* more parts than there is room for: the later ones are left out */
};

/* A case is made empty ({0}), then filled. A part that is there already is not added again. */
void similar_add(struct similar_case *made, enum similar_kind kind, struct str text);
/* The words of a text; features is working memory. */
void similar_add_words(struct similar_case *made, struct text_features *features, struct str text);

struct similar;

struct similar_hit {
        uint64_t id;
        double likeness;                /* 0 to 1 */
        uint32_t reason_count;
        struct similar_reason {
                uint32_t part;          /* of the case asked about */
                float share;            /* of the likeness, all together 1 */
        } reasons[SIMILAR_REASONS_MAX]; /* strongest first */
};

struct similar_counts {
        uint32_t cases;
        uint64_t put, forgotten;        /* ever; forgotten at the bound */
};

struct similar *similar_create(uint32_t cases_max, struct err *err); /* 0: 4096 */
void similar_destroy(struct similar *similar);

/* Remembers the case under this id, in place of what was there. On failure nothing changed. */
bool similar_put(struct similar *similar, uint64_t id, const struct similar_case *made, struct err *err);
bool similar_forget(struct similar *similar, uint64_t id); /* false: not there */

/* The most alike, best first, equal ones by id, at most hits_max, and none below least; how many. The case `except` is passed over. */
uint32_t similar_find(const struct similar *similar, const struct similar_case *asked, uint64_t except, double least,
                      struct similar_hit *hits, uint32_t hits_max);

struct similar_counts similar_counts(const struct similar *similar);

/* Version 1, little-endian. Restore refuses what snapshot cannot have written. */
bool similar_snapshot(const struct similar *similar, struct buf *out, struct err *err);
struct similar *similar_restore(struct str bytes, uint32_t cases_max, struct err *err);
