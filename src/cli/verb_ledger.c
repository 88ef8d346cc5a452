/* verb_ledger.c - what people taught the models, with its effect, and taking it back. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>

bool verb_ledger(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/models/ledger");
        path_add(&path, "limit", cli_option(cli, "limit"));
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        scoped(table_done) struct table table;
        table_init(&table, "ID|TIME|MODEL|BY|WHAT|EFFECT ON REPLAY|TAKEN BACK BY");
        json_array_foreach (json_object_get(answer, "entries"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                bool is_back = item_time_ns(item, "reverted_ns") != 0;
                enum table_color color = is_back ? COLOR_DIM : COLOR_NONE;
                item_time(item, "time_ns", time);
                table_cell(&table, color, "%s", item_text(item, "id"));
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, color, "%s", item_text(item, "model"));
                table_cell(&table, color, "%.40s", item_text(item, "by"));
                table_cell(&table, color, "%.120s%s", item_text(item, "what"), is_back ? " (no longer counts)" : "");
                table_cell(&table, color, "%.120s", item_text(json_object_get(item, "replay"), "sentence"));
                table_cell(&table, color, "%.40s", item_text(item, "reverted_by"));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_ledger_revert(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/models/ledger/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, "/revert");
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "POST", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        return printf("taken back: %s\n", item_text(json_object_get(answer, "replay"), "sentence")) > 0;
}
