/* account_table.c - see account_table.h. */
#include "register/account_table.h"

#include "base/scope.h"
#include "register/account.h"

const char account_schema[] =
        "CREATE TABLE account_user (name TEXT PRIMARY KEY, role TEXT NOT NULL, password_hash TEXT NOT NULL,"
        " must_change INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0, created_ns INTEGER NOT NULL,"
        " changed_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE account_token (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,"
        " scopes INTEGER NOT NULL, created_by TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
        " revoked_ns INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
        "CREATE TABLE account_session (hash TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES account_user (name),"
        " created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL)"
        " STRICT, WITHOUT ROWID;"
        "CREATE INDEX account_session_user ON account_session (user);";

/* A bind function per row: the places are the same in every statement about it. */
static void bind_user(struct query *query, const void *context)
{
        const struct user_row *user = context;
        query_bind_str(query, 1, user->name);
        query_bind_str(query, 2, user->role);
        query_bind_str(query, 3, user->password_hash);
        query_bind_i64(query, 4, user->must_change);
        query_bind_i64(query, 5, user->disabled);
        query_bind_i64(query, 6, user->changed_ns);
}

static void bind_password(struct query *query, const void *context)
{
        const struct user_row *user = context;
        query_bind_str(query, 1, user->name);
        query_bind_str(query, 2, user->password_hash);
        query_bind_i64(query, 3, user->must_change);
        query_bind_i64(query, 4, user->changed_ns);
}

static void bind_role(struct query *query, const void *context)
{
        const struct user_row *user = context;
        query_bind_str(query, 1, user->name);
        query_bind_str(query, 2, user->role);
        query_bind_i64(query, 3, user->changed_ns);
}

static void bind_disabled(struct query *query, const void *context)
{
        const struct user_row *user = context;
        query_bind_str(query, 1, user->name);
        query_bind_i64(query, 2, user->disabled);
        query_bind_i64(query, 3, user->changed_ns);
}

static void bind_token(struct query *query, const void *context)
{
        const struct token_row *token = context;
        query_bind_str(query, 1, token->id);
        query_bind_str(query, 2, token->name);
        query_bind_str(query, 3, token->hash);
        query_bind_i64(query, 4, token->scopes);
        query_bind_str(query, 5, token->created_by);
        query_bind_i64(query, 6, token->created_ns);
        query_bind_i64(query, 7, token->expires_ns);
}

static void bind_revoked(struct query *query, const void *context)
{
        const struct token_row *token = context;
        query_bind_str(query, 1, token->id);
        query_bind_i64(query, 2, token->revoked_ns);
}

static void bind_session(struct query *query, const void *context)
{
        const struct session_row *session = context;
        query_bind_str(query, 1, session->hash);
        query_bind_str(query, 2, session->user);
        query_bind_i64(query, 3, session->created_ns);
        query_bind_i64(query, 4, session->expires_ns);
        query_bind_str(query, 5, session->address);
        query_bind_str(query, 6, session->agent);
}

static void bind_text(struct query *query, const void *context)
{
        query_bind_str(query, 1, *(const struct str *)context);
}

static void bind_number(struct query *query, const void *context)
{
        query_bind_i64(query, 1, *(const int64_t *)context);
}

/* For statements that must meet a row. */
static bool met(struct database *state, const char *what, struct str name, struct err *err)
{
        return database_changes(state) > 0 ||
               fail(err, ERR_NOT_FOUND, "register", "there is no %s \"%.*s\"", what, STR_ARGS(name));
}

bool user_insert(struct database *state, const struct user_row *user, struct err *err)
{
        return query_run(state,
                         "INSERT INTO account_user (name, role, password_hash, must_change, disabled, created_ns,"
                         " changed_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                         bind_user, user, err);
}

bool user_update_password(struct database *state, const struct user_row *user, struct err *err)
{
        return query_run(state,
                         "UPDATE account_user SET password_hash = ?2, must_change = ?3, changed_ns = ?4 WHERE name = ?1",
                         bind_password, user, err) &&
               met(state, "user", user->name, err);
}

bool user_update_role(struct database *state, const struct user_row *user, struct err *err)
{
        return query_run(state, "UPDATE account_user SET role = ?2, changed_ns = ?3 WHERE name = ?1", bind_role, user,
                         err) &&
               met(state, "user", user->name, err);
}

bool user_update_disabled(struct database *state, const struct user_row *user, struct err *err)
{
        return query_run(state, "UPDATE account_user SET disabled = ?2, changed_ns = ?3 WHERE name = ?1", bind_disabled,
                         user, err) &&
               met(state, "user", user->name, err);
}

bool user_count_admins(struct database *state, int64_t *out_count, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT count(*) FROM account_user WHERE role = 'admin' AND disabled = 0", err) ||
            !query_step(&query, err))
                return false;
        *out_count = query_i64(&query, 0);
        return true;
}

