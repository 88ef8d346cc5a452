/*
 * server - what the handlers of serve/ share. Only files of serve/ include it.
 *
 * A handler is a request_fn: it answers the request or fills err. Those that may take long run on workers (routes.def).
 */
#pragma once

#include "base/thread.h"
#include "register/account.h"
#include "serve/http.h"
#include "serve/route.h"
#include "serve/serve.h"

struct attempts;
struct live;

struct server {
        struct serve_context context;
        struct http_server *http;
        struct accounts *accounts;
        struct lock reader_lock;        /* guards reader */
        struct database *reader;        /* of the state database */
        struct attempts *attempts;
        struct live *live;
        int64_t started_ns;
        char local_token_hash[SECRET_HASH_BYTES]; /* of cli.token */
};

static inline struct server *server_of(const struct request *request)
{
        return request->house;
}

static inline struct asker *asker_of(const struct request *request)
{
        return request->asker;
}

/* Orders a command in the asker's name and loads the accounts again. Takes arguments (NULL: no memory). */
bool server_order(struct server *server, const char *by, const char *verb, json_t *arguments, struct err *err);

/* The request's body as JSON; an empty body is an empty object. The caller's. */
bool request_json(struct request *request, json_t **out_json, struct err *err);
struct str request_field(const struct request *request, const char *name);
/* A whole number of the request's fields within bounds; `otherwise` when it is missing. */
bool request_number(const struct request *request, const char *name, int64_t otherwise, int64_t least, int64_t most,
                    int64_t *out_number, struct err *err);
/* Time limit of a query: the field `timeout`, at most the server's own. Monotonic, for selects. */
bool request_deadline(const struct request *request, int64_t *out_deadline_ns, struct err *err);

#define HANDLER(name) bool name(struct request *request, struct err *err);
#define R(method, path, need, where, body_max, handler, tag, summary, parameters, request, response) HANDLER(handler)
#include "serve/routes.def"
#undef R
#undef HANDLER
