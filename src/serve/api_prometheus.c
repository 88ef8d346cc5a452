/*
 * api_prometheus.c - Prometheus' HTTP API, version 1: the paths, parameters, error texts and JSON that Grafana relies on.
 * Source: the Prometheus 2.42 documentation and its observable answers.
 */
#include "base/json.h"
#include "base/map.h"
#include "base/scope.h"
#include "observe/rules.h"
#include "query/prom_json.h"
#include "serve/server.h"
#include "serve/warnings.h"
#include "serve/when.h"
#include "store/archive.h"
#include "store/metric_metas.h"

#include <stdio.h>
#include <stdlib.h>

#define POINTS_MAX 11000 /* of one series in one answer, as there */
#define FOREVER_NS (INT64_MAX / 2)
#define PROMETHEUS_VERSION "2.42.0"

static bool wrong(struct err *err, const char *name, struct str value, const char *what)
{
        return fail(err, ERR_INVALID, "serve", "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid %s", name,
                    STR_ARGS(str_slice(value, 0, 100)), what);
}

static bool read_time(const struct request *request, const char *name, int64_t otherwise_ns, int64_t *out_ns, struct err *err)
{
        struct str text = request_field(request, name);
        *out_ns = otherwise_ns;
        return (text.length == 0 && otherwise_ns != INT64_MIN) || when_prometheus(text, out_ns) ||
               wrong(err, name, text, "timestamp");
}

static bool read_step(const struct request *request, int64_t *out_ns, struct err *err)
{
        struct str text = request_field(request, "step");
        if (!promql_duration(text, out_ns, NULL))
                return wrong(err, "step", text, "duration");
        return *out_ns > 0 || fail(err, ERR_INVALID, "serve",
                                   "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer");
}

/* ---- queries ---- */

static bool evaluate(struct request *request, struct promql_options *options, struct err *err)
{
        struct server *server = server_of(request);
        struct str query = request_field(request, "query");
        struct warnings_source noting;
        struct promql_source source = warnings_note(&noting, promql_store_source(server->context.series));
        struct promql_result result;
        options->cancelled = http_stopping(server->http);
        if (!request_deadline(request, &options->deadline_ns, err))
                return false;
        if (!promql_query(query, &source, options, &request->arena, &result, err))
                return err && err->code == ERR_INVALID ? err_within(err, "invalid parameter \"query\"") : false;
        request->answer.status = 200;
        request->answer.content_type = "application/json";
        buf_text(&request->answer.body, "{\"status\":\"success\",\"data\":");
        prom_json_result(&result, &request->answer.body);
        warnings_write(request, noting.start_ns, noting.end_ns);
        buf_byte(&request->answer.body, '}');
        return true;
}

bool prometheus_query(struct request *request, struct err *err)
{
        struct promql_options options = {0};
        /* Evaluations count whole milliseconds: "now" is the end of this one, so that it sees what came in it. */
        int64_t now_ns = (clock_now_ns(server_of(request)->context.clock) / NS_PER_MS + 1) * NS_PER_MS;
        if (!read_time(request, "time", now_ns, &options.start_ns, err))
                return false;
        options.end_ns = options.start_ns;
        return evaluate(request, &options, err);
}

bool prometheus_query_range(struct request *request, struct err *err)
{
        struct promql_options options = {0};
        if (!read_time(request, "start", INT64_MIN, &options.start_ns, err) ||
            !read_time(request, "end", INT64_MIN, &options.end_ns, err))
                return false;
        if (options.end_ns < options.start_ns)
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"end\": end timestamp must not be before start time");
        if (!read_step(request, &options.step_ns, err))
                return false;
        if ((options.end_ns - options.start_ns) / options.step_ns > POINTS_MAX)
                return fail(err, ERR_INVALID, "serve",
                            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        return evaluate(request, &options, err);
}

/* ---- series and labels ---- */

struct listing {
        struct request *request;
        int64_t start_ns, end_ns, limit, deadline_ns;
};

static bool read_listing(struct request *request, struct listing *listing, struct err *err)
{
        *listing = (struct listing){.request = request};
        return read_time(request, "start", 0, &listing->start_ns, err) &&
               read_time(request, "end", FOREVER_NS, &listing->end_ns, err) &&
               request_number(request, "limit", 0, 0, 10000000, &listing->limit, err) &&
               request_deadline(request, &listing->deadline_ns, err);
}

