/* verb_incidents.c - incidents and alerts on the command line: lists, one with its story, why, and what people order. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Its own team, else the teams that a route led it to. */
static void team_cell(struct table *table, const json_t *incident)
{
        scoped(buf_done) struct buf teams = {0};
        const json_t *told = json_object_get(incident, "told");
        size_t i;
        json_t *team;
        if (json_string_length(json_object_get(incident, "team")) || !json_array_size(told)) {
                table_cell(table, COLOR_NONE, "%.200s", item_text(incident, "team"));
                return;
        }
        json_array_foreach (told, i, team)
                buf_printf(&teams, "%s%s", i ? ", " : "", json_string_value(team));
        buf_byte(&teams, 0);
        table_cell(table, COLOR_NONE, "%.200s", teams.failed ? "?" : teams.bytes);
}

static enum table_color color_of(const json_t *item)
{
        const char *severity = item_text(item, "severity");
        return strcmp(severity, "critical") == 0 ? COLOR_RED : strcmp(severity, "warning") == 0 ? COLOR_YELLOW : COLOR_NONE;
}

static void add_options(const struct cli *cli, const char *const names[], size_t count, struct buf *path)
{
        for (size_t i = 0; i < count; i++)
                path_add(path, names[i], cli_option(cli, names[i]));
        buf_byte(path, 0);
}

bool verb_incidents(struct cli *cli, struct err *err)
{
        static const char *const options[] = {"state", "severity", "team", "owner", "text", "held", "limit"};
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/incidents");
        add_options(cli, options, countof(options), &path);
        if (!item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, ">NUMBER|STATE|SEVERITY|OPENED|TEAM|OWNER|>FIRING|>ALERTS|TITLE");
        json_array_foreach (json_object_get(answer, "incidents"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                item_time(item, "opened_ns", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "number", 0));
                table_cell(&table, COLOR_NONE, "%s%s", item_text(item, "state"), json_flag(item, "is_held", false) ? ", held" : "");
                table_cell(&table, color_of(item), "%s", item_text(item, "severity"));
                table_cell(&table, COLOR_DIM, "%s", time);
                team_cell(&table, item);
                table_cell(&table, COLOR_NONE, "%.200s", item_text(item, "owner"));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "firing", 0));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "alert_count", 0));
                table_cell(&table, COLOR_NONE, "%.200s", item_text(item, "title"));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static void print_list(const struct cli *cli, const json_t *list, const char *heads, const char *const keys[3], const char *time_key)
{
        size_t i;
        json_t *item;
        if (!json_array_size(list))
                return;
        scoped(table_done) struct table table;
        putchar('\n');
        table_init(&table, heads);
        json_array_foreach (list, i, item) {
                if (time_key) {
                        char time[CLOCK_RFC3339_BYTES];
                        item_time(item, time_key, time);
                        table_cell(&table, COLOR_DIM, "%s", time);
                } else {
                        table_cell(&table, COLOR_NONE, "%.0f %%", 100 * json_number_value(json_object_get(item, "score")));
                }
                for (int k = 0; k < 3; k++)
                        table_cell(&table, COLOR_NONE, "%.200s", item_text(item, keys[k]));
        }
        table_print(&table, stdout, cli->has_color);
}

static bool incident_path(struct cli *cli, const char *after, struct buf *path, struct err *err)
{
        buf_text(path, "/api/v1/incidents/");
        path_add_part(path, cli->words[0]);
        buf_text(path, after);
        buf_byte(path, 0);
        return !path->failed || fail_memory(err, "cli", path->length);
}

static void print_suggestion(const json_t *suggestion)
{
        size_t i;
        json_t *word;
        if (!json_is_object(suggestion))
                return;
        printf("\nteam %s %s, %.0f %% sure, from %" PRId64 " examples:", item_text(suggestion, "team"), item_text(suggestion, "state"),
               100 * json_number_value(json_object_get(suggestion, "confidence")), json_i64(suggestion, "examples", 0));
        json_array_foreach (json_object_get(suggestion, "words"), i, word) {
                putchar(' ');
                item_say(str_of(item_text(word, "word")), NULL);
                printf(" %+.2f", json_number_value(json_object_get(word, "weight")));
        }
        putchar('\n');
}

static void print_judged(const json_t *list)
{
        size_t i;
        json_t *row;
        json_array_foreach (list, i, row) {
                printf("%sjudged before: ", i ? "" : "\n");
                item_say(str_of(item_text(row, "sort")), NULL);
                int64_t times = json_i64(row, "times", 0);
                printf(times == 1 ? ", %s, once\n" : ", %s, %" PRId64 " times\n", item_text(row, "kind"), times);
        }
}

