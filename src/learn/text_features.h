/*
 * text_features - what a text that a person wrote says, as hashed counts: the input of the online models.
 *
 *      text_features_init -> { text_features_of -> features.items } ... -> text_features_done
 *
 * Nothing here knows a language. A text is words (runs of letters and digits of any script, lower case; a script that
 * writes without blanks counts each of its characters as a word), pairs of neighbouring words, and the pieces of each
 * word (runs of 3 to 5 characters, its ends marked), by which inflected, compound and misspelt words still meet. Numbers
 * longer than four digits say only how long they are. Of several fields each word counts once for all of them and once
 * for its own field.
 *
 * A feature is the 64-bit hash of what it is, with where it first stands, so that a model needs no dictionary to show
 * the words behind its answer. Bounded: what is past TEXT_BYTES_MAX of a field or TEXT_FEATURES_MAX is left out.
 * Pure; the same text gives the same features in the same order.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define TEXT_BYTES_MAX (32 << 10) /* of a field */
#define TEXT_FEATURES_MAX 8192
#define TEXT_FIELDS_MAX 8

enum text_kind { TEXT_WORD, TEXT_FIELD_WORD, TEXT_PAIR, TEXT_PIECE, TEXT_KINDS };

struct text_feature {
        uint64_t hash;
        uint32_t count;         /* how often it stands there */
        uint32_t start, length; /* where first, in the bytes of its field */
        uint8_t field, kind;
};

struct text_features {
        struct text_feature *items;
        uint32_t count;
        bool cut;               /* something was past a bound and is left out */
        uint32_t *places;       /* of a hash in items, plus one */
};

bool text_features_init(struct text_features *features); /* false: no memory */
void text_features_done(struct text_features *features);

/* Replaces what was there. Fields past TEXT_FIELDS_MAX are left out. */
void text_features_of(struct text_features *features, const struct str *fields, size_t field_count);
