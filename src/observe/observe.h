/*
 * observe - the stage that finds: folding detectors on the workers, rules and the alert budget at the tick.
 *
 *      observe_create -> (restore) -> observe_fold, observe_settle (workers, each its partitions) -> observe_gather, observe_tick (pipeline) ... -> observe_destroy
 *
 * The folding side sees every committed item once, partition by partition in journal order, and notes what it notices in the
 * partition's own list, at once or when it settles. The pipeline's thread gathers these lists, in order of partition, when no worker runs; so what comes
 * out does not depend on how many workers there are. docs/decisions/0006-findings-to-pages.md has the whole picture.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"
#include "model/noticed.h"

#include <jansson.h>
#include <stdint.h>

struct observe;
struct database;
struct intake;
struct logs;
struct rules;
struct series_store;

struct observe_options {
        struct logs *logs;
        struct series_store *series;
};

bool observe_create(const struct observe_options *options, struct observe **out_observe, struct err *err);
void observe_destroy(struct observe *observe);
/* Where the samples of recording rules go; not before recovery has ended, since the journal has them already. */
void observe_connect(struct observe *observe, struct intake *intake);
struct rules *observe_rules(struct observe *observe); /* for rules_json */
struct checks;
struct checks *observe_checks(struct observe *observe); /* for the threads that run them */
struct kinds;
void observe_forget_seen(struct observe *observe); /* what telemetry names is told anew; when no worker runs */
bool observe_watch(struct observe *observe, const struct kinds *kinds, struct err *err); /* the kinds of which telemetry may name entities; when no worker runs */

/* Some records and series of a committed batch that belong to one partition, as indexes into its telemetry. */
struct fold {
        uint16_t partition;
        const struct batch *batch;
        uint64_t sequence;
        int64_t time_ns;                /* journal time of the batch's entry */
        const uint32_t *records;
        size_t record_count;
        const uint32_t *series;
        size_t series_count;
        struct series_store *store;     /* has the series' labels; NULL: nothing is told of them */
};

/* On the worker that owns the partition. False: no memory; called again with the same fold, which must do no harm. */
bool observe_fold(struct observe *observe, const struct fold *fold, struct err *err);

/* Folding detectors may put off what is cheaper for many items at once. Before a tick, when some of it is due, each worker settles its partitions. */
struct settle {
        uint16_t partition;
        int64_t time_ns;                /* journal time of the tick */
        struct series_store *store;
};

bool observe_is_due(const struct observe *observe, int64_t time_ns); /* when no worker runs */
bool observe_settle(struct observe *observe, const struct settle *settle, struct err *err); /* as observe_fold */

/* What batches themselves carry: other tools' alerts, results of checks, changes. On the pipeline's thread. */
bool observe_carry(struct observe *observe, const struct batch *batch, int64_t time_ns, struct err *err);

struct log_templates;
struct log_templates *observe_log_templates(struct observe *observe); /* for readers */

/* Everything noticed since the last gather, appended; the lists are empty afterwards. */
bool observe_gather(struct observe *observe, struct noticed *out_noticed, struct err *err);

/* model/content.h; check first, all stages, then configure. A failed check changes nothing. */
bool observe_check_configuration(struct observe *observe, const json_t *content, struct err *err);
bool observe_configure(struct observe *observe, const json_t *content, struct err *err);

/* The deciding side; see 0006 for the shape. observe_tick turns anomalies into findings and adds what rules say. */
/* time_ns: journal time of the last entry that was decided on; 0: none. */
bool observe_load(struct observe *observe, struct database *state, int64_t time_ns, struct err *err);
bool observe_tick(struct observe *observe, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err);
/* Between ticks, before a command: what was noticed so far goes through the alert budget and is not lost. */
bool observe_drain(struct observe *observe, uint64_t sequence, int64_t time_ns, struct noticed *noticed, struct err *err);
bool observe_is_dirty(const struct observe *observe);
bool observe_write(struct observe *observe, struct database *state, struct err *err);
void observe_written(struct observe *observe);

/* The folding side's state, for checkpoints: parts by name, each with its own version in its first bytes. */
struct fold_part {
        const char *name;
        bool (*save)(struct observe *observe, struct buf *out, struct err *err);
        bool (*restore)(struct observe *observe, struct str bytes, struct err *err);
};
extern const struct fold_part fold_parts[]; /* ended by a NULL name */
/* As if the part had never learnt; before anything is folded or read. False: no memory, and it is as it was. */
bool observe_learn_anew(struct observe *observe, const struct fold_part *part, struct err *err);
