/*
 * syslog_source - listens for syslog over UDP, TCP, TLS (RFC 5425) and Unix datagrams, in one thread.
 *
 * config: { "listen": [ {"udp": "127.0.0.1:5514"}, {"tcp": "[::1]:5514"}, {"unix": "/run/evenkeel/log"},
 *                       {"tls": "0.0.0.0:6514", "certificate": path, "key": path} ],
 *           "connections_max": 10000 }
 * Default: UDP and TCP on 127.0.0.1:5514. Sources are named syslog-udp, syslog-tcp, syslog-tls, syslog-unix.
 *
 * When intake is full, connections are not read any more: TCP holds the sender back and nothing is lost. UDP cannot hold
 * anyone back: what the kernel drops is counted as dropped. Syslog has no acknowledgement: on a crash of this machine
 * a sender loses what it had sent and we had not committed, at most a few milliseconds' worth and the socket's buffers.
 */
#pragma once

#include "observe/source.h"

bool syslog_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err);
void syslog_source_stop(void *source);
void syslog_source_check(const json_t *config, struct faults *faults);

/* The port that a listener of the configuration got (for ":0"); 0: no such listener, or a Unix socket. */
uint16_t syslog_source_port(const void *source, size_t listener);
