/* verb_runs.c - `evenkeel runbooks`, `runs`, `runs ...`, `automation ...`: what could be done, what was, and deciding on it. */
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum table_color color_of(struct str state)
{
        if (str_is(state, "succeeded"))
                return COLOR_GREEN;
        if (str_is(state, "failed") || str_is(state, "harmful") || str_is(state, "interrupted"))
                return COLOR_RED;
        return str_is(state, "proposed") ? COLOR_YELLOW : COLOR_NONE;
}

bool verb_runbooks(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(table_done) struct table table;
        size_t i;
        json_t *item;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/runbooks", NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        table_init(&table, "RUNBOOK|MAY|>VERIFIED|>FAILED|>HARMFUL|DOES");
        json_array_foreach(json_object_get(answer, "runbooks"), i, item) {
                const json_t *trust = json_object_get(item, "trust");
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(item, "name")));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(trust, "allowed")));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(trust, "verified", 0));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(trust, "failed", 0));
                table_cell(&table, json_i64(trust, "harmful", 0) ? COLOR_RED : COLOR_NONE, "%" PRId64, json_i64(trust, "harmful", 0));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(json_object_get(item, "declared"), "sentence")));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static double share_of(const json_t *trust, const char *key)
{
        return json_number_value(json_object_get(trust, key)) * 100;
}

static void print_known(const json_t *trust)
{
        scoped(table_done) struct table table;
        size_t i;
        json_t *item;
        table_init(&table, "SIGNATURE|KIND|NOW|>VERIFIED|>FAILED|>HARMFUL|>HELPS|>AT LEAST|>BY ITSELF|>BEATS WAITING|WHY");
        json_array_foreach(json_object_get(trust, "known"), i, item) {
                bool is_demoted = json_flag(item, "is_demoted", false);
                table_cell(&table, COLOR_NONE, "%.80s", json_string_value(json_object_get(item, "signature")));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(item, "target_kind")));
                table_cell(&table, is_demoted ? COLOR_RED : COLOR_NONE, "%s", json_string_value(json_object_get(item, "autonomy")));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "verified", 0));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "failed", 0));
                table_cell(&table, json_i64(item, "harmful", 0) ? COLOR_RED : COLOR_NONE, "%" PRId64, json_i64(item, "harmful", 0));
                table_cell(&table, COLOR_NONE, "%.0f %%", share_of(item, "mean"));
                table_cell(&table, COLOR_NONE, "%.0f %%", share_of(item, "low"));
                table_cell(&table, COLOR_NONE, "%.0f %%", share_of(item, "heals_by_itself"));
                table_cell(&table, COLOR_NONE, "%.0f %%", share_of(item, "beats_waiting"));
                if (is_demoted)
                        table_cell(&table, COLOR_RED, "%s; %" PRId64 " verified successes are wanted", json_string_value(json_object_get(item, "reason")), json_i64(item, "until_trusted", 0));
                else
                        table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(item, "reason")));
        }
        table_print(&table, stdout, false);
}

static void print_runbook(const json_t *item)
{
        const json_t *trust = json_object_get(item, "trust"), *wants = json_object_get(trust, "wants");
        printf("%s: ", json_string_value(json_object_get(item, "name")));
        item_say(json_str(json_object_get(item, "declared"), "sentence"), "\n");
        printf("\ndeclared in ");
        item_say(json_str(item, "file"), "\n");
        printf("\nit may go as far as: %s%s; for an incident of a new kind: %s (%s)\n", json_string_value(json_object_get(trust, "allowed")),
               json_flag(trust, "is_standard_change", false) ? ", a standard change" : "", json_string_value(json_object_get(trust, "autonomy")),
               json_string_value(json_object_get(trust, "reason")));
        printf("to go ahead by itself it takes %" PRId64 " verified successes, at least %.0f %% help (with 19 of 20 certainty), and %.0f %% that it beats waiting\n",
               json_i64(wants, "verified", 0), share_of(wants, "low"), share_of(wants, "beats_waiting"));
        printf("in all: %" PRId64 " verified, %" PRId64 " failed, %" PRId64 " harmful\n", json_i64(trust, "verified", 0), json_i64(trust, "failed", 0), json_i64(trust, "harmful", 0));
        if (json_array_size(json_object_get(trust, "known")))
                print_known(trust);
}

