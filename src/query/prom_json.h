/*
 * prom_json - results as Prometheus' HTTP API writes them: {"resultType":"vector","result":[...]}.
 *
 * Only the data part; who serves puts the envelope around it.
 */
#pragma once

#include "base/buf.h"
#include "query/promql.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends the data object; false: no memory. */
bool prom_json_result(const struct promql_result *result, struct buf *out);
/* {"__name__":"up","job":"node"} */
bool prom_json_labels(const struct labels *labels, struct buf *out);
/* Seconds with as many of three digits as are needed: 1435781430.781 */
void prom_json_time(int64_t time_ns, struct buf *out);
