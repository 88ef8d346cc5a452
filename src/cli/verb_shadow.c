/* verb_shadow.c - the days of shadow mode: would-be messages beside those of today's tools. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <math.h>
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

static void add_day(struct table *table, const json_t *day)
{
        static const char *const counts[] = {"theirs", "messages", "pages", "both", "only_theirs", "only_ours"};
        char time[CLOCK_RFC3339_BYTES];
        time_text(day, "from_ns", time);
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
        time_text(incident, "theirs_first_ns", theirs);
        time_text(incident, "ours_first_ns", ours);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "number", 0));
        for (size_t i = 0; i < countof(kinds); i++)
                if (strcmp(text_of(incident, "kind"), kinds[i].kind) == 0)
                        table_cell(table, i ? COLOR_YELLOW : COLOR_NONE, "%s", kinds[i].words);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "theirs", 0));
        table_cell(table, COLOR_DIM, "%s", theirs);
        table_cell(table, COLOR_NONE, "%" PRId64, json_i64(incident, "messages", 0));
        table_cell(table, COLOR_DIM, "%s", ours);
        if (json_is_number(json_object_get(incident, "earlier_s")))
                table_cell(table, COLOR_NONE, "%.0f s %s", fabs(earlier_s), earlier_s < 0 ? "later" : "earlier");
        else
                table_cell(table, COLOR_NONE, "-");
        table_cell(table, COLOR_NONE, "%.60s", text_of(incident, "title"));
        table_cell(table, COLOR_NONE, "%.120s", text_of(incident, "reason"));
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
                return json_dumpf(answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n';
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
