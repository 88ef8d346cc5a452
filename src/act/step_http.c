/* step_http.c - a request to another program's API. Values are encoded in the address and quoted in the body; they cannot choose the host.
 *
 *      {http: https://api.example/v1/restart/${service}, method: POST, body: '{"why": "..."}', bearer: 'secret:api', headers: {X-Region: eu, X-Key: 'secret:key'}}
 *
 * A secret stands in the plan by its name; its value enters the request on the runner's thread alone, and is covered in what the answer repeats of it.
 */
#include "act/step.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "reach/http_client.h"
#include "reach/secrets.h"

#include <sodium.h>
#include <stdio.h>

#define ANSWER_MAX ((size_t)256 << 10)
#define ANSWER_KEPT ((size_t)16 << 10)
#define OWN_HEADERS_MAX 8

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

/* A name is of the letters that RFC 9110 calls a token; those that curl or the connection decide are not the runbook's. */
static bool is_header(const char *name)
{
        static const char *const reserved[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Content-Type"};
        for (size_t i = 0; i < countof(reserved); i++)
                if (str_equal_nocase(str_of(name), str_of(reserved[i])))
                        return false;
        return name[0] && strlen(name) <= 60 && !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")];
}

/* {name, value} or {name, before, secret}: kept apart, so that no value that is filled in can become a secret's name. */
static bool plan_header(const char *name, const json_t *text, const char *before, const struct slots *slots, json_t *list, struct err *err)
{
        struct str value = {json_string_value(text), json_string_length(text)}, rest = value;
        scoped_ptr(json_decref) json_t *header = json_pack("{s:s}", "name", name);
        size_t at;
        if (!header)
                return fail_memory(err, "runbook", sizeof *header);
        if (!is_header(name))
                return fail(err, ERR_INVALID, "runbook", "headers: %.60s is no header that a runbook may set", name);
        if (!json_is_string(text) || str_find(value, STR("\n"), &at) || str_find(value, STR("\r"), &at))
                return fail(err, ERR_INVALID, "runbook", "headers: the value of %s must be a text of one line; quote it", name);
        if (str_starts_with(value, STR("secret:"))) {
                rest = str_slice(value, strlen("secret:"), value.length);
                if (!rest.length || str_find(rest, STR("${"), &at))
                        return fail(err, ERR_INVALID, "runbook", "headers: %s: write secret:NAME, with the name as it stands under secrets in evenkeel.yaml", name);
                if (json_object_set_new(header, "before", json_string(before)) != 0 ||
                    json_object_set_new(header, "secret", json_stringn(rest.bytes, rest.length)) != 0)
                        return fail_memory(err, "runbook", rest.length);
        } else if (!step_text(text, slots, SLOT_WORD, "value", header, err)) {
                return err_within(err, "headers: %s", name);
        }
        return json_array_append(list, header) == 0 || fail_memory(err, "runbook", sizeof *header);
}

static bool plan_headers(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        const char *name;
        json_t *value, *list = json_array();
        const json_t *headers = json_object_get(body, "headers"), *bearer = json_object_get(body, "bearer");
        if (json_object_set_new(plan, "headers", list) != 0)
                return fail_memory(err, "runbook", sizeof *list);
        if (headers && (!json_is_object(headers) || json_object_size(headers) > OWN_HEADERS_MAX))
                return fail(err, ERR_INVALID, "runbook", "headers must be a mapping of at most %d names and texts", OWN_HEADERS_MAX);
        if (bearer && !str_starts_with(json_str(body, "bearer"), STR("secret:")))
                return fail(err, ERR_INVALID, "runbook", "bearer must be secret:NAME; put the token under secrets in evenkeel.yaml");
        if (bearer && !plan_header("Authorization", bearer, "Bearer ", slots, list, err))
                return false;
        json_object_foreach((json_t *)headers, name, value)
                if (!plan_header(name, value, "", slots, list, err))
                        return false;
        return true;
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
        if (!plan_headers(body, slots, plan, err))
                return false;
        if (text && !step_text(text, slots, SLOT_JSON, "body", plan, err))
                return false;
        return (json_object_set_new(plan, "method", json_string(methods[i])) == 0 &&
                json_object_set_new(plan, "content_type", json_string(type.length ? type.bytes : "application/json")) == 0) || fail_memory(err, "runbook", type.length);
}

/* What is known for the length of one request. */
struct dressing {
        struct buf lines[OWN_HEADERS_MAX + 1], secrets[OWN_HEADERS_MAX + 1];
        size_t count;
};

static void dressing_done(struct dressing *dressing)
{
        for (size_t i = 0; i < dressing->count; i++) {
                if (dressing->secrets[i].length)
                        sodium_memzero(dressing->secrets[i].bytes, dressing->secrets[i].length);
                if (dressing->lines[i].length)
                        sodium_memzero(dressing->lines[i].bytes, dressing->lines[i].length);
                buf_done(&dressing->secrets[i]);
                buf_done(&dressing->lines[i]);
        }
}

static bool dress(const struct step_hands *hands, const json_t *plan, struct dressing *dressing, struct http_request *request, struct err *err)
{
        size_t i, at;
        json_t *header;
        json_array_foreach (json_object_get(plan, "headers"), i, header) {
                if (dressing->count == countof(dressing->lines))
                        break;
                struct buf *line = &dressing->lines[dressing->count], *secret = &dressing->secrets[dressing->count];
                struct str name = json_str(header, "secret");
                dressing->count++;
                buf_printf(line, "%.*s: ", STR_ARGS(json_str(header, "name")));
                if (!name.length) {
                        buf_add(line, json_str(header, "value"));
                } else if (!hands->secrets || !secrets_find(hands->secrets, name, secret, err)) {
                        return hands->secrets ? false : fail(err, ERR_NOT_FOUND, "runner", "there are no secrets here");
                } else if (str_find(buf_str(secret), STR("\n"), &at) || str_find(buf_str(secret), STR("\r"), &at)) {
                        return fail(err, ERR_INVALID, "runner", "the secret \"%.*s\" has more than one line and cannot be a header", STR_ARGS(name));
                } else {
                        buf_add(line, json_str(header, "before"));
                        buf_add(line, buf_str(secret));
                }
                if (!buf_byte(line, 0))
                        return fail_memory(err, "runner", 256);
                request->headers[i + 1] = line->bytes;
        }
        return true;
}

/* The answer as it may be kept: covered first, then cut, or a cut could leave half a secret. */
static bool keep_answer(const struct dressing *dressing, struct str answer, struct arena *arena, struct str *out_kept, struct err *err)
{
        scoped(buf_done) struct buf covered = {0}, next = {0};
        buf_add(&covered, answer);
        for (size_t i = 0; i < dressing->count; i++) {
                next.length = 0;
                secret_cover(buf_str(&covered), buf_str(&dressing->secrets[i]), &next);
                struct buf swapped = covered;
                covered = next;
                next = swapped;
        }
        *out_kept = arena_str(arena, str_slice(buf_str(&covered), 0, ANSWER_KEPT));
        return (!covered.failed && !next.failed && out_kept->bytes) || fail_memory(err, "runner", answer.length);
}

bool step_http_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err)
{
        struct http_response response = {0};
        scoped(dressing_done) struct dressing dressing = {0};
        struct str type = arena_printf(arena, "Content-Type: %s", json_string_value(json_object_get(plan, "content_type"))), output;
        struct http_request request = {.method = json_string_value(json_object_get(plan, "method")), .url = json_string_value(json_object_get(plan, "http")),
                                       .headers = {type.bytes}, .body = json_str(plan, "body"), .body_bytes_max = ANSWER_MAX,
                                       .timeout_ms = json_i64(plan, "timeout_ns", STEP_TIMEOUT_NS) / NS_PER_MS};
        if (!type.bytes)
                return fail_memory(err, "runner", 64);
        if (!hands->fetch)
                return fail(err, ERR_FORBIDDEN, "runner", "no request may be sent here");
        if (!dress(hands, plan, &dressing, &request, err) || !hands->fetch(hands->context, &request, &response, err))
                return false;
        bool is_kept = keep_answer(&dressing, buf_str(&response.body), arena, &output, err);
        *out_outcome = (struct step_outcome){response.status < 400, response.status, output, arena_printf(arena, "the answer was status %ld", response.status)};
        buf_done(&response.body);
        return is_kept && (out_outcome->sentence.bytes || fail_memory(err, "runner", 64));
}
