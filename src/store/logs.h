/*
 * logs - log records in the store: open chunks in memory, sealed blocks in the archive, one way to read both.
 *
 * A record lives in the partition of its domain (hash of its stream's `service` label). Its partition's open chunk is
 * sealed into a block at LOG_BLOCK_RECORDS_MAX records or LOG_BLOCK_BYTES_MAX bytes (log_block.h), at a day's end, and at
 * a checkpoint. The exact bytes of every line are kept.
 *
 * Adding: only the thread that owns the partition. Reading: any thread.
 */
#pragma once

#include "base/err.h"
#include "model/labels.h"
#include "model/telemetry.h"
#include "store/archive.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logs; /* all 256 partitions */

bool logs_create(struct archive *archive, struct logs **out_logs, struct err *err);
void logs_destroy(struct logs *logs);

/* The partition of a stream. */
uint16_t logs_partition(const struct labels *stream);

/* Takes in one batch's records that fall into the given partition: records[picks[0..pick_count)]. item ids are
 * item_id(sequence, pick). A record without event time gets received_ns. Never loses a record: on ERR_MEMORY nothing of
 * this call was added and it may be called again. */
bool logs_add(struct logs *logs, uint16_t partition, uint64_t sequence, int64_t received_ns,
              const struct telemetry *telemetry, const uint32_t *picks, size_t pick_count, struct err *err);
/* Seals every open chunk of the partition (checkpoint, shutdown). */
bool logs_seal(struct logs *logs, uint16_t partition, struct err *err);

struct regex;

enum line_filter_op { LINE_CONTAINS, LINE_NOT_CONTAINS, LINE_MATCHES, LINE_NOT_MATCHES }; /* |= != |~ !~ */

struct line_filter {
        enum line_filter_op op;
        struct str text;
        struct regex *regex;    /* not anchored; owned by whoever owns the filter */
};

struct log_row {
        uint64_t id;
        int64_t time_ns;
        uint8_t severity;
        const struct labels *stream;
        struct str line;
        struct labels attributes;
};

struct log_select {
        struct matchers matchers;       /* over stream labels; `severity` is matched against the record's severity_name */
        struct { struct line_filter *items; size_t count, capacity; } filters; /* all must hold, in order */
        int64_t start_ns, end_ns;       /* event times, start included, end not */
        uint64_t after_id, before_id;   /* only rows with after_id < id < before_id; 0: no bound */
        size_t limit;                   /* rows given at most; 0: all */
        bool newest_first;              /* order by time then id, backwards */
        const _Atomic bool *cancelled;  /* may be NULL */
        int64_t deadline_ns;            /* clock_monotonic_ns of clock_real; 0: none; then ERR_TIMEOUT */
};

struct log_select_stats {
        uint64_t blocks_seen, blocks_opened, rows_scanned, bytes_scanned;
        uint64_t blocks_damaged;        /* left out: what matched in them is missing from the answer */
};

/* Visits matching rows in order of time (ties by id). Row contents are valid for the call only. visit false ends it. */
bool logs_select(struct logs *logs, const struct log_select *select,
                 bool (*visit)(void *context, const struct log_row *row), void *context,
                 struct log_select_stats *out_stats, struct err *err);

/* Distinct streams seen in the time range, each once. */
bool logs_streams(struct logs *logs, const struct matchers *matchers, int64_t start_ns, int64_t end_ns,
                  bool (*visit)(void *context, const struct labels *stream), void *context, struct err *err);

struct logs_stats {
        uint64_t records, bytes, open_records, open_bytes, blocks_sealed;
};
void logs_read_stats(struct logs *logs, struct logs_stats *out_stats);
