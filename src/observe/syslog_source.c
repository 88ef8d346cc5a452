/*
 * syslog_source.c - see syslog_source.h. The hottest path of the program.
 *
 * One thread and one epoll. Bytes go from the socket straight into the memory of the batch that will be decoded; nothing here
 * looks at single lines. A connection owns memory only while it has an unfinished message or a batch that intake refused,
 * so ten thousand idle ones cost little. FIONREAD says how large a batch to make: small when a sender is quiet, a
 * quarter of a megabyte when it is busy. When a round brought little and came soon after the last one, the loop pauses for a
 * millisecond: a fast sender of single lines then costs one batch a millisecond and not one a line.
 *
 *      connection:  handshake (TLS) -> reading <-> held (intake is full: not polled, tried every 5 ms) -> closed
 */
#include "observe/syslog_source.h"

#include "base/log.h"
#include "base/json.h"
#include "base/thread.h"
#include "observe/syslog_batch.h"
#include "observe/syslog_datagrams.h"
#include "observe/syslog_listen.h"
#include "observe/syslog_tls.h"
#include "wire/syslog_frames.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES_MAX ((size_t)2 << 20)
#define LISTENERS_MAX 32
#define EVENTS_MAX 256
#define CONNECTIONS_MAX 10000
#define PARTIAL_WAIT_NS (30 * NS_PER_S)   /* for the rest of a message */
#define HANDSHAKE_WAIT_NS (10 * NS_PER_S)
#define PARTIAL_BYTES_MAX ((size_t)64 << 20) /* of all connections; beyond, those with much unfinished are ended */
#define PARTIAL_BYTES_FAIR ((size_t)4 << 10)
#define RETRY_MS 5                        /* how often a full intake is tried again */
#define SWEEP_NS NS_PER_S
#define PAUSE_NS NS_PER_MS
#define SMALL_ROUND_BYTES ((size_t)64 << 10)

enum watch_kind { WATCH_WAKE, WATCH_LISTENER, WATCH_CONNECTION };

struct watch { /* first in everything that epoll points to */
        enum watch_kind kind;
        int fd;
        uint32_t events;
};

struct listener {
        struct watch watch;
        struct listen_socket socket;
        struct datagrams *datagrams;   /* UDP and Unix */
        struct tls_server *tls;
};

struct connection {
        struct watch watch;
        struct connection *next, *previous;
        const char *source;            /* "syslog-tcp" or "syslog-tls" */
        struct tls_session *tls;
        bool is_shaking_hands, has_ended;
        struct syslog_frames frames;
        char *partial;                 /* an unfinished message */
        size_t partial_length;
        int64_t since_ns;              /* of the partial message, or of the handshake */
        struct batch *held;            /* refused by a full intake */
        char host[64];
};

struct syslog_source {
        struct intake *intake;
        struct thread thread;
        int epoll_fd;
        struct watch wake;
        _Atomic bool stopping;
        struct listener listeners[LISTENERS_MAX];
        size_t listeners_count;
        struct connection *connections;
        size_t connections_count, connections_max, held_count;
        bool is_stuck;                 /* a datagram listener waits for intake */
        bool listeners_rest;           /* out of descriptors: accepting begins again at the next sweep */
        int64_t swept_ns;
        size_t round_bytes, partial_bytes;
};

static void watch_for(struct syslog_source *source, struct watch *watch, uint32_t events)
{
        if (watch->events == events)
                return;
        struct epoll_event event = {.events = events, .data.ptr = watch};
        epoll_ctl(source->epoll_fd, watch->events == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd, &event);
        watch->events = events;
}

static void connection_close(struct syslog_source *source, struct connection *connection)
{
        if (connection->held) {
                source->held_count--;
                source_dropped(source->intake, str_of(connection->source), 1);
                batch_destroy(connection->held);
        }
        tls_session_destroy(connection->tls);
        close(connection->watch.fd);
        syslog_frames_done(&connection->frames);
        free(connection->partial);
        source->partial_bytes -= connection->partial_length;
        if (connection->previous)
                connection->previous->next = connection->next;
        else
                source->connections = connection->next;
        if (connection->next)
                connection->next->previous = connection->previous;
        source->connections_count--;
        free(connection);
}

