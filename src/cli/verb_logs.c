/* verb_logs.c - `evenkeel logs`: a page, the neighbours of a record, or what comes from now on. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>

static enum table_color color_of(struct str severity)
{
        static const struct { const char *name; enum table_color color; } rows[] = {
                {"error", COLOR_RED}, {"critical", COLOR_RED}, {"alert", COLOR_RED}, {"fatal", COLOR_RED},
                {"warn", COLOR_YELLOW}, {"debug", COLOR_DIM}, {"trace", COLOR_DIM},
        };
        for (size_t i = 0; i < countof(rows); i++)
                if (str_starts_with(severity, str_of(rows[i].name)))
                        return rows[i].color;
        return COLOR_NONE;
}

static void print_row(const struct cli *cli, const json_t *row)
{
        char time[CLOCK_RFC3339_BYTES];
        const json_t *stream = json_object_get(row, "stream");
        struct str severity = json_str(row, "severity"), host = json_str(stream, "host"), service = json_str(stream, "service");
        enum table_color color = color_of(severity);
        clock_rfc3339(item_time_ns(row, "time_ns"), 3, time);
        if (cli_option(cli, "id"))
                printf("%s ", json_string_value(json_object_get(row, "id")));
        printf("%s%s%s %s%-7.*s%s ", color_start(COLOR_DIM, cli->has_color), time, color_end(COLOR_DIM, cli->has_color),
               color_start(color, cli->has_color), STR_ARGS(severity), color_end(color, cli->has_color));
        item_say(host, "\n    ");
        printf(host.length && service.length ? "/" : "");
        item_say(service, "\n    ");
        printf(host.length || service.length ? ": " : "");
        item_say(json_str(row, "line"), "\n    ");
        putchar('\n');
}

static void print_line(const struct cli *cli, const json_t *row)
{
        if (cli->json) {
                json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
        } else {
                print_row(cli, row);
        }
}

static bool on_event(void *context, struct str name, struct str data)
{
        scoped_ptr(json_decref) json_t *row = json_parse(data, NULL);
        if (row && str_is(name, "row"))
                print_line(context, row);
        else if (str_is(name, "skipped"))
                fprintf(stderr, "evenkeel: more records came than could be shown; some are left out here\n");
        return fflush(stdout) == 0;
}

static bool follow(struct cli *cli, const char *query, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/logs/tail");
        path_add(&path, "query", query);
        buf_byte(&path, 0);
        return client_follow(&cli->client, path.bytes, on_event, cli, err);
}

static bool print_page(struct cli *cli, const char *path, bool newest_first, struct err *err)
{
        scoped_ptr(json_decref) json_t *page = NULL;
        if (!client_ask_json(&cli->client, "GET", path, NULL, &page, err))
                return false;
        const json_t *rows = json_object_get(page, "rows");
        size_t count = json_array_size(rows);
        for (size_t i = 0; i < count; i++)
                print_line(cli, json_array_get(rows, newest_first ? count - 1 - i : i));
        if (json_is_true(json_object_get(page, "more")) && !cli->json)
                fprintf(stderr, "evenkeel: there are more; raise --limit, or shorten --since\n");
        return true;
}

/* Words without quotes are one query: evenkeel logs connection refused */
static void join_words(const struct cli *cli, struct buf *out)
{
        for (int i = 0; i < cli->word_count; i++)
                buf_printf(out, "%s%s", i ? " " : "", cli->words[i]);
        buf_byte(out, 0);
}

bool verb_logs(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0}, query = {0};
        char since[64];
        const char *context = cli_option(cli, "context"), *since_option = cli_option(cli, "since"), *limit = cli_option(cli, "limit");
        join_words(cli, &query);
        if (cli_option(cli, "follow"))
                return follow(cli, query.bytes, err);
        if (context) {
                buf_text(&path, "/api/v1/logs/context");
                path_add(&path, "id", context);
                path_add(&path, "before", limit);
                path_add(&path, "after", limit);
        } else {
                snprintf(since, sizeof since, "-%s", since_option ? since_option : "1h");
                buf_text(&path, "/api/v1/logs");
                path_add(&path, "query", query.bytes[0] ? query.bytes : "{}");
                path_add(&path, "start", since);
                path_add(&path, "end", cli_option(cli, "until"));
                path_add(&path, "limit", limit ? limit : "200");
                path_add(&path, "template", cli_option(cli, "template"));
        }
        buf_byte(&path, 0);
        return print_page(cli, path.bytes, !context, err);
}
