/* peer_certificate.c - see peer_certificate.h. */
#include "reach/peer_certificate.h"

#include "base/scope.h"
#include "reach/dial.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct peek {
        gnutls_session_t session;
        gnutls_certificate_credentials_t credentials;
        int fd;
};

static void peek_done(struct peek *peek)
{
        if (peek->session)
                gnutls_deinit(peek->session);
        if (peek->credentials)
                gnutls_certificate_free_credentials(peek->credentials);
        if (peek->fd >= 0)
                close(peek->fd);
}

static bool is_address(const char *name)
{
        unsigned char bytes[16];
        return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool set_up(struct peek *peek, const char *name, const char *ca_file, struct err *err)
{
        if (gnutls_certificate_allocate_credentials(&peek->credentials) < 0 || gnutls_init(&peek->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
                return fail_memory(err, "tls", sizeof *peek);
        int got = ca_file ? gnutls_certificate_set_x509_trust_file(peek->credentials, ca_file, GNUTLS_X509_FMT_PEM)
                          : gnutls_certificate_set_x509_system_trust(peek->credentials);
        if (ca_file && got < 0)
                return fail(err, ERR_INVALID, "tls", "reading the authorities in %s: %s", ca_file, gnutls_strerror(got));
        if (gnutls_set_default_priority(peek->session) < 0 ||
            gnutls_credentials_set(peek->session, GNUTLS_CRD_CERTIFICATE, peek->credentials) < 0 ||
            (!is_address(name) && gnutls_server_name_set(peek->session, GNUTLS_NAME_DNS, name, strlen(name)) < 0))
                return fail_memory(err, "tls", sizeof *peek);
        gnutls_transport_set_int(peek->session, peek->fd);
        return true;
}

static bool shake_hands(struct peek *peek, int64_t deadline_ns, struct err *err)
{
        for (int got; (got = gnutls_handshake(peek->session)) != GNUTLS_E_SUCCESS;) {
                if (gnutls_error_is_fatal(got))
                        return fail(err, ERR_IO, "tls", "the TLS handshake failed: %s", gnutls_strerror(got));
                if (got == GNUTLS_E_AGAIN && !dial_wait(peek->fd, gnutls_record_get_direction(peek->session) ? POLLOUT : POLLIN, deadline_ns, err))
                        return err_within(err, "the TLS handshake");
        }
        return true;
}

static void name_of(int (*get)(gnutls_x509_crt_t, char *, size_t *), gnutls_x509_crt_t certificate, char *out_text, size_t bytes)
{
        if (get(certificate, out_text, &bytes) < 0)
                snprintf(out_text, 2, "?");
}

static bool read_one(const gnutls_datum_t *der, bool is_first, const char *name, struct peer_certificate *out, struct err *err)
{
        gnutls_x509_crt_t certificate;
        if (gnutls_x509_crt_init(&certificate) < 0)
                return fail_memory(err, "tls", sizeof certificate);
        bool good = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 ||
                    fail(err, ERR_INVALID, "tls", "the server's certificate cannot be read");
        if (good)
                out->expires_s = min_of(out->expires_s, (int64_t)gnutls_x509_crt_get_expiration_time(certificate));
        if (good && is_first) {
                out->name_matches = gnutls_x509_crt_check_hostname(certificate, name);
                name_of(gnutls_x509_crt_get_dn, certificate, out->subject, sizeof out->subject);
                name_of(gnutls_x509_crt_get_issuer_dn, certificate, out->issuer, sizeof out->issuer);
        }
        gnutls_x509_crt_deinit(certificate);
        return good;
}

static void judge(struct peek *peek, struct peer_certificate *out)
{
        unsigned status = 0;
        gnutls_datum_t text = {0};
        if (gnutls_certificate_verify_peers2(peek->session, &status) < 0) {
                snprintf(out->why, sizeof out->why, "it cannot be verified");
                return;
        }
        out->is_trusted = status == 0;
        if (status && gnutls_certificate_verification_status_print(status, gnutls_certificate_type_get(peek->session), &text, 0) >= 0)
                snprintf(out->why, sizeof out->why, "%.*s", (int)text.size, text.data);
        gnutls_free(text.data);
}

bool peer_certificate_read(const char *host, const char *port, const char *name, const char *ca_file, int64_t deadline_ns,
                           struct peer_certificate *out_certificate, struct err *err)
{
        scoped(peek_done) struct peek peek = {.fd = -1};
        struct peer_certificate found = {.expires_s = INT64_MAX};
        unsigned count = 0;
        if (!dial_tcp(host, port, deadline_ns, &peek.fd, err) || !set_up(&peek, name, ca_file, err) || !shake_hands(&peek, deadline_ns, err))
                return false;
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(peek.session, &count);
        if (!chain || !count)
                return fail(err, ERR_INVALID, "tls", "the server showed no certificate");
        for (unsigned i = 0; i < count; i++)
                if (!read_one(&chain[i], i == 0, name, &found, err))
                        return false;
        found.chain_length = (int)count;
        judge(&peek, &found);
        *out_certificate = found;
        return true;
}
