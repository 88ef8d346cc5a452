/*
 * shape - a sentence as a template keeps it: its words, its marks, and places where values stand.
 *
 *      line -> tokens (token.h) -> shape_of_line -> { shape_note ... shape_open, shape_take_in } -> shape_done
 *
 * The key of a shape is a sum over its places, so that opening one word changes one addend. A word's addend is its
 * hash; all values have the same. Lines with equal keys are the same sentence: 64 bits are believed without comparing
 * words, a clash joins two sentences once in 2^32. Plain data, owned by a miner.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "learn/token.h"

#include <stdbool.h>
#include <stdint.h>

#define WORD_BYTES_MAX 256      /* of a constant kept; longer ones are values */

struct part {
        uint64_t hash;          /* of a word's or a mark's bytes */
        uint32_t start;         /* in the shape's text */
        uint16_t length;
        uint8_t kind, type, run;
        bool blank_before : 1;
        bool varied : 1;        /* a soft place that has held two values */
        bool run_varied : 1;    /* so many values in a row is not always so many */
        bool opened : 1;        /* was a word until others stood there: what was learnt, not seen */
};

struct shape {
        uint64_t key, id, lines;
        int64_t first_ns, last_ns;
        struct part *parts;     /* one allocation with the text after it; NULL: an alias, or forgotten */
        uint32_t text_length, alias;
        uint32_t next, previous; /* in the list of those with the same marks */
        uint16_t count;
        bool has_tail : 1;      /* the last place takes whatever follows */
        bool has_aliases : 1;   /* others were merged into it */
        bool crowd : 1;         /* all lines with these marks, made at the bound */
        bool is_whole : 1;      /* was split once, or is a half: not to be split again */
        bool is_split : 1;      /* some words at one of its places have templates of their own; these three bits: miner_split.c */
        bool is_half : 1;       /* such a template: found by way of the one it was split from, not by a key */
        uint32_t changes;       /* when it last became another: its words or places, its alias, its key; not saved */
};

/* Keys of a line as scanned. */
uint64_t tokens_key(const struct token *tokens, uint32_t count);
uint64_t tokens_marks(const struct token *tokens, uint32_t count);     /* every word open: the first level of the tree */
uint64_t tokens_prefix(const struct token *tokens, uint32_t count);    /* of the first count places, however many follow */

uint64_t shape_key(const struct shape *shape);
uint64_t shape_marks(const struct shape *shape);
uint64_t shape_prefix(const struct shape *shape, uint32_t count);
size_t shape_bytes(const struct shape *shape);

/* A shape as the line shows it, lines 0; only_marks: with every word open. False: no memory. */
bool shape_of_line(struct str line, const struct token *tokens, uint32_t count, bool only_marks, struct shape *out_shape);
bool shape_copy(const struct shape *shape, struct shape *out_shape); /* false: no memory */
void shape_done(struct shape *shape);
struct str shape_word(const struct shape *shape, uint32_t place);

/* A value stands here in the text shown. */
static inline bool part_is_variable(const struct part *part)
{
        return part->kind == TOKEN_VALUE || (part->kind == TOKEN_SOFT && part->varied);
}

static inline bool part_is_open(const struct part *part)
{
        return part->kind == TOKEN_VALUE || part->kind == TOKEN_SOFT;
}

/* Does a line of this many tokens, with other words perhaps at open places, say this sentence? */
bool shape_fits(const struct shape *shape, const struct token *tokens, uint32_t count);
/* At how many places two shapes with equal marks differ: up to 3, the first two in out_places. */
uint32_t shape_differ(const struct shape *a, const struct shape *b, uint8_t out_places[static 2]);
void shape_open(struct shape *shape, uint32_t place);
/* The opposite: the sentence with this word at an open place, nothing counted. False: no memory. */
bool shape_close(const struct shape *shape, uint32_t place, struct str word, struct shape *out_shape);
/* Everything from the place on becomes one variable. */
void shape_cut(struct shape *shape, uint32_t place);
/* Learns from the values of a line of this sentence. */
void shape_note(struct shape *shape, struct str line, const struct token *tokens);
/* The same for a value at a place whose kind and type it has met before: nothing else is left to learn. */
void shape_note_again(struct shape *shape, uint32_t place, struct str value);
/* What another shape of the same sentence has learnt: values, counts, times. */
void shape_take_in(struct shape *shape, const struct shape *from);

/* For machines and the scorer `<*>`; for people `<address>`. */
void shape_text(const struct shape *shape, bool typed, struct buf *text);

void shape_write(const struct shape *shape, struct buf *out);
bool shape_read(struct reader *reader, struct shape *out_shape);        /* false: damaged, or no memory */
