/*
 * resolve - asks DNS for the records of a name, of the system's servers or of a given one, within a time limit (c-ares).
 *
 * Blocking with a deadline (monotonic). Nothing is cached: who asks wants to know what the server says now.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define RESOLVE_ANSWERS_MAX 64

struct resolve_answers {
        struct str texts[RESOLVE_ANSWERS_MAX]; /* addresses, names, texts; of the arena; more are left out */
        size_t count;
};

/* type: "A", "AAAA", "CNAME", "MX", "NS" or "TXT". server NULL: the system's; else an address, or "address:port".
 * ERR_NOT_FOUND: the server says that there is none. */
bool resolve(const char *name, const char *type, const char *server, int64_t deadline_ns, struct arena *arena, struct resolve_answers *out_answers,
             struct err *err);
bool resolve_knows_type(struct str type);
