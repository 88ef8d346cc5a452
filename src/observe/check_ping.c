/* check_ping.c - whether a machine answers echo requests, and how fast: {host, count, warning, critical}; the limits are round trip times. */
#include "base/clock.h"
#include "base/json.h"
#include "observe/check.h"
#include "reach/ping.h"

bool check_ping_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        int64_t limit_ns;
        if (!check_text(check->settings, "host", arena, out_instance, err) || !check_duration(check->settings, "warning", 0, &limit_ns, err) ||
            !check_duration(check->settings, "critical", 0, &limit_ns, err))
                return false;
        return out_instance->length || fail(err, ERR_INVALID, "check", "a ping check needs a host");
}

void check_ping_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        struct ping_result result;
        struct err err = {0};
        int64_t warning_ns = 0, critical_ns = 0;
        check_duration(run->check->settings, "warning", 0, &warning_ns, NULL);
        check_duration(run->check->settings, "critical", 0, &critical_ns, NULL);
        if (!ping(run->check->instance.bytes, (int)json_i64(run->check->settings, "count", 3), run->deadline_ns, &result, &err)) {
                out_outcome->could_not_run = err.code == ERR_FORBIDDEN;
                check_tell(out_outcome, err.code == ERR_FORBIDDEN ? CHECK_UNKNOWN : CHECK_CRITICAL, "%s", err.message);
                return;
        }
        check_value(out_outcome, "ping_lost_ratio", 1 - (double)result.received / result.sent);
        if (!result.received) {
                check_tell(out_outcome, CHECK_CRITICAL, "%.*s does not answer: %d of %d echo requests were lost", STR_ARGS(run->check->instance), result.sent, result.sent);
                return;
        }
        check_value(out_outcome, "ping_seconds", (double)result.mean_ns / 1e9);
        double ms = (double)result.mean_ns / 1e6;
        if (critical_ns && result.mean_ns > critical_ns)
                check_tell(out_outcome, CHECK_CRITICAL, "%.*s answers in %.1f ms", STR_ARGS(run->check->instance), ms);
        else if (result.received < result.sent)
                check_tell(out_outcome, CHECK_WARNING, "%.*s lost %d of %d echo requests", STR_ARGS(run->check->instance), result.sent - result.received, result.sent);
        else if (warning_ns && result.mean_ns > warning_ns)
                check_tell(out_outcome, CHECK_WARNING, "%.*s answers in %.1f ms", STR_ARGS(run->check->instance), ms);
        check_tell(out_outcome, CHECK_OK, "%.*s answers in %.1f ms", STR_ARGS(run->check->instance), ms);
}