/* Offers a batch; a refused one is held and the connection not read until it is taken. */
static void connection_offer(struct syslog_source *source, struct connection *connection, struct batch *batch)
{
        bool was_held = connection->held != NULL;
        connection->held = batch;
        bool is_busy = syslog_batch_offer(source->intake, &connection->held) == SYSLOG_BUSY;
        source->held_count += (size_t)is_busy - (size_t)was_held;
        watch_for(source, &connection->watch, is_busy ? 0 : EPOLLIN | EPOLLRDHUP);
}

/* Keeps what frames_take left; its memory is exactly as large as it is. A message that goes on keeps its age. */
static bool keep_partial(struct syslog_source *source, struct connection *connection, const char *bytes, size_t count,
                         struct err *err)
{
        char *kept = count ? malloc(count) : NULL;
        if (count && !kept)
                return fail_memory(err, "syslog", count);
        if (count)
                memcpy(kept, bytes, count);
        free(connection->partial);
        bool goes_on = connection->partial_length && !connection->frames.consumed;
        source->partial_bytes += count - connection->partial_length;
        connection->partial = kept;
        connection->partial_length = count;
        if (!goes_on)
                connection->since_ns = clock_monotonic_ns(&clock_real);
        return true;
}

/* Takes whole messages out of bytes (the batch's) and offers them; at_end the rest is a message too. */
static bool take_messages(struct syslog_source *source, struct connection *connection, struct batch *batch, char *bytes,
                          size_t count, bool at_end, struct err *err)
{
        struct syslog_frames *frames = &connection->frames;
        uint64_t cut_before = frames->cut;
        if (!syslog_frames_take(frames, bytes, count, at_end, err) ||
            !keep_partial(source, connection, bytes + frames->consumed, count - frames->consumed, err)) {
                batch_destroy(batch);
                return false;
        }
        if (frames->cut != cut_before)
                source_parse_failure(source->intake, str_of(connection->source), frames->cut - cut_before);
        if (!frames->messages.length) {
                batch_destroy(batch);
                return true;
        }
        if (!syslog_batch_fill(batch, intake_clock(source->intake), frames->messages, connection->host,
                               buf_str(&frames->inner_newlines), err)) {
                batch_destroy(batch);
                return false;
        }
        buf_done(&frames->inner_newlines);
        connection_offer(source, connection, batch);
        return true;
}

/* What the socket holds, so that the batch is made as large as needed; at least a little, to see its end. */
static size_t bytes_waiting(const struct connection *connection)
{
        int waiting = 0;
        ioctl(connection->watch.fd, FIONREAD, &waiting);
        size_t plain = connection->tls ? tls_session_pending(connection->tls) : 0;
        size_t all = (waiting > 0 ? (size_t)waiting : 0) + plain;
        return min_of(all, READ_BYTES_MAX) + 1;
}

enum got { GOT_SOME, GOT_NOTHING, GOT_END };

static enum got receive_plain(struct connection *connection, char *bytes, size_t count, size_t *out_count)
{
        ssize_t got = recv(connection->watch.fd, bytes, count, MSG_DONTWAIT);
        *out_count = got > 0 ? (size_t)got : 0;
        if (got > 0)
                return GOT_SOME;
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? GOT_NOTHING : GOT_END;
}

/* TLS gives a record at a time; goes on until the room is used, so that no plain bytes wait without an event. */
static enum got receive_tls(struct connection *connection, char *bytes, size_t count, size_t *out_count)
{
        size_t length = 0;
        enum got got = GOT_SOME;
        while (got == GOT_SOME && length < count) {
                struct err err;
                size_t here = 0;
                enum tls_step step = tls_session_read(connection->tls, bytes + length, count - length, &here, &err);
                length += here;
                if (step == TLS_FAILED || (step == TLS_DONE && here == 0))
                        got = GOT_END;
                else if (step == TLS_AGAIN)
                        got = GOT_NOTHING;
        }
        *out_count = length;
        return got == GOT_NOTHING && length ? GOT_SOME : got;
}

