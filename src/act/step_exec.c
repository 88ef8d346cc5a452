/* step_exec.c - a program on Evenkeel's own machine. What may run at all is the launcher's to say; a runbook can only ask. */
#include "act/step.h"

#include "base/json.h"
#include "base/scope.h"

bool step_exec_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_exec_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err);

bool step_exec_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        const json_t *words = json_object_get(body, "exec");
        const char *program = json_string_value(json_array_get(words, 0));
        json_t *list = json_array();
        if (!list || json_object_set_new(plan, "words", list) != 0)
                return fail_memory(err, "runbook", sizeof *list);
        if (!step_words(words, slots, "exec", list, err))
                return false;
        if (!program || program[0] != '/' || strstr(program, "${"))
                return fail(err, ERR_INVALID, "runbook", "exec: the first word must be the absolute path of a program, without a value in it");
        return true;
}

bool step_exec_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err)
{
        struct str words[LAUNCH_WORDS_MAX];
        size_t i;
        json_t *word;
        const json_t *list = json_object_get(plan, "words");
        json_array_foreach((json_t *)list, i, word)
                if (i < LAUNCH_WORDS_MAX)
                        words[i] = (struct str){json_string_value(word), json_string_length(word)};
        return step_launch(hands, words, min_of(json_array_size(list), (size_t)LAUNCH_WORDS_MAX), json_i64(plan, "timeout_ns", STEP_TIMEOUT_NS), arena, out_outcome, err);
}
