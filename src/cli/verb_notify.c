/* verb_notify.c - on call, silences, routes and notifications on the command line. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool verb_on_call(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i;
        json_t *item;
        if (!item_ask(cli, "GET", "/api/v1/on-call", NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, "SCHEDULE|NOW|NEXT|FROM|GAP");
        json_array_foreach (json_object_get(answer, "schedules"), i, item) {
                char next[CLOCK_RFC3339_BYTES], gap[CLOCK_RFC3339_BYTES];
                const json_t *first = json_array_get(json_object_get(item, "gaps"), 0);
                item_time(item, "next_ns", next);
                item_time(first, "from_ns", gap);
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "name"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "now"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "next"));
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
                return item_print(answer);
        scoped(table_done) struct table table;
        table_init(&table, "ID|WHAT|STATE|UNTIL|BY|MATCHERS|COMMENT");
        json_array_foreach (answer, i, item) {
                scoped(buf_done) struct buf text = {0};
                json_array_foreach (json_object_get(item, "matchers"), k, matcher)
                        buf_printf(&text, "%s%s%s%s%s", k ? "," : "", item_text(matcher, "name"), json_flag(matcher, "isEqual", true) ? "=" : "!",
                                   json_flag(matcher, "isRegex", false) ? "~" : json_flag(matcher, "isEqual", true) ? "" : "=", item_text(matcher, "value"));
                buf_byte(&text, 0);
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "id"));
                table_cell(&table, COLOR_NONE, "%s", json_flag(item, "maintenance", false) ? "maintenance" : "silence");
                table_cell(&table, COLOR_NONE, "%s", item_text(json_object_get(item, "status"), "state"));
                table_cell(&table, COLOR_DIM, "%s", item_text(item, "endsAt"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "createdBy"));
                table_cell(&table, COLOR_NONE, "%s", text.failed ? "?" : text.bytes);
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "comment"));
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
        return item_ask(cli, "DELETE", path.bytes, NULL, &answer, err) && (!answer || printf("expired\n") > 0);
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
        if (!item_ask(cli, "POST", "/api/v1/routes/test", body, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, "TEAM|PAGES|ON CALL|ESCALATION");
        json_array_foreach (json_object_get(answer, "routes"), i, item) {
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "team"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "page"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "on_call"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "escalation"));
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
        if (!item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, "TIME|INCIDENT|WHAT|TEAM|RECEIVER|TO|STATE|ERROR");
        json_array_foreach (json_object_get(answer, "notifications"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                item_time(item, "created_ns", time);
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "incident", 0));
                table_cell(&table, json_flag(item, "is_page", false) ? COLOR_RED : COLOR_NONE, "%s%s%s", json_flag(item, "is_page", false) ? "page " : "",
                           item_text(item, "occasion"), json_flag(item, "is_repeat", false) ? " (repeat)" : "");
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "team"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "receiver"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "to"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "state"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "error"));
        }
        table_print(&table, stdout, cli->has_color);
        if (!cli->word_count)
                return true;
        scoped(table_done) struct table why;
        putchar('\n');
        table_init(&why, "TIME|TEAM|TOLD|REASON");
        json_array_foreach (json_object_get(answer, "decisions"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                item_time(item, "time_ns", time);
                table_cell(&why, COLOR_DIM, "%s", time);
                table_cell(&why, COLOR_NONE, "%s", item_text(item, "team"));
                table_cell(&why, COLOR_NONE, "%s", json_flag(item, "is_sent", false) ? "yes" : "no");
                table_cell(&why, COLOR_NONE, "%s", item_text(item, "reason"));
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
        return item_ask(cli, "POST", "/api/v1/notifications/test", body, &answer, err) && (!answer || printf("on its way\n") > 0);
}
