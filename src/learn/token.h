/*
 * token - splits one log line into the words the programmer wrote and the values the program put between them.
 *
 * Pure, one pass, no allocation, any bytes. The same rules for every system: a rule is here only if it holds for any
 * program's log (docs/decisions/templates.md). Classing before grouping is what He et al. (ICSE 2016, "An evaluation
 * study on log parsing") found to matter more than the choice of the parser; here it is done by shape, not by system.
 *
 *      Received block blk_35 of size 67 from /10.0.0.1  ->  Received block <id> of size <number> from <path>
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LINE_TOKENS_MAX 160     /* of one line; what follows them becomes one variable */

enum token_kind {
        TOKEN_WORD,             /* the programmer's, until lines teach otherwise */
        TOKEN_MARK,             /* punctuation, always the programmer's */
        TOKEN_SOFT,             /* stands where values stand (name=..., "..."): a variable once a second value is seen */
        TOKEN_VALUE,            /* a variable by its looks alone */
        TOKEN_KINDS
};

enum value_type {
#define X(name, text) name,
#include "learn/value_type.def"
#undef X
        VALUE_TYPES
};

struct token {
        uint64_t hash;          /* of a word's or a mark's bytes; of values: nothing */
        uint32_t start, length;
        uint8_t kind, type;
        uint8_t run;            /* values with only blanks between are one token; how many */
        bool blank_before;
};

const char *value_type_name(enum value_type type);

/* Gives the number of tokens, at most LINE_TOKENS_MAX. */
uint32_t line_scan(struct str line, struct token out_tokens[static LINE_TOKENS_MAX]);
