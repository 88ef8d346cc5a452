/*
 * http_client - outgoing HTTP, many requests at once, driven by one thread (libcurl's multi interface).
 *
 *      http_client_create -> http_client_start (many) -> http_client_run until done was called for each -> destroy
 *
 * One thread owns a client; only http_client_wake may be called from others. Time limits, a bound for the plain body,
 * http and https only. A redirect is followed within the same scheme, host and port (at most five times), and elsewhere
 * only when the request says so: else a target could lead us to what it may not reach itself.
 * Tests give a fake network: then nothing leaves the process and each request is answered on the spot.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_HEADERS_MAX 16
#define HTTP_REDIRECTS_MAX 5

struct http_request {
        const char *method;             /* NULL: GET */
        const char *url;
        const char *headers[HTTP_HEADERS_MAX]; /* "Accept: text/plain"; ended by NULL or the array */
        struct str body;                /* for POST and PUT; borrowed until done */
        int64_t timeout_ms;             /* of the whole; 0: 10 s */
        size_t body_bytes_max;          /* of the plain answer; 0: 16 MiB */
        bool follows_elsewhere;
        bool accepts_gzip;
        const char *ca_file;            /* NULL: the system's */
        bool insecure;                  /* any certificate is good: the operator's word */
};

struct http_response {
        long status;
        struct buf body;
        char content_type[256];
        int64_t duration_ns;            /* first to last byte, connecting included */
        int64_t retry_after_s;          /* 0: none given */
};

/* err NULL: there is a response, whatever its status. The response is the client's and gone after the call; its body may
 * be taken with buf_take. */
typedef void http_done_fn(void *context, struct http_response *response, const struct err *err);

/* Answers a request in a test; false and err is a network fault. */
typedef bool http_fake_fn(void *context, const struct http_request *request, struct http_response *response,
                          struct err *err);

struct http_client;

/* fake NULL: the real network. in_flight_max: more started requests wait for their turn. */
bool http_client_create(size_t in_flight_max, http_fake_fn *fake, void *fake_context, struct http_client **out_client,
                        struct err *err);
void http_client_destroy(struct http_client *client); /* requests under way are dropped; done is not called */

/* The request's texts are copied, its body is not. done is called by http_client_run, later. */
bool http_client_start(struct http_client *client, const struct http_request *request, http_done_fn *done, void *context,
                       struct err *err);

/* Works for up to wait_ms, returning early when something was done or woken. */
void http_client_run(struct http_client *client, int64_t wait_ms);
void http_client_wake(struct http_client *client);    /* from any thread */
size_t http_client_in_flight(const struct http_client *client);

/* Starts one request and waits for it; for callers with nothing else to do. out_response's body is the caller's. */
bool http_fetch(struct http_client *client, const struct http_request *request, struct http_response *out_response,
                struct err *err);