bool verb_incident(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        char opened[CLOCK_RFC3339_BYTES];
        if (!incident_path(cli, "", &path, err) || !item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        item_time(answer, "opened_ns", opened);
        scoped(table_done) struct table table;
        table_init(&table, ">NUMBER|STATE|SEVERITY|OPENED|OWNER|TEAM|TITLE");
        table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(answer, "number", 0));
        table_cell(&table, COLOR_NONE, "%s", item_text(answer, "state"));
        table_cell(&table, color_of(answer), "%s", item_text(answer, "severity"));
        table_cell(&table, COLOR_DIM, "%s", opened);
        table_cell(&table, COLOR_NONE, "%s", item_text(answer, "owner"));
        table_cell(&table, COLOR_NONE, "%s", item_text(answer, "team"));
        table_cell(&table, COLOR_NONE, "%.200s", item_text(answer, "title"));
        table_print(&table, stdout, cli->has_color);
        print_suggestion(json_object_get(answer, "suggestion"));
        print_judged(json_object_get(answer, "judged"));
        print_list(cli, json_object_get(answer, "causes"), ">LIKELY|CAUSE|KIND|BECAUSE", (const char *const[]){"name", "kind", "reason"}, NULL);
        print_list(cli, json_object_get(answer, "alerts"), "SINCE|STATE|ALERT|ID", (const char *const[]){"state", "name", "id"}, "starts_ns");
        print_list(cli, json_object_get(answer, "timeline"), "TIME|WHAT|BY|TEXT", (const char *const[]){"kind", "by", "text"}, "time_ns");
        print_list(cli, json_object_get(answer, "similar"), "RESOLVED|LOOKED LIKE IT|CAUSE|HELPED", (const char *const[]){"title", "cause", "fix"}, "resolved_ns");
        return true;
}

bool verb_alerts(struct cli *cli, struct err *err)
{
        static const char *const options[] = {"state", "name", "limit"};
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/alerts/known");
        add_options(cli, options, countof(options), &path);
        if (!item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        scoped(table_done) struct table table;
        table_init(&table, "ID|STATE|SEVERITY|SINCE|>TIMES|FROM|ALERT|LABELS");
        json_array_foreach (json_object_get(answer, "alerts"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                char *labels = json_dumps(json_object_get(item, "labels"), JSON_COMPACT);
                item_time(item, "starts_ns", time);
                table_cell(&table, COLOR_DIM, "%s", item_text(item, "id"));
                table_cell(&table, COLOR_NONE, "%s%s", item_text(item, "state"), json_flag(item, "is_held", false) ? ", held" : "");
                table_cell(&table, color_of(item), "%s", item_text(item, "severity"));
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "times", 0));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "origin"));
                table_cell(&table, COLOR_NONE, "%.200s", item_text(item, "name"));
                table_cell(&table, COLOR_DIM, "%.200s", labels ? labels : "-");
                free(labels);
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static void print_why(const json_t *list)
{
        size_t i, k;
        json_t *why, *reason;
        json_array_foreach (list, i, why) {
                char time[CLOCK_RFC3339_BYTES];
                item_time(why, "time_ns", time);
                printf("%s  ", time);
                item_say(str_of(item_text(why, "decision")), NULL);
                putchar('\n');
                json_array_foreach (json_object_get(why, "reasons"), k, reason) {
                        printf("        %+6.2f  ", json_number_value(json_object_get(reason, "weight")));
                        item_say(str_of(item_text(reason, "sentence")), NULL);
                        putchar('\n');
                }
        }
}

/* A number is an incident's, an id with many digits an alert's. */
bool verb_why(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        bool is_incident = strlen(cli->words[0]) <= 6;
        size_t i;
        json_t *alert;
        if (is_incident) {
                if (!incident_path(cli, "/why", &path, err))
                        return false;
        } else {
                buf_text(&path, "/api/v1/alerts/");
                path_add_part(&path, cli->words[0]);
                buf_text(&path, "/why");
                buf_byte(&path, 0);
        }
        if (!item_ask(cli, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (!answer)
                return true;
        print_why(json_object_get(answer, "why"));
        json_array_foreach (json_object_get(answer, "alerts"), i, alert) {
                printf("alert %s ", item_text(alert, "id"));
                item_say(str_of(item_text(alert, "name")), NULL);
                putchar('\n');
                print_why(json_object_get(alert, "why"));
        }
        return true;
}

/* incident order NUMBER VERB [NAME=TEXT ...]: the body is what the words say. */
bool verb_incident_order(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_object();
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        for (int i = 2; i < cli->word_count; i++) {
                struct str value = str_of(cli->words[i]), name;
                int64_t number;
                if (!str_cut(&value, '=', &name) || !value.bytes || name.length > 40)
                        return fail(err, ERR_METHOD, "cli", "\"%s\" is not NAME=TEXT", cli->words[i]);
                char key[48];
                snprintf(key, sizeof key, "%.*s", STR_ARGS(name));
                bool is_number = strcmp(key, "into") == 0 && str_to_i64(value, &number);
                json_t *json = is_number ? json_integer(number) : json_stringn(value.bytes, value.length);
                if (strcmp(key, "alerts") == 0)
                        json = json_pack("[o]", json);
                if (!json || json_object_set_new(body, key, json) != 0)
                        return fail(err, ERR_METHOD, "cli", "\"%s\" is not UTF-8 text", cli->words[i]);
        }
        buf_text(&path, "/api/v1/incidents/");
        path_add_part(&path, cli->words[0]);
        buf_byte(&path, '/');
        path_add_part(&path, cli->words[1]);
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "POST", path.bytes, body, &answer, err))
                return false;
        return cli->json ? json_dumpf(answer, stdout, 0) == 0 && putchar('\n') == '\n' : printf("done\n") > 0;
}

bool verb_incident_report(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:s*, s:s*}", "title", cli->words[0], "entity", cli_option(cli, "entity"), "severity",
                                                         cli_option(cli, "severity"));
        if (!body)
                return fail(err, ERR_METHOD, "cli", "\"%s\" is not UTF-8 text", cli->words[0]);
        if (!client_ask_json(&cli->client, "POST", "/api/v1/incidents", body, &answer, err))
                return false;
        return cli->json ? json_dumpf(answer, stdout, 0) == 0 && putchar('\n') == '\n'
                         : printf("incident %" PRId64 "\n", json_i64(answer, "incident", 0)) > 0;
}
