/* verb_notify.c - on call, silences, routes and notifications on the command line. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *item, const char *key)
{
        const char *text = json_string_value(json_object_get(item, key));
        return text && *text ? text : "-";
}

static void time_text(const json_t *item, const char *key, char out_text[static CLOCK_RFC3339_BYTES])
{
        int64_t time_ns;
        if (str_to_i64(json_str(item, key), &time_ns))
                clock_rfc3339(time_ns, 0, out_text);
        else
                snprintf(out_text, CLOCK_RFC3339_BYTES, "-");
}

/* True with *out_answer NULL: it was printed as JSON already. */
static bool ask(struct cli *cli, const char *method, const char *path, json_t *body, json_t **out_answer, struct err *err)
{
        if (!client_ask_json(&cli->client, method, path, body, out_answer, err))
                return false;
        if (!cli->json)
                return true;
        bool good = json_dumpf(*out_answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n';
        json_decref(*out_answer);
        *out_answer = NULL;
        return good;
}

bool verb_on_call(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i;
        json_t *item;
        if (!ask(cli, "GET", "/api/v1/on-call", NULL, &answer, err) || !answer)
                return cli->json && !answer;
        scoped(table_done) struct table table;
        table_init(&table, "SCHEDULE|NOW|NEXT|FROM|GAP");
        json_array_foreach (json_object_get(answer, "schedules"), i, item) {
                char next[CLOCK_RFC3339_BYTES], gap[CLOCK_RFC3339_BYTES];
                const json_t *first = json_array_get(json_object_get(item, "gaps"), 0);
                time_text(item, "next_ns", next);
                time_text(first, "from_ns", gap);
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "name"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "now"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "next"));
                table_cell(&table, COLOR_DIM, "%s", next);
                table_cell(&table, first ? COLOR_RED : COLOR_NONE, "%s", gap);
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static bool list_silences(struct cli *cli, bool maintenance_only, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i, k;
        json_t *item, *matcher;
        if (!client_ask_json(&cli->client, "GET", "/api/v2/silences", NULL, &answer, err))
                return false;
        for (i = json_array_size(answer); maintenance_only && i-- > 0;)
                if (!json_flag(json_array_get(answer, i), "maintenance", false))
                        json_array_remove(answer, i);
        if (cli->json)
                return json_dumpf(answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n';
        scoped(table_done) struct table table;
        table_init(&table, "ID|WHAT|STATE|UNTIL|BY|MATCHERS|COMMENT");
        json_array_foreach (answer, i, item) {
                scoped(buf_done) struct buf text = {0};
                json_array_foreach (json_object_get(item, "matchers"), k, matcher)
                        buf_printf(&text, "%s%s%s%s%s", k ? "," : "", text_of(matcher, "name"), json_flag(matcher, "isEqual", true) ? "=" : "!",
                                   json_flag(matcher, "isRegex", false) ? "~" : json_flag(matcher, "isEqual", true) ? "" : "=", text_of(matcher, "value"));
                buf_byte(&text, 0);
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "id"));
                table_cell(&table, COLOR_NONE, "%s", json_flag(item, "maintenance", false) ? "maintenance" : "silence");
                table_cell(&table, COLOR_NONE, "%s", text_of(json_object_get(item, "status"), "state"));
                table_cell(&table, COLOR_DIM, "%s", text_of(item, "endsAt"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "createdBy"));
                table_cell(&table, COLOR_NONE, "%s", text.failed ? "?" : text.bytes);
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "comment"));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_silences(struct cli *cli, struct err *err)
{
        return list_silences(cli, false, err);
}

bool verb_maintenance(struct cli *cli, struct err *err)
{
        return list_silences(cli, true, err);
}

bool verb_silence_expire(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v2/silence/");
        path_add_part(&path, cli->words[0]);
        buf_byte(&path, 0);
        return ask(cli, "DELETE", path.bytes, NULL, &answer, err) && (!answer || printf("expired\n") > 0);
}

bool verb_route_test(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL, *labels = json_object();
        size_t i;
        json_t *item;
        for (int w = 0; w < cli->word_count; w++) {
                struct str value = str_of(cli->words[w]), name;
                if (!str_cut(&value, '=', &name) || !value.bytes || json_object_setn_new(labels, name.bytes, name.length, json_stringn(value.bytes, value.length)) != 0)
                        return fail(err, ERR_METHOD, "cli", "labels are written name=value: %s", cli->words[w]);
        }
        scoped_ptr(json_decref) json_t *body = json_pack("{s:O}", "labels", labels);
        if (!ask(cli, "POST", "/api/v1/routes/test", body, &answer, err) || !answer)
                return cli->json && !answer;
        scoped(table_done) struct table table;
        table_init(&table, "TEAM|PAGES|ON CALL|ESCALATION");
        json_array_foreach (json_object_get(answer, "routes"), i, item) {
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "team"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "page"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "on_call"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "escalation"));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_notifications(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        size_t i;
        json_t *item;
        buf_text(&path, cli->word_count ? "/api/v1/incidents/" : "/api/v1");
        if (cli->word_count)
                path_add_part(&path, cli->words[0]);
        buf_text(&path, "/notifications");
        buf_byte(&path, 0);
        if (!ask(cli, "GET", path.bytes, NULL, &answer, err) || !answer)
                return cli->json && !answer;
        scoped(table_done) struct table table;
        table_init(&table, "TIME|INCIDENT|WHAT|TEAM|RECEIVER|TO|STATE|ERROR");
        json_array_foreach (json_object_get(answer, "notifications"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                time_text(item, "created_ns", time);
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "incident", 0));
                table_cell(&table, json_flag(item, "is_page", false) ? COLOR_RED : COLOR_NONE, "%s%s%s", json_flag(item, "is_page", false) ? "page " : "",
                           text_of(item, "occasion"), json_flag(item, "is_repeat", false) ? " (repeat)" : "");
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "team"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "receiver"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "to"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "state"));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "error"));
        }
        table_print(&table, stdout, cli->has_color);
        if (!cli->word_count)
                return true;
        scoped(table_done) struct table why;
        putchar('\n');
        table_init(&why, "TIME|TEAM|TOLD|REASON");
        json_array_foreach (json_object_get(answer, "decisions"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                time_text(item, "time_ns", time);
                table_cell(&why, COLOR_DIM, "%s", time);
                table_cell(&why, COLOR_NONE, "%s", text_of(item, "team"));
                table_cell(&why, COLOR_NONE, "%s", json_flag(item, "is_sent", false) ? "yes" : "no");
                table_cell(&why, COLOR_NONE, "%s", text_of(item, "reason"));
        }
        table_print(&why, stdout, cli->has_color);
        return true;
}

bool verb_notification_test(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:s}", "receiver", cli->words[0], "to", cli->word_count > 1 ? cli->words[1] : "");
        if (!body)
                return fail(err, ERR_METHOD, "cli", "what was given is not UTF-8 text");
        return ask(cli, "POST", "/api/v1/notifications/test", body, &answer, err) && (!answer || printf("on its way\n") > 0);
}
