/* step_wait.c - a pause, in journal time. */
#include "act/step.h"

#include "base/clock.h"
#include "base/json.h"

bool step_wait_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_wait_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err);

bool step_wait_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        int64_t for_ns;
        (void)slots;
        return step_duration(body, "wait", 0, 3600 * NS_PER_S, &for_ns, err) &&
               (json_object_set_new(plan, "for_ns", json_integer(for_ns)) == 0 || fail_memory(err, "runbook", sizeof *plan));
}

bool step_wait_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err)
{
        (void)err;
        *out_answer = moment->time_ns - moment->begun_ns >= json_i64(plan, "for_ns", 0) ? STEP_GOOD : STEP_NOT_YET;
        *out_sentence = STR("the time is over");
        return true;
}
