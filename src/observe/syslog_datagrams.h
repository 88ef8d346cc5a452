/*
 * syslog_datagrams - reads a datagram socket many messages at a time and gathers them into batches by sender.
 *
 * A gathered batch leaves when it is 256 KiB large or 5 ms old. When intake is full the batch stays, and once it is full
 * too the socket is not read: then the kernel's buffer fills and what it drops is counted.
 */
#pragma once

#include "base/clock.h"
#include "observe/intake.h"
#include "observe/syslog_listen.h"

struct datagrams;

bool datagrams_create(struct intake *intake, int fd, enum listen_how how, struct datagrams **out, struct err *err);
void datagrams_destroy(struct datagrams *datagrams); /* what is still gathered is offered once more */

/* Reads what is there. False: intake is full and so are we; come again after a flush went through. Adds the bytes read. */
bool datagrams_read(struct datagrams *datagrams, int64_t now_ns, size_t *bytes);
/* Offers what is old enough, or all. False: something could not be offered since intake is full. */
bool datagrams_flush(struct datagrams *datagrams, int64_t now_ns, bool all);
bool datagrams_waiting(const struct datagrams *datagrams); /* something is gathered */
