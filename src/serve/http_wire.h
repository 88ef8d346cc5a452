/*
 * http_wire - what http.c (receiving, running) and http_answer.c (sending) share; nobody else includes it.
 */
#pragma once

#include "base/queue.h"
#include "base/thread.h"
#include "serve/http.h"

#include <microhttpd.h>

struct connection {
        struct connection *previous, *next;
        int fd;
        _Atomic int64_t deadline_ns; /* monotonic; 0: none */
        _Atomic int64_t waiting_since_ns; /* for the headers of a request; 0: a request is going on */
};

struct http_server {
        struct http_options options;
        struct http_hooks hooks;
        struct http_stats stats;
        struct lock lock; /* guards connections */
        struct connection connections;
        struct MHD_Daemon *daemons[8];
        size_t daemon_count;
        struct queue jobs;
        struct thread workers[16], reaper;
        _Atomic bool stopping, ended;
};

enum request_state { REQUEST_NEW, REQUEST_RECEIVING, REQUEST_DISCARDING, REQUEST_RUNNING };

struct request_wire {
        struct request request;
        struct MHD_Connection *connection;
        struct connection *peer;
        enum request_state state;
        bool *stays_held; /* lives on the stack of who runs it: the request may be gone when run returns */
        uint64_t received, held_bytes, answer_bytes;
        struct lock lock; /* guards stream_bytes, is_asleep, is_ended */
        struct buf stream_bytes;
        bool is_asleep, is_ended;
};

/* From now on the connection may take this long; 0: no bound. */
void connection_deadline(struct connection *peer, int64_t seconds);
/* gzip, when the asker takes it and it is worth it: on a worker's time, never on an epoll thread's. */
void compress_answer(struct request *request);
enum MHD_Result send_answer(struct request_wire *wire);
