/* ping.c - see ping.h. The kernel sets identifier and checksum; sequence numbers tell answers apart (RFC 792, RFC 4443). */
#include "reach/ping.h"

#include "base/clock.h"
#include "base/scope.h"
#include "reach/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define COUNT_MAX 10
#define APART_NS (250 * NS_PER_MS)

struct echo { /* the same bytes in ICMP and ICMPv6 */
        uint8_t type, code;
        uint16_t checksum, identifier, sequence;
        char payload[24];
};

static bool send_echo(int fd, int family, int sequence, struct err *err)
{
        struct echo echo = {.type = family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO, .sequence = htons((uint16_t)sequence)};
        return send(fd, &echo, sizeof echo, MSG_NOSIGNAL) >= 0 || errno == ECONNREFUSED || fail_errno(err, errno, "ping", "sending an echo request");
}

/* Takes what has come until the time; counts each sequence once. */
static void take_answers(int fd, int family, int64_t until_ns, const int64_t *sent_ns, bool *seen, struct ping_result *result)
{
        struct echo echo;
        while (result->received < result->sent && dial_wait(fd, POLLIN, until_ns, NULL)) {
                ssize_t got = recv(fd, &echo, sizeof echo, MSG_DONTWAIT);
                int sequence = ntohs(echo.sequence);
                if (got < 8 || echo.type != (family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) || sequence >= result->sent || seen[sequence])
                        continue;
                int64_t took_ns = clock_monotonic_ns(&clock_real) - sent_ns[sequence];
                seen[sequence] = true;
                result->fastest_ns = result->received ? min_of(result->fastest_ns, took_ns) : took_ns;
                result->mean_ns += (took_ns - result->mean_ns) / ++result->received;
        }
}

static bool open_socket(const struct addrinfo *address, int *out_fd, struct err *err)
{
        int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, address->ai_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
        if (fd < 0 && (errno == EACCES || errno == EPERM))
                return fail(err, ERR_FORBIDDEN, "ping", "the kernel does not let this user ping; set net.ipv4.ping_group_range to \"0 2147483647\" with sysctl");
        if (fd < 0)
                return fail_errno(err, errno, "ping", "making a ping socket");
        if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
                int why = errno;
                close(fd);
                return fail_errno(err, why, "ping", "reaching the address");
        }
        *out_fd = fd;
        return true;
}

bool ping(const char *host, int count, int64_t deadline_ns, struct ping_result *out_result, struct err *err)
{
        struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
        struct ping_result result = {0};
        int64_t sent_ns[COUNT_MAX];
        bool seen[COUNT_MAX] = {0}, good = true;
        int fd = -1, failure = getaddrinfo(host, NULL, &hints, &found);
        if (failure)
                return fail(err, ERR_NOT_FOUND, "ping", "looking up %s: %s", host, gai_strerror(failure));
        int family = found->ai_family;
        dial_address(found->ai_addr, result.address);
        bool opened = open_socket(found, &fd, err);
        freeaddrinfo(found);
        if (!opened)
                return err_within(err, "%s", host);
        count = count < 1 ? 1 : min_of(count, COUNT_MAX);
        for (int i = 0; i < count && good; i++) {
                sent_ns[i] = clock_monotonic_ns(&clock_real);
                good = send_echo(fd, family, i, err);
                result.sent++;
                take_answers(fd, family, i + 1 < count ? min_of(sent_ns[i] + APART_NS, deadline_ns) : deadline_ns, sent_ns, seen, &result);
        }
        close(fd);
        if (good)
                *out_result = result;
        return good || err_within(err, "%s", host);
}
