/*
 * route.c - see route.h. Rows are compared one after another: sixty short texts cost less than a microsecond, and a
 * table that is read in order needs no explanation.
 */
#include "serve/route.h"

#include "base/scope.h"
#include "model/batch.h"
#include "serve/console.h"
#include "serve/server.h"
#include "serve/sign_in.h"
#include "serve/submit.h"

#include <stdio.h>

const struct route routes[] = {
#define R(method, path, need, where, body_max, handler, tag, summary, parameters, request, response)                   \
        {method, path, need, where, body_max, handler, tag, summary, parameters, request, response, #handler},
#include "serve/routes.def"
#undef R
#define S(number, name, path, mask, decode, start, stop, check)                                                         \
        {HTTP_POST, path, NEED_INGEST, BY_SIZE, BATCH_BYTES_MAX, submit, "ingest", "Takes telemetry: " name ".", "",   \
         "Telemetry", "", "submit"},
#include "observe/sources.def"
#undef S
};
const size_t route_count = countof(routes);

static bool is_slot(struct str part)
{
        return part.length > 2 && part.bytes[0] == '{';
}

static bool path_matches(const char *pattern, struct str path, struct str out_captured[static 2])
{
        struct str want = str_of(pattern), want_part, part;
        int captured = 0;
        while (str_cut(&want, '/', &want_part)) {
                if (!str_cut(&path, '/', &part))
                        return false;
                if (is_slot(want_part) && part.length > 0)
                        out_captured[captured++] = part;
                else if (!str_equal(want_part, part))
                        return false;
        }
        return !path.bytes;
}

const struct route *route_find(enum http_method method, struct str path, struct arena *arena,
                               struct str out_captured[static 2], struct err *err)
{
        bool is_path = false;
        struct str captured[2] = {0};
        for (const struct route *route = routes; route < routes + route_count; route++) {
                if (!route->path || !path_matches(route->path, path, captured))
                        continue;
                is_path = true;
                if (route->method != method)
                        continue;
                for (int i = 0; i < 2; i++)
                        if (captured[i].bytes && !percent_decode(captured[i], arena, &out_captured[i], err))
                                return NULL;
                return route;
        }
        if (is_path)
                fail(err, ERR_METHOD, "serve", "%.*s does not take this method; /openapi.json lists what it takes", STR_ARGS(path));
        else
                fail(err, ERR_NOT_FOUND, "serve", "there is nothing at %.*s; /openapi.json lists what there is", STR_ARGS(path));
        return NULL;
}

#define LARGE_BODY_BYTES 262144 /* decoding more than this would keep an epoll thread from its other connections */

static bool is_large(struct request *request)
{
        uint64_t length;
        return !str_to_u64(request_header(request, "Content-Length"), &length) || length > LARGE_BODY_BYTES;
}

static bool read_form_then_run(struct request *request, struct err *err)
{
        const struct route *route = request->route;
        struct str type = request_header(request, "Content-Type");
        if (str_starts_with(type, STR("application/x-www-form-urlencoded")) &&
            !fields_parse((struct str){request->body.bytes, request->body.length}, &request->arena, &request->fields, err))
                return false;
        return route->handler(request, err);
}

/* Paths outside the API belong to the console, whose own pages are behind its sign-in. */
static bool is_console(const struct request *request)
{
        return request->method == HTTP_GET && !str_starts_with(request->raw_path, STR("/api/")) &&
               !str_starts_with(request->raw_path, STR("/loki/")) && !str_starts_with(request->raw_path, STR("/-/")) &&
               !str_starts_with(request->raw_path, STR("/v1/"));
}

bool route_begin(void *context, struct request *request, struct err *err)
{
        struct server *server = context;
        const struct route *route = route_find(request->method, request->raw_path, &request->arena, request->captured, err);
        if (!route && is_console(request)) {
                request->run = console_show;
                return true;
        }
        if (!route)
                return false;
        request->route = (void *)(uintptr_t)route;
        request->run = route->request && strcmp(route->request, "Form") == 0 ? read_form_then_run : route->handler;
        request->on_worker = route->where == WORKER || (route->where == BY_SIZE && is_large(request));
        request->body_max = route->body_max;
        return sign_in_check(server, request, route, err);
}
