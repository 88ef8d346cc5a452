/*
 * sign_in - who asks, and whether that is allowed: tokens, sessions, and senders on this machine.
 *
 *      Authorization: Bearer <token>, or Basic <any name>:<token>      scopes of the token
 *      Cookie: evenkeel_session                                        scopes of the user's role; writes need X-CSRF-Token
 *      none, from a loopback address and not from a web page           ingest, and /metrics
 */
#pragma once

#include "serve/route.h"
#include "serve/server.h"

#define SESSION_COOKIE "evenkeel_session"
#define CSRF_HEADER "X-CSRF-Token"

bool sign_in_check(struct server *server, struct request *request, const struct route *route, struct err *err);
/* The CSRF token that goes with the request's session. */
bool sign_in_csrf(struct request *request, char out_csrf[static SECRET_HASH_BYTES]);

/*
 * attempts - wrong passwords, counted by name and by address: after some of them each next one waits longer.
 * 4,096 places by hash; two that meet in one place share it, which only makes guessing slower.
 */
bool attempts_create(struct attempts **out_attempts, struct err *err);
void attempts_destroy(struct attempts *attempts);
/* ERR_BUSY while name or address have to wait. */
bool attempts_allow(struct attempts *attempts, struct str name, struct str address, int64_t now_ns, struct err *err);
void attempts_count(struct attempts *attempts, struct str name, struct str address, bool is_right, int64_t now_ns);
