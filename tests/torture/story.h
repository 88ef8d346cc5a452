/*
 * story - what torture tells: something the program does, that must end well, or with a reason, whatever fails once.
 *
 *      begin (nothing fails) -> live (the nth thing fails) -> end (nothing fails: the store is consistent, all is given back)
 *
 * A story in memory that gives true has done all; one that gives false has said why. Stories of the store do each step with
 * insist(): what fails the first time must work the second. Their disk forgets what was not synced.
 */
#pragma once

#include "base/err.h"
#include "failing.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct story {
        const char *name;
        unsigned faults; /* bits: 1 << enum fault */
        bool (*tell)(struct err *err);
        void (*begin)(void), (*live)(void), (*end)(void); /* instead of tell: a story of the store */
};

#define IN_MEMORY (1u << FAULT_ALLOCATION)
#define ON_DISK (IN_MEMORY | 1u << FAULT_DISK)
#define IN_DATABASE (ON_DISK | 1u << FAULT_STEP)

/* Ends torture: the program did what it must not. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The world of a story of the store. */
#define FOLDER "/data"
#define VFS "torture"
struct world {
        struct disk *memory, *disk; /* the forgetful one, and the failing one on it */
        uint64_t seed;              /* of its crashes */
        size_t told;                /* errors that steps gave */
};
extern struct world world;
void world_begin(void);
void world_end(void); /* no database may be open */

void step_failed(const char *step, const struct err *err);

/* step is an expression that may use &err. */
#define insist(step)                                                                                                   \
        do {                                                                                                           \
                struct err err = {0};                                                                                  \
                if (!(step)) {                                                                                         \
                        step_failed(#step, &err);                                                                      \
                        err = (struct err){0};                                                                         \
                        if (!(step))                                                                                   \
                                broken("%s fails again, when nothing fails any more: %s", #step, err.message);         \
                }                                                                                                      \
        } while (0)

bool tell_syslog(struct err *err);
bool tell_otlp_logs(struct err *err);
bool tell_webhook(struct err *err);
bool tell_exposition(struct err *err);
bool tell_promql(struct err *err);
bool tell_logql(struct err *err);
bool tell_alerts(struct err *err);
bool tell_alert_stream(struct err *err);
bool tell_redaction(struct err *err);

void live_journal(void);
void begin_journal(void);
void end_journal(void);
void live_archive(void);
void begin_archive(void);
void end_archive(void);
void live_telemetry(void);
void begin_telemetry(void);
void end_telemetry(void);

void live_accounts(void);
void begin_accounts(void);
void end_accounts(void);
void live_intake(void);
void begin_intake(void);
void end_intake(void);
void live_recovery(void);
void begin_recovery(void);
void end_recovery(void);
