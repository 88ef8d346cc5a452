/*
 * api_loki.c - log queries in the shape of Loki's HTTP API, for Grafana's Loki data source. Source: Loki's documentation.
 *
 * Answers are streams only. Metric queries are refused by name, but for expressions of constants, which Grafana's
 * connection test sends (vector(1)+vector(1)): PromQL evaluates those over no series.
 */
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "query/logql.h"
#include "query/promql.h"
#include "serve/log_answer.h"
#include "serve/warnings.h"
#include "serve/when.h"

#include <stdio.h>
#include <stdlib.h>

#define LOKI_ROWS_MAX 5000
#define STATS_ROWS_MAX 1000000

static void is_json_answer(struct request *request)
{
        request->answer.status = 200;
        request->answer.content_type = "application/json";
}

/* ---- streams ---- */

struct stream {
        const struct labels *labels;
        uint8_t severity;
        struct buf values; /* ["ns","line"],... */
};

struct streams {
        struct arena *arena;
        struct stream *items;
        size_t count, capacity;
        struct map map;
        uint64_t rows, bytes;
        bool failed;
};

static void streams_done(struct streams *streams)
{
        each (stream, streams)
                buf_done(&stream->values);
        map_done(&streams->map);
}

static struct stream *stream_of(struct streams *streams, const struct log_row *row)
{
        uint64_t hash = labels_id(row->stream).low ^ row->severity;
        size_t at;
        for (uint32_t i = map_first(&streams->map, hash, &at); i != MAP_NONE; i = map_next(&streams->map, hash, &at))
                if (streams->items[i].severity == row->severity && labels_equal(streams->items[i].labels, row->stream))
                        return &streams->items[i];
        struct log_row copy;
        struct stream *stream = arena_push(streams->arena, streams);
        if (!stream)
                return NULL;
        *stream = (struct stream){.severity = row->severity};
        if (!log_row_copy(streams->arena, row, NULL, &copy) || !map_put(&streams->map, hash, (uint32_t)(streams->count - 1)))
                return NULL;
        stream->labels = copy.stream;
        return stream;
}

static bool add_line(void *context, const struct log_row *row)
{
        struct streams *streams = context;
        struct stream *stream = stream_of(streams, row);
        if (!stream) {
                streams->failed = true;
                return false;
        }
        buf_printf(&stream->values, "%s[\"%ld\",", stream->values.length ? "," : "", (long)row->time_ns);
        json_quote(&stream->values, row->line);
        streams->rows++;
        streams->bytes += row->line.length;
        streams->failed |= !buf_byte(&stream->values, ']');
        return !streams->failed;
}

static void write_stream(struct buf *out, const struct stream *stream)
{
        buf_text(out, "{\"stream\":{");
        each (label, stream->labels) {
                json_quote(out, label->name);
                buf_byte(out, ':');
                json_quote(out, label->value);
                buf_byte(out, ',');
        }
        buf_printf(out, "\"level\":\"%s\"},\"values\":[", severity_name(stream->severity));
        buf_add(out, buf_str(&stream->values));
        buf_text(out, "]}");
}

