/* step_notify.c - a sentence for people, which act puts into the incident's timeline when the step is done. */
#include "act/step.h"

#include "base/json.h"

bool step_notify_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_notify_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err);

bool step_notify_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        return step_text(json_object_get(body, "notify"), slots, SLOT_WORD, "notify", plan, err);
}

bool step_notify_look(const struct step_moment *moment, const json_t *plan, enum step_answer *out_answer, struct str *out_sentence, struct err *err)
{
        (void)moment, (void)err;
        *out_answer = STEP_GOOD;
        *out_sentence = json_str(plan, "notify");
        return true;
}