/* The last bytes of a connection that has ended or takes too long are a message. */
static bool end_messages(struct syslog_source *source, struct connection *connection, struct err *err)
{
        if (!connection->partial_length)
                return true;
        char *bytes;
        size_t count = connection->partial_length;
        struct batch *batch = syslog_batch_create(connection->source, count + 1, &bytes, err);
        if (!batch)
                return false;
        memcpy(bytes, connection->partial, count);
        return take_messages(source, connection, batch, bytes, count, true, err);
}

static void connection_fail(struct syslog_source *source, struct connection *connection, const struct err *err)
{
        source_dropped(source->intake, str_of(connection->source), 1);
        source_state(source->intake, str_of(connection->source), "syslog", true, "%s: %s", connection->host, err->message);
        connection_close(source, connection);
}

static void connection_end(struct syslog_source *source, struct connection *connection)
{
        struct err err;
        connection->has_ended = true;
        if (!end_messages(source, connection, &err))
                connection_fail(source, connection, &err);
        else if (!connection->held)
                connection_close(source, connection);
}

static void connection_read(struct syslog_source *source, struct connection *connection)
{
        struct err err;
        char *bytes;
        size_t waiting = bytes_waiting(connection), old = connection->partial_length, count = 0;
        struct batch *batch = syslog_batch_create(connection->source, old + waiting, &bytes, &err);
        if (!batch) {
                connection_fail(source, connection, &err);
                return;
        }
        if (old)
                memcpy(bytes, connection->partial, old);
        enum got got = connection->tls ? receive_tls(connection, bytes + old, waiting, &count)
                                       : receive_plain(connection, bytes + old, waiting, &count);
        source->round_bytes += count;
        if (!count)
                batch_destroy(batch);
        else if (!take_messages(source, connection, batch, bytes, old + count, false, &err)) {
                connection_fail(source, connection, &err);
                return;
        }
        bool is_unfair = source->partial_bytes > PARTIAL_BYTES_MAX && connection->partial_length > PARTIAL_BYTES_FAIR;
        if (got == GOT_END || is_unfair)
                connection_end(source, connection);
        else if (connection->tls && tls_session_pending(connection->tls) && !connection->held)
                connection_read(source, connection); /* at most a record is left: once more */
}

static void connection_handshake(struct syslog_source *source, struct connection *connection)
{
        bool writes = false;
        struct err err;
        enum tls_step step = tls_session_handshake(connection->tls, &writes, &err);
        if (step == TLS_FAILED) {
                source_parse_failure(source->intake, str_of(connection->source), 1);
                source_state(source->intake, str_of(connection->source), "syslog", false, "%s: %s", connection->host,
                             err.message);
                connection_close(source, connection);
                return;
        }
        connection->is_shaking_hands = step != TLS_DONE;
        watch_for(source, &connection->watch, step == TLS_AGAIN && writes ? EPOLLOUT : EPOLLIN | EPOLLRDHUP);
        if (step == TLS_DONE)
                connection_read(source, connection);
}

static void connection_ready(struct syslog_source *source, struct connection *connection, uint32_t events)
{
        if (connection->held) {
                if (events & (EPOLLERR | EPOLLHUP)) /* told even unasked: stop listening until the batch is taken */
                        epoll_ctl(source->epoll_fd, EPOLL_CTL_DEL, connection->watch.fd, NULL),
                                connection->watch.events = UINT32_MAX;
        } else if (connection->is_shaking_hands) {
                connection_handshake(source, connection);
        } else {
                connection_read(source, connection);
        }
}

