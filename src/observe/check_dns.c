/*
 * check_dns.c - whether a name resolves, and to what: {host, type: A, server, expect}.
 * expect is a text or a list of texts that must all be among the answers.
 */
#include "base/clock.h"
#include "base/json.h"
#include "observe/check.h"
#include "reach/resolve.h"

static struct str type_of(const json_t *settings)
{
        struct str type = json_str(settings, "type");
        return type.length ? type : STR("A");
}

bool check_dns_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        const json_t *expect = json_object_get(check->settings, "expect");
        if (!check_text(check->settings, "host", arena, out_instance, err))
                return false;
        if (!out_instance->length)
                return fail(err, ERR_INVALID, "check", "a dns check needs a host");
        if (!resolve_knows_type(type_of(check->settings)))
                return fail(err, ERR_INVALID, "check", "type must be A, AAAA, CNAME, MX, NS or TXT");
        return !expect || json_is_string(expect) || json_is_array(expect) || fail(err, ERR_INVALID, "check", "expect must be a text or a list of texts");
}

static struct str first_of(const struct resolve_answers *answers)
{
        return answers->count ? answers->texts[0] : STR("nothing");
}

static void judge_answer(const struct resolve_answers *answers, struct str name, struct str wanted, struct check_outcome *outcome)
{
        for (size_t i = 0; i < answers->count; i++)
                if (str_equal_nocase(answers->texts[i], wanted))
                        return;
        check_tell(outcome, CHECK_CRITICAL, "%.*s does not resolve to %.*s; the first of %zu answers is %.*s", STR_ARGS(name), STR_ARGS(wanted), answers->count,
                   STR_ARGS(first_of(answers)));
}

void check_dns_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        struct resolve_answers answers = {0};
        struct err err = {0};
        const json_t *settings = run->check->settings, *expect = json_object_get(settings, "expect"), *one;
        size_t i;
        struct str server = json_str(settings, "server");
        if (!resolve(run->check->instance.bytes, type_of(settings).bytes, server.length ? server.bytes : NULL, run->deadline_ns, run->arena, &answers, &err)) {
                check_tell(out_outcome, CHECK_CRITICAL, "%s", err.message);
                return;
        }
        if (json_is_string(expect))
                judge_answer(&answers, run->check->instance, json_str(settings, "expect"), out_outcome);
        json_array_foreach((json_t *)expect, i, one)
                judge_answer(&answers, run->check->instance, str_of(json_is_string(one) ? json_string_value(one) : ""), out_outcome);
        check_value(out_outcome, "dns_answers", (double)answers.count);
        check_tell(out_outcome, CHECK_OK, "%.*s resolves to %.*s", STR_ARGS(run->check->instance), STR_ARGS(first_of(&answers)));
}
