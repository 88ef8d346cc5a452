/*
 * check_tcp.c - whether something listens, and what it says first: {host, port, send, expect}.
 * expect is a text that must stand in the first bytes that come back.
 */
#include "base/clock.h"
#include "base/json.h"
#include "observe/check.h"
#include "reach/dial.h"

#include <unistd.h>

#define BANNER_BYTES 2048

bool check_tcp_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        struct str host, port;
        if (!check_text(check->settings, "host", arena, &host, err) || !check_text(check->settings, "port", arena, &port, err))
                return false;
        if (!host.length || !port.length)
                return fail(err, ERR_INVALID, "check", "a tcp check needs host and port");
        *out_instance = arena_printf(arena, "%.*s:%.*s", STR_ARGS(host), STR_ARGS(port));
        return out_instance->bytes || fail_memory(err, "check", host.length);
}

static void judge_banner(const struct check_run *run, int fd, struct check_outcome *outcome)
{
        char banner[BANNER_BYTES];
        size_t length = 0, at;
        struct err err;
        struct str expect = json_str(run->check->settings, "expect"), send = json_str(run->check->settings, "send");
        if (send.length && !dial_write(fd, send, run->deadline_ns, &err)) {
                check_tell(outcome, CHECK_CRITICAL, "%.*s: %s", STR_ARGS(run->check->instance), err.message);
                return;
        }
        if (!expect.length)
                return;
        for (size_t got = 1; got && length < sizeof banner && !str_find((struct str){banner, length}, expect, &at); length += got)
                if (!dial_read(fd, banner + length, sizeof banner - length, &got, run->deadline_ns, &err)) {
                        check_tell(outcome, CHECK_CRITICAL, "%.*s did not say \"%.*s\": %s", STR_ARGS(run->check->instance), STR_ARGS(expect), err.message);
                        return;
                }
        if (!str_find((struct str){banner, length}, expect, &at))
                check_tell(outcome, CHECK_CRITICAL, "%.*s did not say \"%.*s\"", STR_ARGS(run->check->instance), STR_ARGS(expect));
}

void check_tcp_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        struct str host, port;
        struct err err = {0};
        int fd;
        if (!check_text(run->check->settings, "host", run->arena, &host, &err) || !check_text(run->check->settings, "port", run->arena, &port, &err)) {
                check_tell(out_outcome, CHECK_UNKNOWN, "%s", err.message);
                return;
        }
        if (!dial_tcp(host.bytes, port.bytes, run->deadline_ns, &fd, &err)) {
                check_tell(out_outcome, CHECK_CRITICAL, "%s", err.message);
                return;
        }
        judge_banner(run, fd, out_outcome);
        close(fd);
        check_tell(out_outcome, CHECK_OK, "%.*s accepts connections", STR_ARGS(run->check->instance));
}
