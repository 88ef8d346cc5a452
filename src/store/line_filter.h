/*
 * line_filter - the |= != |~ !~ of a log query, over the bytes of a line.
 *
 * Regular expressions are PCRE2, found anywhere in the line; bytes that are no UTF-8 match nothing but hinder nothing.
 * Each match is bounded, so that no pattern can hang a search. A compiled filter is read by many threads.
 */
#pragma once

#include "base/err.h"
#include "store/logs.h"

#include <stdbool.h>
#include <stddef.h>

/* Compiles the regular expression of |~ and !~; does nothing for the others. */
bool line_filter_compile(struct line_filter *filter, struct err *err);
void line_filter_done(struct line_filter *filter);

/* *out_hold: all filters hold for the line. ERR_REFUSED: an expression passed its bound on this line. */
bool line_filters_hold(const struct line_filter *filters, size_t count, struct str line, bool *out_hold, struct err *err);

/* Texts of which every line that the filter lets through holds each (see skeleton_fragments); none for != and !~. */
void line_filter_fragments(const struct line_filter *filter, void (*visit)(void *context, struct str fragment),
                           void *context);
