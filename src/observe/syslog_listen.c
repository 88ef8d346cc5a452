/* syslog_listen.c - see syslog_listen.h. Addresses are numeric: a listener must not wait for a name server. */
#include "observe/syslog_listen.h"

#include "base/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define UDP_RECEIVE_BYTES (16 << 20) /* asked for; without CAP_NET_ADMIN the kernel gives net.core.rmem_max */

const char *const listen_sources[LISTEN_HOWS] = {"syslog-udp", "syslog-tcp", "syslog-tls", "syslog-unix"};
static const char *const listen_keys[LISTEN_HOWS] = {"udp", "tcp", "tls", "unix"};

/* "127.0.0.1:5514" or "[::1]:5514" into host and port. */
static bool split_address(struct str text, char host[64], char port[8])
{
        const char *colon = text.length ? memrchr(text.bytes, ':', text.length) : NULL;
        if (!colon)
                return false;
        struct str left = {text.bytes, (size_t)(colon - text.bytes)};
        struct str right = str_slice(text, left.length + 1, text.length);
        if (left.length >= 2 && left.bytes[0] == '[' && left.bytes[left.length - 1] == ']')
                left = str_slice(left, 1, left.length - 1);
        if (!left.length || left.length >= 64 || !right.length || right.length >= 8)
                return false;
        snprintf(host, 64, "%.*s", STR_ARGS(left));
        snprintf(port, 8, "%.*s", STR_ARGS(right));
        return true;
}

static bool parse_address(struct str text, union socket_address *out, socklen_t *out_length, struct err *err)
{
        char host[64], port[8];
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found = NULL;
        if (!split_address(text, host, port) || getaddrinfo(host, port, &hints, &found) != 0)
                return fail(err, ERR_INVALID, "syslog",
                            "\"%.*s\" is no address to listen on; write 127.0.0.1:5514 or [::1]:5514", STR_ARGS(text));
        memcpy(out, found->ai_addr, found->ai_addrlen);
        *out_length = found->ai_addrlen;
        freeaddrinfo(found);
        return true;
}

