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

#include <jansson.h>
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
        int64_t steady_since_ns;        /* since when it speaks without such a silence */
        double rate_records, rate_samples; /* a second, over about the last half minute */
        bool silent;                    /* nothing came for three times expected_every_ns */
        bool failing;                   /* cannot be read or reached now */
        char state_text[200];           /* why, in a sentence; empty when fine */
};

#define SOURCES_MAX 4096 /* more are counted together under "others" */

/* Copies of at most max counters, in order of name; gives how many there are. */
size_t intake_list_sources(struct intake *intake, struct source_counters *out_sources, size_t max);

struct intake_stats {
        uint64_t batches, records, samples, bytes, rejected, duplicates, busy, refused, secrets_masked;
        uint64_t bytes_waiting;         /* offered but not yet stored in open chunks */
        uint64_t sources_over_bound;
};
void intake_read_stats(struct intake *intake, struct intake_stats *out_stats);

/* --- for sources, from any thread --- */
void source_dropped(struct intake *intake, struct str source, uint64_t count);
void source_parse_failure(struct intake *intake, struct str source, uint64_t count);
void source_state(struct intake *intake, struct str source, const char *kind, bool failing, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
void source_lag(struct intake *intake, struct str source, double lag);
/* Newest cursor committed for a source, as it stood at the last checkpoint or replay; arena-owned copy; empty when none. */
struct str source_cursor(struct intake *intake, struct str source, struct arena *arena);

/* --- for loop/, which owns the intake --- */

struct journal;
struct redactor;

struct intake_options {
        const struct clock *clock;
        const struct redactor *redactor;
        size_t bytes_max;               /* in flight: offered but not yet stored, a fifth of it by who can send again; 0: 128 MiB */
        /* Takes a committed batch over, on the journal's thread, in order of sequences; must not block. */
        void (*deliver)(void *context, struct batch *batch, uint64_t sequence, int64_t time_ns);
        /* A batch that brought findings is on its way into the journal: its decision should not wait for the next tick. On any thread; NULL: it waits. */
        void (*decide_soon)(void *context);
        void *context;
};

bool intake_create(const struct intake_options *options, struct intake **out_intake, struct err *err);
/* The journal is opened after the intake was made, since recovery needs the intake. Before the first offer. */
void intake_connect(struct intake *intake, struct journal *journal);
void intake_destroy(struct intake *intake);
void intake_stop(struct intake *intake);                /* offers fail from now on; waiting ones give up */

/* Fills batch->telemetry by the decoder of its format; for batches read back from the journal. */
bool intake_decode(struct batch *batch, struct err *err);
/* The batch is in the open chunks: counts it for its source, gives its weight back, destroys it. */
void intake_stored(struct intake *intake, struct batch *batch, int64_t time_ns);
/* Journal time passed; rates and silence are judged by it. */
void intake_tick(struct intake *intake, int64_t time_ns);

/* What must survive a restart: each source's cursor and counters, and the hashes of recent batches. */
json_t *intake_save(struct intake *intake); /* NULL: no memory */
bool intake_restore(struct intake *intake, const json_t *saved, struct err *err);