static bool connection_create(struct syslog_source *source, struct listener *listener, int fd,
                              const union socket_address *peer, socklen_t length, struct err *err)
{
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
                return fail_memory(err, "syslog", sizeof *connection);
        connection->watch = (struct watch){WATCH_CONNECTION, fd, UINT32_MAX};
        connection->source = listen_sources[listener->socket.how];
        connection->since_ns = clock_monotonic_ns(&clock_real);
        connection->is_shaking_hands = listener->tls != NULL;
        if (listener->tls && !tls_session_create(listener->tls, fd, &connection->tls, err)) {
                free(connection);
                return false;
        }
        peer_name(peer, length, connection->host, sizeof connection->host);
        connection->next = source->connections;
        if (connection->next)
                connection->next->previous = connection;
        source->connections = connection;
        source->connections_count++;
        watch_for(source, &connection->watch, EPOLLIN | EPOLLRDHUP);
        return true;
}

static void refuse(struct syslog_source *source, struct listener *listener, int fd, const char *why)
{
        struct str name = str_of(listen_sources[listener->socket.how]);
        close(fd);
        source_state(source->intake, name, "syslog", true, "a connection was refused: %s", why);
}

static void listener_accept(struct syslog_source *source, struct listener *listener)
{
        for (size_t accepted = 0; accepted < 64; accepted++) {
                union socket_address peer = {0};
                socklen_t length = sizeof peer;
                int fd = accept4(listener->watch.fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
                if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
                        watch_for(source, &listener->watch, 0);
                        source->listeners_rest = true;
                        source_state(source->intake, str_of(listen_sources[listener->socket.how]), "syslog", true,
                                     "no connection can be accepted: out of descriptors; raise LimitNOFILE");
                }
                if (fd < 0)
                        return;
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
                struct err err;
                if (source->connections_count >= source->connections_max)
                        refuse(source, listener, fd, "as many as connections_max are open");
                else if (!connection_create(source, listener, fd, &peer, length, &err))
                        refuse(source, listener, fd, err.message);
        }
}

static void listener_ready(struct syslog_source *source, struct listener *listener)
{
        if (!listener->datagrams) {
                listener_accept(source, listener);
                return;
        }
        if (!datagrams_read(listener->datagrams, clock_monotonic_ns(&clock_real), &source->round_bytes)) {
                watch_for(source, &listener->watch, 0);
                source->is_stuck = true;
        }
}

/* What a full intake refused is offered again. */
static void retry_held(struct syslog_source *source)
{
        for (struct connection *connection = source->connections, *next; connection && source->held_count;
             connection = next) {
                next = connection->next;
                if (!connection->held)
                        continue;
                connection_offer(source, connection, connection->held);
                if (connection->held)
                        return; /* still full: the others need not be tried */
                if (connection->has_ended)
                        connection_close(source, connection);
        }
}

static void flush_datagrams(struct syslog_source *source, int64_t now_ns)
{
        source->is_stuck = false;
        for (size_t i = 0; i < source->listeners_count; i++) {
                struct listener *listener = &source->listeners[i];
                if (!listener->datagrams)
                        continue;
                bool passed = datagrams_flush(listener->datagrams, now_ns, listener->watch.events == 0);
                source->is_stuck |= !passed;
                watch_for(source, &listener->watch, passed ? EPOLLIN : 0);
        }
}

/* Once a second: senders that leave a message or a handshake unfinished, and listeners that rested. */
static void sweep(struct syslog_source *source, int64_t now_ns)
{
        source->swept_ns = now_ns;
        for (struct connection *connection = source->connections, *next; connection; connection = next) {
                next = connection->next;
                int64_t age_ns = now_ns - connection->since_ns;
                if (connection->is_shaking_hands && age_ns > HANDSHAKE_WAIT_NS)
                        connection_close(source, connection);
                else if (!connection->held && connection->partial_length && age_ns > PARTIAL_WAIT_NS)
                        connection_end(source, connection);
        }
        for (size_t i = 0; source->listeners_rest && i < source->listeners_count; i++)
                if (!source->listeners[i].datagrams)
                        watch_for(source, &source->listeners[i].watch, EPOLLIN);
        source->listeners_rest = false;
}