static bool answer_streams(struct request *request, struct log_select *select, struct err *err)
{
        int64_t limit;
        struct str direction = request_field(request, "direction");
        scoped(streams_done) struct streams streams = {.arena = &request->arena};
        if (!request_number(request, "limit", 100, 0, LOKI_ROWS_MAX, &limit, err))
                return false;
        select->newest_first = !str_equal_nocase(direction, STR("forward"));
        select->limit = limit ? (size_t)limit : LOKI_ROWS_MAX;
        if (!logs_select(server_of(request)->context.logs, select, add_line, &streams, NULL, err))
                return false;
        if (streams.failed)
                return fail_memory(err, "serve", streams.bytes);
        struct buf *out = &request->answer.body;
        buf_text(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[");
        each (stream, &streams) {
                if (stream != streams.items)
                        buf_byte(out, ',');
                write_stream(out, stream);
        }
        buf_printf(out, "],\"stats\":{\"summary\":{\"totalLinesProcessed\":%lu,\"totalBytesProcessed\":%lu}}}",
                   (unsigned long)streams.rows, (unsigned long)streams.bytes);
        warnings_write(request, select->start_ns, select->end_ns);
        buf_byte(out, '}');
        is_json_answer(request);
        return true;
}

/* ---- metric queries: refused, or constants ---- */

static bool select_nothing(void *context, const struct series_select *select, struct arena *arena, struct series_set *out_set,
                           struct err *err)
{
        (void)context, (void)select, (void)arena, (void)err;
        *out_set = (struct series_set){0};
        return true;
}

static bool answer_constant(struct request *request, struct str query, struct err *err)
{
        struct promql_source source = {.select = select_nothing};
        int64_t now_ns = clock_now_ns(server_of(request)->context.clock);
        struct promql_options options = {.start_ns = now_ns, .end_ns = now_ns};
        struct promql_result result;
        if (!promql_query(query, &source, &options, &request->arena, &result, err))
                return false;
        struct buf *out = &request->answer.body;
        buf_text(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
        each (series, &result.set) {
                buf_printf(out, "%s{\"metric\":{},\"value\":[%ld,\"", series == result.set.items ? "" : ",", (long)(now_ns / NS_PER_S));
                promql_number(series->values[0], out);
                buf_text(out, "\"]}");
        }
        buf_text(out, "],\"stats\":{}}}");
        is_json_answer(request);
        return true;
}

static bool is_metric_query(struct str query)
{
        return query.length > 0 && query.bytes[0] != '{' && memchr(query.bytes, '(', query.length);
}

static bool refuse_metric_query(struct str query, struct err *err)
{
        struct str name;
        str_cut(&query, '(', &name);
        return fail(err, ERR_REFUSED, "serve", "%.*s(...) is a metric query over logs, which is not answered yet; a log query begins with {",
                    STR_ARGS(str_slice(str_trim(name), 0, 60)));
}

bool loki_query(struct request *request, struct err *err)
{
        struct str query = str_trim(request_field(request, "query"));
        scoped(logql_done) struct log_select select = {0};
        if (is_metric_query(query))
                return refuse_metric_query(query, err);
        return log_select_read(request, &select, err) && answer_streams(request, &select, err);
}

bool loki_query_instant(struct request *request, struct err *err)
{
        struct str query = str_trim(request_field(request, "query")), time = request_field(request, "time");
        scoped(logql_done) struct log_select select = {0};
        if (str_starts_with(query, STR("vector(")))
                return answer_constant(request, query, err);
        if (is_metric_query(query))
                return refuse_metric_query(query, err);
        if (!log_select_read(request, &select, err))
                return false;
        if (time.length && !when_any(time, select.end_ns, &select.end_ns))
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"time\": cannot parse \"%.*s\" to a valid timestamp",
                            STR_ARGS(str_slice(time, 0, 100)));
        select.start_ns = select.end_ns - 3600 * NS_PER_S;
        return answer_streams(request, &select, err);
}

/* ---- labels ---- */

struct names {
        struct arena *arena;
        struct str wanted; /* bytes NULL: names, not values */
        struct str *items;
        size_t count, capacity;
        struct map map;
        bool failed;
};

static void names_done(struct names *names)
{
        map_done(&names->map);
}

static bool add_name(struct names *names, struct str text)
{
        uint64_t hash = hash64(text);
        size_t at;
        for (uint32_t i = map_first(&names->map, hash, &at); i != MAP_NONE; i = map_next(&names->map, hash, &at))
                if (str_equal(names->items[i], text))
                        return true;
        struct str kept = arena_str(names->arena, text);
        struct str *place = kept.bytes ? arena_push(names->arena, names) : NULL;
        if (!place || !map_put(&names->map, hash, (uint32_t)(names->count - 1))) {
                names->failed = true;
                return false;
        }
        *place = kept;
        return true;
}

static bool add_of_stream(void *context, const struct labels *stream)
{
        struct names *names = context;
        if (names->wanted.bytes) {
                struct str value = labels_value(stream, names->wanted);
                return value.length == 0 || add_name(names, value);
        }
        each (label, stream)
                if (!add_name(names, label->name))
                        return false;
        return true;
}

static int compare_names(const void *a, const void *b)
{
        return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool answer_names(struct request *request, struct str wanted, struct err *err)
{
        scoped(logql_done) struct log_select select = {0};
        scoped(names_done) struct names names = {.arena = &request->arena, .wanted = wanted};
        if (!log_select_read(request, &select, err) ||
            !logs_streams(server_of(request)->context.logs, &select.matchers, select.start_ns, select.end_ns, add_of_stream, &names, err))
                return false;
        if (names.failed)
                return fail_memory(err, "serve", names.count * sizeof *names.items);
        if (names.count)
                qsort(names.items, names.count, sizeof *names.items, compare_names);
        struct buf *out = &request->answer.body;
        buf_text(out, "{\"status\":\"success\",\"data\":[");
        each (name, &names) {
                if (name != names.items)
                        buf_byte(out, ',');
                json_quote(out, *name);
        }
        buf_byte(out, ']');
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(out, '}');
        is_json_answer(request);
        return true;
}

bool loki_labels(struct request *request, struct err *err)
{
        return answer_names(request, (struct str){0}, err);
}

bool loki_label_values(struct request *request, struct err *err)
{
        return answer_names(request, request->captured[0], err);
}

struct listing {
        struct buf *out;
        size_t count;
};

static bool list_stream(void *context, const struct labels *stream)
{
        struct listing *listing = context;
        if (listing->count++ > 0)
                buf_byte(listing->out, ',');
        log_labels_write(listing->out, stream);
        return !listing->out->failed;
}

bool loki_series(struct request *request, struct err *err)
{
        struct listing listing = {.out = &request->answer.body};
        struct str match = request_field(request, "match[]");
        scoped(logql_done) struct log_select select = {0};
        if (match.bytes) { /* the same words under another name; several match[] are answered for the first */
                struct field *field = arena_push(&request->arena, &request->fields);
                if (!field)
                        return fail_memory(err, "serve", sizeof *field);
                *field = (struct field){STR("query"), match};
        }
        if (!log_select_read(request, &select, err))
                return false;
        buf_text(listing.out, "{\"status\":\"success\",\"data\":[");
        if (!logs_streams(server_of(request)->context.logs, &select.matchers, select.start_ns, select.end_ns, list_stream, &listing, err))
                return false;
        buf_byte(listing.out, ']');
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(listing.out, '}');
        is_json_answer(request);
        return true;
}

struct totals {
        uint64_t streams, rows, bytes;
};

static bool count_stream(void *context, const struct labels *stream)
{
        (void)stream;
        ((struct totals *)context)->streams++;
        return true;
}

static bool count_row(void *context, const struct log_row *row)
{
        struct totals *totals = context;
        totals->rows++;
        totals->bytes += row->line.length;
        return true;
}

bool loki_stats(struct request *request, struct err *err)
{
        scoped(logql_done) struct log_select select = {0};
        struct log_select_stats stats = {0};
        struct totals totals = {0};
        struct logs *logs = server_of(request)->context.logs;
        if (!log_select_read(request, &select, err))
                return false;
        select.limit = STATS_ROWS_MAX;
        if (!logs_streams(logs, &select.matchers, select.start_ns, select.end_ns, count_stream, &totals, err) ||
            !logs_select(logs, &select, count_row, &totals, &stats, err))
                return false;
        buf_printf(&request->answer.body, "{\"streams\":%lu,\"chunks\":%lu,\"entries\":%lu,\"bytes\":%lu", (unsigned long)totals.streams,
                   (unsigned long)stats.blocks_seen, (unsigned long)totals.rows, (unsigned long)totals.bytes);
        warnings_write(request, select.start_ns, select.end_ns);
        buf_byte(&request->answer.body, '}');
        is_json_answer(request);
        return true;
}