bool verb_runbook_show(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i;
        json_t *item;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/runbooks", NULL, &answer, err))
                return false;
        json_array_foreach(json_object_get(answer, "runbooks"), i, item) {
                if (!str_is(json_str(item, "name"), cli->words[0]))
                        continue;
                if (cli->json)
                        return item_print(item);
                print_runbook(item);
                return true;
        }
        return fail(err, ERR_NOT_FOUND, "cli", "there is no runbook %s; `evenkeel runbooks` lists them", cli->words[0]);
}

bool verb_runbooks_draft(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/incidents/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, "/draft");
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        item_say(json_str(answer, "yaml"), "\n");
        return true;
}

bool verb_runs(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        scoped(table_done) struct table table;
        size_t i;
        json_t *item;
        buf_text(&path, "/api/v1/runs");
        path_add(&path, "incident", cli_option(cli, "incident"));
        path_add(&path, "runbook", cli_option(cli, "runbook"));
        path_add(&path, "state", cli_option(cli, "state"));
        path_add(&path, "limit", cli_option(cli, "limit"));
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        table_init(&table, ">RUN|STATE|>INCIDENT|RUNBOOK|DOES");
        json_array_foreach(json_object_get(answer, "runs"), i, item) {
                const json_t *facts = json_object_get(item, "facts");
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "number", 0));
                table_cell(&table, color_of(json_str(item, "state")), "%s", json_string_value(json_object_get(item, "state")));
                table_cell(&table, COLOR_NONE, "%" PRId64, json_i64(item, "incident_number", 0));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(facts, "runbook")));
                table_cell(&table, COLOR_NONE, "%.120s", json_string_value(json_object_get(facts, "sentence")));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static void print_planned(const json_t *step)
{
        size_t i;
        json_t *word;
        printf("  %-12s %-7s", json_string_value(json_object_get(step, "name")), json_string_value(json_object_get(step, "kind")));
        json_array_foreach(json_object_get(step, "words"), i, word) {
                printf(" [");
                item_say((struct str){json_string_value(word), json_string_length(word)}, "\n");
                printf("]");
        }
        const json_t *header;
        json_array_foreach(json_object_get(step, "headers"), i, header) {
                struct str secret = json_str(header, "secret");
                printf(" {%s: %s%s", json_string_value(json_object_get(header, "name")), json_string_value(json_object_get(header, "before")) ?: "", secret.length ? "secret:" : "");
                item_say(secret.length ? secret : json_str(header, "value"), "\n");
                printf("}");
        }
        static const char *const texts[] = {"method", "http", "body", "check", "notify"};
        for (i = 0; i < countof(texts); i++)
                if (json_object_get(step, texts[i])) {
                        putchar(' ');
                        item_say(json_str(step, texts[i]), "\n");
                }
        if (json_object_get(step, "for_ns"))
                printf(" %.1f s", (double)json_i64(step, "for_ns", 0) / 1e9);
        putchar('\n');
}

static void print_run(const json_t *run)
{
        const json_t *facts = json_object_get(run, "facts"), *belief = json_object_get(facts, "belief");
        size_t i;
        json_t *item;
        printf("run %" PRId64 ": ", json_i64(run, "number", 0));
        item_say(json_str(facts, "sentence"), "\n");
        printf("\n%s, for incident %" PRId64 ", runbook %s\n", json_string_value(json_object_get(run, "state")), json_i64(run, "incident_number", 0),
               json_string_value(json_object_get(facts, "runbook")));
        printf("so far %" PRId64 " verified, %" PRId64 " failed, %" PRId64 " harmful; helps in %.0f of 100 cases (%.0f to %.0f), by itself it is gone in %.0f\n",
               json_i64(belief, "verified", 0), json_i64(belief, "failed", 0), json_i64(belief, "harmful", 0), json_number_value(json_object_get(belief, "mean")) * 100,
               json_number_value(json_object_get(belief, "low")) * 100, json_number_value(json_object_get(belief, "high")) * 100,
               json_number_value(json_object_get(belief, "heals_by_itself")) * 100);
        puts("exactly this is run:");
        json_array_foreach(json_object_get(facts, "plan"), i, item)
                print_planned(item);
        json_array_foreach(json_object_get(run, "permits"), i, item) {
                const json_t *step = json_array_get(json_object_get(facts, "plan"), (size_t)json_i64(item, "step", 0));
                if (json_is_true(json_object_get(item, "is_allowed")))
                        continue;
                printf("%s %s: ", json_is_null(json_object_get(item, "is_allowed")) ? "cannot tell whether the launcher would run" : "the launcher would refuse",
                       json_string_value(json_object_get(step, "name")));
                item_say(json_str(item, "reason"), "\n");
                putchar('\n');
        }
        json_array_foreach(json_object_get(json_object_get(run, "story"), "refusals"), i, item) {
                printf("not started (%s): ", json_string_value(json_object_get(item, "guard")));
                item_say(json_str(item, "reason"), "\n");
                putchar('\n');
        }
        json_array_foreach(json_object_get(run, "steps"), i, item) {
                printf("step %s, %s: ", json_string_value(json_object_get(item, "name")), json_string_value(json_object_get(item, "state")));
                item_say(json_str(item, "sentence"), "\n");
                putchar('\n');
                item_say(json_str(item, "output"), "\n");
                if (json_str(item, "output").length)
                        putchar('\n');
        }
        json_array_foreach(json_object_get(json_object_get(run, "story"), "history"), i, item) {
                printf("%s by %s: ", json_string_value(json_object_get(item, "state")), json_string_value(json_object_get(item, "by")));
                item_say(json_str(item, "text"), "\n");
                putchar('\n');
        }
}

