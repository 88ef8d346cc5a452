/* account_table - the rows behind account.h; the only SQL about accounts. Texts are borrowed. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "store/database.h"

#include <stdbool.h>
#include <stdint.h>

struct user_row {
        struct str name, role, password_hash;
        bool must_change, disabled;
        int64_t created_ns, changed_ns;
};

struct token_row {
        struct str id, name, hash, created_by;
        int64_t scopes, created_ns, expires_ns, revoked_ns;
};

struct session_row {
        struct str hash, user, address, agent;
        int64_t created_ns, expires_ns;
};

bool user_insert(struct database *state, const struct user_row *user, struct err *err);
bool user_update_password(struct database *state, const struct user_row *user, struct err *err);
bool user_update_role(struct database *state, const struct user_row *user, struct err *err);
bool user_update_disabled(struct database *state, const struct user_row *user, struct err *err);
bool user_count_admins(struct database *state, int64_t *out_count, struct err *err); /* active ones */
bool user_is_active(struct database *state, struct str name, bool *out_is_active, struct err *err);
bool token_insert(struct database *state, const struct token_row *token, struct err *err);
bool token_update_revoked(struct database *state, const struct token_row *token, struct err *err);
bool session_insert(struct database *state, const struct session_row *session, struct err *err);
bool session_delete(struct database *state, struct str hash, struct err *err);
bool session_delete_of_user(struct database *state, struct str user, struct err *err);
bool session_delete_expired(struct database *state, int64_t now_ns, struct err *err);
bool account_count(struct database *state, int64_t *out_users, int64_t *out_tokens, int64_t *out_sessions, struct err *err);

bool user_visit(struct database *state, bool (*visit)(void *context, const struct user_row *user), void *context,
                struct err *err);
bool token_visit(struct database *state, bool (*visit)(void *context, const struct token_row *token), void *context,
                 struct err *err);
bool session_visit(struct database *state, bool (*visit)(void *context, const struct session_row *session), void *context,
                   struct err *err);