static int wait_ms(const struct syslog_source *source)
{
        if (source->held_count || source->is_stuck)
                return RETRY_MS;
        for (size_t i = 0; i < source->listeners_count; i++)
                if (source->listeners[i].datagrams && datagrams_waiting(source->listeners[i].datagrams))
                        return RETRY_MS;
        return source->connections || source->listeners_rest ? 1000 : -1;
}

/* See the top: a short pause lets bytes gather when they come faster than one round a millisecond but in small bits. */
static void pause_when_small(struct syslog_source *source, int64_t round_ns, int64_t *last_round_ns)
{
        bool is_small = source->round_bytes && source->round_bytes < SMALL_ROUND_BYTES;
        if (is_small && round_ns - *last_round_ns < 2 * PAUSE_NS)
                nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
        *last_round_ns = clock_monotonic_ns(&clock_real);
}

static void run(void *context)
{
        struct syslog_source *source = context;
        struct epoll_event events[EVENTS_MAX];
        int64_t last_round_ns = 0;
        while (!source->stopping) {
                int count = epoll_wait(source->epoll_fd, events, EVENTS_MAX, wait_ms(source));
                int64_t now_ns = clock_monotonic_ns(&clock_real);
                source->round_bytes = 0;
                for (int i = 0; i < count; i++) {
                        struct watch *watch = events[i].data.ptr;
                        if (watch->kind == WATCH_LISTENER)
                                listener_ready(source, (struct listener *)watch);
                        else if (watch->kind == WATCH_CONNECTION)
                                connection_ready(source, (struct connection *)watch, events[i].events);
                }
                flush_datagrams(source, now_ns);
                retry_held(source);
                if (now_ns - source->swept_ns > SWEEP_NS)
                        sweep(source, now_ns);
                pause_when_small(source, now_ns, &last_round_ns);
        }
}

static bool listener_open(struct syslog_source *source, const json_t *item, struct err *err)
{
        if (source->listeners_count == LISTENERS_MAX)
                return fail(err, ERR_INVALID, "syslog", "sources.syslog.listen has more than %d entries", LISTENERS_MAX);
        struct listener *listener = &source->listeners[source->listeners_count];
        if (!listen_socket_open(item, &listener->socket, err))
                return false;
        source->listeners_count++;
        listener->watch = (struct watch){WATCH_LISTENER, listener->socket.fd, UINT32_MAX};
        enum listen_how how = listener->socket.how;
        if ((how == LISTEN_UDP || how == LISTEN_UNIX) &&
            !datagrams_create(source->intake, listener->socket.fd, how, &listener->datagrams, err))
                return false;
        if (how == LISTEN_TLS &&
            !tls_server_create(listener->socket.certificate, listener->socket.key, &listener->tls, err))
                return false;
        watch_for(source, &listener->watch, EPOLLIN);
        return true;
}

/* An address that somebody else has does not keep the other listeners from opening. */
static void tell_not_open(struct syslog_source *source, const json_t *item, const struct err *err)
{
        for (size_t how = 0; how < LISTEN_HOWS; how++) {
                const char *key = listen_sources[how] + strlen("syslog-"); /* "udp", "tcp", "tls", "unix" */
                if (json_object_get(item, key))
                        source_state(source->intake, str_of(listen_sources[how]), "syslog", true, "%s", err->message);
        }
        log_err(LOG_LEVEL_ERROR, err);
}

static bool open_all(struct syslog_source *source, const json_t *config, struct err *err)
{
        const json_t *listen = json_object_get(config, "listen");
        json_t *standard = listen ? NULL : json_pack("[{s:s},{s:s}]", "udp", "127.0.0.1:5514", "tcp", "127.0.0.1:5514");
        size_t index;
        json_t *item;
        bool opened = true;
        if (listen && !json_is_array(listen))
                return fail(err, ERR_INVALID, "syslog", "sources.syslog.listen must be a list");
        json_array_foreach(listen ? (json_t *)listen : standard, index, item)
        {
                opened = listener_open(source, item, err);
                if (!opened && err->code == ERR_INVALID)
                        break; /* what is configured wrongly is refused whole */
                if (!opened)
                        tell_not_open(source, item, err);
        }
        json_decref(standard);
        return opened || (source->listeners_count > 0 && err->code != ERR_INVALID);
}

