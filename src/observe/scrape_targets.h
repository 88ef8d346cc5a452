/*
 * scrape_targets - what is to be scraped: jobs from the configuration, targets from it and from discovery files.
 *
 *      scrape_jobs_parse (once) -> scrape_targets_refresh (when a file changed) ... -> scrape_jobs_done
 *
 * Discovery files are Prometheus' file_sd: a list of { "targets": ["host:port"], "labels": {...} }, JSON or YAML.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "model/labels.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SCRAPE_TARGETS_MAX 10000

struct scrape_job {
        struct str name, path, scheme, ca_file, authorization;
        int64_t every_ns, timeout_ms;
        bool honor_labels, honor_timestamps, insecure;
        const json_t *targets, *files, *labels; /* borrowed from the configuration's copy */
};

struct scrape_jobs {
        struct arena arena;
        json_t *config;
        struct scrape_job *items;
        size_t count, capacity;
        uint64_t files_signature;       /* of what the discovery files were at the last refresh */
};

struct scrape_target {
        const struct scrape_job *job;
        struct str url, instance;
        struct labels labels;           /* canonical: job, instance, the job's and the file's */
        uint64_t id;                    /* hash of job, url and labels */
};

struct scrape_targets {
        struct scrape_target *items;
        size_t count, capacity;
};

bool scrape_jobs_parse(const json_t *config, struct scrape_jobs *out_jobs, struct err *err);
void scrape_jobs_done(struct scrape_jobs *jobs);

/* Whether a discovery file came, went or changed since this was last asked. */
bool scrape_jobs_changed(struct scrape_jobs *jobs);

/* All targets there are now, none twice, in the arena. An unreadable discovery file fails the whole. */
bool scrape_targets_list(const struct scrape_jobs *jobs, struct arena *arena, struct scrape_targets *out_targets,
                         struct err *err);
