/*
 * check_certificate.c - how long a TLS server's certificate is still good: {host, port: 443, server_name, ca_file, warning_days: 14, critical_days: 3}.
 * The earliest end in the chain that the server sends counts.
 */
#include "base/clock.h"
#include "base/json.h"
#include "observe/check.h"
#include "reach/peer_certificate.h"

static struct str port_of(const struct check *check, struct arena *arena)
{
        struct str port = {0};
        check_text(check->settings, "port", arena, &port, NULL);
        return port.length ? port : STR("443");
}

bool check_certificate_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        struct str host;
        if (!check_text(check->settings, "host", arena, &host, err))
                return false;
        if (!host.length)
                return fail(err, ERR_INVALID, "check", "a certificate check needs a host");
        *out_instance = arena_printf(arena, "%.*s:%.*s", STR_ARGS(host), STR_ARGS(port_of(check, arena)));
        return out_instance->bytes || fail_memory(err, "check", host.length);
}

static void judge(const struct check_run *run, const struct peer_certificate *found, const char *name, struct check_outcome *outcome)
{
        const json_t *settings = run->check->settings;
        double days = (double)(found->expires_s - run->now_ns / NS_PER_S) / 86400;
        check_value(outcome, "days_left", days);
        check_value(outcome, "certificate_expires_seconds", (double)found->expires_s);
        if (days < 0)
                check_tell(outcome, CHECK_CRITICAL, "the certificate of %.*s expired %.1f days ago", STR_ARGS(run->check->instance), -days);
        else if (!found->name_matches)
                check_tell(outcome, CHECK_CRITICAL, "the certificate of %.*s is not for %s but for %s", STR_ARGS(run->check->instance), name, found->subject);
        else if (!found->is_trusted)
                check_tell(outcome, CHECK_CRITICAL, "the certificate of %.*s is not trusted: %s", STR_ARGS(run->check->instance), found->why);
        else if (days <= check_number(settings, "critical_days", 3))
                check_tell(outcome, CHECK_CRITICAL, "the certificate of %.*s expires in %.1f days", STR_ARGS(run->check->instance), days);
        else if (days <= check_number(settings, "warning_days", 14))
                check_tell(outcome, CHECK_WARNING, "the certificate of %.*s expires in %.1f days", STR_ARGS(run->check->instance), days);
        check_tell(outcome, CHECK_OK, "the certificate of %.*s is good for %.0f days", STR_ARGS(run->check->instance), days);
}

void check_certificate_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        struct peer_certificate found;
        struct err err = {0};
        struct str host = json_str(run->check->settings, "host"), name = json_str(run->check->settings, "server_name"), ca = json_str(run->check->settings, "ca_file");
        name = name.length ? name : host;
        if (peer_certificate_read(host.bytes, port_of(run->check, run->arena).bytes, name.bytes, ca.length ? ca.bytes : NULL, run->deadline_ns, &found, &err))
                judge(run, &found, name.bytes, out_outcome);
        else
                check_tell(out_outcome, CHECK_CRITICAL, "%s", err.message);
}
