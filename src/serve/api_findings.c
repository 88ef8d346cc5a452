/* api_findings.c - what was found and is no incident: what runs out, and what the alert budget held back. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/finding.h"
#include "observe/alert_budget_table.h"
#include "observe/forecast_table.h"
#include "query/prom_json.h"
#include "serve/server.h"

#include <inttypes.h>

#define ROWS_MAX 1000

struct listing {
        struct request *request;
        const char *before;             /* what stands in front of the next row */
        int64_t until_ns;
        struct str limit;
};

static void write_text(struct buf *out, const char *key, struct str text)
{
        buf_printf(out, ",\"%s\":", key);
        json_quote(out, text);
}

static void write_time(struct buf *out, const char *key, int64_t time_ns)
{
        if (time_ns == INT64_MAX)
                buf_printf(out, ",\"%s\":null", key); /* perhaps never */
        else
                buf_printf(out, ",\"%s\":\"%" PRId64 "\"", key, time_ns);
}

static bool begin_row(struct listing *listing, struct str packed, struct err *err)
{
        struct labels labels;
        struct buf *out = &listing->request->answer.body;
        if (!labels_unpack(packed, &listing->request->arena, &labels, err))
                return false;
        buf_text(out, listing->before);
        listing->before = ",";
        buf_text(out, "{\"labels\":");
        prom_json_labels(&labels, out);
        return true;
}

static bool answer(struct request *request, struct err *err)
{
        buf_text(&request->answer.body, "]}");
        request->answer.status = 200;
        request->answer.content_type = "application/json";
        return !request->answer.body.failed || fail_memory(err, "serve", request->answer.body.length);
}

static bool write_forecast(void *context, const struct forecast_row *row, struct err *err)
{
        struct listing *listing = context;
        struct buf *out = &listing->request->answer.body;
        if (row->at_ns > listing->until_ns || (listing->limit.length && !str_equal(row->limit, listing->limit)))
                return true;
        if (!begin_row(listing, row->labels, err))
                return false;
        write_text(out, "limit", row->limit);
        write_text(out, "what", row->sentence);
        buf_printf(out, ",\"value\":%.17g,\"limit_value\":%.17g", row->value, row->limit_value);
        write_time(out, "at_ns", row->at_ns);
        write_time(out, "earliest_ns", row->earliest_ns);
        write_time(out, "latest_ns", row->latest_ns);
        write_time(out, "updated_ns", row->updated_ns);
        write_text(out, "told", row->told ? str_of(alert_severity_name((enum alert_severity)row->told)) : STR("nobody"));
        buf_byte(out, '}');
        return !out->failed || fail_memory(err, "serve", out->length);
}

bool forecasts_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct listing listing = {.request = request, .before = "", .limit = request_field(request, "limit_name")};
        int64_t hours;
        if (!request_number(request, "hours", 72, 1, 24 * 366, &hours, err))
                return false;
        listing.until_ns = clock_now_ns(server->context.clock) + hours * 3600 * NS_PER_S;
        buf_text(&request->answer.body, "{\"forecasts\":[");
        with_lock(&server->reader_lock);
        return forecast_rows_visit(server->reader, write_forecast, &listing, err) && answer(request, err);
}

static bool write_held(void *context, const struct held_row *row, struct err *err)
{
        struct listing *listing = context;
        struct buf *out = &listing->request->answer.body;
        if (!begin_row(listing, row->labels, err))
                return false;
        buf_printf(out, ",\"id\":\"%llu\"", (unsigned long long)row->id);
        write_time(out, "time_ns", row->time_ns);
        write_text(out, "alert", row->alert);
        write_text(out, "why", row->why);
        write_text(out, "sentence", row->sentence);
        write_text(out, "evidence", row->evidence);
        buf_byte(out, '}');
        return !out->failed || fail_memory(err, "serve", out->length);
}

bool held_list(struct request *request, struct err *err)
{
        struct server *server = server_of(request);
        struct listing listing = {.request = request, .before = ""};
        int64_t minutes, limit, now_ns = clock_now_ns(server->context.clock);
        if (!request_number(request, "minutes", 24 * 60, 1, 366 * 24 * 60, &minutes, err) || !request_number(request, "limit", 200, 1, ROWS_MAX, &limit, err))
                return false;
        buf_text(&request->answer.body, "{\"held\":[");
        with_lock(&server->reader_lock);
        return held_rows_visit(server->reader, now_ns - minutes * 60 * NS_PER_S, INT64_MAX, limit, write_held, &listing, err) && answer(request, err);
}
