/*
 * intake_fake - an intake for the tests of sources: keeps what it is offered, is full or fails when told.
 *
 * A test includes intake_fake.c, which defines every function of intake.h, so the real one is not linked. Batches are
 * kept in the order they came; done is called on the spot. Any thread may offer; the test looks under fake_wait.
 */
#pragma once

#include "base/buf.h"
#include "base/thread.h"
#include "observe/intake.h"

#define FAKE_BATCHES_MAX 4096
#define FAKE_SOURCES_MAX 64

struct intake {
        struct lock lock;
        struct signal changed;
        struct batch *batches[FAKE_BATCHES_MAX];
        size_t batches_count;
        struct source_counters sources[FAKE_SOURCES_MAX];
        size_t sources_count;
        struct { char name[128]; char cursor[1024]; } cursors[FAKE_SOURCES_MAX];
        size_t cursors_count;
        bool (*decode)(struct batch *batch, struct err *err); /* called on every offer when set */
        bool full;              /* offers give ERR_BUSY */
        bool disk_fails;        /* done is called with an error */
        bool stopping;
        uint64_t refused;       /* offers that found it full */
        struct clock *clock;
};

void fake_init(struct intake *fake);
void fake_done(struct intake *fake);

/* Waits, at most ten seconds, until check(fake, context) holds; it is called with the lock held. */
bool fake_wait(struct intake *fake, bool (*check)(struct intake *fake, void *context), void *context);
bool fake_wait_batches(struct intake *fake, size_t count);
/* Waits until the bytes of all batches of this source, one after the other, have at least this length. */
bool fake_wait_bytes(struct intake *fake, const char *source, size_t length);
/* All bytes of all batches of a source (NULL: of all); the caller's buf. */
void fake_bytes(struct intake *fake, const char *source, struct buf *out);
void fake_set(struct intake *fake, bool *flag, bool value);
struct source_counters fake_source(struct intake *fake, const char *name); /* a copy; zeroes when it is not known */
void fake_forget(struct intake *fake); /* drops the batches; keeps the cursors: as a restart of the program does */
