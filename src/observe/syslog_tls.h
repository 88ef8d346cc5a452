/*
 * syslog_tls - the server's half of TLS for syslog (RFC 5425), over a non-blocking socket, by GnuTLS.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_server;  /* certificate and key; read by all its sessions */
struct tls_session;

bool tls_server_create(const char *certificate, const char *key, struct tls_server **out_server, struct err *err);
void tls_server_destroy(struct tls_server *server);

bool tls_session_create(struct tls_server *server, int fd, struct tls_session **out_session, struct err *err);
void tls_session_destroy(struct tls_session *session); /* the socket stays the caller's */

enum tls_step { TLS_DONE, TLS_AGAIN, TLS_FAILED };

/* Goes on with the handshake. Again: when the socket is ready, for writing when *out_writes. */
enum tls_step tls_session_handshake(struct tls_session *session, bool *out_writes, struct err *err);

/* Up to count plain bytes; 0 in *out_count with TLS_DONE: the peer has ended. */
enum tls_step tls_session_read(struct tls_session *session, char *bytes, size_t count, size_t *out_count, struct err *err);
size_t tls_session_pending(const struct tls_session *session); /* plain bytes that no poll will tell of */
