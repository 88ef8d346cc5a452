/*
 * dial.c - see dial.h. Looking a name up blocks in the system's resolver, which has time limits of its own; a probe's thread can wait
 * for them, and what remains of the deadline is what connecting gets.
 */
#include "reach/dial.h"

#include "base/clock.h"
#include "base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

bool dial_wait(int fd, short events, int64_t deadline_ns, struct err *err)
{
        for (;;) {
                int64_t left_ms = (deadline_ns - clock_monotonic_ns(&clock_real)) / NS_PER_MS;
                struct pollfd wanted = {fd, events, 0};
                if (left_ms <= 0)
                        return fail(err, ERR_TIMEOUT, "dial", "nothing came within the time limit");
                int got = poll(&wanted, 1, (int)min_of(left_ms, (int64_t)INT_MAX));
                if (got > 0)
                        return true;
                if (got < 0 && errno != EINTR)
                        return fail_errno(err, errno, "dial", "waiting for a connection");
        }
}

static bool connect_to(const struct addrinfo *address, int64_t deadline_ns, int *out_fd, struct err *err)
{
        int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fault = 0;
        socklen_t length = sizeof fault;
        if (fd < 0)
                return fail_errno(err, errno, "dial", "making a socket");
        if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
                fault = errno;
        } else if (!dial_wait(fd, POLLOUT, deadline_ns, err)) {
                close(fd);
                return false;
        } else {
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &length);
        }
        if (!fault) {
                *out_fd = fd;
                return true;
        }
        close(fd);
        return fail_errno(err, fault, "dial", "connecting");
}

bool dial_tcp(const char *host, const char *port, int64_t deadline_ns, int *out_fd, struct err *err)
{
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
        int failure = getaddrinfo(host, port, &hints, &found);
        if (failure)
                return fail(err, ERR_NOT_FOUND, "dial", "looking up %s port %s: %s", host, port, gai_strerror(failure));
        bool good = false;
        for (struct addrinfo *address = found; address && !good; address = address->ai_next)
                good = connect_to(address, deadline_ns, out_fd, err);
        freeaddrinfo(found);
        return good || err_within(err, "%s port %s", host, port);
}

bool dial_write(int fd, struct str bytes, int64_t deadline_ns, struct err *err)
{
        while (bytes.length) {
                ssize_t sent = send(fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
                if (sent > 0)
                        bytes = str_slice(bytes, (size_t)sent, bytes.length);
                else if (errno != EAGAIN && errno != EINTR)
                        return fail_errno(err, errno, "dial", "sending");
                else if (!dial_wait(fd, POLLOUT, deadline_ns, err))
                        return false;
        }
        return true;
}

bool dial_read(int fd, char *out_bytes, size_t max, size_t *out_length, int64_t deadline_ns, struct err *err)
{
        for (;;) {
                ssize_t got = recv(fd, out_bytes, max, 0);
                if (got >= 0) {
                        *out_length = (size_t)got;
                        return true;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return fail_errno(err, errno, "dial", "reading the answer");
                if (!dial_wait(fd, POLLIN, deadline_ns, err))
                        return false;
        }
}

void dial_address(const struct sockaddr *address, char out_text[static DIAL_ADDRESS_BYTES])
{
        const void *bytes = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                                                           : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
        if (!inet_ntop(address->sa_family, bytes, out_text, DIAL_ADDRESS_BYTES))
                out_text[0] = '\0';
}