static bool select_one(const struct listing *listing, const struct matchers *matchers,
                       bool (*visit)(void *context, const struct labels *labels), void *context, struct err *err)
{
        struct server *server = server_of(listing->request);
        struct series_set set = {0};
        struct series_select select = {.matchers = matchers, .start_ns = listing->start_ns, .end_ns = listing->end_ns,
                                       .labels_only = true, .cancelled = http_stopping(server->http),
                                       .deadline_ns = listing->deadline_ns};
        if (!series_select(server->context.series, &select, &listing->request->arena, &set, err))
                return false;
        each (series, &set)
                if (!visit(context, &series->labels))
                        return fail_memory(err, "serve", sizeof *series);
        return true;
}

/* Visits the labels of every series that any match[] selects; all series when there is none. */
static bool visit_labels(const struct listing *listing, bool (*visit)(void *context, const struct labels *labels),
                         void *context, struct err *err)
{
        struct request *request = listing->request;
        bool has_selector = false;
        each (field, &request->fields) {
                struct matchers matchers = {0};
                if (!str_is(field->name, "match[]"))
                        continue;
                has_selector = true;
                if (!promql_selector(field->value, &request->arena, &matchers, err))
                        return err_within(err, "invalid parameter \"match[]\"");
                bool good = select_one(listing, &matchers, visit, context, err);
                matchers_done(&matchers);
                if (!good)
                        return false;
        }
        struct matchers all = {0};
        return has_selector || select_one(listing, &all, visit, context, err);
}

/* Distinct texts, sorted for the answer. */
struct texts {
        struct arena *arena;
        struct str wanted; /* of label values: the label's name */
        struct str *items;
        size_t count, capacity;
        struct map map;
};

static bool add_text(struct texts *texts, struct str text)
{
        uint64_t hash = hash64(text);
        size_t at;
        for (uint32_t i = map_first(&texts->map, hash, &at); i != MAP_NONE; i = map_next(&texts->map, hash, &at))
                if (str_equal(texts->items[i], text))
                        return true;
        struct str *place = arena_push(texts->arena, texts);
        if (!place || !map_put(&texts->map, hash, (uint32_t)(texts->count - 1)))
                return false;
        *place = text;
        return true;
}

static bool add_names(void *context, const struct labels *labels)
{
        each (label, labels)
                if (!add_text(context, label->name))
                        return false;
        return true;
}

static bool add_value(void *context, const struct labels *labels)
{
        struct texts *texts = context;
        struct str value = labels_value(labels, texts->wanted);
        return value.length == 0 || add_text(texts, value);
}

static int compare_texts(const void *a, const void *b)
{
        return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool answer_texts(const struct listing *listing, struct texts *texts)
{
        struct buf *out = &listing->request->answer.body;
        map_done(&texts->map);
        if (texts->count)
                qsort(texts->items, texts->count, sizeof *texts->items, compare_texts);
        if (listing->limit && texts->count > (size_t)listing->limit)
                texts->count = (size_t)listing->limit;
        buf_text(out, "{\"status\":\"success\",\"data\":[");
        each (text, texts) {
                if (text != texts->items)
                        buf_byte(out, ',');
                json_quote(out, *text);
        }
        buf_byte(out, ']');
        warnings_write(listing->request, listing->start_ns, listing->end_ns);
        buf_byte(out, '}');
        listing->request->answer.status = 200;
        listing->request->answer.content_type = "application/json";
        return true;
}

static bool list_texts(struct request *request, bool (*visit)(void *context, const struct labels *labels),
                       struct str wanted, struct err *err)
{
        struct listing listing;
        struct texts texts = {.arena = &request->arena, .wanted = wanted};
        if (!read_listing(request, &listing, err))
                return false;
        if (visit_labels(&listing, visit, &texts, err))
                return answer_texts(&listing, &texts);
        map_done(&texts.map);
        return false;
}

bool prometheus_labels(struct request *request, struct err *err)
{
        return list_texts(request, add_names, STR(""), err);
}

static bool is_label_name(struct str name)
{
        for (size_t i = 0; i < name.length; i++) {
                char c = name.bytes[i];
                if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
                        return false;
        }
        return name.length > 0;
}

bool prometheus_label_values(struct request *request, struct err *err)
{
        struct str name = request->captured[0];
        if (!is_label_name(name))
                return fail(err, ERR_INVALID, "serve", "invalid label name: \"%.*s\"", STR_ARGS(str_slice(name, 0, 100)));
        return list_texts(request, add_value, name, err);
}

struct series_answer {
        struct buf *out;
        struct texts seen; /* packed labels: of several match[] each series once */
        int64_t limit;
};

static bool add_series(void *context, const struct labels *labels)
{
        struct series_answer *answer = context;
        scoped(buf_done) struct buf packed = {0};
        size_t before = answer->seen.count;
        if (answer->limit && before >= (size_t)answer->limit)
                return true;
        if (!labels_pack(labels, &packed))
                return false;
        struct str kept = arena_str(answer->seen.arena, buf_str(&packed));
        if (!kept.bytes || !add_text(&answer->seen, kept))
                return false;
        if (answer->seen.count == before)
                return true;
        if (before > 0)
                buf_byte(answer->out, ',');
        prom_json_labels(labels, answer->out);
        return true;
}

bool prometheus_series(struct request *request, struct err *err)
{
        struct listing listing;
        if (!read_listing(request, &listing, err))
                return false;
        if (!request_field(request, "match[]").bytes)
                return fail(err, ERR_INVALID, "serve", "no match[] parameter provided");
        struct series_answer answer = {.out = &request->answer.body, .seen.arena = &request->arena, .limit = listing.limit};
        buf_text(answer.out, "{\"status\":\"success\",\"data\":[");
        bool good = visit_labels(&listing, add_series, &answer, err);
        map_done(&answer.seen.map);
        buf_byte(answer.out, ']');
        warnings_write(request, listing.start_ns, listing.end_ns);
        buf_byte(answer.out, '}');
        request->answer.status = 200;
        request->answer.content_type = "application/json";
        return good;
}

/* ---- what Grafana asks beside ---- */

static bool answer_data(struct request *request, json_t *data, struct err *err) /* takes data */
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:o}", "status", "success", "data", data);
        return request_answer_json(request, 200, body, err);
}

