/* verb_audit.c - `evenkeel audit`, `evenkeel audit verify`: who ordered what, and whether the log is as it was written. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>

#define ARGUMENTS_SHOWN_MAX 160

bool verb_audit(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        scoped(table_done) struct table table;
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/audit");
        path_add(&path, "by", cli_option(cli, "by"));
        path_add(&path, "verb", cli_option(cli, "verb"));
        path_add(&path, "before", cli_option(cli, "before"));
        path_add(&path, "limit", cli_option(cli, "limit"));
        buf_byte(&path, 0);
        table_init(&table, ">ENTRY|TIME|BY|VERB|OUTCOME|ARGUMENTS");
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        json_array_foreach (json_object_get(answer, "entries"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                char *arguments = json_dumps(json_object_get(item, "arguments"), JSON_ENCODE_ANY | JSON_COMPACT);
                bool is_done = str_is(json_str(item, "outcome"), "done");
                item_time(item, "time_ns", time);
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "sequence"));
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "by"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "verb"));
                table_cell(&table, is_done ? COLOR_NONE : COLOR_RED, "%s", item_text(item, "outcome"));
                table_cell(&table, COLOR_DIM, "%.*s", ARGUMENTS_SHOWN_MAX, arguments ? arguments : "?");
                free(arguments);
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

/* A log that was changed makes the verb fail, so that a script notices. */
bool verb_audit_verify(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/audit/verify");
        path_add(&path, "head", cli_option(cli, "head"));
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                item_print(answer);
        if (!json_flag(answer, "is_whole", false))
                return fail(err, ERR_CORRUPT, "audit", "%s", item_text(answer, "says"));
        if (!cli->json)
                printf("%s\nhead %s\n", item_text(answer, "says"), item_text(answer, "head"));
        return true;
}
