/*
 * route - which handler answers a path, who may ask, and how it is described: one table for all three.
 */
#pragma once

#include "base/err.h"
#include "serve/http.h"

#include <stddef.h>
#include <stdint.h>

enum route_need { NEED_NOTHING, NEED_INGEST, NEED_READ, NEED_WRITE, NEED_ADMIN, NEED_SIGN_IN, NEED_METRICS };
enum route_where { HERE, WORKER, BY_SIZE }; /* BY_SIZE: a worker only when the body is large */

struct route {
        enum http_method method;
        const char *path;
        enum route_need need;
        enum route_where where;
        size_t body_max;
        request_fn *handler;
        const char *tag, *summary, *parameters, *request, *response;
        const char *handler_name;
};

extern const struct route routes[];
extern const size_t route_count;

/* Splits by '/', decodes what {name} stands for into out_captured. ERR_NOT_FOUND, or ERR_METHOD with out_allowed. */
const struct route *route_find(enum http_method method, struct str path, struct arena *arena,
                               struct str out_captured[static 2], struct err *err);

/* The hooks of http.h; context is the server. */
bool route_begin(void *context, struct request *request, struct err *err);
