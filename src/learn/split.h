/*
 * split - does one template hold several sentences? Watches the words at its open places beside the level of each line.
 *
 *      split_create -> { split_add ... split_judge } -> split_destroy
 *
 * One statement in a program writes with one level. So when lines of one template come with several levels, and the word at one place
 * tells the level without exception, the programmer wrote a statement for each word, and the words are no values:
 *
 *      Service is <up|down|degraded>   up: info  down: error  degraded: warn       three sentences
 *      Login of <alice|bob|carol>      alice: info, warn  bob: info, warn          one sentence, whatever its levels
 *
 * Few is not enough (a shop may have three users), which is why the level must speak. How much it must say is the minimum description
 * length (Rissanen, Automatica 1978; as for decision trees, Quinlan and Rivest, Information and Computation 1989): the bits that telling the
 * levels costs when they are coded apart from the words, against those of writing the words into sentences of their own and of saying each
 * one's level. And the set must be closed: each word came several times, and none for the first time in the later half of the lines, since
 * the chance that the next is unseen is the share of those seen once (Good, Biometrika 1953).
 *
 * Plain data of 2 KiB for a template while it is watched; a place with too many, too long or numeric values is no longer looked at. Pure: the
 * same lines give the same answer.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"
#include "learn/miner.h"

#define SPLIT_CLASSES 4u        /* levels */
#define SPLIT_PLACES 4u         /* looked at, of one template: the first ones that hold words */
#define SPLIT_WORD_BYTES 24u
#define SPLIT_LINES_MAX 65536u  /* nothing found in so many: it is one sentence */

struct split_word {
        uint32_t lines[SPLIT_CLASSES];
        uint8_t length;
        char bytes[SPLIT_WORD_BYTES];
};

struct split_place {
        uint32_t newest;        /* how many lines had come when the last new word did */
        uint16_t place;
        uint8_t count;
        bool is_open;           /* its values are not few words: not looked at */
        struct split_word words[MINER_HALVES_MAX];
};

struct split {
        uint32_t lines;
        uint8_t place_count;
        struct split_place places[SPLIT_PLACES];
};

struct split *split_create(void); /* NULL: no memory */
void split_destroy(struct split *split);
/* One line of the template, as the miner matched it. The first line says which places are looked at. */
void split_add(struct split *split, const struct miner *miner, struct str line, const struct miner_match *match, uint8_t level);
/* No place is left, or so many lines said nothing: look no more. */
bool split_is_over(const struct split *split);
/* The place whose words are sentences; NULL: none, so far. */
const struct split_place *split_judge(const struct split *split);

void split_write(const struct split *split, struct buf *out);
struct split *split_read(struct reader *reader); /* NULL: damaged, or no memory */
