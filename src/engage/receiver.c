/* receiver.c - see receiver.h: the table, and what the kinds of receivers share. */
#include "engage/receiver.h"

#include "base/json.h"
#include "base/scope.h"
#include "reach/http_client.h"

#include <string.h>

const struct receiver_kind receiver_kinds[] = {
#define R(name, check, send, meaning) {#name, check, send, meaning},
#include "engage/receivers.def"
#undef R
};
const size_t receiver_kind_count = countof(receiver_kinds);

const struct receiver_kind *receiver_kind_find(struct str name)
{
        for (size_t i = 0; i < countof(receiver_kinds); i++)
                if (str_is(name, receiver_kinds[i].name))
                        return &receiver_kinds[i];
        return NULL;
}

bool receiver_setting(const struct receiver_context *context, const json_t *settings, const char *key, struct buf *out, struct err *err)
{
        struct str text = json_str(settings, key);
        if (!text.length)
                return true;
        if (str_starts_with(text, STR("secret:"))) {
                if (!context->secret(context->secret_context, str_slice(text, strlen("secret:"), text.length), out, err))
                        return err_within(err, "%s", key);
        } else if (!buf_add(out, text)) {
                return fail_memory(err, "engage", text.length);
        }
        return (buf_byte(out, 0) && out->length--) || fail_memory(err, "engage", out->length); /* ended by NUL, not counted */
}

static bool may_retry(long status)
{
        return status == 408 || status == 425 || status == 429 || status >= 500;
}

bool receiver_post(const struct receiver_context *context, const char *url, const char *const *headers, struct str body,
                   struct receiver_outcome *out_outcome, struct err *err)
{
        struct http_request request = {.method = "POST", .url = url, .body = body, .timeout_ms = 15000, .body_bytes_max = 64 << 10};
        struct http_response response = {0};
        size_t count = 0;
        request.headers[count++] = "Content-Type: application/json";
        while (headers && *headers && count < HTTP_HEADERS_MAX)
                request.headers[count++] = *headers++;
        *out_outcome = (struct receiver_outcome){.may_retry = true};
        if (!http_fetch(context->http, &request, &response, err)) {
                buf_done(&response.body);
                out_outcome->may_retry = !err || (err->code != ERR_INVALID && err->code != ERR_REFUSED);
                return false;
        }
        struct str said = str_trim(str_slice(buf_str(&response.body), 0, 120));
        bool good = response.status >= 200 && response.status < 300;
        out_outcome->may_retry = may_retry(response.status);
        out_outcome->retry_after_s = response.retry_after_s;
        if (!good)
                fail(err, ERR_REFUSED, "engage", "the receiver answered %ld: %.*s", response.status, STR_ARGS(str_is_utf8(said) ? said : STR("")));
        buf_done(&response.body);
        return good;
}
