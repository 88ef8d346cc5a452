/* verb_incidents.c - incidents and alerts on the command line: lists, one with its story, why, and what people order. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void time_text(const json_t *item, const char *key, char out_text[static CLOCK_RFC3339_BYTES])
{
        int64_t time_ns;
        if (str_to_i64(json_str(item, key), &time_ns))
                clock_rfc3339(time_ns, 0, out_text);
        else
                snprintf(out_text, CLOCK_RFC3339_BYTES, "-");
}

static const char *text_of(const json_t *item, const char *key)
{
        const char *text = json_string_value(json_object_get(item, key));
        return text && *text ? text : "-";
}

/* Text of telemetry on its way to a terminal: control bytes could order it about. */
static void safe_cell(struct table *table, enum table_color color, const char *text)
{
        scoped(buf_done) struct buf out = {0};
        for (const char *at = text; *at && out.length < 200; at++)
                if ((unsigned char)*at < 0x20 || *at == 0x7f)
                        buf_printf(&out, "\\x%02x", (unsigned char)*at);
                else
                        buf_byte(&out, *at);
        buf_byte(&out, 0);
        table_cell(table, color, "%s", out.failed ? "?" : out.bytes);
}

/* Its own team, else the teams that a route led it to. */
static void team_cell(struct table *table, const json_t *incident)
{
        scoped(buf_done) struct buf teams = {0};
        const json_t *told = json_object_get(incident, "told");
        size_t i;
        json_t *team;
        if (json_string_length(json_object_get(incident, "team")) || !json_array_size(told)) {
                safe_cell(table, COLOR_NONE, text_of(incident, "team"));
                return;
        }
        json_array_foreach (told, i, team)
                buf_printf(&teams, "%s%s", i ? ", " : "", json_string_value(team));
        buf_byte(&teams, 0);
        safe_cell(table, COLOR_NONE, teams.failed ? "?" : teams.bytes);
}

static enum table_color color_of(const json_t *item)
{
        const char *severity = text_of(item, "severity");
        return strcmp(severity, "critical") == 0 ? COLOR_RED : strcmp(severity, "warning") == 0 ? COLOR_YELLOW : COLOR_NONE;
}

static bool ask(struct cli *cli, const char *path, json_t **out_answer, bool *out_is_shown, struct err *err)
{
        if (!client_ask_json(&cli->client, "GET", path, NULL, out_answer, err))
                return false;
        *out_is_shown = cli->json;
        return !cli->json || (json_dumpf(*out_answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n');
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
        bool is_shown;
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/incidents");
        add_options(cli, options, countof(options), &path);
        if (!ask(cli, path.bytes, &answer, &is_shown, err) || is_shown)
                return answer != NULL;
        scoped(table_done) struct table table;
        table_init(&table, ">NUMBER|STATE|SEVERITY|OPENED|TEAM|OWNER|>FIRING|>ALERTS|TITLE");
        json_array_foreach (json_object_get(answer, "incidents"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                time_text(item, "opened_ns", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "number", 0));
                table_cell(&table, COLOR_NONE, "%s%s", text_of(item, "state"), json_flag(item, "is_held", false) ? ", held" : "");
                table_cell(&table, color_of(item), "%s", text_of(item, "severity"));
                table_cell(&table, COLOR_DIM, "%s", time);
                team_cell(&table, item);
                safe_cell(&table, COLOR_NONE, text_of(item, "owner"));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "firing", 0));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "alert_count", 0));
                safe_cell(&table, COLOR_NONE, text_of(item, "title"));
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
                        time_text(item, time_key, time);
                        table_cell(&table, COLOR_DIM, "%s", time);
                } else {
                        table_cell(&table, COLOR_NONE, "%.0f %%", 100 * json_number_value(json_object_get(item, "score")));
                }
                for (int k = 0; k < 3; k++)
                        safe_cell(&table, COLOR_NONE, text_of(item, keys[k]));
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

