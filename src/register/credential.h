/*
 * credential - secrets as they may be kept: passwords as Argon2id, everything random as BLAKE2b.
 *
 * Clear secrets live in the request that brought them and nowhere else: commands, journal and tables hold hashes.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define PASSWORD_HASH_BYTES 128
#define SECRET_BYTES 64         /* "evk_" and 43 characters, with the ending NUL and room */
#define SECRET_HASH_BYTES 65    /* 64 hexadecimal digits and a NUL */
#define PASSWORD_CHARS_MIN 12   /* the one rule; GET /api/v1/session tells it to the console */

bool credential_start(struct err *err); /* once, before any other; harmless when repeated */

/* 256 random bits after the prefix ("evk_"). */
void secret_create(const char *prefix, char out_secret[static SECRET_BYTES]);
void secret_hash(struct str secret, char out_hash[static SECRET_HASH_BYTES]);
/* A value that only who knows the secret can name, for one purpose ("csrf"). */
void secret_derive(struct str secret, const char *purpose, char out_value[static SECRET_HASH_BYTES]);
bool secret_equal(struct str a, struct str b); /* in a time that does not tell where they differ */

/* A password for people to type once: four groups of five letters and digits that are hard to mix up. */
#define PASSWORD_ONCE_BYTES 24
void password_create(char out_password[static PASSWORD_ONCE_BYTES]);
/* UTF-8, at least PASSWORD_CHARS_MIN characters (not bytes), not too long. */
bool password_check(struct str password, struct err *err);
/* Argon2id with 19 MiB and two passes (OWASP's choice); takes tens of milliseconds. */
bool password_hash(struct str password, char out_hash[static PASSWORD_HASH_BYTES], struct err *err);
/* hash NULL: takes as long as a real one and says no, so that nobody learns which names exist. */
bool password_matches(const char *hash, struct str password);
