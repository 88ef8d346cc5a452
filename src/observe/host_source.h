/*
 * host_source - this machine's own metrics, every ten seconds, under node_exporter's names wherever it has one.
 *
 * config: { "every": seconds (10), "root": "/" (where /proc and /sys are looked up; fixture trees in tests),
 *           "processes": how many of the busiest to tell (10) }
 * Labels job="host", instance=<hostname>. What cannot be read on this machine is left out and told by
 * node_scrape_collector_success{collector} 0.
 */
#pragma once

#include "observe/source.h"

bool host_source_start(struct intake *intake, const json_t *config, void **out_source, struct err *err);
void host_source_stop(void *source);
void host_source_check(const json_t *config, struct faults *faults);
