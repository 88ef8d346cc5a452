/*
 * check_result - what running a check gave, as its prober writes it: series always, a finding when the state counts.
 *
 * Bytes: one JSON object, or a list of them.
 *      check, alert        its name, and the alertname
 *      labels              of series and finding: check, kind, instance, host, service ...
 *      annotations         of the finding, beside summary
 *      state               "ok", "warning", "critical", "unknown"
 *      severity            of critical; warning and unknown are warnings
 *      hard                the state counts: false while retries are left
 *      new                 the hard state changed, or is the first since a start: a good one resolves what was firing
 *      since_ns            since when the state is so
 *      duration_s, text, perfdata, changes, flapping
 *      values              { name: number }: each a series check_NAME
 *      ends_s              a firing finding ends by itself after so many seconds without another result
 *      origin              "self" for what Evenkeel finds about itself; else it is a check's
 *
 * Series: check_up (1 unless critical or unknown), check_state (0 to 3), check_duration_seconds, check_state_changes_total, check_flapping,
 * check_NAME for values, check_perfdata{label, unit} from performance data (Monitoring Plugins Development Guidelines).
 */
#pragma once

#include "wire/decode.h"

#define CHECK_RESULTS_MAX 4096          /* of a batch */
#define CHECK_PERFDATA_MAX 256          /* of a result; more are counted as rejected */

decode_fn check_result_decode;
