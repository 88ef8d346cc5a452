/*
 * syslog_frames - finds whole messages in the bytes of a connection (RFC 6587): octet counting ("123 <34>...") or
 * ended by newline, CRLF or NUL, told apart message by message.
 *
 *      read into buffer -> syslog_frames_take -> copy frames.messages into a batch -> drop frames.consumed bytes
 *
 * Works in place: newline-framed bytes are handed on as they are, a whole buffer at a time up to the last newline;
 * counted messages are moved together and get a newline each, which never needs more room than their count did. So that
 * exact bytes survive, the newlines inside counted messages are listed beside them, and syslog_settings() packs the list
 * into batch->settings. Not in the bytes themselves: masking secrets could reach a length there.
 * A newline or CRLF at the end of a counted message is its line's end. Messages beyond SYSLOG_MESSAGE_BYTES_MAX
 * are cut there and counted. Places in inner_newlines count from the beginning of messages: a batch with any holds the messages of
 * one take only. One struct per connection; zero it before the first use.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSLOG_MESSAGE_BYTES_MAX ((size_t)64 << 10)

struct syslog_frames {
        struct str messages;       /* whole messages, each ended by a newline; points into the caller's bytes */
        size_t consumed;           /* bytes of the buffer that are done with; the rest comes again, with more behind it */
        struct buf inner_newlines; /* places in messages of newlines that end no message: varints, each from the last */
        uint64_t cut;              /* messages that were longer than the bound, since the beginning */
        size_t skip_bytes;         /* of a cut message, still to come: counted ones */
        bool skip_line;            /* the same, to the line's end */
        size_t last_inner;         /* the newest place in inner_newlines */
};

/* Takes what is whole in bytes[0..count). at_end: nothing more will come (a closed connection), so that the rest is a
 * message too. Rewrites bytes in place. False: no memory, nothing was taken. */
bool syslog_frames_take(struct syslog_frames *frames, char *bytes, size_t count, bool at_end, struct err *err);
/* A datagram is one message, whatever is in it: appends it to messages, with a newline. inner_newlines begin anew when
 * messages is empty, so one batch may hold many datagrams. */
bool syslog_frames_datagram(struct syslog_frames *frames, struct str datagram, struct buf *messages, struct err *err);
void syslog_frames_done(struct syslog_frames *frames);

/* What the decoder needs beside the bytes: how far the zone of times without one is from UTC (the sender's or this
 * machine's), and the inner newlines. Appends nothing when both are nothing; false: no memory. */
bool syslog_settings(struct buf *out, int utc_offset_s, struct str inner_newlines);
