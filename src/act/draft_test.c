/* draft_test - what people did becomes a runbook that the reader accepts, or a step for a person; never a word for a shell. */
#include "act/draft.h"

#include "act/runbook.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ENTITIES "\"entities\":[{\"kind\":\"service\",\"name\":\"nginx on web1\"},{\"kind\":\"host\",\"name\":\"web1\"},{\"kind\":\"host\",\"name\":\"web10\"}," \
        "{\"kind\":\"filesystem\",\"name\":\"/var/log on web1\"}]"

/* An incident with these actions; the draft. The caller's. */
static json_t *draft_of(const char *entities, const char *actions, struct buf *out_text)
{
        struct err err = {0};
        scoped(buf_done) struct buf json = {0};
        buf_printf(&json, "{\"number\":12,\"title\":\"Web is down\",%s,\"alerts\":[{\"labels\":{\"alertname\":\"WebDown\"}},{\"labels\":{\"alertname\":\"WebDown\"}}],\"timeline\":[%s]}",
                   entities, actions);
        scoped_ptr(json_decref) json_t *incident = json_parse(buf_str(&json), &err);
        if (!incident || !draft_runbook(incident, out_text, &err))
                fail_msg("%s", err.message);
        json_t *tree = yaml_parse(buf_str(out_text), "draft.yaml", &err);
        if (!tree)
                fail_msg("%s", err.message);
        json_t *runbook = json_incref(json_array_get(json_object_get(tree, "runbooks"), 0));
        json_decref(tree);
        return runbook;
}

static void assert_words(const json_t *runbook, size_t step, const char *kind, const char *wanted)
{
        scoped(buf_done) struct buf text = {0};
        size_t i;
        json_t *word;
        json_array_foreach (json_object_get(json_array_get(json_object_get(runbook, "steps"), step), kind), i, word)
                buf_printf(&text, "%s%s", i ? "|" : "", json_string_value(word));
        buf_byte(&text, 0);
        assert_string_equal(text.bytes, wanted);
}

static void a_command_becomes_a_step_with_parameters_for_names(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *runbook =
                draft_of(ENTITIES, "{\"kind\":\"action\",\"by\":\"ann\",\"text\":\"on web1: sudo systemctl restart nginx.service\"},"
                                   "{\"kind\":\"commented\",\"by\":\"ann\",\"text\":\"rm -rf /\"},"
                                   "{\"kind\":\"action\",\"by\":\"ann\",\"text\":\"on web1: $ rm '/var/log/old file' web10 xnginx nginx-extras\"}", &text);
        assert_words(runbook, 0, "ssh", "/usr/bin/sudo|-n|/usr/bin/systemctl|restart|${service}.service");
        assert_words(runbook, 1, "ssh", "/usr/bin/rm|${filesystem}/old file|web10|xnginx|nginx-extras");
        assert_int_equal(json_array_size(json_object_get(runbook, "steps")), 2);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(runbook, "steps"), 0), "on")), "${host}");
        const json_t *parameters = json_object_get(runbook, "parameters");
        assert_int_equal(json_object_size(parameters), 3);
        assert_string_equal(json_string_value(json_object_get(json_object_get(parameters, "service"), "type")), "entity");
        assert_string_equal(json_string_value(json_object_get(json_object_get(parameters, "filesystem"), "pattern")), "/[A-Za-z0-9_./-]*");
        assert_string_equal(json_string_value(json_object_get(runbook, "target")), "filesystem");
        assert_non_null(strstr(text.bytes, "-- * /usr/bin/sudo -n /usr/bin/systemctl restart *.service\n"));
        scoped_ptr(json_decref) json_t *alerts = json_pack("[s]", "WebDown");
        assert_true(json_equal(json_object_get(json_object_get(runbook, "applies_to"), "alerts"), alerts));
}

