/*
 * dial - opens a TCP connection within a time limit, for probes that ask whether something answers.
 *
 * Blocking with a deadline: called from threads that have nothing else to do. The deadline is on the monotonic clock of clock_real.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/socket.h>

/* host is a name or an address; every address of it is tried in turn until one answers. *out_fd is the caller's, non-blocking. */
bool dial_tcp(const char *host, const char *port, int64_t deadline_ns, int *out_fd, struct err *err);
/* Waits until fd can be read (or written); ERR_TIMEOUT at the deadline. */
bool dial_wait(int fd, short events, int64_t deadline_ns, struct err *err);
/* Writes all of it. */
bool dial_write(int fd, struct str bytes, int64_t deadline_ns, struct err *err);
/* Reads what comes first, at most max bytes; 0 with true: the other side closed. */
bool dial_read(int fd, char *out_bytes, size_t max, size_t *out_length, int64_t deadline_ns, struct err *err);
/* "192.0.2.1" or "2001:db8::1". */
#define DIAL_ADDRESS_BYTES 64
void dial_address(const struct sockaddr *address, char out_text[static DIAL_ADDRESS_BYTES]);
