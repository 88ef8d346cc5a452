/*
 * api_accounts.c - sessions, users and tokens over HTTP. Secrets are hashed here, on a worker, before they become a
 * command: the journal never sees a clear one.
 */
#include "base/json.h"
#include "base/scope.h"
#include "serve/server.h"
#include "serve/sign_in.h"

#include <stdio.h>

static json_t *session_json(const struct asker *asker, const char *csrf)
{
        return json_pack("{s:{s:s, s:s, s:b, s:o}, s:s, s:i}", "user", "name", asker->name, "role", asker->role,
                         "must_change_password", asker->must_change, "scopes", scopes_json(asker->scopes), "csrf", csrf,
                         "password_chars_min", PASSWORD_CHARS_MIN);
}

static bool answer_done(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *done = json_pack("{s:s}", "status", "success");
        return request_answer_json(request, 200, done, err);
}

static void set_cookie(struct request *request, const char *secret, int64_t life_s)
{
        char cookie[256];
        snprintf(cookie, sizeof cookie, SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%ld%s", secret,
                 (long)life_s, request->is_tls ? "; Secure" : "");
        request_add_header(request, "Set-Cookie", cookie);
}

static bool begin_session(struct request *request, const struct asker *asker, struct err *err)
{
        struct server *server = server_of(request);
        char secret[SECRET_BYTES], hash[SECRET_HASH_BYTES], csrf[SECRET_HASH_BYTES];
        secret_create("", secret);
        secret_hash(str_of(secret), hash);
        secret_derive(str_of(secret), "csrf", csrf);
        struct str agent = str_slice(request_header(request, "User-Agent"), 0, 200);
        if (!str_is_utf8(agent))
                agent = STR("?");
        json_t *arguments = json_pack("{s:s, s:s, s:I, s:s, s:s%}", "hash", hash, "user", asker->name, "expires_ns",
                                      (json_int_t)(clock_now_ns(server->context.clock) + SESSION_LIFE_NS), "address",
                                      request->peer, "agent", agent.bytes ? agent.bytes : "", agent.length);
        if (!server_order(server, asker->name, "session_create", arguments, err))
                return false;
        set_cookie(request, secret, SESSION_LIFE_NS / NS_PER_S);
        scoped_ptr(json_decref) json_t *body = session_json(asker, csrf);
        return request_answer_json(request, 200, body, err);
}

/* Another site's page must not sign a browser in under its own name. */
static bool check_origin(struct request *request, struct err *err)
{
        struct str origin = request_header(request, "Origin"), host = request_header(request, "Host");
        size_t at;
        if (!origin.bytes)
                return true;
        return (str_find(origin, STR("://"), &at) && str_equal(str_slice(origin, at + 3, origin.length), host)) ||
               fail(err, ERR_FORBIDDEN, "serve", "sign-in comes from another site's page");
}

bool session_open(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!check_origin(request, err) || !request_json(request, &body, err))
                return false;
        struct str name = json_str(body, "name"), password = json_str(body, "password");
        struct str address = str_of(request->peer);
        struct asker asker;
        int64_t now_ns = clock_now_ns(server->context.clock);
        if (!name.bytes || !password.bytes)
                return fail(err, ERR_INVALID, "serve", "signing in needs {\"name\": ..., \"password\": ...}");
        if (!attempts_allow(server->attempts, name, address, now_ns, err))
                return false;
        bool is_right = accounts_by_password(server->accounts, name, password, &asker);
        attempts_count(server->attempts, name, address, is_right, now_ns);
        if (!is_right)
                return fail(err, ERR_UNAUTHENTICATED, "serve", "name or password is wrong");
        return begin_session(request, &asker, err);
}

bool session_show(struct request *request, struct err *err)
{
        char csrf[SECRET_HASH_BYTES] = "";
        sign_in_csrf(request, csrf);
        scoped_ptr(json_decref) json_t *body = session_json(asker_of(request), csrf);
        return request_answer_json(request, 200, body, err);
}

bool session_close(struct request *request, struct err *err)
{
        const struct asker *asker = asker_of(request);
        if (asker->kind != ASKER_USER)
                return fail(err, ERR_REFUSED, "serve", "there is no session to end; this request came with a token");
        if (!server_order(server_of(request), asker->name, "session_end", json_pack("{s:s}", "hash", asker->session_hash), err))
                return false;
        set_cookie(request, "", 0);
        return answer_done(request, err);
}

static bool order_password(struct request *request, struct str name, struct str password, bool must_change, struct err *err)
{
        char hash[PASSWORD_HASH_BYTES];
        if (!password_hash(password, hash, err))
                return false;
        json_t *arguments = json_pack("{s:s%, s:s, s:b}", "name", name.bytes, name.length, "password_hash", hash,
                                      "must_change", must_change);
        return server_order(server_of(request), asker_of(request)->name, "user_set_password", arguments, err);
}