static void what_needs_a_shell_or_is_prose_asks_a_person(void **state)
{
        static const char *const lines[] = {"journalctl -u nginx | tail", "echo 1 > /proc/x", "rm -rf /tmp/*", "systemctl restart nginx; reboot", "systemctl restart $UNIT",
                                            "systemctl restart `id`", "systemctl restart \\\"$X\\\"", "'systemctl", "turned the rack's switch off and on", "sudo -u web id",
                                            "cat <<E", "systemctl restart nginx &", "~/bin/fix", "zzunknownprogram now"};
        (void)state;
        for (size_t i = 0; i < countof(lines); i++) {
                scoped(buf_done) struct buf text = {0}, actions = {0};
                buf_printf(&actions, "{\"kind\":\"action\",\"by\":\"ann\",\"text\":\"%s\"}", lines[i]);
                buf_byte(&actions, 0);
                scoped_ptr(json_decref) json_t *runbook = draft_of(ENTITIES, actions.bytes, &text);
                const json_t *step = json_array_get(json_object_get(runbook, "steps"), 0);
                if (!json_object_get(step, "notify") || json_object_get(step, "exec") || json_object_get(step, "ssh"))
                        fail_msg("%s: %s", lines[i], text.bytes);
        }
}

static void without_a_host_it_runs_here_and_a_foreign_one_is_named(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *runbook =
                draft_of("\"entities\":[{\"kind\":\"service\",\"name\":\"it's\"},{\"kind\":\"service\",\"name\":\"nginx\"}]",
                         "{\"kind\":\"action\",\"text\":\"/opt/fix --of=nginx '${x} $$'\"},{\"kind\":\"action\",\"text\":\"on db7: /opt/fix\"},{\"kind\":\"fix\",\"text\":\"a\\nrunbooks: []\"}", &text);
        assert_words(runbook, 0, "exec", "/opt/fix|--of=${service}|$${x} $$$$");
        assert_words(runbook, 1, "ssh", "/opt/fix");
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(runbook, "steps"), 1), "on")), "db7");
}

static void without_actions_or_entities_it_says_what_to_do(void **state)
{
        struct err err = {0};
        scoped(buf_done) struct buf text = {0};
        (void)state;
        scoped_ptr(json_decref) json_t *bare = json_parse(STR("{\"number\":3,\"timeline\":[{\"kind\":\"commented\",\"text\":\"systemctl restart x\"}]}"), &err);
        assert_false(draft_runbook(bare, &text, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_non_null(strstr(err.message, "incident order 3 action"));
        scoped_ptr(json_decref) json_t *nameless = json_parse(STR("{\"number\":3,\"timeline\":[{\"kind\":\"action\",\"text\":\"systemctl restart x\"}]}"), &err);
        assert_false(draft_runbook(nameless, &text, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_int_equal(text.length, 0);
}

static void more_lines_than_a_draft_takes_are_counted(void **state)
{
        scoped(buf_done) struct buf text = {0}, actions = {0};
        (void)state;
        buf_text(&actions, "{\"kind\":\"action\",\"text\":\"");
        for (int i = 0; i < DRAFT_STEPS_MAX + 4; i++)
                buf_printf(&actions, "systemctl restart nginx%d\\n", i);
        buf_text(&actions, "\"}");
        buf_byte(&actions, 0);
        scoped_ptr(json_decref) json_t *runbook = draft_of(ENTITIES, actions.bytes, &text);
        assert_int_equal(json_array_size(json_object_get(runbook, "steps")), DRAFT_STEPS_MAX);
        assert_non_null(strstr(text.bytes, "4 more lines"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_command_becomes_a_step_with_parameters_for_names),
                cmocka_unit_test(what_needs_a_shell_or_is_prose_asks_a_person),
                cmocka_unit_test(without_a_host_it_runs_here_and_a_foreign_one_is_named),
                cmocka_unit_test(without_actions_or_entities_it_says_what_to_do),
                cmocka_unit_test(more_lines_than_a_draft_takes_are_counted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
