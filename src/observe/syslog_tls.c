/* syslog_tls.c - see syslog_tls.h. TLS 1.2 and later; no client certificates are asked for. */
#include "observe/syslog_tls.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>

struct tls_server {
        gnutls_certificate_credentials_t credentials;
        gnutls_priority_t priorities;
};

struct tls_session {
        gnutls_session_t session;
};

bool tls_server_create(const char *certificate, const char *key, struct tls_server **out_server, struct err *err)
{
        struct tls_server *server = calloc(1, sizeof *server);
        if (!server || gnutls_certificate_allocate_credentials(&server->credentials) < 0) {
                free(server);
                return fail_memory(err, "syslog", sizeof *server);
        }
        int got = gnutls_certificate_set_x509_key_file(server->credentials, certificate, key, GNUTLS_X509_FMT_PEM);
        if (got >= 0)
                got = gnutls_priority_init(&server->priorities, "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", NULL);
        if (got < 0) {
                fail(err, ERR_INVALID, "syslog", "reading the TLS certificate %s and key %s: %s; both must be PEM and belong together",
                     certificate, key, gnutls_strerror(got));
                tls_server_destroy(server);
                return false;
        }
        *out_server = server;
        return true;
}

void tls_server_destroy(struct tls_server *server)
{
        if (!server)
                return;
        if (server->priorities)
                gnutls_priority_deinit(server->priorities);
        gnutls_certificate_free_credentials(server->credentials);
        free(server);
}

bool tls_session_create(struct tls_server *server, int fd, struct tls_session **out_session, struct err *err)
{
        struct tls_session *session = calloc(1, sizeof *session);
        if (!session || gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
                free(session);
                return fail_memory(err, "syslog", sizeof *session);
        }
        if (gnutls_priority_set(session->session, server->priorities) < 0 ||
            gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, server->credentials) < 0) {
                tls_session_destroy(session);
                return fail_memory(err, "syslog", sizeof *session);
        }
        gnutls_certificate_server_set_request(session->session, GNUTLS_CERT_IGNORE);
        gnutls_transport_set_int(session->session, fd);
        *out_session = session;
        return true;
}

void tls_session_destroy(struct tls_session *session)
{
        if (!session)
                return;
        gnutls_deinit(session->session);
        free(session);
}

static enum tls_step step_of(int got, const char *doing, struct err *err)
{
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED || !gnutls_error_is_fatal(got))
                return TLS_AGAIN;
        fail(err, ERR_IO, "syslog", "%s: %s", doing, gnutls_strerror(got));
        return TLS_FAILED;
}

enum tls_step tls_session_handshake(struct tls_session *session, bool *out_writes, struct err *err)
{
        int got = gnutls_handshake(session->session);
        *out_writes = got < 0 && gnutls_record_get_direction(session->session) == 1;
        return got >= 0 ? TLS_DONE : step_of(got, "the TLS handshake of a sender", err);
}

enum tls_step tls_session_read(struct tls_session *session, char *bytes, size_t count, size_t *out_count, struct err *err)
{
        ssize_t got = gnutls_record_recv(session->session, bytes, count);
        *out_count = got > 0 ? (size_t)got : 0;
        /* Many senders close without saying so; a cut message is seen by its octet count. */
        if (got >= 0 || got == GNUTLS_E_PREMATURE_TERMINATION)
                return TLS_DONE;
        return step_of((int)got, "reading from a TLS sender", err);
}

size_t tls_session_pending(const struct tls_session *session)
{
        return gnutls_record_check_pending(session->session);
}
