/*
 * scrape_source - asks targets for their metrics, as Prometheus does: static and file discovery, jitter, staleness.
 *
 * config: { "jobs": [ { "job": "node", "targets": ["127.0.0.1:9100"], "files": ["targets/?*.json"], "every": "15s",
 *           "timeout": "10s", "path": "/metrics", "scheme": "http", "labels": {}, "honor_labels": false,
 *           "honor_timestamps": true, "ca_file": path, "insecure": false, "authorization": "Bearer ..." } ] }
 * Default: no jobs. Each target is a source of its own, named scrape:<job>/<instance>.
 *
 * After each scrape come up, scrape_duration_seconds, scrape_samples_scraped and scrape_series_added. Series that were there
 * before and are not any more, and all of a target that fails or is removed, end with a stale marker.
 */
#pragma once

#include "observe/source.h"

bool scrape_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err);
void scrape_source_stop(void *source);
void scrape_source_check(const json_t *config, struct faults *faults);
