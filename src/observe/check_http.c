/*
 * check_http.c - whether a page answers as it should: {url, method, status: 200, body, warning, critical, follow, insecure, ca_file}.
 *
 * status is a number or a list of them; without it 200 to 399 are good. body is a regular expression that the page must have. warning and
 * critical bound how long it may take. follow: a redirect to another host is followed.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/regex.h"
#include "observe/check.h"
#include "reach/http_client.h"

#define BODY_BYTES_MAX ((size_t)1 << 20)

SCOPED_PTR(regex_destroy, struct regex)

bool check_http_parse(const struct check *check, struct arena *arena, struct str *out_instance, struct err *err)
{
        struct str body = json_str(check->settings, "body");
        scoped_ptr(regex_destroy) struct regex *regex = NULL;
        int64_t limit_ns;
        if (!check_text(check->settings, "url", arena, out_instance, err) || !check_duration(check->settings, "warning", 0, &limit_ns, err) ||
            !check_duration(check->settings, "critical", 0, &limit_ns, err))
                return false;
        if (!str_starts_with(*out_instance, STR("http://")) && !str_starts_with(*out_instance, STR("https://")))
                return fail(err, ERR_INVALID, "check", "an http check needs a url that begins with http:// or https://");
        return !body.length || regex_create(body, REGEX_ANYWHERE, "check", &regex, err) || err_within(err, "body");
}

static bool status_is_good(const json_t *wanted, long status)
{
        size_t i;
        json_t *one;
        if (!wanted)
                return status >= 200 && status < 400;
        json_array_foreach((json_t *)wanted, i, one)
                if (json_integer_value(one) == status)
                        return true;
        return json_integer_value(wanted) == status;
}

static void judge_body(const struct check_run *run, const struct http_response *response, struct check_outcome *outcome)
{
        struct str wanted = json_str(run->check->settings, "body");
        scoped_ptr(regex_destroy) struct regex *regex = NULL;
        struct err err;
        if (!wanted.length)
                return;
        if (!regex_create(wanted, REGEX_ANYWHERE, "check", &regex, &err))
                check_tell(outcome, CHECK_UNKNOWN, "%s", err.message);
        else if (regex_match(regex, buf_str(&response->body)) != REGEX_YES)
                check_tell(outcome, CHECK_CRITICAL, "%.*s answers, but \"%.*s\" is not in its page", STR_ARGS(run->check->instance), STR_ARGS(wanted));
}

static void judge(const struct check_run *run, const struct http_response *response, struct check_outcome *outcome)
{
        int64_t warning_ns = 0, critical_ns = 0;
        struct str instance = run->check->instance;
        check_duration(run->check->settings, "warning", 0, &warning_ns, NULL);
        check_duration(run->check->settings, "critical", 0, &critical_ns, NULL);
        check_value(outcome, "http_status", (double)response->status);
        check_value(outcome, "http_bytes", (double)response->body.length);
        if (!status_is_good(json_object_get(run->check->settings, "status"), response->status))
                check_tell(outcome, CHECK_CRITICAL, "%.*s answers with status %ld", STR_ARGS(instance), response->status);
        judge_body(run, response, outcome);
        double ms = (double)response->duration_ns / 1e6;
        if (critical_ns && response->duration_ns > critical_ns)
                check_tell(outcome, CHECK_CRITICAL, "%.*s took %.0f ms", STR_ARGS(instance), ms);
        else if (warning_ns && response->duration_ns > warning_ns)
                check_tell(outcome, CHECK_WARNING, "%.*s took %.0f ms", STR_ARGS(instance), ms);
        check_tell(outcome, CHECK_OK, "%.*s answers with status %ld in %.0f ms", STR_ARGS(instance), response->status, ms);
}

void check_http_run(const struct check_run *run, struct check_outcome *out_outcome)
{
        const json_t *settings = run->check->settings;
        struct str method = json_str(settings, "method"), ca = json_str(settings, "ca_file");
        struct http_response response = {0};
        struct err err = {0};
        struct http_request request = {
                .method = method.length ? method.bytes : NULL, .url = run->check->instance.bytes, .headers = {"User-Agent: Evenkeel"},
                .timeout_ms = run->check->timeout_ns / NS_PER_MS, .body_bytes_max = BODY_BYTES_MAX, .accepts_gzip = true,
                .follows_elsewhere = json_flag(settings, "follow", false), .insecure = json_flag(settings, "insecure", false),
                .ca_file = ca.length ? ca.bytes : NULL,
        };
        if (!http_fetch(run->tools->http, &request, &response, &err))
                check_tell(out_outcome, CHECK_CRITICAL, "%s", err.message);
        else
                judge(run, &response, out_outcome);
        buf_done(&response.body);
}
