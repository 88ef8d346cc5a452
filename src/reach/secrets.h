/*
 * secrets - what the configuration keeps under `secrets`, by name, for the threads that reach out; nothing else in the program knows them.
 *
 *      secrets_init -> secrets_set (each time the configuration is read), secrets_find -> secrets_done
 *
 * Any thread. A secret is a text, or {file: PATH}, read anew each time so that a changed file counts at once.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"

#include <jansson.h>

#define SECRET_BYTES_MAX ((size_t)64 << 10)

struct secrets {
        struct lock lock;
        json_t *by_name;        /* a copy of its own; NULL: none */
};

void secrets_init(struct secrets *secrets);
void secrets_done(struct secrets *secrets);
bool secrets_set(struct secrets *secrets, const json_t *by_name, struct err *err); /* copied; NULL: none */
bool secrets_find(struct secrets *secrets, struct str name, struct buf *out, struct err *err); /* appends */
/* Writes text with each of its places that hold the secret covered: for what others answer and may repeat. */
bool secret_cover(struct str text, struct str secret, struct buf *out);
