/* verb_query.c - PromQL and series on the command line. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "serve/when.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void labels_text(const json_t *metric, struct buf *out)
{
        const char *name;
        json_t *value;
        bool is_first = true;
        buf_add(out, json_str(metric, "__name__"));
        buf_byte(out, '{');
        json_object_foreach((json_t *)(uintptr_t)metric, name, value) {
                if (strcmp(name, "__name__") == 0)
                        continue;
                buf_printf(out, "%s%s=", is_first ? "" : ", ", name);
                json_quote(out, (struct str){json_string_value(value), json_string_length(value)});
                is_first = false;
        }
        buf_byte(out, '}');
        buf_byte(out, 0);
}

static double value_of(const json_t *point)
{
        double value = NAN;
        const json_t *text = json_array_get(point, 1);
        str_to_double((struct str){json_string_value(text), json_string_length(text)}, &value);
        return value;
}

/* Eight steps from the least to the greatest value, at most 40 wide. */
static void sparkline(const json_t *values, double least, double most, struct buf *out)
{
        static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
        size_t count = json_array_size(values), width = min_of(count, (size_t)40);
        for (size_t i = 0; i < width; i++) {
                double value = value_of(json_array_get(values, i * count / width));
                double place = most > least ? (value - least) / (most - least) : 0.5;
                buf_text(out, isfinite(value) ? bars[(int)(place * 7.999)] : " ");
        }
        buf_byte(out, 0);
}

static void add_range_row(struct table *table, const json_t *series)
{
        const json_t *values = json_object_get(series, "values");
        size_t count = json_array_size(values);
        double least = INFINITY, most = -INFINITY, sum = 0;
        for (size_t i = 0; i < count; i++) {
                double value = value_of(json_array_get(values, i));
                least = value < least ? value : least;
                most = value > most ? value : most;
                sum += value;
        }
        scoped(buf_done) struct buf labels = {0}, line = {0};
        labels_text(json_object_get(series, "metric"), &labels);
        sparkline(values, least, most, &line);
        table_cell(table, COLOR_NONE, "%s", labels.bytes);
        table_cell(table, COLOR_NONE, "%s", line.bytes);
        table_cell(table, COLOR_NONE, "%g", least);
        table_cell(table, COLOR_NONE, "%g", count ? sum / (double)count : NAN);
        table_cell(table, COLOR_NONE, "%g", most);
        table_cell(table, COLOR_NONE, "%g", count ? value_of(json_array_get(values, count - 1)) : NAN);
}

static void add_instant_row(struct table *table, const json_t *series)
{
        scoped(buf_done) struct buf labels = {0};
        labels_text(json_object_get(series, "metric"), &labels);
        table_cell(table, COLOR_NONE, "%s", labels.bytes);
        table_cell(table, COLOR_NONE, "%s", json_string_value(json_array_get(json_object_get(series, "value"), 1)));
}

static bool print_result(struct cli *cli, const json_t *data)
{
        struct str type = json_str(data, "resultType");
        const json_t *result = json_object_get(data, "result");
        if (str_is(type, "scalar") || str_is(type, "string"))
                return printf("%s\n", json_string_value(json_array_get(result, 1))) > 0;
        scoped(table_done) struct table table;
        table_init(&table, str_is(type, "matrix") ? "SERIES|SHAPE|>LEAST|>MEAN|>MOST|>LAST" : "SERIES|>VALUE");
        size_t i;
        json_t *series;
        json_array_foreach(result, i, series) {
                if (json_object_get(series, "values"))
                        add_range_row(&table, series);
                else
                        add_instant_row(&table, series);
        }
        if (json_array_size(result) == 0)
                return printf("nothing matches\n") > 0;
        table_print(&table, stdout, cli->has_color);
        return true;
}

static bool add_range(struct cli *cli, struct buf *path, const char *range, struct err *err)
{
        int64_t length_ns, step_ns, end_ns = clock_now_ns(&clock_real);
        char text[40];
        const char *step = cli_option(cli, "step");
        if (!when_length(str_of(range), &length_ns) || length_ns <= 0)
                return fail(err, ERR_METHOD, "cli", "--range is a length of time such as 1h, not %s", range);
        step_ns = max_of(length_ns / 120, NS_PER_S);
        snprintf(text, sizeof text, "%.3f", (double)(end_ns - length_ns) / 1e9);
        path_add(path, "start", text);
        snprintf(text, sizeof text, "%.3f", (double)end_ns / 1e9);
        path_add(path, "end", text);
        snprintf(text, sizeof text, "%.3f", (double)step_ns / 1e9);
        path_add(path, "step", step ? step : text);
        return true;
}

bool verb_query(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL;
        const char *range = cli_option(cli, "range");
        buf_text(&path, range ? "/api/v1/query_range" : "/api/v1/query");
        path_add(&path, "query", cli->words[0]);
        path_add(&path, "time", range ? NULL : cli_option(cli, "time"));
        if (range && !add_range(cli, &path, range, err))
                return false;
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        const json_t *data = json_object_get(answer, "data");
        return cli->json ? item_print(data) : print_result(cli, data);
}

bool verb_series(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL;
        const char *since = cli_option(cli, "since");
        int64_t length_ns;
        char start[40];
        if (!when_length(str_of(since ? since : "1h"), &length_ns))
                return fail(err, ERR_METHOD, "cli", "--since is a length of time such as 1h, not %s", since);
        snprintf(start, sizeof start, "%.3f", (double)(clock_now_ns(&clock_real) - length_ns) / 1e9);
        buf_text(&path, "/api/v1/series");
        path_add(&path, "match[]", cli->word_count ? cli->words[0] : "{__name__!=\"\"}");
        path_add(&path, "start", start);
        path_add(&path, "limit", cli_option(cli, "limit"));
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        const json_t *data = json_object_get(answer, "data");
        if (cli->json)
                return item_print(data);
        size_t i;
        json_t *metric;
        json_array_foreach(data, i, metric) {
                scoped(buf_done) struct buf labels = {0};
                labels_text(metric, &labels);
                puts(labels.bytes);
        }
        return true;
}
