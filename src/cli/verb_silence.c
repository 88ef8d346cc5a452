/*
 * verb_silence.c - keeping quiet from the command line: silences, maintenance and who takes over on call, each for a while.
 *
 * Conditions are written as Alertmanager's: service=shop, host=~"web.*". A while is --for 2h, or --until a time; --from moves its beginning.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/time_zone.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "engage/rota.h"
#include "query/promql.h"

#include <stdio.h>
#include <string.h>

struct span { int64_t from_ns, to_ns; };

static bool read_time(const char *text, int64_t *out_ns, struct err *err)
{
        static const struct time_zone utc = {0};
        return rota_time_read(str_of(text), &utc, out_ns, err);
}

/* --for, --until and --from, as a beginning and an end. Without --from it begins now. */
static bool read_span(struct cli *cli, struct span *out_span, struct err *err)
{
        const char *from = cli_option(cli, "from"), *until = cli_option(cli, "until"), *lasts = cli_option(cli, "for");
        struct span span = {.from_ns = clock_now_ns(&clock_real)};
        int64_t lasts_ns = 0;
        if (!until == !lasts)
                return fail(err, ERR_METHOD, "cli", "say how long: either --for 2h or --until 2026-01-05T09:00Z");
        if (from && !read_time(from, &span.from_ns, err))
                return err_within(err, "--from");
        if (lasts && (!promql_duration(str_of(lasts), &lasts_ns, NULL) || lasts_ns <= 0))
                return fail(err, ERR_METHOD, "cli", "--for takes a duration such as 30m, 2h or 1d, not %s", lasts);
        span.to_ns = span.from_ns + lasts_ns;
        if (until && !read_time(until, &span.to_ns, err))
                return err_within(err, "--until");
        *out_span = span;
        return span.to_ns > span.from_ns || fail(err, ERR_METHOD, "cli", "the end must be after the beginning");
}

static json_t *conditions(const struct cli *cli, struct err *err)
{
        json_t *list = json_array();
        for (int i = 0; list && i < cli->word_count; i++)
                if (json_array_append_new(list, json_string(cli->words[i])) != 0) {
                        json_decref(list);
                        fail(err, ERR_METHOD, "cli", "\"%s\" is not UTF-8 text", cli->words[i]);
                        return NULL;
                }
        return list;
}

static void say_until(const char *what, const char *id, int64_t to_ns)
{
        char time[CLOCK_RFC3339_BYTES];
        clock_rfc3339(to_ns, 0, time);
        printf("%s%s%s until %s\n", what, *id ? " " : "", id, time);
}

bool verb_silence_create(struct cli *cli, struct err *err)
{
        struct span span;
        char from[CLOCK_RFC3339_BYTES], to[CLOCK_RFC3339_BYTES];
        const char *comment = cli_option(cli, "comment");
        scoped_ptr(json_decref) json_t *answer = NULL, *matchers = conditions(cli, err), *body = NULL;
        if (!matchers || !read_span(cli, &span, err))
                return false;
        clock_rfc3339(span.from_ns, 0, from);
        clock_rfc3339(span.to_ns, 0, to);
        body = json_pack("{s:O, s:s, s:s, s:s}", "matchers", matchers, "startsAt", from, "endsAt", to, "comment", comment ? comment : "");
        if (!body)
                return fail(err, ERR_METHOD, "cli", "the comment is not UTF-8 text");
        if (!item_ask(cli, "POST", "/api/v2/silences", body, &answer, err))
                return false;
        if (!answer)
                return true;
        const char *id = json_string_value(json_object_get(answer, "silenceID"));
        say_until("silence", id ? id : "", span.to_ns);
        return true;
}

bool verb_maintenance_create(struct cli *cli, struct err *err)
{
        struct span span;
        const char *comment = cli_option(cli, "comment");
        scoped_ptr(json_decref) json_t *answer = NULL, *matchers = conditions(cli, err), *body = NULL;
        if (!matchers || !read_span(cli, &span, err))
                return false;
        body = json_pack("{s:O, s:I, s:I, s:s}", "matchers", matchers, "starts_ns", (json_int_t)span.from_ns, "ends_ns", (json_int_t)span.to_ns, "comment",
                         comment ? comment : "");
        if (!body)
                return fail(err, ERR_METHOD, "cli", "the comment is not UTF-8 text");
        if (!item_ask(cli, "POST", "/api/v1/maintenance", body, &answer, err))
                return false;
        if (!answer)
                return true;
        const char *id = json_string_value(json_object_get(answer, "id"));
        say_until("maintenance", id ? id : "", span.to_ns);
        return true;
}

bool verb_on_call_override(struct cli *cli, struct err *err)
{
        struct span span;
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL, *body = NULL;
        if (!read_span(cli, &span, err))
                return false;
        body = json_pack("{s:s, s:I, s:I}", "person", cli->words[1], "from_ns", (json_int_t)span.from_ns, "to_ns", (json_int_t)span.to_ns);
        if (!body)
                return fail(err, ERR_METHOD, "cli", "the person's name is not UTF-8 text");
        buf_text(&path, "/api/v1/on-call/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, "/override");
        buf_byte(&path, 0);
        if (!item_ask(cli, "POST", path.bytes, body, &answer, err))
                return false;
        if (!answer)
                return true;
        printf("%s: ", cli->words[0]);
        say_until(cli->words[1], "", span.to_ns);
        return true;
}

bool verb_on_call_release(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL;
        buf_text(&path, "/api/v1/on-call/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, "/override/");
        path_add_part(&path, cli->words[1]);
        buf_byte(&path, 0);
        return item_ask(cli, "DELETE", path.bytes, NULL, &answer, err) && (!answer || printf("released\n") > 0);
}

/* "host=web1 service=shop" without the alert's own name. */
static void label_cells(struct table *table, const json_t *labels)
{
        scoped(buf_done) struct buf text = {0};
        const char *name;
        json_t *value;
        json_object_foreach ((json_t *)labels, name, value)
                if (strcmp(name, "alertname") != 0)
                        buf_printf(&text, "%s%s=%s", text.length ? " " : "", name, json_string_value(value));
        buf_byte(&text, 0);
        table_cell(table, COLOR_DIM, "%s", text.failed ? "?" : text.bytes);
}

/* What fires now and would be kept quiet, before anything is. */
bool verb_silence_preview(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i;
        json_t *alert;
        buf_text(&path, "/api/v2/alerts");
        for (int w = 0; w < cli->word_count; w++)
                path_add(&path, "filter", cli->words[w]);
        buf_byte(&path, 0);
        if (!item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, "ALERT|SINCE|NOW|LABELS");
        json_array_foreach (answer, i, alert) {
                const json_t *labels = json_object_get(alert, "labels");
                const char *name = json_string_value(json_object_get(labels, "alertname")), *since = json_string_value(json_object_get(alert, "startsAt"));
                const char *state = json_string_value(json_object_get(json_object_get(alert, "status"), "state"));
                table_cell(&table, COLOR_NONE, "%s", name ? name : "-");
                table_cell(&table, COLOR_DIM, "%.19s", since ? since : "-");
                table_cell(&table, COLOR_NONE, "%s", state && strcmp(state, "suppressed") == 0 ? "quiet already" : "told");
                label_cells(&table, labels);
        }
        table_print(&table, stdout, cli->has_color);
        printf("%zu firing now would be kept quiet\n", json_array_size(answer));
        return true;
}
