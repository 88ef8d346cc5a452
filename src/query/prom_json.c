/* prom_json.c - see prom_json.h. Written by hand and not through trees: a range result has a million numbers. */
#include "query/prom_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "query/promql_number.h"

void prom_json_time(int64_t time_ns, struct buf *out)
{
        int64_t ms = time_ns / NS_PER_MS;
        uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
        char rest[] = {'.', (char)('0' + size / 100 % 10), (char)('0' + size / 10 % 10), (char)('0' + size % 10)};
        size_t length = sizeof rest;
        while (length > 1 && rest[length - 1] == '0')
                length--;
        if (ms < 0)
                buf_byte(out, '-');
        promql_integer(size / 1000, out);
        if (length > 1)
                buf_append(out, rest, length);
}

bool prom_json_labels(const struct labels *labels, struct buf *out)
{
        const char *comma = "{";
        each (label, labels) {
                buf_text(out, comma);
                json_quote(out, label->name);
                buf_byte(out, ':');
                json_quote(out, label->value);
                comma = ",";
        }
        return buf_text(out, labels->count ? "}" : "{}");
}

static void point(int64_t time_ns, double value, struct buf *out)
{
        buf_byte(out, '[');
        prom_json_time(time_ns, out);
        buf_text(out, ",\"");
        promql_number(value, out);
        buf_text(out, "\"]");
}

static void points(const struct series_data *series, struct buf *out)
{
        buf_text(out, ",\"values\":[");
        for (size_t i = 0; i < series->count; i++) {
                if (i)
                        buf_byte(out, ',');
                point(series->times_ns[i], series->values[i], out);
        }
        buf_byte(out, ']');
}

static void set(const struct promql_result *result, struct buf *out)
{
        const char *comma = "";
        buf_byte(out, '[');
        each (series, &result->set) {
                buf_text(out, comma);
                buf_text(out, "{\"metric\":");
                prom_json_labels(&series->labels, out);
                if (result->type == PROMQL_MATRIX) {
                        points(series, out);
                } else {
                        buf_text(out, ",\"value\":");
                        point(result->time_ns, series->values[0], out);
                }
                buf_byte(out, '}');
                comma = ",";
        }
        buf_byte(out, ']');
}

static void text(const struct promql_result *result, struct buf *out)
{
        buf_byte(out, '[');
        prom_json_time(result->time_ns, out);
        buf_byte(out, ',');
        json_quote(out, result->text);
        buf_byte(out, ']');
}

static void scalar(const struct promql_result *result, struct buf *out)
{
        buf_byte(out, '[');
        prom_json_time(result->time_ns, out);
        buf_text(out, ",\"");
        promql_number_plain(result->scalar, out);
        buf_text(out, "\"]");
}

bool prom_json_result(const struct promql_result *result, struct buf *out)
{
        static const char *const names[] = {"scalar", "string", "vector", "matrix"};
        buf_printf(out, "{\"resultType\":\"%s\",\"result\":", names[result->type]);
        if (result->type == PROMQL_SCALAR)
                scalar(result, out);
        else if (result->type == PROMQL_STRING)
                text(result, out);
        else
                set(result, out);
        return buf_byte(out, '}');
}
