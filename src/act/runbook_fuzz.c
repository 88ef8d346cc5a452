/*
 * runbook_fuzz - any bytes as a content file with runbooks and freezes, and behind a zero byte a value for its parameters: an error that says something, or
 * runbooks in whose plans each word of a program is a word of the file, with the value inside the places that were left for it.
 */
#include "act/check_expression.h"
#include "act/freeze.h"
#include "act/runbook.h"
#include "act/step.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void must(bool is_so)
{
        if (!is_so)
                abort();
}

/* What stands before the first place and behind the last one is there, untouched; without a place the words are the same but for $$. */
static void compare_word(struct str declared, struct str planned)
{
        size_t at;
        if (!str_find(declared, STR("$"), &at)) {
                must(str_equal(declared, planned));
                return;
        }
        must(str_starts_with(planned, str_slice(declared, 0, at)));
        if (declared.bytes[declared.length - 1] != '$' && declared.bytes[declared.length - 1] != '}')
                must(planned.length && planned.bytes[planned.length - 1] == declared.bytes[declared.length - 1]);
}

static void compare_step(const json_t *declared, const json_t *planned)
{
        const json_t *words = json_object_get(declared, "exec"), *run = json_object_get(planned, "words");
        size_t i;
        json_t *word;
        if (!str_is(json_str(planned, "kind"), "exec"))
                return;
        must(json_array_size(words) == json_array_size(run));
        json_array_foreach ((json_t *)words, i, word) {
                const json_t *other = json_array_get(run, i);
                compare_word((struct str){json_string_value(word), json_string_length(word)}, (struct str){json_string_value(other), json_string_length(other)});
        }
        must(json_string_value(json_array_get(run, 0))[0] == '/');
}

/* The value goes wherever it is taken; what takes it must have found it one harmless line. */
static void plan_with(const struct runbook *runbook, struct str value)
{
        scoped(arena_done) struct arena arena;
        struct slots slots;
        struct err err = {0};
        size_t i;
        json_t *step;
        arena_init(&arena, 1 << 20);
        slots_sample(&slots, &runbook->parameters);
        for (i = 0; i < runbook->parameters.count; i++)
                if (slots_set(&slots, &runbook->parameters.items[i], value, &arena, &err))
                        must(value.length && value.length <= SLOT_BYTES_MAX && value.bytes[0] != '-' && !memchr(value.bytes, '\n', value.length) && !memchr(value.bytes, 0, value.length));
        scoped_ptr(json_decref) json_t *plan = runbook_plan(runbook, &slots, &err);
        if (!plan) {
                must(err.message[0]);
                return;
        }
        must(json_array_size(plan) == json_array_size(runbook->steps));
        json_array_foreach (plan, i, step)
                compare_step(json_array_get(runbook->steps, i), step);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str all = {(const char *)bytes, count}, text = all, value = STR("nginx"), name;
        struct err err = {0};
        struct runbooks *runbooks = NULL;
        const char *zero = count ? memchr(bytes, 0, count) : NULL;
        if (zero) {
                size_t at = (size_t)(zero - (const char *)bytes);
                text = str_slice(all, 0, at);
                value = str_slice(all, at + 1, count);
        }
        check_expression_parse(value, &err);
        json_t *tree = yaml_parse(text, "fuzz.yaml", &err);
        scoped_ptr(json_decref) json_t *content = tree ? json_pack("{s:[{s:s, s:o}]}", "files", "name", "fuzz.yaml", "tree", tree) : NULL;
        if (!content)
                return 0;
        err = (struct err){0};
        if (freezes_check(content, &err))
                freezes_hold(content, INT64_C(1767225600000000000), &name);
        else
                must(err.message[0]);
        err = (struct err){0};
        if (!runbooks_create(content, &runbooks, &err)) {
                must(err.message[0]);
                return 0;
        }
        each (runbook, &runbooks->list)
                plan_with(runbook, value);
        runbooks_destroy(runbooks);
        return 0;
}
