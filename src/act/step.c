/* step.c - see step.h: the table of kinds, and what all of them share. */
#include "act/step.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "query/promql.h"

#include <inttypes.h>
#include <stdio.h>

#define OUTPUT_KEPT ((size_t)16 << 10)
#define RETRIES_MAX 10

#define OUTSIDE(name) bool step_##name##_run(const struct step_hands *, const json_t *, struct arena *, struct step_outcome *, struct err *);
#define INSIDE(name) bool step_##name##_look(const struct step_moment *, const json_t *, enum step_answer *, struct str *, struct err *);
#define SAID INSIDE
#define S(name, meaning, keys, side) side(name) bool step_##name##_plan(const json_t *, const struct slots *, json_t *, struct err *);
#include "act/steps.def"
#undef S
#undef OUTSIDE
#undef INSIDE
#undef SAID

const struct step_kind step_kinds[] = {
#define OUTSIDE(name) .run = step_##name##_run
#define INSIDE(name) .look = step_##name##_look
#define SAID(name) .look = step_##name##_look, .is_said = true
#define S(name_, meaning_, keys_, side) {.name = #name_, .meaning = meaning_, .keys = keys_, .plan = step_##name_##_plan, side(name_)},
#include "act/steps.def"
#undef S
        {0},
};

const struct step_kind *step_kind_find(struct str name)
{
        for (const struct step_kind *kind = step_kinds; kind->name; kind++)
                if (str_is(name, kind->name))
                        return kind;
        return NULL;
}

static const char common_keys[] = "name timeout retry on_failure";

static bool find_kind(const json_t *body, const struct step_kind **out_kind, struct err *err)
{
        const char *key;
        json_t *value;
        *out_kind = NULL;
        json_object_foreach((json_t *)body, key, value) {
                const struct step_kind *kind = step_kind_find(str_of(key));
                if (kind && *out_kind)
                        return fail(err, ERR_INVALID, "runbook", "is both %s and %s; make two steps of it", (*out_kind)->name, kind->name);
                if (kind)
                        *out_kind = kind;
        }
        return *out_kind || fail(err, ERR_INVALID, "runbook", "says nothing to do; a step is one of check, exec, http, notify, ssh, wait");
}

static bool check_keys(const json_t *body, const struct step_kind *kind, struct err *err)
{
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)body, key, value)
                if (strcmp(key, kind->name) != 0 && !str_has_word(str_of(common_keys), str_of(key)) && !str_has_word(str_of(kind->keys), str_of(key)))
                        return fail(err, ERR_INVALID, "runbook", "%s is not known of a step %s; it takes: %s %s", key, kind->name, common_keys, kind->keys);
        return true;
}

bool step_duration(const json_t *body, const char *key, int64_t otherwise_ns, int64_t most_ns, int64_t *out_ns, struct err *err)
{
        const json_t *value = json_object_get(body, key);
        char text[32];
        *out_ns = otherwise_ns;
        if (!value)
                return true;
        if (json_is_integer(value))
                snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT "s", json_integer_value(value));
        else
                snprintf(text, sizeof text, "%s", json_is_string(value) ? json_string_value(value) : "");
        if (!promql_duration(str_of(text), out_ns, NULL) || *out_ns < 0 || *out_ns > most_ns)
                return fail(err, ERR_INVALID, "runbook", "%s must be a length of time such as 30s or 5m, at most %" PRId64 " s", key, most_ns / NS_PER_S);
        return true;
}

/* retry: {times: 3, backoff: 5s}; the pause doubles each time. */
static bool plan_retry(const json_t *body, json_t *plan, struct err *err)
{
        const json_t *retry = json_object_get(body, "retry");
        int64_t times = json_i64(retry, "times", retry ? -1 : 0), backoff_ns;
        if (retry && (times < 0 || times > RETRIES_MAX))
                return fail(err, ERR_INVALID, "runbook", "retry must be such as {times: 3, backoff: 5s}, with times up to %d", RETRIES_MAX);
        if (!step_duration(retry, "backoff", 5 * NS_PER_S, 600 * NS_PER_S, &backoff_ns, err))
                return err_within(err, "retry");
        return (json_object_set_new(plan, "retries", json_integer(times)) == 0 && json_object_set_new(plan, "backoff_ns", json_integer(backoff_ns)) == 0) ||
               fail_memory(err, "runbook", sizeof *plan);
}

