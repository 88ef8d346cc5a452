/*
 * log_templates - the templates of every program, live: what its records say, how often, and with which values.
 *
 *      log_templates_create -> (log_templates_restore) -> log_templates_fold (workers, each its partitions) ... -> log_templates_destroy
 *                                                    any thread: log_templates_visit, log_templates_matcher
 *
 * A domain is a program (the stream's label `service`): it has a miner (learn/miner.h) and lives in the partition of its
 * name, so one worker meets all its records in journal order. Time is journal time; a partition's minutes end with the
 * first record of a later one. Beside each template stands what the detectors know of it (log_detector.h).
 *
 * Bounds, chosen and counted: a domain's miner forgets its rarest templates; a partition that holds too much forgets the
 * domain that has been quiet for longest; programs beyond LOG_DOMAINS_MAX of a partition share one domain.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "learn/line_matcher.h"
#include "learn/rate.h"
#include "learn/value_sketch.h"
#include "model/noticed.h"
#include "observe/observe.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_DOMAINS_MAX 256             /* of one partition */
#define LOG_PARTITION_BYTES ((uint64_t)2 << 20)
#define LOG_TEMPLATES_MAX 2048          /* of one domain */
#define LOG_VARIABLES_MAX 6             /* of one template, whose values are kept */
#define LOG_OTHER_PROGRAMS "(other programs)"

enum log_level { LOG_LEVELS_DEBUG, LOG_LEVELS_INFO, LOG_LEVELS_WARN, LOG_LEVELS_ERROR, LOG_LEVELS };

struct log_templates;

bool log_templates_create(struct log_templates **out_templates, struct err *err);
void log_templates_destroy(struct log_templates *templates);

/* Each record meets its domain's miner. As observe_fold: false without memory, and called again with the same fold it goes on
 * where it stopped. */
bool log_templates_fold(struct log_templates *templates, const struct fold *fold, struct noticed *noticed, struct err *err);

/* Version 3; those before are read too. No worker runs meanwhile. */
bool log_templates_save(struct log_templates *templates, struct buf *out, struct err *err);
bool log_templates_restore(struct log_templates *templates, struct str bytes, struct err *err);

struct template_variable {
        uint16_t place;                 /* orders the variables of a sentence */
        enum value_type type;
        const struct value_sketch *values; /* NULL: not kept */
};

/* Borrowed: valid while the visit runs. */
struct template_view {
        uint64_t id;
        struct str service, sentence;   /* the sentence with <address> and so on for variables */
        uint64_t split_from, halves[MINER_HALVES_MAX]; /* ids (miner.h); 0: it was not split from another */
        uint32_t half_count;
        uint64_t lines, lines_by_level[LOG_LEVELS];
        int64_t first_ns, last_ns;
        double per_minute;              /* the learnt level */
        uint64_t first_record, kept_record, newest_record; /* ids of example records; 0: none */
        uint32_t variable_count;
        struct template_variable variables[LINE_TOKENS_MAX];
};

/* Every template of a program (empty: of all), id 0: any id. Called with the partition locked: copy and return; false ends it. */
bool log_templates_visit(struct log_templates *templates, struct str service, uint64_t id,
                         bool (*visit)(void *context, const struct template_view *view), void *context, struct err *err);

/* For searching stored lines. out_service is the caller's buf. */
struct line_matcher *log_templates_matcher(struct log_templates *templates, uint64_t id, struct buf *out_service, struct err *err);

struct log_templates_stats {
        uint64_t domains, templates, bytes, lines;
        uint64_t domains_forgotten, templates_forgotten, templates_split, splits_refused, lines_crowded, lines_of_others;
};
void log_templates_read_stats(struct log_templates *templates, struct log_templates_stats *out_stats);
