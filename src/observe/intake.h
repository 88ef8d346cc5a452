/*
 * intake - the door that every source hands its batches to: counted, masked, journaled, acknowledged.
 *
 * A source makes a batch (batch_create), fills bytes, labels, settings, cursor and received_ns and offers it. Intake
 * decodes it (so that a bad one is refused at once), masks secrets in the bytes, and appends it to the journal.
 * done is called after the commit, on the journal's thread: then, and only then, tell the sender.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

struct intake;

/* What happened to an offer; err is NULL when the batch is committed. rejected items are counted in the batch's telemetry. */
typedef void intake_done_fn(void *context, const struct batch *batch, const struct err *err);

/* Takes the batch, whatever happens. True: done will be called, once. False: not taken in, done is not called; ERR_BUSY
 * (come again: HTTP 429, TCP stops reading), ERR_INVALID, ERR_TOO_LARGE, ERR_FULL ... */
bool intake_offer(struct intake *intake, struct batch *batch, intake_done_fn *done, void *context, struct err *err);

/* As intake_offer; but when intake is full (ERR_BUSY) the batch stays the caller's, to be offered again: for sources
 * whose bytes cannot be read twice (TCP). In every other case it is taken and *batch becomes NULL. */
bool intake_try_offer(struct intake *intake, struct batch **batch, intake_done_fn *done, void *context, struct err *err);

/* As intake_offer, and waits for the commit; for sources with a thread of their own. Waits while intake is full, unless
 * stopping. out_rejected may be NULL. */
bool intake_offer_wait(struct intake *intake, struct batch *batch, uint64_t *out_rejected, struct err *err);

const struct clock *intake_clock(const struct intake *intake);
bool intake_stopping(const struct intake *intake);

/* What the sources page shows. A source exists from the first time it is named. */
struct source_counters {
        char name[128];
        char kind[32];                  /* "syslog", "file", "scrape", "otlp" ... */
        int64_t last_seen_ns;           /* journal time of the last item; 0: never */
        int64_t newest_event_ns;        /* newest event time in it */
        uint64_t batches, records, samples, bytes;
        uint64_t dropped;               /* lost: UDP drops, refused at a full queue */
        uint64_t duplicates;            /* batches recognised as sent again */
        uint64_t parse_failures;        /* items or bodies that were wrong */
        int64_t clock_skew_ns;          /* receive time less event time, smallest of late; large and steady is a wrong clock */
        double lag_s;                   /* for files and the journal: how far behind the end, in bytes or seconds as lag_unit */
        int64_t expected_every_ns;      /* silent when nothing came for three times this; 0: not known, learned from gaps */
        bool failing;                   /* cannot be read or reached now */
        char state_text[200];           /* why, in a sentence; empty when fine */
};

/* For sources, from any thread. */
void source_dropped(struct intake *intake, struct str source, uint64_t count);
void source_parse_failure(struct intake *intake, struct str source, uint64_t count);
void source_state(struct intake *intake, struct str source, const char *kind, bool failing, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
void source_lag(struct intake *intake, struct str source, double lag);
/* Newest cursor committed for a source, as it stood at the last checkpoint or replay; arena-owned copy; empty when none. */
struct str source_cursor(struct intake *intake, struct str source, struct arena *arena);
