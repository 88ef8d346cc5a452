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

/* What a byte adds to the counts of a word, twelve bits each: one addition a byte. */
#define COUNT_DIGIT UINT64_C(1)
#define COUNT_LETTER (UINT64_C(1) << 12)
#define COUNT_HEX (UINT64_C(1) << 24)
#define COUNT_DOT (UINT64_C(1) << 36)
#define COUNT_SLASH (UINT64_C(1) << 48)
#define COUNT_OF(counts, unit) ((uint32_t)((counts) / (unit) & 0xFFF))
#define WORD_COUNTED_MAX 4095u /* what a longer word begins with says enough */
extern const uint64_t byte_counts[256];

uint64_t word_counts(struct str word);

/* Sets kind and type; counts are the word's. */
void word_class(struct str word, uint64_t counts, struct token *token);
static inline bool word_is_dotted(uint64_t counts) /* one dot within, no digit */
{
        return COUNT_OF(counts, COUNT_DOT) == 1 && COUNT_OF(counts, COUNT_DIGIT) == 0;
}

bool word_is_user(struct str word);     /* what stands before a user's name: "user", "login" */
bool word_is_method(struct str word);   /* of an HTTP request line (RFC 9110) */
bool word_is_sentence(struct str word); /* the name under which structured logs keep the programmer's sentence: "msg" */
