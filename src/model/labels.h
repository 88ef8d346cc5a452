/*
 * labels - names and values that say what a series or a log stream is, as in Prometheus.
 *
 * Canonical labels are sorted by name (bytes), have no empty value and no name twice. Their identity is the 128-bit
 * XXH3 of their packed form: for each label varint(length) name varint(length) value. Packed bytes are what is stored.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define LABELS_MAX 128            /* labels of one series or stream; more are refused */
#define LABEL_BYTES_MAX 8192      /* of one name or value */

struct label {
        struct str name, value;
};

struct labels {
        struct label *items;
        size_t count, capacity; /* capacity only for arena_push */
};

/* Sorts in place and drops empty values. False: a name stands there twice (err names it), or a bound is passed. */
bool labels_canonical(struct labels *labels, struct err *err);
struct label *labels_find(const struct labels *labels, struct str name); /* NULL: it is missing */
struct str labels_value(const struct labels *labels, struct str name); /* empty when it is missing */
bool labels_equal(const struct labels *a, const struct labels *b);     /* both canonical */
int labels_compare(const struct labels *a, const struct labels *b);    /* Prometheus' order: by name, value, then count */
/* Copies into an arena, for who keeps them longer; false: no memory. text_copy never gives NULL bytes. */
bool labels_copy(const struct labels *labels, struct arena *arena, struct labels *out_copy);
bool text_copy(struct str text, struct arena *arena, struct str *out_copy);
bool labels_pack(const struct labels *labels, struct buf *out);        /* appends; false: no memory */
bool labels_unpack(struct str packed, struct arena *arena, struct labels *out_labels, struct err *err);
struct hash128 labels_id(const struct labels *labels);                 /* hashes the packed form; canonical labels only */
struct hash128 labels_id_packed(struct str packed);
/* {a="b", c="d"} with escapes, for people and Prometheus' texts; __name__ goes in front, as name{...}. */
bool labels_print(const struct labels *labels, struct buf *out);

#define LABEL_METRIC_NAME STR("__name__")

struct regex;

enum match_op { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

/* One condition of a selector, as in {host=~"web.*"}; regexes are anchored at both ends. A missing label is "". */
struct matcher {
        enum match_op op;
        struct str name, value;
        struct regex *regex; /* compiled once; owned by whoever owns the matcher */
};

struct matchers {
        struct matcher *items;
        size_t count, capacity;
};

/* Adds a matcher to an arena-owned list, its texts copied; compiles regexes (PCRE2, UTF, anchored). After the last use
 * matchers_done frees the regexes. Errors quote the pattern and its place. */
bool matchers_add(struct matchers *matchers, struct arena *arena, enum match_op op, struct str name, struct str value,
                  struct err *err);
void matchers_done(struct matchers *matchers);
bool matcher_matches(const struct matcher *matcher, struct str value);
bool matchers_match(const struct matchers *matchers, const struct labels *labels);
/* False, ERR_REFUSED, when a regex met a value on which it took more steps than it may: from then on its matches mean
 * nothing, and come at once. Ask now and then during a long walk, and at its end. */
bool matchers_hold_out(const struct matchers *matchers, struct err *err);
