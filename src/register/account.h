/*
 * account - who may ask for what: users with a role, tokens with scopes, sessions of signed-in users.
 *
 * Written only by commands, on the loop's thread, through account_apply; their arguments hold hashes, never secrets.
 * Read by many threads from `struct accounts`, a copy in memory that is loaded again after each command.
 *
 *      scopes   ingest  send telemetry         roles   viewer    read
 *               read    query, look            (of     operator  read, write
 *               write   order, change          users)  admin     all
 *               admin   users, tokens, backup
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "register/credential.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct database;

enum scope { SCOPE_INGEST = 1, SCOPE_READ = 2, SCOPE_WRITE = 4, SCOPE_ADMIN = 8 };
#define SCOPES_ALL 15u

#define ACCOUNT_NAME_BYTES 65
#define SESSION_IDLE_NS ((int64_t)8 * 3600 * 1000000000)      /* without a request */
#define SESSION_LIFE_NS ((int64_t)7 * 24 * 3600 * 1000000000) /* whatever happens */

unsigned role_scopes(struct str role);             /* 0: no such role */
bool scopes_parse(const json_t *names, unsigned *out_scopes, struct err *err); /* ["read", "ingest"] */
json_t *scopes_json(unsigned scopes);
bool account_name_check(struct str name, struct err *err); /* letters, digits and ._@- , at most 64 */

/* The tables: a migration of the state database. */
extern const char account_schema[];

/* user_create       name role password_hash must_change
 * user_set_password name password_hash must_change        ends the user's sessions
 * user_set_role     name role
 * user_disable      name disabled                          ends the user's sessions
 * token_create      id name hash scopes(number) created_by expires_ns(0: never)
 * token_revoke      id
 * session_create    hash user expires_ns address agent
 * session_end       hash
 * Within the caller's transaction. The last active admin can be neither disabled nor made less. ERR_NOT_FOUND for any
 * other verb. out_result (never NULL) becomes an object, the caller's. */
bool account_apply(struct database *state, const char *verb, const json_t *arguments, int64_t time_ns,
                   json_t **out_result, struct err *err);
bool account_handles(const char *verb); /* whether account_apply knows the verb */

/* Arguments of user_create for the first administrator, and the password to print once. */
bool account_first_admin(json_t **out_arguments, char out_password[static PASSWORD_ONCE_BYTES], struct err *err);

/* Who asks, as a request keeps it. */
enum asker_kind { ASKER_NOBODY, ASKER_USER, ASKER_TOKEN, ASKER_LOCAL };
struct asker {
        enum asker_kind kind;
        char name[ACCOUNT_NAME_BYTES];
        char role[16];                  /* of users */
        unsigned scopes;
        bool must_change;               /* nothing is allowed but a new password */
        char session_hash[SECRET_HASH_BYTES];
        int64_t expires_ns;
};

struct accounts;
bool accounts_create(struct accounts **out_accounts, struct err *err);
void accounts_destroy(struct accounts *accounts);
/* Reads all again; from a reader of the state database. On failure the old copy stays. */
bool accounts_load(struct accounts *accounts, struct database *state, int64_t now_ns, struct err *err);
size_t accounts_user_count(struct accounts *accounts);

/* The asker of a secret, when it is known, not expired, not revoked and its user not disabled. */
bool accounts_by_token(struct accounts *accounts, struct str secret, int64_t now_ns, struct asker *out_asker);
bool accounts_by_session(struct accounts *accounts, struct str secret, int64_t now_ns, struct asker *out_asker);
/* What signing in needs; slow by design, one at a time. False: no such user, wrong password, or disabled. */
bool accounts_by_password(struct accounts *accounts, struct str name, struct str password, struct asker *out_asker);

/* Lists for people, without hashes. NULL: no memory. */
json_t *accounts_users(struct accounts *accounts);
json_t *accounts_tokens(struct accounts *accounts);
