/*
 * peer_certificate - what certificate a TLS server shows: until when it is good, and whether it would be believed (GnuTLS).
 *
 * Blocking with a deadline (monotonic). The handshake is finished, whatever the certificate is, so that an expired one can be told.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct peer_certificate {
        int64_t expires_s;              /* the earliest of the chain that the server sent, seconds since 1970 */
        bool is_trusted, name_matches;
        char why[256];                  /* why it is not trusted; empty when it is */
        char subject[256], issuer[256]; /* of the server's own */
        int chain_length;
};

/* name: what the certificate must be for, and what SNI asks for. ca_file NULL: the system's authorities. */
bool peer_certificate_read(const char *host, const char *port, const char *name, const char *ca_file, int64_t deadline_ns,
                           struct peer_certificate *out_certificate, struct err *err);
