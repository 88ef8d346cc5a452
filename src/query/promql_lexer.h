/*
 * promql_lexer - cuts a query into tokens. Keywords are identifiers here; only the parser knows where they are special.
 *
 * Between { and } a colon ends a word and no numbers are read; between [ and ] only durations and one colon stand.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
        TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_DURATION, TOKEN_STRING,
        TOKEN_LEFT_PAREN, TOKEN_RIGHT_PAREN, TOKEN_LEFT_BRACE, TOKEN_RIGHT_BRACE, TOKEN_LEFT_BRACKET, TOKEN_RIGHT_BRACKET,
        TOKEN_COMMA, TOKEN_COLON, TOKEN_AT, TOKEN_ASSIGN, TOKEN_MATCH, TOKEN_NOT_MATCH,
        TOKEN_ADD, TOKEN_SUBTRACT, TOKEN_MULTIPLY, TOKEN_DIVIDE, TOKEN_MODULO, TOKEN_POWER,
        TOKEN_EQUAL, TOKEN_NOT_EQUAL, TOKEN_LESS, TOKEN_LESS_EQUAL, TOKEN_GREATER, TOKEN_GREATER_EQUAL,
};

struct token {
        enum token_kind kind;
        struct str text;        /* as written; of a string what it means */
        size_t place;
};

struct lexer {
        struct str text;
        size_t at;
        bool in_braces, in_brackets;
        struct arena *arena;    /* for strings */
};

/* The next token; false fills err with the place. At the end it gives TOKEN_END again and again. */
bool lexer_next(struct lexer *lexer, struct token *out_token, struct err *err);
