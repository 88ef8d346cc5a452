/*
 * outline - a line without what makes no difference to how it is split into words.
 *
 *      took 5312 ms for /var/lib/x from 10.0.0.1  ->  took N ms for P from N.N.N.N
 *
 * Two lines with equal outlines have the same tokens (token.h): as many, of the same kinds, types and hashes, only elsewhere in the
 * line. So who has split one of them need not split the other (familiar.h). The opposite does not hold: where a rule of the scanner
 * counts digits, the outline keeps as many of them as the rule can tell apart.
 *
 * Pure, any bytes. What is taken out is a gap; a token's ends are told by the gap before them and the distance to it.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define OUTLINE_BYTES_MAX 512u  /* of a line; the scanner's windows are no smaller, so that no distance in such a line matters to it */
#define OUTLINE_GAPS_MAX 64u

struct outline {
        uint32_t length, gap_count;
        uint16_t starts[OUTLINE_GAPS_MAX + 1], ends[OUTLINE_GAPS_MAX + 1]; /* of gaps in the line, from 1; [0] is its beginning */
        char bytes[OUTLINE_BYTES_MAX + 16]; /* slack for copies of sixteen */
};

/* False: such a line (long, with control characters, with quoted names, with too many numbers) is to be split each time. */
bool outline_of(struct str line, struct outline *out_outline);
