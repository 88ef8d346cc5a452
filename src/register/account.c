/*
 * account.c - see account.h: what each verb changes. Driven by the loop, one command after another, so a check and the
 * change that follows it see the same rows.
 */
#include "register/account.h"

#include "base/json.h"
#include "base/scope.h"
#include "register/account_table.h"

#include <ctype.h>
#include <stdio.h>

#define USERS_MAX 10000
#define TOKENS_MAX 10000
#define SESSIONS_MAX 10000

static const struct { const char *name; unsigned scopes; } roles[] = {
        {"viewer", SCOPE_READ},
        {"operator", SCOPE_READ | SCOPE_WRITE},
        {"admin", SCOPES_ALL},
};

static const struct { const char *name; unsigned scope; } scope_names[] = {
        {"ingest", SCOPE_INGEST},
        {"read", SCOPE_READ},
        {"write", SCOPE_WRITE},
        {"admin", SCOPE_ADMIN},
};

unsigned role_scopes(struct str role)
{
        for (size_t i = 0; i < countof(roles); i++)
                if (str_is(role, roles[i].name))
                        return roles[i].scopes;
        return 0;
}

static unsigned scope_of(struct str name)
{
        for (size_t i = 0; i < countof(scope_names); i++)
                if (str_is(name, scope_names[i].name))
                        return scope_names[i].scope;
        return 0;
}

bool scopes_parse(const json_t *names, unsigned *out_scopes, struct err *err)
{
        unsigned scopes = 0;
        for (size_t i = 0; i < json_array_size(names); i++) {
                const char *name = json_string_value(json_array_get(names, i));
                unsigned scope = scope_of(str_of(name));
                if (!scope)
                        return fail(err, ERR_INVALID, "register", "\"%s\" is no scope; there are ingest, read, write, admin",
                                    name ? name : "?");
                scopes |= scope;
        }
        if (!scopes)
                return fail(err, ERR_INVALID, "register", "a token needs at least one of the scopes ingest, read, write, admin");
        *out_scopes = scopes;
        return true;
}

json_t *scopes_json(unsigned scopes)
{
        json_t *names = json_array();
        for (size_t i = 0; names && i < countof(scope_names); i++)
                if (scopes & scope_names[i].scope)
                        json_array_append_new(names, json_string(scope_names[i].name));
        return names;
}

bool account_name_check(struct str name, struct err *err)
{
        bool good = name.length > 0 && name.length < ACCOUNT_NAME_BYTES;
        for (size_t i = 0; good && i < name.length; i++)
                good = isalnum((unsigned char)name.bytes[i]) || (name.bytes[i] && strchr("._@-", name.bytes[i]));
        return good || fail(err, ERR_INVALID, "register", "a name has 1 to %d letters, digits or . _ @ -", ACCOUNT_NAME_BYTES - 1);
}

/* The last one who can let others in must stay. Called after the change, in its transaction. */
static bool check_admin_left(struct database *state, struct err *err)
{
        int64_t admins;
        return user_count_admins(state, &admins, err) &&
               (admins > 0 || fail(err, ERR_REFUSED, "register", "this is the last active administrator; make another one first"));
}

static struct user_row user_of(const json_t *arguments, int64_t time_ns)
{
        return (struct user_row){
                .name = json_str(arguments, "name"),
                .role = json_str(arguments, "role"),
                .password_hash = json_str(arguments, "password_hash"),
                .must_change = json_flag(arguments, "must_change", false),
                .disabled = json_flag(arguments, "disabled", false),
                .created_ns = time_ns,
                .changed_ns = time_ns,
        };
}

static bool check_role(const struct user_row *user, struct err *err)
{
        return role_scopes(user->role) ||
               fail(err, ERR_INVALID, "register", "\"%.*s\" is no role; there are viewer, operator, admin", STR_ARGS(user->role));
}

static bool check_password_hash(const struct user_row *user, struct err *err)
{
        return str_starts_with(user->password_hash, STR("$argon2id$")) ||
               fail(err, ERR_INVALID, "register", "the password must come as an Argon2id hash");
}

static bool user_create(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct user_row user = user_of(arguments, time_ns);
        int64_t users, tokens, sessions;
        if (!account_name_check(user.name, err) || !check_role(&user, err) || !check_password_hash(&user, err) ||
            !account_count(state, &users, &tokens, &sessions, err))
                return false;
        if (users >= USERS_MAX)
                return fail(err, ERR_FULL, "register", "there are %d users already", USERS_MAX);
        if (user_insert(state, &user, err))
                return true;
        return err && err->code == ERR_CONFLICT
                       ? fail(err, ERR_CONFLICT, "register", "a user \"%.*s\" exists already", STR_ARGS(user.name))
                       : false;
}

static bool user_set_password(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct user_row user = user_of(arguments, time_ns);
        return check_password_hash(&user, err) && user_update_password(state, &user, err) &&
               session_delete_of_user(state, user.name, err);
}

