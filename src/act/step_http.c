/* step_http.c - a request to another program's API. Values are encoded in the address and quoted in the body; they cannot choose the host. */
#include "act/step.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "reach/http_client.h"

#include <stdio.h>

#define ANSWER_MAX ((size_t)256 << 10)
#define ANSWER_KEPT ((size_t)16 << 10)

bool step_http_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_http_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err);

/* The host must be the runbook's own words: "http://web/${x}" and not "http://${x}/". */
static bool has_fixed_host(struct str url)
{
        size_t at, slot;
        if (!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://")))
                return false;
        str_find(url, STR("://"), &at);
        struct str host = str_slice(url, at + 3, url.length);
        if (str_find(host, STR("/"), &at))
                host = str_slice(host, 0, at);
        return host.length && !str_find(host, STR("${"), &slot);
}

bool step_http_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
        const json_t *url = json_object_get(body, "http"), *text = json_object_get(body, "body");
        struct str method = json_str(body, "method"), type = json_str(body, "content_type");
        size_t i = 0, at;
        if (!method.length)
                method = STR("POST");
        while (i < countof(methods) && !str_is(method, methods[i]))
                i++;
        if (i == countof(methods))
                return fail(err, ERR_INVALID, "runbook", "method must be GET, POST, PUT or DELETE");
        if (!step_text(url, slots, SLOT_URL, "http", plan, err))
                return false;
        if (!has_fixed_host(json_str(body, "http")))
                return fail(err, ERR_INVALID, "runbook", "http must be an address such as https://api.example/restart, its host without a value in it");
        if (str_find(type, STR("\n"), &at) || str_find(type, STR("\r"), &at))
                return fail(err, ERR_INVALID, "runbook", "content_type must be one line");
        if (text && !step_text(text, slots, SLOT_JSON, "body", plan, err))
                return false;
        return (json_object_set_new(plan, "method", json_string(methods[i])) == 0 &&
                json_object_set_new(plan, "content_type", json_string(type.length ? type.bytes : "application/json")) == 0) || fail_memory(err, "runbook", type.length);
}

bool step_http_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err)
{
        struct http_response response = {0};
        struct str type = arena_printf(arena, "Content-Type: %s", json_string_value(json_object_get(plan, "content_type")));
        struct http_request request = {.method = json_string_value(json_object_get(plan, "method")), .url = json_string_value(json_object_get(plan, "http")),
                                       .headers = {type.bytes}, .body = json_str(plan, "body"), .body_bytes_max = ANSWER_MAX,
                                       .timeout_ms = json_i64(plan, "timeout_ns", STEP_TIMEOUT_NS) / NS_PER_MS};
        if (!type.bytes)
                return fail_memory(err, "runner", 64);
        if (!hands->fetch)
                return fail(err, ERR_FORBIDDEN, "runner", "no request may be sent here");
        if (!hands->fetch(hands->context, &request, &response, err))
                return false;
        struct str output = arena_str(arena, str_slice(buf_str(&response.body), 0, ANSWER_KEPT));
        *out_outcome = (struct step_outcome){response.status < 400, response.status, output, arena_printf(arena, "the answer was status %ld", response.status)};
        buf_done(&response.body);
        return (output.bytes && out_outcome->sentence.bytes) || fail_memory(err, "runner", ANSWER_KEPT);
}
