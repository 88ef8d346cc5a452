/* step_check.c - an expression that must hold, asked at most once a second of journal time until it does or `within` has passed. */
#include "act/step.h"

#include "act/check_expression.h"
#include "base/clock.h"
#include "base/json.h"

bool step_check_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_check_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err);

bool step_check_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        int64_t within_ns;
        return step_text(json_object_get(body, "check"), slots, SLOT_PROMQL, "check", plan, err) &&
               (check_expression_parse(json_str(plan, "check"), err) || err_within(err, "check")) &&
               step_duration(body, "within", 60 * NS_PER_S, 3600 * NS_PER_S, &within_ns, err) &&
               (json_object_set_new(plan, "within_ns", json_integer(within_ns)) == 0 || fail_memory(err, "runbook", sizeof *plan));
}

bool step_check_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err)
{
        bool is_over = moment->time_ns - moment->begun_ns >= json_i64(plan, "within_ns", 0);
        struct err fault = {0};
        bool holds;
        *out_answer = STEP_NOT_YET;
        if (!is_over && moment->time_ns / NS_PER_S == moment->begun_ns / NS_PER_S)
                return true;    /* samples of the step's own second may still come */
        if (!check_expression_holds(json_str(plan, "check"), moment->series, moment->time_ns, moment->arena, &holds, &fault)) {
                *out_answer = is_over ? STEP_BAD : STEP_NOT_YET;
                *out_sentence = arena_str(moment->arena, str_of(fault.message));
                return out_sentence->bytes || fail_memory(err, "act", sizeof fault.message);
        }
        *out_answer = holds ? STEP_GOOD : is_over ? STEP_BAD : STEP_NOT_YET;
        *out_sentence = holds ? STR("the expression holds") : STR("the expression did not hold in time");
        return true;
}