/* Words are of telemetry: what a terminal would obey is left out. */
static void print_suggestion(const json_t *suggestion)
{
        size_t i;
        json_t *word;
        if (!json_is_object(suggestion))
                return;
        printf("\nteam %s %s, %.0f %% sure, from %" PRId64 " examples:", text_of(suggestion, "team"), text_of(suggestion, "state"),
               100 * json_number_value(json_object_get(suggestion, "confidence")), json_i64(suggestion, "examples", 0));
        json_array_foreach (json_object_get(suggestion, "words"), i, word) {
                putchar(' ');
                for (const char *at = text_of(word, "word"); *at; at++)
                        putchar((unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
                printf(" %+.2f", json_number_value(json_object_get(word, "weight")));
        }
        putchar('\n');
}

static void print_text(const char *text)
{
        for (; *text; text++)
                putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_judged(const json_t *list)
{
        size_t i;
        json_t *row;
        json_array_foreach (list, i, row) {
                printf("%sjudged before: ", i ? "" : "\n");
                print_text(text_of(row, "sort"));
                printf(", %s (%" PRId64 " times)\n", text_of(row, "kind"), json_i64(row, "times", 0));
        }
}

bool verb_incident(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        bool is_shown;
        char opened[CLOCK_RFC3339_BYTES];
        if (!incident_path(cli, "", &path, err) || !ask(cli, path.bytes, &answer, &is_shown, err) || is_shown)
                return answer != NULL;
        time_text(answer, "opened_ns", opened);
        scoped(table_done) struct table table;
        table_init(&table, ">NUMBER|STATE|SEVERITY|OPENED|OWNER|TEAM|TITLE");
        table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(answer, "number", 0));
        table_cell(&table, COLOR_NONE, "%s", text_of(answer, "state"));
        table_cell(&table, color_of(answer), "%s", text_of(answer, "severity"));
        table_cell(&table, COLOR_DIM, "%s", opened);
        table_cell(&table, COLOR_NONE, "%s", text_of(answer, "owner"));
        table_cell(&table, COLOR_NONE, "%s", text_of(answer, "team"));
        safe_cell(&table, COLOR_NONE, text_of(answer, "title"));
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
        bool is_shown;
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/alerts/known");
        add_options(cli, options, countof(options), &path);
        if (!ask(cli, path.bytes, &answer, &is_shown, err) || is_shown)
                return answer != NULL;
        scoped(table_done) struct table table;
        table_init(&table, "ID|STATE|SEVERITY|SINCE|>TIMES|FROM|ALERT|LABELS");
        json_array_foreach (json_object_get(answer, "alerts"), i, item) {
                char time[CLOCK_RFC3339_BYTES];
                char *labels = json_dumps(json_object_get(item, "labels"), JSON_COMPACT);
                time_text(item, "starts_ns", time);
                table_cell(&table, COLOR_DIM, "%s", text_of(item, "id"));
                table_cell(&table, COLOR_NONE, "%s%s", text_of(item, "state"), json_flag(item, "is_held", false) ? ", held" : "");
                table_cell(&table, color_of(item), "%s", text_of(item, "severity"));
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "times", 0));
                table_cell(&table, COLOR_NONE, "%s", text_of(item, "origin"));
                safe_cell(&table, COLOR_NONE, text_of(item, "name"));
                safe_cell(&table, COLOR_DIM, labels ? labels : "-");
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
                time_text(why, "time_ns", time);
                printf("%s  %s\n", time, text_of(why, "decision"));
                json_array_foreach (json_object_get(why, "reasons"), k, reason)
                        printf("        %+6.2f  %s\n", json_number_value(json_object_get(reason, "weight")), text_of(reason, "sentence"));
        }
}

/* A number is an incident's, an id with many digits an alert's. */
bool verb_why(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        bool is_shown, is_incident = strlen(cli->words[0]) <= 6;
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
        if (!ask(cli, path.bytes, &answer, &is_shown, err) || is_shown)
                return answer != NULL;
        print_why(json_object_get(answer, "why"));
        json_array_foreach (json_object_get(answer, "alerts"), i, alert) {
                printf("alert %s %s\n", text_of(alert, "id"), text_of(alert, "name"));
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
