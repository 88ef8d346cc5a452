/*
 * smtp_client - sends one mail by SMTP (libcurl): plain, STARTTLS or TLS from the start, with or without sign-in.
 *
 *      smtp_send(&mail, &outcome, &err)
 *
 * Waits; a call has its own connection. With STARTTLS or TLS the server's certificate is checked and the connection is never
 * made without; credentials go over encrypted connections alone, unless the server is on this machine.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_RECIPIENTS_MAX 64

enum smtp_security { SMTP_STARTTLS, SMTP_TLS, SMTP_PLAIN };

struct smtp_mail {
        const char *host;
        uint16_t port;                  /* 0: 587, 465 or 25, as security says */
        enum smtp_security security;
        const char *user, *password;    /* NULL: no sign-in */
        const char *ca_file;            /* NULL: the system's */
        const char *from;               /* an address alone */
        const char *to[SMTP_RECIPIENTS_MAX];
        size_t to_count;
        struct str text;                /* header and body, lines ended by CR LF */
        int64_t timeout_ms;             /* of the whole; 0: 30 s */
};

/* out_may_retry: whether it may work later; a server's 5xx answer is final. */
bool smtp_send(const struct smtp_mail *mail, bool *out_may_retry, struct err *err);
