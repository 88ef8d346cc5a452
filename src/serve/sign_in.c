/*
 * sign_in.c - see sign_in.h. Everything that opens a door is decided here, before a body is read, for API and console
 * alike; handlers only ask who it was.
 */
#include "serve/sign_in.h"

#include "base/hash.h"
#include "base/scope.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- attempts ---- */

#define PLACES 4096
#define NAME_FREE 5      /* wrong passwords before a name waits */
#define ADDRESS_FREE 20  /* and before an address does: people behind one address share it */
#define WAIT_S_MAX 300
#define FORGET_NS (15 * 60 * NS_PER_S)

struct place {
        uint32_t wrong;
        int64_t last_ns;
};

struct attempts {
        struct lock lock;
        struct place names[PLACES], addresses[PLACES];
};

bool attempts_create(struct attempts **out_attempts, struct err *err)
{
        struct attempts *attempts = calloc(1, sizeof *attempts);
        if (!attempts)
                return fail_memory(err, "serve", sizeof *attempts);
        lock_init(&attempts->lock, LOCK_SESSION);
        *out_attempts = attempts;
        return true;
}

void attempts_destroy(struct attempts *attempts)
{
        if (!attempts)
                return;
        lock_done(&attempts->lock);
        free(attempts);
}

static int64_t wait_ns(const struct place *place, uint32_t free_tries, int64_t now_ns)
{
        if (place->wrong < free_tries || now_ns - place->last_ns > FORGET_NS)
                return 0;
        uint32_t doublings = min_of(place->wrong - free_tries, 12u);
        int64_t wait = min_of((int64_t)1 << doublings, (int64_t)WAIT_S_MAX) * NS_PER_S;
        return max_of(place->last_ns + wait - now_ns, (int64_t)0);
}

bool attempts_allow(struct attempts *attempts, struct str name, struct str address, int64_t now_ns, struct err *err)
{
        with_lock(&attempts->lock);
        int64_t wait = max_of(wait_ns(&attempts->names[hash64(name) % PLACES], NAME_FREE, now_ns),
                              wait_ns(&attempts->addresses[hash64(address) % PLACES], ADDRESS_FREE, now_ns));
        return wait == 0 || fail(err, ERR_BUSY, "serve", "too many wrong passwords; try again in %d seconds",
                                 (int)(wait / NS_PER_S) + 1);
}

static void count(struct place *place, bool is_right, int64_t now_ns)
{
        if (is_right || now_ns - place->last_ns > FORGET_NS)
                place->wrong = 0;
        place->wrong += !is_right;
        place->last_ns = now_ns;
}

void attempts_count(struct attempts *attempts, struct str name, struct str address, bool is_right, int64_t now_ns)
{
        with_lock(&attempts->lock);
        count(&attempts->names[hash64(name) % PLACES], is_right, now_ns);
        if (!is_right) /* a right one does not buy an address more guesses at other names */
                count(&attempts->addresses[hash64(address) % PLACES], false, now_ns);
}

/* ---- who asks ---- */

static bool by_token(struct server *server, struct request *request, struct str header, struct asker *asker, struct err *err)
{
        struct str name, secret;
        char hash[SECRET_HASH_BYTES];
        if (!authorization_parse(header, &request->arena, &name, &secret, err))
                return false;
        secret_hash(secret, hash);
        if (request->is_loopback && secret_equal(str_of(hash), str_of(server->local_token_hash))) {
                *asker = (struct asker){.kind = ASKER_LOCAL, .name = "cli", .role = "admin", .scopes = SCOPES_ALL};
                return true;
        }
        return accounts_by_token(server->accounts, secret, clock_now_ns(server->context.clock), asker) ||
               fail(err, ERR_UNAUTHENTICATED, "serve", "the token is unknown, revoked or expired");
}

static struct str session_secret(struct request *request)
{
        return cookie_value(request_header(request, "Cookie"), SESSION_COOKIE);
}

bool sign_in_csrf(struct request *request, char out_csrf[static SECRET_HASH_BYTES])
{
        struct str secret = session_secret(request);
        if (!secret.bytes)
                return false;
        secret_derive(secret, "csrf", out_csrf);
        return true;
}

static bool check_csrf(struct request *request, struct err *err)
{
        char csrf[SECRET_HASH_BYTES];
        if (request->method == HTTP_GET)
                return true;
        return (sign_in_csrf(request, csrf) && secret_equal(request_header(request, CSRF_HEADER), str_of(csrf))) ||
               fail(err, ERR_FORBIDDEN, "serve", "with a session, writes need the header " CSRF_HEADER " as GET /api/v1/session gives it");
}

static bool by_session(struct server *server, struct request *request, struct asker *asker, struct err *err)
{
        struct str secret = session_secret(request);
        return (secret.bytes && accounts_by_session(server->accounts, secret, clock_now_ns(server->context.clock), asker)) ||
               fail(err, ERR_UNAUTHENTICATED, "serve", "sign in first, or send a token as \"Authorization: Bearer <token>\"");
}

/* A sender on this machine, and not a web page in a browser on this machine: pages send Origin with every POST. */
static bool is_local_sender(struct request *request)
{
        return request->is_loopback && !request_header(request, "Origin").bytes &&
               !request_header(request, "Sec-Fetch-Site").bytes && !request_header(request, "X-Forwarded-For").bytes;
}

static const unsigned scope_of_need[] = {
        [NEED_NOTHING] = 0,          [NEED_INGEST] = SCOPE_INGEST, [NEED_READ] = SCOPE_READ,   [NEED_WRITE] = SCOPE_WRITE,
        [NEED_ADMIN] = SCOPE_ADMIN,  [NEED_SIGN_IN] = 0,           [NEED_METRICS] = SCOPE_READ,
};

static bool check_scope(const struct asker *asker, const struct route *route, struct err *err)
{
        if (asker->must_change && route->need != NEED_SIGN_IN)
                return fail(err, ERR_FORBIDDEN, "serve", "choose a new password first (POST /api/v1/session/password)");
        if ((asker->scopes & scope_of_need[route->need]) == scope_of_need[route->need])
                return true;
        static const char *const names[] = {"", "ingest", "read", "write", "admin", "", "read"};
        return fail(err, ERR_FORBIDDEN, "serve", "%s %s needs the scope %s, which %s does not have",
                    http_method_name(route->method), route->path, names[route->need], asker->name);
}

bool sign_in_check(struct server *server, struct request *request, const struct route *route, struct err *err)
{
        struct asker *asker = request->asker = arena_new(&request->arena, struct asker);
        if (!asker)
                return fail_memory(err, "serve", sizeof *asker);
        struct str header = request_header(request, "Authorization");
        if (header.bytes)
                return by_token(server, request, header, asker, err) && check_scope(asker, route, err);
        if (route->need == NEED_NOTHING)
                return true;
        if ((route->need == NEED_INGEST || route->need == NEED_METRICS) && is_local_sender(request)) {
                *asker = (struct asker){.kind = ASKER_LOCAL, .name = "local", .scopes = scope_of_need[route->need]};
                return true;
        }
        return by_session(server, request, asker, err) && check_csrf(request, err) && check_scope(asker, route, err);
}
