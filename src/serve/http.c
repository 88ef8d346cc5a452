/*
 * http.c - see http.h: libmicrohttpd driven so that neither a slow disk, a slow query nor a slow peer holds a thread.
 *
 * The trade: bodies are collected whole before they are handled (decoders want them whole anyway), bounded one by one and
 * all together. Time is bounded by one number a connection, its deadline: for headers, then for the body (which moves as
 * bytes arrive), then for sending. A thread looks at all deadlines once a second and shuts down the sockets that passed
 * theirs, and, when connections run short, those that wait for nothing; libmicrohttpd's own timeout only knows idleness, and a peer that sends a byte now and then is not idle.
 */
#include "serve/http_wire.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX ((size_t)256 << 20) /* of a request's arena */
#define CONNECTION_BYTES ((size_t)16 << 10)   /* headers must fit; 10,000 connections hold at most 160 MB */
#define DISCARD_BYTES_MAX ((uint64_t)128 << 20) /* read and thrown away so that a refused sender sees its answer */
#define DISCARD_CHUNKED_BYTES_MAX ((uint64_t)2 << 30) /* the same for a body whose length nobody knew: it can only be answered at its end */
#define BODY_BYTES_PER_S ((int64_t)16 << 10)  /* a body slower than this is not waited for */
#define WORKER_QUEUE_MAX 256
#define CROWDED_WAIT_NS (2 * NS_PER_S)        /* for headers, when nine tenths of all connections are open */
#define STOP_WAIT_MS 60000

const char *http_method_name(enum http_method method)
{
        static const char *const names[] = {"GET", "POST", "PUT", "DELETE", "OTHER"};
        return names[method];
}

static enum http_method method_of(const char *name)
{
        for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++)
                if (strcmp(name, http_method_name(method)) == 0)
                        return method;
        return strcmp(name, "HEAD") == 0 ? HTTP_GET : HTTP_OTHER;
}

static int64_t monotonic_ns(void)
{
        return clock_monotonic_ns(&clock_real);
}

void connection_deadline(struct connection *peer, int64_t seconds)
{
        if (peer)
                peer->deadline_ns = seconds ? monotonic_ns() + seconds * NS_PER_S : 0;
}

/* ---- receiving ---- */

static void refuse(struct request_wire *wire, struct err *err)
{
        struct http_stats *stats = &wire->request.server->stats;
        stats->refused_busy += err->code == ERR_BUSY;
        stats->refused_large += err->code == ERR_TOO_LARGE;
        request_answer_err(&wire->request, err);
}

static bool check_room(struct request_wire *wire, uint64_t more, struct err *err)
{
        struct request *request = &wire->request;
        size_t all_max = request->server->options.bodies_bytes_max;
        if (wire->received + more > request->body_max)
                return fail(err, request->body_max ? ERR_TOO_LARGE : ERR_INVALID, "serve",
                            "the body has more than the %zu bytes that this path takes", request->body_max);
        if (request->server->stats.bodies_held_bytes + more > all_max)
                return fail(err, ERR_BUSY, "serve", "bodies of %zu bytes are being received already; send it again later",
                            all_max);
        return true;
}

static uint64_t declared_length(struct request *request)
{
        uint64_t length = 0;
        struct str text = request_header(request, "Content-Length");
        if (!text.bytes && request_header(request, "Transfer-Encoding").bytes)
                return 0;
        return text.bytes && !str_to_u64(text, &length) ? UINT64_MAX : length;
}

static enum MHD_Result count_lengths(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
        (void)kind, (void)value;
        unsigned *lengths = context;
        *lengths += strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
        return MHD_YES;
}

