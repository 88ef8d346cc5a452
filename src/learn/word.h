/*
 * word - what one word of a log line is by its looks alone: the programmer's, or a value and of which type.
 *
 * Pure. The same rules for every system: printf and the people who call it write numbers, paths, identifiers and
 * addresses alike everywhere. Part of token.h.
 */
#pragma once

#include "learn/token.h"

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }
static inline bool is_letter(char c) { return (unsigned char)((c | 32) - 'a') < 26; }
static inline bool is_hex(char c) { return is_digit(c) || (unsigned char)((c | 32) - 'a') < 6; }
static inline bool is_blank(char c) { return c == ' ' || (unsigned char)(c - '\t') < 5; }

/* Sets kind and type. */
void word_class(struct str word, struct token *token);
bool word_is_dotted(struct str word);   /* one dot within, no digit */
bool word_is_user(struct str word);     /* what stands before a user's name: "user", "login" */
bool word_is_method(struct str word);   /* of an HTTP request line (RFC 9110) */
bool word_is_sentence(struct str word); /* the name under which structured logs keep the programmer's sentence: "msg" */
