/*
 * journald - entries of the systemd journal, in our own packed form: what its source reads is packed by journald_pack,
 * and journald_decode reads it back behind the journal.
 *
 * Packed: for each entry varint(bytes that follow), zigzag varint of the time in us, one byte priority (255: none), varint
 * pid, and with varint lengths identifier, unit, host, message. Streams: host, service (identifier), unit,
 * source="journald" and the batch's labels; the pid is an attribute.
 */
#pragma once

#include "base/buf.h"
#include "wire/decode.h"

#include <stdint.h>

#define JOURNALD_NO_PRIORITY 255

struct journald_entry {
        int64_t time_us;                /* __REALTIME_TIMESTAMP or _SOURCE_REALTIME_TIMESTAMP */
        uint8_t priority;               /* PRIORITY, 0 to 7, or JOURNALD_NO_PRIORITY */
        uint32_t pid;                   /* _PID; 0: none */
        struct str identifier;          /* SYSLOG_IDENTIFIER, or _COMM */
        struct str unit;                /* _SYSTEMD_UNIT */
        struct str host;                /* _HOSTNAME */
        struct str message;             /* MESSAGE: any bytes, newlines too */
};

bool journald_pack(const struct journald_entry *entry, struct buf *out); /* appends; false: no memory */
decode_fn journald_decode;
