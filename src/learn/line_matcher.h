/*
 * line_matcher - says of any line whether it is of one template: to search stored lines by template.
 *
 *      line_matcher_create -> line_matcher_matches ... -> line_matcher_destroy
 *
 * A copy, so it may be used on any thread while the miner goes on. Lines that a more particular template would have
 * taken match too: the stored line does not say what it was taken for.
 */
#pragma once

#include "base/err.h"
#include "learn/miner.h"

struct line_matcher;

/* ERR_NOT_FOUND when the miner has no such template (any more). */
struct line_matcher *line_matcher_create(const struct miner *miner, uint32_t number, struct err *err);
void line_matcher_destroy(struct line_matcher *matcher);
bool line_matcher_matches(const struct line_matcher *matcher, struct str line);
/* The longest word that every line of the template has; empty when there is none. */
struct str line_matcher_word(const struct line_matcher *matcher);