static bool begin(struct request_wire *wire, uint64_t declared, struct err *err)
{
        struct request *request = &wire->request;
        struct http_server *server = request->server;
        if (server->stopping)
                return fail(err, ERR_IO, "serve", "the program is stopping; send it again in a few seconds");
        unsigned lengths = 0;
        MHD_get_connection_values(request->wire->connection, MHD_HEADER_KIND, count_lengths, &lengths);
        if (lengths > 1) {
                request_add_header(request, "Connection", "close"); /* what follows may be meant as anything */
                return fail(err, ERR_INVALID, "serve", "the request says more than once how long it is (Content-Length, Transfer-Encoding); "
                            "say it once");
        }
        if (!fields_parse(request->raw_query, &request->arena, &request->fields, err) ||
            !server->hooks.begin(server->hooks.context, request, err))
                return false;
        return !declared || check_room(wire, declared, err);
}

/* A refused body is read and dropped when it is small, so that the sender sees the answer and may keep the connection. */
static enum MHD_Result first_call(struct request_wire *wire)
{
        struct err err;
        uint64_t declared = declared_length(&wire->request);
        wire->state = REQUEST_RECEIVING;
        if (wire->peer)
                wire->peer->waiting_since_ns = 0;
        connection_deadline(wire->peer, wire->request.server->options.body_s);
        if (begin(wire, declared, &err))
                return MHD_YES;
        refuse(wire, &err);
        wire->state = REQUEST_DISCARDING;
        return declared > DISCARD_BYTES_MAX ? send_answer(wire) : MHD_YES;
}

static enum MHD_Result receive(struct request_wire *wire, const char *bytes, size_t count)
{
        struct request *request = &wire->request;
        struct err err;
        if (wire->peer)
                wire->peer->deadline_ns = request->begun_ns + request->server->options.body_s * NS_PER_S +
                                          (int64_t)(wire->received * (NS_PER_S / 1000) / (BODY_BYTES_PER_S / 1000));
        if (wire->state == REQUEST_DISCARDING) {
                wire->received += count;
                return wire->received > DISCARD_CHUNKED_BYTES_MAX ? MHD_NO : MHD_YES;
        }
        if (check_room(wire, count, &err) && !buf_append(&request->body, bytes, count))
                fail_memory(&err, "serve", count);
        else if (request->body.length == wire->received + count) {
                wire->received += count;
                wire->held_bytes += count;
                request->server->stats.bodies_held_bytes += count;
                request->server->stats.body_bytes += count;
                return MHD_YES;
        }
        refuse(wire, &err);
        wire->state = REQUEST_DISCARDING;
        return MHD_YES;
}

/* ---- running ---- */

/* False: it was held, another thread answers it, and may have done so already: it must not be touched. */
static bool run(struct request *request)
{
        struct err err = {0};
        bool stays_held = false;
        request->wire->stays_held = &stays_held;
        bool good = request->run(request, &err);
        if (!stays_held && !good)
                request_answer_err(request, &err);
        return !stays_held;
}

static void work(void *context)
{
        struct http_server *server = context;
        for (;;) {
                struct request *request = queue_pop(&server->jobs, -1);
                if (!request)
                        return;
                if (!run(request))
                        continue;
                compress_answer(request);
                request_resume(request);
        }
}

static void suspend(struct request *request)
{
        request->server->stats.held++;
        MHD_suspend_connection(request->wire->connection);
}

void request_hold(struct request *request)
{
        *request->wire->stays_held = true;
        if (!request->on_worker) /* else it is suspended since it was given to the worker */
                suspend(request);
}

void request_resume(struct request *request)
{
        struct http_server *server = request->server;
        MHD_resume_connection(request->wire->connection);
        server->stats.held--;
}

static void give_to_worker(struct request *request)
{
        struct http_server *server = request->server;
        struct err err;
        suspend(request);
        if (server->stats.answers_held_bytes <= 2 * server->options.answer_bytes_max &&
            queue_try_push(&server->jobs, request, 1))
                return;
        fail(&err, ERR_BUSY, "serve", "%d requests wait for a worker already, or answers not yet read fill their bound; "
             "ask again later", WORKER_QUEUE_MAX);
        refuse(request->wire, &err);
        request_resume(request);
}