static bool plan_common(const json_t *body, const struct step_kind *kind, size_t number, json_t *plan, struct err *err)
{
        char own[48];
        int64_t timeout_ns;
        struct str name = json_str(body, "name"), failure = json_str(body, "on_failure");
        snprintf(own, sizeof own, "%s %zu", kind->name, number + 1);
        if (!step_duration(body, "timeout", STEP_TIMEOUT_NS, LAUNCH_TIMEOUT_MS_MAX * NS_PER_MS, &timeout_ns, err))
                return false;
        json_t *failed = json_pack("{s:s%, s:s, s:I, s:s%}", "name", name.length ? name.bytes : own, name.length ? name.length : strlen(own), "kind", kind->name,
                                   "timeout_ns", (json_int_t)timeout_ns, "on_failure", failure.length ? failure.bytes : "stop", failure.length ? failure.length : 4);
        bool good = failed && json_object_update(plan, failed) == 0;
        json_decref(failed);
        return good ? plan_retry(body, plan, err) : fail_memory(err, "runbook", sizeof *plan);
}

json_t *step_plan(const json_t *body, const struct slots *slots, size_t number, struct err *err)
{
        const struct step_kind *kind;
        scoped_ptr(json_decref) json_t *plan = json_object();
        if (!plan) {
                fail_memory(err, "runbook", sizeof *plan);
                return NULL;
        }
        if (!json_is_object(body)) {
                fail(err, ERR_INVALID, "runbook", "must be a mapping such as {exec: [/bin/true]}");
                return NULL;
        }
        if (!find_kind(body, &kind, err) || !check_keys(body, kind, err) || !plan_common(body, kind, number, plan, err) || !kind->plan(body, slots, plan, err))
                return NULL;
        return give(plan);
}

bool step_words(const json_t *words, const struct slots *slots, const char *key, json_t *out_list, struct err *err)
{
        size_t i;
        json_t *word;
        if (!json_array_size(words) || json_array_size(words) > LAUNCH_WORDS_MAX / 2)
                return fail(err, ERR_INVALID, "runbook", "%s must be a list of 1 to %d words such as [/usr/bin/systemctl, restart, nginx.service]", key, LAUNCH_WORDS_MAX / 2);
        json_array_foreach((json_t *)words, i, word) {
                scoped(buf_done) struct buf text = {0};
                if (!json_is_string(word))
                        return fail(err, ERR_INVALID, "runbook", "%s: word %zu must be a text; quote it", key, i + 1);
                if (!slots_fill(slots, (struct str){json_string_value(word), json_string_length(word)}, SLOT_WORD, &text, err))
                        return err_within(err, "%s: word %zu", key, i + 1);
                json_t *filled = json_stringn(text.bytes ? text.bytes : "", text.length);
                if (!filled || json_array_append_new(out_list, filled) != 0)
                        return fail_memory(err, "runbook", text.length);
        }
        return true;
}

bool step_text(const json_t *text, const struct slots *slots, enum slot_dress dress, const char *key, json_t *plan, struct err *err)
{
        scoped(buf_done) struct buf filled = {0};
        if (!json_is_string(text))
                return fail(err, ERR_INVALID, "runbook", "%s must be a text; quote it", key);
        if (!slots_fill(slots, (struct str){json_string_value(text), json_string_length(text)}, dress, &filled, err))
                return err_within(err, "%s", key);
        return json_object_set_new(plan, key, json_stringn(filled.bytes ? filled.bytes : "", filled.length)) == 0 || fail_memory(err, "runbook", filled.length);
}

static struct str tell_result(const struct launch_result *result, struct arena *arena)
{
        if (result->timed_out)
                return STR("it took longer than its time limit and was ended");
        if (result->signal)
                return arena_printf(arena, "it was ended by signal %d", result->signal);
        return arena_printf(arena, "it ended with status %d after %.1f s", result->status, (double)result->duration_ns / 1e9);
}

bool step_launch(const struct step_hands *hands, const struct str *words, size_t count, int64_t timeout_ns, struct arena *arena,
                 struct step_outcome *out_outcome, struct err *err)
{
        struct launch launch = {.word_count = count, .timeout_ms = timeout_ns / NS_PER_MS};
        struct launch_result result = {0};
        if (count > LAUNCH_WORDS_MAX)
                return fail(err, ERR_TOO_LARGE, "runner", "a command has more than %d words", LAUNCH_WORDS_MAX);
        for (size_t i = 0; i < count; i++)
                launch.words[i] = words[i];
        if (!hands->launch)
                return fail(err, ERR_FORBIDDEN, "runner", "nothing may be executed here; see launcher.allow in the configuration");
        if (!hands->launch(hands->context, &launch, arena, &result, err))
                return false;
        struct str output = arena_printf(arena, "%.*s%s%.*s", STR_ARGS(str_slice(result.output, 0, OUTPUT_KEPT)), result.output.length && result.errors.length ? "\n" : "",
                                         STR_ARGS(str_slice(result.errors, 0, OUTPUT_KEPT)));
        *out_outcome = (struct step_outcome){result.status == 0 && !result.signal && !result.timed_out, result.status, output, tell_result(&result, arena)};
        return (output.bytes && out_outcome->sentence.bytes) || fail_memory(err, "runner", 2 * OUTPUT_KEPT);
}
