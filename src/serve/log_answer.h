/* log_answer - log queries as the own API, the tail and the Loki-shaped API share them. */
#pragma once

#include "serve/server.h"
#include "base/scope.h"
#include "learn/line_matcher.h"
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

/* A template's id, 16 hexadecimal digits. */
bool template_id_read(struct str text, uint64_t *out_id, struct err *err);
/* The field `template`: *out_matcher stays NULL without it; else the select is narrowed to the template's program and a word of
 * it, and rows are to be asked for with log_row_is_of. The caller's to line_matcher_destroy. */
bool log_template_read(struct request *request, struct log_select *select, struct line_matcher **out_matcher, struct err *err);
bool log_row_is_of(const struct line_matcher *matcher, const struct log_row *row); /* matcher NULL: true */

SCOPED_PTR(line_matcher_destroy, struct line_matcher)
