/*
 * check_plugin.c - any monitoring plugin: {command: [/usr/lib/nagios/plugins/check_disk, -w, "10%", -c, "5%", -p, /]}.
 *
 * The launcher runs it when its allow-list has the command. Exit status 0 to 3 is the state; the first line up to '|' is the text, what
 * follows '|' on any line is performance data (Monitoring Plugins Development Guidelines).
 */
#include "base/clock.h"
#include "base/json.h"
#include "observe/check.h"
#include "reach/launcher.h"

bool check_plugin_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        const json_t *command = json_object_get(check->settings, "command"), *word;
        size_t i;
        if (!json_is_array(command) || json_array_size(command) < 1 || json_array_size(command) > LAUNCH_WORDS_MAX)
                return fail(err, ERR_INVALID, "check", "a plugin check needs command: a list of 1 to %d words, the program's whole path first", LAUNCH_WORDS_MAX);
        json_array_foreach((json_t *)command, i, word)
                if (!json_is_string(word) && !json_is_integer(word))
                        return fail(err, ERR_INVALID, "check", "word %zu of command is no text; put it in quotes", i + 1);
        const char *path = json_string_value(json_array_get(command, 0));
        if (!path || path[0] != '/')
                return fail(err, ERR_INVALID, "check", "the first word of command must be the program's whole path");
        return check_text(check->settings, "instance", arena, out_instance, err);
}

static bool fill_words(const struct check_run *run, struct launch *launch)
{
        size_t i;
        json_t *word;
        json_array_foreach(json_object_get(run->check->settings, "command"), i, word) {
                struct str text = json_is_integer(word) ? arena_printf(run->arena, "%lld", (long long)json_integer_value(word)) : str_of(json_string_value(word));
                if (!text.bytes)
                        return false;
                launch->words[launch->word_count++] = text;
        }
        return true;
}

/* Text before '|', performance data behind it; long text lines follow, and after a second '|' more data. */
static void take_output(struct str output, struct arena *arena, struct check_outcome *outcome, enum check_state state)
{
        struct str line, data = {0}, more, head;
        bool in_data = false;
        str_cut(&output, '\n', &line);
        str_cut(&line, '|', &head);
        if (line.bytes)
                data = line;
        while (str_cut(&output, '\n', &line)) {
                more = line;
                if (!in_data && str_cut(&line, '|', &more) && line.bytes) {
                        in_data = true;
                        more = line;
                }
                if (in_data)
                        data = arena_printf(arena, "%.*s %.*s", STR_ARGS(data.bytes ? data : STR("")), STR_ARGS(more));
        }
        head = str_trim(head);
        check_tell(outcome, state, "%.*s", STR_ARGS(head.length ? str_slice(head, 0, CHECK_TEXT_MAX - 1) : STR("the plugin said nothing")));
        outcome->perfdata = data.bytes ? str_trim(data) : (struct str){0};
}

void check_plugin_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        struct launch launch = {.timeout_ms = run->check->timeout_ns / NS_PER_MS};
        struct launch_result result;
        struct err err = {0};
        if (!run->tools->launcher || !fill_words(run, &launch)) {
                out_outcome->could_not_run = true;
                check_tell(out_outcome, CHECK_UNKNOWN, "nothing may be executed here: there is no launcher; see docs/operators/checks.md");
        } else if (!launcher_run(run->tools->launcher, &launch, run->arena, &result, &err)) {
                out_outcome->could_not_run = true;
                check_tell(out_outcome, CHECK_UNKNOWN, "%s", err.message);
        } else if (result.timed_out) {
                check_tell(out_outcome, CHECK_UNKNOWN, "the plugin did not end within %lld s", (long long)(run->check->timeout_ns / NS_PER_S));
        } else if (result.signal) {
                check_tell(out_outcome, CHECK_UNKNOWN, "the plugin was ended by signal %d", result.signal);
        } else {
                struct str said = str_trim(result.output).length ? result.output : result.errors;
                take_output(said, run->arena, out_outcome, result.status >= 0 && result.status <= 3 ? (enum check_state)result.status : CHECK_UNKNOWN);
        }
}
