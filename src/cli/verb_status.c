/* verb_status.c - what the daemon says about itself, and small verbs beside. */
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "loop/loop.h"
#include "serve/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void bytes_text(double bytes, char out_text[static 24])
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        size_t unit = 0;
        for (; bytes >= 1024 && unit < countof(units) - 1; unit++)
                bytes /= 1024;
        snprintf(out_text, 24, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void age_text(int64_t then_ns, int64_t now_ns, char out_text[static 24])
{
        int64_t seconds = (now_ns - then_ns) / 1000000000;
        if (then_ns == 0)
                snprintf(out_text, 24, "never");
        else if (seconds < 120)
                snprintf(out_text, 24, "%lds ago", (long)max_of(seconds, (int64_t)0));
        else if (seconds < 7200)
                snprintf(out_text, 24, "%ldm ago", (long)seconds / 60);
        else
                snprintf(out_text, 24, "%ldh ago", (long)seconds / 3600);
}

bool verb_status(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *status = NULL;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/status", NULL, &status, err))
                return false;
        if (cli->json)
                return item_print(status);
        const char *section, *name;
        json_t *part, *value;
        printf("evenkeel %s at %s, data in %s\n\n", json_string_value(json_object_get(status, "version")), cli->client.address,
               json_string_value(json_object_get(status, "data_directory")));
        scoped(table_done) struct table table;
        table_init(&table, "PART|WHAT|>NOW");
        json_object_foreach(status, section, part)
                json_object_foreach(part, name, value) {
                        char text[24];
                        double number = json_number_value(value);
                        if (strstr(name, "bytes"))
                                bytes_text(number, text);
                        else
                                snprintf(text, sizeof text, number == (double)(int64_t)number ? "%.0f" : "%.3f", number);
                        table_cell(&table, COLOR_NONE, "%s", section);
                        table_cell(&table, COLOR_NONE, "%s", name);
                        table_cell(&table, strstr(name, "failures") && number > 0 ? COLOR_RED : COLOR_NONE, "%s", text);
                }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static enum table_color color_of_state(const char *state)
{
        return strcmp(state, "ok") == 0 ? COLOR_GREEN : strcmp(state, "failing") == 0 ? COLOR_RED : COLOR_YELLOW;
}

bool verb_sources(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/sources", NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        size_t i;
        json_t *source;
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
        scoped(table_done) struct table table;
        table_init(&table, "SOURCE|KIND|STATE|>LAST SEEN|>RECORDS/S|>SAMPLES/S|>BYTES|>DROPPED|>WRONG|>AGAIN|WHY");
        json_array_foreach(json_object_get(answer, "sources"), i, source) {
                char age[24], bytes[24];
                const char *state = json_string_value(json_object_get(source, "state"));
                age_text(item_time_ns(source, "last_seen_ns"), now_ns, age);
                bytes_text((double)json_i64(source, "bytes", 0), bytes);
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(source, "name")));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(source, "kind")));
                table_cell(&table, color_of_state(state), "%s", state);
                table_cell(&table, COLOR_NONE, "%s", age);
                table_cell(&table, COLOR_NONE, "%.1f", json_number_value(json_object_get(source, "rate_records")));
                table_cell(&table, COLOR_NONE, "%.1f", json_number_value(json_object_get(source, "rate_samples")));
                table_cell(&table, COLOR_NONE, "%s", bytes);
                static const char *const counts[] = {"dropped", "parse_failures", "duplicates"};
                for (size_t c = 0; c < countof(counts); c++)
                        table_cell(&table, c < 2 && json_i64(source, counts[c], 0) ? COLOR_YELLOW : COLOR_NONE, "%ld", (long)json_i64(source, counts[c], 0));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(source, "state_text")));
        }
        if (table.cells.count == (size_t)table.columns)
                return printf("nothing has sent anything yet\n") > 0;
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_backup(struct cli *cli, struct err *err)
{
        char path[4096];
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (cli->words[0][0] == '/')
                snprintf(path, sizeof path, "%s", cli->words[0]);
        else if (!realpath(".", path))
                return fail(err, ERR_INVALID, "cli", "name the directory with its whole path");
        else
                snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", cli->words[0]);
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s}", "directory", path);
        if (!client_ask_json(&cli->client, "POST", "/api/v1/backup", body, &answer, err))
                return false;
        return cli->json ? item_print(answer) : printf("backed up into %s; prove it with: evenkeel restore --verify %s\n", path, path) > 0;
}

bool verb_restore(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *report = NULL;
        const char *to = cli_option(cli, "to");
        if (!to && !cli_option(cli, "verify"))
                return fail(err, ERR_METHOD, "cli", "say --verify to prove the backup, or --to FOLDER to restore it");
        bool good = to ? loop_restore(cli->words[0], to, &report, err) : loop_verify_backup(cli->words[0], &report, err);
        if (report)
                item_print(report);
        return good && (cli->json || printf(to ? "restored into %s\n" : "the backup %s is good\n", to ? to : cli->words[0]) > 0);
}

bool verb_redact_test(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf text = {.bytes_max = 512 << 10};
        char piece[4096];
        if (cli->word_count)
                buf_text(&text, cli->words[0]);
        for (size_t count; !cli->word_count && (count = fread(piece, 1, sizeof piece, stdin)) > 0;)
                buf_append(&text, piece, count);
        if (text.failed)
                return fail(err, ERR_TOO_LARGE, "cli", "the text is longer than 512 KiB");
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s%}", "text", text.bytes ? text.bytes : "", text.length);
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!body)
                return fail(err, ERR_INVALID, "cli", "the text is not UTF-8");
        if (!client_ask_json(&cli->client, "POST", "/api/v1/redact/test", body, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        printf("%s\n", json_string_value(json_object_get(answer, "text")));
        fprintf(stderr, "%ld masked\n", (long)json_i64(answer, "masked", 0));
        return true;
}

bool verb_openapi(struct cli *cli, struct err *err)
{
        if (cli_option(cli, "markdown")) {
                scoped(buf_done) struct buf text = {0};
                return openapi_markdown(&text) ? fwrite(text.bytes, 1, text.length, stdout) == text.length : fail_memory(err, "cli", text.length);
        }
        scoped_ptr(json_decref) json_t *json = openapi_json(EVENKEEL_VERSION, err);
        return json && item_print(json);
}

bool verb_version(struct cli *cli, struct err *err)
{
        (void)err;
        return printf(cli->json ? "{\"version\":\"%s\"}\n" : "evenkeel %s\n", EVENKEEL_VERSION) > 0;
}
