/* verb_shadow.c - the days of shadow mode: would-be messages beside those of today's tools. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void add_day(struct table *table, const json_t *day)
{
        static const char *const counts[] = {"theirs", "messages", "pages", "both", "only_theirs", "only_ours"};
        char time[CLOCK_RFC3339_BYTES];
        item_time(day, "from_ns", time);
        table_cell(table, COLOR_NONE, "%.10s", time);
        for (size_t i = 0; i < countof(counts); i++)
                table_cell(table, COLOR_NONE, "%" PRId64, json_i64(day, counts[i], 0));
        table_cell(table, COLOR_NONE, "%.2f", json_number_value(json_object_get(day, "hours_earlier")));
        table_cell(table, COLOR_NONE, "%.2f", json_number_value(json_object_get(day, "hours_later")));
}

static void add_incident(struct table *table, const json_t *incident)
{
        static const struct { const char *kind, *words; } kinds[] = {{"both", "both"}, {"only_theirs", "only theirs"}, {"only_ours", "only ours"}};
        char theirs[CLOCK_RFC3339_BYTES], ours[CLOCK_RFC3339_BYTES];
        double earlier_s = json_number_value(json_object_get(incident, "earlier_s"));
        item_time(incident, "theirs_first_ns", theirs);
        item_time(incident, "ours_first_ns", ours);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "number", 0));
        for (size_t i = 0; i < countof(kinds); i++)
                if (strcmp(item_text(incident, "kind"), kinds[i].kind) == 0)
                        table_cell(table, i ? COLOR_YELLOW : COLOR_NONE, "%s", kinds[i].words);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "theirs", 0));
        table_cell(table, COLOR_DIM, "%s", theirs);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "messages", 0));
        table_cell(table, COLOR_DIM, "%s", ours);
        if (json_is_number(json_object_get(incident, "earlier_s")))
                table_cell(table, COLOR_NONE, "%.0f s %s", fabs(earlier_s), earlier_s < 0 ? "later" : "earlier");
        else
                table_cell(table, COLOR_NONE, "-");
        table_cell(table, COLOR_NONE, "%.60s", item_text(incident, "title"));
        table_cell(table, COLOR_NONE, "%.120s", item_text(incident, "reason"));
}

bool verb_shadow(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        size_t i, k;
        json_t *day, *incident;
        buf_text(&path, "/api/v1/shadow");
        path_add(&path, "days", cli_option(cli, "days"));
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        scoped(table_done) struct table days, incidents;
        table_init(&days, "DAY|>THEIRS|>OURS|>PAGES|>BOTH|>ONLY THEIRS|>ONLY OURS|>HOURS EARLIER|>HOURS LATER");
        table_init(&incidents, ">INCIDENT|TOLD BY|>THEIRS|FIRST|>OURS|FIRST|OURS WAS|TITLE|NOT TOLD BECAUSE");
        json_array_foreach (json_object_get(answer, "days"), i, day) {
                add_day(&days, day);
                json_array_foreach (json_object_get(day, "incidents"), k, incident)
                        add_incident(&incidents, incident);
        }
        table_print(&days, stdout, cli->has_color);
        putchar('\n');
        table_print(&incidents, stdout, cli->has_color);
        return true;
}