static enum MHD_Result body_complete(struct request_wire *wire)
{
        struct request *request = &wire->request;
        bool is_refused = wire->state == REQUEST_DISCARDING;
        wire->state = REQUEST_RUNNING;
        connection_deadline(wire->peer, 0);
        if (is_refused)
                return send_answer(wire);
        if (request->on_worker) {
                give_to_worker(request);
                return MHD_YES;
        }
        return run(request) ? send_answer(wire) : MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_count, void **request_place)
{
        (void)context, (void)connection, (void)url, (void)version;
        struct request_wire *wire = *request_place;
        if (!wire)
                return MHD_NO; /* no memory for it */
        if (wire->state == REQUEST_NEW) {
                wire->request.method = method_of(method);
                return first_call(wire);
        }
        if (*upload_count) {
                size_t count = *upload_count;
                *upload_count = 0;
                return receive(wire, upload, count);
        }
        return wire->state == REQUEST_RUNNING ? send_answer(wire) : body_complete(wire);
}

/* ---- the life of a request and of a connection ---- */

static void fill_peer(struct request *request, struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *address = info ? info->client_addr : NULL;
        if (address && address->sa_family == AF_INET) {
                const struct in_addr *four = &((const struct sockaddr_in *)address)->sin_addr;
                inet_ntop(AF_INET, four, request->peer, sizeof request->peer);
                request->is_loopback = (ntohl(four->s_addr) >> 24) == 127;
        } else if (address && address->sa_family == AF_INET6) {
                const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
                inet_ntop(AF_INET6, six, request->peer, sizeof request->peer);
                request->is_loopback = IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
        }
        request->is_tls = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) != NULL;
}

static struct connection *peer_of(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return info ? info->socket_context : NULL;
}

static bool split_uri(struct request *request, const char *uri)
{
        struct str whole = arena_str(&request->arena, str_of(uri));
        char *query = strchr(uri, '?');
        request->raw_query = whole;
        str_cut(&request->raw_query, '?', &request->raw_path);
        if (query && query[1])
                query[1] = 0; /* libmicrohttpd would take it apart too, in the memory for headers, and hang when that is full */
        return whole.bytes;
}

/* The first that libmicrohttpd tells of a request: its exact path, before anything is decoded. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
        struct http_server *server = context;
        struct request_wire *wire = calloc(1, sizeof *wire);
        if (!wire)
                return NULL;
        struct request *request = &wire->request;
        request->server = server;
        request->wire = wire;
        request->house = server->hooks.context;
        request->begun_ns = monotonic_ns();
        request->answer.body.bytes_max = server->options.answer_bytes_max;
        wire->connection = connection;
        wire->peer = peer_of(connection);
        lock_init(&wire->lock, LOCK_SESSION);
        arena_init(&request->arena, REQUEST_BYTES_MAX);
        fill_peer(request, connection);
        server->stats.requests++;
        if (split_uri(request, uri))
                return wire;
        arena_done(&request->arena);
        free(wire);
        return NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_place,
                         enum MHD_RequestTerminationCode why)
{
        (void)connection, (void)why;
        struct http_server *server = context;
        struct request_wire *wire = give(*request_place);
        if (!wire)
                return;
        struct request *request = &wire->request;
        connection_deadline(wire->peer, server->options.idle_s);
        if (wire->peer)
                wire->peer->waiting_since_ns = monotonic_ns();
        if (request->answer.is_stream) {
                request->answer.stream_closed(request->answer.stream);
                server->stats.streams--;
        }
        if (server->hooks.finished)
                server->hooks.finished(server->hooks.context, request);
        server->stats.bodies_held_bytes -= wire->held_bytes;
        server->stats.answers_held_bytes -= wire->answer_bytes;
        server->stats.micros_total += (uint64_t)(monotonic_ns() - request->begun_ns) / 1000;
        lock_take(&wire->lock); /* whoever wrote the stream's last bytes may be about to release it */
        lock_release(&wire->lock);
        buf_done(&request->body);
        buf_done(&request->answer.body);
        buf_done(&wire->stream_bytes);
        arena_done(&request->arena);
        lock_done(&wire->lock);
        free(wire);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
        struct http_server *server = context;
        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                struct connection *peer = calloc(1, sizeof *peer);
                const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
                *socket_context = peer;
                server->stats.connections++;
                if (!peer)
                        return;
                peer->fd = info ? info->connect_fd : -1;
                connection_deadline(peer, server->options.headers_s);
                peer->waiting_since_ns = monotonic_ns();
                with_lock(&server->lock);
                peer->previous = &server->connections;
                peer->next = server->connections.next;
                peer->next->previous = server->connections.next = peer;
                return;
        }
        struct connection *peer = give(*socket_context);
        server->stats.connections--;
        if (!peer)
                return;
        lock_take(&server->lock);
        peer->previous->next = peer->next;
        peer->next->previous = peer->previous;
        lock_release(&server->lock);
        free(peer);
}

