/* check.c - see check.h. What all kinds have in common. */
#include "observe/check.h"

#include "base/clock.h"
#include "base/json.h"
#include "query/promql.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

const struct check_kind check_kinds[] = {
#define C(name, alert, pages_when) {#name, alert, check_##name##_parse, check_##name##_run, pages_when},
#include "observe/checks.def"
#undef C
        {0},
};

const char *check_state_name(enum check_state state)
{
        static const char *const names[] = {"ok", "warning", "critical", "unknown"};
        return names[state];
}

static int badness(enum check_state state)
{
        return state == CHECK_CRITICAL ? 3 : state == CHECK_UNKNOWN ? 2 : (int)state;
}

void check_tell(struct check_outcome *outcome, enum check_state state, const char *format, ...)
{
        bool is_worse = badness(state) > badness(outcome->state);
        if (!is_worse && outcome->text[0])
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(outcome->text, sizeof outcome->text, format, arguments);
        va_end(arguments);
        outcome->state = is_worse ? state : outcome->state;
}

void check_value(struct check_outcome *outcome, const char *name, double value)
{
        if (outcome->value_count < CHECK_VALUES_MAX)
                outcome->values[outcome->value_count++] = (struct check_value){name, value};
}

bool check_duration(const json_t *settings, const char *key, int64_t otherwise_ns, int64_t *out_ns, struct err *err)
{
        const json_t *value = json_object_get(settings, key);
        if (!value)
                *out_ns = otherwise_ns;
        else if (json_is_integer(value))
                *out_ns = json_integer_value(value) * NS_PER_S;
        else if (!promql_duration(json_str(settings, key), out_ns, err))
                return err_within(err, "%s", key);
        return *out_ns >= 0 || fail(err, ERR_INVALID, "check", "%s must not be negative", key);
}

bool check_text(const json_t *settings, const char *key, struct arena *arena, struct str *out_text, struct err *err)
{
        const json_t *value = json_object_get(settings, key);
        struct str text = json_str(settings, key);
        if (json_is_integer(value))
                text = arena_printf(arena, "%lld", (long long)json_integer_value(value));
        else if (value && !json_is_string(value))
                return fail(err, ERR_INVALID, "check", "%s must be a text", key);
        return text_copy(text, arena, out_text) || fail_memory(err, "check", text.length);
}

double check_number(const json_t *settings, const char *key, double otherwise)
{
        const json_t *value = json_object_get(settings, key);
        return json_is_number(value) ? json_number_value(value) : otherwise;
}
