/*
 * form - what senders write into URLs, form bodies, cookies and Authorization headers, taken apart.
 *
 * Pure functions over bytes from outside; all results live in the request's arena.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct field {
        struct str name, value;
};

struct fields {
        struct field *items;
        size_t count, capacity;
};

#define FIELDS_MAX 1000 /* of one request; more are refused */

/* "a=1&b=%20x&a=2": appends every field in order. '+' is a space. ERR_INVALID on a broken percent sign. */
bool fields_parse(struct str text, struct arena *arena, struct fields *fields, struct err *err);
/* The first of that name, its bytes NULL when there is none. */
struct str fields_value(const struct fields *fields, const char *name);

/* %XX undone; '+' stays. */
bool percent_decode(struct str text, struct arena *arena, struct str *out_text, struct err *err);

/* One cookie of a Cookie header; bytes NULL when it is not there. Borrowed from the header. */
struct str cookie_value(struct str header, const char *name);

/* The credential of an Authorization header: the token of "Bearer x" (scheme in any case), or the password of "Basic x",
 * with its user name in out_name (empty for Bearer). ERR_UNAUTHENTICATED when it is neither. */
bool authorization_parse(struct str header, struct arena *arena, struct str *out_name, struct str *out_secret,
                         struct err *err);

/* Whether a list like "gzip, br;q=0.5" names the word without q=0. */
bool header_lists(struct str header, const char *word);