static void reap(void *context)
{
        struct http_server *server = context;
        while (!server->ended) {
                usleep(500000);
                int64_t now_ns = monotonic_ns();
                bool is_crowded = server->stats.connections > server->options.connections_max / 10 * 9;
                with_lock(&server->lock);
                for (struct connection *peer = server->connections.next; peer != &server->connections; peer = peer->next) {
                        bool is_idle = peer->waiting_since_ns && now_ns - peer->waiting_since_ns > CROWDED_WAIT_NS;
                        if (!peer->deadline_ns || (peer->deadline_ns > now_ns && !(is_crowded && is_idle)))
                                continue;
                        shutdown(peer->fd, SHUT_RDWR); /* its thread sees the end and cleans up */
                        peer->deadline_ns = 0;
                        server->stats.slow_closed++;
                }
        }
}

/* ---- the server ---- */

static void quiet(void *context, const char *format, va_list args)
{
        (void)context, (void)format, (void)args; /* every peer that goes away would be a line */
}

static bool bind_socket(struct http_listener *listener, int *out_fd, struct err *err)
{
        bool is_six = strchr(listener->address, ':');
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(listener->port)};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(listener->port)};
        struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
        socklen_t length = is_six ? sizeof six : sizeof four;
        if (inet_pton(is_six ? AF_INET6 : AF_INET, listener->address,
                      is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) != 1)
                return fail(err, ERR_INVALID, "serve", "\"%s\" is no IPv4 or IPv6 address to listen on", listener->address);
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fail_errno(err, errno, "serve", "making a socket for HTTP");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (is_six)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
        if (bind(fd, address, length) != 0 || listen(fd, 4096) != 0) {
                fail_errno(err, errno, "serve", "listening on %s port %u (is another program there? choose another port)",
                           listener->address, listener->port);
                close(fd);
                return false;
        }
        getsockname(fd, address, &length);
        listener->port = ntohs(is_six ? six.sin6_port : four.sin_port);
        *out_fd = fd;
        return true;
}

static bool start_daemon(struct http_server *server, struct http_listener *listener, struct err *err)
{
        int fd = -1;
        if (!bind_socket(listener, &fd, err))
                return false;
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
        struct MHD_OptionItem tls[] = {
                {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)listener->certificate},
                {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)listener->key},
                {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
                {MHD_OPTION_END, 0, NULL},
        };
        if (listener->certificate)
                flags |= MHD_USE_TLS;
        else
                tls[0] = tls[3];
        struct MHD_Daemon *daemon = MHD_start_daemon(
                flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET,
                fd, MHD_OPTION_THREAD_POOL_SIZE, server->options.threads, MHD_OPTION_CONNECTION_LIMIT,
                server->options.connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
                MHD_OPTION_CONNECTION_TIMEOUT, server->options.idle_s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
                MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
        if (!daemon) {
                close(fd);
                return fail(err, ERR_IO, "serve", "starting HTTP on %s port %u failed; %s", listener->address,
                            listener->port, listener->certificate ? "check that the certificate and the key are PEM and "
                                                                    "belong together" : "too few file descriptors?");
        }
        server->daemons[server->daemon_count++] = daemon;
        return true;
}

