/*
 * syslog - RFC 5424 and RFC 3164 messages, and whatever else devices send to a syslog port.
 *
 * batch->bytes: messages ended by newlines, as syslog_frames.h makes them; settings: syslog_settings() or empty.
 * No line is refused: what is not understood keeps the whole line, with the host of batch->labels and time 0. Streams
 * have host, service (APP-NAME or tag, without the pid), source="syslog", and the other labels of the batch; the message's own
 * host goes before the batch's. Structured data become attributes named id.parameter. The line is all of the message as
 * it was received, header included.
 */
#pragma once

#include "wire/decode.h"

decode_fn syslog_decode;
