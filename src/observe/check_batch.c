/* check_batch.c - see check_batch.h. */
#include "observe/check_batch.h"

#include "base/clock.h"
#include "base/json.h"
#include "observe/source.h"

#include <math.h>

#define ENDS_S_MIN 86400 /* a stopped prober's findings end by themselves a day later: longer than a restart, shorter than for ever */

json_t *check_batch_labels(const struct labels *labels)
{
        json_t *object = json_object();
        bool good = object;
        each (label, labels) {
                char name[256];
                snprintf(name, sizeof name, "%.*s", STR_ARGS(label->name));
                good = good && json_object_set_new(object, name, json_stringn(label->value.bytes, label->value.length)) == 0;
        }
        if (good)
                return object;
        json_decref(object);
        return NULL;
}

/* A plugin may say anything; JSON is UTF-8. */
static json_t *text_of(struct str text)
{
        scoped(buf_done) struct buf quoted = {0};
        return json_quote(&quoted, text) ? json_loadb(quoted.bytes, quoted.length, JSON_DECODE_ANY, NULL) : NULL;
}

static json_t *values_of(const struct check_outcome *outcome)
{
        json_t *values = json_object();
        for (size_t i = 0; values && i < outcome->value_count; i++)
                if (isfinite(outcome->values[i].value))
                        json_object_set_new(values, outcome->values[i].name, json_real(outcome->values[i].value));
        return values;
}

json_t *check_batch_result(const struct check *check, const struct check_outcome *outcome, const struct check_status *status, struct check_verdict verdict,
                           int64_t duration_ns)
{
        enum check_state told = verdict.is_hard ? status->hard : outcome->state;
        return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:b, s:b, s:I, s:f, s:o, s:o, s:I, s:b, s:o, s:I}", "check", text_of(check->name), "alert", text_of(check->alert),
                         "labels", check_batch_labels(&check->labels), "annotations", check_batch_labels(&check->annotations), "state", check_state_name(told),
                         "severity", text_of(check->severity), "hard", verdict.is_hard, "new", verdict.is_new, "since_ns", (json_int_t)status->since_ns,
                         "duration_s", (double)duration_ns / 1e9, "text", text_of(str_of(outcome->text)), "perfdata",
                         text_of(outcome->perfdata.bytes ? outcome->perfdata : STR("")), "changes", (json_int_t)status->changes, "flapping", status->is_flapping,
                         "values", values_of(outcome), "ends_s", (json_int_t)max_of((int64_t)ENDS_S_MIN, 10 * check->every_ns / NS_PER_S));
}

bool check_batch_offer(struct intake *intake, struct str source, json_t *results, struct err *err)
{
        scoped_ptr(json_decref) json_t *ours = results;
        scoped(buf_done) struct buf text = {0};
        if (!ours || !json_write(ours, &text))
                return fail_memory(err, "check", text.length);
        struct batch *batch = batch_create(SOURCE_CHECK, source, err);
        if (!batch)
                return false;
        batch->received_ns = clock_now_ns(intake_clock(intake));
        if (!text_copy(buf_str(&text), &batch->arena, &batch->bytes)) {
                batch_destroy(batch);
                return fail_memory(err, "check", text.length);
        }
        return intake_offer_wait(intake, batch, NULL, err);
}