static bool user_set_role(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct user_row user = user_of(arguments, time_ns);
        return check_role(&user, err) && user_update_role(state, &user, err) && check_admin_left(state, err);
}

static bool user_disable(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct user_row user = user_of(arguments, time_ns);
        user.disabled = json_flag(arguments, "disabled", true);
        return user_update_disabled(state, &user, err) && check_admin_left(state, err) &&
               session_delete_of_user(state, user.name, err);
}

static bool token_create(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct token_row token = {
                .id = json_str(arguments, "id"),
                .name = json_str(arguments, "name"),
                .hash = json_str(arguments, "hash"),
                .created_by = json_str(arguments, "created_by"),
                .scopes = json_i64(arguments, "scopes", 0),
                .created_ns = time_ns,
                .expires_ns = json_i64(arguments, "expires_ns", 0),
        };
        int64_t users, tokens, sessions;
        if (!account_name_check(token.name, err) || !account_count(state, &users, &tokens, &sessions, err))
                return err_within(err, "making a token");
        if (tokens >= TOKENS_MAX)
                return fail(err, ERR_FULL, "register", "there are %d tokens already", TOKENS_MAX);
        if (token.id.length == 0 || token.hash.length != SECRET_HASH_BYTES - 1 || !(token.scopes & SCOPES_ALL))
                return fail(err, ERR_INVALID, "register", "a token needs an id, a hash and scopes");
        if (token.expires_ns && token.expires_ns <= time_ns)
                return fail(err, ERR_INVALID, "register", "the token would have expired already");
        if (token.created_by.bytes == NULL)
                token.created_by = STR("");
        return token_insert(state, &token, err);
}

static bool token_revoke(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct token_row token = {.id = json_str(arguments, "id"), .revoked_ns = time_ns};
        return token_update_revoked(state, &token, err);
}

static bool session_create(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        struct session_row session = {
                .hash = json_str(arguments, "hash"),
                .user = json_str(arguments, "user"),
                .address = json_str(arguments, "address"),
                .agent = json_str(arguments, "agent"),
                .created_ns = time_ns,
                .expires_ns = json_i64(arguments, "expires_ns", time_ns + SESSION_LIFE_NS),
        };
        bool is_active = false;
        int64_t users, tokens, sessions;
        if (session.hash.length != SECRET_HASH_BYTES - 1)
                return fail(err, ERR_INVALID, "register", "a session needs a hash");
        if (!user_is_active(state, session.user, &is_active, err) || !session_delete_expired(state, time_ns, err) ||
            !account_count(state, &users, &tokens, &sessions, err))
                return false;
        if (!is_active)
                return fail(err, ERR_FORBIDDEN, "register", "the user \"%.*s\" is disabled or gone", STR_ARGS(session.user));
        if (sessions >= SESSIONS_MAX)
                return fail(err, ERR_FULL, "register", "%d sessions are open already", SESSIONS_MAX);
        if (!session.address.bytes)
                session.address = STR("");
        if (!session.agent.bytes)
                session.agent = STR("");
        return session_insert(state, &session, err);
}

static bool session_end(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err)
{
        (void)time_ns;
        return session_delete(state, json_str(arguments, "hash"), err);
}

static const struct verb {
        const char *name;
        bool (*apply)(struct database *state, const json_t *arguments, int64_t time_ns, struct err *err);
} verbs[] = {
        {"user_create", user_create},
        {"user_set_password", user_set_password},
        {"user_set_role", user_set_role},
        {"user_disable", user_disable},
        {"token_create", token_create},
        {"token_revoke", token_revoke},
        {"session_create", session_create},
        {"session_end", session_end},
};

static const struct verb *verb_of(const char *name)
{
        for (size_t i = 0; i < countof(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

bool account_handles(const char *verb)
{
        return verb_of(verb);
}

bool account_apply(struct database *state, const char *verb, const json_t *arguments, int64_t time_ns,
                   json_t **out_result, struct err *err)
{
        const struct verb *row = verb_of(verb);
        if (!row)
                return fail(err, ERR_NOT_FOUND, "register", "no command \"%s\" about accounts", verb);
        if (!row->apply(state, arguments, time_ns, err))
                return err_within(err, "%s", verb);
        *out_result = json_object();
        return *out_result || fail_memory(err, "register", sizeof(void *));
}

bool account_first_admin(json_t **out_arguments, char out_password[static PASSWORD_ONCE_BYTES], struct err *err)
{
        char hash[PASSWORD_HASH_BYTES];
        password_create(out_password);
        if (!password_hash(str_of(out_password), hash, err))
                return false;
        *out_arguments = json_pack("{s:s, s:s, s:s, s:b}", "name", "admin", "role", "admin", "password_hash", hash,
                                   "must_change", true);
        return *out_arguments || fail_memory(err, "register", sizeof(void *));
}
