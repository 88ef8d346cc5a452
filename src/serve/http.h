/*
 * http - requests and answers over libmicrohttpd, which only http.c knows.
 *
 *      headers -> hooks.begin (route, who asks, bounds) -> body, bounded -> request.run -> answer
 *                    false: the error is the answer            |
 *                                                 request_hold -> ... -> request_resume (another thread)
 *
 * A small pool of threads waits on epoll; a request that has to wait (for the journal's commit, for a query) is held and
 * costs no thread. Requests with on_worker run on the server's worker threads, so that a long query never stands in the
 * way of a sender. What is bounded, and then refused and counted: connections, bytes of headers, of a body, of all bodies
 * together, requests waiting for a worker, the time to send headers and a body.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "serve/form.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct request;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };
const char *http_method_name(enum http_method method);

/* Answers the request, or fills err, from which the answer is made. */
typedef bool request_fn(struct request *request, struct err *err);

struct http_hooks {
        /* After the headers, on an epoll thread: sets run, on_worker and body_max. */
        bool (*begin)(void *context, struct request *request, struct err *err);
        void (*finished)(void *context, const struct request *request);
        void *context;
};

struct answer {
        int status;                     /* 0: not answered yet */
        const char *content_type;       /* a literal, or of the request's arena */
        struct buf body;                /* its bytes_max bounds the answer */
        struct { struct header { const char *name, *value; } *items; size_t count, capacity; } headers;
        struct str fixed;               /* instead of body: bytes that outlive the server */
        bool is_compressed;             /* the bytes are gzip already */
        bool is_stream;
        void (*stream_closed)(void *stream);
        void *stream;
};

struct request {
        struct http_server *server;
        void *house;                    /* hooks.context */
        struct arena arena;             /* everything of this request; bounded */
        enum http_method method;
        struct str raw_path, raw_query; /* as sent */
        struct fields fields;           /* of the query, then of a form body */
        char peer[64];                  /* address without port */
        bool is_loopback, is_tls;
        struct buf body;                /* as sent, still compressed */
        struct answer answer;
        int64_t begun_ns;               /* monotonic */

        request_fn *run;                /* set by hooks.begin ... */
        bool on_worker;
        size_t body_max;                /* 0: a body is refused */
        void *route;                    /* the hooks' own */
        struct str captured[2];         /* parts of the path, decoded */
        void *asker;                    /* who asks; arena-owned by the hooks */
        const void *held_for;           /* the handler's own, while it is held */

        struct request_wire *wire;      /* http.c's own */
};

struct str request_header(struct request *request, const char *name); /* bytes NULL when missing */

/* The answer, one of these; each may be called once. */
bool request_answer(struct request *request, int status, const char *content_type, struct str body); /* copies */
bool request_answer_json(struct request *request, int status, const json_t *body, struct err *err);
void request_answer_err(struct request *request, const struct err *err);
/* An answer that is written while it is sent: server-sent events. closed is called once, on any thread, when the
 * connection has ended; from then on the request is gone. Waits for none of the caller's locks but those closed takes. */
void request_answer_stream(struct request *request, const char *content_type, void (*closed)(void *stream), void *stream);
/* A header of the answer; texts are copied into the request's arena. */
bool request_add_header(struct request *request, const char *name, const char *value);

/* From request->run: no answer yet; run then returns true. Any thread may then fill in the answer and resume, once;
 * after resuming the request is not yours. */
void request_hold(struct request *request);
void request_resume(struct request *request);

#define STREAM_BYTES_MAX ((size_t)1 << 20) /* written but not yet sent */

/* Any thread, until closed was called. False: the reader is too slow, STREAM_BYTES_MAX wait already; nothing was taken. */
bool request_stream_write(struct request *request, struct str bytes);
void request_stream_end(struct request *request); /* after what was written is sent */

struct http_listener {
        const char *address;            /* "127.0.0.1", "::1", "0.0.0.0" */
        uint16_t port;                  /* 0: any free one; http_start writes it back */
        const char *certificate, *key;  /* PEM texts; NULL: no TLS */
};

struct http_options {
        struct http_listener *listeners;
        size_t listener_count;
        unsigned threads, workers;      /* 0: 2 and 4 */
        unsigned connections_max;       /* 0: 10,000 */
        size_t bodies_bytes_max;        /* of all requests together; 0: 256 MiB */
        size_t answer_bytes_max;        /* of one; 0: 256 MiB; twice that of all together */
        unsigned idle_s;                /* a connection without a byte; 0: 60 */
        unsigned headers_s;             /* until headers are complete; 0: 20 */
        unsigned body_s;                /* grace for a body; beyond it 16 KiB/s are wanted; 0: 30 */
};

struct http_stats {
        _Atomic uint64_t requests, connections, refused_connections, body_bytes, answer_bytes;
        _Atomic uint64_t bodies_held_bytes, answers_held_bytes; /* now */
        _Atomic uint64_t refused_busy, refused_large, slow_closed, streams, held;
        _Atomic uint64_t by_class[6];   /* answers by hundreds of the status */
        _Atomic uint64_t micros_total;  /* from headers to the end of the answer */
};

bool http_start(const struct http_options *options, const struct http_hooks *hooks, struct http_server **out_server,
                struct err *err);
/* True from http_stop on: queries stop by themselves. */
const _Atomic bool *http_stopping(const struct http_server *server);
const struct http_stats *http_read_stats(const struct http_server *server);
/* Refuses new requests, waits for held ones (their holders must still be running), ends. */
void http_stop(struct http_server *server);
