/*
 * ping - ICMP echo through the kernel's unprivileged ping socket, which needs no root and no capability.
 *
 * The kernel allows it to the groups of net.ipv4.ping_group_range; where it does not, ERR_FORBIDDEN says what to set.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct ping_result {
        int sent, received;
        int64_t fastest_ns, mean_ns;    /* of those that came back; 0 when none did */
        char address[64];               /* who was asked */
};

/* Sends count requests, a quarter of a second apart, and waits for answers until the deadline (monotonic). */
bool ping(const char *host, int count, int64_t deadline_ns, struct ping_result *out_result, struct err *err);
