/*
 * accounts.c - the copy in memory that every request is checked against (account.h).
 *
 * Loaded whole: accounts change a few times a day, requests come thousands a second. Lookups are by the hash of the
 * secret, so their time tells nothing about the secret. What is not worth a command (when a session or token was last
 * used) lives only here and survives a load, not a restart.
 */
#include "register/account.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "base/thread.h"
#include "register/account_table.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct user {
        struct user_row row;
};

struct token {
        struct token_row row;
        int64_t used_ns;
};

struct session {
        struct session_row row;
        int64_t used_ns;
};

struct copy {
        struct arena arena;
        struct { struct user *items; size_t count, capacity; } users;
        struct { struct token *items; size_t count, capacity; } tokens;
        struct { struct session *items; size_t count, capacity; } sessions;
        struct map token_map, session_map;
};

struct accounts {
        struct lock lock;          /* guards copy */
        struct lock password_lock; /* one Argon2id at a time: it is made to cost memory */
        struct copy *copy;
};

static void copy_destroy(struct copy *copy)
{
        if (!copy)
                return;
        map_done(&copy->token_map);
        map_done(&copy->session_map);
        arena_done(&copy->arena);
        free(copy);
}
SCOPED_PTR(copy_destroy, struct copy)

bool accounts_create(struct accounts **out_accounts, struct err *err)
{
        struct accounts *accounts = calloc(1, sizeof *accounts);
        struct copy *copy = calloc(1, sizeof *copy);
        if (!accounts || !copy || !credential_start(err)) {
                free(accounts);
                free(copy);
                return fail_memory(err, "register", sizeof *accounts);
        }
        accounts->copy = copy;
        lock_init(&accounts->lock, LOCK_SESSION);
        lock_init(&accounts->password_lock, LOCK_SERVE);
        *out_accounts = accounts;
        return true;
}

void accounts_destroy(struct accounts *accounts)
{
        if (!accounts)
                return;
        copy_destroy(accounts->copy);
        lock_done(&accounts->lock);
        lock_done(&accounts->password_lock);
        free(accounts);
}

static bool keep(struct arena *arena, struct str *text)
{
        *text = arena_str(arena, *text);
        return text->bytes;
}

static bool take_user(void *context, const struct user_row *row)
{
        struct copy *copy = context;
        struct user *user = arena_push(&copy->arena, &copy->users);
        if (!user)
                return false;
        user->row = *row;
        return keep(&copy->arena, &user->row.name) && keep(&copy->arena, &user->row.role) &&
               keep(&copy->arena, &user->row.password_hash);
}

static bool take_token(void *context, const struct token_row *row)
{
        struct copy *copy = context;
        struct token *token = arena_push(&copy->arena, &copy->tokens);
        if (!token)
                return false;
        token->row = *row;
        return keep(&copy->arena, &token->row.id) && keep(&copy->arena, &token->row.name) &&
               keep(&copy->arena, &token->row.hash) && keep(&copy->arena, &token->row.created_by) &&
               map_put(&copy->token_map, hash64(token->row.hash), (uint32_t)(copy->tokens.count - 1));
}

static bool take_session(void *context, const struct session_row *row)
{
        struct copy *copy = context;
        struct session *session = arena_push(&copy->arena, &copy->sessions);
        if (!session)
                return false;
        session->row = *row;
        return keep(&copy->arena, &session->row.hash) && keep(&copy->arena, &session->row.user) &&
               keep(&copy->arena, &session->row.address) && keep(&copy->arena, &session->row.agent) &&
               map_put(&copy->session_map, hash64(session->row.hash), (uint32_t)(copy->sessions.count - 1));
}

static struct token *token_of(struct copy *copy, struct str hash)
{
        size_t at;
        for (uint32_t i = map_first(&copy->token_map, hash64(hash), &at); i != MAP_NONE;
             i = map_next(&copy->token_map, hash64(hash), &at))
                if (secret_equal(copy->tokens.items[i].row.hash, hash))
                        return &copy->tokens.items[i];
        return NULL;
}

static struct session *session_of(struct copy *copy, struct str hash)
{
        size_t at;
        for (uint32_t i = map_first(&copy->session_map, hash64(hash), &at); i != MAP_NONE;
             i = map_next(&copy->session_map, hash64(hash), &at))
                if (secret_equal(copy->sessions.items[i].row.hash, hash))
                        return &copy->sessions.items[i];
        return NULL;
}

static const struct user *user_of(const struct copy *copy, struct str name)
{
        each (user, &copy->users)
                if (str_equal(user->row.name, name))
                        return user;
        return NULL;
}

static void carry_over(struct copy *from, struct copy *to, int64_t now_ns)
{
        each (token, &to->tokens) {
                struct token *old = token_of(from, token->row.hash);
                token->used_ns = old ? old->used_ns : 0;
        }
        each (session, &to->sessions) {
                struct session *old = session_of(from, session->row.hash);
                session->used_ns = old ? old->used_ns : now_ns;
        }
}

bool accounts_load(struct accounts *accounts, struct database *state, int64_t now_ns, struct err *err)
{
        scoped_ptr(copy_destroy) struct copy *copy = calloc(1, sizeof *copy);
        if (!copy)
                return fail_memory(err, "register", sizeof *copy);
        arena_init(&copy->arena, (size_t)64 << 20);
        if (!user_visit(state, take_user, copy, err) || !token_visit(state, take_token, copy, err) ||
            !session_visit(state, take_session, copy, err))
                return err_within(err, "loading the accounts");
        with_lock(&accounts->lock);
        carry_over(accounts->copy, copy, now_ns);
        struct copy *old = accounts->copy;
        accounts->copy = copy;
        copy = old; /* ended with the scope */
        return true;
}

