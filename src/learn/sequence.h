/*
 * sequence - which events belong together in one piece of work (a request, a block, a session), and when one is unusual.
 *
 *      sequences_create -> { sequences_step (an event of a piece of work) ... sequences_close -> visit } ... -> sequences_destroy
 *
 * A piece of work is the bag of its events: how often each came. A finished bag is compared with those known: an event that
 * is missing or was never there counts 1, another number of times less the more numbers were seen. The distance to the nearest
 * becomes a p-value: the share of bags seen only once is how likely a bag is to be new at all (Good and Turing), and their
 * distances from each other tell how far a harmless new one lies (an exponential tail). Simple count vectors do as well on
 * public logs as deep networks (Landauer, Skopik and Wurzenberger, FSE 2024). Pure, bounded; what does not fit is counted.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stdint.h>

#define BAG_EVENTS_MAX 48               /* different events; a bag with more is not judged */
#define SEQUENCES_KNOWN_MAX 128         /* bags remembered; the rarest gives way */
#define SEQUENCES_OPEN_MAX 512          /* pieces of work under way; the one that was quiet for longest is closed */
#define SEQUENCES_JUDGED_MAX 32         /* new bags that are compared with all others in one minute; more are learnt unjudged */

struct bag {
        uint32_t count;
        bool is_too_large;
        struct { uint32_t event, times; } items[BAG_EVENTS_MAX]; /* by event */
};

void bag_add(struct bag *bag, uint32_t event);

struct sequences;

struct sequence_look {
        uint64_t work;                  /* who it was */
        uint32_t first_event, last_event;
        int64_t first_ns, last_ns;
        double distance, p_value;       /* p_value 1: known, or nothing is known yet */
};

struct sequences *sequences_create(struct err *err);
void sequences_destroy(struct sequences *sequences);

/* False: no memory, the event was not taken. closed is called for a piece of work that had to make room. */
bool sequences_step(struct sequences *sequences, uint64_t work, uint32_t event, int64_t time_ns,
                    void (*closed)(void *context, const struct sequence_look *look), void *context, struct err *err);
/* Ends what was quiet since before the time: each is judged, then learnt from. */
void sequences_close(struct sequences *sequences, int64_t quiet_since_ns, void (*closed)(void *context, const struct sequence_look *look), void *context);

/* The model alone, for trying it on whole bags. */
struct sequence_look sequences_judge(struct sequences *sequences, const struct bag *bag);
bool sequences_learn(struct sequences *sequences, const struct bag *bag);
uint64_t sequences_seen(const struct sequences *sequences); /* bags learnt */
uint64_t sequences_bytes(const struct sequences *sequences);

void sequences_write(const struct sequences *sequences, struct buf *out);
struct sequences *sequences_read(struct reader *reader, struct err *err); /* NULL: damaged, or no memory */