bool session_password(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        const struct asker *asker = asker_of(request);
        scoped_ptr(json_decref) json_t *body = NULL;
        struct asker fresh;
        int64_t now_ns = clock_now_ns(server->context.clock);
        struct str name = str_of(asker->name), address = str_of(request->peer);
        if (asker->kind != ASKER_USER)
                return fail(err, ERR_REFUSED, "serve", "a token has no password");
        if (!request_json(request, &body, err) || !attempts_allow(server->attempts, name, address, now_ns, err))
                return false;
        struct str old = json_str(body, "old"), new = json_str(body, "new");
        bool is_right = old.bytes && accounts_by_password(server->accounts, name, old, &fresh);
        attempts_count(server->attempts, name, address, is_right, now_ns);
        if (!is_right)
                return fail(err, ERR_FORBIDDEN, "serve", "the old password is wrong");
        if (str_equal(old, new))
                return fail(err, ERR_INVALID, "serve", "the new password is the old one");
        fresh.must_change = false;
        return order_password(request, name, new, false, err) && begin_session(request, &fresh, err);
}

bool users_list(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:o}", "users", accounts_users(server_of(request)->accounts));
        return request_answer_json(request, 200, body, err);
}

bool users_add(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = NULL;
        char hash[PASSWORD_HASH_BYTES];
        if (!request_json(request, &body, err))
                return false;
        struct str name = json_str(body, "name"), role = json_str(body, "role");
        if (!account_name_check(name, err) || !password_hash(json_str(body, "password"), hash, err))
                return false;
        json_t *arguments = json_pack("{s:s%, s:s%, s:s, s:b}", "name", name.bytes, name.length, "role",
                                      role.bytes ? role.bytes : "", role.length, "password_hash", hash, "must_change",
                                      json_flag(body, "must_change_password", true));
        return server_order(server_of(request), asker_of(request)->name, "user_create", arguments, err) &&
               answer_done(request, err);
}

/* Each part of the change is a command of its own, in this order; the first that is refused ends it. */
bool users_change(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        const char *by = asker_of(request)->name;
        struct str name = request->captured[0];
        scoped_ptr(json_decref) json_t *body = NULL;
        if (!request_json(request, &body, err) || !account_name_check(name, err))
                return false;
        struct str role = json_str(body, "role"), password = json_str(body, "password");
        const json_t *disabled = json_object_get(body, "disabled");
        if (!role.bytes && !password.bytes && !json_is_boolean(disabled))
                return fail(err, ERR_INVALID, "serve", "nothing to change: give role, password or disabled");
        if (role.bytes && !server_order(server, by, "user_set_role",
                                        json_pack("{s:s%, s:s%}", "name", name.bytes, name.length, "role", role.bytes, role.length), err))
                return false;
        if (password.bytes && !order_password(request, name, password, !str_is(name, by), err))
                return false;
        if (json_is_boolean(disabled) &&
            !server_order(server, by, "user_disable",
                          json_pack("{s:s%, s:b}", "name", name.bytes, name.length, "disabled", json_is_true(disabled)), err))
                return false;
        return answer_done(request, err);
}

bool tokens_list(struct request *request, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:o}", "tokens", accounts_tokens(server_of(request)->accounts));
        return request_answer_json(request, 200, body, err);
}

bool tokens_add(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        scoped_ptr(json_decref) json_t *body = NULL;
        unsigned scopes;
        if (!request_json(request, &body, err) || !scopes_parse(json_object_get(body, "scopes"), &scopes, err) ||
            !account_name_check(json_str(body, "name"), err))
                return false;
        int64_t days = json_i64(body, "expires_days", 0);
        if (days < 0 || days > 3650)
                return fail(err, ERR_INVALID, "serve", "expires_days must be 1 to 3650, or 0 for never");
        int64_t expires_ns = days ? clock_now_ns(server->context.clock) + days * 86400 * NS_PER_S : 0;
        char secret[SECRET_BYTES], hash[SECRET_HASH_BYTES], id[9];
        secret_create("evk_", secret);
        secret_hash(str_of(secret), hash);
        snprintf(id, sizeof id, "%.8s", hash);
        const char *name = json_string_value(json_object_get(body, "name")), *by = asker_of(request)->name;
        json_t *arguments = json_pack("{s:s, s:s, s:s, s:i, s:s, s:I}", "id", id, "name", name, "hash", hash, "scopes",
                                      (int)scopes, "created_by", by, "expires_ns", (json_int_t)expires_ns);
        if (!server_order(server, by, "token_create", arguments, err))
                return false;
        scoped_ptr(json_decref) json_t *answer = json_pack("{s:s, s:s, s:s, s:o, s:s}", "id", id, "name", name, "token",
                                                           secret, "scopes", scopes_json(scopes), "user", by);
        return request_answer_json(request, 200, answer, err);
}

bool tokens_revoke(struct request *request, struct err *err)
{
        struct str id = request->captured[0];
        return account_name_check(id, err) && server_order(server_of(request), asker_of(request)->name, "token_revoke",
                            json_pack("{s:s%}", "id", id.bytes, id.length), err) &&
               answer_done(request, err);
}