static void set_options(int fd, enum listen_how how, int family)
{
        int on = 1, bytes = UDP_RECEIVE_BYTES;
        if (how == LISTEN_TCP || how == LISTEN_TLS)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        if (family == AF_INET6) /* so that a listener on 0.0.0.0 may stand beside one on [::] */
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

static bool bind_socket(struct listen_socket *listener, const union socket_address *address, socklen_t length,
                        struct str text, struct err *err)
{
        bool is_stream = listener->how == LISTEN_TCP || listener->how == LISTEN_TLS;
        listener->fd = socket(address->any.sa_family,
                              (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listener->fd < 0)
                return fail_errno(err, errno, "syslog", "making a socket to listen on %.*s", STR_ARGS(text));
        set_options(listener->fd, listener->how, address->any.sa_family);
        if (bind(listener->fd, &address->any, length) < 0 || (is_stream && listen(listener->fd, 4096) < 0)) {
                fail_errno(err, errno, "syslog",
                           "listening on %.*s; is another program there? configure another address", STR_ARGS(text));
                return false;
        }
        return true;
}

static void note_port(struct listen_socket *listener)
{
        union socket_address bound;
        socklen_t length = sizeof bound;
        if (getsockname(listener->fd, &bound.any, &length) == 0)
                listener->port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

static bool reaches_beyond_loopback(const union socket_address *address)
{
        return address->any.sa_family == AF_INET6 ? !IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr)
                                                  : ntohl(address->v4.sin_addr.s_addr) >> 24 != 127;
}

/* may_be_plain: somebody wrote down that this network is to be trusted, for devices that know no TLS. */
static bool read_inet(const struct listen_socket *listener, struct str text, bool may_be_plain, union socket_address *out_address, socklen_t *out_length,
                      struct err *err)
{
        if (!parse_address(text, out_address, out_length, err))
                return false;
        return listener->how == LISTEN_TLS || may_be_plain || !reaches_beyond_loopback(out_address) ||
               fail(err, ERR_INVALID, "syslog",
                    "%s %.*s is reachable from other machines without TLS: open it with `evenkeel listen syslog %.*s`, or, "
                    "for devices that know no TLS, add plain: true to it", listen_keys[listener->how], STR_ARGS(text), STR_ARGS(text));
}

static bool read_unix(struct str path, union socket_address *out_address, socklen_t *out_length, struct err *err)
{
        *out_address = (union socket_address){.local = {.sun_family = AF_UNIX}};
        if (path.length >= sizeof out_address->local.sun_path)
                return fail(err, ERR_INVALID, "syslog", "the path %.*s is too long for a socket (107 bytes)",
                            STR_ARGS(path));
        memcpy(out_address->local.sun_path, path.bytes, path.length);
        *out_length = sizeof out_address->local;
        return true;
}

static bool read_item(const json_t *item, struct listen_socket *out_listener, struct str *out_where, union socket_address *out_address,
                      socklen_t *out_length, struct err *err)
{
        struct listen_socket listener = {.how = LISTEN_HOWS, .fd = -1};
        struct str where = {0};
        for (size_t how = 0; how < LISTEN_HOWS && listener.how == LISTEN_HOWS; how++) {
                where = json_str(item, listen_keys[how]);
                if (where.bytes)
                        listener.how = (enum listen_how)how;
        }
        if (listener.how == LISTEN_HOWS)
                return fail(err, ERR_INVALID, "syslog", "sources.syslog.listen: an entry has none of udp, tcp, tls, unix");
        snprintf(listener.certificate, sizeof listener.certificate, "%.*s", STR_ARGS(json_str(item, "certificate")));
        snprintf(listener.key, sizeof listener.key, "%.*s", STR_ARGS(json_str(item, "key")));
        if (listener.how == LISTEN_TLS && (!listener.certificate[0] || !listener.key[0]))
                return fail(err, ERR_INVALID, "syslog", "sources.syslog.listen: tls %.*s needs certificate and key (PEM files)",
                            STR_ARGS(where));
        *out_listener = listener;
        *out_where = where;
        return listener.how == LISTEN_UNIX ? read_unix(where, out_address, out_length, err) :
               read_inet(&listener, where, json_is_true(json_object_get(item, "plain")), out_address, out_length, err);
}

bool listen_socket_check(const json_t *item, struct err *err)
{
        struct listen_socket listener;
        struct str where;
        union socket_address address = {0};
        socklen_t length;
        return read_item(item, &listener, &where, &address, &length, err);
}

static bool open_unix(struct listen_socket *listener, const union socket_address *address, socklen_t length, struct str path, struct err *err)
{
        struct stat there;
        if (stat(address->local.sun_path, &there) == 0 && S_ISSOCK(there.st_mode))
                unlink(address->local.sun_path); /* left behind by a killed program */
        if (!bind_socket(listener, address, length, path, err))
                return false;
        memcpy(listener->path, address->local.sun_path, sizeof listener->path);
        chmod(listener->path, 0666);
        return true;
}

bool listen_socket_open(const json_t *item, struct listen_socket *out_socket, struct err *err)
{
        struct listen_socket listener;
        struct str where;
        union socket_address address = {0};
        socklen_t length = 0;
        if (!read_item(item, &listener, &where, &address, &length, err))
                return false;
        bool opened = listener.how == LISTEN_UNIX ? open_unix(&listener, &address, length, where, err) : bind_socket(&listener, &address, length, where, err);
        if (!opened) {
                listen_socket_close(&listener);
                return false;
        }
        if (listener.how != LISTEN_UNIX)
                note_port(&listener);
        *out_socket = listener;
        return true;
}

void listen_socket_close(struct listen_socket *listener)
{
        if (listener->fd >= 0)
                close(listener->fd);
        if (listener->path[0])
                unlink(listener->path);
        listener->fd = -1;
}

static bool is_loopback(const union socket_address *peer, bool is_v4, const unsigned char *v4)
{
        if (is_v4)
                return v4[0] == 127;
        return peer->any.sa_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(&peer->v6.sin6_addr);
}

void peer_name(const union socket_address *peer, socklen_t length, char *out_name, size_t size)
{
        const unsigned char *v4 = NULL;
        int family = length >= sizeof(sa_family_t) ? peer->any.sa_family : AF_UNIX;
        if (family == AF_INET)
                v4 = (const unsigned char *)&peer->v4.sin_addr;
        else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr))
                v4 = (const unsigned char *)&peer->v6.sin6_addr + 12;
        out_name[0] = '\0';
        if (family == AF_UNIX || is_loopback(peer, v4 != NULL, v4)) {
                if (gethostname(out_name, size - 1) < 0)
                        snprintf(out_name, size, "localhost");
        } else if (v4) {
                inet_ntop(AF_INET, v4, out_name, (socklen_t)size);
        } else {
                inet_ntop(AF_INET6, &peer->v6.sin6_addr, out_name, (socklen_t)size);
        }
        out_name[size - 1] = '\0';
}
