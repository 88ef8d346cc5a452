/*
 * regex - PCRE2 within bounds: a pattern compiled once and matched by many threads, that can never hang one.
 *
 * A match that takes more than REGEX_STEPS_MAX steps or its heap is given up; the pattern remembers that it was, so whoever
 * asked over many texts can say so once. Text is taken as UTF-8; in REGEX_ANYWHERE text that is not UTF-8 is matched around
 * its wrong bytes, in REGEX_WHOLE it does not match.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define REGEX_STEPS_MAX 200000

enum regex_where { REGEX_WHOLE, REGEX_ANYWHERE };
enum regex_result { REGEX_NO, REGEX_YES, REGEX_GAVE_UP };

struct regex;

/* The error quotes the pattern and says where it is wrong; source is the room that asks. */
bool regex_create(struct str pattern, enum regex_where where, const char *source, struct regex **out_regex, struct err *err);
void regex_destroy(struct regex *regex); /* NULL is fine */
enum regex_result regex_match(struct regex *regex, struct str text);
bool regex_has_given_up(const struct regex *regex); /* on any text so far */
