/*
 * journal - the one ordered list of everything that comes in, on disk before anybody is told that it was accepted.
 *
 *      journal_open -> journal_replay -> journal_start -> journal_append ... -> journal_trim ... -> journal_close
 *
 * Segments of preallocated, checksummed entries: <directory>/journal/<first sequence, 16 hex>.seg. A thread of its own takes all
 * that waits, writes it with one writev, calls fdatasync, and only then tells the appenders (group commit: the next
 * sync starts when the last one ends; no timer). Entries of kind ENTRY_TICK alone do not cause a sync; they ride along
 * with the next one, or one second later. The first after something else does not wait: what came is decided at it.
 *
 * Sequences start at 1 and have no gaps. Entry times never go back: a clock that jumps back is held at the last time
 * and counted. A torn tail (a crash in the middle of a write) is cut at open and told; damage before valid entries is
 * ERR_CORRUPT with file, offset and what to do.
 *
 * When the disk is full, read-only or failing, appends are refused with ERR_FULL or ERR_IO, the journal keeps trying
 * every second, and goes on by itself when it can. After a failed write or fdatasync the segment is never trusted: its
 * tail is cut back to the last committed entry and a new segment begins (fsync may drop dirty pages after an error).
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "store/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_kind {
        ENTRY_TICK = 1,     /* 100 ms have passed; no payload */
        ENTRY_BATCH = 2,    /* telemetry: model/batch.h */
        ENTRY_COMMAND = 3,  /* what a person or program ordered: JSON */
        ENTRY_CONFIG = 4,   /* a configuration that was loaded: JSON */
};

struct entry {
        uint64_t sequence;
        int64_t time_ns;    /* journal time: UTC, never goes back */
        uint16_t kind;
        struct str payload; /* borrowed for the call */
};

/* One append; embed it in your own struct. It and the payload stay the appender's, untouched until done is called. */
struct append {
        uint16_t kind;
        bool is_followed; /* another one comes right behind, for the same sync, and then journal_go: nobody is woken before */
        struct str payload;
        /* On the journal's thread, in order of sequences, after the commit (err NULL) or the failure (entry NULL). Must not block. */
        void (*done)(struct append *append, const struct entry *entry, const struct err *err);
        struct append *next;    /* the journal's, as is the following */
        uint64_t payload_hash;
};

struct journal_options {
        size_t segment_bytes;       /* 0: 64 MiB */
        size_t queue_bytes_max;     /* appended but not yet committed; 0: 64 MiB. Beyond it ERR_BUSY */
        size_t reserve_bytes;       /* kept preallocated for commands when the disk is full; 0: 4 MiB */
        bool skip_damage;           /* go on past damaged and missing entries, and count them: the operator's word for it */
        uint64_t sequence_min;      /* the next sequence is at least this: the checkpoint's + 1, in case the journal was
                                       lost; used only with skip_damage, else a journal that ends before is ERR_CORRUPT */
        int64_t time_min_ns;        /* journal time goes on from here at least: the checkpoint's, whose journal may be gone */
};

enum journal_health {
        JOURNAL_GOOD,
        JOURNAL_RESERVE,    /* the disk is full: only ENTRY_COMMAND and ENTRY_CONFIG are taken, into the reserve */
        JOURNAL_FAILING,    /* all appends are refused */
};

/* One append may hold at most this many bytes. */
#define JOURNAL_PAYLOAD_BYTES_MAX ((size_t)256 << 20)

struct journal_stats {
        uint64_t first_sequence, last_committed; /* what is on disk */
        uint64_t bytes_on_disk, syncs, entries, bytes_appended, refused, clock_held, failures;
        int64_t sync_ns_last, sync_ns_max;
        uint64_t tail_bytes_cut;                /* by the last open */
        uint64_t entries_skipped;               /* damaged or missing, by open and replay with skip_damage */
        enum journal_health health;
};

struct journal;

/* After a crash of the machine or of the process alone: what open gives as committed is on disk (it syncs the tail). */
bool journal_open(struct disk *disk, const char *directory, struct clock *clock, const struct journal_options *options,
                  struct journal **out_journal, struct err *err);
/* Visits committed entries from the sequence on, in order; visit false ends it with its err. Before journal_start only.
 * from_sequence must be within the journal or its next (ERR_CORRUPT: the entries between are lost); 0 is from the first, which
 * is for a journal that was never trimmed: what was trimmed may come back after a crash, with gaps. */
bool journal_replay(struct journal *journal, uint64_t from_sequence,
                    bool (*visit)(void *context, const struct entry *entry, struct err *err), void *context,
                    struct err *err);
/* A disk that does not take a segment yet is no failure: appends are refused until it does. */
bool journal_start(struct journal *journal, struct err *err);
/* From any thread. On false (ERR_BUSY, ERR_FULL, ERR_IO, ERR_CANCELLED) done is not called. */
bool journal_append(struct journal *journal, struct append *append, struct err *err);
/* What waits goes to the disk: after an append that was followed, or was to be. */
void journal_go(struct journal *journal);
/* Entries below the sequence are no longer needed: whole segments below it are deleted.
 * What made them superfluous must be on disk. One thread at a time. */
bool journal_trim(struct journal *journal, uint64_t below_sequence, struct err *err);
void journal_read_stats(struct journal *journal, struct journal_stats *out_stats);
/* Commits what waits, stops the thread. */
void journal_close(struct journal *journal);

/* Without a thread, for tests on a virtual clock: commits what waits now, calling done. */
void journal_commit_now(struct journal *journal);