bool user_is_active(struct database *state, struct str name, bool *out_is_active, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT 1 FROM account_user WHERE name = ?1 AND disabled = 0", err))
                return false;
        query_bind_str(&query, 1, name);
        *out_is_active = query_step(&query, err);
        return query_good(&query);
}

bool token_insert(struct database *state, const struct token_row *token, struct err *err)
{
        return query_run(state,
                         "INSERT INTO account_token (id, name, hash, scopes, created_by, created_ns, expires_ns)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         bind_token, token, err);
}

bool token_update_revoked(struct database *state, const struct token_row *token, struct err *err)
{
        return query_run(state, "UPDATE account_token SET revoked_ns = ?2 WHERE id = ?1 AND revoked_ns = 0", bind_revoked,
                         token, err) &&
               met(state, "active token", token->id, err);
}

bool session_insert(struct database *state, const struct session_row *session, struct err *err)
{
        return query_run(state,
                         "INSERT INTO account_session (hash, user, created_ns, expires_ns, address, agent)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                         bind_session, session, err);
}

bool session_delete(struct database *state, struct str hash, struct err *err)
{
        return query_run(state, "DELETE FROM account_session WHERE hash = ?1", bind_text, &hash, err);
}

bool session_delete_of_user(struct database *state, struct str user, struct err *err)
{
        return query_run(state, "DELETE FROM account_session WHERE user = ?1", bind_text, &user, err);
}

bool session_delete_expired(struct database *state, int64_t now_ns, struct err *err)
{
        return query_run(state, "DELETE FROM account_session WHERE expires_ns <= ?1", bind_number, &now_ns, err);
}

bool account_count(struct database *state, int64_t *out_users, int64_t *out_tokens, int64_t *out_sessions, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT (SELECT count(*) FROM account_user), (SELECT count(*) FROM account_token),"
                         " (SELECT count(*) FROM account_session)",
                         err) ||
            !query_step(&query, err))
                return false;
        *out_users = query_i64(&query, 0);
        *out_tokens = query_i64(&query, 1);
        *out_sessions = query_i64(&query, 2);
        return true;
}

bool user_visit(struct database *state, bool (*visit)(void *context, const struct user_row *user), void *context,
                struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT name, role, password_hash, must_change, disabled, created_ns, changed_ns"
                         " FROM account_user ORDER BY name",
                         err))
                return false;
        while (query_step(&query, err)) {
                struct user_row user = {query_str(&query, 0), query_str(&query, 1), query_str(&query, 2),
                                        query_i64(&query, 3), query_i64(&query, 4), query_i64(&query, 5),
                                        query_i64(&query, 6)};
                if (!visit(context, &user))
                        return fail_memory(err, "register", sizeof user);
        }
        return query_good(&query);
}

bool token_visit(struct database *state, bool (*visit)(void *context, const struct token_row *token), void *context,
                 struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state,
                         "SELECT id, name, hash, created_by, scopes, created_ns, expires_ns, revoked_ns"
                         " FROM account_token ORDER BY created_ns, id",
                         err))
                return false;
        while (query_step(&query, err)) {
                struct token_row token = {query_str(&query, 0), query_str(&query, 1), query_str(&query, 2),
                                          query_str(&query, 3), query_i64(&query, 4), query_i64(&query, 5),
                                          query_i64(&query, 6), query_i64(&query, 7)};
                if (!visit(context, &token))
                        return fail_memory(err, "register", sizeof token);
        }
        return query_good(&query);
}

bool session_visit(struct database *state, bool (*visit)(void *context, const struct session_row *session), void *context,
                   struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT hash, user, address, agent, created_ns, expires_ns FROM account_session", err))
                return false;
        while (query_step(&query, err)) {
                struct session_row session = {query_str(&query, 0), query_str(&query, 1), query_str(&query, 2),
                                              query_str(&query, 3), query_i64(&query, 4), query_i64(&query, 5)};
                if (!visit(context, &session))
                        return fail_memory(err, "register", sizeof session);
        }
        return query_good(&query);
}
