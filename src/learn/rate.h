/*
 * rate - how often something comes a minute, against its own past: its level, its hours of the day, its burstiness.
 *
 *      rate_init -> { rate_add ... rate_close }  once a minute
 *
 * Counts are compared with a negative binomial whose mean is the learnt level of this hour and whose variance over mean
 * is learnt too, since lines come in bursts and a Poisson would cry wolf. What a surprising minute teaches is capped
 * (winsorised), so that a fault does not become the baseline. A p-value is never smaller than a tenth of one in as many
 * minutes as were seen: nobody can know rarer things from so short a past. Pure; 76 bytes; plain data.
 */
#pragma once

#include "base/buf.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stdint.h>

#define RATE_HOURS 24
#define RATE_LEARNING_MINUTES 120 /* no judgement before */

struct rate {
        float level, spread;            /* lines a minute; variance over mean */
        uint32_t minutes, count;        /* closed so far; lines in the open one */
        uint32_t quiet, quiet_most;     /* minutes since a line came; the longest such gap that ended */
        float awaited;                  /* lines expected in the quiet minutes */
        uint16_t hours[RATE_HOURS];     /* this hour's share of the level, in 1/4096 */
};

struct rate_look {
        double p_many;                  /* of so many lines or more, by chance */
        double p_silent;                /* of silence for as long as now */
        double expected;                /* lines in this minute */
        uint32_t count;
};

void rate_init(struct rate *rate);
static inline void rate_add(struct rate *rate) { rate->count++; }
/* Ends a minute that lay in this hour of the day (UTC): what it was like, then learns from it. */
struct rate_look rate_close(struct rate *rate, int hour);
/* Two things turn out to be one. */
void rate_join(struct rate *rate, const struct rate *other);
/* P(X >= count) for a mean and a variance over mean of at least 1. */
double rate_tail(double mean, double spread, uint32_t count);

void rate_write(const struct rate *rate, struct buf *out);
bool rate_read(struct reader *reader, struct rate *out_rate); /* false: nothing that was written */