bool verb_run_show(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/runs/");
        path_add_part(&path, cli->words[0]);
        buf_byte(&path, 0);
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        print_run(answer);
        return true;
}

/* Posts what is decided; takes body. */
static bool decide(struct cli *cli, const char *path, json_t *body, const char *done, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = body;
        scoped_ptr(json_decref) json_t *answer = NULL;
        const char *why = cli_option(cli, "why");
        if (!body || (why && json_object_set_new(body, "why", json_string(why)) != 0))
                return fail(err, ERR_METHOD, "cli", "what was given is not UTF-8 text");
        if (!client_ask_json(&cli->client, "POST", path, kept, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        const json_t *result = json_object_get(answer, "result");
        int64_t run = json_i64(result, "run", 0);
        if (run)
                printf("run %" PRId64 ": %s\n", run, json_string_value(json_object_get(json_object_get(answer, "result"), "state")));
        else
                puts(done);
        return true;
}

static bool decide_on_run(struct cli *cli, const char *verb, json_t *body, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/runs/");
        path_add_part(&path, cli->words[0]);
        buf_printf(&path, "/%s", verb);
        buf_byte(&path, 0);
        return decide(cli, path.bytes, body, verb, err);
}

bool verb_run_approve(struct cli *cli, struct err *err)
{
        return decide_on_run(cli, "approve", json_object(), err);
}

bool verb_run_reject(struct cli *cli, struct err *err)
{
        return decide_on_run(cli, "reject", json_object(), err);
}

bool verb_run_stop(struct cli *cli, struct err *err)
{
        return decide_on_run(cli, "stop", json_object(), err);
}

bool verb_run_judge(struct cli *cli, struct err *err)
{
        return decide_on_run(cli, "judge", json_pack("{s:s}", "outcome", cli->words[1]), err);
}

bool verb_run_propose(struct cli *cli, struct err *err)
{
        int64_t incident;
        if (!str_to_i64(str_of(cli->words[1]), &incident))
                return fail(err, ERR_METHOD, "cli", "%s is no number of an incident", cli->words[1]);
        json_t *body = json_pack("{s:s, s:I, s:s*, s:b}", "runbook", cli->words[0], "incident", (json_int_t)incident, "target", cli_option(cli, "target"), "start",
                                 cli_option(cli, "start") != NULL);
        return decide(cli, "/api/v1/runs", body, "proposed", err);
}

bool verb_runbook_autonomy(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/runbooks/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, "/autonomy");
        buf_byte(&path, 0);
        return decide(cli, path.bytes, json_pack("{s:s}", "level", cli->words[1]), "set", err);
}

bool verb_automation_stop(struct cli *cli, struct err *err)
{
        return decide(cli, "/api/v1/automation/stop", json_object(), "all automation is stopped", err);
}

bool verb_automation_resume(struct cli *cli, struct err *err)
{
        return decide(cli, "/api/v1/automation/resume", json_object(), "automation may run again", err);
}
