/*
 * syslog_batch - what datagrams and connections share: a batch with a place for bytes, completed and offered.
 */
#pragma once

#include "observe/intake.h"
#include "observe/syslog_listen.h"

/* A batch of a source with room for bytes_max bytes; NULL and err without memory. */
struct batch *syslog_batch_create(const char *source, size_t bytes_max, char **out_bytes, struct err *err);

/* Sets bytes, the label host, the receive time and the decoder's settings. */
bool syslog_batch_fill(struct batch *batch, const struct clock *clock, struct str messages, const char *host,
                       struct str inner_newlines, struct err *err);

/* Offers it. ERR_BUSY: *batch stays. Anything else that goes wrong loses it: its messages are counted as dropped and the
 * reason becomes the source's state. */
enum syslog_offered { SYSLOG_TAKEN, SYSLOG_BUSY, SYSLOG_LOST };
enum syslog_offered syslog_batch_offer(struct intake *intake, struct batch **batch);