size_t accounts_user_count(struct accounts *accounts)
{
        with_lock(&accounts->lock);
        return accounts->copy->users.count;
}

static void fill_user(const struct user *user, struct asker *out_asker)
{
        *out_asker = (struct asker){.kind = ASKER_USER, .scopes = role_scopes(user->row.role),
                                    .must_change = user->row.must_change};
        snprintf(out_asker->name, sizeof out_asker->name, "%.*s", STR_ARGS(user->row.name));
        snprintf(out_asker->role, sizeof out_asker->role, "%.*s", STR_ARGS(user->row.role));
}

bool accounts_by_token(struct accounts *accounts, struct str secret, int64_t now_ns, struct asker *out_asker)
{
        char hash[SECRET_HASH_BYTES];
        secret_hash(secret, hash);
        with_lock(&accounts->lock);
        struct token *token = token_of(accounts->copy, str_of(hash));
        if (!token || token->row.revoked_ns || (token->row.expires_ns && token->row.expires_ns <= now_ns))
                return false;
        token->used_ns = now_ns;
        *out_asker = (struct asker){.kind = ASKER_TOKEN, .scopes = (unsigned)token->row.scopes & SCOPES_ALL,
                                    .expires_ns = token->row.expires_ns};
        snprintf(out_asker->name, sizeof out_asker->name, "%.*s", STR_ARGS(token->row.name));
        return true;
}

bool accounts_by_session(struct accounts *accounts, struct str secret, int64_t now_ns, struct asker *out_asker)
{
        char hash[SECRET_HASH_BYTES];
        secret_hash(secret, hash);
        with_lock(&accounts->lock);
        struct session *session = session_of(accounts->copy, str_of(hash));
        const struct user *user = session ? user_of(accounts->copy, session->row.user) : NULL;
        if (!user || user->row.disabled || session->row.expires_ns <= now_ns ||
            session->used_ns + SESSION_IDLE_NS <= now_ns)
                return false;
        session->used_ns = max_of(session->used_ns, now_ns);
        fill_user(user, out_asker);
        out_asker->expires_ns = session->row.expires_ns;
        memcpy(out_asker->session_hash, hash, sizeof hash);
        return true;
}

bool accounts_by_password(struct accounts *accounts, struct str name, struct str password, struct asker *out_asker)
{
        char hash[PASSWORD_HASH_BYTES];
        bool is_known = false;
        lock_take(&accounts->lock);
        const struct user *user = user_of(accounts->copy, name);
        if (user && !user->row.disabled && user->row.password_hash.length < sizeof hash) {
                snprintf(hash, sizeof hash, "%.*s", STR_ARGS(user->row.password_hash));
                fill_user(user, out_asker);
                is_known = true;
        }
        lock_release(&accounts->lock);
        with_lock(&accounts->password_lock);
        return password_matches(is_known ? hash : NULL, password);
}

/* Nanoseconds as text: a JavaScript number cannot hold them. 0 is null. */
static json_t *time_json(int64_t time_ns)
{
        char text[24];
        snprintf(text, sizeof text, "%ld", (long)time_ns);
        return time_ns ? json_string(text) : json_null();
}

static int64_t last_sign_in(const struct copy *copy, struct str user)
{
        int64_t newest_ns = 0;
        each (session, &copy->sessions)
                if (str_equal(session->row.user, user))
                        newest_ns = max_of(newest_ns, session->row.created_ns);
        return newest_ns;
}

json_t *accounts_users(struct accounts *accounts)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        bool good = list;
        with_lock(&accounts->lock);
        each (user, &accounts->copy->users) {
                const struct user_row *row = &user->row;
                good &= 0 == json_array_append_new(list, json_pack("{s:s%, s:s%, s:b, s:b, s:o, s:o, s:o}", "name", row->name.bytes,
                                                      row->name.length, "role", row->role.bytes, row->role.length,
                                                      "disabled", row->disabled, "must_change_password", row->must_change,
                                                      "created_ns", time_json(row->created_ns), "changed_ns",
                                                      time_json(row->changed_ns), "last_sign_in_ns",
                                                      time_json(last_sign_in(accounts->copy, row->name))));
        }
        return good ? give(list) : NULL;
}

json_t *accounts_tokens(struct accounts *accounts)
{
        scoped_ptr(json_decref) json_t *list = json_array();
        bool good = list;
        with_lock(&accounts->lock);
        each (token, &accounts->copy->tokens) {
                const struct token_row *row = &token->row;
                good &= 0 == json_array_append_new(list, json_pack("{s:s%, s:s%, s:o, s:s%, s:o, s:o, s:o, s:o}", "id", row->id.bytes,
                                                      row->id.length, "name", row->name.bytes, row->name.length, "scopes",
                                                      scopes_json((unsigned)row->scopes), "user", row->created_by.bytes,
                                                      row->created_by.length, "created_ns", time_json(row->created_ns),
                                                      "expires_ns", time_json(row->expires_ns), "revoked_ns",
                                                      time_json(row->revoked_ns), "last_used_ns",
                                                      time_json(token->used_ns)));
        }
        return good ? give(list) : NULL;
}