static void check_listener(const json_t *item, size_t index, struct faults *faults)
{
        struct err err = {0};
        struct tls_server *tls = NULL;
        char place[64];
        snprintf(place, sizeof place, "sources.syslog.listen.%zu", index);
        faults_keys(faults, place, item, "certificate key plain tcp tls udp unix");
        if (!listen_socket_check(item, &err) ||
            (json_object_get(item, "tls") && !tls_server_create(json_string_value(json_object_get(item, "certificate")),
                                                                json_string_value(json_object_get(item, "key")), &tls, &err)))
                faults_add(faults, place, &err);
        tls_server_destroy(tls);
}

void syslog_source_check(const json_t *config, struct faults *faults)
{
        const json_t *listen = json_object_get(config, "listen");
        size_t index;
        json_t *item;
        faults_keys(faults, "sources.syslog", config, "connections_max listen");
        if (listen && !json_is_array(listen))
                faults_note(faults, "sources.syslog.listen", ERR_INVALID, "syslog", "it must be a list");
        json_array_foreach((json_t *)listen, index, item)
                check_listener(item, index, faults);
}

/* Ten thousand connections need as many descriptors; the soft limit is often 1024. */
static void raise_descriptor_limit(size_t wanted)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
                limit.rlim_cur = min_of((rlim_t)wanted, limit.rlim_max);
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

/* So that the sources page shows where to send to before anything came. */
static void tell_listening(struct syslog_source *source)
{
        for (size_t i = 0; i < source->listeners_count; i++) {
                const struct listen_socket *listening = &source->listeners[i].socket;
                struct str name = str_of(listen_sources[listening->how]);
                if (listening->how == LISTEN_UNIX)
                        source_state(source->intake, name, "syslog", false, "listens on %s", listening->path);
                else
                        source_state(source->intake, name, "syslog", false, "listens on port %u", listening->port);
        }
}

bool syslog_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err)
{
        struct syslog_source *source = calloc(1, sizeof *source);
        if (!source)
                return fail_memory(err, "syslog", sizeof *source);
        source->intake = intake;
        int64_t connections_max = json_i64(config, "connections_max", CONNECTIONS_MAX);
        connections_max = min_of(connections_max, (int64_t)100000);
        source->connections_max = (size_t)max_of(connections_max, (int64_t)1);
        source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        source->wake = (struct watch){WATCH_WAKE, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), UINT32_MAX};
        raise_descriptor_limit(source->connections_max + 1000);
        if (source->epoll_fd < 0 || source->wake.fd < 0) {
                fail_errno(err, errno, "syslog", "making descriptors for the syslog source");
                syslog_source_stop(source);
                return false;
        }
        watch_for(source, &source->wake, EPOLLIN);
        if (!open_all(source, config, err) || !thread_start(&source->thread, "syslog", run, source, err)) {
                syslog_source_stop(source);
                return false;
        }
        tell_listening(source);
        *out_source = source;
        return true;
}

void syslog_source_stop(void *stopped)
{
        struct syslog_source *source = stopped;
        if (!source)
                return;
        source->stopping = true;
        eventfd_write(source->wake.fd, 1);
        thread_join(&source->thread);
        while (source->connections)
                connection_close(source, source->connections);
        for (size_t i = 0; i < source->listeners_count; i++) {
                datagrams_destroy(source->listeners[i].datagrams);
                tls_server_destroy(source->listeners[i].tls);
                listen_socket_close(&source->listeners[i].socket);
        }
        if (source->epoll_fd >= 0)
                close(source->epoll_fd);
        if (source->wake.fd >= 0)
                close(source->wake.fd);
        free(source);
}

uint16_t syslog_source_port(const void *started, size_t listener)
{
        const struct syslog_source *source = started;
        return listener < source->listeners_count ? source->listeners[listener].socket.port : 0;
}