struct metadata {
        json_t *data;
        size_t left; /* how many more are wanted */
};

static void put_metadata(void *context, const struct metric_meta *meta)
{
        struct metadata *metadata = context;
        if (!metadata->left)
                return;
        metadata->left--;
        json_object_setn_new(metadata->data, meta->name.bytes, meta->name.length,
                             json_pack("[{s:s, s:s%, s:s%}]", "type", metric_type_name(meta->type), "help", meta->help.bytes,
                                       meta->help.length, "unit", meta->unit.bytes, meta->unit.length));
}

bool prometheus_metadata(struct request *request, struct err *err)
{
        struct str metric = request_field(request, "metric"), limit = request_field(request, "limit");
        struct metadata metadata = {json_object(), SIZE_MAX};
        uint64_t most;
        if (limit.length && str_to_u64(limit, &most))
                metadata.left = most;
        if (server_of(request)->context.metas)
                metric_metas_visit(server_of(request)->context.metas, metric.length ? metric : (struct str){0}, put_metadata, &metadata);
        return answer_data(request, metadata.data, err);
}

bool prometheus_rules(struct request *request, struct err *err)
{
        struct rules *rules = server_of(request)->context.rules;
        return answer_data(request, rules ? rules_json(rules) : json_pack("{s:[]}", "groups"), err);
}

bool prometheus_alerts(struct request *request, struct err *err)
{
        struct rules *rules = server_of(request)->context.rules;
        return answer_data(request, rules ? rules_alerts_json(rules) : json_pack("{s:[]}", "alerts"), err);
}

/* Grafana asks for them beside every graph in its explorer. */
bool prometheus_exemplars(struct request *request, struct err *err)
{
        return answer_data(request, json_array(), err);
}

bool prometheus_buildinfo(struct request *request, struct err *err)
{
        return answer_data(request, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "version", PROMETHEUS_VERSION, "revision",
                                              server_of(request)->context.version, "branch", "evenkeel", "buildUser", "",
                                              "buildDate", "", "goVersion", ""), err);
}

bool prometheus_runtimeinfo(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct series_stats series;
        char start[CLOCK_RFC3339_BYTES];
        series_read_stats(server->context.series, &series);
        clock_rfc3339(server->started_ns, 0, start);
        return answer_data(request, json_pack("{s:s, s:s, s:b, s:I, s:I}", "startTime", start, "CWD",
                                              server->context.data_directory ? server->context.data_directory : "",
                                              "reloadConfigSuccess", true, "timeSeriesCount", (json_int_t)series.series,
                                              "samplesAppended", (json_int_t)series.samples), err);
}
