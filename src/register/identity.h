/*
 * identity - which entity labels name: the keys that a kind's rules draw from them.
 *
 * Pure functions. A key is a sort ("fqdn") and a cleaned value ("web1.example.org"); rules stand from strong to weak. Labels
 * may lack what a stronger rule asks for, but must not contradict it: see identity_agrees.
 */
#pragma once

#include "register/kind.h"

#define IDENTITY_KEYS_MAX 12

struct identity_key {
        struct str key, value;      /* of the arena, or of the kind */
        uint32_t strength;
        bool may_create;
};

struct identity {
        struct identity_key keys[IDENTITY_KEYS_MAX]; /* strong to weak */
        size_t count;
};

/* False: no memory. Without any key, count is 0: the labels name nothing of this kind. */
bool identity_of(const struct kind *kind, const struct labels *labels, struct arena *arena, struct identity *out_identity);

/* Whether the labels are so as the conditions say: each is there with that value. */
bool labels_meet(const struct labels *labels, const struct labels *conditions);

clean_fn *clean_find(struct str name);  /* NULL: no such row */
void clean_names(struct buf *out);      /* "text, full_host, ..." for messages */
