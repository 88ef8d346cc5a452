/* verb_moved.c - which series of an incident, a host or a service left their normal, together and in which order. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool ask(struct cli *cli, json_t **out_answer, struct err *err)
{
        static const char *const options[] = {"kind", "hops", "since", "until"};
        scoped(buf_done) struct buf path = {0};
        uint64_t number;
        buf_text(&path, "/api/v1/moved");
        path_add(&path, str_to_u64(str_of(cli->words[0]), &number) ? "incident" : "entity", cli->words[0]);
        for (size_t i = 0; i < countof(options); i++)
                path_add(&path, options[i], cli_option(cli, options[i]));
        buf_byte(&path, 0);
        return client_ask_json(&cli->client, "GET", path.bytes, NULL, out_answer, err);
}

static void add_row(struct table *table, const json_t *one, int64_t first_ns)
{
        char time[CLOCK_RFC3339_BYTES];
        int64_t onset_ns = item_time_ns(one, "onset_ns"), end_ns = item_time_ns(one, "end_ns");
        bool is_little = json_flag(one, "is_little", false), has_stopped = strcmp(item_text(one, "way"), "stopped") == 0;
        enum table_color color = is_little ? COLOR_DIM : COLOR_NONE;
        clock_rfc3339(onset_ns, 0, time);
        if (is_little)
                table_cell(table, color, "little");
        else
                table_cell(table, json_i64(one, "group", 0) ? COLOR_NONE : COLOR_YELLOW, "%" PRId64, json_i64(one, "group", 0) + 1);
        table_cell(table, color, "%s", time);
        table_cell(table, COLOR_DIM, "%.3g s", (double)(item_time_ns(one, "latest_ns") - item_time_ns(one, "earliest_ns")) / NS_PER_S);
        table_cell(table, color, "%+" PRId64 " s", (onset_ns - first_ns) / NS_PER_S);
        table_cell(table, color, "%s", item_text(json_object_get(one, "entity"), "name"));
        table_cell(table, color, "%s", item_text(one, "what"));
        table_cell(table, COLOR_DIM, "%s", item_text(one, "usual_text"));
        table_cell(table, color, "%s", has_stopped ? "stopped" : item_text(one, "level_text"));
        if (end_ns)
                clock_rfc3339(end_ns, 0, time);
        table_cell(table, COLOR_DIM, "%s", end_ns ? time : "still");
}

bool verb_moved(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(table_done) struct table table;
        char from[CLOCK_RFC3339_BYTES], until[CLOCK_RFC3339_BYTES];
        size_t i;
        json_t *one;
        table_init(&table, ">GROUP|BEGAN|>WITHIN|>AFTER|OF|SERIES|>USUAL|>THEN|UNTIL");
        if (!ask(cli, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        clock_rfc3339(item_time_ns(answer, "from_ns"), 0, from);
        clock_rfc3339(item_time_ns(answer, "until_ns"), 0, until);
        json_t *moved = json_object_get(answer, "moved");
        int64_t first_ns = item_time_ns(answer, "first_ns");
        printf("%s to %s. %s\n", from, until, item_text(answer, "sentence"));
        json_array_foreach (moved, i, one)
                add_row(&table, one, first_ns);
        if (i) {
                putchar('\n');
                table_print(&table, stdout, cli->has_color);
        }
        return true;
}
