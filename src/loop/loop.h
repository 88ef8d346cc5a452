/*
 * loop - the whole spine of one data folder: journal, store, intake and the pipeline between them.
 *
 *      loop_open (recovers) -> loop_start -> loop_command, intake_offer ... -> loop_stop -> loop_close
 *
 *      <directory>/journal/       entries since the last checkpoint
 *      <directory>/telemetry/     sealed blocks, a file a day
 *      <directory>/state.db       the checkpoint, accounts, the audit log
 *      <directory>/lock           held by the one program that uses the folder
 *
 * Behind the journal everything is a function of it: loop_open drops what is newer than the last checkpoint and feeds
 * the journal's entries to the very code that runs live.
 */
#pragma once

#include "act/step.h"
#include "base/clock.h"
#include "base/err.h"
#include "engage/delivery.h"
#include "store/archive.h"
#include "store/disk.h"
#include "store/journal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct intake;
struct logs;
struct series_store;
struct metric_metas;
struct registry;
struct observe;
struct database;
struct redactor;
struct rehearsal;

struct loop_options {
        const char *directory;          /* made when missing, mode 0700 */
        struct disk *disk;              /* NULL: the real one */
        const char *vfs;                /* SQLite's; NULL: the system's */
        struct clock *clock;            /* NULL: the real one */
        const struct redactor *redactor; /* NULL: nothing is masked */
        int workers;                    /* threads that own partitions; 0: 1. Results do not depend on it */
        size_t series_max;              /* resident series; 0: 2 million */
        size_t intake_bytes_max;        /* in flight; 0: 128 MiB */
        int64_t checkpoint_ns;          /* 0: one hour */
        uint64_t checkpoint_bytes;      /* of journal since the last; 0: 1 GiB */
        int64_t retention_days;         /* 0: 30 */
        uint64_t retention_bytes;       /* of telemetry on disk; 0: no bound */
        size_t segment_bytes;           /* of the journal; 0: 64 MiB */
        bool keep_journal;              /* a checkpoint trims nothing; the journal alone tells everything again */
        int64_t keep_ns;                /* a checkpoint keeps so much of the journal for replay (loop/replay.h); 0: nothing */
        uint64_t keep_bytes;            /* at most, with the states beside it; 0: 1 GiB */
        struct rehearsal *rehearsal;    /* NULL: this is no replay */
        bool spine_alone;               /* telemetry is stored and nothing looks for findings in it: to measure what finding costs */
        bool skip_damage;               /* go on past damaged journal entries: the operator's word for it */
        struct step_hands hands;        /* what steps of runbooks do things with; empty: nothing can be done */
        bool steps_in_turn;             /* by loop_turn, without threads; for tests */
        const char *own_host;           /* the machine this runs on; NULL: not known */
        struct delivery_options delivery; /* how messages leave; with a fake they leave without loop_start too */
        /* Called instead of waiting a second when a committed command cannot be applied; true: try again. For tests. */
        bool (*stalled)(void *context);
        void *stalled_context;
};

struct loop_stats {
        uint64_t checkpoints, checkpoint_failures, commands, ticks, replayed_entries;
        uint64_t sequence_applied, sequence_checkpoint;
        int64_t time_ns;                /* journal time of the newest entry handled */
        int64_t recovery_ns;            /* how long loop_open took to replay */
        int64_t checkpoint_ns_last;     /* how long it took */
        int64_t checkpoint_time_ns;     /* journal time of the last good one; 0: none yet */
        int64_t retention_days;         /* as configured */
        uint64_t retention_bytes;       /* as configured; 0: no bound */
        uint64_t days_removed;
        int64_t replay_from_ns;         /* what replay can begin at, as of the last checkpoint; 0: only what came since it */
};

bool loop_open(const struct loop_options *options, struct loop **out_loop, struct err *err);
bool loop_start(struct loop *loop, struct err *err);    /* threads: ticks, journal, pipeline */
void loop_stop(struct loop *loop);                      /* refuses offers, commits and stores what is there, checkpoints */
void loop_close(struct loop *loop);                     /* without loop_stop before: as a crash, for tests */

/* Without threads, for tests and scenarios on a virtual clock: commits what waits and handles it; a tick first. */
void loop_turn(struct loop *loop);

/* Puts a configuration (model/content.h) in force by the command `configure`, unless it already is. */
bool loop_configure(struct loop *loop, json_t *content, struct err *err);

/* Secrets by name, for the threads that send; copied, never journaled. */
bool loop_set_secrets(struct loop *loop, const json_t *secrets, struct err *err);

struct intake *loop_intake(struct loop *loop);
struct observe *loop_observe(struct loop *loop);
struct logs *loop_logs(struct loop *loop);
struct series_store *loop_series(struct loop *loop);
struct metric_metas *loop_metas(struct loop *loop);
struct registry *loop_registry(struct loop *loop);
struct archive *loop_archive(struct loop *loop);
struct journal *loop_journal(struct loop *loop);
const char *loop_directory(const struct loop *loop);
/* Waits until everything committed so far can be read; at most wait_ms. */
bool loop_settle(struct loop *loop, int64_t wait_ms, struct err *err);
/* Asks for a checkpoint now and waits for it; at most wait_ms. */
bool loop_checkpoint(struct loop *loop, int64_t wait_ms, struct err *err);
void loop_read_stats(struct loop *loop, struct loop_stats *out_stats);

/* A reader of the state database; the caller's to database_close. */
bool loop_open_state(struct loop *loop, struct database **out_reader, struct err *err);

/* An online copy into a new folder: checkpoints, copies the databases, writes a manifest with sizes and hashes. */
bool loop_backup(struct loop *loop, const char *to_directory, struct err *err);
/* Proves a backup: manifest, hashes, every database's integrity, every block readable. out_report is the caller's. */
bool loop_verify_backup(const char *directory, json_t **out_report, struct err *err);
/* Verifies, then copies the backup into a data folder that must not exist or be empty. */
bool loop_restore(const char *backup_directory, const char *to_directory, json_t **out_report, struct err *err);
