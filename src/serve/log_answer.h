/* log_answer - log queries as the own API, the tail and the Loki-shaped API share them. */
#pragma once

#include "serve/server.h"
#include "store/logs.h"

#define LOG_ROWS_MAX 50000   /* in one answer */
#define LOG_ROWS_DEFAULT 200

/* Fills matchers, filters, times, deadline from the fields query, start, end, since; times default to the last hour. After use
 * logql_done. */
bool log_select_read(struct request *request, struct log_select *out_select, struct err *err);
/* {"id":"..","time_ns":"..","severity":"info","stream":{..},"line":"..","attributes":{..}} */
void log_row_write(struct buf *out, const struct log_row *row);
void log_labels_write(struct buf *out, const struct labels *labels);
/* A copy that lives in the arena; false: no memory. Streams already copied are shared when `last` is the row before. */
bool log_row_copy(struct arena *arena, const struct log_row *row, const struct log_row *last, struct log_row *out_row);
