/* verb_templates.c - `evenkeel templates`: the sentences that programs log, or one with its values and example lines. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void time_cell(struct table *table, const json_t *item, const char *key)
{
        char text[CLOCK_RFC3339_BYTES];
        item_time(item, key, text);
        table_cell(table, COLOR_DIM, "%s", text);
}

static enum table_color color_of(const json_t *item)
{
        const json_t *levels = json_object_get(item, "levels");
        return json_object_get(levels, "error") ? COLOR_RED : json_object_get(levels, "warn") ? COLOR_YELLOW : COLOR_NONE;
}

static void print_list(const struct cli *cli, const json_t *answer)
{
        scoped(table_done) struct table table;
        size_t i;
        json_t *item;
        table_init(&table, "ID|PROGRAM|>LINES|>A MINUTE|LAST SEEN|SENTENCE");
        json_array_foreach(json_object_get(answer, "templates"), i, item) {
                scoped(buf_done) struct buf service = {0}, sentence = {0};
                item_safe(json_str(item, "service"), NULL, &service);
                item_safe(json_str(item, "sentence"), NULL, &sentence);
                table_cell(&table, COLOR_DIM, "%s", json_string_value(json_object_get(item, "id")));
                table_cell(&table, COLOR_NONE, "%s", service.bytes);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "count", 0));
                table_cell(&table, COLOR_NONE, "%.3g", json_number_value(json_object_get(item, "per_minute")));
                time_cell(&table, item, "last_seen_ns");
                const char *from = json_string_value(json_object_get(item, "split_from"));
                table_cell(&table, color_of(item), "%.160s%s%s%s", sentence.bytes, from ? " (split from " : "", from ? from : "", from ? ")" : "");
        }
        table_print(&table, stdout, cli->has_color);
        int64_t matched = json_i64(answer, "matched", 0), shown = (int64_t)json_array_size(json_object_get(answer, "templates"));
        if (matched > shown)
                fprintf(stderr, "evenkeel: %" PRId64 " more; raise --limit\n", matched - shown);
}

static void print_variable(const json_t *variable)
{
        struct str unit = json_str(variable, "unit");
        printf("  <%s>", json_string_value(json_object_get(variable, "type")));
        if (json_object_get(variable, "p50"))
                printf("  half below %.4g%s%.*s, 99 of 100 below %.4g, from %.4g to %.4g", json_number_value(json_object_get(variable, "p50")), unit.length ? " " : "",
                       STR_ARGS(unit), json_number_value(json_object_get(variable, "p99")), json_number_value(json_object_get(variable, "least")),
                       json_number_value(json_object_get(variable, "most")));
        size_t i;
        json_t *value;
        json_array_foreach(json_object_get(variable, "values"), i, value) {
                scoped(buf_done) struct buf text = {0};
                item_safe(json_str(value, "value"), NULL, &text);
                printf("%s%s", i ? ", " : "  such as ", text.bytes);
        }
        putchar('\n');
}

static void print_one(const json_t *item)
{
        scoped(buf_done) struct buf service = {0}, sentence = {0};
        char first[CLOCK_RFC3339_BYTES], last[CLOCK_RFC3339_BYTES];
        size_t i;
        json_t *each_one;
        item_safe(json_str(item, "service"), NULL, &service);
        item_safe(json_str(item, "sentence"), NULL, &sentence);
        item_time(item, "first_seen_ns", first);
        item_time(item, "last_seen_ns", last);
        printf("%s: %s\n%" PRId64 " lines, %.3g a minute, from %s to %s\n", service.bytes, sentence.bytes, json_i64(item, "count", 0),
               json_number_value(json_object_get(item, "per_minute")), first, last);
        if (json_object_get(item, "split_from"))
                printf("split from %s, which its lines were counted under before\n", json_string_value(json_object_get(item, "split_from")));
        json_array_foreach(json_object_get(item, "split_into"), i, each_one)
                printf("%s%s", i ? ", " : "counted apart since it was split: ", json_string_value(each_one));
        puts(json_object_get(item, "split_into") ? "\nvariables:" : "variables:");
        json_array_foreach(json_object_get(item, "variables"), i, each_one)
                print_variable(each_one);
        puts("examples:");
        json_array_foreach(json_object_get(item, "examples"), i, each_one) {
                scoped(buf_done) struct buf line = {0};
                item_safe(json_str(each_one, "line"), NULL, &line);
                printf("  %s\n", line.bytes);
        }
}

bool verb_templates(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        scoped_ptr(json_decref) json_t *answer = NULL;
        buf_text(&path, "/api/v1/templates");
        if (cli->word_count) {
                buf_byte(&path, '/');
                path_add_part(&path, cli->words[0]);
        } else {
                path_add(&path, "service", cli_option(cli, "service"));
                path_add(&path, "since", cli_option(cli, "since"));
                path_add(&path, "sort", cli_option(cli, "sort"));
                path_add(&path, "text", cli_option(cli, "text"));
                path_add(&path, "limit", cli_option(cli, "limit"));
        }
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        if (cli->word_count)
                print_one(answer);
        else
                print_list(cli, answer);
        return true;
}