/* Every connection is a file descriptor. What the system does not grant is told by libmicrohttpd refusing to accept. */
static void raise_descriptors(unsigned wanted)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
                return;
        limit.rlim_cur = min_of((rlim_t)wanted, limit.rlim_max);
        setrlimit(RLIMIT_NOFILE, &limit);
}

static void fill_options(struct http_options *options)
{
        options->threads = options->threads ? options->threads : 2;
        options->workers = min_of(options->workers ? options->workers : 4, 16u);
        options->connections_max = options->connections_max ? options->connections_max : 10000;
        options->bodies_bytes_max = options->bodies_bytes_max ? options->bodies_bytes_max : (size_t)256 << 20;
        options->answer_bytes_max = options->answer_bytes_max ? options->answer_bytes_max : (size_t)256 << 20;
        options->idle_s = options->idle_s ? options->idle_s : 60;
        options->headers_s = options->headers_s ? options->headers_s : 20;
        options->body_s = options->body_s ? options->body_s : 30;
}

static bool start_threads(struct http_server *server, struct err *err)
{
        for (unsigned i = 0; i < server->options.workers; i++) {
                char name[32];
                snprintf(name, sizeof name, "http-work-%u", i);
                if (!thread_start(&server->workers[i], name, work, server, err))
                        return false;
        }
        return thread_start(&server->reaper, "http-reaper", reap, server, err);
}

bool http_start(const struct http_options *options, const struct http_hooks *hooks, struct http_server **out_server,
                struct err *err)
{
        if (options->listener_count > countof(((struct http_server *)0)->daemons))
                return fail(err, ERR_INVALID, "serve", "at most %zu HTTP listeners", countof(((struct http_server *)0)->daemons));
        struct http_server *server = calloc(1, sizeof *server);
        if (!server)
                return fail_memory(err, "serve", sizeof *server);
        server->options = *options;
        fill_options(&server->options);
        server->hooks = *hooks;
        server->connections.next = server->connections.previous = &server->connections;
        lock_init(&server->lock, LOCK_SERVE);
        queue_init(&server->jobs, WORKER_QUEUE_MAX);
        raise_descriptors(server->options.connections_max + 1000);
        *out_server = server; /* before the first request can look for it */
        bool good = start_threads(server, err);
        for (size_t i = 0; good && i < options->listener_count; i++)
                good = start_daemon(server, &options->listeners[i], err);
        if (!good) {
                http_stop(server);
                *out_server = NULL;
        }
        return good;
}

const _Atomic bool *http_stopping(const struct http_server *server)
{
        return &server->stopping;
}

const struct http_stats *http_read_stats(const struct http_server *server)
{
        return &server->stats;
}

void http_stop(struct http_server *server)
{
        if (!server)
                return;
        server->stopping = true;
        for (int waited_ms = 0; (server->stats.held || server->stats.streams) && waited_ms < STOP_WAIT_MS; waited_ms += 10)
                usleep(10000);
        queue_close(&server->jobs);
        for (unsigned i = 0; i < countof(server->workers); i++)
                thread_join(&server->workers[i]);
        server->ended = true;
        thread_join(&server->reaper);
        if (server->stats.held || server->stats.streams) {
                log_error("serve", "%lu requests are still held; HTTP is left as it is", (unsigned long)server->stats.held);
                return; /* libmicrohttpd must not be stopped under them */
        }
        for (size_t i = 0; i < server->daemon_count; i++)
                MHD_stop_daemon(server->daemons[i]);
        queue_done(&server->jobs);
        lock_done(&server->lock);
        free(server);
}
