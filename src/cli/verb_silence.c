/*
 * verb_silence.c - keeping quiet and taking over: silences and maintenance are made, and somebody else is put on call, on the command line.
 *
 * Lengths of time are counted from now: whoever needs another beginning has the console and the API.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/verb.h"
#include "serve/when.h"

#include <stdio.h>
#include <string.h>

static bool read_length(const struct cli *cli, const char *otherwise, int64_t *out_ns, struct err *err)
{
        const char *text = cli_option(cli, "for");
        return when_length(str_of(text ? text : otherwise), out_ns) ||
               fail(err, ERR_METHOD, "cli", "--for is a length of time such as 4h or 2d, not %s", text);
}

static bool ask(struct cli *cli, const char *method, const char *path, const json_t *body, const char *said, const char *key, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!client_ask_json(&cli->client, method, path, body, &answer, err))
                return false;
        if (cli->json)
                return json_dumpf(answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n';
        const char *id = key ? json_string_value(json_object_get(answer, key)) : NULL;
        printf("%s%s%s\n", said, id ? " " : "", id ? id : "");
        return true;
}

/* The words as the server reads them: severity="critical", host=~"web.*". */
static json_t *matcher_list(const struct cli *cli)
{
        json_t *list = json_array();
        for (int i = 0; list && i < cli->word_count; i++)
                if (json_array_append_new(list, json_string(cli->words[i])) != 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

static bool keep_quiet(struct cli *cli, const char *path, bool as_alertmanager, struct err *err)
{
        char from[CLOCK_RFC3339_BYTES], to[CLOCK_RFC3339_BYTES];
        const char *comment = cli_option(cli, "comment");
        int64_t length_ns, now_ns = clock_now_ns(&clock_real);
        if (!read_length(cli, "4h", &length_ns, err))
                return false;
        clock_rfc3339(now_ns, 3, from);
        clock_rfc3339(now_ns + length_ns, 3, to);
        json_t *matchers = matcher_list(cli);
        scoped_ptr(json_decref) json_t *body =
                !matchers        ? NULL
                : as_alertmanager ? json_pack("{s:o, s:s, s:s, s:s}", "matchers", matchers, "startsAt", from, "endsAt", to, "comment", comment ? comment : "")
                                  : json_pack("{s:o, s:I, s:s}", "matchers", matchers, "ends_ns", (json_int_t)(now_ns + length_ns), "comment", comment ? comment : "");
        return body ? ask(cli, "POST", path, body, as_alertmanager ? "silence" : "maintenance", as_alertmanager ? "silenceID" : "id", err)
                    : fail_memory(err, "cli", 256);
}

bool verb_silence_add(struct cli *cli, struct err *err)
{
        return keep_quiet(cli, "/api/v2/silences", true, err);
}

bool verb_maintenance_begin(struct cli *cli, struct err *err)
{
        return keep_quiet(cli, "/api/v1/maintenance", false, err);
}

static void schedule_path(const struct cli *cli, struct buf *path)
{
        buf_text(path, "/api/v1/on-call/");
        path_add_part(path, cli->words[0]);
        buf_text(path, "/override");
}

bool verb_on_call_override(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        int64_t length_ns, now_ns = clock_now_ns(&clock_real);
        if (!read_length(cli, "8h", &length_ns, err))
                return false;
        schedule_path(cli, &path);
        buf_byte(&path, 0);
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:I, s:I}", "person", cli->words[1], "from_ns", (json_int_t)now_ns, "to_ns", (json_int_t)(now_ns + length_ns));
        return body ? ask(cli, "POST", path.bytes, body, "done", NULL, err) : fail_memory(err, "cli", 128);
}

bool verb_on_call_release(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        schedule_path(cli, &path);
        buf_byte(&path, '/');
        path_add_part(&path, cli->words[1]);
        buf_byte(&path, 0);
        return ask(cli, "DELETE", path.bytes, NULL, "done", NULL, err);
}
