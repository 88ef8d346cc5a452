/*
 * log_domain - one program's templates and what is counted beside them; the inside of log_templates.h.
 *
 * Owned by its partition, whose lock guards it.
 */
#pragma once

#include "learn/miner.h"
#include "learn/sequence.h"
#include "learn/split.h"
#include "observe/log_templates.h"

struct kept_values {
        uint16_t place;
        struct value_sketch sketch;
};

#define WATCHED_MAX 16          /* templates of one program that are looked at for several sentences, at a time */

struct template_stat {                  /* by the miner's number */
        uint64_t lines_by_level[LOG_LEVELS];
        uint64_t first_record, kept_record, newest_record;
        struct rate rate;
        struct kept_values *values;
        struct split *watch;            /* does it hold several sentences? NULL: it is not asked */
        uint8_t value_count;
        bool is_one;                    /* it was asked: no */
        bool is_high, is_silent;        /* told, and not yet over */
        int64_t variable_told_minute;
};

/* Times in which a program says that it cannot go on (level critical and above); each ends with an hour without. */
struct log_fatal {
        float level;                    /* how many begin in a minute */
        uint32_t quiet;                 /* minutes since the last such record, while one lasts */
        uint64_t template_id;           /* of the record that began it; 0: none lasts */
};

struct log_domain {
        char *name;
        struct miner *miner;
        struct template_stat *stats;
        uint32_t stat_count, watched;
        uint64_t lines;
        int64_t last_ns;
        struct rate births, errors;     /* new templates; records of level error */
        bool errors_high;
        struct log_fatal fatal;
        struct sequences *sequences;    /* of what its lines tell by an id; NULL: no line has had one */
};

struct log_domain *log_domain_create(struct str name, struct err *err);
void log_domain_destroy(struct log_domain *domain);
uint64_t log_domain_bytes(const struct log_domain *domain);
enum log_level log_level_of(uint8_t severity);

/* Ask ahead for what learning a line that was split will touch; tells which template it probably is. */
uint32_t log_domain_fetch(const struct log_domain *domain, const struct miner_line *line);

/* One record; out_match tells what it said. False: no memory, nothing was counted. */
bool log_domain_learn(struct log_domain *domain, struct miner_line *line, const struct log_record *record, uint64_t id, int64_t time_ns,
                      struct miner_match *out_match, struct err *err);
/* Keeps the values of a record that was learnt, or leaves them out: after the detectors have seen them. */
void log_domain_keep(struct log_domain *domain, struct str sentence, const struct miner_match *match);

bool log_domain_save(const struct log_domain *domain, struct buf *out, struct err *err);
/* Version 1 knew no watches, version 2 no fatal times. */
struct log_domain *log_domain_restore(struct reader *reader, uint32_t version, struct err *err);
