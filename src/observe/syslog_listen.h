/*
 * syslog_listen - one listening socket of the syslog source, as configured.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum listen_how { LISTEN_UDP, LISTEN_TCP, LISTEN_TLS, LISTEN_UNIX, LISTEN_HOWS };

extern const char *const listen_sources[LISTEN_HOWS]; /* "syslog-udp" ... */

union socket_address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
};

struct listen_socket {
        enum listen_how how;
        int fd;                 /* -1: not open */
        uint16_t port;
        char path[108];         /* of a Unix socket, removed when closed; else empty */
        char certificate[512], key[512];
};

/* What is wrong with an item, without opening it: its address, its keys, whether it needs TLS. */
bool listen_socket_check(const json_t *item, struct err *err);
/* item: {"udp": "address:port"} ... The socket is bound (and listens), non-blocking. */
bool listen_socket_open(const json_t *item, struct listen_socket *out_socket, struct err *err);
void listen_socket_close(struct listen_socket *socket);

/* The peer as the label `host`: its address without the port; this machine's name for itself. */
void peer_name(const union socket_address *peer, socklen_t length, char *out_name, size_t size);
